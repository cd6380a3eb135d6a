//! Log records.

use std::sync::Arc;

use super::*;
use crate::job::Tag;
use crate::notice::{Audience, Finished, Overdue, Start};
use crate::outcome::{Ending, Excerpt, KeptOutput, Run, RunEnd};
use crate::plan::{Privacy, Severity};
use crate::program::Changed;
use crate::sinks::otlp::logs::push_record;

fn of(notice: &Notice) -> Value {
    elements(|json| push_record(json, notice, &|run| Some(Place::of(run, None)))).remove(0)
}

fn overdue() -> Notice {
    let start =
        Start { id: RunId::new(), parent: Some(RunId::new()), pid: 4711, started_at: sample::ENDED_AT };
    let overdue = Overdue { start, elapsed: Duration::from_secs(60), reason: "password=hunter2".into() };
    Notice::overdue(Arc::new(sample::job("backup")), sample::ENDED_AT, overdue)
}

#[test]
fn every_event_is_a_record_of_a_severity_and_a_measurement_is_none() {
    let ended =
        |outcome| sample::ended(sample::job("backup"), &History::default(), sample::run(outcome, 0, None));
    let opened = |severity| {
        let mut job = sample::job("backup");
        job.severity = severity;
        sample::failed(job).remove(1)
    };
    let after = |outcome| {
        let run = sample::run(outcome, 0, None);
        sample::ended(sample::job("backup"), &sample::failing_history(), run).remove(1)
    };
    for (notice, number, word, name) in [
        (sample::started(sample::job("backup")), 9, "INFO", "cronward.run.started"),
        (overdue(), 13, "WARN", "cronward.run.overdue"),
        (ended(Outcome::Ok).remove(0), 9, "INFO", "cronward.run.finished"),
        (ended(Outcome::Warning).remove(0), 13, "WARN", "cronward.run.finished"),
        (ended(Outcome::Failed).remove(0), 17, "ERROR", "cronward.run.finished"),
        (ended(Outcome::Suspect).remove(0), 17, "ERROR", "cronward.run.finished"),
        (ended(Outcome::Interrupted).remove(0), 17, "ERROR", "cronward.run.finished"),
        (ended(Outcome::Stopped).remove(0), 9, "INFO", "cronward.run.finished"),
        (ended(Outcome::Skipped).remove(0), 9, "INFO", "cronward.run.finished"),
        (opened(Severity::Info), 9, "INFO", "cronward.alert.opened"),
        (opened(Severity::Warning), 13, "WARN", "cronward.alert.opened"),
        (opened(Severity::Error), 17, "ERROR", "cronward.alert.opened"),
        (opened(Severity::Critical), 21, "FATAL", "cronward.alert.opened"),
        (after(Outcome::Failed), 17, "ERROR", "cronward.alert.repeated"),
        (after(Outcome::Ok), 9, "INFO", "cronward.alert.closed"),
    ] {
        let found = of(&notice);
        let seen = (&found["severityNumber"], &found["severityText"], &found["eventName"]);
        assert_eq!(seen, (&number.into(), &word.into(), &name.into()));
        assert_eq!(found["body"]["stringValue"], notice.headline_for(Audience::Away));
        assert_eq!(found["observedTimeUnixNano"], found["timeUnixNano"]);
        let run = facts::run_id(&notice.news).unwrap();
        assert_eq!(found["traceId"], run.uuid().as_simple().to_string());
        assert_eq!(found["spanId"], found["traceId"].as_str().unwrap()[16..]);
        assert_eq!(attributes(&found)["cronward.event.id"], notice.id.to_string());
        assert!(elements(|json| push_record(json, &notice, &|_| None))[0].get("traceId").is_none());
    }
    let alive = Notice::alive(Arc::new(sample::job("x")), sample::ENDED_AT);
    assert_eq!(elements(|json| push_record(json, &alive, &|_| None)), Vec::<Value>::new());
}

/// An alert with all that may be told of one.
fn alert(privacy: Privacy) -> Notice {
    let mut job = sample::job("back\nup");
    job.privacy = privacy;
    job.severity = Severity::Critical;
    (job.owner, job.runbook) = (Some("db team".into()), Some("https://wiki/x".into()));
    job.tags = ["env:prod", "task:forged"].iter().filter_map(|tag| Tag::parse(tag)).collect();
    let output = Excerpt {
        head: b"one\ntwo \x1b[31mred\ntoken=abcdef123\n".to_vec(),
        total: 33,
        ..Excerpt::default()
    };
    let end = RunEnd::Ended(Ending::Killed { signal: crate::job::Signal::KILL, core_dumped: true });
    let run = Run {
        parent: RunId::parse("01976f5e-8c00-7abc-8def-0123456789ab"),
        end,
        output: KeptOutput { excerpt: Some(output), log: None },
        ..sample::run(Outcome::Signaled, 0, Some("killed by SIGKILL"))
    };
    let changed = Changed { full: "command changed from 'a' to 'b'".into(), brief: "command changed".into() };
    let mut notice = sample::ended(job, &History::default(), run).remove(1);
    let News::Opened(turn) = &mut notice.news else { panic!("{notice:?}") };
    turn.changed.push(changed);
    notice
}

