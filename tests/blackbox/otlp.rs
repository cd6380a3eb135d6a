//! What a collector of OpenTelemetry's is told of a run, and what the command sees of it.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::http::{HttpServer, Reply};
use crate::support::{End, Host, Invocation, program};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn options<'a>(label: &'a str, sink: &'a str) -> [&'a str; 4] {
    ["-l", label, "--sink", sink]
}

fn sink(server: &HttpServer) -> String {
    format!("otlp:{}", server.url(""))
}

/// Every body that came for a signal, in the order in which they came.
fn bodies(server: &HttpServer, signal: &str) -> Vec<Value> {
    let line = format!("POST /v1/{signal}");
    let came = server.received().into_iter().filter(|request| request.line == line);
    came.map(|request| serde_json::from_str(&request.body).expect("a body is JSON")).collect()
}

/// Everything of a kind that came.
fn all(server: &HttpServer, signal: &str, names: [&str; 3]) -> Vec<Value> {
    let [outer, inner, list] = names;
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let scopes = bodies(server, signal).into_iter().flat_map(|body| array(&body[outer]));
    scopes.flat_map(|part| array(&part[inner])).flat_map(|part| array(&part[list])).collect()
}

fn spans(server: &HttpServer) -> Vec<Value> {
    all(server, "traces", ["resourceSpans", "scopeSpans", "spans"])
}

fn records(server: &HttpServer) -> Vec<Value> {
    all(server, "logs", ["resourceLogs", "scopeLogs", "logRecords"])
}

fn named(server: &HttpServer) -> Vec<String> {
    records(server).iter().map(|record| record["eventName"].as_str().unwrap().to_owned()).collect()
}

/// What a `TRACEPARENT` says: trace, span and flags.
fn parts(traceparent: &str) -> [&str; 3] {
    let fields: Vec<&str> = traceparent.trim_end().split('-').collect();
    let &["00", trace, span, flags] = &fields[..] else { panic!("'{traceparent}'") };
    assert_eq!((trace.len(), span.len(), flags.len()), (32, 16, 2), "'{traceparent}'");
    [trace, span, flags]
}

#[test]
fn a_run_is_told_by_records_by_data_points_and_by_a_span() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let ran = host.wrap(&options("job", &sink(&server)), "echo $TRACEPARENT; exit 3").run();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    let lines: Vec<String> = server.received().into_iter().map(|request| request.line).collect();
    // The start, the end, and by itself the alert.
    let signals = ["logs", "logs", "metrics", "traces", "logs"];
    assert_eq!(lines, signals.map(|signal| format!("POST /v1/{signal}")));
    assert_eq!(
        named(&server),
        ["cronward.run.started", "cronward.run.finished", "cronward.alert.opened"],
        "{ran}"
    );
    let stdout = ran.stdout_text();
    let [trace, span, flags] = parts(&stdout);
    assert_eq!(flags, "01");
    for told in records(&server).iter().chain(&spans(&server)) {
        assert_eq!((&told["traceId"], &told["spanId"]), (&trace.into(), &span.into()), "{ran}");
    }
    // The trace is the run's id, by which it is found in the journal.
    let id = host.journal("job").last()["run"].as_str().unwrap().replace('-', "");
    assert_eq!(trace, id);
    // Somebody has taken charge of the alert.
    assert_eq!(ran.own_words(), Vec::<String>::new(), "{ran}");
    let recovered = host.wrap(&options("job", &sink(&server)), "exit 0").run();
    assert_eq!(named(&server).last().unwrap(), "cronward.alert.closed", "{recovered}");
}

/// What the command finds in its environment, word by word, but for our own facts.
fn environ(invocation: Invocation<'_>) -> Vec<String> {
    let ran = invocation.run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let words = ran.stdout_text();
    let kept = words.split_terminator('\0').filter(|word| !word.starts_with("CRONWARD_"));
    kept.map(str::to_owned).collect()
}

