//! Starting and reaping processes.
//!
//! `std::process::Command` would reset SIGPIPE in the child, could not run a script without `#!`,
//! and has no way to say which step failed. How the child is made is the matter of `fork`. Between then
//! and exec it makes only system calls, on buffers that were ready before.

pub(super) mod child;

use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::mem;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use nix::libc::{self, c_int};

use super::byte_lock::LockFile;
use super::entry::SignalState;
use super::fork::{Answer, Cradle};
use super::kernel;
use crate::clock::Deadline;
use crate::job::Signal;
use crate::outcome::{Ending, Usage};

/// What is searched where `PATH` is not set: what execvp(3) of most C libraries takes, without
/// the current directory.
pub const DEFAULT_SEARCH_PATH: &str = "/usr/bin:/bin";

/// A program to be executed.
pub struct Exec<'a> {
    /// Its argument vector; the first word is also what is searched for.
    pub argv: &'a [OsString],
    /// Its environment, `NAME=VALUE` words.
    pub environment: &'a [OsString],
    /// Where a name without a slash is searched; `None`: [`DEFAULT_SEARCH_PATH`].
    pub search_path: Option<&'a OsStr>,
    /// What becomes its descriptors 0, 1 and 2; `None`: what they are.
    pub stdio: [Option<BorrowedFd<'a>>; 3],
    /// Whether it gets a process group of its own.
    pub own_group: bool,
    /// The signal state that it gets.
    pub signals: SignalState,
    /// What it leaves on record before it executes.
    pub last_words: LastWords,
}

/// What the child writes between clone and exec, so that there is no instant at which a command is
/// running and not on record, whenever cronward is killed.
#[derive(Default)]
pub struct LastWords {
    /// A line for the journal.
    pub journal: Option<StartLine>,
    /// The lock file and the offset at which the child leaves what it is known by: the holder
    /// of the overlap lock, once cronward is dead.
    pub lock: Option<(Arc<LockFile>, u64)>,
}

/// A line that is appended to a journal.
pub struct StartLine {
    /// The journal, open for appending.
    pub journal: Arc<OwnedFd>,
    /// Its directory and name: a compaction may replace the file while the line is written.
    pub directory: Arc<OwnedFd>,
    /// Its name in that directory.
    pub name: CString,
    /// The line, with [`PID_DIGITS`] blanks where the pid goes.
    pub line: Vec<u8>,
    /// Where those blanks begin.
    pub pid_at: usize,
}

/// Room for the digits of a pid: the kernel's limit is 4194304 (proc(5), pid_max).
pub const PID_DIGITS: usize = 10;

/// Why a program could not be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartError {
    /// There is no process to be had: clone(2), or fork(2), failed with this error.
    NoProcess(c_int),
    /// The program could not be executed: the last error of execve(2), or EACCES if any place of
    /// the search path gave that.
    NoProgram(c_int),
}

/// How long a process is waited for that the kernel cannot make right now.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts a program. Its pid stays valid until it is reaped.
///
/// A kernel that is short of processes or memory for the moment is asked again for a second; a
/// program that is just being written (ETXTBSY, a deployment) is tried four times in 30 ms.
///
/// # Errors
/// See [`StartError`]. Nothing has been run then, although the last words may have been written.
pub fn spawn(exec: &Exec<'_>) -> Result<u32, StartError> {
    let (Some(mut argv), Some(mut environment)) =
        (StringArray::new(exec.argv), StringArray::new(exec.environment))
    else {
        return Err(StartError::NoProgram(libc::EINVAL));
    };
    let search_path = exec.search_path.unwrap_or(OsStr::new(DEFAULT_SEARCH_PATH)).as_bytes();
    let program = exec.argv.first().map_or(&[][..], |word| word.as_bytes());
    let mut candidate = vec![0_u8; search_path.len() + program.len() + 2];
    let mut shell_argv: Vec<*const c_char> = vec![ptr::null(); exec.argv.len() + 2];
    let mut task = child::Task {
        exec,
        argv: argv.pointers.as_mut_ptr(),
        environment: environment.pointers.as_mut_ptr(),
        shell_argv: shell_argv.as_mut_ptr(),
        program,
        search_path,
        candidate: candidate.as_mut_ptr(),
        answer: Answer::NONE,
    };
    let (pid, error) = start_patiently(&mut task)?;
    if error == 0 {
        return Ok(pid);
    }
    reap(pid, Wait::ToTheEnd);
    Err(StartError::NoProgram(error))
}

fn start_patiently(task: &mut child::Task<'_>) -> Result<(u32, c_int), StartError> {
    let mut cradle = Cradle::new();
    let patience = Deadline::after(PATIENCE);
    let mut pause = Duration::from_millis(10);
    loop {
        let error = match cradle.start(task) {
            Ok(started) => return Ok(started),
            Err(error) => error,
        };
        if !matches!(error, libc::EAGAIN | libc::ENOMEM) || patience.passed() {
            return Err(StartError::NoProcess(error));
        }
        std::thread::sleep(pause);
        pause = pause.saturating_mul(2).min(patience.left());
    }
}

/// The error of the last system call that failed.
pub(super) fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Words as the kernel wants them: C strings in one buffer, and an array of pointers to them that
/// ends in null.
struct StringArray {
    /// Owns what the pointers point to.
    _bytes: Vec<u8>,
    pointers: Vec<*const c_char>,
}

