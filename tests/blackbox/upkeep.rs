//! `mute` and `forget`: what people decide about a job's record.

use std::fs;
use std::time::Duration;

use nix::libc;

use crate::support::{End, Host, Journal, Ran, eventually, process_state};

fn options(sink: &str) -> [&str; 4] {
    ["-l", "job", "--sink", sink]
}

/// A run of `job` that ends with this status and says nothing.
fn run(host: &Host, status: i32) -> Ran {
    let ran = host.wrap(&options(&host.alert_sink()), &format!("exit {status}")).run();
    assert_eq!(ran.end(), End::Code(status), "{ran}");
    assert!(ran.stderr.is_empty(), "{ran}");
    ran
}

/// A subcommand that ends so, with one line to say.
fn says(host: &Host, words: &[&str], status: i32, what: &str) {
    let ran = host.cronward(words.iter().copied()).run();
    assert_eq!(ran.end(), End::Code(status), "{ran}");
    let (text, other) = if status == 0 { (&ran.stdout, &ran.stderr) } else { (&ran.stderr, &ran.stdout) };
    let text = String::from_utf8_lossy(text);
    assert!(text.contains(what) && text.lines().count() == 1 && other.is_empty(), "'{what}'\n{ran}");
}

fn check(host: &Host, status: i32, what: &str) {
    let ran = host.cronward(["check"]).run();
    assert_eq!(ran.end(), End::Code(status), "{ran}");
    assert!(ran.stdout_text().contains(what) && ran.stderr.is_empty(), "'{what}'\n{ran}");
}

#[test]
fn failures_of_a_muted_job_are_recorded_and_told_when_it_is_over() {
    let host = Host::new();
    run(&host, 0);
    says(&host, &["mute", "job", "1h"], 0, "'job' is muted until ");
    run(&host, 1);
    run(&host, 1);
    assert!(host.alerts().is_empty());
    assert_eq!(host.journal("job").outcomes(), ["ok", "failed", "failed"]);
    check(&host, 1, "CRONWARD WARNING - job: alert open for ");
    check(&host, 1, ", muted until ");
    says(&host, &["mute", "job", "0s"], 0, "'job' is no longer muted");
    assert!(host.alerts().is_empty(), "the next failure tells it");
    check(&host, 2, "CRONWARD CRITICAL - job: alert open for ");
    run(&host, 1);
    run(&host, 1);
    assert_eq!(host.alert_kinds(), ["alert.opened"]);
    assert_eq!(host.alerts()[0]["alert"]["failures"], 3, "{:?}", host.alerts());
    run(&host, 0);
    assert_eq!(host.alert_kinds(), ["alert.opened", "alert.closed"]);
}

#[test]
fn a_mute_ends_by_itself() {
    let host = Host::new();
    run(&host, 0);
    says(&host, &["mute", "job", "1h"], 0, "muted until");
    run(&host, 1);
    host.age(Duration::from_secs(3600));
    run(&host, 1);
    assert_eq!(host.alert_kinds(), ["alert.opened"]);
    check(&host, 2, "2 failures in a row");
}

/// An incident must not stay open for ever at whoever was told.
#[test]
fn a_recovery_is_told_though_the_job_is_muted_if_the_failure_was() {
    let host = Host::new();
    run(&host, 1);
    says(&host, &["mute", "job", "1h"], 0, "muted until");
    run(&host, 0);
    let alerts = host.alerts();
    assert_eq!(host.alert_kinds(), ["alert.opened", "alert.closed"]);
    assert_eq!(alerts[0]["alert"]["id"], alerts[1]["alert"]["id"], "{alerts:?}");
    // Of one that nobody was told of nobody is told that it is over.
    run(&host, 1);
    run(&host, 0);
    assert_eq!(host.alerts().len(), 2);
}

#[test]
fn a_muted_job_that_does_not_come_is_a_warning_and_no_alert() {
    let host = Host::new();
    let sink = host.alert_sink();
    let options = [&options(&sink)[..], &["--max-age", "1d"]].concat();
    assert_eq!(host.wrap(&options, "exit 0").run().end(), End::Code(0));
    says(&host, &["mute", "job", "4days"], 0, "muted until");
    host.age(Duration::from_secs(2 * 24 * 3600));
    check(&host, 1, "no success for 2d 00h");
    assert!(host.alerts().is_empty());
    says(&host, &["mute", "job", "0s"], 0, "no longer muted");
    check(&host, 2, "no success for 2d 00h");
    check(&host, 2, "no success for 2d 00h");
    assert_eq!(host.alert_kinds(), ["alert.opened"]);
}

