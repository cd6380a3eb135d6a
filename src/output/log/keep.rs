//! PURE. Which files of a job are kept, and what they are called.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::job::RunId;

const DAY: u64 = 24 * 3600;

/// Units of size that a rule is shown in, largest first.
const UNITS: [(&str, u64); 10] = [
    ("PiB", 1 << 50),
    ("PB", 1_000_000_000_000_000),
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1000),
];

/// `--log-keep`: how much is kept of a job; all that is given holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepRule {
    /// At most so many files.
    pub files: Option<NonZeroU32>,
    /// Nothing of a run that was started longer ago than this; more than zero.
    pub age: Option<Duration>,
    /// At most so many bytes in all; more than zero.
    pub bytes: Option<u64>,
}

/// A hundred files.
impl Default for KeepRule {
    fn default() -> Self {
        Self { files: NonZeroU32::new(100), age: None, bytes: None }
    }
}

/// As on the command line: `30,14d,1GiB`.
impl fmt::Display for KeepRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [self.files.map(|files| files.to_string()), self.age.map(span), self.bytes.map(size)];
        let words: Vec<String> = words.into_iter().flatten().collect();
        f.write_str(&words.join(","))
    }
}

/// A span of time as it can be typed: in days rather than months, which are not accepted.
fn span(span: Duration) -> String {
    let days = span.as_secs() / DAY;
    match (days, span - Duration::from_secs(days * DAY)) {
        (0, rest) => humantime::format_duration(rest).to_string(),
        (_, Duration::ZERO) => format!("{days}d"),
        (_, rest) => format!("{days}d {}", humantime::format_duration(rest)),
    }
}

/// A size in the largest unit of which it is a whole number.
fn size(bytes: u64) -> String {
    match UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// What the file of a run is called: its start in UTC, and as much of its id as tells apart what starts
/// within a second. So names sort by time.
pub(super) fn file_name(started_at: Timestamp, run: RunId) -> String {
    // A clock before 1970 has not been set yet.
    let on_the_clock = |at: Timestamp| at.on_the_clock(&TimeZone::UTC);
    let time = on_the_clock(started_at.max(Timestamp::UNSET));
    let time = time.or_else(|| on_the_clock(Timestamp::UNSET)).unwrap_or_default();
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z-{:08x}.log",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        run.uuid().as_u128() & 0xffff_ffff,
    )
}

/// When the run was started whose file has this name; `None` if it is no name that [`file_name`] makes.
pub(super) fn started_at(name: &str) -> Option<Timestamp> {
    const LOOKS: &[u8] = b"00000000T000000Z-xxxxxxxx.log";
    let alike = |(byte, look): (u8, &u8)| match look {
        b'0' => byte.is_ascii_digit(),
        b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        look => byte == *look,
    };
    if name.len() != LOOKS.len() || !name.bytes().zip(LOOKS).all(alike) {
        return None;
    }
    let two = |at: usize| name.get(at..at + 2)?.parse::<i8>().ok();
    let year = name.get(..4)?.parse().ok()?;
    let time = DateTime::new(year, two(4)?, two(6)?, two(9)?, two(11)?, two(13)?, 0).ok()?;
    Timestamp::when_the_clock_shows(time, &TimeZone::UTC)
}

/// A file of a run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// As [`file_name`] makes it.
    pub(super) name: String,
    /// Its size; not asked for unless the rule has a size.
    pub(super) bytes: u64,
}

/// The names of the files that have to go, oldest first: the newest that fit are kept. `own`, which has
/// just been written, is kept whatever its age and size. Without it, the newest is kept whatever its size:
/// a failure that was too large is not forgotten because the next run went well.
pub(super) fn surplus<'a>(
    rule: &KeepRule,
    files: &'a [Kept],
    own: Option<&str>,
    now: Timestamp,
) -> Vec<&'a str> {
    let mut newest_first: Vec<&Kept> = files.iter().collect();
    // Written last, even if it was started first.
    newest_first.sort_unstable_by(|a, b| {
        let rank = |file: &Kept| own == Some(file.name.as_str());
        (rank(b), &b.name).cmp(&(rank(a), &a.name))
    });
    let most = rule.files.map_or(usize::MAX, |files| usize::try_from(files.get()).unwrap_or(usize::MAX));
    let too_old = |file: &Kept| match (rule.age, started_at(&file.name)) {
        (Some(age), Some(at)) => now.since(at) > age,
        (Some(_) | None, Some(_) | None) => false,
    };
    let mut bytes = 0_u64;
    let fitting = newest_first
        .iter()
        .enumerate()
        .take_while(|(at, file)| {
            bytes = bytes.saturating_add(file.bytes);
            let too_large = *at > 0 && rule.bytes.is_some_and(|limit| bytes > limit);
            own == Some(&file.name) || (*at < most && !too_large && !too_old(file))
        })
        .count();
    newest_first.iter().skip(fitting).rev().map(|file| file.name.as_str()).collect()
}

#[cfg(test)]
mod tests;
