//! PURE. When failures become an alert, and when the alert is over. The history of a job and one
//! more run go in, the next history and a verdict come out; no file, no clock, no sink is known here.

mod rule;
mod trouble;

use std::time::Duration;

use crate::clock::Timestamp;
use crate::job::RunId;
use crate::outcome::{Outcome, Run, Weight};
pub use rule::{AlertAfter, AlertRule};
pub use trouble::{judge_overdue, judge_trouble};

/// How many outcomes a history remembers: the largest M of `--alert-after N/M`.
pub const RECENT_MAX: usize = 64;

/// What is remembered of a job from run to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Successes since the last failure.
    pub successes_in_a_row: u32,
    /// The last outcomes that were success or failure, newest last, at most [`RECENT_MAX`].
    pub recent: Vec<Outcome>,
    /// When the last failures ended, newest last; only as many as the rule needs.
    pub failure_times: Vec<Timestamp>,
    /// The alert that is open.
    pub alert: Option<Alert>,
    /// Until when nobody is to be told of the alert.
    pub muted_until: Option<Timestamp>,
    /// When the job was first on record.
    pub since: Option<Timestamp>,
    /// The last run that was a success.
    pub last_success: Option<Milestone>,
    /// The last run of all, skipped ones too.
    pub last: Option<LastRun>,
    /// The sizes in bytes of what the last good run produced, by pattern.
    pub sizes: Vec<(String, u64)>,
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
    /// When it was started; `None` on records of older versions.
    pub started_at: Option<Timestamp>,
    /// When it ended, or was found to have ended.
    pub ended_at: Timestamp,
    /// Its wall time.
    pub wall_time: Option<Duration>,
}

/// What receivers know an alert by, so that the same incident is not raised twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertKey {
    /// Its text, the same for opening, repetitions and recovery.
    pub text: String,
    /// Whether several hosts share it (it had no `{host}`): one host's recovery does not speak for the
    /// others.
    pub is_shared: bool,
}

#[cfg(test)]
impl AlertKey {
    /// A key of one host's own.
    pub fn of_one_host(text: &str) -> Self {
        Self { text: text.to_owned(), is_shared: false }
    }
}

/// One incident: from the failure that opened it to the success that closes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The same in the opening, every repetition and the recovery.
    pub id: RunId,
    /// Deduplication key under which it was opened.
    pub key: AlertKey,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When anybody was last told of it; `None`: nobody was, since the job is muted.
    pub notified_at: Option<Timestamp>,
    /// Failures of the incident so far, those before the opening included.
    pub failures: u32,
    /// A run that is counted in `failures` though it had not ended when the alert was opened.
    pub counted: Option<RunId>,
}

/// One run as the policy sees it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The run.
    pub run: &'a Run,
    /// When it ended, or was found to have ended.
    pub ended_at: Timestamp,
    /// The key that an alert would be opened under.
    pub alert_key: &'a AlertKey,
}

/// What a run makes of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// No failure, no alert.
    Healthy,
    /// Failures, but not enough for an alert.
    Failing,
    /// This run opened the alert, or is the first of it that anybody may be told of.
    Opened,
    /// The alert was open and stays so, or the job is muted; nobody is told.
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
pub fn judge(before: &History, judged: &Judged<'_>, rule: &AlertRule) -> Judgement {
    let mut history = remember(before, judged, rule);
    let now = judged.ended_at;
    let failed = judged.run.outcome.weight() == Weight::Failure;
    let Some(mut alert) = history.alert.take() else {
        if failed && rule.after.holds(&history, now) {
            let alert = Alert::new(judged.alert_key, now, rule.after.found(&history, now));
            return history.opened(alert, now);
        }
        let verdict = if history.failures_in_a_row > 0 { Verdict::Failing } else { Verdict::Healthy };
        return Judgement { history, verdict, alert: None };
    };
    let recovered = history.successes_in_a_row >= rule.recover_after.get();
    match judged.run.outcome.weight() {
        Weight::Failure => {
            if alert.counted != Some(judged.run.id) {
                alert.failures = alert.failures.saturating_add(1);
            }
            history.still_open(alert, rule, now)
        }
        Weight::Success if recovered && !rule.after.holds(&history, now) => {
            // Of an alert that nobody was told of, nobody is told that it is over. One that was told is
            // over also for who has muted the job since: an incident must not stay open for ever.
            let verdict = if alert.notified_at.is_some() { Verdict::Closed } else { Verdict::Healthy };
            Judgement { history, verdict, alert: Some(alert).filter(|_| verdict == Verdict::Closed) }
        }
        Weight::Success | Weight::Neither => {
            history.alert = Some(alert.clone());
            Judgement { history, verdict: Verdict::StillOpen, alert: Some(alert) }
        }
    }
}

