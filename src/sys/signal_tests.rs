//! Of the signals of this kernel, whichever it is.

use super::*;

#[test]
fn a_blocked_signal_is_taken_with_its_sender() {
    // The mask is this thread's own, and the signal is sent to this thread alone.
    let before = set_mask(SignalSet::ALL);
    // SAFETY: the calling thread is alive.
    unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR1) };
    let arrived = next(Some(Duration::from_secs(10)));
    set_mask(before);
    let sender = Sender::Process(std::process::id());
    assert_eq!(arrived, Some(Arrived { signal: Signal(libc::SIGUSR1), sender }));
}

#[test]
fn only_a_pending_signal_of_the_set_is_taken() {
    let before = set_mask(SignalSet::ALL);
    let (sent, other) = (Signal(libc::SIGUSR2), Signal(libc::SIGUSR1));
    // SAFETY: the calling thread is alive.
    unsafe { libc::pthread_kill(libc::pthread_self(), sent.0) };
    let taken = [SignalSet::only(other), SignalSet::only(other).with(sent), SignalSet::ALL].map(take);
    set_mask(before);
    assert_eq!(taken, [None, Some(sent), None]);
}

#[test]
fn a_signal_that_is_forgotten_does_not_act_when_it_is_unblocked() {
    let before = set_mask(SignalSet::ALL);
    // SAFETY: the calling thread is alive.
    unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGXFSZ) };
    forget(Signal(libc::SIGXFSZ));
    forget(Signal(libc::SIGXFSZ));
    // Its default action would end all of these tests here.
    set_mask(SignalSet::ALL.without(Signal(libc::SIGXFSZ)));
    assert_eq!(next(Some(Duration::ZERO)), None);
    set_mask(before);
}

#[test]
fn a_stop_that_was_not_taken_yet_is_off_once_somebody_has_continued() {
    let before = set_mask(SignalSet::ALL);
    // SAFETY: the calling thread is alive.
    let send = |signal: libc::c_int| unsafe { libc::pthread_kill(libc::pthread_self(), signal) };
    send(libc::SIGTSTP);
    send(libc::SIGUSR1);
    let mut taken = vec![next(Some(Duration::ZERO))];
    send(libc::SIGCONT);
    taken.extend([next(Some(Duration::ZERO)), next(Some(Duration::ZERO))]);
    set_mask(before);
    let signals: Vec<_> = taken.into_iter().map(|arrived| arrived.map(|arrived| arrived.signal.0)).collect();
    assert_eq!(signals, [Some(libc::SIGUSR1), Some(libc::SIGCONT), None]);
}
