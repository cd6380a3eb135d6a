//! What somebody has to go on with when a panic, which is a defect of ours, has ended everything else: the command
//! that runs, how this process is to end, the output that passes through it. It is put down here as soon as it is
//! known, since nobody can be asked any more who knows it.
//!
//! For each thread, and so for the main thread alone, which does all of that. A panic is told on its own thread.

mod salvage;

use std::cell::Cell;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;
use nix::unistd::write;

use super::kernel;
use crate::outcome::Exit;
pub use salvage::Salvage;

/// A command that runs.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Its pid, until it is reaped.
    pub pid: u32,
    /// Whether it has a process group of its own.
    pub own_group: bool,
    /// Whether the orphans below this process are given to it.
    pub adopts: bool,
}

/// Something that a stream has taken and not passed on yet.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// Bytes in memory.
    Memory(&'a [u8]),
    /// Those of a file from the first of these places to the second.
    File(BorrowedFd<'a>, u64, u64),
}

impl Part<'_> {
    /// Nothing.
    pub const NONE: Self = Self::Memory(&[]);

    /// What is behind so many bytes of it.
    pub fn behind(self, count: u64) -> Self {
        match self {
            Self::Memory(bytes) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len());
                Self::Memory(&bytes[count..])
            }
            Self::File(file, from, to) => Self::File(file, from.saturating_add(count).min(to), to),
        }
    }
}

/// A stream of output, and what of it is still to go on.
#[derive(Debug, Clone, Copy)]
pub struct Flow<'a> {
    /// What goes on first, in this order.
    pub parts: [Part<'a>; 4],
    /// The pipe that the rest comes from, with O_NONBLOCK; `None`: there is no more to come.
    pub source: Option<BorrowedFd<'a>>,
    /// How many of the next bytes in the pipe have gone on already.
    pub gone_on: usize,
    /// Where it goes.
    pub to: BorrowedFd<'a>,
    /// How much may be written there at once, in bytes, if poll(2) calls it writable.
    pub most: usize,
}

/// How many streams there can be: stdout and stderr.
const FLOWS: usize = 2;

thread_local! {
    static COMMAND: Cell<Option<Command>> = const { Cell::new(None) };
    static EXIT: Cell<Option<Exit>> = const { Cell::new(None) };
    static FLOWING: [Cell<Option<Flow<'static>>>; FLOWS] = const { [const { Cell::new(None) }; FLOWS] };
    static TERMINAL: Cell<Option<(BorrowedFd<'static>, &'static str)>> = const { Cell::new(None) };
}

/// A command has been started.
pub fn runs(command: Command) {
    EXIT.set(None);
    COMMAND.set(Some(command));
}

/// The command has been reaped. So cronward ends, unless a further attempt is made.
pub fn ended(exit: Exit) {
    settled(exit);
    COMMAND.set(None);
}

/// So cronward ends, whatever the command does.
pub fn settled(exit: Exit) {
    EXIT.set(Some(exit));
}

/// The command that runs, if one does.
pub fn command() -> Option<Command> {
    COMMAND.get()
}

/// How cronward ends, if that is settled.
pub fn exit() -> Option<Exit> {
    EXIT.get()
}

/// What there is of a stream, at a place of its own; `None`: nothing any more. To be told anew whenever it is no
/// longer so, and before any of that is given back.
pub fn flows(place: usize, flow: Option<&Flow<'_>>) {
    // SAFETY: only the lifetime is changed. What is kept is looked at by `Salvage` alone, when this thread panics:
    // then nobody who has told it goes on, and it stays as it was told.
    let flow = flow.map(|&flow| unsafe { mem::transmute::<Flow<'_>, Flow<'static>>(flow) });
    FLOWING.with(|flowing| flowing.get(place).into_iter().for_each(|told| told.set(flow)));
}

/// What gives back a terminal of which a part was taken; `None`: it has been given back.
pub fn borrows(terminal: BorrowedFd<'_>, gives_back: Option<&'static str>) {
    // SAFETY: as in `flows`.
    let terminal = unsafe { mem::transmute::<BorrowedFd<'_>, BorrowedFd<'static>>(terminal) };
    TERMINAL.set(gives_back.map(|bytes| (terminal, bytes)));
}

/// Writes what gives the terminal back. It is not waited for: one that is halted stays as it is.
fn give_terminal_back() {
    if let Some((terminal, bytes)) = TERMINAL.take() {
        let _ = write(terminal, bytes.as_bytes());
    }
}

/// Closes a descriptor whose owner does not go on.
fn close(fd: BorrowedFd<'static>) {
    // SAFETY: see `flows`; the one who calls this does not use it again either.
    unsafe { libc::close(fd.as_raw_fd()) };
}

/// Whether this is the thread that looks after the command.
pub fn is_main_thread() -> bool {
    kernel::is_main_thread()
}
