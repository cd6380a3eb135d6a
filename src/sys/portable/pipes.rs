//! Pipes and sockets by what POSIX has. A descriptor is opened first and marked afterwards (fcntl(2), FD_CLOEXEC), which
//! no child must come between; so there is a lock for those who mark and for those who fork.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc::{self, c_int};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType};
use nix::unistd::ttyname;

/// Nothing is needed: SIGPIPE is blocked, and never let in.
pub const NO_SIGNAL: MsgFlags = MsgFlags::empty();

static MARKING: Mutex<()> = Mutex::new(());

/// Keeps others from making a child, or a descriptor that is not marked yet.
pub(super) fn marking() -> MutexGuard<'static, ()> {
    MARKING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn mark(fd: &OwnedFd) -> nix::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop)
}

/// A pipe that does not reach a program that is executed: the end to read from, and the one to write to.
///
/// # Errors
/// Those of pipe(2).
pub fn pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
    let _marking = marking();
    let (reader, writer) = nix::unistd::pipe()?;
    mark(&reader)?;
    mark(&writer)?;
    Ok((reader, writer))
}

/// A socket that never blocks and does not reach a program that is executed.
///
/// # Errors
/// Those of socket(2).
pub fn socket(family: AddressFamily, kind: SockType) -> nix::Result<OwnedFd> {
    let _marking = marking();
    let socket = nix::sys::socket::socket(family, kind, SockFlag::empty(), None)?;
    mark(&socket)?;
    fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(socket)
}

/// It cannot be told.
pub fn capacity(_: BorrowedFd<'_>) -> Option<usize> {
    None
}

/// It is as large as it is.
pub fn enlarge(_: &OwnedFd, _: c_int) {}

/// It cannot be told.
pub fn is_nameless(_: BorrowedFd<'_>) -> bool {
    false
}

/// Output goes on by copying.
///
/// # Errors
/// EINVAL, always, as if one of them were no pipe.
pub fn tee(_: BorrowedFd<'_>, _: &OwnedFd, _: usize) -> nix::Result<usize> {
    Err(Errno::EINVAL)
}

/// Output goes on by copying.
///
/// # Errors
/// EINVAL, always, as if one of them were no pipe.
pub fn splice(_: BorrowedFd<'_>, _: &OwnedFd, _: usize) -> nix::Result<usize> {
    Err(Errno::EINVAL)
}

/// A description of our own of the terminal at this number, by its name (ttyname(3)), on which O_NONBLOCK touches
/// nobody. `None` where it belongs to somebody else, as after su(1), and for a pipe: opened by /dev/fd, that would
/// be the caller's open file again.
pub fn reopened(_: c_int, fd: impl AsFd) -> Option<File> {
    let name = ttyname(fd).ok()?;
    OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(name).ok()
}
