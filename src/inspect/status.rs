//! `cronward status`: every job of a state directory, how its last run ended, how it stands, and what comes next.

mod job;
mod json;
mod screen;

use std::path::Path;

use jiff::tz::TimeZone;

use super::others;
use super::page::Page;
use crate::clock::Timestamp;
use crate::columns::visible;
use crate::journal::{Entry, Look, entries};
use crate::plan::Host;
use crate::standing::Moment;
use job::Job;
pub(super) use job::Outlook;
use json::JobFields;

/// What is asked.
pub struct StatusRequest {
    /// Only these jobs; empty: all.
    pub labels: Vec<String>,
    /// As JSON.
    pub json: bool,
}

/// The jobs of these labels, or all, those of the users of `others` too, as a table or as a JSON array, a newline at
/// the end. Times are local in the table, UTC in JSON.
///
/// # Errors
/// In words: the state directory cannot be read, or a label is not in it.
pub fn status(
    request: &StatusRequest,
    path: &Path,
    others: Option<&dyn Host>,
    page: Page,
    now: Timestamp,
) -> Result<String, String> {
    let own = entries(path, Look::RecentRuns, now)?;
    let mut jobs: Vec<Job> = own.into_iter().map(|entry| Job { user: None, entry }).collect();
    for (user, read) in others::entries(others, Look::RecentRuns, now) {
        // What cannot be read of one user is one line, as of one job.
        let unread = |why| vec![Entry { label: String::new(), name: String::new(), remembered: Err(why) }];
        let entries = read.unwrap_or_else(unread);
        jobs.extend(entries.into_iter().map(|entry| Job { user: Some(user.clone()), entry }));
    }
    let labels = &request.labels;
    if let Some(unknown) = labels.iter().find(|label| jobs.iter().all(|job| job.entry.label != **label)) {
        return Err(not_on_record(unknown, path));
    }
    jobs.retain(|job| labels.is_empty() || labels.contains(&job.entry.label));
    let zone = TimeZone::system();
    let moment = Moment { now, zone: &zone, booted: Timestamp::of_boot() };
    if request.json {
        let jobs: Vec<JobFields> = jobs.iter().map(|job| JobFields::of(job, &moment)).collect();
        // Strings, numbers and maps with string keys always serialize.
        return Ok(serde_json::to_string(&jobs).unwrap_or_default() + "\n");
    }
    if jobs.is_empty() {
        return Ok(format!("no run is on record in '{}'\n", path.display()));
    }
    Ok(screen::screen(&jobs, &moment, page))
}

/// That there is no job of this label.
pub(super) fn not_on_record(label: &str, state_dir: &Path) -> String {
    format!(
        "no run of '{}' is on record in '{}'; 'cronward status' lists those that are",
        visible(label),
        state_dir.display()
    )
}

#[cfg(test)]
mod tests;