#[test]
fn an_alert_can_be_searched_for_by_all_that_is_known_of_it() {
    let notice = alert(Privacy { send_args: true, sensitive: false });
    let seen = attributes(&of(&notice));
    let turn = notice.news.turn().unwrap();
    let run = notice.news.run().unwrap();
    for (key, value) in [
        ("task", "back up"),
        ("outcome", "signaled"),
        ("env", "prod"),
        ("cronward.run.id", &run.id.to_string()),
        ("cronward.run.parent_id", "01976f5e-8c00-7abc-8def-0123456789ab"),
        ("cronward.run.attempts", "1"),
        ("cronward.run.signal", "SIGKILL"),
        ("cronward.reason", "killed by SIGKILL"),
        ("process.pid", "4711"),
        ("process.executable.name", "pg_dump"),
        ("cronward.alert.id", &turn.alert.id.to_string()),
        ("cronward.alert.key", "db1/back up"),
        ("cronward.alert.opened_at", "2023-11-14T22:13:20.000Z"),
        ("cronward.alert.failures", "1"),
        ("cronward.alert.severity", "critical"),
        ("cronward.alert.owner", "db team"),
        ("cronward.alert.runbook", "https://wiki/x"),
        ("cronward.output", "one\ntwo red\ntoken=***"),
    ] {
        assert_eq!(seen[key], value, "{key}");
    }
    assert_eq!(seen["cronward.run.duration_ms"], 12.75);
    let list = |key: &str| seen[key]["values"].to_string();
    assert_eq!(
        list("process.command_args"),
        r#"[{"stringValue":"pg_dump"},{"stringValue":"--password=***"}]"#
    );
    assert_eq!(list("cronward.alert.changed"), r#"[{"stringValue":"command changed from 'a' to 'b'"}]"#);
    assert_eq!(seen.len(), 22, "{seen:#?}");
    assert_eq!(of(&notice)["body"]["stringValue"], "back up is failing on db1: 1 failure: killed by SIGKILL");
}

#[test]
fn what_is_not_to_leave_the_host_is_in_no_record() {
    let seen = attributes(&of(&alert(Privacy::default())));
    assert!(!seen.contains_key("process.command_args"), "{seen:#?}");
    assert_eq!(seen["process.executable.name"], "pg_dump");
    assert_eq!(seen["cronward.alert.changed"]["values"][0]["stringValue"], "command changed");
    let sensitive = attributes(&of(&alert(Privacy { sensitive: true, send_args: true })));
    for key in ["process.executable.name", "process.command_args", "cronward.output", "cronward.reason"] {
        assert!(!sensitive.contains_key(key), "{key}: {sensitive:#?}");
    }
    let overdue = of(&overdue());
    assert!(!overdue.to_string().contains("hunter2"), "{overdue:#}");
    assert!(attributes(&overdue).contains_key("cronward.run.parent_id"), "{overdue:#}");
}

#[test]
fn a_record_has_an_end_whatever_there_is_to_tell() {
    let mut job = sample::job(&"é".repeat(5_000));
    job.privacy.send_args = true;
    job.command = crate::job::CommandLine::Words(vec!["x".repeat(1_500).into(); 100]);
    let words = "line of words\n".repeat(3_000);
    let output =
        Excerpt { head: words.clone().into_bytes(), total: words.len() as u64, ..Excerpt::default() };
    let output = KeptOutput { excerpt: Some(output), log: None };
    let run = Run { output, ..sample::run(Outcome::Failed, 3, Some(&words[..9_000])) };
    let notice = sample::ended(job, &History::default(), run).remove(0);
    let found = of(&notice);
    assert!(found.to_string().len() < 128 * 1024, "{}", found.to_string().len());
    let seen = attributes(&found);
    assert_eq!(seen["process.command_args"]["values"].as_array().unwrap().len(), 65);
    assert!(seen["cronward.output"].as_str().unwrap().ends_with("line of words"), "{seen:#?}");
    let finished: &Arc<Finished> = notice.news.finished().unwrap();
    let place = Place::of(finished.run.id, None);
    let spans = elements(|json| crate::sinks::otlp::span::push_span(json, &notice.job, finished, &place));
    assert!(spans[0].to_string().len() < 128 * 1024, "{}", spans[0]);
}
