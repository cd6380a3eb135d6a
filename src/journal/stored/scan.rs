//! Single facts of many lines, read without the rest of them.

use std::time::Duration;

use serde::Deserialize;

use super::parts::duration;
use super::words::Word;
use super::{End, VERSION};
use crate::clock::Timestamp;
use crate::outcome::{Outcome, Weight};

/// How the record of a start begins.
const START: &[u8] = b"{\"v\":1,\"start\"";

/// The lines of a journal but the empty ones, from the last to the first.
fn newest_first(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut end = bytes.len();
    let mut newlines = memchr::memrchr_iter(b'\n', bytes);
    let mut is_over = false;
    let lines = std::iter::from_fn(move || {
        let newline = newlines.next();
        let line = &bytes[newline.map_or(0, |at| at + 1)..end];
        end = newline.unwrap_or(0);
        let before = std::mem::replace(&mut is_over, newline.is_none());
        (!before).then_some(line)
    });
    lines.filter(|line| !line.is_empty())
}

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
    let ended = newest_first(lines).filter_map(|line| serde_json::from_slice::<EndedOnly>(line).ok());
    let took = ended.flat_map(|line| line.end.into_iter().chain(line.lost.into_iter().rev()));
    took.map(|run| (Timestamp::from_millis(run.started_at), Timestamp::from_millis(run.ended_at))).collect()
}

#[derive(Deserialize)]
struct RemarkOnly {
    at: i64,
    what: String,
    #[serde(default)]
    verdict: String,
}

#[derive(Deserialize)]
struct RecordedOnly {
    v: u32,
    #[serde(default)]
    lost: Vec<End<'static>>,
    end: Option<End<'static>>,
    remark: Option<RemarkOnly>,
}

/// What a line has put on record.
#[derive(Default)]
pub(in crate::journal) struct Recorded {
    /// Ends of runs, oldest first.
    pub(in crate::journal) ends: Vec<End<'static>>,
    /// Something that was noticed: when, what, and its verdict.
    pub(in crate::journal) remark: Option<(Timestamp, String, String)>,
}

/// All that a line has put on record; nothing, if it cannot be read.
pub(in crate::journal) fn recorded(line: &[u8]) -> Recorded {
    let Some(line) = serde_json::from_slice::<RecordedOnly>(line).ok().filter(|line| line.v == VERSION)
    else {
        return Recorded::default();
    };
    let mut ends = line.lost;
    ends.extend(line.end);
    let remark = line.remark.map(|remark| (Timestamp::from_millis(remark.at), remark.what, remark.verdict));
    Recorded { ends, remark }
}

/// How a run ended and how long it took, and nothing else of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lasted {
    /// How it ended.
    pub outcome: Outcome,
    /// Its wall time; unknown if nobody saw its end.
    pub wall_time: Option<Duration>,
}

#[derive(Deserialize)]
struct StoredLasted {
    outcome: Word,
    wall_us: Option<u64>,
}

#[derive(Deserialize)]
struct LastedOnly {
    v: u32,
    #[serde(default)]
    lost: Vec<StoredLasted>,
    end: Option<StoredLasted>,
}

/// The runs that have ended on lines of a journal, newest first.
pub(in crate::journal) fn ended(lines: &[u8]) -> impl Iterator<Item = Lasted> {
    // That a run has started is known by the beginning of its line.
    let ends = newest_first(lines).filter(|line| !line.starts_with(START));
    ends.flat_map(|line| {
        let quick = at_the_beginning(line);
        let all = if quick.is_none() { all_of_a_line(line) } else { Vec::new() };
        quick.into_iter().chain(all)
    })
}

fn all_of_a_line(line: &[u8]) -> Vec<Lasted> {
    let Some(line) = serde_json::from_slice::<LastedOnly>(line).ok().filter(|line| line.v == VERSION) else {
        return Vec::new();
    };
    let runs = line.end.into_iter().chain(line.lost.into_iter().rev());
    runs.map(|run| Lasted { outcome: run.outcome.0, wall_time: run.wall_us.map(duration) }).collect()
}

