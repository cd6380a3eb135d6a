//! The child between clone and exec. It shares our memory and must leave it as it would want to
//! find it: no allocation, no lock, no panic, no standard library beyond plain arithmetic; only
//! system calls on buffers that were made before.

use std::ffi::{CStr, c_char, c_void};
use std::mem;
use std::os::fd::AsRawFd;
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_int};

use super::{Exec, PID_DIGITS, StartLine};
use crate::job::Signal;
use crate::sys::fork::Answer;
use crate::sys::{signals, trace};

/// What the child needs, ready to use, and the place for its answer.
pub(in crate::sys) struct Task<'a> {
    pub(super) exec: &'a Exec<'a>,
    pub(super) argv: *mut *const c_char,
    pub(super) environment: *mut *const c_char,
    /// Room for `/bin/sh`, the script, its arguments and null.
    pub(super) shell_argv: *mut *const c_char,
    pub(super) program: &'a [u8],
    pub(super) search_path: &'a [u8],
    /// Room for the longest candidate: an element of the search path, a slash, the program, NUL.
    pub(super) candidate: *mut u8,
    /// Where it says why it could not be executed.
    pub(in crate::sys) answer: Answer,
}

/// How often a descriptor is put in its place before that is given up.
const DUP_ATTEMPTS: u32 = 100;

/// The child's first and last function.
pub(in crate::sys) extern "C" fn run(task: *mut c_void) -> c_int {
    // SAFETY: the parent passes a live Task and is stopped until this process has executed or ended.
    unsafe {
        let task = &mut *task.cast::<Task<'_>>();
        prepare(task.exec);
        let error = search_and_execute(task);
        task.answer.give(error);
        libc::_exit(127)
    }
}

/// Everything that is to be so when the command begins. The signal mask comes last: from then on a
/// signal that was sent meanwhile acts.
unsafe fn prepare(exec: &Exec<'_>) {
    // SAFETY: system calls on integers and on buffers of the parent, which is stopped. Errors are left
    // alone: no step here is a reason not to run the command.
    unsafe {
        if exec.own_group {
            libc::setpgid(0, 0);
        }
        for (standard, given) in (0..).zip(&exec.stdio) {
            if let Some(given) = given {
                // EINTR, and EBUSY where another thread opens a file at this instant (dup(2)): they pass. With
                // one of its two descriptors the command would write past the other.
                let taken = || libc::dup2(given.as_raw_fd(), standard) >= 0;
                let _ = (0..DUP_ATTEMPTS).any(|_| taken());
            }
        }
        if let Some(words) = &exec.last_words.journal {
            leave_start_line(words);
        }
        if let Some((lock, offset)) = &exec.last_words.lock {
            leave_lock_record(lock.as_raw_fd(), *offset as libc::off_t);
        }
        signals::stand_down();
        if exec.signals.child_ignored {
            signals::set_ignored(Signal::CHLD);
        }
    }
    signals::set_mask(exec.signals.mask);
}

unsafe fn leave_start_line(words: &StartLine) {
    let line = words.line.as_ptr().cast_mut();
    let length = words.line.len();
    if words.pid_at.saturating_add(PID_DIGITS) > length {
        return;
    }
    // SAFETY: the line belongs to the stopped parent, which has no reference into it that it uses
    // before the child is done; the digits stay within it by the check above.
    unsafe {
        write_decimal(line.add(words.pid_at), libc::getpid().unsigned_abs());
        append(words.journal.as_raw_fd(), line, length);
        let mut found: libc::stat = mem::zeroed();
        if libc::fstat(words.journal.as_raw_fd(), &raw mut found) != 0 || found.st_nlink != 0 {
            return;
        }
        // The journal was compacted while the line was written to the old file: write it again.
        let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let journal = libc::openat(words.directory.as_raw_fd(), words.name.as_ptr(), flags);
        if journal >= 0 {
            append(journal, line, length);
            libc::close(journal);
        }
    }
}

/// One write: an append of a whole line does not mix with those of others (write(2), O_APPEND).
unsafe fn append(file: c_int, line: *const u8, length: usize) {
    // SAFETY: by the caller, `line` is `length` long. EINTR cannot be, all signals are blocked; a
    // short write or an error leaves a torn line, which readers skip.
    let written = unsafe { libc::write(file, line.cast::<c_void>(), length) };
    forget_a_file_too_large(written, length);
}

/// A write beyond RLIMIT_FSIZE has made SIGXFSZ pending (setrlimit(2)): it is ours, and the command
/// would die of it as soon as the mask is its own.
fn forget_a_file_too_large(written: isize, length: usize) {
    if usize::try_from(written) != Ok(length) {
        signals::forget(Signal(libc::SIGXFSZ));
    }
}

/// Writes the digits of a number, most significant first.
unsafe fn write_decimal(place: *mut u8, number: u32) {
    let mut divisor = 1_u32;
    while number / divisor >= 10 {
        divisor = divisor.wrapping_mul(10);
    }
    let mut at = 0_usize;
    while divisor > 0 {
        // SAFETY: a u32 has at most PID_DIGITS digits, and the caller has that much room.
        unsafe { place.add(at).write(b'0' + ((number / divisor) % 10) as u8) };
        divisor /= 10;
        at += 1;
    }
}

