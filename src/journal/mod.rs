//! What is remembered of a job: one directory, in it an append-only journal and a file of byte
//! locks. A start is one small line, written by the child itself without reading or waiting; an
//! outcome is one transaction under a lock, which ends in one line that carries everything that is
//! remembered. Trouble with any of it is said in one line and never stops a job; only the overlap
//! lock fails closed.

mod backoff;
mod checks;
mod compaction;
mod debtors;
mod deliveries;
mod drills;
mod fold;
mod forget;
mod kept_plan;
mod locks;
mod overlap;
mod owing;
mod read;
mod reading;
mod records;
mod reports;
mod review;
mod soundness;
mod stored;
mod tail;
mod transaction;
mod under_way;
mod usual;

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{fdatasync, fsync};

use crate::clock::{Deadline, Timestamp};
use crate::directory::{Access, Directory, Refusal, Unsynced};
use crate::job::{CommandLine, Label, RunId, Signal};
use crate::outcome::Run;
use crate::plan::OverlapRule;
use crate::policy::Judgement;
use crate::sys::process::{LastWords, StartLine};
use crate::turn::{AlertTurn, Owed};
pub use backoff::Backoff;
pub use checks::{last_check, note_check};
pub use drills::{Drills, drills, note_drills};
pub use fold::Judge;
pub use forget::{forget, may_forget};
pub use kept_plan::{KeptOption, KeptPlan};
use locks::{Byte, LockFile, lockable};
pub use overlap::{Claim, OverlapLock};
pub use owing::{GivenUp, Taken, Telling};
pub use read::{
    Entry, Look, OtherUser, Remembered, UnderWayNow, entries, entries_of, entry, is_on_record, runs_since,
};
use reading::Reader;
pub use records::{Record, RunOnRecord, records};
pub use review::{Amend, Amendment, Reviewed};
pub use soundness::{Lack, try_file_system, unreached};
pub use stored::Lasted;
pub use usual::median;

/// The directory of all jobs, in the state directory.
const JOBS: &str = "jobs";
/// The journal, in a job's directory.
const JOURNAL: &CStr = c"runs.jsonl";
/// The file of byte locks, in a job's directory; never unlinked.
const LOCK: &CStr = c"lock";

/// The journal of one job, open for one run.
pub struct Journal {
    label: Label,
    host: String,
    files: Result<Files, String>,
    plan: Option<KeptPlan>,
    trouble: Option<String>,
    begun: bool,
    overlap_granted: bool,
}

struct Files {
    directory: Directory,
    journal: Result<JournalFile, String>,
    lock: Result<Arc<LockFile>, String>,
    unsynced: Unsynced,
    /// The end of the journal, read while the command ran, and the size that the journal had then.
    ahead: Option<(u64, tail::Tail)>,
    /// The state directory and that of all jobs.
    above: [Directory; 2],
}

struct JournalFile {
    fd: Arc<OwnedFd>,
    writable: bool,
}

/// What a transaction asks of whoever wants it.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Judges a run by the history before it.
    pub judge: Judge<'a>,
    /// Who is to be told of the turns of the alert.
    pub telling: Telling<'a>,
}

/// What the transaction of an outcome has come to.
#[derive(Debug)]
pub struct Committed {
    /// Runs that had died and are on record now, oldest first.
    pub lost: Vec<(Run, Judgement)>,
    /// What the run makes of its job.
    pub own: Judgement,
    /// The turns that the alert has taken by all this, oldest first.
    pub turns: Vec<AlertTurn>,
    /// What is owed now, these turns included as far as they are on record, oldest first.
    pub owed: Vec<Owed>,
    /// What nobody will try to deliver any more.
    pub given_up: Vec<GivenUp>,
    /// Whether the history before it could be read; if not, failures were judged without it.
    pub history_readable: bool,
    /// One line for stderr, unless [`Journal::trouble`] has said it before.
    pub trouble: Option<String>,
}

