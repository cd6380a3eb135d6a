use std::time::Duration;

use jiff::tz::{TimeZone, offset};
use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::job::{RunId, Tag};
use crate::notice::{Cause, News, Overdue, Start, Turn};
use crate::outcome::{Outcome, Run};
use crate::plan::{JobFacts, Severity};
use crate::policy::History;
use crate::sinks::wire::{TCP_MAX, UDP_MAX, UNIX_MAX};
use crate::sinks::{Pace, sample};

/// A record of RFC 5424, taken apart by its grammar (section 6); every byte is accounted for.
#[derive(Debug)]
struct Parsed {
    priority: u8,
    /// Timestamp, host, program, process and kind.
    header: Vec<String>,
    /// Of the one element, without the escapes.
    data: Data,
    message: String,
}

impl Parsed {
    fn value(&self, name: &str) -> Option<&str> {
        self.data.iter().find(|(other, _)| other == name).map(|(_, value)| &value[..])
    }
}

fn parse(record: &str) -> Result<Parsed, String> {
    if record.chars().any(char::is_control) {
        return Err("a control character".into());
    }
    let (priority, rest) = record.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or("no PRI")?;
    let priority = priority.parse().ok().filter(|number| *number < 192).ok_or("bad PRI")?;
    let rest = rest.strip_prefix("1 ").ok_or("no VERSION")?;
    let mut parts = rest.splitn(6, ' ');
    let header: Vec<_> = parts.by_ref().take(5).map(str::to_owned).collect();
    for (field, most) in header.iter().zip([32, 255, 48, 128, 32]) {
        if field.is_empty() || field.len() > most || !field.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("bad field {field:?}"));
        }
    }
    let (data, message) = element(parts.next().ok_or("no SD")?)?;
    let message = match message.strip_prefix(' ').ok_or("no blank before MSG")? {
        marked if marked.starts_with('\u{feff}') => {
            let text = &marked['\u{feff}'.len_utf8()..];
            if text.is_ascii() {
                return Err("a mark before ASCII".into());
            }
            text
        }
        text if text.is_ascii() => text,
        text => return Err(format!("UTF-8 without a mark: {text:?}")),
    };
    Ok(Parsed { priority, header, data, message: message.to_owned() })
}

/// Names and values.
type Data = Vec<(String, String)>;

/// The one element, and what is behind it.
fn element(text: &str) -> Result<(Data, &str), String> {
    let mut rest = text.strip_prefix("[cronward@32473").ok_or("no element")?;
    let mut data = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix(']') {
            return Ok((data, behind));
        }
        let (name, value) =
            rest.strip_prefix(' ').and_then(|rest| rest.split_once("=\"")).ok_or("no name")?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
            return Err(format!("bad name {name:?}"));
        }
        let mut read = String::new();
        let mut chars = value.char_indices();
        rest = loop {
            match chars.next() {
                Some((at, '"')) => break &value[at + 1..],
                Some((_, '\\')) => match chars.next() {
                    Some((_, escaped)) if "\"\\]".contains(escaped) => read.push(escaped),
                    other => return Err(format!("bad escape {other:?}")),
                },
                Some((_, ']')) => return Err("an unescaped bracket".into()),
                Some((_, c)) => read.push(c),
                None => return Err("no end of a value".into()),
            }
        };
        data.push((name.to_owned(), read));
    }
}

fn sink(target: &str) -> Arc<dyn Sink> {
    sample::opening(target, |opening| open(opening).unwrap())
}

fn opened(target: &str) -> Result<String, String> {
    sample::opening(target, |opening| open(opening).map(|sink| sink.name().to_owned()))
}

/// The record of a notice for another host.
fn record(notice: &Notice) -> Parsed {
    let text = record::of(notice, CRON, Form::Network, TCP_MAX);
    parse(&text).unwrap_or_else(|why| panic!("{why} in {text:?}"))
}

fn backup() -> JobFacts {
    let mut job = sample::job("backup");
    job.tags = vec![Tag::parse("env:prod").unwrap(), Tag::parse("canary").unwrap()];
    job
}

