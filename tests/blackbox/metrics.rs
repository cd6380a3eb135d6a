//! What arrives as datagrams.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::support::wire::{self, Event, Line, Metric, ServiceCheck};
use crate::support::{End, Host, Receiver};

/// Datagram sizes of the manual.
const UDP_LONGEST: usize = 1432;
const UNIX_LONGEST: usize = 8192;

fn dogstatsd(host: &Host) -> Vec<Line> {
    wire::dogstatsd(&host.receiver.datagrams(), UDP_LONGEST)
}

fn metrics(lines: &[Line]) -> Vec<&Metric> {
    lines
        .iter()
        .filter_map(|line| if let Line::Metric(metric) = line { Some(metric) } else { None })
        .collect()
}

fn events(lines: &[Line]) -> Vec<&Event> {
    lines.iter().filter_map(|line| if let Line::Event(event) = line { Some(event) } else { None }).collect()
}

fn checks(lines: &[Line]) -> Vec<&ServiceCheck> {
    lines
        .iter()
        .filter_map(|line| if let Line::ServiceCheck(check) = line { Some(check) } else { None })
        .collect()
}

fn metric<'a>(lines: &'a [Line], name: &str) -> &'a Metric {
    let found: Vec<_> = metrics(lines).into_iter().filter(|metric| metric.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {lines:#?}");
    found[0]
}

#[test]
fn a_run_is_measured_in_the_table_of_metrics() {
    let host = Host::new();
    let ran =
        host.wrap(&["-l", "pg backup", "-t", "env:prod", "-t", "team=db", "-t", "canary"], "exit 3").run();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    let lines = dogstatsd(&host);
    let names: Vec<_> =
        metrics(&lines).iter().map(|metric| (metric.name.clone(), metric.kind.clone())).collect();
    let expected = [
        ("cronward.run.duration", "d"),
        ("cronward.run.count", "c"),
        ("cronward.run.exit_code", "g"),
        ("cronward.run.cpu_user", "d"),
        ("cronward.run.cpu_system", "d"),
        ("cronward.run.max_rss", "g"),
        ("cronward.job.consecutive_failures", "g"),
        ("cronward.job.alert_open", "g"),
    ];
    for (name, kind) in expected {
        let found =
            names.iter().filter(|(found, _)| found == name).map(|(_, kind)| &kind[..]).collect::<Vec<_>>();
        let kinds = if kind == "d" { vec!["d", "ms"] } else { vec![kind] };
        assert!(found.len() == 1 && kinds.contains(&found[0]), "{name}: {found:?} in {lines:#?}");
    }
    assert_eq!(names.len(), expected.len(), "{names:?}");
    let count = metric(&lines, "cronward.run.count");
    assert_eq!(count.value, 1.0);
    for tag in ["outcome:failed", "exit_code:3", "env:prod", "team:db", "canary"] {
        assert!(count.tags.iter().any(|found| found == tag), "{tag} in {count:?}");
    }
    assert!(count.tags.iter().any(|tag| tag.starts_with("task:pg")), "{count:?}");
    assert_eq!(metric(&lines, "cronward.run.exit_code").value, 3.0);
    assert_eq!(metric(&lines, "cronward.job.consecutive_failures").value, 1.0);
    assert_eq!(metric(&lines, "cronward.job.alert_open").value, 1.0);
    let duration = metric(&lines, "cronward.run.duration");
    assert!(duration.value > 0.0 && duration.value < 30_000.0, "{duration:?}");
    assert!(!duration.tags.iter().any(|tag| tag.starts_with("exit_code")), "{duration:?}");

    // The failure opened an alert: an event and a critical service check.
    let opened = events(&lines);
    assert_eq!(opened.len(), 1, "{lines:#?}");
    assert_eq!(opened[0].fields.get(&'t').map(String::as_str), Some("error"), "{opened:?}");
    let found = checks(&lines);
    assert_eq!(found.len(), 1, "{lines:#?}");
    assert_eq!((&found[0].name[..], found[0].status), ("cronward.job", 2));

    let ran = host.wrap(&["-l", "pg backup"], "exit 0").run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let lines = dogstatsd(&host);
    assert_eq!(metric(&lines, "cronward.job.alert_open").value, 0.0);
    assert!(metric(&lines, "cronward.job.last_success").value > 1.7e9);
    let statuses: Vec<_> = checks(&lines).iter().map(|check| check.status).collect();
    let kinds: Vec<_> = events(&lines).iter().map(|event| event.fields.get(&'t').cloned()).collect();
    assert_eq!((statuses, kinds), (vec![0], vec![Some("success".into())]), "{lines:#?}");
}

#[test]
fn a_death_is_measured_as_a_signal() {
    let host = Host::new();
    host.wrap(&["-l", "x"], "kill -9 $$").run();
    let lines = dogstatsd(&host);
    assert_eq!(metric(&lines, "cronward.run.signal").value, 9.0);
    let count = metric(&lines, "cronward.run.count");
    assert!(count.tags.iter().any(|tag| tag == "signal:SIGKILL"), "{count:?}");
    assert!(!metrics(&lines).iter().any(|metric| metric.name.ends_with("exit_code")), "{lines:#?}");
}

#[test]
fn plain_statsd_gets_plain_lines() {
    let host = Host::new();
    let sink = format!("statsd:{}", host.receiver.address());
    for (line, outcome) in [("exit 0", "ok"), ("exit 3", "failed"), ("kill -9 $$", "signaled")] {
        host.wrap(&["-l", "nightly/dump", "--sink", &sink], line).run();
        let found = wire::statsd(&host.receiver.datagrams(), UDP_LONGEST);
        let count: Vec<_> = found.iter().filter(|metric| metric.kind == "c").collect();
        assert_eq!(count.len(), 1, "{found:?}");
        let name = &count[0].name;
        assert!(
            name.starts_with("cronward.nightly") && name.ends_with(&format!(".run.count.{outcome}")),
            "{name}"
        );
        assert_eq!(name.split('.').count(), 5, "{name}");
        assert!(
            found.iter().any(|metric| metric.kind == "ms" && metric.name.ends_with(".run.duration")),
            "{found:?}"
        );
    }
}

/// Whatever a crontab's author, or whoever can name a job, puts in: the lines stay what they are, and
/// as many as they were.
#[test]
fn hostile_names_forge_nothing() {
    let hostile: [&[u8]; 10] = [
        b"x\nforged:1|c",
        b"x|c\nforged:1|c|#a:b",
        b"x,forged:1|#y|@0.1",
        b"#|,:@",
        b"_e{1,1}:a|b",
        b"_sc|forged|2",
        b"\x01\x1b[31m\x7f",
        b"\xff\xfe\xc0",
        "é\u{2028}漢\u{85}".as_bytes(),
        b"m: x\\nm:y",
    ];
    let plain = Host::new();
    plain.wrap(&["-l", "x", "-t", "k:v", "--owner", "o", "--runbook", "r"], "exit 3").run();
    let expected = dogstatsd(&plain).len();
    let host = Host::new();
    for word in hostile {
        let word = OsString::from_vec(word.to_vec());
        let tag = |key: &str| {
            let mut tag = OsString::from(key);
            tag.push(&word);
            tag
        };
        let options: Vec<OsString> = vec![
            "-l".into(),
            word.clone(),
            "-t".into(),
            tag("k:"),
            "-t".into(),
            tag("k2="),
            "--owner".into(),
            word.clone(),
            "--runbook".into(),
            word.clone(),
            "--alert-key".into(),
            word.clone(),
        ];
        let command: Vec<OsString> =
            vec!["--".into(), "sh".into(), "-c".into(), "exit 3".into(), word.clone()];
        let ran = host.cronward(options.iter().cloned().chain(command.clone())).run();
        assert_eq!(ran.end(), End::Code(3), "{ran}");
        assert_eq!(ran.stderr_text().lines().count(), ran.own_words().len(), "{ran}");
        let lines = dogstatsd(&host);
        assert_eq!(lines.len(), expected, "{lines:#?}");
        assert!(metrics(&lines).iter().all(|metric| metric.name.starts_with("cronward.")), "{lines:#?}");

        let sink = OsString::from(format!("statsd:{}", host.receiver.address()));
        let ran = host.cronward(options.into_iter().chain(["--sink".into(), sink]).chain(command)).run();
        assert_eq!(ran.end(), End::Code(3), "{ran}");
        let found = wire::statsd(&host.receiver.datagrams(), UDP_LONGEST);
        assert!(
            found.iter().all(|metric| metric.name.starts_with("cronward.") && metric.name.contains(".run.")
                || metric.name.contains(".job.")),
            "{found:?}"
        );
    }
}

#[test]
fn a_hostile_namespace_forges_nothing() {
    let host = Host::new();
    for namespace in ["a\nforged:1|c", "a|b", "a:b"] {
        let ran = host.wrap(&["-l", "x", "--namespace", namespace], "exit 3").run();
        // It may be refused or made safe, and nothing else.
        if ran.end() != End::Code(125) {
            let lines = dogstatsd(&host);
            assert!(!lines.is_empty(), "{ran}");
        }
    }
}

#[test]
fn long_tags_are_cut_into_datagrams_of_their_size() {
    let host = Host::new();
    let unix = Receiver::unix(&host.path("dsd.sock"));
    let sink = format!("dogstatsd:{}", unix.address());
    let tags: Vec<String> = (0..12).map(|at| format!("k{at}:{}", "v".repeat(60))).collect();
    let mut options = vec!["-l", "x"];
    options.extend(tags.iter().flat_map(|tag| ["-t", tag]));
    host.wrap(&options, "exit 3").run();
    let over_udp = host.receiver.datagrams();
    assert!(over_udp.len() > 1, "{over_udp:?}");
    let over_udp = wire::dogstatsd(&over_udp, UDP_LONGEST);
    options.extend(["--sink", &sink]);
    host.wrap(&options, "exit 3").run();
    let over_unix = wire::dogstatsd(&unix.datagrams(), UNIX_LONGEST);
    assert_eq!(metrics(&over_udp).len(), metrics(&over_unix).len());
}
