//! How cronward ends, and what it records.

use std::fs;

use nix::libc;

use crate::support::{End, Host, Situation};

/// Signals whose default action terminates (signal(7)), the real-time ones that a program can use
/// included.
fn deadly_signals() -> impl Iterator<Item = i32> {
    let harmless = [
        libc::SIGCHLD,
        libc::SIGCONT,
        libc::SIGSTOP,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGURG,
        libc::SIGWINCH,
    ];
    (1..=31).filter(move |signal| !harmless.contains(signal)).chain(34..=64)
}

#[test]
fn every_exit_code_of_the_job_is_cronwards() {
    let host = Host::new();
    for code in 0..=255 {
        let ran = host.wrap(&["-l", "codes", "--sink", "none"], &format!("exit {code}")).run();
        assert_eq!(ran.end(), End::Code(code), "{ran}");
        assert!(ran.stdout.is_empty(), "{ran}");
    }
    let journal = host.journal("codes");
    assert_eq!(journal.ends.len(), 256);
    for (code, end) in journal.ends.iter().enumerate() {
        assert_eq!(end["exit_code"], code, "{end}");
        assert_eq!(end["outcome"], if code == 0 { "ok" } else { "failed" }, "{end}");
    }
}

#[test]
fn the_death_of_the_job_by_any_signal_is_cronwards() {
    let host = Host::new();
    let situation = Situation { limits: vec![(libc::RLIMIT_CORE, u64::MAX)], ..Situation::default() };
    // core(5): a pattern that is a plain name puts the file into the process's directory.
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let cores_are_here = pattern.trim_end().starts_with("core") && !pattern.contains('/');
    for signal in deadly_signals() {
        let cores = host.path(&format!("cores-{signal}"));
        fs::create_dir(&cores).unwrap();
        let line = format!("kill -{signal} $$");
        let ran =
            host.wrap(&["-l", "deaths", "--sink", "none"], &line).situation(&situation).cwd(&cores).run();
        assert_eq!(ran.end(), End::Signal(signal), "{ran}");
        let journal = host.journal("deaths");
        let end = journal.last();
        assert_eq!(end["signal_number"], signal, "{ran}");
        assert_eq!(end["outcome"], "signaled", "{ran}");
        assert!(end.get("exit_code").is_none(), "{ran}");
        let dumped = fs::read_dir(&cores).unwrap().count();
        if cores_are_here {
            assert_eq!(dumped, usize::from(end["core_dumped"] == true), "{ran}");
        }
    }
}

#[test]
fn a_signal_that_the_caller_blocks_still_ends_both() {
    let host = Host::new();
    for signal in [libc::SIGTERM, libc::SIGABRT, libc::SIGUSR1] {
        let situation = Situation { blocked: vec![signal], ..Situation::default() };
        // KILL cannot be blocked; the job dies of it, and cronward of the same, whatever its mask.
        let ran = host.wrap(&["--sink", "none"], "kill -9 $$").situation(&situation).run();
        assert_eq!(ran.end(), End::Signal(libc::SIGKILL), "{ran}");
    }
    // A program that unblocks a signal for itself can die of it although its caller had it blocked
    // and even ignored.
    let all = Situation { ignored: vec![libc::SIGTERM], ..Situation::default() };
    let ran = host.wrap(&["--sink", "none"], "kill -TERM $$; exit 5").situation(&all).run();
    assert_eq!(ran.end(), End::Code(5), "{ran}");
}

/// A command that could not be started: status, words on stderr, outcome.
fn not_started(host: &Host, command: &[&str], status: i32, words: &str) {
    let arguments = ["-l", "absent", "--sink", "none", "--"].iter().chain(command);
    let ran = host.cronward(arguments).run();
    assert_eq!(ran.end(), End::Code(status), "{ran}");
    let lines = ran.own_words();
    assert!(lines.iter().any(|line| line.contains(words)), "no {words:?}\n{ran}");
    assert!(ran.stdout.is_empty() && ran.stderr_of_job().is_empty(), "{ran}");
    let journal = host.journal("absent");
    let end = journal.last();
    assert_eq!((&end["outcome"], &end["exit_status"]), (&"not_started".into(), &status.into()), "{ran}");
    assert!(end["reason"].as_str().is_some_and(|reason| reason.contains(words)), "{ran}");
}

#[test]
fn a_command_that_is_found_and_cannot_be_executed_is_126() {
    let host = Host::new();
    fs::write(host.path("plain"), "echo never\n").unwrap();
    fs::create_dir(host.path("directory")).unwrap();
    not_started(&host, &["./plain"], 126, "permission denied");
    not_started(&host, &["./directory"], 126, "directory");
}

#[test]
fn a_command_that_is_not_found_is_127() {
    let host = Host::new();
    host.script("orphan", "#!/no/such/interpreter\necho never\n");
    not_started(&host, &["no-such-command"], 127, "'no-such-command'");
    not_started(&host, &["./no-such-file"], 127, "'./no-such-file'");
    not_started(&host, &["./orphan"], 127, "'/no/such/interpreter'");
    not_started(&host, &[""], 127, "empty");
}

#[test]
fn a_command_that_could_not_be_started_says_so_in_one_line() {
    let host = Host::new();
    // The exec sink takes charge of the alert, so the one line is that of the failed start.
    let ran = host.cronward(["-l", "x", "--sink", "exec:cat >/dev/null", "--", "no-such-command"]).run();
    assert_eq!(ran.own_words().len(), 1, "{ran}");
    assert_eq!(ran.stderr_text().lines().count(), 1, "{ran}");
}

#[test]
fn codes_can_count_as_success_or_warning_without_being_changed() {
    let host = Host::new();
    for (code, outcome) in [(24, "ok"), (1, "warning"), (3, "warning"), (4, "failed"), (0, "ok")] {
        let options = ["-l", "rsync", "--ok-codes", "24", "--warn-codes", "1-3", "--sink", "none"];
        let ran = host.wrap(&options, &format!("exit {code}")).run();
        assert_eq!(ran.end(), End::Code(code), "{ran}");
        assert_eq!(host.journal("rsync").last()["outcome"], outcome, "{ran}");
    }
}

#[test]
fn a_job_that_succeeds_leaves_no_word_of_cronward() {
    let host = Host::new();
    let ran = host.cronward(["-l", "quiet", "--", "true"]).run();
    assert_eq!((ran.end(), &ran.stdout[..], &ran.stderr[..]), (End::Code(0), &b""[..], &b""[..]), "{ran}");
}
