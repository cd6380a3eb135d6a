//! The only room with `unsafe` in it: what the kernel offers and no safe crate has. Every exported
//! function is safe, small and says which call it is.

#![expect(
    unsafe_code,
    reason = "system calls that nix lacks or gets wrong for a wrapper; each block says why it holds"
)]

pub mod alarm;
pub mod arena;
pub mod descriptor;
pub mod entry;
pub mod lifeline;
pub mod limits;
pub mod process;
pub mod random;
pub mod signals;
pub mod terminal;
#[cfg(all(panic = "abort", not(test), target_env = "musl"))]
mod unwind;
