//! Folding by tables and properties, without files.

use super::super::fixture::{Home, ended};
use super::*;
use crate::job::RunId;
use crate::policy::Verdict;
use proptest::prelude::*;

fn begun(id: RunId, host: &str, at: i64) -> Begun {
    Begun { id, started_at: Timestamp::from_millis(at), pid: 4711, host: host.to_owned() }
}

/// The end of a run as its own cronward judged it, from this history or from none.
fn told(home: &Home, run: &Run, history: Option<&History>) -> Loose {
    Loose::End(Box::new(owned(&End::of(run, None, &home.judge(history, run)))), Vec::new())
}

fn owned(end: &End<'_>) -> End<'static> {
    serde_json::from_str(&serde_json::to_string(end).unwrap()).unwrap()
}

fn after(home: &Home, fold: &mut Fold, loose: Vec<Loose>) -> History {
    catch_up(fold, loose, &|history, run| home.judge(history, run));
    fold.history()
}

fn failing(count: usize, home: &Home) -> Fold {
    let mut fold = Fold::default();
    for _ in 0..count {
        let judgement = home.judge(Some(&fold.history()), &ended(Outcome::Failed));
        fold.set_history(&judgement.history);
    }
    fold
}

#[test]
fn a_run_is_under_way_from_its_start_to_its_end_in_whatever_order_they_are_on_record() {
    let home = Home::new();
    let (run, other) = (ended(Outcome::Ok), RunId::new());
    let start = || Loose::Start(begun(run.id, "a", 1));
    let end = || told(&home, &run, Some(&History::default()));
    for loose in [vec![start(), end()], vec![start(), end(), start()], vec![end(), start(), end()]] {
        let mut fold = Fold::default();
        fold.under_way.add(&begun(other, "a", 0));
        let history = after(&home, &mut fold, loose);
        assert_eq!(fold.under_way.iter().map(|run| run.id).collect::<Vec<_>>(), [other]);
        assert_eq!(history.totals.iter().sum::<u64>(), 1, "counted once");
    }
}

#[test]
fn an_alert_that_was_told_is_open_under_the_id_that_was_told() {
    let home = Home::new();
    let run = ended(Outcome::Failed);
    let Loose::End(end, _) = told(&home, &run, None) else { unreachable!() };
    let announced = end.opened().unwrap();
    let history = after(&home, &mut Fold::default(), vec![Loose::End(end, Vec::new())]);
    assert_eq!(history.alert, Some(announced), "or its recovery would never be told");
}

#[test]
fn an_alert_that_nobody_was_told_of_is_left_for_the_next_failure_to_open() {
    let home = Home::new();
    let run = ended(Outcome::Failed);
    // Two ends at once: each saw one failure before it, so neither was the third.
    let mut fold = failing(1, &home);
    let seen = fold.history();
    let both = vec![told(&home, &run, Some(&seen)), told(&home, &ended(Outcome::Failed), Some(&seen))];
    let history = after(&home, &mut fold, both);
    assert_eq!((history.failures_in_a_row, &history.alert), (3, &None));
    assert_eq!(home.judge(Some(&history), &run).verdict, Verdict::Opened);
}

#[test]
fn a_recovery_that_was_told_closes_the_alert() {
    let home = Home::new();
    let mut fold = failing(3, &home);
    let open = fold.history();
    let history = after(&home, &mut fold, vec![told(&home, &ended(Outcome::Ok), Some(&open))]);
    assert_eq!(history.alert, None);
}

#[test]
fn a_recovery_that_nobody_was_told_of_is_left_for_the_next_success() {
    let home = Home::new();
    let mut fold = failing(3, &home);
    // Judged by an older state, in which no alert was open.
    let late = told(&home, &ended(Outcome::Ok), Some(&History::default()));
    let history = after(&home, &mut fold, vec![late]);
    assert!(history.alert.is_some());
    assert_eq!(home.judge(Some(&history), &ended(Outcome::Ok)).verdict, Verdict::Closed);
}

#[test]
fn a_lost_run_says_in_words_what_is_known_of_it() {
    let boot = Some(Timestamp::from_millis(1_000));
    let id = RunId::new();
    for (run, expected) in [
        (begun(id, "a", 2_000), "cronward died during the run (started 1970-01-01T00:00:02.000Z, pid 4711)"),
        (
            begun(id, "a", 500),
            "the host was restarted during the run (started 1970-01-01T00:00:00.500Z, pid 4711)",
        ),
        (
            begun(id, "b", 500),
            "nothing was heard for 7 days of a run on host 'b' (started 1970-01-01T00:00:00.500Z, pid 4711)",
        ),
    ] {
        let lost = lost_run(&run, "a", boot);
        assert_eq!(lost.reason.as_deref(), Some(expected));
        assert_eq!((lost.outcome, lost.id, lost.ended_at), (Outcome::Interrupted, id, None));
    }
}

#[test]
fn runs_on_other_hosts_are_given_seven_days() {
    let day = 24 * 3600 * 1000;
    let now = Timestamp::from_millis(100 * day);
    assert!(has_died(&begun(RunId::new(), "here", 100 * day), "here", now));
    assert!(!has_died(&begun(RunId::new(), "there", 94 * day), "here", now));
    assert!(has_died(&begun(RunId::new(), "there", 92 * day), "here", now));
}

proptest! {
    #[test]
    fn folding_late_ends_counts_as_the_policy_does_and_tells_no_tales(
        outcomes in proptest::collection::vec(proptest::sample::select(Outcome::ALL.to_vec()), 0..40),
        threshold in 1..4_u32, batch in 1..5_usize,
    ) {
        let home = Home { threshold, ..Home::new() };
        let runs: Vec<Run> = outcomes.into_iter().map(ended).collect();
        let (mut fold, mut replay) = (Fold::default(), History::default());
        for runs in runs.chunks(batch) {
            // Everybody in a batch sees what everybody before has appended, as late writers do.
            let mut loose = Vec::new();
            for run in runs {
                let judgement = home.judge(Some(&replay), run);
                loose.push(Loose::End(Box::new(owned(&End::of(run, None, &judgement))), Vec::new()));
                replay = judgement.history;
            }
            let history = after(&home, &mut fold, loose);
            // What is stored has milliseconds and microseconds.
            prop_assert_eq!(&history.recent, &replay.recent);
            prop_assert_eq!(history.totals, replay.totals);
            prop_assert_eq!(history.failures_in_a_row, replay.failures_in_a_row);
            prop_assert_eq!(history.successes_in_a_row, replay.successes_in_a_row);
            prop_assert_eq!(
                history.alert.as_ref().map(|alert| (alert.id, alert.failures)),
                replay.alert.as_ref().map(|alert| (alert.id, alert.failures))
            );
        }
    }
}
