//! What sinks that take events are given.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;

use serde_json::Value;

use crate::support::situation::pipe;
use crate::support::{End, Host, Situation};

#[test]
fn an_exec_sink_gets_the_event_and_the_main_facts() {
    let host = Host::new();
    let ran = host
        .wrap(
            &[
                "-l",
                "job",
                "--owner",
                "dba",
                "--sink",
                "exec:cat >event; env >facts; echo noise; echo noise >&2",
            ],
            "exit 3",
        )
        .run();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    assert!(ran.stdout.is_empty() && ran.stderr.is_empty(), "the sink's words are not the job's\n{ran}");
    let event: Value = serde_json::from_slice(&fs::read(host.path("event")).unwrap()).unwrap();
    assert_eq!((&event["kind"], &event["label"]), (&"alert.opened".into(), &"job".into()), "{event}");
    assert_eq!((&event["run"]["exit_code"], &event["alert"]["owner"]), (&3.into(), &"dba".into()), "{event}");
    let facts = fs::read_to_string(host.path("facts")).unwrap();
    assert!(facts.contains("alert.opened") && facts.contains("job"), "{facts}");
}

fn is_one_of(event: &Value, name: &str, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| event[name] == *kind)
}

/// Checks a line of `jsonl` against the manual.
fn check_event(line: &str) -> Value {
    let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    assert_eq!(event["version"], 1, "{event}");
    assert!(
        is_one_of(
            &event,
            "kind",
            &["run.started", "run.finished", "alert.opened", "alert.repeated", "alert.closed"]
        ),
        "{event}"
    );
    for name in ["id", "time", "label", "host"] {
        assert!(event[name].is_string(), "{name} in {event}");
    }
    let kind = event["kind"].as_str().unwrap_or_default().to_owned();
    let run = if kind.starts_with("alert.") { &event["run"] } else { &event };
    assert!(run["run_id"].is_string() && run["started_at"].is_string() && run["argv"].is_array(), "{event}");
    if kind != "run.started" {
        for name in ["ended_at", "outcome"] {
            assert!(run[name].is_string(), "{name} in {event}");
        }
        assert!(
            run["duration_ms"].is_f64() && run["attempts"].is_u64() && run["usage"].is_object(),
            "{event}"
        );
    }
    if kind.starts_with("alert.") {
        for name in ["id", "key", "opened_at", "severity"] {
            assert!(event["alert"][name].is_string(), "{name} in {event}");
        }
    }
    let mut open = vec![&event];
    while let Some(value) = open.pop() {
        match value {
            Value::Null => panic!("null in {event}"),
            Value::Array(items) => open.extend(items),
            Value::Object(map) => open.extend(map.values()),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                assert_ne!(value, &Value::from(-1), "{event}")
            }
        }
    }
    event
}

#[test]
fn a_jsonl_sink_gets_every_notice_as_a_whole_line() {
    let host = Host::new();
    let sink = format!("jsonl:{}", host.path("events.jsonl").display());
    let options = ["-l", "job", "--sink", &sink, "-t", "a:b\n\"", "--sink", "exec:true"];
    for line in ["exit 0", "exit 3", "exit 0", "kill -9 $$"] {
        host.wrap(&options, line).run();
    }
    let text = fs::read_to_string(host.path("events.jsonl")).unwrap();
    assert!(text.ends_with('\n'), "{text}");
    let events: Vec<_> = text.lines().map(check_event).collect();
    let kinds: Vec<_> = events.iter().filter_map(|event| event["kind"].as_str()).collect();
    let starts = kinds.iter().filter(|&&kind| kind == "run.started").count();
    let rest: Vec<_> = kinds.iter().copied().filter(|&kind| kind != "run.started").collect();
    assert_eq!(starts, 4, "{kinds:?}");
    assert_eq!(
        rest,
        [
            "run.finished",
            "run.finished",
            "alert.opened",
            "run.finished",
            "alert.closed",
            "run.finished",
            "alert.opened"
        ],
    );
    let ids: Vec<_> = events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "every notice has an id of its own");
    assert_eq!(events.iter().find(|event| event["kind"] == "run.finished").unwrap()["tags"]["a"], "b\n\"");
}

#[test]
fn arguments_that_are_no_text_are_given_as_bytes_too() {
    let host = Host::new();
    let sink = OsString::from(format!("jsonl:{}", host.path("events.jsonl").display()));
    let word = OsString::from_vec(b"\xff\xfe".to_vec());
    host.cronward(["-l".into(), "x".into(), "--sink".into(), sink, "--".into(), "true".into(), word]).run();
    let text = fs::read_to_string(host.path("events.jsonl")).unwrap();
    for event in text.lines().map(check_event) {
        assert_eq!(event["argv_base64"][1], "//4=", "{event}");
    }
}

#[test]
fn lines_of_many_writers_stay_whole() {
    let host = Host::new();
    let file = format!("jsonl:{}", host.path("events.jsonl").display());
    let (mut reader, writer) = pipe();
    // Beyond PIPE_BUF (4096), where the kernel no longer keeps a write in one piece.
    let long = "x".repeat(6000);
    let line = format!("exit 0 # {long}");
    let collected = std::thread::scope(|scope| {
        let collector = scope.spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        let all: Vec<_> = (0..20)
            .map(|_| {
                let stdin = writer.try_clone().unwrap();
                host.wrap(&["-l", "many", "--sink", &file, "--sink", "jsonl:fd:5"], &line)
                    .stdin(stdin)
                    .situation(&Situation { extra: vec![5], ..Default::default() })
                    .start()
            })
            .collect();
        for running in all {
            let ran = running.wait();
            assert_eq!(ran.end(), End::Code(0), "{ran}");
        }
        drop(writer);
        collector.join().expect("the collector only reads").expect("UTF-8")
    });
    let text = fs::read_to_string(host.path("events.jsonl")).unwrap();
    for (what, text) in [("file", text), ("pipe", collected)] {
        let events: Vec<_> = text.lines().map(check_event).collect();
        assert_eq!(events.len(), 40, "{what}");
        assert!(
            events.iter().all(|event| event["argv"][2].as_str().is_some_and(|line| line.contains(&long))),
            "{what}"
        );
    }
}

#[test]
fn arguments_leave_the_host_only_when_told_to() {
    let host = Host::new();
    let run = |options: &[&str]| {
        let options: Vec<&str> = [&["-l", "x", "--sink", "exec:cat >event"], options].concat();
        let _ = fs::remove_file(host.path("event"));
        host.cronward(options.into_iter().chain(["--", "sh", "-c", "exit 3", "SECRET"])).run();
        fs::read_to_string(host.path("event")).unwrap_or_default()
    };
    let udp = |options: &[&str]| {
        let options: Vec<&str> = [&["-l", "y"], options].concat();
        host.cronward(options.into_iter().chain(["--", "sh", "-c", "exit 3", "SECRET"])).run();
        String::from_utf8(host.receiver.datagrams().concat()).unwrap()
    };
    assert!(run(&[]).contains("alert.opened"));
    assert!(!udp(&[]).contains("SECRET"));
    assert!(!udp(&["--sensitive", "--send-args"]).contains("SECRET"));
}
