//! PURE. Events and service checks as the Agent reads them. Lengths are bytes of what is on the wire;
//! fields end at `|`; the Agent turns the two characters `\n` back into a newline.

use super::{Common, room_for_tags};
use crate::notice::{
    Audience, Cause, Finished, Health, News, Notice, Turn, changes_for, command_for, end_of_output,
    reason_for, words_for,
};
use crate::outcome::{Outcome, Run, Weight};
use crate::plan::{JobFacts, Severity};
use crate::sinks::wire::{push_all, push_field, push_name, push_whole, text_within};

/// Longest host name, in bytes (RFC 1035 section 3.1).
const HOST_MAX: usize = 255;

/// Longest aggregation key that Datadog keeps, here in bytes.
const KEY_MAX: usize = 100;

/// Longest title, in bytes; the rest of the datagram belongs to the text.
const TITLE_MAX: usize = 400;

/// How much of the end of the output is told, in bytes: beside what else is, it has to fit into a datagram.
const OUTPUT_MAX: usize = 600;

/// Bytes that an ordinary service check takes.
const USUAL: usize = 256;

/// Room for `_e{1234,1234}:`, and for the bar between title and text.
const HEAD_MAX: usize = 15;

/// `_e{TITLE,TEXT}:title|text|d:…|h:…|k:…|p:…|s:cronward|t:…|#tags` and the origin, at most `limit` bytes.
pub fn event(notice: &Notice, common: &Common<'_>, limit: usize) -> String {
    let mut fields = String::new();
    push_time_and_host(&mut fields, notice);
    if let Some(Turn { alert, .. }) = notice.news.turn() {
        fields.push_str("|k:");
        push_field(&mut fields, &alert.key.text, KEY_MAX);
    }
    let (priority, kind) = weight(notice);
    push_all(&mut fields, &["|p:", priority, "|s:cronward|t:", kind]);
    push_tags(&mut fields, common.of_run, room_for_tags(limit, common.origin));
    fields.push_str(common.origin);
    let room = limit.saturating_sub(fields.len() + HEAD_MAX);
    let title = text_within(&notice.headline_for(Audience::Away), TITLE_MAX.min(room / 2));
    let text = text_within(&text(notice), room.saturating_sub(title.len()));
    format!("_e{{{},{}}}:{title}|{text}{fields}", title.len(), text.len())
}

/// `_sc|NAMESPACE.job|STATUS|d:…|h:…|#tags|m:message` and the origin, at most `limit` bytes. Behind the
/// message comes nothing but the origin: what follows it is read as fields that replace the earlier ones.
pub fn service_check(notice: &Notice, status: &str, common: &Common<'_>, limit: usize) -> String {
    let mut check = String::with_capacity(limit.min(USUAL));
    check.push_str("_sc|");
    push_name(&mut check, &notice.job.namespace);
    push_all(&mut check, &[".job|", status]);
    push_time_and_host(&mut check, notice);
    push_tags(&mut check, common.of_job, room_for_tags(limit, common.origin));
    check.push_str("|m:");
    // The Agent takes `m:` in the message for the field's name unless it is escaped, and a bar for
    // the field's end in any case.
    let mut message = notice.headline_for(Audience::Away);
    if message.contains('|') {
        message = message.replace('|', "_");
    }
    if message.contains("m:") {
        message = message.replace("m:", "m\\:");
    }
    check.push_str(&text_within(&message, limit.saturating_sub(check.len() + common.origin.len())));
    check.push_str(common.origin);
    check
}

/// 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN: how the job stands, not how this run ended, so that a
/// skipped run changes nothing.
///
/// `None` if the news says nothing of that.
pub fn status(news: &News) -> Option<&'static str> {
    match news {
        News::Finished(finished) => Some(status_after(finished)),
        News::Standing(standing) => Some(match standing.health {
            Health::Ok => "0",
            Health::Warning => "1",
            Health::Critical => "2",
            Health::Unknown => "3",
        }),
        News::Started(_)
        | News::Overdue(_)
        | News::Opened(_)
        | News::Repeated(_)
        | News::Closed(_)
        | News::Alive => None,
    }
}

