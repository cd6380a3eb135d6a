//! What the kernel does for a wrapper, as far as POSIX has it. What cannot be had says what its pair for Linux says
//! where the kernel is too old for it.

use std::cell::Cell;
use std::os::fd::BorrowedFd;

use nix::fcntl::OFlag;
use nix::libc::{self, c_int};

/// How a directory is opened that is only to be gone through. It has to be readable: O_SEARCH of POSIX is not
/// everywhere.
pub const ENTER: OFlag = OFlag::O_RDONLY;

/// What opens a file without a name in a directory: there is no such thing.
pub const NAMELESS: Option<c_int> = None;

/// The unit of the largest resident size: KiB, and bytes on macOS (getrusage(2) of each).
pub const RSS_UNIT: u64 = if cfg!(target_vendor = "apple") { 1 } else { 1024 };

/// Whether descendants can be found, also those whose parents have died.
pub const FINDS_DESCENDANTS: bool = false;

thread_local! {
    static IS_MAIN: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the thread that the process began with.
pub fn is_main_thread() -> bool {
    IS_MAIN.get()
}

/// To be called by the thread that the process begins with.
pub fn mark_main_thread() {
    IS_MAIN.set(true);
}

/// Whether the program was started with rights that its caller does not have (execve(2), set-user-ID and
/// set-group-ID).
pub fn has_foreign_rights() -> bool {
    // SAFETY: these take nothing and cannot fail (getuid(2), getgid(2)).
    unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() }
}

/// Fills a buffer of at most 256 bytes with random ones, by getentropy(3). False where the kernel has none to give.
pub fn draw(bytes: &mut [u8]) -> bool {
    // SAFETY: a live buffer with its own length.
    unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) == 0 }
}

/// Orphans go to the first process of the host.
pub fn adopt_orphans() -> bool {
    false
}

/// There are no descriptors of processes.
pub fn descriptor_of_process(_: u32) -> c_int {
    -1
}

/// POSIX does not tell.
pub fn same_open_file(_: BorrowedFd<'_>, _: BorrowedFd<'_>) -> Option<bool> {
    None
}
