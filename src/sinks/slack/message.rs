//! PURE. An alert as a message that is read in the middle of the night: what fails, where, since when,
//! how often, why, what is different, and what it said last.
//!
//! What users have written stands in `plain_text` alone, where Slack reads no marks. `mrkdwn` is for our
//! own words, dates, the link to the runbook and the block of code. Limits are those of docs.slack.dev,
//! "Block Kit"; a message that passes one is refused as a whole.

use jiff::tz::TimeZone;

use super::text::{code, escaped, link};
use crate::clock::Timestamp;
use crate::human;
use crate::notice::{
    Audience, Finished, News, Notice, Turn, changes_for, command_for, end_of_output, words_for,
};
use crate::outcome::Run;
use crate::plan::Severity;
use crate::redact::one_line;
use crate::shell;

/// Longest text of a header.
const HEADER_MAX: usize = 150;

/// Longest text of a section, and of the message where blocks are not shown.
const SECTION_MAX: usize = 3000;

/// Longest value in a row; 2000 would be allowed, and nobody would read them.
const VALUE_MAX: usize = 500;

/// Rows in a section: each is two of its ten fields.
const ROWS_MAX: usize = 5;

/// How much of a label stands in the header.
const LABEL_MAX: usize = 80;

/// How much of a host's name stands in the header.
const HOST_MAX: usize = 35;

