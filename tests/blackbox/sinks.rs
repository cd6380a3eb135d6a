//! What sinks can never do: delay a run, change its end, or lose an alert silently.

use std::fs::{self, OpenOptions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use nix::sys::socket::{Backlog, listen};

use crate::support::situation::{make_fifo, pipe};
use crate::support::{End, Host, Ran, Situation, eventually, process_state};

/// A run with one sink that does not do its part: start, status, output and the time it may take.
fn undisturbed(host: &Host, name: &str, sink: &str) -> Ran {
    let began = Instant::now();
    let options = ["-l", name, "--flush-deadline", "300ms", "--sink", sink, "--alert-after", "100"];
    let line = "echo out; echo err >&2; exit 3";
    let running = host.wrap(&options, line).start();
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(3), "{name}\n{ran}");
    assert_eq!(
        (ran.stdout_text(), ran.stderr_of_job()),
        ("out\n".into(), b"err\n".to_vec()),
        "{name}\n{ran}"
    );
    // Ten times the deadline, for a machine under load.
    assert!(began.elapsed() < Duration::from_secs(3), "{name}\n{ran}");
    assert_eq!(host.journal(name).outcomes(), ["failed"], "{name}\n{ran}");
    ran
}

#[test]
fn no_sink_can_delay_or_change_a_run() {
    let host = Host::new();
    let _nobody_writes = host.fifo("hold");
    let closed_port = {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    };
    let full = UnixDatagram::bind(host.path("full.sock")).unwrap();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(b"x", host.path("full.sock")).is_ok() {}
    make_fifo(&host.path("unread"));
    let stuffed = host.fifo("stuffed");
    stuffed.stuff();
    fs::create_dir(host.path("directory")).unwrap();
    // A connection that is accepted and ended at once: what is written to it then raises SIGPIPE.
    let hangs_up = UnixListener::bind(host.path("hangs-up.sock")).unwrap();
    std::thread::spawn(move || while hangs_up.accept().is_ok() {});
    let crowded = UnixListener::bind(host.path("crowded.sock")).unwrap();
    listen(&crowded, Backlog::new(0).unwrap()).unwrap();
    let _crowd = UnixStream::connect(host.path("crowded.sock")).unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // One that answers no more: what does not fit into its queue is dropped without a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&silent, Backlog::new(0).unwrap()).unwrap();
    let silent_at = silent.local_addr().unwrap();
    let _crowd_there = TcpStream::connect(silent_at).unwrap();
    let directory = host.directory().display();
    for (name, sink) in [
        ("closed-port", format!("dogstatsd:{closed_port}")),
        ("closed-port-plain", format!("statsd:{closed_port}")),
        ("unresolvable", "dogstatsd:no-such-host.invalid".to_owned()),
        ("unresolvable-plain", "statsd:no-such-host.invalid:9".to_owned()),
        ("absent-socket", format!("dogstatsd:{directory}/absent.sock")),
        ("full-socket", format!("dogstatsd:{directory}/full.sock")),
        ("no-socket", format!("dogstatsd:{directory}/directory")),
        ("absent-stream", format!("dogstatsd:unixstream:{directory}/absent.sock")),
        ("crowded-stream", format!("dogstatsd:unixstream:{directory}/crowded.sock")),
        ("hangs-up-stream", format!("dogstatsd:unixstream:{directory}/hangs-up.sock")),
        ("no-stream", format!("dogstatsd:unixstream:{directory}/full.sock")),
        ("syslog-absent", format!("syslog:{directory}/absent.sock")),
        ("syslog-full", format!("syslog:{directory}/full.sock")),
        ("syslog-hangs-up", format!("syslog:{directory}/hangs-up.sock")),
        ("syslog-closed-port", format!("syslog:{closed_port}")),
        ("syslog-refused", format!("syslog:tcp:{refusing}")),
        ("syslog-silent", format!("syslog:tcp:{silent_at}")),
        ("syslog-unresolvable", "syslog:tcp:no-such-host.invalid".to_owned()),
        ("unread-fifo", format!("jsonl:{directory}/unread")),
        ("stuffed-fifo", format!("jsonl:{directory}/stuffed")),
        ("no-such-place", format!("jsonl:{directory}/no/such/file")),
        ("a-directory", format!("jsonl:{directory}/directory")),
        ("full-device", "jsonl:/dev/full".to_owned()),
        ("no-such-directory", "textfile:/no/such/directory".to_owned()),
        ("no-directory", "textfile:/dev/full".to_owned()),
        ("unwritable", "textfile:/proc/self".to_owned()),
        ("exec-hangs", "exec:cat hold".to_owned()),
        ("exec-fails", "exec:exit 1".to_owned()),
        ("exec-not-found", "exec:no-such-command 2>/dev/null".to_owned()),
        ("exec-dies", "exec:kill -9 $$".to_owned()),
        ("exec-reads-nothing", "exec:exec <&-; exit 0".to_owned()),
    ] {
        undisturbed(&host, name, &sink);
    }
    drop(full);
}