impl StringArray {
    /// `None` if a word holds a NUL.
    fn new(words: &[OsString]) -> Option<Self> {
        let size = words.iter().map(|word| word.len() + 1).sum();
        let mut bytes: Vec<u8> = Vec::with_capacity(size);
        let mut pointers = Vec::with_capacity(words.len() + 1);
        for word in words {
            if word.as_bytes().contains(&0) {
                return None;
            }
            // The buffer has its final size, so it does not move.
            pointers.push(bytes.as_ptr().wrapping_add(bytes.len()).cast::<c_char>());
            bytes.extend_from_slice(word.as_bytes());
            bytes.push(0);
        }
        pointers.push(ptr::null());
        Some(Self { _bytes: bytes, pointers })
    }
}

/// How a child is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// What can be said at once.
    Now,
    /// Until it has ended.
    ToTheEnd,
}

/// What wait4(2) says of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is running, or stopped as before.
    None,
    /// It was stopped by this signal.
    Stopped(Signal),
    /// It has ended, and is reaped.
    Ended(Ending, Usage),
    /// There is no such child: somebody else reaped it.
    Gone,
}

/// Asks after one child.
pub fn reap(pid: u32, wait: Wait) -> Change {
    wait4(pid as i32, wait).1
}

/// Asks after any child: the pid of one that has changed, and how; `None` if none has.
pub fn reap_any() -> Option<(u32, Change)> {
    match wait4(-1, Wait::Now) {
        (_, Change::None | Change::Gone) => None,
        (pid, change) => Some((pid, change)),
    }
}

/// Whether this process has a child at all, ended ones included.
pub fn has_children() -> bool {
    // SAFETY: waitid(2) with WNOWAIT reaps nothing; the struct is zeroed plain old data.
    unsafe {
        let mut info: libc::siginfo_t = mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_ALL, 0, &raw mut info, options) == 0
    }
}

fn wait4(pid: i32, wait: Wait) -> (u32, Change) {
    let options = match wait {
        Wait::Now => libc::WNOHANG | libc::WUNTRACED,
        Wait::ToTheEnd => 0,
    };
    let mut patience = 10;
    loop {
        let mut status: c_int = 0;
        // SAFETY: rusage is plain old data for which zeroes are valid; both pointers are live.
        let (found, usage) = unsafe {
            let mut usage: libc::rusage = mem::zeroed();
            (libc::wait4(pid, &raw mut status, options, &raw mut usage), usage)
        };
        let change = match found {
            -1 if errno() == libc::EINTR => continue,
            // ECHILD is the one error that wait4(2) has for us. Asked a few times, since taking it for
            // the end of a command that is still running would be worse than anything else.
            -1 if patience > 0 => {
                patience -= 1;
                continue;
            }
            -1 => Change::Gone,
            0 => Change::None,
            _ if libc::WIFSTOPPED(status) => Change::Stopped(Signal(libc::WSTOPSIG(status))),
            _ => Change::Ended(Ending::from_wait_status(status), usage_of(&usage)),
        };
        return (u32::try_from(found).unwrap_or(0), change);
    }
}

/// Waits until a child has ended, at most until the deadline; `None`: nobody can say that it has. The
/// signals of the process are left to its main thread.
pub fn wait_until(pid: u32, deadline: Deadline) -> Option<Ending> {
    // A thread cannot wait for SIGCHLD, which the main thread may take; a pidfd becomes readable
    // when the process ends. Without it, ask every few milliseconds.
    let pidfd = kernel::descriptor_of_process(pid);
    let ended = loop {
        match reap(pid, Wait::Now) {
            Change::Ended(ending, _) => break Some(ending),
            Change::Gone => break None,
            Change::None | Change::Stopped(_) if deadline.passed() => break None,
            Change::None | Change::Stopped(_) => {}
        }
        let longest = if pidfd < 0 { 5 } else { i32::MAX as u128 };
        let millis = (deadline.left().as_millis() + 1).min(longest) as c_int;
        let mut poll = libc::pollfd { fd: pidfd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one live pollfd; a negative descriptor is ignored (poll(2)).
        unsafe { libc::poll(&raw mut poll, 1, millis) };
    };
    if pidfd >= 0 {
        // SAFETY: opened above and handed to nobody.
        unsafe { libc::close(pidfd) };
    }
    ended
}

fn usage_of(usage: &libc::rusage) -> Usage {
    let span = |time: libc::timeval| {
        // Below a million; its type differs from one C library to the next.
        let micros = u32::try_from(time.tv_usec).unwrap_or(0);
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(micros.into())
    };
    Usage {
        user: span(usage.ru_utime),
        system: span(usage.ru_stime),
        max_rss_bytes: usage.ru_maxrss.unsigned_abs() * kernel::RSS_UNIT,
        minor_faults: usage.ru_minflt.unsigned_abs(),
        major_faults: usage.ru_majflt.unsigned_abs(),
        voluntary_switches: usage.ru_nvcsw.unsigned_abs(),
        involuntary_switches: usage.ru_nivcsw.unsigned_abs(),
        blocks_in: usage.ru_inblock.unsigned_abs(),
        blocks_out: usage.ru_oublock.unsigned_abs(),
    }
}

#[cfg(test)]
mod tests;
