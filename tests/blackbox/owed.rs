//! Alerts that could not be delivered, and how they reach their sinks all the same.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::support::{End, Host, Running};

const SEVEN_DAYS: Duration = Duration::from_secs(7 * 24 * 3600);

/// A sink that takes charge of an alert once there is a file of this name, and counts how often it is asked.
fn sink(host: &Host, name: &str) -> String {
    let at = |what: &str| host.path(&format!("{name}.{what}")).display().to_string();
    format!("exec:echo >>'{}'; test -e '{}' && cat >>'{}'", at("asked"), at("up"), at("told"))
}

fn up(host: &Host, name: &str) {
    fs::write(host.path(&format!("{name}.up")), "").unwrap();
}

fn asked(host: &Host, name: &str) -> usize {
    fs::read_to_string(host.path(&format!("{name}.asked"))).unwrap_or_default().lines().count()
}

fn told(host: &Host, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(host.path(&format!("{name}.told"))).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Kind and label of what a sink was told, in order.
fn kinds(host: &Host, name: &str) -> Vec<String> {
    let text = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
    told(host, name).iter().map(|event| format!("{} {}", text(event, "kind"), text(event, "label"))).collect()
}

/// One run of a job with this sink; what it said on stderr.
fn run(host: &Host, label: &str, sink: &str, code: u8) -> String {
    let ran = host.wrap(&["-l", label, "--sink", sink], &format!("exit {code}")).run();
    assert_eq!(ran.end(), End::Code(i32::from(code)), "{ran}");
    ran.stderr_text()
}

/// The time that a sink is left alone after a failure is over.
fn pause_is_over(host: &Host) {
    let _ = fs::remove_file(host.state_dir().join("backoff.json"));
}

#[test]
fn an_alert_that_nobody_took_reaches_its_sink_with_its_recovery_by_the_next_runs_of_the_job() {
    let host = Host::new();
    let sink = sink(&host, "mail");
    let said = run(&host, "job", &sink, 3);
    assert!(said.contains("job is failing on"), "cron mails it: {said}");
    let said = run(&host, "job", &sink, 0);
    assert!(said.contains("job has recovered on"), "{said}");
    assert!(told(&host, "mail").is_empty());
    up(&host, "mail");
    pause_is_over(&host);
    assert_eq!(run(&host, "job", &sink, 0), "");
    assert_eq!(kinds(&host, "mail"), ["alert.opened job", "alert.closed job"]);
    let told = told(&host, "mail");
    assert_eq!(told[0]["alert"]["id"], told[1]["alert"]["id"]);
    assert_eq!((&told[0]["run"]["outcome"], &told[0]["run"]["exit_code"]), (&"failed".into(), &3.into()));
    run(&host, "job", &sink, 0);
    assert_eq!(kinds(&host, "mail").len(), 2, "and no more");
    assert!(!host.state_dir().join("owed").exists() && !host.state_dir().join("backoff.json").exists());
}

#[test]
fn what_a_job_owes_is_delivered_by_the_end_of_any_run() {
    let host = Host::new();
    let own = sink(&host, "mail");
    run(&host, "job", &own, 1);
    up(&host, "mail");
    assert_eq!(run(&host, "other", "none", 0), "");
    assert!(told(&host, "mail").is_empty(), "a sink that failed is left alone for a while");
    pause_is_over(&host);
    assert_eq!(run(&host, "other", "none", 0), "");
    assert_eq!(kinds(&host, "mail"), ["alert.opened job"]);
}

#[test]
fn an_outage_costs_some_run_an_attempt_and_not_each() {
    let host = Host::new();
    let own = sink(&host, "mail");
    run(&host, "job", &own, 1);
    for label in ["a", "b", "c"] {
        run(&host, label, "none", 0);
        run(&host, "job", &own, 1);
    }
    assert_eq!(asked(&host, "mail"), 1);
    pause_is_over(&host);
    run(&host, "a", "none", 0);
    run(&host, "b", "none", 0);
    assert_eq!(asked(&host, "mail"), 2);
}

#[test]
fn flush_delivers_what_all_jobs_owe_at_once_and_says_what_became_of_it() {
    let host = Host::new();
    let nothing = host.cronward(["flush"]).run();
    assert_eq!((nothing.end(), nothing.stdout_text()), (End::Code(0), "nothing is owed\n".into()));
    let own = sink(&host, "mail");
    run(&host, "a", &own, 1);
    run(&host, "b", &own, 1);
    run(&host, "b", &own, 0);
    let down = host.cronward(["flush"]).run();
    assert_eq!(down.end(), End::Code(1), "{down}");
    let text = down.stdout_text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("a: 'exec:echo' is still owed 1 alert or recovery (the first "), "{down}");
    assert!(lines[0].ends_with(": exit status 1"), "{down}");
    assert!(lines[1].starts_with("b: 'exec:echo' is still owed 2 alerts and recoveries"), "{down}");
    up(&host, "mail");
    let paid = host.cronward(["flush"]).run();
    assert_eq!(paid.end(), End::Code(0), "{paid}");
    let text = "a: 'exec:echo' was told of 1 alert or recovery\nb: 'exec:echo' was told of 2 alerts and recoveries\n";
    assert_eq!(paid.stdout_text(), text);
    assert_eq!(kinds(&host, "mail"), ["alert.opened a", "alert.opened b", "alert.closed b"]);
    let again = host.cronward(["flush"]).run();
    assert_eq!(again.stdout_text(), "nothing is owed\n");
    let bad = host.cronward(["flush", "job"]).run();
    assert_eq!(bad.end(), End::Code(125), "{bad}");
}

