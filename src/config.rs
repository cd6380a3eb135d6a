//! What was configured, and where: the levels at which an option can be given, nearest first, each
//! value with its origin. Nothing is judged here but the form of a list, of a line and of a file; a
//! value that a nearer one hides is never looked at, unless it is a file's.

mod environment;
mod files;
mod line;
mod pattern;
pub mod patterns;
mod sections;
mod sift;
mod toml;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::rc::Rc;

use crate::cli::Typed;
use crate::job::CommandLine;
use crate::settings::{Setting, Takes, UsageError};
use crate::shell::{self, NotAWord};

pub use environment::Surroundings;
pub use files::{Read, read_file};

/// Where an option can be given, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// On the command line.
    Flag,
    /// At the head of the line of `-c`.
    Line,
    /// In a variable.
    Variable,
    /// In a section of a file, by its number: of all sections that concern the run, the nearest is 1.
    Section(usize),
    /// In the files of the last run, since those of this one are in trouble.
    LastRun,
    /// Nowhere.
    Default,
}

/// Where a value comes from, in the words of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whose value it is.
    pub setting: Setting,
    /// Where it was given.
    pub level: Level,
    /// The place in a file; of the last run's, the first trouble with those of this run.
    pub place: Option<Place>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: Rc<Path>,
    /// The line, from 1; 0 stands for the file as a whole.
    pub line: usize,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    place: Place,
    what: String,
}

impl Origin {
    /// Whose value was given at a level that is no file.
    pub fn at(setting: Setting, level: Level) -> Self {
        Self { setting, level, place: None }
    }

    /// How a message calls the option: as it was given, and in a file, whose line stands before the
    /// message, by its key.
    pub fn name(&self) -> String {
        if self.level.is_of_files() { format!("'{}'", self.setting.row().long) } else { self.to_string() }
    }
}

/// `--timeout`, `CRONWARD_TIMEOUT`, `CRONWARD_TIMEOUT in the line of -c`, `/etc/cronward.toml:12`,
/// `the last run (trouble with /etc/cronward.toml)` or `default`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.setting.row();
        match (self.level, &self.place) {
            (Level::Flag, _) => write!(f, "--{}", row.long),
            (Level::Line, _) => write!(f, "{} in the line of -c", row.variable_name()),
            (Level::Variable, _) => f.write_str(&row.variable_name()),
            (Level::Section(_), Some(place)) => write!(f, "{place}"),
            (Level::Section(_), None) => f.write_str("a file"),
            (Level::LastRun, Some(place)) => {
                write!(f, "the last run (trouble with {})", place.file.display())
            }
            (Level::LastRun, None) => f.write_str("the last run"),
            (Level::Default, _) => f.write_str("default"),
        }
    }
}

/// `/etc/cronward.toml:12`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}

/// One line, without an end.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// One value, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Where it was given.
    pub origin: Origin,
    /// Its bytes; of a list, one element.
    pub text: OsString,
}

/// Everything that was configured for one run.
#[derive(Debug)]
pub struct Configured {
    /// What is run.
    pub command: CommandLine,
    /// What the environment says, and what the job sees of it.
    pub surroundings: Surroundings,
    /// Every value of every level.
    pub levels: Levels,
    /// `--dry-run`.
    pub dry_run: bool,
}

/// The levels on top of each other.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    /// Every value, nearest level first.
    given: Vec<Given>,
    /// How many sections of files there are.
    sections: usize,
    /// The files that were read, or could not be, nearest first.
    files: Vec<Rc<Path>>,
    /// What is wrong with them, in the order of files and lines.
    problems: Vec<Problem>,
}

impl Configured {
    /// Puts the levels on top of each other. `environment` are `NAME=VALUE` words as received.
    ///
    /// # Errors
    /// A list in a variable that is not one, and whatever only a shell can read at the head of the
    /// line of `-c`.
    pub fn new(typed: Typed, environment: Vec<OsString>) -> Result<Self, UsageError> {
        let Typed { program, options, words } = typed;
        let mut given = Vec::with_capacity(options.len());
        let (mut line, mut dry_run) = (None, false);
        for (setting, text) in options {
            if setting == Setting::Command {
                line = Some(text);
            } else if setting == Setting::DryRun {
                dry_run = true;
            } else {
                given.push(Given { origin: Origin::at(setting, Level::Flag), text });
            }
        }
        let command = match line {
            None => CommandLine::Words(words),
            Some(line) => {
                let (options, rest) = line::take_options(line)?;
                for (setting, text) in options {
                    push(&mut given, Origin::at(setting, Level::Line), text)?;
                }
                CommandLine::Shell(rest)
            }
        };
        let (surroundings, variables) = Surroundings::scan(&program, environment);
        for (setting, text) in variables {
            push(&mut given, Origin::at(setting, Level::Variable), text)?;
        }
        Ok(Self { command, surroundings, levels: Levels::of(given), dry_run })
    }
}

impl Level {
    /// Whether it is what configuration files say.
    pub fn is_of_files(self) -> bool {
        match self {
            Self::Section(_) | Self::LastRun => true,
            Self::Flag | Self::Line | Self::Variable | Self::Default => false,
        }
    }
}

impl Levels {
    /// These values, nearest level first.
    pub fn of(given: Vec<Given>) -> Self {
        Self { given, ..Self::default() }
    }

    /// Every value of every level, nearest level first.
    pub fn given(&self) -> &[Given] {
        &self.given
    }

    /// The nearest value of an option that takes one.
    pub fn nearest(&self, setting: Setting) -> Option<&Given> {
        self.given.iter().find(|given| given.origin.setting == setting)
    }

    /// Every value of a list, nearest level first, within a level in the order of writing.
    pub fn all(&self, setting: Setting) -> impl Iterator<Item = &Given> {
        self.given.iter().filter(move |given| given.origin.setting == setting)
    }

    /// Where the value in force comes from.
    pub fn origin(&self, setting: Setting) -> Origin {
        self.nearest(setting).map_or(Origin::at(setting, Level::Default), |given| given.origin.clone())
    }

    /// The files that were read, or could not be, nearest first.
    pub fn files(&self) -> &[Rc<Path>] {
        &self.files
    }

    /// Whether anything is wrong with the files.
    pub fn in_trouble(&self) -> bool {
        !self.problems.is_empty()
    }

    /// What is wrong with the files, one line each, in the order of files and lines.
    pub fn problems(&self) -> Vec<String> {
        self.problems.iter().map(ToString::to_string).collect()
    }
}

/// Adds the text of a variable, or of a word of the line, which is the same text. An empty one says
/// nothing, so that `CRONWARD_TIMEOUT= cmd` in a script cannot be an error. A list is split.
fn push(given: &mut Vec<Given>, origin: Origin, text: OsString) -> Result<(), UsageError> {
    if text.is_empty() {
        return Ok(());
    }
    if !matches!(origin.setting.row().takes, Takes::Many(_)) {
        given.push(Given { origin, text });
        return Ok(());
    }
    let words = shell::split(&text).map_err(|why| not_a_list(&text, &origin, why))?;
    given.extend(words.into_iter().map(|text| Given { origin: origin.clone(), text }));
    Ok(())
}

fn not_a_list(text: &OsStr, origin: &Origin, why: NotAWord) -> UsageError {
    let (NotAWord::Unclosed(quote) | NotAWord::Special(quote)) = why;
    UsageError::new(format!(
        "bad list '{}' in {origin}: a {} is not closed; separate its words by spaces, quoted as in a shell",
        text.to_string_lossy(),
        char::from(quote)
    ))
}

#[cfg(test)]
mod tests;
