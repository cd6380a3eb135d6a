//! What fcntl(2) is told of a lock on a part of a file. The struct has other fields, and the kinds another type, from
//! one kernel to the next.

use std::mem;

use nix::libc;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The lock, for oneself alone.
    Exclusive,
    /// To give it back.
    None,
}

/// So many bytes of a file from an offset on; 0: all from there, however long the file becomes. The pid in it is 0,
/// as it must be for locks of open file descriptions.
pub fn span(kind: Kind, from: i64, length: i64) -> libc::flock {
    // SAFETY: plain old data, for which zeroes are a value.
    let mut lock: libc::flock = unsafe { mem::zeroed() };
    lock.l_type = match kind {
        Kind::Exclusive => libc::F_WRLCK as libc::c_short,
        Kind::None => libc::F_UNLCK as libc::c_short,
    };
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    (lock.l_start, lock.l_len) = (from, length);
    lock
}
