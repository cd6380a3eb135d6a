//! What an alert says has changed since the last success, and the plan that is kept beside the journal
//! for that.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::host::PATH;
use crate::support::{End, Host, Invocation, eventually, wire};

/// A job that ends with the code that the environment says.
const JOB: [&str; 3] = ["sh", "-c", "exit $CODE"];

/// One run of `job`; it logs, and leaves what a sink away from here is told in `event` and `changed`.
fn run<'h>(host: &'h Host, options: &[&str], command: &[&str], code: u8) -> Invocation<'h> {
    let log = host.log();
    let away = "exec:cat >event; printf %s \"$CRONWARD_EVENT_CHANGED\" >changed";
    let words = [&["-l", "job", "--sink", &log, "--sink", away], options, &["--"], command].concat();
    host.cronward(words).env("CODE", code.to_string())
}

fn succeed(host: &Host, options: &[&str], command: &[&str]) {
    let ran = run(host, options, command, 0).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
}

/// What the last alert that was opened says of changes.
fn changed(host: &Host) -> Vec<String> {
    let opened = host.events().into_iter().rfind(|event| event["kind"] == "alert.opened").expect("an alert");
    strings(&opened)
}

fn strings(event: &Value) -> Vec<String> {
    let Some(changed) = event["alert"].get("changed") else { return Vec::new() };
    let changed = changed.as_array().expect("a list").iter();
    let all: Vec<_> = changed.map(|change| change.as_str().expect("a sentence").to_owned()).collect();
    assert!(!all.is_empty(), "what does not apply is absent: {event}");
    all
}

/// Writes a script that is newer than any run so far.
fn deploy(host: &Host, name: &str, text: &str) -> PathBuf {
    let path = host.script(name, text);
    // What a file system calls now may be some milliseconds ago.
    let soon = SystemTime::now() + Duration::from_secs(1);
    fs::File::options().write(true).open(&path).unwrap().set_modified(soon).unwrap();
    path
}

#[test]
fn a_script_that_was_modified_since_the_last_success_is_named() {
    let host = Host::new();
    let script = host.script("backup.sh", "exit $CODE\n");
    let path = script.to_str().unwrap();
    for (command, by_hand) in [(&["sh", "backup.sh"][..], "backup.sh"), (&[path], path)] {
        host.script("backup.sh", "exit $CODE\n");
        succeed(&host, &[], command);
        run(&host, &[], command, 3).run();
        assert_eq!(changed(&host), Vec::<String>::new(), "{command:?}");
        succeed(&host, &[], command);

        deploy(&host, "backup.sh", "exit 3 # was deployed\n");
        run(&host, &[], command, 0).run();
        let changed = changed(&host);
        assert_eq!(changed.len(), 1, "{changed:?}");
        let front = format!("'{by_hand}' was modified at 20");
        assert!(changed[0].starts_with(&front), "{changed:?}");
        assert!(changed[0].ends_with("Z (22 B, was 11 B)"), "{changed:?}");
    }
}

#[test]
fn an_executable_that_is_not_there_any_more_is_named() {
    let host = Host::new();
    let script = host.script("backup.sh", "#!/bin/sh\n");
    let path = script.to_str().unwrap();
    succeed(&host, &[], &[path]);
    fs::remove_file(&script).unwrap();
    let ran = run(&host, &[], &[path], 0).run();
    assert_eq!(ran.end(), End::Code(127), "{ran}");
    assert_eq!(changed(&host), [format!("'{path}' is not there any more")]);
}

