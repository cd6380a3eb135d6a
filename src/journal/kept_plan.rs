//! The plan of a job, kept beside its journal for those who come when no run does: `check`, which must
//! know what is due and whom to tell, and a run whose configuration cannot be read. Kept is what was
//! given, not what it came to, so that a default that changes with a version changes here too.
//! Rewritten when it changes, and the journal remembers by a hash what is there, so that an
//! ordinary run neither reads nor writes it.

mod differences;
mod variables;

use std::ffi::{CStr, OsStr, OsString};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use super::tail::read_range;
use crate::clock::Timestamp;
use crate::config::{self, Level, Levels};
use crate::directory::{Access, Directory, Unsynced};
use crate::job::CommandLine;
use crate::plan::Plan;
use crate::program::{Changed, Program};
use crate::settings::Setting;
use crate::sinks;
use differences::differences;

/// The file, in a job's directory.
const PLAN: &CStr = c"plan.json";
/// Version of the form.
const VERSION: u32 = 1;
/// A larger file is none of ours.
const SIZE_MAX: u64 = 4 * 1024 * 1024;
/// How many changes are remembered.
const CHANGES_MAX: usize = 16;

/// What was given to the last run of a job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct KeptPlan {
    v: u32,
    /// When it was written, in milliseconds since 1970.
    at: i64,
    label: String,
    host: String,
    /// Effective user id.
    user: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    command: Vec<String>,
    /// Whether the command is a line for the shell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    shell: bool,
    /// Options by their long names, nearest level first.
    given: Vec<Given>,
    /// What may be shown of the sinks that are left out of that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hidden_sinks: Vec<String>,
    /// What sinks read of the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    variables: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    program: Option<Program>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
    #[serde(skip)]
    fingerprint: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    option: String,
    value: String,
    from: From,
}

/// Where an option was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum From {
    Flag,
    Line,
    Variable,
    File,
}

impl From {
    fn of(level: Level) -> Option<Self> {
        match level {
            Level::Flag => Some(Self::Flag),
            Level::Line => Some(Self::Line),
            Level::Variable => Some(Self::Variable),
            Level::Section(_) | Level::LastRun => Some(Self::File),
            Level::Default => None,
        }
    }

    fn level(self) -> Level {
        match self {
            Self::Flag => Level::Flag,
            Self::Line => Level::Line,
            Self::Variable => Level::Variable,
            Self::File => Level::LastRun,
        }
    }
}

/// Something that was not as it had been for the run before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    at: i64,
    what: String,
    /// The same without what may be nobody else's business.
    brief: String,
}

/// An option that was given to the last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOption {
    /// Which.
    pub setting: Setting,
    /// Where it was given; what any file said, at the level of the last run.
    pub level: Level,
    /// Its text; of a list, one element.
    pub text: OsString,
}

impl KeptPlan {
    /// What was given to this run. Secrets are left out: of a sink whose target is one only a reference
    /// to it is kept, and no variable that is named after a key.
    pub fn of(plan: &Plan, levels: &Levels) -> Self {
        let (command, shell) = match &plan.job.command {
            CommandLine::Words(words) => (words.iter().map(|word| text(word)).collect(), false),
            CommandLine::Shell(line) => (vec![text(line)], true),
        };
        let given = levels.given().iter().filter(|given| !is_hidden(given, levels)).filter_map(|given| {
            Some(Given {
                option: given.origin.setting.row().long.to_owned(),
                value: text(&given.text),
                from: From::of(given.origin.level)?,
            })
        });
        let mut kept = Self {
            v: VERSION,
            label: plan.job.label.as_str().to_owned(),
            host: plan.job.host.clone(),
            user: geteuid().as_raw(),
            path: plan.search_path.as_deref().map(text),
            command,
            shell,
            hidden_sinks: plan.sinks.iter().filter_map(sinks::shown_if_secret).collect(),
            given: given.filter(|given| !is_secret(given)).collect(),
            variables: variables::kept(&plan.variables.0),
            ..Self::default()
        };
        kept.fingerprint = kept.hash();
        kept
    }

