//! The fields on the calendar. A minute of the wall clock is a number here: those since
//! 1970-01-01 00:00 on a clock that nobody ever changes, so that what a change skips or repeats has
//! numbers like any other minute. Days are looked at a month at a time, as sets.

use std::ops::RangeInclusive;

use jiff::civil::{Date, Time};
use jiff::tz::Offset;

use super::fields::Fields;

/// Minutes of a day.
const DAY: i64 = 24 * 60;

impl Fields {
    /// The first minute of the wall clock in `minutes` that is due.
    pub fn first_in(&self, minutes: RangeInclusive<i64>) -> Option<i64> {
        let (from, until) = minutes.into_inner();
        let (date, time) = date_and_time(from)?;
        let mut month = date.first_of_month();
        let mut days = self.days_of(month) & !below(day_of_month(date));
        loop {
            let midnight = minute_of(month)?;
            if midnight > until {
                return None;
            }
            while days != 0 {
                let day = days.trailing_zeros();
                let is_first = month == date.first_of_month() && day == day_of_month(date);
                if let Some(time) = self.time_from(if is_first { time } else { 0 }) {
                    let due = midnight + i64::from(day - 1) * DAY + time;
                    return (due <= until).then_some(due);
                }
                days &= days - 1;
            }
            month = month.last_of_month().tomorrow().ok()?;
            days = self.days_of(month);
        }
    }

    /// The last minute of the wall clock in `minutes` that is due.
    pub fn last_in(&self, minutes: RangeInclusive<i64>) -> Option<i64> {
        let (from, until) = minutes.into_inner();
        let (date, time) = date_and_time(until)?;
        let mut month = date.first_of_month();
        let mut days = self.days_of(month) & below(day_of_month(date) + 1);
        loop {
            let midnight = minute_of(month)?;
            while days != 0 {
                let day = days.ilog2();
                let is_last = month == date.first_of_month() && day == day_of_month(date);
                if let Some(time) = self.time_until(if is_last { time } else { DAY - 1 }) {
                    let due = midnight + i64::from(day - 1) * DAY + time;
                    return (due >= from).then_some(due);
                }
                days ^= 1 << day;
            }
            if midnight <= from {
                return None;
            }
            month = month.yesterday().ok()?.first_of_month();
            days = self.days_of(month);
        }
    }

    /// The days of a month that match, by the first of it; bit n stands for day n.
    fn days_of(&self, month: Date) -> u64 {
        if self.months & 1 << month.month() == 0 {
            return 0;
        }
        // The week as it begins on the first of the month, five times over.
        let first = month.weekday().to_sunday_zero_offset();
        let week = (self.weekdays >> first | self.weekdays << (7 - first)) & below(7);
        let by_weekday = (week | week << 7 | week << 14 | week << 21 | week << 28) << 1;
        let days = if self.both_days { self.days & by_weekday } else { self.days | by_weekday };
        days & below(u32::from(month.days_in_month().unsigned_abs()) + 1)
    }

    /// The first due minute of a day, from the given one on.
    fn time_from(&self, minute_of_day: i64) -> Option<i64> {
        let (hour, minute) = hour_and_minute(minute_of_day);
        let in_hour = self.minutes & !below(minute);
        if self.hours & 1 << hour != 0 && in_hour != 0 {
            return Some(i64::from(hour * 60 + in_hour.trailing_zeros()));
        }
        let later = self.hours & !below(hour + 1);
        (later != 0).then(|| i64::from(later.trailing_zeros() * 60 + self.minutes.trailing_zeros()))
    }

    /// The last due minute of a day, up to the given one.
    fn time_until(&self, minute_of_day: i64) -> Option<i64> {
        let (hour, minute) = hour_and_minute(minute_of_day);
        let in_hour = self.minutes & below(minute + 1);
        if self.hours & 1 << hour != 0 && in_hour != 0 {
            return Some(i64::from(hour * 60 + in_hour.ilog2()));
        }
        let earlier = self.hours & below(hour);
        (earlier != 0).then(|| i64::from(earlier.ilog2() * 60 + self.minutes.ilog2()))
    }
}

/// The set of all values below `value`, which is at most 63.
fn below(value: u32) -> u64 {
    (1 << value) - 1
}

fn hour_and_minute(minute_of_day: i64) -> (u32, u32) {
    let minute = u32::try_from(minute_of_day).unwrap_or(0);
    (minute / 60, minute % 60)
}

fn day_of_month(date: Date) -> u32 {
    u32::from(date.day().unsigned_abs())
}

/// The day that holds a minute, and the minute of that day. `None` beyond the years -9999 to 9999.
fn date_and_time(minute: i64) -> Option<(Date, i64)> {
    let at = jiff::Timestamp::from_second(minute.checked_mul(60)?).ok()?;
    Some((Offset::UTC.to_datetime(at).date(), minute.rem_euclid(DAY)))
}

/// The first minute of a day.
fn minute_of(date: Date) -> Option<i64> {
    let midnight = Offset::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()?;
    Some(midnight.as_second().div_euclid(60))
}
