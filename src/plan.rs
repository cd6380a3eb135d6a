//! What will be done, fully decided: validated, resolved, immutable. Below this file nobody sees a
//! flag, a variable or a default.

mod bands;
mod files;
mod host;
mod lists;
mod output;
mod resolve;
mod retries;
mod state_dir;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::expectation::{Expectation, Product};
use crate::job::{CommandLine, Label, RunId, Tag};
use crate::outcome::CodeMeaning;
use crate::output::log::KeepRule;
use crate::policy::{AlertKey, AlertRule};
use crate::schedule::Schedule;

pub use files::{read_files, sift};
pub use host::{Host, ThisHost};
pub use resolve::{Expectations, label, longest_start_delay, resolve, span_to_mute};
pub use retries::RetryRule;
pub use state_dir::{state_dir_of, state_dir_to_read};
pub use values::duration;

/// One invocation, decided.
#[derive(Debug)]
pub struct Plan {
    /// What sinks may be told of the job.
    pub job: Arc<JobFacts>,
    /// The run that this invocation was started in (`CRONWARD_RUN_ID` of the caller).
    pub parent: Option<RunId>,
    /// The environment of the job but for the run's own facts: `NAME=VALUE` words, in the order
    /// in which cronward received them.
    pub environment: Vec<OsString>,
    /// `PATH` as cronward received it, for the search of the command; `None` if unset.
    pub search_path: Option<OsString>,
    /// `--timeout` and `--kill-after`.
    pub time_limit: Option<TimeLimit>,
    /// `--warn-after`; more than zero.
    pub warn_after: Option<Duration>,
    /// `--retries` and `--retry-delay`.
    pub retries: RetryRule,
    /// By how much the start is put off, which `--jitter` limits.
    pub start_delay: Duration,
    /// `--lock` and what belongs to it.
    pub overlap: Option<OverlapRule>,
    /// `--ok-codes` and `--warn-codes`.
    pub codes: CodeMeaning,
    /// `--expect`.
    pub expectations: Vec<Expectation>,
    /// `--produces`.
    pub products: Vec<Product>,
    /// `--schedule`.
    pub schedule: Option<Schedule>,
    /// `--max-age`; more than zero.
    pub max_age: Option<Duration>,
    /// When failures become an alert.
    pub rule: AlertRule,
    /// Where notices go, as `KIND:TARGET`, nearest level only; empty: nowhere.
    pub sinks: Vec<SinkWord>,
    /// Variables of the environment that sinks read (`DD_*`, `DATADOG_*`, `OTEL_*`, `SSL_CERT_FILE`,
    /// proxies).
    pub variables: Variables,
    /// Where state is kept; `Err` says in words why there is no such place.
    pub state_dir: Result<PathBuf, String>,
    /// Longest time that everything after the job may take.
    pub flush_deadline: Duration,
    /// `--own-group`.
    pub own_group: bool,
    /// What becomes of the output.
    pub output: OutputRule,
    /// `--summary`.
    pub summary: Summary,
    /// `--progress`.
    pub progress: bool,
    /// What is wrong with the configuration files, a line each, with file and line.
    pub problems: Vec<String>,
}

/// What is constant for all runs of a job, and may be told to a sink.
#[derive(Debug, Clone)]
pub struct JobFacts {
    /// Name of the job.
    pub label: Label,
    /// Name of this host.
    pub host: String,
    /// First part of every metric name; `{host}` is filled in.
    pub namespace: String,
    /// The user's tags, one for each key.
    pub tags: Vec<Tag>,
    /// What is run.
    pub command: CommandLine,
    /// Deduplication key of alerts; `{host}` and `{label}` are filled in.
    pub alert_key: AlertKey,
    /// How bad an alert is.
    pub severity: Severity,
    /// Whom an alert concerns.
    pub owner: Option<String>,
    /// What to do about it.
    pub runbook: Option<String>,
    /// What may leave the host.
    pub privacy: Privacy,
}

/// What may leave the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Privacy {
    /// Neither arguments nor output; wins over `send_args`.
    pub sensitive: bool,
    /// All arguments, not only the first word of the command.
    pub send_args: bool,
}

/// `--severity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nobody has to act.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody has to act.
    Error,
    /// Somebody has to act now.
    Critical,
}

impl Severity {
    /// The word of the option and of every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// A limit on an attempt, and the grace between TERM and KILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimit {
    /// From the start of the command to TERM; more than zero.
    pub limit: Duration,
    /// From TERM to KILL.
    pub grace: Duration,
}

/// What becomes of the output.
#[derive(Debug, Clone, Default)]
pub struct OutputRule {
    /// `--capture`, in bytes; 0: nothing.
    pub capture: usize,
    /// `--quiet`.
    pub quiet: Option<Quiet>,
    /// `--log-dir` and what belongs to it.
    pub logs: Option<Logs>,
    /// Where output that is held back may go that is too much for memory, the first that can be used.
    pub spill_places: Vec<PathBuf>,
}

impl OutputRule {
    /// Whether output has to pass through cronward at all.
    pub fn wants_pipes(&self) -> bool {
        self.capture > 0 || self.quiet.is_some() || self.logs.is_some()
    }
}

/// When output that was held back is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// If the run has not ended well.
    Failure,
    /// If an alert is open when the run has ended.
    Alert,
}

/// Where whole outputs are kept.
#[derive(Debug, Clone)]
pub struct Logs {
    /// `--log-dir`.
    pub dir: PathBuf,
    /// `--log-keep`.
    pub keep: KeepRule,
    /// `--log-when`.
    pub when: LogWhen,
}

/// Which outputs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogWhen {
    /// Those of runs that have not ended well.
    Failed,
    /// All.
    Always,
}

/// No second run of the label at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverlapRule {
    /// How long to wait for the other run to end.
    pub wait: Duration,
    /// Exit status if it does not.
    pub exit_status: u8,
}

/// A sink as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkWord {
    /// What stands before the first colon.
    pub kind: String,
    /// What stands behind it; may be empty.
    pub target: String,
    /// Where it was named, for messages: `--sink`, `CRONWARD_SINK`, `the default`.
    pub origin: String,
}

/// The variables that sinks read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<(String, String)>);

impl Variables {
    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| &value[..])
    }
}

/// `--summary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summary {
    /// If stderr is a terminal.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}
