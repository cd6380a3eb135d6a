//! PURE. What is told of a job and its runs, in the same words in metrics, log records and spans: `task`, `outcome`
//! and tags as in the metrics of every other kind of sink; for a process the names that OpenTelemetry has given
//! (opentelemetry.io/docs/specs/semconv/registry/attributes/process); `cronward.…` where it has none.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;

use super::json::Attributes;
use crate::clock::Timestamp;
use crate::job::{RunId, Tag};
use crate::notice::{Audience, News, Start, command_for, millis};
use crate::outcome::Run;
use crate::plan::JobFacts;

/// Adds the tags that a run has reported and the user's. Of two for a key the run's is taken.
pub fn add_tags(attributes: &mut Attributes<'_>, job: &JobFacts, reported: &[Tag]) {
    for tag in reported.iter().chain(&job.tags) {
        attributes.text(&tag.key, tag.value.as_deref().unwrap_or(""));
    }
}

/// Adds what is known of a run that has started.
pub fn add_start(attributes: &mut Attributes<'_>, job: &JobFacts, start: &Start) {
    attributes.text("cronward.run.id", &start.id.to_string());
    if let Some(parent) = start.parent {
        attributes.text("cronward.run.parent_id", &parent.to_string());
    }
    attributes.whole("process.pid", start.pid.into());
    add_command(attributes, job);
}

/// Adds what is known of a run that has ended.
pub fn add_run(attributes: &mut Attributes<'_>, job: &JobFacts, run: &Run) {
    attributes.text("outcome", run.outcome.as_str());
    attributes.text("cronward.run.id", &run.id.to_string());
    if let Some(parent) = run.parent {
        attributes.text("cronward.run.parent_id", &parent.to_string());
    }
    if run.attempts > 0 {
        attributes.whole("cronward.run.attempts", run.attempts.into());
    }
    if let Some(wall_time) = run.wall_time {
        attributes.float("cronward.run.duration_ms", millis(wall_time));
    }
    if let Some(pid) = run.pid {
        attributes.whole("process.pid", pid.into());
    }
    if let Some(code) = run.exit_code() {
        attributes.whole("process.exit.code", code.into());
    }
    if let Some((signal, _)) = run.death() {
        attributes.text("cronward.run.signal", &signal.to_string());
    }
    add_command(attributes, job);
}

fn add_command(attributes: &mut Attributes<'_>, job: &JobFacts) {
    let Some(words) = command_for(job, Audience::Away) else { return };
    attributes.text("process.executable.name", &file_name(&words));
    // One word is no list of arguments: it is all that may leave the host.
    if job.privacy.send_args {
        let told: Vec<Cow<'_, str>> =
            words.iter().take(WORDS_MAX).map(|word| word.to_string_lossy()).collect();
        let mut told: Vec<&str> = told.iter().map(|word| &**word).collect();
        if words.len() > WORDS_MAX {
            told.push("…");
        }
        attributes.texts("process.command_args", &told);
    }
}

/// So many words of a command are told.
const WORDS_MAX: usize = 64;

/// The name of the program, which is that of the span (semconv, "CLI spans"); of one that nobody away is to know of,
/// the label.
pub fn executable(job: &JobFacts) -> String {
    command_for(job, Audience::Away).map_or_else(|| job.label.to_string(), |words| file_name(&words))
}

fn file_name(words: &[Cow<'_, OsStr>]) -> String {
    let path = words.first().map_or(OsStr::new(""), |word| word);
    Path::new(path).file_name().unwrap_or(path).to_string_lossy().into_owned()
}

/// A moment in nanoseconds since 1970; nothing takes one before that.
pub fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0).saturating_mul(1_000_000)
}

/// When a run ended, in nanoseconds since 1970, by its start and its length, which are not at odds when the clock was
/// set in between; `None` if nobody knows.
pub fn end_of(run: &Run) -> Option<u64> {
    let start = nanos(run.started_at);
    let by_length =
        run.wall_time.map(|span| start.saturating_add(span.as_nanos().try_into().unwrap_or(u64::MAX)));
    by_length.or_else(|| run.ended_at.map(|at| nanos(at).max(start)))
}

/// The run that a piece of news is about, ended or under way.
pub fn run_id(news: &News) -> Option<RunId> {
    news.run().map(|run| run.id).or_else(|| news.under_way().map(|start| start.id))
}
