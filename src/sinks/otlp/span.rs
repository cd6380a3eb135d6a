//! PURE. A run as a span: what OpenTelemetry calls the span of a program that was called
//! (opentelemetry.io/docs/specs/semconv/cli/cli-spans). The attempts before the last one are events of it.

use super::context::Place;
use super::facts::{add_run, add_tags, end_of, executable, nanos};
use super::json::{Attributes, Json, plain};
use crate::notice::{Audience, Finished, reason_for, reason_in_words};
use crate::outcome::{Run, Weight};
use crate::plan::JobFacts;

/// Most attempts that are told of, the latest ones: what SDKs keep of a span's events ("Span Limits").
const EVENTS_MAX: usize = 128;

/// Says in the flags of a span that its parent is in another process, and that this is known
/// (`SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK` of trace.proto).
const PARENT_IS_REMOTE: u32 = 0x300;

/// Adds the span of a run. One that nobody saw the end of ends where it began.
pub fn push_span(json: &mut Json, job: &JobFacts, finished: &Finished, place: &Place) {
    let run = &finished.run;
    let start = nanos(run.started_at);
    let failed = run.outcome.weight() == Weight::Failure;
    let mut flags = u32::from(place.flags());
    json.begin("", '{');
    json.text("traceId", &place.trace);
    json.text("spanId", &place.span);
    if let Some(parent) = &place.parent {
        json.text("parentSpanId", parent);
        flags |= PARENT_IS_REMOTE;
    }
    if let Some(state) = &place.state {
        json.text("traceState", state);
    }
    json.raw("flags", &flags.to_string());
    json.text("name", &plain(&executable(job)));
    json.raw("kind", "1");
    json.whole("startTimeUnixNano", start);
    json.whole("endTimeUnixNano", end_of(run).unwrap_or(start));
    let mut all = Attributes::begin(json);
    all.text("task", job.label.as_str());
    add_run(&mut all, job, run);
    if failed {
        all.text("error.type", run.outcome.as_str());
    }
    add_tags(&mut all, job, &run.report.tags);
    all.end();
    push_attempts(json, job, run);
    if failed {
        let reason = reason_for(job, run, Audience::Away);
        json.begin("status", '{');
        json.text("message", &plain(reason.as_deref().unwrap_or(run.outcome.as_str())));
        json.raw("code", "2");
        json.end('}');
    }
    json.end('}');
}

/// The attempts that failed and were not the last, each at the time at which it had.
fn push_attempts(json: &mut Json, job: &JobFacts, run: &Run) {
    if run.earlier.is_empty() {
        return;
    }
    let left_out = run.earlier.len().saturating_sub(EVENTS_MAX);
    json.raw("droppedEventsCount", &left_out.to_string());
    json.begin("events", '[');
    for (at, attempt) in run.earlier.iter().enumerate().skip(left_out) {
        let took = attempt.wall_time.as_nanos().try_into().unwrap_or(u64::MAX);
        json.begin("", '{');
        json.whole("timeUnixNano", nanos(attempt.started_at).saturating_add(took));
        json.text("name", "cronward.attempt.failed");
        let mut all = Attributes::begin(json);
        all.text("outcome", attempt.outcome.as_str());
        all.whole("cronward.run.attempt", at as u64 + 1);
        if let Some(code) = attempt.ending.exit_code() {
            all.whole("process.exit.code", code.into());
        }
        if let Some((signal, _)) = attempt.ending.death() {
            all.text("cronward.run.signal", &signal.to_string());
        }
        if let Some(reason) = reason_in_words(job, attempt.reason.as_deref(), Audience::Away) {
            all.text("cronward.reason", &reason);
        }
        all.end();
        json.end('}');
    }
    json.end(']');
}
