//! The only reader of clocks. Real time labels moments and is never subtracted; durations and
//! deadlines come from the monotonic clock, which no administrator and no leap second sets.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A moment in real time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Now, by the host's clock.
    pub fn now() -> Self {
        #[cfg(test)]
        if let Some(now) = FAKE.get() {
            return now;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// When this host (or container, where /proc says so) was started, by today's setting of the
    /// clock: good to a second or so. `None` without /proc.
    pub fn of_boot() -> Option<Self> {
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
        Some(Self(Self::now().0.saturating_sub((seconds * 1000.0) as i64)))
    }

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The moment that was so long before.
    pub fn earlier_by(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment that will be so long after.
    pub fn later_by(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// 1970, as the clock of a host shows it that has not been set.
    pub const UNSET: Self = Self(0);

    /// What the clocks of a zone show; `None` beyond the calendar.
    pub fn on_the_clock(self, zone: &TimeZone) -> Option<DateTime> {
        jiff::Timestamp::from_millisecond(self.0).ok().map(|at| zone.to_datetime(at))
    }

    /// When the clocks of a zone show this: if twice, the first time; if never, as long after midnight as they would.
    /// `None` beyond the calendar.
    pub fn when_the_clock_shows(time: DateTime, zone: &TimeZone) -> Option<Self> {
        zone.to_timestamp(time).ok().map(|at| Self(at.as_millisecond()))
    }

    /// How long ago `earlier` was; zero if the clock was set back in between.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-21T07:00:00.123Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(time) = self.on_the_clock(&TimeZone::UTC) else { return write!(f, "{}", self.0) };
        let (date, millis) = (time.date(), self.0.rem_euclid(1000));
        write!(f, "{:04}-{:02}-{:02}T", date.year(), date.month(), date.day())?;
        write!(f, "{:02}:{:02}:{:02}.{millis:03}Z", time.hour(), time.minute(), time.second())
    }
}

#[cfg(test)]
thread_local! {
    static FAKE: std::cell::Cell<Option<Timestamp>> = const { std::cell::Cell::new(None) };
}

/// Has this thread believe that it is now this time; `None`: that of the host.
#[cfg(test)]
pub(crate) fn by_the_clock_of_a_test(now: Option<Timestamp>) {
    FAKE.set(now);
}

/// Whether this thread goes by the clock of a test.
#[cfg(test)]
pub(crate) fn is_of_a_test() -> bool {
    FAKE.get().is_some()
}

/// Measures a span of time, monotonic.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Started now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// An upper bound on a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// `limit` from now. A limit beyond what the clock can hold is a year.
    pub fn after(limit: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(limit).unwrap_or(now + Duration::from_secs(365 * 24 * 3600)))
    }

    /// What is left; zero once it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn passed(self) -> bool {
        self.left().is_zero()
    }

    /// The deadline that is `span` earlier, but not before now.
    pub fn earlier_by(self, span: Duration) -> Self {
        let now = Instant::now();
        Self(self.0.checked_sub(span).map_or(now, |at| at.max(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc_3339_with_milliseconds() {
        assert_eq!(Timestamp::from_millis(1_795_244_400_123).to_string(), "2026-11-21T07:00:00.123Z");
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_time_at_all() {
        let (early, late) = (Timestamp::from_millis(5_000), Timestamp::from_millis(9_000));
        assert_eq!(late.since(early), Duration::from_secs(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn a_boundless_deadline_does_not_overflow() {
        assert!(!Deadline::after(Duration::MAX).passed());
        assert!(Deadline::after(Duration::ZERO).passed());
    }
}
