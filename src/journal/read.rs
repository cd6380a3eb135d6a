//! Reading the journals of all jobs, for those who only look: nothing is made, written or waited for.
//! Root looks at what others have written too, and they may have written anything: nothing is followed,
//! and no more is read than what one user's jobs may need.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use super::kept_plan::{self, KeptPlan};
use super::locks::{self, Byte};
use super::stored::{self, Fold, Lasted};
use super::tail::{self, Condition, LARGEST_WINDOW};
use super::under_way::Begun;
use super::{JOBS, JOURNAL, LOCK, fold, under_way, usual};
use crate::clock::Timestamp;
use crate::directory::{Access, Directory, Refusal, Unsynced};
use crate::job::RunId;
use crate::os_error;
use crate::outcome::{Run, Weight};
use crate::policy::{self, AlertAfter, AlertKey, AlertRule, History, Judged, Judgement, RECENT_MAX};
use crate::turn::Owed;

/// How many jobs of another user are looked at.
const JOBS_OF_OTHERS: usize = 10_000;
/// How much is read of one journal or plan of another user, in bytes.
const WINDOW_OF_OTHERS: u64 = 256 * 1024;
/// How much is read of all state of one other user, in bytes.
const ALL_OF_OTHERS: u64 = 64 * 1024 * 1024;
/// How much of a journal is read for the last runs, in bytes: some twenty of them.
const RECENT_WINDOW: u64 = 16 * 1024;
/// How much of a journal is read for the runs of some time, in bytes.
const RUNS_WINDOW: u64 = 1024 * 1024;

/// A job that has a directory.
#[derive(Debug)]
pub struct Entry {
    /// Its label, as it was given; the file name if that is all there is.
    pub label: String,
    /// The name of its directory.
    pub name: String,
    /// What is remembered of it, or why that cannot be read.
    pub remembered: Result<Remembered, String>,
}

/// What is remembered of a job.
#[derive(Debug)]
pub struct Remembered {
    /// Its history.
    pub history: History,
    /// Its runs that have started and not ended, oldest first.
    pub under_way: Vec<UnderWayNow>,
    /// What was given to its last run, if that was asked for and can be read.
    pub plan: Option<KeptPlan>,
    /// What is owed to its sinks, oldest first.
    pub owed: Vec<Owed>,
    /// Its last runs, newest last, if they were asked for and as far as the end of its journal goes back.
    pub recent: Vec<Lasted>,
}

/// A run that has started and not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWayNow {
    /// Its id.
    pub id: RunId,
    /// When it was started.
    pub started_at: Timestamp,
    /// Process id of the command.
    pub pid: u32,
    /// Whether its cronward lives; if not, the next run will put it on record as `interrupted`.
    pub alive: bool,
}

impl Remembered {
    /// How long the job usually takes: the median of its successes among the recent runs.
    pub fn usual_duration(&self) -> Option<Duration> {
        let successes = self.recent.iter().filter(|run| run.outcome.weight() == Weight::Success);
        usual::median(successes.filter_map(|run| run.wall_time).collect())
    }
}

impl UnderWayNow {
    pub(super) fn of(begun: &Begun, alive: bool) -> Self {
        Self { id: begun.id, started_at: begun.started_at, pid: begun.pid, alive }
    }
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Histories and plans.
    Plans,
    /// How the last runs have ended, too, and of plans only the options.
    RecentRuns,
}

/// Another user, by the password file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherUser {
    /// Name.
    pub name: String,
    /// User id.
    pub id: u32,
}

/// How much may still be read.
struct Budget {
    window: u64,
    left: u64,
    jobs: usize,
    /// What was read last; to have it again for the next is a fifth of the time that looking at many jobs takes.
    buffer: Vec<u8>,
}

impl Budget {
    const OWN: Self = Self { window: LARGEST_WINDOW, left: u64::MAX, jobs: usize::MAX, buffer: Vec::new() };
    const OF_OTHERS: Self =
        Self { window: WINDOW_OF_OTHERS, left: ALL_OF_OTHERS, jobs: JOBS_OF_OTHERS, buffer: Vec::new() };

    /// Room for the end of a file of this size.
    fn take(&mut self, size: u64) -> Result<u64, String> {
        let window = self.window.min(size);
        self.left = self.left.checked_sub(window).ok_or("there is more than one user's jobs need")?;
        Ok(self.window)
    }
}

/// Every job of one's own state directory by label; none if there is no such directory.
///
/// # Errors
/// In words: why the directory cannot be read.
pub fn entries(state_dir: &Path, look: Look, now: Timestamp) -> Result<Vec<Entry>, String> {
    read_all(Directory::open(state_dir), look, now, Budget::OWN)
}

