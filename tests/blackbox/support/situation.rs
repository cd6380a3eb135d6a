//! What a process finds at its start besides words and files, and the one place that starts processes:
//! `std::process::Command` cannot hand over a blocked signal, a closed descriptor or an environment
//! word without `=`.
#![expect(unsafe_code, reason = "a caller's state can only be made between fork and exec")]

use std::ffi::{CString, OsStr, OsString, c_char};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::ptr;
use std::time::{Duration, Instant};

use nix::libc::{self, c_int};

/// The state in which a caller leaves a process.
#[derive(Debug, Clone, Default)]
pub struct Situation {
    /// Descriptors that are closed.
    pub closed: Vec<RawFd>,
    /// Descriptors from 3 on that are open: each a copy of stdin.
    pub extra: Vec<RawFd>,
    /// Signals that are ignored.
    pub ignored: Vec<i32>,
    /// Signals that are blocked.
    pub blocked: Vec<i32>,
    /// The mask of file modes.
    pub umask: Option<u32>,
    /// Soft limits of resources.
    pub limits: Vec<(u32, u64)>,
    /// What is added to the nice value.
    pub nice: i32,
    /// Whether the process leads a group of its own.
    pub own_group: bool,
    /// Whether the process leads a session of its own, without a terminal.
    pub own_session: bool,
    /// Whether orphans below the process are given to it.
    pub adopts: bool,
    /// Directory that is removed once the process stands in it.
    pub removed_cwd: Option<PathBuf>,
}

/// The streams of a process.
pub struct Streams {
    /// Descriptor 0.
    pub stdin: Stdio,
    /// Descriptor 1.
    pub stdout: Stdio,
    /// Descriptor 2.
    pub stderr: Stdio,
}

/// Words as execve(2) takes them.
struct Words {
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

// SAFETY: the pointers are into heap buffers that the same struct owns and that nobody changes.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    fn new(words: &[OsString]) -> Self {
        let owned: Vec<_> = words.iter().map(|word| c_string(word)).collect();
        let mut pointers: Vec<_> = owned.iter().map(|word| word.as_ptr()).collect();
        pointers.push(ptr::null());
        Self { _owned: owned, pointers }
    }

    fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

fn c_string(word: &OsStr) -> CString {
    CString::new(word.as_bytes()).expect("words of the tests hold no NUL")
}

/// Starts `argv[0]`, which is a path, with exactly this environment.
pub fn start(
    argv: &[OsString],
    environment: &[OsString],
    cwd: &Path,
    streams: Streams,
    situation: &Situation,
) -> io::Result<Child> {
    let program = c_string(&argv[0]);
    let argv_words = Words::new(argv);
    let environment_words = Words::new(environment);
    let situation = situation.clone();
    let removed = situation.removed_cwd.as_ref().map(|path| c_string(path.as_os_str()));
    let mut command = Command::new(&argv[0]);
    command.current_dir(cwd).stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    // SAFETY: between fork and exec the closure only makes system calls on what was built before;
    // it neither allocates nor locks. It does not come back unless something failed.
    unsafe {
        command.pre_exec(move || {
            apply(&situation, removed.as_deref().map(|path| path.as_ptr()))?;
            libc::execve(program.as_ptr(), argv_words.as_ptr(), environment_words.as_ptr());
            Err(io::Error::last_os_error())
        });
    }
    command.spawn()
}

/// # Safety
/// To be called between fork and exec, with a null or a C string.
unsafe fn apply(situation: &Situation, removed_cwd: Option<*const c_char>) -> io::Result<()> {
    // SAFETY: system calls on integers and on live structs.
    unsafe {
        if let Some(path) = removed_cwd {
            check(libc::chdir(path))?;
            check(libc::rmdir(path))?;
        }
        for &fd in &situation.extra {
            check(libc::dup2(0, fd))?;
        }
        if situation.own_session {
            check(libc::setsid())?;
        } else if situation.own_group {
            check(libc::setpgid(0, 0))?;
        }
        if situation.adopts {
            check(libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))?;
        }
        if situation.nice != 0 {
            check(libc::setpriority(libc::PRIO_PROCESS, 0, situation.nice))?;
        }
        if let Some(umask) = situation.umask {
            libc::umask(umask);
        }
        // Whoever runs the tests in the background of a script has some of these ignored.
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
            libc::signal(signal, libc::SIG_DFL);
        }
        for &signal in &situation.ignored {
            if libc::signal(signal, libc::SIG_IGN) == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        let mask = situation.blocked.iter().fold(0_u64, |mask, signal| mask | 1 << (signal - 1));
        // The system call itself: the C library's keeps two real-time signals out of every mask.
        let set = &raw const mask;
        check(
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, set, ptr::null::<u64>(), 8) as c_int
        )?;
        for &(resource, soft) in &situation.limits {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            check(libc::getrlimit(resource, &raw mut limit))?;
            limit.rlim_cur = soft.min(limit.rlim_max);
            check(libc::setrlimit(resource, &raw const limit))?;
        }
        for &fd in &situation.closed {
            libc::close(fd);
        }
    }
    Ok(())
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends a signal to a process.
pub fn send(pid: u32, signal: i32) {
    // SAFETY: kill(2) takes integers; the pid is that of a process that a test has started.
    unsafe { libc::kill(pid as i32, signal) };
}

/// Sends a signal to a process group.
pub fn send_group(group: u32, signal: i32) {
    // SAFETY: as above; the group is that of a process that a test has started as its leader.
    unsafe { libc::kill(-(group as i32), signal) };
}

/// Waits until a descriptor is readable or hung up; false if that does not happen in time.
pub fn wait_readable(fd: &impl AsRawFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one live pollfd.
        let ready = unsafe { libc::poll(&raw mut poll, 1, left.as_millis() as c_int) };
        if ready > 0 {
            return true;
        }
        if left == Duration::ZERO {
            return false;
        }
    }
}

/// Waits until a child of ours has ended, without reaping it; false if it does not in time.
pub fn wait_ended(pid: u32, deadline: Instant) -> bool {
    // SAFETY: pidfd_open takes integers and gives a new descriptor, which nobody else has.
    let pidfd = unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0) as RawFd;
        assert!(fd >= 0, "pidfd_open: {}", io::Error::last_os_error());
        OwnedFd::from_raw_fd(fd)
    };
    wait_readable(&pidfd, deadline)
}

/// A pipe, its reading end first. Both ends are closed at exec.
pub fn pipe() -> (File, File) {
    let mut fds = [0; 2];
    // SAFETY: the array is live; the descriptors that it is given belong to nobody else.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0, "{}", io::Error::last_os_error());
        (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1]))
    }
}

/// Makes a FIFO.
pub fn make_fifo(path: &Path) {
    let name = c_string(path.as_os_str());
    // SAFETY: a live C string.
    let result = unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
    assert_eq!(result, 0, "mkfifo {}: {}", path.display(), io::Error::last_os_error());
}

/// Whether the tests run as root, to whom file modes mean nothing.
pub fn is_root() -> bool {
    // SAFETY: geteuid(2) takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