#[test]
fn what_cannot_be_muted_or_forgotten_is_said() {
    let host = Host::new();
    says(&host, &["mute", "job", "1h"], 1, "no run of 'job' is on record");
    says(&host, &["forget", "job"], 1, "no run of 'job' is on record");
    run(&host, 0);
    for words in [
        &["mute", "job", "5"][..],
        &["mute", "job", "1M"],
        &["mute", "job"],
        &["mute"],
        &["mute", "job", "1h", "2h"],
        &["forget"],
        &["forget", "job", "job"],
    ] {
        says(&host, words, 125, "cronward: ");
    }
    says(&host, &["mute", "jop", "1h"], 1, "no run of 'jop' is on record");
    says(&host, &["forget", "jop"], 1, "no run of 'jop' is on record");
    assert_eq!(host.journal("job").outcomes(), ["ok"]);
}

#[test]
fn a_job_that_is_forgotten_closes_its_alert_and_leaves_nothing() {
    let host = Host::new();
    run(&host, 1);
    host.wrap(&["-l", "other"], "exit 0").run();
    let directory = Journal::path(&host.state_dir(), "job").unwrap().parent().unwrap().to_owned();
    fs::write(directory.join("corrupt-1.jsonl"), "kept aside").unwrap();
    says(&host, &["forget", "job"], 0, "'job' is forgotten");
    assert!(!directory.exists());
    let alerts = host.alerts();
    assert_eq!(host.alert_kinds(), ["alert.opened", "alert.closed"]);
    assert_eq!(alerts[0]["alert"]["id"], alerts[1]["alert"]["id"], "{alerts:?}");
    assert_eq!(alerts[1]["reason"], "the job is forgotten", "{alerts:?}");
    check(&host, 0, "- other: last ok");
    // It begins anew, and without an alert there is none to close.
    run(&host, 0);
    assert_eq!(host.journal("job").outcomes(), ["ok"]);
    says(&host, &["forget", "job"], 0, "'job' is forgotten");
    assert_eq!(host.alerts().len(), 2);
}

#[test]
fn an_alert_that_nobody_was_told_of_is_forgotten_in_silence() {
    let host = Host::new();
    run(&host, 0);
    says(&host, &["mute", "job", "1h"], 0, "muted until");
    run(&host, 1);
    says(&host, &["forget", "job"], 0, "'job' is forgotten");
    assert!(host.alerts().is_empty());
}

#[test]
fn a_job_that_is_running_is_not_forgotten() {
    for lock in [&[][..], &["--lock"]] {
        let host = Host::new();
        let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
        let sink = host.alert_sink();
        let running = host.wrap(&[&options(&sink), lock].concat(), "echo $$ >ready; read x <hold").start();
        let pid = ready.line();
        says(&host, &["forget", "job"], 1, &format!("'job' is running (pid {pid})"));
        hold.say("go");
        assert_eq!(running.wait().end(), End::Code(0));
        assert_eq!(host.journal("job").outcomes(), ["ok"]);
        says(&host, &["forget", "job"], 0, "'job' is forgotten");
    }
}

/// The lock is not granted while the orphan lives; so it must not be forgotten either.
#[cfg_attr(posix_only, ignore = "without /proc an orphan is not told from a stranger")]
#[test]
fn a_job_whose_command_has_outlived_its_cronward_keeps_its_lock() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let sink = host.alert_sink();
    let options = [&options(&sink)[..], &["--lock"]].concat();
    assert_eq!(host.wrap(&options, "exit 1").run().end(), End::Code(1));
    let running = host.wrap(&options, "echo $$ >ready; read x <hold").start();
    let pid = ready.line().parse().unwrap();
    running.signal(libc::SIGKILL);
    assert_eq!(running.wait().end(), End::Signal(libc::SIGKILL));
    says(&host, &["forget", "job"], 1, &format!("its command still runs (pid {pid})"));
    assert_eq!(host.alert_kinds(), ["alert.opened"], "nothing is over");
    let ran = host.wrap(&options, "touch second").run();
    assert_eq!(ran.end(), End::Code(75), "{ran}");
    hold.say("go");
    eventually("the command is gone", || matches!(process_state(pid), None | Some('Z' | 'X')));
    says(&host, &["forget", "job"], 0, "'job' is forgotten");
    assert!(!host.path("second").exists());
}

/// For whoever has nothing left but to begin anew.
#[test]
fn a_job_whose_journal_is_corrupt_can_be_forgotten_and_not_muted() {
    let host = Host::new();
    run(&host, 0);
    let journal = Journal::path(&host.state_dir(), "job").unwrap();
    fs::write(&journal, [0xff, 0, b'\n', b'{', 0xfe].repeat(1000)).unwrap();
    says(&host, &["mute", "job", "1h"], 1, "corrupt");
    says(&host, &["forget", "job"], 0, "'job' is forgotten");
    assert!(!journal.parent().unwrap().exists());
}
