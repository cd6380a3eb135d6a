//! Removing all that is remembered of a job.

use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::locks::{self, Byte, Held};
use super::{JOBS, LOCK, debtors, overlap};
use crate::clock::Deadline;
use crate::directory::{Access, Directory, Refusal, Unsynced};
use crate::os_error;

/// Whether a job can be forgotten now, `name` being its directory's: for who has something to do before that.
///
/// # Errors
/// In words: it is in use, or cannot be reached.
pub fn may_forget(state_dir: &Path, name: &str, deadline: Deadline) -> Result<(), String> {
    while_at_rest(state_dir, name, deadline, |_, _| Ok(()))
}

/// Removes the directory of a job. What starts in the same instant begins a new record.
///
/// # Errors
/// In words: it is in use, or cannot be removed.
pub fn forget(state_dir: &Path, name: &str, deadline: Deadline) -> Result<(), String> {
    let state = Directory::open(state_dir).map_err(|refusal| refusal.to_string())?;
    while_at_rest(state_dir, name, deadline, |jobs, directory| {
        let path = directory.path().display();
        let fail = |error: Errno| format!("'{path}' cannot be removed: {}", os_error::words(error));
        for entry in directory.names(usize::MAX).map_err(fail)? {
            match unlinkat(directory.fd(), &entry[..], UnlinkatFlags::NoRemoveDir) {
                // Compaction and others clear up after themselves.
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(error) => return Err(fail(error)),
            }
        }
        unlinkat(jobs.fd(), name, UnlinkatFlags::RemoveDir).map_err(fail)?;
        debtors::strike(&state, name);
        Ok(())
    })
}

/// Does something with a job, given the directories of all and of this one, under both its locks: nobody
/// writes, and no run that wants the overlap lock is under way. The command of a run whose cronward has died
/// holds neither, and yet the overlap lock is kept from others for as long as it runs: what they know it by
/// must not be removed.
fn while_at_rest(
    state_dir: &Path,
    name: &str,
    deadline: Deadline,
    then: impl FnOnce(&Directory, &Directory) -> Result<(), String>,
) -> Result<(), String> {
    let in_words = |refusal: Refusal| refusal.to_string();
    let jobs = Directory::open(state_dir).and_then(|state| state.subdirectory(JOBS)).map_err(in_words)?;
    let directory = jobs.subdirectory(name).map_err(in_words)?;
    let path = directory.path().display().to_string();
    let fail = |error: Errno| format!("'{path}' cannot be locked: {}", os_error::words(error));
    let lock = directory.file(LOCK, Access::Write, &mut Unsynced::new()).map_err(in_words)?;
    let lock = Arc::new(locks::lockable(lock));
    for byte in [Byte::OVERLAP, Byte::TRANSACTION] {
        if !locks::lock_until(&lock, byte, deadline).map_err(fail)? {
            return Err(format!("'{path}' is in use; try again when no run is under way"));
        }
    }
    let _held = [Byte::OVERLAP, Byte::TRANSACTION].map(|byte| Held::new(&lock, byte));
    match overlap::orphan(&lock) {
        Ok(None) => then(&jobs, &directory),
        Ok(Some(why)) => Err(format!("'{path}' is in use: {why}")),
        Err(why) => Err(format!("'{path}' may be in use: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::Home;
    use crate::outcome::Outcome;
    use std::time::Duration;

    #[test]
    fn a_job_that_is_forgotten_begins_anew() {
        let home = Home::new();
        home.play(Outcome::Failed);
        let state = home.state_dir().unwrap();
        forget(&state, "db%2Fbackup", Deadline::after(Duration::from_secs(5))).unwrap();
        assert!(!home.job_dir().exists());
        assert_eq!(home.play(Outcome::Failed).own.history.failures_in_a_row, 1);
    }

    #[test]
    fn a_job_whose_record_is_in_use_is_not_forgotten() {
        let home = Home::new();
        home.play(Outcome::Ok);
        let lock = std::fs::File::options().read(true).write(true).open(home.job_dir().join("lock")).unwrap();
        let lock = locks::lockable(lock.into());
        assert!(locks::try_lock(&lock, Byte::OVERLAP).unwrap());
        let state = home.state_dir().unwrap();
        let refused = forget(&state, "db%2Fbackup", Deadline::after(Duration::ZERO)).unwrap_err();
        assert!(refused.contains("is in use"), "{refused}");
        assert!(home.journal_path().exists());
    }
}
