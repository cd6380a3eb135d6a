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

use self::descendants::{children, descendants, descends, is_stopped, parents, with_command};
use self::escalate::{Action, Escalation, Event, Origin};
use crate::clock::{Deadline, Stopwatch};
use crate::job::Signal;
use crate::outcome::{RunEnd, Usage};
use crate::output::Output;
use crate::plan::TimeLimit;
use crate::sys::entry::SignalState;
use crate::sys::process::{self, Change, Exec, LastWords, Wait};
use crate::sys::signals::{self, Arrived, Sender, SignalSet};

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
    /// What becomes of its output, if that passes through here.
    pub output: Option<&'a mut Output>,
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
    /// The first HUP, INT, QUIT or TERM that reached cronward before any time limit did.
    pub stop_signal: Option<Signal>,
    /// Whether such a signal has reached cronward at all.
    pub told_to_stop: bool,
}

impl Supervised {
    /// Whether it was at least tried to start the command.
    pub fn is_started(&self) -> bool {
        matches!(self.end, RunEnd::Ended(_) | RunEnd::NotStarted(_) | RunEnd::Interrupted { .. })
    }

    /// A command that was not started.
    pub fn never(end: RunEnd) -> Self {
        let stop_signal = match end {
            RunEnd::StoppedBefore(signal) => Some(signal),
            RunEnd::Ended(_)
            | RunEnd::NotStarted(_)
            | RunEnd::Skipped { .. }
            | RunEnd::Interrupted { .. } => None,
        };
        Self {
            pid: None,
            end,
            usage: None,
            wall_time: None,
            timed_out: false,
            forwarded_signal: None,
            stop_signal,
            told_to_stop: stop_signal.is_some(),
        }
    }
}

/// How often everything is killed once more that was born while it was being killed, and how long
/// to wait between two passes.
const KILL_PASSES: u32 = 50;
const KILL_PAUSE: Duration = Duration::from_millis(5);

/// Who runs one command after the other, and knows whose children are whose.
pub struct Supervisor {
    adopts: bool,
    /// Children that cronward had before, as after `sleep 100 & exec cronward …`.
    strangers: Vec<u32>,
}

impl Supervisor {
    /// Before the first command is started.
    pub fn new(has_time_limit: bool) -> Self {
        let is_init = std::process::id() == 1;
        // Only a time limit needs the whole tree. Without one, orphans of the command go to whom they
        // would go without cronward.
        let adopts = is_init || (has_time_limit && process::adopt_orphans());
        let strangers =
            if adopts && process::has_children() { children(std::process::id()) } else { Vec::new() };
        Self { adopts, strangers }
    }

    /// Runs a command to its end.
    pub fn supervise(&self, task: Task<'_>, witness: &mut dyn Witness) -> Supervised {
        // Whoever told us to stop before there was a command has told nobody else, even at the terminal.
        if let Some(signal) = told_to_stop_already(task.signals) {
            return Supervised::never(RunEnd::StoppedBefore(signal));
        }
        let Task { mut output, .. } = task;
        let stopwatch = Stopwatch::start();
        let started = process::spawn(&Exec {
            argv: task.argv,
            environment: task.environment,
            search_path: task.search_path,
            stdio: output.as_deref().map_or([None; 3], Output::stdio),
            own_group: task.own_group,
            signals: task.signals,
            last_words: task.last_words,
        });
        if let Some(output) = &mut output {
            output.connected();
        }
        let pid = match started {
            Ok(pid) => pid,
            Err(error) => {
                let failure = start_failure::explain(error, task.argv, task.search_path);
                return Supervised::never(RunEnd::NotStarted(failure));
            }
        };
        let mut watch = Watch {
            pid,
            own_group: task.own_group,
            stopwatch,
            supervisor: self,
            output,
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
        let reaped = catch_unwind(AssertUnwindSafe(|| watch.wait(witness)))
            .unwrap_or_else(|_| just_wait(pid, stopwatch, watch.output.as_deref_mut()));
        Supervised {
            pid: Some(pid),
            end: reaped.end,
            usage: reaped.usage,
            wall_time: Some(reaped.wall_time),
            timed_out: watch.escalation.timed_out(),
            forwarded_signal: watch.escalation.forwarded(),
            stop_signal: watch.escalation.stop(),
            told_to_stop: watch.escalation.told_to_stop(),
        }
    }
}

/// A signal that asks to stop, that the caller would have us obey, and that has come already.
fn told_to_stop_already(caller: SignalState) -> Option<Signal> {
    let asking = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM]
        .into_iter()
        .filter(|&signal| !caller.mask.contains(signal))
        .fold(SignalSet::NONE, SignalSet::with);
    // One that is to be ignored is pending like any other, as long as it is blocked (signal(7)).
    std::iter::from_fn(|| signals::take(asking)).find(|&signal| !signals::is_ignored(signal))
}

