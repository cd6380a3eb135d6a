//! PURE. A moment as people write it.

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
    let by_the_clock = text.parse::<DateTime>().ok().and_then(|time| time.to_zoned(zone.clone()).ok());
    let moment = text.parse::<jiff::Timestamp>().ok().or_else(|| by_the_clock.map(|time| time.timestamp()));
    moment.map(|moment| Timestamp::from_millis(moment.as_millisecond())).ok_or_else(|| {
        UsageError::new(format!(
            "bad time '{text}' in --since: write a time ago ('7d'), a day ('2026-11-01') or '2026-11-01 06:00'"
        ))
    })
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
            ("2026-11-01T06:00:00.123+02:00", "2026-11-01T04:00:00.123Z"),
        ] {
            assert_eq!(parse(text, NOW, &zone).map(|at| at.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_with_what_is_one() {
        for text in ["", "yesterday", "7", "2026-13-01", "06:00"] {
            let message = parse(text, NOW, &TimeZone::UTC).unwrap_err().to_string();
            assert!(message.starts_with(&format!("bad time '{text}' in --since: write ")), "{message}");
        }
    }
}
