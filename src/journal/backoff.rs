//! When sinks that could not be reached are tried again: one small file for all jobs of a state directory, so
//! that an outage costs some run of some job its time now and then, and not each of them. To lose it costs
//! an attempt more.

use std::ffi::CStr;
use std::time::Duration;

use nix::unistd::{UnlinkatFlags, unlinkat};
use serde::{Deserialize, Serialize};

use super::tail::read_range;
use crate::clock::Timestamp;
use crate::directory::{Access, Directory, Unsynced};

const FILE: &CStr = c"backoff.json";
const VERSION: u32 = 1;
/// A larger file is none of ours.
const SIZE_MAX: u64 = 256 * 1024;
/// Pause after the first failure; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// Who could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Backoff {
    v: u32,
    /// Before this moment there is nothing that any run could do for others, in milliseconds since 1970.
    #[serde(default)]
    idle_until: i64,
    #[serde(default)]
    sinks: Vec<Unreached>,
}

/// A sink that could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Unreached {
    sink: String,
    /// Failures in a row.
    failures: u32,
    not_before: i64,
}

/// Whether a moment lies ahead; one that is farther away than any pause was written by another clock.
fn is_ahead(moment: i64, now: Timestamp) -> bool {
    let left = Timestamp::from_millis(moment).since(now);
    !left.is_zero() && left <= PAUSE_MAX
}

impl Backoff {
    /// What is on file; nothing if that cannot be read.
    pub(super) fn read(state: &Directory) -> Self {
        let read = || {
            let file = state.file(FILE, Access::Read, &mut Unsynced::new()).ok()?;
            serde_json::from_slice::<Self>(&read_range(&file, 0, SIZE_MAX).ok()?).ok()
        };
        read().filter(|backoff| backoff.v == VERSION).unwrap_or_default()
    }

    /// Puts it in the place of what is on file; nothing, if there is nothing to remember.
    pub(super) fn write(&self, state: &Directory) -> nix::Result<()> {
        if self.sinks.is_empty() && self.idle_until == 0 {
            return unlinkat(state.fd(), FILE, UnlinkatFlags::NoRemoveDir);
        }
        let written = Self { v: VERSION, ..self.clone() };
        let bytes = serde_json::to_vec(&written).unwrap_or_default();
        state.replace(FILE, &bytes).map(drop)
    }

    /// Whether no run needs to look for what others owe.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        is_ahead(self.idle_until, now)
    }

    /// Whether a sink may be tried.
    pub fn is_due(&self, sink: &str, now: Timestamp) -> bool {
        !self.sinks.iter().any(|other| other.sink == sink && is_ahead(other.not_before, now))
    }

    /// Who could not be reached, and how often in a row.
    pub fn unreached(&self) -> Vec<(String, u32)> {
        self.sinks.iter().map(|known| (known.sink.clone(), known.failures)).collect()
    }

    /// A sink could not be reached.
    pub fn failed(&mut self, sink: &str, now: Timestamp) {
        let failures = match self.sinks.iter().find(|other| other.sink == sink) {
            Some(known) => known.failures.saturating_add(1),
            None => 1,
        };
        let pause = FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(16)).min(PAUSE_MAX);
        let not_before = now.later_by(pause).as_millis();
        self.sinks.retain(|other| other.sink != sink);
        self.sinks.push(Unreached { sink: sink.to_owned(), failures, not_before });
        if is_ahead(self.idle_until, now) {
            self.idle_until = self.idle_until.min(not_before);
        }
    }

    /// A sink has been reached: whatever is owed to it can be delivered.
    pub fn reached(&mut self, sink: &str) {
        let known = self.sinks.len();
        self.sinks.retain(|other| other.sink != sink);
        if self.sinks.len() < known {
            self.idle_until = 0;
        }
    }

    /// Everything has been tried that may be: nobody need look before the first of these sinks may be tried
    /// again. One that is waited for by nobody any more is dropped.
    pub fn rest<'a>(&mut self, owed_to: impl Iterator<Item = &'a str>, now: Timestamp) {
        let owed_to: Vec<&str> = owed_to.collect();
        self.sinks.retain(|known| owed_to.contains(&&known.sink[..]));
        let first = self.sinks.iter().map(|known| known.not_before).min();
        // Something is owed to a sink that nobody but the job itself knows.
        let pause = now.later_by(PAUSE_MAX).as_millis();
        self.idle_until = first.unwrap_or(pause).min(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour_and_end_with_a_success() {
        let mut backoff = Backoff::default();
        let mut now = 0;
        for pause in [15, 30, 60, 120, 240, 480, 900, 900] {
            assert!(backoff.is_due("slack", at(now)));
            backoff.failed("slack", at(now));
            assert!(!backoff.is_due("slack", at(now + pause - 1)), "{pause}");
            assert!(backoff.is_due("pagerduty", at(now)), "another one has its own");
            now += pause;
        }
        backoff.failed("slack", at(now));
        backoff.reached("slack");
        assert!(backoff.is_due("slack", at(now)));
        backoff.failed("slack", at(now));
        assert!(backoff.is_due("slack", at(now + 15)), "the first pause again");
    }

    #[test]
    fn nobody_looks_until_the_first_of_those_may_be_tried_that_something_is_owed_to() {
        let mut backoff = Backoff::default();
        backoff.failed("slack", at(0));
        backoff.failed("slack", at(0));
        backoff.failed("webhook", at(0));
        backoff.failed("forgotten", at(0));
        assert!(!backoff.is_idle(at(0)), "nobody has looked yet");
        backoff.rest(["slack", "webhook"].into_iter(), at(0));
        assert!(backoff.is_idle(at(14)) && !backoff.is_idle(at(15)));
        backoff.rest(["slack"].into_iter(), at(0));
        assert!(backoff.is_idle(at(29)) && !backoff.is_idle(at(30)));
        backoff.failed("new", at(1));
        assert!(!backoff.is_idle(at(16)), "what failed since is waited for no longer than its own pause");
        backoff.rest(["slack"].into_iter(), at(1));
        backoff.reached("slack");
        assert!(!backoff.is_idle(at(2)), "who was reached can be told the rest");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait_for_ever() {
        let mut backoff = Backoff::default();
        backoff.failed("slack", at(1_000_000));
        assert!(backoff.is_due("slack", at(0)));
    }

    #[test]
    fn it_is_read_back_as_it_was_written_and_a_file_that_is_none_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let state = Directory::open(directory.path()).unwrap();
        assert_eq!(Backoff::read(&state), Backoff::default());
        let mut backoff = Backoff::default();
        backoff.failed("slack", at(0));
        backoff.write(&state).unwrap();
        backoff.write(&state).unwrap();
        assert!(!Backoff::read(&state).is_due("slack", at(1)));
        std::fs::write(directory.path().join("backoff.json"), "x").unwrap();
        assert_eq!(Backoff::read(&state), Backoff::default());
        backoff.reached("slack");
        backoff.write(&state).unwrap();
        assert!(!directory.path().join("backoff.json").exists(), "nothing is left of an outage that is over");
    }
}