/// Waits for a command, and lets its output go on: nothing else.
fn just_wait(pid: u32, stopwatch: Stopwatch, mut output: Option<&mut Output>) -> Reaped {
    /// How often the defect may show itself again before the output is given up for the command.
    const DEFECTS_MAX: u32 = 3;
    let at_end = |end, usage| Reaped { end, usage, wall_time: stopwatch.elapsed() };
    let mut defects = 0;
    loop {
        let wait = if output.is_some() { Wait::Now } else { Wait::ToTheEnd };
        match (process::reap(pid, wait), &mut output) {
            (Change::Ended(ending, usage), _) => return at_end(RunEnd::Ended(ending), Some(usage)),
            (Change::None | Change::Stopped(_), Some(served)) => {
                let mut serve = || served.serve(Some(KILL_PAUSE));
                defects += u32::from(catch_unwind(AssertUnwindSafe(&mut serve)).is_err());
                if defects > DEFECTS_MAX {
                    served.abandon();
                    output = None;
                }
            }
            (Change::None | Change::Stopped(_) | Change::Gone, _) => return at_end(status_lost(), None),
        }
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
struct Watch<'a> {
    supervisor: &'a Supervisor,
    output: Option<&'a mut Output>,
    pid: u32,
    own_group: bool,
    stopwatch: Stopwatch,
    escalation: Escalation,
    reaped: Option<Reaped>,
    timers: Timers,
    grace: Duration,
}

impl Watch<'_> {
    /// Asleep, but for output that goes on, until a signal comes or a timer runs out.
    fn next_signal(&mut self) -> Option<Arrived> {
        let limit = self.timers.next();
        match &mut self.output {
            Some(output) => output.serve(limit),
            None => signals::next(limit),
        }
    }

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
            match self.next_signal() {
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
        if !self.supervisor.adopts {
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
        // Ctrl-Z does nothing to a command that is stopped already, as by SIGSTOP, so no stop of it will
        // be reported: the terminal would be held by us alone.
        if signal == Signal::TSTP && sender == Sender::Kernel && self.is_stopped() == Some(true) {
            return self.perform(Event::Stopped(signal));
        }
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
            Action::StopSelf(signal) => {
                signals::stop_self(signal);
                // A shell's `fg` continues the whole group, the command first, and a CONT that was handed on
                // would be its second. One that was for us alone has left it stopped, and is handed on.
                if self.is_stopped() == Some(false) {
                    signals::forget(Signal::CONT);
                }
            }
            Action::Terminate => {
                self.terminate_everything();
                self.timers.grace = Some(Deadline::after(self.grace));
            }
            Action::Kill => self.kill_everything(),
        }
    }

    /// Whether the command is stopped; `None` if nobody can say, as once it is reaped.
    fn is_stopped(&self) -> Option<bool> {
        if self.reaped.is_none() { is_stopped(self.pid) } else { None }
    }

    /// Everything that the command started and that lives, itself included: also where `/proc` does not
    /// show it, as in a chroot without one.
    fn descendants(&self) -> Vec<u32> {
        let found = descendants(std::process::id(), &self.supervisor.strangers, &parents());
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
mod tests;
