//! Locks on single bytes of a job's lock file. They belong to the open file, so two opens in one
//! process exclude each other, closing another descriptor of the file gives nothing away, and the
//! kernel releases them however a process ends (`sys::byte_lock`).
//! The file is never unlinked: who waits for a lock on a file that has gone waits for nobody.

use std::time::Duration;

use crate::clock::Deadline;
use crate::job::RunId;
use crate::sys::byte_lock;
pub(super) use crate::sys::byte_lock::{LockFile, lockable};

/// How often a lock is asked for again that is not waited for in the kernel.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// One byte of the lock file. It need not exist: locks may lie behind the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Byte(i64);

impl Byte {
    /// Held while an outcome is judged and written.
    pub(super) const TRANSACTION: Self = Self(0);
    /// The overlap lock, held for as long as the command runs.
    pub(super) const OVERLAP: Self = Self(1);
    /// Held while somebody tells sinks what is owed to them.
    pub(super) const DELIVERY: Self = Self(2);

    /// The byte that a run holds for as long as its cronward lives. Taken from the run's id: a
    /// counter would come round to a live run's number after a reset.
    pub(super) fn of_run(run: RunId) -> Self {
        Self((run.low_62_bits() | 1 << 62).cast_signed())
    }
}

/// Takes the byte if nobody else holds it; whether it did.
///
/// # Errors
/// ENOLCK, EBADF and the like: whether it is held cannot be said.
pub(super) fn try_lock(file: &LockFile, byte: Byte) -> nix::Result<bool> {
    byte_lock::try_lock(file, byte.0)
}

/// Takes the byte, waiting for it until the deadline; whether it did.
///
/// # Errors
/// As [`try_lock`].
pub(super) fn lock_until(file: &LockFile, byte: Byte, deadline: Deadline) -> nix::Result<bool> {
    if try_lock(file, byte)? {
        return Ok(true);
    }
    if deadline.passed() {
        return Ok(false);
    }
    byte_lock::lock_until(file, byte.0, deadline)
}

/// The same for whoever waits while a command runs, on a thread beside the one that looks after it: an
/// alarm would be taken for a signal to the command, and handed on. So it asks again and again, which is
/// no harm where there are few.
///
/// # Errors
/// As [`try_lock`].
pub(super) fn lock_quietly_until(file: &LockFile, byte: Byte, deadline: Deadline) -> nix::Result<bool> {
    while !try_lock(file, byte)? {
        if deadline.passed() {
            return Ok(false);
        }
        std::thread::sleep(ASK_AGAIN.min(deadline.left()));
    }
    Ok(true)
}

/// Gives the byte back.
pub(super) fn unlock(file: &LockFile, byte: Byte) {
    byte_lock::unlock(file, byte.0);
}

/// Whether another open of the file holds the byte. One's own lock does not count.
///
/// # Errors
/// As [`try_lock`]. A descriptor open for reading only will do.
pub(super) fn is_held(file: &LockFile, byte: Byte) -> nix::Result<bool> {
    byte_lock::is_held(file, byte.0)
}

/// A byte that is given back when this goes out of scope.
pub(super) struct Held<'a> {
    file: &'a LockFile,
    byte: Byte,
}

impl<'a> Held<'a> {
    /// Takes charge of a byte that has been locked.
    pub(super) fn new(file: &'a LockFile, byte: Byte) -> Self {
        Self { file, byte }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        unlock(self.file, self.byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn two_opens() -> (LockFile, LockFile, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || lockable(File::options().read(true).write(true).open(file.path()).unwrap().into());
        (open(), open(), file)
    }

    #[test]
    fn two_opens_in_one_process_exclude_each_other_byte_by_byte() {
        let (one, other, _file) = two_opens();
        assert!(try_lock(&one, Byte::OVERLAP).unwrap());
        assert!(!try_lock(&other, Byte::OVERLAP).unwrap());
        assert!(try_lock(&other, Byte::TRANSACTION).unwrap());
        unlock(&one, Byte::OVERLAP);
        assert!(try_lock(&other, Byte::OVERLAP).unwrap());
    }

    #[test]
    fn a_byte_of_a_run_is_seen_by_others_and_free_once_its_file_is_closed() {
        let (one, other, _file) = two_opens();
        let run = RunId::new();
        assert!(try_lock(&one, Byte::of_run(run)).unwrap());
        assert!(is_held(&other, Byte::of_run(run)).unwrap());
        assert!(!is_held(&one, Byte::of_run(run)).unwrap(), "one's own lock does not count");
        assert!(!is_held(&other, Byte::of_run(RunId::new())).unwrap());
        drop(one);
        assert!(!is_held(&other, Byte::of_run(run)).unwrap());
    }

    #[test]
    fn a_passed_deadline_does_not_wait() {
        let (one, other, _file) = two_opens();
        assert!(try_lock(&one, Byte::TRANSACTION).unwrap());
        assert!(!lock_until(&other, Byte::TRANSACTION, Deadline::after(Duration::ZERO)).unwrap());
    }

    #[test]
    fn a_quiet_wait_ends_with_the_lock_or_at_the_deadline() {
        let (one, other, _file) = two_opens();
        assert!(try_lock(&one, Byte::TRANSACTION).unwrap());
        let soon = Deadline::after(Duration::from_millis(20));
        assert!(!lock_quietly_until(&other, Byte::TRANSACTION, soon).unwrap() && soon.passed());
        std::thread::scope(|scope| {
            let late = Deadline::after(Duration::from_secs(30));
            let waiting = scope.spawn(move || lock_quietly_until(&other, Byte::TRANSACTION, late));
            unlock(&one, Byte::TRANSACTION);
            assert_eq!(waiting.join().unwrap(), Ok(true));
        });
    }

    #[test]
    fn a_held_byte_is_given_back_at_the_end_of_its_scope() {
        let (one, other, _file) = two_opens();
        assert!(try_lock(&one, Byte::TRANSACTION).unwrap());
        drop(Held::new(&one, Byte::TRANSACTION));
        assert!(try_lock(&other, Byte::TRANSACTION).unwrap());
    }
}
