//! A transaction without a run of one's own: runs that have died are put on record, and something that
//! was noticed or decided is added, as one line under the lock.

use std::sync::Arc;

use super::locks::{self, Byte, Held};
use super::owing::{self, GivenUp};
use super::reading::{Reader, Reading};
use super::stored::{Alert, End, Id, Line, Owed, Remark};
use super::tail::{self, Condition};
use super::transaction::{append, current};
use super::{Files, UnderWayNow, sync};
use crate::clock::{Deadline, Timestamp};
use crate::job::Label;
use crate::os_error;
use crate::outcome::Run;
use crate::policy::{History, Judgement};
use crate::turn::{self, AlertTurn, TurnCause, TurnKind, UnderWay};

/// Something that changes what is remembered, and is no end of a run.
#[derive(Debug, Clone)]
pub struct Amendment {
    /// What is remembered from now on, and what becomes of the alert.
    pub judgement: Judgement,
    /// What was noticed or decided, in one sentence.
    pub what: String,
    /// The run under way that it is about.
    pub run: Option<UnderWayNow>,
}

/// What a review has come to.
#[derive(Debug)]
pub struct Reviewed {
    /// Runs that had died and are on record now, oldest first.
    pub lost: Vec<(Run, Judgement)>,
    /// What was added, if anything.
    pub amendment: Option<Amendment>,
    /// What is remembered now.
    pub history: History,
    /// Runs under way.
    pub under_way: Vec<UnderWayNow>,
    /// The turns that the alert has taken by all this, oldest first.
    pub turns: Vec<AlertTurn>,
    /// What is owed now, these turns included, oldest first.
    pub owed: Vec<turn::Owed>,
    /// What nobody will try to deliver any more.
    pub given_up: Vec<GivenUp>,
}

/// Decides on an amendment, from what is remembered and the runs under way.
pub type Amend<'a> = &'a mut dyn FnMut(&History, &[UnderWayNow]) -> Option<Amendment>;

/// See [`super::Journal::review`].
pub(super) fn review(
    files: &mut Files,
    label: &Label,
    reader: &Reader<'_>,
    deadline: Deadline,
    amend: Amend<'_>,
) -> Result<Reviewed, String> {
    let lock = files.lock.as_ref().map(Arc::clone).map_err(Clone::clone)?;
    match locks::lock_quietly_until(&lock, Byte::TRANSACTION, deadline) {
        Ok(true) => {}
        Ok(false) => {
            return Err("its journal is being written by others, for longer than can be waited".to_owned());
        }
        Err(error) => return Err(format!("its journal cannot be locked: {}", os_error::words(error))),
    }
    let held = Held::new(&lock, Byte::TRANSACTION);
    let reviewed = in_turn(files, label, reader, amend)?;
    drop(held);
    if reviewed.amendment.is_some() || !reviewed.lost.is_empty() {
        if let Ok(journal) = &files.journal {
            sync(&journal.fd, &files.unsynced);
        }
        files.unsynced.clear();
    }
    Ok(reviewed)
}

fn in_turn(
    files: &mut Files,
    label: &Label,
    reader: &Reader<'_>,
    amend: Amend<'_>,
) -> Result<Reviewed, String> {
    let (journal, size) = current(files)?;
    let tail = tail::read(&journal, size).map_err(os_error::words)?;
    let mut reading = Reading::of(tail, size, reader);
    match reading.condition {
        Condition::Sound => {}
        Condition::Corrupt => return Err("its journal is corrupt; the next run begins a new one".to_owned()),
        Condition::Newer(version) => {
            return Err(format!(
                "its journal was written by a newer cronward (version {version} of the format)"
            ));
        }
    }
    let lost = reading.take_lost(files, &journal, reader);
    let mut fold = reading.fold;
    let history = lost.last().map_or_else(|| fold.history(), |(_, judgement)| judgement.history.clone());
    let under_way: Vec<UnderWayNow> =
        fold.under_way.iter().map(|begun| UnderWayNow::of(&begun, true)).collect();
    let amendment = amend(&history, &under_way);
    let history = match &amendment {
        Some(amendment) => amendment.judgement.history.clone(),
        None if lost.is_empty() => {
            let (turns, given_up) = (Vec::new(), Vec::new());
            let owed = fold.owed.iter().filter_map(Owed::to_owed).collect();
            return Ok(Reviewed { lost, amendment, history, under_way, turns, owed, given_up });
        }
        None => history,
    };
    fold.set_history(&history);
    fold.label.clear();
    fold.label.push_str(label.as_str());
    fold.seen = reading.seen;
    let mut turns = reader.turns_of(files, &lost);
    turns.extend(amendment.as_ref().and_then(|amendment| turn_of(amendment, reader, files)));
    let given_up = reader.enter(files, label, &mut fold, &turns);
    let owed = fold.owed.iter().filter_map(Owed::to_owed).collect();
    let ends: Vec<End<'_>> = lost.iter().map(|(run, judgement)| End::of(run, None, judgement)).collect();
    let remark = amendment.as_ref().map(|amendment| remark_of(amendment, reader.now));
    let line = Line { lost: &ends, remark: remark.as_ref(), fold: Some(&fold), ..Line::default() }.written();
    append(files, &line)?;
    Ok(Reviewed { lost, amendment, history, under_way, turns, owed, given_up })
}

/// The turn that an amendment makes the alert take, if it does.
fn turn_of(amendment: &Amendment, reader: &Reader<'_>, files: &Files) -> Option<AlertTurn> {
    let Amendment { judgement, what, run } = amendment;
    let run = run.as_ref().map(|run| UnderWay { id: run.id, pid: run.pid, started_at: run.started_at });
    let turn = AlertTurn::of(judgement, TurnCause::Noticed(what.clone(), run), reader.now)?;
    owing::with_changes(turn, judgement, |success| reader.changed(files, success))
}

fn remark_of(amendment: &Amendment, now: Timestamp) -> Remark<'_> {
    let Judgement { verdict, alert, .. } = &amendment.judgement;
    let told = alert.as_ref().filter(|_| TurnKind::of(*verdict).is_some());
    Remark {
        at: now.as_millis(),
        what: &amendment.what,
        run: amendment.run.as_ref().map(|run| Id(run.id)),
        verdict: verdict.as_str(),
        alert: told.map(Alert::of),
    }
}
