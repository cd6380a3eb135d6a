//! What looks like a secret does not leave the host, and neither does what a terminal would obey.

use std::fs;

use serde_json::{Value, json};

use crate::support::{End, Host, wire};

const SECRET: &str = "correct-horse-battery";

/// What an exec sink was told: the event, and its environment.
fn told(host: &Host) -> (Value, String) {
    let event = fs::read_to_string(host.path("event")).unwrap();
    let facts = fs::read_to_string(host.path("facts")).unwrap();
    (serde_json::from_str(&event).unwrap(), facts)
}

/// Runs a command that fails, with a log on this host and a sink away from here.
fn fail(host: &Host, options: &[&str], command: &[&str]) -> String {
    let log = host.log();
    let away = "exec:cat >event; env >facts";
    let words = [&["-l", "job", "--sink", &log, "--sink", away], options, command].concat();
    let ran = host.cronward(words).run();
    assert_ne!(ran.end(), End::Code(0), "{ran}");
    fs::read_to_string(host.path("events.jsonl")).unwrap()
}

#[test]
fn a_secret_among_the_arguments_stays_on_the_host() {
    let host = Host::new();
    let option = format!("--password={SECRET}");
    let url = format!("postgres://app:{SECRET}@db/x");
    let command = ["sh", "-c", "exit 3", "x", &option, "--token", SECRET, "-v", &url];
    let log = fail(&host, &["--send-args", "--"], &command);
    assert!(log.contains(&option) && log.contains(&url), "{log}");
    let (event, facts) = told(&host);
    let argv = json!([
        "sh",
        "-c",
        "exit 3",
        "x",
        "--password=***",
        "--token",
        "***",
        "-v",
        "postgres://app:***@db/x"
    ]);
    assert_eq!(event["run"]["argv"], argv);
    assert!(!event.to_string().contains(SECRET) && !facts.contains(SECRET), "{event}\n{facts}");
}

#[test]
fn a_secret_in_a_line_for_the_shell_stays_on_the_host() {
    let host = Host::new();
    let line = format!("PGPASSWORD={SECRET} sh -c 'exit 3'");
    let log = fail(&host, &["--send-args"], &["-c", &line]);
    assert!(log.contains(SECRET), "{log}");
    let (event, _) = told(&host);
    assert_eq!(event["run"]["argv"], json!(["/bin/sh", "-c", "PGPASSWORD=*** sh -c 'exit 3'"]));
}

/// A reason may quote the command, also without `--send-args`; and base64 hides nothing.
#[test]
fn a_secret_in_a_reason_or_in_base64_stays_on_the_host() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let host = Host::new();
    let command = format!("/nowhere/token={SECRET}");
    let log = fail(&host, &["--"], &[&command]);
    assert!(log.contains(&format!("'{command}'")), "{log}");
    let (event, facts) = told(&host);
    let reason = event["run"]["reason"].as_str().unwrap();
    assert!(reason.contains("/nowhere/token=***"), "{reason}");
    assert!(!event.to_string().contains(SECRET) && !facts.contains(SECRET), "{event}\n{facts}");

    let sink = "exec:cat >event";
    let front = ["-l", "bytes", "--sink", sink, "--send-args", "--", "sh", "-c", "exit 3"];
    let words = front.map(OsString::from).into_iter();
    let secret = OsString::from_vec([b"--token=", SECRET.as_bytes(), b"\xff"].concat());
    let bytes = OsString::from_vec(b"\xff\xfe".to_vec());
    host.cronward(words.chain([secret, bytes])).run();
    let event: Value = serde_json::from_str(&fs::read_to_string(host.path("event")).unwrap()).unwrap();
    // "--token=***" and the two bytes.
    assert_eq!(event["run"]["argv_base64"].as_array().unwrap()[3..], ["LS10b2tlbj0qKio=", "//4="], "{event}");
    assert_eq!(event["run"]["argv"][3], "--token=***");
}

#[test]
fn a_secret_in_what_has_changed_stays_on_the_host() {
    let host = Host::new();
    let log = host.log();
    let run = |code: &str, argument: &str| {
        let away = "exec:cat >event; env >facts";
        let options = ["-l", "job", "--send-args", "--sink", &log, "--sink", away, "--"];
        let command = ["sh", "-c", "exit $CODE", argument];
        host.cronward([&options[..], &command].concat()).env("CODE", code).run()
    };
    assert_eq!(run("0", "--password=first-of-them").end(), End::Code(0));
    // Cut in the midst of the second.
    let long = format!("--x={} postgres://app:{SECRET}@db/x", "y".repeat(35));
    assert_eq!(run("3", &long).end(), End::Code(3));
    let (event, facts) = told(&host);
    let changed = event["alert"]["changed"][0].as_str().unwrap();
    assert!(
        changed.starts_with("command changed from 'sh -c exit $CODE --password=***' to 'sh "),
        "{changed}"
    );
    let text = event.to_string() + &facts;
    assert!(!text.contains("first-of") && !text.contains("correct"), "{text}");
    let kept = fs::read_to_string(host.path("events.jsonl")).unwrap();
    assert!(kept.contains("--password=first-of-them"), "{kept}");
}

