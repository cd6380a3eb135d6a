//! PURE. A moment as people write it.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::plan;
use crate::settings::UsageError;

/// The moment that a text names: so long ago, a day, or a time of a day by the clock of a place.
///
/// # Errors
/// It names none.
pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, UsageError> {
    if let Ok(span) = plan::duration(text) {
        return Ok(now.earlier_by(span));
    }
    let moment = by_the_clock(text, zone);
    moment.ok_or_else(|| {
        UsageError::new(format!(
            "bad time '{text}' in --since: write a time ago ('7d'), a day ('2026-11-01') or '2026-11-01 06:00'"
        ))
    })
}

/// `2026-11-01`, and perhaps ` 06:00` or `T06:00:30.123`; with a `Z` at its end, as programs are given it, by UTC.
fn by_the_clock(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let utc = TimeZone::UTC;
    let (text, zone) = text.strip_suffix('Z').map_or((text, zone), |text| (text, &utc));
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let (time, millis) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.splitn(3, ':');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next().unwrap_or("0"));
    let two = |digits: &str| number(digits, 2).and_then(|number| i8::try_from(number).ok());
    let year = number(year, 4).filter(|_| year.len() == 4)?;
    let moment =
        DateTime::new(year, two(month)?, two(day)?, two(hour)?, two(minute)?, two(second)?, 0).ok()?;
    let millis = number(millis, 3)?.unsigned_abs();
    Some(Timestamp::when_the_clock_shows(moment, zone)?.later_by(Duration::from_millis(millis.into())))
}

/// A number of at most so many digits.
fn number(digits: &str, most: usize) -> Option<i16> {
    let is_one =
        !digits.is_empty() && digits.len() <= most && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_244_400_000);

    #[test]
    fn a_moment_is_so_long_ago_or_by_the_clock_of_the_place_or_by_utc() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        for (text, expected) in [
            ("7d", "2026-11-14T07:00:00.000Z"),
            ("1h30m", "2026-11-21T05:30:00.000Z"),
            ("2026-11-01", "2026-10-31T23:00:00.000Z"),
            ("2026-11-01 06:00", "2026-11-01T05:00:00.000Z"),
            ("2026-11-01T06:00:30", "2026-11-01T05:00:30.000Z"),
            ("2026-11-01T06:00:00Z", "2026-11-01T06:00:00.000Z"),
            ("2026-11-01T06:00:00.123Z", "2026-11-01T06:00:00.123Z"),
        ] {
            assert_eq!(parse(text, NOW, &zone).map(|at| at.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_with_what_is_one() {
        for text in [
            "",
            "yesterday",
            "7",
            "2026-13-01",
            "2026-02-30",
            "06:00",
            "26-11-01",
            "2026-11",
            "2026-11-01 6pm",
            "2026-11-01 06:00:00:00",
            "2026-11-01 +6:00",
            "2026-11-01T06:00:00.1234Z",
        ] {
            let message = parse(text, NOW, &TimeZone::UTC).unwrap_err().to_string();
            assert!(message.starts_with(&format!("bad time '{text}' in --since: write ")), "{message}");
        }
    }
}
