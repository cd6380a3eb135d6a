//! What is written is what is read; what nobody knows survives.

use super::super::fixture::{Home, ended};
use super::*;
use crate::job::{CommandLine, Signal};
use crate::outcome::{Ending, Outcome, Run, RunEnd, Usage};
use crate::policy::History;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

fn text(line: Vec<u8>) -> String {
    String::from_utf8(line).unwrap()
}

#[test]
fn a_start_line_is_read_with_any_pid_that_the_child_writes_into_it() {
    let id = RunId::new();
    for pid in ["1", "4194304", "4294967295"] {
        let (mut line, at) = start_line(id, Timestamp::from_millis(17), "db\"1");
        assert!(line.starts_with(b"\n{\"v\":1,") && line.ends_with(b"\n"));
        line[at..at + pid.len()].copy_from_slice(pid.as_bytes());
        let Record::Start(begun) = read_line(line.trim_ascii()) else { panic!("{}", text(line)) };
        let expected = Begun {
            id,
            started_at: Timestamp::from_millis(17),
            pid: pid.parse().unwrap(),
            host: "db\"1".to_owned(),
        };
        assert_eq!(begun, expected);
    }
}

#[test]
fn a_run_is_read_back_as_it_was_written() {
    let home = Home::new();
    for outcome in Outcome::ALL {
        let mut run = ended(outcome);
        run.parent = Some(RunId::new());
        run.forwarded_signal = Some(Signal::TERM);
        run.stop_signal = Some(Signal(40));
        run.usage =
            Some(Usage { user: Duration::from_micros(812_345), max_rss_bytes: 1 << 40, ..Usage::default() });
        let judgement = home.judge(None, &run);
        let line = Line::of_end(&End::of(&run, None, &judgement), &[]).written();
        assert_eq!(read_end(line.trim_ascii()).unwrap().to_run(), run, "{}", text(line));
    }
}

#[test]
fn runs_that_never_exited_are_read_back_as_they_were_written() {
    let home = Home::new();
    let died = RunEnd::Ended(Ending::Killed { signal: Signal::KILL, core_dumped: true });
    for (outcome, end, stop_signal) in [
        (Outcome::Signaled, died, None),
        (Outcome::Stopped, RunEnd::StoppedBefore(Signal::HUP), Some(Signal::HUP)),
        (
            Outcome::NotStarted,
            RunEnd::NotStarted(crate::outcome::StartFailure { exit_status: 127, reason: "because".into() }),
            None,
        ),
    ] {
        let run = Run { end, stop_signal, ..ended(outcome) };
        let judgement = home.judge(None, &run);
        assert_eq!(End::of(&run, None, &judgement).to_run(), run);
    }
}

#[test]
fn arguments_that_are_not_text_are_kept_as_bytes_too() {
    let (home, run) = (Home::new(), ended(Outcome::Ok));
    let judgement = home.judge(None, &run);
    let command = CommandLine::Words(vec!["echo".into(), OsString::from_vec(vec![b'a', 0xff])]);
    let line = text(Line::of_end(&End::of(&run, Some(&command), &judgement), &[]).written());
    assert!(line.contains("\"argv\":[\"echo\",\"a\u{fffd}\"]"), "{line}");
    assert!(line.contains(r#""argv_base64":["ZWNobw==","Yf8="]"#), "{line}");
}

#[test]
fn the_rest_of_an_enormous_command_line_is_counted_and_not_kept() {
    let (home, run) = (Home::new(), ended(Outcome::Ok));
    let judgement = home.judge(None, &run);
    let command = CommandLine::Words(vec!["x".repeat(40_000).into(); 50]);
    let line = text(Line::of_end(&End::of(&run, Some(&command), &judgement), &[]).written());
    assert!(line.len() < 70_000);
    assert!(line.contains("\"argv_left_out\":49"));
}

#[test]
fn what_a_newer_cronward_remembers_is_handed_on() {
    let line =
        r#"{"v":1,"end":{},"fold":{"label":"x","seen":3,"newer":[{"sink":"a"}],"failures":2,"later":null}}"#;
    let Record::Fold(mut fold) = read_line(line.as_bytes()) else { panic!() };
    assert_eq!(fold.history().failures_in_a_row, 2);
    let home = Home::new();
    let run = ended(Outcome::Failed);
    let judgement = home.judge(Some(&fold.history()), &run);
    fold.set_history(&judgement.history);
    let written =
        text(Line { fold: Some(&fold), ..Line::of_end(&End::of(&run, None, &judgement), &[]) }.written());
    assert!(
        written.contains(r#""newer":[{"sink":"a"}]"#) && written.contains(r#""later":null"#),
        "{written}"
    );
    assert!(written.contains(r#""failures":3"#), "{written}");
}

#[test]
fn a_last_run_that_was_a_success_is_written_once_and_read_from_lines_that_have_it_twice() {
    let home = Home::new();
    let success = home.judge(None, &ended(Outcome::Warning)).history;
    let failure = home.judge(Some(&success), &ended(Outcome::Failed)).history;
    let written = |history: &History| {
        let mut fold = Fold::default();
        fold.set_history(history);
        serde_json::to_string(&fold).unwrap()
    };
    let json = written(&success);
    assert!(!json.contains("last_success"), "{json}");
    assert!(written(&failure).contains("last_success"));

    let ended_at = success.last_success.unwrap().ended_at.as_millis();
    let twice = json.replace("\"last\":", &format!("\"last_success\":{{\"at\":{ended_at}}},\"last\":"));
    let read: Fold = serde_json::from_str(&twice).unwrap();
    let wall_time = read.history().last_success.map(|milestone| milestone.wall_time);
    assert_eq!(wall_time, Some(None), "what is written is what counts: {twice}");
}

#[test]
fn a_history_is_read_back_as_it_was_written() {
    let home = Home { threshold: 2, ..Home::new() };
    let mut history = History::default();
    for outcome in Outcome::ALL {
        history = home.judge(Some(&history), &ended(outcome)).history;
        let mut fold = Fold::default();
        fold.set_history(&history);
        let json = serde_json::to_string(&fold).unwrap();
        let read: Fold = serde_json::from_str(&json).unwrap();
        assert_eq!(read.history(), history, "{json}");
    }
    assert!(history.alert.is_some());
}
