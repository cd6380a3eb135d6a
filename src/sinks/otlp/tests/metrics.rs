//! Data points, held against whole documents.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::clock::Timestamp;
use crate::job::Tag;
use crate::notice::{Health, Standing};
use crate::outcome::{Ending, Report, Run, RunEnd};
use crate::plan::JobFacts;
use crate::sinks::otlp::metrics::push_metrics;

fn metrics(notices: &[Notice]) -> Vec<Value> {
    let notices: Vec<&Notice> = notices.iter().collect();
    elements(|json| push_metrics(json, &notices))
}

/// Every metric by its name; each name once.
fn measured(notices: &[Notice]) -> std::collections::BTreeMap<String, Value> {
    let all = metrics(notices);
    let named = |metric: &Value| (metric["name"].as_str().unwrap().to_owned(), metric.clone());
    let found: std::collections::BTreeMap<_, _> = all.iter().map(named).collect();
    assert_eq!(found.len(), all.len(), "{all:#?}");
    found
}

fn tagged(label: &str, tags: &[&str]) -> JobFacts {
    JobFacts { tags: tags.iter().filter_map(|tag| Tag::parse(tag)).collect(), ..sample::job(label) }
}

/// One that began at 1,699,999,999.987 and took 12.75 ms.
const START: &str = "1699999999987000000";
const END: &str = "1699999999999750000";

#[test]
fn a_failure_is_measured_by_deltas_and_gauges_in_the_units_of_ucum() {
    let report = Report { values: vec![("rows".into(), -2.5)], tags: Vec::new() };
    let run = Run { report, ..sample::run(Outcome::Failed, 3, None) };
    let notices = sample::ended(tagged("pg", &["env:prod", "canary"]), &sample::failing_history(), run);
    let text = |key: &str, value: &str| attribute(key, &value.into());
    let user = [text("env", "prod"), text("canary", "")];
    let of_job = [&[text("task", "pg")][..], &user].concat();
    let of_outcome = [&[text("task", "pg"), text("outcome", "failed")][..], &user].concat();
    let gauge = |name: &str, unit: &str, value: f64, attributes: &[Value]| {
        let points = json!([{"timeUnixNano": END, "asDouble": value, "attributes": attributes}]);
        let mut metric = json!({"name": name, "gauge": {"dataPoints": points}});
        if !unit.is_empty() {
            metric["unit"] = unit.into();
        }
        (name.to_owned(), metric)
    };
    let of_ending =
        [&[text("task", "pg"), text("outcome", "failed"), text("exit_code", "3")][..], &user].concat();
    let count = json!({"name": "cronward.run.count", "unit": "{run}", "sum": {
        "aggregationTemporality": 1,
        "isMonotonic": true,
        "dataPoints": [{
            "startTimeUnixNano": START, "timeUnixNano": END, "asDouble": 1.0, "attributes": of_ending,
        }],
    }});
    let expected = [
        gauge("cronward.job.alert_open", "", 1.0, &of_job),
        gauge("cronward.job.consecutive_failures", "{failure}", 4.0, &of_job),
        ("cronward.run.count".to_owned(), count),
        gauge("cronward.run.cpu_system", "ms", 0.0, &of_outcome),
        gauge("cronward.run.cpu_user", "ms", 8.5, &of_outcome),
        gauge("cronward.run.custom.rows", "", -2.5, &of_outcome),
        gauge("cronward.run.duration", "ms", 12.75, &of_outcome),
        gauge("cronward.run.exit_code", "", 3.0, &of_outcome),
        gauge("cronward.run.max_rss", "By", 1_048_576.0, &of_outcome),
    ];
    assert_eq!(measured(&notices), std::collections::BTreeMap::from(expected));
}

#[test]
fn a_death_is_measured_by_its_signal_and_a_success_by_when_it_was() {
    let end = RunEnd::Ended(Ending::Killed { signal: crate::job::Signal::KILL, core_dumped: false });
    let run = Run { end, ..sample::run(Outcome::Signaled, 0, None) };
    let found = measured(&sample::ended(sample::job("pg"), &History::default(), run));
    assert_eq!(found["cronward.run.signal"]["gauge"]["dataPoints"][0]["asDouble"], 9.0);
    let count = attributes(&found["cronward.run.count"]["sum"]["dataPoints"][0]);
    assert_eq!((&count["signal"], count.get("exit_code")), (&"SIGKILL".into(), None));
    let success =
        measured(&sample::ended(sample::job("pg"), &History::default(), sample::run(Outcome::Ok, 0, None)));
    let last = &success["cronward.job.last_success"];
    assert_eq!((&last["unit"], &last["gauge"]["dataPoints"][0]["asDouble"]), (&"s".into(), &1.7e9.into()));
}

