//! Jobs that stand well or not, by tables; and a year of checks in two zones that change their clocks.

use std::num::NonZeroU32;

use super::*;
use crate::job::RunId;
use crate::policy::{AlertAfter, AlertKey, AlertRule, Milestone, Verdict, judge_trouble};
use proptest::prelude::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("the time zone database of the system (tzdata)")
}

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

/// A job whose last run took from then to then.
fn ran(outcome: Outcome, start: i64, end: i64) -> History {
    let (id, started_at, ended_at) = (RunId::new(), Some(at(start)), at(end));
    let last = LastRun { id, outcome, started_at, ended_at, wall_time: None };
    let success = Milestone { ended_at: at(end), wall_time: None };
    History { last: Some(last), last_success: Some(success), since: Some(at(0)), ..History::default() }
}

fn under_way(started_at: i64, alive: bool) -> UnderWayNow {
    UnderWayNow { id: RunId::new(), started_at: at(started_at), pid: 4711, alive }
}

fn moment(now: i64, zone: &TimeZone) -> Moment<'_> {
    Moment { now: at(now), zone, booted: None }
}

fn sentences(history: &History, runs: &[UnderWayNow], expected: &Expected<'_>, now: i64) -> Vec<String> {
    let found = troubles(history, runs, expected, &moment(now, &TimeZone::UTC));
    found.iter().map(|trouble| trouble.sentence(&TimeZone::UTC)).collect()
}

#[test]
fn a_run_that_does_not_come_is_missed_once_its_grace_is_over() {
    let hourly = schedule("0 * * * *");
    let expected = Expected { schedule: Some(&hourly), ..Expected::default() };
    let history = ran(Outcome::Ok, HOUR, HOUR + 1_000);
    // A minute and a tenth of an hour.
    let grace = 7 * MINUTE;
    for (now, missed) in [(2 * HOUR, false), (2 * HOUR + grace - 1, false), (2 * HOUR + grace, true)] {
        assert_eq!(!sentences(&history, &[], &expected, now).is_empty(), missed, "{now}");
    }
    assert_eq!(
        sentences(&history, &[], &expected, 2 * HOUR + grace),
        ["no run came at 1970-01-01 02:00:00 ('0 * * * *'); the last one ended 1970-01-01 01:00:01"]
    );
}

#[test]
fn a_run_that_is_under_way_late_or_a_little_early_has_come() {
    let hourly = schedule("0 * * * *");
    let expected = Expected { schedule: Some(&hourly), ..Expected::default() };
    let now = 2 * HOUR + 30 * MINUTE;
    let none = ran(Outcome::Ok, HOUR, HOUR + 1_000);
    for (history, runs, fine) in [
        (&none, vec![under_way(2 * HOUR, true)], true),
        (&none, vec![under_way(HOUR, true)], true),
        (&none, vec![under_way(2 * HOUR, false)], false),
        (&ran(Outcome::Failed, 2 * HOUR + 20 * MINUTE, 2 * HOUR + 21 * MINUTE), vec![], true),
        (&ran(Outcome::Skipped, 2 * HOUR, 2 * HOUR), vec![], true),
        (&ran(Outcome::Ok, 2 * HOUR - 10_000, 2 * HOUR - 5_000), vec![], true),
        (&ran(Outcome::Ok, HOUR, 2 * HOUR + 10 * MINUTE), vec![], true),
        // Of one that died only its start is known; that it was found dead says nothing.
        (&ran(Outcome::Interrupted, HOUR, 2 * HOUR + 20 * MINUTE), vec![], false),
        (&ran(Outcome::Interrupted, 2 * HOUR, 2 * HOUR + 20 * MINUTE), vec![], true),
        (&History::default(), vec![], true),
    ] {
        assert_eq!(sentences(history, &runs, &expected, now).is_empty(), fine, "{history:?} {runs:?}");
    }
}

#[test]
fn what_was_due_while_the_host_was_down_is_waited_for_after_its_start() {
    let daily = schedule("30 2 * * *");
    let history = ran(Outcome::Ok, 2 * HOUR + 30 * MINUTE, 3 * HOUR);
    let due = DAY + 2 * HOUR + 30 * MINUTE;
    let expected = Expected { schedule: Some(&daily), ..Expected::default() };
    let zone = TimeZone::UTC;
    let missed = |now: i64, booted: i64| {
        let moment = Moment { booted: Some(at(booted)), ..moment(now, &zone) };
        !troubles(&history, &[], &expected, &moment).is_empty()
    };
    let booted = due + 5 * HOUR;
    assert!(!missed(booted + 10 * MINUTE, booted));
    assert!(missed(booted + 15 * MINUTE, booted));
    assert!(missed(due + 15 * MINUTE, due - HOUR), "it was up");
}

