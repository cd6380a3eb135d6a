//! `--timeout`: whom it reaches, whom it does not, and what is left.

use std::time::{Duration, Instant};

use nix::libc;

#[cfg(posix_only)]
use crate::support::situation::send;
use crate::support::situation::{pipe, wait_readable};
use crate::support::{End, Host, Ran, eventually, process_state};

fn timed_out(host: &Host, label: &str, ran: &Ran) {
    assert_eq!(ran.end(), End::Code(124), "{ran}");
    let journal = host.journal(label);
    let end = journal.last();
    assert_eq!((&end["outcome"], &end["timed_out"]), (&"timed_out".into(), &true.into()), "{ran}");
}

#[test]
fn a_job_that_runs_too_long_is_told_to_end() {
    let host = Host::new();
    let ran = host.cronward(["-l", "slow", "--timeout", "50ms", "--", "sleep", "1000"]).run();
    timed_out(&host, "slow", &ran);
    assert_eq!(host.journal("slow").last()["signal_number"], libc::SIGTERM, "{ran}");
}

#[test]
fn a_job_that_does_not_listen_is_killed_after_the_grace() {
    let host = Host::new();
    let _hold = host.fifo("hold");
    let options = ["-l", "deaf", "--timeout", "200ms", "--kill-after", "50ms"];
    let ran = host.wrap(&options, "trap '' TERM; cat hold; cat hold").run();
    timed_out(&host, "deaf", &ran);
    assert_eq!(host.journal("deaf").last()["signal_number"], libc::SIGKILL, "{ran}");
}

#[test]
fn a_job_that_ends_well_after_the_timeout_has_timed_out() {
    let host = Host::new();
    let _hold = host.fifo("hold");
    let ran = host.wrap(&["-l", "polite", "--timeout", "200ms"], "trap 'exit 0' TERM; cat hold & wait").run();
    timed_out(&host, "polite", &ran);
    assert_eq!(host.journal("polite").last()["exit_code"], 0, "{ran}");
}

/// The subreaper and the sweep: GNU timeout leaves the `setsid` one alive.
#[cfg_attr(posix_only, ignore = "POSIX has no subreaper")]
#[test]
fn descendants_that_left_the_group_or_the_session_end_too() {
    let host = Host::new();
    let ready = host.fifo("ready");
    for deaf in ["", "trap '' TERM; "] {
        let (reader, writer) = pipe();
        let job = format!(
            "{deaf}(sleep 1000 &) ; setsid sh -c '(sleep 1000 &); echo ready >ready; sleep 1000' & \
             setsid setsid sleep 1000 & echo ready >ready; sleep 1000"
        );
        // Without a word of cronward's own the pipe is readable only once nobody has it any more.
        let options = ["-l", "tree", "--timeout", "500ms", "--kill-after", "100ms", "--alert-after", "9"];
        let running = host.wrap(&options, &job).stdout(writer.try_clone().unwrap()).stderr(writer).start();
        assert_eq!([ready.line(), ready.line()], ["ready", "ready"]);
        let ran = running.wait();
        timed_out(&host, "tree", &ran);
        let deadline = Instant::now() + Duration::from_secs(20);
        assert!(wait_readable(&reader, deadline), "a descendant lives on\n{ran}");
    }
}

/// Where descendants cannot be found: their group can, if it is the job's own.
#[cfg(posix_only)]
#[test]
fn without_a_subreaper_a_time_limit_reaches_the_group_that_is_the_jobs_own() {
    let host = Host::new();
    let pid = host.fifo("pid");
    for (options, lives_on) in [(&["--own-group"][..], false), (&[], true)] {
        let (reader, writer) = pipe();
        // Without a word of cronward's own the pipe is readable only once nobody has it any more.
        let options = [&["-l", "tree", "--timeout", "300ms", "--alert-after", "9"], options].concat();
        let invocation = host.wrap(&options, "sleep 1000 & echo $! >pid; wait");
        let running = invocation.stdout(writer.try_clone().unwrap()).stderr(writer).start();
        let child: u32 = pid.line().parse().expect("a pid");
        timed_out(&host, "tree", &running.wait());
        let patience = if lives_on { Duration::ZERO } else { Duration::from_secs(20) };
        assert_eq!(wait_readable(&reader, Instant::now() + patience), !lives_on, "{options:?}");
        if lives_on {
            send(child, libc::SIGKILL);
        }
    }
}

