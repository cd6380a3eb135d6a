//! PURE. What is expected of a run that ended well: how long it takes, what it reports (`--expect`)
//! and what it has written (`--produces`).

use std::fmt;
use std::time::Duration;

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
            Self::WallTime(band) => write!(f, "{}", band.written(|time| humantime::format_duration(time))),
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
