//! Output that passes through, and a reader that is late, slow, stuck or gone: what the job has written is
//! not lost in silence, and cronward neither hangs nor spins.

use std::fs::{self, File};
use std::io::Read;
use std::time::Duration;

use nix::libc;
use nix::pty::openpty;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use serde_json::json;

use crate::support::situation;
use crate::support::{End, Host, Running, eventually, processor_ticks, until_reaped};

const CAPTURE: [&str; 2] = ["--capture", "4KiB"];

/// That it sleeps: what a loop that spins takes of a second is a hundred ticks.
fn assert_at_rest(host: &Host, running: &Running<'_>) {
    let silence = host.fifo(&format!("silence-{}", processor_ticks(running.pid())));
    let before = processor_ticks(running.pid());
    assert!(silence.is_silent_for(Duration::from_millis(700)));
    let used = processor_ticks(running.pid()) - before;
    fs::remove_file(silence.path()).unwrap();
    assert!(used <= 5, "{used} ticks");
}

/// Whether nobody but the job has an end of the pipe that the job's stdout is.
fn has_let_go(cronward: u32, job: u32) -> bool {
    let pipe = fs::read_link(format!("/proc/{job}/fd/1")).unwrap();
    let descriptors = fs::read_dir(format!("/proc/{cronward}/fd")).unwrap().flatten();
    descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).all(|link| link != pipe)
}

/// A kernel's pipe joins short writes; what passes through must not need more room than that.
#[test]
fn a_reader_that_waits_for_the_end_first_has_room_for_many_short_lines() {
    let host = Host::new();
    for line in [
        "i=0; while [ $i -lt 800 ]; do echo 0123456789; i=$((i+1)); done",
        "head -c 60000 /dev/zero",
        // Slow enough for each to be passed on by itself.
        "i=0; while [ $i -lt 30 ]; do echo $i; sleep 0.01; i=$((i+1)); done",
    ] {
        let ((mut out, out_end), (mut err, err_end)) = (situation::pipe(), situation::pipe());
        let job = format!("{line}; {{ {line}; }} >&2");
        let ran = host.wrap(&CAPTURE, &job).stdout(out_end).stderr(err_end).run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        let expected = host.shell(line).run().stdout;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        out.read_to_end(&mut stdout).unwrap();
        err.read_to_end(&mut stderr).unwrap();
        assert!(stdout == expected && stderr == expected, "{} {}", stdout.len(), stderr.len());
    }
}

/// Longer than a process that was left behind would be listened to.
#[test]
fn what_was_written_before_the_end_is_there_however_late_it_is_read() {
    let host = Host::new();
    let (silence, ready) = (host.fifo("silence"), host.fifo("ready"));
    let bytes: Vec<u8> = (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(host.path("bytes"), &bytes).unwrap();
    let (mut reader, writer) = situation::pipe();
    let options = ["--capture", "1KiB", "-l", "late", "--sink", &host.log()];
    let running = host.wrap(&options, "echo ready >ready; cat bytes; exit 4").stdout(writer).start();
    ready.line();
    until_reaped(running.pid());
    assert!(silence.is_silent_for(Duration::from_secs(3)));
    assert!(!running.has_ended());
    assert_at_rest(&host, &running);
    let mut arrived = Vec::new();
    reader.read_to_end(&mut arrived).unwrap();
    let ran = running.wait();
    assert!(ran.end() == End::Code(4) && arrived == bytes, "{ran}");
    // The run ended when the job did, and not when somebody had read it all.
    let finished = &host.events()[1];
    assert!(finished["duration_ms"].as_f64().unwrap() < 2500.0, "{finished}");
    let second = |field: &str| finished[field].as_str().unwrap()[..19].to_owned();
    let whole = |field: &str| second(field)[17..].parse::<i32>().unwrap();
    let between = (whole("ended_at") - whole("started_at")).rem_euclid(60);
    assert!(between <= 2, "{finished}");
}

#[test]
fn a_stuck_reader_keeps_the_job_waiting_and_nobody_else() {
    let host = Host::new();
    let sockets = || {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (near, far) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags).unwrap();
        (File::from(near), File::from(far))
    };
    let terminal = || {
        let pair = openpty(None, None).unwrap();
        (File::from(pair.master), File::from(pair.slave))
    };
    let ends: [&dyn Fn() -> (File, File); 3] = [&situation::pipe, &sockets, &terminal];
    for ends in ends {
        let (reader, writer) = ends();
        let running = host.wrap(&CAPTURE, "echo $$ >pid; exec yes").stdout(writer).start();
        let pid = || fs::read_to_string(host.path("pid")).ok()?.trim().parse::<u32>().ok();
        eventually("the job waits for a reader", || {
            let waits = |job| {
                fs::read_to_string(format!("/proc/{job}/wchan")).is_ok_and(|wchan| wchan.contains("pipe"))
            };
            pid().is_some_and(waits)
        });
        fs::remove_file(host.path("pid")).unwrap();
        assert_at_rest(&host, &running);
        running.signal(libc::SIGTERM);
        let ran = running.wait();
        assert_eq!(ran.end(), End::Signal(libc::SIGTERM), "{ran}");
        assert!(ran.own_words().is_empty(), "{ran}");

        let (second_reader, writer) = ends();
        let options = ["--capture", "4KiB", "--timeout", "300ms"];
        let ran = host.wrap(&options, "exec yes").stdout(writer).run();
        assert_eq!(ran.end(), End::Code(124), "{ran}");
        assert!(ran.took < Duration::from_secs(8), "{ran}");
        drop((reader, second_reader));
    }
}