    /// What a file that is read says.
    fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|kept| kept.v == VERSION)
    }

    /// The same, and nothing of it but the options and the host.
    fn read_options(bytes: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Options {
            v: u32,
            host: String,
            given: Vec<Given>,
        }
        let Options { v, host, given } = serde_json::from_slice(bytes).ok()?;
        (v == VERSION).then(|| Self { v, host, given, ..Self::default() })
    }

    /// The name of the host that it ran on.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What is run.
    pub fn command(&self) -> CommandLine {
        match &self.command[..] {
            [line] if self.shell => CommandLine::Shell(line.into()),
            words => CommandLine::Words(words.iter().map(OsString::from).collect()),
        }
    }

    /// `PATH` of the run.
    pub fn search_path(&self) -> Option<&OsStr> {
        self.path.as_deref().map(OsStr::new)
    }

    /// What may be shown of the sinks of the run whose targets are secrets, and which are not kept.
    pub fn hidden_sinks(&self) -> &[String] {
        &self.hidden_sinks
    }

    /// What sinks read of the environment, beside it what they read of the attendant's own.
    pub fn variables_beside(&self, own: &[(String, String)]) -> Vec<(String, String)> {
        variables::together(&self.variables, own)
    }

    /// The options that were given to it, nearest level first; one that this version does not know is
    /// passed over.
    pub fn options(&self) -> impl Iterator<Item = KeptOption> + '_ {
        self.given.iter().filter_map(|given| {
            let setting = Setting::of_long(given.option.as_bytes())?;
            Some(KeptOption { setting, level: given.from.level(), text: OsString::from(&given.value) })
        })
    }

    /// What files had given it.
    pub fn of_files(&self) -> impl Iterator<Item = (Setting, OsString)> + '_ {
        let by_file = self.options().filter(|option| option.level.is_of_files());
        by_file.map(|option| (option.setting, option.text))
    }

    /// What has changed after a moment, oldest first.
    pub fn changes_since(&self, moment: Timestamp) -> impl Iterator<Item = Changed> {
        let after = move |change: &&Change| change.at > moment.as_millis();
        let told = |change: &Change| Changed { full: change.what.clone(), brief: change.brief.clone() };
        self.changes.iter().filter(after).map(told)
    }

    /// The program as it was when the plan was written.
    pub fn program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    /// Whether it is the one that the journal knows by this hash.
    pub(super) fn is(&self, recorded: Option<u64>) -> bool {
        recorded == Some(self.fingerprint)
    }

    /// Writes it in the place of what is there, unless that is the same: `recorded` is the hash that the
    /// journal knows it by, and `at` when it was in force; a run that succeeds by it must not have ended
    /// before that. To be called by whoever holds the transaction lock. What cannot be written is tried
    /// again by the next run.
    pub(super) fn keep(
        &self,
        directory: &Directory,
        at: Timestamp,
        recorded: &mut Option<u64>,
        unsynced: &mut Unsynced,
    ) {
        if self.is(*recorded) {
            return;
        }
        let before = read(directory).ok().flatten();
        let mut kept = self.clone();
        kept.at = at.as_millis();
        kept.program = Program::of(&kept.command(), kept.search_path());
        // Where every run has another tag, as in CI, nobody waits for a disk because of it.
        let mut worth_a_sync = true;
        if let Some(before) = before {
            worth_a_sync = kept.take_changes(before);
        }
        // Strings, numbers and lists of them always serialize.
        let bytes = serde_json::to_vec(&kept).unwrap_or_default();
        if let Ok(file) = directory.replace(PLAN, &bytes) {
            *recorded = Some(self.fingerprint);
            if worth_a_sync {
                unsynced.extend([Arc::new(file), Arc::clone(directory.fd())]);
            }
        }
    }

    /// Adds what differs from the plan before to the changes that it remembers; whether anything does.
    fn take_changes(&mut self, before: Self) -> bool {
        let at = self.at;
        let differences = differences(&before, self);
        self.changes = before.changes;
        let changes = differences.into_iter().map(|Changed { full, brief }| Change { at, what: full, brief });
        self.changes.extend(changes);
        let surplus = self.changes.len().saturating_sub(CHANGES_MAX);
        self.changes.drain(..surplus);
        self.changes.last().is_some_and(|change| change.at == at)
    }

    /// 64-bit FNV-1a over all that was given.
    fn hash(&self) -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        for word in [&self.label, &self.host].into_iter().chain(&self.path).chain(&self.command) {
            hash.take(word);
        }
        for given in &self.given {
            hash.take(&given.option);
            hash.take(&given.value);
            hash.take(match given.from {
                From::Flag => "flag",
                From::Line => "line",
                From::Variable => "variable",
                From::File => "file",
            });
        }
        self.hidden_sinks.iter().for_each(|sink| hash.take(sink));
        for (name, value) in &self.variables {
            hash.take(name);
            hash.take(value);
        }
        hash.0 ^ u64::from(self.user) ^ u64::from(self.shell) << 32
    }
}

struct Fnv(u64);

impl Fnv {
    /// A word and an end that no text has.
    fn take(&mut self, word: &str) {
        for byte in word.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

fn text(word: &OsStr) -> String {
    word.to_string_lossy().into_owned()
}

/// Whether a value of the last run's files is hidden by one of this run's: kept beside each other they
/// would be one list.
fn is_hidden(given: &config::Given, levels: &Levels) -> bool {
    let nearer = |other: &config::Given| matches!(other.origin.level, Level::Section(_));
    given.origin.level == Level::LastRun
        && given.origin.setting != Setting::Tag
        && levels.all(given.origin.setting).any(nearer)
}

/// Whether a value is a sink with a secret written out in its target.
fn is_secret(given: &Given) -> bool {
    given.option == Setting::Sink.row().long && sinks::holds_secret(OsStr::new(&given.value))
}

/// The plan in a job's directory; `None` if there is none.
///
/// # Errors
/// In words: it cannot be read, or is not one of this version.
pub(super) fn read(directory: &Directory) -> Result<Option<KeptPlan>, String> {
    read_within(directory, SIZE_MAX, Parts::All)
}

/// How much of a plan is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// All of it.
    All,
    /// The options and the host, in half the time.
    Options,
}

/// The same, but none that is larger than `largest` bytes, and of it these parts.
///
/// # Errors
/// As [`read`].
pub(super) fn read_within(
    directory: &Directory,
    largest: u64,
    parts: Parts,
) -> Result<Option<KeptPlan>, String> {
    let path = directory.path_of(PLAN);
    let fail = |why: &str| format!("'{}' {why}", path.display());
    let file = match directory.file(PLAN, Access::Read, &mut Unsynced::new()) {
        Ok(file) => file,
        Err(refusal) if refusal.is_absence() => return Ok(None),
        Err(refusal) => return Err(refusal.to_string()),
    };
    let in_words = |error: Errno| fail(&format!("cannot be read: {}", crate::os_error::words(error)));
    let size = fstat(&file).map_err(in_words)?.st_size.unsigned_abs();
    if size > largest {
        return Err(fail("is larger than any that cronward writes"));
    }
    let bytes = read_range(&file, 0, size).map_err(in_words)?;
    let kept = match parts {
        Parts::All => KeptPlan::read(&bytes),
        Parts::Options => KeptPlan::read_options(&bytes),
    };
    kept.map(Some).ok_or_else(|| fail("cannot be understood; the next run writes a new one"))
}

#[cfg(test)]
mod tests;
