//! What a server of healthchecks.io's kind is told of a run.

use std::fs;

use crate::support::http::{HttpServer, Reply, refusing_address};
use crate::support::{End, Host, Running, eventually};

/// The run that a request is about.
fn rid(line: &str) -> &str {
    line.split_once("rid=").expect("every request names its run").1
}

fn options<'a>(label: &'a str, sink: &'a str) -> [&'a str; 4] {
    ["-l", label, "--sink", sink]
}

#[test]
fn a_run_is_told_at_its_start_and_at_its_end_with_its_exit_status_and_its_id() {
    let host = Host::new();
    for (name, line, expected) in [
        ("ok", "exit 0", "0"),
        ("failed", "exit 3", "3"),
        ("signaled", "kill -KILL $$", "137"),
        ("as-is", "exit 255", "255"),
    ] {
        let server = HttpServer::answering(&[]);
        let sink = format!("ping:{}", server.url("/key/slug?create=1"));
        let ran = host.wrap(&options(name, &sink), line).run();
        let lines = ["POST /key/slug/start?create=1&", &format!("POST /key/slug/{expected}?create=1&")];
        assert_eq!(server.lines(), lines, "{ran}");
        let received = server.received();
        assert_eq!(rid(&received[0].line), rid(&received[1].line), "{ran}");
        assert!(received[1].headers.contains(&"content-type: text/plain; charset=utf-8".to_owned()));
        let body = &received[1].body;
        assert!(body.starts_with(&format!("{name} on ")) && body.contains("\nduration: "), "{body}");
    }
}

#[test]
fn a_run_that_did_not_do_its_work_without_failing_at_it_is_no_success_to_the_server() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let sink = format!("ping:{}", server.url("/x"));
    for (label, arguments) in [
        ("timed-out", &["--timeout", "100ms", "--", "sh", "-c", "trap 'exit 0' TERM; sleep 60 & wait"][..]),
        ("not-started", &["--", "no-such-command-at-all"]),
        ("warning", &["--warn-codes", "7", "--", "sh", "-c", "exit 7"]),
    ] {
        host.cronward([&options(label, &sink), arguments].concat()).run();
    }
    assert_eq!(
        server.lines(),
        ["POST /x/start?", "POST /x/fail?", "POST /x/fail?", "POST /x/start?", "POST /x/0?"]
    );
}

#[test]
fn a_run_that_is_skipped_or_told_to_stop_is_noted_and_no_more() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let server = HttpServer::answering(&[]);
    let sink = format!("ping:{}", server.url("/x"));
    let options = ["-l", "job", "--lock", "--sink", &sink];
    let first: Running<'_> = host.wrap(&options, "echo ready >ready; read x <hold").start();
    assert_eq!(ready.line(), "ready");
    let skipped = host.wrap(&options, "exit 1").run();
    assert_eq!(skipped.end(), End::Code(75), "{skipped}");
    eventually("both runs have been told of", || server.received().len() == 2);
    let received = server.received();
    assert_ne!(rid(&received[0].line), rid(&received[1].line));
    // The skipped run has no start, and which of the two comes first is open.
    let mut lines = server.lines();
    lines.sort();
    assert_eq!(lines, ["POST /x/log?", "POST /x/start?"]);
    // It dies of that; were it let go too, it might have ended well before.
    first.signal(nix::libc::SIGTERM);
    let stopped = first.wait();
    assert_eq!(server.lines().last().map(String::as_str), Some("POST /x/log?"), "{stopped}");
}

