//! One command, from its start to its reaping: the loop that waits, and does what `escalate`
//! decides. It knows nothing of journals, metrics or alerts, and nothing that it calls can keep it
//! from coming back with the command's status.

mod descendants;
mod escalate;
mod oom;
mod start_failure;

use std::ffi::{OsStr, OsString};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use self::descendants::{descendants, descends, parents, with_command};
use self::escalate::{Action, Escalation, Event, Origin};
use crate::clock::{Deadline, Stopwatch};
use crate::job::Signal;
use crate::outcome::{RunEnd, Usage};
use crate::plan::TimeLimit;
use crate::sys::entry::SignalState;
use crate::sys::process::{self, Change, Exec, LastWords, Wait};
use crate::sys::signals::{self, Arrived, Sender};

/// What is to be run, and how.
pub struct Task<'a> {
    /// The argument vector.
    pub argv: &'a [OsString],
    /// The whole environment.
    pub environment: &'a [OsString],
    /// Where a name without a slash is searched.
    pub search_path: Option<&'a OsStr>,
    /// Whether it gets a process group of its own.
    pub own_group: bool,
    /// When it is told to end, and how long it may take to.
    pub time_limit: Option<TimeLimit>,
    /// The signal state of the caller.
    pub signals: SignalState,
    /// What goes on record before the command is executed.
    pub last_words: LastWords,
}

/// Somebody who is told while the command runs. What they do must not take long, and a panic of
/// theirs is caught.
pub trait Witness {
    /// The command is running.
    fn started(&mut self, pid: u32);
    /// The first moment after `passed` at which it wants to hear that the command still runs; `None`: never
    /// again. Both are since the start, and so is `now`: beyond `passed` by more than a little where
    /// cronward was stopped meanwhile.
    fn next_moment(&self, passed: Duration, now: Duration) -> Option<Duration>;
    /// The command has been running for that long.
    fn reached(&mut self, moment: Duration);
}

pub use self::oom::verdict as out_of_memory;

/// What became of the command.
#[derive(Debug)]
pub struct Supervised {
    /// Its pid, if it was started.
    pub pid: Option<u32>,
    /// How it ended.
    pub end: RunEnd,
    /// What it used.
    pub usage: Option<Usage>,
    /// From its start to its reaping, monotonic; `None`: it never ran.
    pub wall_time: Option<Duration>,
    /// Whether the time limit was reached.
    pub timed_out: bool,
    /// The first signal that was handed on.
    pub forwarded_signal: Option<Signal>,
    /// The first HUP, INT, QUIT or TERM that reached cronward.
    pub stop_signal: Option<Signal>,
}

/// How often everything is killed once more that was born while it was being killed, and how long
/// to wait between two passes.
const KILL_PASSES: u32 = 50;
const KILL_PAUSE: Duration = Duration::from_millis(5);

/// Runs a command to its end.
pub fn supervise(task: Task<'_>, witness: &mut dyn Witness) -> Supervised {
    let is_init = std::process::id() == 1;
    // Only a time limit needs the whole tree. Without one, orphans of the command go to whom they
    // would go without cronward.
    let adopts = is_init || (task.time_limit.is_some() && process::adopt_orphans());
    let strangers = if adopts && process::has_children() { own_children() } else { Vec::new() };
    let stopwatch = Stopwatch::start();
    let started = process::spawn(&Exec {
        argv: task.argv,
        environment: task.environment,
        search_path: task.search_path,
        stdio: [None; 3],
        own_group: task.own_group,
        signals: task.signals,
        last_words: task.last_words,
    });
    let pid = match started {
        Ok(pid) => pid,
        Err(error) => {
            return Supervised {
                pid: None,
                end: RunEnd::NotStarted(start_failure::explain(error, task.argv, task.search_path)),
                usage: None,
                wall_time: None,
                timed_out: false,
                forwarded_signal: None,
                stop_signal: None,
            };
        }
    };
    let mut watch = Watch {
        pid,
        own_group: task.own_group,
        stopwatch,
        adopts,
        strangers,
        escalation: Escalation::new(task.own_group),
        reaped: None,
        timers: Timers {
            moment: None,
            limit: task.time_limit.map(|time| Deadline::after(time.limit)),
            grace: None,
        },
        grace: task.time_limit.map_or(Duration::ZERO, |time| time.grace),
    };
    quietly(|| witness.started(pid));
    watch.wait_for_moment(witness, Duration::ZERO);
    // A defect of ours is no reason to lose the command: then it is waited for and no more.
    let reaped =
        catch_unwind(AssertUnwindSafe(|| watch.wait(witness))).unwrap_or_else(|_| just_wait(pid, stopwatch));
    Supervised {
        pid: Some(pid),
        end: reaped.end,
        usage: reaped.usage,
        wall_time: Some(reaped.wall_time),
        timed_out: watch.escalation.timed_out(),
        forwarded_signal: watch.escalation.forwarded(),
        stop_signal: watch.escalation.stop(),
    }
}

