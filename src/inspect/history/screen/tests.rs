//! The history as a terminal shows it.

use std::num::NonZeroU16;

use super::*;
use crate::job::{RunId, Signal};
use crate::journal::{Lasted, UnderWayNow};
use crate::outcome::{Ending, RunEnd, Usage};
use crate::policy::{Alert, AlertKey, History};

const NOW: Timestamp = Timestamp::from_millis(1_795_244_400_000);

fn ago(seconds: u64) -> Timestamp {
    NOW.earlier_by(Duration::from_secs(seconds))
}

/// A run that began so many hours ago and ended in this way after so many seconds.
fn run(outcome: Outcome, hours: u64, seconds: u64) -> Run {
    let started_at = ago(hours * 3600);
    let exited = |code| Ending::Exited(code);
    let (ending, reason) = if outcome == Outcome::Signaled {
        let why = "killed by SIGKILL: out of memory (the kernel's OOM killer ran in this cgroup)";
        (Ending::Killed { signal: Signal::KILL, core_dumped: false }, Some(why))
    } else if outcome.weight() == Weight::Success {
        (exited(0), None)
    } else {
        (exited(1), Some("exited with 1"))
    };
    Run {
        started_at,
        ended_at: Some(started_at.later_by(Duration::from_secs(seconds))),
        wall_time: Some(Duration::from_secs(seconds)),
        end: RunEnd::Ended(ending),
        usage: Some(Usage { max_rss_bytes: 1_288_490_188, ..Usage::default() }),
        reason: reason.map(str::to_owned),
        ..crate::journal::fixture::ended(outcome)
    }
}

fn records() -> Vec<Record> {
    let record = |run, turned| Record::Ended(Box::new(RunOnRecord { run, argv: Vec::new(), turned }));
    let mut retried = run(Outcome::Failed, 50, 4);
    retried.attempts = 3;
    let what = "no run came at 2026-11-19 02:30:00 ('30 2 * * *')".to_owned();
    vec![
        record(run(Outcome::Ok, 100, 1_900), None),
        Record::Noticed { at: ago(70 * 3600), what, turned: Some(TurnKind::Opened) },
        record(run(Outcome::Ok, 60, 1_860), Some(TurnKind::Closed)),
        record(retried, None),
        record(run(Outcome::Signaled, 5, 950), Some(TurnKind::Opened)),
    ]
}

fn shown(page: Page) -> String {
    let records = records();
    let alert = Some(Alert {
        id: RunId::new(),
        key: AlertKey::of_one_host("db1/pg-backup"),
        opened_at: ago(5 * 3600),
        notified_at: None,
        failures: 2,
        counted: None,
    });
    let history = History { alert, ..History::default() };
    let lasted = Lasted { outcome: Outcome::Ok, wall_time: Some(Duration::from_secs(1_880)) };
    let run = UnderWayNow { id: RunId::new(), started_at: ago(310), pid: 4711, alive: true };
    let remembered =
        Remembered { history, under_way: vec![run], plan: None, owed: Vec::new(), recent: vec![lasted] };
    let all: Vec<&Record> = records.iter().collect();
    let shown = Shown { label: "pg-backup", remembered: &remembered, wanted: all.clone(), all };
    screen(&shown, &Moment { now: NOW, zone: &TimeZone::UTC, booted: None }, page)
}

/// What a terminal of so many columns shows of it.
fn on_a_terminal(columns: u16) -> String {
    let page = Page { columns: Some(usize::from(columns)), colours: true, unicode: true };
    let (rows, columns) = (NonZeroU16::new(24).unwrap(), NonZeroU16::new(columns).unwrap());
    let mut terminal = vt100::Parser::new(rows, columns, 0);
    terminal.process(shown(page).replace('\n', "\r\n").as_bytes());
    terminal.screen().contents()
}

