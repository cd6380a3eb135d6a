//! The overlap lock with holders that live, have ended, have died, and have left a command behind.

use super::super::fixture::Home;
use super::*;
use crate::journal::locks::lockable;
use std::fs;
use std::os::unix::fs::FileExt;

#[cfg(not(posix_only))]
mod by_proc;

const NOW: OverlapRule = OverlapRule { wait: Duration::ZERO, exit_status: 75 };

fn lock_file() -> (tempfile::NamedTempFile, impl Fn() -> Arc<LockFile>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_owned();
    let open =
        move || Arc::new(lockable(fs::File::options().read(true).write(true).open(&path).unwrap().into()));
    (file, open)
}

fn claim_now(file: &Arc<LockFile>) -> Claim {
    claim(file, &NOW, RunId::new(), &mut |_| panic!("there is nothing to wait for"))
}

fn granted(claim: Claim) -> OverlapLock {
    let Claim::Granted(lock) = claim else { panic!("{claim:?}") };
    lock
}

fn held(claim: Claim) -> String {
    let Claim::Held { reason } = claim else { panic!("{claim:?}") };
    reason
}

fn unusable(claim: Claim) -> String {
    let Claim::Unusable(why) = claim else { panic!("{claim:?}") };
    why
}

/// What a dead holder leaves: its record, and its command's.
fn leave_record(file: &tempfile::NamedTempFile, place: Place, command: &[u8]) {
    let holder = Holder { run: "R".to_owned(), pid: 1, since: 0, place };
    let mut record = record_of(&holder);
    record[HOLDER_ROOM..HOLDER_ROOM + command.len()].copy_from_slice(command);
    file.as_file().write_all_at(&record, 0).unwrap();
}

#[test]
fn a_second_run_is_told_who_holds_the_lock_until_it_is_released() {
    let (_file, open) = lock_file();
    let run = RunId::new();
    let first = granted(claim(&open(), &NOW, run, &mut |_| None));
    let reason = held(claim_now(&open()));
    assert!(reason.contains(&run.to_string()), "{reason}");
    assert!(reason.contains(&std::process::id().to_string()), "{reason}");
    drop(first);
    granted(claim_now(&open()));
}

#[test]
fn a_holder_that_was_killed_before_its_command_began_holds_nothing() {
    let (file, open) = lock_file();
    leave_record(&file, Place::here(), b"");
    granted(claim_now(&open()));
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_a_remedy() {
    let (file, open) = lock_file();
    file.as_file().write_all_at(b"rubbish", 0).unwrap();
    assert!(unusable(claim_now(&open())).contains("empty the file"));
    leave_record(&file, Place::here(), b"rubbish");
    assert!(unusable(claim_now(&open())).contains("empty the file"));
    file.as_file().set_len(0).unwrap();
    granted(claim_now(&open()));
}

#[test]
fn a_file_that_cannot_be_written_is_no_lock() {
    let (file, _) = lock_file();
    let read_only: Arc<LockFile> = Arc::new(lockable(fs::File::open(file.path()).unwrap().into()));
    assert!(unusable(claim_now(&read_only)).contains("cannot be locked"));
    // As on a disk without room.
    let full: Arc<LockFile> =
        Arc::new(lockable(fs::File::options().read(true).write(true).open("/dev/full").unwrap().into()));
    assert!(!unusable(claim_now(&full)).is_empty());
}

#[test]
fn a_refused_claim_leaves_the_lock_free() {
    let (file, open) = lock_file();
    file.as_file().write_all_at(b"rubbish", 0).unwrap();
    let refused = open();
    unusable(claim_now(&refused));
    file.as_file().set_len(0).unwrap();
    granted(claim_now(&open()));
}

#[test]
fn waiting_ends_with_the_lock_the_limit_or_a_signal() {
    let (_file, open) = lock_file();
    let mut first = Some(granted(claim_now(&open())));
    let hour = OverlapRule { wait: Duration::from_secs(3600), exit_status: 75 };
    let stopped = claim(&open(), &hour, RunId::new(), &mut |pause| {
        assert!(pause <= ASK_AGAIN);
        Some(Signal::TERM)
    });
    assert!(matches!(stopped, Claim::Stopped(Signal::TERM)));

    let moment = OverlapRule { wait: Duration::from_nanos(1), exit_status: 75 };
    held(claim(&open(), &moment, RunId::new(), &mut |_| None));

    granted(claim(&open(), &hour, RunId::new(), &mut |_| {
        first.take();
        None
    }));
}

#[test]
fn the_record_of_a_released_lock_is_cleared() {
    let (file, open) = lock_file();
    drop(granted(claim_now(&open())));
    assert!(fs::read(file.path()).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn the_journal_names_the_lock_that_cannot_be_used() {
    let home = Home::new();
    drop(home.open());
    fs::remove_file(home.job_dir().join("lock")).unwrap();
    fs::create_dir(home.job_dir().join("lock")).unwrap();
    let why = unusable(home.open().claim(&NOW, RunId::new(), &mut |_| None));
    assert!(why.starts_with("the overlap lock cannot be used: '") && why.contains("/lock'"), "{why}");
}
