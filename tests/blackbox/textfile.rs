//! What an exporter finds in a directory of files for Prometheus.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::libc;

use crate::support::exposition::{Family, names, parse, value};
use crate::support::situation::is_root;
use crate::support::{End, Host, Situation, eventually};

const DIR: &str = "metrics";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A host with a directory, and the sink that writes there.
fn host() -> (Host, String) {
    let host = Host::new();
    fs::create_dir(host.path(DIR)).unwrap();
    let sink = format!("textfile:{}", host.path(DIR).display());
    (host, sink)
}

fn options<'a>(label: &'a str, sink: &'a str) -> [&'a str; 4] {
    ["-l", label, "--sink", sink]
}

/// The names in the directory.
fn files(host: &Host) -> Vec<String> {
    let entries = fs::read_dir(host.path(DIR)).unwrap().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read(host: &Host, file: &str) -> Vec<Family> {
    let text = fs::read_to_string(host.path(DIR).join(file)).unwrap_or_else(|why| panic!("{file}: {why}"));
    parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// A value of job `job`.
fn of_job(host: &Host, name: &str) -> Option<f64> {
    value(&read(host, "cronward_job.prom"), &format!("cronward_{name}"), &[])
}

/// How many runs of job `job` had this outcome.
fn runs(host: &Host, outcome: &str) -> f64 {
    let families = read(host, "cronward_job.prom");
    value(&families, "cronward_runs_total", &[("outcome", outcome)]).expect("every outcome has a counter")
}

#[test]
fn every_job_has_a_file_that_the_exporter_may_read() {
    let (host, sink) = host();
    let closed = Situation { umask: Some(0o077), ..Situation::default() };
    for label in ["job", "../a \"b\"\\\n", "cronward-check", "é"] {
        let options = [&options(label, &sink)[..], &["-t", "env:prod", "-t", "job:x"]].concat();
        let ran = host.wrap(&options, "exit 3").situation(&closed).run();
        assert_eq!(ran.end(), End::Code(3), "{ran}");
    }
    let found = files(&host);
    assert_eq!(
        found,
        [
            "cronward_%2E.%2Fa%20%22b%22%5C%0A.prom",
            "cronward_%C3%A9.prom",
            "cronward_cronward-check.prom",
            "cronward_job.prom"
        ]
    );
    for name in &found {
        assert_eq!(host.path(DIR).join(name).metadata().unwrap().permissions().mode() & 0o7777, 0o644);
    }
    let families = read(&host, &found[0]);
    let labels = [("task", "../a \"b\"\\\n"), ("env", "prod"), ("tag_job", "x")];
    assert_eq!(value(&families, "cronward_last_run_exit_code", &labels), Some(3.0), "{families:#?}");
    let duration = value(&families, "cronward_last_run_duration_seconds", &labels).expect("a wall time");
    assert!(duration > 0.0 && duration < 60.0, "{families:#?}");
}

#[test]
fn the_last_run_is_told_and_every_run_is_counted() {
    let (host, sink) = host();
    let options = [&options("job", &sink)[..], &["--alert-after", "2", "--warn-codes", "7"]].concat();
    let report = "echo rows=12.5 >>$CRONWARD_RUN_REPORT; echo tag:db=shop >>$CRONWARD_RUN_REPORT";
    for (line, open, in_a_row) in
        [(report, 0.0, 0.0), ("exit 3", 0.0, 1.0), ("kill -KILL $$", 1.0, 2.0), ("exit 7", 0.0, 0.0)]
    {
        let ran = host.wrap(&options, line).run();
        let found =
            ["alert_open", "consecutive_failures", "history_readable"].map(|name| of_job(&host, name));
        assert_eq!(found, [Some(open), Some(in_a_row), Some(1.0)], "{line}\n{ran}");
        let told = [
            of_job(&host, "last_run_custom"),
            of_job(&host, "last_run_exit_code"),
            of_job(&host, "last_run_signal"),
        ];
        let expected = match line {
            "exit 3" => [None, Some(3.0), None],
            "exit 7" => [None, Some(7.0), None],
            "kill -KILL $$" => [None, None, Some(9.0)],
            _ => [Some(12.5), Some(0.0), None],
        };
        assert_eq!(told, expected, "{line}\n{ran}");
    }
    let counts = ["ok", "warning", "failed", "signaled", "skipped"].map(|outcome| runs(&host, outcome));
    assert_eq!(counts, [1.0, 1.0, 1.0, 1.0, 0.0]);
    let families = read(&host, "cronward_job.prom");
    let outcome = |word| value(&families, "cronward_last_run_outcome", &[("outcome", word)]);
    assert_eq!((outcome("warning"), outcome("ok")), (Some(1.0), Some(0.0)));
    assert!(of_job(&host, "last_success_timestamp_seconds") == of_job(&host, "last_run_timestamp_seconds"));
}

#[test]
fn the_namespace_is_the_front_of_every_name() {
    let (host, sink) = host();
    let options = [&options("job", &sink)[..], &["--namespace", "ops.db-1"]].concat();
    host.wrap(&options, "exit 0").run();
    let families = read(&host, "cronward_job.prom");
    assert!(names(&families).iter().all(|name| name.starts_with("ops_db_1_")), "{families:#?}");
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_of_the_sink_and_nothing_else() {
    let (host, sink) = host();
    let mut places = vec![("textfile:/no/such/directory".to_owned(), "there is no such directory; make it")];
    fs::create_dir(host.path("metrics/cronward_job.prom")).unwrap();
    places.push((sink, "'cronward_job.prom' is not a regular file; move it away"));
    if !is_root() {
        fs::create_dir(host.path("closed")).unwrap();
        fs::set_permissions(host.path("closed"), fs::Permissions::from_mode(0o500)).unwrap();
        let sink = format!("textfile:{}", host.path("closed").display());
        let said = "'.cronward_job.prom.tmp' cannot be written: permission denied; let this user write in that directory";
        places.push((sink, said));
    }
    for (sink, said) in places {
        let options = ["-l", "job", "--alert-after", "9", "--sink", &sink, "--sink", &host.log()];
        let ran = host.wrap(&options, "echo out; exit 3").run();
        assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(3), "out\n"), "{ran}");
        assert!(ran.stderr.is_empty(), "{ran}");
        let event = host.events().pop().expect("an event");
        assert_eq!(event["sink_errors"], serde_json::json!([format!("{sink}: {said}")]), "{event}");
    }
}

#[test]
fn a_relative_directory_is_a_usage_error() {
    let (host, _) = host();
    let ran = host.wrap(&["-l", "job", "--sink", "textfile:metrics"], "echo out").run();
    assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(125), ""), "{ran}");
    assert!(ran.stderr_text().contains("'metrics' is relative; write an absolute path"), "{ran}");
}

