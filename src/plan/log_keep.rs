//! `--log-keep`: how many files, how old, how large.

#![cfg_attr(not(test), expect(dead_code, reason = "the resolving of the option calls it"))]

use std::time::Duration;

use super::{bands, values};
use crate::output::log::KeepRule;

/// `30`, `14d`, `1GiB`, and lists of them, each kind at most once.
///
/// # Errors
/// In words.
pub fn parse(text: &str) -> Result<KeepRule, String> {
    let mut rule = KeepRule { files: None, age: None, bytes: None };
    for item in text.split(',') {
        add(&mut rule, item).map_err(|why| if item == text { why } else { format!("'{item}': {why}") })?;
    }
    Ok(rule)
}

fn add(rule: &mut KeepRule, item: &str) -> Result<(), String> {
    if item.is_empty() {
        return Err("it is empty; write '30', '14d', '1GiB' or '30,14d,1GiB'".to_owned());
    }
    if !item.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("not a limit; write '30' files, '14d' or '1GiB'".to_owned());
    }
    let unit = item.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if unit.is_empty() {
        let files = values::count(item)?;
        return once(&mut rule.files, files, "a second number of files; write the one that is meant");
    }
    if is_of_sizes(unit) {
        let bytes = bands::size(item).map_err(|why| with_months(item, why))?;
        if bytes == 0 {
            return Err("it must be more than nothing; write '1GiB'".to_owned());
        }
        return once(&mut rule.bytes, bytes, "a second size; write the one that is meant");
    }
    let age = values::duration(item)?;
    if age == Duration::ZERO {
        return Err("it must be longer than nothing; write '14d'".to_owned());
    }
    once(&mut rule.age, age, "a second age; write the one that is meant")
}

fn once<T>(limit: &mut Option<T>, value: T, again: &str) -> Result<(), String> {
    match limit.replace(value) {
        None => Ok(()),
        Some(_) => Err(again.to_owned()),
    }
}

/// Whether somebody who writes this means a size: no unit of time has a `b`, nor the first letters of
/// those of size but for `m`, which is a minute.
fn is_of_sizes(unit: &str) -> bool {
    const SHORT: [&str; 9] = ["k", "g", "t", "p", "ki", "mi", "gi", "ti", "pi"];
    unit == "M" || unit.contains(['b', 'B']) || SHORT.iter().any(|short| short.eq_ignore_ascii_case(unit))
}

/// `6M` may have been half a year, too: of the sizes of logs few are as common.
fn with_months(item: &str, why: String) -> String {
    match item.strip_suffix('M').and_then(|months| months.parse::<u16>().ok()) {
        None | Some(0) => why,
        Some(months) => format!("{why}, or '{}d' for months", u32::from(months) * 30),
    }
}

#[cfg(test)]
mod tests;
