//! Wait statuses and outcomes by tables.

use super::*;

fn judge(end: RunEnd, timed_out: bool, stop: Option<Signal>) -> Outcome {
    let codes = CodeMeaning { ok: ExitCodes::new(vec![24..=24]), warn: ExitCodes::new(vec![1..=3]) };
    let timed_out_after = timed_out.then_some(Duration::from_secs(60));
    Ended { end: &end, timed_out_after, stop_signal: stop }.judge(&codes).0
}

fn exited(code: u8) -> RunEnd {
    RunEnd::Ended(Ending::Exited(code))
}

fn killed(signal: Signal) -> RunEnd {
    RunEnd::Ended(Ending::Killed { signal, core_dumped: false })
}

#[test]
fn wait_statuses_decode_as_wait_2_says() {
    assert_eq!(Ending::from_wait_status(0), Ending::Exited(0));
    assert_eq!(Ending::from_wait_status(0xff00), Ending::Exited(255));
    assert_eq!(Ending::from_wait_status(9), Ending::Killed { signal: Signal::KILL, core_dumped: false });
    assert_eq!(Ending::from_wait_status(0x80 | 11), Ending::Killed { signal: Signal(11), core_dumped: true });
    assert_eq!(Ending::from_wait_status(64), Ending::Killed { signal: Signal(64), core_dumped: false });
}

#[test]
fn every_row_of_the_table_of_outcomes_holds() {
    let usr1 = Signal(nix::libc::SIGUSR1);
    for (end, timed_out, stop, expected) in [
        (exited(0), false, None, Outcome::Ok),
        (exited(24), false, None, Outcome::Ok),
        (exited(2), false, None, Outcome::Warning),
        (exited(4), false, None, Outcome::Failed),
        (killed(Signal::KILL), false, None, Outcome::Signaled),
        (killed(usr1), false, None, Outcome::Signaled),
        (exited(0), true, None, Outcome::TimedOut),
        (killed(Signal::TERM), true, Some(Signal::TERM), Outcome::TimedOut),
        (killed(Signal::TERM), false, Some(Signal::TERM), Outcome::Stopped),
        (killed(Signal::KILL), false, Some(Signal::TERM), Outcome::Stopped),
        (exited(143), false, Some(Signal::TERM), Outcome::Stopped),
        (exited(0), false, Some(Signal::INT), Outcome::Ok),
        (exited(2), false, Some(Signal::INT), Outcome::Warning),
        (RunEnd::StoppedBefore(Signal::HUP), false, Some(Signal::HUP), Outcome::Stopped),
        (
            RunEnd::NotStarted(StartFailure { exit_status: 127, reason: "x".into() }),
            false,
            None,
            Outcome::NotStarted,
        ),
        (RunEnd::Skipped { exit_status: 75, reason: "x".into() }, false, None, Outcome::Skipped),
        (RunEnd::Interrupted { reason: "x".into() }, false, None, Outcome::Interrupted),
    ] {
        assert_eq!(judge(end.clone(), timed_out, stop), expected, "{end:?} {timed_out} {stop:?}");
    }
}

#[test]
fn every_outcome_is_found_by_its_word() {
    for outcome in Outcome::ALL {
        assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
    }
    assert_eq!(Outcome::parse("lost"), None);
}

#[test]
fn exit_codes_print_as_they_are_written() {
    assert_eq!(ExitCodes::new(vec![24..=24, 1..=3]).to_string(), "24,1-3");
}
