//! cronward killed, told to stop or out of time at any instant: the journal stays readable, the count
//! stays right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::time::{Duration, Instant, SystemTime};

use nix::libc;
use serde_json::Value;

use crate::support::situation::{pipe, wait_readable};
use crate::support::{End, Host, Journal, eventually};

/// Marsaglia's xorshift: enough to spread instants.
struct Instants(u64);

impl Instants {
    fn next(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_nanos(self.0 % limit.as_nanos() as u64)
    }
}

/// Where the instants of this run of the test begin; a failure names it.
fn seed() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_nanos() as u64 | 1
}

/// A sleep would end at a tick of the scheduler's and not at the instant.
fn spin_until(instant: Instant) {
    while Instant::now() < instant {
        std::hint::spin_loop();
    }
}

/// Waits until nobody has the other end of a pipe any more: whoever inherited it is gone.
fn wait_until_closed(mut reader: File) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while {
        assert!(wait_readable(&reader, deadline), "a job that hangs");
        reader.read(&mut [0; 4096]).expect("a pipe of ours") > 0
    } {}
}

/// How often each run was recorded to have ended.
fn recorded(journal: &Journal) -> BTreeMap<&str, usize> {
    let mut recorded = BTreeMap::new();
    for end in &journal.ends {
        *recorded.entry(end["run"].as_str().expect("an end names its run")).or_default() += 1;
    }
    recorded
}

#[test]
fn every_start_has_one_end_whenever_cronward_is_killed() {
    let host = Host::new();
    let seed = seed();
    let mut instants = Instants(seed);
    // The job says for itself that it ran: no command may run that is not on record.
    let line = "CRONWARD_ALERT_AFTER=1000 echo $CRONWARD_RUN_ID >>ids; exit 1";
    // The time that a whole run takes here, so that the instants spread over all of it.
    let mut whole: Vec<_> = (0..9).map(|_| host.wrap(&["-l", "crash"], line).run().took).collect();
    whole.sort_unstable();
    let whole = whole[4].min(Duration::from_millis(30));
    let (reader, writer) = pipe();
    for round in 0..500 {
        let stderr = writer.try_clone().expect("a descriptor more");
        let running = host.wrap(&["-l", "crash"], line).stderr(stderr).start();
        spin_until(Instant::now() + instants.next(whole));
        running.signal(libc::SIGKILL);
        let ran = running.wait();
        assert!(matches!(ran.end(), End::Signal(libc::SIGKILL) | End::Code(1)), "seed {seed}: {ran}");
        if round % 25 == 0 {
            assert!(recorded(&host.journal("crash")).values().all(|&times| times == 1), "seed {seed}: {ran}");
            assert!(host.status().to_string().contains("crash"), "seed {seed}: {ran}");
        }
    }
    drop(writer);
    wait_until_closed(reader);
    let mut ran = host.wrap(&["-l", "crash"], line).run();
    assert_eq!(ran.end(), End::Code(1), "seed {seed}: {ran}");
    // On a host with much else to do most rounds are cut short before their end, and of many that have
    // died a run asks after a few.
    eventually("all that have died are found", || {
        let found = host.journal("crash").fold.get("under_way").is_none();
        if !found {
            ran = host.wrap(&["-l", "crash"], line).run();
        }
        found
    });
    let journal = host.journal("crash");
    let ends = recorded(&journal);
    let ids = fs::read_to_string(host.path("ids")).expect("some have run");
    let ran_by_themselves: BTreeSet<_> = ids.lines().map(str::to_owned).collect();
    assert_eq!(ran_by_themselves, journal.starts.iter().cloned().collect(), "seed {seed}: {ran}");
    let unended: Vec<_> = journal.starts.iter().filter(|&start| ends.get(&start[..]) != Some(&1)).collect();
    assert!(unended.is_empty(), "seed {seed}: {unended:?}\n{ran}");
    assert_eq!(journal.starts.len(), journal.ends.len(), "seed {seed}: {ran}");
    assert!(
        journal.outcomes().contains(&"interrupted"),
        "seed {seed}: no run was killed in the middle\n{ran}"
    );
    // All of them are failures in a row, those that were cut short included.
    assert_eq!(journal.fold["failures"], journal.ends.len(), "seed {seed}: {ran}");
    let totals = journal.fold["totals"].as_object().expect("totals are an object");
    let totals: u64 = totals.values().filter_map(Value::as_u64).sum();
    assert_eq!(totals, journal.ends.len() as u64, "seed {seed}: {ran}");
}

