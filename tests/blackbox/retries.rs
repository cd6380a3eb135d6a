//! `--retries`, `--retry-delay` and `--jitter`: how often a command runs, when, and what is made of it.

use nix::libc;
use serde_json::json;

use crate::support::{End, Host, eventually, process_state, until_reaped};

fn ran_as(host: &Host) -> Vec<String> {
    let lines = std::fs::read_to_string(host.path("ran")).unwrap_or_default();
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn a_command_that_fails_is_run_again_until_it_does_not() {
    let host = Host::new();
    let options = ["-l", "flaky", "--retries", "5", "--retry-delay", "1ms", "--sink", &host.log()];
    let ran =
        host.wrap(&options, "echo $CRONWARD_RUN_ATTEMPT >>ran; [ $(wc -l <ran) -gt 2 ] || exit 7").run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert_eq!(ran_as(&host), ["1", "2", "3"]);

    let finished = host.events().pop().unwrap();
    assert_eq!((&finished["outcome"], &finished["attempts"]), (&json!("ok"), &json!(3)), "{finished}");
    let earlier = finished["earlier_attempts"].as_array().unwrap();
    assert_eq!(earlier.len(), 2, "{finished}");
    for attempt in earlier {
        assert_eq!((&attempt["outcome"], &attempt["exit_code"]), (&json!("failed"), &json!(7)));
        assert!(attempt["duration_ms"].as_f64().unwrap() <= finished["duration_ms"].as_f64().unwrap());
    }
    // One run to the rest of the world: one start, one end, no failure.
    assert_eq!(host.events().len(), 2);
    let journal = host.journal("flaky");
    assert_eq!(journal.last()["attempts"], 3, "{ran}");
    assert_eq!(journal.last()["earlier"].as_array().unwrap().len(), 2, "{ran}");
}

#[test]
fn the_last_attempt_says_how_the_run_ended() {
    let host = Host::new();
    let options = ["-l", "never", "--retries", "2", "--retry-delay", "1ms", "--sink", &host.log()];
    let ran = host.wrap(&options, "echo x >>ran; exit $((10 + CRONWARD_RUN_ATTEMPT))").run();
    assert_eq!(ran.end(), End::Code(13), "{ran}");
    let finished = host.events().into_iter().find(|event| event["kind"] == "run.finished").unwrap();
    assert_eq!((&finished["outcome"], &finished["exit_code"]), (&json!("failed"), &json!(13)));
    assert_eq!(finished["consecutive_failures"], 1, "three attempts are one failure");

    let ran = host.wrap(&["-l", "dies", "--retries", "1", "--retry-delay", "1ms"], "kill -9 $$").run();
    assert_eq!(ran.end(), End::Signal(libc::SIGKILL), "{ran}");
}

/// Each attempt finds out by itself that nobody reads what it writes, as without a pipe in between; or it would
/// write to nobody for ever.
#[test]
fn where_nobody_reads_the_output_every_attempt_dies_of_it() {
    let host = Host::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let options = ["-l", "job", "--retries", "2", "--retry-delay", "1ms", "--capture", "1KiB"];
    let ran = host.wrap(&options, "echo x >>ran; exec yes").stdout(writer).run();
    assert_eq!((ran.end(), ran_as(&host).len()), (End::Signal(libc::SIGPIPE), 3), "{ran}");
}

/// What cannot be started now could not be a moment later either; the command's own 127 may be another's.
#[test]
fn a_command_that_cannot_be_started_is_not_tried_again_but_its_own_statuses_are() {
    let host = Host::new();
    let options = ["-l", "job", "--retries", "3", "--retry-delay", "1ms", "--"];
    let ran = host.cronward(options.iter().chain(&["/no/such"]).copied()).run();
    assert_eq!((ran.end(), &host.journal("job").last()["attempts"]), (End::Code(127), &json!(1)), "{ran}");
    for status in [125, 126, 127] {
        let host = Host::new();
        let ran = host.wrap(&options[..6], &format!("echo x >>ran; exit {status}")).run();
        assert_eq!((ran.end(), ran_as(&host).len()), (End::Code(status), 4), "{ran}");
    }
}

#[test]
fn a_success_a_warning_and_a_job_that_was_told_to_stop_are_not_repeated() {
    for (options, line) in [(vec![], "exit 0"), (vec!["--warn-codes", "24"], "exit 24")] {
        let host = Host::new();
        let options = [&["-l", "job", "--retries", "3", "--retry-delay", "1ms"], &options[..]].concat();
        host.wrap(&options, &format!("echo x >>ran; {line}")).run();
        assert_eq!(ran_as(&host).len(), 1);
    }
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let options = ["-l", "told", "--retries", "3", "--retry-delay", "1ms"];
    let running = host.wrap(&options, "echo x >>ran; echo ready >ready; exec cat hold").start();
    ready.line();
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!((ran.end(), ran_as(&host).len()), (End::Signal(libc::SIGTERM), 1), "{ran}");
    assert_eq!(host.journal("told").last()["outcome"], "stopped", "{ran}");
}

/// Such an attempt counts as timed out, which is a failure like others.
#[test]
fn a_signal_that_asks_to_stop_while_an_attempt_is_ended_by_its_limit_is_obeyed_too() {
    let host = Host::new();
    let told = host.fifo("told");
    let line = "echo x >>ran; n=0; trap 'n=$((n+1)); echo $n >told; [ $n = 1 ] || exit 1' TERM; \
                while :; do sleep 0.01; done";
    let limit = ["-l", "job", "--timeout", "300ms", "--kill-after", "1h"];
    let running =
        host.wrap(&[&limit[..], &["--retries", "3", "--retry-delay", "1ms"]].concat(), line).start();
    assert_eq!(told.line(), "1");
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!((ran.end(), ran_as(&host).len()), (End::Code(124), 1), "{ran}");
    assert_eq!(host.journal("job").last()["outcome"], "timed_out", "{ran}");
}

#[test]
fn a_signal_that_asks_to_stop_ends_the_wait_between_two_attempts() {
    let host = Host::new();
    let ready = host.fifo("ready");
    let options = ["-l", "job", "--retries", "3", "--retry-delay", "1h", "--sink", &host.log()];
    let running = host.wrap(&options, "echo ready >ready; exit 3").start();
    ready.line();
    until_reaped(running.pid());
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Signal(libc::SIGTERM), "{ran}");
    let finished = host.events().pop().unwrap();
    assert_eq!((&finished["outcome"], &finished["attempts"]), (&json!("stopped"), &json!(1)), "{finished}");
    assert_eq!(finished["reason"], "told to stop by SIGTERM before attempt 2");
    assert_eq!(finished["earlier_attempts"][0]["exit_code"], 3, "{finished}");
}

