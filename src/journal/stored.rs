//! PURE. The journal's lines as they stand in the file: mirror types, so that a change of the domain
//! does not silently change what is on disk. Readers ignore fields that they do not know; a fold's
//! are handed on by writers too, so that what a newer cronward keeps in one is not lost by a run of an
//! older. Times are milliseconds since 1970, durations microseconds.

mod end;
mod owed;
mod parts;
mod scan;
mod words;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::under_way::{Begun, UnderWay};
use crate::clock::Timestamp;
use crate::job::RunId;
use crate::outcome::Weight;
use crate::policy;
use crate::sys::process::PID_DIGITS;
pub(super) use end::End;
pub(super) use owed::Owed;
pub use scan::Lasted;
pub(super) use scan::{Recorded, ended, recorded, runs, successes};
pub(super) use words::Id;
use words::{Letters, Totals, Word};

/// Version of the format. It is raised only for what an older cronward must not add to.
pub(super) const VERSION: u32 = 1;

/// How every record of this version begins: by it a torn one is told from what was never ours.
pub(super) const BEGINNING: &[u8] = b"{\"v\":1,";

/// A line to be written; the fold comes last, where it is the first to be torn.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) v: u32,
    /// Ends of runs that died, found and recorded by this one.
    #[serde(skip_serializing_if = "<[End]>::is_empty")]
    pub(super) lost: &'a [End<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<&'a End<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remark: Option<&'a Remark<'a>>,
    /// What the end makes owed, where there is no fold that has it.
    #[serde(skip_serializing_if = "<[Owed]>::is_empty")]
    pub(super) owed: &'a [Owed],
    /// Deliveries that have been made: sink and news.
    #[serde(skip_serializing_if = "<[(&str, Id)]>::is_empty")]
    pub(super) settled: &'a [(&'a str, Id)],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fold: Option<&'a Fold>,
}

impl Default for Line<'_> {
    fn default() -> Self {
        Self { v: VERSION, lost: &[], end: None, remark: None, owed: &[], settled: &[], fold: None }
    }
}

/// Something that was noticed or decided, and is no end of a run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Remark<'a> {
    /// When.
    pub(super) at: i64,
    /// What, in one sentence.
    pub(super) what: &'a str,
    /// The run that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<Id>,
    /// What it made of the job.
    pub(super) verdict: &'a str,
    /// The alert that was opened, repeated or closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alert: Option<Alert>,
}

/// A start as it is read; [`start_line`] writes it.
#[derive(Deserialize)]
struct Start<'a> {
    run: Id,
    at: i64,
    #[serde(borrow)]
    host: Cow<'a, str>,
    pid: u32,
}

/// Everything that is remembered, after the run whose line carries it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Fold {
    /// The label; a file name of it may be cut.
    pub(super) label: String,
    /// Every record that begins before this offset of the file is folded in. What others appended
    /// between that and this line, while it was made, is not.
    pub(super) seen: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    failures: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    successes: u32,
    #[serde(default)]
    recent: Letters,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failure_times: Vec<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<Alert>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    muted_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    /// Sizes of what the last good run produced, by pattern.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sizes: Vec<(String, u64)>,
    /// What the plan beside the journal is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<u64>,
    /// Only where it is not `last`, which it is of most jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_success: Option<Milestone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
    #[serde(default)]
    totals: Totals,
    #[serde(default, skip_serializing_if = "UnderWay::is_empty")]
    pub(super) under_way: UnderWay,
    /// What not every sink has taken yet, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) owed: Vec<Owed>,
    /// What a newer cronward remembers besides.
    #[serde(flatten)]
    pub(super) unknown: Map<String, Value>,
}

