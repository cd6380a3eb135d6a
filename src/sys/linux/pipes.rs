//! Pipes and sockets, with what Linux adds to them (pipe(7), socket(2)).

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl};
use nix::libc::{self, c_int};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType};
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::pipe2;

/// The file system of pipes without a name (linux/magic.h, PIPEFS_MAGIC).
const PIPE_FS: FsType = FsType(0x5049_5045);

/// What keeps send(2) from raising SIGPIPE.
pub const NO_SIGNAL: MsgFlags = MsgFlags::MSG_NOSIGNAL;

/// A pipe that does not reach a program that is executed: the end to read from, and the one to write to.
///
/// # Errors
/// Those of pipe(2).
pub fn pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC)
}

/// A socket that never blocks and does not reach a program that is executed.
///
/// # Errors
/// Those of socket(2).
pub fn socket(family: AddressFamily, kind: SockType) -> nix::Result<OwnedFd> {
    nix::sys::socket::socket(family, kind, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, None)
}

/// How many bytes a pipe has room for; `None`: it is none.
pub fn capacity(pipe: BorrowedFd<'_>) -> Option<usize> {
    fcntl(pipe, FcntlArg::F_GETPIPE_SZ).ok().and_then(|bytes| usize::try_from(bytes).ok())
}

/// Gives a pipe room for so many bytes, if the kernel lets us: EPERM where the user's pipes have used up their
/// memory; then it is as large as it is.
pub fn enlarge(pipe: &OwnedFd, bytes: c_int) {
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(bytes));
}

/// Whether a pipe has no name, so that nobody can open it who has not got it yet; false where that cannot be told.
pub fn is_nameless(pipe: BorrowedFd<'_>) -> bool {
    fstatfs(pipe).is_ok_and(|system| system.filesystem_type() == PIPE_FS)
}

/// Copies what stands in a pipe to another, and leaves it there; without a copy in memory (tee(2)).
///
/// # Errors
/// EAGAIN: there is nothing, or no room. EPIPE: nobody reads it any more. EINVAL: one of them is no pipe.
pub fn tee(from: BorrowedFd<'_>, to: &OwnedFd, most: usize) -> nix::Result<usize> {
    nix::fcntl::tee(from, to, most, SpliceFFlags::SPLICE_F_NONBLOCK)
}

/// Moves what stands in a pipe to another, without a copy (splice(2)).
///
/// # Errors
/// As those of [`tee`].
pub fn splice(from: BorrowedFd<'_>, to: &OwnedFd, most: usize) -> nix::Result<usize> {
    nix::fcntl::splice(from, None, to, None, most, SpliceFFlags::SPLICE_F_NONBLOCK)
}

/// A description of our own of the open file at this number (proc(5), /proc/PID/fd), on which O_NONBLOCK
/// touches nobody. `None` where there is no /proc, where the file belongs to somebody else, as a terminal
/// after su(1), and for a pipe that nobody reads.
pub fn reopened(number: c_int, _: impl AsFd) -> Option<File> {
    OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(format!("/proc/self/fd/{number}"))
        .ok()
}
