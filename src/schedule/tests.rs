//! The tables: what is accepted, what it means on the calendar, and what a change of the clock makes
//! of it. Those of Berlin's two changes were read off Debian's cron 3.0pl1-162 itself, run through
//! both nights under a faked clock.

mod daemon;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::*;

/// A zone of the host's database. A test that passed without it would prove nothing.
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or_else(|why| {
        panic!("these tests need the time zone '{name}', and so /usr/share/zoneinfo; install tzdata ({why})")
    })
}

pub fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap_or_else(|why| panic!("'{text}': {why}"))
}

/// A civil time without an offset is one that is had once; the offset tells a repeated one apart.
fn at(text: &str, zone: &TimeZone) -> Timestamp {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Timestamp::from_millis(instant.as_millisecond());
    }
    let civil: DateTime = text.parse().unwrap();
    let zoned = zone.to_ambiguous_zoned(civil).unambiguous().unwrap();
    Timestamp::from_millis(zoned.timestamp().as_millisecond())
}

/// As `03-29 03:00 +02`.
fn shown(due: Timestamp, zone: &TimeZone) -> String {
    let zoned = jiff::Timestamp::from_millisecond(due.as_millis()).unwrap().to_zoned(zone.clone());
    zoned.strftime("%m-%d %H:%M %:::z").to_string()
}

/// What is due, by every way to ask for it.
fn due_between(text: &str, zone: &TimeZone, after: &str, until: &str) -> Vec<String> {
    let schedule = schedule(text);
    let (after, until) = (at(after, zone), at(until, zone));
    let due: Vec<Timestamp> = schedule.due_between(after, until, zone).collect();
    let by_steps = std::iter::successors(Some(after), |after| schedule.due_after(*after, zone));
    assert_eq!(by_steps.skip(1).take_while(|due| *due <= until).collect::<Vec<_>>(), due, "{text}");
    let just_before = |due: &Timestamp| Some(Timestamp::from_millis(due.as_millis() - 1));
    let back = std::iter::successors(schedule.last_due(until, zone), |due| {
        schedule.last_due(just_before(due)?, zone)
    });
    let back: Vec<Timestamp> = back.take_while(|due| *due > after).collect();
    assert_eq!(back.into_iter().rev().collect::<Vec<_>>(), due, "{text}");
    due.into_iter().map(|due| shown(due, zone)).collect()
}

#[test]
fn what_cron_accepts_is_accepted_and_shown_as_it_was_given() {
    for text in [
        "* * * * *",
        "5 4 * * sun",
        "0 0 * * SUN",
        "0 22 * * 1-5",
        "*/5 * * * *",
        "*/70 * * * *",
        "23 0-23/2 * * *",
        "0-59/100 * * * *",
        "1,2,30-40/3,*/7 * * * *",
        "05 007 01 09 0",
        "0 0 * jan-mar,NOV mon-fri",
        "0 0 * * fri-7",
        "0 0 * * 0-7",
        "0 0 1-31/31 * *",
        "0 0 29 2 *",
        "0\t0  * *\t\t*",
        " 0 0 * * * ",
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
    ] {
        assert_eq!(schedule(text).to_string(), text);
    }
}

