//! Locks on bytes of a file that belong to the open file description (fcntl(2), F_OFD_SETLK, Linux 3.15): two opens
//! in one process exclude each other, closing another descriptor of the file gives nothing away, and the kernel
//! releases them however a process ends.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::alarm;
use super::record_lock::{Kind, span};
use crate::clock::Deadline;

/// A file whose bytes can be locked.
pub type LockFile = OwnedFd;

/// Makes one of an open file.
#[inline(always)]
pub fn lockable(file: OwnedFd) -> LockFile {
    file
}

/// One byte, to be locked or given back.
fn byte(kind: Kind, at: i64) -> libc::flock {
    span(kind, at, 1)
}

/// Takes the byte if nobody else holds it; whether it did.
///
/// # Errors
/// ENOLCK, EBADF and the like: whether it is held cannot be said.
pub fn try_lock(file: &LockFile, at: i64) -> nix::Result<bool> {
    match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&byte(Kind::Exclusive, at))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits for the byte until the deadline, and takes it; whether it did. The kernel hands it from one waiter to the
/// next; asking again and again instead was measured at 91 s for a thousand of them.
///
/// # Errors
/// As [`try_lock`].
pub fn lock_until(file: &LockFile, at: i64, deadline: Deadline) -> nix::Result<bool> {
    let lock = byte(Kind::Exclusive, at);
    alarm::interrupting(deadline, || {
        loop {
            match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&lock)) {
                Ok(_) => return Ok(true),
                Err(Errno::EINTR) if deadline.passed() => return Ok(false),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    })
}

/// Gives the byte back.
pub fn unlock(file: &LockFile, at: i64) {
    // Unlocking fails only on a descriptor that could not have been locked, or for lack of memory
    // to split a range; closing the file does it then.
    let _ = fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&byte(Kind::None, at)));
}

/// Whether another open of the file holds the byte. One's own lock does not count.
///
/// # Errors
/// As [`try_lock`]. A descriptor open for reading only will do.
pub fn is_held(file: &LockFile, at: i64) -> nix::Result<bool> {
    let mut lock = byte(Kind::Exclusive, at);
    fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}
