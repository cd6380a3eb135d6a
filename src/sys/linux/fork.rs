//! The child is made by clone(2) with CLONE_VFORK and CLONE_VM: it runs on a stack of its own in our memory while we
//! wait, so nothing is copied and what it found out stands in our memory when we go on.

use std::ffi::c_void;
use std::ptr;

use nix::libc::{self, c_int};

use super::process::child::{self, Task};

/// Stack of the child, in bytes: it calls a few functions and holds no buffers on it.
const CHILD_STACK: usize = 64 * 1024;

/// Where the child says why it could not execute its program; 0: nothing has failed.
pub struct Answer(c_int);

impl Answer {
    /// Nothing has failed yet.
    pub const NONE: Self = Self(0);

    /// Says it, in the child.
    #[inline(always)]
    pub fn give(&mut self, error: c_int) {
        // SAFETY: it is live, and nobody else looks at it meanwhile; volatile, since the compiler does not know
        // that the parent will.
        unsafe { ptr::write_volatile(&raw mut self.0, error) };
    }
}

/// What the child is made in.
pub struct Cradle(Vec<u8>);

impl Cradle {
    /// One for as many children as one wants, one after the other.
    pub fn new() -> Self {
        // Not an array on our own stack, of which the compiler would touch every page (stack probes).
        Self(Vec::with_capacity(CHILD_STACK))
    }

    /// Makes a child, and waits until it has executed its program or ended: its pid, and why it could not execute
    /// it, or 0.
    ///
    /// # Errors
    /// That of clone(2): there is no process to be had.
    #[inline(always)]
    pub fn start(&mut self, task: &mut Task<'_>) -> Result<(u32, c_int), c_int> {
        // SAFETY: `child::run` runs on a stack of its own that outlives it, since CLONE_VFORK stops
        // this thread until the child has executed or ended. The stack grows downwards from its
        // top, which is aligned to 16 bytes. All signals are blocked, so no handler runs in
        // the child on our memory. `task` is not touched here meanwhile.
        let pid = unsafe {
            let top = self.0.as_mut_ptr().add(CHILD_STACK);
            let top = top.sub(top as usize % 16);
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
            libc::clone(child::run, top.cast::<c_void>(), flags, ptr::from_mut(task).cast::<c_void>())
        };
        if pid <= 0 {
            return Err(super::process::errno());
        }
        // SAFETY: the child wrote it while this thread was stopped; volatile, since the compiler does
        // not know that anybody else did.
        let error = unsafe { ptr::read_volatile(&raw const task.answer.0) };
        Ok((pid as u32, error))
    }
}
