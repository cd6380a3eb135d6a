//! Signals as data. cronward blocks all of them from its first instruction to its last and takes
//! them one by one with sigtimedwait(2): there is no handler, no race, and no disposition changes,
//! so that the command inherits what cronward received. Blocking has three more effects that a
//! wrapper wants: a closed pipe gives EPIPE instead of SIGPIPE, RLIMIT_FSIZE gives EFBIG instead of
//! SIGXFSZ, and a background process may write to its terminal (SIGTTOU).
//!
//! The kernel's calls are made directly, with the kernel's 64-bit set: the C libraries hide the
//! signals that they keep for themselves (32 to 34), and those can be blocked or ignored by a
//! caller like any other.

use std::io;
use std::mem;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use nix::libc::{self, c_int, c_long};

pub use super::signal_set::{Arrived, Sender, SignalSet, send, send_group};
use crate::job::Signal;

/// Size of the kernel's set, as its calls want it.
const SET_BYTES: usize = mem::size_of::<u64>();

/// Sets this thread's mask and returns the one before.
pub fn set_mask(mask: SignalSet) -> SignalSet {
    let mut before = 0_u64;
    // SAFETY: both pointers are to 64-bit sets that live across the call, and the size is theirs.
    // The call cannot fail with a valid `how` and valid pointers.
    unsafe {
        let how = c_long::from(libc::SIG_SETMASK);
        libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const mask.0, &raw mut before, SET_BYTES);
    }
    SignalSet(before)
}

/// The kernel's struct sigaction on 64-bit Linux; the C libraries' differs.
#[repr(C)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

fn kernel_sigaction(signal: Signal, new: Option<&KernelAction>) -> usize {
    let mut old = KernelAction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `new` is null or a live struct in the kernel's layout, `old` is one too. A handler
    // is only ever SIG_DFL or SIG_IGN, so no restorer is needed. An unknown signal number gives
    // EINVAL and leaves `old` at its default.
    unsafe {
        let signal = c_long::from(signal.0);
        libc::syscall(libc::SYS_rt_sigaction, signal, new, &raw mut old, SET_BYTES);
    }
    old.handler
}

/// Whether the signal's disposition is to be ignored.
pub fn is_ignored(signal: Signal) -> bool {
    kernel_sigaction(signal, None) == libc::SIG_IGN
}

/// Sets the disposition to default, and says whether it was to be ignored before.
pub fn set_default(signal: Signal) -> bool {
    let action = KernelAction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    kernel_sigaction(signal, Some(&action)) == libc::SIG_IGN
}

/// Sets the disposition to be ignored. Async-signal-safe: used between clone and exec.
pub(super) fn set_ignored(signal: Signal) {
    let action = KernelAction { handler: libc::SIG_IGN, flags: 0, restorer: 0, mask: 0 };
    kernel_sigaction(signal, Some(&action));
}

/// Nothing is to be done before signals can be taken: they only have to be blocked.
#[inline(always)]
pub(super) fn stand_ready() {}

/// Nothing is to be undone between clone and exec.
#[inline(always)]
pub(super) fn stand_down() {}

/// Takes the next pending signal, waiting at most `limit`, without end if there is none. `None`
/// when the time is over.
///
/// Signals must be blocked, else one that comes is not taken but acts.
pub fn next(limit: Option<Duration>) -> Option<Arrived> {
    loop {
        match timed_wait(SignalSet::ALL, limit) {
            Ok(arrived) => return Some(arrived),
            // A stop and continue of cronward itself (SIGSTOP cannot be blocked), signal(7). The
            // caller's timers are absolute, so waiting again from here is no harm.
            Err(libc::EINTR) => {
                if limit.is_some() {
                    return None;
                }
            }
            // EAGAIN: the time is over. EINVAL: a limit that is no time; both mean "look again".
            Err(_) => return None,
        }
    }
}

