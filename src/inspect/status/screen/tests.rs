//! The table as a terminal shows it.

use std::ffi::OsString;
use std::num::NonZeroU16;

use jiff::tz::TimeZone;

use super::*;
use crate::cli::{Invocation, parse};
use crate::config::Configured;
use crate::job::RunId;
use crate::journal::{Entry, KeptPlan};
use crate::plan::{ThisHost, resolve};
use crate::policy::{Alert, AlertKey, LastRun};

const NOW: Timestamp = Timestamp::from_millis(1_795_244_400_000);
const PAGE: Page = Page { columns: None, colours: false, unicode: true };

fn ago_of(seconds: u64) -> Timestamp {
    NOW.earlier_by(Duration::from_secs(seconds))
}

/// A job whose last run ended in this way so many seconds ago, after half an hour.
fn job(label: &str, outcome: Outcome, seconds: u64) -> Job {
    let wall_time = Some(Duration::from_secs(1_860));
    let failed = outcome.weight() == Weight::Failure;
    let last = LastRun {
        id: RunId::new(),
        outcome,
        started_at: Some(ago_of(seconds + 1_860)),
        ended_at: ago_of(seconds),
        wall_time,
    };
    let history = History {
        failures_in_a_row: u32::from(failed) * 3,
        successes_in_a_row: u32::from(!failed) * 120,
        last: Some(last),
        ..History::default()
    };
    let lasted = |outcome, seconds| Lasted { outcome, wall_time: Some(Duration::from_secs(seconds)) };
    let mut recent: Vec<Lasted> = (1..20).map(|number| lasted(Outcome::Ok, 1_000 + number * 50)).collect();
    recent.push(lasted(outcome, 1_860));
    let remembered = Remembered { history, under_way: Vec::new(), plan: None, owed: Vec::new(), recent };
    Job {
        user: None,
        entry: Entry { label: label.to_owned(), name: label.to_owned(), remembered: Ok(remembered) },
    }
}

/// What was given to the last run of a job that has a schedule.
fn scheduled(schedule: &str) -> KeptPlan {
    let args = ["cronward", "--schedule", schedule, "--", "true"].map(OsString::from).to_vec();
    let Ok(Invocation::Run(typed)) = parse(args) else { panic!("not a run") };
    let (plan, levels) = resolve(Configured::new(typed, Vec::new()).unwrap(), &ThisHost).unwrap();
    KeptPlan::of(&plan, &levels)
}

fn remembered(job: &mut Job) -> &mut Remembered {
    job.entry.remembered.as_mut().unwrap()
}

/// Jobs of which each makes some column as wide as it gets.
fn fleet() -> Vec<Job> {
    let mut backup = job("pg-backup", Outcome::Failed, 9_000);
    remembered(&mut backup).history.alert = Some(Alert {
        id: RunId::new(),
        key: AlertKey::of_one_host("db1/pg-backup"),
        opened_at: ago_of(190_000),
        notified_at: None,
        failures: 3,
        counted: None,
    });
    let mut running = job("sync", Outcome::Ok, 40_000);
    let run = UnderWayNow { id: RunId::new(), started_at: ago_of(310), pid: 4711, alive: true };
    remembered(&mut running).under_way.push(run);
    let mut died = job("a-rather-long-label-of-somebody-who-likes-them", Outcome::NotStarted, 500_000);
    let run = UnderWayNow { id: RunId::new(), started_at: ago_of(310), pid: 4712, alive: false };
    remembered(&mut died).under_way.push(run);
    let wide = job("バックアップ・データベース", Outcome::Warning, 100);
    let hostile = job("\u{1b}[31mroot\u{202e}\r\nok", Outcome::TimedOut, 1);
    let mut unread = job("unread", Outcome::Ok, 1);
    unread.entry.remembered =
        Err("'/var/lib/cronward/jobs/unread/runs.jsonl' is corrupt; the next run will put it aside"
            .to_owned());
    let mut other = job("logrotate", Outcome::Stopped, 3);
    other.user = Some("www-data".to_owned());
    remembered(&mut other).history.muted_until = Some(NOW.later_by(Duration::from_secs(7_200)));
    let mut late = job("report", Outcome::Suspect, 100_000);
    remembered(&mut late).plan = Some(scheduled("30 2 * * *"));
    let mut due = job("ntp", Outcome::Ok, 60);
    remembered(&mut due).plan = Some(scheduled("*/5 * * * *"));
    vec![backup, running, died, wide, hostile, unread, other, late, due]
}

fn shown(jobs: &[Job], page: Page) -> String {
    let zone = TimeZone::UTC;
    screen(jobs, &Moment { now: NOW, zone: &zone, booted: None }, page)
}

/// A terminal of so many columns and 24 lines after something was printed on it.
fn terminal(text: &str, columns: u16) -> vt100::Parser {
    let (rows, columns) = (NonZeroU16::new(24).unwrap(), NonZeroU16::new(columns).unwrap());
    let mut terminal = vt100::Parser::new(rows, columns, 0);
    terminal.process(text.replace('\n', "\r\n").as_bytes());
    terminal
}

/// What a terminal of so many columns and 24 lines shows of these jobs.
fn on_a_terminal(jobs: &[Job], columns: u16) -> String {
    let text = shown(jobs, Page { columns: Some(usize::from(columns)), colours: true, ..PAGE });
    terminal(&text, columns).screen().contents()
}

