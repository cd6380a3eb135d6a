//! What state needs of the file system that it is on: locks that exclude each other and end with their holder, and
//! writing that can be made durable. Tried on a file of its own, which is gone afterwards.

use std::ffi::{CStr, CString};
use std::fmt;
use std::path::Path;
use std::process;

use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat, write};

use super::backoff::Backoff;
use super::locks::{Byte, LockFile, lockable, try_lock};
use crate::directory::{Access, Directory, Refusal, Unsynced};
use crate::os_error;

/// What a file system lacks.
#[derive(Debug)]
pub enum Lack {
    /// The state directory, or a file in it.
    Place(Refusal),
    /// Locks, with the kernel's reason.
    Locks(Errno),
    /// Locks that keep others out.
    Exclusion,
    /// Locks that end when the file is closed.
    Release,
    /// Writing.
    Writing(Errno),
    /// Making it durable.
    Sync(Errno),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(refusal) => refusal.fmt(f),
            Self::Locks(error) => write!(f, "no lock can be had: {}", os_error::words(*error)),
            Self::Exclusion => f.write_str("two can have the same lock"),
            Self::Release => f.write_str("a lock outlives the file that it was taken by"),
            Self::Writing(error) => write!(f, "a file cannot be written: {}", os_error::words(*error)),
            Self::Sync(error) => write!(f, "what is written cannot be synced: {}", os_error::words(*error)),
        }
    }
}

/// Tries it in a state directory that is there.
///
/// # Errors
/// What is lacking.
pub fn try_file_system(state_dir: &Path) -> Result<(), Lack> {
    let directory = Directory::open(state_dir).map_err(Lack::Place)?;
    let name = CString::new(format!("trial-{}", process::id())).unwrap_or_default();
    let tried = try_with(&directory, &name);
    // A file that is left is empty, and named by the next look at the directory.
    let _ = unlinkat(directory.fd(), &*name, UnlinkatFlags::NoRemoveDir);
    tried
}

fn try_with(directory: &Directory, name: &CStr) -> Result<(), Lack> {
    let open = || directory.file(name, Access::Write, &mut Unsynced::new()).map_err(Lack::Place);
    let lock = |file: &LockFile| try_lock(file, Byte::OVERLAP).map_err(Lack::Locks);
    let (one, other) = (lockable(open()?), lockable(open()?));
    let written = open()?;
    if !lock(&one)? || lock(&other)? {
        return Err(Lack::Exclusion);
    }
    drop(one);
    if !lock(&other)? {
        return Err(Lack::Release);
    }
    write(&written, b"x").map_err(Lack::Writing)?;
    fsync(&written).map_err(Lack::Sync)
}

/// The sinks that could not be reached when something owed to them was last tried, by their identities, and how often.
pub fn unreached(state_dir: &Path) -> Vec<(String, u32)> {
    Directory::open(state_dir).map(|state| Backoff::read(&state).unreached()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_of_this_host_has_all_of_it_and_nothing_is_left_there() {
        let directory = tempfile::tempdir().unwrap();
        assert!(try_file_system(directory.path()).is_ok());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let lost = try_file_system(&directory.path().join("none")).unwrap_err();
        assert!(lost.to_string().ends_with("/none': no such file or directory"), "{lost}");
    }
}
