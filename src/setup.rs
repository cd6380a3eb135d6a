//! Getting it right before it runs.

mod brink;
mod completions;
mod doctor;
mod drill;
pub mod dry_run;
mod wrap;

pub use completions::{LABELS, completions, labels};
pub use doctor::doctor;
pub use drill::{confirm, drill};
pub use wrap::wrap;
