//! Running a program to its end or to the deadline, with something to read and somebody who reads
//! what it says.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::{Deadline, Stopwatch};
use crate::job::Signal;
use crate::os_error;
use crate::outcome::Ending;
use crate::redact::one_line;
use crate::sys::entry::SignalState;
use crate::sys::pipes::pipe;
use crate::sys::process::{Exec, LastWords, StartError, spawn, wait_until};
use crate::sys::signals::{SignalSet, send_group};

/// How much of what the program says is kept, in bytes, the last of it.
const KEPT: usize = 4096;

/// Longest line that is quoted, in characters.
const QUOTED_MAX: usize = 200;

/// How often it is asked after while a pipe of it is open: a daemon that it left behind may hold
/// that open for ever.
const TICK: Duration = Duration::from_millis(20);

/// How long a killed program is waited for; one in uninterruptible sleep does not die.
const REAP_LIMIT: Duration = Duration::from_millis(50);

/// Runs a program in a process group of its own, with `input` on its stdin, until it ends.
///
/// # Errors
/// In words, if it could not be started, ended with another exit status than 0, by a signal or not
/// by the deadline; then its group has been killed. The last line that it wrote stands behind.
pub fn run(
    argv: &[OsString],
    environment: &[OsString],
    input: &[u8],
    deadline: Deadline,
) -> Result<(), String> {
    let clock = Stopwatch::start();
    let mut talk = Talk { input, stdin: None, output: None, said: Vec::new() };
    let pid = {
        let cannot_talk = |errno: Errno| format!("cannot make a pipe: {}", os_error::words(errno));
        let (its_stdin, our_stdin) = pipe().map_err(cannot_talk)?;
        let (our_output, its_output) = pipe().map_err(cannot_talk)?;
        talk.stdin = Some(nonblocking(our_stdin).map_err(cannot_talk)?);
        talk.output = Some(nonblocking(our_output).map_err(cannot_talk)?);
        let output = Some(its_output.as_fd());
        spawn(&Exec {
            argv,
            environment,
            search_path: None,
            stdio: [Some(its_stdin.as_fd()), output, output],
            own_group: true,
            signals: SignalState { mask: SignalSet::NONE, child_ignored: false },
            last_words: LastWords::default(),
        })
        .map_err(|error| cannot_start(&error))?
    };
    let ending = loop {
        if talk.is_over() {
            break wait_until(pid, deadline);
        }
        talk.wait(deadline.left().min(TICK));
        let ending = wait_until(pid, Deadline::after(Duration::ZERO));
        talk.pump();
        if ending.is_some() || deadline.passed() {
            break ending;
        }
    };
    let why = match ending {
        Some(Ending::Exited(0)) => return Ok(()),
        Some(Ending::Exited(code)) => format!("exit status {code}"),
        Some(Ending::Killed { signal, .. }) => format!("killed by {signal}"),
        None => {
            send_group(pid, Signal::KILL);
            wait_until(pid, Deadline::after(REAP_LIMIT));
            talk.pump();
            format!("timed out after {:.1}s", clock.elapsed().as_secs_f64())
        }
    };
    Err(match last_line(&talk.said) {
        Some(line) => format!("{why}: {line}"),
        None => why,
    })
}

/// Our ends of the pipes are ours alone, so the flag hurts nobody.
fn nonblocking(end: OwnedFd) -> Result<File, Errno> {
    fcntl(&end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(end.into())
}

fn cannot_start(error: &StartError) -> String {
    let (what, number) = match *error {
        StartError::NoProcess(number) => ("no process to be had", number),
        StartError::NoProgram(number) => ("cannot execute /bin/sh", number),
    };
    format!("{what}: {}", os_error::words(Errno::from_raw(number)))
}

/// What passes between us and the program.
struct Talk<'a> {
    /// What it has not read yet.
    input: &'a [u8],
    /// `None` once it has everything or does not want it.
    stdin: Option<File>,
    /// `None` once nobody writes to it any more.
    output: Option<File>,
    /// The last of what it said.
    said: Vec<u8>,
}

impl Talk<'_> {
    fn is_over(&self) -> bool {
        self.stdin.is_none() && self.output.is_none()
    }

    /// Waits until something can be written or read, or the time is over.
    fn wait(&self, limit: Duration) {
        let mut fds = Vec::with_capacity(2);
        fds.extend(self.stdin.as_ref().map(|file| PollFd::new(file.as_fd(), PollFlags::POLLOUT)));
        fds.extend(self.output.as_ref().map(|file| PollFd::new(file.as_fd(), PollFlags::POLLIN)));
        // An error is no more than a shorter wait.
        let _ = poll(&mut fds, PollTimeout::from((limit.as_millis() as u16).saturating_add(1)));
    }

    /// Writes and reads what can be without waiting.
    fn pump(&mut self) {
        if let Some(stdin) = &mut self.stdin {
            let refused = loop {
                match stdin.write(self.input) {
                    Ok(written) => self.input = &self.input[written..],
                    Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
                }
                if self.input.is_empty() {
                    break true;
                }
            };
            // A program need not read what it is given: a closed pipe (EPIPE, with SIGPIPE
            // blocked) is no failure.
            if refused {
                self.stdin = None;
            }
        }
        if let Some(output) = &mut self.output {
            let mut buffer = [0; KEPT];
            // One that writes without end is read a piece a turn, so that the deadline is seen.
            for _ in 0..16 {
                match output.read(&mut buffer) {
                    Ok(0) => {
                        self.output = None;
                        break;
                    }
                    Ok(length) => keep_last(&mut self.said, &buffer[..length]),
                    Err(_) => break,
                }
            }
        }
    }
}

/// Appends, and forgets what is older than the last [`KEPT`] bytes.
fn keep_last(said: &mut Vec<u8>, more: &[u8]) {
    said.extend_from_slice(more);
    let surplus = said.len().saturating_sub(KEPT);
    said.drain(..surplus);
}

/// The last line that is not blank, cut, without what a terminal would obey.
fn last_line(said: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(said);
    let mut lines = text.lines().map(|line| one_line(line).trim().to_owned());
    let line = lines.rfind(|line| !line.is_empty())?;
    Some(line.chars().take(QUOTED_MAX).collect())
}
