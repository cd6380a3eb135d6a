//! What a command has left behind that lives, has ended, or is another's: with `/proc` that can be told.

use super::*;
use crate::sys::trace::Process;
use std::process::{Child, Command, Stdio};

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
fn a_record_that_was_left_without_proc_is_refused_with_a_remedy() {
    let (file, open) = lock_file();
    leave_record(&file, Place { boot: String::new(), pid_namespace: String::new() }, b"");
    assert!(unusable(claim_now(&open())).contains("empty the file"));
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
