use std::ffi::OsString;
use std::time::Duration;

use super::*;
use crate::clock::Stopwatch;
use crate::job::Signal;
use crate::outcome::{Outcome, StartFailure};
use crate::plan::{Privacy, Variables};
use crate::policy::History;
use crate::sinks::http::scripted::{HttpServer, Reply, refusing_address};
use crate::sinks::sample;

const AMPLE: Duration = Duration::from_secs(30);

fn sink(target: &str) -> Arc<dyn Sink> {
    sample::opening(target, open).unwrap()
}

/// The first notice of a run that ended: that it did.
fn end_of_run(run: Run) -> Notice {
    sample::ended(sample::job("backup"), &History::default(), run).remove(0)
}

fn failed() -> Notice {
    end_of_run(sample::run(Outcome::Failed, 3, Some("exited with 3")))
}

fn tell(sink: &Arc<dyn Sink>, notices: &[Notice]) -> Result<(), String> {
    sink.deliver(notices, Deadline::after(AMPLE))
}

fn rid(notice: &Notice) -> String {
    check_in(notice).1.unwrap().to_string()
}

#[test]
fn every_end_is_told_by_the_number_or_the_word_that_the_server_reads_as_we_do() {
    let exited = |code| RunEnd::Ended(Ending::Exited(code));
    let killed = |signal| RunEnd::Ended(Ending::Killed { signal: Signal(signal), core_dumped: false });
    let not_started = RunEnd::NotStarted(StartFailure { exit_status: 127, reason: String::new() });
    let skipped = RunEnd::Skipped { exit_status: 75, reason: String::new() };
    let interrupted = RunEnd::Interrupted { reason: String::new() };
    for (outcome, end, segment) in [
        (Outcome::Ok, exited(0), "0"),
        (Outcome::Ok, exited(24), "0"),
        (Outcome::Warning, exited(7), "0"),
        (Outcome::Failed, exited(1), "1"),
        (Outcome::Failed, exited(255), "255"),
        (Outcome::Signaled, killed(9), "137"),
        (Outcome::Signaled, killed(64), "192"),
        (Outcome::Signaled, killed(128), "fail"),
        (Outcome::TimedOut, killed(15), "143"),
        (Outcome::TimedOut, exited(0), "fail"),
        (Outcome::Suspect, exited(0), "fail"),
        (Outcome::Suspect, exited(24), "24"),
        (Outcome::NotStarted, not_started, "fail"),
        (Outcome::Interrupted, interrupted, "fail"),
        (Outcome::Skipped, skipped, "log"),
        (Outcome::Stopped, RunEnd::StoppedBefore(Signal::TERM), "log"),
        (Outcome::Stopped, exited(1), "log"),
        (Outcome::Stopped, killed(15), "log"),
    ] {
        let run = Run { end, ..sample::run(outcome, 0, None) };
        assert_eq!(end_of(&run), segment, "{outcome} {:?}", run.end);
    }
}

#[test]
fn a_run_is_told_at_its_start_and_at_its_end_under_its_own_id() {
    let server = HttpServer::answering(&[]);
    let sink = sink(&server.url("/key/slug?create=1"));
    let (started, lost, failed) = (
        sample::started(sample::job("backup")),
        end_of_run(Run {
            end: RunEnd::Interrupted { reason: "the host went down".into() },
            ended_at: None,
            wall_time: None,
            ..sample::run(Outcome::Interrupted, 0, Some("the host went down"))
        }),
        failed(),
    );
    assert_eq!(tell(&sink, &[started.clone(), lost.clone(), failed.clone()]), Ok(()));
    let lines: Vec<String> = server.received().into_iter().map(|request| request.line).collect();
    assert_eq!(
        lines,
        [
            format!("POST /key/slug/start?create=1&rid={}", rid(&started)),
            format!("POST /key/slug/fail?create=1&rid={}", rid(&lost)),
            format!("POST /key/slug/3?create=1&rid={}", rid(&failed)),
        ]
    );
    let headers = &server.received()[0].headers;
    assert!(headers.contains(&"content-type: text/plain; charset=utf-8".to_owned()), "{headers:?}");
    let bodies: Vec<String> = server.received().into_iter().map(|request| request.body).collect();
    assert_eq!(
        bodies,
        [
            "backup started on db1\ncommand: pg_dump",
            "backup on db1: interrupted: the host went down\noutcome: interrupted\n\
             reason: the host went down\ncommand: pg_dump",
            "backup on db1: failed: exited with 3\noutcome: failed\nreason: exited with 3\n\
             duration: 13 ms\ncommand: pg_dump",
        ]
    );
}

#[test]
fn it_is_told_of_starts_and_ends_and_confirms_no_alert() {
    let sink = sink("https://HC.example:8000/key/slug");
    assert_eq!(sink.name(), "ping:https://hc.example:8000/…");
    assert_eq!([Topic::Start, Topic::End, Topic::Alert].map(|topic| sink.wants(topic)), [true, true, false]);
    assert!(!sink.confirms() && sink.pace() == Pace::Waiting);
}

#[test]
fn no_more_of_the_body_is_sent_than_the_server_said_it_keeps() {
    let server = HttpServer::answering(&[Reply::Head("200 OK\r\nPing-Body-Limit: 30")]);
    let sink = sink(&server.url("/x"));
    let long = end_of_run(sample::run(Outcome::Failed, 3, Some(&"é".repeat(20_000))));
    assert_eq!(tell(&sink, &[long.clone(), long]), Ok(()));
    let lengths: Vec<usize> = server.received().iter().map(|request| request.body.len()).collect();
    // The 10,000th and the 30th byte are in the midst of an é.
    assert_eq!(lengths, [9_999, 29]);
    assert!(server.received()[1].body.starts_with("backup on db1: failed: é"));
}

