//! Where the kernel hands over. `main` is called by the C library and not by Rust's runtime: that
//! would ignore SIGPIPE and open `/dev/null` on closed descriptors before anybody could see how the
//! caller had left them, and the command could not be given what cronward received.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

use nix::libc;

use super::kernel;
use super::signals::{self, SignalSet};
use crate::job::Signal;
use crate::outcome::Exit;

/// What cronward received from its caller.
#[derive(Debug)]
pub struct Received {
    /// The argument vector, our own name first.
    pub args: Vec<OsString>,
    /// The environment, word by word, malformed ones too.
    pub environment: Vec<OsString>,
    /// The signal state that the command is to have.
    pub signals: SignalState,
}

/// The signal state of the caller. Everything else of it has not been touched, so it need not be
/// remembered.
#[derive(Debug, Clone, Copy)]
pub struct SignalState {
    /// The signal mask.
    pub mask: SignalSet,
    /// Whether SIGCHLD was ignored; cronward sets it to default, since with SIGCHLD ignored the
    /// kernel throws exit statuses away (wait(2)).
    pub child_ignored: bool,
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The process's first function.
///
/// The name is the C library's; tests have a `main` of their own.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[cfg_attr(test, expect(dead_code, reason = "nobody calls it there, and yet everything is called from it"))]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let signals = SignalState {
        mask: signals::set_mask(SignalSet::ALL),
        child_ignored: signals::set_default(Signal::CHLD),
    };
    signals::stand_ready();
    kernel::mark_main_thread();
    reserve_standard_descriptors();
    let _ = argc;
    // SAFETY: the C library passes `argv`, and sets `environ`, as arrays of C strings that end in a
    // null pointer and stay for the life of the process; nobody has called setenv.
    let (args, environment) = unsafe { (words(argv), words(environ)) };
    let exit = crate::cronward(Received { args, environment, signals });
    leave(exit)
}

/// # Safety
/// `array` must be null or an array of C strings that ends in a null pointer.
unsafe fn words(mut array: *const *const c_char) -> Vec<OsString> {
    let mut words = Vec::new();
    if array.is_null() {
        return words;
    }
    // SAFETY: every entry before the null pointer is a C string, by the contract above.
    unsafe {
        while !(*array).is_null() {
            words.push(OsStr::from_bytes(CStr::from_ptr(*array).to_bytes()).to_owned());
            array = array.add(1);
        }
    }
    words
}

/// Sees to it that none of our own files becomes descriptor 0, 1 or 2 of a caller that had closed
/// it, where the command's output would go into a socket. The place is taken by a descriptor that
/// can neither be read nor written (EBADF, as if closed; EISDIR for reading on other kernels than Linux) and that the
/// kernel closes at exec, so the command finds it closed as the caller left it.
fn reserve_standard_descriptors() {
    let mut standard = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: the array is live and three long. A closed descriptor gives POLLNVAL (poll(2)).
    let found = unsafe { libc::poll(standard.as_mut_ptr(), 3, 0) };
    let closed = standard.iter().filter(|poll| poll.revents & libc::POLLNVAL != 0).count();
    if found <= 0 {
        return;
    }
    for _ in 0..closed {
        // SAFETY: a literal C string. open(2) takes the lowest free number, which is one of the three.
        unsafe { libc::open(c"/".as_ptr(), kernel::ENTER.bits() | libc::O_CLOEXEC) };
    }
}

/// Whether the program was started with rights that its caller does not have (set-user-ID, file
/// capabilities). Then it must not run: it executes what the caller names and writes files.
pub fn has_foreign_rights() -> bool {
    kernel::has_foreign_rights()
}

/// Ends the process. No destructor, no exit handler, no thread is waited for: whatever still hangs
/// in a sink must not hold the caller.
pub fn leave(exit: Exit) -> ! {
    let code = match exit {
        Exit::Code(code) => c_int::from(code),
        Exit::Signal(signal) => {
            signals::die_of(signal);
            128 + signal.0
        }
    };
    // SAFETY: _exit(2) takes an integer and does not return.
    unsafe { libc::_exit(code) }
}
