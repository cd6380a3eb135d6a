//! Configuration files: where a value comes from, and that nothing in a file keeps a
//! job from running.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;

use crate::support::situation::{is_root, make_fifo};
use crate::support::{End, Host, Invocation, Ran};

/// The origin that a dry run shows of an option.
fn origin(ran: &Ran, option: &str) -> String {
    let text = ran.stdout_text();
    let mut lines = text.lines().filter(|line| line.split_whitespace().next() == Some(option));
    let line = lines.next().unwrap_or_else(|| panic!("no line '{option}'\n{ran}"));
    line.rsplit("  ").next().unwrap_or_default().trim().to_owned()
}

/// What a dry run says of the configuration, without our name before it.
fn problems(invocation: Invocation<'_>) -> Vec<String> {
    let ran = invocation.run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let stderr = ran.stderr_text();
    let said = stderr.lines().map(|line| line.strip_prefix("cronward: ").unwrap_or_else(|| panic!("{ran}")));
    said.map(str::to_owned).collect()
}

#[test]
fn a_dry_run_shows_where_each_value_comes_from() {
    let host = Host::new();
    host.configure(
        "[defaults]\nowner = 'a'\nrunbook = 'a'\ntimeout = '1h'\nalert-after = 3\n\n[job.\"pg-*\"]\nrunbook = 'b'\n\
         severity = 'info'\n[job.other]\nrunbook = 'c'\n",
    );
    let file = host.configuration().display().to_string();
    let line = "CRONWARD_LABEL=pg-backup CRONWARD_OWNER=line true";
    let ran = host
        .cronward(["--dry-run", "--timeout", "2h", "-c", line])
        .env("CRONWARD_SEVERITY", "critical")
        .run();
    assert!(ran.stderr.is_empty(), "{ran}");
    for (option, expected) in [
        ("timeout", "--timeout"),
        ("owner", "CRONWARD_OWNER in the line of -c"),
        ("severity", "CRONWARD_SEVERITY"),
        ("runbook", &format!("{file}:8")),
        ("alert-after", &format!("{file}:5")),
        ("realert", "default"),
        ("config", "CRONWARD_CONFIG"),
    ] {
        assert_eq!(origin(&ran, option), expected, "{option}\n{ran}");
    }
}

#[test]
fn the_users_file_is_found_by_xdg_or_home() {
    let host = Host::new();
    for place in ["home/.config", "xdg"] {
        fs::create_dir_all(host.path(place)).unwrap();
        fs::write(host.path(place).join("cronward.toml"), "[defaults]\nowner = 'me'\n").unwrap();
        fs::set_permissions(host.path(place).join("cronward.toml"), fs::Permissions::from_mode(0o600))
            .unwrap();
    }
    let of_home = host.path("home/.config/cronward.toml").display().to_string();
    let of_xdg = host.path("xdg/cronward.toml").display().to_string();
    let dry_run = || host.cronward(["--dry-run", "true"]).without_env("CRONWARD_CONFIG");
    let ran = dry_run().run();
    assert_eq!(origin(&ran, "owner"), format!("{of_home}:2"), "{ran}");
    let ran = dry_run().env("XDG_CONFIG_HOME", host.path("xdg")).run();
    assert_eq!(origin(&ran, "owner"), format!("{of_xdg}:2"), "{ran}");
    let ran = dry_run().env("XDG_CONFIG_HOME", "relative").run();
    assert_eq!(origin(&ran, "owner"), format!("{of_home}:2"), "{ran}");
    let ran = dry_run().env("CRONWARD_NO_CONFIG", "1").run();
    assert_eq!((&origin(&ran, "owner")[..], &origin(&ran, "config")[..]), ("default", "CRONWARD_NO_CONFIG"));
}

#[test]
fn a_file_that_is_named_is_read_in_place_of_the_others() {
    let host = Host::new();
    host.configure("[defaults]\nowner = 'me'\n");
    fs::write(host.path("named.toml"), "[defaults]\nrunbook = 'r'\n").unwrap();
    let ran = host.cronward(["--dry-run", "--config", "named.toml", "true"]).run();
    assert_eq!(
        (&origin(&ran, "owner")[..], &origin(&ran, "runbook")[..]),
        ("default", "named.toml:2"),
        "{ran}"
    );
    let ran = host.cronward(["--dry-run", "--no-config", "true"]).run();
    assert_eq!(
        (&origin(&ran, "owner")[..], &origin(&ran, "config")[..]),
        ("default", "--no-config"),
        "{ran}"
    );
}

