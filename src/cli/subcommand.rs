//! The subcommands: which words are one, and what each of them takes. A subcommand is one only as the
//! very first word, so that no option's value and no command's name is ever taken for it.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{option, taken, usage};
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
}

/// One row: a subcommand that there is.
struct Row {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    /// The words behind it: their names, and how many there may be.
    words: &'static [&'static str],
    many: bool,
    lists: bool,
    takes_crontabs: bool,
    task: fn(Words, &mut ArgMatches) -> Task,
}

/// The words behind a subcommand, of which there are as many as its row says.
type Words = std::vec::IntoIter<OsString>;

static ROWS: [Row; 4] = [
    Row {
        name: "status",
        usage: "cronward status [OPTIONS] [LABEL]...",
        about: "Shows every job: how its last run ended, its streak of failures and its alert.",
        words: &["LABEL"],
        many: true,
        lists: true,
        takes_crontabs: false,
        task: |labels, matches| Task::Status { labels: labels.collect(), json: matches.get_flag("json") },
    },
    Row {
        name: "check",
        usage: "cronward check [OPTIONS] [LABEL]...",
        about: "Finds runs that did not come, died or hang, and jobs whose last success is too old; alerts\n\
                through each job's own sinks. Prints a line for each job as a monitoring plugin does, and\n\
                ends with 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN.",
        words: &["LABEL"],
        many: true,
        lists: true,
        takes_crontabs: true,
        task: |labels, matches| Task::Check {
            labels: labels.collect(),
            json: matches.get_flag("json"),
            crontabs: taken(matches, CRONTAB).collect(),
        },
    },
    Row {
        name: "mute",
        usage: "cronward mute [OPTIONS] LABEL DUR",
        about: "Holds the notifications of a job's alert back for so long; '0s' ends it. Everything is recorded.",
        words: &["LABEL", "DUR"],
        many: false,
        lists: false,
        takes_crontabs: false,
        task: |mut words, _| Task::Mute {
            label: words.next().unwrap_or_default(),
            span: words.next().unwrap_or_default(),
        },
    },
    Row {
        name: "forget",
        usage: "cronward forget [OPTIONS] LABEL",
        about: "Removes all that is remembered of a job that is no more. An open alert is closed first.",
        words: &["LABEL"],
        many: false,
        lists: false,
        takes_crontabs: false,
        task: |mut words, _| Task::Forget { label: words.next().unwrap_or_default() },
    },
];

/// Words that the manual reserves and this version does not have. Run as commands, they would change
/// their meaning with the next version.
pub const NOT_BUILT: [&str; 6] = ["history", "wrap", "doctor", "drill", "flush", "completions"];

const WORDS: &str = "words";
const CRONTAB: &str = "crontab";
/// Options of a run that a subcommand takes, too.
const PLACES: [Setting; 3] = [Setting::StateDir, Setting::Config, Setting::NoConfig];

/// What the first word of a command line asks for; `None`: it is no subcommand.
///
/// # Errors
/// What clap refuses, too few or too many words, and a subcommand that is not built.
pub fn parse(args: &[OsString]) -> Option<Result<Asked, UsageError>> {
    let name = args.get(1)?.to_str()?;
    if NOT_BUILT.contains(&name) {
        return Some(Err(UsageError::new(format!(
            "'{name}' is not built yet; to run a command of that name write 'cronward -- {name}'"
        ))));
    }
    let row = ROWS.iter().find(|row| row.name == name)?;
    Some(match grammar(row).try_get_matches_from(args.get(1..).unwrap_or_default()) {
        Ok(matches) => read(row, matches).map(Asked::Subcommand),
        Err(error) => usage::answer(&error).map(Asked::Text),
    })
}

/// What a subcommand line comes to.
#[derive(Debug)]
pub enum Asked {
    /// Something to be done.
    Subcommand(Subcommand),
    /// Its help.
    Text(String),
}

fn grammar(row: &'static Row) -> Command {
    let mut grammar = usage::with_subcommand_texts(Command::new(row.name), row.usage, row.about)
        .bin_name(format!("cronward {}", row.name))
        .disable_help_flag(true)
        .args_override_self(true)
        .args(PLACES.iter().map(|place| option(place.row())))
        .arg(
            Arg::new(WORDS)
                .value_names(row.words.iter().copied())
                .num_args(0..)
                .value_parser(value_parser!(OsString))
                .hide(true),
        );
    if row.lists {
        grammar = grammar
            .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("as JSON, for programs"));
    }
    if row.takes_crontabs {
        grammar = grammar.arg(
            Arg::new(CRONTAB)
                .long("crontab")
                .value_name("FILE")
                .action(ArgAction::Append)
                .value_parser(value_parser!(OsString))
                .help("a crontab whose jobs must have run; repeatable"),
        );
    }
    grammar
}

fn read(row: &Row, mut matches: ArgMatches) -> Result<Subcommand, UsageError> {
    let words: Vec<OsString> = taken(&mut matches, WORDS).collect();
    if !row.many && words.len() != row.words.len() {
        return Err(UsageError::new(format!("wrong number of words; write '{}'", row.usage)));
    }
    let mut options = Vec::new();
    for place in PLACES {
        if place == Setting::NoConfig {
            if matches.get_flag(place.row().long) {
                options.push((place, "1".into()));
            }
        } else {
            options.extend(taken(&mut matches, place.row().long).map(|value| (place, value)));
        }
    }
    Ok(Subcommand { task: (row.task)(words.into_iter(), &mut matches), options })
}

/// Every word that is a subcommand, or is reserved for one.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name).chain(NOT_BUILT)
}

/// The lines of the help of a run that name the subcommands.
pub fn usages() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.usage)
}
