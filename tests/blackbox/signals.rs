//! Signals to cronward and by the job.

use nix::libc;

use crate::support::situation::{pipe, wait_readable};
use crate::support::{End, Host, Situation, cronward_binary, eventually, process_state};

/// A line that announces itself on the FIFO `ready` and then waits on the FIFO `hold`, so that traps
/// act at once: `wait` ends when a signal comes (POSIX, XCU 2.11).
fn waiting(traps: &str) -> String {
    format!("{traps}; cat hold >/dev/null & echo ready >ready; wait; wait; exit 99")
}

const NAMES: [(&str, i32); 11] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("TERM", libc::SIGTERM),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("ALRM", libc::SIGALRM),
    ("WINCH", libc::SIGWINCH),
    ("CONT", libc::SIGCONT),
    ("TSTP", libc::SIGTSTP),
    ("40", 40),
];

#[test]
fn a_signal_to_cronward_reaches_the_job() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    for own_group in [false, true] {
        for (name, number) in NAMES {
            let line = waiting(&format!("trap 'echo got {name}; exit 0' {name}"));
            let options = ["-l", "traps", "--own-group"];
            let running = host.wrap(&options[..options.len() - usize::from(!own_group)], &line).start();
            assert_eq!(ready.line(), "ready");
            running.signal(number);
            let ran = running.wait();
            assert_eq!((ran.end(), ran.stdout_text()), (End::Code(0), format!("got {name}\n")), "{ran}");
            let journal = host.journal("traps");
            // It was told to stop, and ended well: that is a success.
            assert_eq!(journal.last()["outcome"], "ok", "{ran}");
            assert_eq!(journal.last()["forwarded_signal"], number, "{ran}");
        }
    }
}

/// What Ctrl-Z and `fg` do: the terminal stops the whole group, the shell continues it. Sent to a group
/// that is not orphaned, since this test is its members' ancestor in another one (setpgid(2)).
#[test]
fn a_group_that_is_stopped_and_continued_goes_on_at_once() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let leader = Situation { own_group: true, ..Situation::default() };
    let line = "echo ready >ready; read x <hold; exit 5";
    let running = host.wrap(&["-l", "stopped"], line).situation(&leader).start();
    assert_eq!(ready.line(), "ready");
    for _ in 0..3 {
        running.signal_group(libc::SIGTSTP);
        eventually("cronward has stopped with its job", || process_state(running.pid()) == Some('T'));
        running.signal_group(libc::SIGCONT);
        eventually("cronward goes on with its job", || process_state(running.pid()) == Some('S'));
    }
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(5), "{ran}");
}

/// A job that has closed the descriptor that the log of the outer run goes to.
#[test]
fn a_cronward_further_in_runs_its_job_without_the_descriptor_of_the_one_further_out() {
    let host = Host::new();
    let inner = format!("exec 7>&-; '{}' -l inner -- sh -c 'exit 6'", cronward_binary().display());
    let outer = format!("exec 7>log; '{}' -l outer -c \"$INNER\"", cronward_binary().display());
    let ran = host.shell(&outer).env("CRONWARD_SINK", "jsonl:fd:7").env("INNER", inner).run();
    assert_eq!(ran.end(), End::Code(6), "{ran}");
    let events = std::fs::read_to_string(host.path("log")).unwrap();
    assert_eq!(events.matches("\"run.finished\"").count(), 1, "{events}");
}

#[test]
fn a_job_that_dies_of_the_signal_it_was_sent_is_stopped() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    for number in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        let running = host.wrap(&["-l", "stopped", "--sink", "exec:touch alert"], &waiting(":")).start();
        assert_eq!(ready.line(), "ready");
        running.signal(number);
        let ran = running.wait();
        assert_eq!(ran.end(), End::Signal(number), "{ran}");
        assert_eq!(host.journal("stopped").last()["outcome"], "stopped", "{ran}");
        assert!(ran.stderr.is_empty(), "{ran}");
    }
    assert_eq!(host.journal("stopped").fold["failures"].as_u64().unwrap_or(0), 0);
    assert!(!host.path("alert").exists(), "a stop is no failure");
}

#[test]
fn a_job_that_fails_after_a_stop_signal_is_stopped_with_its_own_status() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let running = host.wrap(&["-l", "stopped"], &waiting("trap 'exit 3' TERM")).start();
    assert_eq!(ready.line(), "ready");
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    assert_eq!(host.journal("stopped").last()["outcome"], "stopped", "{ran}");
}

#[test]
fn a_signal_that_stops_nobody_leaves_a_death_a_failure() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let running = host.wrap(&["-l", "died"], &waiting(":")).start();
    assert_eq!(ready.line(), "ready");
    running.signal(libc::SIGUSR1);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Signal(libc::SIGUSR1), "{ran}");
    assert_eq!(host.journal("died").last()["outcome"], "signaled", "{ran}");
}

/// nohup(1), `trap '' INT`, and `&` in a shell without job control.
#[test]
fn what_the_caller_ignores_is_not_forwarded() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let ignored = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGUSR1];
    let situation = Situation { ignored: ignored.to_vec(), ..Situation::default() };
    let running = host.wrap(&["-l", "nohup"], &waiting(":")).situation(&situation).start();
    assert_eq!(ready.line(), "ready");
    for signal in ignored {
        running.signal(signal);
    }
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Signal(libc::SIGTERM), "{ran}");
    let journal = host.journal("nohup");
    assert_eq!(journal.last()["forwarded_signal"], libc::SIGTERM, "{ran}");
    assert_eq!(journal.last()["stop_signal"], libc::SIGTERM, "{ran}");
}

