//! Signals as data, by what POSIX has. They are blocked from the first instruction to the last, as under Linux, and
//! let in only while they are asked for: by pselect(2), which waits with another mask, or by a moment of
//! sigprocmask(2). A handler then notes which one came and from whom.
//!
//! Not by sigwait(2): it does not say who the sender was (sigwaitinfo(2), which does, is not everywhere), and the BSDs
//! throw away what is to be ignored by default, such as SIGCHLD, although it is blocked, unless there is a handler.
//!
//! What was ignored stays ignored, and has no handler. exec gives all others their default back, which they had when
//! cronward was started, so the command inherits what cronward received; between fork and exec [`stand_down`] does.
//!
//! Several of one real-time signal that come at the same instant are one.

use std::mem;
use std::os::fd::OwnedFd;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::libc::{self, c_int, c_void};

pub use super::signal_set::{Arrived, Sender, SignalSet, send, send_group};
use crate::job::Signal;

/// One more than the largest number of a signal, of any kernel.
const NUMBERS: usize = 128;

/// Those that have no handler, and so are never let in: two that cannot have one, and what a process brings upon
/// itself by its own faults and writes, which is no message to anybody.
const OWN_FAULTS: [c_int; 12] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGPIPE,
    libc::SIGXCPU,
    libc::SIGXFSZ,
];

/// Which signals have the handler.
static HANDLED: [AtomicBool; NUMBERS] = [const { AtomicBool::new(false) }; NUMBERS];

/// What stands in [`CAME`] for a signal that has come; in the lower half the pid of its sender, or 0.
const HAS_COME: u64 = 1 << 32;

thread_local! {
    /// What has come and was not taken yet. Of each thread, since each lets in what it has asked for.
    static CAME: [AtomicU64; NUMBERS] = const { [const { AtomicU64::new(0) }; NUMBERS] };
}

/// The handler: async-signal-safe, since it stores one number. The thread has been at its numbers before it let
/// anything in, so that they are there.
extern "C" fn note(signal: c_int, origin: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a live struct (sigaction(2)). It has the sender's pid in it if a process
    // has sent it, and 0 there if the kernel has.
    let pid = unsafe { (*origin).si_pid() };
    let at = usize::try_from(signal).unwrap_or(NUMBERS);
    let came = HAS_COME | u64::from(pid.unsigned_abs());
    CAME.with(|numbers| {
        numbers.get(at).into_iter().for_each(|number| number.store(came, Ordering::Relaxed));
        // As a kernel does with what is pending.
        for other in
            called_off_by(signal).iter().filter_map(|&other| numbers.get(usize::try_from(other).ok()?))
        {
            other.store(0, Ordering::Relaxed);
        }
    });
}

/// Signals that mean nothing any more once this one has come: a stop before it was continued, and the other way round
/// (sigaction(2), POSIX: generating the one discards the others).
fn called_off_by(signal: c_int) -> &'static [c_int] {
    match signal {
        libc::SIGCONT => &[libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU],
        libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => &[libc::SIGCONT],
        _ => &[],
    }
}

/// The C library's set of these signals.
fn to_library(set: SignalSet) -> libc::sigset_t {
    // SAFETY: sigemptyset(3) makes a value of it; a number that the library does not know is refused.
    unsafe {
        let mut made: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut made);
        for number in (1..NUMBERS as c_int).filter(|&number| set.contains(Signal(number))) {
            libc::sigaddset(&raw mut made, number);
        }
        made
    }
}

fn of_library(set: &libc::sigset_t) -> SignalSet {
    // SAFETY: a live set; a number that the library does not know gives -1.
    let is_in = |number: &c_int| unsafe { libc::sigismember(ptr::from_ref(set), *number) == 1 };
    (1..NUMBERS as c_int).filter(is_in).map(Signal).fold(SignalSet::NONE, SignalSet::with)
}

/// Sets this thread's mask and returns the one before (pthread_sigmask(3)).
pub fn set_mask(mask: SignalSet) -> SignalSet {
    let mask = to_library(mask);
    // SAFETY: two live sets.
    unsafe {
        let mut before: libc::sigset_t = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, &raw mut before);
        of_library(&before)
    }
}

/// Sets a disposition, if there is one to set, and returns the one before; `None`: there is no such signal, or it is
/// the C library's own. One system call (sigaction(2)), so also for a child between fork and exec.
fn disposition(signal: Signal, new: Option<&libc::sigaction>) -> Option<libc::sigaction> {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `new` is null or a live struct, made by `action`; zeroes are a value of the other.
    unsafe {
        let mut old: libc::sigaction = mem::zeroed();
        (libc::sigaction(signal.0, new, &raw mut old) == 0).then_some(old)
    }
}

fn action(handler: usize, flags: c_int) -> libc::sigaction {
    // SAFETY: plain old data, for which zeroes are a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    // One handler at a time.
    action.sa_mask = to_library(SignalSet::ALL);
    action
}

/// Whether the signal's disposition is to be ignored.
pub fn is_ignored(signal: Signal) -> bool {
    disposition(signal, None).is_some_and(|found| found.sa_sigaction == libc::SIG_IGN)
}

/// Sets the disposition to default, and says whether it was to be ignored before.
pub fn set_default(signal: Signal) -> bool {
    let before = disposition(signal, Some(&action(libc::SIG_DFL, 0)));
    before.is_some_and(|before| before.sa_sigaction == libc::SIG_IGN)
}

/// Sets the disposition to be ignored. Async-signal-safe: used between fork and exec.
pub(super) fn set_ignored(signal: Signal) {
    disposition(signal, Some(&action(libc::SIG_IGN, 0)));
}

