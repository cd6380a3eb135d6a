//! `cronward status`: every job of a state directory, how its last run ended, and how it stands.

use std::fmt::Write;
use std::path::Path;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::others;
use crate::clock::Timestamp;
use crate::human::{ago, local, span};
use crate::journal::{Entry, Look, Remembered, UnderWayNow, entries};
use crate::outcome::Outcome;
use crate::plan::Host;
use crate::policy::{Alert, History};

const HEADINGS: [&str; 7] = ["LABEL", "OUTCOME", "WHEN", "DURATION", "STREAK", "ALERT", "NOW"];
/// What stands in a field that does not apply.
const NOTHING: &str = "-";

/// The jobs of these labels, or all, those of other users on `others` too, as a table or as a JSON array, a newline at the end. Times are
/// local in the table, UTC in JSON.
///
/// # Errors
/// In words: there is no state directory, it cannot be read, or a label is not in it. The
/// subcommand then ends with status 1.
pub fn status(
    path: &Path,
    labels: &[String],
    json: bool,
    others: Option<&dyn Host>,
    now: Timestamp,
) -> Result<String, String> {
    let own = entries(path, Look::Histories, now)?;
    let mut jobs: Vec<Job> = own.into_iter().map(|entry| Job { user: None, entry }).collect();
    for (user, read) in others::entries(others, Look::Histories, now) {
        // What cannot be read of one user is one line, as of one job.
        let unread = |why| vec![Entry { label: String::new(), name: String::new(), remembered: Err(why) }];
        let entries = read.unwrap_or_else(unread);
        jobs.extend(entries.into_iter().map(|entry| Job { user: Some(user.clone()), entry }));
    }
    if let Some(unknown) = labels.iter().find(|label| jobs.iter().all(|job| job.entry.label != **label)) {
        return Err(format!(
            "no run of '{}' is on record in '{}'; 'cronward status' lists those that are",
            visible(unknown),
            path.display()
        ));
    }
    jobs.retain(|job| labels.is_empty() || labels.contains(&job.entry.label));
    if json {
        let jobs: Vec<JobFields> = jobs.iter().map(JobFields::of).collect();
        // Strings, numbers and maps with string keys always serialize.
        return Ok(serde_json::to_string(&jobs).unwrap_or_default() + "\n");
    }
    if jobs.is_empty() {
        return Ok(format!("no run is on record in '{}'\n", path.display()));
    }
    let zone = TimeZone::system();
    Ok(table(&jobs.iter().map(|job| row(job, now, &zone)).collect::<Vec<_>>()))
}

/// A job, and whose it is if it is another user's.
struct Job {
    user: Option<String>,
    entry: Entry,
}

/// The last run of a job that is known to have ended, on record or not.
enum LastEnd<'a> {
    /// Its cronward died; nobody has put it on record yet.
    Died(&'a UnderWayNow),
    /// It is on record.
    Recorded(crate::policy::LastRun),
    /// There is none.
    None,
}

impl Remembered {
    fn last_end(&self) -> LastEnd<'_> {
        let died = self.under_way.iter().rfind(|run| !run.alive);
        match (died, self.history.last) {
            (Some(run), _) => LastEnd::Died(run),
            (None, Some(last)) => LastEnd::Recorded(last),
            (None, None) => LastEnd::None,
        }
    }
}

fn row(job: &Job, now: Timestamp, zone: &TimeZone) -> [String; 7] {
    let nothing = || NOTHING.to_owned();
    let label = match &job.user {
        Some(user) => visible(&format!("{} ({user})", job.entry.label)),
        None => visible(&job.entry.label),
    };
    let remembered = match &job.entry.remembered {
        Ok(remembered) => remembered,
        Err(why) => {
            let unreadable = "unreadable".to_owned();
            return [label, unreadable, nothing(), nothing(), nothing(), nothing(), visible(why)];
        }
    };
    let (outcome, when, wall_time) = match remembered.last_end() {
        LastEnd::Died(run) => (Outcome::Interrupted.as_str(), Some(run.started_at), None),
        LastEnd::Recorded(last) => (last.outcome.as_str(), Some(last.ended_at), last.wall_time),
        LastEnd::None => (NOTHING, None, None),
    };
    [
        label,
        outcome.to_owned(),
        when.map_or_else(nothing, |when| format!("{} ({})", local(when, zone), ago(now, when))),
        wall_time.map_or_else(nothing, span),
        streak(&remembered.history).unwrap_or_else(nothing),
        remembered
            .history
            .alert
            .as_ref()
            .map_or_else(nothing, |alert| format!("open for {}", span(now.since(alert.opened_at)))),
        running(remembered, now).unwrap_or_else(nothing),
    ]
}

