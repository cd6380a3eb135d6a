//! What was configured, and where: the levels at which an option can be given, nearest first, each
//! value with its origin. Nothing is judged here but the form of a list and of a line; a value that
//! a nearer one hides is never looked at.

mod environment;
mod line;

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::cli::Typed;
use crate::job::CommandLine;
use crate::settings::{Setting, Takes, UsageError};
use crate::shell::{self, NotAWord};

pub use environment::Surroundings;

/// Where an option can be given, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// On the command line.
    Flag,
    /// At the head of the line of `-c`.
    Line,
    /// In a variable.
    Variable,
    /// Nowhere.
    Default,
}

/// Where a value comes from, in the words of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Whose value it is.
    pub setting: Setting,
    /// Where it was given.
    pub level: Level,
}

/// `--timeout`, `CRONWARD_TIMEOUT`, `CRONWARD_TIMEOUT in the line of -c` or `default`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.setting.row();
        match self.level {
            Level::Flag => write!(f, "--{}", row.long),
            Level::Line => write!(f, "{} in the line of -c", row.variable_name()),
            Level::Variable => f.write_str(&row.variable_name()),
            Level::Default => f.write_str("default"),
        }
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
#[derive(Debug, Default)]
pub struct Levels {
    /// Every value, nearest level first.
    given: Vec<Given>,
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
                given.push(Given { origin: Origin { setting, level: Level::Flag }, text });
            }
        }
        let command = match line {
            None => CommandLine::Words(words),
            Some(line) => {
                let (options, rest) = line::take_options(line)?;
                for (setting, text) in options {
                    push(&mut given, Origin { setting, level: Level::Line }, text)?;
                }
                CommandLine::Shell(rest)
            }
        };
        let (surroundings, variables) = Surroundings::scan(&program, environment);
        for (setting, text) in variables {
            push(&mut given, Origin { setting, level: Level::Variable }, text)?;
        }
        Ok(Self { command, surroundings, levels: Levels { given }, dry_run })
    }
}

impl Level {
    /// Whether it is what configuration files say.
    pub fn is_of_files(self) -> bool {
        match self {
            Self::Flag | Self::Line | Self::Variable | Self::Default => false,
        }
    }
}

impl Levels {
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
        let level = self.nearest(setting).map_or(Level::Default, |given| given.origin.level);
        Origin { setting, level }
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
    let words = shell::split(&text).map_err(|why| not_a_list(&text, origin, why))?;
    given.extend(words.into_iter().map(|text| Given { origin, text }));
    Ok(())
}

fn not_a_list(text: &OsStr, origin: Origin, why: NotAWord) -> UsageError {
    let (NotAWord::Unclosed(quote) | NotAWord::Special(quote)) = why;
    UsageError::new(format!(
        "bad list '{}' in {origin}: a {} is not closed; separate its words by spaces, quoted as in a shell",
        text.to_string_lossy(),
        char::from(quote)
    ))
}

#[cfg(test)]
mod tests;
