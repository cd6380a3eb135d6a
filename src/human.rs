//! PURE. Values as people read them.

use std::borrow::Cow;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::clock::Timestamp;

/// A span of time with two or three significant digits: `3.2 ms`, `1.53 s`, `31m 40s`, `2d 4h`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    let whole = span.as_secs();
    match whole {
        0 if seconds < 0.9995 => format!("{:.*} ms", usize::from(seconds < 0.01), seconds * 1e3),
        0..=59 => format!("{seconds:.*} s", if seconds < 9.995 { 2 } else { 1 }),
        60..=3599 => format!("{}m {:02}s", whole / 60, whole % 60),
        3600..=86_399 => format!("{}h {:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d {:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

/// A span of time in one unit, as short as it can be told: `3ms`, `45s`, `31m`, `5h`, `12d`.
pub fn brief(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.subsec_millis() < 999 => format!("{}ms", span.as_millis()),
        0 => "1s".to_owned(),
        1..=99 => format!("{seconds}s"),
        100..=5_999 => format!("{}m", seconds / 60),
        6_000..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A size in bytes with one decimal, in powers of 1000: `812 B`, `4.4 GB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A number in full, or with an exponent where that would be a row of zeros.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e15).contains(&size) { format!("{value}") } else { format!("{value:e}") }
}

/// A moment by the clock of a place: `2026-11-21 07:00:00`.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    let Some(time) = at.on_the_clock(zone) else { return at.to_string() };
    let (year, month, day) = (time.year(), time.month(), time.day());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

/// How long ago a moment was: `3m 20s ago`.
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    if then > now { "in the future".to_owned() } else { format!("{} ago", span(now.since(then))) }
}

/// A number of things: `1 run`, `3 runs`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Several sentences where there is room for one: the first, and how many more there are.
pub fn first_of(sentences: &[String]) -> Option<Cow<'_, str>> {
    let (first, others) = sentences.split_first()?;
    Some(match others.len() {
        0 => Cow::Borrowed(first),
        more => Cow::Owned(format!("{first}; and {more} more")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short_and_change_their_unit_where_people_do() {
        for (millis, shown) in [
            (3, "3.0 ms"),
            (250, "250 ms"),
            (1_530, "1.53 s"),
            (12_340, "12.3 s"),
            (59_949, "59.9 s"),
            (1_900_123, "31m 40s"),
            (7_500_000, "2h 05m"),
            (187_200_000, "2d 04h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), shown);
        }
        assert_eq!(span(Duration::from_micros(999_900)), "1.00 s");
    }

    #[test]
    fn the_shortest_form_has_one_unit_that_says_enough() {
        for (millis, shown) in [
            (0, "0ms"),
            (998, "998ms"),
            (999, "1s"),
            (99_999, "99s"),
            (100_000, "1m"),
            (5_999_999, "99m"),
            (6_000_000, "1h"),
            (172_799_000, "47h"),
            (172_800_000, "2d"),
            (86_400_000_000, "1000d"),
        ] {
            assert_eq!(brief(Duration::from_millis(millis)), shown);
        }
    }

    #[test]
    fn numbers_are_in_full_unless_they_would_be_a_row_of_zeros() {
        for (value, shown) in [
            (0.0, "0"),
            (12.0, "12"),
            (-0.5, "-0.5"),
            (1e14, "100000000000000"),
            (1e15, "1e15"),
            (-2.5e300, "-2.5e300"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
        ] {
            assert_eq!(number(value), shown);
        }
    }

    #[test]
    fn of_several_sentences_the_first_is_said_and_the_others_are_counted() {
        let said = |sentences: &[&str]| {
            let sentences: Vec<String> = sentences.iter().map(|&sentence| sentence.to_owned()).collect();
            first_of(&sentences).map(Cow::into_owned)
        };
        assert_eq!(said(&[]), None);
        assert_eq!(said(&["a"]).as_deref(), Some("a"));
        assert_eq!(said(&["a", "b", "c"]).as_deref(), Some("a; and 2 more"));
    }

    #[test]
    fn moments_are_told_by_the_clock_of_the_place_and_from_now() {
        let at = Timestamp::from_millis(1_795_244_400_123);
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(local(at, &zone), "2026-11-21 08:00:00");
        assert_eq!(ago(Timestamp::from_millis(at.as_millis() + 90_000), at), "1m 30s ago");
        assert_eq!(ago(Timestamp::from_millis(0), at), "in the future");
    }

    #[test]
    fn sizes_have_one_decimal_and_the_next_unit_in_time() {
        for (size, shown) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_990, "1.0 MB"), (4_402_341_478, "4.4 GB")]
        {
            assert_eq!(bytes(size), shown);
        }
    }
}
