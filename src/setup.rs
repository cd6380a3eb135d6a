//! Getting it right before it runs.

mod brink;
mod drill;
pub mod dry_run;

pub use drill::{confirm, drill};
