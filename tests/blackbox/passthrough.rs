//! What goes in and out of the job goes past cronward: arguments, streams, descriptors.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;

use nix::libc;

use crate::support::situation;
use crate::support::{End, Host, Invocation, Situation, program};

/// Runs the same words with and without cronward.
fn both(
    host: &Host,
    argv: &[OsString],
    prepare: impl Fn(Invocation<'_>) -> Invocation<'_>,
) -> [(End, Vec<u8>, Vec<u8>); 2] {
    let bare = host.bare(argv.iter().cloned());
    let wrapped = host.cronward([OsString::from("--")].into_iter().chain(argv.iter().cloned()));
    [bare, wrapped].map(|invocation| {
        let ran = prepare(invocation).run();
        (ran.end(), ran.stdout.clone(), ran.stderr_of_job())
    })
}

#[test]
fn arguments_arrive_byte_for_byte() {
    let host = Host::new();
    let bytes: Vec<u8> = (1..=255).collect();
    let hostile: [&[u8]; 9] = [b"", b"--", b"-c", b"--label", b"a b", b"*", b"$HOME", b"\xff\xfe", &bytes];
    let mut argv: Vec<OsString> = vec![program("printf").into(), "[%s]".into()];
    argv.extend(hostile.iter().map(|word| OsString::from_vec(word.to_vec())));
    let [bare, wrapped] = both(&host, &argv, |invocation| invocation);
    assert_eq!(bare, wrapped);
    assert!(bare.1.starts_with(b"[][--][-c]"), "{}", bare.1.escape_ascii());
}

/// POSIX, XCU 2.9.1.1: a file that execve(2) refuses with ENOEXEC is a script of the shell's.
#[test]
fn a_script_without_an_interpreter_line_is_run_by_the_shell() {
    let host = Host::new();
    let script = host.script("job", "echo \"$0 $# $1\"; exit 3\n");
    let bare = host.shell("./job 'a b' ''").run();
    let wrapped = host.cronward(["--", "./job", "a b", ""]).run();
    assert_eq!((bare.end(), bare.stdout_text()), (wrapped.end(), wrapped.stdout_text()), "{wrapped}");
    assert_eq!(bare.stdout_text(), "./job 2 a b\n");
    let searched = host
        .cronward(["--", "job", "x", "y"])
        .env("PATH", format!("/nowhere:{}", host.directory().display()))
        .run();
    assert_eq!(searched.stdout_text(), format!("{} 2 x\n", script.display()), "{searched}");
}

#[test]
fn a_mebibyte_of_binary_passes_through() {
    let host = Host::new();
    let bytes: Vec<u8> = (0..1_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(host.path("binary"), &bytes).unwrap();
    let open = || File::open(host.path("binary")).unwrap();
    let from_file = host.cronward(["--", "cat"]).stdin(open()).run();
    assert!(from_file.end() == End::Code(0) && from_file.stdout == bytes, "{from_file}");
    assert!(from_file.stderr.is_empty(), "{from_file}");

    let (reader, mut writer) = situation::pipe();
    let running = host.cronward(["--", "cat"]).stdin(reader).start();
    writer.write_all(&bytes).unwrap();
    drop(writer);
    let from_pipe = running.wait();
    assert!(from_pipe.end() == End::Code(0) && from_pipe.stdout == bytes, "{from_pipe}");
}

#[test]
fn what_the_job_leaves_of_stdin_is_the_callers() {
    let host = Host::new();
    fs::write(host.path("in"), "abcdef").unwrap();
    let line = "\"$CRONWARD\" -- dd bs=1 count=3 status=none; cat";
    let ran = host.shell(line).stdin(File::open(host.path("in")).unwrap()).run();
    assert_eq!(ran.stdout_text(), "abcdef", "{ran}");
    let pipeline =
        host.shell("printf abcdef | { \"$CRONWARD\" -- dd bs=1 count=3 status=none; tr a-z A-Z; }").run();
    assert_eq!(pipeline.stdout_text(), "abcDEF", "{pipeline}");
}

/// `yes | head -1`: the job dies of SIGPIPE, or, where that is ignored, says why it failed.
#[test]
fn a_reader_that_goes_away_is_the_jobs_affair() {
    let host = Host::new();
    for ignored in [vec![], vec![libc::SIGPIPE]] {
        let situation = Situation { ignored, ..Situation::default() };
        let argv = [OsString::from("/usr/bin/yes")];
        let [bare, wrapped] = both(&host, &argv, |invocation| {
            let (reader, writer) = situation::pipe();
            drop(reader);
            invocation.stdout(writer).situation(&situation)
        });
        assert_eq!(bare, wrapped);
        let expected = if situation.ignored.is_empty() { End::Signal(libc::SIGPIPE) } else { End::Code(1) };
        assert_eq!(bare.0, expected);
    }
}

#[test]
fn neither_stream_is_held_back() {
    let host = Host::new();
    let hold = host.fifo("hold");
    let (mut reader, writer) = situation::pipe();
    let line = format!("echo out; echo err >&2; read x < {}", hold.path().display());
    let stderr = writer.try_clone().unwrap();
    let running = host.cronward(["-c", &line]).stdout(writer).stderr(stderr).start();
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"out\nerr\n");
    assert!(!running.has_ended());
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
}

/// What the job changes for itself must reach nobody, and what the caller has open stays as it is.
#[test]
fn the_callers_descriptors_keep_their_flags() {
    let host = Host::new();
    let (reader, writer) = situation::pipe();
    let flags = |file: &File| fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap();
    let before = (flags(&reader), flags(&writer));
    let ran = host
        .cronward(["--", "true"])
        .stdin(reader.try_clone().unwrap())
        .stdout(writer.try_clone().unwrap())
        .run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert_eq!((flags(&reader), flags(&writer)), before);
}

/// execve(2): arguments and environment together have a limit. Our own variables must not be what
/// exceeds it for the command.
#[test]
fn arguments_that_just_fit_still_fit() {
    let host = Host::new();
    // 128 KiB a word, its NUL included (MAX_ARG_STRLEN), and a quarter of the stack for all.
    let longest = "x".repeat(128 * 1024 - 1);
    let ran = host.cronward(["--", "true", &longest]).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");

    let small = Situation { limits: vec![(libc::RLIMIT_STACK, 1 << 20)], ..Situation::default() };
    let start = |last: usize| {
        let arguments = ["--sink", "none", "--", "true", &longest, &longest[..last]];
        host.cronward(arguments).situation(&small).try_start()
    };
    let (mut fits, mut too_long) = (0, longest.len());
    assert!(start(fits).is_ok() && start(too_long).is_err(), "the bounds of the search");
    while too_long - fits > 1 {
        let middle = usize::midpoint(fits, too_long);
        if start(middle).is_ok() { fits = middle } else { too_long = middle }
    }
    let ran = start(fits).expect("it fitted before").wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
}
