//! Names and limits by tables and properties.

use proptest::prelude::*;

use super::*;

/// 2026-11-21T07:00:00Z.
const NOW: i64 = 1_795_244_400;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn name(hours_ago: i64) -> String {
    file_name(at(NOW - hours_ago * 3600), RunId::new())
}

/// Files of so many hours ago and of so many bytes.
fn files(of: &[(i64, u64)]) -> Vec<Kept> {
    of.iter().map(|&(hours, bytes)| Kept { name: name(hours), bytes }).collect()
}

fn rule(files: Option<u32>, hours: Option<u64>, bytes: Option<u64>) -> KeepRule {
    KeepRule {
        files: files.and_then(NonZeroU32::new),
        age: hours.map(|hours| Duration::from_secs(hours * 3600)),
        bytes,
    }
}

/// The hours of what has to go; `own` is the place of the file that has just been written.
fn hours_of_surplus(rule: KeepRule, of: &[(i64, u64)], own: Option<usize>) -> Vec<i64> {
    let files = files(of);
    let own = own.map(|place| files[place].name.as_str());
    let hours = |name: &&str| of[files.iter().position(|file| file.name == **name).unwrap()].0;
    surplus(&rule, &files, own, at(NOW)).iter().map(hours).collect()
}

#[test]
fn a_name_is_the_start_in_utc_and_the_end_of_the_id() {
    let run = RunId::parse("01234567-89ab-7fff-bfff-00c0ffee1234").unwrap();
    let name = file_name(Timestamp::from_millis(NOW * 1000 + 999), run);
    assert_eq!(name, "20261121T070000Z-ffee1234.log");
    assert_eq!(started_at(&name), Some(at(NOW)));
    assert_eq!(file_name(Timestamp::from_millis(-1), run), "19700101T000000Z-ffee1234.log");
    assert_eq!(file_name(Timestamp::from_millis(i64::MAX), run), "19700101T000000Z-ffee1234.log");
}

#[test]
fn nothing_else_is_taken_for_a_name_of_ours() {
    for name in [
        "",
        "latest.log",
        "20261121T070000Z-ffee1234.log.gz",
        "20261121T070000Z-ffee1234.lo",
        "20261121T070000Z-FFEE1234.log",
        "20261121T070000Z-ffee123g.log",
        "20261121T070000+-ffee1234.log",
        "2026112 T070000Z-ffee1234.log",
        "20261321T070000Z-ffee1234.log",
        "20260230T070000Z-ffee1234.log",
        "20261121T240000Z-ffee1234.log",
        "20261121T070060Z-ffee1234.log",
        "２0261121T070000Z-ffee1234.log",
    ] {
        assert_eq!(started_at(name), None, "{name}");
    }
}

#[test]
fn the_oldest_go_first_and_all_limits_hold() {
    let four = [(3, 10), (1, 10), (4, 10), (2, 10)];
    for (rule, own, gone) in [
        (rule(Some(4), None, None), None, vec![]),
        (rule(Some(2), None, None), None, vec![4, 3]),
        (rule(None, Some(2), None), None, vec![4, 3]),
        (rule(None, None, Some(30)), None, vec![4]),
        (rule(None, None, Some(29)), None, vec![4, 3]),
        (rule(Some(3), Some(2), Some(10)), None, vec![4, 3, 2]),
        (rule(Some(1), Some(3), Some(40)), None, vec![4, 3, 2]),
        // A run of four hours has written last.
        (rule(Some(2), None, None), Some(2), vec![3, 2]),
        (rule(None, Some(2), None), Some(2), vec![3]),
        (rule(None, None, Some(10)), Some(2), vec![3, 2, 1]),
    ] {
        assert_eq!(hours_of_surplus(rule, &four, own), gone, "{rule}");
    }
}

#[test]
fn a_file_that_alone_is_too_large_is_kept_until_there_is_a_newer_one() {
    let small = rule(None, None, Some(5));
    assert!(hours_of_surplus(small, &[(1, 9)], Some(0)).is_empty());
    assert!(hours_of_surplus(small, &[(1, 9)], None).is_empty());
    assert_eq!(hours_of_surplus(small, &[(1, 9), (0, 1)], Some(1)), [1]);
}

#[test]
fn a_smaller_file_does_not_outlive_a_newer_one_that_had_to_go() {
    assert_eq!(hours_of_surplus(rule(None, None, Some(10)), &[(3, 1), (2, 9), (1, 5)], None), [3, 2]);
}

#[test]
fn a_file_of_the_future_is_not_old() {
    assert!(hours_of_surplus(rule(None, Some(1), None), &[(-500, 1), (1, 1)], None).is_empty());
    assert_eq!(hours_of_surplus(rule(None, Some(1), None), &[(-500, 1), (2, 1)], None), [2]);
}

proptest! {
    #[test]
    fn names_sort_by_time_and_tell_it(one in 0..4_000_000_000_i64, other in 0..4_000_000_000_i64) {
        let name = |seconds| file_name(at(seconds), RunId::new());
        prop_assert_eq!(started_at(&name(one)), Some(at(one)));
        prop_assert!(one == other || (name(one) < name(other)) == (one < other));
    }

    #[test]
    fn limits_hold_afterwards_and_no_more_than_needed_goes(
        of in proptest::collection::vec((0..50_i64, 0..100_u64), 0..20),
        most in proptest::option::of(1..20_u32),
        hours in proptest::option::of(1..50_u64),
        bytes in proptest::option::of(1..800_u64),
        own in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let (rule, files) = (rule(most, hours, bytes), files(&of));
        let own = own.filter(|_| !files.is_empty()).map(|own| own.get(&files).name.as_str());
        let gone = surplus(&rule, &files, own, at(NOW));
        let (removed, mut left): (Vec<&Kept>, Vec<&Kept>) =
            files.iter().partition(|file| gone.contains(&file.name.as_str()));
        left.sort_by_key(|file| &file.name);
        prop_assert!(gone.is_sorted());
        prop_assert_eq!(removed.len(), gone.len());
        prop_assert!(own.is_none_or(|own| !gone.contains(&own)));

        let holds = |left: &[&Kept]| {
            most.is_none_or(|most| left.len() <= most as usize)
                && bytes.is_none_or(|limit| left.iter().map(|file| file.bytes).sum::<u64>() <= limit)
        };
        prop_assert!(left.len() <= 1 || holds(&left), "{} of {:?} leaves {:?}", rule, files, left);
        let old = |file: &Kept| hours.is_some_and(|hours| {
            at(NOW).since(started_at(&file.name).unwrap()) > Duration::from_secs(hours * 3600)
        });
        prop_assert!(left.iter().all(|file| own == Some(&file.name) || !old(file)));

        // The newest that went had to.
        if let Some(last) = removed.iter().max_by_key(|file| &file.name) {
            let with_it: Vec<&Kept> = left.iter().chain([last]).copied().collect();
            prop_assert!(old(last) || !holds(&with_it));
        }
        // Without an age, the newest is never removed.
        if let Some(newest) = files.iter().map(|file| &file.name).max() && hours.is_none() && own.is_none() {
            prop_assert!(!gone.contains(&newest.as_str()));
        }
    }
}