/// Judges a run whose history could not be read: a failure is reported at once, because nobody can
/// say that it is not the one that would have opened the alert.
pub fn judge_blind(judged: &Judged<'_>, rule: &AlertRule) -> Judgement {
    let history = remember(&History::default(), judged, rule);
    match judged.run.outcome.weight() {
        Weight::Failure => {
            let alert = Alert::new(judged.alert_key, judged.ended_at, history.failures_in_a_row);
            history.opened(alert, judged.ended_at)
        }
        Weight::Success | Weight::Neither => Judgement { history, verdict: Verdict::Healthy, alert: None },
    }
}

impl Alert {
    fn new(key: &AlertKey, now: Timestamp, failures: u32) -> Self {
        let (id, key) = (RunId::new(), key.clone());
        Self { id, key, opened_at: now, notified_at: None, failures, counted: None }
    }
}

impl History {
    /// Whether nobody is to be told of the alert now.
    pub fn is_muted(&self, now: Timestamp) -> bool {
        self.muted_until.is_some_and(|until| now < until)
    }

    /// A new alert. The successes that close it are those that come from now on.
    fn opened(mut self, alert: Alert, now: Timestamp) -> Judgement {
        self.successes_in_a_row = 0;
        self.first_told(alert, now)
    }

    /// An alert that nobody has been told of: now is the time, unless the job is muted.
    fn first_told(mut self, mut alert: Alert, now: Timestamp) -> Judgement {
        let muted = self.is_muted(now);
        alert.notified_at = (!muted).then_some(now);
        self.alert = Some(alert.clone());
        let verdict = if muted { Verdict::StillOpen } else { Verdict::Opened };
        Judgement { history: self, verdict, alert: Some(alert) }
    }

    /// An alert that was open before: whether it is time to say so again.
    fn still_open(mut self, mut alert: Alert, rule: &AlertRule, now: Timestamp) -> Judgement {
        let Some(notified_at) = alert.notified_at else { return self.first_told(alert, now) };
        let due = rule.realert.is_some_and(|every| now.since(notified_at) >= every);
        let verdict = if due && !self.is_muted(now) { Verdict::Repeat } else { Verdict::StillOpen };
        if verdict == Verdict::Repeat {
            alert.notified_at = Some(now);
        }
        self.alert = Some(alert.clone());
        Judgement { history: self, verdict, alert: Some(alert) }
    }
}

/// The history with one more run in it, before any alert is thought of.
fn remember(before: &History, judged: &Judged<'_>, rule: &AlertRule) -> History {
    let Judged { run, ended_at, .. } = *judged;
    let mut history = before.clone();
    history.count(run.outcome, ended_at, rule);
    if run.outcome.weight() == Weight::Success {
        history.last_success = Some(Milestone { ended_at, wall_time: run.wall_time });
        history.sizes = run.produced.iter().map(|file| (file.pattern.clone(), file.bytes)).collect();
    }
    history.since = history.since.or(Some(run.started_at));
    history.muted_until = history.muted_until.filter(|&until| ended_at < until);
    history.last = Some(LastRun {
        id: run.id,
        outcome: run.outcome,
        started_at: Some(run.started_at),
        ended_at,
        wall_time: run.wall_time,
    });
    for (total, outcome) in history.totals.iter_mut().zip(Outcome::ALL) {
        *total = total.saturating_add(u64::from(outcome == run.outcome));
    }
    history
}

impl History {
    /// What the rules count by.
    fn count(&mut self, outcome: Outcome, ended_at: Timestamp, rule: &AlertRule) {
        match outcome.weight() {
            Weight::Success => {
                self.failures_in_a_row = 0;
                self.successes_in_a_row = self.successes_in_a_row.saturating_add(1);
            }
            Weight::Failure => {
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                self.successes_in_a_row = 0;
            }
            Weight::Neither => return,
        }
        self.recent.push(outcome);
        keep_newest(&mut self.recent, RECENT_MAX);
        let moments = rule.after.moments_needed();
        if moments > 0 && outcome.weight() == Weight::Failure {
            self.failure_times.push(ended_at);
        }
        keep_newest(&mut self.failure_times, moments);
    }
}

fn keep_newest<T>(list: &mut Vec<T>, most: usize) {
    let surplus = list.len().saturating_sub(most);
    list.drain(..surplus);
}

#[cfg(test)]
mod tests;
