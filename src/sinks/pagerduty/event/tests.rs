use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::job::{CommandLine, RunId};
use crate::notice::{Cause, Start};
use crate::outcome::{Ending, Excerpt, KeptOutput, Outcome, Report, RunEnd};
use crate::plan::{Privacy, Severity};
use crate::policy::{Alert, History};
use crate::program::Changed;
use crate::sinks::sample::{self, hostile};

/// The notice of an alert that a run has turned.
fn turned(job: JobFacts, before: &History, run: Run) -> Notice {
    sample::ended(job, before, run).remove(1)
}

fn opened(job: JobFacts, run: Run) -> Notice {
    turned(job, &History::default(), run)
}

fn failed() -> Run {
    sample::run(Outcome::Failed, 3, Some("exited with 3"))
}

fn with_changes(mut notice: Notice, changed: Vec<Changed>) -> Notice {
    if let News::Opened(turn) = &mut notice.news {
        turn.changed = changed;
    }
    notice
}

/// The alert of [`sample::failing_history`], of a key that hosts share.
fn shared() -> History {
    let mut history = sample::failing_history();
    history.alert = history.alert.map(|mut alert: Alert| {
        alert.key.is_shared = true;
        alert
    });
    history
}

fn read(notice: &Notice) -> Value {
    serde_json::from_str(&body(notice, action(notice).unwrap(), "KEY")).unwrap()
}

fn details_of(notice: &Notice) -> Value {
    read(notice)["payload"]["custom_details"].clone()
}

#[test]
fn an_alert_is_triggered_and_resolved_under_the_key_that_it_was_opened_under() {
    let job = || sample::job("backup");
    let succeeded = || sample::run(Outcome::Ok, 0, None);
    for (notice, expected) in [
        (opened(job(), failed()), Some(("trigger", "db1/backup"))),
        (turned(job(), &sample::failing_history(), failed()), Some(("trigger", "db1/backup"))),
        (turned(job(), &sample::failing_history(), succeeded()), Some(("resolve", "db1/backup"))),
        (turned(job(), &shared(), failed()), Some(("trigger", "db1/backup"))),
        // The other hosts may still be failing.
        (turned(job(), &shared(), succeeded()), None),
        (sample::failed(job()).remove(0), None),
        (sample::started(job()), None),
    ] {
        let found = action(&notice).map(|_| read(&notice));
        let found = found.as_ref().map(|event| (&event["event_action"], &event["dedup_key"]));
        assert_eq!(
            found,
            expected.map(|(word, key)| (json!(word), json!(key))).as_ref().map(|(a, b)| (a, b))
        );
    }
}

#[test]
fn a_recovery_is_told_by_its_key_alone() {
    let mut job = sample::job("backup");
    job.alert_key.text = "changed since".into();
    let closed = turned(job, &sample::failing_history(), sample::run(Outcome::Ok, 0, None));
    let expected = r#"{"routing_key":"KEY","event_action":"resolve","dedup_key":"db1/backup"}"#;
    assert_eq!(body(&closed, Action::Resolve, "KEY"), expected);
}

#[test]
fn a_failure_is_told_with_what_a_person_who_was_woken_wants_to_know() {
    let mut job = sample::job("backup");
    job.severity = Severity::Critical;
    job.owner = Some("db team".into());
    job.runbook = Some("https://wiki.example/backup#restore".into());
    job.tags = ["env:prod", "service:app", "nightly"].iter().filter_map(|tag| Tag::parse(tag)).collect();
    let run = Run {
        output: KeptOutput {
            excerpt: Some(Excerpt { head: b"one\ntwo\n".to_vec(), total: 8, ..Excerpt::default() }),
            log: Some("/var/log/x".into()),
        },
        report: Report { tags: Tag::parse("env:test").into_iter().collect(), ..Report::default() },
        attempts: 2,
        ..failed()
    };
    let change = Changed { full: "'x' was modified".into(), brief: "the script was modified".into() };
    let notice = with_changes(opened(job, run), vec![change]);
    let (run_id, alert_id) = (notice.news.run().unwrap().id, notice.news.turn().unwrap().alert.id);
    let link = "https://wiki.example/backup#restore";
    let at = sample::ENDED_AT.to_string();
    let details = json!({
        "outcome": "failed",
        "exit_code": 3,
        "reason": "exited with 3",
        "opened_at": at,
        "failures": 1,
        "duration": "13 ms",
        "attempts": 2,
        "changed": ["the script was modified"],
        "command": "pg_dump",
        "output": "one\ntwo",
        "log": "/var/log/x",
        "owner": "db team",
        "runbook": link,
        "run_id": run_id.to_string(),
        "alert_id": alert_id.to_string(),
        // Of two tags with one key the run's own.
        "tags": { "env": "test", "service": "app", "nightly": "" },
    });
    let event = json!({
        "routing_key": "KEY",
        "event_action": "trigger",
        "dedup_key": "db1/backup",
        "payload": {
            "summary": "backup is failing on db1: 1 failure: exited with 3",
            "source": "db1",
            "severity": "critical",
            "timestamp": at,
            "component": "backup",
            "group": "app",
            "class": "failed",
            "custom_details": details,
        },
        "links": [{ "href": link, "text": "runbook" }],
        "client": "cronward",
    });
    assert_eq!(read(&notice), event);
    // What matters most is read first.
    let text = body(&notice, Action::Trigger, "KEY");
    let names = ["outcome", "reason", "opened_at", "changed", "output", "owner", "run_id", "tags"];
    let places: Vec<_> = names.map(|name| text.find(&format!("\"{name}\":"))).into();
    assert!(places.is_sorted() && places[0].is_some(), "{text}");
}

