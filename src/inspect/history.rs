//! `cronward history`: the runs of one job, how long they took, and what is usual.

mod figures;
mod moment;
mod screen;

use std::ffi::OsStr;
use std::path::Path;

use jiff::tz::TimeZone;

use super::page::Page;
use super::status::not_on_record;
use crate::clock::Timestamp;
use crate::job::Label;
use crate::journal::{self, Record};
use crate::notice::runs_json;
use crate::outcome::Weight;
use crate::settings::UsageError;
use crate::standing::Moment;
use screen::{Shown, screen};

/// So many runs are shown where nobody has said since when.
const RUNS: usize = 30;

/// What is asked.
#[derive(Debug)]
pub struct HistoryRequest {
    label: String,
    /// Only runs that failed.
    failed: bool,
    /// Only what has been since then.
    since: Option<Timestamp>,
    json: bool,
}

impl HistoryRequest {
    /// From the words of a command line.
    ///
    /// # Errors
    /// A time that means nothing.
    pub fn of(
        label: &str,
        failed: bool,
        since: Option<&OsStr>,
        json: bool,
        now: Timestamp,
    ) -> Result<Self, UsageError> {
        let since =
            since.map(|text| moment::parse(&text.to_string_lossy(), now, &TimeZone::system())).transpose()?;
        Ok(Self { label: label.to_owned(), failed, since, json })
    }

    /// Whether something is asked for.
    fn wants(&self, record: &Record) -> bool {
        let in_time = self.since.is_none_or(|since| record.at() >= since);
        let of_kind = match record {
            Record::Ended(ended) => !self.failed || ended.run.outcome.weight() == Weight::Failure,
            Record::Noticed { .. } => true,
        };
        in_time && of_kind
    }
}

/// The runs of a job, newest last, as a table with what is usual below it, or as a JSON array; a newline at the end.
/// Times are local in the table, UTC in JSON.
///
/// # Errors
/// In words: there is no such job, or it cannot be read.
pub fn history(
    request: &HistoryRequest,
    state_dir: &Path,
    page: Page,
    now: Timestamp,
) -> Result<String, String> {
    let unknown = || not_on_record(&request.label, state_dir);
    let name = Label::new(request.label.as_ref()).map(|label| label.file_name()).ok_or_else(unknown)?;
    if !journal::is_on_record(state_dir, &name)? {
        return Err(unknown());
    }
    let entry = journal::entry(state_dir, &name, now)?;
    let remembered = entry.remembered?;
    let mut records = journal::records(state_dir, &name)?;
    // By the clock: what was found dead or told late stands where it belongs.
    records.sort_by_key(Record::at);
    if request.json {
        let wanted = records.iter().filter(|record| request.wants(record));
        let runs = wanted.filter_map(|record| match record {
            Record::Ended(ended) => Some((&ended.run, &ended.argv[..])),
            Record::Noticed { .. } => None,
        });
        return Ok(runs_json(runs) + "\n");
    }
    let zone = TimeZone::system();
    let moment = Moment { now, zone: &zone, booted: Timestamp::of_boot() };
    let all: Vec<&Record> =
        records.iter().filter(|record| request.since.is_none_or(|since| record.at() >= since)).collect();
    let mut wanted: Vec<&Record> = all.iter().copied().filter(|record| request.wants(record)).collect();
    if request.since.is_none() {
        wanted.drain(..wanted.len().saturating_sub(RUNS));
    }
    let shown = Shown { label: &entry.label, remembered: &remembered, all, wanted };
    Ok(screen(&shown, &moment, page))
}

#[cfg(test)]
mod tests;
