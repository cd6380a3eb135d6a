//! PURE. What an exit code means to the user: `--ok-codes` and `--warn-codes`.

use std::fmt;
use std::ops::RangeInclusive;

use super::Outcome;

/// Exit codes with a meaning: inclusive ranges, as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExitCodes(Vec<RangeInclusive<u8>>);

impl ExitCodes {
    /// From ranges, in any order.
    pub fn new(ranges: Vec<RangeInclusive<u8>>) -> Self {
        Self(ranges)
    }

    /// Whether `code` is among them.
    pub fn contains(&self, code: u8) -> bool {
        self.0.iter().any(|range| range.contains(&code))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `24,100-103`, as on the command line.
impl fmt::Display for ExitCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match (range.start(), range.end()) {
                (only, end) if only == end => write!(f, "{comma}{only}")?,
                (start, end) => write!(f, "{comma}{start}-{end}")?,
            }
        }
        Ok(())
    }
}

/// The user's reading of exit codes: `--ok-codes` and `--warn-codes`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodeMeaning {
    /// Codes that count as success; 0 always does.
    pub ok: ExitCodes,
    /// Codes that count as warning.
    pub warn: ExitCodes,
}

impl CodeMeaning {
    /// The outcome of a command that exited by itself.
    pub fn of(&self, code: u8) -> Outcome {
        if code == 0 || self.ok.contains(code) {
            Outcome::Ok
        } else if self.warn.contains(code) {
            Outcome::Warning
        } else {
            Outcome::Failed
        }
    }
}