/// Leaves in the lock file what this process is known by: whoever finds the lock free and this
/// record in it can tell whether the command still lives.
unsafe fn leave_lock_record(lock: c_int, offset: libc::off_t) {
    let mut record = [0_u8; 512];
    let Some(length) = trace::own_record(&mut record) else { return };
    // SAFETY: a live buffer, of which so much has been filled.
    let written = unsafe { libc::pwrite(lock, record.as_ptr().cast::<c_void>(), length, offset) };
    forget_a_file_too_large(written, length);
}

/// Searches as execvp(3) does: a name with a slash is not searched; an empty element of the path is
/// the current directory; a place that may not be entered or executed is remembered and passed.
unsafe fn search_and_execute(task: &mut Task<'_>) -> c_int {
    // SAFETY: all pointers are into buffers of the stopped parent, sized by it for this search.
    unsafe {
        if task.program.is_empty() {
            return libc::ENOENT;
        }
        if position(task.program, b'/').is_some() {
            copy(task.candidate, task.program);
            task.candidate.add(task.program.len()).write(0);
            return execute(task);
        }
        let mut forbidden = false;
        let mut rest = task.search_path;
        loop {
            let end = position(rest, b':').unwrap_or(rest.len());
            let (directory, tail) = rest.split_at_unchecked(end);
            let mut length = directory.len();
            copy(task.candidate, directory);
            if length > 0 {
                task.candidate.add(length).write(b'/');
                length += 1;
            }
            copy(task.candidate.add(length), task.program);
            task.candidate.add(length + task.program.len()).write(0);
            match execute(task) {
                libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
                libc::EACCES => forbidden = true,
                error => return error,
            }
            match tail.split_first() {
                Some((_, after_colon)) => rest = after_colon,
                None if forbidden => return libc::EACCES,
                None => return libc::ENOENT,
            }
        }
    }
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|&byte| byte == wanted)
}

unsafe fn copy(to: *mut u8, from: &[u8]) {
    // SAFETY: the caller has room for it, and the buffers are different ones.
    unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
}

/// Executes the candidate; returns only with an error. A file that is no program is a script for
/// `/bin/sh`, as to every shell (POSIX, XCU 2.9.1.1).
unsafe fn execute(task: &mut Task<'_>) -> c_int {
    let candidate = task.candidate.cast::<c_char>().cast_const();
    // SAFETY: arrays of C strings that end in null, made by the parent; see Task.
    unsafe {
        let mut error = execve(candidate, task.argv, task.environment);
        let mut patience = 3;
        while error == libc::ETXTBSY && patience > 0 {
            let pause = libc::timespec { tv_sec: 0, tv_nsec: 10_000_000 };
            libc::nanosleep(&raw const pause, ptr::null_mut());
            error = execve(candidate, task.argv, task.environment);
            patience -= 1;
        }
        if error == libc::E2BIG && drop_own_facts(task.environment) {
            error = execve(candidate, task.argv, task.environment);
        }
        if error == libc::ENOEXEC {
            task.shell_argv.write(c"/bin/sh".as_ptr());
            task.shell_argv.add(1).write(candidate);
            let mut at = 1;
            while !(*task.argv).is_null() && !(*task.argv.add(at)).is_null() {
                task.shell_argv.add(at + 1).write(*task.argv.add(at));
                at += 1;
            }
            task.shell_argv.add(at + 1).write(ptr::null());
            error = execve(c"/bin/sh".as_ptr(), task.shell_argv, task.environment);
        }
        error
    }
}

unsafe fn execve(program: *const c_char, argv: *mut *const c_char, environment: *mut *const c_char) -> c_int {
    // SAFETY: by the caller. errno is this thread's, which is the stopped parent's too.
    unsafe {
        libc::execve(program, argv.cast_const(), environment.cast_const());
        Errno::last_raw()
    }
}

/// Takes cronward's own facts out of the environment: with them, arguments that just fitted
/// (execve(2), E2BIG) do no more. False if there were none.
unsafe fn drop_own_facts(environment: *mut *const c_char) -> bool {
    let is = |word, prefix: &CStr| {
        // SAFETY: two C strings.
        unsafe { libc::strncmp(word, prefix.as_ptr(), prefix.count_bytes()) == 0 }
    };
    let (mut from, mut to) = (environment, environment);
    // SAFETY: an array of C strings that ends in null; it only gets shorter.
    unsafe {
        while !(*from).is_null() {
            // One that stands behind our facts was not there before; one before them has the place of another.
            let is_ours = is(*from, c"CRONWARD_RUN_") || (from != to && is(*from, c"TRACEPARENT="));
            if !is_ours {
                to.write(*from);
                to = to.add(1);
            }
            from = from.add(1);
        }
        to.write(ptr::null());
    }
    from != to
}