/// The lock is not granted while the orphan lives, and there is no instant at which
/// it would be.
#[cfg_attr(posix_only, ignore = "without /proc an orphan is not told from a stranger")]
#[test]
fn two_jobs_never_overlap_whenever_cronward_is_killed() {
    let host = Host::new();
    let seed = seed();
    let mut instants = Instants(seed);
    // mkdir(1) fails if another job is inside; the counting makes the stay a few milliseconds long.
    let line = "mkdir inside || exit 9; i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; rmdir inside";
    let options = ["-l", "crash", "--lock", "--sink", "none"];
    let whole = host.wrap(&options, line).run().took.min(Duration::from_millis(30));
    let mut ends = BTreeMap::new();
    for _ in 0..150 {
        let killed = host.wrap(&options, line).start();
        spin_until(Instant::now() + instants.next(whole));
        killed.signal(libc::SIGKILL);
        let next = host.wrap(&options, line).run();
        let killed = killed.wait();
        assert!(matches!(killed.end(), End::Signal(libc::SIGKILL) | End::Code(0)), "seed {seed}: {killed}");
        assert!(matches!(next.end(), End::Code(0 | 75)), "seed {seed}: {next}");
        let counter = if next.end() == End::Code(0) { "granted" } else { "skipped" };
        *ends.entry(counter).or_insert(0) += 1;
        // The orphan must be out before the next round's first job may fail because of it.
        eventually("the orphan is out", || {
            let free = host.wrap(&options, "exit 0").run().end() == End::Code(0);
            assert!(!free || !host.path("inside").exists(), "seed {seed}: granted while an orphan is inside");
            free
        });
    }
    assert_eq!(ends.len(), 2, "seed {seed}: the instants reached only one case: {ends:?}");
}

/// A compaction writes what matters to a new file and puts it in the place of the old one.
#[test]
fn a_compaction_that_is_cut_short_loses_no_run() {
    let host = Host::new();
    let seed = seed();
    let mut instants = Instants(seed);
    // The journal keeps command lines, so a long one makes it grow fast.
    let line =
        format!("CRONWARD_ALERT_AFTER=1000 echo $CRONWARD_RUN_ID >>ids; exit 1 # {}", "x".repeat(15_000));
    let run = || host.wrap(&["-l", "crash"], &line);
    while host.journal_size("crash") < (1 << 20) - 15_500 {
        run().run();
    }
    let counted = || {
        let fold = host.journal("crash").fold;
        let totals = fold["totals"].as_object().expect("totals are an object");
        totals.values().filter_map(Value::as_u64).sum::<u64>()
    };
    let path = Journal::path(&host.state_dir(), "crash").expect("the job has a journal");
    let (nearly_full, before) = (fs::read(&path).unwrap(), counted());
    let whole = run().run().took.min(Duration::from_millis(40));
    assert!(host.journal_size("crash") < nearly_full.len() as u64, "the run before should have compacted");
    for _ in 0..100 {
        fs::write(&path, &nearly_full).unwrap();
        let _ = fs::remove_file(host.path("ids"));
        let (reader, writer) = pipe();
        let killed = run().stderr(writer).start();
        spin_until(Instant::now() + instants.next(whole));
        killed.signal(libc::SIGKILL);
        killed.wait();
        // Its job may be anywhere between clone and its end; the pipe closes when it is gone.
        wait_until_closed(reader);
        let ran = run().run();
        assert_eq!(ran.end(), End::Code(1), "seed {seed}");
        let ids = fs::read_to_string(host.path("ids")).unwrap_or_default();
        let (told, after) = (ids.lines().count() as u64, counted());
        assert_eq!(before + told, after, "seed {seed}: {before} runs and {told} more make {after}");
    }
}

/// What comes before cronward has begun ends it unrecorded, as it would the command; what comes after
/// the command has ended is too late.
#[test]
fn a_stop_signal_at_any_instant_is_a_stop_or_too_late() {
    let host = Host::new();
    let seed = seed();
    let mut instants = Instants(seed);
    let options = ["-l", "stop", "--sink", "none"];
    let whole = host.wrap(&options, "exit 0").run().took.min(Duration::from_millis(30));
    for _ in 0..200 {
        let before = host.journal("stop").ends.len();
        let running = host.wrap(&options, "exit 0").start();
        spin_until(Instant::now() + instants.next(whole));
        running.signal(libc::SIGTERM);
        let ran = running.wait();
        let journal = host.journal("stop");
        let outcomes: Vec<_> = journal.outcomes().split_off(before);
        let expected: &[&[&str]] = match ran.end() {
            End::Signal(libc::SIGTERM) => &[&["stopped"], &[]],
            End::Code(_) | End::Signal(_) => &[&["ok"]],
        };
        assert!(matches!(ran.end(), End::Code(0) | End::Signal(libc::SIGTERM)), "seed {seed}: {ran}");
        assert!(expected.contains(&&outcomes[..]), "seed {seed}: {outcomes:?}\n{ran}");
    }
    let journal = host.journal("stop");
    let ends = recorded(&journal);
    assert!(journal.starts.iter().all(|start| ends.get(&start[..]) == Some(&1)), "seed {seed}");
}

#[test]
fn a_limit_at_any_instant_is_a_timeout_or_too_late() {
    let host = Host::new();
    for micros in (100..6000).step_by(50) {
        let limit = format!("{micros}us");
        let ran = host.wrap(&["-l", "limit", "--timeout", &limit, "--sink", "exec:true"], "exit 0").run();
        let journal = host.journal("limit");
        let expected = if ran.end() == End::Code(124) { "timed_out" } else { "ok" };
        assert!(matches!(ran.end(), End::Code(0 | 124)), "{ran}");
        assert_eq!(journal.last()["outcome"], expected, "{ran}");
    }
}
