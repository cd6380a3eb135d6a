//! The sink against a server that answers as PagerDuty does.

use std::ffi::OsString;
use std::time::Duration;

use super::*;
use crate::notice::Notice;
use crate::outcome::Outcome;
use crate::plan::Variables;
use crate::policy::History;
use crate::sinks::http::scripted::{HttpServer, Reply};
use crate::sinks::sample;

const KEY: &str = "R0UTINGKEYR0UTINGKEYR0UTINGKEY00";

const TAKEN: Reply = Reply::Head("202 Accepted");

fn sink(target: &str) -> Arc<dyn Sink> {
    sample::opening(target, open).unwrap()
}

fn alert() -> Notice {
    sample::failed(sample::job("backup")).remove(1)
}

fn recovery(is_shared: bool) -> Notice {
    let mut history = sample::failing_history();
    if let Some(alert) = &mut history.alert {
        alert.key.is_shared = is_shared;
    }
    sample::ended(sample::job("backup"), &history, sample::run(Outcome::Ok, 0, None)).remove(1)
}

fn tell(target: &str, notices: &[Notice]) -> Result<(), String> {
    sink(target).deliver(notices, Deadline::after(Duration::from_secs(30)))
}

#[test]
fn an_alert_is_one_request_and_so_is_its_recovery() {
    let server = HttpServer::answering(&[TAKEN, TAKEN]);
    let target = format!("{KEY}?url={}", server.url("/v2/enqueue?x=1&y=2"));
    let sink = sink(&target);
    assert_eq!(sink.deliver(&[alert()], Deadline::after(Duration::from_secs(30))), Ok(()));
    assert_eq!(sink.answer().as_deref(), Some("HTTP 202"));
    assert_eq!(tell(&target, &[recovery(false)]), Ok(()));
    let received = server.received();
    assert_eq!(server.lines(), ["POST /v2/enqueue?x=1&y=2"; 2]);
    assert!(received[0].headers.contains(&"content-type: application/json".to_owned()));
    let bodies: Vec<Value> =
        received.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    for (event, action) in bodies.iter().zip(["trigger", "resolve"]) {
        assert_eq!((&event["routing_key"], &event["event_action"]), (&KEY.into(), &action.into()));
        assert_eq!(event["dedup_key"], "db1/backup");
    }
}

#[test]
fn the_recovery_of_a_shared_key_is_taken_and_not_sent() {
    let server = HttpServer::answering(&[]);
    // Nor is the key looked for.
    let target = format!("file:/nonexistent/key?url={}", server.url("/"));
    assert_eq!(tell(&target, &[recovery(true)]), Ok(()));
    assert!(server.received().is_empty());
}

#[test]
fn only_alerts_are_wanted_and_202_confirms() {
    let sink = sink(KEY);
    let wanted = [Topic::Start, Topic::Overdue, Topic::End, Topic::Alert, Topic::Standing, Topic::Alive]
        .map(|topic| sink.wants(topic));
    assert_eq!(wanted, [false, false, false, true, false, false]);
    assert!(sink.confirms() && sink.pace() == Pace::Waiting);
    for (reply, said) in [
        (TAKEN, None),
        (Reply::Text("log in here"), Some("HTTP 200: log in here; PagerDuty answers 202; is 'url' right?")),
        (Reply::Head("404 Not Found"), Some("HTTP 404: not found; PagerDuty answers 202; is 'url' right?")),
        (Reply::Head("400 Bad Request"), Some("HTTP 400: bad request")),
        (Reply::Head("413 Too Large"), Some("HTTP 413: payload too large")),
    ] {
        let server = HttpServer::answering(&[reply]);
        let answer = tell(&format!("{KEY}?url={}", server.url("/v2/enqueue")), &[alert()]);
        assert_eq!(answer.err().as_deref(), said);
        assert_eq!(server.received().len(), 1, "{reply:?}");
    }
    // What may pass is tried again.
    let replies = [Reply::Head("429 Slow"), Reply::Head("500 Oops"), Reply::Hangup, TAKEN];
    let server = HttpServer::answering(&replies);
    assert_eq!(tell(&format!("{KEY}?url={}", server.url("/")), &[alert()]), Ok(()));
    assert_eq!(server.received().len(), 4);
    assert_eq!(sink.answer(), None, "it was told nothing");
}

