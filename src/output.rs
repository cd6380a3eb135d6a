//! What becomes of the output of the command once it passes through cronward: it goes on byte for byte and at
//! once, or is held back; on the way its first and last part are kept, or all of it in a file. Without any of
//! that there is no pipe, and nothing of this is there.

mod destination;
mod excerpt;
mod held;
pub mod log;
mod states;
mod stream;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{STDERR_FILENO, STDOUT_FILENO};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::{Deadline, Timestamp};
use crate::job::{Label, RunId};
use crate::os_error;
use crate::outcome::KeptOutput;
use crate::plan::{Logs, OutputRule};
use crate::sys::descriptor::same_open_file;
use crate::sys::signals::{self, Arrived};
use destination::Destination;
use excerpt::Excerpt;
use log::LogFile;
use states::{Loss, Want};
use stream::Stream;

/// How long a process that the command has left behind, and that still has the pipe, is listened to.
const DRAIN: Duration = Duration::from_secs(2);
/// How often signals are asked for where the kernel has no descriptor for them.
const SLICE: Duration = Duration::from_millis(20);

/// The output of one run.
pub struct Output {
    streams: Vec<Flow>,
    observers: Observers,
    signals: Option<OwnedFd>,
    complaints: Vec<String>,
    is_incomplete: bool,
}

/// A stream, and what the command knows it by.
struct Flow {
    stream: Stream,
    /// For the command; both numbers, if they are one open file, so that the order is kept.
    numbers: &'static [usize],
    /// The command's end of the pipe, until it is started.
    end: Option<OwnedFd>,
}

/// Who keeps something of the output.
#[derive(Default)]
struct Observers {
    excerpt: Option<Excerpt>,
    log: Option<LogFile>,
}

impl Observers {
    fn see(&mut self, bytes: &[u8]) {
        if let Some(excerpt) = &mut self.excerpt {
            excerpt.push(bytes);
        }
        if let Some(log) = &mut self.log {
            log.append(bytes);
        }
    }

    /// Of so many bytes that come next, how many of the first nobody has to see.
    fn spare(&self, coming: usize) -> usize {
        match (&self.excerpt, &self.log) {
            (_, Some(_)) => 0,
            (Some(excerpt), None) => excerpt.spare(coming),
            (None, None) => coming,
        }
    }

    /// So many bytes have gone on unseen.
    fn pass_over(&mut self, count: usize) {
        if let Some(excerpt) = &mut self.excerpt {
            excerpt.pass_over(count);
        }
    }
}

/// What has become of the output when the run is over.
#[derive(Default)]
pub struct Finished {
    /// What was kept of it.
    pub kept: KeptOutput,
    /// What has gone wrong with the keeping of it, in a line each: somebody believes it to be kept.
    pub complaints: Vec<String>,
    /// What else is to be known of it, in a line each.
    pub remarks: Vec<String>,
}

impl Output {
    /// Makes ready for what a plan wants. `None` if it wants nothing, or the caller has left nothing open to
    /// write to: then the command inherits its descriptors untouched.
    pub fn open(rule: &OutputRule, label: &Label, run: RunId, started_at: Timestamp) -> Option<Self> {
        if !rule.wants_pipes() {
            return None;
        }
        let mut complaints = Vec::new();
        let found = Destination::of(STDOUT_FILENO)
            .and_then(|stdout| Ok((stdout, Destination::of(STDERR_FILENO)?)))
            .inspect_err(|&error| complaints.push(not_captured(error)));
        // All or none: with one of two the order would be strange.
        let (stdout, stderr) = found.unwrap_or_default();
        let are_one = match (&stdout, &stderr) {
            (Some(stdout), Some(stderr)) => same_open_file(stdout.fd(), stderr.fd()),
            _ => false,
        };
        let keeps = rule.capture > 0 || rule.logs.is_some();
        let mut streams = Vec::new();
        let mut add = |numbers, stream| streams.push(Flow { stream, numbers, end: None });
        if let Some(stderr) = stderr {
            let numbers: &[usize] = if are_one { &[1, 2] } else { &[2] };
            let stream = match rule.quiet {
                Some(_) => Stream::holding(0, stderr, rule.spill_places.clone()),
                None => Stream::passing(0, stderr),
            };
            add(numbers, stream);
        }
        if let Some(stdout) = stdout.filter(|_| keeps && !are_one) {
            add(&[1], Stream::passing(1, stdout));
        }
        let mut open_log = |logs: &Logs| {
            LogFile::create(&logs.dir, label, run, started_at)
                .map_err(|why| complaints.push(format!("the output is not logged: {why}")))
                .ok()
        };
        let observers = Observers {
            excerpt: (rule.capture > 0).then(|| Excerpt::new(rule.capture)),
            log: rule.logs.as_ref().and_then(&mut open_log),
        };
        if rule.quiet.is_none() && observers.excerpt.is_none() && observers.log.is_none() {
            streams.clear();
        }
        Some(Self { streams, observers, signals: signals::readiness(), complaints, is_incomplete: false })
    }

