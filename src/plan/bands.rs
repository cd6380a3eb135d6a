//! `--expect` and `--produces`: bands of durations, numbers and sizes, and what has one.

use std::time::Duration;

use super::values;
use crate::expectation::{Band, Expectation, Product, SizeBound};
use crate::outcome::Report;

/// Longest pattern, in bytes: what a path may have (PATH_MAX of Linux).
const PATTERN_MAX: usize = 4096;

/// Units of size, with the bytes that each stands for.
const UNITS: [(&str, u64); 12] = [
    ("B", 1),
    ("kB", 1000),
    ("KB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
    ("PB", 1_000_000_000_000_000),
    ("PiB", 1 << 50),
];

/// `MIN..MAX` of the wall time, or `NAME=MIN..MAX` of a value that the job reports.
///
/// # Errors
/// In words.
pub fn expectation(text: &str) -> Result<Expectation, String> {
    if text.is_empty() {
        return Err("it is empty; write '5m..2h' or 'rows=1000..'".to_owned());
    }
    let Some((name, values)) = text.split_once('=') else {
        let band = band(text, values::duration, |min, max| min > max)?;
        // The alert of an overdue run would be due before it is started.
        if band.max == Some(Duration::ZERO) {
            return Err("no run is over within nothing; write '1s..' for at least a second".to_owned());
        }
        return Ok(Expectation::WallTime(band));
    };
    if !Report::is_name(name) {
        return Err(format!(
            "'{name}' is no name of a value; write letters, digits, '_', '-' and '.' between"
        ));
    }
    let band = band(values, number, |min, max| min > max)?;
    Ok(Expectation::Reported { name: name.to_owned(), band })
}

/// `GLOB`, or `GLOB:MIN..MAX`. A colon before anything that no band looks like belongs to the glob.
///
/// # Errors
/// In words.
pub fn product(text: &str) -> Result<Product, String> {
    let (pattern, size) = match text.rsplit_once(':') {
        Some((_, "")) => {
            return Err("nothing stands behind the colon; write '1MiB..' or '50%..300%'".to_owned());
        }
        // A path above this one has two dots too.
        Some((pattern, tail)) if tail.contains("..") && !tail.contains('/') => {
            (pattern, band(tail, size_bound, reversed_sizes)?)
        }
        Some((_, tail)) if size_bound(tail).is_ok() => return Err(without_dots(tail)),
        Some(_) | None => (text, Band::ALL),
    };
    if pattern.is_empty() {
        return Err("it names no file; write '/backup/app-*.dump' or '/backup/app-*.dump:1MiB..'".to_owned());
    }
    if pattern.len() > PATTERN_MAX {
        return Err(format!("it is longer than any path, which has at most {PATTERN_MAX} bytes"));
    }
    Ok(Product { pattern: pattern.to_owned(), size })
}

/// `MIN..MAX`, each side read by `side` unless it is left out.
fn band<T>(
    text: &str,
    side: impl Fn(&str) -> Result<T, String>,
    reversed: impl Fn(&T, &T) -> bool,
) -> Result<Band<T>, String> {
    let (min_text, max_text) = text.split_once("..").ok_or_else(|| without_dots(text))?;
    let read = |text: &str| match text {
        "" => Ok(None),
        text => side(text).map(Some).map_err(|why| format!("'{text}': {why}")),
    };
    match (read(min_text)?, read(max_text)?) {
        (None, None) => Err("it has neither a least nor a most; write at least one side".to_owned()),
        (Some(min), Some(max)) if reversed(&min, &max) => {
            Err(format!("the band '{text}' is reversed; write '{max_text}..{min_text}'"))
        }
        (min, max) => Ok(Band { min, max }),
    }
}

fn without_dots(text: &str) -> String {
    format!("a band needs two dots; write '{text}..' for at least, '..{text}' for at most")
}

/// A finite number: digits, perhaps with a sign, a fraction and an exponent.
fn number(text: &str) -> Result<f64, String> {
    let digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    // What the standard library reads besides: "+5", ".5", "5.", "inf", "NaN".
    let plain = digit(unsigned.bytes().next()) && digit(unsigned.bytes().last());
    plain
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .filter(|number| number.is_finite())
        .ok_or_else(|| "not a number; write '1000', '-0.5' or '1e9'".to_owned())
}

/// A size, or a share of the one before.
fn size_bound(text: &str) -> Result<SizeBound, String> {
    let Some(digits) = text.strip_suffix('%') else { return size(text).map(SizeBound::Bytes) };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("not a percentage; write whole ones, as '50%'".to_owned());
    }
    let percent = digits.parse().map_err(|_| "more than any file grows by; write '300%'".to_owned())?;
    Ok(SizeBound::Percent(percent))
}

fn reversed_sizes(min: &SizeBound, max: &SizeBound) -> bool {
    match (min, max) {
        (SizeBound::Bytes(min), SizeBound::Bytes(max)) => min > max,
        (SizeBound::Percent(min), SizeBound::Percent(max)) => min > max,
        // Which of them is larger, only the last good run knows.
        (SizeBound::Bytes(_), SizeBound::Percent(_)) | (SizeBound::Percent(_), SizeBound::Bytes(_)) => false,
    }
}

/// A size in bytes: a whole number and its unit, `512B`, `64KiB`, `1MB`.
///
/// # Errors
/// In words.
pub fn size(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    if digits.is_empty() {
        return Err("not a size; write '512B', '64KiB' or '1MB'".to_owned());
    }
    if unit.is_empty() {
        return Err(format!("a number needs a unit; write '{digits}B' or '{digits}MiB'"));
    }
    if unit.starts_with('.') {
        return Err("fractions are not accepted; write '1500MB' for 1.5 GB".to_owned());
    }
    let Some((_, bytes)) = UNITS.iter().find(|(known, _)| *known == unit) else {
        let meant = UNITS.iter().find(|(known, _)| known.eq_ignore_ascii_case(unit));
        return Err(match (meant, unit) {
            (Some((meant, _)), _) => format!("'{unit}' is no unit; write '{digits}{meant}'"),
            (None, "k" | "K" | "m" | "M" | "g" | "G" | "t" | "T") => {
                let unit = unit.to_ascii_uppercase();
                format!(
                    "it may mean powers of 1000 or of 1024; write '{digits}{unit}B' or '{digits}{unit}iB'"
                )
            }
            (None, _) => format!("'{unit}' is no unit; write '{digits}B' or '{digits}MiB'"),
        });
    };
    let number = digits.parse::<u64>().ok();
    number.and_then(|number| number.checked_mul(*bytes)).ok_or_else(|| "larger than any file".to_owned())
}

#[cfg(test)]
mod tests;
