//! The story of one run: claim, start, wait, commit, deliver, and say what nobody else was told.
//! How cronward exits is settled when the command has ended; nothing behind that point can change it.

mod onlooker;
mod report;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Deadline, Timestamp};
use crate::config::Levels;
use crate::diagnostics::say;
use crate::expectation;
use crate::job::{RunId, Signal};
use crate::journal::{Claim, Journal, KeptPlan};
use crate::outcome::{self, Ending, Exit, Outcome, Report, Run, RunEnd, Weight, status};
use crate::plan::Plan;
use crate::produced;
use crate::run_report;
use crate::sinks::{self, Sink};
use crate::supervise::{self, Supervised, Task};
use crate::sys::entry::SignalState;
use crate::sys::signals;
use onlooker::{LeftToDo, Onlooker};
use report::Ended;

/// Runs the command of a plan, and reports on it. `levels` are what the plan was made of.
pub fn run(plan: &Arc<Plan>, levels: &Levels, sinks: &[Arc<dyn Sink>], caller: SignalState) -> Exit {
    let id = RunId::new();
    let mut journal = Journal::open(&plan.state_dir, &plan.job.label, &plan.job.host);
    journal.keep(KeptPlan::of(plan, levels));
    let claimed = claim(plan, &mut journal, id, caller);
    // Only now: a wait for the lock is no part of the run.
    let started_at = Timestamp::now();
    let (supervised, left_to_do) = match claimed {
        Err(Refusal::Unusable(reason)) => {
            say(format_args!("{}: {reason}", plan.job.label));
            return Exit::Code(status::CANNOT_RUN);
        }
        Err(Refusal::Ended(end)) => (never_started(end), LeftToDo::default()),
        Ok(overlap) => {
            let last_words = journal.begin(id, started_at);
            let environment = environment(plan, id, journal.report_path(id).as_deref());
            let mut onlooker = Onlooker::new(plan, sinks, &mut journal, id, started_at);
            let supervised = supervise::supervise(
                Task {
                    argv: &plan.job.command.argv(),
                    environment: &environment,
                    search_path: plan.search_path.as_deref(),
                    own_group: plan.own_group,
                    time_limit: plan.time_limit,
                    signals: caller,
                    last_words,
                },
                &mut onlooker,
            );
            // The next run may start: the lock is the job's, not the report's.
            drop(overlap);
            (supervised, onlooker.into_left_to_do())
        }
    };
    let deadline = Deadline::after(plan.flush_deadline);
    let ended = conclude(plan, &journal, id, started_at, supervised);
    let exit = ended.run.exit();
    // The panic hook has said what there is to say; the command's status is what counts.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        report::report(plan, sinks, &mut journal, ended, left_to_do, deadline, caller);
    }));
    // The process ends now, and with it what the journal has open; to close each is a system call.
    std::mem::forget(journal);
    exit
}

/// Why a run does not start its command.
enum Refusal {
    /// There is an outcome to record all the same.
    Ended(RunEnd),
    /// The lock cannot be evaluated: nothing is run and nothing is recorded.
    Unusable(String),
}

type Overlap = Option<crate::journal::OverlapLock>;

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
                let signal = arrived.signal;
                let obeyed = !caller.mask.contains(signal) && !signals::is_ignored(signal);
                if obeyed && signal.asks_to_stop() {
                    return Some(signal);
                }
                if obeyed && [Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&signal) {
                    signals::stop_self(signal);
                }
            }
            None if deadline.passed() => return None,
            None => {}
        }
    }
}

fn never_started(end: RunEnd) -> Supervised {
    Supervised {
        pid: None,
        stop_signal: match end {
            RunEnd::StoppedBefore(signal) => Some(signal),
            RunEnd::Ended(_)
            | RunEnd::NotStarted(_)
            | RunEnd::Skipped { .. }
            | RunEnd::Interrupted { .. } => None,
        },
        end,
        usage: None,
        wall_time: None,
        timed_out: false,
        forwarded_signal: None,
    }
}

