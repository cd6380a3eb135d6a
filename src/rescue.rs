//! A panic, which is a defect of ours, is no reason to lose the command. On the main thread nothing goes on from
//! there but what is here: the command is waited for, signals are handed on to it, what it writes goes on, and its
//! status becomes cronward's. The run is on record as begun, and the next one finds that nobody recorded its end.
//!
//! As little as possible is done, and nothing that the panic may have come from; a second one would end the process.

use std::os::fd::AsFd;
use std::panic::{PanicHookInfo, set_hook};
use std::thread;
use std::time::Duration;

use crate::diagnostics::say;
use crate::outcome::{Exit, RunEnd, exit_of, status};
use crate::supervise::{Action, Escalation, Event, Origin};
use crate::sys::entry;
use crate::sys::lifeline::{self, Command, Salvage};
use crate::sys::process::{self, Change, Wait};
use crate::sys::signals::{self, Arrived, Sender};

/// How often signals are asked for where the kernel has no descriptor for them, in milliseconds.
const SLICE: i32 = 20;

/// Has every panic from now on end here.
pub fn stand_by() {
    set_hook(Box::new(|panic| {
        report(panic);
        if lifeline::is_main_thread() {
            entry::leave(see_through(Salvage::of(panic)));
        }
        // Who waits for this thread does so until a deadline, and is then told that it has not answered.
        loop {
            thread::park();
        }
    }));
}

/// One line.
fn report(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    let cause = panic.payload_as_str().unwrap_or("unknown cause");
    say(format_args!("internal error{place}: {cause}; the job is not affected, please report this"));
}

/// Waits for the command, if one runs, and for what it has written to go on; how cronward ends then.
fn see_through(mut output: Salvage) -> Exit {
    let readiness = signals::readiness();
    let mut command = lifeline::command();
    let mut escalation = Escalation::new(command.is_some_and(|command| command.own_group));
    if command.is_none() {
        output.settle_account();
    }
    loop {
        while let Some(arrived) = signals::next(Some(Duration::ZERO)) {
            hand_on(arrived, command, &mut escalation);
        }
        if let Some(exit) = command.and_then(|command| reaped(command, &mut escalation)) {
            lifeline::ended(lifeline::exit().unwrap_or(exit));
            command = None;
            output.settle_account();
        }
        let goes_on = output.go_on();
        // Whoever wants it to stop does not want to wait for a reader who has stopped, too.
        if command.is_none() && (!output.owes() || (escalation.told_to_stop() && !goes_on)) {
            break;
        }
        if !goes_on {
            output.wait(readiness.as_ref().map(AsFd::as_fd), if readiness.is_some() { -1 } else { SLICE });
        }
    }
    match lifeline::exit() {
        Some(Exit::Code(0)) if output.was_lost() => Exit::Code(status::CANNOT_RUN),
        Some(exit) => exit,
        // No command was started.
        None => Exit::Code(status::CANNOT_RUN),
    }
}

/// Hands a signal on by the rules of the supervisor; of senders only the command itself is known, not its children.
fn hand_on(Arrived { signal, sender }: Arrived, command: Option<Command>, escalation: &mut Escalation) {
    let origin = match (sender, command) {
        (Sender::Kernel, _) => Origin::of_kernel(signal),
        (Sender::Process(pid), Some(command)) if pid == command.pid => Origin::Job,
        (Sender::Process(_), _) => Origin::Outside,
    };
    perform(Event::Signal { signal, origin, ignored: signals::is_ignored(signal) }, command, escalation);
}

fn perform(event: Event, command: Option<Command>, escalation: &mut Escalation) {
    match (escalation.on(event), command) {
        (Action::Forward(signal), Some(Command { pid, own_group: true, .. })) => {
            signals::send_group(pid, signal);
        }
        (Action::Forward(signal), Some(Command { pid, .. })) => signals::send(pid, signal),
        (Action::StopSelf(signal), _) => signals::stop_self(signal),
        (Action::Nothing | Action::Forward(_) | Action::Terminate | Action::Kill, _) => {}
    }
}

/// Takes what wait4(2) has to say: how the command has ended, once it has.
fn reaped(command: Command, escalation: &mut Escalation) -> Option<Exit> {
    let mut change = process::reap(command.pid, Wait::Now);
    if command.adopts {
        while let Some((pid, other)) = process::reap_any() {
            change = if pid == command.pid { other } else { change };
        }
    }
    match change {
        Change::None => None,
        Change::Stopped(signal) => {
            perform(Event::Stopped(signal), Some(command), escalation);
            None
        }
        Change::Ended(ending, _) => Some(exit_of(&RunEnd::Ended(ending), false)),
        // It was reaped when the panic came.
        Change::Gone => Some(Exit::Code(status::CANNOT_RUN)),
    }
}
