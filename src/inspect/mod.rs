//! Looking at what is remembered of jobs. Nothing in here changes anything.

mod status;

pub use status::status;