#[test]
fn on_a_terminal_of_eighty_columns_each_run_is_a_line_with_its_bar() {
    let expected = "\
pg-backup
alert open for 5h 00m, 2 failures
running for 5m 10s of about 31m 20s (pid 4711)

STARTED           OUTCOME   EXIT        TOOK  TRIES  MEMORY
2026-11-17 03:00  ok        0        31m 40s      1  1.3 GB  ████████████
2026-11-18 09:00  no run came at 2026-11-19 02:30:00 ('30 2 * * *'); alert open…
2026-11-18 19:00  ok        0        31m 00s      1  1.3 GB  ███████████▊
2026-11-19 05:00  failed    1         4.00 s      3  1.3 GB  ▏
2026-11-21 02:00  signaled  SIGKILL  15m 50s      1  1.3 GB  ██████

4 runs since 2026-11-17 03:00:00: 2 ok, 1 failed, 1 signaled
successes take 31m 20s (median), at most 31m 40s
last failure, 2026-11-21 02:00:00: killed by SIGKILL: out of memory (the kernel…";
    assert_eq!(on_a_terminal(80), expected);
}

#[test]
fn where_there_is_more_room_each_line_says_why() {
    let expected = "\
pg-backup
alert open for 5h 00m, 2 failures
running for 5m 10s of about 31m 20s (pid 4711)

STARTED              OUTCOME   EXIT        TOOK  TRIES  MEMORY                        WHY
2026-11-17 03:00:00  ok        0        31m 40s      1  1.3 GB  ████████████████████
2026-11-18 09:00:00  no run came at 2026-11-19 02:30:00 ('30 2 * * *'); alert opened
2026-11-18 19:00:00  ok        0        31m 00s      1  1.3 GB  ███████████████████▋  alert closed
2026-11-19 05:00:00  failed    1         4.00 s      3  1.3 GB  ▏                     exited with 1
2026-11-21 02:00:00  signaled  SIGKILL  15m 50s      1  1.3 GB  ██████████            killed by SIGKILL: out of memory (the kernel's OOM killer ran in this cgroup); alert opened

4 runs since 2026-11-17 03:00:00: 2 ok, 1 failed, 1 signaled
successes take 31m 20s (median), at most 31m 40s
last failure, 2026-11-21 02:00:00: killed by SIGKILL: out of memory (the kernel's OOM killer ran in this cgroup)";
    assert_eq!(on_a_terminal(200), expected);
}

#[test]
fn a_bar_is_as_long_as_its_run_beside_the_longest_and_red_if_it_failed() {
    let text = shown(Page { columns: None, colours: false, unicode: false });
    let bars: Vec<usize> =
        text.lines().map(|line| line.matches('#').count()).filter(|marks| *marks > 0).collect();
    assert_eq!(bars, [20, 20, 1, 10], "{text}");
    let text = shown(Page { columns: None, colours: true, unicode: false });
    assert!(text.contains(&format!("\x1b[1;31m{}\x1b[m", "#".repeat(10))), "{text}");
    assert!(text.contains(&format!("\x1b[32m{}\x1b[m", "#".repeat(20))), "{text}");
}

#[test]
fn the_column_of_tries_is_there_only_if_a_run_had_more_than_one() {
    let page = Page { columns: None, colours: false, unicode: false };
    assert!(shown(page).contains("TRIES"));
    let records: Vec<Record> = records().into_iter().take(1).collect();
    let remembered = Remembered {
        history: History::default(),
        under_way: Vec::new(),
        plan: None,
        owed: Vec::new(),
        recent: Vec::new(),
    };
    let all: Vec<&Record> = records.iter().collect();
    let shown = Shown { label: "a\u{1b}[2J", remembered: &remembered, wanted: all.clone(), all };
    let text = screen(&shown, &Moment { now: NOW, zone: &TimeZone::UTC, booted: None }, page);
    assert!(!text.contains("TRIES"), "{text}");
    assert!(text.starts_with("a\\u{1b}[2J\n\nSTARTED"), "{text}");
}