#[test]
fn a_death_has_a_signal_and_no_code() {
    let end = RunEnd::Ended(Ending::Killed { signal: crate::job::Signal::KILL, core_dumped: false });
    let run = Run { end, wall_time: None, ..sample::run(Outcome::Signaled, 0, None) };
    let details = details_of(&opened(sample::job("x"), run));
    assert_eq!((&details["signal"], details.get("exit_code")), (&json!("SIGKILL"), None));
    assert_eq!((details.get("reason"), details.get("duration"), details.get("attempts")), (None, None, None));
}

#[test]
fn an_alert_that_no_run_has_turned_has_the_reason_and_the_run_that_is_under_way() {
    let start = Start { id: RunId::new(), parent: None, pid: 1, started_at: sample::ENDED_AT };
    for (under_way, class) in [(Some(start), Some("overdue")), (None, None)] {
        let run = under_way.as_ref().map(|start| json!(start.id.to_string()));
        let alert = sample::failing_history().alert.unwrap();
        let cause = Cause::Noticed("it takes\ntoo long".into(), under_way);
        let news = News::Opened(Turn { alert, cause, changed: Vec::new() });
        let job = std::sync::Arc::new(sample::job("x"));
        let notice = Notice { id: RunId::new(), time: sample::ENDED_AT, job, news };
        let event = read(&notice);
        assert_eq!(event["payload"].get("class").and_then(Value::as_str), class);
        let details = &event["payload"]["custom_details"];
        assert_eq!((&details["reason"], details.get("outcome")), (&json!("it takes too long"), None));
        assert_eq!(details.get("run_id"), run.as_ref());
    }
}

#[test]
fn of_a_sensitive_job_neither_reason_nor_command_nor_output_is_told() {
    let told = |privacy| {
        let mut job = sample::job("x");
        job.privacy = privacy;
        let excerpt = Excerpt { head: b"spoken".to_vec(), total: 6, ..Excerpt::default() };
        let output = KeptOutput { excerpt: Some(excerpt), log: None };
        let run = Run { output, ..sample::run(Outcome::Failed, 3, Some("not found: 'pg_dump'")) };
        body(&opened(job, run), Action::Trigger, "KEY")
    };
    let generous = told(Privacy { sensitive: false, send_args: true });
    assert!(generous.contains("pg_dump '--password=***'") && generous.contains("spoken"), "{generous}");
    let sensitive = told(Privacy { sensitive: true, send_args: true });
    assert!(!sensitive.contains("pg_dump") && !sensitive.contains("spoken"), "{sensitive}");
}

#[test]
fn only_what_a_browser_could_open_is_a_link() {
    for (runbook, link) in [
        ("https://wiki.example/x", true),
        ("http://wiki/x#y", true),
        ("see the wiki", false),
        ("https://wiki.example/a b", false),
        ("https://wiki.example/\n", false),
        ("javascript:alert(1)", false),
    ] {
        let mut job = sample::job("x");
        job.runbook = Some(runbook.into());
        assert_eq!(read(&opened(job, failed())).get("links").is_some(), link, "{runbook}");
    }
}

#[test]
fn the_group_is_what_the_job_says_it_is_a_part_of() {
    for (tags, expected) in [
        (&["env:prod"][..], None),
        (&["service:app", "env:prod"], Some("app")),
        (&["service:app", "group:db"], Some("db")),
        (&["service:app", "group"], Some("app")),
        (&["service:app", "group:"], Some("app")),
    ] {
        let tags: Vec<Tag> = tags.iter().filter_map(|tag| Tag::parse(tag)).collect();
        assert_eq!(group(&tags), expected);
    }
}

