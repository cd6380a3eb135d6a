//! The overlap lock with holders that live, have ended, have died, and have left a command behind.

use super::super::fixture::Home;
use super::*;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};

const NOW: OverlapRule = OverlapRule { wait: Duration::ZERO, exit_status: 75 };

fn lock_file() -> (tempfile::NamedTempFile, impl Fn() -> Arc<OwnedFd>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_owned();
    let open = move || Arc::new(fs::File::options().read(true).write(true).open(&path).unwrap().into());
    (file, open)
}

fn claim_now(file: &Arc<OwnedFd>) -> Claim {
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

/// A command that lives until it is told to end.
struct Orphan(Child);

impl Orphan {
    fn start() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn stat(&self) -> Vec<u8> {
        fs::read(format!("/proc/{}/stat", self.0.id())).unwrap()
    }

    /// Lets it end without reaping it.
    fn become_zombie(&mut self) {
        drop(self.0.stdin.take());
        while Process::parse(&self.stat()).unwrap().state != b'Z' {
            std::thread::yield_now();
        }
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
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
fn the_command_of_a_dead_holder_holds_the_lock_until_it_ends() {
    let (file, open) = lock_file();
    let mut orphan = Orphan::start();
    leave_record(&file, Place::here(), &orphan.stat());
    let reason = held(claim_now(&open()));
    assert!(reason.contains(&format!("pid {}", orphan.0.id())) && reason.contains("run R"), "{reason}");
    held(claim_now(&open()));
    // A container whose first process reaps nobody keeps it for ever.
    orphan.become_zombie();
    granted(claim_now(&open()));
}

#[test]
fn a_stranger_that_was_given_the_pid_holds_nothing() {
    let (file, open) = lock_file();
    let orphan = Orphan::start();
    let stat = String::from_utf8(orphan.stat()).unwrap();
    let start = Process::parse(stat.as_bytes()).unwrap().start_time.to_string();
    leave_record(&file, Place::here(), stat.replace(&start, "1").as_bytes());
    granted(claim_now(&open()));
}

#[test]
fn a_command_of_another_boot_or_container_holds_nothing() {
    let orphan = Orphan::start();
    for place in [
        Place { boot: "another".to_owned(), ..Place::here() },
        Place { pid_namespace: "pid:[1]".to_owned(), ..Place::here() },
    ] {
        let (file, open) = lock_file();
        leave_record(&file, place, &orphan.stat());
        granted(claim_now(&open()));
    }
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_a_remedy() {
    let (file, open) = lock_file();
    leave_record(&file, Place { boot: String::new(), pid_namespace: String::new() }, b"");
    assert!(unusable(claim_now(&open())).contains("empty the file"));
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
    let read_only: Arc<OwnedFd> = Arc::new(fs::File::open(file.path()).unwrap().into());
    assert!(unusable(claim_now(&read_only)).contains("cannot be locked"));
    // As on a disk without room.
    let full: Arc<OwnedFd> =
        Arc::new(fs::File::options().read(true).write(true).open("/dev/full").unwrap().into());
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
fn a_process_is_read_past_whatever_its_name_is() {
    // proc(5): pid (comm) state ppid pgrp …, start time is field 22.
    let fields: Vec<String> = (4..=30).map(|field| field.to_string()).collect();
    for name in ["cat", "a b", ") R 1 (", "x) Z 9"] {
        let stat = format!("4711 ({name}) S {}\n", fields.join(" "));
        let expected = Process { pid: 4711, state: b'S', start_time: 22 };
        assert_eq!(Process::parse(stat.as_bytes()), Some(expected), "{name}");
    }
    for rubbish in ["", "x", "4711 (cat", "4711 (cat) S 1 2", "x (cat) S 1"] {
        assert_eq!(Process::parse(rubbish.as_bytes()), None, "{rubbish}");
    }
    assert!(Process::parse(&fs::read("/proc/self/stat").unwrap()).is_some());
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