#[test]
fn what_was_given_differently_is_told_once() {
    type Vary = for<'h> fn(&'h Host, u8) -> Invocation<'h>;
    let hour: Vary = |host, code| run(host, &["--timeout", "1h"], &JOB, code);
    let variations: [(Vary, Vec<&str>); 5] = [
        (hour, vec![]),
        (
            |host, code| run(host, &["--timeout", "10m"], &JOB, code),
            vec!["configuration: timeout changed from '1h' to '10m'"],
        ),
        (
            |host, code| run(host, &["--timeout", "1h"], &["sh", "-c", "exit $CODE", "x"], code),
            vec!["command changed from 'sh -c exit $CODE' to 'sh -c exit $CODE x'"],
        ),
        (
            |host, code| run(host, &["--timeout", "1h"], &JOB, code).env("PATH", "/usr/bin:/bin"),
            vec!["PATH changed from '/usr/local/bin:/usr/bin:/bin' to '/usr/bin:/bin'"],
        ),
        // Tags may differ with every run, and nothing fails for them.
        (|host, code| run(host, &["--timeout", "1h", "-t", "build:2"], &JOB, code), vec![]),
    ];
    assert_eq!(PATH, "/usr/local/bin:/usr/bin:/bin");
    for (vary, expected) in variations {
        let host = Host::new();
        assert_eq!(hour(&host, 0).run().end(), End::Code(0));
        assert_eq!(vary(&host, 3).run().end(), End::Code(3));
        assert_eq!(changed(&host), expected);
        let opened = host.events().into_iter().filter(|event| event["alert"].get("changed").is_some());
        assert_eq!(opened.count(), usize::from(!expected.is_empty()), "only in the opening");
        // It succeeds so, and then fails for another reason.
        assert_eq!(vary(&host, 0).run().end(), End::Code(0));
        assert_eq!(vary(&host, 3).run().end(), End::Code(3));
        assert_eq!(changed(&host), Vec::<String>::new(), "after {expected:?}");
    }
}

#[test]
fn a_change_is_told_when_the_alert_is_opened_however_many_failures_later() {
    let host = Host::new();
    let rule = ["--alert-after", "3"];
    succeed(&host, &rule, &JOB);
    for _ in 0..3 {
        run(&host, &[&rule[..], &["--timeout", "10m"]].concat(), &JOB, 3).run();
    }
    assert_eq!(changed(&host), ["configuration: timeout changed from '' to '10m'"]);
}

#[test]
fn before_the_first_success_nothing_has_changed() {
    let host = Host::new();
    let rule = ["--alert-after", "2"];
    run(&host, &rule, &JOB, 3).run();
    run(&host, &[&rule[..], &["--timeout", "10m"]].concat(), &JOB, 3).run();
    assert_eq!(changed(&host), Vec::<String>::new());
}

/// The event as the program of an `exec` sink reads it, and its variable.
fn told_away(host: &Host) -> (Vec<String>, String) {
    let event: Value = serde_json::from_slice(&fs::read(host.path("event")).unwrap()).unwrap();
    assert_eq!(event["kind"], "alert.opened", "{event}");
    (strings(&event), fs::read_to_string(host.path("changed")).unwrap())
}

#[test]
fn arguments_and_paths_that_changed_leave_the_host_only_when_told_to() {
    for (options, in_full) in [
        (&[][..], false),
        (&["--send-args"], true),
        (&["--sensitive"], false),
        (&["--sensitive", "--send-args"], false),
    ] {
        let host = Host::new();
        let script = host.script("backup.sh", "#!/bin/sh\nexit 0\n");
        let path = script.to_str().unwrap();
        succeed(&host, options, &[path, "SECRET1"]);
        deploy(&host, "backup.sh", "#!/bin/sh\nexit 3\n");
        run(&host, options, &[path, "SECRET2"], 3).run();
        let here = changed(&host);
        assert!(here[0].contains(path) && here[1].contains("SECRET1") && here[1].contains("SECRET2"));
        let (event, variable) = told_away(&host);
        assert_eq!(variable.lines().collect::<Vec<_>>(), event, "a line for each");
        if in_full {
            assert_eq!(event, here);
        } else {
            let when = here[0].strip_prefix(&format!("'{path}'")).unwrap();
            assert_eq!(event, [format!("the executable{when}"), "command changed".to_owned()]);
        }
    }
}

#[test]
fn without_a_change_there_is_no_variable_of_it() {
    let host = Host::new();
    succeed(&host, &[], &JOB);
    run(&host, &[], &JOB, 3).run();
    assert_eq!(told_away(&host), (vec![], String::new()));
}

