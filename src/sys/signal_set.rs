//! What is the same of signals under every kernel: sets of them, who has sent one, and sending.

use nix::libc;

use crate::job::Signal;

/// As many bits as the kernel has signals: 64 in Linux; 126 are the most that another has (FreeBSD).
#[cfg(not(posix_only))]
pub(super) type Bits = u64;
#[cfg(posix_only)]
pub(super) type Bits = u128;

/// A set of signals: bit n-1 stands for signal n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalSet(pub(super) Bits);

impl SignalSet {
    /// Every signal. The kernel leaves KILL and STOP out by itself (sigprocmask(2)).
    pub const ALL: Self = Self(!0);

    /// No signal.
    pub const NONE: Self = Self(0);

    /// The set of one signal.
    pub fn only(signal: Signal) -> Self {
        Self(1 << (signal.0 - 1))
    }

    /// This set and the signal.
    pub fn with(self, signal: Signal) -> Self {
        Self(self.0 | Self::only(signal).0)
    }

    /// Whether it holds the signal.
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & Self::only(signal).0 != 0
    }

    /// This set without the signal.
    pub fn without(self, signal: Signal) -> Self {
        Self(self.0 & !Self::only(signal).0)
    }
}

/// A signal that has come, and from whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// The signal.
    pub signal: Signal,
    /// Who sent it.
    pub sender: Sender,
}

/// Who sent a signal (sigaction(2), `si_code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The kernel: a key at the terminal, a hangup, a window that changed its size. The whole
    /// foreground process group got it.
    Kernel,
    /// A process, by kill(2), tgkill(2) or sigqueue(3). Process 0 is one of an outer pid namespace.
    Process(u32),
}

/// Sends a signal to one process. An error (it has gone, or is another user's) is nobody's problem:
/// the receiver is looked after by wait(2), not by this call.
pub fn send(pid: u32, signal: Signal) {
    kill(pid as i32, signal);
}

/// Sends a signal to a whole process group.
pub fn send_group(group: u32, signal: Signal) {
    kill(-(group as i32), signal);
}

fn kill(target: i32, signal: Signal) {
    // SAFETY: kill(2) takes two integers. 0 and -1 mean "everybody" and are never targets here: no
    // process that was started has pid 0 or group 1.
    unsafe {
        if target != 0 && target != -1 {
            libc::kill(target, signal.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_the_signals_that_it_was_made_of() {
        assert!(SignalSet::only(Signal(64)).contains(Signal(64)));
        assert!(!SignalSet::only(Signal(64)).contains(Signal(1)));
        assert!(!SignalSet::ALL.without(Signal::TERM).contains(Signal::TERM));
    }
}
