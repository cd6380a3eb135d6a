//! PURE. A run as a span: what OpenTelemetry calls the span of a program that was called
//! (opentelemetry.io/docs/specs/semconv/cli/cli-spans). The attempts before the last one are events of it.

use super::context::Place;
use super::facts::{add_run, add_tags, end_of, executable, nanos};
use super::json::{Attributes, Json, cut};
use crate::notice::{Audience, Finished, reason_for, reason_in_words};
use crate::outcome::{Attempt, Run, Weight};
use crate::plan::JobFacts;
use crate::redact::one_line;

/// Most attempts that are told of, the latest ones: what SDKs keep of a span's events ("Span Limits").
const EVENTS_MAX: usize = 128;

/// Says in the flags of a span that its parent is in another process, and that this is known
/// (`SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK` of trace.proto).
const PARENT_IS_REMOTE: u32 = 0x300;

/// The span of a run. One that nobody saw the end of ends where it began.
pub fn span(job: &JobFacts, finished: &Finished, place: &Place<'_>) -> Json {
    let run = &finished.run;
    let start = nanos(run.started_at);
    let remote = if place.parent.is_some() { PARENT_IS_REMOTE } else { 0 };
    let mut fields = vec![("traceId", Json::text(&place.trace)), ("spanId", Json::text(&place.span))];
    fields.extend(place.parent.map(|parent| ("parentSpanId", Json::text(parent))));
    fields.extend(place.state.map(|state| ("traceState", Json::text(state))));
    fields.extend([
        ("flags", Json::small(u32::from(place.flags()) | remote)),
        ("name", Json::text(&cut(&one_line(&executable(job))))),
        ("kind", Json::small(1)),
        ("startTimeUnixNano", Json::whole(start)),
        ("endTimeUnixNano", Json::whole(end_of(run).unwrap_or(start))),
        ("attributes", attributes(job, run).json()),
    ]);
    let left_out = run.earlier.len().saturating_sub(EVENTS_MAX);
    if !run.earlier.is_empty() {
        let numbered = run.earlier.iter().enumerate().skip(left_out);
        let events: Vec<Json> = numbered.map(|(at, attempt)| event(job, at + 1, attempt)).collect();
        fields.push(("events", Json::array(&events)));
        fields.push(("droppedEventsCount", Json::small(left_out.try_into().unwrap_or(u32::MAX))));
    }
    if run.outcome.weight() == Weight::Failure {
        let reason = reason_for(job, run, Audience::Away);
        let message = cut(&one_line(reason.as_deref().unwrap_or(run.outcome.as_str())));
        fields.push(("status", Json::object(&[("message", Json::text(&message)), ("code", Json::small(2))])));
    }
    Json::object(&fields)
}

fn attributes(job: &JobFacts, run: &Run) -> Attributes {
    let mut all = Attributes::default();
    all.text("task", job.label.as_str());
    add_run(&mut all, job, run);
    if run.outcome.weight() == Weight::Failure {
        all.text("error.type", run.outcome.as_str());
    }
    add_tags(&mut all, job, &run.report.tags);
    all
}

/// An attempt that failed, at the time at which it had.
fn event(job: &JobFacts, number: usize, attempt: &Attempt) -> Json {
    let mut all = Attributes::default();
    all.text("outcome", attempt.outcome.as_str());
    all.whole("cronward.run.attempt", number);
    if let Some(code) = attempt.ending.exit_code() {
        all.whole("process.exit.code", code);
    }
    if let Some((signal, _)) = attempt.ending.death() {
        all.text("cronward.run.signal", &signal.to_string());
    }
    if let Some(reason) = reason_in_words(job, attempt.reason.as_deref(), Audience::Away) {
        all.text("cronward.reason", &reason);
    }
    let took = attempt.wall_time.as_nanos().try_into().unwrap_or(u64::MAX);
    Json::object(&[
        ("timeUnixNano", Json::whole(nanos(attempt.started_at).saturating_add(took))),
        ("name", Json::text("cronward.attempt.failed")),
        ("attributes", all.json()),
    ])
}
