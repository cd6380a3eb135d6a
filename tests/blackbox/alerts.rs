//! When failures are an alert, seen from outside: sequences of runs, and what the events make of them.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use serde_json::Value;

use crate::support::{End, Host};

/// Runs one job for each letter, `o` a success and `F` a failure, with these options. Gives a letter for
/// each: `.` healthy, `f` failing, `O` the alert was opened, `_` it is still open, `R` it was repeated, `C`
/// it was closed.
fn play(host: &Host, runs: &str, options: &[&str]) -> String {
    runs.chars().map(|run| verdict(&run_one(host, run, options))).collect()
}

/// The events of one run, without that of its start.
fn run_one(host: &Host, run: char, options: &[&str]) -> Vec<Value> {
    let before = host.events().len();
    let code = if run == 'o' { "0" } else { "1" };
    let log = host.log();
    let options = [&["-l", "job", "--sink", &log, "--sink", "exec:true"], options].concat();
    let ran = host.wrap(&options, "exit $CODE").env("CODE", code).run();
    assert_eq!(ran.end(), End::Code(code.parse().unwrap()), "{ran}");
    assert!(ran.stderr.is_empty(), "{ran}");
    host.events().into_iter().skip(before).filter(|event| event["kind"] != "run.started").collect()
}

fn verdict(events: &[Value]) -> char {
    let finished = &events[0];
    assert!(finished["kind"] == "run.finished" && events.len() <= 2, "{events:#?}");
    let is_open = finished.get("alert").is_some();
    let (letter, opens) = match events.get(1).map(|event| event["kind"].as_str().unwrap()) {
        Some("alert.opened") => ('O', true),
        Some("alert.repeated") => ('R', true),
        Some("alert.closed") => ('C', false),
        Some(other) => panic!("{other}"),
        None if is_open => ('_', true),
        None if finished["consecutive_failures"] == 0 => ('.', false),
        None => ('f', false),
    };
    assert_eq!(is_open, opens, "{events:#?}");
    letter
}

/// The same sequences as in the table of the policy, which has the reasons.
#[test]
fn a_rate_of_failures_opens_an_alert_that_no_streak_would() {
    for (runs, after, recover, expected) in [
        ("FoFoFo", "2", "1", "f.f.f."),
        // An odd window flaps with a job that does; more successes in a row steady it.
        ("FoFoFoFooooo", "3/5", "1", "f.f.OCOC...."),
        ("FoFoFoFooooo", "3/5", "2", "f.f.O___C..."),
        ("FFFooFoo", "3/5", "1", "ffO___C."),
        ("FFF", "3/64", "1", "ffO"),
    ] {
        let host = Host::new();
        let options = ["--alert-after", after, "--recover-after", recover];
        assert_eq!(play(&host, runs, &options), expected, "{runs} under {after}, {recover}");
    }
}

#[test]
fn failures_within_a_time_open_an_alert_and_it_closes_when_they_are_long_ago() {
    let host = Host::new();
    assert_eq!(play(&host, "FoFooF", &["--alert-after", "3/1h"]), "f.f..O");
    // An hour later; here the hour is made so short that it is over.
    assert_eq!(play(&host, "oo", &["--alert-after", "3/1h"]), "__");
    assert_eq!(play(&host, "o", &["--alert-after", "3/1ns"]), "C");
    // The moments of three failures that are together less than an hour old are still remembered.
    assert_eq!(play(&host, "F", &["--alert-after", "3/1h"]), "O");
}

#[test]
fn one_incident_has_one_id_from_its_opening_to_its_close() {
    let host = Host::new();
    let options = ["--alert-after", "2/3", "--realert", "1h"];
    assert_eq!(play(&host, "FF", &options), "fO");
    assert_eq!(play(&host, "F", &["--alert-after", "2/3", "--realert", "1ns"]), "R");
    assert_eq!(play(&host, "oo", &options), "_C");
    assert_eq!(play(&host, "FF", &options), "fO");
    let events = host.events();
    let told = events.iter().filter(|event| event["kind"].as_str().unwrap().starts_with("alert."));
    let alerts: Vec<(&str, &Value)> =
        told.map(|event| (event["kind"].as_str().unwrap(), &event["alert"])).collect();
    let kinds: Vec<&str> = alerts.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["alert.opened", "alert.repeated", "alert.closed", "alert.opened"]);
    let (_, first) = alerts[0];
    assert!(alerts[..3].iter().all(|(_, alert)| alert["id"] == first["id"]), "{alerts:#?}");
    assert!(alerts[..3].iter().all(|(_, alert)| alert["opened_at"] == first["opened_at"]), "{alerts:#?}");
    assert_eq!(alerts[2].1["failures"], 3);
    assert_ne!(alerts[3].1["id"], first["id"]);
}