/// Without the pipe in between, it would have been the job's write that never came to its end.
#[test]
fn what_nobody_has_read_in_time_makes_a_success_suspect() {
    let host = Host::new();
    let job = "head -c 100000 /dev/zero";
    let (reader, writer) = situation::pipe();
    let options = ["--capture", "4KiB", "--timeout", "1s", "-l", "limited", "--sink", &host.log()];
    let ran = host.wrap(&options, job).stdout(writer).run();
    assert_eq!(ran.end(), End::Code(125), "{ran}");
    let finished = &host.events()[1];
    assert_eq!((&finished["outcome"], &finished["exit_code"]), (&json!("suspect"), &json!(0)), "{finished}");
    assert_eq!(finished["reason"], "its output was lost: stdout was not read in time");
    drop(reader);

    let (reader, writer) = situation::pipe();
    let ready = host.fifo("ready");
    let job = format!("echo ready >ready; {job}");
    let running = host.wrap(&["-l", "told", "--capture", "4KiB"], &job).stdout(writer).start();
    ready.line();
    until_reaped(running.pid());
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(125), "{ran}");
    assert_eq!(host.journal("told").last()["outcome"], "suspect", "{ran}");
    drop(reader);
}

#[test]
fn a_full_disk_is_what_the_job_would_have_met() {
    let host = Host::new();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for (job, end, outcome) in [
        ("echo lost", End::Code(125), "suspect"),
        ("echo lost; exit 7", End::Code(7), "failed"),
        ("exec yes", End::Signal(libc::SIGPIPE), "signaled"),
        ("echo all is well >&2", End::Code(0), "ok"),
    ] {
        let options = ["-l", outcome, "--capture", "4KiB", "--retries", "1", "--retry-delay", "1ms"];
        let ran = host.wrap(&options, job).stdout(full()).run();
        assert_eq!(ran.end(), end, "{ran}");
        let journal = host.journal(outcome);
        assert_eq!(journal.last()["outcome"], outcome, "{ran}");
        assert_eq!(journal.last()["attempts"], if outcome == "ok" { 1 } else { 2 }, "{ran}");
        if outcome == "suspect" {
            let lost = "its output was lost: cannot write to stdout: no space left on device";
            assert_eq!(journal.last()["reason"], lost, "{ran}");
            assert!(ran.stderr_text().starts_with(&format!("cronward: suspect: {lost}\n")), "{ran}");
        }
    }
}

