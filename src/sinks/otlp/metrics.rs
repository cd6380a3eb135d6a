//! PURE. The table of metrics as data points. A count is a sum of which each point is the difference since the last
//! (delta): there is nobody to add up between two runs. All else is a gauge, durations too: a run is one value with
//! a time of its own, of which a gauge loses nothing, and which every receiver stores. A histogram of one point
//! holds no more, and receivers are known that accept an exponential one and store nothing.

use super::facts::{add_tags, end_of, nanos};
use super::json::{Attributes, Json};
use crate::notice::{Measurement, MetricKind, Notice, Tagged, measurements, value_tags};
use crate::sinks::wire::{push_metric, push_name};

/// One metric, and its values so far.
struct Metric {
    name: String,
    kind: MetricKind,
    unit: &'static str,
    points: Json,
}

/// Adds everything that there is to measure in these notices, each metric once. A value that is no finite number is
/// left out.
pub fn push_metrics(json: &mut Json, notices: &[&Notice]) {
    let mut all: Vec<Metric> = Vec::new();
    for notice in notices {
        for measured in measurements(&notice.news) {
            if !measured.value.is_finite() {
                continue;
            }
            let name = name(notice, &measured);
            let place = all.iter().position(|metric| metric.name == name).unwrap_or_else(|| {
                let (kind, unit) = (measured.metric.kind, unit(&measured));
                all.push(Metric { name, kind, unit, points: Json::default() });
                all.len() - 1
            });
            push_point(&mut all[place].points, notice, &measured);
        }
    }
    for Metric { name, kind, unit, points } in all {
        json.begin("", '{');
        json.text("name", &name);
        if !unit.is_empty() {
            json.text("unit", unit);
        }
        match kind {
            MetricKind::Counter => {
                json.begin("sum", '{');
                json.raw("aggregationTemporality", "1");
                json.raw("isMonotonic", "true");
            }
            MetricKind::Timer | MetricKind::Gauge => json.begin("gauge", '{'),
        }
        json.begin("dataPoints", '[');
        json.0.push_str(&points.0);
        json.0.push_str("]}}");
    }
}

/// `NAMESPACE.run.duration`, in characters that a name may have ("Metrics API", instrument name syntax).
fn name(notice: &Notice, measured: &Measurement<'_>) -> String {
    let mut prefix = String::new();
    push_name(&mut prefix, &notice.job.namespace);
    prefix.push('.');
    let mut name = String::new();
    push_metric(&mut name, &prefix, measured.metric.name, measured.given_name);
    name
}

/// The unit by UCUM; what is counted stands in braces. None for what is no quantity: as `1` Prometheus would call
/// an exit code a ratio.
fn unit(measured: &Measurement<'_>) -> &'static str {
    match (measured.metric.kind, measured.metric.name) {
        (MetricKind::Timer, _) => "ms",
        (MetricKind::Counter, _) => "{run}",
        (MetricKind::Gauge, "run.max_rss") => "By",
        (MetricKind::Gauge, "job.last_success" | "job.success_age") => "s",
        (MetricKind::Gauge, "job.consecutive_failures") => "{failure}",
        (MetricKind::Gauge, _) => "",
    }
}

/// One value. Always as a float: a receiver is known that takes a whole number, written as text as the standard has
/// it, for no value at all.
fn push_point(points: &mut Json, notice: &Notice, measured: &Measurement<'_>) {
    let run = notice.news.run();
    let start = run.map(|run| nanos(run.started_at));
    let end = run.and_then(end_of).unwrap_or_else(|| nanos(notice.time));
    points.begin("", '{');
    // A difference over no time at all is no difference.
    points.whole("timeUnixNano", end.max(start.map_or(0, |start| start + 1)));
    if let (MetricKind::Counter, Some(start)) = (measured.metric.kind, start) {
        points.whole("startTimeUnixNano", start);
    }
    points.float("asDouble", measured.value);
    push_attributes(points, notice, measured.metric.tagged);
    points.end('}');
}

/// Of a value what tells its series apart, and never what is another with every run.
fn push_attributes(point: &mut Json, notice: &Notice, tagged: Tagged) {
    let mut all = Attributes::begin(point);
    let run = notice.news.run();
    let reported = match tagged {
        Tagged::Host | Tagged::Job => &[][..],
        Tagged::Outcome | Tagged::Ending => run.map_or(&[][..], |run| &run.report.tags),
    };
    if tagged != Tagged::Host {
        all.text("task", notice.job.label.as_str());
    }
    for (key, value) in run.map(|run| value_tags(run, tagged)).unwrap_or_default() {
        all.text(key, &value);
    }
    add_tags(&mut all, &notice.job, reported);
    all.end();
}