#[test]
fn only_a_sink_of_this_kind_changes_the_context_and_nothing_else_is_changed() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let (otlp, jsonl) = (sink(&server), host.log());
    let words = ["B=2", "TRACESTATE=a=b", "no equals sign", "BAGGAGE=x", "TRACEPARENTS=x", "A=\u{1b}"];
    let parent = format!("00-{TRACE}-{SPAN}-01");
    for (name, given) in
        [("absent", &[][..]), ("valid", &[&parent[..]]), ("invalid", &["x"]), ("twice", &[&parent, "x"])]
    {
        let job = |sinks: &[&str]| {
            let options = sinks.iter().flat_map(|sink| ["--sink", sink]);
            let words_of_job = options.chain(["-l", "job", "--", "cat", "/proc/self/environ"]);
            let invocation = words.iter().fold(host.cronward(words_of_job), |all, word| all.env_word(*word));
            let set =
                given.iter().fold(invocation, |all, value| all.env_word(format!("TRACEPARENT={value}")));
            environ(set.env_word("LAST=1"))
        };
        let (untouched, seen) = (job(&[&jsonl]), job(&[&jsonl, &otlp]));
        let is_context = |word: &&String| word.starts_with("TRACEPARENT=");
        let values = |words: &[String]| -> Vec<String> {
            words.iter().filter(is_context).map(|word| word["TRACEPARENT=".len()..].to_owned()).collect()
        };
        assert_eq!(values(&untouched), given, "{name}");
        let handed = values(&seen);
        assert_eq!(handed.len(), given.len().max(1), "{name}: {handed:?}");
        assert!(handed.iter().all(|value| value == &handed[0] && value != &parent), "{name}: {handed:?}");
        assert_eq!(parts(&handed[0])[0] == TRACE, ["valid", "twice"].contains(&name), "{name}: {handed:?}");
        let other = |words: &[String]| -> Vec<String> {
            words.iter().filter(|word| !is_context(word)).cloned().collect()
        };
        assert_eq!(other(&seen), other(&untouched), "{name}");
        // In the place of the caller's, if there was one.
        if let Some(at) = untouched.iter().position(|word| is_context(&word)) {
            assert!(is_context(&&seen[at]), "{name}: {seen:?}");
        }
    }
    let ids: Vec<_> = spans(&server).iter().map(|span| span.get("parentSpanId").cloned()).collect();
    assert_eq!(ids, [None, Some(SPAN.into()), None, Some(SPAN.into())]);
    assert_eq!(spans(&server)[1]["traceState"], "a=b");
}

#[test]
fn all_attempts_are_one_span() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let otlp = sink(&server);
    let retried = [&options("job", &otlp)[..], &["--retries", "2", "--retry-delay", "1ms"]].concat();
    let ran = host.wrap(&retried, "echo $TRACEPARENT; exit 3").run();
    let stdout = ran.stdout_text();
    let seen: Vec<&str> = stdout.lines().collect();
    assert_eq!(seen, [seen[0]; 3], "{ran}");
    let [span] = &spans(&server)[..] else { panic!("{ran}") };
    assert_eq!(span["spanId"], parts(seen[0])[1]);
    assert_eq!(span["events"].as_array().map(Vec::len), Some(2), "{span:#}");
}

#[test]
fn a_run_inside_a_run_is_a_span_inside_its_span() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let line = "\"$CRONWARD\" -l inner -c 'echo $TRACEPARENT'; echo $TRACEPARENT";
    let wrapped = host.wrap(&["-l", "outer"], line).env("CRONWARD_SINK", sink(&server));
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let wrapped = wrapped.env("CRONWARD", program(env!("CARGO_BIN_EXE_cronward"))).env("TRACEPARENT", parent);
    let ran = wrapped.run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let stdout = ran.stdout_text();
    let [inner, outer] = &stdout.lines().map(parts).collect::<Vec<_>>()[..] else { panic!("{ran}") };
    assert_eq!((inner[0], outer[0]), (TRACE, TRACE), "{ran}");
    let sent: Vec<_> = spans(&server)
        .iter()
        .map(|span| (span["spanId"].clone(), span["parentSpanId"].clone(), span["traceId"].clone()))
        .collect();
    let expected = [(inner[1], outer[1]), (outer[1], SPAN)];
    assert_eq!(sent, expected.map(|(span, parent)| (span.into(), parent.into(), TRACE.into())), "{ran}");
}