/// A descriptor that poll(2) calls readable while a signal is pending, for who has to wait for other
/// descriptors as well; the signal itself is taken by [`next`]. `None` if there is none to be had.
pub fn readiness() -> Option<OwnedFd> {
    let all = SignalSet::ALL.0;
    let flags = c_long::from(libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
    // SAFETY: signalfd4(2) reads a set of the size that is given, and makes a new descriptor for -1.
    unsafe {
        let made = libc::syscall(libc::SYS_signalfd4, -1 as c_long, &raw const all, SET_BYTES, flags);
        (made >= 0).then(|| OwnedFd::from_raw_fd(made as c_int))
    }
}

/// Takes a signal of the set that is pending already.
pub fn take(set: SignalSet) -> Option<Signal> {
    timed_wait(set, Some(Duration::ZERO)).ok().map(|arrived| arrived.signal)
}

/// Takes back a signal that this thread has brought upon itself and that is still pending. One
/// system call, so also for a child between clone and exec.
pub fn forget(signal: Signal) {
    let set = SignalSet::only(signal).0;
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let nowhere = ptr::null_mut::<libc::siginfo_t>();
    // SAFETY: the set and the time are live, the size is the kernel's, and null is allowed where
    // nobody wants to know the sender (sigtimedwait(2)).
    unsafe {
        libc::syscall(libc::SYS_rt_sigtimedwait, &raw const set, nowhere, &raw const at_once, SET_BYTES);
    }
}

fn timed_wait(set: SignalSet, limit: Option<Duration>) -> Result<Arrived, c_int> {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: (limit.as_secs().min(i32::MAX as u64) as i32).into(),
        tv_nsec: (limit.subsec_nanos() as i32).into(),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: siginfo_t is plain old data for which all zeroes is a value; the kernel fills it. The
    // set and the time are live or null, and the size is the kernel's.
    let (signal, info) = unsafe {
        let mut info: libc::siginfo_t = mem::zeroed();
        let signal =
            libc::syscall(libc::SYS_rt_sigtimedwait, &raw const set.0, &raw mut info, limit, SET_BYTES);
        (signal, info)
    };
    if signal < 0 {
        return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EAGAIN));
    }
    let sender = match info.si_code {
        // SAFETY: for these codes the kernel has set si_pid (sigaction(2)).
        libc::SI_USER | libc::SI_TKILL | libc::SI_QUEUE => Sender::Process(unsafe { info.si_pid() } as u32),
        _ => Sender::Kernel,
    };
    Ok(Arrived { signal: Signal(signal as c_int), sender })
}

/// Stops this process by a job-control signal (TSTP, TTIN, TTOU), as the terminal stopped the
/// command, so that the shell sees its job stopped; returns when it has been continued.
///
/// Not by SIGSTOP: the kernel lets a job-control signal pass without effect where nobody could
/// continue the process (an orphaned process group, as under cron; setpgid(2)), and where the
/// caller has it ignored.
pub fn stop_self(signal: Signal) {
    // Sent while it is blocked: if the terminal's own is pending, the two are one. Sent afterwards, it
    // would stop us a second time, just when the shell had continued us.
    send(std::process::id(), signal);
    let mask = set_mask(SignalSet::ALL.without(signal));
    set_mask(mask);
}

/// Ends this process by a signal, so that the caller sees what it would have seen of the command.
/// Returns if that cannot be: as the init process of a pid namespace, where the kernel drops
/// signals of default action (pid_namespaces(7)).
///
/// There is no second core file: a limit of zero does not stop a core that is piped to a program
/// (core(5)), a process that is not dumpable has none in either case.
pub fn die_of(signal: Signal) {
    // SAFETY: prctl and setrlimit take integers and a live struct; failing, they change nothing.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
    }
    set_default(signal);
    send(std::process::id(), signal);
    set_mask(SignalSet::ALL.without(signal));
}

#[cfg(test)]
#[path = "../signal_tests.rs"]
mod tests;
