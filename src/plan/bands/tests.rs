//! Bands by tables and properties.

use proptest::prelude::*;

use super::*;

fn wall_time(min: Option<u64>, max: Option<u64>) -> Expectation {
    Expectation::WallTime(Band { min: min.map(Duration::from_secs), max: max.map(Duration::from_secs) })
}

fn reported(name: &str, min: Option<f64>, max: Option<f64>) -> Expectation {
    Expectation::Reported { name: name.to_owned(), band: Band { min, max } }
}

#[test]
fn expectations_are_bands_of_time_or_of_a_value() {
    for (text, expected) in [
        ("5m..2h", wall_time(Some(300), Some(7200))),
        ("5m..", wall_time(Some(300), None)),
        ("..1h 30m", wall_time(None, Some(5400))),
        ("0s..1d", wall_time(Some(0), Some(86_400))),
        ("9s..9s", wall_time(Some(9), Some(9))),
        ("rows=1000..", reported("rows", Some(1000.0), None)),
        ("ratio=0.5..1", reported("ratio", Some(0.5), Some(1.0))),
        ("drift=-2.5e-3..1e+3", reported("drift", Some(-0.0025), Some(1000.0))),
        ("a.B-c_9=..-1", reported("a.B-c_9", None, Some(-1.0))),
    ] {
        assert_eq!(expectation(text), Ok(expected), "{text}");
    }
}

#[test]
fn expectations_that_mean_nothing_are_refused_with_a_hint() {
    const NO_NUMBER: &str = "not a number; write '1000', '-0.5' or '1e9'";
    const NEITHER: &str = "it has neither a least nor a most; write at least one side";
    for (text, why) in [
        ("", "it is empty; write '5m..2h' or 'rows=1000..'"),
        ("5m", "a band needs two dots; write '5m..' for at least, '..5m' for at most"),
        ("rows=9", "a band needs two dots; write '9..' for at least, '..9' for at most"),
        ("..", NEITHER),
        ("rows=..", NEITHER),
        ("10m..5m", "the band '10m..5m' is reversed; write '5m..10m'"),
        ("n=1..-1", "the band '1..-1' is reversed; write '-1..1'"),
        ("5..10", "'5': a number needs a unit; write '5s' or '5m'"),
        ("5s..10M", "'10M': months are not accepted; write '10m' for minutes"),
        ("5m...2h", "'.2h': not a time; write '90s', '4h' or '1h30m'"),
        ("..0s", "no run is over within nothing; write '1s..' for at least a second"),
        ("n=1k..", &format!("'1k': {NO_NUMBER}")),
        ("n=..inf", &format!("'inf': {NO_NUMBER}")),
        ("n=NaN..", &format!("'NaN': {NO_NUMBER}")),
        ("n=1e999..", &format!("'1e999': {NO_NUMBER}")),
        ("n=+1..", &format!("'+1': {NO_NUMBER}")),
        ("n=.5..", &format!("'.5': {NO_NUMBER}")),
        ("n=--1..", &format!("'--1': {NO_NUMBER}")),
        ("=1..", "'' is no name of a value; write letters, digits, '_', '-' and '.' between"),
        ("my rows=1..", "'my rows' is no name of a value; write letters, digits, '_', '-' and '.' between"),
    ] {
        assert_eq!(expectation(text), Err(why.to_owned()), "{text}");
    }
    for name in ["a..b", ".a", "a.", "a:b", "é", &"n".repeat(65)] {
        assert!(expectation(&format!("{name}=1..")).unwrap_err().contains("no name of a value"), "{name}");
    }
    assert!(expectation(&format!("{}=1..", "n".repeat(64))).is_ok());
}

#[test]
fn products_are_globs_with_or_without_a_band_of_sizes() {
    use SizeBound::{Bytes, Percent};
    for (text, pattern, min, max) in [
        ("/backup/app-*.dump", "/backup/app-*.dump", None, None),
        ("x:1MiB..", "x", Some(Bytes(1 << 20)), None),
        ("x:..4GiB", "x", None, Some(Bytes(4 << 30))),
        ("x:512B..64KiB", "x", Some(Bytes(512)), Some(Bytes(65_536))),
        ("x:1kB..1MB", "x", Some(Bytes(1000)), Some(Bytes(1_000_000))),
        ("x:50%..300%", "x", Some(Percent(50)), Some(Percent(300))),
        ("x:1MiB..300%", "x", Some(Bytes(1 << 20)), Some(Percent(300))),
        ("x:300%..1B", "x", Some(Percent(300)), Some(Bytes(1))),
        ("a:b:1B..", "a:b", Some(Bytes(1)), None),
        // Colons of names.
        ("log-12:30", "log-12:30", None, None),
        ("log-12:30:1B..", "log-12:30", Some(Bytes(1)), None),
        ("host:../x", "host:../x", None, None),
        ("a:b", "a:b", None, None),
        ("../x", "../x", None, None),
    ] {
        let expected = Product { pattern: pattern.to_owned(), size: Band { min, max } };
        assert_eq!(product(text), Ok(expected), "{text}");
    }
}

