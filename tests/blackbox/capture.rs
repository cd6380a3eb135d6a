//! `--capture`: what the job writes arrives as it was written, when it was written, wherever it goes; and
//! the job finds everything else as it was.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};

use nix::fcntl::{FcntlArg, fcntl};
use nix::pty::openpty;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use crate::support::situation::{self, Situation};
use crate::support::{End, Host, eventually, program};

const CAPTURE: [&str; 2] = ["--capture", "4KiB"];

/// Bytes of every value, in an order without a pattern.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Everything that comes out of one end, to the end of it. A terminal ends with EIO (pty(7)).
fn reading(mut from: File) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 65_536]);
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
        }
        all
    })
}

/// Two ends of something that is written to at the second one.
fn sockets() -> (File, File) {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (near, far) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags).unwrap();
    (near.into(), far.into())
}

fn terminal() -> (File, File) {
    let pair = openpty(None, None).unwrap();
    let mut raw = tcgetattr(&pair.slave).unwrap();
    cfmakeraw(&mut raw);
    tcsetattr(&pair.slave, SetArg::TCSANOW, &raw).unwrap();
    for fd in [&pair.master, &pair.slave] {
        fcntl(fd, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC)).unwrap();
    }
    (pair.master.into(), pair.slave.into())
}

fn status_flags(file: &File) -> i32 {
    fcntl(file, FcntlArg::F_GETFL).unwrap()
}

#[test]
fn every_byte_arrives_in_files_and_in_pipes() {
    let host = Host::new();
    let line = vec![b'x'; 50 << 20];
    for (name, bytes) in [
        ("nothing", vec![]),
        ("noise", noise(20 << 20)),
        ("one line", line),
        ("no newline", b"a\nb".to_vec()),
    ] {
        fs::write(host.path("bytes"), &bytes).unwrap();
        let stderr = &bytes[..bytes.len() / 10];
        fs::write(host.path("less"), stderr).unwrap();
        let job = "cat less >&2; cat bytes";
        let ran = host.wrap(&CAPTURE, job).run();
        assert!(ran.end() == End::Code(0) && ran.stdout == bytes && ran.stderr == stderr, "{name}: {ran}");

        let ((out, out_end), (err, err_end)) = (situation::pipe(), situation::pipe());
        let (out, err) = (reading(out), reading(err));
        let ran = host.wrap(&CAPTURE, job).stdout(out_end).stderr(err_end).run();
        assert_eq!(ran.end(), End::Code(0), "{name}");
        assert!(out.join().unwrap() == bytes && err.join().unwrap() == stderr, "{name}");
    }
}

#[test]
fn every_byte_arrives_in_sockets_terminals_and_named_pipes() {
    let host = Host::new();
    let bytes = noise(3 << 20);
    fs::write(host.path("bytes"), &bytes).unwrap();
    situation::make_fifo(&host.path("fifo"));
    let fifo = || {
        // While somebody has both ends, nobody waits for the other one (fifo(7)).
        let _both = OpenOptions::new().read(true).write(true).open(host.path("fifo")).unwrap();
        let reader = File::open(host.path("fifo")).unwrap();
        (reader, OpenOptions::new().write(true).open(host.path("fifo")).unwrap())
    };
    for (name, (reader, writer)) in [("socket", sockets()), ("terminal", terminal()), ("named pipe", fifo())]
    {
        let arrived = reading(reader);
        let ran = host.wrap(&CAPTURE, "cat bytes").stdout(writer).run();
        assert_eq!(ran.end(), End::Code(0), "{name}: {ran}");
        assert!(arrived.join().unwrap() == bytes, "{name}");
    }
}

#[test]
fn a_file_that_is_appended_to_keeps_what_it_has() {
    let host = Host::new();
    fs::write(host.path("log"), "before\n").unwrap();
    let append = || OpenOptions::new().append(true).open(host.path("log")).unwrap();
    let hold = host.fifo("hold");
    let running = host.wrap(&CAPTURE, "echo one; read x <hold; echo two").stdout(append()).start();
    let log = || fs::read_to_string(host.path("log")).unwrap();
    eventually("the first line is there", || log() == "before\none\n");
    // Somebody else appends to it meanwhile, by a description of their own.
    append().write_all(b"other\n").unwrap();
    hold.say("go");
    let ran = running.wait();
    assert_eq!((ran.end(), &*log()), (End::Code(0), "before\none\nother\ntwo\n"), "{ran}");
    let ran = host.wrap(&CAPTURE, "cat bytes 2>&1; exit 3").stdout(File::create("/dev/null").unwrap()).run();
    assert_eq!((ran.end(), &*ran.stderr_of_job()), (End::Code(3), &b""[..]), "{ran}");
}

/// In one open file there is one order.
#[test]
fn the_order_of_both_streams_is_kept_where_they_are_one_open_file() {
    let host = Host::new();
    let job = "i=0; while [ $i -lt 10000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";
    let expected: String = (0..10_000).map(|at| format!("out {at}\nerr {at}\n")).collect();
    let file = File::create(host.path("f")).unwrap();
    let ran = host.wrap(&CAPTURE, job).stdout(file.try_clone().unwrap()).stderr(file).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert!(fs::read_to_string(host.path("f")).unwrap() == expected);

    let (reader, writer) = situation::pipe();
    let arrived = reading(reader);
    host.wrap(&CAPTURE, job).stdout(writer.try_clone().unwrap()).stderr(writer).run();
    assert!(arrived.join().unwrap() == expected.as_bytes());
}

