//! PURE. Alerts as events of PagerDuty: fields and lengths as in
//! developer.pagerduty.com/docs/events-api-v2/trigger-events. An event of more than 512 KB is refused, so
//! everything that somebody else has written is cut.

use std::borrow::Cow;

use ring::digest::{SHA256, digest};

use crate::human;
use crate::job::Tag;
use crate::notice::{Audience, News, Notice, Turn, changes_for, command_for, end_of_output};
use crate::outcome::Run;
use crate::plan::JobFacts;
use crate::redact::one_line;
use crate::shell;
use crate::sinks::http::json::{Object, array, string};

/// Longest deduplication key that PagerDuty takes, in characters.
const KEY_MAX: usize = 255;

/// Longest summary that PagerDuty takes, in characters.
const SUMMARY_MAX: usize = 1024;

/// Longest name of a part, a tag or the like, in characters.
const NAME_MAX: usize = 255;

/// Longest sentence and longest URL, in characters.
const LINE_MAX: usize = 2048;

/// How many changes are told.
const CHANGES_MAX: usize = 32;

/// How many tags are told.
const TAGS_MAX: usize = 64;

/// How much of the end of the output is told, in bytes: what is read in bed.
const OUTPUT_MAX: usize = 8 * 1024;

/// What PagerDuty is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To open an alert, or to put it on record that it is still open.
    Trigger,
    /// To close it.
    Resolve,
}

/// What PagerDuty is to be asked; `None`: nothing. The recovery of one host says nothing of the others that
/// share its key.
pub fn action(notice: &Notice) -> Option<Action> {
    match &notice.news {
        News::Opened(_) | News::Repeated(_) => Some(Action::Trigger),
        News::Closed(turn) => (!turn.alert.key.is_shared).then_some(Action::Resolve),
        News::Started(_) | News::Overdue(_) | News::Finished(_) | News::Standing(_) | News::Alive => None,
    }
}

/// The body of the request.
pub fn body(notice: &Notice, action: Action, routing_key: &str) -> String {
    let mut event = Object::new();
    event.text("routing_key", routing_key);
    event.text("event_action", if action == Action::Trigger { "trigger" } else { "resolve" });
    let Some(turn) = notice.news.turn() else { return event.end() };
    event.text("dedup_key", &dedup_key(&turn.alert.key.text));
    if action == Action::Trigger {
        event.json("payload", &payload(notice, turn));
        if let Some(url) = notice.job.runbook.as_deref().filter(|text| is_link(text)) {
            let mut link = Object::new();
            link.text("href", url);
            link.text("text", "runbook");
            event.json("links", &array(&[link.end()]));
        }
        event.text("client", "cronward");
    }
    event.end()
}

/// The key of an alert as PagerDuty takes it: one that is too long is cut, always in the same way, and ends
/// in a hash of the whole, so that two which differ only at their ends stay two.
pub fn dedup_key(text: &str) -> Cow<'_, str> {
    if text.chars().nth(KEY_MAX).is_none() {
        return Cow::Borrowed(text);
    }
    let hash = digest(&SHA256, text.as_bytes());
    let hash: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = text.chars().take(KEY_MAX - "~".len() - hash.len()).collect();
    Cow::Owned(format!("{kept}~{hash}"))
}

fn payload(notice: &Notice, turn: &Turn) -> String {
    let job = &*notice.job;
    let run = turn.cause.finished().map(|finished| &finished.run);
    let mut payload = Object::new();
    payload.text("summary", &line(&notice.headline_for(Audience::Away), SUMMARY_MAX));
    payload.text("source", &line(&job.host, NAME_MAX));
    payload.text("severity", job.severity.as_str());
    payload.text("timestamp", &notice.time.to_string());
    payload.text("component", &line(job.label.as_str(), NAME_MAX));
    if let Some(group) = group(&job.tags) {
        payload.text("group", &line(group, NAME_MAX));
    }
    // A run that goes on has no outcome yet.
    let under_way = notice.news.under_way().map(|_| "overdue");
    if let Some(class) = run.map(|run| run.outcome.as_str()).or(under_way) {
        payload.text("class", class);
    }
    payload.json("custom_details", &details(notice, turn, run));
    payload.end()
}