impl Journal {
    /// Opens the journal of `label`, making it if it is missing. Never fails: the run goes on
    /// without what cannot be had. `host` is the name that runs started here are known by.
    pub fn open(state_dir: &Result<PathBuf, String>, label: &Label, host: &str) -> Self {
        let files = match state_dir {
            Ok(path) => Files::open(path, label).map_err(|refusal| refusal.to_string()),
            Err(why) => Err(why.clone()),
        };
        let trouble = match &files {
            Err(why) => Some(why.clone()),
            Ok(Files { journal: Err(why), .. } | Files { lock: Err(why), .. }) => Some(why.clone()),
            Ok(Files { journal: Ok(journal), directory, .. }) if !journal.writable => {
                Some(format!("'{}' cannot be written", directory.path_of(JOURNAL).display()))
            }
            Ok(_) => None,
        };
        Self {
            label: label.clone(),
            host: under_way::plain_host(host),
            files,
            plan: None,
            trouble: trouble.map(|why| format!("this run may not be remembered: {why}")),
            begun: false,
            overlap_granted: false,
        }
    }

    /// Has this plan kept beside the journal.
    pub fn keep(&mut self, plan: KeptPlan) {
        self.plan = Some(plan);
    }

    /// One line for stderr if something is wrong with the state; to be said once a run.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Takes the overlap lock for a run, before [`Self::begin`]. `pause` waits that long, or until a
    /// stop signal comes, which it returns.
    pub fn claim(
        &mut self,
        rule: &OverlapRule,
        run: RunId,
        pause: &mut dyn FnMut(Duration) -> Option<Signal>,
    ) -> Claim {
        let unusable = |why: &str| Claim::Unusable(format!("the overlap lock cannot be used: {why}"));
        let files = match &self.files {
            Ok(files) => files,
            Err(why) => return unusable(why),
        };
        let mut claim = match &files.lock {
            Ok(lock) => overlap::claim(lock, rule, run, pause),
            Err(why) => return unusable(why),
        };
        if let Claim::Unusable(why) = &claim {
            claim = unusable(&format!("'{}': {why}", files.directory.path_of(LOCK).display()));
        }
        self.overlap_granted = matches!(claim, Claim::Granted(_));
        claim
    }

    /// Takes the byte by which others see that the run's cronward lives, and prepares what the child
    /// leaves on record just before it executes the command. Nothing is read and nothing waited for.
    ///
    /// Without that byte there is no record of the start either: the next run would take this one
    /// for dead while it lives.
    pub fn begin(&mut self, run: RunId, started_at: Timestamp) -> LastWords {
        let Ok(files) = &self.files else { return LastWords::default() };
        let Ok(lock) = &files.lock else { return LastWords::default() };
        let alive = locks::try_lock(lock, Byte::of_run(run)).unwrap_or(false);
        let journal = match &files.journal {
            Ok(journal) if journal.writable && alive => {
                let (line, pid_at) = stored::start_line(run, started_at, &self.host);
                Some(StartLine {
                    journal: Arc::clone(&journal.fd),
                    directory: Arc::clone(files.directory.fd()),
                    name: JOURNAL.to_owned(),
                    line,
                    pid_at,
                })
            }
            Ok(_) | Err(_) => None,
        };
        self.begun = journal.is_some();
        let lock = self.overlap_granted.then(|| (Arc::clone(lock), overlap::COMMAND_RECORD));
        LastWords { journal, lock }
    }

    /// Reads the end of the journal while the command runs and there is nothing else to do. If nobody
    /// has written to it when the command has ended, it need not be read then.
    ///
    /// A plan that is new is put on record here: a first run that hangs must be known to `check`.
    ///
    /// Where a thousand runs of the label are under way, that is too much to be held while the command runs; then
    /// it is read at the end, unless it has to be had `in_full`, as for [`Self::last_good_size`].
    pub fn read_ahead(&mut self, in_full: bool) {
        if let Ok(files) = &mut self.files {
            transaction::read_ahead(files, self.plan.as_ref(), in_full);
        }
    }

    /// Where a run may leave its report: a path that nobody else can write to, and that is not there yet.
    pub fn report_path(&self, run: RunId) -> Option<PathBuf> {
        let files = self.files.as_ref().ok()?;
        Some(files.directory.path().join(reports::name_of(run)))
    }

    /// The size in bytes of what the last good run produced for a pattern, as it was when the end of the
    /// journal was read while the command ran.
    pub fn last_good_size(&self, pattern: &str) -> Option<u64> {
        let (_, tail) = self.files.as_ref().ok()?.ahead.as_ref()?;
        let sizes = tail.fold.as_ref()?.history().sizes;
        sizes.into_iter().find(|(other, _)| other == pattern).map(|(_, bytes)| bytes)
    }

