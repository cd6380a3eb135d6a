//! Whole runs on real files: counting, dying, damage, and many at once.

use super::fixture::{Home, ended, host, leave};
use super::*;
use crate::outcome::Outcome;
use crate::policy::{History, Verdict};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Barrier;

/// Failures in a row after one more run, from its own judgement.
fn streak(committed: &Committed) -> u32 {
    committed.own.history.failures_in_a_row
}

fn total(committed: &Committed) -> u64 {
    committed.own.history.totals.iter().sum()
}

#[test]
fn runs_are_counted_from_one_to_the_next_and_open_one_alert() {
    let home = Home::new();
    let verdicts: Vec<Verdict> =
        [Outcome::Ok, Outcome::Failed, Outcome::Failed, Outcome::Failed, Outcome::Ok]
            .into_iter()
            .map(|outcome| {
                let committed = home.play(outcome);
                assert!(committed.history_readable && committed.lost.is_empty());
                assert_eq!(committed.trouble, None);
                committed.own.verdict
            })
            .collect();
    let expected = [Verdict::Healthy, Verdict::Failing, Verdict::Failing, Verdict::Opened, Verdict::Closed];
    assert_eq!(verdicts, expected);
}

#[test]
fn every_record_begins_and_ends_with_a_newline() {
    let home = Home::new();
    home.play(Outcome::Ok);
    let text = home.text();
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[0].is_empty() && lines[2].is_empty() && lines[4].is_empty());
    assert!(lines[1].starts_with(r#"{"v":1,"start":{"run":""#), "{text}");
    assert!(lines[3].starts_with(r#"{"v":1,"end":{"run":""#), "{text}");
}

#[test]
fn a_run_that_was_never_begun_is_counted() {
    let home = Home::new();
    let committed = home.commit(&mut home.open(), &ended(Outcome::Skipped));
    assert_eq!(total(&committed), 1);
    assert_eq!(total(&home.play(Outcome::Ok)), 2);
}

#[test]
fn a_run_whose_cronward_died_is_recorded_once_by_the_next_one() {
    let home = Home::new();
    let died = home.play_death();
    let committed = home.play(Outcome::Failed);
    let [(lost, judgement)] = &committed.lost[..] else { panic!("{:?}", committed.lost) };
    assert_eq!((lost.id, lost.outcome), (died, Outcome::Interrupted));
    assert_eq!(judgement.history.failures_in_a_row, 1);
    assert_eq!(streak(&committed), 2, "it came before our own");
    let next = home.play(Outcome::Failed);
    assert_eq!((next.lost.len(), streak(&next)), (0, 3));
}

#[test]
fn lost_runs_are_judged_oldest_first_and_before_our_own() {
    let home = Home::new();
    let died = [home.play_death(), home.play_death(), home.play_death()];
    let committed = home.play(Outcome::Ok);
    assert_eq!(committed.lost.iter().map(|(run, _)| run.id).collect::<Vec<_>>(), died);
    assert_eq!(committed.lost[2].1.verdict, Verdict::Opened);
    assert_eq!(committed.own.verdict, Verdict::Closed);
}

#[test]
fn a_run_that_lives_is_not_said_to_have_died() {
    let home = Home::new();
    let mut living = home.open();
    let run = ended(Outcome::Failed);
    leave(&living.begin(run.id, run.started_at), 4711);
    for _ in 0..3 {
        assert_eq!(home.play(Outcome::Ok).lost.len(), 0);
    }
    let committed = home.commit(&mut living, &run);
    assert_eq!((streak(&committed), total(&committed)), (1, 4));
}

#[test]
fn a_run_that_ended_without_its_turn_is_counted_by_the_next_one() {
    let home = Home::new();
    home.play(Outcome::Failed);
    let mut holder = home.open();
    let lock = Arc::clone(holder.files.as_ref().unwrap().lock.as_ref().unwrap());
    assert!(locks::try_lock(&lock, Byte::TRANSACTION).unwrap());

    let mut late = home.open();
    let run = ended(Outcome::Failed);
    leave(&late.begin(run.id, run.started_at), 4711);
    let committed = home.commit_within(&mut late, &run, Duration::ZERO);
    assert_eq!((committed.own.verdict, streak(&committed)), (Verdict::Failing, 2));
    assert!(committed.history_readable && committed.trouble.is_none());
    drop(late);
    locks::unlock(&lock, Byte::TRANSACTION);

    let next = home.commit(&mut holder, &ended(Outcome::Failed));
    assert_eq!((next.own.verdict, streak(&next), next.lost.len()), (Verdict::Opened, 3, 0));
    assert_eq!(total(&next), 3);
}

#[test]
fn what_was_appended_while_a_line_was_made_is_not_lost() {
    let home = Home::new();
    home.play(Outcome::Ok);
    let before = fs::read(home.journal_path()).unwrap();
    home.play(Outcome::Ok);
    let with_second = fs::read(home.journal_path()).unwrap();
    // The start of a run that died, written between the second run's reading and its writing.
    let died = home.play_death();
    let start = fs::read(home.journal_path()).unwrap()[with_second.len()..].to_vec();
    let second = with_second[before.len()..].to_vec();
    let at = second[1..].iter().position(|&byte| byte == b'\n').unwrap() + 2;
    let (second_start, second_end) = second.split_at(at);
    fs::write(home.journal_path(), [&before, second_start, &start, second_end].concat()).unwrap();
    let lost = home.play(Outcome::Ok).lost;
    assert_eq!(lost.iter().map(|(run, _)| run.id).collect::<Vec<_>>(), [died]);
}

#[test]
fn twenty_runs_that_end_at_once_are_twenty() {
    let home = Home { threshold: 20, ..Home::new() };
    let barrier = Barrier::new(20);
    let committed: Vec<Committed> = std::thread::scope(|scope| {
        let end_one = || {
            let run = ended(Outcome::Failed);
            let mut journal = home.open();
            leave(&journal.begin(run.id, run.started_at), 4711);
            barrier.wait();
            home.commit(&mut journal, &run)
        };
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(end_one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut streaks: Vec<u32> = committed.iter().map(streak).collect();
    streaks.sort_unstable();
    assert_eq!(streaks, (1..=20).collect::<Vec<_>>());
    assert_eq!(committed.iter().filter(|one| one.own.verdict == Verdict::Opened).count(), 1);
    assert!(committed.iter().all(|one| one.lost.is_empty() && one.trouble.is_none()));
}

#[test]
fn runs_that_end_while_the_journal_is_compacted_again_and_again_are_all_counted() {
    let home = Home { threshold: 1000, ..Home::new() };
    // Everything compacts: the journal is always beyond the bound.
    let ballast = format!("\n{{\"v\":1,\"{}\"\n", "x".repeat(compaction::COMPACT_BEYOND as usize));
    drop(home.open());
    fs::write(home.journal_path(), &ballast).unwrap();
    let (home, ballast) = (&home, &ballast);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for turn in 0..15 {
                    let mut journal = home.open();
                    let run = ended(Outcome::Failed);
                    leave_as_a_child_does(&journal.begin(run.id, run.started_at), home);
                    // Every third one does not wait for its turn.
                    let limit = if turn % 3 == 0 { Duration::ZERO } else { Duration::from_secs(3600) };
                    let committed = home.commit_within(&mut journal, &run, limit);
                    assert_eq!(committed.trouble, None);
                    // Of two threads only: more of it at once than is ever read back is a corrupt journal.
                    if turn == 5 && thread < 2 {
                        let mut file = fs::OpenOptions::new().append(true).open(home.journal_path()).unwrap();
                        std::io::Write::write_all(&mut file, ballast.as_bytes()).unwrap();
                    }
                }
            });
        }
    });
    let last = home.play(Outcome::Failed);
    assert_eq!((total(&last), streak(&last), last.lost.len()), (61, 61, 0));
}

/// With the second look at the file's name that the child takes.
fn leave_as_a_child_does(words: &LastWords, home: &Home) {
    leave(words, 4711);
    let start = words.journal.as_ref().unwrap();
    if nix::sys::stat::fstat(&start.journal).unwrap().st_nlink == 0 {
        let journal = fs::OpenOptions::new().append(true).open(home.journal_path()).unwrap();
        let journal = Arc::new(OwnedFd::from(journal));
        let (directory, name) = (Arc::clone(&start.directory), start.name.clone());
        let line = start.line.clone();
        let again = StartLine { journal, directory, name, line, pid_at: start.pid_at };
        leave(&LastWords { journal: Some(again), lock: None }, 4711);
    }
}

#[test]
fn a_journal_beyond_its_bound_is_compacted_and_nothing_that_counts_is_lost() {
    let home = Home { threshold: 100_000, ..Home::new() };
    let living = home.open();
    let mut begun = home.open();
    let run = ended(Outcome::Failed);
    leave(&begun.begin(run.id, run.started_at), 4711);
    let mut runs = 0;
    let mut largest = 0;
    // One growing journal, then two generations of it.
    let mut compactions = 0;
    while compactions < 2 {
        assert_eq!(streak(&home.play(Outcome::Failed)), runs + 1);
        runs += 1;
        let size = fs::metadata(home.journal_path()).unwrap().len();
        compactions += u32::from(size < largest);
        largest = if size < largest { size } else { largest.max(size) };
        assert!(size <= compaction::COMPACT_BEYOND, "{size}");
    }
    assert!(largest <= 300 * 1024, "{largest}");
    assert!(home.text().matches("\"end\":").count() > 100, "the last runs are kept");
    assert!(!home.job_dir().join("runs.jsonl.new").exists());
    // Both were opened before the journal was replaced.
    assert_eq!(streak(&home.commit(&mut begun, &run)), runs + 1);
    drop(living);
    assert_eq!(home.play(Outcome::Ok).lost.len(), 0);
}

#[test]
fn long_command_lines_do_not_put_a_compaction_off() {
    let home = Home::new();
    let command = CommandLine::Words(vec!["x".into(), "y".repeat(60_000).into()]);
    for _ in 0..40 {
        let run = ended(Outcome::Ok);
        let judge = |history: Option<&History>, run: &Run| home.judge(history, run);
        let deadline = Deadline::after(Duration::from_secs(60));
        home.by_rules(&judge, |rules| home.open().commit(&run, &command, deadline, rules));
        assert!(fs::metadata(home.journal_path()).unwrap().len() <= compaction::COMPACT_BEYOND);
    }
}

#[test]
fn a_new_file_is_made_durable_by_its_first_outcome() {
    let home = Home::new();
    let mut journal = home.open();
    let unsynced = |journal: &Journal| journal.files.as_ref().unwrap().unsynced.len();
    assert_eq!(unsynced(&journal), 5, "state, jobs, the job, its journal, its lock");
    leave(&journal.begin(RunId::new(), Timestamp::now()), 1);
    journal.start_syncer().unwrap()();
    home.commit(&mut journal, &ended(Outcome::Ok));
    assert_eq!(unsynced(&journal), 0);
    assert_eq!(unsynced(&home.open()), 0);
    assert!(home.open().start_syncer().is_none(), "nothing has begun");
}

#[test]
fn the_pid_and_the_lock_record_are_left_to_the_child() {
    let home = Home::new();
    let rule = OverlapRule { wait: Duration::ZERO, exit_status: 75 };
    let mut journal = home.open();
    let run = RunId::new();
    let Claim::Granted(_lock) = journal.claim(&rule, run, &mut |_| None) else { panic!() };
    let words = journal.begin(run, Timestamp::now());
    assert_eq!(words.lock.map(|(_, offset)| offset), Some(overlap::COMMAND_RECORD));
    let other = home.open().begin(RunId::new(), Timestamp::now());
    assert!(other.lock.is_none() && other.journal.is_some());
}

mod damage;

mod others;