fn streak(history: &History) -> Option<String> {
    let (count, one, many) = match (history.failures_in_a_row, history.successes_in_a_row) {
        (0, 0) => return None,
        (0, successes) => (successes, "success", "successes"),
        (failures, _) => (failures, "failure", "failures"),
    };
    Some(format!("{count} {}", if count == 1 { one } else { many }))
}

fn running(remembered: &Remembered, now: Timestamp) -> Option<String> {
    let alive: Vec<&UnderWayNow> = remembered.under_way.iter().filter(|run| run.alive).collect();
    match alive[..] {
        [] if remembered.under_way.is_empty() => None,
        [] => Some("died; the next run records it".to_owned()),
        [run] => Some(format!("running for {} (pid {})", span(now.since(run.started_at)), run.pid)),
        [oldest, ..] => {
            Some(format!("{} running, the first for {}", alive.len(), span(now.since(oldest.started_at))))
        }
    }
}

/// Rows under their headings, each column as wide as its widest field.
fn table(rows: &[[String; 7]]) -> String {
    let headings = HEADINGS.map(str::to_owned);
    let all: Vec<&[String; 7]> = std::iter::once(&headings).chain(rows).collect();
    let mut widths = [0; 7];
    for row in &all {
        for (width, field) in widths.iter_mut().zip(row.iter()) {
            *width = (*width).max(field.chars().count());
        }
    }
    let mut text = String::new();
    for row in all {
        let mut line = String::new();
        for (field, &width) in row.iter().zip(&widths) {
            // A String takes everything.
            let _ = write!(line, "{field:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text on one line, with nothing in it that a terminal would obey.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A job in the field names of events; what does not apply is absent.
#[derive(Serialize, Default)]
struct JobFields {
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertFields>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    running: Vec<RunningFields>,
}

#[derive(Serialize)]
struct AlertFields {
    id: String,
    key: String,
    opened_at: String,
    failures: u32,
}

#[derive(Serialize)]
struct RunningFields {
    run_id: String,
    pid: u32,
    started_at: String,
}

impl JobFields {
    fn of(job: &Job) -> Self {
        let named = Self { label: job.entry.label.clone(), user: job.user.clone(), ..Self::default() };
        let remembered = match &job.entry.remembered {
            Ok(remembered) => remembered,
            Err(why) => return Self { error: Some(why.clone()), ..named },
        };
        let history = &remembered.history;
        let known = Self {
            consecutive_failures: Some(history.failures_in_a_row),
            last_success: history.last_success.map(|success| success.ended_at.to_string()),
            alert: history.alert.as_ref().map(AlertFields::of),
            running: remembered.under_way.iter().filter(|run| run.alive).map(RunningFields::of).collect(),
            ..named
        };
        match remembered.last_end() {
            LastEnd::Died(run) => Self {
                run_id: Some(run.id.to_string()),
                outcome: Some(Outcome::Interrupted.as_str()),
                started_at: Some(run.started_at.to_string()),
                ..known
            },
            LastEnd::Recorded(last) => Self {
                run_id: Some(last.id.to_string()),
                outcome: Some(last.outcome.as_str()),
                ended_at: Some(last.ended_at.to_string()),
                // Microseconds are what is on record.
                duration_ms: last.wall_time.map(|wall| wall.as_micros() as f64 / 1e3),
                ..known
            },
            LastEnd::None => known,
        }
    }
}

impl AlertFields {
    fn of(alert: &Alert) -> Self {
        Self {
            id: alert.id.to_string(),
            key: alert.key.text.clone(),
            opened_at: alert.opened_at.to_string(),
            failures: alert.failures,
        }
    }
}

impl RunningFields {
    fn of(run: &UnderWayNow) -> Self {
        Self { run_id: run.id.to_string(), pid: run.pid, started_at: run.started_at.to_string() }
    }
}

#[cfg(test)]
mod tests;
