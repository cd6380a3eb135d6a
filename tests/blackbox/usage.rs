//! What is refused, and how: before anything runs or is recorded.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use crate::support::{End, Host, Invocation, Ran};

/// One line that begins with our name, status 125, nothing run, nothing recorded.
fn refused(host: &Host, invocation: Invocation<'_>) -> Ran {
    let ran = invocation.run();
    assert_eq!(ran.end(), End::Code(125), "{ran}");
    assert!(ran.stdout.is_empty(), "{ran}");
    let stderr = ran.stderr_text();
    assert!(stderr.starts_with("cronward: ") && stderr.ends_with('\n'), "{ran}");
    assert_eq!(stderr.lines().count(), 1, "{ran}");
    assert!(!stderr.chars().any(|c| c.is_control() && c != '\n'), "{ran}");
    assert!(!host.path("ran").exists(), "the command was run\n{ran}");
    assert!(!host.state_dir().exists(), "something was recorded\n{ran}");
    assert!(host.receiver.datagrams().is_empty(), "something was sent\n{ran}");
    ran
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_runs() {
    let host = Host::new();
    let options: &[&[&str]] = &[
        &["--no-such-option"],
        &["-Z"],
        &["--label"],
        &["-l", ""],
        &["--timeout", "5M"],
        &["--timeout", "90"],
        &["--timeout", "0"],
        &["--timeout", "1mo"],
        &["--timeout", "1year"],
        &["--timeout", "1y"],
        &["--timeout", "-5s"],
        &["--timeout", "soon"],
        &["--timeout", ""],
        &["--timeout", "1e3s"],
        &["--timeout", "99999999999999999999s"],
        &["--kill-after", "10"],
        &["--lock"],
        &["-l", "x", "--lock", "--lock-wait", "5"],
        &["-l", "x", "--lock", "--lock-exit", "256"],
        &["-l", "x", "--lock", "--lock-exit", "-1"],
        &["-l", "x", "--lock=maybe"],
        &["--ok-codes", "256"],
        &["--ok-codes", "3-1"],
        &["--ok-codes", "a"],
        &["--ok-codes", "1,,2"],
        &["--warn-codes", "1-"],
        &["--alert-after", "0"],
        &["--alert-after", "x"],
        &["--alert-after", "3/2"],
        &["--alert-after", "1/65"],
        &["--alert-after", "0/5"],
        &["--alert-after", "3/"],
        &["--alert-after", "-1"],
        &["--alert-after", "+1"],
        &["--alert-after", ""],
        &["--recover-after", "0"],
        &["--realert", "60"],
        &["--severity", "fatal"],
        &["--summary", "sometimes"],
        &["--tag", ""],
        &["--tag", ":value"],
        &["--tag", "=value"],
        &["--sink", ""],
        &["--sink", "nowhere"],
        &["--sink", "nosuchkind:x"],
        &["--sink", "exec:"],
        &["--sink", "jsonl:"],
        &["--sink", "jsonl:fd:x"],
        &["--sink", "jsonl:fd:99"],
        &["--sink", "statsd:host:port"],
        &["--sink", "statsd:127.0.0.1:99999"],
        &["--sink", "statsd:127.0.0.1:9?tags=maybe"],
        &["--sink", "statsd:127.0.0.1:9?color=red"],
        &["--sink", "dogstatsd:127.0.0.1:9?events=some"],
        &["--flush-deadline", "5"],
        &["--state-dir", ""],
        &["--config", ""],
        &["--no-config=maybe"],
        &["--namespace", ""],
        &["--alert-key", ""],
        &["--lebel", "x"],
    ];
    for options in options {
        refused(&host, host.cronward(options.iter().chain(&["--", "touch", "ran"])));
    }
}

#[test]
fn a_mistyped_option_names_the_nearest() {
    let host = Host::new();
    for (typed, meant) in
        [("--lable", "--label"), ("--timout=5s", "--timeout"), ("--alert-afer=3", "--alert-after")]
    {
        let ran = refused(&host, host.cronward([typed, "--", "touch", "ran"]));
        assert!(ran.stderr_text().contains(&format!("'{meant}'")), "{ran}");
    }
}

#[test]
fn a_duration_without_a_unit_gets_a_hint() {
    let host = Host::new();
    let ran = refused(&host, host.cronward(["--timeout", "90", "--", "touch", "ran"]));
    assert!(ran.stderr_text().contains("90s"), "{ran}");
}

#[test]
fn there_is_one_command_not_none_and_not_two() {
    let host = Host::new();
    refused(&host, host.cronward::<&str>([]));
    refused(&host, host.cronward(["--"]));
    refused(&host, host.cronward(["-l", "x"]));
    refused(&host, host.cronward(["-l", "x", "--"]));
    refused(&host, host.cronward(["-c", "touch ran", "touch", "ran"]));
    refused(&host, host.cronward(["-c", "touch ran", "--", "touch", "ran"]));
    refused(&host, host.cronward(["-c"]));
    refused(&host, host.cronward(["-c", "CRONWARD_LABEL=x"]));
}

#[test]
fn a_subcommand_is_never_a_command_as_the_first_word() {
    let host = Host::new();
    for words in [&["history"][..], &["drill", "a", "b"], &["doctor", "x"], &["completions"], &["flush", "x"]]
    {
        host.script(words[0], "touch ran\n");
        let path = host.directory().display().to_string();
        refused(&host, host.cronward(words.iter().copied()).env("PATH", &path));
    }
    // Not as the first word it is a command like any other.
    let host = Host::new();
    host.script("check", "touch ran\n");
    let ran = host
        .cronward(["--", "check"])
        .env("PATH", format!("{}:/usr/bin:/bin", host.directory().display()))
        .run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert!(host.path("ran").exists());
}

#[test]
fn options_end_at_the_first_word_that_is_none() {
    let host = Host::new();
    let ran = host.cronward(["-l", "x", "echo", "-l", "--help", "--", "--timeout", "0"]).run();
    assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(0), "-l --help -- --timeout 0\n"), "{ran}");
}

