//! What a transaction finds in a journal: the fold with everything behind it folded in, and the runs
//! whose cronward has died.

use std::os::fd::OwnedFd;

use nix::sys::stat::fstat;

use super::fold::{self, Judge};
use super::locks::{self, Byte, LockFile};
use super::owing::{self, GivenUp, Telling};
use super::stored::{Fold, Owed};
use super::tail::{self, Condition, Loose, Tail};
use super::under_way::Begun;
use super::{Files, debtors, kept_plan, reports};
use crate::clock::Timestamp;
use crate::job::{Label, RunId};
use crate::outcome::Run;
use crate::policy::Judgement;
use crate::program::Changed;
use crate::turn::AlertTurn;

/// So many runs under way are all asked whether they live.
const ALL_PROBED: usize = 64;
/// Of more, so many a time, in turn: with a thousand under way each question walks a thousand locks.
const SOME_PROBED: usize = 4;

/// Who reads, and when.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The name that runs started here are known by.
    pub(super) host: &'a str,
    /// The run that is about to be put on record.
    pub(super) own: Option<RunId>,
    pub(super) now: Timestamp,
    pub(super) judge: Judge<'a>,
    pub(super) telling: Telling<'a>,
}

impl Reader<'_> {
    /// What has changed since a success.
    pub(super) fn changed(&self, files: &Files, success: Timestamp) -> Vec<Changed> {
        let kept = kept_plan::read(&files.directory).ok().flatten();
        (self.telling.changed)(kept.as_ref(), success)
    }

    /// The turns that runs take which were found dead.
    pub(super) fn turns_of(&self, files: &Files, lost: &[(Run, Judgement)]) -> Vec<AlertTurn> {
        let turn = |(run, judgement): &(Run, Judgement)| {
            owing::turn_of_run(run, judgement, self.now, true, |success| self.changed(files, success))
        };
        lost.iter().filter_map(turn).collect()
    }

    /// Enters in the books what a turn makes owed.
    pub(super) fn enter_in(&self, books: &mut Vec<Owed>, turn: &AlertTurn) {
        owing::enter(books, turn, (self.telling.creditors)(), self.telling.keeps_output);
    }

    /// Brings the books of a fold up to date with these turns, and notes the job among those that owe
    /// something before it does; what is given up.
    pub(super) fn enter(
        &self,
        files: &mut Files,
        label: &Label,
        fold: &mut Fold,
        turns: &[AlertTurn],
    ) -> Vec<GivenUp> {
        for turn in turns {
            self.enter_in(&mut fold.owed, turn);
        }
        if fold.owed.is_empty() {
            return Vec::new();
        }
        let given_up = owing::give_up(&mut fold.owed, self.now);
        debtors::note(files, label);
        given_up
    }
}

/// A journal that has been read.
pub(super) struct Reading {
    pub(super) fold: Fold,
    pub(super) condition: Condition,
    /// Every record that begins before this offset has been read.
    pub(super) seen: u64,
    pub(super) size: u64,
}

impl Reading {
    /// What the end of a journal of `size` bytes comes to.
    pub(super) fn of(mut tail: Tail, size: u64, reader: &Reader<'_>) -> Self {
        // It is under way no more: its end is what is being put on record.
        let is_own = |record: &Loose| matches!(record, Loose::Start(begun) if Some(begun.id) == reader.own);
        tail.loose.retain(|record| !is_own(record));
        let mut fold = tail.fold.map_or_else(Fold::default, |fold| *fold);
        fold::catch_up(&mut fold, tail.loose, reader.judge);
        Self { fold, condition: tail.condition, seen: tail.seen, size }
    }

    /// Takes out the runs that have died and judges them, oldest first.
    pub(super) fn take_lost(
        &mut self,
        files: &Files,
        journal: &OwnedFd,
        reader: &Reader<'_>,
    ) -> Vec<(Run, Judgement)> {
        let lost = self.lost_runs(files, journal, reader);
        if lost.is_empty() {
            return Vec::new();
        }
        let boot = Timestamp::of_boot();
        let mut history = self.is_readable().then(|| self.fold.history());
        let judged = lost.iter().map(|begun| {
            self.fold.under_way.remove(begun.id);
            // What it has reported nobody can judge any more.
            reports::remove(files, begun.id);
            let run = fold::lost_run(begun, reader.host, boot);
            let judgement = (reader.judge)(history.as_ref(), &run);
            history = Some(judgement.history.clone());
            (run, judgement)
        });
        judged.collect()
    }

    /// Whether what it says can be trusted to be all.
    pub(super) fn is_readable(&self) -> bool {
        self.condition == Condition::Sound
    }

    /// The runs whose cronward has died. Its byte is free once it is dead; and what it wrote before
    /// that may have come after our reading, so the journal is read again before anybody is said to be
    /// lost.
    fn lost_runs(&mut self, files: &Files, journal: &OwnedFd, reader: &Reader<'_>) -> Vec<Begun> {
        let Ok(lock) = &files.lock else { return Vec::new() };
        let dead = dead_runs(lock, reader, &mut self.fold);
        if dead.is_empty() {
            return dead;
        }
        let again = fstat(journal).and_then(|found| {
            let size = found.st_size.unsigned_abs();
            tail::read(journal, size).map(|tail| Self::of(tail, size, reader))
        });
        match again {
            Ok(again) => {
                *self = again;
                dead.into_iter().filter(|begun| self.fold.under_way.contains(begun.id)).collect()
            }
            // Somebody will find them another time.
            Err(_) => Vec::new(),
        }
    }
}

fn dead_runs(lock: &LockFile, reader: &Reader<'_>, fold: &mut Fold) -> Vec<Begun> {
    let many = fold.under_way.iter().nth(ALL_PROBED).is_some();
    let probed = if many { SOME_PROBED } else { ALL_PROBED };
    let dead = fold
        .under_way
        .iter()
        .take(probed)
        .filter(|begun| Some(begun.id) != reader.own && fold::has_died(begun, reader.host, reader.now))
        .filter(|begun| locks::is_held(lock, Byte::of_run(begun.id)) == Ok(false))
        .collect();
    if many {
        fold.under_way.put_back(probed);
    }
    dead
}
