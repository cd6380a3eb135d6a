//! The overlap lock: no second run of a label at the same time. It is a byte of the lock file, so
//! the kernel releases it when its holder dies; but the holder's command may outlive it. So the file
//! also says who holds it, and the command itself leaves there what it is known by before it is
//! executed (`sys::trace`), which tells an orphan from a stranger that was given the same pid.
//! Unlike everything else here it fails closed.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::uio::{pread, pwrite};
use serde::{Deserialize, Serialize};

use super::locks::{Byte, LockFile, try_lock, unlock};
use crate::clock::{Deadline, Timestamp};
use crate::job::{RunId, Signal};
use crate::os_error;
use crate::plan::OverlapRule;
use crate::sys::trace::{self, Place};

/// Room for the holder, in bytes; behind it the command's record begins.
const HOLDER_ROOM: usize = 512;
/// Where the command leaves its record.
pub(super) const COMMAND_RECORD: u64 = HOLDER_ROOM as u64;
/// Room for both.
const RECORD_ROOM: usize = 2 * HOLDER_ROOM;
/// How often a lock that is held is tried again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What became of the attempt to take the overlap lock.
#[derive(Debug)]
pub enum Claim {
    /// It is ours.
    Granted(OverlapLock),
    /// Another run has it, or its command still runs.
    Held {
        /// Who, in words.
        reason: String,
    },
    /// Nobody can say whether it is held: why, and what to do.
    Unusable(String),
    /// A stop signal came while it was waited for.
    Stopped(Signal),
}

/// The overlap lock; released when this goes out of scope.
#[derive(Debug)]
pub struct OverlapLock {
    file: Arc<LockFile>,
}

impl Drop for OverlapLock {
    fn drop(&mut self) {
        // Overwritten and not cut off, so that the next holder finds room for its record on a disk
        // that is full. If it fails, the record speaks of a command that has been reaped.
        let _ = pwrite(&self.file, &[0; RECORD_ROOM], 0);
        unlock(&self.file, Byte::OVERLAP);
    }
}

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    run: String,
    pid: u32,
    since: i64,
    #[serde(flatten)]
    place: Place,
}

/// Takes the lock for a run, waiting as the rule says. `pause` waits that long, or until a stop
/// signal comes.
pub(super) fn claim(
    file: &Arc<LockFile>,
    rule: &OverlapRule,
    run: RunId,
    pause: &mut dyn FnMut(Duration) -> Option<Signal>,
) -> Claim {
    let deadline = Deadline::after(rule.wait);
    loop {
        let reason = match attempt(file, run) {
            Claim::Held { reason } => reason,
            decided @ (Claim::Granted(_) | Claim::Unusable(_) | Claim::Stopped(_)) => return decided,
        };
        let left = deadline.left();
        if left.is_zero() {
            return Claim::Held { reason };
        }
        if let Some(signal) = pause(left.min(ASK_AGAIN)) {
            return Claim::Stopped(signal);
        }
    }
}

/// What there is to say if the command of a dead holder still runs; to be asked by whoever has the lock.
///
/// # Errors
/// Why that cannot be said, and what to do.
pub(super) fn orphan(file: &LockFile) -> Result<Option<String>, String> {
    command_left_behind(&record_left(file)?, &Place::here())
}

fn attempt(file: &Arc<LockFile>, run: RunId) -> Claim {
    match try_lock(file, Byte::OVERLAP) {
        Ok(true) => {}
        Ok(false) => return Claim::Held { reason: holder_in_words(file) },
        Err(error) => return Claim::Unusable(format!("it cannot be locked: {}", os_error::words(error))),
    }
    let here = Place::here();
    let refuse = |claim| {
        unlock(file, Byte::OVERLAP);
        claim
    };
    match record_left(file).and_then(|record| command_left_behind(&record, &here)) {
        Ok(None) => {}
        Ok(Some(reason)) => return refuse(Claim::Held { reason }),
        Err(why) => return refuse(Claim::Unusable(why)),
    }
    let holder = Holder {
        run: run.to_string(),
        pid: std::process::id(),
        since: Timestamp::now().as_millis(),
        place: here,
    };
    match pwrite(file, &record_of(&holder), 0) {
        Ok(RECORD_ROOM) => Claim::Granted(OverlapLock { file: Arc::clone(file) }),
        Ok(_) => refuse(Claim::Unusable("there is no room for its record; free some disk space".to_owned())),
        Err(error) => {
            refuse(Claim::Unusable(format!("its record cannot be written: {}", os_error::words(error))))
        }
    }
}

/// The holder's record, and zeros where its command will leave its own.
fn record_of(holder: &Holder) -> [u8; RECORD_ROOM] {
    let mut record = [0; RECORD_ROOM];
    // A run id, two numbers and two names of the kernel's always fit and always serialize.
    let text = serde_json::to_vec(holder).unwrap_or_default();
    for (place, byte) in record[..HOLDER_ROOM].iter_mut().zip(text) {
        *place = byte;
    }
    record
}

fn record_left(file: &LockFile) -> Result<[u8; RECORD_ROOM], String> {
    let mut record = [0; RECORD_ROOM];
    // A new file is shorter, and the rest of the record zero.
    pread(file, &mut record, 0)
        .map_err(|error| format!("its record cannot be read: {}", os_error::words(error)))?;
    Ok(record)
}

/// The text in a field that is filled up with zeros.
fn text_in(field: &[u8]) -> &[u8] {
    let length = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    &field[..length]
}

fn holder_in_words(file: &LockFile) -> String {
    let record = record_left(file).unwrap_or([0; RECORD_ROOM]);
    match serde_json::from_slice::<Holder>(text_in(&record[..HOLDER_ROOM])) {
        Ok(Holder { run, pid, since, .. }) => {
            let since = Timestamp::from_millis(since);
            format!("the lock is held by run {run} since {since} (cronward's pid {pid})")
        }
        // Taken a moment ago: the record comes next.
        Err(_) => "the lock is held by another run".to_owned(),
    }
}

/// What there is to say if the command of a dead holder still runs.
///
/// # Errors
/// Why that cannot be said, and what to do.
fn command_left_behind(record: &[u8; RECORD_ROOM], here: &Place) -> Result<Option<String>, String> {
    let (holder, command) = record.split_at(HOLDER_ROOM);
    let holder = text_in(holder);
    if holder.is_empty() {
        return Ok(None);
    }
    let remedy = "make sure that the command is not running, then empty the file";
    let holder: Holder = serde_json::from_slice(holder)
        .map_err(|_| format!("its record of the last run cannot be read; {remedy}"))?;
    let left = trace::command_left(&holder.place, here, text_in(command), &holder.run, remedy)?;
    Ok(left.map(|pid| format!("cronward died in run {}, but its command still runs (pid {pid})", holder.run)))
}

#[cfg(test)]
mod tests;
