//! The policy by tables and properties: sequences of outcomes in, verdicts out.

use super::*;
use proptest::prelude::*;

fn rule(after: u32, recover: u32, realert: Option<u64>) -> AlertRule {
    let count = |n| NonZeroU32::new(n).unwrap();
    AlertRule {
        after: AlertAfter::InARow(count(after)),
        realert: realert.map(Duration::from_secs),
        recover_after: count(recover),
    }
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
            let run = Judged {
                id: RunId::new(),
                outcome,
                ended_at: Timestamp::from_millis(at as i64 * 60_000),
                wall_time: None,
                alert_key: "host/job",
            };
            let judgement = judge(&history, &run, rule);
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
    let run = |outcome| Judged {
        id: RunId::new(),
        outcome,
        ended_at: Timestamp::from_millis(0),
        wall_time: None,
        alert_key: "k",
    };
    assert_eq!(judge_blind(&run(Outcome::Failed)).verdict, Verdict::Opened);
    assert_eq!(judge_blind(&run(Outcome::Ok)).verdict, Verdict::Healthy);
    assert_eq!(judge_blind(&run(Outcome::Stopped)).verdict, Verdict::Healthy);
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    proptest::sample::select(Outcome::ALL.to_vec())
}

proptest! {
    #[test]
    fn openings_and_closings_alternate(
        runs in proptest::collection::vec(any_outcome(), 0..200),
        after in 1..6_u32, recover in 1..4_u32, realert in proptest::option::of(1..600_u64),
    ) {
        let mut open = false;
        for judgement in play(runs, &rule(after, recover, realert)) {
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
        let kept = runs.len().min(RECENT_MAX);
        prop_assert_eq!(&history.recent[..], &runs[runs.len() - kept..]);
    }
}
