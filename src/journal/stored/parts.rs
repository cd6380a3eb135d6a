//! Parts of the end of a run.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::words::Word;
use crate::clock::Timestamp;
use crate::job::Signal;
use crate::outcome::{self, Ending};

/// An attempt before the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Attempt<'a> {
    outcome: Word,
    started_at: i64,
    wall_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal_number: Option<i32>,
    #[serde(default, skip_serializing_if = "is_false")]
    core_dumped: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Produced<'a> {
    pattern: Cow<'a, str>,
    path: Cow<'a, str>,
    bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Usage {
    user_us: u64,
    system_us: u64,
    max_rss_bytes: u64,
    minor_faults: u64,
    major_faults: u64,
    voluntary_switches: u64,
    involuntary_switches: u64,
    blocks_in: u64,
    blocks_out: u64,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Whole microseconds; 584,000 years at most.
pub(in crate::journal) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// A duration of whole microseconds.
pub(in crate::journal) fn duration(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

impl<'a> Attempt<'a> {
    pub(super) fn of(attempt: &'a outcome::Attempt) -> Self {
        let death = attempt.ending.death();
        Self {
            outcome: Word(attempt.outcome),
            started_at: attempt.started_at.as_millis(),
            wall_us: micros(attempt.wall_time),
            exit_code: attempt.ending.exit_code(),
            signal_number: death.map(|(signal, _)| signal.0),
            core_dumped: death.is_some_and(|(_, core_dumped)| core_dumped),
            reason: attempt.reason.as_deref().map(Cow::Borrowed),
        }
    }

    pub(super) fn into_owned(self) -> Attempt<'static> {
        let Self { outcome, started_at, wall_us, exit_code, signal_number, core_dumped, reason } = self;
        let reason = reason.map(|reason| Cow::Owned(reason.into_owned()));
        Attempt { outcome, started_at, wall_us, exit_code, signal_number, core_dumped, reason }
    }

    pub(super) fn to_outcome(&self) -> outcome::Attempt {
        let ending = match (self.exit_code, self.signal_number) {
            (Some(code), _) => Ending::Exited(code),
            (None, signal) => {
                Ending::Killed { signal: signal.map_or(Signal::KILL, Signal), core_dumped: self.core_dumped }
            }
        };
        outcome::Attempt {
            started_at: Timestamp::from_millis(self.started_at),
            wall_time: duration(self.wall_us),
            ending,
            outcome: self.outcome.0,
            reason: self.reason.as_deref().map(str::to_owned),
        }
    }
}

impl<'a> Produced<'a> {
    pub(super) fn of(found: &'a outcome::Produced) -> Self {
        Self {
            pattern: Cow::Borrowed(&found.pattern),
            path: found.path.to_string_lossy(),
            bytes: found.bytes,
        }
    }

    pub(super) fn into_owned(self) -> Produced<'static> {
        let Self { pattern, path, bytes } = self;
        Produced { pattern: Cow::Owned(pattern.into_owned()), path: Cow::Owned(path.into_owned()), bytes }
    }

    pub(super) fn to_outcome(&self) -> outcome::Produced {
        outcome::Produced {
            pattern: self.pattern.to_string(),
            path: self.path.as_ref().into(),
            bytes: self.bytes,
        }
    }
}

impl Usage {
    pub(super) fn of(usage: &outcome::Usage) -> Self {
        Self {
            user_us: micros(usage.user),
            system_us: micros(usage.system),
            max_rss_bytes: usage.max_rss_bytes,
            minor_faults: usage.minor_faults,
            major_faults: usage.major_faults,
            voluntary_switches: usage.voluntary_switches,
            involuntary_switches: usage.involuntary_switches,
            blocks_in: usage.blocks_in,
            blocks_out: usage.blocks_out,
        }
    }

    pub(super) fn to_outcome(&self) -> outcome::Usage {
        outcome::Usage {
            user: duration(self.user_us),
            system: duration(self.system_us),
            max_rss_bytes: self.max_rss_bytes,
            minor_faults: self.minor_faults,
            major_faults: self.major_faults,
            voluntary_switches: self.voluntary_switches,
            involuntary_switches: self.involuntary_switches,
            blocks_in: self.blocks_in,
            blocks_out: self.blocks_out,
        }
    }
}
