//! Runs that take too long, and what is said of them while they do.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use serde_json::Value;

use crate::support::{End, Fifo, Host, Running, eventually, process_state};

/// What a run may take at most that is held to it; no more than a lower bound of what a test takes.
const MAX: [&str; 2] = ["--expect", "..100ms"];

/// A line that is ready, waits for a word and exits with this code.
fn held(code: u8) -> String {
    format!("echo out; read x <hold; exit {code}")
}

/// A host, and the FIFO that its jobs are held at.
fn host() -> (Host, Fifo) {
    let host = Host::new();
    let hold = host.fifo("hold");
    (host, hold)
}

/// A run of `job` that is held, with these options; it logs to the file, and to the FIFO `told`.
fn start<'h>(host: &'h Host, options: &[&str], code: u8) -> Running<'h> {
    let told = format!("jsonl:{}", host.path("told").display());
    let sinks = ["-l", "job", "--sink", &host.log(), "--sink", &told];
    host.wrap(&[&sinks[..], options].concat(), &held(code)).start()
}

/// The next event that a FIFO is told.
fn next(told: &Fifo) -> Value {
    let line = told.line();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().expect("a kind")).collect()
}

#[test]
fn a_job_that_runs_on_is_overdue_again_and_again_and_ends_as_it_ends() {
    let (host, hold) = host();
    let told = host.fifo("told");
    let began = Instant::now();
    let running = start(&host, &["--warn-after", "100ms"], 7);
    let started = next(&told);
    let overdue = [next(&told), next(&told), next(&told)];
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    for event in &overdue {
        assert_eq!(event["kind"], "run.overdue", "{event}");
        // One that a busy host has missed is left out.
        let millis = event["duration_ms"].as_f64().expect("a time so far");
        assert!(millis >= 100.0 && millis % 100.0 == 0.0, "{event}");
        let reason = event["reason"].as_str().expect("a reason");
        assert!(reason.starts_with("still running after ") && !reason.contains("expected"), "{event}");
        for field in ["run_id", "pid", "started_at", "argv", "label", "host"] {
            assert!(event[field] == started[field] && !event[field].is_null(), "{field} in {event}");
        }
        assert!(event.get("outcome").is_none() && event.get("alert").is_none(), "{event}");
    }
    for pair in overdue.windows(2) {
        assert!(pair[0]["duration_ms"].as_f64() < pair[1]["duration_ms"].as_f64(), "{overdue:#?}");
        assert_ne!(pair[0]["id"], pair[1]["id"], "{overdue:#?}");
    }
    hold.say("go");
    let ran = running.wait();
    assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(7), "out\n"), "{ran}");
    let finished = host.events().into_iter().find(|event| event["kind"] == "run.finished").unwrap();
    assert_eq!(finished["outcome"], "failed", "to be overdue is no outcome: {finished}");
}

#[test]
fn a_job_that_ends_in_time_hears_nothing() {
    let host = Host::new();
    let options = ["-l", "job", "--sink", &host.log(), "--warn-after", "1h", "--expect", "..1h"];
    let ran = host.wrap(&options, "true").run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert_eq!(kinds(&host.events()), ["run.started", "run.finished"]);
}

#[test]
fn a_run_beyond_its_maximum_opens_the_alert_while_it_runs_and_counts_once() {
    let (host, hold) = host();
    let told = host.fifo("told");
    let alert = "exec:cat >event; env >facts; echo told >charge";
    let charge = host.fifo("charge");
    let running = start(&host, &[&MAX[..], &["--sink", alert]].concat(), 0);
    assert_eq!(charge.line(), "told");
    assert!(!running.has_ended(), "somebody is told while there is still something to be done");
    let event: Value = serde_json::from_str(&fs::read_to_string(host.path("event")).unwrap()).unwrap();
    let reason = "still running after 100 ms, the most that is expected";
    assert_eq!((&event["kind"], &event["reason"]), (&"alert.opened".into(), &reason.into()), "{event}");
    assert_eq!(event["alert"]["failures"], 1, "{event}");
    let run = &event["run"];
    assert!(run["pid"].is_u64() && run.get("outcome").is_none() && run.get("duration_ms").is_none(), "{run}");
    let facts = fs::read_to_string(host.path("facts")).unwrap();
    for fact in [
        &format!("CRONWARD_EVENT_REASON={reason}\n")[..],
        &format!("CRONWARD_EVENT_RUN_ID={}\n", run["run_id"].as_str().unwrap()),
        "CRONWARD_EVENT_HEADLINE=job is in trouble on ",
    ] {
        assert!(facts.contains(fact), "no {fact} in {facts}");
    }
    assert!(!facts.contains("CRONWARD_EVENT_OUTCOME"), "{facts}");
    // Once at MAX, whatever comes later.
    assert_eq!([next(&told)["kind"].clone(), next(&told)["kind"].clone()], ["run.started", "run.overdue"]);
    assert_eq!(next(&told)["kind"], "alert.opened");
    let status = host.status();
    assert_eq!(status[0]["alert"]["id"], event["alert"]["id"], "{status}");

    hold.say("go");
    let ran = running.wait();
    assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(0), "out\n"), "{ran}");
    assert_eq!(ran.own_words(), Vec::<String>::new(), "somebody has taken charge\n{ran}");
    let events = host.events();
    assert_eq!(kinds(&events), ["run.started", "run.overdue", "alert.opened", "run.finished"], "{ran}");
    let finished = &events[3];
    assert_eq!(finished["outcome"], "suspect", "{finished}");
    assert!(finished["reason"].as_str().unwrap().ends_with("expected at most 100ms"), "{finished}");
    assert_eq!(finished["consecutive_failures"], 1, "{finished}");
    assert_eq!(finished["alert"], event["alert"], "counted once: {finished}");
    assert_eq!(host.journal("job").last()["verdict"], "still_open", "{ran}");

    let ran = host.wrap(&["-l", "job", "--sink", &host.log()], "true").run();
    let closed = host.events().pop().unwrap();
    assert_eq!(closed["kind"], "alert.closed", "{ran}");
    assert_eq!(closed["alert"]["id"], event["alert"]["id"], "{closed}");
    assert_eq!(closed["alert"]["failures"], 1, "{closed}");
}