/// `yes | head -1`, and a job that writes nothing for a while when its reader has gone.
#[cfg_attr(posix_only, ignore = "POSIX does not tell whether a pipe has a name")]
#[test]
fn a_reader_that_goes_away_ends_the_job_as_it_would_without_cronward() {
    let host = Host::new();
    for retries in ["0", "2"] {
        let options = format!("--capture 4KiB --retries {retries} --retry-delay 1ms");
        let line = format!("{{ \"$CRONWARD\" {options} -- yes; echo $? >status; }} | head -1");
        let ran = host.shell(&line).run();
        assert_eq!(ran.stdout_text(), "y\n", "{ran}");
        assert_eq!(fs::read_to_string(host.path("status")).unwrap(), "141\n", "{ran}");
    }
    let (hold, ready) = (host.fifo("hold"), host.fifo("ready"));
    let (mut reader, writer) = situation::pipe();
    let job = "echo $$ >ready; echo one; read x <hold; echo two; echo never >ready";
    let running = host.wrap(&CAPTURE, job).stdout(writer).start();
    let pid = ready.line().parse().unwrap();
    let mut line = [0; 4];
    reader.read_exact(&mut line).unwrap();
    drop(reader);
    eventually("cronward has let go of the pipe", || has_let_go(running.pid(), pid));
    assert_at_rest(&host, &running);
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Signal(libc::SIGPIPE), "{ran}");
    assert!(ready.is_silent_for(Duration::ZERO));
}

/// fifo(7): while nobody reads a named pipe a writer waits for nobody; somebody may come.
#[test]
fn a_named_pipe_may_change_its_reader() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    situation::make_fifo(&host.path("fifo"));
    let both = File::options().read(true).write(true).open(host.path("fifo")).unwrap();
    let mut reader = File::open(host.path("fifo")).unwrap();
    let writer = File::options().write(true).open(host.path("fifo")).unwrap();
    drop(both);
    let running =
        host.wrap(&CAPTURE, "echo one; echo ready >ready; read x <hold; echo two").stdout(writer).start();
    ready.line();
    let mut line = [0; 4];
    reader.read_exact(&mut line).unwrap();
    drop(reader);
    assert_at_rest(&host, &running);
    let mut reader = File::open(host.path("fifo")).unwrap();
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    reader.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"two\n");
}

#[test]
fn a_job_that_closes_its_output_and_runs_on_is_waited_for_asleep() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let job = "echo last; exec >&- 2>&-; echo ready >ready; read x <hold; exit 3";
    let running = host.wrap(&["--capture", "4KiB", "--log-dir", "logs", "-l", "x"], job).start();
    ready.line();
    assert_at_rest(&host, &running);
    hold.say("go");
    let ran = running.wait();
    assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(3), "last\n"), "{ran}");
}

/// A pipe of another user's cannot be opened again for ourselves: neither then may anybody be kept waiting.
#[test]
fn a_pipe_that_is_another_users_is_passed_on_to_without_waiting() {
    if !situation::is_root() {
        return;
    }
    let host = Host::new();
    let state = host.path("nobody");
    fs::create_dir(&state).unwrap();
    std::os::unix::fs::chown(&state, Some(65_534), Some(65_534)).unwrap();
    let opened = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(host.directory(), opened).unwrap();
    let job = "i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done; exec yes";
    let as_nobody = |options: &[&str], job: &str| {
        let line = format!(
            "exec setpriv --reuid 65534 --clear-groups \"$CRONWARD\" {} -c '{job}'",
            options.join(" ")
        );
        host.shell(&line).env("CRONWARD_STATE_DIR", state.join("state"))
    };
    let (mut reader, writer) = situation::pipe();
    let ran = as_nobody(&["--capture", "4KiB", "--timeout", "1s"], job).stdout(writer).run();
    assert_eq!(ran.end(), End::Code(124), "{ran}");
    let mut arrived = String::new();
    reader.read_to_string(&mut arrived).unwrap();
    assert!(arrived.starts_with("0\n1\n2\n"), "{ran}");

    let pair = openpty(None, None).unwrap();
    let terminal = File::from(pair.slave);
    let running = as_nobody(&["--capture", "4KiB", "--timeout", "1s"], "exec yes").stdout(terminal).start();
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(124), "{ran}");
    assert!(ran.took < Duration::from_secs(8), "{ran}");
    drop(pair.master);
}

/// What it writes behind the job's end is nobody's output, and a reader who is stuck does not make it one.
#[test]
fn what_is_left_behind_and_writes_without_end_holds_nobody() {
    let host = Host::new();
    let (near, far) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let job = "(read x <hold; echo $$ >ready; exec yes) & echo out; echo ready >ready; exit 3";
    let running = host.wrap(&CAPTURE, job).stdout(far).start();
    ready.line();
    until_reaped(running.pid());
    hold.say("go");
    ready.line();
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    assert!(ran.took < Duration::from_secs(8), "{ran}");
    let mut arrived = vec![0; 4];
    File::from(near).read_exact(&mut arrived).unwrap();
    assert_eq!(arrived, b"out\n");
}
