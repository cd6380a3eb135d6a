//! A directory in which files are replaced, whole and in order. It may be anybody's, and others may write
//! there: no link is followed, nothing is written that was not made here, and what belongs to another user
//! is left alone.
//!
//! The text is written to a file beside it, under one name for each, which is also the lock of those who
//! write: whoever has made it holds it locked (flock(2)) until it has the name of the file. One that is not
//! locked has been left behind, and goes.
//!
//! Nothing is synced. What a power cut takes is written again by the next run and check, out of a journal
//! that is synced; and a disk that hangs must not hold cronward.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::libc;
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use crate::clock::{Deadline, Timestamp};
use crate::os_error::{words, words_of};
use crate::sinks::exposition::Before;
use crate::sys::kernel;

/// Mode of a file that is done, whatever the umask: the exporter is another user.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR).union(Mode::S_IRGRP).union(Mode::S_IROTH);

/// How much of a file is read, in bytes: many times what we write.
const SIZE_MAX: u64 = 1 << 20;

/// Longest time to wait for others who write the same file.
const WAIT_LIMIT: Duration = Duration::from_secs(1);

/// First and longest pause between two looks at whether they are done; each takes well under the first.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));

/// How old a file may be that was written by a run which has ended in the meantime, in seconds.
const RECENT: i64 = 60;

/// What every open does not do: follow a link, wait for a FIFO's other end, adopt a terminal, reach the
/// command.
const PRUDENT: OFlag =
    OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// The directory.
pub struct Place(OwnedFd);

/// What a text is made of: the one before it. `None`: there is nothing to write.
pub type Text<'a> = dyn Fn(&Before<'_>) -> Option<String> + 'a;

impl Place {
    /// Opens it. It need not be readable, where the kernel can do without.
    ///
    /// # Errors
    /// In words.
    pub fn open(dir: &Path) -> Result<Self, String> {
        let flags = kernel::ENTER | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = openat(AT_FDCWD, dir, flags, Mode::empty()).map(Self);
        opened.map_err(|error| {
            if error == Errno::ENOENT {
                "there is no such directory; make it".to_owned()
            } else {
                words(error)
            }
        })
    }

    /// Puts a new text in the place of what is there, unless it is the same.
    ///
    /// # Errors
    /// In words, with the name.
    pub fn rewrite(&self, name: &str, text: &Text<'_>, deadline: Deadline) -> Result<(), String> {
        let limit = Deadline::after(WAIT_LIMIT.min(deadline.left()));
        let temporary = format!(".{name}.tmp");
        let mut pause = PAUSES.0;
        loop {
            // Asked before there is a lock, too: of many that end at once, most have nothing to add.
            if self.change(name, text)?.is_none() {
                return Ok(());
            }
            if let Some(file) = self.claim(&temporary)? {
                let done = self.replace(name, text, &temporary, file);
                if !matches!(done, Ok(true)) {
                    let _ = self.remove(&temporary);
                }
                return done.map(|_| ());
            }
            if limit.passed() {
                return Err(format!("'{name}' is being written by another cronward, which does not end"));
            }
            thread::sleep(pause.min(limit.left()));
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// The text that is to be written, if it is not there already.
    fn change(&self, name: &str, text: &Text<'_>) -> Result<Option<String>, String> {
        let (before, is_recent) = self.read(name)?;
        let after = text(&Before { text: &before, is_recent });
        Ok(after.filter(|after| *after != before))
    }

    /// What is there, empty if there is nothing; and whether that is new.
    fn read(&self, name: &str) -> Result<(String, bool), String> {
        let found = match fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::ENOENT) => return Ok((String::new(), false)),
            Err(error) => return Err(refused(name, error)),
        };
        if found.st_uid != geteuid().as_raw() {
            let user = found.st_uid;
            return Err(format!("'{name}' belongs to user {user}; use another label or another directory"));
        }
        if !is_file(&found) {
            return Err(format!("'{name}' is not a regular file; move it away"));
        }
        let mut bytes = Vec::new();
        // One that was taken away since, or its rights, is as good as none.
        if let Ok(fd) = openat(&self.0, name, PRUDENT, Mode::empty()) {
            let _ = File::from(fd).take(SIZE_MAX).read_to_end(&mut bytes);
        }
        let age = Timestamp::now().as_seconds().saturating_sub(found.st_mtime);
        Ok((String::from_utf8(bytes).unwrap_or_default(), (-RECENT..=RECENT).contains(&age)))
    }

    /// Makes the file to write to, and locks it; `None` if another one is at work, or may have been.
    fn claim(&self, temporary: &str) -> Result<Option<File>, String> {
        let flags = PRUDENT | OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let file = match openat(&self.0, temporary, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(fd) => File::from(fd),
            Err(Errno::EEXIST) => return self.clear(temporary).map(|()| None),
            Err(error) => return Err(refused(temporary, error)),
        };
        // Before it was locked it looked as if it had been left behind.
        let is_ours = locked(&file) && fstat(&file).is_ok_and(|own| own.st_nlink > 0);
        Ok(is_ours.then_some(file))
    }

    /// Removes what is in the way, unless somebody is writing it.
    fn clear(&self, temporary: &str) -> Result<(), String> {
        let file = match openat(&self.0, temporary, PRUDENT, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::ENOENT) => return Ok(()),
            // A link, or something else that we have not made.
            Err(_) => return self.remove(temporary),
        };
        let identity = |found: FileStat| (found.st_dev, found.st_ino);
        let own = fstat(&file).map_err(|error| refused(temporary, error))?;
        if own.st_uid != geteuid().as_raw() {
            return self.remove(temporary);
        }
        // Once it is locked, its name can be taken from it by nobody else; before, it may have been.
        let is_left = locked(&file)
            && fstatat(&self.0, temporary, AtFlags::AT_SYMLINK_NOFOLLOW).map(identity) == Ok(identity(own));
        if is_left { self.remove(temporary) } else { Ok(()) }
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        match unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(format!("'{name}' is in the way and cannot be removed: {}", words(error))),
        }
    }

    /// Writes the text and gives it its name; false if there is none to write any more.
    fn replace(&self, name: &str, text: &Text<'_>, temporary: &str, mut file: File) -> Result<bool, String> {
        let Some(text) = self.change(name, text)? else { return Ok(false) };
        file.write_all(text.as_bytes())
            .map_err(|error| format!("'{name}' cannot be written: {}", words_of(&error)))?;
        fchmod(&file, MODE)
            .and_then(|()| renameat(&self.0, temporary, &self.0, name))
            .map_err(|error| refused(name, error))?;
        Ok(true)
    }
}

/// Whether nobody else has it locked. Where a file system has no locks, nobody has.
fn locked(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

fn is_file(found: &FileStat) -> bool {
    found.st_mode & libc::S_IFMT == libc::S_IFREG
}

fn refused(name: &str, error: Errno) -> String {
    let forbidden = [Errno::EACCES, Errno::EPERM, Errno::EROFS].contains(&error);
    let remedy = if forbidden { "; let this user write in that directory" } else { "" };
    format!("'{name}' cannot be written: {}{remedy}", words(error))
}