    /// Makes the start durable; to be called, on a helper thread, once the run has lasted a second.
    /// `None` if there is no start on record.
    pub fn start_syncer(&self) -> Option<impl FnOnce() + Send + 'static> {
        let files = self.files.as_ref().ok().filter(|_| self.begun)?;
        let journal = Arc::clone(&files.journal.as_ref().ok()?.fd);
        let directories = files.unsynced.clone();
        Some(move || sync(&journal, &directories))
    }

    /// Puts runs that have died on record, and what `amend` makes of what is remembered then. Nothing is
    /// written if there is neither.
    ///
    /// # Errors
    /// In words: the journal cannot be read, written or locked before the deadline.
    pub fn review(
        &mut self,
        now: Timestamp,
        deadline: Deadline,
        rules: &Rules<'_>,
        amend: Amend<'_>,
    ) -> Result<Reviewed, String> {
        let Rules { judge, telling } = *rules;
        let reader = Reader { host: &self.host, own: None, now, judge, telling };
        let files = self.files.as_mut().map_err(|why| why.clone())?;
        review::review(files, &self.label, &reader, deadline, amend)
    }

    /// Judges a run and puts it on record, with every run found to have died before it. It waits for
    /// its turn until the deadline; if that passes, the run is judged by what can be read and put on
    /// record for the next one to count.
    pub fn commit(
        &mut self,
        run: &Run,
        command: &CommandLine,
        deadline: Deadline,
        rules: &Rules<'_>,
    ) -> Committed {
        let Rules { judge, telling } = *rules;
        let now = run.ended_at.unwrap_or(run.started_at);
        let mut committed = match &mut self.files {
            Ok(files) => {
                let subject = transaction::Subject {
                    run,
                    command,
                    label: &self.label,
                    plan: self.plan.as_ref(),
                    begun: self.begun,
                    reader: Reader { host: &self.host, own: Some(run.id), now, judge, telling },
                };
                transaction::commit(files, &subject, deadline)
            }
            Err(_) => {
                let own = judge(None, run);
                let turn = owing::turn_of_run(run, &own, now, false, |_| Vec::new());
                Committed::alone(own, turn, &[], false, None)
            }
        };
        if self.trouble.is_some() {
            committed.trouble = None;
        }
        committed
    }
}

impl Files {
    fn open(state_dir: &std::path::Path, label: &Label) -> Result<Self, Refusal> {
        let mut unsynced = Unsynced::new();
        let state = Directory::open_or_create(state_dir, &mut unsynced)?;
        let jobs = state.subdirectory_or_create(JOBS, &mut unsynced)?;
        let directory = jobs.subdirectory_or_create(&label.file_name(), &mut unsynced)?;
        let journal = JournalFile::open(&directory, &mut unsynced).map_err(|refusal| refusal.to_string());
        let lock = directory
            .file(LOCK, Access::Write, &mut unsynced)
            .map(|file| Arc::new(lockable(file)))
            .map_err(|refusal| refusal.to_string());
        Ok(Self { directory, journal, lock, unsynced, ahead: None, above: [state, jobs] })
    }

    /// The journal by its name, after a compaction has put another file there.
    fn reopen(&mut self) -> Result<&JournalFile, String> {
        self.ahead = None;
        self.journal = JournalFile::open(&self.directory, &mut self.unsynced).map_err(|r| r.to_string());
        self.journal.as_ref().map_err(Clone::clone)
    }
}

impl JournalFile {
    fn open(directory: &Directory, unsynced: &mut Unsynced) -> Result<Self, Refusal> {
        let (fd, writable) = directory.file_to_append_or_read(JOURNAL, unsynced)?;
        Ok(Self { fd: Arc::new(fd), writable })
    }
}

/// What is kept of the last run of a job, if that can be read.
pub fn last_plan(state_dir: &std::path::Path, label: &Label) -> Option<KeptPlan> {
    let jobs = Directory::open(state_dir).and_then(|state| state.subdirectory(JOBS)).ok()?;
    kept_plan::read(&jobs.subdirectory(&label.file_name()).ok()?).ok().flatten()
}

/// Makes a journal durable, and the names of what was made for it.
fn sync(journal: &OwnedFd, directories: &[Arc<OwnedFd>]) {
    // A file system that cannot sync, or fails at it, will have said so to somebody who can act on
    // it; what was written is as good as it can be.
    let _ = fdatasync(journal);
    for directory in directories {
        let _ = fsync(directory);
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
