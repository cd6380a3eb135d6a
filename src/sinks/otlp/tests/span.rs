//! Spans, held against whole documents.

use serde_json::json;

use super::*;
use crate::job::{CommandLine, Signal, Tag};
use crate::outcome::{Attempt, Ending, Report, Run, RunEnd};
use crate::plan::{JobFacts, Privacy};
use crate::sinks::otlp::span::push_span;

const PARENT: &str = "TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn of(job: JobFacts, run: Run, parent: Option<&Parent>) -> Value {
    let notice = sample::ended(job, &History::default(), run).remove(0);
    let finished = notice.news.finished().unwrap();
    let place = Place::of(finished.run.id, parent);
    elements(|json| push_span(json, &notice.job, finished, &place)).remove(0)
}

#[test]
fn a_failure_is_a_span_in_error_below_its_parent() {
    let parent = Parent::of(&[PARENT.into(), "TRACESTATE=a=b".into()]).unwrap();
    let id = RunId::parse("01976f5e-8c00-7abc-8def-0123456789ab").unwrap();
    let report = Report { values: Vec::new(), tags: Tag::parse("db:app").into_iter().collect() };
    let job = JobFacts { tags: Tag::parse("env:prod").into_iter().collect(), ..sample::job("backup") };
    let run = Run { id, report, ..sample::run(Outcome::Failed, 3, Some("exited with 3")) };
    let text = |key: &str, value: &str| attribute(key, &value.into());
    let whole = |key: &str, value: &str| json!({"key": key, "value": {"intValue": value}});
    assert_eq!(
        of(job, run, Some(&parent)),
        json!({
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            "spanId": "8def0123456789ab",
            "parentSpanId": "00f067aa0ba902b7",
            "traceState": "a=b",
            "flags": 0x301,
            "name": "pg_dump",
            "kind": 1,
            "startTimeUnixNano": "1699999999987000000",
            "endTimeUnixNano": "1699999999999750000",
            "attributes": [
                text("task", "backup"),
                text("outcome", "failed"),
                text("cronward.run.id", "01976f5e-8c00-7abc-8def-0123456789ab"),
                whole("cronward.run.attempts", "1"),
                attribute("cronward.run.duration_ms", &12.75.into()),
                whole("process.pid", "4711"),
                whole("process.exit.code", "3"),
                text("process.executable.name", "pg_dump"),
                text("error.type", "failed"),
                text("db", "app"),
                text("env", "prod"),
            ],
            "status": {"message": "exited with 3", "code": 2},
        })
    );
}

#[test]
fn only_a_failure_is_an_error() {
    for (outcome, error) in [
        (Outcome::Ok, None),
        (Outcome::Warning, None),
        (Outcome::Stopped, None),
        (Outcome::Skipped, None),
        (Outcome::Failed, Some("failed")),
        (Outcome::Signaled, Some("signaled")),
        (Outcome::TimedOut, Some("timed_out")),
        (Outcome::Suspect, Some("suspect")),
        (Outcome::NotStarted, Some("not_started")),
        (Outcome::Interrupted, Some("interrupted")),
    ] {
        let found = of(sample::job("x"), sample::run(outcome, 7, None), None);
        let seen = attributes(&found);
        assert_eq!(seen.get("error.type").and_then(Value::as_str), error);
        let status = error.map(|word| json!({"message": word, "code": 2}));
        assert_eq!(found.get("status"), status.as_ref(), "{outcome}");
        assert_eq!((&found["flags"], found.get("parentSpanId")), (&1.into(), None));
    }
}

#[test]
fn attempts_are_events_and_of_many_the_last_are_told() {
    let attempt = |ending, outcome, reason: &str| Attempt {
        started_at: sample::ENDED_AT,
        wall_time: Duration::from_micros(1_500),
        ending,
        outcome,
        reason: Some(reason.to_owned()),
    };
    let killed = Ending::Killed { signal: Signal::TERM, core_dumped: false };
    let earlier = vec![
        attempt(Ending::Exited(4), Outcome::Failed, "password=hunter2"),
        attempt(killed, Outcome::Signaled, "killed by SIGTERM"),
    ];
    let run = Run { earlier, attempts: 3, ..sample::run(Outcome::Ok, 0, None) };
    let found = of(sample::job("x"), run.clone(), None);
    let text = |key: &str, value: &str| attribute(key, &value.into());
    let whole = |key: &str, value: &str| json!({"key": key, "value": {"intValue": value}});
    let event = |attributes: Value| {
        let time = "1700000000001500000";
        json!({"timeUnixNano": time, "name": "cronward.attempt.failed", "attributes": attributes})
    };
    assert_eq!(
        found["events"],
        json!([
            event(json!([
                text("outcome", "failed"),
                whole("cronward.run.attempt", "1"),
                whole("process.exit.code", "4"),
                text("cronward.reason", "password=***"),
            ])),
            event(json!([
                text("outcome", "signaled"),
                whole("cronward.run.attempt", "2"),
                text("cronward.run.signal", "SIGTERM"),
                text("cronward.reason", "killed by SIGTERM"),
            ])),
        ])
    );
    assert_eq!(found["droppedEventsCount"], 0);
    let many = Run { earlier: vec![run.earlier[0].clone(); 1_000], ..run };
    let found = of(sample::job("x"), many, None);
    let events = found["events"].as_array().unwrap();
    assert_eq!((events.len(), &found["droppedEventsCount"]), (128, &872.into()));
    assert_eq!(attributes(&events[0])["cronward.run.attempt"], "873");
    assert_eq!(attributes(&events[127])["cronward.run.attempt"], "1000");
}

#[test]
fn a_run_that_nobody_saw_the_end_of_ends_where_it_began() {
    let end = RunEnd::Interrupted { reason: "the host went down".into() };
    let run = Run {
        end,
        ended_at: None,
        wall_time: None,
        ..sample::run(Outcome::Interrupted, 0, Some("the host went down"))
    };
    let found = of(sample::job("x"), run, None);
    assert_eq!(found["endTimeUnixNano"], found["startTimeUnixNano"]);
    assert_eq!(found["status"]["message"], "the host went down");
}

#[test]
fn a_span_is_called_after_its_program_unless_that_is_nobodys_business() {
    let words = |word: &str| CommandLine::Words(vec![word.into(), "--x".into()]);
    for (command, privacy, name) in [
        (words("/usr/lib/pg/pg_dump"), Privacy::default(), "pg_dump"),
        (words("a\n\u{1b}[31mb"), Privacy::default(), "a b"),
        (words("/"), Privacy::default(), "/"),
        (CommandLine::Shell("/opt/dump.sh | gzip".into()), Privacy::default(), "dump.sh"),
        (CommandLine::Shell("PGPASSWORD=x pg_dump".into()), Privacy::default(), "sh"),
        (words("pg_dump"), Privacy { sensitive: true, send_args: true }, "nightly"),
    ] {
        let job = JobFacts { command, privacy, ..sample::job("nightly") };
        let found = of(job, sample::run(Outcome::Failed, 3, Some("not found: 'x'")), None);
        assert_eq!(found["name"], name);
        if privacy.sensitive {
            assert_eq!(found["status"]["message"], "failed");
        }
    }
}