#[test]
fn a_failed_run_and_the_alert_that_it_opens_are_a_record_each() {
    let mut job = backup();
    job.owner = Some("db \"on call\"".into());
    job.severity = Severity::Critical;
    let notices = sample::failed(job);
    let run = notices[0].news.run().unwrap().id;
    let alert = notices[1].news.turn().unwrap().alert.id;
    let of_run = format!(
        "run_id=\"{run}\" outcome=\"failed\" exit_code=\"3\" duration_ms=\"12.75\" attempts=\"1\" \
         consecutive_failures=\"1\""
    );
    let head = "2023-11-14T22:13:20.000Z db1 cronward 4711";
    assert_eq!(
        sink("10.0.0.1").preview(&notices),
        [
            format!(
                "<75>1 {head} run.finished [cronward@32473 label=\"backup\" {of_run} tags=\"env:prod,canary\"] \
                 backup on db1: failed: exited with 3"
            ),
            format!(
                "<74>1 {head} alert.opened [cronward@32473 label=\"backup\" {of_run} alert_id=\"{alert}\" \
                 alert_key=\"db1/backup\" severity=\"critical\" failures=\"1\" owner=\"db \\\"on call\\\"\" \
                 tags=\"env:prod,canary\"] backup is failing on db1: 1 failure: exited with 3"
            ),
        ]
    );
}

// What rsyslog's imuxsock and journald parse: no version, no host, a tag with the pid.
#[test]
fn a_socket_of_this_host_is_written_to_as_by_the_c_library() {
    let notice = &sample::failed(backup())[0];
    let text = record::of(notice, 16, Form::Local(&TimeZone::UTC), UNIX_MAX);
    let (head, rest) = text.split_once(" cronward[4711]: ").expect(&text);
    assert_eq!(head, "<131>Nov 14 22:13:20");
    let (message, data) = rest.split_once(" [").expect(&text);
    assert_eq!(message, "backup on db1: failed: exited with 3");
    let data = format!("[{data}");
    let (data, behind) = element(&data).unwrap();
    assert_eq!((data[0].1.as_str(), data[2].1.as_str(), behind), ("backup", "failed", ""));
    assert_eq!(sink("").preview(std::slice::from_ref(notice)).len(), 1);
}

// RFC 3164 section 4.1.2: a day below ten has a blank for its first digit.
#[test]
fn local_times_have_no_year_and_no_zone() {
    let zone = TimeZone::fixed(offset(2));
    for (millis, written) in [
        (1_795_244_400_123, "Nov 21 09:00:00"),
        (1_798_761_599_000, "Jan  1 01:59:59"),
        (i64::MAX, "Jan  1 02:00:00"),
    ] {
        assert_eq!(record::local_time(Timestamp::from_millis(millis), &zone), written);
    }
}

#[test]
fn the_severity_is_that_of_the_outcome_and_of_the_alert() {
    for (outcome, expected) in [
        (Outcome::Ok, 6),
        (Outcome::Warning, 4),
        (Outcome::Failed, 3),
        (Outcome::Signaled, 3),
        (Outcome::TimedOut, 3),
        (Outcome::Suspect, 3),
        (Outcome::NotStarted, 3),
        (Outcome::Interrupted, 3),
        (Outcome::Stopped, 5),
        (Outcome::Skipped, 5),
    ] {
        let notices = sample::ended(backup(), &History::default(), sample::run(outcome, 0, None));
        assert_eq!(record(&notices[0]).priority, 9 * 8 + expected, "{outcome}");
        assert_eq!(record(&notices[0]).value("outcome"), Some(outcome.as_str()));
    }
    for (severity, expected) in
        [(Severity::Info, 6), (Severity::Warning, 4), (Severity::Error, 3), (Severity::Critical, 2)]
    {
        let job = || JobFacts { severity, ..backup() };
        assert_eq!(record(&sample::failed(job())[1]).priority, 9 * 8 + expected);
        let run = || sample::run(Outcome::Failed, 3, None);
        let repeated = record(&sample::ended(job(), &sample::failing_history(), run())[1]);
        assert_eq!((repeated.priority, &repeated.header[4][..]), (9 * 8 + expected, "alert.repeated"));
        let closed = sample::ended(job(), &sample::failing_history(), sample::run(Outcome::Ok, 0, None));
        let closed = record(&closed[1]);
        assert_eq!((closed.priority, &closed.header[4][..]), (9 * 8 + 5, "alert.closed"));
    }
}

