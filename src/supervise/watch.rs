//! The loop that waits for one command, and does what `escalate` decides.

use std::collections::BTreeMap;
use std::time::Duration;

use super::descendants::{descendants, descends, is_stopped, parents, with_command};
use super::escalate::{Action, Escalation, Event, Origin};
use super::{Supervised, Supervisor, Witness};
use crate::clock::{Deadline, Stopwatch};
use crate::job::Signal;
use crate::outcome::{Exit, RunEnd, Usage, exit_of, status};
use crate::output::Output;
use crate::plan::TimeLimit;
use crate::rehearsal;
use crate::sys::process::{self, Change, Wait};
use crate::sys::signals::{self, Arrived, Sender};
use crate::sys::{kernel, lifeline};

/// How often everything is killed once more that was born while it was being killed, and how long
/// to wait between two passes.
const KILL_PASSES: u32 = 50;
const KILL_PAUSE: Duration = Duration::from_millis(5);

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

/// A command that has been started.
pub(super) struct Started {
    pub(super) pid: u32,
    pub(super) stopwatch: Stopwatch,
    pub(super) own_group: bool,
    pub(super) time_limit: Option<TimeLimit>,
}

/// A command under supervision.
pub(super) struct Watch<'a> {
    supervisor: &'a Supervisor,
    output: Option<&'a mut Output>,
    witness: &'a mut dyn Witness,
    pid: u32,
    own_group: bool,
    stopwatch: Stopwatch,
    escalation: Escalation,
    reaped: Option<Reaped>,
    timers: Timers,
    grace: Duration,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        supervisor: &'a Supervisor,
        started: &Started,
        output: Option<&'a mut Output>,
        witness: &'a mut dyn Witness,
    ) -> Self {
        let Started { pid, stopwatch, own_group, time_limit } = *started;
        Self {
            supervisor,
            output,
            witness,
            pid,
            own_group,
            stopwatch,
            escalation: Escalation::new(own_group),
            reaped: None,
            timers: Timers {
                moment: None,
                limit: time_limit.map(|time| Deadline::after(time.limit)),
                grace: None,
            },
            grace: time_limit.map_or(Duration::ZERO, |time| time.grace),
        }
    }

    /// Waits until the command has ended.
    pub(super) fn run(mut self) -> Supervised {
        let pid = self.pid;
        self.witness.started(pid);
        self.wait_for_moment(Duration::ZERO);
        let reaped = self.wait();
        Supervised {
            pid: Some(pid),
            end: reaped.end,
            usage: reaped.usage,
            wall_time: Some(reaped.wall_time),
            timed_out: self.escalation.timed_out(),
            forwarded_signal: self.escalation.forwarded(),
            stop_signal: self.escalation.stop(),
            told_to_stop: self.escalation.told_to_stop(),
        }
    }

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
    fn wait(&mut self) -> Reaped {
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
            rehearsal::of_a_panic("watch");
            match self.next_signal() {
                Some(Arrived { signal: Signal::CHLD, .. }) => self.collect(),
                Some(arrived) => self.on(arrived),
                // A timer, or this process was stopped and continued: look at both.
                None => self.collect(),
            }
            if let Some((moment, _)) = self.timers.moment.take_if(|(_, deadline)| deadline.passed()) {
                self.witness.reached(moment);
                rehearsal::of_a_panic("moment");
                self.wait_for_moment(moment);
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
    fn wait_for_moment(&mut self, passed: Duration) {
        let now = self.stopwatch.elapsed();
        let left = |moment: Duration| Deadline::after(moment.saturating_sub(now));
        self.timers.moment = self.witness.next_moment(passed, now).map(|moment| (moment, left(moment)));
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
        lifeline::ended(exit_of(&end, self.escalation.timed_out()));
        rehearsal::of_a_panic("reaped");
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
        if signal == Signal::WINCH {
            self.witness.resized();
        }
        let ignored = signals::is_ignored(signal);
        self.perform(Event::Signal { signal, origin: self.origin(signal, sender), ignored });
    }

    fn origin(&self, signal: Signal, sender: Sender) -> Origin {
        match sender {
            Sender::Kernel => Origin::of_kernel(signal),
            Sender::Process(sender) if self.reaped.is_none() && descends(sender, self.pid) => Origin::Job,
            Sender::Process(_) => Origin::Outside,
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
                self.witness.stopping();
                signals::stop_self(signal);
                self.witness.continued();
                // A shell's `fg` continues the whole group, the command first, and a CONT that was handed on
                // would be its second. One that was for us alone has left it stopped, and is handed on.
                if self.is_stopped() == Some(false) {
                    signals::forget(Signal::CONT);
                }
            }
            Action::Terminate => {
                lifeline::settled(Exit::Code(status::TIMED_OUT));
                self.terminate_everything();
                rehearsal::of_a_panic("limit");
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
        // Where orphans go to somebody else, what is found below this process may be what it had before.
        let parents = if kernel::FINDS_DESCENDANTS { parents() } else { BTreeMap::new() };
        let found = descendants(std::process::id(), &self.supervisor.strangers, &parents);
        with_command(found, self.reaped.is_none().then_some(self.pid))
    }

    /// The process group of the command, to be signalled where its descendants cannot be found: if it is its own, and
    /// as long as the command lives, without which the number may be anybody's.
    fn group(&self) -> Option<u32> {
        (!kernel::FINDS_DESCENDANTS && self.own_group && self.reaped.is_none()).then_some(self.pid)
    }

    /// TERM to all, then CONT, so that a stopped one can die. What was born meanwhile is found by
    /// further passes; nobody is told twice.
    fn terminate_everything(&self) {
        if let Some(group) = self.group() {
            signals::send_group(group, Signal::TERM);
            return signals::send_group(group, Signal::CONT);
        }
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
            self.group().into_iter().for_each(|group| signals::send_group(group, Signal::KILL));
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

/// Nobody else reaps our child. If it happens all the same, no status is made up for it.
fn status_lost() -> RunEnd {
    RunEnd::Interrupted { reason: "its exit status could not be had: somebody else reaped it".to_owned() }
}
