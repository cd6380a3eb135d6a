//! What is left of the output, and goes on as it is: nobody holds it back, nobody keeps anything of it.

use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::PanicHookInfo;

use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::uio::pread;
use nix::unistd::{read, write};

use super::{FLOWING, FLOWS, Flow, Part, close, give_terminal_back};
use crate::sys::descriptor::unread;

/// How much is moved at once, in bytes: a pipe has room for as much if poll(2) calls it writable (pipe(7)).
const PIECE: usize = 4096;
/// How many pieces of a stream go on before signals have their turn.
const PIECES: usize = 64;

/// The output that a panic has left.
pub struct Salvage([Option<Stream>; FLOWS]);

struct Stream {
    flow: Flow<'static>,
    /// The part that comes next, and how much of that has been taken.
    part: usize,
    at: u64,
    buffer: [u8; PIECE],
    /// What of the buffer is still to be written.
    pending: Range<usize>,
    /// What was in the pipe when the command ended, as far as it has not been taken since.
    owed: usize,
    loss: Option<Errno>,
}

impl Salvage {
    /// That of this thread, which is in a panic, and must not return from it.
    pub fn of(_: &PanicHookInfo<'_>) -> Self {
        give_terminal_back();
        Self(FLOWING.with(|flowing| [0, 1].map(|place| flowing[place].take().map(Stream::new))))
    }

    /// The command has ended. What it has written by now goes on, and nothing that others write behind it.
    pub fn settle_account(&mut self) {
        for stream in self.0.iter_mut().flatten() {
            stream.owed = stream.flow.source.map_or(0, unread);
        }
    }

    /// Whether something has not gone on that was taken, or that stood in a pipe when the command ended.
    pub fn owes(&self) -> bool {
        self.0.iter().flatten().any(Stream::owes)
    }

    /// Whether output was lost for another reason than that nobody reads it.
    pub fn was_lost(&self) -> bool {
        self.0.iter().flatten().any(|stream| stream.loss.is_some_and(|error| error != Errno::EPIPE))
    }

    /// Lets go on what can without waiting; whether anything has.
    pub fn go_on(&mut self) -> bool {
        let mut has_gone_on = false;
        for stream in self.0.iter_mut().flatten() {
            has_gone_on |= (0..PIECES).take_while(|_| stream.move_piece()).count() > 0;
        }
        has_gone_on
    }

    /// Waits until something can go on, or a signal has come, which `signals` shows; at most so many milliseconds,
    /// or without end if that is negative.
    pub fn wait(&self, signals: Option<BorrowedFd<'_>>, most: c_int) {
        // poll(2) passes over negative numbers.
        let mut polled = [libc::pollfd { fd: -1, events: 0, revents: 0 }; FLOWS + 1];
        for (polled, stream) in polled.iter_mut().zip(&self.0) {
            if let Some((fd, events)) = stream.as_ref().and_then(Stream::wants) {
                (polled.fd, polled.events) = (fd.as_raw_fd(), events);
            }
        }
        if let Some(signals) = signals {
            (polled[FLOWS].fd, polled[FLOWS].events) = (signals.as_raw_fd(), libc::POLLIN);
        }
        poll(&mut polled, most);
    }
}

impl Stream {
    fn new(flow: Flow<'static>) -> Self {
        Self { flow, part: 0, at: 0, buffer: [0; PIECE], pending: 0..0, owed: 0, loss: None }
    }

    fn owes(&self) -> bool {
        self.has_taken() || (self.flow.source.is_some() && self.owed > 0)
    }

    /// Whether there is something to be written, or in a part, which may be found to be empty.
    fn has_taken(&self) -> bool {
        !self.pending.is_empty() || self.part < self.flow.parts.len()
    }

    fn wants(&self) -> Option<(BorrowedFd<'static>, i16)> {
        if self.has_taken() {
            return Some((self.flow.to, libc::POLLOUT));
        }
        self.flow.source.map(|source| (source, libc::POLLIN))
    }

    /// False: there is nothing, or no room.
    fn move_piece(&mut self) -> bool {
        if self.pending.is_empty() && !self.take_part() && !self.take() {
            return false;
        }
        let mut room = [libc::pollfd { fd: self.flow.to.as_raw_fd(), events: libc::POLLOUT, revents: 0 }];
        poll(&mut room, 0);
        if room[0].revents == 0 {
            return false;
        }
        let end = self.pending.end.min(self.pending.start.saturating_add(self.flow.most));
        match write(self.flow.to, &self.buffer[self.pending.start..end]) {
            Ok(count) => self.pending.start += count,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return false,
            Err(error) => self.break_off(error),
        }
        true
    }

    /// Of the parts, into the buffer. False: there is nothing left of them.
    fn take_part(&mut self) -> bool {
        while let Some(part) = self.flow.parts.get(self.part) {
            let count = match part.behind(self.at) {
                Part::Memory(bytes) => {
                    let count = bytes.len().min(PIECE);
                    self.buffer[..count].copy_from_slice(&bytes[..count]);
                    count
                }
                Part::File(file, from, to) => {
                    let count = usize::try_from(to - from).unwrap_or(PIECE).min(PIECE);
                    let place = i64::try_from(from).unwrap_or(i64::MAX);
                    match pread(file, &mut self.buffer[..count], place) {
                        Err(Errno::EINTR) => continue,
                        // What cannot be read is lost, and what is behind it is not.
                        read => read.unwrap_or(0),
                    }
                }
            };
            if count > 0 {
                self.at += count as u64;
                self.pending = 0..count;
                return true;
            }
            (self.part, self.at) = (self.part + 1, 0);
        }
        false
    }

    /// Out of the pipe, into the buffer. False: there is nothing in it.
    fn take(&mut self) -> bool {
        while let Some(source) = self.flow.source {
            match read(source, &mut self.buffer) {
                Ok(0) => self.flow.source = None,
                Ok(count) => {
                    self.owed = self.owed.saturating_sub(count);
                    let gone_on = self.flow.gone_on.min(count);
                    self.flow.gone_on -= gone_on;
                    self.pending = gone_on..count;
                    if gone_on < count {
                        return true;
                    }
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return false,
                Err(error) => self.break_off(error),
            }
        }
        false
    }

    /// Nobody takes it any more, which the command is told as it would be without the pipe (SIGPIPE).
    fn break_off(&mut self, error: Errno) {
        self.loss = Some(error);
        (self.part, self.pending) = (self.flow.parts.len(), 0..0);
        self.flow.source.take().into_iter().for_each(close);
    }
}

/// poll(2); where it fails, it is as if the time were over.
fn poll(polled: &mut [libc::pollfd], most: c_int) {
    // SAFETY: an array that lives across the call, with its length.
    unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, most) };
}

#[cfg(test)]
mod tests;
