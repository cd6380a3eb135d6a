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

use Look::{Marked, Plain};

/// Longest text of a header.
const HEADER_MAX: usize = 150;

/// Longest text of a section, and of the message where blocks are not shown.
const SECTION_MAX: usize = 3000;

/// Longest value in a row; 2000 would be allowed, and nobody would read them.
const VALUE_MAX: usize = 500;

/// How much of a label stands in the header.
const LABEL_MAX: usize = 80;

/// How much of a host's name stands in the header.
const HOST_MAX: usize = 35;

/// The message.
pub fn message(notice: &Notice) -> String {
    let mut sent = opening(notice);
    if let Some(turn) = notice.news.turn() {
        sent.push_str(r#","blocks":["#);
        let mut blocks = Blocks { json: sent, list: "", items: 0 };
        tell(notice, turn, &mut blocks);
        blocks.end_list();
        sent = blocks.json;
        sent.push(']');
    }
    sent + "}"
}

/// The message for a receiver that does not take the blocks.
pub fn headline(notice: &Notice) -> String {
    opening(notice) + "}"
}

/// Slack makes a preview of a page that is linked to unless it is told otherwise.
fn opening(notice: &Notice) -> String {
    let text = escaped(&one_line(&notice.headline_for(Audience::Away)), SECTION_MAX);
    format!(r#"{{"text":{},"mrkdwn":false,"unfurl_links":false,"unfurl_media":false"#, quoted(&text))
}

fn tell(notice: &Notice, turn: &Turn, blocks: &mut Blocks) {
    let job = &*notice.job;
    let closed = matches!(notice.news, News::Closed(_));
    let run = turn.cause.finished().map(|finished| &finished.run);
    blocks.block("header", Plain(HEADER_MAX), &title(notice, turn));
    // Of a run that ended well there is nothing to explain.
    if !closed || run.is_none() {
        let reason = turn.cause.reason_for(job, Audience::Away).unwrap_or_default();
        blocks.block("section", Plain(SECTION_MAX), &one_line(&reason));
    }
    if closed {
        blocks.block("section", Marked, &how_long(notice, turn));
    } else {
        tell_rows(notice, turn, blocks);
        let mut changes = String::new();
        for change in changes_for(job, &turn.changed, Audience::Away) {
            let front = if changes.is_empty() { "Changed since the last success:" } else { "" };
            changes.push_str(&format!("{front}\n• {}", one_line(&change)));
        }
        blocks.block("section", Plain(SECTION_MAX), &changes);
        if let Some(output) = run.and_then(|run| end_of_output(job, run, SECTION_MAX)) {
            blocks.block("section", Marked, &code(&output, SECTION_MAX));
        }
    }
    tell_context(notice, turn, blocks);
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

/// What one looks for, that first which is asked first.
fn tell_rows(notice: &Notice, turn: &Turn, blocks: &mut Blocks) {
    let job = &*notice.job;
    blocks.row("Since", Marked, &moment(turn.alert.opened_at));
    blocks.row("Failures", Marked, &failures(turn));
    let finished = turn.cause.finished().map(|finished| &**finished);
    blocks.row("Last success", Marked, &last_success(finished));
    if let Some(start) = notice.news.under_way() {
        blocks.row("Running since", Marked, &moment(start.started_at));
    }
    if let Some(Finished { run, .. }) = finished {
        blocks.row("Ended with", Marked, &ending(run));
        blocks.row("Took", Marked, &run.wall_time.map(human::span).unwrap_or_default());
    }
    let value = Plain(VALUE_MAX);
    blocks.row("Owner", value, &one_line(job.owner.as_deref().unwrap_or_default()));
    if let Some(runbook) = &job.runbook {
        // A button would do as well, and Slack puts a warning beside one that no app answers to.
        let shown = words_for(runbook, Audience::Away);
        match link(&shown).filter(|_| shown == *runbook) {
            Some(link) => blocks.row("Runbook", Marked, &link),
            None => blocks.row("Runbook", value, &one_line(&shown)),
        }
    }
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

/// Empty if nobody can say: of what is told a day later, only the failures are on record.
fn last_success(finished: Option<&Finished>) -> String {
    let history = finished.and_then(|finished| finished.history.as_ref());
    match history.filter(|history| history.last.is_some()).map(|history| history.last_success) {
        Some(Some(success)) => moment(success.ended_at),
        Some(None) => "none on record".to_owned(),
        None => String::new(),
    }
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

/// What a person looks up, small.
fn tell_context(notice: &Notice, turn: &Turn, blocks: &mut Blocks) {
    let job = &*notice.job;
    blocks.element("alert ", &turn.alert.id.to_string());
    let run = turn.cause.finished().map(|finished| finished.run.id);
    if let Some(run) = run.or(notice.news.under_way().map(|start| start.id)) {
        blocks.element("run ", &run.to_string());
    }
    blocks.element("job ", job.label.as_str());
    blocks.element("host ", &job.host);
    let mut command = String::new();
    for word in command_for(job, Audience::Away).unwrap_or_default() {
        command.push_str(if command.is_empty() { "" } else { " " });
        command.push_str(&shell::quote(&word).to_string_lossy());
    }
    blocks.element("command ", &command);
    let mut tags = String::new();
    for tag in &job.tags {
        tags.push_str(if tags.is_empty() { "" } else { ", " });
        tags.push_str(&tag.to_string());
    }
    blocks.element("tags ", &tags);
}

/// How a text is read.
#[derive(Clone, Copy)]
enum Look {
    /// As it is, and not even with the names of emoji. What is longer than this is cut.
    Plain(usize),
    /// With marks, and nothing else that might be found in it.
    Marked,
}

/// What a block begins with that is a list of texts in two columns.
const FIELDS: &str = r#"{"type":"section","fields":["#;

/// What a block begins with that is a list of texts in small letters.
const ELEMENTS: &str = r#"{"type":"context","elements":["#;

/// How many texts have room in either.
const ITEMS_MAX: usize = 10;

/// The blocks of a message, written one behind the other. Nothing is made of a text that is empty: Slack
/// would refuse the whole message for it.
struct Blocks {
    json: String,
    /// The list that is being written, if there is one.
    list: &'static str,
    items: usize,
}

impl Blocks {
    /// A block of one text.
    fn block(&mut self, kind: &str, look: Look, text: &str) {
        if !text.trim().is_empty() {
            self.end_list();
            self.comma();
            self.json.push_str(r#"{"type":""#);
            self.json.push_str(kind);
            self.json.push_str(r#"","text":"#);
            self.text(look, text);
            self.json.push('}');
        }
    }

    /// A name and a value beside it.
    fn row(&mut self, name: &str, look: Look, value: &str) {
        if !value.trim().is_empty() {
            self.item(FIELDS, Marked, &format!("*{name}*"));
            self.item(FIELDS, look, value.trim());
        }
    }

    /// A name and a value in small letters.
    fn element(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.item(ELEMENTS, Plain(VALUE_MAX), &(name.to_owned() + &one_line(value)));
        }
    }

    fn item(&mut self, list: &'static str, look: Look, text: &str) {
        if self.list != list || self.items == ITEMS_MAX {
            self.end_list();
            self.comma();
            self.json.push_str(list);
            self.list = list;
        }
        self.comma();
        self.text(look, text);
        self.items += 1;
    }

    fn end_list(&mut self) {
        if !self.list.is_empty() {
            self.json.push_str("]}");
            self.list = "";
            self.items = 0;
        }
    }

    fn comma(&mut self) {
        if !self.json.ends_with('[') {
            self.json.push(',');
        }
    }

    fn text(&mut self, look: Look, text: &str) {
        let (front, text) = match look {
            Plain(limit) => (r#"{"type":"plain_text","emoji":false,"text":"#, escaped(text, limit)),
            Marked => (r#"{"type":"mrkdwn","verbatim":true,"text":"#, text.to_owned()),
        };
        self.json.push_str(front);
        self.json.push_str(&quoted(&text));
        self.json.push('}');
    }
}

/// As a string of JSON.
fn quoted(text: &str) -> String {
    // A string always serializes.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
