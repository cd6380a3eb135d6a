//! What a webhook of Slack's kind is told of an alert.

use std::fs;

use serde_json::Value;

use crate::support::http::{HttpServer, Reply, refusing_address};
use crate::support::{End, Host};

fn messages(server: &HttpServer) -> Vec<Value> {
    let message = |body: &str| serde_json::from_str(body).expect("a message is JSON");
    server.received().iter().map(|request| message(&request.body)).collect()
}

/// The text of every text object, in the order in which they are shown.
fn shown(message: &Value) -> Vec<&str> {
    fn collect<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(object) => match object.get("text") {
                Some(Value::String(text)) => found.push(text),
                _ => object.values().for_each(|value| collect(value, found)),
            },
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    collect(&message["blocks"], &mut found);
    found
}

#[test]
fn an_alert_a_repetition_and_the_recovery_are_told_and_nothing_else() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let sink = format!("slack:{}", server.url("/services/T0/B0/x"));
    let options = ["-l", "pg-backup", "--sink", &sink, "--alert-after", "2", "--capture", "1KiB"];
    let ran = |more: &[&str], line| host.wrap(&[&options[..], more].concat(), line).run();
    for (more, line, told) in [
        (&[][..], "exit 0", 0),
        (&[], "exit 3", 0),
        (&["--severity", "critical", "--owner", "db team"], "echo no space left >&2; exit 3", 1),
        (&[], "exit 3", 1),
        (&["--realert", "1ms"], "exit 4", 2),
        (&[], "exit 0", 3),
        (&[], "exit 0", 3),
    ] {
        let ran = ran(more, line);
        assert!(ran.own_words().is_empty(), "{ran}");
        assert_eq!(server.received().len(), told, "{ran}");
    }
    let messages = messages(&server);
    let [opened, repeated, closed] = &messages[..] else { panic!("{messages:?}") };
    let text = opened["text"].as_str().unwrap();
    assert!(
        text.starts_with("pg-backup is failing on ") && text.ends_with(": 2 failures: exited with 3"),
        "{text}"
    );
    let lines = shown(opened);
    assert!(lines[0].starts_with("🚨 CRITICAL: pg-backup is failing on "), "{lines:?}");
    for line in ["exited with 3", "2 in a row", "failed, exit code 3", "db team", "```\nno space left\n```"] {
        assert!(lines.contains(&line), "{line}: {lines:?}");
    }
    assert!(shown(repeated)[0].contains("is still failing"), "{repeated}");
    assert!(shown(closed)[0].starts_with("✅ RECOVERED: pg-backup on "), "{closed}");
    let alert = lines.iter().find(|line| line.starts_with("alert ")).expect("the alert is named");
    assert!(shown(repeated).contains(alert) && shown(closed).contains(alert), "{alert}: {closed}");
}

#[test]
fn an_alert_that_was_not_taken_is_said_on_stderr_and_the_url_is_a_secret() {
    let host = Host::new();
    let (_kept, address) = refusing_address();
    let server = HttpServer::answering(&[Reply::Head("410 Gone"), Reply::Text("Sign in")]);
    let jsonl = format!("jsonl:{}", host.path("events.jsonl").display());
    for (label, url) in [
        ("refused", format!("http://{address}/SECRET")),
        ("gone", server.url("/SECRET")),
        ("not-taken", server.url("/SECRET?token=SECRET")),
    ] {
        let slack = format!("slack:{url}");
        let options = ["-l", label, "--flush-deadline", "3s", "--sink", &slack, "--sink", &jsonl];
        let ran = host.wrap(&options, "exit 3").run();
        assert_eq!(ran.end(), End::Code(3), "{ran}");
        assert_eq!(ran.own_words().len(), 1, "{ran}");
        assert!(ran.stderr_text().contains("1 failure: exited with 3"), "{ran}");
        let shown = host.wrap(&[&options[..], &["--dry-run"]].concat(), "exit 3").run();
        assert!(shown.stdout_text().contains("POST http://"), "{shown}");
        let said = shown.stdout_text() + &shown.stderr_text() + &ran.stderr_text();
        assert!(!said.contains("SECRET"), "{said}");
    }
    let events = fs::read_to_string(host.path("events.jsonl")).unwrap();
    assert!(!events.contains("SECRET"), "{events}");
    for said in [
        format!("\"slack:http://{address}/…: connection refused\""),
        "HTTP 410: gone; ".to_owned(),
        "HTTP 200: the answer is not 'ok'; ".to_owned(),
    ] {
        assert!(events.contains(&said), "{said}: {events}");
    }
}

/// What a cronward further in inherits never has a literal secret in it.
#[test]
fn the_command_sees_where_the_url_is_and_not_the_url() {
    let host = Host::new();
    let list = "jsonl:events.jsonl slack:https://hooks.example/SECRET slack:file:url";
    let ran = host.wrap(&["-l", "job"], "env").env("CRONWARD_SINK", list).run();
    assert!(ran.stdout_text().contains("\nCRONWARD_SINK=jsonl:events.jsonl slack:file:url\n"), "{ran}");
    assert!(!ran.stdout_text().contains("SECRET"), "{ran}");
}
