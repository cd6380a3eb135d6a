//! Every way in which the state can be bad: the run is judged all the same, loudly if it failed and
//! nothing is known, and one line says what is wrong.

use super::*;

/// A failing run on damaged state, at a threshold of three: what was said at first and at the end,
/// and what became of it.
struct Seen {
    first: Option<String>,
    committed: Committed,
}

fn fail_on(home: &Home) -> Seen {
    let mut journal = home.open();
    let run = ended(Outcome::Failed);
    leave(&journal.begin(run.id, run.started_at), 4711);
    let first = journal.trouble().map(str::to_owned);
    Seen { committed: home.commit(&mut journal, &run), first }
}

fn assert_loud(seen: &Seen, said: &str) {
    assert_eq!(seen.committed.own.verdict, Verdict::Opened, "fail loud");
    assert!(!seen.committed.history_readable);
    let lines: Vec<&String> = seen.first.iter().chain(&seen.committed.trouble).collect();
    assert_eq!(lines.len(), 1, "said once: {lines:?}");
    assert!(lines[0].contains(said) && !lines[0].contains('\n'), "{lines:?}");
}

/// A home with one failure on record.
fn used() -> Home {
    let home = Home::new();
    home.play(Outcome::Failed);
    home
}

#[test]
fn a_host_without_a_place_for_state_says_why() {
    let home = Home::new();
    let label = &home.label;
    let mut journal = Journal::open(&Err("no home directory".to_owned()), label, "h");
    assert!(journal.trouble().unwrap().contains("no home directory"));
    assert!(journal.begin(RunId::new(), Timestamp::now()).journal.is_none());
    assert!(journal.start_syncer().is_none());
    let committed = home.commit(&mut journal, &ended(Outcome::Failed));
    assert_eq!((committed.own.verdict, committed.trouble), (Verdict::Opened, None));
    let rule = OverlapRule { wait: Duration::ZERO, exit_status: 75 };
    assert!(matches!(journal.claim(&rule, RunId::new(), &mut |_| None), Claim::Unusable(_)));
}

#[test]
fn a_missing_directory_is_a_first_run() {
    let home = Home::new();
    let seen = fail_on(&home);
    assert_eq!((seen.committed.own.verdict, seen.first), (Verdict::Failing, None));
    assert!(seen.committed.history_readable);
}

#[test]
fn a_directory_that_cannot_be_made() {
    let home = Home::new();
    let state_dir = Ok(PathBuf::from("/proc/nowhere/cronward"));
    let mut journal = Journal::open(&state_dir, &home.label, &host());
    assert!(journal.trouble().unwrap().contains("'/proc/nowhere'"));
    assert_eq!(home.commit(&mut journal, &ended(Outcome::Failed)).own.verdict, Verdict::Opened);
}

#[test]
fn a_journal_of_the_wrong_kind() {
    for (make, said) in [
        ((|path| fs::create_dir(path).unwrap()) as fn(&std::path::Path), "irectory"),
        (|path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap(), "not a regular file"),
        (|path| symlink("/dev/null", path).unwrap(), "symbolic link"),
        (|path| fs::hard_link(path.with_file_name("lock"), path).unwrap(), "hard link"),
    ] {
        let home = used();
        fs::remove_file(home.journal_path()).unwrap();
        make(&home.journal_path());
        assert_loud(&fail_on(&home), said);
    }
}

#[test]
fn an_empty_journal_is_a_first_run() {
    let home = used();
    fs::write(home.journal_path(), "").unwrap();
    let seen = fail_on(&home);
    assert_eq!((seen.committed.own.verdict, seen.committed.trouble), (Verdict::Failing, None));
}

#[test]
fn rubbish_is_kept_aside_three_times_and_a_new_journal_begun() {
    let home = used();
    for round in 0..5 {
        fs::write(home.journal_path(), format!("rubbish {round}\n")).unwrap();
        let seen = fail_on(&home);
        assert_loud(&seen, "is kept as 'runs.jsonl.corrupt-");
        assert_eq!(total(&seen.committed), 1);
        // A second run finds nothing wrong, and the alert open.
        let next = fail_on(&home);
        assert_eq!((next.committed.own.verdict, next.committed.trouble), (Verdict::StillOpen, None));
        // Names are milliseconds.
        let now = Timestamp::now();
        while Timestamp::now() <= now {
            std::thread::yield_now();
        }
    }
    let mut kept: Vec<String> = fs::read_dir(home.job_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".corrupt-"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept.len(), 3);
    for (text, round) in kept.iter().zip(2..) {
        assert!(text.starts_with(&format!("rubbish {round}\n")), "{text}");
    }
}

#[test]
fn runs_under_way_are_not_forgotten_with_a_corrupt_journal() {
    let home = Home::new();
    drop(home.open());
    fs::write(home.journal_path(), "rubbish\n").unwrap();
    let died = home.play_death();
    let mut living = home.open();
    let run = ended(Outcome::Ok);
    leave(&living.begin(run.id, run.started_at), 4711);
    let seen = fail_on(&home);
    assert_eq!(seen.committed.lost.iter().map(|(run, _)| run.id).collect::<Vec<_>>(), [died]);
    assert_eq!(total(&home.commit(&mut living, &run)), 3);
}

