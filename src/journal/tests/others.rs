//! State of other users, who may have written anything. The tests play the other user themselves.

use super::*;
use crate::outcome::Outcome;
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

const BELOW: &str = ".local/state/cronward";

/// A home with one job in it that has run once.
struct OtherHome {
    home: tempfile::TempDir,
}

impl OtherHome {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".local/state")).unwrap();
        let played = Home::new();
        played.play(Outcome::Failed);
        fs::rename(played.root.path().join("state"), home.path().join(BELOW)).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn job(&self) -> PathBuf {
        self.path(BELOW).join("jobs/db%2Fbackup")
    }

    fn entries(&self) -> Result<Vec<Entry>, String> {
        let user = OtherUser { name: "alice".into(), id: geteuid().as_raw() };
        entries_of(&user, self.home.path(), BELOW, Look::Plans, Timestamp::now())
    }

    /// What is said of the one job.
    fn trouble(&self) -> String {
        self.entries().unwrap().pop().unwrap().remembered.err().unwrap()
    }
}

#[test]
fn jobs_of_another_user_are_read() {
    let other = OtherHome::new();
    let entries = other.entries().unwrap();
    assert_eq!(entries.len(), 1);
    let remembered = entries[0].remembered.as_ref().unwrap();
    assert_eq!((entries[0].label.as_str(), remembered.history.failures_in_a_row), ("db/backup", 1));
}

#[test]
fn a_user_without_state_has_no_jobs() {
    let other = OtherHome { home: tempfile::tempdir().unwrap() };
    assert!(other.entries().unwrap().is_empty());
}

#[test]
fn no_link_is_followed_wherever_it_is() {
    for name in [".local", ".local/state", BELOW, "jobs", "db%2Fbackup", "runs.jsonl"] {
        let other = OtherHome::new();
        let link = match name {
            "jobs" => other.path(BELOW).join("jobs"),
            "db%2Fbackup" => other.job(),
            "runs.jsonl" => other.job().join("runs.jsonl"),
            above => other.path(above),
        };
        let away = other.path("away");
        fs::rename(&link, &away).unwrap();
        symlink(&away, &link).unwrap();
        let read = other.entries();
        let refused = match &read {
            Err(why) => why.clone(),
            Ok(entries) => entries[0].remembered.as_ref().err().unwrap().clone(),
        };
        assert!(
            refused.contains("symbolic link") || refused.contains("not a directory"),
            "{name}: {refused}"
        );
    }
}

#[test]
fn a_fifo_a_directory_or_a_hard_link_for_a_journal_is_refused_at_once() {
    let other = OtherHome::new();
    let journal = other.job().join("runs.jsonl");
    fs::rename(&journal, other.path("kept")).unwrap();
    mkfifo(&journal, Mode::S_IRWXU).unwrap();
    assert!(other.trouble().contains("is not a regular file"));
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    assert!(other.trouble().contains("is not a regular file"));
    fs::remove_dir(&journal).unwrap();
    fs::hard_link(other.path("kept"), &journal).unwrap();
    assert!(other.trouble().contains("hard link"));
}

#[test]
fn of_an_enormous_journal_only_the_end_is_read() {
    let other = OtherHome::new();
    let journal = other.job().join("runs.jsonl");
    let file = fs::File::options().write(true).open(&journal).unwrap();
    file.set_len(1 << 30).unwrap();
    assert!(other.trouble().contains("is corrupt"), "a gigabyte of nothing");
}

#[test]
fn nesting_beyond_reason_is_no_journal() {
    let other = OtherHome::new();
    let deep = format!("{{\"v\":1,\"fold\":{}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    fs::write(other.job().join("runs.jsonl"), &deep).unwrap();
    fs::write(other.job().join("plan.json"), &deep).unwrap();
    let entries = other.entries().unwrap();
    assert!(entries[0].remembered.is_err() || entries[0].remembered.as_ref().unwrap().plan.is_none());
}

#[test]
fn a_directory_that_others_can_write_is_not_looked_into() {
    let other = OtherHome::new();
    fs::set_permissions(other.path(BELOW), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(other.entries().unwrap_err().contains("can be written by others"));
}

#[test]
fn what_belongs_to_a_third_user_is_refused() {
    if !geteuid().is_root() {
        // Nobody else can give a file away; the owner that is wanted is another one then.
        let other = OtherHome::new();
        let user = OtherUser { name: "bob".into(), id: geteuid().as_raw() + 1 };
        let read = entries_of(&user, other.home.path(), BELOW, Look::Plans, Timestamp::now());
        assert!(read.unwrap_err().contains("belongs to user"));
        return;
    }
    let given = |path: &Path| chown(path, Some(4711), None).unwrap();
    for name in [".local", ".local/state", BELOW] {
        let other = OtherHome::new();
        given(&other.path(name));
        assert!(other.entries().unwrap_err().contains("belongs to user 4711"), "{name}");
    }
    let other = OtherHome::new();
    given(&other.job().join("runs.jsonl"));
    assert!(other.trouble().contains("belongs to user 4711"));
}

#[test]
fn more_jobs_than_one_user_can_have_are_not_all_read() {
    let other = OtherHome::new();
    let journal = fs::read(other.job().join("runs.jsonl")).unwrap();
    let padded = [&vec![b'\n'; 1024 * 1024][..], &journal[..]].concat();
    for number in 0..300 {
        let job = other.path(BELOW).join(format!("jobs/job{number}"));
        fs::create_dir(&job).unwrap();
        fs::set_permissions(&job, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(job.join("runs.jsonl"), &padded).unwrap();
        fs::write(job.join("lock"), "").unwrap();
    }
    let entries = other.entries().unwrap();
    let unread = entries.iter().filter_map(|entry| entry.remembered.as_ref().err());
    let unread: Vec<&String> = unread.collect();
    assert!(!unread.is_empty() && unread.iter().all(|why| why.contains("more than one user")), "{unread:?}");
}