/// A rule that is changed between two runs judges by what is remembered, and the alert that is open stays
/// the one that it was.
#[test]
fn a_rule_can_be_changed_between_runs() {
    let host = Host::new();
    assert_eq!(play(&host, "FoF", &["--alert-after", "3"]), "f.f");
    assert_eq!(play(&host, "F", &["--alert-after", "3/5"]), "O");
    let id = host.journal("job").fold["alert"]["id"].clone();
    assert_eq!(play(&host, "o", &["--alert-after", "3/5"]), "_");
    assert_eq!(play(&host, "F", &["--alert-after", "3/1h"]), "_");
    let fold = host.journal("job").fold;
    assert_eq!((&fold["alert"]["id"], &fold["alert"]["failures"]), (&id, &4.into()), "{fold}");
    assert_eq!(play(&host, "o", &["--alert-after", "1"]), "C");
    assert_eq!(host.events().pop().unwrap()["alert"]["id"], id);
    // Of the failures before it no rule by time had asked for the moments.
    assert_eq!(play(&host, "F", &["--alert-after", "3/1h"]), "f");
}

#[test]
fn a_rule_that_cannot_be_is_a_usage_error() {
    let host = Host::new();
    for (rule, hint) in [
        ("0", "write a number of 1 or more"),
        ("5/3", "5 of 3 runs cannot fail; write the smaller number first"),
        ("3/65", "write 64 at most behind '/'"),
        ("65/1h", "write 64 at most before '/'"),
        ("3/0s", "it must be longer than nothing"),
        ("3/5M", "write '5m' for minutes"),
        ("3/", "write a number of 1 or more"),
    ] {
        let ran = host.wrap(&["-l", "job", "--alert-after", rule], "true").run();
        assert_eq!(ran.end(), End::Code(125), "{rule}\n{ran}");
        let words = ran.own_words();
        let front = format!("cronward: bad threshold '{rule}' in --alert-after: ");
        assert!(words.len() == 1 && words[0].starts_with(&front) && words[0].contains(hint), "{rule}\n{ran}");
    }
}

/// What the version before this one wrote, with an alert that is open: there was no word of the moments of
/// failures, of when a job was first seen, of a run that is counted before its end.
const BEFORE: [&str; 2] = [
    r#"{"v":1,"start":{"run":"01a1fd78-c21e-7674-869b-fc5edfce17d0","at":1795253912094,"host":"db1","pid":195  }}"#,
    r#"{"v":1,"end":{"run":"01a1fd78-c21e-7674-869b-fc5edfce17d0","outcome":"failed","started_at":1795253912094,"ended_at":1795253912108,"wall_us":12547,"pid":195,"attempts":1,"exit_code":1,"reason":"exited with 1","argv":["/bin/sh","-c","exit 1"],"verdict":"opened","alert":{"id":"01a1fd78-c22c-72cd-8db9-237548fb6946","key":"db1/job","opened_at":1795253912108,"notified_at":1795253912108,"failures":2}},"fold":{"label":"job","seen":108,"failures":2,"recent":"oFF","alert":{"id":"01a1fd78-c22c-72cd-8db9-237548fb6946","key":"db1/job","opened_at":1795253912108,"notified_at":1795253912108,"failures":2},"last_success":{"at":1795253900000,"wall_us":9000},"last":{"run":"01a1fd78-c21e-7674-869b-fc5edfce17d0","outcome":"failed","at":1795253912108,"wall_us":12547},"totals":{"ok":1,"failed":2}}}"#,
];

/// A host on which the version before has left such a journal of `job`.
fn host_with_journal() -> Host {
    let host = Host::new();
    let job = host.state_dir().join("jobs/job");
    DirBuilder::new().recursive(true).mode(0o700).create(&job).unwrap();
    let path = job.join("runs.jsonl");
    let mut journal = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    // A record begins and ends with a newline; the fold says where the one that it is in began.
    let [start, end] = BEFORE.map(|record| format!("\n{record}\n"));
    assert!(end.contains(&format!("\"seen\":{},", start.len())), "{}", start.len());
    journal.write_all(format!("{start}{end}").as_bytes()).unwrap();
    host
}

#[test]
fn a_journal_of_the_version_before_is_read() {
    let host = host_with_journal();
    let status = host.status();
    let known = "01a1fd78-c22c-72cd-8db9-237548fb6946";
    assert_eq!((&status[0]["alert"]["id"], &status[0]["outcome"]), (&known.into(), &"failed".into()));

    let options = ["--alert-after", "2", "--realert", "1h"];
    // It was last told of long ago, and that it was is known.
    let events = run_one(&host, 'F', &options);
    assert_eq!(verdict(&events), 'R', "{events:#?}");
    let alert = &events[1]["alert"];
    assert_eq!(
        (&alert["id"], &alert["key"], &alert["failures"]),
        (&known.into(), &"db1/job".into(), &3.into())
    );
    assert_eq!(alert["opened_at"], "2026-11-21T09:38:32.108Z");
    assert_eq!(play(&host, "F", &options), "_");
    let events = run_one(&host, 'o', &options);
    assert_eq!((verdict(&events), &events[1]["alert"]["id"]), ('C', &known.into()));
    let totals = &host.journal("job").fold["totals"];
    assert_eq!((&totals["ok"], &totals["failed"]), (&2.into(), &4.into()), "nothing was forgotten");
}

/// Rules that look back over runs are new; what is remembered of the runs before them is enough.
#[test]
fn a_rate_counts_the_runs_that_the_version_before_has_recorded() {
    let host = host_with_journal();
    assert_eq!(play(&host, "ooo", &["--alert-after", "2/5"]), "___");
    assert_eq!(play(&host, "o", &["--alert-after", "2/5"]), "C");
}
