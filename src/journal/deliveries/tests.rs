use super::*;
use crate::journal::fixture::{Home, ended};
use crate::outcome::{Outcome, Run};
use crate::policy::History;

fn owing() -> Home {
    Home { threshold: 1, creditors: vec!["slack".into(), "pagerduty".into()], ..Home::new() }
}

fn ample() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn settled(home: &Home, taken: &[Taken]) -> Settled {
    let judge = |history: Option<&History>, run: &Run| home.judge(history, run);
    home.by_rules(&judge, |rules| home.open().settle(taken, Timestamp::now(), ample(), rules)).unwrap()
}

fn owed(home: &Home) -> Vec<turn::Owed> {
    let judge = |history: Option<&History>, run: &Run| home.judge(history, run);
    home.by_rules(&judge, |rules| home.open().owed(Timestamp::now(), rules)).unwrap()
}

fn all_of(owed: &[turn::Owed]) -> Vec<Taken> {
    let of = |owed: &turn::Owed| {
        let turn = owed.turn.id;
        owed.to.iter().map(|sink| Taken { sink: sink.clone(), turn }).collect::<Vec<_>>()
    };
    owed.iter().flat_map(of).collect()
}

#[test]
fn an_alert_is_owed_by_the_line_that_opens_it_until_every_sink_has_taken_it() {
    let home = owing();
    let committed = home.play(Outcome::Failed);
    assert_eq!(committed.turns.len(), 1);
    assert_eq!(committed.owed[0].turn.id, committed.turns[0].id);
    assert_eq!(committed.owed[0].to, ["slack", "pagerduty"]);
    let line = home.text().lines().last().unwrap().to_owned();
    assert!(line.contains("\"end\":") && line.contains("\"owed\":[{"), "{line}");
    assert_eq!(home.open().debtors(), ["db%2Fbackup"]);

    let first = Taken { sink: "slack".into(), turn: committed.turns[0].id };
    assert_eq!(settled(&home, &[first]).left[0].to, ["pagerduty"]);
    assert_eq!(home.play(Outcome::Failed).owed.len(), 1, "further runs hand it on");
    let left = settled(&home, &all_of(&owed(&home))).left;
    assert!(left.is_empty() && owed(&home).is_empty() && home.open().debtors().is_empty());
    assert!(!home.root.path().join("state/owed").exists());
}

#[test]
fn a_job_without_sinks_that_take_charge_owes_nothing() {
    let home = Home { threshold: 1, ..Home::new() };
    let committed = home.play(Outcome::Failed);
    assert_eq!(committed.turns.len(), 1);
    assert!(committed.owed.is_empty() && home.open().debtors().is_empty());
    assert!(!home.text().contains("owed"));
}

#[test]
fn what_changed_since_the_last_success_is_kept_for_those_who_are_told_later() {
    let home = owing();
    home.play(Outcome::Ok);
    home.play(Outcome::Failed);
    assert_eq!(owed(&home)[0].turn.changed[0].full, "it was");
}

#[test]
fn an_end_that_could_not_wait_owes_what_it_has_told() {
    let home = owing();
    let run = ended(Outcome::Failed);
    let holder = home.open();
    let lock = holder.files.as_ref().unwrap().lock.as_ref().unwrap();
    assert!(locks::try_lock(lock, Byte::TRANSACTION).unwrap());
    let committed = home.commit_within(&mut home.open(), &run, Duration::ZERO);
    assert_eq!((committed.turns.len(), committed.owed.len()), (1, 1));
    locks::unlock(lock, Byte::TRANSACTION);
    assert_eq!(owed(&home), committed.owed);
    assert_eq!(home.open().debtors().len(), 1);
    assert!(settled(&home, &all_of(&committed.owed)).left.is_empty());
    assert_eq!(home.play(Outcome::Failed).own.history.failures_in_a_row, 2, "and it is counted");
}

#[test]
fn a_compaction_loses_nothing_that_is_owed() {
    let home = owing();
    let opened = home.play(Outcome::Failed).owed;
    let line = vec![b'x'; 1100 * 1024];
    let mut text = std::fs::read(home.journal_path()).unwrap();
    text.splice(0..0, [&b"\n{\"v\":1,\""[..], &line, b"\n"].concat());
    std::fs::write(home.journal_path(), text).unwrap();
    // What stands before the fold has moved it.
    let committed = home.play(Outcome::Failed);
    assert!(std::fs::metadata(home.journal_path()).unwrap().len() < 1024 * 1024);
    assert_eq!(committed.owed, opened);
    assert_eq!(owed(&home), opened);
}

#[test]
fn one_delivers_at_a_time_and_another_waits_no_longer_than_it_may() {
    let home = owing();
    home.play(Outcome::Failed);
    let (one, other) = (home.open(), home.open());
    let turn = one.turn_to_deliver(ample(), &mut || false);
    assert!(turn.is_ours());
    assert!(!other.turn_to_deliver(Deadline::after(Duration::ZERO), &mut || false).is_ours());
    assert!(!other.turn_to_deliver(ample(), &mut || true).is_ours(), "it was told to stop");
    drop(turn);
    assert!(other.turn_to_deliver(ample(), &mut || false).is_ours());
}

#[test]
fn without_locks_everybody_delivers_and_it_is_put_on_record_all_the_same() {
    let home = owing();
    home.play(Outcome::Ok);
    let lock = home.job_dir().join("lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let committed = home.play(Outcome::Failed);
    let (one, other) = (home.open(), home.open());
    let turns = [&one, &other].map(|journal| journal.turn_to_deliver(ample(), &mut || false));
    assert!(turns.iter().all(DeliveryTurn::is_ours));
    assert!(settled(&home, &all_of(&committed.owed)).left.is_empty());
    assert!(owed(&home).is_empty(), "nobody is told of it again");
}

#[test]
fn what_was_given_up_is_taken_off_and_said_once() {
    let home = owing();
    home.play(Outcome::Failed);
    let judge = |history: Option<&History>, run: &Run| home.judge(history, run);
    let later = Timestamp::now().later_by(Duration::from_secs(8 * 24 * 3600));
    let settle = || home.by_rules(&judge, |rules| home.open().settle(&[], later, ample(), rules)).unwrap();
    assert_eq!(settle().given_up.len(), 2);
    assert_eq!(settle().given_up.len(), 0);
    assert!(home.open().debtors().is_empty());
}

#[test]
fn many_at_once_lose_nothing_of_what_each_other_owes_and_settles() {
    let home = Home { threshold: 1, creditors: vec!["slack".into()], ..Home::new() };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for outcome in [Outcome::Failed, Outcome::Ok, Outcome::Failed, Outcome::Ok] {
                    let committed = home.play(outcome);
                    let mine: Vec<_> = committed
                        .owed
                        .iter()
                        .filter(|owed| committed.turns.iter().any(|turn| turn.id == owed.turn.id))
                        .cloned()
                        .collect();
                    settled(&home, &all_of(&mine));
                }
            });
        }
    });
    assert_eq!(owed(&home), []);
    assert!(home.open().debtors().is_empty());
}
