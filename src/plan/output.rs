//! What becomes of the output: `--quiet`, `--capture` and `--log-dir`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::values::{self, bad, read};
use super::{LogWhen, Logs, OutputRule, Quiet, bands};
use crate::config::{Level, Levels, Surroundings};
use crate::output::log::KeepRule;
use crate::settings::{Setting, UsageError};

/// The most that is kept of an output for events, in bytes: what is more is a file.
const CAPTURE_MAX: u64 = 16 * 1024 * 1024;

/// What these levels say.
///
/// # Errors
/// Values that mean nothing, and what speaks of log files where there is no directory for them.
pub fn rule(
    levels: &Levels,
    surroundings: &Surroundings,
    state_dir: Option<&Path>,
) -> Result<OutputRule, UsageError> {
    const WHEN: [(&str, LogWhen); 2] = [("failed", LogWhen::Failed), ("always", LogWhen::Always)];
    let keep = read(levels, Setting::LogKeep, "limit", keep_rule)?;
    let when = read(levels, Setting::LogWhen, "word", |text| values::one_of(text, &WHEN))?;
    let logs = log_dir(levels)?.map(|dir| Logs {
        dir,
        keep: keep.unwrap_or_default(),
        when: when.unwrap_or(LogWhen::Always),
    });
    let quiet = read(levels, Setting::Quiet, "word", quiet)?.flatten();
    // Where files outlive a restart there is a disk behind them: what was too much for memory must not go there
    // again, as it would on many a /tmp.
    let temporary = surroundings.temporary.as_deref().map(Path::new).filter(|dir| dir.is_absolute());
    let usual = [Path::new("/var/tmp"), Path::new("/tmp")];
    let places = temporary.into_iter().chain(usual).chain(state_dir);
    Ok(OutputRule {
        capture: read(levels, Setting::Capture, "size", capture)?.unwrap_or(0),
        quiet,
        logs,
        spill_places: if quiet.is_some() { places.map(Path::to_owned).collect() } else { Vec::new() },
    })
}

fn quiet(text: &str) -> Result<Option<Quiet>, String> {
    const WORDS: [(&str, Option<Quiet>); 2] =
        [("failure", Some(Quiet::Failure)), ("alert", Some(Quiet::Alert))];
    match values::switch(text) {
        Ok(on) => Ok(on.then_some(Quiet::Failure)),
        Err(_) => values::one_of(text, &WORDS),
    }
}

fn capture(text: &str) -> Result<usize, String> {
    if text == "0" {
        return Ok(0);
    }
    match bands::size(text)? {
        size if size <= CAPTURE_MAX => Ok(usize::try_from(size).unwrap_or(usize::MAX)),
        _ => Err("so much is no excerpt; write '16MiB' at most, or name a directory by --log-dir".to_owned()),
    }
}

fn log_dir(levels: &Levels) -> Result<Option<PathBuf>, UsageError> {
    let Some(given) = levels.nearest(Setting::LogDir) else { return Ok(None) };
    let dir = Path::new(&given.text);
    // The empty text of a nearer level takes back what a farther one says.
    if given.text.is_empty() {
        return Ok(None);
    }
    if !dir.is_absolute() && given.origin.level != Level::Flag {
        return Err(bad("directory", given, "it is relative; write an absolute path"));
    }
    Ok(Some(dir.to_owned()))
}

/// `30`, `14d`, `1GiB`, and lists of them, each kind at most once.
///
/// # Errors
/// In words.
fn keep_rule(text: &str) -> Result<KeepRule, String> {
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