#[test]
fn a_torn_last_line_is_ordinary() {
    // Without its newline it says all that it had to say; without more, its run has died.
    for (cut, lost) in [(1, 0), (2, 1), (100, 1), (300, 1)] {
        let home = used();
        home.play(Outcome::Failed);
        let text = fs::read(home.journal_path()).unwrap();
        fs::write(home.journal_path(), &text[..text.len() - cut]).unwrap();
        let seen = fail_on(&home);
        assert_eq!((seen.first, &seen.committed.trouble), (None, &None));
        assert!(seen.committed.history_readable);
        assert_eq!((streak(&seen.committed), seen.committed.lost.len()), (3, lost), "cut by {cut}");
    }
}

#[test]
fn a_journal_of_a_newer_version_is_left_as_it_is_but_for_what_has_begun() {
    let home = used();
    let newer = "\n{\"v\":2,\"all\":\"different\"}\n";
    fs::write(home.journal_path(), newer).unwrap();

    let committed = home.commit(&mut home.open(), &ended(Outcome::Skipped));
    assert!(committed.trouble.unwrap().contains("newer cronward (version 2"));
    assert_eq!(home.text(), newer, "nothing had begun");

    let seen = fail_on(&home);
    assert_loud(&seen, "newer cronward (version 2");
    let text = home.text();
    assert!(text.starts_with(newer) && !text.contains("\"fold\""), "{text}");
    assert_eq!(text.matches("\"end\":").count(), 1, "{text}");
    assert_loud(&fail_on(&home), "newer cronward");
}

#[test]
fn a_gigabyte_of_holes_is_put_aside_in_no_time() {
    let home = used();
    fs::OpenOptions::new().write(true).open(home.journal_path()).unwrap().set_len(1 << 30).unwrap();
    assert_loud(&fail_on(&home), "is kept as");
    assert!(fs::metadata(home.journal_path()).unwrap().len() < 10_000);
}

/// Puts another file in the place of the journal that is open.
fn swap(journal: &mut Journal, file: fs::File, writable: bool) {
    journal.files.as_mut().unwrap().journal = Ok(JournalFile { fd: Arc::new(file.into()), writable });
}

#[test]
fn a_full_disk_is_said_and_a_failure_that_cannot_be_counted_is_loud() {
    let home = used();
    let mut journal = home.open();
    // write(2) to /dev/full fails with ENOSPC (full(4)).
    swap(&mut journal, fs::File::options().read(true).write(true).open("/dev/full").unwrap(), true);
    let committed = home.commit(&mut journal, &ended(Outcome::Failed));
    let trouble = committed.trouble.unwrap();
    assert!(trouble.contains("no space left on device"), "{trouble}");
    assert_eq!((committed.own.verdict, committed.history_readable), (Verdict::Opened, false));
    let committed = home.commit(&mut journal, &ended(Outcome::Ok));
    assert_eq!(committed.own.verdict, Verdict::Healthy);
}

#[test]
fn a_journal_that_cannot_be_written_is_read_all_the_same() {
    let home = used();
    let mut journal = home.open();
    swap(&mut journal, fs::File::open(home.journal_path()).unwrap(), false);
    assert!(journal.begin(RunId::new(), Timestamp::now()).journal.is_none());
    let committed = home.commit(&mut journal, &ended(Outcome::Failed));
    assert!(committed.trouble.unwrap().contains("read-only"));
    assert_eq!(committed.own.verdict, Verdict::Opened, "the second of three would never be counted");

    home.play(Outcome::Failed);
    home.play(Outcome::Failed);
    swap(&mut journal, fs::File::open(home.journal_path()).unwrap(), false);
    let committed = home.commit(&mut journal, &ended(Outcome::Failed));
    assert_eq!(committed.own.verdict, Verdict::StillOpen, "everybody knows already");
    swap(&mut journal, fs::File::open(home.journal_path()).unwrap(), false);
    let died = home.play_death();
    assert_eq!(home.commit(&mut journal, &ended(Outcome::Ok)).lost.len(), 0, "not on record yet");
    assert_eq!(home.play(Outcome::Ok).lost[0].0.id, died);
}

#[test]
fn without_locks_runs_are_counted_and_none_is_said_to_have_died() {
    let home = used();
    home.play_death();
    fs::remove_file(home.job_dir().join("lock")).unwrap();
    fs::create_dir(home.job_dir().join("lock")).unwrap();
    let seen = fail_on(&home);
    assert!(seen.first.unwrap().contains("lock"));
    assert_eq!((streak(&seen.committed), seen.committed.lost.len()), (2, 0));
    assert_eq!(streak(&fail_on(&home).committed), 3);
}

#[test]
fn a_job_that_was_removed_while_it_ran() {
    let home = used();
    let mut journal = home.open();
    fs::remove_dir_all(home.job_dir()).unwrap();
    let committed = home.commit(&mut journal, &ended(Outcome::Failed));
    assert!(committed.trouble.unwrap().contains("runs.jsonl"));
    assert_eq!(committed.own.verdict, Verdict::Opened);
}
