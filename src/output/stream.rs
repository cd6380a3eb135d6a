//! One stream of the command on its way: out of the pipe that the command writes to, past whoever keeps
//! something of it, to where it would have gone by itself, or to where it is held back.

mod told;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::c_int;
use nix::unistd::read;

use super::Observers;
use super::destination::Destination;
use super::held::Held;
use super::states::{Loss, Route, Step, Want};
use crate::rehearsal;
use crate::sys::descriptor::unread;
use crate::sys::pipes;

/// Size of our pipes, in bytes, where the kernel lets us (pipe(7), pipe-max-size): with the 64 KiB that are
/// usual, four times as many wake-ups cost most of the throughput.
const PIPE_SIZE: c_int = 1024 * 1024;
/// How much comes through a pipe before it is made larger, in bytes. The size counts, and not what is in it:
/// without privileges, 64 such pipes are all that a user has before each new one, also of other programs, gets
/// no more than two pages (pipe(7), pipe-user-pages-soft). Most jobs write little.
const ENLARGE_AFTER: u64 = 512 * 1024;
/// How much is copied at once, in bytes.
const BUFFER: usize = 64 * 1024;
/// How much is moved on unseen at least, in bytes: a page, of which a pipe is made.
const LEAST_SPARE: usize = 4096;
/// How many steps a stream takes before the others, and signals, have their turn.
const STEPS: usize = 32;
/// How often in a row the same may be refused that the kernel has no reason to refuse.
const REFUSALS_MAX: u32 = 100;

/// A stream of output.
pub(super) struct Stream {
    /// Which of the streams it is.
    place: usize,
    /// Our end of the pipe; `None`: there is nothing more to come.
    source: Option<OwnedFd>,
    to: Destination,
    route: Route,
    buffer: Vec<u8>,
    /// What of the buffer is still to be written.
    pending: std::ops::Range<usize>,
    /// How much of the pipe has gone on already, and has to be taken out of it.
    teed: usize,
    /// Whether tee(2) and splice(2) can be used.
    can_tee: bool,
    taken: u64,
    is_enlarged: bool,
    /// How much is in the pipe at least: to ask takes as long as to move it.
    known: usize,
    /// What was in the pipe when the command ended, by the count of bytes that were taken.
    owed: u64,
    last_step: Step,
    /// Why what the command has written in this attempt has not all gone on.
    pub(super) loss: Option<Loss>,
    /// Why it could not be held back.
    pub(super) not_held: Option<io::Error>,
    /// Why a part of what was held back is not shown.
    pub(super) not_shown: Option<io::Error>,
    /// How often in a row reading was refused.
    refusals: u32,
}

impl Stream {
    /// What goes on at once to where the caller left it.
    pub(super) fn passing(place: usize, to: Destination) -> Self {
        Self::new(place, to, Route::Pass)
    }

    /// What is held back for now; in memory, and in one of these directories.
    pub(super) fn holding(place: usize, to: Destination, places: Vec<PathBuf>) -> Self {
        Self::new(place, to, Route::Hold(Held::new(places)))
    }

    fn new(place: usize, to: Destination, route: Route) -> Self {
        Self {
            place,
            source: None,
            to,
            route,
            buffer: Vec::new(),
            pending: 0..0,
            teed: 0,
            can_tee: true,
            taken: 0,
            is_enlarged: false,
            known: 0,
            owed: 0,
            last_step: Step::NoInput,
            loss: None,
            not_held: None,
            not_shown: None,
            refusals: 0,
        }
    }

    /// Makes the pipe for a command, whose end of it is returned. If there is none to be had, the command
    /// keeps the descriptor that it has.
    ///
    /// # Errors
    /// Those of pipe(2).
    pub(super) fn connect(&mut self) -> nix::Result<OwnedFd> {
        let (source, sink) = pipes::pipe()?;
        // Of this end nobody else has the open file.
        fcntl(&source, FcntlArg::F_SETFL(OFlag::O_RDONLY | OFlag::O_NONBLOCK))?;
        self.source = Some(source);
        (self.taken, self.known, self.owed, self.is_enlarged) = (0, 0, 0, false);
        (self.loss, self.refusals) = (None, 0);
        // That nobody took it from an earlier attempt is to be found out by this one as well.
        if matches!(self.route, Route::Nowhere) {
            self.route = Route::Pass;
        }
        self.tell();
        Ok(sink)
    }

    /// The command has ended. What it has written by now goes on, however long that takes.
    pub(super) fn settle_account(&mut self) {
        self.owed = self.taken + self.source.as_ref().map_or(0, |source| unread(source.as_fd()) as u64);
    }

