//! With a pipe between the job and its output: cronward still hands on signals, ends when the job does, runs it
//! where there is no pipe to be had, and stays small.

use std::fs;
use std::io::Read;
use std::thread;
use std::time::Duration;

use nix::libc;

use crate::support::situation;
use crate::support::{End, Host, Situation, eventually, process_state, until_reaped};

const CAPTURE: [&str; 2] = ["--capture", "4KiB"];

#[test]
fn what_the_job_has_left_behind_holds_neither_its_status_nor_its_lock() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let options = ["-l", "job", "--lock", "--capture", "4KiB", "--sink", &host.log()];
    let running = host.wrap(&options, "(read x <hold) & echo out; echo ready >ready; exit 3").start();
    ready.line();
    until_reaped(running.pid());
    eventually("the lock is free", || {
        host.wrap(&["-l", "job", "--lock", "--sink", "none"], "true").run().end() == End::Code(0)
    });
    assert!(!running.has_ended());
    let ran = running.wait();
    assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(3), "out\n"), "{ran}");
    assert!(Duration::from_millis(1900) < ran.took && ran.took < Duration::from_secs(6), "{ran}");
    let finished = host.events().into_iter().find(|event| event["kind"] == "run.finished").unwrap();
    assert!(finished["duration_ms"].as_f64().unwrap() < 1900.0, "{finished}");
    let problem = "a process that the job has left behind still had its output open";
    assert!(finished["problems"].to_string().contains(problem), "{finished}");
    hold.say("go");
}

#[test]
fn what_is_left_behind_is_listened_to_for_a_while() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let running = host.wrap(&CAPTURE, "(read x <hold; echo later) & echo out; echo ready >ready").start();
    ready.line();
    until_reaped(running.pid());
    hold.say("go");
    let ran = running.wait();
    assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(0), "out\nlater\n"), "{ran}");
    assert!(ran.took < Duration::from_millis(1900), "it ends when the last one has let go: {ran}");
}

/// Nothing of ours keeps its place: it would be written to for ever.
#[test]
fn without_cronward_the_job_dies_of_sigpipe_when_it_next_writes() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let job = "echo $$ >ready; read x <hold; echo late; echo survived >ready";
    let running = host.wrap(&CAPTURE, job).start();
    let pid: u32 = ready.line().parse().unwrap();
    running.signal(libc::SIGKILL);
    running.wait();
    assert!(process_state(pid).is_some(), "until then it lives");
    hold.say("go");
    eventually("the job is gone", || process_state(pid).is_none_or(|state| state == 'Z'));
    assert!(ready.is_silent_for(Duration::ZERO));
}

#[test]
fn signals_reach_the_job_as_ever() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let waiting = "echo ready >ready; while :; do read x <hold; done";
    let group = Situation { own_group: true, ..Situation::default() };
    for (options, signal, to_group) in [
        (&CAPTURE[..], libc::SIGUSR1, false),
        (&CAPTURE, libc::SIGINT, true),
        (&["--capture", "4KiB", "--own-group"], libc::SIGTERM, false),
        (&["--quiet"], libc::SIGUSR1, false),
        (&["--log-dir", "logs", "-l", "x"], libc::SIGHUP, false),
    ] {
        let job = format!("trap 'echo caught; exit 5' INT TERM HUP USR1; {waiting}");
        let running = host.wrap(options, &job).situation(&group).start();
        ready.line();
        if to_group {
            running.signal_group(signal)
        } else {
            running.signal(signal)
        }
        let ran = running.wait();
        assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(5), "caught\n"), "{signal}: {ran}");
    }
    let ran = host.wrap(&CAPTURE, "setsid -w sh -c 'echo from afar; exit 4'").run();
    assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(4), "from afar\n"), "{ran}");
}

#[test]
fn without_descriptors_the_job_runs_with_its_own_and_a_line_says_so() {
    let host = Host::new();
    let bytes = vec![b'z'; 300_000];
    fs::write(host.path("bytes"), &bytes).unwrap();
    let mut said = 0;
    for most in 4..32 {
        let few = Situation { limits: vec![(libc::RLIMIT_NOFILE, most)], ..Situation::default() };
        let options = ["-l", "few", "--capture", "1KiB", "--", "cat", "bytes"];
        let ran = host.cronward(options).situation(&few).run();
        assert!(ran.end() == End::Code(0) && ran.stdout == bytes, "{most}: {ran}");
        let line = "cronward: few: the output is not captured: too many open files";
        said += u32::from(ran.own_words().iter().any(|words| words == line));
        // Below that there is not even one for a second stdout.
        assert!(most > 9 || ran.stderr_text().contains(line), "{most}: {ran}");
    }
    assert!(said < 28, "at some number there are enough");
}

/// `RssAnon` of proc(5), in KiB: what a process has in memory but for pages of files, of which a debug build
/// has now more and now fewer. What a vector once had it keeps.
fn own_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_the_output() {
    let host = Host::new();
    let (ready, hold, silence) = (host.fifo("ready"), host.fifo("hold"), host.fifo("silence"));
    let used = |options: &[&str], bytes: u64| {
        let (mut reader, writer) = situation::pipe();
        let drained = thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()).unwrap());
        let job = format!("head -c {bytes} /dev/zero; echo ready >ready; read x <hold");
        let running = host.wrap(options, &job).stdout(writer).start();
        ready.line();
        // After a second a thread makes the start durable: in both runs.
        assert!(silence.is_silent_for(Duration::from_millis(1300)));
        let used = own_memory(running.pid());
        hold.say("go");
        assert_eq!(running.wait().end(), End::Code(0));
        assert_eq!(drained.join().unwrap(), bytes);
        used
    };
    for options in [&["--capture", "64KiB"][..], &["--capture", "64KiB", "--quiet"]] {
        let (small, large) = (used(options, 1 << 20), used(options, 200 << 20));
        assert!(large.abs_diff(small) <= 64, "{small} KiB, {large} KiB");
    }
}

#[test]
fn every_attempt_writes_to_the_same_place() {
    let host = Host::new();
    let (mut reader, writer) = situation::pipe();
    let options = ["--capture", "4KiB", "--retries", "2", "--retry-delay", "1ms"];
    let job = "echo attempt $CRONWARD_RUN_ATTEMPT; [ $CRONWARD_RUN_ATTEMPT = 3 ]";
    let ran = host.wrap(&options, job).stdout(writer).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "attempt 1\nattempt 2\nattempt 3\n");
}