/// A failure that is one of two it takes is none to wake anybody for while it happens.
#[test]
fn a_run_beyond_its_maximum_opens_nothing_that_its_failure_would_not_open() {
    let (host, hold) = host();
    let told = host.fifo("told");
    let options = [&MAX[..], &["--alert-after", "2", "--sink", "exec:true"]].concat();
    host.wrap(&[&["-l", "job", "--sink", &host.log()], &options[2..]].concat(), "true").run();

    let overdue = || {
        let running = start(&host, &options, 3);
        while next(&told)["kind"] != "run.overdue" {}
        running
    };
    let running = overdue();
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    assert!(host.events().iter().all(|event| event.get("alert").is_none()), "{ran}");
    assert_eq!(next(&told)["kind"], "run.finished");

    let running = overdue();
    let opened = next(&told);
    assert!(!running.has_ended());
    assert_eq!((&opened["kind"], &opened["alert"]["failures"]), (&"alert.opened".into(), &2.into()));
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    let finished = host.events().pop().unwrap();
    // What has failed by itself is no suspect; it is the failure that was counted.
    assert_eq!((&finished["outcome"], &finished["alert"]["failures"]), (&"failed".into(), &2.into()));
    assert_eq!(finished["alert"]["id"], opened["alert"]["id"], "{finished}");
    assert_eq!(host.journal("job").fold["failures"], 2, "{ran}");
}

#[test]
fn without_anybody_to_take_charge_the_opening_is_a_line_on_stderr() {
    let (host, hold) = host();
    let stderr = host.fifo("stderr");
    let writer = File::options().write(true).open(stderr.path()).unwrap();
    let options = [&["-l", "job", "--warn-after", "70ms"], &MAX[..]].concat();
    let running = host.wrap(&options, "read x <hold; echo over >&2").stderr(writer).start();
    let line = stderr.line();
    assert!(!running.has_ended());
    assert!(line.starts_with("cronward: job is in trouble on "), "{line}");
    assert!(line.ends_with(": still running after 100 ms, the most that is expected"), "{line}");
    hold.say("go");
    assert_eq!(stderr.line(), "over", "one line, and none for what does not open the alert");
    assert_eq!(running.wait().end(), End::Code(0));
    stderr.say("nothing behind it");
    assert_eq!(stderr.line(), "nothing behind it");
}

/// Whoever reads the log from top to bottom reads what happened in its order, however slowly some sink is
/// told of it.
#[test]
fn a_log_has_the_overdue_run_before_its_end() {
    let (host, hold) = host();
    let (told, charge, slow) = (host.fifo("told"), host.fifo("charge"), host.fifo("slow"));
    let running = start(&host, &[&MAX[..], &["--sink", "exec:echo told >charge; read x <slow"]].concat(), 0);
    assert_eq!((&next(&told)["kind"], &charge.line()[..]), (&"run.started".into(), "told"));
    hold.say("go");
    eventually("the end is on record", || !host.journal("job").ends.is_empty());
    assert!(told.is_silent_for(Duration::from_millis(300)), "a log waits for what the others answer");
    slow.say("done");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let events = host.events();
    assert_eq!(kinds(&events), ["run.started", "run.overdue", "alert.opened", "run.finished"], "{ran}");
}