/// Whether a signal has the handler.
fn is_handled(signal: Signal) -> bool {
    let at = usize::try_from(signal.0).unwrap_or(NUMBERS);
    HANDLED.get(at).is_some_and(|handled| handled.load(Ordering::Relaxed))
}

/// Gives every signal its handler that is not to be ignored. As early as can be: a BSD throws away what comes before.
pub(super) fn stand_ready() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let noting = action(note as *const () as usize, libc::SA_SIGINFO);
        for (number, handled) in (0..).zip(&HANDLED).skip(1) {
            let signal = Signal(number);
            let wanted = !OWN_FAULTS.contains(&number) && !is_ignored(signal);
            handled.store(wanted && disposition(signal, Some(&noting)).is_some(), Ordering::Relaxed);
        }
    });
}

/// Gives them back their default, which exec would; from then on no signal is lost in a child. Async-signal-safe.
pub(super) fn stand_down() {
    let default = action(libc::SIG_DFL, 0);
    for signal in (1..NUMBERS as c_int).map(Signal).filter(|&signal| is_handled(signal)) {
        disposition(signal, Some(&default));
    }
}

/// The mask with which these signals are let in, as far as they have the handler, and no others.
fn letting_in(set: SignalSet) -> libc::sigset_t {
    let in_it = |signal: &Signal| set.contains(*signal) && is_handled(*signal);
    to_library((1..NUMBERS as c_int).map(Signal).filter(in_it).fold(SignalSet::ALL, SignalSet::without))
}

/// Has the handler note those of the set that are pending: POSIX lets them come before the call returns that unblocks
/// them (sigprocmask(2)).
fn let_in(set: SignalSet) {
    stand_ready();
    CAME.with(|_| {});
    let mask = letting_in(set);
    // SAFETY: live sets.
    unsafe {
        let mut before: libc::sigset_t = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, &raw mut before);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
    }
}

/// The first of the set that the handler has noted.
fn noted(set: SignalSet) -> Option<Arrived> {
    CAME.with(|numbers| {
        let wanted = (0..).zip(numbers).skip(1).filter(|&(number, _)| set.contains(Signal(number)));
        wanted.map(|(number, came)| (number, came.swap(0, Ordering::Relaxed))).find(|&(_, came)| came != 0)
    })
    .map(|(number, came)| {
        let sender = match (came & !HAS_COME) as u32 {
            0 => Sender::Kernel,
            pid => Sender::Process(pid),
        };
        Arrived { signal: Signal(number), sender }
    })
}

/// Takes the next pending signal, waiting at most `limit`, without end if there is none. `None`
/// when the time is over.
///
/// Signals must be blocked, else one that comes is not taken but acts.
pub fn next(limit: Option<Duration>) -> Option<Arrived> {
    loop {
        let_in(SignalSet::ALL);
        let arrived = noted(SignalSet::ALL);
        if arrived.is_some() || limit.is_some_and(|limit| limit.is_zero()) {
            return arrived;
        }
        wait(limit);
        let arrived = noted(SignalSet::ALL);
        if arrived.is_some() || limit.is_some() {
            return arrived;
        }
    }
}

/// Waits until a signal has come, or the time is over (pselect(2), without descriptors).
fn wait(limit: Option<Duration>) {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: (limit.as_secs().min(i32::MAX as u64) as i32).into(),
        tv_nsec: (limit.subsec_nanos() as i32).into(),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mask = letting_in(SignalSet::ALL);
    let none = ptr::null_mut::<libc::fd_set>();
    // SAFETY: no descriptors; the time and the mask are live or null. EINTR is what is waited for.
    unsafe { libc::pselect(0, none, none, none, limit, &raw const mask) };
}

/// A descriptor that poll(2) calls readable while a signal is pending: POSIX has none, so who has to wait for other
/// descriptors as well looks from time to time.
pub fn readiness() -> Option<OwnedFd> {
    None
}

/// Takes a signal of the set that is pending already.
pub fn take(set: SignalSet) -> Option<Signal> {
    let_in(set);
    noted(set).map(|arrived| arrived.signal)
}

/// Takes back a signal that this thread has brought upon itself and that is still pending: to be ignored, if only for
/// a moment, discards it, blocked or not (sigaction(2)). Async-signal-safe, so also for a child between fork and exec.
pub fn forget(signal: Signal) {
    let at = usize::try_from(signal.0).unwrap_or(NUMBERS);
    CAME.with(|numbers| numbers.get(at).into_iter().for_each(|number| number.store(0, Ordering::Relaxed)));
    if let Some(before) = disposition(signal, Some(&action(libc::SIG_IGN, 0))) {
        disposition(signal, Some(&before));
    }
}

/// Stops this process by a job-control signal (TSTP, TTIN, TTOU), as the terminal stopped the
/// command, so that the shell sees its job stopped; returns when it has been continued.
///
/// Not by SIGSTOP: a job-control signal passes without effect where nobody could continue the
/// process (an orphaned process group, as under cron; setpgid(2)), and where the caller has it ignored.
pub fn stop_self(signal: Signal) {
    if is_ignored(signal) {
        return;
    }
    let before = disposition(signal, Some(&action(libc::SIG_DFL, 0)));
    // Sent while it is blocked: if the terminal's own is pending, the two are one.
    send(std::process::id(), signal);
    let mask = set_mask(SignalSet::ALL.without(signal));
    set_mask(mask);
    if let Some(before) = &before {
        disposition(signal, Some(before));
    }
}

/// Ends this process by a signal, so that the caller sees what it would have seen of the command. Returns if that
/// cannot be. There is no second core file (setrlimit(2)).
pub fn die_of(signal: Signal) {
    // SAFETY: a live struct; failing, it changes nothing.
    unsafe {
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
