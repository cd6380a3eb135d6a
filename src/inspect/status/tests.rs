//! The table and the JSON of real journals.

use super::*;
use crate::job::{Label, RunId};
use crate::journal::fixture::{Home, ended, leave};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::time::Duration;

use crate::outcome::{Outcome, Run};
use crate::policy::History;

/// Without end, without colours.
const PAGE: Page = Page { columns: None, colours: false, unicode: false };

fn asked(home: &Home, labels: &[&str], json: bool) -> Result<String, String> {
    let request = StatusRequest { labels: labels.iter().map(|&label| label.to_owned()).collect(), json };
    status(&request, &home.state_dir().unwrap(), None, PAGE, Timestamp::now())
}

fn shown(home: &Home) -> String {
    asked(home, &[], false).unwrap()
}

fn listed(home: &Home) -> Value {
    serde_json::from_str(&asked(home, &[], true).unwrap()).unwrap()
}

fn label(text: &str) -> Label {
    Label::new(OsStr::new(text)).unwrap()
}

#[test]
fn a_host_without_runs_says_so() {
    let home = Home::new();
    assert!(shown(&home).starts_with("no run is on record in '"));
    assert_eq!(listed(&home), serde_json::json!([]));
}

#[test]
fn a_failing_job_is_shown_with_its_streak_and_alert() {
    let home = Home { threshold: 2, ..Home::new() };
    home.play(Outcome::Failed);
    home.play(Outcome::Failed);
    let text = shown(&home);
    for expected in ["LABEL", "db/backup", "failed", "2 failures", "open for", "100 ms", "ago)"] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let jobs = listed(&home);
    let job = &jobs[0];
    assert_eq!((&job["label"], &job["outcome"]), (&"db/backup".into(), &"failed".into()));
    assert_eq!((&job["consecutive_failures"], &job["duration_ms"]), (&2.into(), &100.0.into()));
    assert_eq!(job["alert"]["failures"], 2);
    for absent in ["error", "running", "last_success", "next_due", "usual_duration_ms"] {
        assert!(job.get(absent).is_none(), "{absent}: {job}");
    }
}

#[test]
fn columns_are_aligned() {
    let mut home = Home::new();
    home.play(Outcome::Ok);
    home.label = label("größer");
    home.play(Outcome::Failed);
    let text = shown(&home);
    let column = |line: &str, word: &str| line.find(word).map(|at| line[..at].chars().count());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "two jobs under their headings, and what matters of them");
    let outcome = column(lines[0], "OUTCOME");
    assert_eq!(column(lines[1], "ok"), outcome, "{text}");
    assert_eq!(column(lines[2], "failed"), outcome, "{text}");
    assert!(lines.iter().all(|line| !line.ends_with(' ')));
}

#[test]
fn a_run_under_way_is_shown_and_one_that_died_is_interrupted() {
    let home = Home::new();
    home.play(Outcome::Ok);
    let mut living = home.open();
    let run = RunId::new();
    leave(&living.begin(run, Timestamp::now()), 4711);
    assert!(shown(&home).contains("running for"));
    assert_eq!(listed(&home)[0]["running"][0]["run_id"], run.to_string());
    assert_eq!(listed(&home)[0]["outcome"], "ok");
    drop(living);
    let text = shown(&home);
    assert!(text.contains("interrupted") && text.contains("died; the next run records it"), "{text}");
    let job = &listed(&home)[0];
    assert_eq!((&job["outcome"], &job["run_id"]), (&"interrupted".into(), &run.to_string().into()));
    assert!(job.get("running").is_none() && job.get("ended_at").is_none());
}

#[test]
fn a_job_that_cannot_be_read_is_shown_with_the_reason() {
    let home = Home::new();
    home.play(Outcome::Ok);
    fs::write(home.journal_path(), "rubbish\n").unwrap();
    let text = shown(&home);
    assert!(text.contains("db/backup  unreadable") && text.contains("is corrupt"), "{text}");
    assert!(listed(&home)[0]["error"].as_str().unwrap().contains("is corrupt"));
    assert_eq!(home.text(), "rubbish\n", "looking changes nothing");
}

#[test]
fn only_the_named_jobs_are_shown_and_an_unknown_one_is_an_error() {
    let mut home = Home::new();
    home.play(Outcome::Ok);
    home.label = label("other");
    home.play(Outcome::Ok);
    let only = asked(&home, &["other"], false).unwrap();
    assert_eq!(only.lines().count(), 2);
    let unknown = asked(&home, &["a\nb"], false).unwrap_err();
    assert!(unknown.starts_with("no run of 'a\\nb' is on record"), "{unknown}");
}

#[test]
fn labels_cannot_reach_into_the_terminal() {
    let mut home = Home::new();
    home.label = label("\u{1b}[2J\u{9b}x\r\nroot ok");
    home.play(Outcome::Ok);
    let text = shown(&home);
    assert!(text.contains(r"\u{1b}[2J\u{9b}x\r\nroot ok"), "{text}");
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()));
}

#[test]
fn late_ends_are_counted_before_anybody_folds_them_in() {
    let home = Home::new();
    home.play(Outcome::Failed);
    let mut holder = home.open();
    std::thread::scope(|scope| {
        // The judge runs inside the transaction: whoever ends meanwhile has to do without it.
        let command = crate::job::CommandLine::Words(vec!["x".into()]);
        let deadline = crate::clock::Deadline::after(Duration::from_secs(3600));
        let judge = |history: Option<&History>, run: &Run| {
            let late = || home.commit_within(&mut home.open(), &ended(Outcome::Failed), Duration::ZERO);
            scope.spawn(late).join().unwrap();
            assert!(shown(&home).contains("2 failures"));
            home.judge(history, run)
        };
        home.by_rules(&judge, |rules| holder.commit(&ended(Outcome::Failed), &command, deadline, rules));
    });
    assert!(shown(&home).contains("3 failures"), "{}", shown(&home));
}