#[test]
fn on_a_terminal_of_eighty_columns_every_job_is_a_line_with_all_that_matters() {
    let expected = "\
LABEL        OUTCOME      AGO  TOOK  USUAL  STREAK  ALERT  NOW          RECENT
pg-backup    failed       2h    31m    25m  3 bad   2d     -            ▇▇██████
sync         ok           11h   31m    25m  120 ok  -      runs 5m/25m  ▇▇██████
a-rather-l…  interrupted  5m      -    25m  3 bad   -      died         ▇▇██████
バックアッ…  warning      1m    31m    25m  120 ok  -      -            ▇▇██████
\\u{1b}[31m…  timed_out    1s    31m    25m  3 bad   -      -            ▇▇██████
unread       unreadable   '/var/lib/cronward/jobs/unread/runs.jsonl' is corrupt…
logrotate …  stopped      3s    31m    25m  120 ok  muted  -            ▇▇██████
report       suspect      27h   31m    25m  3 bad   -      4h overdue   ▇▇██████
ntp          ok           60s   31m    25m  120 ok  -      due in 5m    ▇▇██████

9 jobs: 1 alert open, 4 failed, 1 overdue, 1 running, 1 unreadable
";
    assert_eq!(on_a_terminal(&fleet(), 80), expected.trim_end());
}

#[test]
fn where_there_is_more_room_more_is_said() {
    let expected = "\
LABEL                                           OUTCOME      WHEN            TOOK    USUAL  STREAK  ALERT   NOW             RECENT
pg-backup                                       failed       2h 30m ago   31m 00s  25m 00s  3 bad   2d 04h  -               ▆▇▇▇▇▇██████
sync                                            ok           11h 06m ago  31m 00s  25m 25s  120 ok  -       runs 5m/25m     ▆▇▇▇▇▇██████
a-rather-long-label-of-somebody-who-likes-them  interrupted  5m 10s ago         -  25m 00s  3 bad   -       died            ▆▇▇▇▇▇██████
バックアップ・データベース                      warning      1m 40s ago   31m 00s  25m 25s  120 ok  -       -               ▆▇▇▇▇▇██████
\\u{1b}[31mroot\\u{202e}\\r\\nok                    timed_out    1.00 s ago   31m 00s  25m 00s  3 bad   -       -               ▆▇▇▇▇▇██████
unread                                          unreadable   '/var/lib/cronward/jobs/unread/runs.jsonl' is corrupt; the next run will put it aside
logrotate (www-data)                            stopped      3.00 s ago   31m 00s  25m 00s  120 ok  muted   -               ▆▇▇▇▇▇██████
report                                          suspect      1d 03h ago   31m 00s  25m 00s  3 bad   -       4h 30m overdue  ▆▇▇▇▇▇██████
ntp                                             ok           1m 00s ago   31m 00s  25m 25s  120 ok  -       due in 5m 00s   ▆▇▇▇▇▇██████

9 jobs: 1 alert open, 4 failed, 1 overdue, 1 running, 1 unreadable
";
    assert_eq!(on_a_terminal(&fleet(), 200), expected.trim_end());
}

#[test]
fn into_a_pipe_everything_is_written_in_full_and_without_colours() {
    let text = shown(&fleet(), PAGE);
    for expected in [
        "LABEL                                           OUTCOME      WHEN    ",
        "2026-11-21 04:30:00 (2h 30m ago)   31m 00s  25m 00s  3 failures     open for 2d 04h   - ",
        "running for 5m 10s of about 25m 25s (pid 4711)",
        "died; the next run records it",
        "muted for 2h 00m",
        "4h 30m overdue; due in 19h 30m (2026-11-22 02:30:00)",
        "▅▅▅▅▆▆▆▆▆▇▇▇▇▇█████x",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains('\x1b'));
    let starts = |word: &str| -> Vec<usize> {
        let at = |line: &str| line.find(word).map(|at| crate::columns::width(&line[..at]));
        text.lines().filter_map(at).collect()
    };
    let recent = starts("RECENT");
    assert_eq!((starts("▅▅▅▅").len(), &starts("▅▅▅▅")[..1]), (8, &recent[..]), "below each other\n{text}");
    assert!(starts("▅▅▅▅").iter().all(|at| *at == recent[0]), "{text}");
}

#[test]
fn without_unicode_and_colours_it_says_the_same() {
    let text = shown(&fleet(), Page { columns: Some(80), unicode: false, colours: false });
    assert!(
        text.contains("pg-backup    failed       2h    31m    25m  3 bad   2d     -            ++#####x\n")
    );
    assert!(text.contains("a-rather-..  "), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn what_is_wrong_is_red_and_what_is_well_green() {
    let text = shown(&fleet(), Page { columns: Some(80), colours: true, ..PAGE });
    let terminal = terminal(&text, 80);
    let colour = |row, column| terminal.screen().cell(row, column).unwrap().fgcolor();
    let (red, green, yellow) = (vt100::Color::Idx(1), vt100::Color::Idx(2), vt100::Color::Idx(3));
    assert_eq!([1, 2, 4].map(|row| colour(row, 13)), [red, green, yellow], "outcomes\n{text}");
    assert_eq!(
        (colour(1, 52), colour(1, 79), colour(1, 78)),
        (red, red, green),
        "alert and sparkline\n{text}"
    );
    assert!(terminal.screen().cell(0, 0).unwrap().bold());
    assert_eq!(colour(1, 0), vt100::Color::Default);
}

#[test]
fn one_job_has_no_summary_and_several_that_are_well_a_short_one() {
    assert_eq!(shown(&[job("a", Outcome::Ok, 1)], PAGE).lines().count(), 2);
    let text = shown(&[job("a", Outcome::Ok, 1), job("b", Outcome::Warning, 1)], PAGE);
    assert!(text.ends_with("\n\n2 jobs, all well\n"), "{text}");
}