#[test]
fn a_success_that_is_too_old_is_said_with_its_age() {
    let expected = Expected { max_age: Some(Duration::from_secs(26 * 3600)), ..Expected::default() };
    let history = ran(Outcome::Ok, 0, HOUR);
    assert!(sentences(&history, &[], &expected, 27 * HOUR).is_empty());
    assert_eq!(
        sentences(&history, &[], &expected, 73 * HOUR),
        ["no success for 3d 00h, expected at most 1d 02h; the last one ended 1970-01-01 01:00:00"]
    );
    let never = History { last_success: None, ..history };
    assert_eq!(
        sentences(&never, &[], &expected, 48 * HOUR),
        ["no success in the 2d 00h that the job is on record, expected one within 1d 02h"]
    );
    let nothing = History::default();
    assert!(sentences(&nothing, &[], &expected, 48 * HOUR).is_empty(), "nothing is known");
    assert!(
        sentences(&nothing, &[under_way(0, false)], &expected, 48 * HOUR).is_empty(),
        "nor of a dead one"
    );
    // The first run hangs; one that was skipped put the job on record much later.
    let skipped = History { since: Some(at(40 * HOUR)), ..History::default() };
    for history in [&nothing, &skipped] {
        assert_eq!(
            sentences(history, &[under_way(0, true)], &expected, 48 * HOUR),
            ["no success in the 2d 00h that the job is on record, expected one within 1d 02h"]
        );
    }
}

#[test]
fn a_run_that_takes_longer_than_any_may_is_named_by_its_pid() {
    let expected = Expected { time_max: Some(Duration::from_secs(3600)), ..Expected::default() };
    let runs = [under_way(0, true), under_way(3 * HOUR, true), under_way(0, false)];
    assert_eq!(
        sentences(&ran(Outcome::Ok, 0, 1), &runs, &expected, 3 * HOUR + MINUTE),
        ["still running after 3h 01m (pid 4711), expected at most 1h 00m"]
    );
}

/// A job that runs when it is due, but for the times that it misses, and is looked after by checks.
struct Year<'a> {
    schedule: &'a Schedule,
    zone: &'a TimeZone,
    /// From one check to the next, in milliseconds.
    every: i64,
    /// By how much every run is put off, in milliseconds.
    start_delay: i64,
}

/// What the checks of a year found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Due times that were said to be missed, in the order of being found.
    missed: Vec<Timestamp>,
    openings: usize,
}

/// 2026-01-01T00:00:00Z, and a year later.
const YEAR_BEGINS: i64 = 1_767_225_600_000;
const YEAR_ENDS: i64 = YEAR_BEGINS + 365 * DAY;

impl Year<'_> {
    /// Lives through it: what was missed, and what was found. Of the run at each due time, `comes` says by
    /// how much it is late and how long it takes, in milliseconds; or nothing.
    fn live(&self, mut comes: impl FnMut(Timestamp) -> Option<(i64, i64)>) -> (Vec<Timestamp>, Found) {
        let start_delay = Duration::from_millis(self.start_delay as u64);
        let expected = Expected { schedule: Some(self.schedule), start_delay, ..Expected::default() };
        let first = YEAR_BEGINS + self.start_delay;
        let mut runs = vec![(at(first), at(first + 1))];
        let mut absent = Vec::new();
        for due in self.schedule.due_between(at(YEAR_BEGINS + 1), at(YEAR_ENDS), self.zone) {
            match comes(due) {
                Some((late, took)) => {
                    let start = due.as_millis() + self.start_delay + late;
                    runs.push((at(start), at(start + took)));
                }
                None => absent.push(due),
            }
        }
        let (mut found, mut open, mut ended, mut last_check) = (Found::default(), false, 0, None);
        for now in (first + 7_000..YEAR_ENDS).step_by(self.every as usize) {
            let moment = moment(now, self.zone);
            while ended < runs.len() && runs[ended].1 <= at(now) {
                ended += 1;
                open = false;
            }
            let started = ended + runs[ended..].iter().take_while(|(start, _)| *start <= at(now)).count();
            let (start, end) = runs[ended - 1];
            let history = ran(Outcome::Ok, start.as_millis(), end.as_millis());
            let alive: Vec<UnderWayNow> =
                runs[ended..started].iter().map(|(start, _)| under_way(start.as_millis(), true)).collect();
            let troubles = troubles(&history, &alive, &expected, &moment);
            if let Some(last_check) = last_check {
                let known = |from| runs[..started].iter().filter(|(_, end)| *end > from).copied().collect();
                found.missed.extend(missed_since(
                    self.schedule,
                    start_delay,
                    last_check,
                    at(YEAR_BEGINS),
                    &troubles,
                    &moment,
                    known,
                ));
            }
            for trouble in troubles {
                let Trouble::Missed { due, .. } = trouble else { panic!("{trouble:?}") };
                // It is said as long as it holds.
                if found.missed.last() != Some(&due) {
                    found.missed.push(due);
                }
                found.openings += usize::from(!std::mem::replace(&mut open, true));
            }
            last_check = Some(at(now));
        }
        (absent, found)
    }
}

