//! Debian's cron as a model: its loop and its test of an entry (`cron.c` of 3.0pl1), run through a
//! year minute by minute, with a calendar that counts days one by one. It shares nothing with what
//! is tested but the zone's offsets.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{schedule, zone};
use crate::clock::Timestamp;

/// A minute of the wall clock, taken apart.
#[derive(Clone, Copy)]
struct Reading {
    minute: u8,
    hour: u8,
    day: u8,
    month: u8,
    weekday: u8,
}

/// A year in a zone, in real minutes since the epoch.
struct Year {
    zone: TimeZone,
    /// What the wall clock says in each minute, in minutes since the epoch.
    clock: Vec<i64>,
    /// The first of them.
    first: i64,
    /// What the wall clock can say, from `readings_from` on.
    readings: Vec<Reading>,
    readings_from: i64,
}

const DAY: i64 = 24 * 60;

impl Year {
    fn new(name: &str, year: i64) -> Self {
        let zone = zone(name);
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = |year: i64| if leap(year) { 366 } else { 365 };
        let days_before: i64 =
            if year < 1970 { -(year..1970).map(length).sum::<i64>() } else { (1970..year).map(length).sum() };
        let first = days_before * DAY;
        let clock = (first..first + length(year) * DAY).map(|minute| {
            let at = jiff::Timestamp::from_second(minute * 60).unwrap();
            minute + i64::from(zone.to_offset(at).seconds()).div_euclid(60)
        });
        // Two days more on either side: the wall clock is ahead or behind.
        let mut readings = Vec::new();
        for day in 30..=31 {
            readings.extend(minutes_of(day, 12, days_before + day - 32));
        }
        let mut days = days_before;
        for month in 1..=12 {
            let last = match month {
                2 => 28 + i64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            for day in 1..=last {
                readings.extend(minutes_of(day, month, days));
                days += 1;
            }
        }
        for day in 1..=2 {
            readings.extend(minutes_of(day, 1, days + day - 1));
        }
        Self { clock: clock.collect(), zone, first, readings, readings_from: first - 2 * DAY }
    }

    /// When the clock is changed, in minutes from the beginning of the year.
    fn changes(&self) -> impl Iterator<Item = i64> {
        let jumps = self.clock.windows(2).map(|pair| pair[1] - pair[0]);
        std::iter::zip(1.., jumps).filter(|(_, jump)| *jump != 1).map(|(minute, _)| minute)
    }

    fn reading(&self, clock: i64) -> Reading {
        self.readings[usize::try_from(clock - self.readings_from).unwrap()]
    }
}

fn minutes_of(day: i64, month: u8, days_since_epoch: i64) -> impl Iterator<Item = Reading> {
    // 1 January 1970 was a Thursday.
    let weekday = (days_since_epoch + 4).rem_euclid(7) as u8;
    (0..24).flat_map(move |hour| {
        (0..60).map(move |minute| Reading { minute, hour, day: day as u8, month, weekday })
    })
}

/// An entry of a crontab, as the daemon holds it.
#[derive(Debug, Clone)]
struct Entry {
    /// The five fields as written, and what they allow.
    fields: [(String, BTreeSet<u8>); 5],
}

impl Entry {
    fn text(&self) -> String {
        self.fields.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn begins_with_star(&self, field: usize) -> bool {
        self.fields[field].0.starts_with('*')
    }

    fn is_wild(&self) -> bool {
        self.begins_with_star(0) || self.begins_with_star(1)
    }
}

/// An entry with its sets as tables, so that a year is looked through in no time.
struct Matcher {
    allowed: [[bool; 60]; 5],
    both_days: bool,
    wild: bool,
}

impl Matcher {
    fn new(entry: &Entry) -> Self {
        let mut allowed = [[false; 60]; 5];
        for (table, (_, set)) in std::iter::zip(&mut allowed, &entry.fields) {
            for value in set {
                table[usize::from(*value)] = true;
            }
        }
        // "make sundays equivalent"
        allowed[4][0] |= allowed[4][7];
        let both_days = entry.begins_with_star(2) || entry.begins_with_star(4);
        Self { allowed, both_days, wild: entry.is_wild() }
    }

