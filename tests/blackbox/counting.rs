//! Nothing is lost when many runs of one label end at once.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::{End, Host};

/// Alerts that an exec sink was given, by kind: each wrote a file of its own.
fn alerts(host: &Host, kind: &str) -> Vec<Value> {
    let files = fs::read_dir(host.path("alerts")).unwrap().flatten();
    let events = files.map(|file| serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap());
    events.filter(|event: &Value| event["kind"] == kind).collect()
}

#[test]
fn a_hundred_failures_twenty_at_a_time_are_a_hundred_and_one_alert() {
    let host = Host::new();
    fs::create_dir(host.path("alerts")).unwrap();
    let options = ["-l", "many", "--alert-after", "5", "--sink", "exec:cat >$(mktemp alerts/XXXXXXXX)"];
    for _ in 0..5 {
        let all: Vec<_> = (0..20).map(|_| host.wrap(&options, "exit 1").start()).collect();
        for running in all {
            let ran = running.wait();
            assert_eq!(ran.end(), End::Code(1), "{ran}");
            assert!(ran.stderr.is_empty(), "the exec sink took charge\n{ran}");
        }
    }
    let journal = host.journal("many");
    assert!(journal.torn.is_empty(), "{:?}", journal.torn);
    let starts: BTreeSet<_> = journal.starts.iter().collect();
    let ends: BTreeSet<_> = journal.ends.iter().filter_map(|end| end["run"].as_str()).collect();
    assert_eq!((journal.starts.len(), starts.len(), journal.ends.len(), ends.len()), (100, 100, 100, 100));
    assert_eq!(journal.outcomes(), ["failed"; 100]);
    assert_eq!(journal.fold["failures"], 100, "{}", journal.fold);
    let status = host.status();
    assert_eq!(status[0]["consecutive_failures"], 100, "{status}");
    let opened = alerts(&host, "alert.opened");
    assert_eq!(status[0]["alert"]["id"], opened[0]["alert"]["id"], "{status}");
    assert_eq!((opened.len(), alerts(&host, "alert.closed").len()), (1, 0));

    let ran = host.wrap(&options, "exit 0").run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let closed = alerts(&host, "alert.closed");
    assert_eq!((closed.len(), alerts(&host, "alert.opened").len()), (1, 1));
    assert_eq!(closed[0]["alert"]["id"], opened[0]["alert"]["id"]);
    assert_eq!(closed[0]["alert"]["failures"], 100);

    let totals = &host.journal("many").fold["totals"];
    assert_eq!((&totals["failed"], &totals["ok"]), (&100.into(), &1.into()), "{totals}");
    let status = host.status();
    let job = &status[0];
    assert_eq!((&job["label"], &job["outcome"]), (&"many".into(), &"ok".into()), "{status}");
    assert_eq!((&job["consecutive_failures"], job.get("alert")), (&0.into(), None), "{status}");
}

/// Opens once, stays silent while it is open, closes once with the same identity.
#[test]
fn an_alert_opens_and_closes_by_its_rule() {
    let host = Host::new();
    fs::create_dir(host.path("alerts")).unwrap();
    let options = [
        "-l",
        "rule",
        "--alert-after",
        "3",
        "--recover-after",
        "2",
        "--sink",
        "exec:cat >$(mktemp alerts/XXXXXXXX)",
    ];
    let mut told = Vec::new();
    for code in [1, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1] {
        host.wrap(&options, &format!("exit {code}")).run();
        told.push((alerts(&host, "alert.opened").len(), alerts(&host, "alert.closed").len()));
    }
    let expected = [(0, 0); 5].into_iter().chain([(1, 0); 5]).chain([(1, 1); 4]).chain([(2, 1)]);
    assert_eq!(told, expected.collect::<Vec<_>>());
    let ids: BTreeSet<_> =
        alerts(&host, "alert.opened").iter().map(|alert| alert["alert"]["id"].to_string()).collect();
    assert_eq!(ids.len(), 2, "another incident has another id");
}

#[test]
fn an_open_alert_is_repeated_when_it_is_time() {
    let host = Host::new();
    fs::create_dir(host.path("alerts")).unwrap();
    for every in ["1h", "1ms"] {
        let options = ["-l", every, "--realert", every, "--sink", "exec:cat >$(mktemp alerts/XXXXXXXX)"];
        for _ in 0..3 {
            // The exec sink alone takes longer than a millisecond.
            host.wrap(&options, "exit 1").run();
        }
        let expected = if every == "1h" { 0 } else { 2 };
        assert_eq!(alerts(&host, "alert.repeated").len(), expected);
    }
}

/// Compaction replaces the file under runs that are about to append to it.
#[test]
fn nothing_is_lost_while_the_journal_is_compacted() {
    let host = Host::new();
    let line = format!("CRONWARD_ALERT_AFTER=1000 exit 1 # {}", "x".repeat(10_000));
    for _ in 0..8 {
        let all: Vec<_> = (0..20).map(|_| host.wrap(&["-l", "many"], &line).start()).collect();
        for running in all {
            let ran = running.wait();
            assert_eq!(ran.end(), End::Code(1), "{ran}");
            assert!(ran.stderr.is_empty(), "{ran}");
        }
    }
    let fold = host.journal("many").fold;
    assert_eq!((&fold["failures"], &fold["totals"]["failed"]), (&160.into(), &160.into()), "{fold}");
    assert!(host.journal_size("many") < 3 << 19, "{} bytes", host.journal_size("many"));
}