/// An alert that is open, or that a run has opened or closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Alert {
    id: Id,
    key: String,
    /// Whether several hosts share the key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    shared: bool,
    opened_at: i64,
    /// Absent while nobody has been told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notified_at: Option<i64>,
    failures: u32,
    /// A run that is counted before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counted: Option<Id>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Milestone {
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wall_us: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Last {
    run: Id,
    outcome: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<i64>,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wall_us: Option<u64>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Fold {
    /// The history that it holds.
    pub(super) fn history(&self) -> policy::History {
        policy::History {
            failures_in_a_row: self.failures,
            successes_in_a_row: self.successes,
            recent: self.recent.0.clone(),
            failure_times: self.failure_times.iter().copied().map(Timestamp::from_millis).collect(),
            muted_until: self.muted_until.map(Timestamp::from_millis),
            since: self.since.map(Timestamp::from_millis),
            sizes: self.sizes.clone(),
            alert: self.alert.as_ref().map(Alert::to_policy),
            last_success: self.last_success.or_else(|| self.last.as_ref()?.success()).map(|milestone| {
                policy::Milestone {
                    ended_at: Timestamp::from_millis(milestone.at),
                    wall_time: milestone.wall_us.map(parts::duration),
                }
            }),
            last: self.last.as_ref().map(|last| policy::LastRun {
                id: last.run.0,
                outcome: last.outcome.0,
                started_at: last.from.map(Timestamp::from_millis),
                ended_at: Timestamp::from_millis(last.at),
                wall_time: last.wall_us.map(parts::duration),
            }),
            totals: self.totals.0,
        }
    }

    /// Puts another history in the place of its own.
    pub(super) fn set_history(&mut self, history: &policy::History) {
        self.failures = history.failures_in_a_row;
        self.successes = history.successes_in_a_row;
        self.recent.0.clone_from(&history.recent);
        self.failure_times = history.failure_times.iter().map(|at| at.as_millis()).collect();
        self.muted_until = history.muted_until.map(Timestamp::as_millis);
        self.since = history.since.map(Timestamp::as_millis);
        self.sizes.clone_from(&history.sizes);
        self.alert = history.alert.as_ref().map(Alert::of);
        self.last = history.last.map(|last| Last {
            run: Id(last.id),
            outcome: Word(last.outcome),
            from: last.started_at.map(Timestamp::as_millis),
            at: last.ended_at.as_millis(),
            wall_us: last.wall_time.map(parts::micros),
        });
        let last_success = history.last_success.map(|milestone| Milestone {
            at: milestone.ended_at.as_millis(),
            wall_us: milestone.wall_time.map(parts::micros),
        });
        let repeated = self.last.as_ref().and_then(Last::success) == last_success;
        self.last_success = last_success.filter(|_| !repeated);
        self.totals.0 = history.totals;
    }
}

impl Last {
    /// The milestone that it is, if it was a success.
    fn success(&self) -> Option<Milestone> {
        let succeeded = self.outcome.0.weight() == Weight::Success;
        succeeded.then_some(Milestone { at: self.at, wall_us: self.wall_us })
    }
}

impl Alert {
    pub(super) fn of(alert: &policy::Alert) -> Self {
        Self {
            id: Id(alert.id),
            key: alert.key.text.clone(),
            shared: alert.key.is_shared,
            opened_at: alert.opened_at.as_millis(),
            notified_at: alert.notified_at.map(Timestamp::as_millis),
            failures: alert.failures,
            counted: alert.counted.map(Id),
        }
    }

    pub(super) fn to_policy(&self) -> policy::Alert {
        policy::Alert {
            id: self.id.0,
            key: policy::AlertKey { text: self.key.clone(), is_shared: self.shared },
            opened_at: Timestamp::from_millis(self.opened_at),
            notified_at: self.notified_at.map(Timestamp::from_millis),
            failures: self.failures,
            counted: self.counted.map(|run| run.0),
        }
    }
}

impl Start<'_> {
    fn to_begun(&self) -> Begun {
        Begun {
            id: self.run.0,
            started_at: Timestamp::from_millis(self.at),
            pid: self.pid,
            host: self.host.as_ref().to_owned(),
        }
    }
}

/// The record of a start, newlines included, and where in it [`PID_DIGITS`] blanks wait for the pid:
/// it is written by the child, who alone knows it (RFC 8259 allows blanks behind a number).
pub(super) fn start_line(run: RunId, at: Timestamp, host: &str) -> (Vec<u8>, usize) {
    let host = Value::from(host);
    let (id, at) = (run.uuid(), at.as_millis());
    let mut line =
        format!("\n{{\"v\":{VERSION},\"start\":{{\"run\":\"{id}\",\"at\":{at},\"host\":{host},\"pid\":");
    let pid_at = line.len();
    line.extend(std::iter::repeat_n(' ', PID_DIGITS));
    line.push_str("}}\n");
    (line.into_bytes(), pid_at)
}

impl<'a> Line<'a> {
    /// The end of a run that nothing is folded into, and what it makes owed.
    pub(super) fn of_end(end: &'a End<'a>, owed: &'a [Owed]) -> Self {
        Self { end: Some(end), owed, ..Self::default() }
    }

    /// The record as it stands in the file, newlines included: one write, so that it is there or not.
    pub(super) fn written(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(1024);
        line.push(b'\n');
        // Strings, numbers and maps with string keys always serialize, and a Vec takes everything.
        let _ = serde_json::to_writer(&mut line, self);
        line.push(b'\n');
        line
    }
}

/// What a line says.
#[derive(Debug)]
pub(super) enum Record {
    /// A run has started.
    Start(Begun),
    /// A run has ended, and its writer could not fold it in, nor what it makes owed.
    End(Box<End<'static>>, Vec<Owed>),
    /// Everything up to here.
    Fold(Box<Fold>),
    /// A newer cronward has written it: its version.
    Newer(u32),
    /// Nothing that can be read, but a piece of something of ours.
    Torn,
    /// Nothing that was ever written by cronward.
    Alien,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Deserialize)]
struct StartOrFold<'a> {
    v: u32,
    #[serde(borrow)]
    start: Option<Start<'a>>,
    fold: Option<Box<Fold>>,
}

#[derive(Deserialize)]
struct EndOnly {
    v: u32,
    end: Box<End<'static>>,
    #[serde(default)]
    owed: Vec<Owed>,
}

/// Reads a line, without its newline; never an empty one. The end of a run is passed over if there
/// is a fold, since that holds what matters of it.
pub(super) fn read_line(line: &[u8]) -> Record {
    match serde_json::from_slice::<StartOrFold<'_>>(line) {
        Ok(StartOrFold { v: VERSION, fold: Some(fold), .. }) => return Record::Fold(fold),
        Ok(StartOrFold { v: VERSION, start: Some(start), .. }) => return Record::Start(start.to_begun()),
        Ok(_) | Err(_) => {}
    }
    match read_end_only(line) {
        Some(EndOnly { end, owed, .. }) => Record::End(end, owed),
        None => match serde_json::from_slice::<Version>(line) {
            Ok(Version { v }) if v > VERSION => Record::Newer(v),
            Ok(_) => Record::Alien,
            Err(_) if line.starts_with(BEGINNING) || BEGINNING.starts_with(line) => Record::Torn,
            Err(_) => Record::Alien,
        },
    }
}

/// The run that a line records the end of, if it does.
pub(super) fn read_end(line: &[u8]) -> Option<Box<End<'static>>> {
    read_end_only(line).map(|line| line.end)
}

fn read_end_only(line: &[u8]) -> Option<EndOnly> {
    serde_json::from_slice::<EndOnly>(line).ok().filter(|line| line.v == VERSION)
}

#[cfg(test)]
mod tests;
