//! Journals that were cut, torn, sprinkled with rubbish or overgrown, read from memory.

use super::super::fixture::ended;
use super::super::stored::{Line, start_line};
use super::*;
use crate::clock::Timestamp;
use crate::job::RunId;
use crate::outcome::Outcome;
use crate::policy::{History, Judgement, Verdict};
use proptest::prelude::*;

fn whole(bytes: &[u8]) -> Tail {
    scan(bytes, 0).unwrap()
}

fn start() -> Vec<u8> {
    let (mut line, pid_at) = start_line(RunId::new(), Timestamp::from_millis(5), "db1");
    line[pid_at] = b'7';
    line
}

fn end(fold: Option<&Fold>) -> Vec<u8> {
    let run = ended(Outcome::Failed);
    let judgement = Judgement { history: History::default(), verdict: Verdict::Failing, alert: None };
    Line { end: Some(&End::of(&run, None, &judgement)), fold, ..Line::default() }.written()
}

/// A fold that can be told from others by its label.
fn fold(number: usize, seen: u64) -> Fold {
    let mut fold = Fold::default();
    fold.label = number.to_string();
    fold.seen = seen;
    fold
}

fn label(tail: &Tail) -> Option<&str> {
    tail.fold.as_deref().map(|fold| fold.label.as_str())
}

#[test]
fn an_empty_journal_is_sound_and_says_nothing() {
    for bytes in [&b""[..], b"\n", b"\n\n\n"] {
        let tail = whole(bytes);
        assert_eq!((tail.fold, tail.loose.len(), tail.condition), (None, 0, Condition::Sound));
        assert_eq!(tail.seen, bytes.len() as u64);
    }
}

#[test]
fn what_stands_behind_the_last_fold_is_loose() {
    let journal = [end(Some(&fold(1, 0))), start(), end(None), start()].concat();
    let tail = whole(&journal);
    assert_eq!(label(&tail), Some("1"));
    assert!(matches!(tail.loose[..], [Loose::Start(_), Loose::End(..), Loose::Start(_)]));
}

#[test]
fn what_was_appended_while_a_fold_was_made_is_loose_too() {
    let early = start();
    let journal = [early.clone(), start(), end(Some(&fold(1, early.len() as u64)))].concat();
    assert_eq!(whole(&journal).loose.len(), 1, "the second start came after the reading");
    let journal = [start(), start(), end(Some(&fold(1, u64::MAX)))].concat();
    assert_eq!(whole(&journal).loose.len(), 0);
}

#[test]
fn half_a_line_at_the_end_is_read_again_next_time() {
    let begun = start();
    let mut journal = end(Some(&fold(1, 0)));
    let complete = journal.len() as u64;
    journal.extend_from_slice(&begun[1..begun.len() / 2]);
    let tail = whole(&journal);
    assert_eq!((tail.loose.len(), tail.seen), (0, complete));
}

#[test]
fn a_journal_of_rubbish_is_corrupt_and_one_that_is_merely_torn_is_not() {
    for rubbish in
        ["hello\n", "\0\0\0\0", "\nnull\n", "[1]\n", "{\"v\":1}\n{\"a\":2}\n", "{\"v\":0,\"end\":{}}"]
    {
        assert_eq!(whole(rubbish.as_bytes()).condition, Condition::Corrupt, "{rubbish}");
        let with_fold = [end(Some(&fold(1, 0))), rubbish.into()].concat();
        assert_eq!(whole(&with_fold).condition, Condition::Sound, "{rubbish}");
    }
    for torn in ["\n{", "\n{\"v\":1,", "\n{\"v\":1,\"end\":{\"run\":\"01\n"] {
        assert_eq!(whole(torn.as_bytes()).condition, Condition::Sound, "{torn}");
    }
}

#[test]
fn starts_are_found_among_rubbish() {
    let tail = whole(&[b"rubbish\n".to_vec(), start()].concat());
    assert_eq!((tail.loose.len(), tail.condition), (1, Condition::Corrupt));
}

#[test]
fn a_newer_version_is_recognised_behind_the_last_fold_whatever_is_in_it() {
    let newer = "\n{\"v\":7,\"start\":[1,2],\"fold\":\"x\"}\n".as_bytes().to_vec();
    let journal = [end(Some(&fold(1, 0))), newer.clone(), start()].concat();
    assert_eq!(whole(&journal).condition, Condition::Newer(7));
    assert_eq!(whole(&newer).condition, Condition::Newer(7));
}

