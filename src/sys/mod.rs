//! The only room with `unsafe` in it: what the kernel offers and no safe crate has. Every exported
//! function is safe, small and says which call it is.
//!
//! What stands in `linux` uses what Linux alone has; its pair in `portable` does with what POSIX and the BSDs have, and
//! has the same names in it. Which of the two is compiled, `build.rs` says by `posix_only`: under Linux the first,
//! unless the variable CRONWARD_POSIX_ONLY is set, by which the second is tested there. All else is for both.

#![expect(
    unsafe_code,
    reason = "system calls that nix lacks or gets wrong for a wrapper; each block says why it holds"
)]

#[cfg(not(posix_only))]
#[path = "linux/alarm.rs"]
mod alarm;
pub mod arena;
#[cfg_attr(not(posix_only), path = "linux/byte_lock.rs")]
#[cfg_attr(posix_only, path = "portable/byte_lock.rs")]
pub mod byte_lock;
pub mod descriptor;
pub mod entry;
#[cfg_attr(not(posix_only), path = "linux/fork.rs")]
#[cfg_attr(posix_only, path = "portable/fork.rs")]
mod fork;
#[cfg_attr(not(posix_only), path = "linux/kernel.rs")]
#[cfg_attr(posix_only, path = "portable/kernel.rs")]
pub mod kernel;
pub mod lifeline;
pub mod limits;
#[cfg_attr(not(posix_only), path = "linux/pipes.rs")]
#[cfg_attr(posix_only, path = "portable/pipes.rs")]
pub mod pipes;
pub mod process;
pub mod random;
pub mod record_lock;
mod signal_set;
#[cfg_attr(not(posix_only), path = "linux/signals.rs")]
#[cfg_attr(posix_only, path = "portable/signals.rs")]
pub mod signals;
pub mod terminal;
#[cfg_attr(not(posix_only), path = "linux/trace.rs")]
#[cfg_attr(posix_only, path = "portable/trace.rs")]
pub mod trace;
#[cfg(all(panic = "abort", not(test), target_env = "musl"))]
mod unwind;
