//! Looking at what is remembered of jobs. Only `check` changes anything: it puts on record what it finds.

mod chart;
mod check;
mod history;
pub mod others;
mod page;
mod status;
mod table;

use crate::config::{Given, Levels, Origin};
use crate::journal::{KeptOption, KeptPlan};
use crate::plan::Expectations;

pub use check::{Request, check};
pub use history::{HistoryRequest, history};
pub use page::Page;
pub use status::{StatusRequest, status};

/// What was expected of the last run of a job, whatever its files say now.
fn expectations_of(kept: Option<&KeptPlan>) -> Expectations {
    let options = kept.into_iter().flat_map(KeptPlan::options);
    let given =
        options.map(|KeptOption { setting, level, text }| Given { origin: Origin::at(setting, level), text });
    Expectations::of(&Levels::of(given.collect()))
}
