use super::*;
use crate::journal::fixture::{Home, ended};
use crate::outcome::{Ending, Excerpt, KeptOutput, Outcome, RunEnd};
use crate::policy::History;
use proptest::prelude::*;

/// What a run makes of a job whose alert opens at the first failure.
fn judged(home: &Home, history: &mut History, outcome: Outcome) -> (Run, Judgement) {
    let run = ended(outcome);
    let judgement = home.judge(Some(history), &run);
    *history = judgement.history.clone();
    (run, judgement)
}

fn flapping() -> Home {
    Home { threshold: 1, ..Home::new() }
}

/// A turn for each of these outcomes, one after the other.
fn turns(outcomes: &[Outcome]) -> Vec<AlertTurn> {
    let (home, mut history) = (flapping(), History::default());
    let turn = |outcome: &Outcome| {
        let (run, judgement) = judged(&home, &mut history, *outcome);
        turn_of_run(&run, &judgement, run.started_at, true, |_| Vec::new())
    };
    outcomes.iter().filter_map(turn).collect()
}

fn sinks(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn taken(sink: &str, turn: &AlertTurn) -> Taken {
    Taken { sink: sink.to_owned(), turn: turn.id }
}

/// Which turns are owed to a sink, by their kinds.
fn owed_to(books: &[Owed], sink: &str) -> Vec<&'static str> {
    let of = books.iter().filter(|owed| owed.to().iter().any(|to| to == sink));
    of.map(|owed| owed.to_owed().unwrap().turn.kind.as_str()).collect()
}

#[test]
fn what_is_owed_is_taken_off_sink_by_sink() {
    let turns = turns(&[Outcome::Failed, Outcome::Ok]);
    let mut books = Vec::new();
    for turn in &turns {
        enter(&mut books, turn, sinks(&["slack", "pagerduty"]), true);
        enter(&mut books, turn, sinks(&["slack", "pagerduty"]), true);
    }
    assert_eq!(owed_to(&books, "slack"), ["opened", "closed"], "each once");
    assert!(settle(&mut books, &[taken("slack", &turns[0])]));
    assert_eq!(owed_to(&books, "slack"), ["closed"]);
    assert_eq!(owed_to(&books, "pagerduty"), ["opened", "closed"]);
    assert!(!settle(&mut books, &[taken("slack", &turns[0])]), "nothing was left of that");
    let rest = [taken("pagerduty", &turns[0]), taken("pagerduty", &turns[1]), taken("slack", &turns[1])];
    assert!(settle(&mut books, &rest) && books.is_empty());
}

#[test]
fn who_has_not_heard_of_an_alert_needs_no_repetition_of_it() {
    let opened = turns(&[Outcome::Failed]).pop().unwrap();
    let repeated = AlertTurn { id: opened.alert.id, kind: TurnKind::Repeated, ..opened.clone() };
    let mut books = Vec::new();
    enter(&mut books, &opened, sinks(&["slack"]), true);
    enter(&mut books, &repeated, sinks(&["slack", "pagerduty"]), true);
    assert_eq!(owed_to(&books, "slack"), ["opened"]);
    assert_eq!(owed_to(&books, "pagerduty"), ["repeat"]);
    let again = AlertTurn { id: crate::job::RunId::new(), ..repeated };
    enter(&mut books, &again, sinks(&["slack", "pagerduty"]), true);
    assert_eq!(owed_to(&books, "pagerduty"), ["repeat"], "one is enough");
}

#[test]
fn after_seven_days_nobody_tries_any_more_and_it_is_said() {
    let turns = turns(&[Outcome::Failed, Outcome::Ok]);
    let mut books = Vec::new();
    turns.iter().for_each(|turn| enter(&mut books, turn, sinks(&["slack"]), true));
    assert!(give_up(&mut books, turns[0].time.later_by(AGE_MAX)).is_empty());
    let late = turns[1].time.later_by(AGE_MAX + Duration::from_millis(1));
    let given_up = give_up(&mut books, late);
    assert_eq!(given_up[0], GivenUp { sink: "slack".into(), time: turns[0].time });
    assert!(given_up.len() == 2 && books.is_empty());
}

#[test]
fn of_too_many_whole_incidents_go_first_and_an_alert_that_is_open_stays() {
    let mut outcomes = Vec::new();
    for _ in 0..TURNS_MAX {
        outcomes.extend([Outcome::Failed, Outcome::Ok]);
    }
    outcomes.push(Outcome::Failed);
    let turns = turns(&outcomes);
    let mut books = Vec::new();
    // The opening of the first was taken: its end must be told.
    enter(&mut books, &turns[1], sinks(&["slack"]), true);
    for turn in &turns[2..] {
        enter(&mut books, turn, sinks(&["slack"]), true);
        give_up(&mut books, turn.time);
        assert!(books.len() <= TURNS_MAX);
    }
    assert_eq!(books.first().map(Owed::id), Some(turns[1].id));
    assert_eq!(books.last().map(Owed::id), turns.last().map(|turn| turn.id));
    let kinds = owed_to(&books, "slack");
    assert!(kinds[1..].chunks(2).all(|pair| pair[0] == "opened"), "{kinds:?}");
}