#[test]
fn products_that_mean_nothing_are_refused_with_a_hint() {
    const NO_FILE: &str = "it names no file; write '/backup/app-*.dump' or '/backup/app-*.dump:1MiB..'";
    const NO_SIZE: &str = "not a size; write '512B', '64KiB' or '1MB'";
    for (text, why) in [
        ("", NO_FILE),
        (":1MiB..", NO_FILE),
        ("x:", "nothing stands behind the colon; write '1MiB..' or '50%..300%'"),
        ("x:..", "it has neither a least nor a most; write at least one side"),
        ("x:1MiB", "a band needs two dots; write '1MiB..' for at least, '..1MiB' for at most"),
        ("x:50%", "a band needs two dots; write '50%..' for at least, '..50%' for at most"),
        ("x:2MB..1MB", "the band '2MB..1MB' is reversed; write '1MB..2MB'"),
        ("x:1MiB..1MB", "the band '1MiB..1MB' is reversed; write '1MB..1MiB'"),
        ("x:300%..50%", "the band '300%..50%' is reversed; write '50%..300%'"),
        ("x:100..", "'100': a number needs a unit; write '100B' or '100MiB'"),
        ("x:1.5GB..", "'1.5GB': fractions are not accepted; write '1500MB' for 1.5 GB"),
        ("x:..64K", "'64K': it may mean powers of 1000 or of 1024; write '64KB' or '64KiB'"),
        ("x:1gib..", "'1gib': 'gib' is no unit; write '1GiB'"),
        ("x:1Mb..", "'1Mb': 'Mb' is no unit; write '1MB'"),
        ("x:7x..", "'7x': 'x' is no unit; write '7B' or '7MiB'"),
        ("x:a..b", &format!("'a': {NO_SIZE}")),
        ("x:-1B..", &format!("'-1B': {NO_SIZE}")),
        ("x:%..", "'%': not a percentage; write whole ones, as '50%'"),
        ("x:0.5%..", "'0.5%': not a percentage; write whole ones, as '50%'"),
        ("x:99999999999%..", "'99999999999%': more than any file grows by; write '300%'"),
        ("x:20000PiB..", "'20000PiB': larger than any file"),
    ] {
        assert_eq!(product(text), Err(why.to_owned()), "{text}");
    }
    let long = "x".repeat(4097);
    assert_eq!(product(&long), Err("it is longer than any path, which has at most 4096 bytes".to_owned()));
}

/// A side of a band: there or not.
fn side<T: Clone + std::fmt::Debug + 'static>(
    values: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    prop::option::of(values).boxed()
}

/// A band with a side at least, ordered by `ordered`.
fn bands<T: Copy + std::fmt::Debug + 'static>(
    values: impl Strategy<Value = T> + Clone + 'static,
    ordered: fn(T, T) -> bool,
) -> impl Strategy<Value = Band<T>> {
    (side(values.clone()), side(values)).prop_filter_map("no band", move |(min, max)| match (min, max) {
        (None, None) => None,
        (Some(one), Some(other)) if !ordered(one, other) => Some(Band { min: Some(other), max: Some(one) }),
        (min, max) => Some(Band { min, max }),
    })
}

fn durations() -> impl Strategy<Value = Duration> + Clone {
    let short = (0..100_000_000_000_u64).prop_map(Duration::from_nanos);
    let long = (1..3_153_600_000_u64).prop_map(Duration::from_secs);
    prop_oneof![short, long, (1..36_500_u64).prop_map(|days| Duration::from_secs(days * 86_400))]
}

fn finite() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![prop::num::f64::NORMAL, prop::num::f64::SUBNORMAL, -1e6..1e6_f64, Just(0.0)]
}

fn size_bounds() -> impl Strategy<Value = SizeBound> + Clone {
    prop_oneof![any::<u64>().prop_map(SizeBound::Bytes), any::<u32>().prop_map(SizeBound::Percent)]
}

fn ordered_sizes(one: SizeBound, other: SizeBound) -> bool {
    match (one, other) {
        (SizeBound::Bytes(one), SizeBound::Bytes(other)) => one <= other,
        (SizeBound::Percent(one), SizeBound::Percent(other)) => one <= other,
        (SizeBound::Bytes(_), SizeBound::Percent(_)) | (SizeBound::Percent(_), SizeBound::Bytes(_)) => true,
    }
}

proptest! {
    #[test]
    fn a_time_that_is_shown_can_be_typed(band in bands(durations(), |one, other| one <= other)) {
        prop_assume!(band.max != Some(Duration::ZERO));
        let expected = Expectation::WallTime(band);
        prop_assert_eq!(expectation(&expected.to_string()), Ok(expected));
    }

    #[test]
    fn a_value_that_is_shown_can_be_typed(
        name in "[A-Za-z0-9_-]{1,20}([.][a-z]{1,9}){0,3}", band in bands(finite(), |one, other| one <= other),
    ) {
        let expected = Expectation::Reported { name, band };
        prop_assert_eq!(expectation(&expected.to_string()), Ok(expected));
    }

    #[test]
    fn a_product_that_is_shown_can_be_typed(
        pattern in "[ -9;-~é]{1,20}(:[0-9]{2}[a-z/]{0,9})?", band in prop_oneof![
            Just(Band::ALL).boxed(), bands(size_bounds(), ordered_sizes).boxed()
        ],
    ) {
        let expected = Product { pattern, size: band };
        prop_assert_eq!(product(&expected.to_string()), Ok(expected));
    }

    #[test]
    fn any_text_is_read_without_panic_and_errors_are_one_line(text in "\\PC{0,30}|[0-9a-z=:.%MGiB-]{0,20}") {
        for error in [expectation(&text).err(), product(&text).err()].into_iter().flatten() {
            prop_assert!(!error.contains('\n') && error.chars().next().is_some_and(|c| !c.is_uppercase()), "{}", error);
        }
    }

    #[test]
    fn what_is_read_is_shown_so_that_it_is_read_again(text in "[0-9a-c/=:.%MGiBsm-]{1,16}") {
        if let Ok(read) = expectation(&text) {
            prop_assert_eq!(expectation(&read.to_string()), Ok(read));
        }
        if let Ok(read) = product(&text) {
            prop_assert_eq!(product(&read.to_string()), Ok(read));
        }
    }
}
