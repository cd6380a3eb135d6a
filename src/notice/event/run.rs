//! A run as the fields of an event.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::base64::base64;
use crate::job::Tag;
use crate::notice::audience::{Audience, command_for, output_for, reason_for, reason_in_words, words_for};
use crate::notice::{Finished, Overdue, Start};
use crate::outcome::{Attempt, Ending, Produced, Run, Usage};
use crate::plan::JobFacts;

#[derive(Serialize, Default)]
pub(super) struct RunFields<'a> {
    run_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    earlier_attempts: Vec<AttemptFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(flatten)]
    ending: EndingFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    timed_out: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded_signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    argv: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    argv_base64: Option<Vec<String>>,
    #[serde(skip_serializing_if = "TagMap::is_empty")]
    tags: TagMap<'a>,
    #[serde(skip_serializing_if = "ValueMap::is_empty")]
    custom: ValueMap<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    produced: Option<ProducedFields<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also_produced: Vec<ProducedFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<OutputFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_failures: Option<u32>,
}

#[derive(Serialize)]
struct OutputFields<'a> {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    excerpt: Option<ExcerptFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct ExcerptFields<'a> {
    head: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tail: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tail_base64: Option<String>,
    total_bytes: u64,
    truncated_bytes: u64,
}

/// How a command ended that was started and reaped.
#[derive(Serialize, Default)]
struct EndingFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal_number: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core_dumped: Option<bool>,
}

#[derive(Serialize)]
struct AttemptFields<'a> {
    started_at: String,
    duration_ms: f64,
    outcome: &'static str,
    #[serde(flatten)]
    ending: EndingFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct UsageFields {
    user_ms: f64,
    system_ms: f64,
    max_rss_bytes: u64,
    minor_faults: u64,
    major_faults: u64,
    voluntary_switches: u64,
    involuntary_switches: u64,
    blocks_in: u64,
    blocks_out: u64,
}

#[derive(Serialize)]
struct ProducedFields<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    bytes: u64,
}

/// The user's tags and those that the run has reported as an object; a bare word has the empty text
/// for its value. Of two values for a key the run's is taken.
#[derive(Default)]
struct TagMap<'a> {
    of_job: &'a [Tag],
    reported: &'a [Tag],
}

impl TagMap<'_> {
    fn is_empty(&self) -> bool {
        self.of_job.is_empty() && self.reported.is_empty()
    }
}

impl Serialize for TagMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { of_job, reported } = self;
        let of_job = of_job.iter().filter(|tag| reported.iter().all(|other| other.key != tag.key));
        serializer
            .collect_map(of_job.chain(*reported).map(|tag| (&tag.key, tag.value.as_deref().unwrap_or(""))))
    }
}

/// What the job has reported as an object: whole numbers without a fraction, as they were written.
#[derive(Default)]
struct ValueMap<'a>(&'a [(String, f64)]);