/// What the job is a part of.
fn group(tags: &[Tag]) -> Option<&str> {
    let value =
        |key| tags.iter().find(|tag| tag.key == key)?.value.as_deref().filter(|value| !value.is_empty());
    value("group").or_else(|| value("service"))
}

/// What the person who was woken wants to know next, what matters most first; by the names of the fields of
/// events where there is one.
fn details(notice: &Notice, turn: &Turn, run: Option<&Run>) -> String {
    let (job, alert) = (&*notice.job, &turn.alert);
    let mut details = Object::new();
    if let Some(run) = run {
        details.text("outcome", run.outcome.as_str());
        if let Some(code) = run.exit_code() {
            details.json("exit_code", &code.to_string());
        }
        if let Some((signal, _)) = run.death() {
            details.text("signal", &signal.to_string());
        }
    }
    if let Some(reason) = turn.cause.reason_for(job, Audience::Away) {
        details.text("reason", &line(&reason, LINE_MAX));
    }
    details.text("opened_at", &alert.opened_at.to_string());
    details.json("failures", &alert.failures.to_string());
    if let Some(run) = run {
        if let Some(span) = run.wall_time {
            details.text("duration", &human::span(span));
        }
        if run.attempts > 1 {
            details.json("attempts", &run.attempts.to_string());
        }
    }
    let changed = changes_for(job, &turn.changed, Audience::Away);
    if !changed.is_empty() {
        let told = changed.iter().take(CHANGES_MAX).map(|change| string(&line(change, LINE_MAX)));
        details.json("changed", &array(&told.collect::<Vec<_>>()));
    }
    if let Some(command) = command(job) {
        details.text("command", &line(&command, LINE_MAX));
    }
    if let Some(output) = run.and_then(|run| end_of_output(job, run, OUTPUT_MAX)) {
        details.text("output", &output);
    }
    let log = run.and_then(|run| run.output.log.as_ref()).map(|path| path.to_string_lossy().into_owned());
    let run_id = run.map(|run| run.id).or_else(|| notice.news.under_way().map(|start| start.id));
    for (name, value) in [
        ("log", log.as_deref()),
        ("owner", job.owner.as_deref()),
        ("runbook", job.runbook.as_deref()),
        ("run_id", run_id.map(|id| id.to_string()).as_deref()),
        ("alert_id", Some(&alert.id.to_string()[..])),
    ] {
        if let Some(value) = value {
            details.text(name, &line(value, LINE_MAX));
        }
    }
    let tags = tags(job, run);
    if !tags.is_empty() {
        details.json("tags", &tags.end());
    }
    details.end()
}

/// The tags of the job and of the run. Of two with one key the run's is taken, and of two that only look the
/// same the first.
fn tags(job: &JobFacts, run: Option<&Run>) -> Object {
    let reported = run.map_or(&[][..], |run| &run.report.tags);
    let mut told = Object::new();
    let mut keys: Vec<Cow<'_, str>> = Vec::new();
    for tag in reported.iter().chain(&job.tags).take(TAGS_MAX) {
        let key = line(&tag.key, NAME_MAX);
        if !keys.contains(&key) {
            told.text(&key, &line(tag.value.as_deref().unwrap_or_default(), NAME_MAX));
            keys.push(key);
        }
    }
    told
}

/// Of the command, what may leave the host.
fn command(job: &JobFacts) -> Option<String> {
    let words = command_for(job, Audience::Away)?;
    let quoted = words.iter().map(|word| shell::quote(word).to_string_lossy().into_owned());
    Some(quoted.collect::<Vec<_>>().join(" "))
}

/// Whether a browser could open it.
fn is_link(text: &str) -> bool {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    is_web && text.len() <= LINE_MAX && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// A text on one line, without what a terminal would obey.
fn line(text: &str, most: usize) -> Cow<'_, str> {
    match one_line(text) {
        Cow::Borrowed(text) => cut(text, most),
        Cow::Owned(text) => Cow::Owned(cut(&text, most).into_owned()),
    }
}

/// The first so many characters of a text; that something was cut is shown by the last of them.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.chars().take(most.saturating_sub(1)).chain(['…']).collect()),
    }
}

#[cfg(test)]
mod tests;