    fn matches(&self, at: Reading) -> bool {
        let is = |field: usize, value: u8| self.allowed[field][usize::from(value)];
        is(0, at.minute)
            && is(1, at.hour)
            && is(3, at.month)
            && if self.both_days {
                is(2, at.day) && is(4, at.weekday)
            } else {
                is(2, at.day) || is(4, at.weekday)
            }
    }
}

/// The real minutes in which the daemon runs an entry, without the one in which it is started.
fn runs(entry: &Entry, year: &Year) -> Vec<i64> {
    const WILD: bool = true;
    const FIXED: bool = false;
    let matcher = Matcher::new(entry);
    let mut runs = Vec::new();
    let mut find_jobs = |now: i64, clock: i64, kinds: &[bool]| {
        if kinds.contains(&matcher.wild) && matcher.matches(year.reading(clock)) && runs.last() != Some(&now)
        {
            runs.push(now);
        }
    };
    let mut virtual_time = year.clock[0];
    for (now, &clock) in std::iter::zip(year.first.., &year.clock).skip(1) {
        match clock - virtual_time {
            1 => {
                virtual_time = clock;
                find_jobs(now, clock, &[WILD, FIXED]);
            }
            2..=5 => {
                while virtual_time < clock {
                    virtual_time += 1;
                    find_jobs(now, virtual_time, &[WILD, FIXED]);
                }
            }
            6..=180 => {
                find_jobs(now, clock, &[WILD]);
                while virtual_time < clock {
                    virtual_time += 1;
                    find_jobs(now, virtual_time, &[FIXED]);
                }
            }
            -179..=0 => find_jobs(now, clock, &[WILD]),
            _ => {
                virtual_time = clock;
                find_jobs(now, clock, &[WILD, FIXED]);
            }
        }
    }
    runs
}

/// Years with the ordinary changes, with none, with one of two hours (Troll), with four (Casablanca),
/// with one of half an hour that is no daylight saving (Pyongyang), and with a day left out or had
/// twice (Apia, Kwajalein).
const YEARS: [(&str, i64); 10] = [
    ("Europe/Berlin", 2026),
    ("America/New_York", 2026),
    ("Australia/Lord_Howe", 2026),
    ("UTC", 2026),
    ("Antarctica/Troll", 2026),
    ("Africa/Casablanca", 2024),
    ("Europe/Dublin", 2028),
    ("Asia/Pyongyang", 2018),
    ("Pacific/Apia", 2011),
    ("Pacific/Kwajalein", 1969),
];

/// The year with this number in the table; each is made once.
fn year(number: usize) -> Arc<Year> {
    static MADE: Mutex<Option<HashMap<usize, Arc<Year>>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let (name, year) = YEARS[number];
    Arc::clone(made.get_or_insert_default().entry(number).or_insert_with(|| Arc::new(Year::new(name, year))))
}

/// An element with values of `low` to `high`, of a field that ends at `end`.
fn element(low: u8, high: u8, end: u8) -> impl Strategy<Value = (String, BTreeSet<u8>)> {
    let range = (low..=high, low..=high).prop_map(|(one, other)| (one.min(other), one.max(other)));
    prop_oneof![
        4 => (low..=high).prop_map(|value| (value.to_string(), BTreeSet::from([value]))),
        2 => range.clone().prop_map(|(from, to)| (format!("{from}-{to}"), (from..=to).collect())),
        1 => (range, 1..20_u8).prop_map(|((from, to), step)| {
            (format!("{from}-{to}/{step}"), (from..=to).step_by(usize::from(step)).collect())
        }),
        1 => (1..20_u8).prop_map(move |step| {
            (format!("*/{step}"), (low..=end).step_by(usize::from(step)).collect())
        }),
    ]
}

fn list(low: u8, high: u8, end: u8) -> impl Strategy<Value = (String, BTreeSet<u8>)> {
    proptest::collection::vec(element(low, high, end), 1..4).prop_map(|elements| {
        let (texts, sets): (Vec<String>, Vec<BTreeSet<u8>>) = elements.into_iter().unzip();
        (texts.join(","), sets.into_iter().flatten().collect())
    })
}

/// A star as often as `stars` to 3.
fn field(low: u8, high: u8, stars: u32) -> impl Strategy<Value = (String, BTreeSet<u8>)> {
    prop_oneof![stars => Just(("*".to_owned(), (low..=high).collect())), 3 => list(low, high, high)]
}

/// Every other entry is of the hours in which clocks are changed.
fn entry() -> impl Strategy<Value = Entry> {
    let hours = prop_oneof![field(0, 23, 1), list(0, 4, 23)];
    (field(0, 59, 1), hours, field(1, 31, 4), field(1, 12, 6), field(0, 7, 4))
        .prop_map(|(minute, hour, day, month, weekday)| Entry { fields: [minute, hour, day, month, weekday] })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn due_times_are_those_of_the_daemon(
        entry in entry(),
        number in 0..YEARS.len(),
        somewhere in proptest::collection::vec(0..365 * DAY * 60, 8),
    ) {
        let year = year(number);
        // What never comes is refused, and looked at in the table of refusals.
        let text = entry.text();
        if super::Schedule::parse(&text).is_err_and(|why| why.contains("never comes in")) {
            return Ok(());
        }
        let schedule = schedule(&text);
        let at = |minute: i64| Timestamp::from_millis(minute * 60_000);
        let model: Vec<Timestamp> = runs(&entry, &year).into_iter().map(at).collect();
        let end = at(year.first + year.clock.len() as i64 - 1);

        let found: Vec<Timestamp> = schedule.due_between(at(year.first), end, &year.zone).collect();
        let differs = std::iter::zip(&found, &model).find(|(found, model)| found != model);
        prop_assert!(found == model, "'{text}' in {:?}: {differs:?}", YEARS[number]);

        let changes = year.changes().flat_map(|minute| [-60, 0, 1, 59, 60, 3600, 7200].map(|more| minute * 60 + more));
        for second in somewhere.into_iter().chain(changes) {
            let moment = Timestamp::from_millis(at(year.first).as_millis() + second * 1000);
            let behind = model.partition_point(|due| *due <= moment);
            // The neighbours of the year are not in the model.
            if behind > 0 {
                prop_assert_eq!(schedule.last_due(moment, &year.zone), Some(model[behind - 1]));
            }
            if let Some(next) = model.get(behind) {
                prop_assert_eq!(schedule.due_after(moment, &year.zone), Some(*next));
            }
        }
    }
}
