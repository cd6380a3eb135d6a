//! Writing to a terminal that may be halted (Ctrl-S), slow or gone, without ever waiting for it long.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;

use crate::clock::Deadline;

/// How long all attempts together may take to get something through that must.
const PATIENCE: Duration = Duration::from_millis(100);

/// A terminal that is written to. The descriptor does not block, and its open file is nobody else's.
pub(super) struct Output {
    fd: OwnedFd,
    /// What the terminal has not taken yet of something that it has taken the beginning of.
    rest: Vec<u8>,
    /// The terminal is gone (EIO).
    gone: bool,
}

impl Output {
    /// Over a descriptor with O_NONBLOCK.
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, rest: Vec::new(), gone: false }
    }

    /// Writes bytes, or drops them all: false if the terminal does not take any of them at once. It is one
    /// write(2), so that what others write does not come between; if the terminal takes only a part, the
    /// others find the cursor in the wrong place until the rest has followed, and that is insisted on.
    pub(super) fn offer(&mut self, bytes: &[u8]) -> bool {
        self.send_rest();
        if self.gone || !self.rest.is_empty() {
            return false;
        }
        self.rest.extend_from_slice(bytes);
        self.send_rest();
        if self.rest.len() == bytes.len() {
            self.rest.clear();
            return bytes.is_empty();
        }
        self.insist(&[]);
        !self.gone
    }

    /// Writes bytes that must get through, for [`PATIENCE`] at most. What is left then comes before
    /// whatever is written next.
    pub(super) fn insist(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let deadline = Deadline::after(PATIENCE);
        loop {
            self.send_rest();
            if self.rest.is_empty() || deadline.passed() {
                return;
            }
            let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLOUT)];
            // Rounded up: a limit of zero would not wait at all. Whether there is room is seen next.
            let _ = poll(&mut fds, PollTimeout::from((deadline.left().as_millis() as u16).saturating_add(1)));
        }
    }

    /// Writes what is left, as far as the terminal takes it now.
    fn send_rest(&mut self) {
        while !self.rest.is_empty() {
            match write(&self.fd, &self.rest) {
                Ok(0) | Err(Errno::EAGAIN) => return,
                Ok(written) => drop(self.rest.drain(..written)),
                Err(Errno::EINTR) => {}
                Err(_) => {
                    self.gone = true;
                    self.rest.clear();
                }
            }
        }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::pty::openpty;
    use nix::sys::termios::{FlowArg, tcflow};

    use super::*;

    /// An output, and who reads it.
    fn pair() -> (Output, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Output::new(ours.into()), theirs)
    }

    /// Fills an output until it takes nothing more: how many bytes that are.
    fn fill(output: &Output) -> usize {
        let mut filled = 0;
        while let Ok(written) = write(&output.fd, &[b'-'; 4096]) {
            filled += written;
        }
        filled
    }

    fn read_all(output: Output, mut reader: UnixStream) -> Vec<u8> {
        drop(output);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_fits_is_written() {
        let (mut output, reader) = pair();
        assert!(output.offer(b"one "));
        output.insist(b"two");
        assert_eq!(read_all(output, reader), b"one two");
    }

    #[test]
    fn what_would_block_is_dropped_whole() {
        let (mut output, reader) = pair();
        let filled = fill(&output);
        assert!(!output.offer(b"dropped"));
        assert_eq!(read_all(output, reader).len(), filled);
    }

    #[test]
    fn what_must_get_through_waits_for_room() {
        let (mut output, mut reader) = pair();
        let filled = fill(&output);
        output.insist(b"end");
        assert!(!output.offer(b"dropped"), "what must get through comes first");
        reader.read_exact(&mut vec![0; filled]).unwrap();
        assert!(output.offer(b"."));
        assert_eq!(read_all(output, reader), b"end.");
    }

    #[test]
    fn the_rest_of_what_was_begun_comes_before_anything_else() {
        let (mut output, reader) = pair();
        // More than a socket takes at once.
        let long = vec![b'x'; 8 * 1024 * 1024];
        assert!(output.offer(&long), "a part was taken");
        assert!(!output.offer(b"dropped"));
        let reading = std::thread::spawn(move || {
            let mut reader = reader;
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            bytes
        });
        while !output.rest.is_empty() {
            output.insist(b"");
        }
        assert!(output.offer(b"end"));
        drop(output);
        let read = reading.join().unwrap();
        assert_eq!(read.len(), long.len() + 3);
        assert!(read.ends_with(b"xend"));
    }

    #[test]
    fn a_terminal_that_is_halted_holds_nobody_up_and_goes_on_with_the_next() {
        let terminal = openpty(None, None).unwrap();
        fcntl(&terminal.slave, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let (mut output, mut screen) = (Output::new(terminal.slave), std::fs::File::from(terminal.master));
        // As Ctrl-S does.
        tcflow(&output.fd, FlowArg::TCOOFF).unwrap();
        assert!(!output.offer(b"dropped"));
        tcflow(&output.fd, FlowArg::TCOON).unwrap();
        assert!(output.offer(b"drawn"));
        let mut shown = [0; 5];
        screen.read_exact(&mut shown).unwrap();
        assert_eq!(&shown, b"drawn");
    }

    #[test]
    fn a_terminal_that_is_gone_is_written_to_no_more() {
        let (mut output, reader) = pair();
        reader.shutdown(Shutdown::Both).unwrap();
        drop(reader);
        assert!(!output.offer(b"x"));
        output.insist(b"y");
        assert!(output.gone && output.rest.is_empty());
    }
}
