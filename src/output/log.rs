//! `--log-dir`: the whole output of a run in a file of its own, in a directory of its job. The directory
//! above may be anybody's (`/var/log/cronward`, writable by a group); the job's must be ours alone, so
//! that nobody can put a link where the next file is made or the oldest one removed.
//!
//! A file is locked (flock(2)) for as long as its run is under way, and other runs of the job, which prune
//! when they end, leave it alone. Where a file system has no locks, nothing is pruned.

mod keep;
mod prune;

use std::ffi::CString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat, write};

use crate::clock::Timestamp;
use crate::directory::{Directory, Refusal, Unsynced};
use crate::human;
use crate::job::{Label, RunId};
use crate::os_error;
pub use keep::KeepRule;

/// How often a file is made again that was taken for one of a dead run before it was locked.
const ATTEMPTS: usize = 3;

/// The file that the output of one run goes to.
#[derive(Debug)]
pub struct LogFile {
    directory: Directory,
    name: String,
    /// Locked until it is closed.
    file: File,
    written: u64,
    error: Option<Errno>,
}

/// What has become of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished {
    /// Where it is, absolute unless the working directory cannot be told; `None` if it was not to be kept,
    /// or somebody has taken it away.
    pub path: Option<PathBuf>,
    /// What is wrong with it, in one line; `None` also of a file that was not to be kept and has gone.
    pub problem: Option<String>,
}

impl LogFile {
    /// Makes the file of a run: `DIR/LABEL/20261121T070000Z-0123abcd.log`, mode 0600. Directories that are
    /// missing are made, mode 0700.
    ///
    /// # Errors
    /// In words, with a hint: what could not be made, or is not to be trusted.
    pub fn create(dir: &Path, label: &Label, run: RunId, started_at: Timestamp) -> Result<Self, String> {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let name = keep::file_name(started_at, run);
        // Only the last directory has to be ours. What is new is not synced: the job's output is not either.
        let directory = Directory::open_or_create(&dir.join(label.file_name()), &mut Unsynced::new())
            .map_err(|refusal| in_words(&refusal))?;
        match create_locked(&directory, &name) {
            Ok(file) => Ok(Self { directory, name, file, written: 0, error: None }),
            Err(error) => Err(in_words(&Refusal::Error(directory.path().join(&name), error))),
        }
    }

    /// Adds to the end of the file. Once that has failed nothing more is written, so that what is there is
    /// the beginning of the output without a gap; [`Self::finish`] tells why.
    pub fn append(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.error.is_none() {
            match write(&self.file, rest) {
                // Of a regular file nobody has seen this; without it the loop might not end.
                Ok(0) => self.error = Some(Errno::ENOSPC),
                Ok(count) => {
                    self.written = self.written.saturating_add(count as u64);
                    rest = rest.get(count..).unwrap_or_default();
                }
                Err(Errno::EINTR) => {}
                Err(error) => self.error = Some(error),
            }
        }
    }

    /// Ends the file, or removes it if it is not to be kept, and prunes those of other runs of the job.
    /// An empty one is kept like any other. What goes wrong with the others is no problem of this run.
    pub fn finish(self, keep: bool, rule: &KeepRule, now: Timestamp) -> Finished {
        let finished = self.settle(keep);
        let Self { directory, name, file, .. } = self;
        // Before the pruning: of runs that end at the same time, the last one finds all of them ended.
        drop(file);
        let own = finished.path.is_some().then_some(name.as_str());
        prune::prune(&directory, rule, own, now);
        finished
    }

    fn settle(&self, keep: bool) -> Finished {
        let path = self.directory.path().join(&self.name);
        let shown = path.display();
        match (self.is_in_place(), keep) {
            (Ok(true), true) => {
                let problem = self.error.map(|error| {
                    let (size, why) = (human::bytes(self.written), os_error::words(error));
                    format!("'{shown}' ends after {size} of the output: {why}")
                });
                Finished { path: Some(path), problem }
            }
            (Ok(true), false) => {
                let removed = unlinkat(self.directory.fd(), self.name.as_str(), UnlinkatFlags::NoRemoveDir);
                let problem = removed
                    .err()
                    .filter(|&error| error != Errno::ENOENT)
                    .map(|error| format!("'{shown}' cannot be removed: {}", os_error::words(error)));
                Finished { path: None, problem }
            }
            (Ok(false), true) => Finished {
                path: None,
                problem: Some(format!("'{shown}' was removed or replaced while the run was under way")),
            },
            (Ok(false), false) => Finished { path: None, problem: None },
            (Err(error), _) => {
                let problem = Some(format!("'{shown}' cannot be found again: {}", os_error::words(error)));
                Finished { path: None, problem }
            }
        }
    }

    /// Whether the name still stands for the file that was made.
    fn is_in_place(&self) -> nix::Result<bool> {
        let own = fstat(&self.file)?;
        match fstatat(self.directory.fd(), self.name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => Ok((found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)),
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A new file, locked. Between the two it may be taken for that of a run that has ended.
fn create_locked(directory: &Directory, name: &str) -> nix::Result<File> {
    let c_name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    for _ in 0..ATTEMPTS {
        let file = File::from(directory.create_new(&c_name)?);
        match file.try_lock_shared() {
            Ok(()) if fstat(&file)?.st_nlink > 0 => return Ok(file),
            Ok(()) => {}
            // Whoever holds it may remove it in the next instant.
            Err(TryLockError::WouldBlock) => {
                let _ = unlinkat(directory.fd(), name, UnlinkatFlags::NoRemoveDir);
            }
            // A file system without locks: nobody gets one, so nobody prunes.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(Errno::EBUSY)
}

/// What could not be had, and what to do about it.
fn in_words(refusal: &Refusal) -> String {
    let Refusal::Error(_, error) = refusal else { return refusal.to_string() };
    // The words about a link name what to do.
    if *error == Errno::ELOOP {
        return refusal.to_string();
    }
    let remedy = if [Errno::EACCES, Errno::EPERM].contains(error) {
        "let this user write there, or name another directory"
    } else if [Errno::ENOTDIR, Errno::EEXIST].contains(error) {
        "move away what is there, or name another directory"
    } else if [Errno::ENOSPC, Errno::EDQUOT].contains(error) {
        "make room, or name another directory"
    } else {
        "name another directory"
    };
    format!("{refusal}; {remedy}")
}

#[cfg(test)]
mod tests;
