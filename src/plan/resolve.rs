//! From what was configured to the plan: every value read, every default applied, every two options
//! that contradict each other refused.

use std::ffi::OsStr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::state_dir::state_dir;
use super::values::{self, bad, fill, read};
use super::{
    Host, JobFacts, OverlapRule, Plan, Privacy, RetryRule, Severity, Summary, TimeLimit, Variables, bands,
    lists, output,
};
use crate::config::{Configured, Levels, Surroundings};
use crate::expectation::Expectation;
use crate::job::{CommandLine, Label};
use crate::outcome::{CodeMeaning, ExitCodes, status};
use crate::policy::{AlertAfter, AlertKey, AlertRule};
use crate::schedule::Schedule;
use crate::settings::{Setting, UsageError};

/// Grace between TERM and KILL.
const KILL_AFTER: Duration = Duration::from_secs(10);
/// Longest time for everything after the job.
const FLUSH_DEADLINE: Duration = Duration::from_secs(5);
/// Wait before the first retry.
const RETRY_DELAY: Duration = Duration::from_secs(10);
const NAMESPACE: &str = "cronward";
const ALERT_KEY: &str = "{host}/{label}";

/// Decides one invocation. Also gives the levels back, for whoever shows where a value came from.
///
/// # Errors
/// Any value that means nothing, and options that contradict each other.
pub fn resolve(configured: Configured, host: &dyn Host) -> Result<(Plan, Levels), UsageError> {
    let Configured { command, surroundings, levels, dry_run: _ } = configured;
    let plan = decide(command, surroundings, &levels, host)?;
    Ok((plan, levels))
}

/// The plan that these levels come to.
pub(super) fn decide(
    command: CommandLine,
    surroundings: Surroundings,
    levels: &Levels,
    host: &dyn Host,
) -> Result<Plan, UsageError> {
    let state_dir = state_dir(levels.nearest(Setting::StateDir), &surroundings, host)?;
    let job = job_facts(command, levels, host.name())?;
    Ok(Plan {
        time_limit: time_limit(levels)?,
        warn_after: read(levels, Setting::WarnAfter, "duration", values::positive_duration)?,
        retries: retry_rule(levels)?,
        start_delay: start_delay(levels, &job.host, &job.label)?,
        overlap: overlap(levels)?,
        codes: codes(levels)?,
        expectations: lists::of_nearest_level(levels, Setting::Expect, "band", bands::expectation)?,
        products: lists::of_nearest_level(levels, Setting::Produces, "product", bands::product)?,
        schedule: read(levels, Setting::Schedule, "schedule", Schedule::parse)?,
        max_age: read(levels, Setting::MaxAge, "duration", values::positive_duration)?,
        rule: alert_rule(levels)?,
        sinks: lists::sinks(levels)?,
        flush_deadline: duration(levels, Setting::FlushDeadline)?.unwrap_or(FLUSH_DEADLINE),
        own_group: switch(levels, Setting::OwnGroup)?,
        output: output::rule(levels, &surroundings, state_dir.as_deref().ok())?,
        state_dir,
        summary: summary(levels)?,
        progress: switch(levels, Setting::Progress)?,
        job: Arc::new(job),
        parent: surroundings.outer_run,
        environment: surroundings.for_job,
        search_path: surroundings.search_path,
        variables: Variables(surroundings.variables),
        problems: levels.problems(),
    })
}

/// What is expected of a job, by options that another user's run was given: whatever of them means nothing is
/// left out.
#[derive(Debug, Default)]
pub struct Expectations {
    /// `--schedule`.
    pub schedule: Option<Schedule>,
    /// `--max-age`.
    pub max_age: Option<Duration>,
    /// `--expect`.
    pub expectations: Vec<Expectation>,
    /// The most by which `--jitter` puts runs off.
    pub start_delay: Duration,
    /// `--retries`.
    pub retries: RetryRule,
}

impl Expectations {
    /// Those of these levels.
    pub fn of(levels: &Levels) -> Self {
        Self {
            schedule: read(levels, Setting::Schedule, "schedule", Schedule::parse).ok().flatten(),
            max_age: read(levels, Setting::MaxAge, "duration", values::positive_duration).ok().flatten(),
            expectations: lists::of_nearest_level(levels, Setting::Expect, "band", bands::expectation)
                .unwrap_or_default(),
            start_delay: duration(levels, Setting::Jitter).ok().flatten().unwrap_or_default(),
            retries: retry_rule(levels).unwrap_or_default(),
        }
    }
}

/// For how long a job is to be muted, as typed; nothing at all ends it.
///
/// # Errors
/// It is no duration.
pub fn span_to_mute(text: &OsStr) -> Result<Duration, UsageError> {
    let text = text.to_string_lossy();
    values::duration(&text).map_err(|why| UsageError::new(format!("bad duration '{text}': {why}")))
}

/// The most by which a run of this `--jitter` can be put off; nothing if it means nothing.
pub fn longest_start_delay(jitter: Option<&OsStr>) -> Duration {
    jitter.and_then(|text| values::duration(&text.to_string_lossy()).ok()).unwrap_or_default()
}

