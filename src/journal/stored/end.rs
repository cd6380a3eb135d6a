//! The end of a run as it stands in the journal, in the field names of events.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::{Deserialize, Serialize};

use super::Alert;
use super::parts::{Attempt, Produced, Usage, duration, micros};
use super::words::{Id, Word};
use crate::base64::base64;
use crate::clock::Timestamp;
use crate::job::{CommandLine, RunId, Signal, Tag};
use crate::outcome::{self, Ending, KeptOutput, Outcome, Report, Run, RunEnd, StartFailure};
use crate::policy::{Judgement, Verdict};
use crate::turn::TurnKind;

/// How much of a command line is kept, in bytes: what ARG_MAX allows would make every line of the
/// journal megabytes long.
const ARGV_MAX: usize = 64 * 1024;

/// The end of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::journal) struct End<'a> {
    run: Id,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<Id>,
    outcome: Word,
    started_at: i64,
    /// When it ended, or was found to have ended.
    ended_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wall_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(default, skip_serializing_if = "is_zero")]
    attempts: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Attempt<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal_number: Option<i32>,
    #[serde(default, skip_serializing_if = "is_false")]
    core_dumped: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    timed_out: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forwarded_signal: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_signal: Option<i32>,
    /// cronward's own, of a run that was not started or skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_status: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    /// What the job reported of itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    custom: Vec<(Cow<'a, str>, f64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    produced: Vec<Produced<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    argv: Vec<Cow<'a, str>>,
    /// The words' bytes, if not all of them are text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    argv_base64: Vec<String>,
    /// Words at the end of a long command line that are not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    argv_left_out: u32,
    /// What the run's own cronward made of it and told the world.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    verdict: Cow<'a, str>,
    /// The alert that it has opened, repeated or closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<Alert>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

impl<'a> End<'a> {
    /// A run that has ended and was judged; `command` if it is known.
    pub(in crate::journal) fn of(
        run: &'a Run,
        command: Option<&'a CommandLine>,
        judgement: &Judgement,
    ) -> Self {
        let (argv, argv_base64, argv_left_out) = command.map(words_of).unwrap_or_default();
        let told = judgement.alert.as_ref().filter(|_| TurnKind::of(judgement.verdict).is_some());
        Self {
            argv,
            argv_base64,
            argv_left_out,
            verdict: Cow::Borrowed(judgement.verdict.as_str()),
            alert: told.map(Alert::of),
            ..Self::of_run(run)
        }
    }

    /// A run that has ended, and nothing of its command or of what became of the alert.
    pub(in crate::journal) fn of_run(run: &'a Run) -> Self {
        let death = run.death();
        let exit_status = match &run.end {
            RunEnd::NotStarted(failure) => Some(failure.exit_status),
            RunEnd::Skipped { exit_status, .. } => Some(*exit_status),
            RunEnd::Ended(_) | RunEnd::StoppedBefore(_) | RunEnd::Interrupted { .. } => None,
        };
        Self {
            run: Id(run.id),
            parent: run.parent.map(Id),
            outcome: Word(run.outcome),
            started_at: run.started_at.as_millis(),
            ended_at: run.ended_at.unwrap_or_else(Timestamp::now).as_millis(),
            wall_us: run.wall_time.map(micros),
            pid: run.pid,
            attempts: run.attempts,
            earlier: run.earlier.iter().map(Attempt::of).collect(),
            exit_code: run.exit_code(),
            signal_number: death.map(|(signal, _)| signal.0),
            core_dumped: death.is_some_and(|(_, core_dumped)| core_dumped),
            timed_out: run.timed_out,
            forwarded_signal: run.forwarded_signal.map(|signal| signal.0),
            stop_signal: run.stop_signal.map(|signal| signal.0),
            exit_status,
            reason: run.reason.as_deref().map(Cow::Borrowed),
            usage: run.usage.as_ref().map(Usage::of),
            custom: run
                .report
                .values
                .iter()
                .map(|(name, value)| (Cow::Borrowed(&name[..]), *value))
                .collect(),
            tags: run.report.tags.iter().map(|tag| Cow::Owned(tag.to_string())).collect(),
            produced: run.produced.iter().map(Produced::of).collect(),
            argv: Vec::new(),
            argv_base64: Vec::new(),
            argv_left_out: 0,
            verdict: Cow::Borrowed(""),
            alert: None,
        }
    }

