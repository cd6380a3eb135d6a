//! PURE. One record of syslog: one line without control characters,
//! whatever it is made of, so that nothing in it ends it and begins another.

use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::notice::{Audience, Finished, News, Notice, Turn, millis};
use crate::outcome::Outcome;
use crate::plan::Severity;
use crate::redact::one_line;
use crate::sinks::wire::{merged_tags, push_all, push_number, push_tag, push_whole, text_within};

/// Name of the program and, of the structured data, of the element. 32473 is the enterprise number that
/// is kept for examples (RFC 5612): nobody else means anything by it.
const PROGRAM: &str = "cronward";
const ELEMENT: &str = "[cronward@32473";

/// The byte order mark.
const MARK: char = '\u{feff}';

/// Longest name of a host, in bytes (RFC 5424 section 6).
const HOST_MAX: usize = 255;

/// Longest value of a parameter, in bytes, before it is escaped.
const VALUE_MAX: usize = 200;

/// Longest record to a socket, in bytes: what rsyslog reads of one, unless told otherwise.
const LOCAL_MAX: usize = 8096;

/// How a record is written.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// RFC 5424, for another host.
    Network,
    /// RFC 3164 without the host, as syslog(3) writes to /dev/log, with the time of this zone. What would
    /// be structured data stands behind the message.
    Local(&'a TimeZone),
}

/// The record of a notice, at most `limit` bytes.
pub fn of(notice: &Notice, facility: u8, form: Form<'_>, limit: usize) -> String {
    let mut record = String::with_capacity(512);
    record.push('<');
    push_whole(&mut record, u64::from(facility * 8 + severity(notice)));
    record.push('>');
    let message = notice.headline_for(Audience::Away);
    let message = one_line(&message);
    match form {
        Form::Network => {
            push_header(&mut record, notice);
            let room = limit.saturating_sub(record.len()) / 2;
            record.push_str(&element(notice, room));
            record.push(' ');
            let text = text_within(&message, limit.saturating_sub(record.len() + MARK.len_utf8()));
            // Section 6.4: it stands before what is UTF-8, and not before ASCII.
            record.extend(Some(MARK).filter(|_| !text.is_ascii()));
            record.push_str(&text);
        }
        Form::Local(zone) => {
            push_local_header(&mut record, notice, zone);
            let room = limit.min(LOCAL_MAX).saturating_sub(record.len());
            let element = element(notice, room / 2);
            record.push_str(&text_within(&message, room.saturating_sub(element.len() + 1)));
            push_all(&mut record, &[" ", &element]);
        }
    }
    record
}

/// How bad it is (RFC 5424 section 6.2.1): 2 critical, 3 error, 4 warning, 5 notice, 6 informational.
pub fn severity(notice: &Notice) -> u8 {
    match &notice.news {
        News::Finished(finished) => match finished.run.outcome {
            Outcome::Ok => 6,
            Outcome::Stopped | Outcome::Skipped => 5,
            Outcome::Warning => 4,
            Outcome::Failed
            | Outcome::Signaled
            | Outcome::TimedOut
            | Outcome::Suspect
            | Outcome::NotStarted
            | Outcome::Interrupted => 3,
        },
        News::Overdue(_) => 4,
        News::Opened(_) | News::Repeated(_) => match notice.job.severity {
            Severity::Info => 6,
            Severity::Warning => 4,
            Severity::Error => 3,
            Severity::Critical => 2,
        },
        News::Closed(_) => 5,
        News::Started(_) | News::Standing(_) | News::Alive => 6,
    }
}

/// `1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID` and a blank.
fn push_header(record: &mut String, notice: &Notice) {
    let time = notice.time.to_string();
    // A time beyond the calendar has no form.
    let time = if time.ends_with('Z') { &time[..] } else { "-" };
    push_all(record, &["1 ", time, " "]);
    let start = record.len();
    let printable = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    record.extend(notice.job.host.chars().take(HOST_MAX).map(printable));
    if record.len() == start {
        record.push('-');
    }
    push_all(record, &[" ", PROGRAM, " "]);
    match pid(notice) {
        Some(pid) => push_whole(record, u64::from(pid)),
        None => record.push('-'),
    }
    push_all(record, &[" ", notice.news.kind(), " "]);
}

/// `Mmm dd hh:mm:ss TAG[PID]: `.
fn push_local_header(record: &mut String, notice: &Notice, zone: &TimeZone) {
    push_all(record, &[&local_time(notice.time, zone), " ", PROGRAM]);
    if let Some(pid) = pid(notice) {
        record.push('[');
        push_whole(record, u64::from(pid));
        record.push(']');
    }
    record.push_str(": ");
}

