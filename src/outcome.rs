//! PURE. How a run ended: from the wait status to the outcome, the reason in words and cronward's
//! own exit. Failure of the job is data here; nothing in this file can fail or reads the world.

mod codes;
mod run;

use std::fmt;
use std::time::Duration;

use crate::job::Signal;
pub use codes::{CodeMeaning, ExitCodes};
pub use run::{Attempt, Excerpt, KeptOutput, Produced, Report, Run, Usage, exit_of};

/// The catalogue of cronward's own exit statuses; everything else is the job's.
pub mod status {
    /// The lock was held (EX_TEMPFAIL of sysexits.h); `--lock-exit` changes it.
    pub const SKIPPED: u8 = 75;
    /// `--timeout` fired, as with timeout(1), whether TERM sufficed or KILL was needed.
    pub const TIMED_OUT: u8 = 124;
    /// cronward could not do its part: bad usage, unusable lock, no process to be had.
    pub const CANNOT_RUN: u8 = 125;
    /// The command was found and cannot be executed (POSIX, XCU 2.8.2).
    pub const NOT_EXECUTABLE: u8 = 126;
    /// The command was not found (POSIX, XCU 2.8.2).
    pub const NOT_FOUND: u8 = 127;
}

/// How a run ended. One of these is recorded for every run that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// An exit code that counts as success.
    Ok,
    /// An exit code that counts as warning.
    Warning,
    /// Any other exit code.
    Failed,
    /// Died of a signal that nobody had asked for.
    Signaled,
    /// `--timeout` fired.
    TimedOut,
    /// Ended well, but did not do what was expected of it.
    Suspect,
    /// The command could not be executed.
    NotStarted,
    /// cronward or the host died during the run.
    Interrupted,
    /// Was told to stop, and did.
    Stopped,
    /// The overlap lock was held.
    Skipped,
}

/// What an outcome means to the alert rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Ends a streak of failures.
    Success,
    /// Adds to a streak of failures.
    Failure,
    /// Leaves the streak as it is.
    Neither,
}

impl Outcome {
    /// Every outcome, in the order of the manual.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::Warning,
        Self::Failed,
        Self::Signaled,
        Self::TimedOut,
        Self::Suspect,
        Self::NotStarted,
        Self::Interrupted,
        Self::Stopped,
        Self::Skipped,
    ];

    /// The word used in metrics, events and the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Signaled => "signaled",
            Self::TimedOut => "timed_out",
            Self::Suspect => "suspect",
            Self::NotStarted => "not_started",
            Self::Interrupted => "interrupted",
            Self::Stopped => "stopped",
            Self::Skipped => "skipped",
        }
    }

    /// The outcome that a word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// What it means to the alert rule.
    pub fn weight(self) -> Weight {
        match self {
            Self::Ok | Self::Warning => Weight::Success,
            Self::Failed
            | Self::Signaled
            | Self::TimedOut
            | Self::Suspect
            | Self::NotStarted
            | Self::Interrupted => Weight::Failure,
            Self::Stopped | Self::Skipped => Weight::Neither,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the kernel says of a process that has ended (wait(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It exited by itself, with this code.
    Exited(u8),
    /// It was terminated by a signal.
    Killed {
        /// The signal.
        signal: Signal,
        /// Whether the kernel says that it dumped core.
        core_dumped: bool,
    },
}

impl Ending {
    /// Decodes a wait status of a process that has ended. Real-time signals included, which nix's
    /// closed enum does not know.
    pub fn from_wait_status(status: i32) -> Self {
        match status & 0x7f {
            0 => Self::Exited(((status >> 8) & 0xff) as u8),
            signal => Self::Killed { signal: Signal(signal), core_dumped: status & 0x80 != 0 },
        }
    }

    /// The exit code, if it exited by itself.
    pub fn exit_code(self) -> Option<u8> {
        match self {
            Self::Exited(code) => Some(code),
            Self::Killed { .. } => None,
        }
    }

    /// The signal that it died of, and whether it dumped core.
    pub fn death(self) -> Option<(Signal, bool)> {
        match self {
            Self::Killed { signal, core_dumped } => Some((signal, core_dumped)),
            Self::Exited(_) => None,
        }
    }
}

impl RunEnd {
    /// How the command ended, if it was started and reaped.
    pub fn ending(&self) -> Option<Ending> {
        match self {
            Self::Ended(ending) => Some(*ending),
            Self::NotStarted(_)
            | Self::StoppedBefore(_)
            | Self::Skipped { .. }
            | Self::Interrupted { .. } => None,
        }
    }
}

/// Why a command could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFailure {
    /// 125, 126 or 127 of [`status`].
    pub exit_status: u8,
    /// One sentence that a person can act on.
    pub reason: String,
}

/// How the supervised part of a run ended: what [`Run`] is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// The command was started and reaped.
    Ended(Ending),
    /// The command could not be started.
    NotStarted(StartFailure),
    /// A stop signal came before the command was started.
    StoppedBefore(Signal),
    /// The overlap lock was held; exit with this status.
    Skipped {
        /// 75 or `--lock-exit`.
        exit_status: u8,
        /// Who holds it.
        reason: String,
    },
    /// cronward or the host died; recorded by somebody later.
    Interrupted {
        /// What is known of it.
        reason: String,
    },
}

/// What is known when a run has ended, before it is given a name.
#[derive(Debug, Clone)]
pub struct Ended<'a> {
    /// How it ended.
    pub end: &'a RunEnd,
    /// Whether `--timeout` fired, and after how long.
    pub timed_out_after: Option<Duration>,
    /// The first stop signal that reached cronward.
    pub stop_signal: Option<Signal>,
}