#[test]
fn a_turn_is_read_back_as_it_was_but_for_the_length_of_its_output() {
    let (home, mut history) = (flapping(), History::default());
    let (mut run, judgement) = judged(&home, &mut history, Outcome::Failed);
    run.reason = Some("exited with 1".into());
    let text = "x".repeat(5000) + "é last line\n";
    run.output = KeptOutput {
        excerpt: Some(Excerpt {
            head: text.clone().into_bytes(),
            tail: Vec::new(),
            total: text.len() as u64,
            left_out: 0,
        }),
        log: None,
    };
    let success = judgement.history.last_success;
    assert_eq!(success, None, "of a job that never succeeded nothing has changed since");
    let turn = turn_of_run(&run, &judgement, run.started_at, true, |_| Vec::new()).unwrap();
    let mut books = Vec::new();
    enter(&mut books, &turn, sinks(&["slack"]), true);
    let text = serde_json::to_string(&books).unwrap();
    assert!(text.len() < 4096, "{text}");
    let read: Vec<Owed> = serde_json::from_str(&text).unwrap();
    let back = read[0].to_owed().unwrap();
    assert_eq!((back.turn.id, back.turn.time, back.turn.kind), (turn.id, turn.time, TurnKind::Opened));
    assert_eq!(back.turn.alert, turn.alert);
    let TurnCause::Ended(mut of_record, Some(1)) = back.turn.cause else { panic!("{read:?}") };
    let excerpt = of_record.output.excerpt.take().unwrap();
    assert!(excerpt.head.is_empty() && excerpt.tail.ends_with("é last line\n".as_bytes()));
    assert_eq!(excerpt.left_out + excerpt.tail.len() as u64, excerpt.total);
    run.output = KeptOutput::default();
    assert_eq!(*of_record, run);
    enter(&mut books, &AlertTurn { id: crate::job::RunId::new(), ..turn }, sinks(&["slack"]), false);
    assert!(
        !serde_json::to_string(&books[1]).unwrap().contains("last line"),
        "of a sensitive job nothing is kept"
    );
}

#[test]
fn a_run_that_died_is_told_as_one_whose_end_nobody_knows() {
    let end = RunEnd::Interrupted { reason: "cronward died during the run".into() };
    let run = Run {
        ended_at: None,
        wall_time: None,
        reason: Some("cronward died during the run".into()),
        end,
        outcome: Outcome::Interrupted,
        ..ended(Outcome::Failed)
    };
    let judgement = flapping().judge(Some(&History::default()), &run);
    let now = Timestamp::from_millis(1_800_000_000_000);
    let turn = turn_of_run(&run, &judgement, now, true, |_| Vec::new()).unwrap();
    assert_eq!(turn.time, now);
    let back = Owed::of(&turn, sinks(&["slack"]), true).to_owed().unwrap();
    assert_eq!(back.turn, turn);
}

proptest! {
    /// Whatever is entered and taken in whatever order, each sink is owed what it was not yet told, in order.
    #[test]
    fn each_sink_is_owed_exactly_what_it_has_not_taken(
        steps in prop::collection::vec((any::<bool>(), 0..4_usize), 0..40),
    ) {
        let names = ["slack", "pagerduty"];
        let mut outcomes = [Outcome::Failed, Outcome::Ok].into_iter().cycle();
        let (home, mut history) = (flapping(), History::default());
        let mut books = Vec::new();
        let mut expected: [Vec<AlertTurn>; 2] = Default::default();
        for (enters, which) in steps {
            if enters && books.len() < TURNS_MAX {
                let (run, judgement) = judged(&home, &mut history, outcomes.next().unwrap());
                let turn = turn_of_run(&run, &judgement, run.started_at, true, |_| Vec::new()).unwrap();
                enter(&mut books, &turn, sinks(&names), true);
                expected.iter_mut().for_each(|of| of.push(turn.clone()));
            } else if !expected[which % 2].is_empty() {
                let first = expected[which % 2].remove(0);
                prop_assert!(settle(&mut books, &[taken(names[which % 2], &first)]));
            }
            for (name, of) in names.iter().zip(&expected) {
                let kinds: Vec<_> = of.iter().map(|turn| turn.kind.as_str()).collect();
                prop_assert_eq!(owed_to(&books, name), kinds);
            }
        }
    }
}

#[test]
fn a_run_that_was_not_told_of_turns_nothing() {
    let (home, mut history) = (Home::new(), History::default());
    let (run, judgement) = judged(&home, &mut history, Outcome::Failed);
    assert_eq!(turn_of_run(&run, &judgement, run.started_at, true, |_| Vec::new()), None);
    assert_eq!(run.end, RunEnd::Ended(Ending::Exited(1)));
}