/// RFC 3164 section 4.1.2.
pub fn local_time(at: Timestamp, zone: &TimeZone) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let time = at.on_the_clock(zone).or_else(|| Timestamp::UNSET.on_the_clock(zone)).unwrap_or_default();
    let month = MONTHS[time.month().unsigned_abs() as usize - 1];
    format!("{month} {:2} {:02}:{:02}:{:02}", time.day(), time.hour(), time.minute(), time.second())
}

/// The command's.
fn pid(notice: &Notice) -> Option<u32> {
    let of_run = notice.news.run().and_then(|run| run.pid);
    of_run.or_else(|| notice.news.under_way().map(|start| start.pid))
}

/// `[ID NAME="VALUE"…]` in at most `room` bytes: what fits of it, in this order.
fn element(notice: &Notice, room: usize) -> String {
    let mut element = Element { text: ELEMENT.to_owned(), room };
    element.push("label", notice.job.label.as_str());
    if let Some(start) = notice.news.under_way() {
        element.push("run_id", &start.id.to_string());
    }
    if let News::Overdue(overdue) = &notice.news {
        element.push_number("elapsed_ms", millis(overdue.elapsed));
    }
    if let Some(finished) = notice.news.finished() {
        push_run(&mut element, finished);
    }
    if let Some(turn) = notice.news.turn() {
        push_alert(&mut element, notice, turn);
    }
    let room_for_tags = room / 4;
    let tags = tags(notice, room_for_tags);
    if !tags.is_empty() {
        element.push_within("tags", &tags, room_for_tags);
    }
    element.text.push(']');
    element.text
}

fn push_run(element: &mut Element, Finished { run, history, .. }: &Finished) {
    element.push("run_id", &run.id.to_string());
    element.push("outcome", run.outcome.as_str());
    if let Some(code) = run.exit_code() {
        element.push_number("exit_code", f64::from(code));
    }
    if let Some((signal, _)) = run.death() {
        element.push("signal", &signal.to_string());
    }
    if let Some(wall_time) = run.wall_time {
        element.push_number("duration_ms", millis(wall_time));
    }
    element.push_number("attempts", f64::from(run.attempts));
    if let Some(history) = history {
        element.push_number("consecutive_failures", f64::from(history.failures_in_a_row));
    }
    if let Some(parent) = run.parent {
        element.push("parent_run_id", &parent.to_string());
    }
}

fn push_alert(element: &mut Element, notice: &Notice, Turn { alert, .. }: &Turn) {
    element.push("alert_id", &alert.id.to_string());
    element.push("alert_key", &alert.key.text);
    element.push("severity", notice.job.severity.as_str());
    element.push_number("failures", f64::from(alert.failures));
    for (name, value) in [("owner", &notice.job.owner), ("runbook", &notice.job.runbook)] {
        if let Some(value) = value {
            element.push(name, value);
        }
    }
}

/// `key:value` tags with commas between, as many as fit.
fn tags(notice: &Notice, room: usize) -> String {
    let reported = notice.news.run().map_or(&[][..], |run| &run.report.tags);
    let mut written = String::new();
    for tag in merged_tags(&notice.job.tags, reported) {
        let end = written.len();
        if end > 0 {
            written.push(',');
        }
        push_tag(&mut written, &tag.key, tag.value.as_deref().unwrap_or_default());
        if written.len() > room {
            written.truncate(end);
            break;
        }
    }
    written
}

/// Structured data as it grows.
struct Element {
    text: String,
    /// In bytes, the end of the element included.
    room: usize,
}

impl Element {
    fn push(&mut self, name: &str, value: &str) {
        self.push_within(name, value, VALUE_MAX);
    }

    /// Adds a parameter, if there is room for it. A value of more than `most` bytes is cut, and says so.
    fn push_within(&mut self, name: &str, value: &str, most: usize) {
        let end = self.text.len();
        push_all(&mut self.text, &[" ", name, "=\""]);
        for c in text_within(&one_line(value), most).chars() {
            // Those three, and no others (RFC 5424 section 6.3.3).
            if matches!(c, '"' | '\\' | ']') {
                self.text.push('\\');
            }
            self.text.push(c);
        }
        self.text.push('"');
        if self.text.len() + 1 > self.room {
            self.text.truncate(end);
        }
    }

    fn push_number(&mut self, name: &str, value: f64) {
        let mut number = String::new();
        push_number(&mut number, value);
        self.push(name, &number);
    }
}
