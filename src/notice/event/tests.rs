//! What stands in an event beside what the schema says of it.

use serde_json::{Value, json};

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::*;
use crate::job::Tag;
use crate::outcome::Produced;
use crate::outcome::{Outcome, Report, Run};
use crate::policy::History;
use crate::sinks::sample;

fn text_of_run(report: Report, produced: Vec<Produced>) -> String {
    let mut job = sample::job("x");
    job.tags = ["env:prod", "canary"].iter().filter_map(|tag| Tag::parse(tag)).collect();
    let run = Run { report, produced, ..sample::run(Outcome::Ok, 0, None) };
    let notices = sample::ended(job, &History::default(), run);
    event_json(&notices[0], Audience::Away)
}

fn of_run(report: Report, produced: Vec<Produced>) -> Value {
    serde_json::from_str(&text_of_run(report, produced)).unwrap()
}

#[test]
fn what_a_job_has_reported_is_in_the_event_of_its_run() {
    let values = [("rows", 1000.0), ("zero", -0.0), ("drift", -0.25), ("huge", 1e300), ("all", 9e15)];
    let report = Report {
        values: values.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        tags: ["db:app", "env:test"].iter().filter_map(|tag| Tag::parse(tag)).collect(),
    };
    // A reader takes one of two values for a key, and nobody knows which.
    assert_eq!(text_of_run(report.clone(), Vec::new()).matches("\"env\"").count(), 1);
    let event = of_run(report, Vec::new());
    let custom =
        json!({"rows": 1000, "zero": 0, "drift": -0.25, "huge": 1e300, "all": 9_000_000_000_000_000_i64});
    assert_eq!(event["custom"], custom);
    assert_eq!(event["tags"], json!({"canary": "", "db": "app", "env": "test"}));
    let silent = of_run(Report::default(), Vec::new());
    assert_eq!(silent["tags"], json!({"env": "prod", "canary": ""}));
    for absent in ["custom", "produced", "also_produced"] {
        assert!(silent.get(absent).is_none(), "{silent:#}");
    }
}

#[test]
fn files_are_told_one_by_one_and_byte_for_byte() {
    let file = |path: &[u8], bytes| Produced {
        pattern: "*".to_owned(),
        path: OsStr::from_bytes(path).into(),
        bytes,
    };
    let event = of_run(Report::default(), vec![file(b"/a", 7)]);
    assert_eq!(event["produced"], json!({"path": "/a", "bytes": 7}));
    assert!(event.get("also_produced").is_none(), "{event:#}");
    let event = of_run(Report::default(), vec![file(b"/\xff", 0), file(b"/a", 7), file(b"/b", 8)]);
    assert_eq!(event["produced"], json!({"path": "/\u{fffd}", "path_base64": "L/8=", "bytes": 0}));
    assert_eq!(event["also_produced"], json!([{"path": "/a", "bytes": 7}, {"path": "/b", "bytes": 8}]));
}

#[test]
fn milliseconds_keep_three_decimals() {
    assert_eq!(millis(Duration::from_nanos(1_900_123_456_789)), 1_900_123.457);
}