/// Also when cronward dies.
#[test]
fn a_run_that_was_found_dead_is_told_under_its_own_id() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let sink = format!("ping:{}", server.url("/x"));
    let line = "while ! test -e told; do :; done; kill -KILL $PPID";
    let dying = host.wrap(&options("job", &sink), line).start();
    eventually("the start was told", || server.received().len() == 1);
    fs::write(host.path("told"), "").unwrap();
    assert_eq!(dying.wait().end(), End::Signal(nix::libc::SIGKILL));
    let ran = host.wrap(&options("job", &sink), "exit 0").run();
    assert_eq!(server.lines(), ["POST /x/start?", "POST /x/start?", "POST /x/fail?", "POST /x/0?"], "{ran}");
    let received = server.received();
    let ids: Vec<&str> = received.iter().map(|request| rid(&request.line)).collect();
    assert_eq!((ids[0], ids[1]), (ids[2], ids[3]), "{ran}");
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_server_that_is_out_of_order_for_a_moment_is_told_again() {
    let host = Host::new();
    let server = HttpServer::answering(&[
        Reply::Head("200 OK"),
        Reply::Head("503 Unavailable"),
        Reply::Head("429 Slow\r\nRetry-After: 1"),
        Reply::Hangup,
    ]);
    let ping = format!("ping:{}", server.url("/x"));
    let jsonl = format!("jsonl:{}", host.path("events.jsonl").display());
    let ran = host.wrap(&["-l", "job", "--sink", &ping, "--sink", &jsonl], "exit 0").run();
    assert_eq!(server.lines()[1..], ["POST /x/0?"; 4], "{ran}");
    let events = fs::read_to_string(host.path("events.jsonl")).unwrap();
    assert!(!events.contains("sink_errors"), "{events}");
}

/// Neither the messages nor what stays on the host has more of the URL than scheme and host.
#[test]
fn a_url_is_a_secret() {
    let host = Host::new();
    let (_kept, address) = refusing_address();
    let server = HttpServer::answering(&[Reply::Head("404 Not Found"), Reply::Head("404 Not Found")]);
    let jsonl = format!("jsonl:{}", host.path("events.jsonl").display());
    for url in [format!("http://{address}/SECRET"), server.url("/SECRET"), "http://h/SECRET SECRET".into()] {
        let ping = format!("ping:{url}");
        let options =
            ["-l", "job", "--flush-deadline", "3s", "--sink", &ping, "--sink", &jsonl, "--summary", "always"];
        for options in [&options[..], &[&options[..], &["--dry-run"]].concat()] {
            let ran = host.wrap(options, "exit 3").run();
            let said = ran.stdout_text() + &ran.stderr_text();
            assert!(!said.is_empty() && !said.contains("SECRET"), "{ran}");
        }
    }
    let events = fs::read_to_string(host.path("events.jsonl")).unwrap();
    for said in [
        format!("\"ping:http://{address}/…: connection refused\""),
        "HTTP 404: not found; is the check's URL right?".to_owned(),
    ] {
        assert!(events.contains(&said), "{said}: {events}");
    }
    assert!(!events.contains("SECRET"), "{events}");
    assert!(!host.journal("job").outcomes().is_empty());
}

/// What a cronward further in inherits never has a literal secret in it.
#[test]
fn the_command_does_not_see_a_url_that_stands_in_a_variable_of_ours() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let list = format!("jsonl:events.jsonl ping:{} ping:file:/nonexistent/url", server.url("/SECRET"));
    let ran = host.wrap(&["-l", "job"], "env").env("CRONWARD_SINK", list).run();
    assert!(
        ran.stdout_text().contains("\nCRONWARD_SINK=jsonl:events.jsonl ping:file:/nonexistent/url\n"),
        "{ran}"
    );
    assert!(!ran.stdout_text().contains("SECRET"), "{ran}");
    assert_eq!(server.lines(), ["POST /SECRET/start?", "POST /SECRET/0?"]);
}

#[test]
fn a_url_may_stand_in_a_file_or_a_variable() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    fs::write(host.path("url"), server.url("/file\n")).unwrap();
    for sink in ["ping:file:url", "ping:env:HC_URL"] {
        let ran = host.wrap(&options("job", sink), "exit 0").env("HC_URL", server.url("/env")).run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
    }
    assert_eq!(server.lines(), ["POST /file/start?", "POST /file/0?", "POST /env/start?", "POST /env/0?"]);
}

#[test]
fn what_would_be_sent_is_shown_and_not_sent() {
    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let sink = format!("ping:{}", server.url("/x"));
    let ran = host.wrap(&["-l", "job", "--sink", &sink, "--dry-run"], "exit 0").run();
    let shown = ran.stdout_text();
    let origin = server.url("");
    for segment in ["start", "0", "1"] {
        assert!(shown.contains(&format!(" POST {origin}/…/{segment}?rid=")), "{shown}");
    }
    assert!(server.received().is_empty(), "{ran}");
}