#[test]
fn what_cron_refuses_or_takes_for_something_else_is_refused_in_words() {
    const COUNT: &str = "write minute, hour, day of month, month and day of week";
    for (text, why) in [
        ("", "it is empty; write five fields, as '30 2 * * *'".to_owned()),
        (" \t", "it is empty; write five fields, as '30 2 * * *'".to_owned()),
        ("5", format!("it has one field, not five; {COUNT}")),
        ("* * * *", format!("it has 4 fields, not five; {COUNT}")),
        ("0 30 2 * * *", format!("it has 6 fields, not five; {COUNT}")),
        ("@daily x", format!("it has 2 fields, not five; {COUNT}")),
        ("@reboot", "'@reboot' has no time; say how old the last success may be with '--max-age'".to_owned()),
        ("@dialy", "'@dialy' is no word of cron's; nearest is '@daily'".to_owned()),
        ("@Daily", "'@Daily' is no word of cron's; nearest is '@daily'".to_owned()),
        (
            "@q",
            "'@q' is no word of cron's; write one of @yearly, @annually, @monthly, @weekly, @daily, \
             @midnight, @hourly"
                .to_owned(),
        ),
        ("60 * * * *", "'60' is no minute; write 0 to 59".to_owned()),
        ("4294967297 * * * *", "'4294967297' is no minute; write 0 to 59".to_owned()),
        ("99999999999999999999 * * * *", "'99999999999999999999' is no minute; write 0 to 59".to_owned()),
        ("0 24 * * *", "'24' is no hour; write 0 to 23".to_owned()),
        ("0 0 0 * *", "'0' is no day of month; write 1 to 31".to_owned()),
        ("0 0 1-32 * *", "'1-32' is no day of month; write 1 to 31".to_owned()),
        ("0 0 L * *", "'L' is no day of month; write 1 to 31".to_owned()),
        ("0 0 15W * *", "'15W' is no day of month; write 1 to 31".to_owned()),
        ("0 0 ? * *", "'?' is no day of month; write '*' for any".to_owned()),
        ("0 0 * 13 *", "'13' is no month; write 1 to 12, or a name as 'feb'".to_owned()),
        ("0 0 * january *", "'january' is no month; write 1 to 12, or a name as 'feb'".to_owned()),
        ("0 0 * * 8", "'8' is no day of week; write 0 to 7, or a name as 'mon'".to_owned()),
        ("0 0 * * 5L", "'5L' is no day of week; write 0 to 7, or a name as 'mon'".to_owned()),
        ("0 0 * * 5#2", "'5#2' is no day of week; write 0 to 7, or a name as 'mon'".to_owned()),
        ("mon * * * *", "'mon' is no minute; write 0 to 59".to_owned()),
        ("0~59 * * * *", "'0~59' is no minute; write 0 to 59".to_owned()),
        ("-5 * * * *", "'-5' is no minute; write 0 to 59".to_owned()),
        ("+5 * * * *", "'+5' is no minute; write 0 to 59".to_owned()),
        ("5- * * * *", "'5-' is no minute; write 0 to 59".to_owned()),
        ("*5 * * * *", "'*5' is no minute; write 0 to 59".to_owned()),
        ("*-5 * * * *", "'*-5' is no minute; write 0 to 59".to_owned()),
        ("٣ * * * *", "'٣' is no minute; write 0 to 59".to_owned()),
        ("1,,2 * * * *", "the list '1,,2' has a gap; leave out the comma too much".to_owned()),
        ("1, * * * *", "the list '1,' has a gap; leave out the comma too much".to_owned()),
        ("5/10 * * * *", "'5/10' has a step and no range; write '5-59/10' or '5'".to_owned()),
        ("*/0 * * * *", "'0' in '*/0' is no step; write a number of 1 or more, as '*/5'".to_owned()),
        ("*/ * * * *", "'' in '*/' is no step; write a number of 1 or more, as '*/5'".to_owned()),
        ("*/2/3 * * * *", "'2/3' in '*/2/3' is no step; write a number of 1 or more, as '*/5'".to_owned()),
        ("5-1 * * * *", "the range '5-1' goes down, so it never comes; write '5-59,0-1'".to_owned()),
        ("0 22-3 * * *", "the range '22-3' goes down, so it never comes; write '22-23,0-3'".to_owned()),
        ("0 0 * nov-jan *", "the range 'nov-jan' goes down, so it never comes; write '11-12,1'".to_owned()),
        ("0 0 * * fri-sun", "the range 'fri-sun' goes down, so it never comes; write '5-7'".to_owned()),
        ("0 0 * * sat-mon", "the range 'sat-mon' goes down, so it never comes; write '6-7,1'".to_owned()),
        ("0 0 31 2 *", "day '31' never comes in month '2'; write one that does".to_owned()),
        ("0 0 30,31 feb */2", "day '30,31' never comes in month 'feb'; write one that does".to_owned()),
    ] {
        assert_eq!(Schedule::parse(text), Err(why), "{text}");
    }
}

