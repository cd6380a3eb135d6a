//! Where output goes on to: an open file that is shared with the caller and perhaps with others. It is
//! written to without waiting, since who waits here looks after nothing else; and without O_NONBLOCK, which
//! belongs to the open file and would make the writes of all others fail.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{isatty, write};

use crate::sys::descriptor::{inherited, unread};
use crate::sys::pipes;

/// The most that is written at once to a terminal that poll(2) calls writable, in bytes: it says so as long as
/// there is any room, and behind the first character there may be none (n_tty.c and pty.c of Linux).
const TERMINAL_PIECE: usize = 1;
/// What a buffer of a pipe holds, in bytes; where pages are larger, a part of one.
const PIPE_BUFFER: usize = 4096;
/// How much a pipe holds that nobody has enlarged, in bytes.
const PIPE_DEFAULT: usize = 16 * PIPE_BUFFER;

/// A descriptor that output goes on to.
#[derive(Debug)]
pub struct Destination {
    fd: OwnedFd,
    manner: Manner,
    /// How many bytes there is room for, if it is a pipe.
    capacity: Option<usize>,
    /// Whether nobody will read it again once nobody does: so of a pipe, unless it has a name (fifo(7)).
    is_abandoned_for_good: bool,
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
    /// EMFILE: there is one, and no descriptor to be had for it.
    pub fn of(number: c_int) -> nix::Result<Option<Self>> {
        let Some(fd) = inherited(number)? else { return Ok(None) };
        let kind = fstat(&fd)
            .map_or(SFlag::S_IFREG, |found| SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT);
        let manner = if kind == SFlag::S_IFSOCK {
            Manner::Socket
        } else if kind == SFlag::S_IFIFO {
            pipes::reopened(number, &fd).map_or(Manner::Piecewise(libc::PIPE_BUF), Manner::Reopened)
        } else if kind == SFlag::S_IFCHR && isatty(&fd).unwrap_or(false) {
            pipes::reopened(number, &fd).map_or(Manner::Piecewise(TERMINAL_PIECE), Manner::Reopened)
        } else {
            Manner::Plain
        };
        let capacity = if kind == SFlag::S_IFIFO { pipes::capacity(fd.as_fd()) } else { None };
        let is_abandoned_for_good = kind == SFlag::S_IFIFO && pipes::is_nameless(fd.as_fd());
        Ok(Some(Self { fd, manner, capacity, is_abandoned_for_good }))
    }

    /// The descriptor, to be waited for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// For who waits for it by poll(2): what to write to, and how much of it at once, in bytes, at most.
    pub fn piecemeal(&self) -> (BorrowedFd<'_>, usize) {
        match &self.manner {
            Manner::Plain | Manner::Socket => (self.fd(), usize::MAX),
            Manner::Reopened(own) => (own.as_fd(), usize::MAX),
            Manner::Piecewise(most) => (self.fd(), *most),
        }
    }

    /// The descriptor, to be waited for by poll(2) without any event until nobody reads it any more (POLLERR);
    /// `None` where that cannot be told, or need not be for good.
    pub fn readers(&self) -> Option<BorrowedFd<'_>> {
        self.is_abandoned_for_good.then(|| self.fd())
    }

    /// Whether nobody reads it any more, and nobody will.
    pub fn is_abandoned(&self) -> bool {
        self.readers().is_some_and(|fd| shows(fd, PollFlags::empty(), PollFlags::POLLERR))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// EAGAIN: wait until there is room. EPIPE: nobody reads it any more. Others: those of write(2).
    pub fn write(&self, bytes: &[u8]) -> nix::Result<usize> {
        match &self.manner {
            Manner::Plain => write(&self.fd, bytes),
            Manner::Socket => send(self.fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | pipes::NO_SIGNAL),
            Manner::Reopened(own) => write(own, bytes),
            Manner::Piecewise(most) => {
                let any = PollFlags::POLLOUT | PollFlags::POLLERR | PollFlags::POLLHUP;
                if !shows(self.fd(), PollFlags::POLLOUT, any) {
                    return Err(Errno::EAGAIN);
                }
                // Somebody else may have been faster since; then this waits, as the command would.
                write(&self.fd, &bytes[..bytes.len().min(*most)])
            }
        }
    }

    /// Whether that much, which stands in a pipe, is to go on by [`Self::tee`]; `flows` if more has gone on
    /// already than any reader could have left unread. What tee(2) hands on takes
    /// buffers of its own in the reader's pipe, of which that has 16 (pipe(7)), and a few short lines would fill
    /// it that write(2) joins into one buffer: the command would have to wait where it would not by itself. So
    /// only into a pipe that has been read empty, or when there is more than a pipe commonly has room for; and
    /// in a flow, when there is enough to fill most of the buffers that it takes.
    pub fn is_for_tee(&self, waiting: usize, flows: bool) -> bool {
        let Some(capacity) = self.capacity.filter(|_| waiting >= PIPE_BUFFER) else { return false };
        if flows && waiting >= PIPE_DEFAULT / 4 {
            return true;
        }
        let ahead = unread(self.fd());
        // Of a whole pipe's worth the last buffer may be one too many.
        (ahead == 0 && waiting < PIPE_DEFAULT) || ahead + waiting >= capacity.min(PIPE_DEFAULT)
    }

    /// Copies what stands in a pipe, and leaves it there; without a copy in memory, where the kernel can.
    ///
    /// # Errors
    /// EAGAIN: there is nothing, or no room. EPIPE: nobody reads it any more. EINVAL: this is no pipe.
    pub fn tee(&self, from: BorrowedFd<'_>, most: usize) -> nix::Result<usize> {
        match &self.manner {
            Manner::Plain | Manner::Socket => Err(Errno::EINVAL),
            Manner::Reopened(_) | Manner::Piecewise(_) => pipes::tee(from, &self.fd, most),
        }
    }

    /// Moves what stands in a pipe out of it, without a copy.
    ///
    /// # Errors
    /// As those of [`Self::tee`].
    pub fn splice(&self, from: BorrowedFd<'_>, most: usize) -> nix::Result<usize> {
        match &self.manner {
            // A regular file could be; but the kernel does not keep others from writing to the same place
            // meanwhile, as write(2) does, and refuses where all is appended.
            Manner::Plain | Manner::Socket => Err(Errno::EINVAL),
            Manner::Reopened(_) | Manner::Piecewise(_) => pipes::splice(from, &self.fd, most),
        }
    }
}

/// Whether poll(2) says one of these of a descriptor right now, if asked for those events.
fn shows(fd: BorrowedFd<'_>, asked: PollFlags, any: PollFlags) -> bool {
    let mut polled = [PollFd::new(fd, asked)];
    poll(&mut polled, PollTimeout::ZERO).is_ok_and(|count| count > 0)
        && polled[0].revents().is_some_and(|found| found.intersects(any))
}
