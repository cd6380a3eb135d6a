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
    /// Show the runs of a job.
    History {
        /// Which.
        label: OsString,
        /// Only those that failed.
        failed: bool,
        /// Only those since then.
        since: Option<OsString>,
        /// As JSON.
        json: bool,
    },
    /// Print a crontab with its commands wrapped.
    Wrap {
        /// Which; `None`, or a lone dash: stdin.
        file: Option<OsString>,
        /// What would change instead.
        diff: bool,
        /// Whether it has a user before each command, which is not to be told from its name.
        system: bool,
    },
    /// Look whether everything that runs need is as it should be.
    Doctor {
        /// As JSON.
        json: bool,
    },
    /// Print what a shell completes command lines by.
    Completions {
        /// Which shell.
        shell: OsString,
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
    /// The word that it is.
    pub name: &'static str,
    /// How it is written, in one line.
    pub usage: &'static str,
    /// What it does, in sentences.
    pub about: &'static str,
    /// What can stand behind its name.
    pub grammar: Grammar,
    /// How many words it takes, at least and at most.
    words: (usize, usize),
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
pub static ROWS: [Row; 10] = [
    Row {
        name: "status",
        usage: "cronward status [OPTIONS] [LABEL]...",
        about: "Shows every job: how its last run ended, its streak of failures and its alert.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG, Known::Json]),
        words: (0, usize::MAX),
        task: |line| Task::Status { json: line.has(Known::Json), labels: line.words },
    },
    Row {
        name: "history",
        usage: "cronward history [OPTIONS] LABEL",
        about: "Shows the runs of a job, newest last, with a chart of their durations, and what is usual.",
        grammar: mixed(&[
            Known::Help,
            STATE_DIR,
            CONFIG,
            NO_CONFIG,
            Known::Failed,
            Known::Since,
            Known::Json,
        ]),
        words: (1, 1),
        task: |line| Task::History {
            failed: line.has(Known::Failed),
            since: line.value(Known::Since),
            json: line.has(Known::Json),
            label: first_of(line.words),
        },
    },
    Row {
        name: "check",
        usage: "cronward check [OPTIONS] [LABEL]...",
        about: "Finds runs that did not come, died or hang, and jobs whose last success is too old; alerts\n\
                through each job's own sinks. Prints a line for each job as a monitoring plugin does, and\n\
                ends with 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG, Known::Json, Known::Crontab]),
        words: (0, usize::MAX),
        task: |line| Task::Check {
            json: line.has(Known::Json),
            crontabs: line.values(Known::Crontab),
            labels: line.words,
        },
    },
    Row {
        name: "wrap",
        usage: "cronward wrap [OPTIONS] [FILE]",
        about: "Prints a crontab, by default that on stdin, with each command wrapped: crontab -l | cronward wrap.\n\
                Says on stderr what it does not understand and leaves alone.",
        grammar: mixed(&[Known::Help, Known::Diff, Known::System]),
        words: (0, 1),
        task: |line| Task::Wrap {
            diff: line.has(Known::Diff),
            system: line.has(Known::System),
            file: line.words.into_iter().next(),
        },
    },
    Row {
        name: "doctor",
        usage: "cronward doctor [OPTIONS]",
        about: "Examines configuration, state directory, clock, locks, sinks and cron's environment, and says what\n\
                to do. Ends with 0 if all is well, 1 for warnings and 2 for what keeps cronward from its work.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG, Known::Json]),
        words: (0, 0),
        task: |line| Task::Doctor { json: line.has(Known::Json) },
    },
    Row {
        name: "mute",
        usage: "cronward mute [OPTIONS] LABEL DUR",
        about: "Holds the notifications of a job's alert back for so long; '0s' ends it. Everything is recorded.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG]),
        words: (2, 2),
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
        words: (1, 1),
        task: |line| Task::Forget { label: first_of(line.words) },
    },
    Row {
        name: "flush",
        usage: "cronward flush [OPTIONS]",
        about: "Delivers alerts and recoveries that sinks could not be told of, of all jobs, now. Ends with 1 if\n\
                something is still owed.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG]),
        words: (0, 0),
        task: |_| Task::Flush,
    },
    Row {
        name: "drill",
        usage: "cronward drill [OPTIONS] LABEL",
        about: "Plays the alert rule of a job through, and has the alert and its recovery told to every sink of it,\n\
                marked as a drill. Prints who took it, and ends with 1 if one did not.",
        grammar: mixed(&[Known::Help, STATE_DIR, CONFIG, NO_CONFIG, Known::Confirm]),
        words: (1, 1),
        task: |line| Task::Drill { confirm: line.has(Known::Confirm), label: first_of(line.words) },
    },
    Row {
        name: "completions",
        usage: "cronward completions SHELL",
        about: "Prints what bash, zsh or fish complete command lines by.",
        grammar: mixed(&[Known::Help]),
        words: (1, 1),
        task: |line| Task::Completions { shell: first_of(line.words) },
    },
];

fn first_of(words: Vec<OsString>) -> OsString {
    words.into_iter().next().unwrap_or_default()
}

/// The subcommand that the first word of a command line names; `None`: it is none.
pub fn of(word: &OsStr) -> Option<&'static Row> {
    ROWS.iter().find(|row| word == row.name)
}

impl Row {
    /// What a line of its grammar asks for.
    ///
    /// # Errors
    /// Too few or too many words.
    pub fn filled(&self, mut line: Line) -> Result<Subcommand, UsageError> {
        let (least, most) = self.words;
        if !(least..=most).contains(&line.words.len()) {
            return Err(UsageError::new(format!("wrong number of words; write '{}'", self.usage)));
        }
        let options = std::mem::take(&mut line.settings);
        Ok(Subcommand { task: (self.task)(line), options })
    }
}

/// The lines of the help of a run that name the subcommands.
pub fn usages() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.usage)
}
