//! PURE. When runs are due: the five fields of crontab(5) on the wall clock of a zone, with the rule
//! of Debian's cron for the minutes that a change of the clock skips or repeats.
//!
//! No crate reads the fields. Those that do accept other words than Debian's cron, combine the two
//! day fields by another rule and know another one for changes of the clock, so that all of it would
//! have to be said here a second time; what is left is to count by steps through a range.

mod calendar;
mod fields;
mod stretch;

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use fields::Fields;
use stretch::Stretch;

/// When runs of a job are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// As it was given.
    text: String,
    fields: Fields,
}

/// How far away the next due time can be, in seconds: 41 years. The rarest schedule is a 29 February
/// that has to be a certain day of the week, and those are up to 40 years apart, around a year that
/// is divisible by 100 and has none.
const HORIZON: i64 = 41 * 366 * 86_400;

impl Schedule {
    /// Reads a schedule: five fields, or one of cron's words for them.
    ///
    /// # Errors
    /// In words: whatever Debian's cron refuses, what it takes for something else than is written, a
    /// day that never comes, and `@reboot`, which has no time.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { fields: Fields::parse(text)?, text: text.to_owned() })
    }

    /// The first due time after `after`. `None` only where the calendar ends.
    pub fn due_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let limit = after.as_seconds().saturating_add(HORIZON);
        self.due_from(after.as_seconds().saturating_add(1), limit, zone).next()
    }

    /// The due times after `after` up to and including `until`, oldest first.
    pub fn due_between<'a>(
        &'a self,
        after: Timestamp,
        until: Timestamp,
        zone: &'a TimeZone,
    ) -> impl Iterator<Item = Timestamp> + 'a {
        self.due_from(after.as_seconds().saturating_add(1), until.as_seconds(), zone)
    }

    /// The last due time up to and including `until`. `None` only where the calendar begins.
    pub fn last_due(&self, until: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let limit = until.as_seconds().saturating_sub(HORIZON);
        let mut stretch = Stretch::holding(until.as_seconds(), zone)?;
        let mut until = until.as_seconds();
        loop {
            if let Some(due) = stretch.last_due(&self.fields, limit, until) {
                return Some(of_seconds(due));
            }
            until = stretch.start.checked_sub(1).filter(|&before| before >= limit)?;
            stretch = Stretch::holding(until, zone)?;
        }
    }

    /// How far a due time is from the nearest other one: a run that is later than that cannot be told
    /// from the next. `None` only where the calendar begins and ends.
    pub fn interval_around(&self, due: Timestamp, zone: &TimeZone) -> Option<Duration> {
        let just_before = Timestamp::from_millis(due.as_millis().saturating_sub(1));
        let since = self.last_due(just_before, zone).map(|earlier| due.since(earlier));
        let until = self.due_after(due, zone).map(|later| later.since(due));
        since.into_iter().chain(until).min()
    }

    fn due_from<'a>(&'a self, from: i64, limit: i64, zone: &'a TimeZone) -> DueTimes<'a> {
        let stretch = Stretch::holding(from, zone).filter(|_| from <= limit);
        DueTimes { fields: &self.fields, zone, stretch, from, limit }
    }
}

/// The text as it was given.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Due times, oldest first.
struct DueTimes<'a> {
    fields: &'a Fields,
    zone: &'a TimeZone,
    /// The one that holds `from`; `None` at the end.
    stretch: Option<Stretch>,
    /// Where to look on, in seconds since the epoch.
    from: i64,
    /// The last second to look at.
    limit: i64,
}

impl Iterator for DueTimes<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        loop {
            let stretch = self.stretch.as_ref()?;
            if let Some(due) = stretch.first_due(self.fields, self.from, self.limit) {
                self.from = due + 1;
                return Some(of_seconds(due));
            }
            self.from = stretch.end;
            self.stretch =
                if self.from <= self.limit { Stretch::holding(self.from, self.zone) } else { None };
        }
    }
}

fn of_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}

#[cfg(test)]
mod tests;
