//! Getting it right before it runs.

pub mod dry_run;
