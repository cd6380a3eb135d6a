//! Paying what is owed: one process at a time for each job, so that a sink hears of its alerts in their order;
//! and what has been taken is put on record.

use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::locks::{self, Byte, Held, LockFile};
use super::owing::{self, GivenUp, Taken};
use super::reading::{Reader, Reading};
use super::stored::{Fold, Id, Line, Owed};
use super::tail::{self, Condition};
use super::transaction::{Turn, append, current};
use super::{Files, Journal, Rules, debtors};
use crate::clock::{Deadline, Timestamp};
use crate::os_error;
use crate::turn;

/// How often a turn that is another's is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Whose turn it is to deliver for a job, until this goes out of scope.
pub struct DeliveryTurn {
    turn: Turn,
    lock: Option<Arc<LockFile>>,
}

impl DeliveryTurn {
    /// Whether to go on. Where there are no locks to be had, everybody does: better to tell somebody twice than
    /// nobody at all.
    pub fn is_ours(&self) -> bool {
        self.turn != Turn::Others
    }
}

impl Drop for DeliveryTurn {
    fn drop(&mut self) {
        if let (Turn::Ours, Some(lock)) = (self.turn, &self.lock) {
            locks::unlock(lock, Byte::DELIVERY);
        }
    }
}

/// What has come of putting deliveries on record.
#[derive(Debug, Default)]
pub struct Settled {
    /// What is still owed, oldest first.
    pub left: Vec<turn::Owed>,
    /// What nobody will try to deliver any more.
    pub given_up: Vec<GivenUp>,
}

impl Journal {
    /// Waits for the turn to deliver for this job, until the deadline or until `cut_short` says that nobody must
    /// wait any more.
    pub fn turn_to_deliver(&self, deadline: Deadline, cut_short: &mut dyn FnMut() -> bool) -> DeliveryTurn {
        let lock = self.files.as_ref().ok().and_then(|files| files.lock.as_ref().ok()).map(Arc::clone);
        let turn = loop {
            match lock.as_ref().map(|lock| locks::try_lock(lock, Byte::DELIVERY)) {
                Some(Ok(true)) => break Turn::Ours,
                Some(Ok(false)) if !deadline.passed() && !cut_short() => {
                    std::thread::sleep(ASK_AGAIN.min(deadline.left()));
                }
                Some(Ok(false)) => break Turn::Others,
                Some(Err(_)) | None => break Turn::Nobodys,
            }
        };
        DeliveryTurn { turn, lock }
    }

    /// What is owed at this moment, oldest first.
    ///
    /// # Errors
    /// In words: the journal cannot be read.
    pub fn owed(&mut self, now: Timestamp, rules: &Rules<'_>) -> Result<Vec<turn::Owed>, String> {
        let reader = Reader { host: &self.host, own: None, now, judge: rules.judge, telling: rules.telling };
        let files = self.files.as_mut().map_err(|why| why.clone())?;
        Ok(read(files, &reader)?.fold.owed.iter().filter_map(Owed::to_owed).collect())
    }

    /// Puts deliveries on record, and gives up those that are too old.
    ///
    /// # Errors
    /// In words: the journal cannot be read or written, or others write it beyond the deadline. What has been
    /// delivered may then be delivered again.
    pub fn settle(
        &mut self,
        taken: &[Taken],
        now: Timestamp,
        deadline: Deadline,
        rules: &Rules<'_>,
    ) -> Result<Settled, String> {
        let reader = Reader { host: &self.host, own: None, now, judge: rules.judge, telling: rules.telling };
        let files = self.files.as_mut().map_err(|why| why.clone())?;
        let lock = files.lock.as_ref().ok().map(Arc::clone);
        let locked = lock.as_ref().map(|lock| locks::lock_quietly_until(lock, Byte::TRANSACTION, deadline));
        if let Some(Ok(false)) = locked {
            return Err("its journal is being written by others for too long".to_owned());
        }
        // Where there are no locks to be had it is put on record without: else it would be told for ever.
        let is_locked = matches!(locked, Some(Ok(true)));
        let _held = lock.as_ref().filter(|_| is_locked).map(|lock| Held::new(lock, Byte::TRANSACTION));
        let Reading { mut fold, seen, .. } = read(files, &reader)?;
        let settled = owing::settle(&mut fold.owed, taken);
        let given_up = owing::give_up(&mut fold.owed, now);
        if settled || !given_up.is_empty() {
            fold.seen = seen;
            write(files, &fold, taken)?;
        }
        if fold.owed.is_empty() {
            debtors::strike(&files.above[0], &self.label.file_name());
        }
        Ok(Settled { left: fold.owed.iter().filter_map(Owed::to_owed).collect(), given_up })
    }

    /// The names of the directories of jobs that may owe something.
    pub fn debtors(&self) -> Vec<String> {
        self.files.as_ref().map_or_else(|_| Vec::new(), |files| debtors::names(&files.above[0]))
    }

    /// Which sinks could not be reached.
    pub fn backoff(&self) -> Backoff {
        self.files.as_ref().map_or_else(|_| Backoff::default(), |files| Backoff::read(&files.above[0]))
    }

    /// Has that remembered for all jobs.
    pub fn remember(&self, backoff: &Backoff) {
        if let Ok(files) = &self.files {
            // Where nothing can be written they are tried again too early.
            let _ = backoff.write(&files.above[0]);
        }
    }
}

fn read(files: &mut Files, reader: &Reader<'_>) -> Result<Reading, String> {
    let (journal, size) = current(files)?;
    let tail = tail::read(&journal, size).map_err(os_error::words)?;
    let reading = Reading::of(tail, size, reader);
    match reading.condition {
        Condition::Sound => Ok(reading),
        Condition::Corrupt => Err("its journal is corrupt; the next run begins a new one".to_owned()),
        Condition::Newer(version) => {
            Err(format!("its journal was written by a newer cronward (version {version} of the format)"))
        }
    }
}

/// No sync: a delivery whose record is lost with the power is made once more, under the same key.
fn write(files: &Files, fold: &Fold, taken: &[Taken]) -> Result<(), String> {
    let settled: Vec<(&str, Id)> = taken.iter().map(|taken| (&taken.sink[..], Id(taken.turn))).collect();
    append(files, &Line { settled: &settled, fold: Some(fold), ..Line::default() }.written())
}

#[cfg(test)]
mod tests;
