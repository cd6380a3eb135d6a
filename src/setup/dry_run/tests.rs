//! What `--dry-run` prints, with a sink that shows what it is told.

use std::ffi::OsString;

use super::*;
use crate::cli::{Invocation, parse};
use crate::config::Configured;
use crate::notice::News;
use crate::plan::{ThisHost, resolve};

fn resolved(line: &[&str], environment: &[&str]) -> (Plan, Levels) {
    let args = std::iter::once(&"cronward").chain(line).map(OsString::from).collect();
    let Ok(Invocation::Run(typed)) = parse(args) else { panic!("{line:?} is not a run") };
    let environment = environment.iter().map(OsString::from).collect();
    resolve(Configured::new(typed, environment).unwrap(), &ThisHost).unwrap()
}

/// A sink that sends the kind of a notice and its outcome.
fn kinds(notices: &[Notice]) -> Vec<(String, Vec<String>)> {
    let text = |Notice { news, .. }: &Notice| match (news.under_way(), news.finished()) {
        (Some(start), _) => format!("{} {}", news.kind(), start.pid),
        (None, Some(finished)) => format!("{}\n{}", news.kind(), finished.run.outcome),
        (None, None) => news.kind().to_owned(),
    };
    vec![("kinds:here".to_owned(), notices.iter().map(text).collect())]
}

fn rendered(line: &[&str], environment: &[&str]) -> String {
    let (plan, levels) = resolved(line, environment);
    render(&plan, &levels, &kinds)
}

/// The columns of the line of one option.
fn columns<'a>(text: &'a str, option: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(option)).unwrap();
    line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect()
}

#[test]
fn every_option_is_shown_with_its_value_and_origin() {
    let text = rendered(
        &["-l", "a b", "--timeout", "90m", "-t", "x:1", "--sink", "+jsonl:/f", "true"],
        &[
            "CRONWARD_ALERT_AFTER=100",
            "CRONWARD_TAG=y:2",
            "CRONWARD_STATE_DIR=/s",
            "CRONWARD_WARN_CODES=1-3,9",
        ],
    );
    for (option, value, origin) in [
        ("label", "a b", "--label"),
        ("tag", "x:1 y:2", "--tag, CRONWARD_TAG"),
        ("timeout", "1h 30m", "--timeout"),
        ("kill-after", "10s", "default"),
        ("lock", "no", "default"),
        ("lock-wait", "-", "default"),
        ("warn-codes", "1-3,9", "CRONWARD_WARN_CODES"),
        ("alert-after", "100", "CRONWARD_ALERT_AFTER"),
        ("severity", "error", "default"),
        ("owner", "-", "default"),
        ("sink", "dogstatsd: jsonl:/f", "the default, --sink"),
        ("state-dir", "/s", "CRONWARD_STATE_DIR"),
        ("flush-deadline", "5s", "default"),
        ("summary", "auto", "default"),
    ] {
        assert_eq!(columns(&text, option), [option, value, origin], "{text}");
    }
    let unlisted = [Setting::Command, Setting::DryRun, Setting::NoConfig];
    let listed = |row: &&crate::settings::Row| !unlisted.contains(&row.setting);
    for row in TABLE.iter().filter(listed) {
        assert_eq!(columns(&text, row.long).len(), 3, "{}\n{text}", row.long);
    }
}

#[test]
fn the_command_is_quoted_so_that_it_can_be_pasted() {
    let first = |line: &[&str]| rendered(line, &[]).lines().next().unwrap().to_owned();
    assert_eq!(first(&["--", "echo", "a b", "", "it's"]), r"command  echo 'a b' '' 'it'\''s'");
    assert_eq!(first(&["-c", "CRONWARD_LABEL=x a | b"]), "command  /bin/sh -c 'a | b'");
    // A terminal obeys nothing that is shown.
    assert_eq!(first(&["--", "echo", "\u{1b}[2J\n"]), r"command  echo '\u{1b}[2J\n'");
}

#[test]
fn a_success_and_the_failure_that_opens_the_alert_are_sent_to_the_sinks() {
    let text = rendered(&["--alert-after", "100", "true"], &[]);
    let (_, samples) = text.split_once("\na success would send\n").unwrap();
    assert_eq!(
        samples,
        "  kinds:here\n\
         \x20   1.  run.started 4711\n\
         \x20   2.  run.finished\n\
         \x20       ok\n\
         \n\
         a failure that opens the alert would send\n\
         \x20 kinds:here\n\
         \x20   1.  run.started 4711\n\
         \x20   2.  run.finished\n\
         \x20       failed\n\
         \x20   3.  alert.opened\n\
         \x20       failed\n"
    );
}

#[test]
fn the_sample_failure_is_one_by_the_rule_of_the_job() {
    let sent = |codes: &str| {
        let (plan, _) = resolved(&["--ok-codes", codes, "true"], &[]);
        let [_, (_, stages)] = sample::all(&plan);
        let News::Finished(finished) = &stages[1][0].news else { panic!("no run first") };
        (finished.run.outcome, finished.run.exit_code(), stages[1].len())
    };
    assert_eq!(sent("1-3"), (crate::outcome::Outcome::Failed, Some(4), 2));
    assert_eq!(sent("0-255"), (crate::outcome::Outcome::Signaled, None, 2));
}

#[test]
fn without_sinks_nothing_would_be_sent() {
    let (plan, levels) = resolved(&["--sink", "none", "true"], &[]);
    let text = render(&plan, &levels, &|_| Vec::new());
    assert_eq!(text.matches("  nothing: there is no sink\n").count(), 2);
    assert_eq!(columns(&text, "sink"), ["sink", "none", "--sink"]);
}
