//! One command, from its start to its reaping: the loop that waits, and does what `escalate`
//! decides. It knows nothing of journals, metrics or alerts, and nothing that it calls can keep it
//! from coming back with the command's status.

mod descendants;
mod escalate;
mod oom;
mod start_failure;
mod watch;

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use self::descendants::children;
pub use self::escalate::{Action, Escalation, Event, Origin};
use self::watch::{Started, Watch};
use crate::clock::Stopwatch;
use crate::job::Signal;
use crate::outcome::{RunEnd, Usage};
use crate::output::Output;
use crate::plan::TimeLimit;
use crate::sys::entry::SignalState;
use crate::sys::process::{self, Exec, LastWords};
use crate::sys::signals::{self, SignalSet};
use crate::sys::{kernel, lifeline};

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

/// Somebody who is told while the command runs. What they do must not take long.
pub trait Witness {
    /// The command is running.
    fn started(&mut self, pid: u32);
    /// The first moment after `passed` at which it wants to hear that the command still runs; `None`: never
    /// again. Both are since the start, and so is `now`: beyond `passed` by more than a little where
    /// cronward was stopped meanwhile.
    fn next_moment(&self, passed: Duration, now: Duration) -> Option<Duration>;
    /// The command has been running for that long.
    fn reached(&mut self, moment: Duration);
    /// This process is about to stop itself with the command, as its terminal wants it.
    fn stopping(&mut self) {}
    /// It goes on.
    fn continued(&mut self) {}
    /// The window of the terminal has another size.
    fn resized(&mut self) {}
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
        let adopts = is_init || (has_time_limit && kernel::adopt_orphans());
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
        if let Ok(pid) = started {
            lifeline::runs(lifeline::Command { pid, own_group: task.own_group, adopts: self.adopts });
        }
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
        let started = Started { pid, stopwatch, own_group: task.own_group, time_limit: task.time_limit };
        Watch::new(self, &started, output, witness).run()
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
