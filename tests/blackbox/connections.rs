//! What arrives of metrics over connections, and with tags in the name.

use crate::support::wire::{self, Line};
use crate::support::{End, Host, Listener, Receiver};

/// Datagram sizes of the manual.
const UDP_LONGEST: usize = 1432;
const UNIX_LONGEST: usize = 8192;

/// The messages in what came over a connection: each behind its length, four bytes with the least first.
fn framed(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap();
        assert!(length <= rest.len(), "half a message of {length} bytes");
        messages.push(rest[..length].to_vec());
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty(), "half a length: {bytes:?}");
    messages
}

fn names(lines: &[Line]) -> Vec<&str> {
    lines
        .iter()
        .filter_map(|line| if let Line::Metric(metric) = line { Some(&metric.name[..]) } else { None })
        .collect()
}

#[test]
fn a_stream_socket_gets_what_a_datagram_socket_gets_in_frames() {
    let host = Host::new();
    host.wrap(&["-l", "x"], "exit 3").run();
    let datagrams = wire::dogstatsd(&host.receiver.datagrams(), UDP_LONGEST);
    let listener = Listener::unix(&host.path("dsd.sock"));
    let path = host.path("dsd.sock").display().to_string();
    let url = |scheme: &str| format!("{scheme}://{path}");
    for (sink, variable) in [
        (format!("dogstatsd:unixstream:{path}"), String::new()),
        (format!("dogstatsd:{path}"), String::new()),
        ("dogstatsd:".to_owned(), url("unixstream")),
        ("dogstatsd:".to_owned(), url("unix")),
    ] {
        let events = host.log();
        let options = ["-l", "x", "--realert", "1ms", "--sink", &sink, "--sink", &events];
        let ran = host.wrap(&options, "sleep 0.01; exit 3").env("DD_DOGSTATSD_URL", &variable).run();
        assert_eq!(ran.end(), End::Code(3), "{ran}");
        let connections = listener.connections();
        assert_eq!(connections.len(), 1, "{sink} {variable}");
        let lines = wire::dogstatsd(&framed(&connections[0]), UNIX_LONGEST);
        assert_eq!(names(&lines), names(&datagrams), "{sink} {variable}");
        assert_eq!(lines.len(), datagrams.len(), "{lines:#?}");
        let event = host.events().pop().expect("an event");
        assert!(event.get("sink_errors").is_none(), "{event:#}");
    }
    assert!(host.receiver.datagrams().is_empty());
}

#[test]
fn a_start_that_is_told_over_a_stream_has_a_connection_of_its_own() {
    let host = Host::new();
    let listener = Listener::unix(&host.path("dsd.sock"));
    let sink = format!("dogstatsd:unixstream:{}?events=all", host.path("dsd.sock").display());
    host.wrap(&["-l", "x", "--sink", &sink], "exit 0").run();
    let connections = listener.connections();
    let kinds: Vec<_> = connections.iter().map(|bytes| framed(bytes).len()).collect();
    assert_eq!(kinds, [1, 1], "{connections:?}");
    let start = wire::dogstatsd(&framed(&connections[0]), UNIX_LONGEST);
    assert!(matches!(&start[..], [Line::Event(_)]), "{start:?}");
}

