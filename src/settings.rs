//! The one table of options. The command line, the variables, the plan and `--dry-run` are made from
//! it, and the manual is checked against it: an option that is not here does not exist.

use std::fmt;

/// What an option is called inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// `--label`
    Label,
    /// `--tag`
    Tag,
    /// `--command`
    Command,
    /// `--timeout`
    Timeout,
    /// `--kill-after`
    KillAfter,
    /// `--warn-after`
    WarnAfter,
    /// `--retries`
    Retries,
    /// `--retry-delay`
    RetryDelay,
    /// `--jitter`
    Jitter,
    /// `--lock`
    Lock,
    /// `--lock-wait`
    LockWait,
    /// `--lock-exit`
    LockExit,
    /// `--ok-codes`
    OkCodes,
    /// `--warn-codes`
    WarnCodes,
    /// `--expect`
    Expect,
    /// `--produces`
    Produces,
    /// `--schedule`
    Schedule,
    /// `--max-age`
    MaxAge,
    /// `--alert-after`
    AlertAfter,
    /// `--realert`
    Realert,
    /// `--recover-after`
    RecoverAfter,
    /// `--alert-key`
    AlertKey,
    /// `--severity`
    Severity,
    /// `--owner`
    Owner,
    /// `--runbook`
    Runbook,
    /// `--quiet`
    Quiet,
    /// `--capture`
    Capture,
    /// `--log-dir`
    LogDir,
    /// `--log-keep`
    LogKeep,
    /// `--log-when`
    LogWhen,
    /// `--sink`
    Sink,
    /// `--namespace`
    Namespace,
    /// `--sensitive`
    Sensitive,
    /// `--send-args`
    SendArgs,
    /// `--config`
    Config,
    /// `--no-config`
    NoConfig,
    /// `--state-dir`
    StateDir,
    /// `--flush-deadline`
    FlushDeadline,
    /// `--own-group`
    OwnGroup,
    /// `--summary`
    Summary,
    /// `--progress`
    Progress,
    /// `--dry-run`
    DryRun,
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is on or off.
    Nothing,
    /// Nothing, or behind an equals sign one value, called so in the help.
    Perhaps(&'static str),
    /// One value, called so in the help; the last one given counts, as with timeout(1).
    One(&'static str),
    /// Any number of values, called so in the help.
    Many(&'static str),
}

/// What becomes of `CRONWARD_<OPTION>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// There is none.
    None,
    /// It speaks of this run: read, and taken out of the job's environment.
    OfTheRun,
    /// It speaks of the host: read, and left for a cronward further in.
    OfTheHost,
}

/// One option.
#[derive(Debug)]
pub struct Row {
    /// What it is called inside.
    pub setting: Setting,
    /// Long option without its dashes, which is also the key in every other source.
    pub long: &'static str,
    /// Short option.
    pub short: Option<char>,
    /// What it takes.
    pub takes: Takes,
    /// Its variable.
    pub variable: Variable,
    /// One line of help, the default included.
    pub help: &'static str,
}

/// How many options there are.
pub const COUNT: usize = 42;

const fn row(
    setting: Setting,
    long: &'static str,
    takes: Takes,
    variable: Variable,
    help: &'static str,
) -> Row {
    Row { setting, long, short: None, takes, variable, help }
}

const fn short(short: char, row: Row) -> Row {
    Row { short: Some(short), ..row }
}

use Setting as S;
use Takes::{Many, Nothing, One, Perhaps};
use Variable::{OfTheHost, OfTheRun};

/// Every option, in the order of the help.
#[rustfmt::skip]
pub static TABLE: [Row; COUNT] = [
    short('l', row(S::Label, "label", One("NAME"), OfTheRun, "name of the job [default: file name of the command and a hash of its words]")),
    short('t', row(S::Tag, "tag", Many("KEY:VALUE"), OfTheHost, "tag on every metric and event; repeatable")),
    short('c', row(S::Command, "command", One("LINE"), Variable::None, "run LINE by /bin/sh -c; it may begin with CRONWARD_<OPTION>=VALUE words")),
    row(S::Timeout, "timeout", One("DUR"), OfTheRun, "TERM, then KILL, to all the job started after so long [default: 0s, never]"),
    row(S::KillAfter, "kill-after", One("DUR"), OfTheRun, "from TERM to KILL after a timeout [default: 10s]"),
    row(S::WarnAfter, "warn-after", One("DUR"), OfTheRun, "report run.overdue each time the job has run that much longer [default: never]"),
    row(S::Retries, "retries", One("N"), OfTheRun, "run it again after a failure, so many times at most [default: 0]"),
    row(S::RetryDelay, "retry-delay", One("DUR"), OfTheRun, "wait before the first of them, twice as long before each next [default: 10s]"),
    row(S::Jitter, "jitter", One("DUR"), OfTheRun, "start later by less than that, always the same for this host and label"),
    row(S::Lock, "lock", Nothing, OfTheRun, "no second run of this label at the same time; needs --label"),
    row(S::LockWait, "lock-wait", One("DUR"), OfTheRun, "how long --lock waits for the other run to end [default: 0s]"),
    row(S::LockExit, "lock-exit", One("N"), OfTheRun, "exit status of a run that --lock skipped [default: 75]"),
    row(S::OkCodes, "ok-codes", One("LIST"), OfTheRun, "exit codes that count as success, as '24,100-103' [default: 0, always]"),
    row(S::WarnCodes, "warn-codes", One("LIST"), OfTheRun, "exit codes that count as a warning [default: none]"),
    row(S::Expect, "expect", Many("[NAME=]BAND"), OfTheRun, "MIN..MAX of the wall time, or of the value NAME that the job reports; repeatable"),
    row(S::Produces, "produces", Many("GLOB[:BAND]"), OfTheRun, "file that a success has written, and its size, as '1MiB..' or '50%..'; repeatable"),
    row(S::Schedule, "schedule", One("CRON"), OfTheRun, "when runs are due, as in a crontab; a run that does not come is noticed"),
    row(S::MaxAge, "max-age", One("DUR"), OfTheRun, "how old the last success may be [default: any age]"),
    row(S::AlertAfter, "alert-after", One("SPEC"), OfTheRun, "N failures in a row, N/M of the last M runs, or N/DUR open an alert [default: 1]"),
    row(S::Realert, "realert", One("DUR"), OfTheRun, "say it again while the alert is open and the job fails [default: never]"),
    row(S::RecoverAfter, "recover-after", One("N"), OfTheRun, "successes in a row that close an alert [default: 1]"),
    row(S::AlertKey, "alert-key", One("TEXT"), OfTheRun, "deduplication key of alerts [default: {host}/{label}]"),
    row(S::Severity, "severity", One("LEVEL"), OfTheRun, "info, warning, error or critical [default: error]"),
    row(S::Owner, "owner", One("TEXT"), OfTheRun, "whom an alert concerns"),
    row(S::Runbook, "runbook", One("URL"), OfTheRun, "what to do about an alert"),
    row(S::Quiet, "quiet", Perhaps("WHEN"), OfTheRun, "show stderr only after a failure, or =alert: only while an alert is open"),
    row(S::Capture, "capture", One("SIZE"), OfTheRun, "keep the first and last part of the output for events and alerts [default: 0]"),
    row(S::LogDir, "log-dir", One("DIR"), OfTheRun, "keep whole outputs there, a file for each run [default: nowhere]"),
    row(S::LogKeep, "log-keep", One("SPEC"), OfTheRun, "how many, how old, how large: '30', '14d', '1GiB', '30,14d' [default: 100]"),
    row(S::LogWhen, "log-when", One("WHEN"), OfTheRun, "which outputs are kept: failed or always [default: always]"),
    row(S::Sink, "sink", Many("KIND:TARGET"), OfTheHost, "where reports go, or 'none'; '+KIND:…' adds; repeatable [default: dogstatsd:]"),
    row(S::Namespace, "namespace", One("NAME"), OfTheHost, "first part of every metric name; {host} is filled in [default: cronward]"),
    row(S::Sensitive, "sensitive", Nothing, OfTheHost, "neither arguments nor output leave the host"),
    row(S::SendArgs, "send-args", Nothing, OfTheRun, "all arguments leave the host, not only the first word"),
    row(S::Config, "config", One("FILE"), OfTheHost, "read this file instead of /etc/cronward.toml and ~/.config/cronward.toml"),
    row(S::NoConfig, "no-config", Nothing, OfTheRun, "read no configuration file"),
    row(S::StateDir, "state-dir", One("DIR"), OfTheHost, "where state is kept [default: /var/lib/cronward or ~/.local/state/cronward]"),
    row(S::FlushDeadline, "flush-deadline", One("DUR"), OfTheHost, "longest time for all sinks together after the job [default: 5s]"),
    row(S::OwnGroup, "own-group", Nothing, OfTheRun, "run the job in a process group of its own"),
    row(S::Summary, "summary", One("WHEN"), OfTheRun, "a last line on stderr: auto (on a terminal), always, never [default: auto]"),
    row(S::Progress, "progress", Nothing, OfTheRun, "on a terminal: the time so far, and how much that is of what is usual"),
    row(S::DryRun, "dry-run", Nothing, Variable::None, "show the resolved plan and what would be sent; run nothing"),
];

/// What every variable of ours begins with.
pub const PREFIX: &[u8] = b"CRONWARD_";

impl Setting {
    /// Its line in the table.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The option with this long name, without its dashes.
    pub fn of_long(name: &[u8]) -> Option<Self> {
        TABLE.iter().find(|row| row.long.as_bytes() == name).map(|row| row.setting)
    }

    /// The option with this variable; `None` for those that have none.
    pub fn of_variable(name: &[u8]) -> Option<Self> {
        let key = name.strip_prefix(PREFIX)?;
        let same = |row: &&Row| {
            row.variable != Variable::None
                && row.long.len() == key.len()
                && std::iter::zip(row.long.bytes(), key).all(|(byte, &other)| shouted(byte) == other)
        };
        TABLE.iter().find(same).map(|row| row.setting)
    }
}

impl Row {
    /// `CRONWARD_KILL_AFTER`, also of an option without a variable.
    pub fn variable_name(&self) -> String {
        let mut name = String::with_capacity(PREFIX.len() + self.long.len());
        name.push_str("CRONWARD_");
        name.extend(self.long.bytes().map(|byte| char::from(shouted(byte))));
        name
    }
}

/// A byte of a long option as it stands in its variable.
fn shouted(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }
}

