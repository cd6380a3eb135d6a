//! What is printed about the command line on request.

use std::fmt::Write as _;

use super::grammar::{Known, RUN};
use super::subcommand::{self, Row};
use crate::settings::Takes;

/// What the help of a run says behind the options.
pub const AFTER: &str = "\
Subcommands, as the very first word:
  status [LABEL]...  show every job: last outcome, streak, alert, when it is due next
  history LABEL      show the runs of a job, with a chart of their durations
  check [LABEL]...   find runs that did not come, died or hang; alert; print as a monitoring plugin
  wrap [FILE]        print a crontab with its commands wrapped
  doctor             examine configuration, state, clock, locks and sinks; say what to do
  mute LABEL DUR     hold the notifications of a job back
  forget LABEL       remove all that is remembered of a job
  flush              deliver alerts and recoveries that sinks could not be told of
  drill LABEL        have a job's alert and recovery told for nothing, and see who takes them
  completions SHELL  print what bash, zsh or fish complete command lines by

Durations are written '90s', '4h' or '1h30m'. An option --kill-after is also read from the variable
CRONWARD_KILL_AFTER; lists in variables are separated by spaces and quoted as in a shell.

The exit status is the command's own, or death by the same signal; 124 after a timeout, 75 if --lock
skipped the run, 125 for a usage error, 126 if the command cannot be executed, 127 if it is not found.
";

/// What `--version` prints.
pub const VERSION: &str = concat!("cronward ", env!("CARGO_PKG_VERSION"), "\n");

/// The help of a run, which names the subcommands, too.
pub fn of_a_run() -> String {
    let mut usage = "cronward [OPTIONS] [--] COMMAND [ARG]...\n       cronward [OPTIONS] -c LINE".to_owned();
    for subcommand in subcommand::usages() {
        usage.push_str("\n       ");
        usage.push_str(subcommand);
    }
    let mut help = help(env!("CARGO_PKG_DESCRIPTION"), &usage, RUN.options);
    help.push('\n');
    help.push_str(AFTER);
    help
}

/// The help of a subcommand.
pub fn of_a_subcommand(row: &Row) -> String {
    help(row.about, row.usage, row.grammar.options)
}

/// What it is about, its usage, and a line for each option.
fn help(about: &str, usage: &str, options: &[Known]) -> String {
    let mut help = format!("{about}\n\nUsage: {usage}\n\nOptions:\n");
    let width = options.iter().map(|&known| written(known).chars().count()).max().unwrap_or_default();
    for &known in options {
        // Writing into a string cannot fail.
        let _ = writeln!(help, "  {:width$}  {}", written(known), known.spelling().help);
    }
    help
}

/// An option as the help writes it, the long names below each other: `-l, --label <NAME>`.
fn written(known: Known) -> String {
    let spelling = known.spelling();
    let mut written = match spelling.short {
        Some(short) => format!("-{short}, --{}", spelling.long),
        None => format!("    --{}", spelling.long),
    };
    let _ = match spelling.takes {
        Takes::Nothing => Ok(()),
        Takes::Perhaps(name) => write!(written, "[=<{name}>]"),
        Takes::One(name) | Takes::Many(name) => write!(written, " <{name}>"),
    };
    written
}
