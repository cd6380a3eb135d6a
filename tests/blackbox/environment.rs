//! What the job finds in its environment.

use crate::support::{End, Host};

#[test]
fn option_variables_speak_of_one_run_and_go_no_further() {
    let host = Host::new();
    let of_the_run = [
        ("LABEL", "outer"),
        ("TIMEOUT", "1h"),
        ("KILL_AFTER", "1s"),
        ("LOCK", "1"),
        ("LOCK_WAIT", "1s"),
        ("LOCK_EXIT", "7"),
        ("OK_CODES", "3"),
        ("WARN_CODES", "4"),
        ("ALERT_AFTER", "2"),
        ("REALERT", "1h"),
        ("RECOVER_AFTER", "1"),
        ("ALERT_KEY", "k"),
        ("SEVERITY", "info"),
        ("OWNER", "us"),
        ("RUNBOOK", "https://example.org"),
        ("SEND_ARGS", "1"),
        ("OWN_GROUP", "0"),
        ("SUMMARY", "never"),
        ("NO_CONFIG", "1"),
    ];
    let sink = format!("dogstatsd:{}", host.receiver.address());
    let state_dir = host.state_dir().display().to_string();
    let of_the_host = [
        ("TAG", "a:b 'c d:e'"),
        ("NAMESPACE", "n"),
        ("SENSITIVE", "1"),
        ("FLUSH_DEADLINE", "2s"),
        ("SINK", &sink),
        ("STATE_DIR", &state_dir),
        ("CONFIG", "/nonexistent"),
    ];
    let all = of_the_run.iter().chain(&of_the_host);
    let invocation = all.fold(host.cronward(["--", "env"]), |invocation, (name, value)| {
        invocation.env(&format!("CRONWARD_{name}"), value)
    });
    let ran = invocation.run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let seen = ran.stdout_text();
    let has = |name: &str, value: &str| seen.lines().any(|line| line == format!("CRONWARD_{name}={value}"));
    for (name, _) in of_the_run {
        assert!(!seen.contains(&format!("CRONWARD_{name}=")), "{name} was passed on\n{ran}");
    }
    for (name, value) in of_the_host {
        assert!(has(name, value), "{name} was not passed on\n{ran}");
    }
    assert!(has("RUN_LABEL", "outer") && has("RUN_ATTEMPT", "1"), "{ran}");
    assert_eq!(host.journal("outer").outcomes(), ["ok"]);
}

#[test]
fn the_job_knows_its_run() {
    let host = Host::new();
    let ran = host
        .wrap(
            &["-l", "who am i"],
            "echo $CRONWARD_RUN_ID; echo $CRONWARD_RUN_LABEL; echo $CRONWARD_RUN_ATTEMPT",
        )
        .run();
    let stdout = ran.stdout_text();
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(lines[1..], ["who am i", "1"], "{ran}");
    assert!(ran.to_string().contains(lines[0]), "not the id on record\n{ran}");
}

#[test]
fn a_run_inside_a_run_records_its_parent() {
    let host = Host::new();
    let line = "\"$CRONWARD\" -l inner -c 'echo $CRONWARD_RUN_LABEL $CRONWARD_RUN_ID'";
    let wrapped = host
        .wrap(&["-l", "outer"], line)
        .env("CRONWARD", crate::support::program(env!("CARGO_BIN_EXE_cronward")));
    let ran = wrapped.run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let (outer, inner) = (host.journal("outer"), host.journal("inner"));
    assert_eq!(inner.last()["parent"], outer.last()["run"], "{ran}");
    assert!(outer.last().get("parent").is_none(), "{ran}");
    let inner_id = inner.last()["run"].as_str().unwrap_or_default();
    assert_eq!(ran.stdout_text(), format!("inner {inner_id}\n"), "{ran}");
}

#[test]
fn nearer_levels_win() {
    let host = Host::new();
    for (arguments, variable, expected) in [
        (vec!["-l", "flag", "-c", "CRONWARD_LABEL=line true"], "variable", "flag"),
        (vec!["-c", "CRONWARD_LABEL=line true"], "variable", "line"),
        (vec!["-c", "true"], "variable", "variable"),
    ] {
        let ran = host.cronward(arguments).env("CRONWARD_LABEL", variable).run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        assert_eq!(host.journal(expected).outcomes(), ["ok"], "{ran}");
    }
}

/// Anybody can set a variable; only a run's id is a run's id.
#[test]
fn a_parent_that_is_no_run_is_none() {
    let host = Host::new();
    for parent in ["", "x", "\"},{", "../../etc/passwd"] {
        let ran = host.wrap(&["-l", "x"], "echo $CRONWARD_RUN_ID").env("CRONWARD_RUN_ID", parent).run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        let journal = host.journal("x");
        assert!(journal.last().get("parent").is_none() && journal.torn.is_empty(), "{ran}");
        assert_eq!(journal.last()["run"], ran.stdout_text().trim_end(), "{ran}");
    }
}

#[test]
fn a_variable_that_holds_the_secret_of_a_sink_is_not_seen_by_the_job_nor_is_the_sink() {
    let host = Host::new();
    let seen = |sinks: &str| {
        let invocation = host.cronward(["-l", "job", "--", "env"]).env("CRONWARD_SINK", sinks);
        let ran = invocation.env("MY_KEY", "http://127.0.0.1:9/secret").env("MY_KEY_TOO", "x").run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        ran.stdout_text()
    };
    let log = host.log();
    let shown = seen(&format!("{log} ping:env:MY_KEY"));
    assert!(!shown.contains("MY_KEY=") && !shown.contains("secret"), "{shown}");
    assert!(shown.contains("MY_KEY_TOO=x\n") && shown.contains(&format!("CRONWARD_SINK={log}\n")), "{shown}");
    let shown = seen(&log);
    assert!(shown.contains("MY_KEY=http://127.0.0.1:9/secret\n"), "it is nobody's secret: {shown}");
}
