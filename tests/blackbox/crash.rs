//! cronward killed at any instant: the journal stays readable, the count stays right (SPEC, law 3).

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use nix::libc;
use serde_json::Value;

use crate::support::{End, Host, Journal};

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
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = since_epoch.as_nanos() as u64 | 1;
    let mut instants = Instants(seed);
    let line = "CRONWARD_ALERT_AFTER=1000 exit 1";
    // The time that a whole run takes here, so that the instants spread over all of it.
    let whole = (0..5).map(|_| host.wrap(&["-l", "crash"], line).run().took).max().unwrap_or_default();
    let whole = whole.min(Duration::from_millis(50)) * 5 / 4;
    for round in 0..500 {
        let running = host.wrap(&["-l", "crash"], line).start();
        let instant = Instant::now() + instants.next(whole);
        while Instant::now() < instant {
            std::hint::spin_loop();
        }
        running.signal(libc::SIGKILL);
        let ran = running.wait();
        assert!(matches!(ran.end(), End::Signal(libc::SIGKILL) | End::Code(1)), "seed {seed}: {ran}");
        if round % 25 == 0 {
            assert!(recorded(&host.journal("crash")).values().all(|&times| times == 1), "seed {seed}: {ran}");
            assert!(host.status().to_string().contains("crash"), "seed {seed}: {ran}");
        }
    }
    let ran = host.wrap(&["-l", "crash"], line).run();
    assert_eq!(ran.end(), End::Code(1), "seed {seed}: {ran}");
    let journal = host.journal("crash");
    let ends = recorded(&journal);
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
