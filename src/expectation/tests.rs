//! What is said of a run that did not do what was expected of it.

use proptest::prelude::*;

use super::*;

fn time(min: Option<u64>, max: Option<u64>) -> Expectation {
    Expectation::WallTime(Band { min: min.map(Duration::from_millis), max: max.map(Duration::from_millis) })
}

fn value(name: &str, min: Option<f64>, max: Option<f64>) -> Expectation {
    Expectation::Reported { name: name.to_owned(), band: Band { min, max } }
}

fn report(values: &[(&str, f64)]) -> Report {
    let values = values.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
    Report { values, tags: Vec::new() }
}

#[test]
fn a_run_outside_its_time_is_told_by_how_long_it_took() {
    const MINUTE: u64 = 60_000;
    for (min, max, took, sentence) in [
        (None, Some(10 * MINUTE), 723_000, Some("took 12m 03s, expected at most 10m")),
        (Some(5 * MINUTE), None, 3_000, Some("took 3.00 s, expected at least 5m")),
        (Some(5 * MINUTE), Some(10 * MINUTE), 11 * MINUTE, Some("took 11m 00s, expected at most 10m")),
        (
            None,
            Some(40 * 24 * 60 * MINUTE),
            41 * 24 * 60 * MINUTE,
            Some("took 41d 00h, expected at most 40days"),
        ),
        // Rounded, the two would be the same.
        (None, Some(10 * MINUTE), 600_004, Some("took 10m 4ms, expected at most 10m")),
        (Some(2_000), None, 1_999, Some("took 1s 999ms, expected at least 2s")),
        (Some(5 * MINUTE), Some(10 * MINUTE), 5 * MINUTE, None),
        (Some(5 * MINUTE), Some(10 * MINUTE), 10 * MINUTE, None),
    ] {
        let said = unmet(&[time(min, max)], Some(Duration::from_millis(took)), &Report::default());
        assert_eq!(said, sentence.map(str::to_owned).into_iter().collect::<Vec<_>>());
    }
    assert!(unmet(&[time(Some(1), None)], None, &Report::default()).is_empty());
}

#[test]
fn a_value_outside_its_band_is_told_and_so_is_one_that_is_missing() {
    for (expected, reported, sentence) in [
        (
            value("rows", Some(1000.0), None),
            &[("rows", 12.0)][..],
            Some("reported rows=12, expected at least 1000"),
        ),
        (value("t", Some(-1.0), Some(0.5)), &[("t", 0.75)], Some("reported t=0.75, expected at most 0.5")),
        (value("t", Some(-1.0), Some(0.5)), &[("t", -1e20)], Some("reported t=-1e20, expected at least -1")),
        (value("rows", Some(1.0), None), &[("row", 5.0)], Some("did not report 'rows', which is expected")),
        (value("rows", Some(1.0), Some(2.0)), &[("x", 0.0), ("rows", 2.0)], None),
    ] {
        let said = unmet(&[expected], Some(Duration::ZERO), &report(reported));
        assert_eq!(said, sentence.map(str::to_owned).into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn only_a_run_that_ended_well_becomes_suspect() {
    let undone = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    for outcome in Outcome::ALL {
        let before = (outcome, Some("exited with 24".to_owned()));
        let suspect = match outcome {
            Outcome::Ok | Outcome::Warning => (Outcome::Suspect, Some("a; and 2 more".to_owned())),
            Outcome::Failed
            | Outcome::Signaled
            | Outcome::TimedOut
            | Outcome::Suspect
            | Outcome::NotStarted
            | Outcome::Interrupted
            | Outcome::Stopped
            | Outcome::Skipped => before.clone(),
        };
        assert_eq!(judge(before.0, before.1.clone(), &undone), suspect);
        assert_eq!(judge(before.0, before.1.clone(), &[]), before);
    }
}

#[test]
fn the_longest_time_is_the_smallest_that_any_expectation_allows() {
    let none = [time(Some(9), None), value("x", None, Some(1.0))];
    assert_eq!(time_max(&none), None);
    let some = [time(None, Some(90)), time(Some(1), Some(70)), time(None, Some(80))];
    assert_eq!(time_max(&some), Some(Duration::from_millis(70)));
}

proptest! {
    #[test]
    fn a_value_misses_a_band_on_the_side_where_it_lies_outside(
        min in prop::option::of(0..100_i32), max in prop::option::of(0..100_i32), value in 0..100_i32,
    ) {
        prop_assume!(min.is_none_or(|min| max.is_none_or(|max| min <= max)));
        let band = Band { min, max };
        match band.missed_by(value) {
            Some(Missed::AtLeast(bound)) => prop_assert!(min == Some(bound) && value < bound),
            Some(Missed::AtMost(bound)) => prop_assert!(max == Some(bound) && value > bound),
            None => prop_assert!((min.unwrap_or(value)..=max.unwrap_or(value)).contains(&value)),
        }
        prop_assert!(!band.is_boundless() || band.missed_by(value).is_none());
    }

    #[test]
    fn no_sentence_contradicts_itself(took in 0..10_000_000_u64, max in 1..10_000_000_u64) {
        let took_micros = Duration::from_micros(took);
        let max = Duration::from_micros(max);
        let band = Expectation::WallTime(Band { min: None, max: Some(max) });
        for sentence in unmet(&[band], Some(took_micros), &Report::default()) {
            let (took, bound) = sentence.strip_prefix("took ").unwrap().split_once(", expected at most ").unwrap();
            prop_assert_ne!(took, bound);
        }
    }
}
