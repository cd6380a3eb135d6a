//! Where output goes on to: an open file that is shared with the caller and perhaps with others. It is
//! written to without waiting, since who waits here looks after nothing else; and without O_NONBLOCK, which
//! belongs to the open file and would make the writes of all others fail.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::{SpliceFFlags, tee};
use nix::libc::{self, c_int};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{isatty, write};

use crate::sys::descriptor::inherited;

/// The most that is written at once to a terminal that poll(2) calls writable: it says so only when there is
/// room for this much (n_tty of Linux, WAKEUP_CHARS).
const TERMINAL_PIECE: usize = 256;

/// A descriptor that output goes on to.
#[derive(Debug)]
pub struct Destination {
    fd: OwnedFd,
    manner: Manner,
}

/// How it is written to without waiting.
#[derive(Debug)]
enum Manner {
    /// A regular file and most devices: nobody waits for more than a disk.
    Plain,
    /// By a flag of each call.
    Socket,
    /// A pipe, or a terminal, that we have opened for ourselves.
    Reopened(File),
    /// Never more at once than there is room for if poll(2) says that there is any.
    Piecewise(usize),
}

impl Destination {
    /// The one that the caller left at this number; `None` if it left none there.
    ///
    /// # Errors
    /// Those of [`inherited`].
    pub fn of(number: c_int) -> io::Result<Option<Self>> {
        let Some(fd) = inherited(number)? else { return Ok(None) };
        let kind = fstat(&fd)
            .map_or(SFlag::S_IFREG, |found| SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT);
        let manner = if kind == SFlag::S_IFSOCK {
            Manner::Socket
        } else if kind == SFlag::S_IFIFO {
            reopened(number).map_or(Manner::Piecewise(libc::PIPE_BUF), Manner::Reopened)
        } else if kind == SFlag::S_IFCHR && isatty(&fd).unwrap_or(false) {
            reopened(number).map_or(Manner::Piecewise(TERMINAL_PIECE), Manner::Reopened)
        } else {
            Manner::Plain
        };
        Ok(Some(Self { fd, manner }))
    }

    /// The descriptor, to be waited for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// EAGAIN: wait until there is room. EPIPE: nobody reads it any more. Others: those of write(2).
    pub fn write(&self, bytes: &[u8]) -> nix::Result<usize> {
        match &self.manner {
            Manner::Plain => write(&self.fd, bytes),
            Manner::Socket => {
                send(self.fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)
            }
            Manner::Reopened(own) => write(own, bytes),
            Manner::Piecewise(most) => {
                // Somebody else may have been faster since; then this waits, as the command would.
                write(&self.fd, &bytes[..bytes.len().min(*most)])
            }
        }
    }

    /// Copies what stands in a pipe, and leaves it there; without a copy in memory, where the kernel can.
    ///
    /// # Errors
    /// EAGAIN: there is nothing, or no room. EPIPE: nobody reads it any more. EINVAL: this is no pipe.
    pub fn tee(&self, from: BorrowedFd<'_>, most: usize) -> nix::Result<usize> {
        match &self.manner {
            Manner::Plain | Manner::Socket => Err(Errno::EINVAL),
            Manner::Reopened(_) | Manner::Piecewise(_) => {
                tee(from, &self.fd, most, SpliceFFlags::SPLICE_F_NONBLOCK)
            }
        }
    }
}

/// A description of our own of the open file at this number (proc(5), /proc/PID/fd), on which O_NONBLOCK
/// touches nobody. `None` where there is no /proc, where the file belongs to somebody else, as a terminal
/// after su(1), and for a pipe that nobody reads.
fn reopened(number: c_int) -> Option<File> {
    OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(format!("/proc/self/fd/{number}"))
        .ok()
}