/// The same for what a server over HTTP can do wrong.
#[cfg(feature = "http")]
#[test]
fn no_server_can_delay_or_change_a_run() {
    use crate::support::http::{HttpServer, Reply, refusing_address};

    let host = Host::new();
    let (_kept, refusing) = refusing_address();
    for (name, replies) in [
        ("silent", vec![Reply::Silence; 9]),
        ("hangs-up", vec![Reply::Hangup; 99]),
        ("trickles", vec![Reply::Trickle; 9]),
        ("floods", vec![Reply::Flood; 9]),
        ("stalls", vec![Reply::Stall; 9]),
        ("out-of-order", vec![Reply::Head("503 Unavailable\r\nRetry-After: 9"); 99]),
        ("redirects", vec![Reply::Head("308 Moved\r\nLocation: http://127.0.0.1:1/"); 9]),
        ("talks-nonsense", vec![Reply::Head("200 OK\r\nno header\r\n\u{1}:"); 9]),
        ("ok-but-no", vec![Reply::Text("OK (not found)"); 9]),
    ] {
        for (kind, options) in [("ping", ""), ("pushgateway", ""), ("webhook", "#events=all")] {
            let server = HttpServer::answering(&replies);
            undisturbed(&host, &format!("{kind}-{name}"), &format!("{kind}:{}{options}", server.url("/x")));
            assert!(!server.received().is_empty(), "{kind} {name}");
        }
    }
    for (name, sink) in [
        ("refuses", format!("ping:http://{refusing}/x")),
        ("refuses-push", format!("pushgateway:http://{refusing}")),
        ("no-tls", format!("ping:https://{refusing}/x")),
        ("no-name", "ping:https://no-such-host.invalid/x".to_owned()),
        ("no-file", "ping:file:/no/such/file".to_owned()),
        ("no-variable", "ping:env:NO_SUCH_VARIABLE".to_owned()),
        ("no-url", "ping:env:PATH".to_owned()),
    ] {
        undisturbed(&host, name, &sink);
    }
}

/// The same with an alert to deliver: only then is the exec sink asked at all.
#[test]
fn an_alert_that_cannot_be_delivered_is_cut_short_and_said_once() {
    let host = Host::new();
    let _nobody_writes = host.fifo("hold");
    for (name, sink) in [
        ("hangs", "exec:cat hold"),
        ("fails", "exec:exit 1"),
        ("floods", "exec:yes; exit 1"),
        ("daemon", "exec:cat hold & exit 1"),
    ] {
        let options = ["-l", name, "--flush-deadline", "300ms", "--sink", sink];
        let ran = host.wrap(&options, "echo out; exit 3").run();
        assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(3), "out\n"), "{name}\n{ran}");
        assert!(ran.took < Duration::from_secs(3), "{name}\n{ran}");
        assert_eq!(ran.own_words().len(), 1, "{name}\n{ran}");
        assert_eq!(ran.stderr_text().lines().count(), 1, "{name}\n{ran}");
    }
}

