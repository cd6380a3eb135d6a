//! PURE. When failures become an alert, and when an alert ends: the rule of a job, and whether what is
//! remembered fulfils it.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::{History, RECENT_MAX};
use crate::clock::Timestamp;
use crate::outcome::Weight;

/// When failures become an alert, and when an alert ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRule {
    /// What opens an alert.
    pub after: AlertAfter,
    /// How often an open alert is repeated; `None`: never.
    pub realert: Option<Duration>,
    /// Successes in a row that close an alert.
    pub recover_after: NonZeroU32,
}

/// What opens an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertAfter {
    /// `N`: so many failures in a row.
    InARow(NonZeroU32),
    /// `N/M`: so many failures among the last so many runs. Runs that are neither success nor failure
    /// are passed over.
    OfLast {
        /// How many failures; at most `runs`.
        failures: NonZeroU32,
        /// Of how many runs; at most [`RECENT_MAX`].
        runs: NonZeroU32,
    },
    /// `N/DUR`: so many failures within a time.
    Within {
        /// How many failures; at most [`RECENT_MAX`].
        failures: NonZeroU32,
        /// From the first to the last of them; more than zero.
        span: Duration,
    },
}

/// As on the command line.
impl fmt::Display for AlertAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InARow(failures) => write!(f, "{failures}"),
            Self::OfLast { failures, runs } => write!(f, "{failures}/{runs}"),
            Self::Within { failures, span } => write!(f, "{failures}/{}", humantime::format_duration(*span)),
        }
    }
}

impl AlertAfter {
    /// Whether what is remembered is enough for an alert at this moment.
    pub(super) fn holds(&self, history: &History, now: Timestamp) -> bool {
        let (Self::InARow(failures) | Self::OfLast { failures, .. } | Self::Within { failures, .. }) = self;
        self.found(history, now) >= failures.get()
    }

    /// How many of the failures that are remembered count at this moment.
    pub(super) fn found(&self, history: &History, now: Timestamp) -> u32 {
        let found = match self {
            Self::InARow(_) => return history.failures_in_a_row,
            Self::OfLast { runs, .. } => failures_of_last(history, *runs),
            Self::Within { span, .. } => {
                history.failure_times.iter().filter(|&&at| now.since(at) <= *span).count()
            }
        };
        // At most RECENT_MAX.
        u32::try_from(found).unwrap_or(u32::MAX)
    }

    /// How many moments of failures it takes to judge by this rule. No other rule asks for any, so
    /// that a job which does not need them does not carry them along.
    pub(super) fn moments_needed(&self) -> usize {
        match self {
            Self::InARow(_) | Self::OfLast { .. } => 0,
            Self::Within { failures, .. } => (failures.get() as usize).min(RECENT_MAX),
        }
    }
}

fn failures_of_last(history: &History, runs: NonZeroU32) -> usize {
    let weighed = history.recent.iter().rev().map(|outcome| outcome.weight());
    let counted = weighed.filter(|&weight| weight != Weight::Neither).take(runs.get() as usize);
    counted.filter(|&weight| weight == Weight::Failure).count()
}
