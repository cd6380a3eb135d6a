//! PURE. What a command line can hold: the options of the table, and a few that are no setting of a run.

use crate::settings::{COUNT, Setting, TABLE, Takes};

/// An option that some command line may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// A row of the table.
    Setting(Setting),
    /// `--help`
    Help,
    /// `--version`
    Version,
    /// `--json`
    Json,
    /// `--crontab`
    Crontab,
    /// `--confirm`
    Confirm,
    /// `--failed`
    Failed,
    /// `--since`
    Since,
    /// `--diff`
    Diff,
    /// `--system`
    System,
}

/// How an option is written, and what the help says of it.
pub struct Spelling {
    /// Without its dashes.
    pub long: &'static str,
    /// Without its dash.
    pub short: Option<char>,
    /// What it takes.
    pub takes: Takes,
    /// One line.
    pub help: &'static str,
}

impl Known {
    /// How it is written.
    pub fn spelling(self) -> Spelling {
        let (long, short, takes, help) = match self {
            Known::Setting(setting) => {
                let row = setting.row();
                (row.long, row.short, row.takes, row.help)
            }
            Known::Help => ("help", Some('h'), Takes::Nothing, "show this help"),
            Known::Version => ("version", Some('V'), Takes::Nothing, "show the version"),
            Known::Json => ("json", None, Takes::Nothing, "as JSON, for programs"),
            Known::Crontab => {
                ("crontab", None, Takes::Many("FILE"), "a crontab whose jobs must have run; repeatable")
            }
            Known::Confirm => {
                ("confirm", None, Takes::Nothing, "put on record that a person saw the last drill arrive")
            }
            Known::Failed => ("failed", None, Takes::Nothing, "only runs that failed"),
            Known::Since => (
                "since",
                None,
                Takes::One("WHEN"),
                "only runs since then: '7d', '2026-11-01' or '2026-11-01 06:00'",
            ),
            Known::Diff => ("diff", None, Takes::Nothing, "print what would change instead, for patch(1)"),
            Known::System => {
                ("system", None, Takes::Nothing, "the form of /etc/crontab, with a user before each command")
            }
        };
        Spelling { long, short, takes, help }
    }

    /// Whether its value may begin with a dash. Whoever calls `$SHELL -c LINE` does not look at LINE
    /// first. Elsewhere a dash is more likely the next option, and the value forgotten.
    pub fn may_take_a_dash(self) -> bool {
        self == Known::Setting(Setting::Command)
    }
}

/// What one kind of command line can hold.
#[derive(Debug)]
pub struct Grammar {
    /// Its options, in the order of its help.
    pub options: &'static [Known],
    /// Whether options may also stand between and behind the words. The words of a run are a command
    /// with options of its own.
    pub is_mixed: bool,
}

/// A run.
pub static RUN: Grammar = Grammar { options: &OPTIONS_OF_A_RUN, is_mixed: false };

static OPTIONS_OF_A_RUN: [Known; COUNT + 2] = {
    let mut options = [Known::Help; COUNT + 2];
    let mut at = 0;
    while at < COUNT {
        options[at] = Known::Setting(TABLE[at].setting);
        at += 1;
    }
    options[COUNT + 1] = Known::Version;
    options
};
