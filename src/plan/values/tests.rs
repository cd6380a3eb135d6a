//! Single values by tables.

use proptest::prelude::*;

use super::*;

#[test]
fn durations_are_those_of_humantime() {
    for (text, millis) in [
        ("90s", 90_000),
        ("4h", 14_400_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        ("250ms", 250),
        ("1.5h", 5_400_000),
        ("2days", 172_800_000),
        ("1w", 604_800_000),
        ("0s", 0),
        ("36500d", 3_153_600_000_000),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn durations_that_are_not_what_they_seem_are_refused_with_a_hint() {
    const NO_TIME: &str = "not a time; write '90s', '4h' or '1h30m'";
    const TOO_LONG: &str = "longer than a century; write '30d' for thirty days";
    for (text, why) in [
        ("", "it is empty; write '90s' or '90m'"),
        (" ", "it is empty; write '90s' or '90m'"),
        ("90", "a number needs a unit; write '90s' or '90m'"),
        ("0", "a number needs a unit; write '0s' or '0m'"),
        ("1h30", "a number needs a unit; write '90s' or '1h30m'"),
        ("5M", "months are not accepted; write '5m' for minutes"),
        ("1h5M", "months are not accepted; write '1h5m' for minutes"),
        ("5 M", "months are not accepted; write '5 m' for minutes"),
        ("2months", "months are not accepted; write '30d' for thirty days"),
        ("1month", "months are not accepted; write '30d' for thirty days"),
        ("1y", "years are not accepted; write '365d' for a year of days"),
        ("1 years", "years are not accepted; write '365d' for a year of days"),
        ("1yr", "years are not accepted; write '365d' for a year of days"),
        ("soon", NO_TIME),
        ("-5s", NO_TIME),
        ("+5s", NO_TIME),
        ("5S", NO_TIME),
        ("5x", NO_TIME),
        ("36501d", TOO_LONG),
        ("99999999999999999999s", TOO_LONG),
        // humantime 2.4 panics on this sum.
        ("18446744073709551615s 1000000000ns", TOO_LONG),
        ("999999999999w", TOO_LONG),
        (&"1s".repeat(40), TOO_LONG),
    ] {
        assert_eq!(duration(text), Err(why.to_owned()), "{text:?}");
    }
}

#[test]
fn a_repetition_without_pause_is_refused() {
    assert_eq!(positive_duration("1ms"), Ok(Duration::from_millis(1)));
    let why = "it must be longer than nothing; leave the option out for never";
    assert_eq!(positive_duration("0s"), Err(why.to_owned()));
}

#[test]
fn exit_codes_are_numbers_and_ranges() {
    for (text, shown, member, stranger) in [
        ("24", "24", 24, 25),
        ("1-3", "1-3", 2, 4),
        ("99,1-3,24", "1-3,24,99", 24, 98),
        ("0-255", "0-255", 255, 0),
        ("7-7", "7", 7, 8),
    ] {
        let codes = exit_codes(text).unwrap();
        assert_eq!(codes.to_string(), shown);
        assert!(codes.contains(member));
        assert!(text == "0-255" || !codes.contains(stranger));
    }
}

#[test]
fn bad_exit_codes_are_named_one_by_one() {
    let none = |item: &str| format!("'{item}' is none; write codes of 0 to 255, as '24' or '1-3,99'");
    for (text, item) in [
        ("256", "256"),
        ("1,x", "x"),
        ("", ""),
        ("1,", ""),
        ("-1", "-1"),
        ("1-", "1-"),
        ("1-2-3", "1-2-3"),
        ("+1", "+1"),
        ("1, 2", " 2"),
        ("250-300", "250-300"),
    ] {
        assert_eq!(exit_codes(text), Err(none(item)), "{text}");
    }
    assert_eq!(exit_codes("9,3-1"), Err("the range '3-1' is reversed; write '1-3'".to_owned()));
}

#[test]
fn thresholds_are_so_many_failures_in_a_row_or_of_some_runs_or_within_a_time() {
    let n = |n| NonZeroU32::new(n).unwrap();
    assert_eq!(alert_after("3/5"), Ok(AlertAfter::OfLast { failures: n(3), runs: n(5) }));
    let span = Duration::from_secs(3600);
    assert_eq!(alert_after("5/1h"), Ok(AlertAfter::Within { failures: n(5), span }));
    for text in ["1", "64/64", "5/1h 30m", "1/1s"] {
        assert_eq!(alert_after(text).map(|after| after.to_string()), Ok(text.to_owned()));
    }
    for (text, why) in [
        ("0/5", "write a number of 1 or more"),
        ("5/3", "5 of 3 runs cannot fail; write the smaller number first"),
        ("65/70", "so many failures are not remembered; write 64 at most before '/'"),
        ("5/65", "so many runs are not remembered; write 64 at most behind '/'"),
        ("5/0s", "it must be longer than nothing; leave the option out for never"),
        ("5/1M", "months are not accepted; write '1m' for minutes"),
        ("5/", "write a number of 1 or more"),
        ("3/5/7", "not a time; write '90s', '4h' or '1h30m'"),
    ] {
        assert_eq!(alert_after(text), Err(why.to_owned()), "{text}");
    }
}

#[test]
fn a_plain_threshold_is_a_count_of_at_least_one() {
    assert_eq!(alert_after("100"), Ok(AlertAfter::InARow(NonZeroU32::new(100).unwrap())));
    for text in ["0", "", "-1", "+1", "1.5", "4294967296", "three"] {
        assert_eq!(alert_after(text), Err("write a number of 1 or more".to_owned()), "{text}");
    }
}

#[test]
fn exit_statuses_switches_and_words_are_strict() {
    assert_eq!((exit_status("0"), exit_status("255")), (Ok(0), Ok(255)));
    assert_eq!(exit_status("256"), Err("write a number of 0 to 255".to_owned()));
    for (text, value) in [("1", true), ("true", true), ("0", false), ("false", false)] {
        assert_eq!(switch(text), Ok(value));
    }
    for text in ["yes", "TRUE", " 1", "2"] {
        assert_eq!(switch(text), Err("write '1' or 'true', '0' or 'false'".to_owned()));
    }
    let words = [("auto", 1), ("always", 2)];
    assert_eq!(one_of("always", &words), Ok(2));
    assert_eq!(one_of("allways", &words), Err("nearest is 'always'; write one of auto, always".to_owned()));
    assert_eq!(one_of("x", &words), Err("write one of auto, always".to_owned()));
}

#[test]
fn templates_are_filled_in_once() {
    for (template, filled) in [
        ("{host}/{label}", "db1/x{host}"),
        ("fleet", "fleet"),
        ("{label}{label}", "x{host}x{host}"),
        ("{hos{host}}{", "{hosdb1}{"),
        ("", ""),
    ] {
        assert_eq!(fill(template, "db1", "x{host}"), filled);
    }
}

proptest! {
    #[test]
    fn no_text_is_a_duration_beyond_the_bound(text in "[0-9.smhdwMy µn]{0,40}") {
        if let Ok(span) = duration(&text) {
            prop_assert!(span <= DURATION_MAX);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in ".{0,40}") {
        let _ = (duration(&text), exit_codes(&text), alert_after(&text), fill(&text, "h", "l"));
    }

    #[test]
    fn printed_durations_are_read_back(seconds in 0..2_000_000_u64) {
        let span = Duration::from_secs(seconds);
        let text = humantime::format_duration(span).to_string();
        // Printed ones may be in months; those are not for typing.
        prop_assume!(!text.contains("month"));
        prop_assert_eq!(duration(&text), Ok(span));
    }

    #[test]
    fn ranges_contain_what_lies_between(start in 0..=255_u8, end in 0..=255_u8, code in 0..=255_u8) {
        match exit_codes(&format!("{start}-{end}")) {
            Ok(codes) => prop_assert_eq!(codes.contains(code), (start..=end).contains(&code)),
            Err(_) => prop_assert!(start > end),
        }
    }
}
