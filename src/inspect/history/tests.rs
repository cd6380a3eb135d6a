//! The history of real journals.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::journal::fixture::{Home, ended};
use crate::outcome::Outcome;

const PAGE: Page = Page { columns: None, colours: false, unicode: false };

fn request(failed: bool, since: Option<&str>, json: bool) -> HistoryRequest {
    HistoryRequest::of("db/backup", failed, since.map(OsStr::new), json, Timestamp::now()).unwrap()
}

fn asked(home: &Home, request: &HistoryRequest) -> String {
    history(request, &home.state_dir().unwrap(), PAGE, Timestamp::now()).unwrap()
}

fn listed(home: &Home, request: &HistoryRequest) -> Vec<Value> {
    serde_json::from_str(&asked(home, request)).unwrap()
}

/// How often each run of the table has this outcome.
fn lines_with(text: &str, outcome: &str) -> usize {
    text.lines().filter(|line| line.starts_with("20") && line.contains(&format!("  {outcome}  "))).count()
}

#[test]
fn the_last_thirty_runs_are_shown_and_all_of_them_counted() {
    let home = Home { threshold: 2, ..Home::new() };
    for number in 0..40 {
        home.play(if number % 10 == 9 { Outcome::Failed } else { Outcome::Ok });
    }
    let text = asked(&home, &request(false, None, false));
    assert_eq!((lines_with(&text, "ok    "), lines_with(&text, "failed")), (27, 3), "{text}");
    assert!(text.contains("\n40 runs since "), "{text}");
    assert!(text.contains(": 36 ok, 4 failed\n"), "{text}");
    assert!(text.contains("successes take 100 ms (median), 90% within 100 ms, at most 100 ms"), "{text}");
    assert!(text.contains("the last 10 took as long as the 26 before"), "{text}");
    let text = asked(&home, &request(false, Some("1h"), false));
    assert_eq!((lines_with(&text, "ok    "), lines_with(&text, "failed")), (36, 4), "{text}");
}

#[test]
fn those_that_failed_are_shown_alone_if_one_asks_for_them() {
    let home = Home { threshold: 2, ..Home::new() };
    for outcome in
        [Outcome::Ok, Outcome::Failed, Outcome::Ok, Outcome::TimedOut, Outcome::Skipped, Outcome::Stopped]
    {
        home.play(outcome);
    }
    let text = asked(&home, &request(true, None, false));
    assert_eq!(text.lines().filter(|line| line.starts_with("20")).count(), 2, "{text}");
    assert!(text.contains("6 runs since"), "how many there were is said all the same\n{text}");
    let runs = listed(&home, &request(true, None, true));
    let outcomes: Vec<&Value> = runs.iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, ["failed", "timed_out"]);
}

#[test]
fn what_was_before_the_moment_is_left_out() {
    let home = Home::new();
    let mut old = ended(Outcome::Failed);
    let long_ago = Timestamp::now().earlier_by(Duration::from_secs(10 * 86_400));
    (old.started_at, old.ended_at) = (long_ago, Some(long_ago));
    home.commit(&mut home.open(), &old);
    home.play(Outcome::Ok);
    assert_eq!(listed(&home, &request(false, None, true)).len(), 2);
    assert_eq!(listed(&home, &request(false, Some("7d"), true)).len(), 1);
    let text = asked(&home, &request(true, Some("7d"), false));
    assert!(text.contains("no such run is on record\n\n1 run since"), "{text}");
}

#[test]
fn a_run_on_record_has_the_fields_of_events() {
    let home = Home::new();
    home.play(Outcome::Failed);
    let run = &listed(&home, &request(false, None, true))[0];
    assert_eq!(
        (&run["outcome"], &run["exit_code"], &run["duration_ms"]),
        (&"failed".into(), &1.into(), &100.0.into())
    );
    assert!(
        run["run_id"].is_string() && run["started_at"].is_string() && run["ended_at"].is_string(),
        "{run}"
    );
    assert!(run["argv"].is_array(), "{run}");
    for absent in ["signal", "earlier_attempts", "output", "consecutive_failures", "parent_run_id"] {
        assert!(run.get(absent).is_none(), "{absent}: {run}");
    }
}

#[test]
fn a_job_that_is_not_on_record_or_cannot_be_read_is_said_so() {
    let home = Home::new();
    let other = HistoryRequest::of("other", false, None, false, Timestamp::now()).unwrap();
    let ask = || history(&other, &home.state_dir().unwrap(), PAGE, Timestamp::now()).unwrap_err();
    assert!(ask().starts_with("no run of 'other' is on record in '"), "{}", ask());
    home.play(Outcome::Ok);
    assert!(ask().starts_with("no run of 'other' is on record in '"), "{}", ask());
    std::fs::write(home.journal_path(), "rubbish\n").unwrap();
    let why = history(&request(false, None, false), &home.state_dir().unwrap(), PAGE, Timestamp::now());
    assert!(why.unwrap_err().contains("is corrupt"));
}
