//! The command line: which options there are ([`grammar`]), what was typed ([`reader`]), which of it is
//! a subcommand, and the help.

pub mod grammar;
mod reader;
pub mod subcommand;
mod usage;

use std::ffi::{OsStr, OsString};

use crate::settings::{Setting, UsageError};
use reader::{Line, Reading};
pub use subcommand::{Subcommand, Task};

/// What is asked of this invocation.
#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Run a command.
    Run(Typed),
    /// Do something else.
    Subcommand(Subcommand),
    /// Print this text on stdout: help or version.
    Print(String),
}

/// A run as it was typed. Either `words` is not empty, or `options` holds a line for the shell.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    /// The name that cronward was called by.
    pub program: OsString,
    /// The options, in the order of the table; those of a list in the order of typing. A switch has
    /// the value `1`.
    pub options: Vec<(Setting, OsString)>,
    /// The command and its arguments.
    pub words: Vec<OsString>,
}

/// Whether a word is a subcommand, as the very first one: it is never run as a command.
pub fn is_subcommand(word: &OsStr) -> bool {
    subcommand::of(word).is_some()
}

/// Reads a command line, the name of the program included.
///
/// # Errors
/// An option that is not known, lacks its value or has one that it does not take; a subcommand that has the
/// wrong number of words; and a run without a command or with two.
pub fn parse(mut args: Vec<OsString>) -> Result<Invocation, UsageError> {
    let subcommand = args.get(1).and_then(|word| subcommand::of(word));
    let program = args.first_mut().map(std::mem::take).unwrap_or_default();
    let (grammar, start) = subcommand.map_or((&grammar::RUN, 1), |row| (&row.grammar, 2));
    match (reader::read(args, start, grammar)?, subcommand) {
        (Reading::Line(line), None) => run(program, line).map(Invocation::Run),
        (Reading::Line(line), Some(row)) => row.filled(line).map(Invocation::Subcommand),
        (Reading::Help, None) => Ok(Invocation::Print(usage::of_a_run())),
        (Reading::Help, Some(row)) => Ok(Invocation::Print(usage::of_a_subcommand(row))),
        (Reading::Version, _) => Ok(Invocation::Print(usage::VERSION.to_owned())),
    }
}

fn run(program: OsString, line: Line) -> Result<Typed, UsageError> {
    let Line { settings: options, words, .. } = line;
    let has_line = options.iter().any(|(setting, _)| *setting == Setting::Command);
    match words.first() {
        Some(word) if has_line => Err(UsageError::see_help(format!(
            "-c LINE and a command '{}' cannot both be run",
            word.to_string_lossy()
        ))),
        None if !has_line => Err(UsageError::see_help("no command")),
        Some(_) | None => Ok(Typed { program, options, words }),
    }
}

#[cfg(test)]
mod tests;
