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
    points: Vec<Json>,
}

/// Everything that there is to measure in these notices, each metric once. A value that is no finite number is left
/// out.
pub fn metrics<'a>(notices: impl Iterator<Item = &'a Notice>) -> Vec<Json> {
    let mut all: Vec<Metric> = Vec::new();
    for notice in notices {
        for measured in measurements(&notice.news) {
            let Some(point) = point(notice, &measured) else { continue };
            let name = name(notice, &measured);
            match all.iter_mut().find(|metric| metric.name == name) {
                Some(metric) => metric.points.push(point),
                None => {
                    let (kind, unit) = (measured.metric.kind, unit(&measured));
                    all.push(Metric { name, kind, unit, points: vec![point] });
                }
            }
        }
    }
    all.iter().map(Metric::json).collect()
}

impl Metric {
    fn json(&self) -> Json {
        let points = ("dataPoints", Json::array(&self.points));
        let values = match self.kind {
            MetricKind::Counter => {
                let delta = ("aggregationTemporality", Json::small(1));
                ("sum", Json::object(&[delta, ("isMonotonic", Json("true".to_owned())), points]))
            }
            MetricKind::Timer | MetricKind::Gauge => ("gauge", Json::object(&[points])),
        };
        let unit = (!self.unit.is_empty()).then(|| ("unit", Json::text(self.unit)));
        let fields: Vec<_> =
            [("name", Json::text(&self.name))].into_iter().chain(unit).chain([values]).collect();
        Json::object(&fields)
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
fn point(notice: &Notice, measured: &Measurement<'_>) -> Option<Json> {
    let value = Json::float(measured.value)?;
    let run = notice.news.run();
    let start = run.map(|run| nanos(run.started_at));
    let end = run.and_then(end_of).unwrap_or_else(|| nanos(notice.time));
    // A difference over no time at all is no difference.
    let end = end.max(start.map_or(0, |start| start + 1));
    let mut fields = vec![("timeUnixNano", Json::whole(end))];
    if let (MetricKind::Counter, Some(start)) = (measured.metric.kind, start) {
        fields.push(("startTimeUnixNano", Json::whole(start)));
    }
    fields.push(("asDouble", value));
    fields.push(("attributes", attributes(notice, measured.metric.tagged).json()));
    Some(Json::object(&fields))
}

/// Of a value what tells its series apart, and never what is another with every run.
fn attributes(notice: &Notice, tagged: Tagged) -> Attributes {
    let mut all = Attributes::default();
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
    all
}
