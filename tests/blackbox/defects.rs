//! A panic inside cronward, wherever it happens: the job is waited for, what it writes goes on, signals reach it, and
//! its status is cronward's. Only a debug build panics on demand.

use std::fs::{self, File};
use std::io::Read;
use std::time::{Duration, Instant};

use nix::libc;

use crate::support::situation::{self, wait_readable};
use crate::support::{
    End, Host, Invocation, Ran, Situation, cronward_binary, eventually, process_state, processor_ticks,
    until_reaped,
};

/// Told to panic at a place.
fn panicking<'h>(place: &str, invocation: Invocation<'h>) -> Invocation<'h> {
    invocation.env("_CRONWARD_PANICS_AT", place)
}

/// That it did, and said so in one line.
fn assert_panicked(place: &str, ran: &Ran) {
    let said = format!("rehearsed at '{place}'; the job is not affected, please report this");
    let defects = ran.own_words().into_iter().filter(|line| line.starts_with("cronward: internal error at "));
    let defects: Vec<_> = defects.collect();
    assert!(defects.len() == 1 && defects[0].ends_with(&said), "{ran}");
}

/// Bytes of which no part is like another.
fn numbered(count: u32) -> Vec<u8> {
    (0..count).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Where a command has been started.
const PLACES: [&str; 4] = ["watch", "reaped", "end", "report"];
const OPTIONS: [&[&str]; 5] =
    [&[], &["--timeout", "1h"], &["--capture", "1KiB"], &["--quiet"], &["--log-dir", "logs"]];

#[test]
fn before_the_command_is_started_it_is_125_and_nothing_is_run() {
    let host = Host::new();
    for options in OPTIONS {
        let ran = panicking("start", host.wrap(options, "touch ran; exit 3")).run();
        assert_eq!(ran.end(), End::Code(125), "{ran}");
        assert_panicked("start", &ran);
        assert!(!host.path("ran").exists());
    }
}

#[test]
fn the_job_is_waited_for_its_output_arrives_and_its_end_is_ours() {
    let host = Host::new();
    for place in PLACES {
        for options in OPTIONS {
            for (ending, end) in [
                ("exit 7", End::Code(7)),
                ("exit 0", End::Code(0)),
                ("kill -KILL $$", End::Signal(libc::SIGKILL)),
            ] {
                let options = [&["-l", "job", "--own-group"], options].concat();
                let job = format!("echo one; echo two >&2; echo three; {ending}");
                let ran = panicking(place, host.wrap(&options, &job)).run();
                assert_eq!((ran.end(), ran.stdout_text()), (end, "one\nthree\n".to_owned()), "{place} {ran}");
                assert_eq!(ran.stderr_of_job(), b"two\n", "{place} {ran}");
                assert_panicked(place, &ran);
            }
        }
    }
}

#[test]
fn all_output_arrives_once_wherever_it_was_when_the_panic_came() {
    let host = Host::new();
    let bytes = numbered(3_000_000);
    fs::write(host.path("bytes"), &bytes).unwrap();
    for options in [
        &["--capture", "1KiB"][..],
        // All of it is seen by somebody: so it goes from pipe to pipe, and is read out of the first behind that.
        &["--log-dir", "logs"],
        // A part is in memory, and more is in a file.
        &["--quiet"],
    ] {
        // Where there is no tee(2), nothing goes on that was not taken out of the pipe.
        let is_teed = options[0] == "--log-dir" && !cfg!(posix_only);
        let gone_on = is_teed.then_some("output that has gone on");
        for place in ["output", "more output"].into_iter().chain(PLACES).chain(gone_on) {
            let (mut reader, writer) = situation::pipe();
            let invocation = host.wrap(options, "exec cat bytes >&2").stderr(writer);
            let running = panicking(place, invocation).start();
            let mut arrived = Vec::new();
            reader.read_to_end(&mut arrived).unwrap();
            let ran = running.wait();
            assert_eq!(ran.end(), End::Code(0), "{ran}");
            let at = arrived.windows(9).position(|window| window == b"cronward:").expect("it says so");
            let behind = at + arrived[at..].iter().position(|&byte| byte == b'\n').unwrap() + 1;
            let of_job = [&arrived[..at], &arrived[behind..]].concat();
            assert!(of_job == bytes, "{place} {options:?}: {} bytes", of_job.len());
        }
    }
}

/// More than there is room for, while nobody reads.
#[test]
fn what_was_written_before_the_end_is_there_however_late_it_is_read() {
    let host = Host::new();
    let bytes = numbered(100_000);
    fs::write(host.path("bytes"), &bytes).unwrap();
    let (silence, (mut reader, writer)) = (host.fifo("silence"), situation::pipe());
    let invocation = host.wrap(&["--capture", "1KiB"], "cat bytes; exit 4").stdout(writer);
    let running = panicking("watch", invocation).start();
    until_reaped(running.pid());
    assert!(silence.is_silent_for(Duration::from_millis(500)));
    assert!(!running.has_ended() && processor_ticks(running.pid()) < 10, "it waits asleep");
    let mut arrived = Vec::new();
    reader.read_to_end(&mut arrived).unwrap();
    let ran = running.wait();
    assert!(ran.end() == End::Code(4) && arrived == bytes, "{ran}");
}

#[test]
fn signals_reach_the_job_all_the_same() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let numbers = [("TERM", libc::SIGTERM), ("HUP", libc::SIGHUP), ("USR1", libc::SIGUSR1), ("40", 40)];
    for options in [&[][..], &["--own-group"], &["--capture", "1KiB"], &["--quiet"]] {
        for (name, number) in numbers {
            let job =
                format!("trap 'echo got {name}; exit 3' {name}; cat hold & echo ready >ready; wait; wait");
            let running = panicking("watch", host.wrap(options, &job)).start();
            ready.line();
            running.signal(number);
            let ran = running.wait();
            assert_eq!((ran.end(), ran.stdout_text()), (End::Code(3), format!("got {name}\n")), "{ran}");
            assert_panicked("watch", &ran);
        }
        let running = panicking("watch", host.wrap(options, "echo ready >ready; exec cat hold")).start();
        ready.line();
        running.signal(libc::SIGTERM);
        assert_eq!(running.wait().end(), End::Signal(libc::SIGTERM));
    }
}

