//! For tests: a state directory of one job, runs of it, and a child that leaves its last words.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::write;

use super::{Committed, Journal, Judge, KeptPlan, Rules, Telling};
use crate::clock::{Deadline, Timestamp};
use crate::job::{CommandLine, Label, RunId};
use crate::outcome::{Ending, Outcome, Run, RunEnd};
use crate::policy::{self, AlertAfter, AlertKey, AlertRule, History, Judged, Judgement};
use crate::program::Changed;
use crate::sys::process::LastWords;

/// A state directory with one job in it.
pub(crate) struct Home {
    pub(crate) root: tempfile::TempDir,
    pub(crate) label: Label,
    /// Failures in a row that open the alert.
    pub(crate) threshold: u32,
    /// Sinks that are owed its turns.
    pub(crate) creditors: Vec<String>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self {
            root,
            label: Label::new(OsStr::new("db/backup")).unwrap(),
            threshold: 3,
            creditors: Vec::new(),
        }
    }

    pub(crate) fn state_dir(&self) -> Result<PathBuf, String> {
        Ok(self.root.path().join("state"))
    }

    /// The directory of the job.
    pub(crate) fn job_dir(&self) -> PathBuf {
        self.root.path().join("state/jobs/db%2Fbackup")
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.job_dir().join("runs.jsonl")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.journal_path()).unwrap()).into_owned()
    }

    pub(crate) fn open(&self) -> Journal {
        Journal::open(&self.state_dir(), &self.label, &host())
    }

    /// Commits a run to an open journal, waiting as long as it takes.
    pub(crate) fn commit(&self, journal: &mut Journal, run: &Run) -> Committed {
        self.commit_within(journal, run, Duration::from_secs(3600))
    }

    pub(crate) fn commit_within(&self, journal: &mut Journal, run: &Run, limit: Duration) -> Committed {
        let command = CommandLine::Words(vec!["pg_dump".into(), "-Fc".into()]);
        let judge = |history: Option<&History>, run: &Run| self.judge(history, run);
        self.by_rules(&judge, |rules| journal.commit(run, &command, Deadline::after(limit), rules))
    }

    /// Does something by the rules of the job, but with this judge.
    pub(crate) fn by_rules<T>(&self, judge: Judge<'_>, work: impl FnOnce(&Rules<'_>) -> T) -> T {
        let creditors = || self.creditors.clone();
        let changed = |_: Option<&KeptPlan>, _: Timestamp| {
            vec![Changed { full: "it was".to_owned(), brief: "it".to_owned() }]
        };
        let telling = Telling { creditors: &creditors, changed: &changed, keeps_output: true };
        work(&Rules { judge, telling })
    }

    /// One whole run: opened, begun, ended, committed.
    pub(crate) fn play(&self, outcome: Outcome) -> Committed {
        let run = ended(outcome);
        let mut journal = self.open();
        leave(&journal.begin(run.id, run.started_at), 4711);
        self.commit(&mut journal, &run)
    }

    /// A run whose cronward died.
    pub(crate) fn play_death(&self) -> RunId {
        let id = RunId::new();
        leave(&self.open().begin(id, Timestamp::now()), 4712);
        id
    }

    pub(crate) fn judge(&self, history: Option<&History>, run: &Run) -> Judgement {
        let alert_key = AlertKey::of_one_host("db1/backup");
        let judged =
            Judged { run, ended_at: run.ended_at.unwrap_or_else(Timestamp::now), alert_key: &alert_key };
        let rule = AlertRule {
            after: AlertAfter::InARow(NonZeroU32::new(self.threshold).unwrap()),
            realert: None,
            recover_after: NonZeroU32::MIN,
        };
        match history {
            Some(history) => policy::judge(history, &judged, &rule),
            None => policy::judge_blind(&judged, &rule),
        }
    }
}

/// This host, as `status` knows it.
pub(crate) fn host() -> String {
    nix::unistd::gethostname().unwrap().to_string_lossy().into_owned()
}

/// What the child does before it executes the command, as `sys::process` does it.
pub(crate) fn leave(words: &LastWords, pid: u32) {
    if let Some(start) = &words.journal {
        let mut line = start.line.clone();
        let digits = pid.to_string();
        line[start.pid_at..start.pid_at + digits.len()].copy_from_slice(digits.as_bytes());
        assert_eq!(write(&start.journal, &line).unwrap(), line.len());
    }
}

/// A run that took a tenth of a second and has just ended in this way.
pub(crate) fn ended(outcome: Outcome) -> Run {
    let reason = || "because".to_owned();
    let end = match outcome {
        Outcome::Ok | Outcome::Suspect => RunEnd::Ended(Ending::Exited(0)),
        Outcome::Skipped => RunEnd::Skipped { exit_status: 75, reason: reason() },
        Outcome::Interrupted => RunEnd::Interrupted { reason: reason() },
        Outcome::Warning
        | Outcome::Failed
        | Outcome::Signaled
        | Outcome::TimedOut
        | Outcome::NotStarted
        | Outcome::Stopped => RunEnd::Ended(Ending::Exited(1)),
    };
    let now = Timestamp::now();
    Run {
        ended_at: Some(now),
        wall_time: Some(Duration::from_millis(100)),
        pid: Some(4711),
        timed_out: outcome == Outcome::TimedOut,
        reason: (outcome != Outcome::Ok).then(reason),
        ..Run::new(RunId::new(), Timestamp::from_millis(now.as_millis() - 100), end, outcome)
    }
}
