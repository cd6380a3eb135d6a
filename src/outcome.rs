//! PURE. How a run ended: from the wait status to the outcome, the reason in words and cronward's
//! own exit. Failure of the job is data here; nothing in this file can fail or reads the world.

mod codes;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::job::{RunId, Signal, Tag};
pub use codes::{CodeMeaning, ExitCodes};

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

/// Resources used by the command and the descendants it waited for (getrusage(2), by wait4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// Largest resident set of any one process, in bytes (the kernel's KiB multiplied).
    pub max_rss_bytes: u64,
    /// Page faults served without I/O.
    pub minor_faults: u64,
    /// Page faults that needed I/O.
    pub major_faults: u64,
    /// Context switches while waiting for something.
    pub voluntary_switches: u64,
    /// Context switches because the time slice was over.
    pub involuntary_switches: u64,
    /// Block input operations.
    pub blocks_in: u64,
    /// Block output operations.
    pub blocks_out: u64,
}

impl Usage {
    /// What two processes used that ran one after the other.
    pub fn and(self, other: Self) -> Self {
        Self {
            user: self.user + other.user,
            system: self.system + other.system,
            max_rss_bytes: self.max_rss_bytes.max(other.max_rss_bytes),
            minor_faults: self.minor_faults + other.minor_faults,
            major_faults: self.major_faults + other.major_faults,
            voluntary_switches: self.voluntary_switches + other.voluntary_switches,
            involuntary_switches: self.involuntary_switches + other.involuntary_switches,
            blocks_in: self.blocks_in + other.blocks_in,
            blocks_out: self.blocks_out + other.blocks_out,
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

/// What a job has written to `$CRONWARD_RUN_REPORT`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Its own measurements, by name; finite, each name once.
    pub values: Vec<(String, f64)>,
    /// Tags of this run beside those of the job, each key once.
    pub tags: Vec<Tag>,
}

impl Report {
    /// Whether a value may be called so: what every kind of sink can have in the name of a metric,
    /// 64 characters at most, of which dots only divide.
    pub fn is_name(name: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        name.len() <= 64 && name.split('.').all(|part| !part.is_empty() && part.bytes().all(plain))
    }
}

/// A file that a run was to produce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Produced {
    /// The pattern that it matches.
    pub pattern: String,
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The first and the last part of what a run has written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt {
    /// The first part; all of it if nothing had to be left out.
    pub head: Vec<u8>,
    /// The last part; empty if nothing had to be left out.
    pub tail: Vec<u8>,
    /// How many bytes there were.
    pub total: u64,
    /// How many of them are in neither part.
    pub left_out: u64,
}

/// What was kept of the output of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptOutput {
    /// `--capture`.
    pub excerpt: Option<Excerpt>,
    /// The file of `--log-dir` that has all of it.
    pub log: Option<PathBuf>,
}

/// An attempt that failed, and after which the command was to be run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When the command was started.
    pub started_at: Timestamp,
    /// Wall time, monotonic.
    pub wall_time: Duration,
    /// How it ended.
    pub ending: Ending,
    /// How that is called.
    pub outcome: Outcome,
    /// Why, in words.
    pub reason: Option<String>,
}

/// Everything known of one run once it has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The run that this one was started in.
    pub parent: Option<RunId>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended; unknown for an interrupted run.
    pub ended_at: Option<Timestamp>,
    /// Wall time, monotonic, of all attempts and the time between them; unknown for an interrupted run.
    pub wall_time: Option<Duration>,
    /// Process id of the command, at the last attempt.
    pub pid: Option<u32>,
    /// How often the command was started; 0 for a skipped run.
    pub attempts: u32,
    /// The attempts before the last one, oldest first.
    pub earlier: Vec<Attempt>,
    /// How it ended; with several attempts, the last one.
    pub end: RunEnd,
    /// Whether `--timeout` fired.
    pub timed_out: bool,
    /// The first signal that cronward was sent and handed on.
    pub forwarded_signal: Option<Signal>,
    /// The first HUP, INT, QUIT or TERM that reached cronward, forwarded or typed at the terminal.
    pub stop_signal: Option<Signal>,
    /// Resources used, by all attempts.
    pub usage: Option<Usage>,
    /// What the job reported of itself.
    pub report: Report,
    /// The files that it was to produce, as they were found: the first that is not as it should be,
    /// if there is one, then in the order of `--produces`.
    pub produced: Vec<Produced>,
    /// What was kept of its output.
    pub output: KeptOutput,
    /// Whether output that the command believes to have written could not be written on.
    pub output_was_lost: bool,
    /// How it is called.
    pub outcome: Outcome,
    /// Why, in words; `None` where there is nothing to say beyond the outcome.
    pub reason: Option<String>,
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

impl Run {
    /// How cronward ends after this run; never changed by anything that happens later.
    pub fn exit(&self) -> Exit {
        if self.timed_out {
            return Exit::Code(status::TIMED_OUT);
        }
        match &self.end {
            // Without the pipe in between, its write would have failed, and it would have said so.
            RunEnd::Ended(Ending::Exited(0)) if self.output_was_lost => Exit::Code(status::CANNOT_RUN),
            RunEnd::Ended(Ending::Exited(code)) => Exit::Code(*code),
            RunEnd::Ended(Ending::Killed { signal, .. }) => Exit::Signal(*signal),
            RunEnd::NotStarted(failure) => Exit::Code(failure.exit_status),
            RunEnd::StoppedBefore(signal) => Exit::Signal(*signal),
            RunEnd::Skipped { exit_status, .. } => Exit::Code(*exit_status),
            RunEnd::Interrupted { .. } => Exit::Code(status::CANNOT_RUN),
        }
    }

    /// The exit code of the command, if it exited by itself.
    pub fn exit_code(&self) -> Option<u8> {
        self.end.ending().and_then(Ending::exit_code)
    }

    /// The signal that the command died of, and whether it dumped core.
    pub fn death(&self) -> Option<(Signal, bool)> {
        self.end.ending().and_then(Ending::death)
    }
}

#[cfg(test)]
mod tests;