/// The message.
pub fn message(notice: &Notice) -> String {
    match notice.news.turn() {
        Some(turn) => sent(notice, &format!(r#","blocks":[{}]"#, blocks(notice, turn).join(","))),
        None => headline(notice),
    }
}

/// The message for a receiver that does not take the blocks.
pub fn headline(notice: &Notice) -> String {
    sent(notice, "")
}

/// Slack makes a preview of a page that is linked to unless it is told otherwise.
fn sent(notice: &Notice, blocks: &str) -> String {
    let text = quoted(&escaped(&one_line(&notice.headline_for(Audience::Away)), SECTION_MAX));
    format!(r#"{{"text":{text},"mrkdwn":false,"unfurl_links":false,"unfurl_media":false{blocks}}}"#)
}

fn blocks(notice: &Notice, turn: &Turn) -> Vec<String> {
    let closed = matches!(notice.news, News::Closed(_));
    let run = turn.cause.finished().map(|finished| &finished.run);
    let header = plain(&title(notice, turn), HEADER_MAX);
    let mut blocks = vec![format!(r#"{{"type":"header","text":{header}}}"#)];
    // Of a run that ended well there is nothing to explain.
    if !closed || run.is_none() {
        let reason = turn.cause.reason_for(&notice.job, Audience::Away);
        blocks.extend(reason.and_then(|reason| said(&one_line(&reason))));
    }
    if closed {
        blocks.push(section(&marked(&how_long(notice, turn))));
    } else {
        blocks.extend(rows(notice, turn).chunks(ROWS_MAX).map(fields));
        blocks.extend(changes(notice, turn));
        let output = run.and_then(|run| end_of_output(&notice.job, run, SECTION_MAX));
        blocks.extend(output.map(|output| section(&marked(&code(&output, SECTION_MAX)))));
    }
    blocks.push(context(notice, turn));
    blocks
}

/// How bad it is, for those who see no colours as well, and what has happened to whom.
fn title(notice: &Notice, turn: &Turn) -> String {
    let severity = match notice.job.severity {
        Severity::Info => "ℹ️ INFO",
        Severity::Warning => "⚠️ WARNING",
        Severity::Error => "❌ ERROR",
        Severity::Critical => "🚨 CRITICAL",
    };
    let by_run = turn.cause.finished().is_some();
    let (mark, state) = match &notice.news {
        News::Closed(_) if by_run => ("✅ RECOVERED", ""),
        News::Closed(_) => ("✅ CLOSED", ""),
        News::Repeated(_) => (severity, "is still failing "),
        News::Opened(_) if !by_run => (severity, "is in trouble "),
        News::Opened(_)
        | News::Started(_)
        | News::Overdue(_)
        | News::Finished(_)
        | News::Standing(_)
        | News::Alive => (severity, "is failing "),
    };
    let (label, host) = (cut(notice.job.label.as_str(), LABEL_MAX), cut(&notice.job.host, HOST_MAX));
    format!("{mark}: {label} {state}on {host}")
}

/// The beginning of a name.
fn cut(name: &str, most: usize) -> String {
    let name = one_line(name);
    match name.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.into_owned(),
    }
}

/// Of an incident that is over.
fn how_long(notice: &Notice, Turn { alert, .. }: &Turn) -> String {
    let lasted = human::span(notice.time.since(alert.opened_at));
    let failures = alert.failures;
    let plural = if failures == 1 { "" } else { "s" };
    format!(
        "It had been failing for *{lasted}*, {failures} failure{plural}, since {}",
        moment(alert.opened_at)
    )
}

/// What one looks for, that first which is asked first; values as text objects.
fn rows(notice: &Notice, turn: &Turn) -> Vec<(&'static str, String)> {
    let job = &*notice.job;
    let mut rows =
        vec![("Since", marked(&moment(turn.alert.opened_at))), ("Failures", marked(&failures(turn)))];
    let finished = turn.cause.finished().map(|finished| &**finished);
    rows.extend(last_success(finished).map(|words| ("Last success", marked(&words))));
    if let Some(start) = notice.news.under_way() {
        rows.push(("Running since", marked(&moment(start.started_at))));
    }
    if let Some(Finished { run, .. }) = finished {
        rows.push(("Ended with", marked(&ending(run))));
        rows.extend(run.wall_time.map(|time| ("Took", marked(&human::span(time)))));
    }
    let mut written = |name, value: &str| {
        let value = one_line(value);
        if !value.trim().is_empty() {
            rows.push((name, plain(value.trim(), VALUE_MAX)));
        }
    };
    if let Some(owner) = &job.owner {
        written("Owner", owner);
    }
    if let Some(runbook) = &job.runbook {
        // A button would do as well, and Slack puts a warning beside one that no app answers to.
        let shown = words_for(runbook, Audience::Away);
        match link(&shown).filter(|_| shown == *runbook) {
            Some(link) => rows.push(("Runbook", marked(&link))),
            None => written("Runbook", &shown),
        }
    }
    rows
}

fn failures(turn: &Turn) -> String {
    let all = turn.alert.failures;
    let history = turn.cause.finished().and_then(|finished| finished.history.as_ref());
    match history.map_or(0, |history| history.failures_in_a_row) {
        0 | 1 => all.to_string(),
        row if row == all => format!("{all} in a row"),
        row => format!("{all}, the last {row} in a row"),
    }
}

/// `None` if nobody can say: of what is told a day later, only the failures are on record.
fn last_success(finished: Option<&Finished>) -> Option<String> {
    let history = finished?.history.as_ref().filter(|history| history.last.is_some())?;
    Some(match &history.last_success {
        Some(success) => moment(success.ended_at),
        None => "none on record".to_owned(),
    })
}

fn ending(run: &Run) -> String {
    let mut words = run.outcome.to_string();
    if let Some(code) = run.exit_code() {
        words.push_str(&format!(", exit code {code}"));
    }
    if let Some((signal, core_dumped)) = run.death() {
        words.push_str(&format!(", {signal}{}", if core_dumped { ", core dumped" } else { "" }));
    }
    if run.attempts > 1 {
        words.push_str(&format!(", after {} attempts", run.attempts));
    }
    words
}

/// By the clock of nowhere, and by the reader's own where the client knows it.
fn moment(at: Timestamp) -> String {
    let utc = human::local(at, &TimeZone::UTC);
    let seconds = at.as_seconds();
    format!("{utc} UTC\n<!date^{seconds}^{{date_short_pretty}} {{time_secs}} your time|{utc} UTC>")
}

fn changes(notice: &Notice, turn: &Turn) -> Option<String> {
    let changes = changes_for(&notice.job, &turn.changed, Audience::Away);
    let lines: String = changes.iter().map(|change| format!("\n• {}", one_line(change))).collect();
    (!lines.is_empty())
        .then(|| section(&plain(&format!("Changed since the last success:{lines}"), SECTION_MAX)))
}

/// What a person looks up, small.
fn context(notice: &Notice, turn: &Turn) -> String {
    let job = &*notice.job;
    let mut elements = vec![format!("alert {}", turn.alert.id)];
    let run = turn.cause.finished().map(|finished| finished.run.id);
    elements.extend(run.or(notice.news.under_way().map(|start| start.id)).map(|id| format!("run {id}")));
    let mut element = |name: &str, value: &str| elements.push(format!("{name} {}", one_line(value)));
    element("job", job.label.as_str());
    element("host", &job.host);
    if let Some(words) = command_for(job, Audience::Away) {
        let words: Vec<_> =
            words.iter().map(|word| shell::quote(word).to_string_lossy().into_owned()).collect();
        element("command", &words.join(" "));
    }
    if !job.tags.is_empty() {
        let tags: Vec<String> = job.tags.iter().map(ToString::to_string).collect();
        element("tags", &tags.join(", "));
    }
    let elements: Vec<String> = elements.iter().map(|text| plain(text, VALUE_MAX)).collect();
    format!(r#"{{"type":"context","elements":[{}]}}"#, elements.join(","))
}

fn fields(rows: &[(&str, String)]) -> String {
    let fields = rows.iter().map(|(name, value)| format!("{},{value}", marked(&format!("*{name}*"))));
    format!(r#"{{"type":"section","fields":[{}]}}"#, fields.collect::<Vec<_>>().join(","))
}

/// A sentence, if there is anything in it.
fn said(sentence: &str) -> Option<String> {
    (!sentence.trim().is_empty()).then(|| section(&plain(sentence, SECTION_MAX)))
}

fn section(text: &str) -> String {
    format!(r#"{{"type":"section","text":{text}}}"#)
}

/// Text in which nothing is looked for, not even the names of emoji.
fn plain(text: &str, limit: usize) -> String {
    format!(r#"{{"type":"plain_text","text":{},"emoji":false}}"#, quoted(&escaped(text, limit)))
}

/// Text with marks, in which nothing else is looked for.
fn marked(text: &str) -> String {
    format!(r#"{{"type":"mrkdwn","text":{},"verbatim":true}}"#, quoted(text))
}

/// As a string of JSON.
fn quoted(text: &str) -> String {
    // A string always serializes.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