    /// Whether something has not gone on that the command had written when it ended. What others have
    /// written behind it is nothing that is owed.
    pub(super) fn owes(&self) -> bool {
        // What is pending while something is shown was not taken just now.
        matches!(self.route, Route::Show(..))
            || (self.taken.saturating_sub(self.pending.len() as u64) < self.owed
                && (self.source.is_some() || !self.pending.is_empty()))
    }

    /// Whether there may be more to come.
    pub(super) fn is_open(&self) -> bool {
        self.source.is_some()
    }

    /// Takes nothing more. What is in the pipe goes nowhere, but is shown to whoever keeps something: it is the
    /// last that the command has said, and what was moved on unseen was so on account of it.
    pub(super) fn close(&mut self, observers: &mut Observers) {
        let Some(source) = self.source.take() else { return };
        self.tell();
        let mut left = unread(source.as_fd());
        // The stream's own may hold what is still to be written.
        let mut buffer = vec![0; left.min(BUFFER)];
        while left > 0
            && let Ok(count @ 1..) = read(&source, &mut buffer)
        {
            observers.see(&buffer[..count]);
            left = left.saturating_sub(count);
        }
        self.teed = 0;
    }

    /// There is no time left: what has not gone on by now is lost.
    pub(super) fn give_up(&mut self, observers: &mut Observers) {
        if self.owes() {
            self.loss.get_or_insert(Loss::NoTime);
        }
        self.close(observers);
        if !matches!(self.route, Route::Show(..)) {
            self.pending = 0..0;
            self.tell();
        }
    }

    /// How many bytes are held back.
    pub(super) fn held(&self) -> u64 {
        match &self.route {
            Route::Hold(held) => held.length(),
            Route::Pass | Route::Show(..) | Route::Nowhere => 0,
        }
    }

    /// Lets what is held back go on.
    pub(super) fn show(&mut self) {
        self.route = match std::mem::replace(&mut self.route, Route::Nowhere) {
            Route::Hold(held) if held.length() > 0 => Route::Show(held, 0),
            Route::Hold(_) => Route::Pass,
            other @ (Route::Pass | Route::Show(..) | Route::Nowhere) => other,
        };
        self.tell();
    }

    /// Looks whether anybody still reads it where it goes; the command is to be told by its next write.
    pub(super) fn look_for_readers(&mut self, observers: &mut Observers) {
        if matches!(self.route, Route::Pass) && self.source.is_some() && self.to.is_abandoned() {
            self.last_step = self.break_off(Errno::EPIPE, observers);
        }
    }

    /// Goes on as far as it can without waiting.
    pub(super) fn advance(&mut self, observers: &mut Observers) {
        for _ in 0..STEPS {
            self.last_step = self.step(observers);
            self.tell();
            if self.last_step != Step::Done {
                break;
            }
        }
    }