#[test]
fn a_stopped_job_ends_too() {
    let host = Host::new();
    let ready = host.fifo("ready");
    let options = ["-l", "stopped", "--timeout", "300ms", "--kill-after", "10s"];
    let running = host.wrap(&options, "echo $$ >ready; kill -STOP $$; sleep 1000").start();
    let job: u32 = ready.line().parse().expect("a pid");
    eventually("the job is stopped or gone", || matches!(process_state(job), Some('T') | None));
    let ran = running.wait();
    timed_out(&host, "stopped", &ran);
    // CONT follows TERM, so that the stopped one dies of TERM and no grace is waited for.
    assert_eq!(host.journal("stopped").last()["signal_number"], libc::SIGTERM, "{ran}");
}

/// `sleep 1000 & exec cronward …`: the children of whoever cronward was before are not the job's.
#[test]
fn a_child_that_cronward_had_before_survives() {
    let host = Host::new();
    let (hold, reply) = (host.fifo("hold"), host.fifo("reply"));
    let line = "(read x <hold; echo \"$x\" >reply) & exec \"$CRONWARD\" -l heir --timeout 50ms -- sleep 1000";
    let ran = host.shell(line).run();
    timed_out(&host, "heir", &ran);
    hold.say("alive");
    assert_eq!(reply.line(), "alive");
}

#[test]
fn a_job_in_time_is_left_alone_and_so_is_what_it_leaves() {
    let host = Host::new();
    let (hold, other, reply) = (host.fifo("hold"), host.fifo("other"), host.fifo("reply"));
    let line = "(read x <hold; echo $x >reply) & setsid sh -c 'read x <other; echo $x >reply' & exit 7";
    let ran = host.wrap(&["-l", "quick", "--timeout", "1h"], line).run();
    assert_eq!(ran.end(), End::Code(7), "{ran}");
    assert_eq!(host.journal("quick").outcomes(), ["failed"], "{ran}");
    for (fifo, word) in [(hold, "child"), (other, "daemon")] {
        fifo.say(word);
        assert_eq!(reply.line(), word);
    }
}

#[test]
fn without_a_limit_nothing_ends_a_job() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let running = host.wrap(&["--timeout", "0s"], "echo ready >ready; read x <hold; exit 9").start();
    assert_eq!(ready.line(), "ready");
    hold.say("go");
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(9), "{ran}");
}

#[test]
fn a_stop_signal_before_the_limit_is_a_stop() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let running = host.wrap(&["-l", "both", "--timeout", "1h"], "echo ready >ready; cat hold").start();
    assert_eq!(ready.line(), "ready");
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Signal(libc::SIGTERM), "{ran}");
    assert_eq!(host.journal("both").outcomes(), ["stopped"], "{ran}");
}

/// The death of the monitor must not kill a backup.
#[test]
fn a_job_outlives_a_killed_cronward() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    for options in
        [vec!["-l", "orphan"], vec!["-l", "orphan", "--timeout", "1h"], vec!["-l", "orphan", "--own-group"]]
    {
        let running = host.wrap(&options, "echo ready >ready; read x <hold; echo \"$x\" >ready").start();
        assert_eq!(ready.line(), "ready");
        running.signal(libc::SIGKILL);
        let ran = running.wait();
        assert_eq!(ran.end(), End::Signal(libc::SIGKILL), "{ran}");
        hold.say("alive");
        assert_eq!(ready.line(), "alive");
    }
    // The next run records those that died.
    let ran = host.cronward(["-l", "orphan", "--", "true"]).run();
    let journal = host.journal("orphan");
    assert_eq!(journal.outcomes(), ["interrupted", "interrupted", "interrupted", "ok"], "{ran}");
}
