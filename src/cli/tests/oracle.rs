//! clap, asked the same: a grammar of its kind from the same tables, and its answer in our terms.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cli::grammar::{Grammar, Known};
use crate::cli::reader::{Line, Reading};
use crate::settings::{Setting, Takes, UsageError};

const WORDS: &str = "words";

/// What [`crate::cli::reader::read`] is to answer.
pub fn read(args: &[OsString], start: usize, grammar: &Grammar) -> Result<Reading, UsageError> {
    match command(grammar).try_get_matches_from(&args[start - 1..]) {
        Ok(mut matches) => Ok(Reading::Line(line(&mut matches, grammar))),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(Reading::Help),
        Err(error) if error.kind() == ErrorKind::DisplayVersion => Ok(Reading::Version),
        Err(error) => Err(refusal(&error)),
    }
}

/// The help with these texts.
pub fn help(about: &'static str, usage: String, after: &'static str, grammar: &Grammar) -> String {
    // As wide as it gets: we break no lines.
    let texts = command(grammar).about(about).override_usage(usage).after_help(after).term_width(0);
    texts.try_get_matches_from(["cronward", "--help"]).expect_err("help").to_string()
}

/// Without `allow_hyphen_values` on the words, a mistyped option is an error; with it, it would be the
/// command.
pub fn command(grammar: &Grammar) -> Command {
    let words = Arg::new(WORDS)
        .num_args(0..)
        .trailing_var_arg(!grammar.is_mixed)
        .hide(true)
        .value_parser(value_parser!(OsString));
    Command::new("cronward")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .args(grammar.options.iter().map(|&known| option(known)))
        .arg(words)
}

fn option(known: Known) -> Arg {
    let spelling = known.spelling();
    let mut arg = Arg::new(spelling.long).long(spelling.long).help(spelling.help);
    if let Some(short) = spelling.short {
        arg = arg.short(short);
    }
    match (known, spelling.takes) {
        (Known::Help, _) => arg.action(ArgAction::Help),
        (Known::Version, _) => arg.action(ArgAction::Version),
        (_, Takes::Nothing) => arg.action(ArgAction::SetTrue),
        (_, Takes::Perhaps(name)) => {
            valued(arg, name).num_args(0..=1).require_equals(true).default_missing_value("1")
        }
        (_, Takes::One(name)) => {
            valued(arg, name).allow_hyphen_values(known == Known::Setting(Setting::Command))
        }
        (_, Takes::Many(name)) => valued(arg, name).action(ArgAction::Append),
    }
}

fn valued(arg: Arg, name: &'static str) -> Arg {
    arg.value_name(name).value_parser(value_parser!(OsString))
}

fn line(matches: &mut ArgMatches, grammar: &Grammar) -> Line {
    let mut line = Line::default();
    for &known in grammar.options {
        let long = known.spelling().long;
        match (known, known.spelling().takes) {
            (Known::Setting(setting), Takes::Nothing) => {
                line.settings.extend(matches.get_flag(long).then(|| (setting, "1".into())));
            }
            (Known::Setting(setting), _) => {
                line.settings.extend(taken(matches, long).map(|value| (setting, value)));
            }
            (Known::Help | Known::Version, _) => {}
            (_, Takes::Nothing) => line.others.extend(matches.get_flag(long).then(|| (known, "1".into()))),
            (_, _) => line.others.extend(taken(matches, long).map(|value| (known, value))),
        }
    }
    line.settings.sort_by_key(|(setting, _)| *setting);
    line.others.sort_by_key(|(known, _)| *known);
    line.words.extend(taken(matches, WORDS));
    line
}

fn taken(matches: &mut ArgMatches, id: &str) -> impl Iterator<Item = OsString> {
    matches.remove_many::<OsString>(id).into_iter().flatten()
}

fn refusal(error: &Error) -> UsageError {
    let text_of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    };
    // clap names an option as in its usage, `--timeout <DUR>`; only the name was typed.
    let option = text_of(ContextKind::InvalidArg).unwrap_or_default();
    let name = option.split([' ', '=']).next().unwrap_or_default();
    #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorKind is non-exhaustive")]
    UsageError::see_help(match error.kind() {
        ErrorKind::UnknownArgument => match text_of(ContextKind::SuggestedArg) {
            Some(nearest) => format!("unknown option '{name}', nearest is '{nearest}'"),
            None => format!("unknown option '{name}'"),
        },
        ErrorKind::InvalidValue => format!("'{name}' needs a value"),
        ErrorKind::TooManyValues => format!("'{name}' takes no value"),
        other => panic!("clap refuses what we do not: {other:?}, {error}"),
    })
}