#[test]
fn a_sensitive_job_is_told_by_its_outcome_alone() {
    let body_for = |privacy| {
        let mut job = sample::job("back\nup");
        job.privacy = privacy;
        body(&sample::failed_because(job, "not found: 'x\u{1b}[2J'").remove(0), BODY_LIMIT)
    };
    let sensitive = Privacy { sensitive: true, send_args: true };
    assert_eq!(body_for(sensitive), "back up on db1: failed\noutcome: failed\nduration: 13 ms");
    let generous = Privacy { sensitive: false, send_args: true };
    assert_eq!(
        body_for(generous),
        "back up on db1: failed: not found: 'x'\noutcome: failed\nreason: not found: 'x'\n\
         duration: 13 ms\ncommand: pg_dump '--password=***'"
    );
}

#[test]
fn what_a_dry_run_shows_has_no_path() {
    let failed = failed();
    for (target, shown) in [
        ("https://hc.example/secret?token=secret", "https://hc.example/…"),
        ("file:/etc/hc", "file:/etc/hc"),
        ("env:HC_URL", "env:HC_URL"),
    ] {
        let previews = sink(target).preview(std::slice::from_ref(&failed));
        let expected = format!("POST {shown}/3?rid={}\n{}", rid(&failed), body(&failed, BODY_LIMIT));
        assert_eq!(previews, [expected]);
    }
}

#[test]
fn an_answer_that_is_no_success_is_an_error_that_says_what_to_do() {
    for (reply, said) in [
        (Reply::Head("404 Not Found"), "HTTP 404: not found; is the check's URL right?"),
        (Reply::Head("400 Bad Request"), "HTTP 400: bad request"),
        (Reply::Text("OK (not found)"), "HTTP 200: OK (not found); is the check's URL right?"),
        (Reply::Text("OK (rate limited)"), "HTTP 200: OK (rate limited)"),
    ] {
        let server = HttpServer::answering(&[reply]);
        assert_eq!(tell(&sink(&server.url("/secret")), &[failed()]), Err(said.to_owned()));
        assert_eq!(server.received().len(), 1, "{reply:?}");
    }
    let server = HttpServer::answering(&[Reply::Head("503 Unavailable"), Reply::Head("201 Created")]);
    assert_eq!(tell(&sink(&server.url("/x")), &[failed()]), Ok(()));
}

#[test]
fn a_notice_that_cannot_be_told_does_not_keep_the_others() {
    let server = HttpServer::answering(&[Reply::Silence]);
    let clock = Stopwatch::start();
    let (started, failed) = (sample::started(sample::job("backup")), failed());
    let limit = Duration::from_secs(2);
    let answer = sink(&server.url("/x")).deliver(&[started, failed], Deadline::after(limit));
    assert_eq!(answer, Err("timed out".to_owned()));
    assert_eq!(server.lines(), ["POST /x/start?", "POST /x/3?"]);
    assert!(clock.elapsed() < Duration::from_secs(8), "{:?}", clock.elapsed());
}

/// The end of a short run waits until its start has been told.
#[test]
fn the_news_of_a_start_takes_less_time_than_there_is() {
    let (_kept, address) = refusing_address();
    let clock = Stopwatch::start();
    let started = sample::started(sample::job("backup"));
    assert_eq!(tell(&sink(&format!("http://{address}/x")), &[started]), Err("connection refused".to_owned()));
    assert!(clock.elapsed() < Duration::from_secs(10), "{:?}", clock.elapsed());
}

#[test]
fn a_url_that_stands_elsewhere_is_read_when_it_is_needed() {
    let server = HttpServer::answering(&[]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("url");
    let sink_of_file = sink(&format!("file:{}", path.display()));
    assert_eq!(sink_of_file.name(), format!("ping:file:{}", path.display()));
    sink_of_file.prepare();
    let absent = format!("cannot read '{}': no such file or directory", path.display());
    assert_eq!(tell(&sink_of_file, &[failed()]), Err(absent));
    std::fs::write(&path, "no URL\n").unwrap();
    assert_eq!(tell(&sink_of_file, &[failed()]), Err("it is no URL".to_owned()));
    std::fs::write(&path, format!("{}\n", server.url("/x"))).unwrap();
    assert_eq!(tell(&sink_of_file, &[failed()]), Ok(()));

    let environment = [OsString::from(format!("HC_URL={}", server.url("/y")))];
    let (target, variables) = ("env:HC_URL", Variables::default());
    let opening = Opening { target, variables: &variables, environment: &environment, inherited: false };
    assert_eq!(tell(&open(&opening).unwrap(), &[failed()]), Ok(()));
    assert_eq!(tell(&sink("env:HC_URL"), &[failed()]), Err("variable 'HC_URL' is not set".to_owned()));
    assert_eq!(server.lines(), ["POST /x/3?", "POST /y/3?"]);
}

#[test]
fn what_was_written_down_as_no_url_is_refused_at_once() {
    for bad in ["", "hc.example/x", "ftp://hc.example/x", "file:", "env:"] {
        assert!(sample::opening(bad, open).is_err(), "{bad}");
    }
}
