//! The jobs that owe somebody the news of an alert: an empty file each, in a directory beside the jobs that is
//! there only while there are any. So a run sees by one call that nobody needs its help. A job is noted
//! before the line is written that makes it owe something, and taken off under the transaction lock.

use std::ffi::CString;

use nix::unistd::{UnlinkatFlags, unlinkat};

use super::Files;
use crate::directory::{Access, Directory};
use crate::job::Label;

/// The directory, in the state directory.
const OWED: &str = "owed";
/// So many of them are looked at.
const MOST: usize = 10_000;

/// Notes a job. What cannot be noted is found by the job's own next run, by `check` and by `flush`.
pub(super) fn note(files: &mut Files, label: &Label) {
    let [state, _] = &files.above;
    let Ok(owed) = state.subdirectory_or_create(OWED, &mut files.unsynced) else { return };
    let Ok(name) = CString::new(label.file_name()) else { return };
    let _ = owed.file(&name, Access::Write, &mut files.unsynced);
}

/// Takes a job off that owes nothing any more, by the name of its directory.
pub(super) fn strike(state: &Directory, name: &str) {
    let Ok(owed) = state.subdirectory(OWED) else { return };
    // Whoever is noted and owes nothing costs the next run a look.
    let _ = unlinkat(owed.fd(), name, UnlinkatFlags::NoRemoveDir);
    // While there are others in it this fails.
    let _ = unlinkat(state.fd(), OWED, UnlinkatFlags::RemoveDir);
}

/// The names of the directories of jobs that may owe something.
pub(super) fn names(state: &Directory) -> Vec<String> {
    let owed = state.subdirectory(OWED);
    owed.ok().and_then(|owed| owed.names(MOST).ok()).unwrap_or_default()
}