#[test]
fn a_dry_run_shows_the_text_and_writes_nothing() {
    let (host, sink) = host();
    let ran = host.wrap(&[&options("job", &sink)[..], &["--dry-run"]].concat(), "exit 0").run();
    let shown = ran.stdout_text();
    let file = host.path(DIR).join("cronward_job.prom").display().to_string();
    for line in [
        &file[..],
        "cronward_runs_total{task=\"job\",outcome=\"ok\"} 1",
        "cronward_alert_open{task=\"job\"} 1",
    ] {
        assert!(shown.contains(&format!(" {line}\n")), "{line}\n{ran}");
    }
    assert!(files(&host).is_empty(), "{ran}");
}

/// The run that died is counted by the next one, and nothing is counted twice.
#[test]
fn counters_outlive_a_cronward_that_was_killed_and_many_at_once() {
    let (host, sink) = host();
    let options = [&options("job", &sink)[..], &["--alert-after", "99"]].concat();
    let dying = host.wrap(&options, "kill -KILL $PPID").run();
    assert_eq!(dying.end(), End::Signal(libc::SIGKILL));
    assert!(files(&host).is_empty());
    // What a writer leaves behind that was killed.
    fs::write(host.path("metrics/.cronward_job.prom.tmp"), "# half").unwrap();
    for line in ["exit 0", "exit 1"] {
        let all: Vec<_> = (0..20).map(|_| host.wrap(&options, line).start()).collect();
        for running in all {
            let ran = running.wait();
            assert!(ran.stderr.is_empty(), "{ran}");
        }
    }
    let counts = ["ok", "failed", "interrupted"].map(|outcome| runs(&host, outcome));
    assert_eq!((counts, of_job(&host, "consecutive_failures")), ([20.0, 20.0, 1.0], Some(20.0)));
    assert_eq!(files(&host), ["cronward_job.prom"]);
}