/// The same of a line that begins as ours do with the end of a run that nobody else was found dead before: to read
/// the rest, a kilobyte, takes twenty times as long, and `status` reads a hundred thousand. `None`: it must be read
/// whole.
fn at_the_beginning(line: &[u8]) -> Option<Lasted> {
    const ID: usize = 36;
    // One that is torn is none.
    let line = line.strip_suffix(b"}}")?;
    let rest = line.strip_prefix(b"{\"v\":1,\"end\":{\"run\":\"")?.get(ID..)?;
    let rest = match rest.strip_prefix(b"\",\"parent\":\"") {
        Some(rest) => rest.get(ID..)?,
        None => rest,
    };
    let rest = rest.strip_prefix(b"\",\"outcome\":\"")?;
    let (word, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
    let outcome = Outcome::parse(std::str::from_utf8(word).ok()?)?;
    let (_, rest) = number(rest.strip_prefix(b"\",\"started_at\":")?)?;
    let (_, rest) = number(rest.strip_prefix(b",\"ended_at\":")?)?;
    let wall_time = match rest.strip_prefix(b",\"wall_us\":") {
        Some(rest) => Some(duration(number(rest)?.0)),
        None => None,
    };
    Some(Lasted { outcome, wall_time })
}

/// A whole number that is not negative, and what stands behind it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut number, mut rest) = (0_u64, text);
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        rest = behind;
    }
    (rest.len() < text.len()).then_some((number, rest))
}

/// The wall times of the successes on lines of a journal, newest first.
pub(in crate::journal) fn successes(lines: &[u8]) -> impl Iterator<Item = Duration> {
    let succeeded = ended(lines).filter(|run| run.outcome.weight() == Weight::Success);
    succeeded.filter_map(|run| run.wall_time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_read_from_the_last_to_the_first(text in "[ab\n]{0,30}") {
            let expected: Vec<&[u8]> =
                text.as_bytes().rsplit(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
            prop_assert_eq!(newest_first(text.as_bytes()).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_stands_at_the_beginning_of_a_line_is_what_the_whole_of_it_says() {
        for (outcome, parent) in Outcome::ALL.into_iter().zip([false, true].into_iter().cycle()) {
            let mut run = crate::journal::fixture::ended(outcome);
            run.parent = parent.then(crate::job::RunId::new);
            run.wall_time = run.wall_time.filter(|_| outcome != Outcome::Interrupted);
            let line =
                super::super::Line { end: Some(&super::super::End::of_run(&run)), ..Default::default() };
            let line = serde_json::to_vec(&line).unwrap();
            let quick = at_the_beginning(&line).expect("as it is written");
            assert_eq!(all_of_a_line(&line), [quick]);
            assert_eq!((quick.outcome, quick.wall_time), (outcome, run.wall_time));
        }
    }

    #[test]
    fn the_runs_of_a_line_are_the_one_that_ended_and_before_it_those_that_it_found_dead() {
        let lines = b"{\"v\":1,\"start\":{\"run\":\"x\"}}\n\
            {\"v\":1,\"lost\":[{\"outcome\":\"interrupted\"}],\"end\":{\"outcome\":\"ok\",\"wall_us\":1500}}\n\
            {\"v\":2,\"end\":{\"outcome\":\"ok\",\"wall_us\":1}}\n{\"v\":1,\"end\":{\"outco";
        let lasted =
            |outcome, micros| Lasted { outcome, wall_time: Option::map(micros, Duration::from_micros) };
        let expected = [lasted(Outcome::Ok, Some(1500)), lasted(Outcome::Interrupted, None)];
        assert_eq!(ended(lines).collect::<Vec<_>>(), expected);
        assert_eq!(successes(lines).collect::<Vec<_>>(), [Duration::from_micros(1500)]);
    }
}