#[test]
fn a_bad_value_in_a_variable_is_a_usage_error() {
    let host = Host::new();
    for (name, value) in [
        ("CRONWARD_TIMEOUT", "5"),
        ("CRONWARD_LOCK", "yes"),
        ("CRONWARD_LOCK", "1"),
        ("CRONWARD_ALERT_AFTER", "0"),
        ("CRONWARD_SINK", "nosuchkind:x"),
        ("CRONWARD_SINK", "'unclosed"),
        ("CRONWARD_TAG", "\"unclosed"),
        ("CRONWARD_SENSITIVE", "2"),
        ("CRONWARD_CONFIG", "relative.toml"),
        ("CRONWARD_NO_CONFIG", "yes"),
        ("CRONWARD_SUMMARY", "on"),
        ("CRONWARD_FLUSH_DEADLINE", "1"),
    ] {
        let ran = refused(&host, host.cronward(["--", "touch", "ran"]).env(name, value));
        assert!(ran.stderr_text().contains(name) || name == "CRONWARD_LOCK", "{ran}");
    }
}

/// A variable that is set to nothing says nothing, as everywhere in a shell's world.
#[test]
fn an_empty_variable_is_none() {
    let host = Host::new();
    for name in ["LABEL", "TIMEOUT", "LOCK", "ALERT_AFTER", "TAG", "SUMMARY", "STATE_DIR"] {
        let ran = host
            .cronward(["-l", "x", "--state-dir", "state", "--", "true"])
            .env(&format!("CRONWARD_{name}"), "")
            .run();
        assert_eq!((ran.end(), ran.stderr.len()), (End::Code(0), 0), "{name}\n{ran}");
    }
}