#[test]
fn an_overdue_run_has_its_pid_and_how_long_it_runs() {
    let start = Start { id: RunId::new(), parent: None, pid: 17, started_at: sample::ENDED_AT };
    let id = start.id.to_string();
    let reason = "running for 2s".to_owned();
    let overdue = Overdue { start, elapsed: Duration::from_millis(2_000), reason };
    let record = record(&Notice::overdue(Arc::new(backup()), sample::ENDED_AT, overdue));
    assert_eq!(record.priority, 9 * 8 + 4);
    assert_eq!(record.header[3..], ["17", "run.overdue"]);
    assert_eq!((record.value("run_id"), record.value("elapsed_ms")), (Some(&id[..]), Some("2000")));
    assert_eq!(record.message, "backup is overdue on db1: running for 2s");
}

#[test]
fn an_alert_that_no_run_has_turned_has_no_pid() {
    let alert = sample::failing_history().alert.unwrap();
    let turn = Turn { alert, cause: Cause::Noticed("the last success is old".into(), None), changed: vec![] };
    let notice = Notice {
        id: RunId::new(),
        time: sample::ENDED_AT,
        job: Arc::new(backup()),
        news: News::Opened(turn),
    };
    let parsed = record(&notice);
    assert_eq!(
        (&parsed.header[3][..], parsed.value("run_id"), parsed.value("failures")),
        ("-", None, Some("3"))
    );
    let local = record::of(&notice, CRON, Form::Local(&TimeZone::UTC), UNIX_MAX);
    assert!(local.contains(" cronward: backup is in trouble on db1: "), "{local}");
}

#[test]
fn only_what_is_not_ascii_begins_with_the_mark() {
    let said =
        |reason: &str| record::of(&sample::failed_because(backup(), reason)[0], CRON, Form::Network, TCP_MAX);
    assert!(said("é").contains("] \u{feff}backup on db1: failed: é"));
    assert!(!said("e").contains('\u{feff}'));
    // It is cut, and says so by what is no ASCII.
    assert!(said(&"x".repeat(9_000)).contains("] \u{feff}backup"));
    let notice = &sample::failed_because(backup(), "é")[0];
    assert!(!record::of(notice, CRON, Form::Local(&TimeZone::UTC), UNIX_MAX).contains('\u{feff}'));
}

/// Escaped, each of these characters takes two bytes, and three texts of them more than a datagram.
#[test]
fn texts_that_have_to_be_escaped_leave_room_for_the_message() {
    let mut job = sample::job(&"]".repeat(300));
    job.owner = Some("\\".repeat(300));
    job.alert_key.text = "\"".repeat(300);
    for notice in sample::failed(job) {
        for limit in [UDP_MAX, TCP_MAX, UNIX_MAX] {
            let text = record::of(&notice, CRON, Form::Network, limit);
            assert!(text.len() <= limit, "{} bytes", text.len());
            let parsed = parse(&text).unwrap_or_else(|why| panic!("{why} in {text:?}"));
            assert_eq!(parsed.value("label"), Some(&format!("{}…", "]".repeat(197))[..]));
            assert!(parsed.message.starts_with("]]]"), "{text}");
        }
    }
}

#[test]
fn the_message_is_what_would_be_seen_of_it() {
    let mut job = sample::job("\x1b[31mred\x1b[0m\nand\t\u{202e}back");
    job.host = "db1".into();
    let notice = &sample::failed(job)[0];
    assert_eq!(record(notice).message, "red and back on db1: failed: exited with 3");
    assert_eq!(record(notice).value("label"), Some("red and back"));
}

#[test]
fn a_host_without_a_name_and_a_time_beyond_the_calendar_are_nil() {
    let mut job = backup();
    job.host = String::new();
    let mut notice = sample::failed(job).remove(0);
    notice.time = Timestamp::from_millis(i64::MAX);
    assert_eq!(record(&notice).header[..2], ["-", "-"]);
    let mut job = backup();
    job.host = "a b\n]é".into();
    assert_eq!(record(&sample::failed(job)[0]).header[1], "a_b_]_");
}

