//! Runs that are under way, hang or have died, as a check or a run that is skipped finds them.

use std::fs;

use nix::libc;

use super::{CRITICAL, DAY, HOUR, OK, WARNING, check, run, succeed};
use crate::support::{End, Fifo, Host, Journal, Running, eventually, process_state};

/// A run of `job` that has begun and waits to be told to go.
fn under_way<'h>(host: &'h Host, options: &[&str]) -> (Running<'h>, u32, Fifo) {
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let running = run(host, options, "echo $$ >ready; read x <hold").start();
    let job = ready.line().parse().unwrap();
    // What it was given is kept while it runs, and it holds no lock of its journal any more.
    eventually("cronward waits for its command", || {
        let plan = Journal::path(&host.state_dir(), "job").map(|journal| journal.with_file_name("plan.json"));
        plan.is_some_and(|plan| plan.exists()) && process_state(running.pid()) == Some('S')
    });
    (running, job, hold)
}

fn stop(running: &Running<'_>) {
    running.signal(libc::SIGSTOP);
    eventually("cronward is stopped", || process_state(running.pid()) == Some('T'));
}

/// Every run that was started ends in exactly one recorded outcome.
#[test]
fn a_run_whose_cronward_was_killed_is_put_on_record_once_and_told_by_the_rule() {
    for (rule, told) in [("1", &["alert.opened"][..]), ("2", &[])] {
        let host = Host::new();
        let jsonl = format!("jsonl:{}", host.path("events.jsonl").display());
        let options = ["--alert-after", rule, "--sink", &jsonl];
        succeed(&host, &options);
        let ran = run(&host, &options, "kill -KILL $PPID").run();
        assert_eq!(ran.end(), End::Signal(libc::SIGKILL), "{ran}");
        check(&host, CRITICAL, "1 run found dead");
        // Whoever has found it: until the next run it is the last that is known of the job.
        check(&host, CRITICAL, "last interrupted ");
        let journal = host.journal("job");
        assert_eq!((journal.outcomes(), journal.starts.len()), (vec!["ok", "interrupted"], 2));
        assert_eq!(journal.last()["run"], *journal.starts[1]);
        assert_eq!(host.alert_kinds(), told);
        if let [alert] = &host.alerts()[..] {
            assert_eq!(alert["run"]["outcome"], "interrupted", "{alert}");
        }
        let events = fs::read_to_string(host.path("events.jsonl")).unwrap();
        assert_eq!(events.matches("\"outcome\":\"interrupted\"").count(), 1 + told.len(), "{events}");
        succeed(&host, &options);
        check(&host, OK, "job: last ok");
    }
}

#[test]
fn a_run_that_lives_is_not_taken_for_dead() {
    let host = Host::new();
    let (running, _, hold) = under_way(&host, &[]);
    stop(&running);
    check(&host, OK, "running for the first time");
    assert!(host.journal("job").ends.is_empty());
    running.signal(libc::SIGCONT);
    hold.say("go");
    assert_eq!(running.wait().end(), End::Code(0));
    assert_eq!(host.journal("job").outcomes(), ["ok"]);
}

#[test]
fn a_run_that_hangs_is_told_by_the_rule_also_if_its_own_cronward_hangs_too() {
    let host = Host::new();
    let (running, job, hold) = under_way(&host, &["--expect", "..1h"]);
    stop(&running);
    check(&host, OK, "running for the first time");
    host.age(2 * HOUR);
    let says = format!("still running after 2h 00m (pid {job}), expected at most 1h");
    check(&host, CRITICAL, &says);
    check(&host, CRITICAL, "alert open for ");
    let alerts = host.alerts();
    assert_eq!(host.alert_kinds(), ["alert.opened"], "{alerts:?}");
    assert_eq!(alerts[0]["run"]["run_id"], *host.journal("job").starts[0], "{alerts:?}");
    assert!(alerts[0]["reason"].as_str().unwrap().contains(&says), "{alerts:?}");
    running.signal(libc::SIGCONT);
    hold.say("go");
    assert_eq!(running.wait().end(), End::Code(0));
    // By its own clock it was fast.
    assert_eq!(host.alert_kinds(), ["alert.opened", "alert.closed"]);
    check(&host, OK, "job: last ok");
}

#[test]
fn a_run_that_hangs_is_a_warning_while_its_failure_would_open_nothing() {
    let host = Host::new();
    let (running, _, _hold) = under_way(&host, &["--expect", "..1h", "--alert-after", "3"]);
    stop(&running);
    host.age(2 * HOUR);
    check(&host, WARNING, "still running after 2h 00m");
    assert!(host.alerts().is_empty());
}

/// A job that has never come to an end is older than anything on record.
#[test]
fn a_first_run_that_hangs_is_a_success_that_does_not_come() {
    let host = Host::new();
    let (running, _, _hold) = under_way(&host, &["--max-age", "1d"]);
    stop(&running);
    check(&host, OK, "running for the first time");
    host.age(2 * DAY);
    check(&host, CRITICAL, "no success in the 2d 00h that the job is on record");
    assert_eq!(host.alert_kinds(), ["alert.opened"]);
}

/// So that a hung holder is noticed, without any check.
#[test]
fn runs_that_are_skipped_notice_once_that_the_one_in_their_way_hangs() {
    for (band, says) in
        [("--expect", "still running after 2d 00h"), ("--max-age", "no success in the 2d 00h")]
    {
        let host = Host::new();
        let value = if band == "--expect" { "..1h" } else { "1d" };
        let options = ["--lock", band, value];
        let (running, _, _hold) = under_way(&host, &options);
        stop(&running);
        let skipped = || {
            let ran = run(&host, &options, "exit 1").run();
            assert_eq!(ran.end(), End::Code(75), "{ran}");
            assert!(ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran}");
        };
        skipped();
        assert!(host.alerts().is_empty(), "it is not too late");
        host.age(2 * DAY);
        (0..3).for_each(|_| skipped());
        check(&host, CRITICAL, "alert open for ");
        let alerts = host.alerts();
        assert_eq!(host.alert_kinds(), ["alert.opened"], "{alerts:?}");
        assert!(alerts[0]["reason"].as_str().unwrap().starts_with(says), "{alerts:?}");
        assert_eq!(host.journal("job").outcomes(), ["skipped"; 4]);
    }
}

/// The one line that a skipped run may say.
#[test]
fn a_skipped_run_says_on_stderr_what_it_can_tell_nobody_else() {
    let host = Host::new();
    let (running, _, _hold) = under_way(&host, &["--lock", "--expect", "..1h"]);
    stop(&running);
    host.age(2 * HOUR);
    let options = ["-l", "job", "--lock", "--expect", "..1h", "--sink", "none"];
    let said: Vec<_> = (0..3)
        .map(|_| {
            let ran = host.wrap(&options, "exit 1").run();
            assert_eq!(ran.end(), End::Code(75), "{ran}");
            assert_eq!(ran.own_words().len(), ran.stderr_text().lines().count(), "{ran}");
            ran.own_words()
        })
        .collect();
    assert_eq!(said.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 0], "{said:?}");
    assert!(said[0][0].contains("still running after 2h 00m"), "{said:?}");
}
