//! Single values: from the bytes that were given to what they mean, or to one line that says what
//! is wrong with them, where they stand, and how to do it right.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::{Given, Levels};
use crate::outcome::ExitCodes;
use crate::policy::{AlertAfter, RECENT_MAX};
use crate::settings::{Setting, UsageError, nearest};

/// Longest duration: a century. Clocks can be added to it without overflow, on every platform.
const DURATION_MAX: Duration = Duration::from_secs(36_500 * 24 * 3600);

/// The value of an option, read by `parse` from its text; `None` if it was not given.
///
/// # Errors
/// Those of `parse`: what is wrong, and a hint, with the value and its origin before it.
pub fn read<T>(
    levels: &Levels,
    setting: Setting,
    what: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, UsageError> {
    let Some(given) = levels.nearest(setting) else { return Ok(None) };
    parse(&given.text.to_string_lossy()).map(Some).map_err(|why| bad(what, given, why))
}

/// `bad duration '5M' in --timeout: why; hint`.
pub fn bad(what: &str, given: &Given, why: impl Display) -> UsageError {
    let (text, name) = (given.text.to_string_lossy(), given.origin.name());
    UsageError::new(format!("bad {what} '{text}' in {name}: {why}"))
}

/// A span of time as humantime reads it, but without the two units that are not what they seem
/// (`5M` is five months, and a month is 30.44 days), and with a unit on every number.
///
/// # Errors
/// In words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let out_of_range = || "longer than a century; write '30d' for thirty days".to_owned();
    let units = || text.split(|c: char| !c.is_ascii_alphabetic()).filter(|unit| !unit.is_empty());
    if text.trim().is_empty() {
        return Err("it is empty; write '90s' or '90m'".to_owned());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("a number needs a unit; write '{text}s' or '{text}m'"));
    }
    for unit in units() {
        match unit {
            "M" => {
                let meant = text.replace('M', "m");
                return Err(format!("months are not accepted; write '{meant}' for minutes"));
            }
            "month" | "months" => {
                return Err("months are not accepted; write '30d' for thirty days".to_owned());
            }
            "y" | "yr" | "yrs" | "year" | "years" => {
                return Err("years are not accepted; write '365d' for a year of days".to_owned());
            }
            _ => {}
        }
    }
    // Longer numbers mean nothing as a time, and humantime adds up without a bound of its own.
    if text.len() > 64 || text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 12) {
        return Err(out_of_range());
    }
    match humantime::parse_duration(text) {
        Ok(span) if span <= DURATION_MAX => Ok(span),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err(out_of_range()),
        Err(humantime::DurationError::UnknownUnit { unit, .. }) if unit.is_empty() => {
            Err("a number needs a unit; write '90s' or '1h30m'".to_owned())
        }
        Err(
            humantime::DurationError::InvalidCharacter(_)
            | humantime::DurationError::NumberExpected(_)
            | humantime::DurationError::UnknownUnit { .. }
            | humantime::DurationError::Empty,
        ) => Err("not a time; write '90s', '4h' or '1h30m'".to_owned()),
    }
}

/// A duration that is not zero.
///
/// # Errors
/// In words.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing; leave the option out for never".to_owned()),
        span => Ok(span),
    }
}

/// Exit codes: `24`, `1-3`, and lists of them.
///
/// # Errors
/// In words.
pub fn exit_codes(text: &str) -> Result<ExitCodes, String> {
    let mut ranges = text.split(',').map(code_range).collect::<Result<Vec<_>, _>>()?;
    ranges.sort_by_key(|range| *range.start());
    Ok(ExitCodes::new(ranges))
}

fn code_range(item: &str) -> Result<RangeInclusive<u8>, String> {
    let (start, end) = item.split_once('-').unwrap_or((item, item));
    let (start, end) = (exit_code(start, item)?, exit_code(end, item)?);
    if start > end {
        return Err(format!("the range '{item}' is reversed; write '{end}-{start}'"));
    }
    Ok(start..=end)
}

fn exit_code(digits: &str, item: &str) -> Result<u8, String> {
    exit_status(digits).map_err(|_| format!("'{item}' is none; write codes of 0 to 255, as '24' or '1-3,99'"))
}

/// One exit status.
///
/// # Errors
/// In words.
pub fn exit_status(text: &str) -> Result<u8, String> {
    whole_number(text).ok_or_else(|| "write a number of 0 to 255".to_owned())
}

/// A count of at least one.
///
/// # Errors
/// In words.
pub fn count(text: &str) -> Result<NonZeroU32, String> {
    whole_number(text).ok_or_else(|| "write a number of 1 or more".to_owned())
}

/// A count that may be none at all.
///
/// # Errors
/// In words.
pub fn count_or_none(text: &str) -> Result<u32, String> {
    whole_number(text).ok_or_else(|| "write a number of 0 or more".to_owned())
}

/// What opens an alert.
///
/// # Errors
/// In words.
pub fn alert_after(text: &str) -> Result<AlertAfter, String> {
    let Some((failures, of)) = text.split_once('/') else { return count(text).map(AlertAfter::InARow) };
    let failures = count(failures)?;
    let most = RECENT_MAX;
    if failures.get() as usize > most {
        return Err(format!("so many failures are not remembered; write {most} at most before '/'"));
    }
    if !of.bytes().all(|byte| byte.is_ascii_digit()) {
        return positive_duration(of).map(|span| AlertAfter::Within { failures, span });
    }
    let runs = count(of)?;
    if runs.get() as usize > most {
        return Err(format!("so many runs are not remembered; write {most} at most behind '/'"));
    }
    if failures > runs {
        return Err(format!("{failures} of {runs} runs cannot fail; write the smaller number first"));
    }
    Ok(AlertAfter::OfLast { failures, runs })
}

/// Digits and nothing else: [`str::parse`] would take a plus sign too.
fn whole_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A switch, as a variable gives it.
///
/// # Errors
/// In words.
pub fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err("write '1' or 'true', '0' or 'false'".to_owned()),
    }
}

/// One of a few words, each of which stands for a value.
///
/// # Errors
/// In words, with the nearest.
pub fn one_of<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<T, String> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    Err(match nearest(text, known.iter().copied()) {
        Some(word) => format!("nearest is '{word}'; write one of {}", known.join(", ")),
        None => format!("write one of {}", known.join(", ")),
    })
}

/// Any text but the empty one.
///
/// # Errors
/// In words.
pub fn some_text(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// Fills in `{host}` and `{label}`, each once over: a label that contains `{host}` stays as it is.
/// Other braces stand for themselves.
pub fn fill(template: &str, host: &str, label: &str) -> String {
    let mut filled = String::with_capacity(template.len() + host.len() + label.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        rest = if let Some(after) = from.strip_prefix("{host}") {
            filled.push_str(host);
            after
        } else if let Some(after) = from.strip_prefix("{label}") {
            filled.push_str(label);
            after
        } else {
            filled.push('{');
            &from[1..]
        };
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests;