    /// Makes the pipes for one attempt. Where there are none to be had, the command keeps what it has.
    pub fn connect(&mut self) {
        for at in 0..self.streams.len() {
            match self.streams[at].stream.connect() {
                Ok(end) => self.streams[at].end = Some(end),
                // All or none: with one of two the order would be strange.
                Err(error) => {
                    self.complaints.push(not_captured(error));
                    for flow in &mut self.streams {
                        flow.end = None;
                        flow.stream.close(&mut self.observers);
                    }
                    return;
                }
            }
        }
    }

    /// What is to become the command's descriptors 0, 1 and 2; `None`: what they are.
    pub fn stdio(&self) -> [Option<BorrowedFd<'_>>; 3] {
        let mut stdio = [None; 3];
        for flow in &self.streams {
            for &number in flow.numbers {
                stdio[number] = flow.end.as_ref().map(AsFd::as_fd);
            }
        }
        stdio
    }

    /// The command has its ends of the pipes, or has not been started.
    pub fn connected(&mut self) {
        self.streams.iter_mut().for_each(|flow| flow.end = None);
    }

    /// Lets the output go on until a signal has come, or the time is over; then `None`. What
    /// [`signals::next`] does while there is no output to look after.
    pub fn serve(&mut self, limit: Option<Duration>) -> Option<Arrived> {
        let deadline = limit.map(Deadline::after);
        loop {
            match self.turn(&|_| deadline.map(Deadline::left)) {
                Some(arrived) => return Some(arrived),
                None if deadline.is_some_and(Deadline::passed) => return None,
                None => {}
            }
        }
    }

    /// One turn: what can go on does; then whatever comes first is waited for, at most for as long as `limit`
    /// says of the streams as they are then.
    fn turn(&mut self, limit: &dyn Fn(&[Flow]) -> Option<Duration>) -> Option<Arrived> {
        let Self { streams, observers, signals, .. } = self;
        for flow in &mut *streams {
            flow.stream.advance(observers);
        }
        let mut limit = limit(streams);
        let mut waited_for = Vec::with_capacity(5);
        match &*signals {
            Some(signals) => waited_for.push(PollFd::new(signals.as_fd(), PollFlags::POLLIN)),
            None => limit = Some(limit.map_or(SLICE, |limit| limit.min(SLICE))),
        }
        for flow in &*streams {
            match flow.stream.want() {
                Want::Input(source, readers) => {
                    waited_for.push(PollFd::new(source, PollFlags::POLLIN));
                    waited_for.extend(readers.map(|fd| PollFd::new(fd, PollFlags::empty())));
                }
                Want::Room(to) => waited_for.push(PollFd::new(to, PollFlags::POLLOUT)),
                Want::Turn => limit = Some(Duration::ZERO),
                Want::Nothing => {}
            }
        }
        // Rounded up: it must not be asked for again and again during the last millisecond.
        let millis =
            |limit: Duration| i32::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
        let timeout = limit.map_or(PollTimeout::NONE, |limit| {
            PollTimeout::try_from(millis(limit)).unwrap_or(PollTimeout::MAX)
        });
        // EINTR: look at everything again. Without memory for the call, too, after a while.
        if poll(&mut waited_for, timeout).is_err_and(|error| error != Errno::EINTR) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let is_wrong = |polled: &PollFd<'_>| polled.revents().is_some_and(|r| r.contains(PollFlags::POLLERR));
        if waited_for.iter().any(is_wrong) {
            streams.iter_mut().for_each(|flow| flow.stream.look_for_readers(observers));
        }
        signals::next(Some(Duration::ZERO))
    }