#[test]
fn a_history_that_cannot_be_read_costs_no_counter() {
    let (host, sink) = host();
    fs::write(host.path("file"), "").unwrap();
    host.wrap(&options("job", &sink), "exit 0").run();
    let ran = host.wrap(&[&options("job", &sink)[..], &["--state-dir", "file"]].concat(), "exit 3").run();
    assert_eq!((runs(&host, "ok"), runs(&host, "failed")), (1.0, 0.0), "{ran}");
    let told = ["history_readable", "last_run_exit_code", "alert_open"].map(|name| of_job(&host, name));
    assert_eq!(told, [Some(0.0), Some(3.0), Some(0.0)], "{ran}");
    host.wrap(&options("job", &sink), "exit 3").run();
    assert_eq!((runs(&host, "ok"), runs(&host, "failed")), (1.0, 1.0));
    assert_eq!(["history_readable", "alert_open"].map(|name| of_job(&host, name)), [Some(1.0); 2]);
}

#[test]
fn a_job_that_was_forgotten_is_counted_anew() {
    let (host, sink) = host();
    for code in [1, 1, 0] {
        host.wrap(&options("job", &sink), &format!("exit {code}")).run();
    }
    assert_eq!(host.cronward(["forget", "job"]).run().end(), End::Code(0));
    let ran = host.wrap(&options("job", &sink), "exit 0").run();
    assert_eq!((runs(&host, "ok"), runs(&host, "failed")), (1.0, 0.0), "{ran}");
}

#[test]
fn a_run_that_is_skipped_is_told_as_such() {
    let (host, sink) = host();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let options = [&options("job", &sink)[..], &["--lock"]].concat();
    let first = host.wrap(&options, "echo ready >ready; read x <hold").start();
    assert_eq!(ready.line(), "ready");
    let skipped = host.wrap(&options, "exit 1").run();
    assert_eq!(skipped.end(), End::Code(75), "{skipped}");
    assert_eq!((runs(&host, "skipped"), of_job(&host, "last_run_exit_code")), (1.0, None), "{skipped}");
    hold.say("go");
    first.wait();
    let counts = ["ok", "skipped"].map(|outcome| runs(&host, outcome));
    assert_eq!((counts, of_job(&host, "last_run_exit_code")), ([1.0, 1.0], Some(0.0)));
}

/// A rule that waits for the end of a run that hangs waits for ever.
#[test]
fn an_alert_is_told_while_its_run_goes_on() {
    let (host, sink) = host();
    let hold = host.fifo("hold");
    let options = [&options("job", &sink)[..], &["--expect", "..100ms"]].concat();
    let running = host.wrap(&options, "read x <hold").start();
    // Until it has its name, it has another one.
    let is_there = || files(&host).iter().any(|name| name == "cronward_job.prom");
    eventually("the alert is told", || is_there() && of_job(&host, "alert_open") == Some(1.0));
    hold.say("go");
    let ran = running.wait();
    assert_eq!((of_job(&host, "alert_open"), runs(&host, "suspect")), (Some(1.0), 1.0), "{ran}");
    host.wrap(&[&options[..2], &["--sink", &sink]].concat(), "exit 0").run();
    assert_eq!(of_job(&host, "alert_open"), Some(0.0));
}