#[test]
fn an_attempt_that_does_not_do_what_is_expected_of_it_is_repeated() {
    let host = Host::new();
    let options = ["-l", "dump", "--retries", "2", "--retry-delay", "1ms", "--expect", "rows=10.."];
    let line = "echo x >>ran; echo rows=$((CRONWARD_RUN_ATTEMPT * 6)) >$CRONWARD_RUN_REPORT";
    let ran = host.wrap(&options, line).run();
    assert_eq!((ran.end(), ran_as(&host).len()), (End::Code(0), 2), "{ran}");
    let journal = host.journal("dump");
    let last = journal.last();
    assert_eq!((&last["outcome"], &last["earlier"][0]["outcome"]), (&json!("ok"), &json!("suspect")));
}

/// The limit is each attempt's, and what an attempt has left behind does not outlive the next one's limit.
#[cfg_attr(posix_only, ignore = "POSIX has no subreaper")]
#[test]
fn a_time_limit_counts_for_each_attempt_and_reaches_what_earlier_ones_have_left() {
    let host = Host::new();
    let line = "echo x >>ran; [ $CRONWARD_RUN_ATTEMPT = 1 ] && { setsid sleep 1000 & echo $! >left; exit 1; }; \
                exec sleep 1000";
    let options = ["-l", "job", "--timeout", "300ms", "--retries", "1", "--retry-delay", "1ms"];
    let ran = host.wrap(&options, line).run();
    assert_eq!((ran.end(), ran_as(&host).len()), (End::Code(124), 2), "{ran}");
    let left = std::fs::read_to_string(host.path("left")).unwrap().trim().parse().unwrap();
    eventually("what the first attempt has left is gone", || {
        process_state(left).is_none_or(|state| state == 'Z')
    });
    assert_eq!(host.journal("job").last()["earlier"][0]["exit_code"], 1, "{ran}");
}