    /// What it waits for since.
    pub(super) fn want(&self) -> Want<'_> {
        match (self.last_step, &self.source, &self.route) {
            (Step::NoInput, None, _) => Want::Nothing,
            (Step::NoInput, Some(source), Route::Pass) => Want::Input(source.as_fd(), self.to.readers()),
            (Step::NoInput, Some(source), _) => Want::Input(source.as_fd(), None),
            (Step::NoRoom, _, _) => Want::Room(self.to.fd()),
            (Step::Done, _, _) => Want::Turn,
        }
    }

    fn step(&mut self, observers: &mut Observers) -> Step {
        if !self.pending.is_empty() {
            return self.write_pending(observers);
        }
        if self.teed > 0 {
            return self.take_teed(observers);
        }
        if matches!(self.route, Route::Show(..)) {
            return self.show_more();
        }
        if matches!(self.route, Route::Pass)
            && self.can_tee
            && let Some(source) = &self.source
        {
            if observers.spare(self.known) < LEAST_SPARE {
                self.known = unread(source.as_fd());
            }
            if self.to.is_for_tee(self.known, self.is_enlarged) {
                return self.go_on(observers);
            }
        }
        match self.take(BUFFER, observers) {
            Ok(0) => self.end(),
            Ok(_) => self.pass_on(),
            Err(error) => self.refused(error, observers),
        }
    }

    /// What to do about an error of read(2) of the pipe. It has no others but EAGAIN and EINTR; if it had one
    /// that lasts, nobody would ever come to the end of it.
    fn refused(&mut self, error: Errno, observers: &mut Observers) -> Step {
        if error == Errno::EINTR {
            Step::Done
        } else if error == Errno::EAGAIN {
            Step::NoInput
        } else if self.refusals < REFUSALS_MAX {
            self.refusals += 1;
            Step::NoInput
        } else {
            self.break_off(error, observers)
        }
    }

    /// From pipe to pipe, without a copy in memory but of what somebody has to see.
    fn go_on(&mut self, observers: &mut Observers) -> Step {
        let Some(source) = &self.source else { return Step::NoInput };
        let spare = observers.spare(self.known);
        let is_spared = spare >= LEAST_SPARE;
        let moved = if is_spared {
            self.to.splice(source.as_fd(), spare)
        } else {
            self.to.tee(source.as_fd(), PIPE_SIZE as usize)
        };
        match moved {
            Ok(count) if is_spared => {
                observers.pass_over(count);
                self.count(count);
                Step::Done
            }
            Ok(count) => {
                self.teed = count;
                Step::Done
            }
            // There is something, so there is no room.
            Err(Errno::EAGAIN) => Step::NoRoom,
            Err(Errno::EINTR) => Step::Done,
            Err(error @ Errno::EPIPE) => self.break_off(error, observers),
            // It is no pipe, or the kernel will not: then by copying.
            Err(_) => {
                self.can_tee = false;
                Step::Done
            }
        }
    }

    /// Reads out of the pipe into the buffer, where it is pending, and shows it to whoever keeps something of it.
    fn take(&mut self, most: usize, observers: &mut Observers) -> nix::Result<usize> {
        let Some(source) = &self.source else { return Ok(0) };
        self.buffer.resize(BUFFER, 0);
        let count = read(source, &mut self.buffer[..most.min(BUFFER)])?;
        self.refusals = 0;
        let gone_on = count.min(self.teed);
        self.teed -= gone_on;
        self.pending = gone_on..count;
        self.tell();
        rehearsal::of_a_panic(if self.taken > 0 { "more output" } else { "output" });
        observers.see(&self.buffer[..count]);
        self.count(count);
        Ok(count)
    }

    /// So much was taken out of the pipe.
    fn count(&mut self, count: usize) {
        self.taken += count as u64;
        self.known = self.known.saturating_sub(count);
        if let Some(source) = &self.source
            && self.taken > ENLARGE_AFTER
            && !self.is_enlarged
        {
            pipes::enlarge(source, PIPE_SIZE);
            self.is_enlarged = true;
        }
    }

    fn take_teed(&mut self, observers: &mut Observers) -> Step {
        match self.take(self.teed, observers) {
            Ok(_) => Step::Done,
            Err(error) => self.refused(error, observers),
        }
    }

    /// What is pending goes on by the next step, unless it is held back.
    fn pass_on(&mut self) -> Step {
        match &mut self.route {
            Route::Pass => {}
            Route::Hold(held) => {
                let pushed = held.push(&self.buffer[self.pending.clone()]);
                self.pending = 0..0;
                if let Err(error) = pushed {
                    // Nothing is lost: it is shown, and what is to come goes on at once.
                    self.not_held = Some(error);
                    self.show();
                }
            }
            Route::Show(..) | Route::Nowhere => self.pending = 0..0,
        }
        Step::Done
    }

    /// Of what was held back, into the buffer.
    fn show_more(&mut self) -> Step {
        let Route::Show(held, at) = &mut self.route else { return Step::Done };
        self.buffer.resize(BUFFER, 0);
        match held.read(*at, &mut self.buffer) {
            Ok(0) => self.route = Route::Pass,
            Ok(count) => {
                *at += count as u64;
                self.pending = 0..count;
                self.refusals = 0;
            }
            Err(_) if self.refusals < REFUSALS_MAX => self.refusals += 1,
            Err(error) => {
                // What is behind the file is in memory.
                *at = held.behind_file();
                self.not_shown = Some(error);
                self.refusals = 0;
            }
        }
        Step::Done
    }

    fn write_pending(&mut self, observers: &mut Observers) -> Step {
        match self.to.write(&self.buffer[self.pending.clone()]) {
            Ok(count) => {
                self.pending.start += count;
                Step::Done
            }
            Err(Errno::EINTR) => Step::Done,
            Err(Errno::EAGAIN) => Step::NoRoom,
            Err(error) => self.break_off(error, observers),
        }
    }

    /// The command has closed its end, and so has whoever had it from the command.
    fn end(&mut self) -> Step {
        self.source = None;
        Step::NoInput
    }

    /// Nobody takes it any more. Our end of the pipe is closed, so that the command is told what it would have
    /// been told without the pipe: that it writes to nobody (SIGPIPE).
    fn break_off(&mut self, error: Errno, observers: &mut Observers) -> Step {
        self.loss = Some(Loss::Error(error));
        self.pending = 0..0;
        self.route = Route::Nowhere;
        self.close(observers);
        Step::NoInput
    }
}

#[cfg(test)]
mod tests;
