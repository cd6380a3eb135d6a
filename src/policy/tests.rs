//! The policy by tables and properties: sequences of outcomes in, verdicts out.

use std::num::NonZeroU32;

use super::*;
use crate::outcome::{Ending, RunEnd};
use proptest::prelude::*;

fn key(text: &str) -> AlertKey {
    AlertKey::of_one_host(text)
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn rule(after: u32, recover: u32, realert: Option<u64>) -> AlertRule {
    rule_of(AlertAfter::InARow(count(after)), recover, realert)
}

fn rule_of(after: AlertAfter, recover: u32, realert: Option<u64>) -> AlertRule {
    AlertRule { after, realert: realert.map(Duration::from_secs), recover_after: count(recover) }
}

fn of_last(failures: u32, runs: u32) -> AlertAfter {
    AlertAfter::OfLast { failures: count(failures), runs: count(runs) }
}

fn within(failures: u32, minutes: u64) -> AlertAfter {
    AlertAfter::Within { failures: count(failures), span: Duration::from_secs(minutes * 60) }
}

fn minute(minutes: usize) -> Timestamp {
    Timestamp::from_millis(minutes as i64 * 60_000)
}

fn run(outcome: Outcome, started_at: Timestamp) -> Run {
    let end = RunEnd::Ended(Ending::Exited(0));
    Run { ended_at: Some(started_at), ..Run::new(RunId::new(), started_at, end, outcome) }
}

/// The judgement of a run of no length at this moment.
fn judge_at(before: &History, outcome: Outcome, at: Timestamp, rule: &AlertRule) -> Judgement {
    judge(before, &Judged { run: &run(outcome, at), ended_at: at, alert_key: &key("host/job") }, rule)
}

fn outcome(letter: char) -> Outcome {
    match letter {
        'o' => Outcome::Ok,
        'w' => Outcome::Warning,
        'F' => Outcome::Failed,
        'S' => Outcome::Signaled,
        'I' => Outcome::Interrupted,
        's' => Outcome::Stopped,
        '-' => Outcome::Skipped,
        other => panic!("no outcome is written '{other}'"),
    }
}

/// Runs a minute apart, one letter each; returns the judgements in order.
fn play(runs: impl IntoIterator<Item = Outcome>, rule: &AlertRule) -> Vec<Judgement> {
    let mut history = History::default();
    runs.into_iter()
        .enumerate()
        .map(|(at, outcome)| {
            let judgement = judge_at(&history, outcome, minute(at), rule);
            history = judgement.history.clone();
            judgement
        })
        .collect()
}

/// Verdicts as letters: `.` healthy, `f` failing, `O` opened, `_` still open, `R` repeat, `C` closed.
fn letters(judgements: &[Judgement]) -> String {
    judgements
        .iter()
        .map(|judgement| match judgement.verdict {
            Verdict::Healthy => '.',
            Verdict::Failing => 'f',
            Verdict::Opened => 'O',
            Verdict::StillOpen => '_',
            Verdict::Repeat => 'R',
            Verdict::Closed => 'C',
        })
        .collect()
}

#[test]
fn sequences_of_runs_give_the_verdicts_of_the_table() {
    for (runs, rule, expected) in [
        ("oooo", rule(1, 1, None), "...."),
        ("Fo", rule(1, 1, None), "OC"),
        ("FFFo", rule(1, 1, None), "O__C"),
        ("FFFFoF", rule(3, 1, None), "ffO_Cf"),
        ("FFoFFo", rule(3, 1, None), "ff.ff."),
        ("FoFoFo", rule(2, 1, None), "f.f.f."),
        // Warnings are successes; a stopped or skipped run neither adds to a streak nor ends one.
        ("FFwF", rule(3, 1, None), "ff.f"),
        ("Fs-FF", rule(3, 1, None), "ffffO"),
        ("FS-I", rule(3, 1, None), "fffO"),
        // An alert that has failed often enough is not opened by a run that did not fail.
        ("s-s-", rule(1, 1, None), "...."),
        // Recovery after two successes in a row; a failure between them starts the count again.
        ("FFooo", rule(2, 2, None), "fO_C."),
        ("FoFoo", rule(1, 2, None), "O___C"),
        ("Fo-o", rule(1, 2, None), "O__C"),
        // Repeated every two minutes, but only by a failure.
        ("FFFFFF", rule(1, 1, Some(120)), "O_R_R_"),
        ("Fo-F", rule(1, 3, Some(60)), "O__R"),
    ] {
        let judgements = play(runs.chars().map(outcome), &rule);
        assert_eq!(letters(&judgements), expected, "{runs} under {rule:?}");
    }
}

#[test]
fn one_incident_keeps_its_id_and_counts_its_failures() {
    let judgements = play("FFFFo".chars().map(outcome), &rule(2, 1, None));
    let alerts: Vec<_> = judgements.iter().filter_map(|j| j.alert.clone()).collect();
    assert_eq!(alerts.iter().map(|a| a.failures).collect::<Vec<_>>(), [2, 3, 4, 4]);
    assert!(alerts.iter().all(|a| a.id == alerts[0].id && a.opened_at == alerts[0].opened_at));
    assert_eq!(alerts[0].opened_at, Timestamp::from_millis(60_000));
}

#[test]
fn two_incidents_have_two_ids() {
    let judgements = play("FoF".chars().map(outcome), &rule(1, 1, None));
    let (first, second) = (judgements[0].alert.clone().unwrap(), judgements[2].alert.clone().unwrap());
    assert_ne!(first.id, second.id);
}

#[test]
fn a_failure_without_a_readable_history_is_an_alert() {
    let verdict = |outcome| {
        let run = run(outcome, minute(0));
        let judged = Judged { run: &run, ended_at: minute(0), alert_key: &key("k") };
        judge_blind(&judged, &rule(100, 1, None)).verdict
    };
    assert_eq!(verdict(Outcome::Failed), Verdict::Opened);
    assert_eq!(verdict(Outcome::Ok), Verdict::Healthy);
    assert_eq!(verdict(Outcome::Stopped), Verdict::Healthy);
}

/// Runs a minute apart that flap, come in bursts or fail for long: when the alert opens and closes.
#[test]
fn flapping_opens_and_closes_as_in_the_table() {
    for (runs, after, recover, expected) in [
        // Every other run fails: no streak, but half of the runs.
        ("FoFoFoFoFoFo", AlertAfter::InARow(count(2)), 1, "f.f.f.f.f.f."),
        // An odd window sees the balance change with every run: more successes in a row steady it.
        ("FoFoFoFoooooo", of_last(3, 5), 1, "f.f.OCOC....."),
        ("FoFoFoFoooooo", of_last(3, 5), 2, "f.f.O___C...."),
        ("FoFoFoFoFoFoFo", of_last(5, 10), 1, "f.f.f.f.O_____"),
        // Closed only once fewer than three of the last five have failed, and not by the first success.
        ("FFFooo", of_last(3, 5), 1, "ffO__C"),
        ("FFFooFoo", of_last(3, 5), 1, "ffO___C."),
        // …and after as many successes in a row as are wanted.
        ("FFFoooooo", of_last(3, 5), 5, "ffO____C."),
        // One failure in a window that still holds two does not open it again.
        ("FFFoooFo", of_last(3, 5), 1, "ffO__Cf."),
        // What is neither success nor failure takes no place in the window.
        ("F--F--F", of_last(3, 3), 1, "ffffffO"),
        ("Fs-sF", of_last(2, 2), 1, "ffffO"),
        // All of the last runs: the same as in a row.
        ("FFoFFFo", of_last(3, 3), 1, "ff.ffOC"),
        // Three within five minutes, runs a minute apart.
        ("FoFoFooooo", within(3, 5), 1, "f.f.O_C..."),
        ("FooFooFooF", within(3, 5), 1, "f..f..f..f"),
        ("FFFFFFooooooo", within(3, 5), 1, "ffO______C..."),
        // A burst, and the next one twenty minutes later.
        ("FFFooooooooooooooooooooFFF", within(3, 5), 1, "ffO___C................ffO"),
        // A long outage: one opening, one closing.
        ("FFFFFFFFFFFFFFFFFFFFo", AlertAfter::InARow(count(1)), 1, "O___________________C"),
    ] {
        let judgements = play(runs.chars().map(outcome), &rule_of(after, recover, None));
        assert_eq!(letters(&judgements), expected, "{runs} under {after}");
    }
}

#[test]
fn an_alert_begins_with_the_failures_that_the_rule_has_counted() {
    for (runs, after, expected) in [("FoFoF", of_last(3, 5), [3, 4]), ("FooFoF", within(3, 60), [3, 4])] {
        let rule = rule_of(after, 1, None);
        let opened = play(runs.chars().map(outcome), &rule).pop().unwrap();
        let next = judge_at(&opened.history, Outcome::Failed, minute(runs.len()), &rule);
        assert_eq!([opened, next].map(|j| j.alert.unwrap().failures), expected, "{runs} under {after}");
    }
    let rule = rule_of(of_last(2, 3), 1, None);
    let before = play("Fo".chars().map(outcome), &rule).pop().unwrap().history;
    let opened = judge_overdue(&before, RunId::new(), &key("k"), &rule, minute(3)).alert.unwrap();
    assert_eq!(opened.failures, 2);
}

#[test]
fn only_the_rule_by_time_carries_moments_along_and_no_more_than_it_needs() {
    let failures = || std::iter::repeat_n(Outcome::Failed, 100);
    for (after, moments) in [(AlertAfter::InARow(count(3)), 0), (of_last(3, 5), 0), (within(7, 60), 7)] {
        let last = play(failures(), &rule_of(after, 1, None)).pop().unwrap();
        assert_eq!(last.history.failure_times.len(), moments, "{after}");
    }
}

#[test]
fn nobody_is_told_of_what_happens_while_the_job_is_muted() {
    let rule = rule(1, 1, Some(60));
    let muted = History { muted_until: Some(minute(10)), ..History::default() };
    let silent = judge_at(&muted, Outcome::Failed, minute(1), &rule);
    assert_eq!(silent.verdict, Verdict::StillOpen);
    let opened_at = silent.history.alert.as_ref().map(|alert| alert.opened_at);
    // It recovers unheard.
    let over = judge_at(&silent.history, Outcome::Ok, minute(2), &rule);
    assert_eq!((over.verdict, over.alert, over.history.alert), (Verdict::Healthy, None, None));
    // Or it lasts, and the first failure after that is the first that anybody hears of, with the real beginning.
    let later = judge_at(&silent.history, Outcome::Failed, minute(11), &rule);
    assert_eq!(later.verdict, Verdict::Opened);
    assert_eq!(later.alert.as_ref().map(|alert| alert.opened_at), opened_at);
    assert_eq!(later.history.muted_until, None, "what is over is forgotten");
}

#[test]
fn an_alert_that_was_told_before_is_not_repeated_while_muted_but_closed() {
    let rule = rule(1, 1, Some(60));
    let opened = judge_at(&History::default(), Outcome::Failed, minute(0), &rule);
    let muted = History { muted_until: Some(minute(100)), ..opened.history };
    let failed = judge_at(&muted, Outcome::Failed, minute(5), &rule);
    assert_eq!(failed.verdict, Verdict::StillOpen);
    assert_eq!(judge_at(&failed.history, Outcome::Ok, minute(6), &rule).verdict, Verdict::Closed);
}

#[test]
fn trouble_that_no_run_has_reported_opens_one_alert_and_a_success_closes_it() {
    let rule = rule(3, 2, Some(600));
    let healthy = play("oooo".chars().map(outcome), &rule).pop().unwrap().history;
    let opened = judge_trouble(&healthy, &key("k"), &rule, minute(20));
    assert_eq!(opened.verdict, Verdict::Opened, "whatever the rule says of failures");
    assert_eq!(opened.alert.as_ref().map(|alert| alert.failures), Some(1));
    assert_eq!(judge_trouble(&opened.history, &key("k"), &rule, minute(21)).verdict, Verdict::StillOpen);
    assert_eq!(judge_trouble(&opened.history, &key("k"), &rule, minute(31)).verdict, Verdict::Repeat);
    // Successes from before the trouble do not count.
    let one = judge_at(&opened.history, Outcome::Ok, minute(40), &rule);
    assert_eq!(one.verdict, Verdict::StillOpen);
    assert_eq!(judge_at(&one.history, Outcome::Ok, minute(41), &rule).verdict, Verdict::Closed);
}

#[test]
fn a_run_that_takes_too_long_opens_the_alert_that_its_failure_would_and_counts_once() {
    let rule = rule(2, 1, None);
    let hung = run(Outcome::Suspect, minute(3));
    let first = judge_overdue(&History::default(), hung.id, &key("k"), &rule, minute(9));
    assert_eq!((first.verdict, first.history), (Verdict::Failing, History::default()));

    let before = judge_at(&History::default(), Outcome::Failed, minute(0), &rule).history;
    let opened = judge_overdue(&before, hung.id, &key("k"), &rule, minute(9));
    assert_eq!(opened.verdict, Verdict::Opened);
    assert_eq!(opened.history.failures_in_a_row, 1, "it has not ended");
    let again = judge_overdue(&opened.history, hung.id, &key("k"), &rule, minute(10));
    assert_eq!(again.verdict, Verdict::StillOpen);
    let judged = Judged { run: &hung, ended_at: minute(11), alert_key: &key("k") };
    let ended = judge(&again.history, &judged, &rule);
    let failures = ended.alert.as_ref().map(|alert| alert.failures);
    assert_eq!((ended.verdict, failures, ended.history.failures_in_a_row), (Verdict::StillOpen, Some(2), 2));
    assert_eq!(judge_at(&ended.history, Outcome::Ok, minute(12), &rule).verdict, Verdict::Closed);
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    proptest::sample::select(Outcome::ALL.to_vec())
}

fn any_rule() -> impl Strategy<Value = AlertRule> {
    let after = prop_oneof![
        (1..6_u32).prop_map(|n| AlertAfter::InARow(count(n))),
        (1..8_u32, 0..8_u32).prop_map(|(n, more)| of_last(n, n + more)),
        (1..8_u32, 1..30_u64).prop_map(|(n, minutes)| within(n, minutes)),
    ];
    (after, 1..4_u32, proptest::option::of(1..600_u64))
        .prop_map(|(after, recover, realert)| rule_of(after, recover, realert))
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ends(Outcome),
    IsLate,
    IsMuted(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any_outcome().prop_map(Step::Ends),
        1 => Just(Step::IsLate),
        1 => (0..20_usize).prop_map(Step::IsMuted),
    ]
}

proptest! {
    /// What the world is told: never two openings without a closing, never a closing without an
    /// opening, and all of one incident under one id.
    #[test]
    fn whatever_happens_openings_and_closings_that_are_told_alternate(
        steps in proptest::collection::vec(any_step(), 0..200), rule in any_rule(),
    ) {
        let (mut history, mut told) = (History::default(), None);
        for (at, step) in steps.into_iter().enumerate() {
            let judgement = match step {
                Step::Ends(outcome) => judge_at(&history, outcome, minute(at), &rule),
                Step::IsLate => judge_trouble(&history, &key("k"), &rule, minute(at)),
                Step::IsMuted(minutes) => {
                    history.muted_until = Some(minute(at + minutes));
                    continue;
                }
            };
            let id = judgement.alert.as_ref().map(|alert| alert.id);
            match judgement.verdict {
                Verdict::Opened => { prop_assert_eq!(told, None); told = id; }
                Verdict::Closed => { prop_assert!(told.is_some() && told == id); told = None; }
                Verdict::Repeat => prop_assert!(told.is_some() && told == id),
                Verdict::StillOpen | Verdict::Healthy | Verdict::Failing => {}
            }
            history = judgement.history;
            let known = history.alert.as_ref().filter(|alert| alert.notified_at.is_some());
            prop_assert_eq!(known.map(|alert| alert.id), told);
        }
    }

    /// An alert is closed by a success only, and not while what opened it still holds.
    #[test]
    fn nothing_closes_while_the_condition_holds(
        runs in proptest::collection::vec(any_outcome(), 0..200), rule in any_rule(),
    ) {
        for (at, (outcome, judgement)) in runs.clone().into_iter().zip(play(runs, &rule)).enumerate() {
            if judgement.verdict == Verdict::Closed {
                prop_assert_eq!(outcome.weight(), Weight::Success);
                prop_assert!(!rule.after.holds(&judgement.history, minute(at)));
                prop_assert!(judgement.history.successes_in_a_row >= rule.recover_after.get());
            }
            if judgement.verdict == Verdict::Opened {
                prop_assert_eq!(outcome.weight(), Weight::Failure);
            }
        }
    }

    #[test]
    fn openings_and_closings_alternate(
        runs in proptest::collection::vec(any_outcome(), 0..200), rule in any_rule(),
    ) {
        let mut open = false;
        for judgement in play(runs, &rule) {
            match judgement.verdict {
                Verdict::Opened => { prop_assert!(!open); open = true; }
                Verdict::Closed => { prop_assert!(open); open = false; }
                Verdict::StillOpen | Verdict::Repeat => prop_assert!(open),
                Verdict::Healthy | Verdict::Failing => prop_assert!(!open),
            }
            prop_assert_eq!(judgement.history.alert.is_some(), open);
        }
    }

    #[test]
    fn an_alert_opens_exactly_when_the_streak_reaches_the_threshold(
        runs in proptest::collection::vec(any_outcome(), 0..100), after in 1..6_u32,
    ) {
        let mut streak = 0;
        for (outcome, judgement) in runs.clone().into_iter().zip(play(runs, &rule(after, 1, None))) {
            match outcome.weight() {
                Weight::Failure => streak += 1,
                Weight::Success => streak = 0,
                Weight::Neither => {}
            }
            let opens = outcome.weight() == Weight::Failure && streak == after;
            prop_assert_eq!(judgement.verdict == Verdict::Opened, opens);
            prop_assert_eq!(judgement.history.failures_in_a_row, streak);
        }
    }

    #[test]
    fn every_run_is_counted_once_and_the_memory_is_bounded(
        runs in proptest::collection::vec(any_outcome(), 1..200),
    ) {
        let judgements = play(runs.clone(), &rule(2, 1, None));
        let history = &judgements.last().unwrap().history;
        prop_assert_eq!(history.totals.iter().sum::<u64>(), runs.len() as u64);
        let weighed: Vec<_> = runs.into_iter().filter(|run| run.weight() != Weight::Neither).collect();
        let kept = weighed.len().min(RECENT_MAX);
        prop_assert_eq!(&history.recent[..], &weighed[weighed.len() - kept..]);
    }
}
