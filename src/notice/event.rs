//! Notices as JSON objects: the one form that the journal's readers, sinks and `man
//! cronward-events` know, described by `schema/cronward-event.v1.schema.json`. Fields that do not apply
//! are absent, never null and never -1.

mod run;

use std::borrow::Cow;

use serde::Serialize;

use super::audience::{Audience, changes_for, words_for};
use super::{Cause, News, Notice};
use crate::outcome::Run;
use crate::plan::JobFacts;
use crate::policy::Alert;
use run::RunFields;
pub use run::millis;

/// Version of the form; raised when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// The notice as one line of JSON, without a newline.
pub fn event_json(notice: &Notice, audience: Audience) -> String {
    let event = Event::of(notice, audience);
    // Strings, numbers and maps with string keys always serialize.
    serde_json::to_string(&event).unwrap_or_default()
}

/// Runs as they are on record, each with the words of its command, as a JSON array of objects with the fields of
/// `run.finished`, without a newline: for whoever may read the journal.
pub fn runs_json<'a>(runs: impl Iterator<Item = (&'a Run, &'a [String])>) -> String {
    let fields: Vec<RunFields<'a>> = runs.map(|(run, argv)| RunFields::recorded(run, argv)).collect();
    serde_json::to_string(&fields).unwrap_or_default()
}

#[derive(Serialize)]
struct Event<'a> {
    version: u32,
    kind: &'static str,
    id: String,
    time: String,
    label: &'a str,
    host: &'a str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    flat_run: Option<RunFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunFields<'a>>,
    /// Of an alert that no run has turned by ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertFields<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sink_errors: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
struct AlertFields<'a> {
    id: String,
    key: &'a str,
    /// Only if several hosts share the key: a receiver that resolves by it must not do so then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    key_is_shared: bool,
    opened_at: String,
    failures: u32,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<Cow<'a, str>>,
}

impl<'a> Event<'a> {
    fn of(notice: &'a Notice, audience: Audience) -> Self {
        let job = &*notice.job;
        let under_way = |start| RunFields::started(job, start, audience);
        let (flat_run, run) = match &notice.news {
            News::Started(start) => (Some(under_way(start)), None),
            News::Overdue(overdue) => (Some(RunFields::overdue(job, overdue, audience)), None),
            News::Finished(finished) => (Some(RunFields::finished(job, finished, audience)), None),
            News::Opened(turn) | News::Repeated(turn) | News::Closed(turn) => match &turn.cause {
                Cause::Run(finished) => (None, Some(RunFields::finished(job, finished, audience))),
                Cause::Noticed(_, start) => (None, start.as_ref().map(under_way)),
            },
            News::Standing(_) | News::Alive => (None, None),
        };
        let own = match &notice.news {
            News::Finished(finished) => Some(finished),
            News::Started(_)
            | News::Overdue(_)
            | News::Opened(_)
            | News::Repeated(_)
            | News::Closed(_)
            | News::Standing(_)
            | News::Alive => None,
        };
        let open = own.and_then(|finished| finished.history.as_ref()?.alert.as_ref());
        let alert = match notice.news.turn() {
            Some(turn) => Some((&turn.alert, changes_for(job, &turn.changed, audience))),
            None => open.map(|alert| (alert, Vec::new())),
        };
        let reason = notice.news.turn().and_then(|turn| match &turn.cause {
            Cause::Run(_) => None,
            Cause::Noticed(reason, _) => Some(words_for(reason, audience)),
        });
        let told =
            |sentences: &'a [String]| sentences.iter().map(|words| words_for(words, audience)).collect();
        Self {
            version: VERSION,
            kind: notice.news.kind(),
            id: notice.id.to_string(),
            time: notice.time.to_string(),
            label: job.label.as_str(),
            host: &job.host,
            flat_run,
            run,
            reason,
            alert: alert.map(|(alert, changed)| AlertFields::of(job, alert, changed)),
            problems: own.map_or_else(Vec::new, |finished| told(&finished.problems)),
            sink_errors: own.map_or_else(Vec::new, |finished| told(&finished.sink_errors)),
        }
    }
}

impl<'a> AlertFields<'a> {
    fn of(job: &'a JobFacts, alert: &'a Alert, changed: Vec<Cow<'a, str>>) -> Self {
        Self {
            id: alert.id.to_string(),
            key: &alert.key.text,
            key_is_shared: alert.key.is_shared,
            opened_at: alert.opened_at.to_string(),
            failures: alert.failures,
            severity: job.severity.as_str(),
            owner: job.owner.as_deref(),
            runbook: job.runbook.as_deref(),
            changed,
        }
    }
}

#[cfg(test)]
mod tests;
