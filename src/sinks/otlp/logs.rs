//! PURE. Notices as log records: each is an event with a name (opentelemetry.io/docs/specs/otel/logs/data-model,
//! "Events"), a line for people, and what can be searched for.

use super::context::Place;
use super::facts::{add_run, add_start, add_tags, nanos, run_id};
use super::json::{Attributes, Json, plain};
use crate::job::RunId;
use crate::notice::{Audience, News, Notice, Turn, changes_for, end_of_output, reason_for, words_for};
use crate::outcome::{Outcome, Weight};
use crate::plan::{JobFacts, Severity};
use crate::policy::Alert;

/// How much of the end of the output is told, in bytes: a body has to stay far below what collectors take.
const OUTPUT_MAX: usize = 16 * 1024;

/// SeverityNumber, and the word for it ("Severity Fields").
type Level = (&'static str, &'static str);
const INFO: Level = ("9", "INFO");
const WARN: Level = ("13", "WARN");
const ERROR: Level = ("17", "ERROR");
const FATAL: Level = ("21", "FATAL");

/// Adds the record of a notice, if it is an event. `place` says where a run is in a trace, if it is in one.
pub fn push_record(json: &mut Json, notice: &Notice, place: &dyn Fn(RunId) -> Option<Place>) {
    let Some((number, word)) = level(notice) else { return };
    let at = nanos(notice.time);
    json.begin("", '{');
    json.whole("timeUnixNano", at);
    json.whole("observedTimeUnixNano", at);
    json.raw("severityNumber", number);
    json.text("severityText", word);
    json.text("eventName", &format!("cronward.{}", notice.news.kind()));
    json.begin("body", '{');
    json.text("stringValue", &plain(&notice.headline_for(Audience::Away)));
    json.end('}');
    push_attributes(json, notice);
    if let Some(place) = run_id(&notice.news).and_then(place) {
        json.raw("flags", &place.flags().to_string());
        json.text("traceId", &place.trace);
        json.text("spanId", &place.span);
    }
    json.end('}');
}

/// How bad it is: for what is not about an alert how the run went, and else how bad the user has said alerts are.
fn level(notice: &Notice) -> Option<Level> {
    Some(match &notice.news {
        News::Standing(_) | News::Alive => return None,
        News::Started(_) | News::Closed(_) => INFO,
        News::Overdue(_) => WARN,
        News::Finished(finished) => match (finished.run.outcome, finished.run.outcome.weight()) {
            (Outcome::Warning, _) => WARN,
            (_, Weight::Success | Weight::Neither) => INFO,
            (_, Weight::Failure) => ERROR,
        },
        News::Opened(_) | News::Repeated(_) => match notice.job.severity {
            Severity::Info => INFO,
            Severity::Warning => WARN,
            Severity::Error => ERROR,
            Severity::Critical => FATAL,
        },
    })
}

fn push_attributes(json: &mut Json, notice: &Notice) {
    let job = &*notice.job;
    let mut all = Attributes::begin(json);
    all.text("task", job.label.as_str());
    // The same notice told again has the same id.
    all.text("cronward.event.id", &notice.id.to_string());
    let run = notice.news.run();
    if let Some(run) = run {
        add_run(&mut all, job, run);
    }
    if let Some(start) = notice.news.under_way() {
        add_start(&mut all, job, start);
    }
    let reason = match &notice.news {
        News::Started(_) | News::Standing(_) | News::Alive => None,
        News::Overdue(overdue) => Some(words_for(&overdue.reason, Audience::Away)),
        News::Finished(finished) => reason_for(job, &finished.run, Audience::Away),
        News::Opened(turn) | News::Repeated(turn) | News::Closed(turn) => {
            turn.cause.reason_for(job, Audience::Away)
        }
    };
    if let Some(reason) = reason {
        all.text("cronward.reason", &reason);
    }
    if let Some(turn) = notice.news.turn() {
        add_turn(&mut all, job, turn);
    }
    if let Some(output) = run.and_then(|run| end_of_output(job, run, OUTPUT_MAX)) {
        all.lines("cronward.output", &output);
    }
    add_tags(&mut all, job, run.map_or(&[], |run| &run.report.tags));
    all.end();
}

fn add_turn(all: &mut Attributes<'_>, job: &JobFacts, Turn { alert, cause: _, changed }: &Turn) {
    let Alert { id, key, opened_at, failures, .. } = alert;
    all.text("cronward.alert.id", &id.to_string());
    all.text("cronward.alert.key", &key.text);
    all.text("cronward.alert.opened_at", &opened_at.to_string());
    all.whole("cronward.alert.failures", (*failures).into());
    all.text("cronward.alert.severity", job.severity.as_str());
    for (key, value) in [("cronward.alert.owner", &job.owner), ("cronward.alert.runbook", &job.runbook)] {
        if let Some(value) = value {
            all.text(key, value);
        }
    }
    let changed = changes_for(job, changed, Audience::Away);
    let changed: Vec<&str> = changed.iter().map(|change| &**change).collect();
    all.texts("cronward.alert.changed", &changed);
}