fn just_wait(pid: u32, stopwatch: Stopwatch) -> Reaped {
    let at_end = |end, usage| Reaped { end, usage, wall_time: stopwatch.elapsed() };
    match process::reap(pid, Wait::ToTheEnd) {
        Change::Ended(ending, usage) => at_end(RunEnd::Ended(ending), Some(usage)),
        Change::None | Change::Stopped(_) | Change::Gone => at_end(status_lost(), None),
    }
}

/// Nobody else reaps our child. If it happens all the same, no status is made up for it.
fn status_lost() -> RunEnd {
    RunEnd::Interrupted { reason: "its exit status could not be had: somebody else reaped it".to_owned() }
}

/// Calls a witness. Its panic has been reported by the panic hook; the command goes on.
fn quietly(call: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(call));
}

fn own_children() -> Vec<u32> {
    let own = std::process::id();
    parents().into_iter().filter(|&(_, parent)| parent == own).map(|(pid, _)| pid).collect()
}

/// When the loop wakes up without a signal.
struct Timers {
    /// A moment that the witness waits for, since the start.
    moment: Option<(Duration, Deadline)>,
    limit: Option<Deadline>,
    grace: Option<Deadline>,
}

impl Timers {
    fn next(&self) -> Option<Duration> {
        let moment = self.moment.map(|(_, deadline)| deadline);
        [moment, self.limit, self.grace].into_iter().flatten().min().map(Deadline::left)
    }
}

/// Whether a timer has run out; it does so once.
fn runs_out(timer: &mut Option<Deadline>) -> bool {
    timer.take_if(|deadline| deadline.passed()).is_some()
}

/// A command that has ended.
#[derive(Debug, Clone)]
struct Reaped {
    end: RunEnd,
    usage: Option<Usage>,
    wall_time: Duration,
}

/// A command under supervision.
struct Watch {
    pid: u32,
    own_group: bool,
    stopwatch: Stopwatch,
    adopts: bool,
    /// Children that cronward had before, as after `sleep 100 & exec cronward …`.
    strangers: Vec<u32>,
    escalation: Escalation,
    reaped: Option<Reaped>,
    timers: Timers,
    grace: Duration,
}

impl Watch {
    /// The loop: asleep until a signal comes or a timer runs out. After a timeout it also outlives
    /// the command until everything that the command started is gone.
    fn wait(&mut self, witness: &mut dyn Witness) -> Reaped {
        loop {
            if let Some(reaped) = &self.reaped {
                let reaped = reaped.clone();
                if !self.escalation.timed_out() || self.descendants().is_empty() {
                    return reaped;
                }
                if self.timers.grace.is_none() {
                    self.kill_everything();
                    return reaped;
                }
            }
            match signals::next(self.timers.next()) {
                Some(Arrived { signal: Signal::CHLD, .. }) => self.collect(),
                Some(arrived) => self.on(arrived),
                // A timer, or this process was stopped and continued: look at both.
                None => self.collect(),
            }
            if let Some((moment, _)) = self.timers.moment.take_if(|(_, deadline)| deadline.passed()) {
                quietly(|| witness.reached(moment));
                self.wait_for_moment(witness, moment);
            }
            if self.reaped.is_none() && runs_out(&mut self.timers.limit) {
                self.perform(Event::LimitReached);
            }
            if runs_out(&mut self.timers.grace) {
                self.perform(Event::GraceOver);
            }
        }
    }

    /// Sets the timer for the next moment that the witness waits for. One that has gone by already comes
    /// at once.
    fn wait_for_moment(&mut self, witness: &dyn Witness, passed: Duration) {
        let now = self.stopwatch.elapsed();
        let next = catch_unwind(AssertUnwindSafe(|| witness.next_moment(passed, now))).ok().flatten();
        let left = |moment: Duration| Deadline::after(moment.saturating_sub(now));
        self.timers.moment = next.map(|moment| (moment, left(moment)));
    }

    /// Takes what wait4(2) has to say. SIGCHLD coalesces, so one of it may stand for many children.
    fn collect(&mut self) {
        if !self.adopts {
            let change = process::reap(self.pid, Wait::Now);
            return self.changed(change);
        }
        while let Some((pid, change)) = process::reap_any() {
            if pid == self.pid {
                self.changed(change);
            }
        }
    }

