//! The command line: clap, built from the table of options. A run pays only for the options that
//! were typed; the whole table is built for `--help` and for an error, so that both are complete.

mod usage;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::settings::{COUNT, Row, Setting, TABLE, Takes, UsageError};

/// What is asked of this invocation.
#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Run a command.
    Run(Typed),
    /// Show the jobs.
    Status {
        /// Only these; empty: all.
        labels: Vec<OsString>,
        /// As JSON.
        json: bool,
        /// `--state-dir`, as typed.
        state_dir: Option<OsString>,
    },
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

/// Subcommands that the manual reserves and this version does not have. Run as commands, they would
/// change their meaning with the next version.
const NOT_BUILT: [&str; 9] =
    ["history", "check", "wrap", "doctor", "drill", "flush", "mute", "forget", "completions"];

/// Id of the positional words.
const WORDS: &str = "words";

/// Reads a command line, the name of the program included.
///
/// # Errors
/// Everything that clap refuses, a subcommand that is not built, and a run without a command or
/// with two.
pub fn parse(args: Vec<OsString>) -> Result<Invocation, UsageError> {
    match args.get(1).and_then(|word| word.to_str()) {
        Some("status") => return parse_status(&args),
        Some(name) if NOT_BUILT.contains(&name) => {
            return Err(UsageError::new(format!(
                "'{name}' is not built yet; to run a command of that name write 'cronward -- {name}'"
            )));
        }
        Some(_) | None => {}
    }
    let quick = typed_options(&args).and_then(|typed| {
        let mut matches = grammar(|row| typed[row.setting as usize]).try_get_matches_from(&args).ok()?;
        Some(collect(&mut matches, |row| typed[row.setting as usize]))
    });
    let (options, words) = match quick {
        Some(collected) => collected,
        None => match whole_grammar().try_get_matches_from(&args) {
            Ok(mut matches) => collect(&mut matches, |_| true),
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
        Some(_) | None => {
            let program = args.into_iter().next().unwrap_or_default();
            Ok(Invocation::Run(Typed { program, options, words }))
        }
    }
}

/// The grammar of a run with every option: what the help shows, and the manual is checked against.
pub fn whole_grammar() -> Command {
    usage::with_texts(grammar(|_| true))
}

/// The grammar of a run with some of the options. Without `allow_hyphen_values` on the words, a
/// mistyped option is an error; with it, it would be the command.
fn grammar(wanted: impl Fn(&Row) -> bool) -> Command {
    Command::new("cronward")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .args(TABLE.iter().filter(|row| wanted(row)).map(option))
        .arg(
            Arg::new(WORDS)
                .value_name("COMMAND")
                .num_args(0..)
                .trailing_var_arg(true)
                .hide(true)
                .value_parser(value_parser!(OsString)),
        )
}

fn option(row: &'static Row) -> Arg {
    let mut arg = Arg::new(row.long).long(row.long).help(row.help);
    if let Some(short) = row.short {
        arg = arg.short(short);
    }
    match row.takes {
        Takes::Nothing => arg.action(ArgAction::SetTrue),
        // Whoever calls `$SHELL -c LINE` does not look at LINE first; it may begin with a dash.
        Takes::One(name) => valued(arg, name).allow_hyphen_values(row.setting == Setting::Command),
        Takes::Many(name) => valued(arg, name).action(ArgAction::Append),
    }
}

fn valued(arg: Arg, name: &'static str) -> Arg {
    arg.value_name(name).value_parser(value_parser!(OsString))
}

/// Which options are typed, by a look at the words before the command. `None` if there is anything
/// that needs the whole grammar: help, a cluster of switches, an option that is not known.
fn typed_options(args: &[OsString]) -> Option<[bool; COUNT]> {
    let mut typed = [false; COUNT];
    let mut words = args.iter().skip(1).map(|word| word.as_bytes());
    while let Some(word) = words.next() {
        let row = match word {
            b"--" | b"-" => break,
            [b'-', b'-', name @ ..] => {
                let mut halves = name.splitn(2, |&byte| byte == b'=');
                let row = Setting::of_long(halves.next()?)?.row();
                if halves.next().is_none() && row.takes != Takes::Nothing {
                    words.next()?;
                }
                row
            }
            [b'-', short, attached @ ..] => {
                let row = TABLE.iter().find(|row| row.short == Some(char::from(*short)))?;
                if attached.is_empty() {
                    words.next()?;
                }
                row
            }
            _ => break,
        };
        typed[row.setting as usize] = true;
    }
    Some(typed)
}

fn collect(
    matches: &mut ArgMatches,
    wanted: impl Fn(&Row) -> bool,
) -> (Vec<(Setting, OsString)>, Vec<OsString>) {
    let mut options = Vec::new();
    for row in TABLE.iter().filter(|row| wanted(row)) {
        match row.takes {
            Takes::Nothing if matches.get_flag(row.long) => options.push((row.setting, "1".into())),
            Takes::Nothing => {}
            Takes::One(_) | Takes::Many(_) => {
                options.extend(taken(matches, row.long).map(|value| (row.setting, value)));
            }
        }
    }
    (options, taken(matches, WORDS).collect())
}

fn taken(matches: &mut ArgMatches, id: &str) -> impl Iterator<Item = OsString> {
    matches.remove_many::<OsString>(id).into_iter().flatten()
}

fn parse_status(args: &[OsString]) -> Result<Invocation, UsageError> {
    let grammar = usage::with_status_texts(
        Command::new("status")
            .bin_name("cronward status")
            .disable_help_flag(true)
            .args_override_self(true)
            .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("as JSON, for programs"))
            .arg(option(Setting::StateDir.row()))
            .arg(
                Arg::new(WORDS)
                    .value_name("LABEL")
                    .num_args(0..)
                    .help("only these jobs")
                    .value_parser(value_parser!(OsString)),
            ),
    );
    let words = args.get(1..).unwrap_or_default();
    match grammar.try_get_matches_from(words) {
        Ok(mut matches) => Ok(Invocation::Status {
            labels: taken(&mut matches, WORDS).collect(),
            json: matches.get_flag("json"),
            state_dir: matches.remove_one(Setting::StateDir.row().long),
        }),
        Err(error) => usage::answer(&error).map(Invocation::Print),
    }
}

#[cfg(test)]
mod tests;
