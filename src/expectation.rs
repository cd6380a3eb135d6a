//! PURE. What is expected of a run that ended well: how long it takes, what it reports (`--expect`)
//! and what it has written (`--produces`).

use std::fmt;
use std::time::Duration;

use crate::human;
use crate::outcome::{Outcome, Report, Weight};

/// From `min` to `max`, both included; a side that is left out has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band<T> {
    /// The smallest value that is inside.
    pub min: Option<T>,
    /// The largest value that is inside.
    pub max: Option<T>,
}

/// `--expect`.
#[derive(Debug, Clone, PartialEq)]
pub enum Expectation {
    /// `MIN..MAX`: the wall time.
    WallTime(Band<Duration>),
    /// `NAME=MIN..MAX`: the value of this name that the run reported.
    Reported {
        /// Its name.
        name: String,
        /// Where it must lie.
        band: Band<f64>,
    },
}

/// `--produces`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// A glob; the newest match counts.
    pub pattern: String,
    /// Where its size must lie.
    pub size: Band<SizeBound>,
}

/// One side of the band of a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeBound {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the size after the last good run.
    Percent(u32),
}

/// As on the command line.
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WallTime(band) => f.write_str(&band.written(typed)),
            Self::Reported { name, band } => write!(f, "{name}={}", band.written(|value| value)),
        }
    }
}

/// As on the command line.
impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)?;
        if self.size.is_boundless() { Ok(()) } else { write!(f, ":{}", self.size.written(|bound| bound)) }
    }
}

/// `512B` or `50%`.
impl fmt::Display for SizeBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}B"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// A span of time as it can be typed: humantime reads the months and years that it prints, this
/// program does not.
fn typed(span: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    let days = span.as_secs() / DAY;
    if days < 30 {
        return humantime::format_duration(span).to_string();
    }
    match span - Duration::from_secs(days * DAY) {
        Duration::ZERO => format!("{days}days"),
        rest => format!("{days}days {}", humantime::format_duration(rest)),
    }
}

impl<T: Copy> Band<T> {
    /// No bound on either side: everything is inside.
    pub const ALL: Self = Self { min: None, max: None };

    /// Whether everything is inside.
    pub fn is_boundless(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// `MIN..MAX`.
    fn written<D: fmt::Display>(&self, show: impl Fn(T) -> D) -> String {
        let side = |side: Option<T>| side.map(|bound| show(bound).to_string()).unwrap_or_default();
        format!("{}..{}", side(self.min), side(self.max))
    }
}

impl<T: Copy + PartialOrd> Band<T> {
    /// On which side a value lies outside, and the bound there; `None` if it lies inside.
    pub fn missed_by(&self, value: T) -> Option<Missed<T>> {
        match (self.min, self.max) {
            (Some(min), _) if value < min => Some(Missed::AtLeast(min)),
            (_, Some(max)) if value > max => Some(Missed::AtMost(max)),
            (Some(_) | None, Some(_) | None) => None,
        }
    }
}

/// The bound of a band that a value does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed<T> {
    /// It is less than this.
    AtLeast(T),
    /// It is more than this.
    AtMost(T),
}

impl<T> Missed<T> {
    /// The bound itself.
    pub fn bound(&self) -> &T {
        match self {
            Self::AtLeast(bound) | Self::AtMost(bound) => bound,
        }
    }

    /// `at least` or `at most`.
    pub fn words(&self) -> &'static str {
        match self {
            Self::AtLeast(_) => "at least",
            Self::AtMost(_) => "at most",
        }
    }
}

/// What a run was expected to do and did not, one sentence each, in the order of the expectations.
/// A wall time that nobody measured misses nothing.
pub fn unmet(expectations: &[Expectation], wall_time: Option<Duration>, report: &Report) -> Vec<String> {
    let sentence = |expectation: &Expectation| match expectation {
        Expectation::WallTime(band) => wall_time.and_then(|took| outside_time(band, took)),
        Expectation::Reported { name, band } => {
            match report.values.iter().find(|(reported, _)| reported == name) {
                Some((_, value)) => outside_value(name, band, *value),
                None => Some(format!("did not report '{name}', which is expected")),
            }
        }
    };
    expectations.iter().filter_map(sentence).collect()
}

fn outside_time(band: &Band<Duration>, took: Duration) -> Option<String> {
    let missed = band.missed_by(took)?;
    let rounded = human::span(took);
    // Rounded alike, they would contradict the sentence.
    let took = if rounded == human::span(*missed.bound()) { typed(took) } else { rounded };
    Some(format!("took {took}, expected {} {}", missed.words(), typed(*missed.bound())))
}

fn outside_value(name: &str, band: &Band<f64>, value: f64) -> Option<String> {
    let missed = band.missed_by(value)?;
    let [value, bound] = [value, *missed.bound()].map(human::number);
    Some(format!("reported {name}={value}, expected {} {bound}", missed.words()))
}

/// The outcome of a run, and its reason, once it is known what it has not done: a run that ended
/// well and yet has left something undone is suspect. Any other stays what it is.
pub fn judge(outcome: Outcome, reason: Option<String>, unmet: &[String]) -> (Outcome, Option<String>) {
    match outcome.weight() {
        Weight::Success => match human::first_of(unmet) {
            Some(undone) => (Outcome::Suspect, Some(undone.into_owned())),
            None => (outcome, reason),
        },
        Weight::Failure | Weight::Neither => (outcome, reason),
    }
}

/// After how long a run is longer than any expectation of its wall time allows.
pub fn time_max(expectations: &[Expectation]) -> Option<Duration> {
    let max = |expectation: &Expectation| match expectation {
        Expectation::WallTime(band) => band.max,
        Expectation::Reported { .. } => None,
    };
    expectations.iter().filter_map(max).min()
}

#[cfg(test)]
mod tests;