#[test]
fn the_reason_of_a_refusal_is_told_in_one_line() {
    for (body, said) in [
        (
            concat!(
                r#"{"status":"invalid event","message":"Event object is invalid","errors":["Length of "#,
                r#"'routing_key' is incorrect (should be 32 characters)","#,
                r#""'payload.source' is missing\nor blank"]}"#
            ),
            Some(
                "Event object is invalid: Length of 'routing_key' is incorrect (should be 32 characters); \
                 'payload.source' is missing or blank",
            ),
        ),
        (r#"{"message":"no"}"#, Some("no")),
        (r#"{"errors":["no",1]}"#, Some("no")),
        (r#"{"message":7,"errors":{}}"#, None),
        (r#"{"message":" "}"#, None),
        ("", None),
        ("<html>", None),
        ("[1]", None),
    ] {
        assert_eq!(reason(body).as_deref(), said, "{body}");
    }
    let long = format!(r#"{{"message":"{}"}}"#, "é".repeat(999));
    assert_eq!(reason(&long).map(|reason| reason.chars().count()), Some(QUOTED_MAX));
}

#[test]
fn a_refusal_that_repeats_the_key_is_not_repeated() {
    let server = HttpServer::answering(&[Reply::Json(
        "400 Bad Request",
        r#"{"message":"'R0UTINGKEYR0UTINGKEYR0UTINGKEY00' is no key"}"#,
    )]);
    let target = format!("{KEY}?url={}", server.url("/"));
    assert_eq!(tell(&target, &[alert()]), Err("HTTP 400: bad request".to_owned()));
    let server = HttpServer::answering(&[Reply::Json("400 Bad Request", r#"{"message":"no such key"}"#)]);
    let target = format!("{KEY}?url={}", server.url("/"));
    assert_eq!(tell(&target, &[alert()]), Err("HTTP 400: no such key".to_owned()));
}

#[test]
fn a_key_that_stands_elsewhere_is_read_when_it_is_needed() {
    let server = HttpServer::answering(&[TAKEN; 2]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let shown = format!("file:{}", path.display());
    let target = format!("{shown}?url={}", server.url("/"));
    assert_eq!(sink(&target).name(), format!("pagerduty:{shown}"));
    let absent = format!("cannot read '{}': no such file or directory", path.display());
    assert_eq!(tell(&target, &[alert()]), Err(absent));
    std::fs::write(&path, "a whole\nfile\n").unwrap();
    let none = format!("what '{shown}' holds is no routing key; that is one word of 32 letters and digits");
    assert_eq!(tell(&target, &[alert()]), Err(none));
    std::fs::write(&path, format!("{KEY}\n")).unwrap();
    assert_eq!(tell(&target, &[alert()]), Ok(()));

    let environment = [OsString::from(format!("PD_KEY={KEY}"))];
    let target = format!("env:PD_KEY?url={}", server.url("/"));
    let variables = Variables::default();
    let opening =
        Opening { target: &target, variables: &variables, environment: &environment, inherited: false };
    let deadline = Deadline::after(Duration::from_secs(30));
    assert_eq!(open(&opening).unwrap().deliver(&[alert()], deadline), Ok(()));
    assert!(server.received().iter().all(|request| request.body.contains(KEY)));
}

#[test]
fn what_was_written_down_as_no_key_is_refused_at_once_and_not_repeated() {
    for bad in [
        "",
        " ",
        "se cret",
        "sec\u{7}ret",
        "sécret",
        "file:",
        "env:",
        "?url=https://h/",
        "secret?",
        "secret?eu",
        "secret?region=eu",
        "secret?url=secret",
        "secret?url=https://secret@h/",
    ] {
        let said = sample::opening(bad, open).err().unwrap();
        assert!(!said.contains("secret") && !said.contains("sec\u{7}ret"), "{bad}: {said}");
    }
}

#[test]
fn what_a_dry_run_shows_has_no_key() {
    let notices = [alert(), recovery(true), recovery(false)];
    for (target, url) in [
        (KEY.to_owned(), "https://events.pagerduty.com/v2/enqueue"),
        (
            format!("{KEY}?url=https://events.eu.pagerduty.com/v2/enqueue"),
            "https://events.eu.pagerduty.com/v2/enqueue",
        ),
        ("file:/etc/key".to_owned(), "https://events.pagerduty.com/v2/enqueue"),
    ] {
        let shown = sink(&target).preview(&notices);
        let bodies = [(&notices[0], event::Action::Trigger), (&notices[2], event::Action::Resolve)]
            .map(|(notice, action)| event::body(notice, action, "…"));
        let expected = bodies.map(|body| format!("POST {url}\ncontent-type: application/json\n\n{body}"));
        assert_eq!(shown, expected);
        assert!(!shown.concat().contains(KEY));
    }
    assert_eq!(sink(KEY).name(), "pagerduty:…");
}

#[test]
fn an_alert_that_cannot_be_told_does_not_keep_the_others() {
    let server = HttpServer::answering(&[Reply::Head("400 Bad Request"), TAKEN]);
    let target = format!("{KEY}?url={}", server.url("/"));
    let again =
        sample::ended(sample::job("other"), &History::default(), sample::run(Outcome::Failed, 1, None))
            .remove(1);
    assert_eq!(tell(&target, &[alert(), again]), Err("HTTP 400: bad request".to_owned()));
    assert_eq!(server.received().len(), 2);
}
