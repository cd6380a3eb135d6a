use std::time::Duration;

use super::*;
use crate::clock::Stopwatch;
use crate::sinks::sample;

fn sink(line: &str) -> Arc<dyn Sink> {
    sample::opening(line, |opening| open(opening).unwrap())
}

fn alerts(reason: &str) -> Vec<Notice> {
    let mut job = sample::job("backup");
    job.owner = Some("db\0oncall".into());
    sample::failed_because(job, reason).split_off(1)
}

fn tell(line: &str) -> Result<(), String> {
    sink(line).deliver(&alerts("exited with 3"), Deadline::after(Duration::from_secs(60)))
}

#[test]
fn only_alerts_are_wanted_and_exit_status_0_confirms() {
    let sink = sink("PASSWORD=x /usr/bin/mail root");
    let notices = sample::failed(sample::job("backup"));
    assert!(
        !sink.wants(Topic::of(&notices[0].news))
            && sink.wants(Topic::of(&notices[1].news))
            && sink.confirms()
    );
    assert_eq!(sink.name(), "exec:/bin/sh");
    assert_eq!(tell("exit 0"), Ok(()));
}

#[test]
fn the_event_is_on_stdin_and_its_main_fields_in_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let environment =
        [format!("OUT={}", path("json")), "CRONWARD_EVENT_KIND=forged".to_owned()].map(OsString::from);
    let line = format!("cat >\"$OUT\"; env >{}", path("env"));
    let opening = Opening {
        target: &line,
        variables: &Default::default(),
        environment: &environment,
        inherited: false,
    };
    let sink = open(&opening).unwrap();
    let notices = alerts("line1\nNUL\0");
    sink.deliver(&notices, Deadline::after(Duration::from_secs(60))).unwrap();

    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path("json")).unwrap()).unwrap();
    assert_eq!((&json["kind"], &json["run"]["exit_code"]), (&"alert.opened".into(), &3.into()));
    // Arguments stay on the host, wherever the program sends it.
    assert_eq!(json["run"]["argv"], serde_json::json!(["pg_dump"]));
    let env = std::fs::read_to_string(path("env")).unwrap();
    for word in [
        "KIND=alert.opened",
        "LABEL=backup",
        "HOST=db1",
        "OUTCOME=failed",
        "REASON=line1\nNUL",
        "FAILURES=1",
        "ALERT_KEY=db1/backup",
        "SEVERITY=error",
        "OWNER=db\u{fffd}oncall",
        "EXIT_CODE=3",
    ] {
        assert!(env.contains(&format!("{PREFIX}{word}\n")), "{word} in {env}");
    }
    assert!(!env.contains("forged") && !env.contains("RUNBOOK"), "{env}");
}

#[test]
fn a_reason_that_may_quote_the_command_is_not_told_of_a_sensitive_one() {
    let told = |sensitive| {
        let mut job = sample::job("backup");
        job.privacy.sensitive = sensitive;
        let notices = sample::failed_because(job, "not found: 'pg_dump'").split_off(1);
        let words = variables(&notices[0]).into_iter().map(|word| word.into_string().unwrap());
        words.filter(|word| word.contains("pg_dump")).count()
    };
    assert_eq!((told(false), told(true)), (2, 0));
}

#[test]
fn a_failure_is_said_with_the_last_line_of_the_program() {
    assert_eq!(tell("echo one; echo 'no\tway' >&2; echo; exit 4"), Err("exit status 4: no way".into()));
    assert_eq!(
        tell("printf 'x\\rno \\033[1mway\\033[0m\\n\\033[K'; exit 4"),
        Err("exit status 4: no way".into())
    );
    assert_eq!(tell("kill -9 $$"), Err("killed by SIGKILL".into()));
    assert_eq!(tell("exit 1"), Err("exit status 1".into()));
}

#[test]
fn a_program_that_says_much_is_heard_to_the_end() {
    let line = "i=0; while [ $i -lt 3000 ]; do echo 'some words to fill the pipe with'; i=$((i+1)); done; \
                echo end; exit 1";
    assert_eq!(tell(line), Err("exit status 1: end".into()));
}

#[test]
fn a_program_need_not_read_what_it_is_given() {
    // More than a pipe holds, so that somebody has to give up.
    let notices = alerts(&"x".repeat(300_000));
    let environment = [OsString::from("PATH=/usr/bin:/bin")];
    let event = event_json(&notices[0], Audience::Away);
    for line in ["exit 0", "exec <&-; exit 0"] {
        let argv = CommandLine::Shell(line.into()).argv();
        let deadline = Deadline::after(Duration::from_secs(60));
        assert_eq!(program::run(&argv, &environment, event.as_bytes(), deadline), Ok(()), "{line}");
    }
    let argv = CommandLine::Shell("test $(wc -c) -gt 300000".into()).argv();
    let deadline = Deadline::after(Duration::from_secs(60));
    assert_eq!(program::run(&argv, &environment, event.as_bytes(), deadline), Ok(()));
}

#[test]
fn a_daemon_that_holds_the_pipe_holds_nobody() {
    let clock = Stopwatch::start();
    assert_eq!(tell("sleep 20 & exit 0"), Ok(()));
    assert!(clock.elapsed() < Duration::from_secs(10), "{:?}", clock.elapsed());
}

#[test]
fn a_program_that_hangs_is_killed_with_all_its_group_at_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("alive");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Its end of file says that the last process that held it has gone.
    let line = format!("exec 8<>{}; echo working; sleep 600 & wait", fifo.display());
    let error = sink(&line).deliver(&alerts("x"), Deadline::after(Duration::from_millis(500))).unwrap_err();
    assert!(error.starts_with("timed out after 0.") && error.ends_with("s: working"), "{error}");
    let flags = nix::libc::O_NONBLOCK;
    let deadline = Deadline::after(Duration::from_secs(10));
    use std::os::unix::fs::OpenOptionsExt;
    // A FIFO without a reader refuses a writer (ENXIO, fifo(7)).
    while std::fs::OpenOptions::new().write(true).custom_flags(flags).open(&fifo).is_ok() {
        assert!(!deadline.passed(), "somebody of the group is still alive");
        std::thread::yield_now();
    }
}