impl Ended<'_> {
    /// The outcome and its reason.
    ///
    /// A timeout wins over a stop signal that came after it; a stop signal wins over the way the
    /// job ended, unless it ended well in spite of it.
    pub fn judge(&self, codes: &CodeMeaning) -> (Outcome, Option<String>) {
        let ending = match self.end {
            RunEnd::Ended(ending) => *ending,
            RunEnd::NotStarted(failure) => {
                return (Outcome::NotStarted, Some(failure.reason.clone()));
            }
            RunEnd::StoppedBefore(signal) => {
                return (Outcome::Stopped, Some(format!("told to stop by {signal} before the job started")));
            }
            RunEnd::Skipped { reason, .. } => return (Outcome::Skipped, Some(reason.clone())),
            RunEnd::Interrupted { reason } => return (Outcome::Interrupted, Some(reason.clone())),
        };
        if let Some(limit) = self.timed_out_after {
            let limit = humantime::format_duration(limit);
            let how = match ending {
                Ending::Killed { signal: Signal::KILL, .. } => "; it had to be killed by SIGKILL",
                Ending::Exited(_) | Ending::Killed { .. } => "",
            };
            return (Outcome::TimedOut, Some(format!("still running after {limit}{how}")));
        }
        match (ending, self.stop_signal) {
            (Ending::Exited(code), None) => self.exited(code, codes),
            (Ending::Exited(code), Some(stop)) => match codes.of(code) {
                well @ (Outcome::Ok | Outcome::Warning) => (well, self.exited(code, codes).1),
                Outcome::Failed
                | Outcome::Signaled
                | Outcome::TimedOut
                | Outcome::Suspect
                | Outcome::NotStarted
                | Outcome::Interrupted
                | Outcome::Stopped
                | Outcome::Skipped => {
                    (Outcome::Stopped, Some(format!("told to stop by {stop}; exited with {code}")))
                }
            },
            (Ending::Killed { signal, core_dumped }, None) => {
                let core = if core_dumped { " (core dumped)" } else { "" };
                (Outcome::Signaled, Some(format!("killed by {signal}{core}")))
            }
            (Ending::Killed { signal, .. }, Some(stop)) if signal == stop => {
                (Outcome::Stopped, Some(format!("told to stop by {stop}")))
            }
            (Ending::Killed { signal, .. }, Some(stop)) => {
                (Outcome::Stopped, Some(format!("told to stop by {stop}; died of {signal}")))
            }
        }
    }

    fn exited(&self, code: u8, codes: &CodeMeaning) -> (Outcome, Option<String>) {
        let reason = (code != 0).then(|| format!("exited with {code}"));
        (codes.of(code), reason)
    }
}

/// How cronward itself ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this exit status.
    Code(u8),
    /// By raising this signal on itself.
    Signal(Signal),
}

#[cfg(test)]
mod tests;