#[test]
fn a_job_that_signals_its_own_group_is_signalled_once() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let group = Situation { own_group: true, ..Situation::default() };
    let traps = "n=0; trap 'n=$((n+1))' TERM; trap 'echo $n; exit 0' WINCH; kill 0";
    // Signals are taken lowest number first, so a TERM that came back would be there before WINCH.
    let line =
        format!("{traps}; (trap '' TERM; cat hold >/dev/null) & echo ready >ready; while :; do wait; done");
    let running = host.wrap(&["-l", "group"], &line).situation(&group).start();
    assert_eq!(ready.line(), "ready");
    running.signal(libc::SIGWINCH);
    let ran = running.wait();
    assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(0), "1\n"), "{ran}");
    let journal = host.journal("group");
    assert_eq!(
        (&journal.last()["outcome"], journal.last().get("stop_signal")),
        (&"ok".into(), None),
        "{ran}"
    );
}

/// The sender is in cronward's own group, as with every script without job control.
#[test]
fn a_script_can_stop_what_it_has_started() {
    let host = Host::new();
    let (_ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let line = format!(
        "\"$CRONWARD\" -l script -c '{}' & pid=$!; read x <ready; kill $pid; wait $pid; echo $?",
        waiting(":")
    );
    let ran = host.shell(&line).run();
    assert_eq!(ran.stdout_text(), format!("{}\n", 128 + libc::SIGTERM), "{ran}");
    assert_eq!(host.journal("script").last()["outcome"], "stopped", "{ran}");
}

/// The job has ended; what is left is cronward's own, and not worth anybody's waiting.
#[test]
fn a_stop_signal_while_sinks_hang_ends_the_waiting() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    for number in [libc::SIGTERM, libc::SIGINT] {
        let label = format!("flush-{number}");
        let options = ["-l", &label, "--flush-deadline", "1h", "--sink", "exec:echo ready >ready; cat hold"];
        let running = host.wrap(&options, "exit 3").start();
        assert_eq!(ready.line(), "ready");
        running.signal(number);
        let ran = running.wait();
        assert_eq!(ran.end(), End::Code(3), "{ran}");
        let journal = host.journal(&label);
        assert_eq!(journal.outcomes(), ["failed"], "{ran}");
        assert!(journal.last().get("forwarded_signal").is_none(), "{ran}");
    }
}

#[test]
fn a_stopped_cronward_stops_nothing() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let running =
        host.wrap(&["-l", "frozen"], "echo ready >ready; read x <hold; echo done >ready; exit 5").start();
    assert_eq!(ready.line(), "ready");
    running.signal(libc::SIGSTOP);
    eventually("cronward is stopped", || process_state(running.pid()) == Some('T'));
    hold.say("go");
    assert_eq!(ready.line(), "done");
    running.signal(libc::SIGCONT);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(5), "{ran}");
    assert_eq!(host.journal("frozen").outcomes(), ["failed"]);
}

#[test]
fn a_job_that_is_stopped_and_continued_goes_on() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let running = host.wrap(&["-l", "frozen"], "echo $$ >ready; kill -STOP $$; exit 6").start();
    let job: u32 = ready.line().parse().expect("a pid");
    eventually("the job is stopped", || process_state(job) == Some('T'));
    assert!(!running.has_ended());
    running.signal(libc::SIGCONT);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(6), "{ran}");
}

#[test]
fn with_a_group_of_its_own_a_whole_pipeline_ends() {
    let host = Host::new();
    let ready = host.fifo("ready");
    let (reader, writer) = pipe();
    let running = host
        .wrap(&["-l", "pipe", "--own-group"], "echo ready >ready; sleep 1000 | sleep 1000")
        .stderr(writer)
        .start();
    assert_eq!(ready.line(), "ready");
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Signal(libc::SIGTERM), "{ran}");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    assert!(wait_readable(&reader, deadline), "somebody of the pipeline lives on\n{ran}");
}

#[test]
fn in_the_shared_group_the_caller_is_left_alone() {
    let host = Host::new();
    let (_ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    // The shell around and the sibling are in cronward's group and must outlive TERM to cronward.
    let line = format!(
        "cat hold & sibling=$!; \"$CRONWARD\" --timeout 1h -c '{}' & pid=$!; read x <ready; kill $pid; wait $pid; kill -0 $sibling && echo both live; kill $sibling",
        waiting(":")
    );
    let group = Situation { own_group: true, ..Situation::default() };
    let ran = host.shell(&line).situation(&group).run();
    assert_eq!(ran.stdout_text(), "both live\n", "{ran}");
}

#[test]
fn a_burst_of_signals_changes_nothing() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let traps = "trap : USR1 USR2 ALRM WINCH CONT URG 36 37; trap 'exit 8' HUP";
    let line = format!("{traps}; cat hold >/dev/null & echo ready >ready; while :; do wait; done");
    let running = host.wrap(&["-l", "burst"], &line).start();
    assert_eq!(ready.line(), "ready");
    for _ in 0..200 {
        for signal in [
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGALRM,
            libc::SIGWINCH,
            libc::SIGCONT,
            libc::SIGURG,
            36,
            37,
            libc::SIGCHLD,
            libc::SIGPIPE,
        ] {
            running.signal(signal);
        }
    }
    running.signal(libc::SIGHUP);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(8), "{ran}");
}
