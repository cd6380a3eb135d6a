//! Real time, cut where the offset of the zone changes, with the rule of Debian's cron (cron(8), and
//! the loop of its daemon) for what the change does to the wall clock:
//!
//! - The clock goes forward by less than three hours: jobs with fixed times whose minutes were
//!   skipped run at the change. By less than five minutes, the others do too.
//! - It goes back by up to three hours: jobs with fixed times do not run in what is repeated.
//! - It is set by more: whatever it now says is taken at once.
//!
//! The daemon looks for changes of the offset only where daylight saving begins or ends, and goes on
//! with the old one otherwise until it is restarted. A government that moves its zone gets the rule
//! of daylight saving here.

use std::ops::RangeInclusive;

use jiff::tz::TimeZone;

use super::fields::Fields;

/// From where a jump forward, in minutes, is a correction of the clock and is not caught up with.
const FORWARD_CORRECTION: i64 = 180;
/// Above how many minutes a jump back is a correction of the clock.
const BACK_CORRECTION: i64 = 180;
/// Below how many minutes cron takes a jump forward for its own oversleeping, and runs all it missed.
const OVERSLEPT: i64 = 5;

/// A stretch of real time in which the wall clock goes evenly. Real times are seconds since the epoch.
#[derive(Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its first second; the smallest number if no change came before.
    pub start: i64,
    /// The first second behind it; the largest number if no change comes.
    pub end: i64,
    /// What the wall clock is ahead of UTC, in seconds.
    offset: i64,
    /// By how many minutes the wall clock was set at the start; negative is back.
    jump: i64,
}

impl Stretch {
    /// The stretch that holds a second. `None` beyond the years -9999 to 9999.
    pub fn holding(second: i64, zone: &TimeZone) -> Option<Self> {
        let at = jiff::Timestamp::from_second(second).ok()?;
        let next = jiff::Timestamp::from_second(second.checked_add(1)?).ok()?;
        let offset = i64::from(zone.to_offset(at).seconds());
        let end = zone.following(at).next().map_or(i64::MAX, |change| change.timestamp().as_second());
        // The last one before the next second is the last one up to this second.
        let start = zone.preceding(next).next().map(|change| change.timestamp().as_second());
        let before = start.and_then(|start| {
            let before = jiff::Timestamp::from_second(start.checked_sub(1)?).ok()?;
            Some(i64::from(zone.to_offset(before).seconds()))
        });
        let jump = (offset - before.unwrap_or(offset)).div_euclid(60);
        Some(Self { start: start.unwrap_or(i64::MIN), end, offset, jump })
    }

    /// The first due time of this stretch from `from`, which it holds, up to and including `limit`.
    pub fn first_due(&self, fields: &Fields, from: i64, limit: i64) -> Option<i64> {
        let minutes = self.minutes(fields, from, limit);
        if from == self.start && self.catches_up(fields) {
            return Some(from);
        }
        fields.first_in(minutes).map(|minute| self.second_of(minute))
    }

    /// The last due time of this stretch from `limit` up to and including `until`, which it holds.
    pub fn last_due(&self, fields: &Fields, limit: i64, until: i64) -> Option<i64> {
        let from = self.start.max(limit);
        let due = fields.last_in(self.minutes(fields, from, until)).map(|minute| self.second_of(minute));
        due.or_else(|| (from == self.start && self.catches_up(fields)).then_some(from))
    }

    /// The minutes of the wall clock in which jobs like this one run, that begin from `from` up to
    /// and including `until`.
    fn minutes(&self, fields: &Fields, from: i64, until: i64) -> RangeInclusive<i64> {
        let mut first = (from + self.offset + 59).div_euclid(60);
        if (-BACK_CORRECTION..0).contains(&self.jump) && !fields.goes_by_clock {
            first = first.max(self.first_minute() - self.jump);
        }
        first..=(until.min(self.end - 1) + self.offset).div_euclid(60)
    }

    /// Whether the job had its time in what was skipped at the start, and runs for it now.
    fn catches_up(&self, fields: &Fields) -> bool {
        (1..FORWARD_CORRECTION).contains(&self.jump)
            && (self.jump < OVERSLEPT || !fields.goes_by_clock)
            && fields.first_in(self.first_minute() - self.jump..=self.first_minute() - 1).is_some()
    }

    /// What the wall clock says at the start.
    fn first_minute(&self) -> i64 {
        (self.start + self.offset).div_euclid(60)
    }

    /// When a minute of the wall clock begins.
    fn second_of(&self, minute: i64) -> i64 {
        minute * 60 - self.offset
    }
}
