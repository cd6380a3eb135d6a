//! What the kernel does for a wrapper that other kernels do not, or do in another way.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::fcntl::OFlag;
use nix::libc::{self, c_int};
use nix::unistd::{getpid, gettid};

/// How a directory is opened that is only to be gone through: it need not be readable (open(2)).
pub const ENTER: OFlag = OFlag::O_PATH;

/// What opens a file without a name in a directory (open(2)), where there is such a thing.
pub const NAMELESS: Option<c_int> = Some(libc::O_TMPFILE);

/// The unit of the largest resident size: KiB (getrusage(2)).
pub const RSS_UNIT: u64 = 1024;

/// Whether descendants can be found, also those whose parents have died.
pub const FINDS_DESCENDANTS: bool = true;

/// Whether this is the thread that the process began with.
pub fn is_main_thread() -> bool {
    gettid() == getpid()
}

/// To be called by the thread that the process begins with: the kernel knows it by itself.
#[inline(always)]
pub fn mark_main_thread() {}

/// Whether the program was started with rights that its caller does not have (set-user-ID, file
/// capabilities).
pub fn has_foreign_rights() -> bool {
    // SAFETY: getauxval(3) reads what the kernel put on the stack at exec.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Fills a buffer of at most 256 bytes with random ones, by getrandom(2). False where the kernel has none to give.
pub fn draw(bytes: &mut [u8]) -> bool {
    // SAFETY: a live buffer with its own length; without GRND_NONBLOCK a call early at boot might wait.
    let drawn = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    usize::try_from(drawn) == Ok(bytes.len())
}

/// Makes this process the one that orphans below it are given to (prctl(2),
/// PR_SET_CHILD_SUBREAPER). False where the kernel does not know that.
pub fn adopt_orphans() -> bool {
    // SAFETY: prctl takes integers here.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 }
}

/// A new descriptor that becomes readable when the process ends (pidfd_open(2), Linux 5.3); -1 if there is none.
pub fn descriptor_of_process(pid: u32) -> c_int {
    // SAFETY: pidfd_open takes two integers; what it returns is a new descriptor or -1.
    unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) as c_int }
}

/// Whether two descriptors are of one open file, by kcmp(2). `None` where the kernel does not have it, or does not
/// let us.
pub fn same_open_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Option<bool> {
    /// Of linux/kcmp.h.
    const KCMP_FILE: c_int = 0;
    // SAFETY: all of these take integers.
    let order = unsafe {
        let own = libc::getpid();
        libc::syscall(libc::SYS_kcmp, own, own, KCMP_FILE, one.as_raw_fd(), other.as_raw_fd())
    };
    (order >= 0).then_some(order == 0)
}