#[test]
fn a_damaged_fold_leaves_the_end_beside_it_to_be_counted() {
    let line = String::from_utf8(end(Some(&fold(2, 0)))).unwrap().replace("\"seen\":0", "\"seen\":-1");
    let tail = whole(&[end(Some(&fold(1, 0))), line.into_bytes()].concat());
    assert_eq!(label(&tail), Some("1"));
    assert!(matches!(tail.loose[..], [Loose::End(..)]));
}

#[test]
fn more_is_asked_for_until_everything_that_is_loose_is_there() {
    let journal = [end(Some(&fold(1, 0))), start(), start()].concat();
    let part = journal.len() - 150;
    assert!(scan(&journal[part..], part as u64).is_err());
    assert!(scan(&journal[3..], 3).is_err(), "the fold's own line is cut");
}

#[test]
fn a_gigabyte_of_holes_is_read_with_bounds() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(1 << 30).unwrap();
    let tail = read(&file.into(), 1 << 30).unwrap();
    assert_eq!(tail.condition, Condition::Corrupt);
}

#[test]
fn a_fold_larger_than_the_first_window_is_found() {
    let mut large = fold(9, 0);
    large.unknown.insert("ballast".to_owned(), "x".repeat(100_000).into());
    let file = tempfile::NamedTempFile::new().unwrap();
    let journal = [end(None), end(Some(&large)), start()].concat();
    std::fs::write(file.path(), &journal).unwrap();
    let tail = read(&file.reopen().unwrap().into(), journal.len() as u64).unwrap();
    assert_eq!((label(&tail), tail.loose.len()), (Some("9"), 2), "it had not seen the end before it");
}

/// Records as they are appended, each with a fold that has seen everything before it.
fn folded_records(count: usize) -> Vec<Vec<u8>> {
    let mut records: Vec<Vec<u8>> = Vec::new();
    for number in 0..count {
        let seen = records.iter().map(|record| record.len() as u64).sum();
        records.push(end(Some(&fold(number, seen))));
    }
    records
}

proptest! {
    // Law of the format: a record begins and ends with a newline, readers skip what does not parse.
    #[test]
    fn no_cut_makes_a_journal_unreadable_or_loses_a_whole_record(count in 1..6_usize, cut in any::<prop::sample::Index>()) {
        let records = folded_records(count);
        let journal = records.concat();
        let cut = cut.index(journal.len() + 1);
        let tail = whole(&journal[..cut]);
        prop_assert_eq!(tail.condition, Condition::Sound);
        let mut length = 0;
        let whole_records = records.iter().take_while(|record| {
            length += record.len();
            // The last newline is no part of what is said.
            length - 1 <= cut
        }).count();
        let last = whole_records.checked_sub(1).map(|last| last.to_string());
        prop_assert_eq!(label(&tail), last.as_deref());
    }

    #[test]
    fn a_record_appended_behind_any_torn_one_is_read(
        count in 1..4_usize, cut in any::<prop::sample::Index>(),
    ) {
        let journal = folded_records(count).concat();
        let mut torn = journal[..cut.index(journal.len() + 1)].to_vec();
        let seen = scan(&torn, 0).unwrap().seen;
        torn.extend_from_slice(&end(Some(&fold(99, seen))));
        torn.extend_from_slice(&start());
        let tail = whole(&torn);
        prop_assert_eq!((label(&tail), tail.loose.len()), (Some("99"), 1));
    }

    #[test]
    fn rubbish_between_records_hides_none(
        rubbish in proptest::collection::vec(any::<u8>(), 0..200), before in 0..4_usize,
    ) {
        let mut records = folded_records(3);
        let rubbish = [b"\n".to_vec(), rubbish, b"\n".to_vec()].concat();
        if let Some(place) = records.get_mut(before) {
            *place = [rubbish, place.clone()].concat();
        } else {
            records.push(rubbish);
        }
        let tail = whole(&records.concat());
        prop_assert_eq!(label(&tail), Some("2"));
        prop_assert_eq!(tail.condition, Condition::Sound);
    }

    #[test]
    fn no_bytes_at_all_can_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400), from in 0..2_u64) {
        let (Ok(tail) | Err(tail)) = scan(&bytes, from);
        prop_assert!(tail.fold.is_none());
        prop_assert!(tail.seen <= from + bytes.len() as u64);
    }
}