fn status_after(finished: &Finished) -> &'static str {
    match &finished.history {
        None => "3",
        Some(history) if history.alert.is_some() => "2",
        Some(history) if history.failures_in_a_row > 0 => "1",
        Some(_) if finished.run.outcome == Outcome::Warning => "1",
        Some(_) => "0",
    }
}

/// `|d:SECONDS|h:HOST`. Nothing takes a time before 1970.
fn push_time_and_host(line: &mut String, notice: &Notice) {
    line.push_str("|d:");
    push_whole(line, u64::try_from(notice.time.as_seconds()).unwrap_or(0));
    line.push_str("|h:");
    push_field(line, &notice.job.host, HOST_MAX);
}

/// Priority and alert type: what a person has to see is normal, what is only on record is low.
fn weight(notice: &Notice) -> (&'static str, &'static str) {
    match &notice.news {
        News::Started(_) | News::Standing(_) | News::Alive => ("low", "info"),
        News::Finished(finished) => match (finished.run.outcome, finished.run.outcome.weight()) {
            (Outcome::Warning, _) => ("low", "warning"),
            (_, Weight::Success) => ("low", "success"),
            (_, Weight::Failure) => ("low", "error"),
            (_, Weight::Neither) => ("low", "info"),
        },
        News::Overdue(_) => ("normal", "warning"),
        News::Opened(_) | News::Repeated(_) => match notice.job.severity {
            Severity::Info => ("low", "info"),
            Severity::Warning => ("normal", "warning"),
            Severity::Error | Severity::Critical => ("normal", "error"),
        },
        News::Closed(_) => ("normal", "success"),
    }
}

/// Appends `|#` and as many whole tags as fit in `room` bytes with it: the state of the job matters
/// more than the last of its tags.
fn push_tags(line: &mut String, tags: &str, room: usize) {
    let room = room.saturating_sub("|#".len());
    let ends = tags.match_indices(',').map(|(comma, _)| comma).take_while(|&comma| comma <= room);
    let end = if tags.len() <= room { tags.len() } else { ends.last().unwrap_or(0) };
    if end > 0 {
        push_all(line, &["|#", &tags[..end]]);
    }
}

/// What a person wants to know next, a line each.
fn text(notice: &Notice) -> String {
    let job = &*notice.job;
    let told = |sentence| words_for(sentence, Audience::Away);
    let mut lines = Vec::new();
    match &notice.news {
        News::Started(start) => lines.push(format!("Started: {}", start.started_at)),
        News::Finished(finished) => lines.extend(ending(job, &finished.run)),
        News::Standing(standing) => lines.push(told(&standing.sentence).into_owned()),
        News::Alive => {}
        News::Overdue(overdue) => {
            lines.push(format!("Started: {}", overdue.start.started_at));
            lines.push(format!("Reason: {}", told(&overdue.reason)));
        }
        News::Opened(turn) | News::Repeated(turn) | News::Closed(turn) => {
            match &turn.cause {
                Cause::Run(finished) => lines.extend(ending(job, &finished.run)),
                Cause::Noticed(reason, _) => lines.push(format!("Reason: {}", told(reason))),
            }
            lines.push(format!("Failures: {}", turn.alert.failures));
            lines.extend(
                changes_for(job, &turn.changed, Audience::Away)
                    .iter()
                    .map(|change| format!("Changed: {change}")),
            );
            lines.push(format!("Severity: {}", job.severity.as_str()));
            lines.extend(job.owner.as_ref().map(|owner| format!("Owner: {owner}")));
            lines.extend(job.runbook.as_ref().map(|runbook| format!("Runbook: {runbook}")));
        }
    }
    lines.extend(command(job).map(|command| format!("Command: {command}")));
    let output = notice.news.run().and_then(|run| end_of_output(job, run, OUTPUT_MAX));
    lines.extend(output.map(|output| format!("Output:\n{output}")));
    lines.join("\n")
}

fn ending(job: &JobFacts, run: &Run) -> impl Iterator<Item = String> {
    let outcome = format!("Outcome: {}", run.outcome);
    let reason = reason_for(job, run, Audience::Away);
    std::iter::once(outcome).chain(reason.map(|reason| format!("Reason: {reason}")))
}

/// Of the command, what may leave the host.
fn command(job: &JobFacts) -> Option<String> {
    let words = command_for(job, Audience::Away)?;
    Some(words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}