#[test]
fn a_sink_that_hangs_delays_the_end_by_no_more_than_the_deadline() {
    let (host, hold) = host();
    let (charge, _never) = (host.fifo("charge"), host.fifo("never"));
    let sinks = ["-l", "job", "--flush-deadline", "1s", "--sink", "exec:echo $$ >charge; cat never"];
    let running = host.wrap(&[&sinks[..], &MAX].concat(), &held(4)).start();
    let sink: u32 = charge.line().parse().expect("a pid");
    hold.say("go");
    let since = Instant::now();
    let ran = running.wait();
    // Without the deadline it would be killed by this test after half a minute.
    assert!(since.elapsed() < Duration::from_secs(10), "{ran}");
    assert_eq!(ran.end(), End::Code(4), "{ran}");
    assert_eq!(ran.own_words().len(), 1, "it did not confirm the opening, and the end opens nothing\n{ran}");
    eventually("the sink is gone", || matches!(process_state(sink), Some('Z') | None));
}

/// Locks the journal of `job`, which has run before, or gives it free: the first byte of the lock file.
fn lock(file: &File, kind: i32) {
    let byte = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&byte)).expect("nobody else has it");
}

fn lock_file(host: &Host) -> File {
    File::options().write(true).open(host.state_dir().join("jobs/job/lock")).unwrap()
}

/// The journal is locked for as long as somebody writes to it, and that may be stopped. A wait for it
/// while the command runs must not be heard by the command.
#[test]
fn a_journal_that_stays_locked_does_not_reach_the_job() {
    let (host, hold) = host();
    let told = host.fifo("told");
    host.wrap(&["-l", "job"], "true").run();
    let file = lock_file(&host);
    lock(&file, libc::F_WRLCK);
    let options = [&["--flush-deadline", "200ms", "--warn-after", "500ms"], &MAX[..]].concat();
    let running = start(&host, &options, 0);
    assert_eq!(next(&told)["kind"], "run.started");
    let overdue = next(&told);
    assert_eq!(overdue["reason"], "still running after 100 ms, the most that is expected");
    // By now the wait is over in any case.
    assert!(next(&told)["duration_ms"].as_f64() >= Some(500.0));
    lock(&file, libc::F_UNLCK);
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let finished = host.events().into_iter().find(|event| event["kind"] == "run.finished").unwrap();
    assert!(finished.get("forwarded_signal").is_none(), "{finished}");
    assert_eq!((&finished["outcome"], &finished["alert"]["failures"]), (&"suspect".into(), &1.into()));
}

/// It takes its turn at the journal after the run that it is about: that has been counted.
#[test]
fn a_run_that_ends_before_its_turn_is_not_counted_twice() {
    let (host, hold) = host();
    let (told, ready) = (host.fifo("told"), host.fifo("ready"));
    host.wrap(&["-l", "job"], "true").run();
    let file = lock_file(&host);
    lock(&file, libc::F_WRLCK);
    let told_sink = format!("jsonl:{}", told.path().display());
    let sinks = ["-l", "job", "--sink", &host.log(), "--sink", &told_sink];
    let options = ["--alert-after", "2", "--flush-deadline", "20s", "--warn-after", "300ms"];
    let line = "echo $$ >ready; read x <hold";
    let running = host.wrap(&[&sinks[..], &options, &MAX].concat(), line).start();
    let job: u32 = ready.line().parse().expect("a pid");
    // What has no turn to wait for is told at 300 ms: the maximum was before.
    while next(&told)["duration_ms"].as_f64() < Some(300.0) {}
    hold.say("go");
    eventually("the job has been reaped", || process_state(job).is_none());
    lock(&file, libc::F_UNLCK);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let finished = host.events().pop().unwrap();
    assert_eq!((&finished["outcome"], &finished["consecutive_failures"]), (&"suspect".into(), &1.into()));
    assert!(host.events().iter().all(|event| event.get("alert").is_none()), "{ran}");
    assert_eq!(ran.own_words(), Vec::<String>::new(), "{ran}");
}

/// An attempt that a limit ends, and after which another one comes, decides nothing.
#[test]
fn an_attempt_that_takes_too_long_opens_no_alert_while_another_one_comes() {
    let host = Host::new();
    let options =
        ["-l", "job", "--expect", "..1s", "--timeout", "1500ms", "--retries", "1", "--retry-delay", "1ms"];
    let sinks = ["--sink", &host.log(), "--sink", &host.alert_sink()];
    let line = "[ $CRONWARD_RUN_ATTEMPT = 2 ] || exec sleep 1000";
    let ran = host.wrap(&[&options[..], &sinks].concat(), line).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let kinds: Vec<String> =
        host.events().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["run.started", "run.overdue", "run.finished"], "{ran}");
    assert_eq!(host.alerts(), Vec::<Value>::new(), "{ran}");
}