#[test]
fn what_leaves_the_host_is_what_may() {
    let mut job = backup();
    job.privacy.sensitive = true;
    let sent = sink("h").preview(&sample::failed_because(job, "not found: 'pg_dump'"));
    assert!(sent.iter().all(|record| !record.contains("pg_dump")), "{sent:#?}");
    let sent = sink("h").preview(&sample::failed_because(backup(), "said token=abc123"));
    assert!(
        sent.iter().all(|record| record.contains("token=***") && !record.contains("abc123")),
        "{sent:#?}"
    );
}

#[test]
fn targets_and_facilities_are_read_strictly() {
    for (target, name, pace) in [
        ("", "syslog:/dev/log", Pace::Prompt),
        ("?facility=local0", "syslog:/dev/log", Pace::Prompt),
        ("/run/log.sock", "syslog:/run/log.sock", Pace::Prompt),
        ("unixstream:/run/log.sock", "syslog:unixstream:/run/log.sock", Pace::Prompt),
        ("10.0.0.1", "syslog:10.0.0.1:514", Pace::Prompt),
        ("[::1]:99?facility=daemon", "syslog:[::1]:99", Pace::Prompt),
        ("udp:h", "syslog:h:514", Pace::Waiting),
        ("tcp:10.0.0.1", "syslog:tcp:10.0.0.1:514", Pace::Waiting),
        ("tcp:loghost:6514", "syslog:tcp:loghost:6514", Pace::Waiting),
    ] {
        assert_eq!(opened(target).as_deref(), Ok(name), "{target}");
        assert_eq!(sink(target).pace(), pace, "{target}");
    }
    for bad in
        ["tcp:", "h:x", "tcp:/dev/log", "unixgram:log", "h?facility=kern", "h?facility=", "h?tls=yes", "a b"]
    {
        assert!(opened(bad).is_err(), "{bad}");
    }
    assert!(sink("h?facility=local7").preview(&sample::failed(backup()))[0].starts_with("<187>1 "));
}

#[test]
fn a_start_and_a_check_are_no_record() {
    let wanted = [Topic::End, Topic::Overdue, Topic::Alert];
    for topic in [Topic::Start, Topic::Overdue, Topic::End, Topic::Alert, Topic::Standing, Topic::Alive] {
        assert_eq!(sink("").wants(topic), wanted.contains(&topic), "{topic:?}");
    }
    assert!(!sink("").confirms() && !sink("").hears_the_others());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_it_is_made_of_a_record_is_one_and_fits(
        label in sample::hostile(), host in sample::hostile(), reason in sample::hostile(), owner in sample::hostile(),
        key in sample::hostile(), value in sample::hostile(), long in prop::bool::ANY, local in prop::bool::ANY,
        report in sample::hostile_report(),
    ) {
        let many = |text: String| if long { text.repeat(12) } else { text };
        let mut job = sample::job(&many(label));
        job.host = host;
        job.owner = Some(many(owner));
        job.runbook = Some("] forged=\"x\" [y".into());
        job.alert_key.text = many(value.clone());
        job.tags = vec![Tag { key, value: Some(value) }];
        let run = Run { report, ..sample::run(Outcome::Failed, 3, Some(&many(reason))) };
        for notice in sample::ended(job, &History::default(), run) {
            for limit in [UDP_MAX, TCP_MAX, UNIX_MAX] {
                if local {
                    let text = record::of(&notice, CRON, Form::Local(&TimeZone::UTC), limit);
                    prop_assert!(text.len() <= limit, "{} bytes", text.len());
                    prop_assert!(text.starts_with("<75>") && !text.contains(char::is_control), "{}", text);
                    prop_assert!(text.contains(" cronward[4711]: ") && text.ends_with(']'), "{}", text);
                } else {
                    let text = record::of(&notice, CRON, Form::Network, limit);
                    prop_assert!(text.len() <= limit, "{} bytes", text.len());
                    let parsed = parse(&text).expect(&text);
                    prop_assert_eq!(parsed.priority, 75);
                    prop_assert!(parsed.value("label").is_some() && parsed.value("outcome") == Some("failed"));
                    prop_assert_eq!(parsed.value("forged"), None);
                    let mut names: Vec<_> = parsed.data.iter().map(|(name, _)| name).collect();
                    names.sort();
                    names.dedup();
                    prop_assert_eq!(names.len(), parsed.data.len(), "a name twice");
                }
            }
        }
    }
}