/// The lines of one run's datagrams.
fn lines(receiver: &Receiver) -> Vec<String> {
    let datagrams = receiver.datagrams();
    let text = |datagram: &Vec<u8>| String::from_utf8(datagram.clone()).expect("text");
    datagrams
        .iter()
        .map(text)
        .flat_map(|text| text.split('\n').map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn tags_stand_in_the_name_for_telegraf_and_for_graphite() {
    let host = Host::new();
    for (style, tags, negative) in [
        (
            "influx",
            ",task=nightly/dump,outcome=failed,exit_code=3,env=prod,canary=true",
            "rows,task=nightly/dump",
        ),
        (
            "graphite",
            ";task=nightly_dump;outcome=failed;exit_code=3;env=prod;canary=true",
            "rows;task=nightly_dump",
        ),
    ] {
        let sink = format!("statsd:{}?tags={style}", host.receiver.address());
        let options =
            ["-l", "nightly/dump", "-t", "env:prod", "-t", "canary", "-t", "outcome:x", "--sink", &sink];
        let ran = host.wrap(&options, "echo rows=-2.5 >>$CRONWARD_RUN_REPORT; exit 3").run();
        assert_eq!(ran.end(), End::Code(3), "{ran}");
        let lines = lines(&host.receiver);
        assert!(lines.contains(&format!("cronward.run.count{tags}:1|c")), "{lines:#?}");
        assert!(
            lines.iter().all(|line| line.starts_with("cronward.run.") || line.starts_with("cronward.job."))
        );
        let at = lines.iter().position(|line| line.contains(negative)).expect("a gauge");
        assert!(lines[at].ends_with(":0|g") && lines[at + 1].ends_with(":-2.5|g"), "{lines:#?}");
        assert_eq!(lines[at].trim_end_matches(":0|g"), lines[at + 1].trim_end_matches(":-2.5|g"));
    }
}

/// Whatever a crontab's author puts in: no line, and no tag of ours, is forged.
#[test]
fn hostile_tags_in_names_forge_nothing() {
    let host = Host::new();
    for style in ["influx", "graphite"] {
        let sink = format!("statsd:{}?tags={style}", host.receiver.address());
        for word in
            ["x\nforged:1|c", "a,task=y", "a;task=y", "a=b=c", "|c\n:#[]", "\u{1b}[31m\\", "é 漢\u{2028}"]
        {
            let tag = format!("k:{word}");
            let options = ["-l", word, "-t", &tag, "-t", word, "--sink", &sink];
            host.wrap(&options, "exit 3").run();
            let lines = lines(&host.receiver);
            assert_eq!(lines.len(), 8, "{lines:#?}");
            let divider = if style == "influx" { ',' } else { ';' };
            for line in &lines {
                let (name, value) = line.split_once(':').expect("a value");
                assert!(value.ends_with("|c") || value.ends_with("|g") || value.ends_with("|ms"), "{line}");
                assert!(
                    value.bytes().all(|byte| byte.is_ascii_digit() || b".|cgms".contains(&byte)),
                    "{line}"
                );
                let tags: Vec<_> = name.split(divider).skip(1).collect();
                assert!(tags.iter().all(|tag| tag.split('=').count() == 2 && !tag.ends_with('=')), "{line}");
                assert_eq!(tags.iter().filter(|tag| tag.starts_with("task=")).count(), 1, "{line}");
            }
        }
    }
}

/// What a cluster tells its containers by variables; the container itself is looked for on the host.
#[test]
fn the_origin_is_told_to_the_agent() {
    let host = Host::new();
    let run = |variables: &[(&str, &str)]| {
        let mut invocation = host.wrap(&["-l", "x"], "exit 3");
        for (name, value) in variables {
            invocation = invocation.env(name, value);
        }
        invocation.run();
        lines(&host.receiver)
    };
    let told = [("DD_ENTITY_ID", "pod-uid"), ("DD_EXTERNAL_ENV", "it-false,cn-x"), ("DD_CARDINALITY", "Low")];
    let lines = run(&told);
    assert_eq!(lines.len(), 10, "{lines:#?}");
    assert!(lines.iter().all(|line| line.ends_with("|e:it-false,cn-x|card:low")), "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains(",dd.internal.entity_id:pod-uid|")), "{lines:#?}");
    // Not even the id of a container, should the tests run in one.
    assert!(lines.iter().all(|line| !line.contains("|c:")), "{lines:#?}");
    let silenced = run(&[("DD_ORIGIN_DETECTION_ENABLED", "false"), ("DD_EXTERNAL_ENV", "it-false,cn-x")]);
    assert!(silenced.iter().all(|line| !line.contains("|c:") && !line.contains("|e:")), "{silenced:#?}");
}
