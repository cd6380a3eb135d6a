//! The sink against a server that does as it is told. What it writes of notices is in the files below.

mod logs;
mod metrics;
mod span;

use std::ffi::OsString;

use serde_json::Value;

use super::*;
use crate::clock::Stopwatch;
use crate::outcome::Outcome;
use crate::policy::History;
use crate::sinks::http::scripted::{HttpServer, Reply, refusing_address};
use crate::sinks::sample;

const AMPLE: Duration = Duration::from_secs(30);
const TRACEPARENT: &str = "TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0";

fn with(target: &str, set: &[(&str, &str)], environment: &[&str]) -> Arc<dyn Sink> {
    let variables = Variables(set.iter().map(|&(name, value)| (name.into(), value.into())).collect());
    let environment: Vec<OsString> = environment.iter().map(OsString::from).collect();
    let opening = Opening { target, variables: &variables, environment: &environment, inherited: false };
    open(&opening).unwrap()
}

fn tell(sink: &Arc<dyn Sink>, notices: &[Notice]) -> Result<(), String> {
    sink.deliver(notices, Deadline::after(AMPLE))
}

fn failed() -> Vec<Notice> {
    sample::failed(sample::job("backup"))
}

/// The elements of an array, read again.
fn elements(fill: impl FnOnce(&mut Json)) -> Vec<Value> {
    let mut json = Json::default();
    json.begin("", '[');
    fill(&mut json);
    json.end(']');
    serde_json::from_str(&json.0).unwrap_or_else(|error| panic!("{error}: {}", json.0))
}

/// An attribute as it is written: a whole number as text, a list as one.
fn attribute(key: &str, value: &Value) -> Value {
    let kind = if value.is_string() { "stringValue" } else { "doubleValue" };
    serde_json::json!({"key": key, "value": {kind: value}})
}

/// The attributes of an object, by key; each key once.
fn attributes(of: &Value) -> std::collections::BTreeMap<String, Value> {
    let list = of["attributes"].as_array().unwrap_or_else(|| panic!("no attributes in {of:#}"));
    let pair = |item: &Value| {
        let value = item["value"].as_object().unwrap();
        assert_eq!((value.len(), item.as_object().unwrap().len()), (1, 2), "{item:#}");
        (item["key"].as_str().unwrap().to_owned(), value.values().next().unwrap().clone())
    };
    let found: std::collections::BTreeMap<_, _> = list.iter().map(pair).collect();
    assert_eq!(found.len(), list.len(), "a key that is there twice: {of:#}");
    found
}

