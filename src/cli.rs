//! The command line: clap's grammar, built from the table of options, and a fast path for what needs
//! no more than the table. The time that cronward adds to a command is all start-up and end, and the
//! grammar was a fifth of its instructions; only help, errors and unusual words pay for it.

mod fast_path;
mod subcommand;
mod usage;

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::settings::{Row, Setting, TABLE, Takes, UsageError};
use subcommand::Asked;
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
    subcommand::names().any(|name| word == name)
}

/// Id of the positional words.
const WORDS: &str = "words";

/// Reads a command line, the name of the program included.
///
/// # Errors
/// Everything that clap refuses, a subcommand that is not built, and a run without a command or
/// with two.
pub fn parse(args: Vec<OsString>) -> Result<Invocation, UsageError> {
    if let Some(asked) = subcommand::parse(&args) {
        return asked.map(|asked| match asked {
            Asked::Subcommand(subcommand) => Invocation::Subcommand(subcommand),
            Asked::Text(text) => Invocation::Print(text),
        });
    }
    let (program, options, words) = match fast_path::options(&args) {
        Some((options, start)) => {
            let mut words = args;
            let program = words.drain(..start).next().unwrap_or_default();
            (program, options, words)
        }
        None => match grammar().try_get_matches_from(&args) {
            Ok(mut matches) => {
                let (options, words) = collect(&mut matches);
                (args.into_iter().next().unwrap_or_default(), options, words)
            }
            Err(error) => return usage::answer(&error).map(Invocation::Print),
        },
    };
    let has_line = options.iter().any(|(setting, _)| *setting == Setting::Command);
    match words.first() {
        Some(word) if has_line => Err(UsageError::see_help(format!(
            "-c LINE and a command '{}' cannot both be run",
            word.to_string_lossy()
        ))),
        None if !has_line => Err(UsageError::see_help("no command")),
        Some(_) | None => Ok(Invocation::Run(Typed { program, options, words })),
    }
}

/// The grammar of a run: the arbiter of what a command line means, and what the help shows. Without
/// `allow_hyphen_values` on the words, a mistyped option is an error; with it, it would be the
/// command.
fn grammar() -> Command {
    let grammar = Command::new("cronward")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .args(TABLE.iter().map(option))
        .arg(
            Arg::new(WORDS)
                .value_name("COMMAND")
                .num_args(0..)
                .trailing_var_arg(true)
                .hide(true)
                .value_parser(value_parser!(OsString)),
        );
    usage::with_texts(grammar)
}

fn option(row: &'static Row) -> Arg {
    let mut arg = Arg::new(row.long).long(row.long).help(row.help);
    if let Some(short) = row.short {
        arg = arg.short(short);
    }
    match row.takes {
        Takes::Nothing => arg.action(ArgAction::SetTrue),
        Takes::Perhaps(name) => {
            valued(arg, name).num_args(0..=1).require_equals(true).default_missing_value("1")
        }
        Takes::One(name) => valued(arg, name).allow_hyphen_values(may_begin_with_dash(row)),
        Takes::Many(name) => valued(arg, name).action(ArgAction::Append),
    }
}

fn valued(arg: Arg, name: &'static str) -> Arg {
    arg.value_name(name).value_parser(value_parser!(OsString))
}

/// Whoever calls `$SHELL -c LINE` does not look at LINE first. Elsewhere a dash is more likely the
/// next option, and the value forgotten.
fn may_begin_with_dash(row: &Row) -> bool {
    row.setting == Setting::Command
}

fn collect(matches: &mut ArgMatches) -> (Vec<(Setting, OsString)>, Vec<OsString>) {
    let mut options = Vec::new();
    for row in &TABLE {
        match row.takes {
            Takes::Nothing if matches.get_flag(row.long) => options.push((row.setting, "1".into())),
            Takes::Nothing => {}
            Takes::Perhaps(_) | Takes::One(_) | Takes::Many(_) => {
                options.extend(taken(matches, row.long).map(|value| (row.setting, value)));
            }
        }
    }
    (options, taken(matches, WORDS).collect())
}

fn taken(matches: &mut ArgMatches, id: &str) -> impl Iterator<Item = OsString> {
    matches.remove_many::<OsString>(id).into_iter().flatten()
}

#[cfg(test)]
mod tests;
