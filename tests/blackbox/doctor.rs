//! `cronward doctor`: each fault that is planted on a sound host is found, with what to do, and is gone when that is
//! done; and on a sound host nothing is found.

mod alerts;
mod clinic;

use std::fs;
#[cfg(feature = "http")]
use std::net::TcpListener;
use std::net::UdpSocket;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::libc;

#[cfg(feature = "http")]
use crate::support::http::{HttpServer, refusing_address};
use crate::support::situation::is_root;
use crate::support::{End, Situation};
use clinic::{Clinic, assert_has, assert_sound, objects};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn on_a_sound_host_nothing_is_found_and_nothing_is_changed_or_told() {
    let clinic = Clinic::new();
    let names = || -> Vec<String> {
        let list = fs::read_dir(clinic.host.state_dir()).unwrap();
        let mut names: Vec<String> =
            list.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let (before, told) = (names(), clinic.host.alerts().len());
    assert!(!clinic.host.receiver.datagrams().is_empty());
    clinic.is_sound();
    assert_eq!((names(), clinic.host.alerts().len()), (before, told));
    // What a server of statsd passes over.
    assert_eq!(clinic.host.receiver.datagrams(), [b""]);
}

#[test]
fn what_people_are_told_is_told_to_programs() {
    let clinic = Clinic::new();
    clinic.host.configure("[defaults]\nlcok = true\n");
    let (text, json) = (clinic.doctor(&[]).run(), clinic.doctor(&["--json"]).run());
    assert_eq!((text.end(), json.end()), (End::Code(1), End::Code(1)), "{json}");
    let text = text.stdout_text();
    let objects = objects(&json);
    assert_eq!(objects.len() + 1, text.lines().count(), "{text}");
    for (line, object) in text.lines().zip(&objects) {
        let field = |name: &str| object[name].as_str().unwrap_or_default();
        let tag = format!("[{}]", field("severity").to_uppercase());
        assert!(line.starts_with(&tag) && line.contains(field("area")), "{line} {object}");
        // The clock goes on between the two.
        assert!(field("area") == "clock" || line.contains(field("what")), "{line} {object}");
        assert!(line.ends_with(field("hint")), "{line} {object}");
    }
}

#[test]
fn words_that_mean_nothing_are_a_usage_error() {
    let clinic = Clinic::new();
    for words in [&["now"][..], &["--fix"], &["--no-config=maybe"], &["--state-dir"], &["--state-dir", ""]] {
        let ran = clinic.doctor(words).run();
        assert_eq!((ran.end(), ran.stdout.len()), (End::Code(125), 0), "{ran}");
    }
}

#[test]
fn a_configuration_file_that_is_no_toml_is_found() {
    let clinic = Clinic::new();
    clinic.host.configure("[defaults\nlock = true\n");
    clinic.has(
        "FAULT",
        "configuration",
        &["cronward.toml:1: a ']' is missing", "each job runs by what its last run had"],
    );
    clinic.host.configure("[defaults]\nlock = true\n");
    clinic.is_sound();
}

#[test]
fn a_key_and_a_value_that_mean_nothing_are_found_in_every_section() {
    let clinic = Clinic::new();
    for (text, said) in [
        ("[defaults]\nlcok = true\n", "cronward.toml:2: unknown key 'lcok', nearest is 'lock'"),
        ("[job.job]\ntimeout = 90\n", "cronward.toml:2: bad duration '90' in 'timeout'"),
        ("[job.\"j*\"]\nsink = 'mqtt:x'\n", "cronward.toml:2: bad sink 'mqtt:…' in 'sink'"),
    ] {
        clinic.host.configure(text);
        clinic.has("WARNING", "configuration", &[said, "mend it"]);
    }
    clinic.host.configure("[job.nobody]\ntimeout = '90s'\n");
    clinic.has("NOTE", "configuration", &["cronward.toml:1: 'nobody' fits no job on record"]);
    clinic.host.configure("[job.job]\ntimeout = '90s'\n");
    clinic.is_sound();
}

#[test]
fn a_configuration_file_that_others_can_write_is_found() {
    let clinic = Clinic::new();
    let path = clinic.host.configuration();
    chmod(&path, 0o666);
    // Root does not read it at all.
    let severity = if is_root() { "FAULT" } else { "WARNING" };
    clinic.has(severity, "configuration", &["others can write", "chmod go-w"]);
    chmod(&path, 0o644);
    clinic.is_sound();
}

#[test]
fn a_variable_that_nobody_reads_and_one_that_means_nothing_are_found() {
    let clinic = Clinic::new();
    let ran = clinic.doctor(&[]).env("CRONWARD_TIMEUOT", "5m").run();
    assert_has(
        &ran,
        "WARNING",
        "variables",
        &["nobody reads 'CRONWARD_TIMEUOT'; did you mean 'CRONWARD_TIMEOUT'?"],
    );
    let ran = clinic.doctor(&[]).env("CRONWARD_TIMEOUT", "5").run();
    assert_has(
        &ran,
        "FAULT",
        "variables",
        &["bad duration '5' in CRONWARD_TIMEOUT: ", "no job is started (125)"],
    );
    assert_sound(&clinic.doctor(&[]).env("CRONWARD_TIMEOUT", "5m").run());
}

#[test]
fn a_state_directory_that_cannot_be_trusted_is_found() {
    let clinic = Clinic::new();
    let state = clinic.host.state_dir();
    chmod(&state, 0o777);
    let ran = clinic.doctor(&[]).run();
    let said = ran.stdout_text();
    assert_eq!(ran.end(), End::Code(2), "{ran}");
    let line = said.lines().find(|line| line.starts_with("[FAULT]")).unwrap_or_default();
    assert!(line.contains("no run is remembered: ") && line.contains("; chmod go-w '"), "{ran}");
    chmod(&state, 0o700);
    clinic.is_sound();
    let link = clinic.host.path("link");
    symlink(&state, &link).unwrap();
    let ran = clinic.doctor(&["--state-dir", link.to_str().unwrap()]).run();
    assert!(
        ran.stdout_text().contains("is a symbolic link, and none is followed; name what it points to"),
        "{ran}"
    );
    assert!(ran.stdout_text().contains("readlink -f"), "{ran}");
    assert_eq!(ran.end(), End::Code(2), "{ran}");
}

#[test]
fn a_state_directory_that_is_yet_to_be_made_is_no_fault_where_it_can_be() {
    let clinic = Clinic::new();
    let ran = clinic.doctor(&["--state-dir", clinic.host.path("new").to_str().unwrap()]).run();
    assert_has(&ran, "NOTE", "state", &["does not exist yet; the first run of a job makes it"]);
    assert!(!clinic.host.path("new").exists());
    let ran = clinic.doctor(&["--state-dir", "/nowhere"]).run();
    // Root may do anything to a directory, and is told so by access(2).
    if !is_root() {
        assert_has(&ran, "FAULT", "state", &["can make nothing in '/'", "as root: mkdir -p -m 700"]);
    }
}

#[test]
fn rights_of_others_and_a_journal_that_was_put_aside_are_found() {
    let clinic = Clinic::new();
    let job = clinic.host.state_dir().join("jobs/job");
    chmod(&job.join("plan.json"), 0o644);
    clinic.has("WARNING", "state", &["others have rights to '", "plan.json'", "chmod -R go="]);
    chmod(&job.join("plan.json"), 0o600);
    clinic.is_sound();
    fs::write(job.join("runs.jsonl.corrupt-1"), "x").unwrap();
    chmod(&job.join("runs.jsonl.corrupt-1"), 0o600);
    clinic.has("WARNING", "state", &["a journal was corrupt, and was kept aside: '", "then remove it"]);
    fs::remove_file(job.join("runs.jsonl.corrupt-1")).unwrap();
    clinic.is_sound();
}

#[test]
fn a_journal_that_cannot_be_read_is_found() {
    let clinic = Clinic::new();
    let journal = clinic.host.state_dir().join("jobs/job/runs.jsonl");
    let sound = fs::read(&journal).unwrap();
    fs::write(&journal, vec![b'x'; 5000]).unwrap();
    let ran = clinic.doctor(&[]).run();
    assert_has(&ran, "FAULT", "state", &["'job' cannot be read: '", "see to the file"]);
    fs::write(&journal, sound).unwrap();
    clinic.is_sound();
}

#[test]
fn a_time_zone_that_is_none_is_found() {
    let clinic = Clinic::new();
    let ran = clinic.doctor(&[]).env("TZ", "Mars/Olympus").run();
    assert_has(&ran, "WARNING", "clock", &["'Mars/Olympus' in TZ is no time zone", "timedatectl"]);
}

#[test]
fn limits_that_are_too_tight_and_a_stream_that_is_closed_are_found() {
    let clinic = Clinic::new();
    let with = |limits: &[(u32, u64)], closed: &[i32]| {
        let situation =
            Situation { limits: limits.to_vec(), closed: closed.to_vec(), ..Situation::default() };
        clinic.doctor(&[]).situation(&situation).run()
    };
    let ran = with(&[(libc::RLIMIT_NOFILE, 32)], &[]);
    assert_has(&ran, "WARNING", "limits", &["no more than 32 files can be open", "ulimit -n"]);
    let ran = with(&[(libc::RLIMIT_FSIZE, 500_000)], &[]);
    assert_has(&ran, "WARNING", "limits", &["no file can be larger than 500.0 kB", "ulimit -f"]);
    let ran = with(&[], &[2]);
    assert_has(&ran, "WARNING", "limits", &["stderr is closed", "/dev/null"]);
}

#[test]
fn a_sink_that_nobody_listens_to_is_found() {
    let clinic = Clinic::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sink = format!("statsd:{}", socket.local_addr().unwrap());
    let look = || clinic.doctor(&[]).env("CRONWARD_SINK", &sink).run();
    assert_sound(&look());
    drop(socket);
    assert_has(&look(), "FAULT", "sinks", &[&sink, "nobody listens on that port", "start the receiver"]);
    for (sink, what, hint) in [
        ("syslog:/nowhere/log", "'/nowhere/log' does not exist", "start the receiver that makes it"),
        ("jsonl:/nowhere/log", "'/nowhere': no such file or directory", "mkdir -p '/nowhere'"),
        ("textfile:/nowhere", "'/nowhere': no such file or directory", "mkdir -p '/nowhere'"),
        ("'exec:sendsms -n 1'", "'sendsms' is not in PATH (", "install it, or write its whole path"),
        ("exec:/nowhere/mail", "'/nowhere/mail' is no file that can be run", "chmod +x"),
    ] {
        let ran = clinic.doctor(&[]).env("CRONWARD_SINK", sink).run();
        assert_has(&ran, "FAULT", "sinks", &[what, hint]);
    }
}

#[cfg(feature = "http")]
#[test]
fn a_receiver_that_does_not_answer_costs_no_more_than_the_deadline_and_is_found() {
    let clinic = Clinic::new();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", mute.local_addr().unwrap());
    fs::write(clinic.host.path("url"), &url).unwrap();
    chmod(&clinic.host.path("url"), 0o600);
    let sink = format!("webhook:file:{}", clinic.host.path("url").display());
    let look = |deadline| {
        let look = clinic.doctor(&[]).env("CRONWARD_SINK", &sink);
        look.env("CRONWARD_FLUSH_DEADLINE", deadline).run()
    };
    // The deadline of the job is the longer one.
    let ran = look("100ms");
    assert_has(&ran, "FAULT", "sinks", &["webhook:file:", ": timed out", "does this host reach it?"]);
    assert!(ran.took.as_secs() < 15, "{ran}");
    fs::remove_file(clinic.host.path("url")).unwrap();
    assert_has(&look("1s"), "FAULT", "sinks", &["cannot read '", "for this user alone to read"]);
}

#[cfg(feature = "http")]
#[test]
fn a_secret_that_everybody_can_read_or_that_is_not_set_is_found() {
    let clinic = Clinic::new();
    let server = HttpServer::answering(&[]);
    let path = clinic.host.path("url");
    fs::write(&path, server.url("/hook")).unwrap();
    let look = |sink: &str| clinic.doctor(&[]).env("CRONWARD_SINK", sink).run();
    let sink = format!("slack:file:{}", path.display());
    chmod(&path, 0o644);
    assert_has(&look(&sink), "WARNING", "sinks", &["everybody can read the secret in '", "chmod o= '"]);
    chmod(&path, 0o640);
    assert_sound(&look(&sink));
    assert_has(
        &look("slack:env:HOOK"),
        "FAULT",
        "sinks",
        &["variable 'HOOK' is not set", "as in the crontab"],
    );
    let key = format!("pagerduty:R0UT?url={}", server.url("/"));
    assert_has(&look(&key), "WARNING", "sinks", &["a routing key has 32 letters and digits, and this one 4"]);
}

/// A HEAD of the URL of a check-in is a check-in (healthchecks.io/docs/http_api).
#[cfg(feature = "http")]
#[test]
fn receivers_are_asked_for_nothing_that_somebody_is_woken_by() {
    let clinic = Clinic::new();
    for (kind, path, asked) in [
        ("ping", "/secret", vec!["HEAD /"]),
        ("slack", "/services/secret", vec!["HEAD /"]),
        ("webhook", "/hook?secret=1", vec!["HEAD /"]),
        ("pagerduty", "/v2/enqueue", vec!["HEAD /"]),
        ("pushgateway", "/base", vec!["GET /base/-/ready"]),
        ("otlp", "", vec!["POST /v1/logs", "POST /v1/metrics", "POST /v1/traces"]),
    ] {
        let server = HttpServer::answering(&[]);
        let sink = match kind {
            "pagerduty" => format!("pagerduty:{}?url={}", "k".repeat(32), server.url(path)),
            kind => format!("{kind}:{}", server.url(path)),
        };
        assert_sound(&clinic.doctor(&[]).env("CRONWARD_SINK", &sink).run());
        assert_eq!(server.lines(), asked, "{kind}");
        let bodies: Vec<String> = server.received().into_iter().map(|request| request.body).collect();
        let empty = ["{\"resourceLogs\":[]}", "{\"resourceMetrics\":[]}", "{\"resourceSpans\":[]}"];
        let sent: Vec<&String> = bodies.iter().filter(|body| !body.is_empty()).collect();
        assert!(if kind == "otlp" { sent == empty } else { sent.is_empty() }, "{kind}: {sent:?}");
    }
    let (_kept, refusing) = refusing_address();
    let ran = clinic.doctor(&[]).env("CRONWARD_SINK", format!("ping:http://{refusing}/secret")).run();
    assert_has(
        &ran,
        "FAULT",
        "sinks",
        &[&format!("'http://{refusing}': connection refused"), "does this host reach it?"],
    );
    assert!(!ran.stdout_text().contains("/secret"), "{ran}");
}