/// crontab(5), the note: either day field is enough, unless one of them is a star; and to cron a star
/// is what begins with one.
#[test]
fn the_two_day_fields_are_joined_as_cron_joins_them() {
    let utc = TimeZone::UTC;
    for (text, days) in [
        ("0 0 1,15 * 5", "01 02 09 15 16 23 30"),
        ("0 0 1,15 * *", "01 15"),
        ("0 0 * * 5", "02 09 16 23 30"),
        ("0 0 */7 * 5", ""),
        ("0 0 */2 * 5", "09 23"),
        ("0 0 2,3,9 * */5", "02 09"),
        ("0 0 1-31/2 * 5", "01 02 03 05 07 09 11 13 15 16 17 19 21 23 25 27 29 30 31"),
        ("0 0 * * */2", "01 03 04 06 08 10 11 13 15 17 18 20 22 24 25 27 29 31"),
        ("0 0 31 2,10 5", "02 09 16 23 30 31"),
        ("0 0 * * 7", "04 11 18 25"),
        ("0 0 * * 6-7", "03 04 10 11 17 18 24 25 31"),
    ] {
        // October 2026 begins on a Thursday.
        let due = due_between(text, &utc, "2026-09-30T12:00", "2026-10-31T12:00");
        let due: Vec<&str> = due.iter().map(|due| &due[3..5]).collect();
        let days: Vec<&str> = days.split(' ').filter(|day| !day.is_empty()).collect();
        assert_eq!(due, days, "{text}");
    }
}