#[test]
fn an_event_of_dogstatsd_has_a_line_for_each_change() {
    let host = Host::new();
    let run = |options: &[&str], code: u8| {
        let words = [&["-l", "job"], options, &["--"], &JOB].concat();
        host.cronward(words).env("CODE", code.to_string()).run();
    };
    run(&["--timeout", "1h", "--owner", "dba"], 0);
    host.receiver.datagrams();
    run(&["--timeout", "10m", "--owner", "db team"], 3);
    let event = wire::dogstatsd(&host.receiver.datagrams(), 1432).into_iter().find_map(|line| match line {
        wire::Line::Event(event) => Some(event),
        wire::Line::Metric(_) | wire::Line::ServiceCheck(_) => None,
    });
    let text = event.expect("an event of the alert").text;
    let lines: Vec<_> = text.split("\\n").filter(|line| line.starts_with("Changed: ")).collect();
    assert_eq!(
        lines,
        [
            "Changed: configuration: timeout changed from '1h' to '10m'",
            "Changed: configuration: owner changed from 'dba' to 'db team'"
        ],
        "{text}"
    );
}

fn plan(host: &Host) -> PathBuf {
    host.state_dir().join("jobs/job/plan.json")
}

#[test]
fn the_plan_is_for_its_owner_alone_and_written_only_when_it_changes() {
    let host = Host::new();
    let inode = || fs::metadata(plan(&host)).unwrap().ino();
    succeed(&host, &[], &JOB);
    assert_eq!(fs::metadata(plan(&host)).unwrap().permissions().mode() & 0o7777, 0o600);
    let first = inode();
    succeed(&host, &[], &JOB);
    run(&host, &[], &JOB, 3).run();
    assert_eq!(inode(), first, "the same plan was written again");
    succeed(&host, &["--max-age", "1d"], &JOB);
    assert_ne!(inode(), first);
    let kept: Value = serde_json::from_slice(&fs::read(plan(&host)).unwrap()).unwrap();
    assert_eq!((&kept["label"], &kept["command"]), (&"job".into(), &json!(JOB)), "{kept}");
    let max_age = kept["given"].as_array().unwrap().iter().find(|given| given["option"] == "max-age");
    assert_eq!(max_age.unwrap()["value"], "1d", "{kept}");
}

/// A first run that hangs is the one to be known of.
#[test]
fn the_plan_of_a_first_run_is_there_while_it_runs() {
    let host = Host::new();
    let hold = host.fifo("hold");
    let running = run(&host, &["--max-age", "1d"], &["sh", "-c", "read x <hold"], 0).start();
    eventually("the plan is kept", || plan(&host).exists());
    assert!(!running.has_ended());
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
}

/// Every file below a directory.
#[cfg(feature = "http")]
fn files(directory: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[cfg(feature = "http")]
#[test]
fn no_secret_of_a_sink_is_kept() {
    let host = Host::new();
    let (_near, refuses) = crate::support::http::refusing_address();
    let url = format!("http://{refuses}/SECRET");
    let sink = format!("ping:{url}");
    fs::write(host.path("url"), &url).unwrap();
    let by_file = format!("ping:file:{}", host.path("url").display());
    let adds = format!("+{sink}");
    let line = format!("CRONWARD_SINK={sink} exit 3");
    let options = ["-l", "job", "--flush-deadline", "50ms"];
    let run = |more: &[&str], line: &str| host.wrap(&[&options[..], more].concat(), line);
    for (what, invocation) in [
        ("a flag", run(&["--sink", &sink], "exit 3")),
        ("one more", run(&["--sink", &adds], "exit 3")),
        ("a variable", run(&[], "exit 3").env("CRONWARD_SINK", &sink)),
        ("a word of the line", run(&[], &line)),
        ("a file", run(&["--sink", &by_file], "exit 3")),
        ("another variable", run(&["--sink", "ping:env:HC_URL"], "exit 3").env("HC_URL", &url)),
    ] {
        let ran = invocation.run();
        assert_eq!(ran.end(), End::Code(3), "{what}\n{ran}");
        let kept = files(&host.state_dir());
        assert!(kept.contains(&plan(&host)), "{what}: {kept:?}");
        for file in kept {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            assert!(!text.contains("SECRET"), "{what}: {} {text}", file.display());
        }
    }
    let text = fs::read_to_string(plan(&host)).unwrap();
    assert!(text.contains("ping:env:HC_URL"), "where it is may be known: {text}");
}