const SCHEDULES: [&str; 8] = [
    // Skipped in Berlin on 29 March, and had right after.
    "30 2 * * *",
    // Repeated in New York on 1 November, and had once.
    "30 1 * * *",
    "0 * * * *",
    "*/20 * * * *",
    "15 1,13 * * 1-5",
    "@weekly",
    "0 3 1 * *",
    "*/15 2 * * *",
];
const ZONES: [&str; 2] = ["Europe/Berlin", "America/New_York"];

#[test]
fn a_year_in_which_every_run_comes_raises_no_alarm() {
    for (text, name) in SCHEDULES.iter().flat_map(|text| ZONES.map(|zone| (*text, zone))) {
        let (schedule, zone) = (schedule(text), zone(name));
        for (every, start_delay) in [(10 * MINUTE, 0), (10 * MINUTE, 50 * MINUTE), (7 * HOUR, 0)] {
            let year = Year { schedule: &schedule, zone: &zone, every, start_delay };
            // Up to half a minute late, as on a busy host.
            let (_, found) = year.live(|due| Some((due.as_millis() / MINUTE * 7 % 30_000, 20_000)));
            assert_eq!(found, Found::default(), "'{text}' in {name}, a check every {} min", every / MINUTE);
        }
    }
}

/// That what was missed was found, each once, but for what came after the last check; and nothing else.
fn assert_found(absent: &[Timestamp], found: &Found, every: i64, what: &str) {
    let mut once = found.missed.clone();
    once.sort();
    assert!(once.windows(2).all(|pair| pair[0] != pair[1]), "{what}: each once, of {once:?}");
    assert!(once.iter().all(|due| absent.contains(due)), "{what}: a false alarm in {once:?}");
    let last_check = YEAR_ENDS - every - 90 * MINUTE;
    let unseen: Vec<_> =
        absent.iter().filter(|due| due.as_millis() <= last_check && !once.contains(due)).collect();
    assert!(unseen.is_empty(), "{what}: not found: {unseen:?}");
}

#[test]
fn every_run_of_a_year_that_does_not_come_is_found_once() {
    for (text, name) in SCHEDULES.iter().flat_map(|text| ZONES.map(|zone| (*text, zone))) {
        let (schedule, zone) = (schedule(text), zone(name));
        for (every, start_delay) in [(10 * MINUTE, 0), (5 * HOUR, 0), (10 * MINUTE, 50 * MINUTE)] {
            let year = Year { schedule: &schedule, zone: &zone, every, start_delay };
            let mut number = 0;
            let (absent, found) = year.live(|_| {
                number += 1;
                (number % 5 != 3 && number % 7 != 4).then_some((5_000, 20_000))
            });
            assert!(!absent.is_empty());
            assert_found(
                &absent,
                &found,
                every,
                &format!("'{text}' in {name}, every {} min", every / MINUTE),
            );
        }
    }
}

#[test]
fn an_outage_is_one_alert_however_many_runs_it_costs() {
    let (schedule, zone) = (schedule("0 * * * *"), zone("Europe/Berlin"));
    let year = Year { schedule: &schedule, zone: &zone, every: 10 * MINUTE, start_delay: 0 };
    let outage = YEAR_BEGINS + 80 * DAY..YEAR_BEGINS + 90 * DAY;
    let (absent, found) = year.live(|due| (!outage.contains(&due.as_millis())).then_some((5_000, 20_000)));
    assert_eq!((absent.len(), found.missed.len(), found.openings), (240, 240, 1));
}

#[test]
fn the_alert_of_a_missed_run_is_opened_once_and_closed_by_the_next_success() {
    let rule = AlertRule {
        after: AlertAfter::InARow(NonZeroU32::new(100).unwrap()),
        realert: None,
        recover_after: NonZeroU32::MIN,
    };
    let key = AlertKey::of_one_host("k");
    let opened = judge_trouble(&ran(Outcome::Ok, 0, 1), &key, &rule, at(HOUR));
    assert_eq!(opened.verdict, Verdict::Opened);
    assert_eq!(judge_trouble(&opened.history, &key, &rule, at(2 * HOUR)).history, opened.history);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn whatever_is_missed_is_found_once_and_nothing_else(
        text in proptest::sample::select(SCHEDULES.to_vec()), name in proptest::sample::select(ZONES.to_vec()),
        every in 6..600_i64, lost in proptest::collection::vec(0.0..1.0_f64, 0..40),
    ) {
        let (schedule, zone) = (schedule(text), zone(name));
        let every = every * MINUTE;
        let year = Year { schedule: &schedule, zone: &zone, every, start_delay: 0 };
        let share = |due: Timestamp| (due.as_millis() - YEAR_BEGINS) as f64 / (365 * DAY) as f64;
        let (absent, found) = year.live(|due| {
            let near = lost.iter().any(|at| (share(due) - at).abs() < 0.002);
            (!near).then_some((due.as_millis() / MINUTE % 40 * 1_000, 15_000))
        });
        assert_found(&absent, &found, every, &format!("'{text}' in {name}"));
    }
}
