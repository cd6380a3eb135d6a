//! Putting an outcome on record: read the end of the journal, fold in what is not yet, find who
//! died, judge, append one line. Others wait meanwhile, so nothing in here waits for a disk.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::stat::fstat;

use super::compaction;
use super::kept_plan::KeptPlan;
use super::locks::{self, Byte, Held};
use super::reading::{Reader, Reading};
use super::stored::{End, Line, Owed};
use super::tail::{self, Condition, LARGEST_WINDOW};
use super::{Committed, Files, JOURNAL, debtors, owing, reports, sync};
use crate::clock::{Deadline, Timestamp};
use crate::directory::write_whole;
use crate::job::{CommandLine, Label};
use crate::os_error;
use crate::outcome::Run;
use crate::policy::{History, Judgement, Verdict};
use crate::turn::AlertTurn;

/// From this wall time on a run's start was synced, and so is its end.
const LASTING: Duration = Duration::from_secs(1);

/// How much is read ahead at most, in bytes, and so held while the command runs. Behind a fold that is farther away
/// there are many runs under way, each of which would hold it.
const READ_AHEAD_MAX: u64 = tail::FIRST_WINDOW;

/// The run that is put on record.
pub(super) struct Subject<'a> {
    pub(super) run: &'a Run,
    pub(super) command: &'a CommandLine,
    pub(super) label: &'a Label,
    /// What is kept beside the journal.
    pub(super) plan: Option<&'a KeptPlan>,
    /// Whether its start is on record.
    pub(super) begun: bool,
    pub(super) reader: Reader<'a>,
}

/// Whose turn it is to write a fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Ours.
    Ours,
    /// Somebody else's, for longer than we may wait.
    Others,
    /// Nobody's: there are no locks to be had here. Better to count and lose one of two that end in the
    /// same instant than not to count at all.
    Nobodys,
}

/// What has been written.
struct Written {
    committed: Committed,
    worth_a_sync: bool,
}

/// See [`super::Journal::commit`].
pub(super) fn commit(files: &mut Files, subject: &Subject<'_>, deadline: Deadline) -> Committed {
    let lock = files.lock.as_ref().ok().map(Arc::clone);
    let turn = match &lock {
        Some(lock) => match locks::lock_until(lock, Byte::TRANSACTION, deadline) {
            Ok(true) => Turn::Ours,
            Ok(false) => Turn::Others,
            Err(_) => Turn::Nobodys,
        },
        None => Turn::Nobodys,
    };
    let held = lock.as_ref().filter(|_| turn == Turn::Ours).map(|lock| Held::new(lock, Byte::TRANSACTION));
    let written = write(files, subject, turn);
    // Synced after the release: a thousand ends at once would else wait for a thousand syncs.
    drop(held);
    if let (true, Ok(journal)) = (written.worth_a_sync || !files.unsynced.is_empty(), &files.journal) {
        sync(&journal.fd, &files.unsynced);
        files.unsynced.clear();
    }
    written.committed
}

fn write(files: &mut Files, subject: &Subject<'_>, turn: Turn) -> Written {
    let (journal, size) = match current(files) {
        Ok(current) => current,
        Err(why) => return unwritten(files, subject, why),
    };
    let tail = match files.ahead.take() {
        Some((then, tail)) if then == size => Ok(tail),
        Some(_) | None => tail::read(&journal, size),
    };
    let reading = match tail {
        Ok(tail) => Reading::of(tail, size, &subject.reader),
        // What is there may be fine and count again tomorrow, so it is not buried under a new fold.
        Err(error) => {
            let why = of_journal(files, format_args!("cannot be read: {}", os_error::words(error)));
            return blind(files, subject, true, why);
        }
    };
    match (reading.condition, turn) {
        (Condition::Newer(version), _) => {
            let what = format_args!("was written by a newer cronward (version {version} of the format)");
            let why = of_journal(files, what);
            // What has begun must end, or the newer one would take it for dead. That is an append, and
            // it counts for itself what is in no fold.
            blind(files, subject, subject.begun, why)
        }
        (Condition::Corrupt, Turn::Others) => {
            let why = of_journal(files, format_args!("is corrupt; the next run begins a new one"));
            blind(files, subject, true, why)
        }
        (Condition::Sound, Turn::Others) => late(files, subject, &reading),
        (Condition::Sound | Condition::Corrupt, Turn::Ours | Turn::Nobodys) => {
            in_turn(files, subject, turn, &journal, reading)
        }
    }
}

