//! Rules by tables and properties.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

fn rule(files: Option<u32>, seconds: Option<u64>, bytes: Option<u64>) -> KeepRule {
    KeepRule { files: files.and_then(NonZeroU32::new), age: seconds.map(Duration::from_secs), bytes }
}

#[test]
fn a_rule_is_a_number_of_files_an_age_and_a_size_in_any_order() {
    for (text, expected) in [
        ("30", rule(Some(30), None, None)),
        ("14d", rule(None, Some(1_209_600), None)),
        ("1GiB", rule(None, None, Some(1 << 30))),
        ("30,14d,1GiB", rule(Some(30), Some(1_209_600), Some(1 << 30))),
        ("500MB,1h 30m,1", rule(Some(1), Some(5400), Some(500_000_000))),
        // A minute, and not a million.
        ("1m", rule(None, Some(60), None)),
        ("1.5h", rule(None, Some(5400), None)),
        ("1B", rule(None, None, Some(1))),
    ] {
        assert_eq!(keep_rule(text), Ok(expected), "{text}");
    }
}

#[test]
fn rules_that_mean_nothing_are_refused_with_a_hint() {
    const EMPTY: &str = "it is empty; write '30', '14d', '1GiB' or '30,14d,1GiB'";
    const NO_LIMIT: &str = "not a limit; write '30' files, '14d' or '1GiB'";
    const NO_COUNT: &str = "write a number of 1 or more";
    for (text, why) in [
        ("", EMPTY.to_owned()),
        ("30,", format!("'': {EMPTY}")),
        (",", format!("'': {EMPTY}")),
        ("all", NO_LIMIT.to_owned()),
        ("-1", NO_LIMIT.to_owned()),
        ("30, 14d", format!("' 14d': {NO_LIMIT}")),
        ("0", NO_COUNT.to_owned()),
        ("1.5", NO_COUNT.to_owned()),
        ("4294967296", NO_COUNT.to_owned()),
        ("30,0", format!("'0': {NO_COUNT}")),
        ("0d", "it must be longer than nothing; write '14d'".to_owned()),
        ("0B", "it must be more than nothing; write '1GiB'".to_owned()),
        ("30,40", "'40': a second number of files; write the one that is meant".to_owned()),
        ("14d,30,2w", "'2w': a second age; write the one that is meant".to_owned()),
        ("1GB,1GiB", "'1GiB': a second size; write the one that is meant".to_owned()),
        (
            "5M",
            "it may mean powers of 1000 or of 1024; write '5MB' or '5MiB', or '150d' for months".to_owned(),
        ),
        ("5g", "it may mean powers of 1000 or of 1024; write '5GB' or '5GiB'".to_owned()),
        ("5mb", "'mb' is no unit; write '5MB'".to_owned()),
        ("5Gi", "'Gi' is no unit; write '5B' or '5MiB'".to_owned()),
        ("1.5GiB", "fractions are not accepted; write '1500MB' for 1.5 GB".to_owned()),
        ("9999999PiB", "larger than any file".to_owned()),
        ("1y", "years are not accepted; write '365d' for a year of days".to_owned()),
        ("6months", "months are not accepted; write '30d' for thirty days".to_owned()),
        ("5x", "not a time; write '90s', '4h' or '1h30m'".to_owned()),
    ] {
        assert_eq!(keep_rule(text), Err(why), "{text:?}");
    }
}

#[test]
fn a_rule_is_shown_as_it_was_written() {
    for text in ["30", "14d", "1GiB", "30,14d,1GiB", "45d 2h", "1h 30m", "1,1500MB", "1023B", "1MB"] {
        assert_eq!(keep_rule(text).map(|rule| rule.to_string()), Ok(text.to_owned()));
    }
    assert_eq!(KeepRule::default().to_string(), "100");
}

proptest! {
    #[test]
    fn shown_rules_are_read_back(
        files in proptest::option::of(1_u32..),
        seconds in proptest::option::of(1_u64..3_000_000_000),
        bytes in proptest::option::of(1_u64..),
    ) {
        prop_assume!(files.is_some() || seconds.is_some() || bytes.is_some());
        let rule = rule(files, seconds, bytes);
        prop_assert_eq!(keep_rule(&rule.to_string()), Ok(rule));
    }

    #[test]
    fn any_text_is_read_without_panic(text in "([0-9.]{0,9}[ a-zA-Zµ]{0,4},?){0,4}") {
        let _ = keep_rule(&text);
    }
}
