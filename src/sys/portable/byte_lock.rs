//! Locks on bytes of a file by what POSIX has (fcntl(2), F_SETLK). They belong to the process: within one they exclude
//! nobody, and the first descriptor of the file that the process closes gives all of them away, whichever it was. So
//! here stands beside them which open file of ours has which byte, and a descriptor is not closed as long as the
//! process holds any byte of that file. With that they behave as those of open file descriptions do under Linux.
//!
//! flock(2), which belongs to the open file, knows no bytes; there would have to be a file for every run under way.
//!
//! A child of fork(2) has none of the locks, and what it closes takes none away.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::stat::fstat;

use super::record_lock::{Kind, span};
use crate::clock::Deadline;

/// How often a lock that is waited for is asked for again. Not by F_SETLKW: it would have to be interrupted at the
/// deadline, and calls two who wait in a ring a deadlock, although each of them has a deadline.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// Which file it is: device and inode.
type Identity = (libc::dev_t, libc::ino_t);

/// A byte that this process holds.
struct Grip {
    file: Identity,
    at: i64,
    /// By which of its descriptors.
    holder: RawFd,
}

/// What this process holds, and what it must not close yet.
struct Grips {
    held: Vec<Grip>,
    kept_open: Vec<(Identity, OwnedFd)>,
}

static GRIPS: Mutex<Grips> = Mutex::new(Grips { held: Vec::new(), kept_open: Vec::new() });

fn grips() -> MutexGuard<'static, Grips> {
    GRIPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file whose bytes can be locked.
#[derive(Debug)]
pub struct LockFile {
    /// `None` only while it is dropped.
    fd: Option<OwnedFd>,
    number: RawFd,
    /// `None`: it could not be told; then nothing can be locked.
    identity: Option<Identity>,
}

/// Makes one of an open file.
pub fn lockable(file: OwnedFd) -> LockFile {
    let identity = fstat(&file).ok().map(|found| (found.st_dev, found.st_ino));
    LockFile { number: file.as_raw_fd(), fd: Some(file), identity }
}

impl AsFd for LockFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the number is of `fd`, which is open for as long as this value is not dropped.
        unsafe { BorrowedFd::borrow_raw(self.number) }
    }
}

impl AsRawFd for LockFile {
    fn as_raw_fd(&self) -> RawFd {
        self.number
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        let (Some(fd), Some(file)) = (self.fd.take(), self.identity) else { return };
        let mut grips = grips();
        for grip in grips.held.extract_if(.., |grip| grip.holder == fd.as_raw_fd()) {
            let _ = fcntl(&fd, FcntlArg::F_SETLK(&span(Kind::None, grip.at, 1)));
        }
        grips.kept_open.push((file, fd));
        grips.close_what_can_be(file);
    }
}

impl Grips {
    /// Closes what was kept open of a file, if nothing of it is held any more.
    fn close_what_can_be(&mut self, file: Identity) {
        if !self.held.iter().any(|grip| grip.file == file) {
            self.kept_open.retain(|(kept, _)| *kept != file);
        }
    }

    /// By which descriptor a byte is held.
    fn holder(&self, file: Identity, at: i64) -> Option<RawFd> {
        self.held.iter().find(|grip| (grip.file, grip.at) == (file, at)).map(|grip| grip.holder)
    }
}

/// Takes the byte if nobody else holds it; whether it did.
///
/// # Errors
/// ENOLCK, EBADF and the like: whether it is held cannot be said.
pub fn try_lock(file: &LockFile, at: i64) -> nix::Result<bool> {
    let identity = file.identity.ok_or(Errno::EBADF)?;
    let mut grips = grips();
    if let Some(holder) = grips.holder(identity, at) {
        return Ok(holder == file.as_raw_fd());
    }
    match fcntl(file, FcntlArg::F_SETLK(&span(Kind::Exclusive, at, 1))) {
        Ok(_) => {
            grips.held.push(Grip { file: identity, at, holder: file.as_raw_fd() });
            Ok(true)
        }
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits for the byte until the deadline, and takes it; whether it did.
///
/// # Errors
/// As [`try_lock`].
pub fn lock_until(file: &LockFile, at: i64, deadline: Deadline) -> nix::Result<bool> {
    while !try_lock(file, at)? {
        if deadline.passed() {
            return Ok(false);
        }
        std::thread::sleep(ASK_AGAIN.min(deadline.left()));
    }
    Ok(true)
}

/// Gives the byte back, if it is held by this open of the file.
pub fn unlock(file: &LockFile, at: i64) {
    let Some(identity) = file.identity else { return };
    let mut grips = grips();
    if grips.holder(identity, at) == Some(file.as_raw_fd()) {
        let _ = fcntl(file, FcntlArg::F_SETLK(&span(Kind::None, at, 1)));
        grips.held.retain(|grip| (grip.file, grip.at) != (identity, at));
        grips.close_what_can_be(identity);
    }
}

/// Whether another open of the file holds the byte. One's own lock does not count.
///
/// # Errors
/// As [`try_lock`]. A descriptor open for reading only will do.
pub fn is_held(file: &LockFile, at: i64) -> nix::Result<bool> {
    let identity = file.identity.ok_or(Errno::EBADF)?;
    if let Some(holder) = grips().holder(identity, at) {
        return Ok(holder != file.as_raw_fd());
    }
    let mut lock = span(Kind::Exclusive, at, 1);
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    fn open(file: &tempfile::NamedTempFile) -> LockFile {
        lockable(File::options().read(true).write(true).open(file.path()).unwrap().into())
    }

    /// Whether another process finds byte 7 taken.
    fn is_held_for_others(file: &tempfile::NamedTempFile) -> bool {
        let path = file.path().to_owned();
        let mut command = Command::new("true");
        // SAFETY: a test; the child opens a file and asks once, and has no thread to fear.
        unsafe {
            command.pre_exec(move || {
                let file = File::options().read(true).write(true).open(&path)?;
                fcntl(&file, FcntlArg::F_SETLK(&span(Kind::Exclusive, 7, 1)))?;
                Ok(())
            });
        }
        command.status().is_err()
    }

    #[test]
    fn closing_another_open_of_the_file_gives_no_byte_away() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (one, other) = (open(&file), open(&file));
        assert!(!is_held_for_others(&file));
        assert!(try_lock(&one, 7).unwrap());
        drop(other);
        assert!(is_held_for_others(&file));
        drop(one);
        assert!(!is_held_for_others(&file));
    }

    #[test]
    fn what_was_kept_open_is_closed_with_the_last_byte() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (one, other) = (open(&file), open(&file));
        let identity = one.identity.unwrap();
        let kept = || grips().kept_open.iter().filter(|(kept, _)| *kept == identity).count();
        assert!(try_lock(&one, 7).unwrap());
        drop(other);
        assert_eq!(kept(), 1);
        unlock(&one, 7);
        assert_eq!(kept(), 0);
        assert!(!is_held_for_others(&file));
    }
}