#[test]
fn a_run_does_what_its_file_says() {
    let host = Host::new();
    let (events, state) = (host.path("events.jsonl"), host.path("elsewhere"));
    host.configure(format!(
        "[defaults]\nstate-dir = '{}'\nsink = 'jsonl:{}'\ntag = {{ env = 'prod' }}\n[job.'slow-*']\ntimeout = '50ms'\n\
         tag.team = 'db'\n",
        state.display(),
        events.display()
    ));
    let bare = |invocation: Invocation<'_>| -> Ran {
        invocation.without_env("CRONWARD_STATE_DIR").without_env("CRONWARD_SINK").run()
    };
    let ran = bare(host.cronward(["-l", "slow-job", "--", "sleep", "60"]));
    assert_eq!((ran.end(), ran.stdout.len()), (End::Code(124), 0), "{ran}");
    let events = fs::read_to_string(&events).unwrap();
    let started: serde_json::Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!(started["tags"], serde_json::json!({ "env": "prod", "team": "db" }), "{started:#}");
    assert!(host.receiver.datagrams().is_empty() && !host.state_dir().exists(), "{ran}");
    // And so whoever looks at it finds it.
    let ran = bare(host.cronward(["status", "slow-job"]));
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert!(ran.stdout_text().contains("timed_out"), "{ran}");
}

/// Without it the history, and with it what the last run had in force, would be looked for elsewhere.
#[test]
fn a_file_that_is_no_toml_still_says_where_state_is_kept() {
    let host = Host::new();
    let state = host.path("elsewhere");
    host.configure(format!(
        "[defaults]\nstate-dir = \"{}\" # on the large disk\nlock = yes\n",
        state.display()
    ));
    let ran = host.wrap(&["-l", "x"], "exit 0").without_env("CRONWARD_STATE_DIR").run();
    assert_eq!((ran.end(), ran.stderr.len()), (End::Code(0), 0), "{ran}");
    assert!(state.is_dir(), "{ran}");
    let ran = host.cronward(["status", "x"]).without_env("CRONWARD_STATE_DIR").run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
}

/// Whoever wrote the file speaks of jobs that it does not know by name.
#[test]
fn a_lock_in_a_file_holds_for_a_derived_label() {
    let host = Host::new();
    host.configure("[defaults]\nlock = true\nlock-exit = 9\n");
    let fifo = host.path("hold");
    make_fifo(&fifo);
    let line = "cat hold";
    let first = host.cronward(["-c", line]).start();
    // To open it waits until the job has.
    let hold = OpenOptions::new().write(true).open(&fifo).unwrap();
    let second = host.cronward(["-c", line]).run();
    assert_eq!((second.end(), second.stderr.len()), (End::Code(9), 0), "{second}");
    drop(hold);
    let ran = first.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
}

#[test]
fn a_cronward_further_in_reads_the_file_that_was_named_outside() {
    let host = Host::new();
    host.configure("[job.inner]\nlock-exit = 3\n[job.outer]\nowner = 'me'\n");
    let line = "\"$CRONWARD\" --dry-run -l inner -- true";
    let wrapped = host.wrap(&["-l", "outer"], line);
    let ran = wrapped.env("CRONWARD", crate::support::cronward_binary()).run();
    assert_eq!(origin(&ran, "lock-exit"), format!("{}:2", host.configuration().display()), "{ran}");
    assert_eq!(origin(&ran, "owner"), "default", "{ran}");
}

