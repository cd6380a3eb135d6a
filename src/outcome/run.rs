//! PURE. Everything that is known of one run, and how cronward ends after it.

use std::path::PathBuf;
use std::time::Duration;

use super::{Ending, Exit, Outcome, RunEnd, status};
use crate::clock::Timestamp;
use crate::job::{RunId, Signal, Tag};

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

impl Run {
    /// A run that has come to this after one attempt, and of which nothing else is known.
    pub fn new(id: RunId, started_at: Timestamp, end: RunEnd, outcome: Outcome) -> Self {
        Self {
            id,
            parent: None,
            started_at,
            ended_at: None,
            wall_time: None,
            pid: None,
            attempts: 1,
            earlier: Vec::new(),
            end,
            timed_out: false,
            forwarded_signal: None,
            stop_signal: None,
            usage: None,
            report: Report::default(),
            produced: Vec::new(),
            output: KeptOutput::default(),
            output_was_lost: false,
            outcome,
            reason: None,
        }
    }

    /// How cronward ends after this run; never changed by anything that happens later.
    pub fn exit(&self) -> Exit {
        let exit = exit_of(&self.end, self.timed_out);
        // Without the pipe in between, its write would have failed, and it would have said so.
        if self.output_was_lost && exit == Exit::Code(0) { Exit::Code(status::CANNOT_RUN) } else { exit }
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

/// How cronward ends after a run that has come to this, as far as the command and its time limit go.
pub fn exit_of(end: &RunEnd, timed_out: bool) -> Exit {
    if timed_out {
        return Exit::Code(status::TIMED_OUT);
    }
    match end {
        RunEnd::Ended(Ending::Exited(code)) => Exit::Code(*code),
        RunEnd::Ended(Ending::Killed { signal, .. }) => Exit::Signal(*signal),
        RunEnd::NotStarted(failure) => Exit::Code(failure.exit_status),
        RunEnd::StoppedBefore(signal) => Exit::Signal(*signal),
        RunEnd::Skipped { exit_status, .. } => Exit::Code(*exit_status),
        RunEnd::Interrupted { .. } => Exit::Code(status::CANNOT_RUN),
    }
}