    /// The same, independent of the run.
    pub(in crate::journal) fn into_owned(self) -> End<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        let all_owned = |texts: Vec<Cow<'a, str>>| texts.into_iter().map(owned).collect();
        let Self { run, parent, outcome, started_at, ended_at, wall_us, pid, attempts, .. } = self;
        let Self { exit_code, signal_number, core_dumped, timed_out, forwarded_signal, .. } = self;
        let Self { stop_signal, exit_status, usage, argv_base64, argv_left_out, alert, .. } = self;
        End {
            run,
            parent,
            outcome,
            started_at,
            ended_at,
            wall_us,
            pid,
            attempts,
            earlier: self.earlier.into_iter().map(Attempt::into_owned).collect(),
            exit_code,
            signal_number,
            core_dumped,
            timed_out,
            forwarded_signal,
            stop_signal,
            exit_status,
            reason: self.reason.map(owned),
            usage,
            custom: self.custom.into_iter().map(|(name, value)| (owned(name), value)).collect(),
            tags: all_owned(self.tags),
            produced: self.produced.into_iter().map(Produced::into_owned).collect(),
            argv: all_owned(self.argv),
            argv_base64,
            argv_left_out,
            verdict: owned(self.verdict),
            alert,
        }
    }

    /// Which run it is.
    pub(in crate::journal) fn id(&self) -> RunId {
        self.run.0
    }

    /// The words of the command, as text.
    pub(in crate::journal) fn argv(&self) -> Vec<String> {
        self.argv.iter().map(|word| word.to_string()).collect()
    }

    /// What became of the alert by it.
    pub(in crate::journal) fn turned(&self) -> Option<TurnKind> {
        TurnKind::parse(&self.verdict)
    }

    /// The alert that the world was told is open from this run on.
    pub(in crate::journal) fn opened(&self) -> Option<crate::policy::Alert> {
        let opened = self.verdict == Verdict::Opened.as_str();
        self.alert.as_ref().filter(|_| opened).map(Alert::to_policy)
    }

    /// Whether the world was told that the alert is over.
    pub(in crate::journal) fn closed(&self) -> bool {
        self.verdict == Verdict::Closed.as_str()
    }

    /// The run, as far as it is on record.
    pub(in crate::journal) fn to_run(&self) -> Run {
        let reason = || self.reason.as_deref().unwrap_or_default().to_owned();
        let exit_status = self.exit_status.unwrap_or(outcome::status::CANNOT_RUN);
        let end = match (self.exit_code, self.signal_number, self.outcome.0) {
            (Some(code), _, _) => RunEnd::Ended(Ending::Exited(code)),
            (None, Some(signal), _) => {
                RunEnd::Ended(Ending::Killed { signal: Signal(signal), core_dumped: self.core_dumped })
            }
            (None, None, Outcome::NotStarted) => {
                RunEnd::NotStarted(StartFailure { exit_status, reason: reason() })
            }
            (None, None, Outcome::Skipped) => RunEnd::Skipped { exit_status, reason: reason() },
            (None, None, Outcome::Stopped) => {
                RunEnd::StoppedBefore(self.stop_signal.map_or(Signal::TERM, Signal))
            }
            (
                None,
                None,
                Outcome::Ok
                | Outcome::Warning
                | Outcome::Failed
                | Outcome::Signaled
                | Outcome::TimedOut
                | Outcome::Suspect
                | Outcome::Interrupted,
            ) => RunEnd::Interrupted { reason: reason() },
        };
        Run {
            id: self.run.0,
            parent: self.parent.map(|parent| parent.0),
            started_at: Timestamp::from_millis(self.started_at),
            ended_at: Some(Timestamp::from_millis(self.ended_at)),
            wall_time: self.wall_us.map(duration),
            pid: self.pid,
            attempts: self.attempts,
            earlier: self.earlier.iter().map(Attempt::to_outcome).collect(),
            end,
            timed_out: self.timed_out,
            forwarded_signal: self.forwarded_signal.map(Signal),
            stop_signal: self.stop_signal.map(Signal),
            usage: self.usage.as_ref().map(Usage::to_outcome),
            report: Report {
                values: self.custom.iter().map(|(name, value)| (name.to_string(), *value)).collect(),
                tags: self.tags.iter().filter_map(|tag| Tag::parse(tag)).collect(),
            },
            produced: self.produced.iter().map(Produced::to_outcome).collect(),
            output: KeptOutput::default(),
            output_was_lost: false,
            outcome: self.outcome.0,
            reason: self.reason.as_deref().map(str::to_owned),
        }
    }
}

/// The words as text, their bytes if they are not, and how many are left out.
fn words_of(command: &CommandLine) -> (Vec<Cow<'_, str>>, Vec<String>, u32) {
    let words: Vec<&OsStr> = match command {
        CommandLine::Words(words) => words.iter().map(|word| word.as_os_str()).collect(),
        CommandLine::Shell(line) => vec![OsStr::new("/bin/sh"), OsStr::new("-c"), line],
    };
    let mut room = ARGV_MAX;
    let fits = |word: &&&OsStr| {
        let left = room.checked_sub(word.len());
        room = left.unwrap_or(0);
        left.is_some()
    };
    let kept: Vec<&OsStr> = words.iter().take_while(fits).copied().collect();
    let left_out = u32::try_from(words.len() - kept.len()).unwrap_or(u32::MAX);
    let bytes = if kept.iter().all(|word| word.to_str().is_some()) {
        Vec::new()
    } else {
        kept.iter().map(|word| base64(word.as_bytes())).collect()
    };
    (kept.into_iter().map(OsStr::to_string_lossy).collect(), bytes, left_out)
}