/// Something to be said of the journal, which is named only then.
fn of_journal(files: &Files, what: fmt::Arguments<'_>) -> String {
    format!("'{}' {what}", files.directory.path_of(JOURNAL).display())
}

/// The journal that has the name now, and its size.
pub(super) fn current(files: &mut Files) -> Result<(Arc<OwnedFd>, u64), String> {
    for _ in 0..3 {
        let journal = files.journal.as_ref().map_err(Clone::clone)?;
        let found = fstat(&journal.fd).map_err(os_error::words)?;
        if found.st_nlink > 0 {
            return Ok((Arc::clone(&journal.fd), found.st_size.unsigned_abs()));
        }
        files.reopen()?;
    }
    Err(of_journal(files, format_args!("keeps being replaced")))
}

/// See [`super::Journal::read_ahead`].
pub(super) fn read_ahead(files: &mut Files, plan: Option<&KeptPlan>, in_full: bool) {
    let Ok((journal, size)) = current(files) else { return };
    // What cannot be read now is tried again, and complained of, when it is needed.
    let read = if in_full {
        tail::read(&journal, size).map(Some)
    } else {
        tail::read_if_near(&journal, size, READ_AHEAD_MAX)
    };
    let Ok(Some(mut tail)) = read else { return };
    if let (Some(plan), Ok(lock)) = (plan, &files.lock) {
        let mut recorded = tail.fold.as_ref().and_then(|fold| fold.plan);
        // Another who writes just now writes a plan, too; then the end of this run is early enough.
        if !plan.is(recorded) && locks::try_lock(lock, Byte::TRANSACTION) == Ok(true) {
            let lock = Arc::clone(lock);
            let _held = Held::new(&lock, Byte::TRANSACTION);
            plan.keep(&files.directory, Timestamp::now(), &mut recorded, &mut files.unsynced);
        }
        if let Some(fold) = &mut tail.fold {
            fold.plan = recorded;
        }
    }
    files.ahead = Some((size, tail));
}

