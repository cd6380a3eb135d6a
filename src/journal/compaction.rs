//! Putting a new journal in the place of the old one, under the transaction lock. Starts, and ends that
//! could not wait, are appended without that lock: who does looks afterwards whether the file still
//! has a name and writes again if not, and here the old file is read once more after it has lost its
//! name. So every such record is in the new file once or twice, and a reader counts it once.

use std::ffi::CStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::renameat;
use nix::sys::stat::fstat;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

use super::stored::read_end;
use super::tail::{LARGEST_WINDOW, read_range};
use super::{Files, JOURNAL};
use crate::clock::Timestamp;
use crate::directory::write_whole;

/// A journal is compacted once it is larger than this many bytes.
pub(super) const COMPACT_BEYOND: u64 = 1024 * 1024;
/// While so many runs are under way that each outcome is tens of kilobytes long, only beyond this: a
/// thousand runs that end at once would otherwise wait for a dozen compactions and the syncs in them.
const COMPACT_CROWDED_BEYOND: u64 = 16 * COMPACT_BEYOND;
/// Runs under way that take so many bytes to list are a crowd.
const CROWD: usize = 16 * 1024;
/// How much of the history a compaction keeps, in bytes.
const KEPT: u64 = 256 * 1024;
/// How many corrupt journals are kept aside.
const KEPT_ASIDE: usize = 3;

const REPLACEMENT: &CStr = c"runs.jsonl.new";
const ASIDE: &str = "runs.jsonl.corrupt-";

/// Whether a journal of `size` bytes is to be compacted instead of appended a line of `line` bytes to,
/// of which `under_way` list the runs under way.
pub(super) fn is_due(size: u64, line: usize, under_way: usize) -> bool {
    let bound = if under_way > CROWD { COMPACT_CROWDED_BEYOND } else { COMPACT_BEYOND };
    size.saturating_add(line as u64) > bound
}

/// The last outcomes of a journal before offset `seen`: whole lines, newlines included.
///
/// # Errors
/// Those of pread(2).
pub(super) fn history_to_keep(journal: &OwnedFd, seen: u64) -> nix::Result<Vec<u8>> {
    let from = seen.saturating_sub(KEPT);
    let bytes = read_range(journal, from, seen)?;
    // The first line is a piece of one, unless this is the whole file.
    let skipped = usize::from(from > 0);
    let mut kept = Vec::with_capacity(bytes.len());
    for line in bytes.split(|&byte| byte == b'\n').skip(skipped) {
        if read_end(line).is_some() {
            kept.push(b'\n');
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
    }
    Ok(kept)
}

/// Puts a journal with this content in the place of the one that was read up to offset `seen`.
///
/// # Errors
/// ENOSPC and the like; the old journal is still in force then.
pub(super) fn replace(files: &mut Files, old: &OwnedFd, content: &[u8], seen: u64) -> nix::Result<()> {
    let directory = files.directory.fd();
    match unlinkat(directory, REPLACEMENT, UnlinkatFlags::NoRemoveDir) {
        // Left behind by one that died here.
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    let new = files.directory.create_new(REPLACEMENT)?;
    write_whole(&new, content)?;
    fsync(&new)?;
    renameat(directory, REPLACEMENT, directory, JOURNAL)?;
    // If it cannot be synced, a power failure brings back the old journal: whole, but older.
    let _ = fsync(directory);
    let size = fstat(old)?.st_size.unsigned_abs();
    let meanwhile = read_range(old, seen, size.min(seen.saturating_add(LARGEST_WINDOW)))?;
    if meanwhile.iter().any(|&byte| byte != b'\n') {
        write_whole(&new, &[b"\n", &meanwhile[..], b"\n"].concat())?;
    }
    files.adopt(new);
    Ok(())
}

/// Copies a journal that cannot be read to a file beside it: all of it up to 4 MiB, else its end. A
/// copy, because the file itself must lose its name for those who are appending to it to notice.
///
/// # Errors
/// ENOSPC and the like.
pub(super) fn keep_aside(files: &Files, journal: &OwnedFd, size: u64) -> nix::Result<String> {
    let name = format!("{ASIDE}{}", Timestamp::now().as_millis());
    let bytes = read_range(journal, size.saturating_sub(LARGEST_WINDOW), size)?;
    let c_name = std::ffi::CString::new(name.as_bytes()).map_err(|_| Errno::EINVAL)?;
    let copy = files.directory.create_new(&c_name)?;
    if let Err(error) = write_whole(&copy, &bytes) {
        // A half copy is of no use and takes the room that is missing.
        let _ = unlinkat(files.directory.fd(), &c_name[..], UnlinkatFlags::NoRemoveDir);
        return Err(error);
    }
    prune(files);
    Ok(name)
}

/// Removes the oldest of the journals that were kept aside.
fn prune(files: &Files) {
    let Ok(entries) = fs::read_dir(files.directory.path()) else { return };
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.file_name()))
        .filter(|name| name.as_bytes().starts_with(ASIDE.as_bytes()))
        .collect();
    // Milliseconds have had thirteen digits since 2001, so names sort by age.
    names.sort();
    let surplus = names.len().saturating_sub(KEPT_ASIDE);
    for name in names.drain(..surplus) {
        // One more or less is no reason to say anything.
        let _ = unlinkat(files.directory.fd(), &name[..], UnlinkatFlags::NoRemoveDir);
    }
}

impl Files {
    fn adopt(&mut self, journal: OwnedFd) {
        self.journal = Ok(super::JournalFile { fd: Arc::new(journal), writable: true });
    }
}