/// `-c` takes words off its line that no shell has read: what only a shell could read is refused.
#[test]
fn an_option_in_a_line_must_stand_there_literally() {
    let host = Host::new();
    for line in [
        "CRONWARD_LABEL=$HOME touch ran",
        "CRONWARD_LABEL=`id` touch ran",
        "CRONWARD_LABEL=\"$x\" touch ran",
        "CRONWARD_LABEL='x touch ran",
        "CRONWARD_LABEL=~ touch ran",
        "CRONWARD_NO_SUCH=1 touch ran",
        "CRONWARD_LABLE=x touch ran",
        "CRONWARD_TIMEOUT=5 touch ran",
        "CRONWARD_RUN_ID=x touch ran",
        "CRONWARD_COMMAND=x touch ran",
        "CRONWARD_LABEL=x; touch ran",
        "CRONWARD_LABEL=x&touch ran",
    ] {
        let ran = refused(&host, host.cronward(["-c", line]));
        assert!(ran.stderr_text().contains("CRONWARD_"), "{ran}");
    }
}

/// A word that is no UTF-8 in a usage error does not make the error unreadable, or a panic.
#[test]
fn a_word_of_bytes_is_refused_like_any_other() {
    let host = Host::new();
    for word in [&b"--\xff\xfe"[..], b"--timeout=\xff", b"--sink=\xff", b"--severity=\n\x1b[31m\xff"] {
        let word = OsString::from_vec(word.to_vec());
        refused(&host, host.cronward([word, "--".into(), "touch".into(), "ran".into()]));
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    let host = Host::new();
    for word in ["--help", "--version", "-h", "-V"] {
        let ran = host.cronward([word]).run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran}");
    }
    let version = host.cronward(["--version"]).run();
    assert_eq!(version.stdout_text(), format!("cronward {}\n", env!("CARGO_PKG_VERSION")));
    // A caller who reads no further is not an error of ours, and never a panic.
    let (reader, writer) = crate::support::situation::pipe();
    drop(reader);
    let ran = host.cronward(["--help"]).stdout(writer).run();
    assert!(!ran.stderr_text().contains("panicked"), "{ran}");
}

/// A misspelt host-wide variable must not break a job.
#[test]
fn unknown_variables_are_left_alone() {
    let host = Host::new();
    let ran = host.wrap(&["-l", "x"], "echo $CRONWARD_NO_SUCH").env("CRONWARD_NO_SUCH", "seen").run();
    assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(0), "seen\n"), "{ran}");
    assert!(ran.stderr.is_empty(), "{ran}");
}

#[test]
fn as_the_shell_of_a_crontab_it_wraps_each_line() {
    let host = Host::new();
    let binary = crate::support::program(env!("CARGO_BIN_EXE_cronward"));
    let line = "  CRONWARD_LABEL=dump CRONWARD_TAG='a:b c' X=1 sh -c 'echo $X $SHELL; env | grep -c CRONWARD_LABEL'; exit 4";
    let ran = host.cronward(["-c", line]).env("SHELL", &binary).run();
    assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(4), "1 /bin/sh\n0\n"), "{ran}");
    assert_eq!(host.journal("dump").last()["exit_code"], 4, "{ran}");
    // A shell that is not us stays.
    let ran = host.cronward(["-c", "echo $SHELL"]).env("SHELL", "/bin/zsh").run();
    assert_eq!(ran.stdout_text(), "/bin/zsh\n", "{ran}");
}

#[test]
fn a_dry_run_runs_nothing() {
    let host = Host::new();
    let ran = host.cronward(["--dry-run", "-l", "x", "--", "touch", "ran"]).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert!(ran.stderr.is_empty() && !ran.stdout.is_empty(), "{ran}");
    assert!(!host.path("ran").exists() && host.receiver.datagrams().is_empty(), "{ran}");
    assert!(fs::read_dir(host.state_dir()).is_err(), "{ran}");
}
