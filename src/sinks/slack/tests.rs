use std::ffi::OsString;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::plan::Variables;
use crate::sinks::http::scripted::{HttpServer, Reply};
use crate::sinks::sample;

const AMPLE: Duration = Duration::from_secs(30);

fn sink(target: &str) -> Arc<dyn Sink> {
    sample::opening(target, open).unwrap()
}

/// The second notice of a run that failed: that the alert was opened.
fn alert() -> Notice {
    sample::failed(sample::job("backup")).remove(1)
}

fn tell(sink: &Arc<dyn Sink>, notices: &[Notice]) -> Result<(), String> {
    sink.deliver(notices, Deadline::after(AMPLE))
}

#[test]
fn it_confirms_and_is_told_of_alerts_alone() {
    let sink = sink("https://Hooks.slack.com/services/T0/B0/SECRET");
    assert_eq!(sink.name(), "slack:https://hooks.slack.com/…");
    let topics = [Topic::Start, Topic::Overdue, Topic::End, Topic::Alert, Topic::Standing, Topic::Alive];
    assert_eq!(topics.map(|topic| sink.wants(topic)), [false, false, false, true, false, false]);
    assert!(sink.confirms() && sink.pace() == Pace::Waiting);
}

#[test]
fn an_alert_is_posted_to_the_url_as_it_was_given() {
    let server = HttpServer::answering(&[]);
    let sink = sink(&server.url("/services/T0/B0/x?channel=ops"));
    assert_eq!(tell(&sink, &[alert(), alert()]), Ok(()));
    let received = server.received();
    assert_eq!(server.lines(), ["POST /services/T0/B0/x?channel=ops"; 2]);
    assert!(received[0].headers.contains(&"content-type: application/json; charset=utf-8".to_owned()));
    let body: Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(body["text"], "backup is failing on db1: 1 failure: exited with 3");
    assert!(body["blocks"].as_array().unwrap().len() > 2, "{body}");
}

#[test]
fn a_receiver_that_refuses_the_blocks_is_sent_the_headline() {
    let server = HttpServer::answering(&[Reply::Head("400 Bad Request")]);
    assert_eq!(tell(&sink(&server.url("/x")), &[alert()]), Ok(()));
    let bodies: Vec<Value> =
        server.received().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    assert!(bodies[0].get("blocks").is_some() && bodies[1].get("blocks").is_none(), "{bodies:?}");
    assert_eq!(bodies[1]["text"], bodies[0]["text"]);
}

/// Slack says so in a word, and says of the word that it is HTML.
#[test]
fn an_answer_that_is_no_success_is_an_error_in_slacks_word_that_says_what_to_do() {
    let gone = "is the webhook still there? make a new one, and name its URL";
    let url = Url::parse("https://hooks.example/services/secret").unwrap();
    for (status, body, said) in [
        (404, "no_service", format!("HTTP 404: no_service; {gone}")),
        (404, "<html>nothing here</html>", format!("HTTP 404: not found; {gone}")),
        (
            403,
            "action_prohibited\n",
            "HTTP 403: action_prohibited; is the app still installed, and allowed to post there?".to_owned(),
        ),
        (
            410,
            "channel_is_archived",
            "HTTP 410: channel_is_archived; the channel is archived or gone: name the URL of another one's webhook"
                .to_owned(),
        ),
        (
            400,
            "invalid_payload",
            "HTTP 400: invalid_payload; is it the URL of a webhook for Slack's messages?".to_owned(),
        ),
        (
            400,
            "no_such_secret",
            "HTTP 400: bad request; is it the URL of a webhook for Slack's messages?".to_owned(),
        ),
        (
            200,
            "<html>Sign in</html>",
            "HTTP 200: the answer is not 'ok'; is it the URL of a webhook for Slack's messages?".to_owned(),
        ),
        (
            200,
            "no_text",
            "HTTP 200: no_text; is it the URL of a webhook for Slack's messages?".to_owned(),
        ),
    ] {
        assert_eq!(verdict(&Answer::of(status, "text/html", body), &url), Err(said));
    }
    assert_eq!(verdict(&Answer::of(200, "text/html", "ok"), &url), Ok(()));
}

#[test]
fn what_will_not_pass_is_told_once_and_what_may_is_told_again() {
    for (replies, taken, requests) in [
        (vec![Reply::Head("404 Not Found")], false, 1),
        (vec![Reply::Head("400 Bad Request"); 2], false, 2),
        (vec![Reply::Text("hello there")], false, 1),
        (vec![Reply::Head("503 Unavailable"), Reply::Text("ok")], true, 2),
    ] {
        let server = HttpServer::answering(&replies);
        let answer = tell(&sink(&server.url("/x")), &[alert()]);
        assert_eq!((answer.is_ok(), server.received().len()), (taken, requests), "{replies:?} {answer:?}");
    }
}

#[test]
fn only_a_server_that_says_so_has_taken_an_alert() {
    for (body, taken) in [
        ("ok", true),
        ("OK", true),
        ("", true),
        (r#"{"success":true}"#, true),
        ("{}", true),
        (r#"{ "ok" : false, "error": "invalid_auth" }"#, false),
        (r#"{"success":false}"#, false),
        ("<!DOCTYPE html><title>Sign in</title>", false),
        ("channel_is_archived", false),
        ("okay", false),
    ] {
        assert_eq!(is_taken(body), taken, "{body}");
    }
}

#[test]
fn a_word_of_slacks_own_is_quoted_and_a_page_is_not() {
    for (body, quoted) in [
        ("channel_is_archived", Some("channel_is_archived")),
        ("no_service", Some("no_service")),
        ("", None),
        ("two words", None),
        ("<html>", None),
        ("Upper", None),
    ] {
        assert_eq!(word(body), quoted, "{body}");
    }
    assert_eq!(word(&"x".repeat(61)), None);
}

#[test]
fn what_a_dry_run_shows_has_no_path() {
    for (target, shown) in [
        ("https://hooks.example/secret?token=secret", "https://hooks.example/…"),
        ("file:/etc/slack", "file:/etc/slack"),
        ("env:SLACK_URL", "env:SLACK_URL"),
    ] {
        let notice = alert();
        let previews = sink(target).preview(std::slice::from_ref(&notice));
        assert_eq!(previews, [format!("POST {shown}\n{}", message::message(&notice))]);
    }
}

#[test]
fn a_url_that_stands_elsewhere_is_read_when_it_is_needed() {
    let server = HttpServer::answering(&[]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("url");
    let sink_of_file = sink(&format!("file:{}", path.display()));
    assert_eq!(sink_of_file.name(), format!("slack:file:{}", path.display()));
    let absent = format!("cannot read '{}': no such file or directory", path.display());
    assert_eq!(tell(&sink_of_file, &[alert()]), Err(absent));
    std::fs::write(&path, format!("{}\n", server.url("/x"))).unwrap();
    assert_eq!(tell(&sink_of_file, &[alert()]), Ok(()));

    let environment = [OsString::from(format!("SLACK_URL={}", server.url("/y")))];
    let (target, variables) = ("env:SLACK_URL", Variables::default());
    let opening = Opening { target, variables: &variables, environment: &environment, inherited: false };
    assert_eq!(tell(&open(&opening).unwrap(), &[alert()]), Ok(()));
    assert_eq!(server.lines(), ["POST /x", "POST /y"]);
}

#[test]
fn what_was_written_down_as_no_url_is_refused_at_once() {
    for bad in ["", "hooks.slack.com/services/x", "ftp://hooks.slack.com/x", "file:", "env:"] {
        assert!(sample::opening(bad, open).is_err(), "{bad}");
    }
}