#[test]
fn what_was_ignored_when_it_was_started_is_ignored_all_the_same() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let nohup = Situation { ignored: vec![libc::SIGHUP], ..Situation::default() };
    // Who has it ignored cannot be hurt by it.
    let job = "exec env --default-signal=HUP sh -c 'echo ready >ready; read x <hold; exit 4'";
    let running = panicking("watch", host.wrap(&[], job)).situation(&nohup).start();
    ready.line();
    running.signal(libc::SIGHUP);
    hold.say("go");
    assert_eq!(running.wait().end(), End::Code(4));
}

/// See the test of the same in `signals`.
#[test]
fn it_stops_and_goes_on_with_its_job() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let leader = Situation { own_group: true, ..Situation::default() };
    for options in [&[][..], &["--capture", "1KiB"]] {
        let invocation = host.wrap(options, "echo ready >ready; read x <hold; exit 5");
        let running = panicking("watch", invocation).situation(&leader).start();
        ready.line();
        for _ in 0..2 {
            running.signal_group(libc::SIGTSTP);
            eventually("cronward has stopped with its job", || process_state(running.pid()) == Some('T'));
            running.signal_group(libc::SIGCONT);
            eventually("cronward goes on with its job", || process_state(running.pid()) == Some('S'));
        }
        hold.say("go");
        assert_eq!(running.wait().end(), End::Code(5));
    }
}

#[test]
fn the_job_is_told_when_nobody_reads_what_it_writes() {
    let host = Host::new();
    let (reader, writer) = situation::pipe();
    drop(reader);
    let ran = panicking("watch", host.wrap(&["--capture", "1KiB"], "exec yes")).stdout(writer).run();
    assert_eq!(ran.end(), End::Signal(libc::SIGPIPE), "{ran}");
}

#[test]
fn output_that_cannot_be_written_on_is_no_success() {
    let host = Host::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = panicking("watch", host.wrap(&["--capture", "1KiB"], "echo lost; exit 0")).stdout(full).run();
    assert_eq!(ran.end(), End::Code(125), "{ran}");
}