#[test]
fn a_check_leaves_the_time_and_the_alerts_that_it_has_opened() {
    let (host, sink) = host();
    host.wrap(&[&options("job", &sink)[..], &["--max-age", "1d"]].concat(), "exit 0").run();
    let check = |status| {
        let ran = host.cronward(["check"]).env("CRONWARD_SINK", &sink).run();
        assert_eq!(ran.end(), End::Code(status), "{ran}");
        let families = read(&host, "cronward-check.prom");
        assert_eq!(names(&families).len(), 1, "{families:#?}");
        value(&families, "cronward_check_timestamp_seconds", &[]).expect("when it was")
    };
    let first = check(0);
    assert!(first > 1e9 && of_job(&host, "alert_open") == Some(0.0));
    let before = read(&host, "cronward_job.prom");
    host.age(2 * DAY);
    assert!(check(2) >= first && of_job(&host, "alert_open") == Some(1.0));
    // And nothing else has changed.
    let mut after = read(&host, "cronward_job.prom");
    after.last_mut().expect("a family").samples[0].value = 0.0;
    assert_eq!(after, before);
    assert_eq!(files(&host), ["cronward-check.prom", "cronward_job.prom"]);
}

/// The end of a run that is told by HTTP, as a pushgateway takes it.
#[cfg(feature = "http")]
mod pushgateway {
    use super::*;
    use crate::support::http::{HttpServer, Reply};

    const GROUP: &str = "/metrics/job/cronward/instance/";

    #[test]
    fn the_same_is_put_where_it_outlives_the_host() {
        let (host, textfile) = host();
        let server = HttpServer::answering(&[]);
        let push = format!("pushgateway:{}", server.url("/"));
        for label in ["job", "a/b"] {
            let options = [&options(label, &push)[..], &["--sink", &textfile]].concat();
            let ran = host.wrap(&options, "exit 3").run();
            assert_eq!(ran.end(), End::Code(3), "{ran}");
        }
        let received = server.received();
        assert_eq!(received.len(), 2, "{received:#?}");
        for (request, end) in received.iter().zip(["/task/job", "/task@base64/YS9i"]) {
            let fine = request.line.starts_with(&format!("PUT {GROUP}")) && request.line.ends_with(end);
            assert!(fine, "{request:#?}");
        }
        let written = fs::read_to_string(host.path("metrics/cronward_job.prom")).unwrap();
        assert_eq!(received[0].body, written);
    }

    #[test]
    fn a_history_that_cannot_be_read_replaces_no_counter() {
        let (host, _) = host();
        fs::write(host.path("file"), "").unwrap();
        let server = HttpServer::answering(&[]);
        let push = format!("pushgateway:{}", server.url(""));
        host.wrap(&[&options("job", &push)[..], &["--state-dir", "file"]].concat(), "exit 3").run();
        let received = server.received();
        assert!(received.len() == 1 && received[0].line.starts_with("POST "), "{received:#?}");
        assert!(!received[0].body.contains("_total"), "{received:#?}");
    }

    #[test]
    fn an_answer_is_quoted_and_a_path_is_shown_to_nobody() {
        let (host, _) = host();
        let refuses = Reply::Head("400 Bad Request");
        let server = HttpServer::answering(&[refuses]);
        let push = format!("pushgateway:{}", server.url("/SECRET"));
        let options = ["-l", "job", "--sink", &push, "--sink", &host.log(), "--summary", "always"];
        let ran = host.wrap(&options, "exit 0").run();
        let event = host.events().pop().expect("an event");
        let said = format!("pushgateway:{}/…: HTTP 400: bad request", server.url(""));
        assert_eq!(event["sink_errors"], serde_json::json!([said]), "{ran}");
        let shown = host.wrap(&[&options[..], &["--dry-run"]].concat(), "exit 0").run();
        let request = format!(" PUT {}/…{GROUP}", server.url(""));
        assert!(shown.stdout_text().contains(&request), "{shown}");
        assert!(!(ran.stderr_text() + &shown.stdout_text()).contains("SECRET"), "{ran}{shown}");
    }
}
