//! Runs that end well and have not done what was expected of them.

use std::fs;

use serde_json::{Value, json};

use crate::support::{End, Host, wire};

/// The event of the last run that has ended, and what was said on stderr.
fn last_event(host: &Host) -> Value {
    let lines = fs::read_to_string(host.path("events.jsonl")).unwrap();
    let mut events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.rfind(|event| event["kind"] == "run.finished").unwrap()
}

/// Runs a line with these options, and gives the event of its end. The caller sees a success.
fn event_of(host: &Host, options: &[&str], line: &str) -> Value {
    let sink = format!("+jsonl:{}", host.path("events.jsonl").display());
    let ran = host.wrap(&[&["-l", "job", "--sink", &sink], options].concat(), line).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    last_event(host)
}

fn outcome(event: &Value) -> (&str, &str) {
    (event["outcome"].as_str().unwrap(), event["reason"].as_str().unwrap_or_default())
}

#[test]
fn a_run_that_was_too_fast_or_reports_too_little_is_suspect_and_ends_as_its_command() {
    let host = Host::new();
    let options = ["--expect", "5m..2h", "--expect", "rows=1000.."];
    let event = event_of(&host, &options, "echo rows=12 >>$CRONWARD_RUN_REPORT");
    let (word, reason) = outcome(&event);
    assert_eq!(word, "suspect", "{event}");
    assert!(
        reason.starts_with("took ") && reason.ends_with(", expected at least 5m; and 1 more"),
        "{reason}"
    );
    assert_eq!(event["consecutive_failures"], 1, "{event}");

    let event = event_of(&host, &options[2..], "echo rows=12 >>$CRONWARD_RUN_REPORT");
    assert_eq!(outcome(&event), ("suspect", "reported rows=12, expected at least 1000"));
    let event = event_of(&host, &options[2..], "true");
    assert_eq!(outcome(&event), ("suspect", "did not report 'rows', which is expected"));
    let event = event_of(&host, &options[2..], "echo rows=1000 >>$CRONWARD_RUN_REPORT");
    assert_eq!(outcome(&event), ("ok", ""));
}

#[test]
fn a_run_that_failed_is_not_suspect() {
    let host = Host::new();
    let sink = format!("jsonl:{}", host.path("events.jsonl").display());
    host.wrap(&["-l", "job", "--sink", &sink, "--expect", "5m..", "--produces", "x"], "exit 3").run();
    assert_eq!(outcome(&last_event(&host)), ("failed", "exited with 3"));
}

#[test]
fn a_success_without_its_file_is_suspect() {
    let host = Host::new();
    fs::write(host.path("app-1.dump"), "yesterday's").unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    fs::File::options().write(true).open(host.path("app-1.dump")).unwrap().set_modified(old).unwrap();

    let dump = ["--produces", "app-*.dump:10B.."];
    let event = event_of(&host, &dump, "true");
    let (word, reason) = outcome(&event);
    assert_eq!(word, "suspect", "{event}");
    assert!(reason.starts_with("app-1.dump was not written by this run (last written "), "{reason}");

    let event = event_of(&host, &dump, ": >app-2.dump");
    assert_eq!(outcome(&event), ("suspect", "app-2.dump is 0 B, expected at least 10 B"));
    let path = host.path("app-2.dump");
    assert_eq!(event["produced"], json!({"path": path.to_str().unwrap(), "bytes": 0}));

    let event = event_of(&host, &dump, "echo a whole backup >app-2.dump");
    assert_eq!((outcome(&event), &event["produced"]["bytes"]), (("ok", ""), &json!(15)));
    let event = event_of(&host, &["--produces", "*.gz"], "true");
    assert_eq!(outcome(&event), ("suspect", "'*.gz' matches nothing"));
}

#[test]
fn what_a_job_reports_is_in_its_metrics_and_its_event_alone() {
    let host = Host::new();
    let report = "printf 'rows=12\\ndrift=-0.5\\ntag:db=app\\n' >>\"$CRONWARD_RUN_REPORT\"";
    let event = event_of(&host, &["-t", "db:none"], report);
    assert_eq!(event["custom"], json!({"rows": 12, "drift": -0.5}));
    assert_eq!(event["tags"], json!({"db": "app"}));
    let sent = wire::dogstatsd(&host.receiver.datagrams(), 1432);
    let metric = |name: &str| {
        sent.iter().find_map(|line| match line {
            wire::Line::Metric(metric) if metric.name == name => Some((metric.value, metric.tags.join(","))),
            wire::Line::Metric(_) | wire::Line::Event(_) | wire::Line::ServiceCheck(_) => None,
        })
    };
    let tags = "task:job,outcome:ok,db:app".to_owned();
    assert_eq!(metric("cronward.run.custom.rows"), Some((12.0, tags.clone())));
    assert_eq!(metric("cronward.run.custom.drift"), Some((-0.5, tags)));
    assert_eq!(metric("cronward.job.alert_open"), Some((0.0, "task:job,db:none".to_owned())));

    // The next run knows nothing of it.
    let event = event_of(&host, &[], "true");
    assert!(event.get("custom").is_none() && event.get("tags").is_none(), "{event}");

    let sink = format!("statsd:{}", host.receiver.address());
    host.receiver.datagrams();
    host.wrap(&["-l", "job", "--sink", &sink], report).run();
    let sent = wire::statsd(&host.receiver.datagrams(), 1432);
    let drift: Vec<_> = sent.iter().filter(|metric| metric.name.ends_with(".run.custom.drift")).collect();
    assert_eq!(drift.iter().map(|metric| metric.value).collect::<Vec<_>>(), [-0.5], "{sent:#?}");
}

#[test]
fn bad_lines_of_a_report_are_complained_of_and_change_nothing_else() {
    let host = Host::new();
    let event = event_of(&host, &[], "printf 'rows\\nx=1\\n' >>$CRONWARD_RUN_REPORT");
    assert_eq!((&event["outcome"], &event["custom"]["x"]), (&"ok".into(), &1.into()), "{event}");
    let problem = event["problems"][0].as_str().unwrap();
    assert_eq!(problem, "line 1 of the run report: 'rows' has no number", "{event}");
}

#[test]
fn a_cronward_further_in_has_a_report_of_its_own() {
    let host = Host::new();
    let line = "\"$CRONWARD\" -l outer -- \"$CRONWARD\" -l inner -- env";
    let ran = host.shell(line).run();
    let text = ran.stdout_text();
    let reports: Vec<_> = text.lines().filter(|line| line.starts_with("CRONWARD_RUN_REPORT=")).collect();
    assert!(reports.len() == 1 && reports[0].contains("/jobs/inner/report-"), "{ran}");
}