    /// The command has ended. What it had written by then goes on, however long that takes, since without the
    /// pipe it would not have ended before: until `patience` is over, if there is a limit. Whoever else still
    /// has the pipe is listened to for two seconds and then left to itself. A signal for which `stops` says so
    /// cuts all of that short.
    ///
    /// False if it was cut short.
    pub fn drain(&mut self, patience: Option<Deadline>, stops: &mut dyn FnMut(Arrived) -> bool) -> bool {
        // Of a command that was never started we have the other end.
        self.connected();
        let others = Deadline::after(DRAIN);
        let limit = |streams: &[Flow]| {
            if streams.iter().any(|flow| flow.stream.owes()) {
                patience.map(|patience| patience.max(others).left())
            } else if streams.iter().any(|flow| flow.stream.is_open()) {
                Some(others.left())
            } else {
                Some(Duration::ZERO)
            }
        };
        self.streams.iter_mut().for_each(|flow| flow.stream.settle_account());
        let in_full = self.turn_until_over(&limit, stops);
        for flow in &mut self.streams {
            self.is_incomplete |= flow.stream.is_open();
            flow.stream.give_up(&mut self.observers);
        }
        in_full
    }

    /// Lets what is held back go on, until a signal for which `stops` says so has come. What has gone wrong
    /// with that, in a line; `None` if nothing has.
    pub fn show(&mut self, stops: &mut dyn FnMut(Arrived) -> bool) -> Option<String> {
        let was_lost = self.lost().is_some();
        self.streams.iter_mut().for_each(|flow| flow.stream.show());
        let owes = |streams: &[Flow]| streams.iter().any(|flow| flow.stream.owes());
        self.turn_until_over(&|streams| (!owes(streams)).then_some(Duration::ZERO), stops);
        let unread = self.streams.iter().find_map(|flow| flow.stream.not_shown.as_ref()).map(|error| {
            format!("a part of the output that was held back is lost: {}", os_error::words_of(error))
        });
        unread.or_else(|| self.lost().filter(|_| !was_lost))
    }

    /// Takes turns until there is no time left for another. False if a signal has cut that short.
    fn turn_until_over(
        &mut self,
        limit: &dyn Fn(&[Flow]) -> Option<Duration>,
        stops: &mut dyn FnMut(Arrived) -> bool,
    ) -> bool {
        loop {
            let arrived = self.turn(limit);
            if arrived.is_some_and(&mut *stops) {
                return false;
            }
            if arrived.is_none() && limit(&self.streams).is_some_and(|left| left.is_zero()) {
                return true;
            }
        }
    }

    /// Whether something is held back.
    pub fn is_held(&self) -> bool {
        self.streams.iter().any(|flow| flow.stream.held() > 0)
    }

    /// Why output was lost that the command believes to have written: in words; `None` if none was. That
    /// nobody reads a pipe any more is no loss, but what was to be.
    pub fn lost(&self) -> Option<String> {
        self.streams.iter().find_map(|flow| {
            let name = if flow.numbers.contains(&1) { "stdout" } else { "stderr" };
            let why = match flow.stream.loss? {
                Loss::Error(Errno::EPIPE) => return None,
                Loss::Error(error) => format!("cannot write to {name}: {}", os_error::words(error)),
                Loss::NoTime => format!("{name} was not read in time"),
            };
            Some(format!("its output was lost: {why}"))
        })
    }

    /// The run is over. `keep_log`: whether the file is to be kept.
    pub fn finish(&mut self, rule: &OutputRule, keep_log: bool, now: Timestamp) -> Finished {
        let observers = std::mem::take(&mut self.observers);
        let mut complaints = std::mem::take(&mut self.complaints);
        complaints.extend(self.streams.iter().filter_map(|flow| flow.stream.not_held.as_ref()).map(
            |error| format!("the output could not be held back any longer: {}", os_error::words_of(error)),
        ));
        let left = "a process that the job has left behind still had its output open";
        let remarks = self.is_incomplete.then(|| left.to_owned()).into_iter().collect();
        let mut log = None;
        if let (Some(file), Some(logs)) = (observers.log, &rule.logs) {
            let finished = file.finish(keep_log, &logs.keep, now);
            log = finished.path;
            complaints.extend(finished.problem);
        }
        let kept = KeptOutput { excerpt: observers.excerpt.map(Excerpt::finish), log };
        Finished { kept, complaints, remarks }
    }
}

fn not_captured(error: Errno) -> String {
    format!("the output is not captured: {}", os_error::words(error))
}
