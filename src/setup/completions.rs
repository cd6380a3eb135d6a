//! `cronward completions`: what a shell completes command lines by, made from the tables of options and
//! subcommands, so that what can be typed is what is offered.

mod bash;
mod fish;
mod zsh;

use std::ffi::OsStr;
use std::path::Path;

use crate::cli::grammar::Known;
use crate::cli::subcommand::Row;
use crate::clock::Timestamp;
use crate::journal::{Look, entries};
use crate::settings::{Setting, Takes, UsageError, nearest};
use crate::sinks::KINDS;

/// The word, in place of a shell's name, by which the scripts ask for the labels on record.
pub const LABELS: &str = "labels";

/// What makes one.
type Script = fn() -> String;

/// The shells that there is a script for.
static SHELLS: [(&str, Script); 3] = [("bash", bash::script), ("zsh", zsh::script), ("fish", fish::script)];

/// A script for the shell of this name, or of the path of one.
///
/// # Errors
/// Another shell.
pub fn completions(shell: &OsStr) -> Result<String, UsageError> {
    let name = Path::new(shell).file_name().unwrap_or(shell).to_string_lossy();
    if let Some((_, script)) = SHELLS.iter().find(|(known, _)| *known == name) {
        return Ok(script());
    }
    let known = || SHELLS.iter().map(|(known, _)| *known);
    let hint = match nearest(&name, known()) {
        Some(near) => format!(", nearest is '{near}'"),
        None => String::new(),
    };
    let all = known().collect::<Vec<_>>().join(", ");
    Err(UsageError::new(format!("no completions for '{name}'{hint}; there are some for {all}")))
}

/// The labels on record, a line each. One that is more than a line cannot be completed.
///
/// # Errors
/// In words: the state cannot be read.
pub fn labels(state_dir: &Path, now: Timestamp) -> Result<String, String> {
    let entries = entries(state_dir, Look::Plans, now)?;
    let plain = entries.iter().filter(|entry| !entry.label.chars().any(char::is_control));
    Ok(plain.map(|entry| format!("{}\n", entry.label)).collect())
}

/// What can stand in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// The path of a file.
    File,
    /// The path of a directory.
    Directory,
    /// The label of a job.
    Label,
    /// A kind of sink and its target.
    Sink,
    /// One of these, or something like them.
    Words(&'static [&'static str]),
    /// Nothing that could be known.
    Free,
}

/// What an option takes.
fn value_of(option: Known) -> Value {
    match option {
        Known::Crontab => Value::File,
        Known::Since => Value::Words(&["24h", "7d", "30d"]),
        Known::Setting(setting) => value_of_setting(setting),
        Known::Help
        | Known::Version
        | Known::Json
        | Known::Confirm
        | Known::Failed
        | Known::Diff
        | Known::System => Value::Free,
    }
}

fn value_of_setting(setting: Setting) -> Value {
    use Setting as S;
    match setting {
        S::Label => Value::Label,
        S::Sink => Value::Sink,
        S::Config | S::Produces => Value::File,
        S::LogDir | S::StateDir => Value::Directory,
        S::Schedule => {
            Value::Words(&["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"])
        }
        S::AlertAfter => Value::Words(&["1", "3", "3/10", "3/1h"]),
        S::Severity => Value::Words(&["info", "warning", "error", "critical"]),
        S::Quiet => Value::Words(&["failure", "alert"]),
        S::LogWhen => Value::Words(&["failed", "always"]),
        S::LogKeep => Value::Words(&["30", "14d", "1GiB"]),
        S::Capture => Value::Words(&["16KiB", "64KiB", "1MiB"]),
        S::Summary => Value::Words(&["auto", "always", "never"]),
        S::Tag
        | S::Command
        | S::Timeout
        | S::KillAfter
        | S::WarnAfter
        | S::Retries
        | S::RetryDelay
        | S::Jitter
        | S::Lock
        | S::LockWait
        | S::LockExit
        | S::OkCodes
        | S::WarnCodes
        | S::Expect
        | S::MaxAge
        | S::Realert
        | S::RecoverAfter
        | S::AlertKey
        | S::Owner
        | S::Runbook
        | S::Namespace
        | S::Sensitive
        | S::SendArgs
        | S::NoConfig
        | S::FlushDeadline
        | S::OwnGroup
        | S::Progress
        | S::DryRun => Value::Free,
    }
}

/// What the words of a subcommand are, by its usage line; `None`: it takes none.
fn words_of(row: &Row) -> Option<Value> {
    let word = row.usage.split(' ').skip(2).find(|word| *word != "[OPTIONS]")?;
    Some(match word.trim_matches(['[', ']', '.']) {
        "LABEL" => Value::Label,
        "FILE" => Value::File,
        "SHELL" => Value::Words(&["bash", "zsh", "fish"]),
        _ => Value::Free,
    })
}

/// What a subcommand does, in one line.
fn gist(row: &Row) -> String {
    let about = row.about.replace('\n', " ");
    about.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// All spellings of an option, with their dashes, the short one first.
fn spellings(option: Known) -> Vec<String> {
    let spelling = option.spelling();
    let short = spelling.short.map(|short| format!("-{short}"));
    short.into_iter().chain([format!("--{}", spelling.long)]).collect()
}

/// Whether the next word is the value of an option.
fn takes_next(option: Known) -> bool {
    match option.spelling().takes {
        Takes::One(_) | Takes::Many(_) => true,
        Takes::Nothing | Takes::Perhaps(_) => false,
    }
}

/// The beginnings of sinks: each kind with its colon, and the word for nowhere.
fn sinks() -> Vec<String> {
    KINDS.iter().map(|kind| format!("{}:", kind.name)).chain(["none".to_owned()]).collect()
}

/// Kinds of sink whose target is a path.
const SINKS_WITH_PATHS: [&str; 3] = ["jsonl", "syslog", "textfile"];

/// A text within single quotes of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