#[test]
fn rare_days_are_found_in_both_directions() {
    let utc = TimeZone::UTC;
    for (text, now, last, next) in [
        ("0 0 29 2 *", "2026-11-21T12:00", "2024-02-29T00:00", "2028-02-29T00:00"),
        ("0 0 29 2 *", "2096-03-01T00:00", "2096-02-29T00:00", "2104-02-29T00:00"),
        ("0 0 29 2 *", "2104-02-28T00:00", "2096-02-29T00:00", "2104-02-29T00:00"),
        ("0 0 29 2 */7", "2026-11-21T12:00", "2004-02-29T00:00", "2032-02-29T00:00"),
        ("0 0 29 2 */7", "2090-01-01T00:00", "2088-02-29T00:00", "2128-02-29T00:00"),
        ("0 2 31 * *", "2026-11-21T12:00", "2026-10-31T02:00", "2026-12-31T02:00"),
        ("0 2 31 * *", "2026-02-01T00:00", "2026-01-31T02:00", "2026-03-31T02:00"),
        ("59 23 31 12 *", "2026-12-31T23:59", "2026-12-31T23:59", "2027-12-31T23:59"),
        ("@yearly", "2026-12-31T23:59", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("@annually", "2026-01-01T00:00", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("@monthly", "2026-11-21T12:00", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("@weekly", "2026-11-21T12:00", "2026-11-15T00:00", "2026-11-22T00:00"),
        ("@daily", "2026-11-21T12:00", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("@midnight", "2026-11-21T23:59", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("@hourly", "2026-11-21T12:00", "2026-11-21T12:00", "2026-11-21T13:00"),
        ("*/7 * * * *", "2026-11-21T12:57", "2026-11-21T12:56", "2026-11-21T13:00"),
        ("0 0 * * 5", "1969-12-31T23:59", "1969-12-26T00:00", "1970-01-02T00:00"),
    ] {
        let schedule = schedule(text);
        let now = at(now, &utc);
        assert_eq!(schedule.last_due(now, &utc), Some(at(last, &utc)), "{text}, last");
        assert_eq!(schedule.due_after(now, &utc), Some(at(next, &utc)), "{text}, next");
    }
}

#[test]
fn bounds_are_kept_to_the_millisecond() {
    let (utc, hourly) = (TimeZone::UTC, schedule("@hourly"));
    let due = at("2026-11-21T12:00", &utc);
    let (before, after) =
        (Timestamp::from_millis(due.as_millis() - 1), Timestamp::from_millis(due.as_millis() + 1));
    let hours_later = |hours: i64| Timestamp::from_millis(due.as_millis() + hours * 3_600_000);
    assert_eq!(hourly.last_due(before, &utc), Some(hours_later(-1)));
    assert_eq!(hourly.last_due(after, &utc), Some(due));
    assert_eq!(hourly.due_after(before, &utc), Some(due));
    assert_eq!(hourly.due_after(due, &utc), Some(hours_later(1)));
    assert_eq!(hourly.due_after(after, &utc), Some(hours_later(1)));
    assert_eq!(hourly.due_between(before, due, &utc).collect::<Vec<_>>(), [due]);
    assert_eq!(hourly.due_between(due, hours_later(2), &utc).count(), 2);
    assert_eq!(hourly.due_between(due, due, &utc).count(), 0);
    assert_eq!(hourly.due_between(hours_later(2), due, &utc).count(), 0);
}

#[test]
fn the_ends_of_the_calendar_are_the_ends_of_a_schedule() {
    let berlin = zone("Europe/Berlin");
    let schedule = schedule("0 0 29 2 *");
    for millis in [i64::MIN, i64::MAX] {
        let end = Timestamp::from_millis(millis);
        assert_eq!(schedule.due_after(end, &berlin), None);
        assert_eq!(schedule.last_due(end, &berlin), None);
        assert_eq!(schedule.interval_around(end, &berlin), None);
    }
    let all =
        schedule.due_between(at("9990-01-01T00:00", &berlin), Timestamp::from_millis(i64::MAX), &berlin);
    assert_eq!(all.map(|due| shown(due, &berlin)).collect::<Vec<_>>(), ["02-29 00:00 +01"; 2]);
}

#[test]
fn the_interval_is_to_the_nearer_neighbour() {
    let berlin = zone("Europe/Berlin");
    for (text, due, minutes) in [
        ("*/7 * * * *", "2026-11-21T12:56", 4),
        ("*/7 * * * *", "2026-11-21T12:07", 7),
        ("@daily", "2026-11-21T00:00", 24 * 60),
        ("@daily", "2026-03-29T00:00", 23 * 60),
        ("@monthly", "2026-03-01T00:00", 28 * 24 * 60),
        ("30 2 * * *", "2026-03-29T03:00", 23 * 60 + 30),
        ("0 8,12 * * *", "2026-11-21T12:00", 4 * 60),
        ("0 0 29 2 *", "2024-02-29T00:00", 1461 * 24 * 60),
    ] {
        let interval = schedule(text).interval_around(at(due, &berlin), &berlin);
        assert_eq!(interval, Some(Duration::from_secs(minutes * 60)), "{text}");
    }
}

/// What Debian's cron did from 01:57 to 03:17 on 29 March 2026, when 02:00 to 03:00 was skipped.
#[test]
fn berlin_in_spring_as_cron_has_it() {
    const AT_THE_CHANGE: &[&str] = &["03-29 03:00 +02"];
    let berlin = zone("Europe/Berlin");
    for (text, due) in [
        ("59 1 * * *", &["03-29 01:59 +01"][..]),
        ("30 2 * * *", AT_THE_CHANGE),
        ("0 2 * * *", AT_THE_CHANGE),
        ("59 2 * * *", AT_THE_CHANGE),
        ("0,15,30 2 * * *", AT_THE_CHANGE),
        ("0 2,3 * * *", AT_THE_CHANGE),
        ("0 3 * * *", AT_THE_CHANGE),
        ("1 3 * * *", &["03-29 03:01 +02"]),
        ("30 0-23 * * *", AT_THE_CHANGE),
        ("0-59/30 2-3 * * *", AT_THE_CHANGE),
        ("1,*/20 2 * * *", AT_THE_CHANGE),
        ("@hourly", AT_THE_CHANGE),
        ("*/30 2 * * *", &[]),
        ("30 */2 * * *", &[]),
    ] {
        assert_eq!(due_between(text, &berlin, "2026-03-29T01:57:30", "2026-03-29T03:17"), due, "{text}");
    }
}

/// What Debian's cron did from 01:57 to 03:07 on 25 October 2026, when 02:00 to 03:00 came twice.
#[test]
fn berlin_in_autumn_as_cron_has_it() {
    let berlin = zone("Europe/Berlin");
    for (text, due) in [
        ("59 1 * * *", "01:59 +02"),
        ("30 2 * * *", "02:30 +02"),
        ("0,15,30 2 * * *", "02:00 +02, 02:15 +02, 02:30 +02"),
        ("0 2,3 * * *", "02:00 +02, 03:00 +01"),
        ("0 3 * * *", "03:00 +01"),
        ("30 0-23 * * *", "02:30 +02"),
        ("0-59/30 2-3 * * *", "02:00 +02, 02:30 +02, 03:00 +01"),
        ("1,*/20 2 * * *", "02:00 +02, 02:01 +02, 02:20 +02, 02:40 +02"),
        ("@hourly", "02:00 +02, 02:00 +01, 03:00 +01"),
        ("*/30 2 * * *", "02:00 +02, 02:30 +02, 02:00 +01, 02:30 +01"),
        ("30 */2 * * *", "02:30 +02, 02:30 +01"),
    ] {
        let found = due_between(text, &berlin, "2026-10-25T01:57:30", "2026-10-25T03:07");
        let found: Vec<&str> = found.iter().map(|due| &due[6..]).collect();
        assert_eq!(found.join(", "), due, "{text}");
    }
}

/// Both changes elsewhere: at two in the morning, by half an hour, and not at all.
#[test]
fn changes_in_other_zones() {
    for (name, text, after, until, due) in [
        // 02:00 to 03:00 is skipped on 8 March, 01:00 to 02:00 comes twice on 1 November.
        ("America/New_York", "30 2 * * *", "03-07T12:00", "03-09T12:00", "03-08 03:00 -04, 03-09 02:30 -04"),
        ("America/New_York", "15 * 8 3 *", "03-08T00:30", "03-08T04:00", "03-08 01:15 -05, 03-08 03:15 -04"),
        ("America/New_York", "30 1 * * *", "10-31T12:00", "11-02T12:00", "11-01 01:30 -04, 11-02 01:30 -05"),
        (
            "America/New_York",
            "30 * * * *",
            "11-01T00:15",
            "11-01T02:15",
            "11-01 00:30 -04, 11-01 01:30 -04, 11-01 01:30 -05",
        ),
        // 02:00 to 02:30 is skipped on 4 October, 01:30 to 02:00 comes twice on 5 April.
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "10-03T12:00",
            "10-05T12:00",
            "10-04 02:30 +11, 10-05 02:15 +11",
        ),
        ("Australia/Lord_Howe", "45 2 * * *", "10-03T12:00", "10-04T12:00", "10-04 02:45 +11"),
        (
            "Australia/Lord_Howe",
            "*/15 * * * *",
            "10-04T01:30",
            "10-04T02:45",
            "10-04 01:45 +10:30, 10-04 02:30 +11, 10-04 02:45 +11",
        ),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "04-04T12:00",
            "04-06T12:00",
            "04-05 01:45 +11, 04-06 01:45 +10:30",
        ),
        (
            "Australia/Lord_Howe",
            "45 * * * *",
            "04-05T01:00",
            "04-05T02:45",
            "04-05 01:45 +11, 04-05 01:45 +10:30, 04-05 02:45 +10:30",
        ),
        ("UTC", "30 2 * * *", "03-28T12:00", "03-30T12:00", "03-29 02:30 +00, 03-30 02:30 +00"),
        ("UTC", "30 2 * * *", "10-24T12:00", "10-26T12:00", "10-25 02:30 +00, 10-26 02:30 +00"),
    ] {
        let found = due_between(text, &zone(name), &format!("2026-{after}"), &format!("2026-{until}"));
        assert_eq!(found.join(", "), due, "{name}: {text}");
    }
}

/// cron(8): a change of more than three hours is a correction of the clock. Samoa left out the whole
/// of 30 December 2011, Kwajalein had most of 30 September 1969 twice.
#[test]
fn a_day_that_a_zone_leaves_out_or_has_twice_is_not_made_up_for() {
    let apia = due_between("30 2 * * *", &zone("Pacific/Apia"), "2011-12-29T00:00", "2012-01-01T00:00");
    assert_eq!(apia, ["12-29 02:30 -10", "12-31 02:30 +14"]);
    let kwajalein =
        due_between("30 2 * * *", &zone("Pacific/Kwajalein"), "1969-09-29T00:00", "1969-10-02T00:00");
    assert_eq!(kwajalein, ["09-29 02:30 +11", "09-30 02:30 +11", "09-30 02:30 -12", "10-01 02:30 -12"]);
}
