//! Real runs that have every outcome, every kind of event and every field that there is.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::sync::LazyLock;

use nix::libc;
use serde_json::Value;

use crate::support::{End, Host};

/// The events of all these runs; they are run once.
pub fn events() -> &'static [Value] {
    static EVENTS: LazyLock<Vec<Value>> = LazyLock::new(record);
    &EVENTS
}

fn record() -> Vec<Value> {
    let host = Host::new();
    let path = host.path("events.jsonl");
    let sink = format!("jsonl:{}", path.display());
    let wrap = |options: &[&str], line: &str| host.wrap(&[&["--sink", &sink], options].concat(), line);

    // One alert from its opening to its close; the sink that fails is heard of in the others.
    let alert =
        ["-l", "alert", "-t", "env:prod", "--owner", "db team", "--runbook", "https://runbook.example/1"];
    // What comes after a success is another command.
    wrap(&alert, "true").run();
    wrap(&[&alert[..], &["--sink", "exec:exit 9"]].concat(), "exit 3").run();
    wrap(&["-l", "shared", "--alert-key", "deploy"], "exit 3").run();
    let again = ["--realert", "1ms"];
    // The second failure has to end a millisecond after the first, which a shell alone may not.
    wrap(&[&alert[..], &again].concat(), "sleep 0.01; exit 3").run();
    wrap(&alert, "true").run();

    wrap(&["-l", "warning", "--warn-codes", "1-3"], "exit 3").run();
    wrap(&["-l", "signaled"], "kill -KILL $$").run();
    let logs = host.path("logs").display().to_string();
    let keep = ["-l", "captured", "--capture", "8B", "--log-dir", &logs];
    wrap(&keep, "printf 'ab\\377def: left out, x\\377yz'").run();
    let twice = ["-l", "retried", "--retries", "2", "--retry-delay", "1ms"];
    wrap(&twice, "case $CRONWARD_RUN_ATTEMPT in 1) exit 1;; 2) kill -KILL $$;; esac").run();
    wrap(&["-l", "timed-out", "--timeout", "1ms"], "exec cat /dev/zero >/dev/null").run();
    host.cronward(["--sink", &sink, "-l", "not-started", "--", "/nonexistent/program"]).run();

    // Two files, of which the first has no text for a name and nothing in it.
    let report = "printf 'rows=12.5\ntag:db=app\nno line of a report\n' >>$CRONWARD_RUN_REPORT";
    let write = format!("{report}; echo x >good; : >\"$(printf 'bad-\\377')\"");
    wrap(&["-l", "suspect", "--produces", "good", "--produces", "bad-?:1B.."], &write).run();

    let argument = OsString::from_vec(b"not \xff UTF-8".to_vec());
    let words = ["--sink", &sink, "-l", "bytes", "--", "true"].map(OsString::from);
    host.cronward(words.into_iter().chain([argument])).run();

    // While one run holds the lock another is skipped; then the first is told to stop.
    let (ready, never) = (host.fifo("ready"), host.fifo("never"));
    let hold = format!("echo held >{}; read line <{}", ready.path().display(), never.path().display());
    let holder = wrap(&["-l", "lock", "--lock"], &hold).start();
    ready.line();
    wrap(&["-l", "lock", "--lock"], "true").run();
    holder.signal(libc::SIGTERM);
    holder.wait();

    // One that is not over when it should be opens the alert.
    let overdue = ["-l", "overdue", "--expect", "..1ms", "--sink", "exec:echo told >ready"];
    let running = wrap(&overdue, &format!("read line <{}", never.path().display())).start();
    ready.line();
    never.say("go");
    running.wait();

    // cronward dies during a run, and the next one tells of it.
    let orphaned = wrap(&["-l", "interrupted"], &hold).start();
    ready.line();
    orphaned.signal(libc::SIGKILL);
    orphaned.wait();
    never.say("go");
    wrap(&["-l", "interrupted"], "true").run();

    // An alert that no run has caused.
    wrap(&["-l", "stale", "--max-age", "1ms"], "true").run();
    host.shell("sleep 0.01; \"$CRONWARD\" check stale").run();

    host.shell("\"$CRONWARD\" -l outer -- \"$CRONWARD\" -l inner -- true").env("CRONWARD_SINK", &sink).run();

    let lines = fs::read_to_string(&path).expect("events have been written");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    lines.lines().map(parse).collect()
}

/// Every exit status that is cronward's own, each had from a run.
pub fn own_exit_statuses() -> BTreeSet<i32> {
    let host = Host::new();
    let (ready, go) = (host.fifo("ready"), host.fifo("go"));
    let hold = format!("echo held >{}; read line <{}", ready.path().display(), go.path().display());
    let holder = host.wrap(&["-l", "lock", "--lock"], &hold).start();
    ready.line();
    let ends = [
        host.wrap(&["-l", "lock", "--lock"], "true").run(),
        host.wrap(&["--timeout", "1ms"], "exec cat /dev/zero >/dev/null").run(),
        host.cronward(["--no-such-option"]).run(),
        host.cronward(["--", "/"]).run(),
        host.cronward(["--", "/nonexistent/program"]).run(),
    ];
    go.say("on");
    holder.wait();
    let code = |ran: &crate::support::Ran| match ran.end() {
        End::Code(code) => code,
        End::Signal(signal) => panic!("died of signal {signal}\n{ran}"),
    };
    ends.iter().map(code).collect()
}

/// Every exit status of `check`, each had from jobs that are so.
pub fn exit_statuses_of_check() -> BTreeSet<i32> {
    let host = Host::new();
    host.wrap(&["-l", "good"], "true").run();
    host.wrap(&["-l", "warning", "--warn-codes", "3"], "exit 3").run();
    host.wrap(&["-l", "bad"], "exit 3").run();
    let asked = ["good", "warning", "bad", "no-such-job", "--no-such-option"];
    let ends = asked.map(|word| (word, host.cronward(["check", word]).run()));
    let code = |ran: &crate::support::Ran| match ran.end() {
        End::Code(code) => code,
        End::Signal(signal) => panic!("died of signal {signal}\n{ran}"),
    };
    let statuses: BTreeSet<i32> = ends.iter().map(|(_, ran)| code(ran)).collect();
    assert_eq!(statuses.len(), asked.len(), "each has its own: {statuses:?}");
    statuses
}

/// The variables that the command of an exec sink has and its cronward had not, by an alert that has
/// all that an alert can have.
pub fn variables_of_exec_sink() -> BTreeSet<String> {
    let host = Host::new();
    let path = host.path("variables");
    let sink = format!("exec:env >{}", path.display());
    let options =
        ["-l", "job", "--sink", &sink, "--owner", "db team", "--runbook", "https://runbook.example/1"];
    let options = [&options[..], &["--capture", "1KiB"]].concat();
    // What comes after a success is another command.
    host.wrap(&options, "true").run();
    let ran = host.wrap(&options, "echo gone; exit 3").run();
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("the sink was not run: {error}\n{ran}"));
    let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    names.filter(|name| name.starts_with("CRONWARD_EVENT_")).map(str::to_owned).collect()
}