#[cfg(feature = "http")]
#[test]
fn a_ping_has_neither_secrets_nor_what_a_terminal_would_obey() {
    use crate::support::http::HttpServer;

    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let (sink, log) = (format!("ping:{}", server.url("/x")), host.log());
    let command = format!("/nowhere/\u{1b}[31mred\u{1b}[0m pass\u{1b}[1mword={SECRET}");
    let options = ["-l", "job", "--sink", &sink, "--sink", &log, "--send-args", "--", &command];
    let option = format!("--api-key={SECRET}");
    host.cronward(options.into_iter().chain([&option[..]])).run();
    let options = ["-l", "job", "--sink", &sink, "--send-args", "--", "sh", "-c", "exit 3", &option];
    host.cronward(options).run();
    let bodies: Vec<String> = server.received().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies.len(), 3, "{bodies:?}");
    for body in &bodies {
        assert!(!body.contains(SECRET) && !body.contains('\u{1b}'), "{body}");
        assert!(body.contains("'--api-key=***'"), "{body}");
    }
    let log = fs::read_to_string(host.path("events.jsonl")).unwrap();
    assert!(log.contains(SECRET), "{log}");
}

/// Written in two pieces, so that neither has the shape of a secret.
const IN_PIECES: &str = "printf 'it began\npass'; sleep 0.01; printf 'word: correct-horse'; sleep 0.01; \
                         printf -- '-battery\n\\033[31mit ended\\033[0m\\n'";

#[test]
fn a_secret_in_the_output_stays_on_the_host_and_so_do_terminal_sequences() {
    let host = Host::new();
    let line = format!("{IN_PIECES}; exit 3");
    let kept = fail(&host, &["--capture", "1KiB"], &["-c", &line]);
    let (event, facts) = told(&host);
    let head = "it began\npassword: ***\nit ended\n";
    assert_eq!(event["run"]["output"]["head"], head, "{event:#}");
    assert!(facts.contains(&format!("CRONWARD_EVENT_OUTPUT={}", head.trim_end())), "{facts}");
    assert!(!facts.contains(SECRET) && !event.to_string().contains(SECRET), "{facts}");
    assert!(kept.contains(&format!("it began\\npassword: {SECRET}\\n\\u001b[31mit ended")), "{kept}");

    // Whatever is kept of it: the cut may go through the secret.
    for size in 8..60 {
        let host = Host::new();
        fail(
            &host,
            &["--capture", &format!("{size}B")],
            &["-c", "printf 'password=correct-horse-battery\n'; exit 3"],
        );
        let (event, facts) = told(&host);
        for piece in SECRET.as_bytes().windows(6).map(|piece| std::str::from_utf8(piece).unwrap()) {
            assert!(
                !facts.contains(piece) && !event["run"]["output"].to_string().contains(piece),
                "{event:#}"
            );
        }
    }
}

#[test]
fn nothing_of_a_sensitive_output_leaves_the_host() {
    let host = Host::new();
    let kept = fail(&host, &["--capture", "1KiB", "--sensitive"], &["-c", "echo spoken; exit 3"]);
    let (event, facts) = told(&host);
    assert_eq!(event["run"]["output"], Value::Null, "{event:#}");
    assert!(!facts.contains("spoken") && !event.to_string().contains("spoken"), "{facts}");
    assert!(kept.contains("spoken"), "{kept}");
    let sent: Vec<u8> = host.receiver.datagrams().concat();
    assert!(!String::from_utf8_lossy(&sent).contains("spoken"));
}

#[test]
fn an_alert_of_the_agent_has_the_end_of_the_output() {
    let host = Host::new();
    let sink = format!("dogstatsd:{}", host.receiver.address());
    let line = "seq 1 1000; echo password=correct-horse-battery; exit 3";
    host.wrap(&["-l", "job", "--sink", &sink, "--capture", "4KiB"], line).run();
    let lines = wire::dogstatsd(&host.receiver.datagrams(), 1432);
    let event = lines.into_iter().find_map(|line| match line {
        wire::Line::Event(event) => Some(event),
        wire::Line::Metric(_) | wire::Line::ServiceCheck(_) => None,
    });
    let text = event.expect("an alert").text;
    assert!(text.ends_with("\\n999\\n1000\\npassword=***"), "{text}");
    assert!(text.contains("bytes left out]"), "{text}");
}

#[cfg(feature = "http")]
#[test]
fn a_ping_has_the_end_of_the_output_as_far_as_the_server_keeps_it() {
    use crate::support::http::HttpServer;

    let host = Host::new();
    let server = HttpServer::answering(&[]);
    let sink = format!("ping:{}", server.url("/x"));
    host.wrap(&["-l", "job", "--sink", &sink, "--capture", "64KiB"], "seq 1 10000; exit 3").run();
    let body = server.received().pop().unwrap().body;
    assert!(body.len() <= 10_000 && body.len() > 9_900, "{}", body.len());
    assert!(body.contains("\noutput:\n[") && body.ends_with("\n9999\n10000"), "{body}");
}
