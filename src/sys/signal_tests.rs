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
