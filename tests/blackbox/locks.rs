//! `--lock`: never two at a time, never stuck.

use std::fs;

use nix::libc;

use crate::support::situation::send;
use crate::support::{End, Fifo, Host, Running, Situation, eventually, process_state};

/// A run that holds the lock of `job` until it is told to go; also the pid of its command.
fn holder<'h>(host: &'h Host, ready: &Fifo) -> (Running<'h>, u32) {
    let running =
        host.wrap(&["-l", "job", "--lock"], "echo $$ >ready; read x <hold; echo over >ready").start();
    let pid = ready.line().parse().expect("a pid");
    (running, pid)
}

/// A run that would touch `second`.
fn second(host: &Host, options: &[&str]) -> crate::support::Ran {
    let _ = fs::remove_file(host.path("second"));
    host.wrap(&[&["-l", "job", "--lock"], options].concat(), "touch second").run()
}

fn assert_skipped(host: &Host, options: &[&str], status: i32) {
    // It may find that the holder's cronward has died, and somebody takes charge of that alert.
    let ran = second(host, &[options, &["--sink", "exec:cat >/dev/null"]].concat());
    assert_eq!(ran.end(), End::Code(status), "{ran}");
    assert!(ran.stdout.is_empty() && ran.stderr.is_empty(), "a skip is silent\n{ran}");
    assert!(!host.path("second").exists(), "{ran}");
    let journal = host.journal("job");
    assert_eq!(journal.last()["outcome"], "skipped", "{ran}");
    assert_eq!(journal.last()["exit_status"], status, "{ran}");
}

fn assert_granted(host: &Host) {
    let ran = second(host, &[]);
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert!(host.path("second").exists(), "{ran}");
}

#[test]
fn a_second_run_is_skipped_silently() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let (first, _) = holder(&host, &ready);
    assert_skipped(&host, &[], 75);
    assert_skipped(&host, &["--lock-exit", "0"], 0);
    assert_skipped(&host, &["--lock-exit", "200"], 200);
    assert_skipped(&host, &["--lock-wait", "50ms"], 75);
    // Another label, or the same without --lock, is nobody's affair.
    for options in [vec!["-l", "other", "--lock"], vec!["-l", "job"]] {
        let ran = host.wrap(&options, "exit 4").run();
        assert_eq!(ran.end(), End::Code(4), "{ran}");
    }
    hold.say("go");
    assert_eq!(ready.line(), "over");
    let ran = first.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert_granted(&host);
}

#[test]
fn a_waiting_run_starts_when_the_first_has_ended() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let (first, _) = holder(&host, &ready);
    let waiting = host.wrap(&["-l", "job", "--lock", "--lock-wait", "1h"], "echo second >ready").start();
    eventually("the second run sleeps", || sleeps_over_the_lock(&host, waiting.pid()));
    assert!(!waiting.has_ended());
    hold.say("go");
    assert_eq!(ready.line(), "over");
    assert_eq!(ready.line(), "second");
    let (first, waiting) = (first.wait(), waiting.wait());
    assert_eq!((first.end(), waiting.end()), (End::Code(0), End::Code(0)), "{first}\n{waiting}");
    assert_eq!(host.journal("job").outcomes(), ["ok", "ok"], "{waiting}");
}

/// Whether cronward sleeps over the lock: it has files of the state open, so signals are its data, all
/// blocked since its first instruction.
fn sleeps_over_the_lock(host: &Host, pid: u32) -> bool {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let has_state = links
        .filter_map(|link| fs::read_link(link.path()).ok())
        .any(|path| path.starts_with(host.state_dir()));
    has_state && process_state(pid) == Some('S')
}

#[test]
fn a_stop_signal_ends_the_waiting() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let (_first, _) = holder(&host, &ready);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let waiting = host.wrap(&["-l", "job", "--lock", "--lock-wait", "1h"], "touch second").start();
        eventually("the second run sleeps", || sleeps_over_the_lock(&host, waiting.pid()));
        waiting.signal(signal);
        let ran = waiting.wait();
        assert_eq!(ran.end(), End::Signal(signal), "{ran}");
        assert!(!host.path("second").exists() && ran.stderr.is_empty(), "{ran}");
        assert_eq!(host.journal("job").last()["outcome"], "stopped", "{ran}");
    }
}

