//! What a syslog daemon gets of a run.

use crate::support::{End, Host, Listener, Receiver, eventually};

fn text(record: &[u8]) -> String {
    let text = String::from_utf8(record.to_vec()).expect("a record is UTF-8");
    assert!(!text.contains(char::is_control), "{text:?}");
    text
}

/// The records of one connection: each behind its length in bytes and a blank.
fn counted(mut bytes: &[u8]) -> Vec<String> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let blank = bytes.iter().position(|&byte| byte == b' ').expect("a blank behind the length");
        let length: usize = std::str::from_utf8(&bytes[..blank]).unwrap().parse().expect("a length");
        let end = blank + 1 + length;
        records.push(text(&bytes[blank + 1..end]));
        bytes = &bytes[end..];
    }
    records
}

/// Everything of a record that is not known beforehand is in its event.
fn expected(event: &serde_json::Value, priority: &str, label: &str) -> String {
    let field = |name: &str| event[name].as_str().expect(name).to_owned();
    format!(
        "<{priority}>1 {} {} cronward {} {} [cronward@32473 label=\"{label}\" run_id=\"{}\" outcome=\"{}\" \
         exit_code=\"{}\" duration_ms=\"{}\" attempts=\"1\"",
        field("time"),
        field("host"),
        event["pid"],
        field("kind"),
        field("run_id"),
        field("outcome"),
        event["exit_code"],
        event["duration_ms"],
    )
}

#[test]
fn a_run_is_a_record_and_so_is_the_alert_that_it_opens() {
    let host = Host::new();
    let receiver = Receiver::udp();
    let sink = format!("syslog:{}", receiver.address());
    let log = host.log();
    let options =
        ["-l", "pg-backup", "-t", "env:prod", "--severity", "critical", "--sink", &sink, "--sink", &log];
    for (line, priorities) in [("exit 3", &["75", "74"][..]), ("exit 3", &["75"]), ("exit 0", &["78", "77"])]
    {
        let ran = host.wrap(&options, line).run();
        let records: Vec<_> = receiver.datagrams().iter().map(|record| text(record)).collect();
        assert_eq!(records.len(), priorities.len(), "{ran}\n{records:#?}");
        let events = host.events();
        let finished = events.iter().rfind(|event| event["kind"] == "run.finished").expect("an event");
        let start = expected(finished, priorities[0], "pg-backup");
        assert!(records[0].starts_with(&start), "{}\nis not\n{start}", records[0]);
        assert!(records[0].contains("tags=\"env:prod\"] pg-backup on "), "{}", records[0]);
        for (record, priority) in records.iter().zip(priorities) {
            assert!(record.starts_with(&format!("<{priority}>1 ")), "{record}");
        }
    }
}

#[test]
fn over_tcp_all_records_of_a_run_come_counted_on_one_connection() {
    let host = Host::new();
    let listener = Listener::tcp();
    let sink = format!("syslog:tcp:{}?facility=local3", listener.address());
    let ran = host.wrap(&["-l", "x", "--sink", &sink], "exit 3").run();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    let connections = listener.connections();
    assert_eq!(connections.len(), 1, "{ran}");
    let records = counted(&connections[0]);
    let kinds: Vec<_> = records.iter().map(|record| record.split(' ').nth(5).unwrap_or_default()).collect();
    assert_eq!(kinds, ["run.finished", "alert.opened"], "{records:#?}");
    assert!(records.iter().all(|record| record.starts_with("<155>1 ")), "{records:#?}");
}

#[test]
fn a_socket_of_this_host_gets_records_as_the_c_library_writes_them() {
    let host = Host::new();
    let receiver = Receiver::unix(&host.path("log"));
    let sink = format!("syslog:{}", host.path("log").display());
    let log = host.log();
    let options = ["-l", "x", "--alert-after", "9", "--sink", &sink, "--sink", &log];
    for (zone, hours) in [("UTC", 0), ("XXX-2", 2)] {
        let ran = host.wrap(&options, "exit 3").env("TZ", zone).run();
        let records: Vec<_> = receiver.datagrams().iter().map(|record| text(record)).collect();
        assert_eq!(records.len(), 1, "{ran}");
        let event = host.events().pop().expect("an event");
        let start = format!(" cronward[{}]: x on ", event["pid"]);
        let (head, rest) = records[0].split_once(&start).unwrap_or_else(|| panic!("{records:?}"));
        assert!(
            rest.contains(&format!(" [cronward@32473 label=\"x\" run_id={} ", event["run_id"])),
            "{rest}"
        );
        assert!(rest.ends_with(']'), "{rest}");
        // `2026-11-21T07:00:00.123Z` in UTC.
        let time = event["time"].as_str().expect("a time");
        let hour: u32 = time[11..13].parse().expect("an hour");
        assert!(
            head.ends_with(&format!(" {:02}{}", (hour + hours) % 24, &time[13..19])),
            "{head} is not {time}"
        );
        let day = head.strip_prefix("<75>").expect("the facility and the severity");
        assert!("JanFebMarAprMayJunJulAugSepOctNovDec".contains(&day[..3]), "{head}");
        assert_eq!(day.len(), "Nov 21 07:00:00".len(), "{head}");
    }
}

/// As syslog-ng may have made it.
#[test]
fn a_socket_that_takes_connections_gets_records_that_end_in_a_nul() {
    let host = Host::new();
    let listener = Listener::unix(&host.path("log"));
    let sink = format!("syslog:{}", host.path("log").display());
    host.wrap(&["-l", "x", "--sink", &sink], "exit 3").run();
    let connections = listener.connections();
    assert_eq!(connections.len(), 1);
    let records: Vec<_> = connections[0].split_inclusive(|&byte| byte == 0).collect();
    assert_eq!(records.len(), 2, "{records:?}");
    for record in records {
        let (last, record) = record.split_last().expect("a record");
        assert_eq!((*last, text(record).starts_with("<75>")), (0, true));
    }
}

#[test]
fn what_would_be_logged_is_shown_and_not_sent() {
    let host = Host::new();
    let receiver = Receiver::udp();
    let sink = format!("syslog:{}", receiver.address());
    let ran = host.wrap(&["-l", "x", "--sink", &sink, "--dry-run"], "exit 0").run();
    let shown = ran.stdout_text();
    assert!(shown.contains(" <78>1 ") && shown.contains(" <75>1 "), "{shown}");
    assert!(receiver.datagrams().is_empty(), "{ran}");
}

/// It is told by a thread with a small stack, and to find the zone of this host takes a large one.
#[test]
fn an_overdue_run_is_logged_while_it_runs() {
    let host = Host::new();
    let receiver = Receiver::unix(&host.path("log"));
    let never = host.fifo("never");
    let sink = format!("syslog:{}", host.path("log").display());
    let options = ["-l", "x", "--warn-after", "20ms", "--sink", &sink];
    let running = host.wrap(&options, "read line <never").env("TZ", "Europe/Helsinki").start();
    let mut records = Vec::new();
    eventually("a record of the overdue run", || {
        records.extend(receiver.datagrams());
        !records.is_empty()
    });
    let record = text(&records[0]);
    assert!(record.starts_with("<76>") && record.contains(": x is overdue on "), "{record}");
    never.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
}