#[test]
fn a_slow_name_or_receiver_does_not_delay_the_start() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let options =
        ["-l", "x", "--sink", "dogstatsd:no-such-host.invalid", "--sink", "statsd:no-such-host.invalid"];
    let began = Instant::now();
    let running = host.wrap(&options, "echo ready >ready; read x <hold").start();
    assert_eq!(ready.line(), "ready");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
}

/// So that cron mails it.
#[test]
fn without_a_sink_that_confirms_an_alert_is_one_line_on_stderr() {
    let host = Host::new();
    let own_words = |code: i32, sink: &str, label: &str| {
        let ran =
            host.wrap(&["-l", label, "--alert-after", "2", "--sink", sink], &format!("exit {code}")).run();
        assert_eq!(ran.end(), End::Code(code), "{ran}");
        assert_eq!(ran.own_words().len(), ran.stderr_text().lines().count(), "{ran}");
        ran.own_words()
    };
    let udp = format!("dogstatsd:{}", host.receiver.address());
    for (label, sink) in [("nowhere", "none"), ("metrics", &udp[..]), ("refuses", "exec:exit 1")] {
        let said: Vec<_> = [1, 1, 1, 1, 0, 0, 1].iter().map(|&code| own_words(code, sink, label)).collect();
        let counts: Vec<_> = said.iter().map(Vec::len).collect();
        assert_eq!(counts, [0, 1, 0, 0, 1, 0, 0], "{said:?}");
        assert!(said[1][0].contains(label) && said[4][0].contains(label), "{said:?}");
    }
    let said: Vec<_> =
        [1, 1, 1, 0, 0].iter().map(|&code| own_words(code, "exec:cat >/dev/null", "confirms")).collect();
    assert!(said.iter().all(Vec::is_empty), "{said:?}");
}

/// However many hang, the deadline is one for all.
#[test]
fn the_deadline_is_for_all_sinks_together() {
    let host = Host::new();
    let _nobody_writes = host.fifo("hold");
    let mut options = vec!["-l", "x", "--flush-deadline", "1s"];
    options.extend(["--sink", "exec:cat hold"].repeat(8));
    let ran = host.wrap(&options, "exit 3").run();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    assert!(ran.took < Duration::from_secs(6), "{ran}");
}

/// What hangs in a sink is not left behind: under cron it would be one process more every minute.
#[test]
fn a_sink_that_hangs_is_not_left_behind() {
    let host = Host::new();
    let (pids, _nobody_writes) = (host.fifo("pids"), host.fifo("hold"));
    let sink = "exec:echo $$ >pids; exec cat hold";
    let ran = host.wrap(&["-l", "x", "--flush-deadline", "300ms", "--sink", sink], "exit 3").run();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    let pid = pids.line().parse().expect("a pid");
    eventually("the sink's command is gone", || matches!(process_state(pid), None | Some('Z' | 'X')));
}

/// cronward's own words go to whoever listens, and to nothing else that happens to be open.
#[test]
fn words_that_nobody_can_hear_are_lost_and_change_nothing() {
    let host = Host::new();
    let gone = {
        let (reader, writer) = pipe();
        drop(reader);
        writer
    };
    let full = OpenOptions::new().write(true).open("/dev/full").expect("a device of every Linux");
    for (name, stderr) in [("gone", gone), ("full", full)] {
        let ran = host.wrap(&["-l", name, "--summary", "always"], "exit 3").stderr(stderr).run();
        assert_eq!(ran.end(), End::Code(3), "{ran}");
        assert_eq!(host.journal(name).outcomes(), ["failed"], "{ran}");
    }
    let closed = Situation { closed: vec![0, 1, 2], ..Situation::default() };
    let jsonl = format!("jsonl:{}", host.path("events.jsonl").display());
    let options = ["-l", "closed", "--summary", "always", "--sink", &jsonl];
    let ran = host.wrap(&options, "echo out; echo err >&2; exit 3").situation(&closed).run();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    let journal = host.journal("closed");
    assert_eq!((journal.outcomes(), journal.torn.len()), (vec!["failed"], 0), "{ran}");
    let events = fs::read_to_string(host.path("events.jsonl")).unwrap();
    assert!(events.lines().all(|line| line.starts_with('{')), "{events}");
}
