//! Removing the files of earlier runs. Many runs of a job may end at the same time; as a rule one of them
//! prunes for all, and where directories cannot be locked, a file that has gone already is as good as
//! removed.

use std::fs::{File, TryLockError};

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::libc;
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use super::keep::{self, KeepRule, Kept};
use crate::clock::Timestamp;
use crate::directory::Directory;

/// How many names are looked at. Of more than that, some: what is removed is older than enough others.
const NAMES_MAX: usize = 10_000;

/// Removes what the rule does not allow, but for `own`. Runs that are under way have their files on top
/// of what it allows: they may yet turn out not to be kept.
pub(super) fn prune(directory: &Directory, rule: &KeepRule, own: Option<&str>, now: Timestamp) {
    let Some(_turn) = turn(directory) else { return };
    let Ok(names) = directory.names(NAMES_MAX) else { return };
    let mut files: Vec<Kept> = names
        .into_iter()
        .filter(|name| keep::started_at(name).is_some())
        .filter_map(|name| match rule.bytes {
            None => Some(Kept { name, bytes: 0 }),
            Some(_) => size(directory, &name).map(|bytes| Kept { name, bytes }),
        })
        .collect();
    // Most rules are not broken by most runs, and then no file has to be opened.
    if keep::surplus(rule, &files, own, now).is_empty() {
        return;
    }
    files.retain(|file| own == Some(&file.name) || lock(directory, &file.name).is_some());
    for name in keep::surplus(rule, &files, own, now) {
        if let Some(_locked) = lock(directory, name) {
            let _ = unlinkat(directory.fd(), name, UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// The right to prune, until it is closed; `None` while somebody else does. A thousand runs that end at once
/// would otherwise ask for a thousand locks each, and take each other's question for a run under way. What
/// ends while somebody prunes may be left to the next run.
fn turn(directory: &Directory) -> Option<Option<File>> {
    // A description of its own, since the lock belongs to it.
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(fd) = openat(directory.fd(), c".", flags, Mode::empty()) else { return Some(None) };
    let file = File::from(fd);
    match file.try_lock() {
        Ok(()) => Some(Some(file)),
        Err(TryLockError::WouldBlock) => None,
        // Not on every file system can a directory be locked.
        Err(TryLockError::Error(_)) => Some(None),
    }
}

/// The size in bytes of a regular file of ours.
fn size(directory: &Directory, name: &str) -> Option<u64> {
    let found = fstatat(directory.fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
    if is_ours(&found) { u64::try_from(found.st_size).ok() } else { None }
}

/// A regular file of ours whose run has ended, locked for as long as it is open. Opened for writing, since
/// NFS gives no exclusive lock otherwise (flock(2)).
fn lock(directory: &Directory, name: &str) -> Option<File> {
    let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let fd = openat(directory.fd(), name, flags, Mode::empty()).ok()?;
    if !is_ours(&fstat(&fd).ok()?) {
        return None;
    }
    let file = File::from(fd);
    file.try_lock().is_ok().then_some(file)
}

fn is_ours(found: &FileStat) -> bool {
    found.st_mode & libc::S_IFMT == libc::S_IFREG && found.st_uid == geteuid().as_raw()
}
