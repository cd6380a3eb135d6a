//! The subcommands: which words are one, and what each of them takes. A subcommand is one only as the
//! very first word, so that no option's value and no command's name is ever taken for it.

use std::ffi::{OsStr, OsString};

use super::grammar::{Grammar, Known};
use super::reader::Line;
use crate::settings::{Setting, UsageError};

/// A subcommand as it was typed.
#[derive(Debug, PartialEq, Eq)]
pub struct Subcommand {
    /// What is to be done.
    pub task: Task,
    /// Where state and configuration are, as options of a run say it.
    pub options: Vec<(Setting, OsString)>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Show jobs.
    Status {
        /// Only these; empty: all.
        labels: Vec<OsString>,
        /// As JSON.
        json: bool,
    },
    /// Find what is wrong with jobs, and say so to whom it concerns.
    Check {
        /// Only these; empty: all.
        labels: Vec<OsString>,
        /// As JSON.
        json: bool,
        /// Crontabs whose jobs must have run.
        crontabs: Vec<OsString>,
    },
    /// Hold the notifications of a job back.
    Mute {
        /// Which.
        label: OsString,
        /// For how long.
        span: OsString,
    },
    /// Remove all that is remembered of a job.
    Forget {
        /// Which.
        label: OsString,
    },
    /// Deliver what is owed.
    Flush,
    /// Have the alert of a job told for nothing.
    Drill {
        /// Which.
        label: OsString,
        /// Instead: that the last one has arrived.
        confirm: bool,
    },
}

/// One row: a subcommand that there is.
pub struct Row {
    name: &'static str,
    /// How it is written, in one line.
    pub usage: &'static str,
    /// What it does, in sentences.
    pub about: &'static str,
    /// What can stand behind its name.
    pub grammar: Grammar,
    /// How many words; `None`: any number.
    words: Option<usize>,
    /// From a line with as many words.
    task: fn(Line) -> Task,
}

const STATE_DIR: Known = Known::Setting(Setting::StateDir);
const CONFIG: Known = Known::Setting(Setting::Config);
const NO_CONFIG: Known = Known::Setting(Setting::NoConfig);

const fn mixed(options: &'static [Known]) -> Grammar {
    Grammar { options, is_mixed: true }
}

/// Every subcommand that there is.
pub static ROWS: [Row; 6] = [
    Row {
        name: "status",
        usage: "cronward status [OPTIONS] [LABEL]...",
        about: "Shows every job: how its last run ended, its streak of failures and its alert.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG, Known::Json]),
        words: None,
        task: |line| Task::Status { labels: line.words, json: line.json },
    },
    Row {
        name: "check",
        usage: "cronward check [OPTIONS] [LABEL]...",
        about: "Finds runs that did not come, died or hang, and jobs whose last success is too old; alerts\n\
                through each job's own sinks. Prints a line for each job as a monitoring plugin does, and\n\
                ends with 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG, Known::Json, Known::Crontab]),
        words: None,
        task: |line| Task::Check { labels: line.words, json: line.json, crontabs: line.crontabs },
    },
    Row {
        name: "mute",
        usage: "cronward mute [OPTIONS] LABEL DUR",
        about: "Holds the notifications of a job's alert back for so long; '0s' ends it. Everything is recorded.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG]),
        words: Some(2),
        task: |line| {
            let mut words = line.words.into_iter();
            let label = words.next().unwrap_or_default();
            Task::Mute { label, span: words.next().unwrap_or_default() }
        },
    },
    Row {
        name: "forget",
        usage: "cronward forget [OPTIONS] LABEL",
        about: "Removes all that is remembered of a job that is no more. An open alert is closed first.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG]),
        words: Some(1),
        task: |line| Task::Forget { label: line.words.into_iter().next().unwrap_or_default() },
    },
    Row {
        name: "flush",
        usage: "cronward flush [OPTIONS]",
        about: "Delivers alerts and recoveries that sinks could not be told of, of all jobs, now. Ends with 1 if\n\
                something is still owed.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG]),
        words: Some(0),
        task: |_| Task::Flush,
    },
    Row {
        name: "drill",
        usage: "cronward drill [OPTIONS] LABEL",
        about: "Plays the alert rule of a job through, and has the alert and its recovery told to every sink of it,\n\
                marked as a drill. Prints who took it, and ends with 1 if one did not.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG, Known::Confirm]),
        words: Some(1),
        task: |line| Task::Drill {
            label: line.words.into_iter().next().unwrap_or_default(),
            confirm: line.confirm,
        },
    },
];

/// Words that the manual reserves and this version does not have. Run as commands, they would change
/// their meaning with the next version.
pub const NOT_BUILT: [&str; 4] = ["history", "wrap", "doctor", "completions"];

/// The subcommand that the first word of a command line names; `None`: it is none.
///
/// # Errors
/// A subcommand that is not built.
pub fn of(word: &OsStr) -> Option<Result<&'static Row, UsageError>> {
    let name = word.to_str()?;
    if NOT_BUILT.contains(&name) {
        return Some(Err(UsageError::new(format!(
            "'{name}' is not built yet; to run a command of that name write 'cronward -- {name}'"
        ))));
    }
    ROWS.iter().find(|row| row.name == name).map(Ok)
}

impl Row {
    /// What a line of its grammar asks for.
    ///
    /// # Errors
    /// Too few or too many words.
    pub fn filled(&self, mut line: Line) -> Result<Subcommand, UsageError> {
        if self.words.is_some_and(|words| words != line.words.len()) {
            return Err(UsageError::new(format!("wrong number of words; write '{}'", self.usage)));
        }
        let options = std::mem::take(&mut line.settings);
        Ok(Subcommand { task: (self.task)(line), options })
    }
}

/// Every word that is a subcommand, or is reserved for one.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name).chain(NOT_BUILT)
}

/// The lines of the help of a run that name the subcommands.
pub fn usages() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.usage)
}