#[test]
fn a_reader_who_has_stopped_does_not_keep_it_from_stopping() {
    let host = Host::new();
    let (reader, writer) = situation::pipe();
    let running = panicking("watch", host.wrap(&["--capture", "1KiB"], "exec yes")).stdout(writer).start();
    assert!(wait_readable(&reader, Instant::now() + Duration::from_secs(30)));
    running.signal(libc::SIGTERM);
    assert_eq!(running.wait().end(), End::Signal(libc::SIGTERM));
    drop(reader);
}

#[test]
fn a_job_whose_time_was_over_has_timed_out() {
    let host = Host::new();
    let job = "trap 'echo told; exit 0' TERM; while :; do sleep 0.01; done";
    let ran = panicking("limit", host.wrap(&["--timeout", "100ms"], job)).run();
    assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(124), "told\n"), "{ran}");
    assert_panicked("limit", &ran);
}

#[test]
fn the_last_attempt_is_the_one_that_was_made() {
    let host = Host::new();
    let options = ["--retries", "3", "--retry-delay", "0.01s"];
    let ran = panicking("end", host.wrap(&options, "echo once; exit 9")).run();
    assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(9), "once\n"), "{ran}");
}

#[test]
fn a_command_that_could_not_be_started_is_told_by_its_status() {
    let host = Host::new();
    for place in ["end", "report"] {
        let ran = panicking(place, host.cronward(["--", "/no/such/program"])).run();
        assert_eq!(ran.end(), End::Code(127), "{ran}");
    }
}

#[test]
fn a_run_that_was_skipped_is_told_by_its_status() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let options = ["-l", "job", "--lock", "--lock-exit", "70"];
    let running = host.wrap(&options, "echo ready >ready; read x <hold").start();
    ready.line();
    let ran = panicking("report", host.wrap(&options, "touch ran")).run();
    assert_eq!(ran.end(), End::Code(70), "{ran}");
    hold.say("go");
    running.wait();
}

#[test]
fn the_next_run_records_the_one_whose_end_nobody_has_recorded() {
    let host = Host::new();
    for place in PLACES {
        let options = ["-l", place, "--sink", "none"];
        panicking(place, host.wrap(&options, "exit 0")).run();
        let ran = host.wrap(&options, "exit 0").run();
        assert_eq!(host.journal(place).outcomes(), ["interrupted", "ok"], "{ran}");
    }
}

/// The thread of a sink is not the one that looks after the job.
#[test]
fn a_sink_that_panics_costs_the_deadline_and_nobody_else_anything() {
    let host = Host::new();
    let (log, broken) = (host.log(), host.alert_sink());
    let options = ["-l", "job", "--flush-deadline", "500ms", "--sink", &log, "--sink", &broken];
    let ran = panicking("sink", host.wrap(&options, "echo out; exit 7")).run();
    assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(7), "out\n"), "{ran}");
    assert_panicked("sink", &ran);
    let finished =
        host.events().into_iter().find(|event| event["kind"] == "run.finished").expect("it is told");
    assert!(finished["sink_errors"][0].as_str().unwrap().ends_with("timed out"), "{finished}");
    assert_eq!(host.journal("job").outcomes(), ["failed"], "{ran}");
    assert!(ran.own_words().iter().any(|line| line.contains("job is failing")), "the alert: {ran}");
}

/// A terminal that went on scrolling in a part of its screen would be of no use to anybody. script(1) makes one.
#[test]
fn the_terminal_is_given_back() {
    let host = Host::new();
    let job = "stty rows 24 cols 80; \"$CRONWARD\" --progress -l job -c 'sleep 1.5; echo done; exit 6'";
    let script = host.bare(["script", "-qec", job, "/dev/null"]).env("CRONWARD", cronward_binary());
    let ran = panicking("moment", script.env("TERM", "xterm")).run();
    assert_eq!(ran.end(), End::Code(6), "{ran}");
    let screen = ran.stdout_text();
    let (taken, given_back) =
        (screen.find("\x1b[1;23r").expect("taken"), screen.find("\x1b[r").expect("given back"));
    assert!(taken < given_back && given_back < screen.find("done").unwrap(), "{ran}");
    assert_eq!(screen.matches("\x1b[1;23r").count(), 1, "{ran}");
}
