//! A bound on calls that have none of their own, such as waiting for a lock.

use std::mem;
use std::ptr;

use nix::libc;

use super::signals::{SignalSet, set_mask};
use crate::clock::Deadline;
use crate::job::Signal;

extern "C" fn nothing(_: libc::c_int) {}

/// Runs `call`, which may block; from the deadline on it is interrupted every 20 ms, so that it
/// returns EINTR also if it was just about to start waiting when the first alarm came.
///
/// To be used by the main thread once the command has ended: the timer and the handler of SIGALRM
/// belong to the process (setitimer(2)).
pub fn interrupting<T>(deadline: Deadline, call: impl FnOnce() -> T) -> T {
    let first = deadline.left().max(std::time::Duration::from_millis(1));
    let every = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
    let first = libc::timeval {
        tv_sec: (first.as_secs().min(i32::MAX as u64) as i32).into(),
        tv_usec: (first.subsec_micros() as i32).into(),
    };
    let none = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let mut before: libc::sigaction;
    // SAFETY: sigaction is plain old data for which zeroes are valid; the handler does nothing, so it
    // is async-signal-safe; it is set without SA_RESTART, so the call is interrupted.
    unsafe {
        before = mem::zeroed();
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        libc::sigaction(libc::SIGALRM, &raw const action, &raw mut before);
        let timer = libc::itimerval { it_interval: every, it_value: first };
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut());
    }
    let mask = set_mask(SignalSet::ALL.without(Signal(libc::SIGALRM)));
    let result = call();
    set_mask(mask);
    // SAFETY: as above; the timer is taken away before the handler is.
    unsafe {
        let timer = libc::itimerval { it_interval: none, it_value: none };
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut());
        libc::sigaction(libc::SIGALRM, &raw const before, ptr::null_mut());
    }
    result
}