/// The transaction as it is meant to be.
fn in_turn(
    files: &mut Files,
    subject: &Subject<'_>,
    turn: Turn,
    journal: &OwnedFd,
    mut reading: Reading,
) -> Written {
    let lost = reading.take_lost(files, journal, &subject.reader);
    let readable = reading.is_readable();
    let mut fold = reading.fold;
    let before = fold.history();
    let latest = lost.last().map(|(_, judgement)| judgement.history.clone());
    let history = latest.or_else(|| readable.then(|| before.clone()));
    let mut own = (subject.reader.judge)(history.as_ref(), subject.run);

    fold.under_way.remove(subject.run.id);
    fold.set_history(&own.history);
    fold.label.clear();
    fold.label.push_str(subject.label.as_str());
    if let (Turn::Ours, Some(plan)) = (turn, subject.plan) {
        plan.keep(&files.directory, subject.reader.now, &mut fold.plan, &mut files.unsynced);
    }
    let mut turns = subject.reader.turns_of(files, &lost);
    turns.extend(subject.turn(files, &own, readable));
    let given_up = subject.reader.enter(files, subject.label, &mut fold, &turns);
    let under_way = fold.under_way.size();
    let ends: Vec<End<'_>> = lost.iter().map(|(run, judgement)| End::of(run, None, judgement)).collect();
    let end = End::of(subject.run, Some(subject.command), &own);
    let mut record = |seen| {
        fold.seen = seen;
        Line { lost: &ends, end: Some(&end), fold: Some(&fold), ..Line::default() }.written()
    };

    let line = record(reading.seen);
    let mut trouble = None;
    let mut replaced = false;
    if turn == Turn::Ours && !readable {
        let path = files.directory.path_of(JOURNAL);
        let path = path.display();
        let kept = compaction::keep_aside(files, journal, reading.size)
            .and_then(|name| compaction::replace(files, journal, &record(0), reading.seen).map(|()| name));
        replaced = kept.is_ok();
        trouble = Some(match kept {
            Ok(name) => format!("'{path}' was corrupt; it is kept as '{name}', and a new one begun"),
            Err(error) => format!("'{path}' is corrupt, and cannot be put aside: {}", os_error::words(error)),
        });
    } else if turn == Turn::Ours && compaction::is_due(reading.size, line.len(), under_way) {
        replaced = compaction::history_to_keep(journal, reading.seen)
            .and_then(|mut content| {
                let outcome = record(content.len() as u64);
                content.extend_from_slice(&outcome);
                compaction::replace(files, journal, &content, reading.seen)
            })
            .is_ok();
    }
    drop(ends);
    if turn == Turn::Ours && (replaced || !lost.is_empty()) {
        reports::prune(files, &fold.under_way, subject.reader.now);
    }
    let mut lost = lost;
    let mut history_readable = readable;
    let mut owed = fold.owed.iter().filter_map(Owed::to_owed).collect();
    if !replaced && let Err(why) = append(files, &line) {
        // Those who died are found again by a run that can put them on record.
        lost.clear();
        (own, history_readable) = uncounted(subject, readable.then_some(&before));
        turns = subject.turn(files, &own, history_readable).into_iter().collect();
        owed = Vec::new();
        trouble = Some(why);
    }
    let worth_a_sync = replaced
        || !lost.is_empty()
        || before.failures_in_a_row != own.history.failures_in_a_row
        || before.alert != own.history.alert
        || lasted(subject.run);
    let committed = Committed { lost, own, turns, owed, given_up, history_readable, trouble };
    Written { committed, worth_a_sync }
}

/// Puts the run on record for the next one to count, and judges it by what can be read.
fn late(files: &mut Files, subject: &Subject<'_>, reading: &Reading) -> Written {
    let before = reading.fold.history();
    let own = (subject.reader.judge)(Some(&before), subject.run);
    let turn = subject.turn(files, &own, true);
    let owed = subject.owed_loosely(files, turn.as_ref());
    let line = Line::of_end(&End::of(subject.run, Some(subject.command), &own), &owed).written();
    let written = append_loose(files, subject, &line);
    let worth_a_sync = written.is_ok();
    let (own, turn, owed, history_readable) = match written {
        Ok(()) => (own, turn, owed, true),
        Err(_) => {
            let (own, readable) = uncounted(subject, Some(&before));
            let turn = subject.turn(files, &own, readable);
            (own, turn, Vec::new(), readable)
        }
    };
    let trouble = written.err();
    Written { committed: Committed::alone(own, turn, &owed, history_readable, trouble), worth_a_sync }
}

/// Judges the run without its history, and puts it on record if `recorded`.
fn blind(files: &mut Files, subject: &Subject<'_>, recorded: bool, why: String) -> Written {
    let own = (subject.reader.judge)(None, subject.run);
    let turn = subject.turn(files, &own, false);
    let mut owed = Vec::new();
    if recorded {
        owed = subject.owed_loosely(files, turn.as_ref());
        let line = Line::of_end(&End::of(subject.run, Some(subject.command), &own), &owed).written();
        // That something is wrong is being said already.
        if append_loose(files, subject, &line).is_err() {
            owed.clear();
        }
    }
    Written { committed: Committed::alone(own, turn, &owed, false, Some(why)), worth_a_sync: true }
}