#[test]
fn how_jobs_stand_is_one_metric_of_many_points_and_the_host_has_no_task() {
    let standing = |label: &str, age| {
        let standing = Standing {
            success_age: Some(Duration::from_secs(age)),
            alert_is_open: false,
            health: Health::Ok,
            sentence: String::new(),
        };
        Notice::standing(Arc::new(tagged(label, &["env:prod"])), sample::ENDED_AT, standing)
    };
    let alive = Notice::alive(Arc::new(tagged("none", &["env:prod"])), sample::ENDED_AT);
    let found = measured(&[standing("a", 60), standing("b", 61), alive]);
    let points = found["cronward.job.success_age"]["gauge"]["dataPoints"].as_array().unwrap();
    let seen: Vec<_> =
        points.iter().map(|point| (attributes(point)["task"].clone(), point["asDouble"].clone())).collect();
    assert_eq!(seen, [("a".into(), 60.0.into()), ("b".into(), 61.0.into())]);
    assert_eq!(found["cronward.job.success_age"]["unit"], "s");
    let alive = &found["cronward.check.alive"]["gauge"]["dataPoints"][0];
    assert_eq!(
        *alive,
        json!({
            "timeUnixNano": "1700000000000000000",
            "asDouble": 1.0,
            "attributes": [attribute("env", &"prod".into())],
        })
    );
}

/// Tags would have a run count for another job, or as another outcome.
#[test]
fn a_tag_replaces_nothing_of_ours_and_what_the_run_says_comes_before_what_the_user_does() {
    let report = Report {
        values: Vec::new(),
        tags: ["env:test", "exit_code:0"].iter().filter_map(|tag| Tag::parse(tag)).collect(),
    };
    let job = tagged("pg", &["task:forged", "outcome:ok", "env:prod", "team:db"]);
    let run = Run { report, ..sample::run(Outcome::Failed, 3, None) };
    let found = measured(&sample::ended(job, &History::default(), run));
    let of = |name: &str, kind: &str| attributes(&found[name][kind]["dataPoints"][0]);
    let count = of("cronward.run.count", "sum");
    let text = |pairs: &[(&str, &str)]| -> std::collections::BTreeMap<String, Value> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.into())).collect()
    };
    assert_eq!(
        count,
        text(&[("task", "pg"), ("outcome", "failed"), ("exit_code", "3"), ("env", "test"), ("team", "db")])
    );
    // What one run says of itself would be a series that nothing ever changes.
    let job = of("cronward.job.alert_open", "gauge");
    assert_eq!(job, text(&[("task", "pg"), ("outcome", "ok"), ("env", "prod"), ("team", "db")]));
}

#[test]
fn a_difference_is_over_some_time_also_of_a_run_that_nobody_saw_the_end_of() {
    let at = |millis| Timestamp::from_millis(millis);
    for (started, ended, wall_time, expected) in [
        (5_000, Some(5_000), None, ("5000000000", "5000000001")),
        // The clock was set back, and says nothing of the length.
        (5_000, Some(4_000), Some(Duration::from_millis(7)), ("5000000000", "5007000000")),
        (5_000, Some(4_000), None, ("5000000000", "5000000001")),
        (-1, None, Some(Duration::ZERO), ("0", "1")),
    ] {
        let run = Run {
            started_at: at(started),
            ended_at: ended.map(at),
            wall_time,
            ..sample::run(Outcome::Skipped, 0, None)
        };
        let found = measured(&sample::ended(sample::job("pg"), &History::default(), run)[..1]);
        let point = &found["cronward.run.count"]["sum"]["dataPoints"][0];
        let times = (point["startTimeUnixNano"].as_str().unwrap(), point["timeUnixNano"].as_str().unwrap());
        assert_eq!(times, expected, "{started} {ended:?} {wall_time:?}");
    }
    let lost = Run { ended_at: None, wall_time: None, ..sample::run(Outcome::Interrupted, 0, None) };
    let found = sample::ended(sample::job("pg"), &History::default(), lost).remove(0);
    let point = &measured(std::slice::from_ref(&found))["cronward.run.count"]["sum"]["dataPoints"][0];
    // Where it began long ago, no receiver would take it.
    assert_eq!(point["timeUnixNano"], format!("{}000000", found.time.as_millis()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_words_are_values_and_nothing_else(
        label in sample::hostile(), namespace in sample::hostile(), tag in sample::hostile(),
        report in sample::hostile_report(),
    ) {
        let finite = report.values.iter().filter(|(_, value)| value.is_finite()).count();
        let mut job = tagged(&label, &[&tag]);
        job.namespace = namespace;
        let run = Run { report, ..sample::run(Outcome::Failed, 3, None) };
        let all = metrics(&sample::ended(job, &History::default(), run));
        let mut points = 0;
        for metric in &all {
            let name = metric["name"].as_str().unwrap();
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)), "{}", name);
            let values = metric.get("sum").or(metric.get("gauge")).unwrap();
            for point in values["dataPoints"].as_array().unwrap() {
                points += 1;
                prop_assert!(point["asDouble"].is_f64());
                let seen = attributes(point);
                prop_assert!(seen.contains_key("task"));
                let plain = |text: &str| text.len() <= 1024 && !text.contains(char::is_control);
                let all_plain = seen.values().all(|value| value.as_str().is_some_and(plain));
                prop_assert!(all_plain, "{:#?}", seen);
            }
        }
        prop_assert_eq!(points, 8 + finite);
    }
}
