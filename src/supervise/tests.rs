use super::watch::{just_wait, quietly};
use super::*;
use crate::outcome::Ending;
use crate::sys::signals::set_mask;

#[test]
fn a_witness_that_panics_does_not_disturb_the_run() {
    let mut called = false;
    quietly(|| {
        called = true;
        panic!("a defect");
    });
    assert!(called);
}

#[test]
fn a_command_whose_supervision_broke_is_still_waited_for() {
    let before = set_mask(SignalSet::ALL);
    let pid = process::spawn(&Exec {
        argv: &["sh".into(), "-c".into(), "exit 9".into()],
        environment: &[],
        search_path: None,
        stdio: [None; 3],
        own_group: false,
        signals: SignalState { mask: before, child_ignored: false },
        last_words: LastWords::default(),
    });
    set_mask(before);
    assert_eq!(just_wait(pid.unwrap(), Stopwatch::start(), None).end, RunEnd::Ended(Ending::Exited(9)));
}
