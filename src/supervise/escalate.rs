//! PURE. What the supervisor does when something happens: events in, one action out. All rules about
//! signals, stops and the time limit stand here, where they are tested without a process or a clock.

use crate::job::Signal;

/// Something that happened while the command was running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// cronward got a signal other than SIGCHLD.
    Signal {
        /// Which.
        signal: Signal,
        /// From whom.
        origin: Origin,
        /// Whether it was ignored when cronward started, as by nohup(1).
        ignored: bool,
    },
    /// The command was stopped by this signal.
    Stopped(Signal),
    /// `--timeout` is over.
    LimitReached,
    /// The grace after TERM is over.
    GraceOver,
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The terminal: the whole foreground process group got it.
    Terminal,
    /// The command or one of its descendants.
    Job,
    /// Anybody else.
    Outside,
}

impl Origin {
    /// Of a signal that the kernel sent. It sends others than those of a terminal on its own too, such as the
    /// SIGALRM of an alarm(2) that was set before cronward was executed; the command has not had those.
    pub fn of_kernel(signal: Signal) -> Self {
        let of_terminal = [Signal::INT, Signal::QUIT, Signal::HUP, Signal::TSTP, Signal::CONT, Signal::WINCH];
        if of_terminal.contains(&signal) { Self::Terminal } else { Self::Outside }
    }
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Hand the signal on to the command, or to its group if that is its own.
    Forward(Signal),
    /// Stop ourselves by the signal that stopped the command, so that the shell sees it.
    StopSelf(Signal),
    /// TERM, then CONT, to everything that the job started; then wait for the grace.
    Terminate,
    /// KILL to everything that the job started.
    Kill,
}

/// What is remembered between events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    own_group: bool,
    timed_out: bool,
    forwarded: Option<Signal>,
    stop: Option<Signal>,
    told_to_stop: bool,
}

impl Escalation {
    /// For a command in cronward's process group, or in one of its own.
    pub fn new(own_group: bool) -> Self {
        Self { own_group, timed_out: false, forwarded: None, stop: None, told_to_stop: false }
    }

    /// Whether the time limit was reached.
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// The first signal that was handed on.
    pub fn forwarded(&self) -> Option<Signal> {
        self.forwarded
    }

    /// The first HUP, INT, QUIT or TERM that was sent to cronward or typed at the terminal, before
    /// any time limit was reached.
    pub fn stop(&self) -> Option<Signal> {
        self.stop
    }

    /// Whether a signal that asks to stop has come at all, after a time limit, too.
    pub fn told_to_stop(&self) -> bool {
        self.told_to_stop
    }

    /// Decides.
    pub fn on(&mut self, event: Event) -> Action {
        match event {
            Event::Signal { signal, origin, ignored } => self.on_signal(signal, origin, ignored),
            // A key at the terminal, or a terminal access from the background: job control. A plain
            // SIGSTOP is somebody freezing the command alone; if we stopped too, nobody would be
            // left to enforce the time limit.
            Event::Stopped(signal @ (Signal::TSTP | Signal::TTIN | Signal::TTOU)) => Action::StopSelf(signal),
            Event::Stopped(_) => Action::Nothing,
            Event::LimitReached => {
                self.timed_out = true;
                Action::Terminate
            }
            Event::GraceOver => Action::Kill,
        }
    }

    fn on_signal(&mut self, signal: Signal, origin: Origin, ignored: bool) -> Action {
        // What the caller told us to ignore, the command ignores too; what the job sends to its
        // own group (`kill 0`) has reached whom it was meant for.
        if ignored || origin == Origin::Job || !is_forwarded(signal) {
            return Action::Nothing;
        }
        if signal.asks_to_stop() {
            self.told_to_stop = true;
            if !self.timed_out {
                self.stop.get_or_insert(signal);
            }
        }
        // In the shared group the terminal has signalled the command itself.
        if origin == Origin::Terminal && !self.own_group {
            return Action::Nothing;
        }
        self.forwarded.get_or_insert(signal);
        Action::Forward(signal)
    }
}

