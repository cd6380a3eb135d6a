//! Whole lines into a file that others write to as well.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Deadline;
use crate::os_error;
use crate::sys::record_lock::{Kind, span};

/// How often what cannot be waited for is tried again.
const RETRY: Duration = Duration::from_millis(5);

/// Appends a line that ends in a newline.
///
/// A regular file takes it in one write(2), which the kernel does not mix with another's. A pipe
/// does the same up to PIPE_BUF (pipe(7)) only, so lines go piece by piece under a lock there; a
/// short one too, or it would come to stand in the middle of another's long one.
///
/// # Errors
/// In words; then none or a part of the line has been written.
pub fn append(file: &File, line: &[u8], deadline: Deadline) -> Result<(), String> {
    let regular = file.metadata().is_ok_and(|found| found.is_file());
    let written = if regular {
        (&*file).write_all(line)
    } else {
        locked(file, deadline, || {
            line.chunks(libc::PIPE_BUF).try_for_each(|piece| write_piece(file, piece, deadline))
        })
    };
    written.map_err(|error| reason(&error))
}

fn reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::BrokenPipe {
        "nobody reads it any more".to_owned()
    } else if error.kind() == io::ErrorKind::TimedOut {
        "timed out: its reader does not read".to_owned()
    } else {
        os_error::words_of(error)
    }
}

/// Writes at most PIPE_BUF bytes once there is room for them. A pipe that poll(2) calls writable
/// has that much, so the write does not block although O_NONBLOCK is not set; it must not be set on
/// a description that is shared, since the caller's writes would begin to fail.
fn write_piece(mut file: &File, mut piece: &[u8], deadline: Deadline) -> io::Result<()> {
    while !piece.is_empty() {
        wait_for_room(file, deadline)?;
        match file.write(piece) {
            Ok(written) => piece = &piece[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another writer was faster, or the caller's own O_NONBLOCK is set.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => pause(deadline)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn wait_for_room(file: &File, deadline: Deadline) -> io::Result<()> {
    loop {
        let millis = deadline.left().as_millis().min(60_000) as u16;
        let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut fds, PollTimeout::from(millis)) {
            Ok(0) if deadline.passed() => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::EINTR) => {}
            // Also an error of the file: the write will say which.
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn pause(deadline: Deadline) -> io::Result<()> {
    if deadline.passed() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    std::thread::sleep(RETRY.min(deadline.left()));
    Ok(())
}

/// Does `work` while this process holds the record lock on the whole file.
///
/// Twenty cronwards that were started with one redirection share one open file description, which
/// flock(2) and open file description locks would take for one owner; POSIX record locks belong to
/// the process, and Linux grants them on pipes. Where it does not (ENOLCK, EINVAL), the line is
/// written without.
fn locked(file: &File, deadline: Deadline, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let held = loop {
        match fcntl(file, FcntlArg::F_SETLK(&span(Kind::Exclusive, 0, 0))) {
            Ok(_) => break true,
            Err(Errno::EAGAIN | Errno::EACCES) => pause(deadline)?,
            Err(Errno::EINTR) => {}
            Err(_) => break false,
        }
    };
    let worked = work();
    if held {
        let _ = fcntl(file, FcntlArg::F_SETLK(&span(Kind::None, 0, 0)));
    }
    worked
}