/// Every job of a state directory of another user's: `below` a directory that is not theirs to move, in
/// directories that are all theirs.
///
/// # Errors
/// In words: why the directory cannot be read.
pub fn entries_of(
    user: &OtherUser,
    base: &Path,
    below: &str,
    look: Look,
    now: Timestamp,
) -> Result<Vec<Entry>, String> {
    read_all(Directory::open_below(base, below, user.id), look, now, Budget::OF_OTHERS)
}

/// Whether there is a job of one's own, by the name of its directory.
///
/// # Errors
/// In words: why the state directory cannot be read.
pub fn is_on_record(state_dir: &Path, name: &str) -> Result<bool, String> {
    let job = Directory::open(state_dir)
        .and_then(|state| state.subdirectory(JOBS))
        .and_then(|jobs| jobs.subdirectory(name));
    match job {
        Ok(_) => Ok(true),
        Err(refusal) if refusal.is_absence() => Ok(false),
        Err(refusal) => Err(refusal.to_string()),
    }
}

/// One job of one's own, by the name of its directory, with its plan.
///
/// # Errors
/// In words: why the state directory cannot be read.
pub fn entry(state_dir: &Path, name: &str, now: Timestamp) -> Result<Entry, String> {
    let jobs = Directory::open(state_dir).and_then(|state| state.subdirectory(JOBS));
    let jobs = jobs.map_err(|refusal| refusal.to_string())?;
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = under_way::plain_host(&host.to_string_lossy());
    let mut budget = Budget::OWN;
    Ok(one(&jobs, name, &host, Look::Plans, now, &mut budget))
}

fn read_all(
    state: Result<Directory, Refusal>,
    look: Look,
    now: Timestamp,
    mut budget: Budget,
) -> Result<Vec<Entry>, String> {
    let jobs = match state.and_then(|state| state.subdirectory(JOBS)) {
        Ok(jobs) => jobs,
        Err(refusal) if refusal.is_absence() => return Ok(Vec::new()),
        Err(refusal) => return Err(refusal.to_string()),
    };
    let cannot = |why: &str| format!("'{}' cannot be read: {why}", jobs.path().display());
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = under_way::plain_host(&host.to_string_lossy());
    let names = jobs.names(budget.jobs).map_err(|error| cannot(&os_error::words(error)))?;
    let mut entries: Vec<Entry> =
        names.iter().map(|name| one(&jobs, name, &host, look, now, &mut budget)).collect();
    entries.sort_by(|one, other| one.label.cmp(&other.label));
    Ok(entries)
}

fn one(jobs: &Directory, name: &str, host: &str, look: Look, now: Timestamp, budget: &mut Budget) -> Entry {
    let (label, remembered) = match read_job(jobs, name, host, look, now, budget) {
        Ok((label, remembered)) => (label, Ok(remembered)),
        Err(why) => (String::new(), Err(why)),
    };
    let label = if label.is_empty() { label_of(name) } else { label };
    Entry { label, name: name.to_owned(), remembered }
}

