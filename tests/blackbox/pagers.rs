//! Alerts that go to whoever is on call, by PagerDuty or a webhook.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http::{HttpServer, Received, Reply, refusing_address};
use crate::support::{End, Host, Ran, eventually};

/// PagerDuty's own answer.
const TAKEN: Reply = Reply::Json("202 Accepted", r#"{"status":"success","message":"Event processed"}"#);

const KEY: &str = "R0UTINGKEYR0UTINGKEYR0UTINGKEY00";
const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";

/// A server that answers as PagerDuty does, and a sink that speaks to it.
fn pagerduty() -> (HttpServer, String) {
    let server = HttpServer::answering(&[TAKEN; 20]);
    let sink = format!("pagerduty:{KEY}?url={}", server.url("/v2/enqueue"));
    (server, sink)
}

fn bodies(server: &HttpServer) -> Vec<Value> {
    let body = |request: Received| {
        serde_json::from_str(&request.body).unwrap_or_else(|why| panic!("{why}: {}", request.body))
    };
    server.received().into_iter().map(body).collect()
}

/// A field of each body.
fn all(bodies: &[Value], field: &str) -> Vec<String> {
    bodies.iter().map(|body| body[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// Runs `job` once for each code, in order; nothing is ever said on stderr.
fn run(host: &Host, options: &[&str], codes: &[i32]) -> Vec<Ran> {
    let one = |code: &i32| {
        let ran = host.wrap(&[&["-l", "job"], options].concat(), &format!("exit {code}")).run();
        assert_eq!(ran.end(), End::Code(*code), "{ran}");
        assert!(ran.stderr.is_empty(), "{ran}");
        ran
    };
    codes.iter().map(one).collect()
}

#[test]
fn failures_trigger_once_and_a_success_resolves() {
    let host = Host::new();
    let (server, sink) = pagerduty();
    let options = ["--sink", &sink, "--alert-after", "2", "--severity", "critical", "--owner", "db team"];
    run(&host, &options, &[1, 3, 3, 0, 0]);
    let events = bodies(&server);
    assert_eq!(all(&events, "event_action"), ["trigger", "resolve"]);
    assert_eq!(server.lines(), ["POST /v2/enqueue"; 2]);
    let host_name = events[0]["payload"]["source"].as_str().unwrap();
    assert_eq!(events[0]["dedup_key"], format!("{host_name}/job"));
    assert_eq!(events[1]["dedup_key"], events[0]["dedup_key"]);
    let payload = &events[0]["payload"];
    assert_eq!(payload["severity"], "critical");
    assert_eq!(
        payload["summary"],
        format!("job is failing on {host_name}: 2 failures: exited with 3"),
        "{payload:#}"
    );
    let details = &payload["custom_details"];
    assert_eq!(
        (&details["exit_code"], &details["failures"], &details["owner"]),
        (&json!(3), &json!(2), &json!("db team")),
        "{payload:#}"
    );
}

#[test]
fn an_alert_that_is_repeated_is_triggered_under_the_key_that_it_was_opened_under() {
    let host = Host::new();
    let (server, sink) = pagerduty();
    let options = ["--sink", &sink, "--realert", "1ns"];
    run(&host, &[&options[..], &["--alert-key", "{host}-first"]].concat(), &[1]);
    // The key of the next alert, not of this one.
    run(&host, &[&options[..], &["--alert-key", "{host}-second"]].concat(), &[1, 0, 1]);
    let events = bodies(&server);
    assert_eq!(all(&events, "event_action"), ["trigger", "trigger", "resolve", "trigger"]);
    let keys = all(&events, "dedup_key");
    assert!(keys[0].ends_with("-first") && keys[3].ends_with("-second"), "{keys:?}");
    assert_eq!(keys[1..3], [&keys[0][..], &keys[0]]);
}

/// The other hosts that share it may still be failing. Nobody is told, so nobody has to be told by stderr.
#[test]
fn a_shared_key_is_triggered_and_never_resolved() {
    let host = Host::new();
    let (server, sink) = pagerduty();
    run(&host, &["--sink", &sink, "--alert-key", "fleet/{label}"], &[1, 0]);
    let events = bodies(&server);
    assert_eq!(all(&events, "event_action"), ["trigger"]);
    assert_eq!(events[0]["dedup_key"], "fleet/job");
}

#[test]
fn an_alert_that_pagerduty_refuses_is_said_with_its_reason() {
    let host = Host::new();
    let refusal = r#"{"status":"invalid event","message":"Event object is invalid",
        "errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}"#;
    let server = HttpServer::answering(&[Reply::Json("400 Bad Request", refusal)]);
    let sink = format!("pagerduty:{KEY}?url={}", server.url("/"));
    let ran = host.wrap(&["-l", "job", "--sink", &sink, "--sink", &host.log()], "exit 1").run();
    assert_eq!(server.received().len(), 1, "{ran}");
    assert_eq!(ran.own_words().len(), 1, "{ran}");
    let finished = host.events().into_iter().find(|event| event["kind"] == "run.finished").unwrap();
    let said = "pagerduty:…: HTTP 400: Event object is invalid: Length of 'routing_key' is incorrect \
                (should be 32 characters)";
    assert_eq!(finished["sink_errors"], json!([said]));
}

/// A server that is not there, or hangs, costs no more than the deadline, and then cron has to mail it.
#[test]
fn an_alert_that_nobody_takes_is_one_line_on_stderr() {
    let host = Host::new();
    let (_kept, refusing) = refusing_address();
    let silent = HttpServer::answering(&[Reply::Silence; 9]);
    for sink in [
        format!("pagerduty:{KEY}?url={}", silent.url("/")),
        format!("pagerduty:{KEY}?url=http://{refusing}/"),
        "pagerduty:file:/nonexistent/key".to_owned(),
        format!("webhook:{}", silent.url("/")),
        format!("webhook:http://{refusing}/#secret={SECRET}"),
        "webhook:env:NO_SUCH_VARIABLE".to_owned(),
    ] {
        let options = ["-l", &sink, "--flush-deadline", "300ms", "--sink", &sink];
        let ran = host.wrap(&options, "echo out; exit 3").run();
        assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(3), "out\n"), "{ran}");
        assert!(ran.took < Duration::from_secs(3), "{ran}");
        let words = ran.own_words();
        assert!(words.len() == 1 && words[0].contains("is failing on"), "{ran}");
    }
}

/// What a receiver goes by, so that it can drop a repetition.
#[test]
fn an_alert_that_is_sent_again_later_is_the_same_alert() {
    let host = Host::new();
    let refusal = Reply::Head("400 Bad Request");
    for (kind, identity) in [(&format!("pagerduty:{KEY}?url=")[..], "dedup_key"), ("webhook:", "id")] {
        let server = HttpServer::answering(&[refusal, TAKEN]);
        // The check knows the sink too, whose target is a secret.
        host.configure(format!("[defaults]\nsink = ['{kind}{}']\n", server.url("/")));
        let run = |arguments: &[&str]| host.cronward(arguments).without_env("CRONWARD_SINK").run();
        let ran = run(&["-l", identity, "--", "false"]);
        assert_eq!((server.received().len(), ran.own_words().len()), (1, 1), "{ran}");
        let ran = run(&["flush"]);
        let [first, second] = &bodies(&server)[..] else { panic!("{:?}\n{ran}", server.received()) };
        assert!(first[identity].is_string() && first == second, "{first:#}\n{second:#}");
    }
}

#[test]
fn a_webhook_hears_of_alerts_and_overdue_runs_unless_it_asks_for_more_or_less() {
    for (options, expected) in [
        ("", &["run.overdue", "alert.opened"][..]),
        ("#events=alerts", &["alert.opened"]),
        ("#events=all", &["run.started", "run.overdue", "run.finished", "alert.opened"]),
    ] {
        let host = Host::new();
        let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
        let server = HttpServer::answering(&[]);
        let sink = format!("webhook:{}{options}", server.url("/hook?x=1"));
        let options = ["-l", "job", "--sink", &sink, "--sink", &host.log(), "--warn-after", "100ms"];
        let running = host.wrap(&options, "echo ready >ready; read x <hold; exit 3").start();
        ready.line();
        let overdue = || host.events().iter().any(|event| event["kind"] == "run.overdue");
        eventually("it was said that the run is overdue", overdue);
        hold.say("go");
        let ran = running.wait();
        assert!(ran.stderr.is_empty(), "{ran}");
        let mut events = bodies(&server);
        // A busy host may have been overdue more than once.
        events.dedup_by_key(|event| event["type"].to_string());
        let types: Vec<String> = expected.iter().map(|kind| format!("dev.cronward.{kind}")).collect();
        assert_eq!(all(&events, "type"), types);
        for (event, request) in events.iter().zip(server.received()) {
            assert_eq!(event["specversion"], "1.0");
            assert_eq!(event["data"]["label"], "job");
            assert_eq!(request.line, "POST /hook?x=1");
            assert!(request.headers.contains(&"content-type: application/cloudevents+json".to_owned()));
            assert!(!request.headers.iter().any(|header| header.starts_with("webhook-")));
        }
        // The same event has the same identity, whoever is told.
        let logged = host.events();
        for event in &events {
            assert!(logged.iter().any(|other| other["id"] == event["id"]), "{event:#}");
        }
    }
}

#[test]
fn a_webhook_with_a_secret_is_signed() {
    let host = Host::new();
    let server = HttpServer::answering(&[Reply::Hangup]);
    fs::write(host.path("url"), server.url("/hook")).unwrap();
    let ran = host
        .wrap(&["-l", "job", "--sink", "webhook:file:url#secret=env:HOOK_SECRET"], "exit 1")
        .env("HOOK_SECRET", SECRET)
        .run();
    assert!(ran.stderr.is_empty(), "{ran}");
    let received = server.received();
    assert_eq!(received.len(), 2, "the second attempt was taken: {ran}");
    assert_eq!(received[0].body, received[1].body);
    let event: Value = serde_json::from_str(&received[0].body).unwrap();
    let header = |request: &Received, name: &str| {
        let found = request.headers.iter().find_map(|header| header.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_else(|| panic!("{name}: {:?}", request.headers)).to_owned()
    };
    for request in &received {
        assert_eq!(json!(header(request, "webhook-id")), event["id"]);
        assert!(header(request, "webhook-timestamp").parse::<u64>().unwrap() > 1_700_000_000);
        // 32 bytes in base64.
        let signature = header(request, "webhook-signature");
        assert!(signature.starts_with("v1,") && signature.len() == 3 + 44, "{signature}");
    }
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Neither what is said nor what stays on the host has anything of a key, a URL or a secret, whether the
/// alert is taken or refused; nor does the command see it.
#[test]
fn no_secret_is_said_kept_or_handed_on() {
    let parts = [KEY, "SESAME", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"];
    let host = Host::new();
    let refusals =
        [Reply::Json("400 Bad Request", r#"{"message":"R0UTINGKEYR0UTINGKEYR0UTINGKEY00 /SESAME"}"#); 9];
    let (taking, refusing) = (HttpServer::answering(&[TAKEN; 99]), HttpServer::answering(&refusals));
    fs::write(host.path("url"), taking.url("/")).unwrap();
    let log = host.log();
    for server in [&taking, &refusing] {
        let sinks = [
            format!("pagerduty:{KEY}?url={}", server.url("/")),
            format!("webhook:{}#secret={SECRET}", server.url("/SESAME?x=SESAME")),
            format!("webhook:file:url#secret={SECRET}"),
            format!("webhook:file:url#secert={SECRET}"),
            format!("webhook:{}#secret=SESAME!", server.url("/SESAME")),
            "pagerduty:SES AME".to_owned(),
        ];
        for sink in &sinks {
            let options =
                ["-l", "job", "--sink", sink, "--sink", &log, "--summary", "always", "--realert", "1ns"];
            let listed = format!("{log} '{sink}'");
            for invocation in [
                host.wrap(&options, "env; exit 3"),
                host.wrap(&[&options[..], &["--dry-run"]].concat(), "exit 3"),
                host.wrap(&["-l", "job"], "env; exit 3").env("CRONWARD_SINK", &listed),
                host.wrap(&["-l", "job"], "env; exit 0").env("CRONWARD_SINK", listed.replace(&log, "")),
            ] {
                let ran = invocation.run();
                let said = ran.stdout_text() + &ran.stderr_text();
                assert!(!said.is_empty(), "{ran}");
                assert!(!parts.iter().any(|part| said.contains(part)), "{ran}");
            }
        }
    }
    // Of each sink that can be used, the opening or a repetition, and the close.
    assert_eq!((taking.received().len(), refusing.received().len()), (8, 4));
    let kept = files(&host.state_dir()).into_iter().chain([host.path("events.jsonl")]);
    for path in kept {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!parts.iter().any(|part| text.contains(part)), "{}: {text}", path.display());
    }
}

/// What says where a secret is may be known to a cronward further in, which finds it there too.
#[test]
fn a_reference_to_a_secret_is_handed_on_and_kept() {
    let host = Host::new();
    let sinks =
        ["pagerduty:file:/nonexistent/key", "webhook:file:/u#secret=file:/nonexistent/key&events=alerts"];
    let handed_on = format!("{} '{}'", sinks[0], sinks[1]);
    let list = format!("{handed_on} webhook:file:/u#secret=abcd");
    let ran = host.wrap(&["-l", "job"], "echo \"$CRONWARD_SINK\"").env("CRONWARD_SINK", list).run();
    assert_eq!(ran.stdout_text(), format!("{handed_on}\n"), "{ran}");
    let plan = fs::read_to_string(host.state_dir().join("jobs/job/plan.json")).unwrap();
    assert!(sinks.iter().all(|sink| plan.contains(sink)) && !plan.contains("abcd"), "{plan}");
}

#[test]
fn a_target_that_cannot_be_used_is_refused_before_anything_runs() {
    let host = Host::new();
    for (sink, said) in [
        ("pagerduty:", "'pagerduty:…' in --sink: it is no routing key"),
        ("pagerduty:two words", "'pagerduty:…' in --sink: it is no routing key"),
        ("pagerduty:key?region=eu", "the only one is 'url'"),
        ("pagerduty:file:/k?url=ftp://h/", "'url' cannot be used: it begins with neither"),
        ("webhook:", "'webhook:…' in --sink: it is no URL"),
        ("webhook:https://h/#secret=no base64", "the secret is not 'whsec_' and base64"),
        ("webhook:https://h/#events=none", "'events' is neither 'all' nor 'alerts'"),
        ("webhook:file:/u#secret", "write NAME=VALUE"),
    ] {
        let ran = host.wrap(&["-l", "job", "--sink", sink], "echo out").run();
        assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(125), ""), "{ran}");
        assert!(ran.stderr_text().contains(said) && ran.stderr_text().lines().count() == 1, "{ran}");
        assert!(!host.state_dir().exists(), "{ran}");
    }
}

#[test]
fn the_requests_that_would_be_made_are_shown_and_not_made() {
    let host = Host::new();
    let (server, pagerduty) = pagerduty();
    let webhook = format!("webhook:{}#secret={SECRET}", server.url("/SESAME"));
    let options = ["-l", "job", "--sink", &pagerduty, "--sink", &webhook, "--dry-run"];
    let ran = host.wrap(&options, "exit 0").run();
    let shown = ran.stdout_text();
    let origin = server.url("");
    for line in [
        format!("1.  POST {origin}/v2/enqueue"),
        "    content-type: application/json".to_owned(),
        "    {\"routing_key\":\"…\",\"event_action\":\"trigger\",".to_owned(),
        format!("1.  POST {origin}/…"),
        "    content-type: application/cloudevents+json".to_owned(),
        "    webhook-signature: v1,(made when it is sent)".to_owned(),
        "    {\"specversion\":\"1.0\",".to_owned(),
    ] {
        assert!(shown.contains(&line), "{line}\n{ran}");
    }
    assert!(server.received().is_empty(), "{ran}");
}

/// Every alert names itself; a job that has many names is still one job.
#[test]
fn a_hostile_label_forges_nothing() {
    let host = Host::new();
    let (server, pagerduty) = pagerduty();
    let webhook = format!("webhook:{}", server.url("/hook"));
    let label = "a\",\"event_action\":\"resolve\"\r\nx-forged: 1\u{1b}[2J\u{7}é";
    let options = ["-l", label, "-t", "routing_key:x", "--sink", &pagerduty, "--sink", &webhook];
    let ran = host.wrap(&options, "exit 1").run();
    assert_eq!(ran.end(), End::Code(1), "{ran}");
    let received = server.received();
    assert_eq!(received.len(), 2, "{ran}");
    for request in &received {
        assert!(!request.headers.iter().any(|header| header.contains("forged")), "{request:?}");
        let event: Value = serde_json::from_str(&request.body).unwrap();
        match request.line.as_str() {
            "POST /v2/enqueue" => {
                assert_eq!((&event["event_action"], &event["routing_key"]), (&json!("trigger"), &json!(KEY)));
                assert_eq!(event["payload"]["component"], "a\",\"event_action\":\"resolve\" x-forged: 1é");
            }
            _ => {
                assert_eq!(event["data"]["label"], label);
                assert!(
                    event["source"].as_str().unwrap().ends_with("%0D%0Ax-forged%3A%201%1B%5B2J%07%C3%A9")
                );
            }
        }
    }
}