#[test]
fn the_lock_is_held_until_the_last_attempt_has_ended() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let options = ["-l", "job", "--lock", "--retries", "1", "--retry-delay", "1h"];
    let running = host.wrap(&options, "echo ready >ready; exit 3").start();
    ready.line();
    until_reaped(running.pid());
    let second = host.wrap(&["-l", "job", "--lock"], "true").run();
    assert_eq!(second.end(), End::Code(75), "{second}");
    running.signal(libc::SIGTERM);
    running.wait();
    let third = host.wrap(&["-l", "job", "--lock"], "true").run();
    assert_eq!(third.end(), End::Code(0), "{third}");
    drop(hold);
}

#[test]
fn a_start_is_put_off_by_the_same_part_of_the_jitter_each_time() {
    let host = Host::new();
    let shown = |label: &str| {
        let ran = host.cronward(["-l", label, "--jitter", "1h", "--dry-run", "--", "true"]).run();
        let line =
            ran.stdout_text().lines().find(|line| line.trim_start().starts_with("jitter")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{ran}"))
    };
    assert_eq!(shown("a"), shown("a"));
    assert_ne!(shown("a"), shown("b"));
    let ran = host.cronward(["-l", "quick", "--jitter", "5ms", "--", "sh", "-c", "exit 4"]).run();
    assert_eq!(ran.end(), End::Code(4), "{ran}");
}

#[test]
fn a_signal_that_asks_to_stop_ends_the_jitter_before_anything_has_run() {
    let host = Host::new();
    let running = host.wrap(&["-l", "late", "--jitter", "100d", "--lock"], "echo x >>ran").start();
    let files = host.state_dir().join("jobs/late/runs.jsonl");
    eventually("it has opened its journal", || files.exists());
    // It waits for its time without the lock.
    let other = host.wrap(&["-l", "late", "--lock"], "true").run();
    assert_eq!(other.end(), End::Code(0), "{other}");
    running.signal(libc::SIGINT);
    let ran = running.wait();
    assert_eq!((ran.end(), ran_as(&host).len()), (End::Signal(libc::SIGINT), 0), "{ran}");
    let journal = host.journal("late");
    let last = journal.last();
    assert_eq!((&last["outcome"], &last["attempts"]), (&json!("stopped"), &json!(null)), "{ran}");
}

#[test]
fn bad_values_are_usage_errors_and_nothing_is_run() {
    let host = Host::new();
    for (option, value, said) in [
        ("--retries", "1.5", "bad count '1.5' in --retries: write a number of 0 or more"),
        ("--retries", "some", "bad count 'some' in --retries: write a number of 0 or more"),
        ("--retry-delay", "10", "bad duration '10' in --retry-delay: a number needs a unit"),
        ("--jitter", "5M", "bad duration '5M' in --jitter: months are not accepted"),
    ] {
        let ran = host.cronward([option, value, "--", "touch", "ran"]).run();
        assert_eq!(ran.end(), End::Code(125), "{ran}");
        assert!(ran.stderr_text().contains(said), "{ran}");
        assert!(!host.path("ran").exists(), "{ran}");
    }
}