    fn changed(&mut self, change: Change) {
        match change {
            Change::None => {}
            Change::Stopped(signal) => self.perform(Event::Stopped(signal)),
            Change::Ended(ending, usage) => self.reap(RunEnd::Ended(ending), Some(usage)),
            Change::Gone if self.reaped.is_none() => self.reap(status_lost(), None),
            Change::Gone => {}
        }
    }

    fn reap(&mut self, end: RunEnd, usage: Option<Usage>) {
        // Whoever waits for a moment wants to hear of a command that still runs.
        self.timers.moment = None;
        self.reaped = Some(Reaped { end, usage, wall_time: self.stopwatch.elapsed() });
    }

    fn on(&mut self, Arrived { signal, sender }: Arrived) {
        let ignored = signals::is_ignored(signal);
        self.perform(Event::Signal { signal, origin: self.origin(signal, sender), ignored });
    }

    fn origin(&self, signal: Signal, sender: Sender) -> Origin {
        use nix::libc::SIGWINCH;
        let of_terminal =
            [Signal::INT, Signal::QUIT, Signal::HUP, Signal::TSTP, Signal::CONT, Signal(SIGWINCH)];
        match sender {
            // The kernel sends others on its own too, such as the SIGALRM of an alarm(2) that was set
            // before cronward was executed; the command has not had those.
            Sender::Kernel if of_terminal.contains(&signal) => Origin::Terminal,
            Sender::Process(sender) if self.reaped.is_none() && descends(sender, self.pid) => Origin::Job,
            Sender::Kernel | Sender::Process(_) => Origin::Outside,
        }
    }

    fn perform(&mut self, event: Event) {
        match self.escalation.on(event) {
            Action::Nothing => {}
            // Once the command is reaped its pid may be anybody's.
            Action::Forward(_) if self.reaped.is_some() => {}
            Action::Forward(signal) if self.own_group => signals::send_group(self.pid, signal),
            Action::Forward(signal) => signals::send(self.pid, signal),
            Action::StopSelf(signal) => signals::stop_self(signal),
            Action::Terminate => {
                self.terminate_everything();
                self.timers.grace = Some(Deadline::after(self.grace));
            }
            Action::Kill => self.kill_everything(),
        }
    }

    /// Everything that the command started and that lives, itself included.
    fn descendants(&self) -> Vec<u32> {
        let found = descendants(std::process::id(), &self.strangers, &parents());
        with_command(found, self.reaped.is_none().then_some(self.pid))
    }

    /// TERM to all, then CONT, so that a stopped one can die. What was born meanwhile is found by
    /// further passes; nobody is told twice.
    fn terminate_everything(&self) {
        let mut told: Vec<u32> = Vec::new();
        for _ in 0..3 {
            let unaware: Vec<u32> =
                self.descendants().into_iter().filter(|pid| !told.contains(pid)).collect();
            if unaware.is_empty() {
                break;
            }
            unaware.iter().for_each(|&pid| signals::send(pid, Signal::TERM));
            unaware.iter().for_each(|&pid| signals::send(pid, Signal::CONT));
            told.extend(unaware);
        }
    }

    /// KILL to all, until none is left. A process that the kernel cannot kill (uninterruptible
    /// sleep) is left to it after [`KILL_PASSES`].
    fn kill_everything(&mut self) {
        for _ in 0..KILL_PASSES {
            let left = self.descendants();
            left.iter().for_each(|&pid| signals::send(pid, Signal::KILL));
            if left.is_empty() {
                break;
            }
            // Their deaths wake us; other signals have no meaning any more.
            let _ = signals::next(Some(KILL_PAUSE));
            self.collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Ending;
    use crate::sys::signals::{SignalSet, set_mask};

    #[test]
    fn a_witness_that_panics_does_not_disturb_the_run() {
        let mut called = false;
        quietly(|| {
            called = true;
            panic!("a defect");
        });
        assert!(called);
    }

    #[test]
    fn a_command_whose_supervision_broke_is_still_waited_for() {
        let before = set_mask(SignalSet::ALL);
        let pid = process::spawn(&Exec {
            argv: &["sh".into(), "-c".into(), "exit 9".into()],
            environment: &[],
            search_path: None,
            stdio: [None; 3],
            own_group: false,
            signals: SignalState { mask: before, child_ignored: false },
            last_words: LastWords::default(),
        });
        set_mask(before);
        assert_eq!(just_wait(pid.unwrap(), Stopwatch::start()).end, RunEnd::Ended(Ending::Exited(9)));
    }
}
