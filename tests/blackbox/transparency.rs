//! The job cannot tell that it is wrapped, nor can its caller.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

use crate::support::situation;
use crate::support::{End, Host, Invocation, Situation, eventually, process_state, program};

/// Real-time signals 32 and 33 are a C library's own; 34 is the first that a program can use.
const RTMIN: i32 = 34;

fn situations(host: &Host) -> Vec<(&'static str, Situation)> {
    let plain = Situation::default;
    let ignored = |signals: &[i32]| Situation { ignored: signals.to_vec(), ..plain() };
    let blocked = |signals: &[i32]| Situation { blocked: signals.to_vec(), ..plain() };
    let closed = |fds: &[i32]| Situation { closed: fds.to_vec(), ..plain() };
    let limited = |resource, soft| Situation { limits: vec![(resource, soft)], ..plain() };
    let gone = host.path("gone");
    vec![
        ("plain", plain()),
        ("SIGPIPE ignored", ignored(&[libc::SIGPIPE])),
        ("INT and HUP ignored", ignored(&[libc::SIGINT, libc::SIGHUP])),
        ("SIGCHLD ignored", ignored(&[libc::SIGCHLD])),
        (
            "everything ignored",
            ignored(&(1..=64).filter(|s| ![9, 19, 32, 33].contains(s)).collect::<Vec<_>>()),
        ),
        ("TERM blocked", blocked(&[libc::SIGTERM])),
        ("USR1, CHLD and a real-time signal blocked", blocked(&[libc::SIGUSR1, libc::SIGCHLD, RTMIN])),
        // The C library has 32 and 33 for itself, and its functions leave them out.
        (
            "everything blocked",
            blocked(&(1..=64).filter(|s| !(cfg!(posix_only) && [32, 33].contains(s))).collect::<Vec<_>>()),
        ),
        ("stdin closed", closed(&[0])),
        ("stdout closed", closed(&[1])),
        ("stderr closed", closed(&[2])),
        ("stdin and stdout closed", closed(&[0, 1])),
        ("stdin and stderr closed", closed(&[0, 2])),
        ("stdout and stderr closed", closed(&[1, 2])),
        ("all three closed", closed(&[0, 1, 2])),
        ("descriptors beyond the three", Situation { extra: vec![3, 4, 9, 200], ..plain() }),
        ("closed and extra ones", Situation { extra: vec![3, 7], closed: vec![0, 1], ..plain() }),
        ("umask 0777", Situation { umask: Some(0o777), ..plain() }),
        ("umask 0", Situation { umask: Some(0), ..plain() }),
        ("8 descriptors at most", limited(libc::RLIMIT_NOFILE, 8)),
        ("4 descriptors at most", limited(libc::RLIMIT_NOFILE, 4)),
        ("no file may grow", limited(libc::RLIMIT_FSIZE, 0)),
        ("core files of any size", limited(libc::RLIMIT_CORE, u64::MAX)),
        ("a small stack", limited(libc::RLIMIT_STACK, 256 * 1024)),
        ("nice", Situation { nice: 7, ..plain() }),
        ("a group of its own", Situation { own_group: true, ..plain() }),
        ("a session of its own", Situation { own_session: true, ..plain() }),
        ("the directory removed", Situation { removed_cwd: Some(gone), ..plain() }),
    ]
}

/// Ways to wrap a command; the last of them runs it by the shell.
fn wrappings(host: &Host, situation: &Situation) -> Vec<Vec<OsString>> {
    let jsonl = format!("jsonl:{}", host.path("events.jsonl").display());
    let sinks = ["--sink", &jsonl, "--sink", "exec:cat >/dev/null", "--sink", "statsd:127.0.0.1:9"];
    // A lock that cannot be written, or not even opened, fails closed, as it should.
    let no_state = [(libc::RLIMIT_FSIZE, 0), (libc::RLIMIT_NOFILE, 4)];
    let lock: &[&str] =
        if situation.limits.iter().any(|limit| no_state.contains(limit)) { &[] } else { &["--lock"] };
    let all = [&["-l", "x", "--timeout", "1h"], lock, &sinks, &["--"]].concat();
    [&["--"][..], &all, &["-l", "x", "--sink", "none", "-c"]]
        .map(|options| options.iter().map(OsString::from).collect())
        .to_vec()
}