#[test]
fn tags_that_look_the_same_are_told_once() {
    let mut job = sample::job("x");
    job.tags =
        ["a\nb:first", "a b:second", "a\tb:third", "c:4"].iter().filter_map(|tag| Tag::parse(tag)).collect();
    let text = body(&opened(job, failed()), Action::Trigger, "KEY");
    assert!(text.contains(r#""tags":{"a b":"first","c":"4"}"#), "{text}");
}

#[test]
fn a_key_that_is_too_long_is_cut_in_the_same_way_each_time() {
    let long = "é".repeat(255);
    assert_eq!(dedup_key(&long), long);
    let longer = format!("{long}é");
    let cut = dedup_key(&longer);
    assert_eq!(
        (cut.chars().count(), cut.starts_with(&"é".repeat(238)), cut == dedup_key(&longer)),
        (255, true, true)
    );
    assert_ne!(cut, dedup_key(&format!("{long}e")));
    // The first eight bytes of what sha256sum prints.
    assert_eq!(dedup_key(&"x".repeat(256)), format!("{}~85e62acd750c4eb5", "x".repeat(238)));
}

/// Everything that somebody else writes, as long as it can be.
#[test]
fn an_event_is_never_too_large() {
    let long = "\"\\é漢🦀\u{1}".repeat(2_000);
    let mut job = sample::job(&long);
    job.host = long.clone();
    job.owner = Some(long.clone());
    job.runbook = Some(format!("https://{long}"));
    job.alert_key.text = long.clone();
    job.tags = (0..100).map(|at| Tag { key: format!("{at}{long}"), value: Some(long.clone()) }).collect();
    job.command = CommandLine::Words(vec![long.clone().into(); 20]);
    job.privacy.send_args = true;
    let excerpt = Excerpt { head: long.clone().into_bytes(), total: long.len() as u64, ..Excerpt::default() };
    let run = Run {
        output: KeptOutput { excerpt: Some(excerpt), log: Some(long.clone().into()) },
        reason: Some(long.clone()),
        ..failed()
    };
    let change = Changed { full: long.clone(), brief: long.clone() };
    let notice = with_changes(opened(job, run), vec![change; 100]);
    let size = body(&notice, Action::Trigger, &"k".repeat(100)).len();
    assert!((200_000..500_000).contains(&size), "{size}");
    let length = |field: &str| read(&notice)["payload"][field].as_str().unwrap().chars().count();
    assert_eq!(["summary", "source", "component"].map(length), [1024, 255, 255]);
}

proptest! {
    #[test]
    fn keys_that_differ_stay_two_and_fit(front in "[a-é]{240,300}", one in ".{0,9}", other in ".{0,9}") {
        let keys = [format!("{front}{one}"), format!("{front}{other}")];
        let cut = [dedup_key(&keys[0]), dedup_key(&keys[1])];
        prop_assert_eq!(keys[0] == keys[1], cut[0] == cut[1]);
        prop_assert!(cut.iter().all(|key| key.chars().count() <= KEY_MAX));
    }

    #[test]
    fn whatever_a_job_is_called_and_says_the_event_has_its_fields_and_no_others(
        label in hostile(), host in hostile(), owner in hostile(), reason in hostile(),
        report in sample::hostile_report(), tag in hostile(),
    ) {
        let mut job = sample::job(&label);
        job.host = host;
        job.owner = Some(owner);
        job.tags = vec![Tag { key: tag.clone(), value: Some(tag) }];
        let notice = opened(job, Run { report, ..sample::run(Outcome::Failed, 3, Some(&reason)) });
        let event = read(&notice);
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        prop_assert_eq!(names(&event), ["client", "dedup_key", "event_action", "payload", "routing_key"]);
        let payload = &event["payload"];
        let expected =
            ["class", "component", "custom_details", "severity", "source", "summary", "timestamp"];
        prop_assert_eq!(names(payload), expected);
        let summary = payload["summary"].as_str().unwrap();
        prop_assert!(summary.chars().count() <= SUMMARY_MAX);
        let details = names(&payload["custom_details"]);
        let known = [
            "alert_id", "command", "duration", "exit_code", "failures", "opened_at", "outcome", "owner",
            "reason", "run_id", "tags",
        ];
        prop_assert!(details.iter().all(|name| known.contains(&&name[..])), "{details:?}");
        for name in ["summary", "source", "component"] {
            let text = payload[name].as_str().unwrap();
            prop_assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}
