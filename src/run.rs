//! The story of one run: claim, start, wait, commit, deliver, and say what nobody else was told.
//! How cronward exits is settled when the command has ended; nothing behind that point can change it.

mod attempts;
mod onlooker;
mod report;
#[cfg(test)]
pub(crate) mod simulation;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Deadline, Timestamp};
use crate::config::Levels;
use crate::diagnostics::say;
use crate::job::{RunId, Signal};
use crate::journal::{Claim, Journal, KeptPlan};
use crate::outcome::{Exit, KeptOutput, Run, RunEnd, status};
use crate::output::Output;
use crate::plan::Plan;
use crate::rehearsal;
use crate::sinks::Sink;
use crate::sys::entry::SignalState;
use crate::sys::lifeline;
use crate::sys::signals::{self, Arrived};
use attempts::Attempted;
use onlooker::LeftToDo;
use report::Ended;

/// Runs the command of a plan, and reports on it. `levels` are what the plan was made of.
pub fn run(plan: &Arc<Plan>, levels: &Levels, sinks: &[Arc<dyn Sink>], caller: SignalState) -> Exit {
    let id = RunId::new();
    let mut journal = Journal::open(&plan.state_dir, &plan.job.label, &plan.job.host);
    journal.keep(KeptPlan::of(plan, levels));
    let claimed = put_off(plan, caller).and_then(|()| claim(plan, &mut journal, id, caller));
    // Only now: to wait for one's time or for the lock is no part of the run.
    let started_at = Timestamp::now();
    let mut traceparent = None;
    for sink in sinks {
        traceparent = traceparent.or(sink.begin(id));
    }
    let circumstances = Circumstances { plan, levels, sinks, id, started_at, caller, traceparent };
    let mut left_to_do = LeftToDo::default();
    let mut output = None;
    let attempted = match claimed {
        Err(Refusal::Unusable(reason)) => {
            say(format_args!("{}: {reason}", plan.job.label));
            return Exit::Code(status::CANNOT_RUN);
        }
        Err(Refusal::Ended(end)) => Attempted::never(plan, end),
        Ok(overlap) => {
            output = Output::open(&plan.output, &plan.job.label, id, started_at);
            attempts::make(&circumstances, &mut journal, overlap, &mut left_to_do, output.as_mut())
        }
    };
    let deadline = Deadline::after(plan.flush_deadline);
    let ended = conclude(plan, id, started_at, attempted);
    let exit = ended.run.exit();
    lifeline::ended(exit);
    rehearsal::of_a_panic("report");
    report::report(&circumstances, &mut journal, ended, output.as_mut(), left_to_do, deadline);
    // The process ends now, and with it what they have open; to close each is a system call.
    std::mem::forget((journal, output));
    exit
}

/// What is known of a run before it starts.
struct Circumstances<'a> {
    plan: &'a Arc<Plan>,
    levels: &'a Levels,
    sinks: &'a [Arc<dyn Sink>],
    id: RunId,
    started_at: Timestamp,
    caller: SignalState,
    /// What the command is to find in `TRACEPARENT`.
    traceparent: Option<String>,
}

/// Why a run does not start its command.
enum Refusal {
    /// There is an outcome to record all the same.
    Ended(RunEnd),
    /// The lock cannot be evaluated: nothing is run and nothing is recorded.
    Unusable(String),
}

type Overlap = Option<crate::journal::OverlapLock>;

/// Waits for the run's time.
fn put_off(plan: &Plan, caller: SignalState) -> Result<(), Refusal> {
    if plan.start_delay.is_zero() {
        return Ok(());
    }
    match stop_signal_within(plan.start_delay, caller) {
        Some(signal) => Err(Refusal::Ended(RunEnd::StoppedBefore(signal))),
        None => Ok(()),
    }
}

/// The overlap lock, if the plan wants one.
fn claim(plan: &Plan, journal: &mut Journal, id: RunId, caller: SignalState) -> Result<Overlap, Refusal> {
    let Some(rule) = &plan.overlap else { return Ok(None) };
    match journal.claim(rule, id, &mut |span| stop_signal_within(span, caller)) {
        Claim::Granted(lock) => Ok(Some(lock)),
        Claim::Held { reason } => {
            Err(Refusal::Ended(RunEnd::Skipped { exit_status: rule.exit_status, reason }))
        }
        Claim::Stopped(signal) => Err(Refusal::Ended(RunEnd::StoppedBefore(signal))),
        Claim::Unusable(reason) => Err(Refusal::Unusable(reason)),
    }
}

/// Sleeps; a signal that asks to stop, and that the caller would have us obey, ends the sleep.
fn stop_signal_within(span: Duration, caller: SignalState) -> Option<Signal> {
    let deadline = Deadline::after(span);
    loop {
        match signals::next(Some(deadline.left())) {
            Some(arrived) => {
                if let Some(signal) = obeyed(arrived, caller) {
                    return Some(signal);
                }
            }
            None if deadline.passed() => return None,
            None => {}
        }
    }
}

/// Obeys a signal while no command runs that it could be meant for: stops this process, or returns the signal
/// if it asks to end it; if the caller would have us obey it at all.
fn obeyed(Arrived { signal, .. }: Arrived, caller: SignalState) -> Option<Signal> {
    if caller.mask.contains(signal) || signals::is_ignored(signal) {
        return None;
    }
    if [Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&signal) {
        signals::stop_self(signal);
    }
    signal.asks_to_stop().then_some(signal)
}

/// Puts together what is known of the run.
fn conclude(plan: &Plan, id: RunId, started_at: Timestamp, attempted: Attempted) -> Ended {
    let Attempted { earlier, last, judged, attempts, wall_time, ended_at, usage } = attempted;
    let mut problems = plan.problems.clone();
    problems.extend(judged.complaints);
    let run = Run {
        id,
        parent: plan.parent,
        started_at,
        ended_at: Some(ended_at),
        // As the journal keeps it: whoever is told later is told the same.
        wall_time: wall_time
            .map(|span| Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))),
        pid: last.pid,
        attempts,
        earlier,
        end: last.end,
        timed_out: last.timed_out,
        forwarded_signal: last.forwarded_signal,
        stop_signal: last.stop_signal,
        usage,
        report: judged.report,
        produced: judged.produced,
        output: KeptOutput::default(),
        output_was_lost: judged.output_was_lost,
        outcome: judged.outcome,
        reason: judged.reason,
    };
    Ended { run, problems }
}