#[test]
fn a_trace_that_nobody_wants_to_see_is_handed_on_and_not_sent() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let unsampled = host.wrap(&options("job", &sink(&server)), "echo $TRACEPARENT");
    let ran = unsampled.env("TRACEPARENT", format!("00-{TRACE}-{SPAN}-00")).run();
    let stdout = ran.stdout_text();
    let [trace, span, flags] = parts(&stdout);
    assert_eq!((trace, flags, span == SPAN), (TRACE, "00", false), "{ran}");
    assert_eq!(spans(&server), Vec::<Value>::new(), "{ran}");
    assert!(records(&server).iter().all(|record| record["traceId"] == TRACE), "{ran}");
}

/// The child's own spans, if it had made any, are below that one.
#[test]
fn a_run_that_was_found_dead_has_the_span_that_its_command_was_told_of() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let otlp = sink(&server);
    let dying = host.wrap(&options("job", &otlp), "echo $TRACEPARENT >context; kill -KILL $PPID").run();
    assert_eq!(dying.end(), End::Signal(nix::libc::SIGKILL), "{dying}");
    let ran = host.wrap(&options("job", &otlp), "exit 0").run();
    let context = fs::read_to_string(host.path("context")).unwrap();
    let [lost, _] = &spans(&server)[..] else { panic!("{ran}") };
    assert_eq!([&lost["traceId"], &lost["spanId"]], parts(&context)[..2], "{ran}");
    assert_eq!(lost["status"]["code"], 2, "{lost:#}");
}

#[test]
fn a_collector_that_hangs_costs_the_deadline_and_nothing_else() {
    let host = Host::new();
    let server = HttpServer::answering(&[Reply::Silence; 9]);
    let began = Instant::now();
    let (otlp, log) = (sink(&server), host.log());
    let options = [&options("job", &otlp)[..], &["--sink", &log, "--flush-deadline", "300ms"]].concat();
    let ran = host.wrap(&options, "echo out; exit 3").run();
    assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(3), "out\n"), "{ran}");
    assert!(began.elapsed() < Duration::from_secs(3), "{ran}");
    assert_eq!(host.journal("job").outcomes(), ["failed"]);
    let finished = host.events().into_iter().find(|event| event["kind"] == "run.finished").unwrap();
    assert!(finished["sink_errors"].to_string().contains(&otlp), "{finished:#}");
    assert!(ran.stderr_text().contains("job is failing"), "{ran}");
}