/// What is wrong with a file, the line that a message names, and the message.
const BAD: &[(&str, usize, &str)] = &[
    // No TOML.
    ("[defaults\nlock = true", 1, "a ']' is missing behind 'defaults'"),
    ("[defaults]\nlock", 2, "a '=' is missing behind 'lock'"),
    ("[defaults]\nlock = \nowner = 'x'", 2, "a value is missing"),
    ("[defaults]\nlock = yes", 2, "'yes' is no value; write text in quotes"),
    ("[defaults]\ntimeout = 5m", 2, "'5m' is no value; write text in quotes"),
    ("[defaults]\nowner = \"x\nlock = true", 2, "a string is not closed"),
    ("[defaults]\nowner = '''x\n\n", 2, "a string is not closed"),
    ("[defaults]\nsink = 'exec:mail -s \"x\"' y'", 2, "'y'' stands behind the end"),
    ("[defaults]\nsink = \"exec:\\d\"", 2, "'\\d' is no escape; write a backslash as '\\\\'"),
    ("[defaults]\ntag = ['a',\n'b'\n", 2, "a list is not closed"),
    ("[defaults]\ntag = { a = 'b'\n[job.x]", 3, "a list is not closed"),
    ("[defaults]\nlock = true\n\nlock = false", 4, "'lock' stands in line 2 already; leave it out of one"),
    ("[job.x]\n[defaults]\n[job.x]", 3, "'x' stands in line 1 already"),
    ("[job.pg-*]", 1, "a ']' is missing behind 'job.pg-'"),
    ("[defaults]\nöwner = 'x'", 2, "'öwner' is no key; write it in quotes"),
    ("lock: true", 1, "a '=' is missing behind 'lock'"),
    ("{ \"lock\": true }", 1, "'{' is no key; write it in quotes"),
    ("\u{1}", 1, "'\\u{1}' is no key"),
    // TOML that says nothing to cronward.
    ("lock = true", 1, "'lock' stands outside of a section; write '[defaults]' above it"),
    ("[default]\nlock = true", 1, "unknown section 'default', nearest is 'defaults'"),
    ("[job]\nlock = true", 2, "'lock' stands in no section; write '[job.\"PATTERN\"]' above it"),
    ("[[job]]\nlock = true", 1, "'job' is an array of tables"),
    ("[job.\"x[\"]\nlock = true", 1, "bad pattern 'x[' of a section: a '[' is not closed"),
    ("[job.x.y]\nlock = true", 1, "unknown section 'y'; write a pattern with a dot in quotes"),
    ("[defaults]\nlcok = true", 2, "unknown key 'lcok', nearest is 'lock'"),
    ("[job.other]\nlcok = true", 2, "unknown key 'lcok', nearest is 'lock'"),
    ("[defaults]\nlabel = 'x'", 2, "'label' cannot stand in a file; type '--label' or set CRONWARD_LABEL"),
    ("[defaults]\nconfig = '/x'", 2, "'config' cannot stand in a file"),
    // Values that mean nothing.
    ("[defaults]\nlock = 'yes'", 2, "'lock' is a string; write true or false"),
    (
        "[defaults]\ntimeout = 90",
        2,
        "bad duration '90' in 'timeout': a number needs a unit; write '90s' or '90m'",
    ),
    (
        "[job.x]\ntimeout = '5M'",
        2,
        "bad duration '5M' in 'timeout': months are not accepted; write '5m' for minutes",
    ),
    ("[defaults]\nlock-exit = 256", 2, "bad exit status '256' in 'lock-exit': write a number of 0 to 255"),
    ("[defaults]\nalert-after = 0", 2, "bad threshold '0' in 'alert-after': write a number of 1 or more"),
    ("[defaults]\nseverity = 'eror'", 2, "bad severity 'eror' in 'severity': nearest is 'error'"),
    ("[defaults]\nsink = 'dogstasd:h'", 2, "bad sink 'dogstasd:…' in 'sink': unknown kind 'dogstasd'"),
    ("[defaults]\nsink = ['statsd:h',\n  'none']", 3, "bad sink 'none' in 'sink': it is nowhere"),
    ("[defaults]\ntag = ':x'", 2, "bad tag ':x' in 'tag': it has no key"),
    ("[defaults]\nstate-dir = 'x'", 2, "bad directory 'x' in 'state-dir': it is relative"),
    (
        "[defaults]\nok-codes = 3\nwarn-codes = '1-5'",
        3,
        "exit code '3' is in both 'ok-codes' and 'warn-codes'; leave it out of one",
    ),
];