#[test]
fn a_prompt_is_passed_on_before_the_job_goes_on() {
    let host = Host::new();
    let hold = host.fifo("hold");
    let ends: [&dyn Fn() -> (File, File); 3] = [&situation::pipe, &sockets, &terminal];
    for ends in ends {
        let (mut reader, writer) = ends();
        let running = host.wrap(&CAPTURE, "printf 'name? '; read x <hold; echo $x").stdout(writer).start();
        let mut prompt = [0; 6];
        reader.read_exact(&mut prompt).unwrap();
        assert_eq!(&prompt, b"name? ");
        assert!(!running.has_ended());
        hold.say("me");
        let ran = running.wait();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        let mut answer = [0; 3];
        reader.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"me\n");
    }
}

/// O_NONBLOCK belongs to the open file, which is the caller's and perhaps others', too.
#[test]
fn the_callers_open_files_stay_as_they_are() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let ends: [&dyn Fn() -> (File, File); 3] = [&situation::pipe, &sockets, &terminal];
    for ends in ends {
        let (reader, writer) = ends();
        let before = (status_flags(&reader), status_flags(&writer));
        let arrived = reading(reader.try_clone().unwrap());
        let running = host
            .wrap(&CAPTURE, "head -c 1000000 /dev/zero; echo ready >ready; read x <hold; echo end")
            .stdout(writer.try_clone().unwrap())
            .start();
        ready.line();
        let during = (status_flags(&reader), status_flags(&writer));
        hold.say("go");
        let ran = running.wait();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        let after = (status_flags(&reader), status_flags(&writer));
        assert_eq!((during, after), (before, before));
        drop((reader, writer));
        assert_eq!(arrived.join().unwrap().len(), 1_000_004);
    }
}

#[test]
fn the_job_has_no_descriptor_more_and_none_less() {
    let host = Host::new();
    let ls = program("ls").into_os_string();
    for situation in [
        Situation::default(),
        Situation { extra: vec![3, 4, 9, 200], ..Situation::default() },
        Situation { closed: vec![0], ..Situation::default() },
        Situation { closed: vec![2], extra: vec![5], ..Situation::default() },
    ] {
        let seen = |options: &[&str]| {
            let all = [options, &["--", ls.to_str().unwrap(), "/proc/self/fd"]].concat();
            host.cronward(all).situation(&situation).run().stdout_text()
        };
        // The tests beside this one open descriptors too, and one that is open for an instant without O_CLOEXEC is
        // the command's: what counts is what is the same before and after.
        let beside_untouched = |options: &[&str]| loop {
            let (before, with, after) = (seen(&[]), seen(options), seen(&[]));
            assert!(before.lines().count() >= 3, "{before}");
            if before == after {
                return (with, before);
            }
        };
        let dir = host.path("logs").display().to_string();
        let (with, untouched) = beside_untouched(&CAPTURE);
        assert_eq!(with, untouched);
        let logs = ["--capture", "1KiB", "--quiet", "--log-dir", &dir, "-l", "x"];
        let (with, untouched) = beside_untouched(&logs);
        assert_eq!(with, untouched);
    }
}

#[test]
fn what_the_caller_has_closed_is_closed_to_the_job() {
    let host = Host::new();
    for (closed, expected) in [(vec![1], "0 2"), (vec![2], "0 1"), (vec![1, 2], "0"), (vec![0, 1], "2")] {
        let situation = Situation { closed, ..Situation::default() };
        // Opened by the shell after it has looked.
        let job =
            "seen=; for n in 0 1 2; do [ -e /proc/$$/fd/$n ] && seen=\"$seen $n\"; done; echo $seen >seen";
        let ran = host.wrap(&["--capture", "1KiB", "--quiet"], job).situation(&situation).run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        assert_eq!(fs::read_to_string(host.path("seen")).unwrap().trim(), expected);
    }
}

#[test]
fn stdin_is_the_callers() {
    let host = Host::new();
    let line = "printf abcdef | { \"$CRONWARD\" --capture 1KiB -- dd bs=1 count=3 status=none; tr a-z A-Z; }";
    assert_eq!(host.shell(line).run().stdout_text(), "abcDEF");
    let (near, far): (OwnedFd, OwnedFd) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let ran = host.wrap(&CAPTURE, "[ -S /proc/self/fd/0 ] && echo socket").stdin(far).run();
    assert_eq!(ran.stdout_text(), "socket\n", "{ran}");
    drop(near);
}

#[test]
fn bad_sizes_are_usage_errors_and_nothing_is_run() {
    let host = Host::new();
    for value in ["", "1", "some", "-1KiB", "17MiB", "1 KiB x", "99999999999999999999GiB"] {
        let ran = host.cronward([&*format!("--capture={value}"), "--", "touch", "ran"]).run();
        assert_eq!(ran.end(), End::Code(125), "{ran}");
        let said = ran.stderr_text();
        assert!(said.lines().count() == 1 && said.contains("--capture") && said.contains(value), "{ran}");
        assert!(!host.path("ran").exists(), "{ran}");
    }
}