/// Everything that `/proc` shows of a process that waits in `wc FIFO`, but for what cannot be the same
/// of two processes (pid, times, addresses), and for cronward's own variables.
fn seen_of(pid: u32) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    if process_state(pid).is_none_or(|state| state == 'Z') {
        return seen;
    }
    let proc = Path::new("/proc").join(pid.to_string());
    let text =
        |name: &str| String::from_utf8_lossy(&fs::read(proc.join(name)).unwrap_or_default()).into_owned();
    for line in text("status").lines() {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        let own = ["Pid", "PPid", "Tgid", "Ngid", "NSpid", "NStgid", "FDSize", "SigQ", "State"];
        if !own.contains(&key)
            && !key.starts_with("Vm")
            && !key.starts_with("Rss")
            && !key.ends_with("_switches")
        {
            seen.insert(format!("status {key}"), value.trim().to_owned());
        }
    }
    let stat = text("stat");
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    for (name, at) in [
        ("pgrp", 2),
        ("session", 3),
        ("tty", 4),
        ("foreground", 5),
        ("priority", 15),
        ("nice", 16),
        ("policy", 38),
    ] {
        seen.insert(format!("stat {name}"), fields.get(at).map(ToString::to_string).unwrap_or_default());
    }
    for name in [
        "limits",
        "cmdline",
        "oom_score_adj",
        "timerslack_ns",
        "coredump_filter",
        "personality",
        "cgroup",
        "comm",
    ] {
        seen.insert(name.to_owned(), text(name));
    }
    let environment = fs::read(proc.join("environ")).unwrap_or_default();
    let words = environment.split(|&byte| byte == 0).filter(|word| !word.starts_with(b"CRONWARD_RUN_"));
    seen.insert(
        "environ".into(),
        words.map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" "),
    );
    for name in ["cwd", "root", "exe", "ns/pid", "ns/mnt", "ns/net", "ns/user"] {
        let target = fs::read_link(proc.join(name)).unwrap_or_default();
        seen.insert(name.to_owned(), target.to_string_lossy().into_owned());
    }
    let descriptors = fs::read_dir(proc.join("fd")).into_iter().flatten().flatten();
    for name in descriptors.map(|entry| entry.file_name().to_string_lossy().into_owned()) {
        let target = fs::read_link(proc.join("fd").join(&name)).unwrap_or_default();
        let facts = text(&format!("fdinfo/{name}"));
        seen.insert(format!("descriptor {name}"), format!("{} {facts}", target.display()));
    }
    seen
}

/// Words that no careful program would pass on unchanged (environ(7)).
fn with_odd_words(invocation: Invocation<'_>) -> Invocation<'_> {
    let words: [&[u8]; 8] = [
        b"TWICE=1",
        b"TWICE=2",
        b"no equals sign",
        b"=C",
        b"EMPTY=",
        b"BYTES=\xff\xfe\n",
        b"SHELL=/bin/zsh",
        b"TRACEPARENT=x",
    ];
    words.iter().fold(invocation, |invocation, word| invocation.env_word(OsString::from_vec(word.to_vec())))
}

/// A child of a process.
fn child_of(parent: u32) -> Option<u32> {
    let pids =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.into_iter().find(|pid: &u32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        let behind_name = stat.rsplit(')').next().unwrap_or_default();
        behind_name.split_whitespace().nth(1).is_some_and(|ppid| ppid == parent.to_string())
    })
}