fn read_job(
    jobs: &Directory,
    name: &str,
    host: &str,
    look: Look,
    now: Timestamp,
    budget: &mut Budget,
) -> Result<(String, Remembered), String> {
    let in_words = |refusal: Refusal| refusal.to_string();
    let directory = jobs.subdirectory(name).map_err(in_words)?;
    let path = directory.path_of(JOURNAL);
    let fail = |why: &str| format!("'{}' {why}", path.display());
    let parts = match look {
        Look::Plans => kept_plan::Parts::All,
        Look::RecentRuns => kept_plan::Parts::Options,
    };
    let plan = kept_plan::read_within(&directory, budget.window, parts).ok().flatten();
    let (size, journal) = match directory.file(JOURNAL, Access::Read, &mut Unsynced::new()) {
        Ok(journal) => {
            let found = nix::sys::stat::fstat(&journal).map_err(|error| fail(&os_error::words(error)))?;
            (found.st_size.unsigned_abs(), journal)
        }
        Err(refusal) if refusal.is_absence() => {
            let history = History::default();
            let nothing =
                Remembered { history, under_way: Vec::new(), plan, owed: Vec::new(), recent: Vec::new() };
            return Ok((String::new(), nothing));
        }
        Err(refusal) => return Err(in_words(refusal)),
    };
    let window = budget.take(size).map_err(|why| fail(&format!("is not read: {why}")))?;
    let first = match look {
        Look::Plans => tail::FIRST_WINDOW,
        Look::RecentRuns => RECENT_WINDOW,
    };
    let (tail, filled) = tail::read_within(&journal, size, first, window, &mut budget.buffer)
        .map_err(|error| fail(&os_error::words(error)))?;
    match tail.condition {
        Condition::Sound => {}
        Condition::Corrupt => return Err(fail("is corrupt; the next run will put it aside")),
        Condition::Newer(version) => {
            return Err(fail(&format!("was written by a newer cronward (version {version} of the format)")));
        }
    }
    let mut fold = tail.fold.map_or_else(Fold::default, |fold| *fold);
    fold::catch_up(&mut fold, tail.loose, &judge_without_rule);
    let mut under_way = Vec::new();
    if !fold.under_way.is_empty() {
        let lock = directory.file(LOCK, Access::Read, &mut Unsynced::new()).map_err(in_words)?;
        let lock = locks::lockable(lock);
        under_way.extend(fold.under_way.iter().map(|begun| {
            let alive = !fold::has_died(&begun, host, now)
                || locks::is_held(&lock, Byte::of_run(begun.id)).unwrap_or(true);
            UnderWayNow::of(&begun, alive)
        }));
    }
    let history = fold.history();
    let owed = fold.owed.iter().filter_map(stored::Owed::to_owed).collect();
    let mut recent = match look {
        Look::Plans => Vec::new(),
        Look::RecentRuns => stored::ended(&budget.buffer[..filled]).take(RECENT_MAX).collect(),
    };
    recent.reverse();
    Ok((fold.label, Remembered { history, under_way, plan, owed, recent }))
}

/// The runs of one's own job that ended after a moment, from start to end, newest first, as far as the
/// end of its journal goes back. `name` is that of its directory.
///
/// # Errors
/// In words.
pub fn runs_since(
    state_dir: &Path,
    name: &str,
    moment: Timestamp,
) -> Result<Vec<(Timestamp, Timestamp)>, String> {
    let in_words = |refusal: Refusal| refusal.to_string();
    let jobs = Directory::open(state_dir).and_then(|state| state.subdirectory(JOBS)).map_err(in_words)?;
    let directory = jobs.subdirectory(name).map_err(in_words)?;
    let journal = directory.file(JOURNAL, Access::Read, &mut Unsynced::new()).map_err(in_words)?;
    let size = nix::sys::stat::fstat(&journal).map_err(os_error::words)?.st_size.unsigned_abs();
    let mut window = tail::FIRST_WINDOW;
    loop {
        let from = size.saturating_sub(window);
        let bytes = tail::read_range(&journal, from, size).map_err(os_error::words)?;
        let runs = stored::runs(&bytes);
        let reaches_back = runs.last().is_some_and(|&(_, end)| end <= moment);
        if reaches_back || from == 0 || window >= RUNS_WINDOW {
            return Ok(runs.into_iter().filter(|&(_, end)| end > moment).collect());
        }
        window *= 4;
    }
}

/// The streak does not depend on the alert rule; and whether the alert is open is taken from what a
/// run told the world, not from this.
fn judge_without_rule(history: Option<&History>, run: &Run) -> Judgement {
    let rule = AlertRule {
        after: AlertAfter::InARow(NonZeroU32::MAX),
        realert: None,
        recover_after: NonZeroU32::MAX,
    };
    let alert_key = AlertKey { text: String::new(), is_shared: false };
    let judged = Judged { run, ended_at: run.ended_at.unwrap_or(run.started_at), alert_key: &alert_key };
    policy::judge(history.unwrap_or(&History::default()), &judged, &rule)
}

/// The label that a file name stands for; of one that was cut, what is left of it.
fn label_of(file_name: &str) -> String {
    let mut bytes = Vec::with_capacity(file_name.len());
    let mut rest = file_name.as_bytes();
    while let Some((&byte, others)) = rest.split_first() {
        let code = others
            .get(..2)
            .filter(|digits| byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &others[2..] } else { others };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Label;
    use proptest::prelude::*;
    use std::ffi::OsStr;

    proptest! {
        #[test]
        fn a_label_is_read_back_from_its_file_name(text in ".{1,15}") {
            let label = Label::new(OsStr::new(&text)).unwrap();
            prop_assert_eq!(label_of(&label.file_name()), text);
        }
    }

    #[test]
    fn a_percent_sign_that_is_none_of_ours_stands_for_itself() {
        assert_eq!(label_of("100%"), "100%");
        assert_eq!(label_of("%zz%4"), "%zz%4");
        assert_eq!(label_of("%+1"), "%+1", "a sign is no hexadecimal digit");
    }
}