fn job_facts(command: CommandLine, levels: &Levels, host: String) -> Result<JobFacts, UsageError> {
    let text = |setting, what| read(levels, setting, what, values::some_text);
    // The empty text of a nearer level takes back what a farther one says.
    let note = |setting| {
        levels.nearest(setting).map(|given| given.text.to_string_lossy()).filter(|note| !note.is_empty())
    };
    let label = label(&command, levels)?;
    let namespace = text(Setting::Namespace, "namespace")?;
    let key = text(Setting::AlertKey, "alert key")?;
    let key = key.as_deref().unwrap_or(ALERT_KEY);
    Ok(JobFacts {
        namespace: namespace.map_or_else(|| NAMESPACE.to_owned(), |name| name.replace("{host}", &host)),
        tags: lists::tags(levels)?,
        alert_key: AlertKey { text: fill(key, &host, label.as_str()), is_shared: !key.contains("{host}") },
        severity: severity(levels)?,
        owner: note(Setting::Owner).map(String::from),
        runbook: note(Setting::Runbook).map(String::from),
        privacy: Privacy {
            sensitive: switch(levels, Setting::Sensitive)?,
            send_args: switch(levels, Setting::SendArgs)?,
        },
        command,
        label,
        host,
    })
}

/// The label of a run: the nearest that is given, never a file's, since it says which sections of the files
/// are in force; else the one that the command makes.
///
/// # Errors
/// An empty one.
pub fn label(command: &CommandLine, levels: &Levels) -> Result<Label, UsageError> {
    match levels.nearest(Setting::Label) {
        None => Ok(Label::derived_from(command)),
        Some(given) => Label::new(&given.text)
            .ok_or_else(|| bad("label", given, "it is empty; write a name, or leave the option out")),
    }
}

/// A limit of zero is none, as with timeout(1).
fn time_limit(levels: &Levels) -> Result<Option<TimeLimit>, UsageError> {
    let grace = duration(levels, Setting::KillAfter)?.unwrap_or(KILL_AFTER);
    let limit = duration(levels, Setting::Timeout)?.filter(|limit| !limit.is_zero());
    Ok(limit.map(|limit| TimeLimit { limit, grace }))
}

fn retry_rule(levels: &Levels) -> Result<RetryRule, UsageError> {
    let retries = read(levels, Setting::Retries, "count", values::count_or_none)?;
    let delay = duration(levels, Setting::RetryDelay)?;
    Ok(RetryRule { retries: retries.unwrap_or(0), delay: delay.unwrap_or(RETRY_DELAY) })
}

fn start_delay(levels: &Levels, host: &str, label: &Label) -> Result<Duration, UsageError> {
    Ok(duration(levels, Setting::Jitter)?.map_or(Duration::ZERO, |jitter| label.share_of(host, jitter)))
}

fn overlap(levels: &Levels) -> Result<Option<OverlapRule>, UsageError> {
    let wait = duration(levels, Setting::LockWait)?.unwrap_or_default();
    let exit_status = read(levels, Setting::LockExit, "exit status", values::exit_status)?;
    if !switch(levels, Setting::Lock)? {
        return Ok(None);
    }
    // A derived label changes with every argument, and with it the lock. A file may speak of jobs that
    // it does not know by name, and whoever wrote it is not there to be refused.
    let origin = levels.origin(Setting::Lock);
    if levels.nearest(Setting::Label).is_none() && !origin.level.is_of_files() {
        return Err(UsageError::new(format!("{origin} needs a label; add '--label NAME'")));
    }
    Ok(Some(OverlapRule { wait, exit_status: exit_status.unwrap_or(status::SKIPPED) }))
}

fn codes(levels: &Levels) -> Result<CodeMeaning, UsageError> {
    let list = |setting| -> Result<ExitCodes, UsageError> {
        Ok(read(levels, setting, "exit codes", values::exit_codes)?.unwrap_or_default())
    };
    let (ok, warn) = (list(Setting::OkCodes)?, list(Setting::WarnCodes)?);
    if !warn.is_empty() {
        let warns = levels.origin(Setting::WarnCodes).name();
        if warn.contains(0) {
            return Err(UsageError::new(format!(
                "exit code '0' in {warns} always counts as success; leave it out"
            )));
        }
        if let Some(code) = (1..=u8::MAX).find(|&code| ok.contains(code) && warn.contains(code)) {
            let oks = levels.origin(Setting::OkCodes).name();
            return Err(UsageError::new(format!(
                "exit code '{code}' is in both {oks} and {warns}; leave it out of one"
            )));
        }
    }
    Ok(CodeMeaning { ok, warn })
}

fn alert_rule(levels: &Levels) -> Result<AlertRule, UsageError> {
    let after = read(levels, Setting::AlertAfter, "threshold", values::alert_after)?;
    let recover_after = read(levels, Setting::RecoverAfter, "count", values::count)?;
    Ok(AlertRule {
        after: after.unwrap_or(AlertAfter::InARow(NonZeroU32::MIN)),
        realert: read(levels, Setting::Realert, "duration", values::positive_duration)?,
        recover_after: recover_after.unwrap_or(NonZeroU32::MIN),
    })
}

fn severity(levels: &Levels) -> Result<Severity, UsageError> {
    const WORDS: [(&str, Severity); 4] = [
        ("info", Severity::Info),
        ("warning", Severity::Warning),
        ("error", Severity::Error),
        ("critical", Severity::Critical),
    ];
    let severity = read(levels, Setting::Severity, "severity", |text| values::one_of(text, &WORDS))?;
    Ok(severity.unwrap_or(Severity::Error))
}

fn summary(levels: &Levels) -> Result<Summary, UsageError> {
    const WORDS: [(&str, Summary); 3] =
        [("auto", Summary::Auto), ("always", Summary::Always), ("never", Summary::Never)];
    let summary = read(levels, Setting::Summary, "word", |text| values::one_of(text, &WORDS))?;
    Ok(summary.unwrap_or(Summary::Auto))
}

fn duration(levels: &Levels, setting: Setting) -> Result<Option<Duration>, UsageError> {
    read(levels, setting, "duration", values::duration)
}

fn switch(levels: &Levels, setting: Setting) -> Result<bool, UsageError> {
    Ok(read(levels, setting, "switch", values::switch)?.unwrap_or(false))
}

#[cfg(test)]
mod tests;