/// The signals that are handed on: those that ask for something. Not the ones that the kernel
/// raises for a process's own faults, resources or children.
fn is_forwarded(signal: Signal) -> bool {
    use nix::libc::{
        SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
    };
    // 32 is the first real-time signal to the kernel, whatever a C library keeps for itself.
    const FIRST_REAL_TIME: i32 = 32;
    signal.0 >= FIRST_REAL_TIME
        || [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGCONT, SIGTSTP]
            .contains(&signal.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::libc;

    fn from(origin: Origin, signal: i32) -> Event {
        Event::Signal { signal: Signal(signal), origin, ignored: false }
    }

    #[test]
    fn signals_are_handed_on_by_the_table_of_the_manual() {
        let forwarded = [
            libc::SIGHUP,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGTERM,
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGALRM,
            libc::SIGWINCH,
            libc::SIGCONT,
            libc::SIGTSTP,
        ];
        for number in (1..=64).filter(|&n| n != libc::SIGKILL && n != libc::SIGSTOP && n != libc::SIGCHLD) {
            let expected = if number >= 32 || forwarded.contains(&number) {
                Action::Forward(Signal(number))
            } else {
                Action::Nothing
            };
            assert_eq!(Escalation::new(false).on(from(Origin::Outside, number)), expected, "{number}");
        }
    }

    #[test]
    fn a_key_at_the_terminal_reaches_the_command_once() {
        let mut shared = Escalation::new(false);
        assert_eq!(shared.on(from(Origin::Terminal, libc::SIGINT)), Action::Nothing);
        assert_eq!((shared.stop(), shared.forwarded()), (Some(Signal::INT), None));
        let mut own = Escalation::new(true);
        assert_eq!(own.on(from(Origin::Terminal, libc::SIGINT)), Action::Forward(Signal::INT));
        assert_eq!((own.stop(), own.forwarded()), (Some(Signal::INT), Some(Signal::INT)));
    }

    #[test]
    fn a_signal_that_was_ignored_at_the_start_is_no_signal() {
        let mut escalation = Escalation::new(false);
        let hangup = Event::Signal { signal: Signal::HUP, origin: Origin::Outside, ignored: true };
        assert_eq!(escalation.on(hangup), Action::Nothing);
        assert_eq!(escalation, Escalation::new(false));
    }

    #[test]
    fn a_job_that_signals_its_own_group_is_not_stopped_by_us() {
        let mut escalation = Escalation::new(false);
        assert_eq!(escalation.on(from(Origin::Job, libc::SIGTERM)), Action::Nothing);
        assert_eq!(escalation.stop(), None);
    }

    #[test]
    fn a_forwarded_signal_is_never_escalated() {
        let mut escalation = Escalation::new(false);
        for _ in 0..5 {
            assert_eq!(escalation.on(from(Origin::Outside, libc::SIGTERM)), Action::Forward(Signal::TERM));
        }
        assert!(!escalation.timed_out());
    }

    #[test]
    fn the_first_stop_signal_is_the_one_that_is_remembered() {
        let mut escalation = Escalation::new(false);
        for signal in [libc::SIGUSR1, libc::SIGINT, libc::SIGTERM] {
            escalation.on(from(Origin::Outside, signal));
        }
        assert_eq!(escalation.forwarded(), Some(Signal(libc::SIGUSR1)));
        assert_eq!(escalation.stop(), Some(Signal::INT));
    }

    #[test]
    fn a_stop_signal_after_the_limit_does_not_excuse_the_timeout() {
        let mut escalation = Escalation::new(false);
        assert_eq!(escalation.on(Event::LimitReached), Action::Terminate);
        assert_eq!(escalation.on(from(Origin::Outside, libc::SIGTERM)), Action::Forward(Signal::TERM));
        assert_eq!((escalation.timed_out(), escalation.stop()), (true, None));
        assert!(escalation.told_to_stop());
        assert_eq!(escalation.on(Event::GraceOver), Action::Kill);
    }

    #[test]
    fn only_job_control_stops_us_with_the_command() {
        for (signal, expected) in [
            (Signal::TSTP, Action::StopSelf(Signal::TSTP)),
            (Signal::TTIN, Action::StopSelf(Signal::TTIN)),
            (Signal::TTOU, Action::StopSelf(Signal::TTOU)),
            (Signal(libc::SIGSTOP), Action::Nothing),
        ] {
            assert_eq!(Escalation::new(false).on(Event::Stopped(signal)), expected, "{signal}");
        }
    }
}