/// The environment of the job: as received but for the secrets of our sinks, and the facts of this run.
fn environment(plan: &Plan, id: RunId, report: Option<&Path>) -> Vec<OsString> {
    const SINKS: &[u8] = b"CRONWARD_SINK=";
    let mut environment = plan.environment.clone();
    for word in environment.iter_mut().filter(|word| word.as_bytes().starts_with(SINKS)) {
        let seen = sinks::without_secrets(OsStr::from_bytes(&word.as_bytes()[SINKS.len()..]));
        *word = OsString::from("CRONWARD_SINK=");
        word.push(seen);
    }
    environment.push(format!("CRONWARD_RUN_ID={id}").into());
    environment.push(format!("CRONWARD_RUN_LABEL={}", plan.job.label).into());
    environment.push("CRONWARD_RUN_ATTEMPT=1".into());
    if let Some(report) = report {
        let mut word = OsString::from("CRONWARD_RUN_REPORT=");
        word.push(report);
        environment.push(word);
    }
    environment
}

/// Gives the run its outcome.
fn conclude(
    plan: &Plan,
    journal: &Journal,
    id: RunId,
    started_at: Timestamp,
    supervised: Supervised,
) -> Ended {
    let time_limit = plan.time_limit.filter(|_| supervised.timed_out).map(|time| time.limit);
    let ended = outcome::Ended {
        end: &supervised.end,
        timed_out_after: time_limit,
        stop_signal: supervised.stop_signal,
    };
    let (outcome, mut reason) = ended.judge(&plan.codes);
    if let (Outcome::Signaled, RunEnd::Ended(Ending::Killed { signal: Signal::KILL, .. }), Some(pid)) =
        (outcome, &supervised.end, supervised.pid)
        && let Some(why) = supervise::out_of_memory(pid)
    {
        reason = Some(format!("killed by {}: {why}", Signal::KILL));
    }
    let attempts = match &supervised.end {
        RunEnd::Skipped { .. } | RunEnd::StoppedBefore(_) => 0,
        RunEnd::Ended(_) | RunEnd::NotStarted(_) | RunEnd::Interrupted { .. } => 1,
    };
    let mut run = Run {
        id,
        parent: plan.parent,
        started_at,
        ended_at: Some(Timestamp::now()),
        wall_time: supervised.wall_time,
        pid: supervised.pid,
        attempts,
        end: supervised.end,
        timed_out: supervised.timed_out,
        forwarded_signal: supervised.forwarded_signal,
        stop_signal: supervised.stop_signal,
        usage: supervised.usage,
        report: Report::default(),
        produced: Vec::new(),
        outcome,
        reason,
    };
    let mut problems = plan.problems.clone();
    // What is looked at here is the user's; a defect of ours in looking must not cost the status.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if run.pid.is_some() {
            problems.extend(take_report(journal, &mut run));
        }
        hold_to_expectations(plan, journal, &mut run);
    }));
    Ended { run, problems }
}

/// Takes what the job has reported of itself; the complaints about it.
fn take_report(journal: &Journal, run: &mut Run) -> Vec<String> {
    let Some(path) = journal.report_path(run.id) else { return Vec::new() };
    let Some((report, complaints)) = run_report::read(&path) else { return Vec::new() };
    // A job that still writes to it writes to nobody; what cannot be removed is removed with the journal.
    let _ = std::fs::remove_file(&path);
    run.report = report;
    complaints
}

/// A run that ended well and has not done what was expected of it is suspect.
fn hold_to_expectations(plan: &Plan, journal: &Journal, run: &mut Run) {
    if run.outcome.weight() != Weight::Success {
        return;
    }
    let mut unmet = expectation::unmet(&plan.expectations, run.wall_time, &run.report);
    if !plan.products.is_empty() {
        let last_good = |pattern: &str| journal.last_good_size(pattern);
        let (produced, missing) = produced::look(&plan.products, run.started_at, &last_good);
        run.produced = produced;
        unmet.extend(missing);
    }
    (run.outcome, run.reason) = expectation::judge(run.outcome, run.reason.take(), &unmet);
}
