//! The child is made by fork(2). What it found out comes through a pipe that exec closes (fcntl(2), FD_CLOEXEC), so
//! the parent waits for its end as it would for the child of vfork(2). Where there are no descriptors to be had for it,
//! the command is run all the same, and one that cannot be executed is one that has ended with 127.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_void};
use nix::unistd::read;

use super::pipes;
use super::process::child::{self, Task};

/// Where the child says why it could not execute its program.
pub struct Answer(RawFd);

impl Answer {
    /// Nobody listens.
    pub const NONE: Self = Self(-1);

    /// Says it, in the child: one write of a few bytes, which is whole or not at all (write(2), PIPE_BUF).
    pub fn give(&mut self, error: c_int) {
        let bytes = error.to_ne_bytes();
        // SAFETY: a live array with its own length.
        unsafe { libc::write(self.0, bytes.as_ptr().cast::<c_void>(), bytes.len()) };
    }
}

/// What the child is made in.
pub struct Cradle;

impl Cradle {
    /// One for as many children as one wants, one after the other.
    pub fn new() -> Self {
        Self
    }

    /// Makes a child, and waits until it has executed its program or ended: its pid, and why it could not execute
    /// it, or 0.
    ///
    /// # Errors
    /// That of fork(2): there is no process to be had.
    pub fn start(&mut self, task: &mut Task<'_>) -> Result<(u32, c_int), c_int> {
        let (reader, writer) = pipes::pipe().ok().unzip();
        task.answer = writer.as_ref().map_or(Answer::NONE, |writer| Answer(writer.as_raw_fd()));
        let pid = {
            // No descriptor of another thread is between its opening and its mark.
            let _marked = pipes::marking();
            // SAFETY: the child calls `child::run` alone, which makes only system calls on memory that it has a
            // copy of, and does not return; so no lock that another thread holds at this instant is waited for.
            unsafe {
                let pid = libc::fork();
                if pid == 0 {
                    child::run(ptr::from_mut(task).cast::<c_void>());
                }
                pid
            }
        };
        if pid <= 0 {
            return Err(super::process::errno());
        }
        drop(writer);
        Ok((pid.unsigned_abs(), reader.map_or(0, |reader| heard(&reader))))
    }
}

/// What the child says; 0 once it has executed its program.
fn heard(reader: &OwnedFd) -> c_int {
    let mut answer = [0; size_of::<c_int>()];
    loop {
        match read(reader, &mut answer) {
            Err(Errno::EINTR) => {}
            Ok(length) if length == answer.len() => return c_int::from_ne_bytes(answer),
            Ok(_) | Err(_) => return 0,
        }
    }
}