#[test]
fn a_bad_file_is_named_with_its_line_and_the_job_runs_all_the_same() {
    for (text, line, what) in BAD {
        let host = Host::new();
        host.configure(text);
        let said = problems(host.cronward(["--dry-run", "-l", "x", "true"]));
        let place = format!("{}:{line}: ", host.configuration().display());
        assert_eq!(said.len(), 1, "{text}\n{said:?}");
        assert!(said[0].strip_prefix(&place).is_some_and(|said| said.starts_with(what)), "{text}\n{said:?}");
        let ran = host.wrap(&["-l", "x"], "echo out; echo err >&2; exit 7").run();
        assert_eq!(ran.end(), End::Code(7), "{text}\n{ran}");
        assert_eq!(
            (&ran.stdout_text()[..], &ran.stderr_of_job()[..]),
            ("out\n", &b"err\n"[..]),
            "{text}\n{ran}"
        );
        // Of the file nothing is said: cron would mail it with every run.
        let words = ran.own_words();
        assert!(words.iter().all(|word| word.starts_with("cronward: x is failing")), "{text}\n{ran}");
        assert_eq!(host.journal("x").outcomes(), ["failed"], "{text}\n{ran}");
    }
}

/// A lock that goes because of a bracket that is missing is found out when two backups have written one file.
#[test]
fn under_a_bad_file_the_lock_of_the_last_run_holds() {
    for (text, ..) in BAD {
        let host = Host::new();
        host.configure("[job.x]\nlock = true\nlock-exit = 66\n");
        let ran = host.cronward(["-l", "x", "true"]).run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        host.configure(text);
        let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
        // Twice, since what is in force is handed on from one run in trouble to the next.
        for _ in 0..2 {
            let holder = host.wrap(&["-l", "x"], "echo up >ready; read x <hold").start();
            assert_eq!(ready.line(), "up");
            let second = host.wrap(&["-l", "x"], "touch second").run();
            assert_eq!(second.end(), End::Code(66), "{text}\n{second}");
            assert!(!host.path("second").exists(), "{text}\n{second}");
            hold.say("go");
            let ran = holder.wait();
            assert_eq!(ran.end(), End::Code(0), "{text}\n{ran}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_nobody_waits_for_it() {
    let host = Host::new();
    let path = |name: &str| host.path(name);
    make_fifo(&path("fifo"));
    fs::write(path("large"), vec![b'\n'; (1 << 20) + 1]).unwrap();
    fs::write(path("latin1"), b"[defaults]\nowner = 'J\xf6rg'\n").unwrap();
    fs::write(path("shared"), "[defaults]\nowner = 'me'\n").unwrap();
    fs::set_permissions(path("shared"), fs::Permissions::from_mode(if is_root() { 0o666 } else { 0o000 }))
        .unwrap();
    for (name, what) in [
        ("none", "cannot be read: no such file or directory"),
        ("large/none", "cannot be read: no such file or directory"),
        (".", "not a regular file"),
        ("fifo", "not a regular file"),
        ("large", "larger than 1 MiB"),
        ("latin1:2", "not UTF-8; save the file in that encoding"),
        (
            "shared",
            match is_root() {
                true => "others can write it, whom root does not trust; 'chmod go-w' it",
                false => "cannot be read: permission denied",
            },
        ),
    ] {
        let file = name.split(':').next().unwrap_or_default();
        let said = problems(host.cronward(["--dry-run", "-l", "x", "--config", file, "true"]));
        assert_eq!(said, [format!("{name}: {what}")]);
        let ran =
            host.wrap(&["-l", "x", "--config", file], "exit 7").env("CRONWARD_ALERT_AFTER", "100").run();
        assert_eq!((ran.end(), ran.stderr.len()), (End::Code(7), 0), "{name}\n{ran}");
    }
}

/// A file with a secret in it that was named by mistake must not show up in cron's mail.
#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let host = Host::new();
    host.configure("[defaults]\n\"\\u001b[2J\\n\" = 1\nowner = \"\\u001b[2J\"\n");
    let ran = host.cronward(["--dry-run", "true"]).run();
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!ran.stderr_text().contains(control) && !ran.stdout_text().contains(control), "{ran}");
    assert_eq!(ran.stderr_text().lines().count(), 1, "{ran}");
}
