//! Looking at what is remembered of jobs. Only `check` changes anything: it puts on record what it finds.

mod check;
mod history;
pub mod others;
mod status;

pub use check::{Request, check};
pub use history::{HistoryRequest, history};
pub use status::status;