#[test]
fn a_collector_that_rejects_an_alert_has_not_taken_it() {
    let host = Host::new();
    let json = |body| Reply::Body("200 OK\r\ncontent-type: application/json", body);
    let rejected = json(r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no room"}}"#);
    // Of the start, the end, the metrics and the span; then of the alert.
    let server = HttpServer::answering(&[json("{}"), json("{}"), json("{}"), json("{}"), rejected]);
    let (otlp, log) = (sink(&server), host.log());
    let ran = host.wrap(&[&options("job", &otlp)[..], &["--sink", &log]].concat(), "exit 3").run();
    assert!(ran.stderr_text().contains("job is failing"), "{ran}");
    let finished = host.events().into_iter().find(|event| event["kind"] == "run.finished").unwrap();
    assert_eq!(finished["sink_errors"][0], format!("{otlp}: logs: 1 rejected: no room"), "{ran}");
    let told = |server: &HttpServer| -> Vec<Value> {
        let is_alert = |record: &Value| record["eventName"] == "cronward.alert.opened";
        records(server).into_iter().filter(is_alert).collect()
    };
    // The same request is not sent again; the alert is owed.
    assert_eq!(told(&server).len(), 1, "{ran}");
    let ran = host.cronward(["flush"]).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let [first, second] = &told(&server)[..] else { panic!("{ran}") };
    let id = |record: &Value| {
        let all = record["attributes"].as_array().unwrap().iter();
        let mut found = all.filter(|attribute| attribute["key"] == "cronward.event.id");
        found.next().unwrap()["value"].clone()
    };
    assert_eq!(id(first), id(second), "{ran}");
}

#[test]
fn a_drill_is_a_record_of_a_job_of_its_own() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    host.wrap(&options("job", &sink(&server)), "exit 0").run();
    let ran = host.cronward(["drill", "job"]).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert!(ran.stdout_text().contains("HTTP 200"), "{ran}");
    let told: Vec<Value> = records(&server).into_iter().skip(2).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    for (record, name) in told.iter().zip(["cronward.alert.opened", "cronward.alert.closed"]) {
        assert_eq!(record["eventName"], name);
        let text = record.to_string();
        assert!(
            text.contains("job (drill)")
                && text.contains(r#"{"key":"drill","value":{"stringValue":"true"}}"#)
        );
    }
}

#[test]
fn variables_say_where_to_and_in_whose_name() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let run = host.wrap(&options("job", "otlp:"), "exit 0");
    let ran = run
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", server.url("/in"))
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", server.url("/spans"))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b")
        .env("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,team=db")
        .env("OTEL_SERVICE_NAME", "shop")
        .env("OTEL_METRICS_EXPORTER", "none")
        .run();
    let received = server.received();
    let lines: Vec<_> = received.iter().map(|request| &request.line[..]).collect();
    assert_eq!(lines, ["POST /in/v1/logs", "POST /in/v1/logs", "POST /spans"], "{ran}");
    for request in received {
        assert!(request.headers.contains(&"api-key: a b".to_owned()), "{:?}", request.headers);
        let source = r#"{"key":"service.name","value":{"stringValue":"shop"}},{"key":"team","value":{"stringValue":"db"}}"#;
        assert!(request.body.contains(source), "{}", request.body);
    }
    let idle = HttpServer::answering(&[]);
    let off = host.wrap(&options("job", &sink(&idle)), "echo $TRACEPARENT");
    let ran = off.env("OTEL_SDK_DISABLED", "true").env("TRACEPARENT", "as it was").run();
    assert_eq!((ran.stdout_text(), idle.received().len()), ("as it was\n".into(), 0), "{ran}");
}

#[test]
fn a_bad_variable_is_told_and_keeps_no_job_from_running_but_a_bad_target_does() {
    let host = Host::new();
    let log = host.log();
    let bad = host.wrap(&[&options("job", "otlp:")[..], &["--sink", &log]].concat(), "exit 0");
    let ran = bad.env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317").run();
    assert_eq!((ran.end(), ran.stderr_text()), (End::Code(0), String::new()), "{ran}");
    let errors = host.events().last().unwrap()["sink_errors"].to_string();
    let said = "\"otlp:: logs, metrics, traces: cannot use OTEL_EXPORTER_OTLP_ENDPOINT: it is no URL\"";
    assert!(errors.contains(said), "{errors}");
    let ran = host.wrap(&options("job", "otlp:collector:4317"), "echo ran").run();
    assert_eq!((ran.end(), ran.stdout_text()), (End::Code(125), String::new()), "{ran}");
}