fn unwritten(files: &Files, subject: &Subject<'_>, why: String) -> Written {
    let own = (subject.reader.judge)(None, subject.run);
    let turn = subject.turn(files, &own, false);
    let trouble = Some(format!("this run is not remembered: {why}"));
    Written { committed: Committed::alone(own, turn, &[], false, trouble), worth_a_sync: false }
}

impl Committed {
    /// Of a run that was put on record, if at all, without a fold.
    pub(super) fn alone(
        own: Judgement,
        turn: Option<AlertTurn>,
        owed: &[Owed],
        history_readable: bool,
        trouble: Option<String>,
    ) -> Self {
        let owed = owed.iter().filter_map(Owed::to_owed).collect();
        let turns = turn.into_iter().collect();
        Self { lost: Vec::new(), own, turns, owed, given_up: Vec::new(), history_readable, trouble }
    }
}

impl Subject<'_> {
    /// The turn that the run takes by ending, if it does.
    fn turn(&self, files: &Files, own: &Judgement, readable: bool) -> Option<AlertTurn> {
        let changed = |success| self.reader.changed(files, success);
        owing::turn_of_run(self.run, own, self.reader.now, readable, changed)
    }

    /// What a turn makes owed, to be put on record without a fold.
    fn owed_loosely(&self, files: &mut Files, turn: Option<&AlertTurn>) -> Vec<Owed> {
        let mut owed = Vec::new();
        if let Some(turn) = turn {
            self.reader.enter_in(&mut owed, turn);
        }
        if !owed.is_empty() {
            debtors::note(files, self.label);
        }
        owed
    }
}

/// The judgement of a run that could not be put on record, and whether it is by the history. A failure
/// that is one of several it takes would never be counted, so it is judged as if nothing were
/// known: fail loud.
fn uncounted(subject: &Subject<'_>, before: Option<&History>) -> (Judgement, bool) {
    let own = (subject.reader.judge)(before, subject.run);
    match own.verdict {
        Verdict::Failing => ((subject.reader.judge)(None, subject.run), false),
        Verdict::Healthy | Verdict::Opened | Verdict::StillOpen | Verdict::Repeat | Verdict::Closed => {
            (own, before.is_some())
        }
    }
}

pub(super) fn append(files: &Files, line: &[u8]) -> Result<(), String> {
    let fail = |why: &str| {
        format!("this run is not remembered: {}", of_journal(files, format_args!("cannot be written: {why}")))
    };
    let journal = files.journal.as_ref().map_err(|why| fail(why))?;
    if !journal.writable {
        return Err(fail("it is read-only"));
    }
    write_whole(&journal.fd, line).map_err(|error| fail(&os_error::words(error)))
}

/// Appends without the lock: if a compaction has taken the file's name meanwhile, and has not carried
/// the line over, once more.
fn append_loose(files: &mut Files, subject: &Subject<'_>, line: &[u8]) -> Result<(), String> {
    append(files, line)?;
    let written_to = files.journal.as_ref().map(|journal| Arc::clone(&journal.fd)).map_err(Clone::clone)?;
    if fstat(&written_to).is_ok_and(|found| found.st_nlink > 0) {
        return Ok(());
    }
    let (journal, size) = current(files)?;
    let bytes = tail::read_range(&journal, size.saturating_sub(LARGEST_WINDOW), size);
    let record = format!("\"end\":{{\"run\":\"{}\"", subject.run.id);
    if bytes.is_ok_and(|bytes| memchr::memmem::find(&bytes, record.as_bytes()).is_some()) {
        return Ok(());
    }
    append(files, line)
}

fn lasted(run: &Run) -> bool {
    run.wall_time.is_some_and(|wall_time| wall_time >= LASTING)
}
