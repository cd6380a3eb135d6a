//! Real children. Each test starts its own, and reaps that one by pid.

use super::*;
use crate::sys::signals::{self, SignalSet, set_mask};
use std::os::unix::fs::PermissionsExt;

fn state() -> SignalState {
    SignalState { mask: SignalSet::ALL.without(Signal::TERM), child_ignored: false }
}

fn exec<'a>(argv: &'a [OsString], environment: &'a [OsString]) -> Exec<'a> {
    Exec {
        argv,
        environment,
        search_path: None,
        stdio: [None; 3],
        own_group: false,
        signals: state(),
        last_words: LastWords::default(),
    }
}

fn words(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

/// Blocks all signals of this thread, as cronward does, and starts a program.
fn start(exec: &Exec<'_>) -> Result<u32, StartError> {
    let before = set_mask(SignalSet::ALL);
    let started = spawn(exec);
    set_mask(before);
    started
}

fn ending(line: &[&str]) -> Ending {
    let pid = start(&exec(&words(line), &[])).expect("started");
    match reap(pid, Wait::ToTheEnd) {
        Change::Ended(ending, _) => ending,
        other @ (Change::None | Change::Stopped(_) | Change::Gone) => panic!("{other:?}"),
    }
}

#[test]
fn a_child_is_found_in_the_search_path_and_reaped_with_its_exit_code() {
    assert_eq!(ending(&["sh", "-c", "exit 42"]), Ending::Exited(42));
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_dies_of_a_real_time_signal_is_reaped_with_that_signal() {
    let realtime = nix::libc::SIGRTMIN() + 3;
    let line = format!("kill -{realtime} $$");
    // The mask of the child blocks all but TERM, so the signal must be one that it lets through.
    let pid = start(&Exec {
        signals: SignalState { mask: SignalSet::ALL.without(Signal(realtime)), child_ignored: false },
        ..exec(&words(&["sh", "-c", &line]), &[])
    })
    .expect("started");
    let expected = Ending::Killed { signal: Signal(realtime), core_dumped: false };
    assert!(matches!(reap(pid, Wait::ToTheEnd), Change::Ended(found, _) if found == expected));
}

#[test]
fn a_program_that_is_not_there_or_not_executable_says_which() {
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain");
    std::fs::write(&plain, "exit 0").unwrap();
    let plain = plain.into_os_string();
    assert_eq!(start(&exec(&words(&["no-such-program"]), &[])), Err(StartError::NoProgram(libc::ENOENT)));
    assert_eq!(start(&exec(&words(&[""]), &[])), Err(StartError::NoProgram(libc::ENOENT)));
    assert_eq!(start(&exec(&[plain], &[])), Err(StartError::NoProgram(libc::EACCES)));
    let directory = directory.path().as_os_str().to_owned();
    assert_eq!(start(&exec(&[directory], &[])), Err(StartError::NoProgram(libc::EACCES)));
}

#[test]
fn a_script_without_an_interpreter_line_runs_by_the_shell_with_its_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    std::fs::write(&script, "[ \"$0 $# $1 $2\" = \"$SCRIPT 2 a b\" ] && exit 7\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let argv = [script.clone().into_os_string(), "a".into(), "b".into()];
    let mut environment = OsString::from("SCRIPT=");
    environment.push(&script);
    let pid = start(&exec(&argv, &[environment])).expect("started");
    assert!(matches!(reap(pid, Wait::ToTheEnd), Change::Ended(Ending::Exited(7), _)));
}

#[test]
fn a_wait_with_a_deadline_says_whether_the_child_has_ended() {
    let pid = start(&exec(&words(&["sleep", "100"]), &[])).expect("started");
    assert_eq!(wait_until(pid, Deadline::after(Duration::from_millis(20))), None);
    signals::send(pid, Signal::KILL);
    let killed = Ending::Killed { signal: Signal::KILL, core_dumped: false };
    assert_eq!(wait_until(pid, Deadline::after(Duration::from_secs(30))), Some(killed));
}

#[test]
fn arguments_that_are_too_long_are_tried_again_without_our_own_facts() {
    // One string may be 128 KiB long with its NUL (execve(2), MAX_ARG_STRLEN).
    let long = OsString::from(format!("CRONWARD_RUN_X={}", "x".repeat(200_000)));
    let environment = [long, OsString::from("KEPT=1")];
    let argv = words(&["sh", "-c", "[ -z \"$CRONWARD_RUN_X\" ] && exit \"$KEPT\""]);
    let pid = start(&exec(&argv, &environment)).expect("started");
    assert!(matches!(reap(pid, Wait::ToTheEnd), Change::Ended(Ending::Exited(1), _)));
    // Ours is the one behind our facts.
    let traceparent = |value: &str| OsString::from(format!("TRACEPARENT={value}"));
    let environment = [traceparent("7"), environment[0].clone(), traceparent("8")];
    let argv = words(&["sh", "-c", "exit \"$TRACEPARENT\""]);
    let pid = start(&exec(&argv, &environment)).expect("started");
    assert!(matches!(reap(pid, Wait::ToTheEnd), Change::Ended(Ending::Exited(7), _)));
    let argv = [OsString::from("true"), OsString::from("x".repeat(200_000))];
    assert_eq!(start(&exec(&argv, &[])), Err(StartError::NoProgram(libc::E2BIG)));
}

#[test]
fn the_start_line_is_written_before_the_command_runs_and_holds_its_pid() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("runs.jsonl");
    let open = |options: &std::fs::OpenOptions| Arc::new(OwnedFd::from(options.open(&path).unwrap()));
    let journal = open(std::fs::OpenOptions::new().create(true).append(true));
    let line = b"\n{\"pid\":          }\n".to_vec();
    let start_line = StartLine {
        journal,
        directory: Arc::new(std::fs::File::open(directory.path()).unwrap().into()),
        name: c"runs.jsonl".to_owned(),
        line,
        pid_at: 8,
    };
    let argv = words(&["sh", "-c", "grep -q \"\\\"pid\\\":$$ *}\" \"$0\"", path.to_str().unwrap()]);
    let exec = Exec { last_words: LastWords { journal: Some(start_line), lock: None }, ..exec(&argv, &[]) };
    let pid = start(&exec).expect("started");
    assert!(matches!(reap(pid, Wait::ToTheEnd), Change::Ended(Ending::Exited(0), _)));
}

#[test]
fn a_start_line_goes_to_the_new_journal_if_the_old_one_was_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("runs.jsonl");
    let journal = Arc::new(OwnedFd::from(std::fs::File::create(&path).unwrap()));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "new\n").unwrap();
    let start_line = StartLine {
        journal,
        directory: Arc::new(std::fs::File::open(directory.path()).unwrap().into()),
        name: c"runs.jsonl".to_owned(),
        line: b"          \n".to_vec(),
        pid_at: 0,
    };
    let argv = words(&["true"]);
    let exec = Exec { last_words: LastWords { journal: Some(start_line), lock: None }, ..exec(&argv, &[]) };
    let pid = start(&exec).expect("started");
    reap(pid, Wait::ToTheEnd);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("new\n{pid:<10}\n"));
}