#[test]
fn each_signal_has_a_request_of_its_own_on_one_connection() {
    let server = HttpServer::answering(&[]);
    let sink = with(&server.url("/otlp/"), &[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k%20y,x-org=7")], &[]);
    assert_eq!(sink.answer(), None);
    assert_eq!(tell(&sink, &failed()), Ok(()));
    assert_eq!(sink.answer(), Some("HTTP 200".to_owned()));
    assert_eq!(server.lines(), ["logs", "metrics", "traces"].map(|signal| format!("POST /otlp/v1/{signal}")));
    let received = server.received();
    for request in &received {
        for header in ["content-type: application/json", "api-key: k y", "x-org: 7"] {
            assert!(request.headers.iter().any(|found| found == header), "{header}: {:?}", request.headers);
        }
    }
    let peers: Vec<_> =
        received.iter().map(|one| one.headers.iter().find(|header| header.starts_with("peer: "))).collect();
    assert!(peers[0].is_some() && peers.iter().all(|peer| *peer == peers[0]), "{peers:?}");
    let first = |at: usize, path: &str| {
        let body: Value = serde_json::from_str(&received[at].body).unwrap();
        body.pointer(path).unwrap_or_else(|| panic!("no {path} in {body:#}")).clone()
    };
    assert_eq!(first(0, "/resourceLogs/0/scopeLogs/0/logRecords").as_array().unwrap().len(), 2);
    assert_eq!(first(1, "/resourceMetrics/0/scopeMetrics/0/metrics/0/name"), "cronward.run.duration");
    assert_eq!(first(2, "/resourceSpans/0/scopeSpans/0/spans/0/name"), "pg_dump");
    assert_eq!(first(2, "/resourceSpans/0/scopeSpans/0/scope/name"), "cronward");
    let source = attributes(&first(2, "/resourceSpans/0/resource"));
    assert_eq!((&source["service.name"], &source["host.name"]), (&"cronward".into(), &"db1".into()));
}

#[test]
fn what_is_told_goes_only_to_who_has_to_do_with_it() {
    let server = HttpServer::answering(&[]);
    let sink = with(&server.url(""), &[], &[]);
    let notices = failed();
    assert_eq!(tell(&sink, &[sample::started(sample::job("x"))]), Ok(()));
    assert_eq!(tell(&sink, &notices[1..]), Ok(()));
    assert_eq!(server.lines(), ["POST /v1/logs"; 2]);
    assert!(sink.confirms() && sink.pace() == Pace::Waiting);
    use Topic::{Alert, Alive, End, Overdue, Standing, Start};
    assert!([Start, Overdue, End, Alert, Standing, Alive].iter().all(|topic| sink.wants(*topic)));
}

#[test]
fn what_is_switched_off_is_neither_wanted_nor_confirmed_nor_handed_on() {
    use Topic::{Alert, Alive, End, Overdue, Standing, Start};
    let parent = format!("{TRACEPARENT}1");
    for (name, value, wanted, confirms, traces, pace) in [
        ("OTEL_SDK_DISABLED", "true", &[][..], false, false, Pace::Prompt),
        ("OTEL_LOGS_EXPORTER", "none", &[End, Standing, Alive], false, true, Pace::Waiting),
        ("OTEL_METRICS_EXPORTER", "none", &[Start, Overdue, End, Alert], true, true, Pace::Waiting),
        (
            "OTEL_TRACES_EXPORTER",
            "none",
            &[Start, Overdue, End, Alert, Standing, Alive],
            true,
            false,
            Pace::Waiting,
        ),
    ] {
        let sink = with("", &[(name, value)], &[&parent]);
        let topics = [Start, Overdue, End, Alert, Standing, Alive];
        let wants: Vec<Topic> = topics.into_iter().filter(|topic| sink.wants(*topic)).collect();
        assert_eq!((&wants[..], sink.confirms(), sink.pace()), (wanted, confirms, pace), "{name}");
        assert_eq!(sink.begin(RunId::new()).is_some(), traces, "{name}");
        assert!(!sink.preview(&failed()).iter().any(|shown| shown.contains("traceId")) || traces, "{name}");
    }
}

#[test]
fn only_the_run_of_this_process_is_below_its_caller() {
    let server = HttpServer::answering(&[]);
    for (flag, spans) in [("1", 2), ("0", 1)] {
        let sink =
            with(&server.url(""), &[("OTEL_METRICS_EXPORTER", "none")], &[&format!("{TRACEPARENT}{flag}")]);
        let (own, other) = (failed().remove(0), failed().remove(0));
        let id = |notice: &Notice| notice.news.run().unwrap().id;
        let begun = sink.begin(id(&own)).unwrap();
        let span = format!("{:016x}", id(&own).uuid().as_u64_pair().1);
        assert_eq!(begun, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-0{flag}"));
        assert_eq!(tell(&sink, &[own, other.clone()]), Ok(()));
        let bodies: Vec<Value> = server
            .received()
            .iter()
            .rev()
            .take(2)
            .map(|one| serde_json::from_str(&one.body).unwrap())
            .collect();
        let sent = bodies[0].pointer("/resourceSpans/0/scopeSpans/0/spans").unwrap().as_array().unwrap();
        assert_eq!(sent.len(), spans, "{sent:#?}");
        // One that was found dead had a caller of its own, whom nobody knows any more.
        let last = sent.last().unwrap();
        assert_eq!(last["traceId"], id(&other).uuid().as_simple().to_string());
        assert!(last.get("parentSpanId").is_none(), "{last:#}");
        let records = bodies[1].pointer("/resourceLogs/0/scopeLogs/0/logRecords").unwrap();
        assert_eq!((&records[0]["spanId"], &records[0]["flags"]), (&span.into(), &flag.parse().unwrap()));
        assert_eq!(records[1]["traceId"], last["traceId"]);
    }
}

#[test]
fn an_answer_says_whether_everything_was_taken() {
    const JSON: &str = "200 OK\r\ncontent-type: application/json";
    for (reply, said) in [
        (Reply::Body(JSON, r#"{"partialSuccess":{}}"#), Ok(())),
        (Reply::Body(JSON, r#"{"partialSuccess":null}"#), Ok(())),
        (Reply::Body(JSON, "{}"), Ok(())),
        (Reply::Head("204 No Content"), Ok(())),
        (Reply::Text("OK"), Ok(())),
        // Words without a number are a remark.
        (Reply::Body(JSON, r#"{"partialSuccess":{"errorMessage":"use v2"}}"#), Ok(())),
        (
            Reply::Body(JSON, r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}"#),
            Err("logs: 1 rejected: too old"),
        ),
        (Reply::Body(JSON, r#"{"partialSuccess":{"rejectedLogRecords":2}}"#), Err("logs: 2 rejected")),
        (
            Reply::Body("200 OK\r\ncontent-type: text/html; charset=utf-8", "<html>"),
            Err("logs: HTTP 200, and a web page; is the endpoint right?"),
        ),
        (Reply::Head("404 Not Found"), Err("logs: HTTP 404: not found; is the endpoint right?")),
        (
            Reply::Body("400 Bad", r#"{"code":3,"message":"bad logs data"}"#),
            Err("logs: HTTP 400: bad logs data"),
        ),
        (Reply::Body("401 No", r#"{"message":"no key is 'SECRET'"}"#), Err("logs: HTTP 401: unauthorized")),
        (Reply::Body("403 No", r#"{"message":"not for /hidden/v1/logs"}"#), Err("logs: HTTP 403: forbidden")),
        (Reply::Head("500 Oops"), Err("logs: HTTP 500: internal server error")),
        (Reply::Body("400 Bad", r#"{"message":"a\u001b[31m"}"#), Err("logs: HTTP 400: bad request")),
    ] {
        let server = HttpServer::answering(&[reply]);
        let sink =
            with(&server.url("/hidden"), &[("OTEL_EXPORTER_OTLP_HEADERS", "auth=Bearer%20SECRET")], &[]);
        assert_eq!(tell(&sink, &failed()[1..]), said.map_err(str::to_owned), "{reply:?}");
        assert_eq!(server.received().len(), 1, "{reply:?}");
    }
    let server = HttpServer::answering(&[Reply::Head("503 Unavailable"), Reply::Head("429 Slow")]);
    assert_eq!(tell(&with(&server.url(""), &[], &[]), &failed()[1..]), Ok(()));
    assert_eq!(server.received().len(), 3);
}

#[test]
fn a_signal_that_cannot_be_told_does_not_keep_the_others() {
    let server = HttpServer::answering(&[Reply::Silence, Reply::Head("400 Bad Request")]);
    let clock = Stopwatch::start();
    let sink = with(&server.url(""), &[], &[]);
    let answer = sink.deliver(&failed(), Deadline::after(Duration::from_secs(3)));
    assert_eq!(answer, Err("logs: timed out; metrics: HTTP 400: bad request".to_owned()));
    assert_eq!(server.lines(), ["POST /v1/logs", "POST /v1/metrics", "POST /v1/traces"]);
    assert!(clock.elapsed() < Duration::from_secs(10), "{:?}", clock.elapsed());

    let (_kept, closed) = refusing_address();
    let answer = with(&format!("http://{closed}"), &[], &[]).deliver(&failed(), Deadline::after(AMPLE / 30));
    assert_eq!(answer, Err("logs, metrics, traces: connection refused".to_owned()));
}

/// The end of a short run waits until its start has been told.
#[test]
fn the_news_of_a_start_takes_less_time_than_there_is_and_a_limit_is_kept() {
    let started = [sample::started(sample::job("backup"))];
    for (limit, notices) in [("", &started[..]), ("100", &failed()[1..])] {
        let server = HttpServer::answering(&[Reply::Silence]);
        let clock = Stopwatch::start();
        let sink = with(&server.url(""), &[("OTEL_EXPORTER_OTLP_TIMEOUT", limit)], &[]);
        assert_eq!(tell(&sink, notices), Err("logs: timed out".to_owned()));
        assert!(clock.elapsed() < AMPLE / 3, "{:?}", clock.elapsed());
    }
}

#[test]
fn a_variable_that_cannot_be_used_costs_its_signal_and_no_more() {
    let server = HttpServer::answering(&[]);
    let set = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url("")[..]),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "soon"),
    ];
    let sink = with("", &set, &[]);
    let why = "metrics: OTEL_EXPORTER_OTLP_METRICS_TIMEOUT is no number of milliseconds".to_owned();
    assert!(sink.preview(&failed()).contains(&why));
    assert_eq!(tell(&sink, &failed()), Err(why));
    assert_eq!(server.lines(), ["POST /v1/logs", "POST /v1/traces"]);
    let unusable = with("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317")], &[]);
    assert_eq!(unusable.name(), "otlp:");
    unusable.prepare();
}

#[test]
fn what_a_dry_run_shows_has_neither_path_nor_headers() {
    let set = [("OTEL_EXPORTER_OTLP_HEADERS", "api-key=SECRET")];
    let parent = format!("{TRACEPARENT}1");
    let sink = with("https://C.example:4318/SECRET?key=SECRET", &set, &[&parent]);
    assert_eq!(sink.name(), "otlp:https://c.example:4318");
    let notices = failed();
    let shown = sink.preview(&notices);
    assert!(!shown.concat().contains("SECRET"), "{shown:?}");
    for (text, signal) in shown.iter().zip(["logs", "metrics", "traces"]) {
        let head = format!("POST https://c.example:4318/… ({signal})\napi-key: ***\n{{\"resource");
        assert!(text.starts_with(&head), "{text}");
        serde_json::from_str::<Value>(text.lines().last().unwrap()).unwrap();
    }
    // The run that would be made is below the caller.
    assert!(shown[2].contains("\"parentSpanId\":\"00f067aa0ba902b7\""), "{}", shown[2]);
    assert_eq!(sink.preview(&[sample::started(sample::job("x"))]).len(), 1);
}

#[test]
fn jobs_of_several_hosts_have_a_source_each_and_the_users_own_name_of_a_host_stays() {
    let mut elsewhere = sample::job("other");
    elsewhere.host = "db2".to_owned();
    let success = || sample::run(Outcome::Ok, 0, None);
    let mut notices = sample::ended(elsewhere, &History::default(), success());
    notices.extend(sample::ended(sample::job("one"), &History::default(), success()));
    notices.extend(sample::ended(sample::job("two"), &History::default(), success()));
    let hosts = |set: &[(&str, &str)]| -> Vec<(Value, usize)> {
        let shown = with("", set, &[]).preview(&notices);
        let body: Value = serde_json::from_str(shown[2].lines().last().unwrap()).unwrap();
        let sources = body["resourceSpans"].as_array().unwrap();
        let spans = |part: &Value| part["scopeSpans"][0]["spans"].as_array().unwrap().len();
        sources.iter().map(|part| (attributes(&part["resource"])["host.name"].clone(), spans(part))).collect()
    };
    assert_eq!(hosts(&[]), [("db2".into(), 1), ("db1".into(), 2)]);
    let named = [("OTEL_RESOURCE_ATTRIBUTES", "host.name=box")];
    assert_eq!(hosts(&named), [("box".into(), 1), ("box".into(), 2)]);
}