impl ValueMap<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for ValueMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Up to here every whole number is a float of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            if value.fract() == 0.0 && value.abs() <= EXACT {
                map.serialize_entry(name, &(*value as i64))?;
            } else {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

impl<'a> RunFields<'a> {
    pub(super) fn started(job: &'a JobFacts, start: &Start, audience: Audience) -> Self {
        Self {
            run_id: start.id.to_string(),
            parent_run_id: start.parent.map(|id| id.to_string()),
            pid: Some(start.pid),
            started_at: start.started_at.to_string(),
            tags: TagMap { of_job: &job.tags, reported: &[] },
            ..Self::default()
        }
        .with_argv(job, audience)
    }

    pub(super) fn overdue(job: &'a JobFacts, overdue: &'a Overdue, audience: Audience) -> Self {
        Self {
            duration_ms: Some(millis(overdue.elapsed)),
            reason: Some(words_for(&overdue.reason, audience)),
            ..Self::started(job, &overdue.start, audience)
        }
    }

    pub(super) fn finished(job: &'a JobFacts, finished: &'a Finished, audience: Audience) -> Self {
        let run = &finished.run;
        let reason = |attempt: &'a Attempt| reason_in_words(job, attempt.reason.as_deref(), audience);
        Self {
            earlier_attempts: run.earlier.iter().map(|one| AttemptFields::of(one, reason(one))).collect(),
            reason: reason_for(job, run, audience),
            tags: TagMap { of_job: &job.tags, reported: &run.report.tags },
            output: OutputFields::of(job, run, audience),
            consecutive_failures: finished.history.as_ref().map(|h| h.failures_in_a_row),
            ..Self::of_run(run)
        }
        .with_argv(job, audience)
    }

    /// What is on record of a run, for whoever may read all of that.
    pub(super) fn recorded(run: &'a Run, argv: &'a [String]) -> Self {
        let reason = |attempt: &'a Attempt| attempt.reason.as_deref().map(Cow::Borrowed);
        Self {
            earlier_attempts: run.earlier.iter().map(|one| AttemptFields::of(one, reason(one))).collect(),
            reason: run.reason.as_deref().map(Cow::Borrowed),
            tags: TagMap { of_job: &[], reported: &run.report.tags },
            argv: (!argv.is_empty()).then(|| argv.iter().map(|word| Cow::Borrowed(&word[..])).collect()),
            ..Self::of_run(run)
        }
    }

    /// What an audience is not asked for.
    fn of_run(run: &'a Run) -> Self {
        Self {
            run_id: run.id.to_string(),
            parent_run_id: run.parent.map(|id| id.to_string()),
            pid: run.pid,
            started_at: run.started_at.to_string(),
            ended_at: run.ended_at.map(|at| at.to_string()),
            duration_ms: run.wall_time.map(millis),
            attempts: (run.attempts > 0).then_some(run.attempts),
            outcome: Some(run.outcome.as_str()),
            ending: EndingFields::of(run.end.ending()),
            timed_out: run.timed_out.then_some(true),
            forwarded_signal: run.forwarded_signal.map(|signal| signal.to_string()),
            usage: run.usage.as_ref().map(UsageFields::of),
            custom: ValueMap(&run.report.values),
            produced: run.produced.first().map(ProducedFields::of),
            also_produced: run.produced.iter().skip(1).map(ProducedFields::of).collect(),
            ..Self::default()
        }
    }

    fn with_argv(mut self, job: &'a JobFacts, audience: Audience) -> Self {
        let Some(words) = command_for(job, audience) else { return self };
        if words.iter().any(|word| word.to_str().is_none()) {
            self.argv_base64 = Some(words.iter().map(|word| base64(word.as_bytes())).collect());
        }
        let text = |word| match word {
            Cow::Borrowed(word) => OsStr::to_string_lossy(word),
            Cow::Owned(masked) => Cow::Owned(masked.to_string_lossy().into_owned()),
        };
        self.argv = Some(words.into_iter().map(text).collect());
        self
    }
}

impl<'a> OutputFields<'a> {
    fn of(job: &JobFacts, run: &'a Run, audience: Audience) -> Option<Self> {
        // The raw bytes would have in them what is masked in the text.
        let raw = |bytes: &[u8]| {
            let is_raw = audience == Audience::Local && std::str::from_utf8(bytes).is_err();
            is_raw.then(|| base64(bytes))
        };
        let bytes = run.output.excerpt.as_ref();
        let excerpt = output_for(job, run, audience).zip(bytes).map(|(output, bytes)| ExcerptFields {
            head: output.head,
            head_base64: raw(&bytes.head),
            tail: output.tail,
            tail_base64: raw(&bytes.tail),
            total_bytes: output.total,
            truncated_bytes: output.left_out,
        });
        let log = run.output.log.as_ref().map(|path| path.to_string_lossy());
        (excerpt.is_some() || log.is_some()).then_some(Self { excerpt, log })
    }
}

impl<'a> ProducedFields<'a> {
    fn of(found: &'a Produced) -> Self {
        let bytes = found.path.as_os_str().as_bytes();
        let is_text = found.path.to_str().is_some();
        Self {
            path: found.path.to_string_lossy(),
            path_base64: (!is_text).then(|| base64(bytes)),
            bytes: found.bytes,
        }
    }
}

impl EndingFields {
    fn of(ending: Option<Ending>) -> Self {
        let death = ending.and_then(Ending::death);
        Self {
            exit_code: ending.and_then(Ending::exit_code),
            signal: death.map(|(signal, _)| signal.to_string()),
            signal_number: death.map(|(signal, _)| signal.0),
            core_dumped: death.map(|(_, core_dumped)| core_dumped),
        }
    }
}

impl<'a> AttemptFields<'a> {
    fn of(attempt: &'a Attempt, reason: Option<Cow<'a, str>>) -> Self {
        Self {
            started_at: attempt.started_at.to_string(),
            duration_ms: millis(attempt.wall_time),
            outcome: attempt.outcome.as_str(),
            ending: EndingFields::of(Some(attempt.ending)),
            reason,
        }
    }
}

impl UsageFields {
    fn of(usage: &Usage) -> Self {
        Self {
            user_ms: millis(usage.user),
            system_ms: millis(usage.system),
            max_rss_bytes: usage.max_rss_bytes,
            minor_faults: usage.minor_faults,
            major_faults: usage.major_faults,
            voluntary_switches: usage.voluntary_switches,
            involuntary_switches: usage.involuntary_switches,
            blocks_in: usage.blocks_in,
            blocks_out: usage.blocks_out,
        }
    }
}

/// Milliseconds with three decimals.
pub fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}