#[cfg_attr(posix_only, ignore = "without /proc an orphan is not told from a stranger")]
#[test]
fn the_lock_is_free_once_both_holders_are_dead() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    for cronward_first in [true, false] {
        let (first, job) = holder(&host, &ready);
        if cronward_first {
            first.signal(libc::SIGKILL);
            send(job, libc::SIGKILL);
        } else {
            send(job, libc::SIGKILL);
            first.signal(libc::SIGKILL);
        }
        let ran = first.wait();
        assert_eq!(ran.end(), End::Signal(libc::SIGKILL), "{ran}");
        eventually("the job is gone", || matches!(process_state(job), None | Some('Z' | 'X')));
        assert_granted(&host);
    }
}

#[cfg_attr(posix_only, ignore = "without /proc an orphan is not told from a stranger")]
#[test]
fn an_orphan_still_holds_the_lock() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let (first, job) = holder(&host, &ready);
    first.signal(libc::SIGKILL);
    let ran = first.wait();
    assert_eq!(ran.end(), End::Signal(libc::SIGKILL), "{ran}");
    assert_skipped(&host, &[], 75);
    assert_skipped(&host, &[], 75);
    hold.say("go");
    assert_eq!(ready.line(), "over");
    eventually("the job is gone", || matches!(process_state(job), None | Some('Z' | 'X')));
    assert_granted(&host);
}

/// A container whose first process does not reap: the orphan's pid and start time stay for ever.
#[cfg_attr(posix_only, ignore = "without /proc an orphan is not told from a stranger")]
#[test]
fn an_orphan_that_nobody_reaps_does_not_hold_the_lock() {
    let host = Host::new();
    let (ready, hold, pids) = (host.fifo("ready"), host.fifo("hold"), host.fifo("pids"));
    let adopts = Situation { adopts: true, ..Situation::default() };
    let _forever = host.fifo("forever");
    let line = "\"$CRONWARD\" -l job --lock -c 'echo $$ >ready; read x <hold; exit 0' & echo $! >pids; exec cat forever";
    let _container = host.shell(line).situation(&adopts).start();
    let (cronward, job): (u32, u32) = (pids.line().parse().unwrap(), ready.line().parse().unwrap());
    send(cronward, libc::SIGKILL);
    eventually("cronward is dead", || process_state(cronward) == Some('Z'));
    assert_skipped(&host, &[], 75);
    hold.say("go");
    eventually("the job is a zombie", || process_state(job) == Some('Z'));
    assert_granted(&host);
}

#[test]
fn what_the_job_leaves_behind_does_not_hold_the_lock() {
    let host = Host::new();
    let _hold = host.fifo("hold");
    let ran = host.wrap(&["-l", "job", "--lock"], "(setsid cat hold >/dev/null 2>&1 &) ; exit 0").run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert_granted(&host);
}

/// The overlap lock, unlike the rest, fails closed.
#[test]
fn a_lock_that_cannot_be_had_keeps_the_job_from_running() {
    let host = Host::new();
    fs::write(host.path("file"), "").unwrap();
    for state_dir in ["file", "file/below", "/proc/no/such", "/dev/null"] {
        let options = ["-l", "job", "--lock", "--state-dir", state_dir];
        let ran = host.wrap(&options, "touch second").run();
        assert_eq!(ran.end(), End::Code(125), "{ran}");
        assert!(!host.path("second").exists(), "{ran}");
        assert!(
            ran.own_words().len() == ran.stderr_text().lines().count() && !ran.own_words().is_empty(),
            "{ran}"
        );
    }
}

#[test]
fn one_of_many_gets_the_lock() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let line = "echo in >ready; read x <hold";
    let all: Vec<_> = (0..20).map(|_| host.wrap(&["-l", "job", "--lock"], line).start()).collect();
    assert_eq!(ready.line(), "in");
    eventually("all but one are skipped", || all.iter().filter(|running| running.has_ended()).count() == 19);
    hold.say("go");
    let ends: Vec<_> = all.into_iter().map(|running| running.wait().end()).collect();
    assert_eq!(ends.iter().filter(|&&end| end == End::Code(0)).count(), 1, "{ends:?}");
    assert_eq!(ends.iter().filter(|&&end| end == End::Code(75)).count(), 19, "{ends:?}");
    let journal = host.journal("job");
    assert_eq!(journal.ends.len(), 20);
}

#[test]
fn waiting_runs_go_one_after_the_other() {
    let host = Host::new();
    // mkdir(1) fails if another is inside.
    let line = "mkdir inside && rmdir inside";
    let options = ["-l", "job", "--lock", "--lock-wait", "1h"];
    let all: Vec<_> = (0..10).map(|_| host.wrap(&options, line).start()).collect();
    for running in all {
        let ran = running.wait();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
    }
}