#[test]
fn headers_are_secrets() {
    let host = Host::new();
    let refusing = r#"{"message":"'SECRET' is no key"}"#;
    let reply = Reply::Body("401 Unauthorized\r\ncontent-type: application/json", refusing);
    let server = HttpServer::answering(&[reply; 20]);
    let (otlp, log) = (sink(&server), host.log());
    let options = [&options("job", &otlp)[..], &["--sink", &log, "--summary", "always"]].concat();
    let with = |options: &[&str], value: &str| {
        host.wrap(options, "exit 3").env("OTEL_EXPORTER_OTLP_HEADERS", value).run()
    };
    for value in ["api-key=SECRET", "SECRET"] {
        for options in [&options[..], &[&options[..], &["--dry-run"]].concat()] {
            let ran = with(options, value);
            let said = ran.stdout_text() + &ran.stderr_text();
            assert!(!said.is_empty() && !said.contains("SECRET"), "{ran}");
        }
    }
    let shown = with(&[&options[..], &["--dry-run"]].concat(), "api-key=SECRET").stdout_text();
    assert!(shown.contains("api-key: ***"), "{shown}");
    let events = fs::read_to_string(host.path("events.jsonl")).unwrap();
    assert!(events.contains("HTTP 401: unauthorized") && !events.contains("SECRET"), "{events}");
    let plan = fs::read_to_string(host.state_dir().join("jobs/job/plan.json")).unwrap();
    assert!(plan.contains("otlp:") && !plan.contains("SECRET"), "{plan}");
    let sent = server.received().iter().any(|one| one.headers.contains(&"api-key: SECRET".to_owned()));
    assert!(sent, "the server was told the key");
}

/// Another job's key is nobody else's business.
#[test]
fn what_is_owed_is_delivered_with_the_headers_of_its_run_or_not_at_all() {
    let host = Host::new();
    let server =
        HttpServer::answering(&[Reply::Text("OK"), Reply::Text("OK"), Reply::Head("401 Unauthorized")]);
    let only_logs = |invocation: Invocation<'_>, headers: &str| {
        let with_headers = invocation.env("OTEL_EXPORTER_OTLP_HEADERS", headers);
        with_headers.env("OTEL_METRICS_EXPORTER", "none").env("OTEL_TRACES_EXPORTER", "none").run()
    };
    let ran = only_logs(host.wrap(&options("job", &sink(&server)), "exit 3"), "api-key=OURS");
    assert_eq!(named(&server).last().unwrap(), "cronward.alert.opened", "{ran}");
    let before = server.received().len();
    for headers in ["api-key=THEIRS", ""] {
        let ran = only_logs(host.cronward(["flush"]), headers);
        assert_eq!((ran.end(), server.received().len()), (End::Code(1), before), "{ran}");
    }
    let ran = only_logs(host.cronward(["flush"]), "api-key=OURS");
    assert_eq!((ran.end(), server.received().len()), (End::Code(0), before + 1), "{ran}");
    assert!(server.received().iter().all(|one| one.headers.contains(&"api-key: OURS".to_owned())), "{ran}");
}

/// Two jobs may send to one place in two names.
#[test]
fn a_check_tells_how_each_job_stands_in_the_name_of_its_own_service() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let otlp = sink(&server);
    for (label, service) in [("a", "shop"), ("b", "bank")] {
        host.wrap(&options(label, &otlp), "exit 0").env("OTEL_SERVICE_NAME", service).run();
    }
    let before = bodies(&server, "metrics").len();
    let ran = host.cronward(["check"]).env("CRONWARD_SINK", &otlp).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let told: Vec<String> = bodies(&server, "metrics")[before..].iter().map(ToString::to_string).collect();
    let text = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    for (at, (label, service)) in [("a", "shop"), ("b", "bank")].into_iter().enumerate() {
        assert!(told[at].contains(&text("task", label)) && told[at].contains(&text("service.name", service)));
        assert!(told[at].contains("cronward.job.success_age"), "{}", told[at]);
    }
    assert!(told[2].contains("cronward.check.alive") && !told[2].contains("\"task\""), "{told:?}");
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn what_would_be_sent_is_shown_and_not_sent() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let ran = host.wrap(&[&options("job", &sink(&server))[..], &["--dry-run"]].concat(), "exit 0").run();
    let shown = ran.stdout_text();
    for signal in ["logs", "metrics", "traces"] {
        assert!(shown.contains(&format!("POST {} ({signal})", server.url("/…"))), "{shown}");
    }
    assert!(shown.contains("cronward.alert.opened") && server.received().is_empty(), "{ran}");
}