/// The word that was probably meant; `None` if none is near. The measure and its bound are those
/// of clap, which the tests of the command line compare it with.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// A command line, variable or value that cannot be used: one line for stderr, exit status 125.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageError(String);

impl UsageError {
    /// A message that says by itself how to do it right.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A message after which the help helps.
    pub fn see_help(message: impl fmt::Display) -> Self {
        Self(format!("{message}; see 'cronward --help'"))
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_stands_in_the_table_at_its_own_place() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.setting as usize, at, "{}", row.long);
        }
    }

    #[test]
    fn names_are_unique() {
        for (at, row) in TABLE.iter().enumerate() {
            for other in &TABLE[..at] {
                assert_ne!(row.long, other.long);
                assert!(row.short.is_none() || row.short != other.short, "{}", row.long);
            }
        }
    }

    #[test]
    fn variables_are_found_by_their_names() {
        for row in &TABLE {
            let found = Setting::of_variable(row.variable_name().as_bytes());
            let expected = (row.variable != Variable::None).then_some(row.setting);
            assert_eq!(found, expected, "{}", row.variable_name());
            assert_eq!(Setting::of_long(row.long.as_bytes()), Some(row.setting));
        }
        assert_eq!(Setting::KillAfter.row().variable_name(), "CRONWARD_KILL_AFTER");
        assert_eq!(Setting::of_variable(b"CRONWARD_KILL-AFTER"), None);
        assert_eq!(Setting::of_variable(b"CRONWARD_RUN_ID"), None);
        assert_eq!(Setting::of_variable(b"LABEL"), None);
    }

    /// What a cronward further in inherits.
    #[test]
    fn only_what_speaks_of_the_host_is_inherited() {
        let inherited: Vec<_> =
            TABLE.iter().filter(|row| row.variable == OfTheHost).map(|row| row.long).collect();
        let host = ["tag", "sink", "namespace", "sensitive", "config", "state-dir", "flush-deadline"];
        assert_eq!(inherited, host);
    }

    #[test]
    fn help_lines_are_one_line_each() {
        for row in &TABLE {
            assert!(!row.help.is_empty() && !row.help.contains('\n') && !row.help.ends_with('.'));
            assert!(row.help.chars().count() <= 86, "{}", row.long);
        }
    }

    #[test]
    fn the_nearest_word_is_suggested_only_if_it_is_near() {
        let known = ["label", "tag", "timeout"];
        assert_eq!(nearest("lable", known.into_iter()), Some("label"));
        assert_eq!(nearest("timout", known.into_iter()), Some("timeout"));
        assert_eq!(nearest("quiet", known.into_iter()), None);
    }
}
