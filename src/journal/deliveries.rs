//! Paying what is owed: one process at a time for each job, so that a sink hears of its alerts in their order;
//! and what has been taken is put on record.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::locks::{self, Byte, Held};
use super::owing::{self, GivenUp, Taken};
use super::reading::{Reader, Reading};
use super::stored::{Fold, Id, Line, Owed};
use super::tail::{self, Condition};
use super::transaction::{append, current};
use super::{Files, Journal, Rules, debtors};
use crate::clock::{Deadline, Timestamp};
use crate::os_error;
use crate::turn;

/// How often a turn that is another's is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Held by whoever delivers for a job.
pub struct DeliveryLock {
    lock: Arc<OwnedFd>,
}

impl Drop for DeliveryLock {
    fn drop(&mut self) {
        locks::unlock(&self.lock, Byte::DELIVERY);
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
    /// The right to deliver for this job; waits for it until the deadline, or until `cut_short` says that it
    /// must not. `None`: somebody else delivers, or nobody can say.
    pub fn hold_deliveries(
        &self,
        deadline: Deadline,
        cut_short: &mut dyn FnMut() -> bool,
    ) -> Option<DeliveryLock> {
        let lock = self.files.as_ref().ok()?.lock.as_ref().ok()?;
        loop {
            match locks::try_lock(lock, Byte::DELIVERY) {
                Ok(true) => return Some(DeliveryLock { lock: Arc::clone(lock) }),
                Ok(false) if !deadline.passed() && !cut_short() => {
                    std::thread::sleep(ASK_AGAIN.min(deadline.left()));
                }
                Ok(false) | Err(_) => return None,
            }
        }
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
    /// In words: the journal cannot be read, written or locked before the deadline. What has been delivered
    /// may then be delivered again.
    pub fn settle(
        &mut self,
        taken: &[Taken],
        now: Timestamp,
        deadline: Deadline,
        rules: &Rules<'_>,
    ) -> Result<Settled, String> {
        let reader = Reader { host: &self.host, own: None, now, judge: rules.judge, telling: rules.telling };
        let files = self.files.as_mut().map_err(|why| why.clone())?;
        let lock = files.lock.as_ref().map(Arc::clone).map_err(Clone::clone)?;
        match locks::lock_quietly_until(&lock, Byte::TRANSACTION, deadline) {
            Ok(true) => {}
            Ok(false) => return Err("its journal is being written by others for too long".to_owned()),
            Err(error) => return Err(format!("its journal cannot be locked: {}", os_error::words(error))),
        }
        let _held = Held::new(&lock, Byte::TRANSACTION);
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
