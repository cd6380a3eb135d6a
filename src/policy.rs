//! PURE. When failures become an alert, and when the alert is over. The history of a job and one
//! more run go in, the next history and a verdict come out; no file, no clock, no sink is known here.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::job::RunId;
use crate::outcome::{Outcome, Weight};

/// How many outcomes a history remembers: the largest M of `--alert-after N/M`.
pub const RECENT_MAX: usize = 64;

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
    /// So many failures in a row.
    InARow(NonZeroU32),
}

impl std::fmt::Display for AlertAfter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InARow(failures) => write!(f, "{failures}"),
        }
    }
}

/// What is remembered of a job from run to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Successes since the last failure.
    pub successes_in_a_row: u32,
    /// The last outcomes, newest last, at most [`RECENT_MAX`].
    pub recent: Vec<Outcome>,
    /// The alert that is open.
    pub alert: Option<Alert>,
    /// The last run that was a success.
    pub last_success: Option<Milestone>,
    /// The last run of all, skipped ones too.
    pub last: Option<LastRun>,
    /// How many runs had each outcome, in the order of [`Outcome::ALL`]; only ever grows.
    pub totals: [u64; Outcome::ALL.len()],
}

/// A run that later ones are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milestone {
    /// When it ended.
    pub ended_at: Timestamp,
    /// Its wall time.
    pub wall_time: Option<Duration>,
}

/// What is remembered of the last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// Its id.
    pub id: RunId,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended, or was found to have ended.
    pub ended_at: Timestamp,
    /// Its wall time.
    pub wall_time: Option<Duration>,
}

/// One incident: from the failure that opened it to the success that closes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The same in the opening, every repetition and the recovery.
    pub id: RunId,
    /// Deduplication key under which it was opened.
    pub key: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When anybody was last told of it.
    pub notified_at: Timestamp,
    /// Failures of the incident so far, those before the opening included.
    pub failures: u32,
}

/// One run as the policy sees it.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// Its id.
    pub id: RunId,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended, or was found to have ended.
    pub ended_at: Timestamp,
    /// Its wall time.
    pub wall_time: Option<Duration>,
    /// The key that an alert would be opened under.
    pub alert_key: &'a str,
}

/// What a run makes of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// No failure, no alert.
    Healthy,
    /// Failures, but not enough for an alert.
    Failing,
    /// This run opened the alert.
    Opened,
    /// The alert was open and stays so; nobody is told.
    StillOpen,
    /// The alert was open and stays so; it is time to say it again.
    Repeat,
    /// This run closed the alert.
    Closed,
}

impl Verdict {
    /// The word used in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Failing => "failing",
            Self::Opened => "opened",
            Self::StillOpen => "still_open",
            Self::Repeat => "repeat",
            Self::Closed => "closed",
        }
    }
}

/// The judgement of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What is remembered from now on.
    pub history: History,
    /// What the run makes of the job.
    pub verdict: Verdict,
    /// The alert that the verdict speaks of; the one that has just ended for [`Verdict::Closed`].
    pub alert: Option<Alert>,
}

/// Judges a run by the history before it.
pub fn judge(before: &History, run: &Judged<'_>, rule: &AlertRule) -> Judgement {
    let mut history = remember(before, run);
    let Some(mut alert) = history.alert.take() else {
        return without_alert(history, run, rule);
    };
    let verdict = match run.outcome.weight() {
        Weight::Failure => {
            alert.failures = alert.failures.saturating_add(1);
            let silent = run.ended_at.since(alert.notified_at);
            if rule.realert.is_some_and(|every| silent >= every) {
                alert.notified_at = run.ended_at;
                Verdict::Repeat
            } else {
                Verdict::StillOpen
            }
        }
        Weight::Success if history.successes_in_a_row >= rule.recover_after.get() => {
            return Judgement { history, verdict: Verdict::Closed, alert: Some(alert) };
        }
        Weight::Success | Weight::Neither => Verdict::StillOpen,
    };
    history.alert = Some(alert.clone());
    Judgement { history, verdict, alert: Some(alert) }
}

/// Judges a run whose history could not be read: a failure is reported at once, because nobody can
/// say that it is not the one that would have opened the alert.
pub fn judge_blind(run: &Judged<'_>) -> Judgement {
    let history = remember(&History::default(), run);
    match run.outcome.weight() {
        Weight::Failure => open(history, run),
        Weight::Success | Weight::Neither => Judgement { history, verdict: Verdict::Healthy, alert: None },
    }
}

fn without_alert(history: History, run: &Judged<'_>, rule: &AlertRule) -> Judgement {
    let failed = run.outcome.weight() == Weight::Failure;
    let enough = match rule.after {
        AlertAfter::InARow(failures) => history.failures_in_a_row >= failures.get(),
    };
    if failed && enough {
        return open(history, run);
    }
    let verdict = if history.failures_in_a_row > 0 { Verdict::Failing } else { Verdict::Healthy };
    Judgement { history, verdict, alert: None }
}

fn open(mut history: History, run: &Judged<'_>) -> Judgement {
    let alert = Alert {
        id: RunId::new(),
        key: run.alert_key.to_owned(),
        opened_at: run.ended_at,
        notified_at: run.ended_at,
        failures: history.failures_in_a_row,
    };
    history.alert = Some(alert.clone());
    Judgement { history, verdict: Verdict::Opened, alert: Some(alert) }
}

/// The history with one more run in it, before any alert is thought of.
fn remember(before: &History, run: &Judged<'_>) -> History {
    let mut history = before.clone();
    match run.outcome.weight() {
        Weight::Success => {
            history.failures_in_a_row = 0;
            history.successes_in_a_row = history.successes_in_a_row.saturating_add(1);
            history.last_success = Some(Milestone { ended_at: run.ended_at, wall_time: run.wall_time });
        }
        Weight::Failure => {
            history.failures_in_a_row = history.failures_in_a_row.saturating_add(1);
            history.successes_in_a_row = 0;
        }
        Weight::Neither => {}
    }
    history.last =
        Some(LastRun { id: run.id, outcome: run.outcome, ended_at: run.ended_at, wall_time: run.wall_time });
    for (total, outcome) in history.totals.iter_mut().zip(Outcome::ALL) {
        *total = total.saturating_add(u64::from(outcome == run.outcome));
    }
    history.recent.push(run.outcome);
    let surplus = history.recent.len().saturating_sub(RECENT_MAX);
    history.recent.drain(..surplus);
    history
}

#[cfg(test)]
mod tests;