/// Starts it, looks at the process that counts the FIFO's words, and lets it end.
fn look_at(
    host: &Host,
    invocation: Invocation<'_>,
    situation: &Situation,
    wrapped: bool,
) -> (BTreeMap<String, String>, End, String) {
    if let Some(directory) = &situation.removed_cwd {
        fs::create_dir(directory).expect("a directory of our own");
    }
    let open = |name: &str, append: bool| {
        let file =
            OpenOptions::new().read(true).append(append).write(!append).create(true).open(host.path(name));
        file.expect("a file of our own")
    };
    // The same files for both, so that their descriptors can be compared.
    fs::write(host.path("in"), "unread").expect("a file of our own");
    File::create(host.path("out")).expect("a file of our own");
    File::create(host.path("err")).expect("a file of our own");
    let running = invocation
        .stdin(File::open(host.path("in")).expect("a file of our own"))
        .stdout(open("out", true))
        .stderr(open("err", false))
        .situation(situation)
        .start();
    // To open a FIFO for writing without waiting succeeds once there is a reader (fifo(7)).
    let mut writer = None;
    let mut writes = || {
        let file = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(host.path("hold"));
        writer = file.ok();
        writer.is_some() || running.has_ended()
    };
    eventually("the job opens its FIFO", &mut writes);
    let pid = if wrapped { child_of(running.pid()) } else { Some(running.pid()) };
    let mut seen = BTreeMap::new();
    // There is a reader a moment before it has a descriptor.
    let hold = host.path("hold").display().to_string();
    eventually("the FIFO has a descriptor", || {
        seen = seen_of(pid.unwrap_or_default());
        seen.values().any(|value| value.starts_with(&hold)) || running.has_ended()
    });
    // Groups and sessions are named by the pid that was started first.
    let leader = running.pid().to_string();
    seen.values_mut()
        .filter(|value| **value == leader)
        .for_each(|value| *value = "the process started".into());
    drop(writer);
    let ran = running.wait();
    let output = format!(
        "{}\n{}",
        fs::read_to_string(host.path("out")).unwrap_or_default(),
        fs::read_to_string(host.path("err")).unwrap_or_default()
    );
    (seen, ran.end(), output)
}

#[test]
fn a_process_sees_the_same_of_itself_with_and_without_cronward() {
    let host = Host::new();
    let hold = host.path("hold");
    situation::make_fifo(&hold);
    let wc = program("wc").into_os_string();
    let direct = [wc.clone(), hold.clone().into_os_string()];
    let line = OsString::from(format!("exec {} {}", wc.display(), hold.display()));
    let mut differences = Vec::new();
    for (name, situation) in situations(&host) {
        for options in wrappings(&host, &situation) {
            let by_shell = options.last().is_some_and(|word| word == "-c");
            let (bare, wrapped) = if by_shell {
                let bare = host.bare([OsString::from("/bin/sh"), "-c".into(), line.clone()]);
                (bare, host.cronward(options.iter().cloned().chain([line.clone()])))
            } else {
                (host.bare(direct.clone()), host.cronward(options.iter().cloned().chain(direct.clone())))
            };
            let (expected, end, output) = look_at(&host, with_odd_words(bare), &situation, false);
            let (found, wrapped_end, wrapped_output) =
                look_at(&host, with_odd_words(wrapped), &situation, true);
            if found.is_empty() {
                differences
                    .push(format!("{name} {options:?}: never ran: {wrapped_end:?} {wrapped_output:?}"));
                continue;
            }
            for key in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
                if expected.get(key) != found.get(key) {
                    differences.push(format!(
                        "{name} {options:?}: {key}: bare {:?}, wrapped {:?}",
                        expected.get(key),
                        found.get(key)
                    ));
                }
            }
            let own = |output: &str| {
                output.lines().filter(|line| !line.starts_with("cronward: ")).collect::<Vec<_>>().join("\n")
            };
            if (end, own(&output)) != (wrapped_end, own(&wrapped_output)) {
                differences.push(format!(
                    "{name} {options:?}: bare {end:?} {output:?}, wrapped {wrapped_end:?} {wrapped_output:?}"
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
