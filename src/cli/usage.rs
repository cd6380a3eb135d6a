//! What is printed about the command line: the texts around the options, and clap's refusals in one
//! line each, since cron mails every line of stderr.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, ArgAction, Command};

use super::subcommand;
use crate::settings::UsageError;

const AFTER: &str = "\
Subcommands, as the very first word:
  status [LABEL]...  show every job: last outcome, streak, alert
  check [LABEL]...   find runs that did not come, died or hang; alert; print as a monitoring plugin
  mute LABEL DUR     hold the notifications of a job back
  forget LABEL       remove all that is remembered of a job

Durations are written '90s', '4h' or '1h30m'. An option --kill-after is also read from the variable
CRONWARD_KILL_AFTER; lists in variables are separated by spaces and quoted as in a shell.

The exit status is the command's own, or death by the same signal; 124 after a timeout, 75 if --lock
skipped the run, 125 for a usage error, 126 if the command cannot be executed, 127 if it is not found.";

/// The texts of the help of a run.
pub fn with_texts(grammar: Command) -> Command {
    grammar
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .override_usage(
            ["cronward [OPTIONS] [--] COMMAND [ARG]...", "cronward [OPTIONS] -c LINE"]
                .into_iter()
                .chain(subcommand::usages())
                .collect::<Vec<_>>()
                .join("\n       "),
        )
        .after_help(AFTER)
        .arg(help())
        .arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help("show the version"),
        )
}

/// In place of clap's own, which speaks in another voice.
fn help() -> Arg {
    Arg::new("help").short('h').long("help").action(ArgAction::Help).help("show this help")
}

/// The texts of the help of a subcommand.
pub fn with_subcommand_texts(grammar: Command, usage: &'static str, about: &'static str) -> Command {
    grammar.about(about).override_usage(usage).arg(help())
}

/// What clap did not parse: a text that was asked for, or an error.
///
/// # Errors
/// Whatever is not help or version.
pub fn answer(refusal: &Error) -> Result<String, UsageError> {
    let text_of = |kind| match refusal.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    };
    // clap names an option as in its usage, `--timeout <DUR>`; only the name was typed.
    let option = text_of(ContextKind::InvalidArg).unwrap_or_default();
    let name = option.split([' ', '=']).next().unwrap_or_default();
    #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorKind is non-exhaustive")]
    let message = match refusal.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Ok(refusal.to_string()),
        ErrorKind::UnknownArgument => match text_of(ContextKind::SuggestedArg) {
            Some(nearest) => format!("unknown option '{name}', nearest is '{nearest}'"),
            None => format!("unknown option '{name}'"),
        },
        ErrorKind::InvalidValue => format!("'{name}' needs a value"),
        ErrorKind::TooManyValues => format!("'{name}' takes no value"),
        ErrorKind::InvalidUtf8 => "an option is not UTF-8".to_owned(),
        // None that the grammar can give today; clap's first line says more than its kind.
        other => {
            let all = refusal.to_string();
            let first = all.lines().next().unwrap_or_default();
            let plain = first.strip_prefix("error: ").unwrap_or(first);
            if plain.is_empty() { other.to_string() } else { plain.to_owned() }
        }
    };
    Err(UsageError::see_help(message))
}
