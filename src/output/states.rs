//! The states of a stream: where it goes, what a step of it has come to, what it waits for.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::held::Held;

/// Where what a stream takes goes.
pub(super) enum Route {
    /// It goes on at once.
    Pass,
    /// It is held back.
    Hold(Held),
    /// What was held back goes on from here, and all that comes behind it.
    Show(Held, u64),
    /// Nobody takes it any more, in this attempt.
    Nowhere,
}

/// Why output has not gone on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// It could not be written, with this error.
    Error(Errno),
    /// There was no room for it for as long as there was time.
    NoTime,
}

/// What a stream waits for.
pub(super) enum Want<'a> {
    /// Something to come, or that nobody reads it any more where it goes.
    Input(BorrowedFd<'a>, Option<BorrowedFd<'a>>),
    /// Room where it goes.
    Room(BorrowedFd<'a>),
    /// Another turn.
    Turn,
    /// Nothing: it has ended.
    Nothing,
}

/// What a step has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more to do.
    Done,
    /// There is nothing to take.
    NoInput,
    /// There is no room for it.
    NoRoom,
}
