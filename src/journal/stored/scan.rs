//! Single facts of many lines, read without the rest of them.

use std::time::Duration;

use serde::Deserialize;

use super::VERSION;
use super::parts::duration;
use super::words::Word;
use crate::clock::Timestamp;
use crate::outcome::Weight;

/// From when to when a run took, and nothing else of its end.
#[derive(Deserialize)]
struct Took {
    started_at: i64,
    ended_at: i64,
}

#[derive(Deserialize)]
struct EndedOnly {
    #[serde(default)]
    lost: Vec<Took>,
    end: Option<Took>,
}

/// The runs that have ended on lines of a journal, from start to end, newest first.
pub(in crate::journal) fn runs(lines: &[u8]) -> Vec<(Timestamp, Timestamp)> {
    let lines = lines.rsplit(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let ended = lines.filter_map(|line| serde_json::from_slice::<EndedOnly>(line).ok());
    let took = ended.flat_map(|line| line.end.into_iter().chain(line.lost.into_iter().rev()));
    took.map(|run| (Timestamp::from_millis(run.started_at), Timestamp::from_millis(run.ended_at))).collect()
}

/// How a run ended and how long it took, and nothing else of its end.
#[derive(Deserialize)]
struct Lasted {
    outcome: Word,
    wall_us: Option<u64>,
}

#[derive(Deserialize)]
struct LastedOnly {
    v: u32,
    end: Lasted,
}

/// The wall times of the successes on lines of a journal, newest first. Runs that died are none, so what a
/// line says of others than its own does not matter.
pub(in crate::journal) fn successes(lines: &[u8]) -> impl Iterator<Item = Duration> {
    let lines = lines.rsplit(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let ended = lines.filter_map(|line| serde_json::from_slice::<LastedOnly>(line).ok());
    let succeeded = ended.filter(|line| line.v == VERSION && line.end.outcome.0.weight() == Weight::Success);
    succeeded.filter_map(|line| line.end.wall_us.map(duration))
}