#[test]
fn check_warns_of_what_has_not_been_delivered_and_delivers_it() {
    let host = Host::new();
    let own = sink(&host, "mail");
    run(&host, "job", &own, 1);
    run(&host, "job", &own, 0);
    let checked = host.cronward(["check"]).run();
    assert_eq!(checked.end(), End::Code(1), "{checked}");
    let warning = "CRONWARD WARNING - job: 2 alerts and recoveries not delivered to exec:echo for ";
    assert!(checked.stdout_text().contains(warning), "{checked}");
    up(&host, "mail");
    pause_is_over(&host);
    let checked = host.cronward(["check"]).run();
    assert_eq!(checked.end(), End::Code(0), "{checked}");
    assert_eq!(kinds(&host, "mail"), ["alert.opened job", "alert.closed job"]);
}

#[test]
fn who_has_taken_an_alert_is_not_told_again_because_another_has_not() {
    let host = Host::new();
    let (mail, sms) = (sink(&host, "mail"), sink(&host, "sms"));
    up(&host, "mail");
    let ran = host.wrap(&["-l", "job", "--sink", &mail, "--sink", &sms], "exit 1").run();
    assert!(ran.stderr.is_empty(), "somebody has been told\n{ran}");
    up(&host, "sms");
    host.cronward(["flush"]).run();
    assert_eq!(kinds(&host, "mail"), ["alert.opened job"]);
    assert_eq!(kinds(&host, "sms"), ["alert.opened job"]);
}

#[test]
fn an_alert_outlives_the_death_of_cronward_while_it_tells_it() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let hanging = "exec:if test -e up; then cat >>told; else echo ready >ready; read x <hold; fi";
    let running: Running<'_> = host.wrap(&["-l", "job", "--sink", hanging], "exit 1").start();
    assert_eq!(ready.line(), "ready");
    running.signal(9);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Signal(9), "{ran}");
    fs::write(host.path("up"), "").unwrap();
    let flushed = host.cronward(["flush"]).run();
    assert_eq!(flushed.end(), End::Code(0), "{flushed}");
    let told: Value = serde_json::from_str(&fs::read_to_string(host.path("told")).unwrap()).unwrap();
    assert_eq!((&told["kind"], &told["run"]["exit_code"]), (&"alert.opened".into(), &1.into()));
}

#[test]
fn many_runs_at_once_deliver_what_is_owed_once() {
    let host = Host::new();
    let own = sink(&host, "mail");
    run(&host, "job", &own, 1);
    up(&host, "mail");
    pause_is_over(&host);
    let labels: Vec<String> = (0..20).map(|number| format!("other{number}")).collect();
    let runs: Vec<Running<'_>> =
        labels.iter().map(|label| host.wrap(&["-l", label, "--sink", "none"], "exit 0").start()).collect();
    for running in runs {
        assert_eq!(running.wait().end(), End::Code(0));
    }
    assert_eq!(kinds(&host, "mail"), ["alert.opened job"]);
}

#[test]
fn after_seven_days_it_is_said_that_nobody_tries_any_more() {
    let host = Host::new();
    let own = sink(&host, "mail");
    run(&host, "job", &own, 1);
    host.age(SEVEN_DAYS + Duration::from_secs(60));
    let said = run(&host, "job", &own, 1);
    assert!(said.contains("job: 'exec:echo' was never told of the alert of "), "{said}");
    assert!(said.contains("nobody tries any more"), "{said}");
    assert_eq!(run(&host, "job", &own, 1), "");
    up(&host, "mail");
    assert_eq!(host.cronward(["flush"]).run().stdout_text(), "nothing is owed\n");
}

#[test]
fn a_state_directory_that_cannot_be_written_costs_no_alert() {
    let host = Host::new();
    up(&host, "mail");
    let own = sink(&host, "mail");
    let ran = host.wrap(&["-l", "job", "--sink", &own, "--state-dir", "/proc/nowhere"], "exit 1").run();
    assert_eq!(ran.end(), End::Code(1), "{ran}");
    assert_eq!(kinds(&host, "mail"), ["alert.opened job"]);
}

#[test]
fn where_there_are_no_locks_to_be_had_an_alert_is_told_all_the_same_and_once() {
    let host = Host::new();
    let sink = sink(&host, "mail");
    up(&host, "mail");
    run(&host, "job", &sink, 0);
    let lock = host.state_dir().join("jobs/job/lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    run(&host, "job", &sink, 1);
    assert_eq!(kinds(&host, "mail"), ["alert.opened job"]);
    run(&host, "job", &sink, 1);
    assert_eq!(kinds(&host, "mail").len(), 1, "it is on record that it was told");
    run(&host, "job", &sink, 0);
    assert_eq!(kinds(&host, "mail"), ["alert.opened job", "alert.closed job"]);
}

#[test]
fn a_job_that_is_forgotten_owes_nothing() {
    let host = Host::new();
    let own = sink(&host, "mail");
    run(&host, "job", &own, 1);
    let forgotten = host.cronward(["forget", "job"]).run();
    assert_eq!(forgotten.end(), End::Code(0), "{forgotten}");
    assert!(forgotten.stderr_text().contains("the job is forgotten"), "it was told to nobody\n{forgotten}");
    assert!(!host.state_dir().join("owed").exists());
    assert_eq!(host.cronward(["flush"]).run().stdout_text(), "nothing is owed\n");
}
