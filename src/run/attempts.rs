//! The attempts of a run: the command is started, supervised and judged, and after a failure started
//! again, as often as the plan allows.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::onlooker::{LeftToDo, Onlooker};
use super::{Circumstances, Overlap, obeyed, stop_signal_within};
use crate::clock::{Deadline, Stopwatch, Timestamp};
use crate::expectation;
use crate::job::{RunId, Signal};
use crate::journal::Journal;
use crate::outcome::{self, Attempt, Ending, Outcome, Produced, Report, RunEnd, Usage, Weight};
use crate::output::Output;
use crate::plan::Plan;
use crate::produced;
use crate::rehearsal;
use crate::run_report;
use crate::sinks;
use crate::supervise::{self, Supervised, Supervisor, Task};
use crate::sys::entry::SignalState;
use crate::sys::lifeline;
use crate::sys::process::LastWords;

/// What became of a run.
pub struct Attempted {
    /// The attempts before the last one.
    pub earlier: Vec<Attempt>,
    /// The last attempt; of a run that was not started, or told to stop between two of them, none.
    pub last: Supervised,
    /// What that is taken for.
    pub judged: Judged,
    /// How often the command was started.
    pub attempts: u32,
    /// From the first start to the last reaping.
    pub wall_time: Option<Duration>,
    /// When the last attempt was reaped, or given up before it was started.
    pub ended_at: Timestamp,
    /// By all attempts.
    pub usage: Option<Usage>,
}

/// What an attempt is taken for, and what the job said of it.
pub struct Judged {
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub report: Report,
    pub produced: Vec<Produced>,
    /// What is wrong with the report.
    pub complaints: Vec<String>,
    /// Whether output that the command believes to have written could not be written on.
    pub output_was_lost: bool,
}

impl Attempted {
    /// A run whose command was not started.
    pub fn never(plan: &Plan, end: RunEnd) -> Self {
        let last = Supervised::never(end);
        let judged = name(plan, &last);
        let ended_at = Timestamp::now();
        Self { earlier: Vec::new(), last, judged, attempts: 0, wall_time: None, ended_at, usage: None }
    }
}

/// Runs the command of a plan until it need not be run again. The lock, if there is one, is held until the
/// last attempt has ended, and no longer: it is the job's, not the report's.
pub fn make(
    run: &Circumstances<'_>,
    journal: &mut Journal,
    overlap: Overlap,
    left_to_do: &mut LeftToDo,
    mut output: Option<&mut Output>,
) -> Attempted {
    let Circumstances { plan, id, caller, .. } = *run;
    rehearsal::of_a_panic("start");
    let supervisor = Supervisor::new(plan.time_limit.is_some());
    let since_start = Stopwatch::start();
    let mut overlap = overlap;
    let mut last_words = journal.begin(id, run.started_at);
    let mut started_at = run.started_at;
    let mut offset = Duration::ZERO;
    let mut earlier = Vec::new();
    let mut usage = None;
    loop {
        let attempts = u32::try_from(earlier.len()).unwrap_or(u32::MAX).saturating_add(1);
        // Those of the lock are left again by each attempt, which is another process.
        let next_words = LastWords { journal: None, lock: last_words.lock.clone() };
        let report = journal.report_path(id);
        let environment = environment(run, attempts, report.as_deref());
        let mut onlooker = Onlooker::new(run, journal, left_to_do, attempts);
        output.as_deref_mut().into_iter().for_each(Output::connect);
        let patience = plan.time_limit.map(|time| Deadline::after(time.limit));
        let last = supervisor.supervise(
            Task {
                argv: &plan.job.command.argv(),
                environment: &environment,
                search_path: plan.search_path.as_deref(),
                own_group: plan.own_group,
                time_limit: plan.time_limit,
                signals: caller,
                last_words: std::mem::replace(&mut last_words, next_words),
                output: output.as_deref_mut(),
            },
            &mut onlooker,
        );
        lifeline::ended(outcome::exit_of(&last.end, last.timed_out));
        rehearsal::of_a_panic("end");
        let ended_at = Timestamp::now();
        // The status line goes, whatever is to be said next.
        drop(onlooker);
        let ending = last.end.ending().filter(|_| attempts <= plan.retries.retries && !last.told_to_stop);
        if ending.is_none() {
            // The next run may start.
            drop(overlap.take());
        }
        // Whoever wants the command to stop does not want to wait for a reader who has stopped, too.
        let patience = if last.told_to_stop { Some(Deadline::after(Duration::ZERO)) } else { patience };
        let (in_full, lost) =
            output.as_deref_mut().map_or((true, None), |output| drained(output, patience, caller));
        let judged = judge(run, journal, &last, lost);
        let wall_time = last.wall_time.map(|wall_time| offset + wall_time);
        usage = [usage, last.usage].into_iter().flatten().reduce(Usage::and);
        let failed = judged.outcome.weight() == Weight::Failure;
        // Told so at the last moment, the command was not started once more.
        let attempts = if last.is_started() { attempts } else { attempts - 1 };
        let (Some(ending), Some(attempt_took), true) = (ending, last.wall_time, failed && in_full) else {
            return Attempted { earlier, last, judged, attempts, wall_time, ended_at, usage };
        };
        let Judged { outcome, reason, .. } = judged;
        earlier.push(Attempt { started_at, wall_time: attempt_took, ending, outcome, reason });
        if let Some(signal) = stop_signal_within(plan.retries.delay_after(attempts), caller) {
            let mut judged = name(plan, &Supervised::never(RunEnd::StoppedBefore(signal)));
            judged.reason = Some(format!("told to stop by {signal} before attempt {}", attempts + 1));
            let last = Supervised { pid: last.pid, ..Supervised::never(RunEnd::StoppedBefore(signal)) };
            let ended_at = Timestamp::now();
            return Attempted { earlier, last, judged, attempts, wall_time, ended_at, usage };
        }
        (started_at, offset) = (Timestamp::now(), since_start.elapsed());
    }
}

/// Lets the output go on that a command has left. False if a signal has cut that short; and why some of it was
/// lost, if it was.
fn drained(output: &mut Output, patience: Option<Deadline>, caller: SignalState) -> (bool, Option<String>) {
    (output.drain(patience, &mut |arrived| obeyed(arrived, caller).is_some()), output.lost())
}

/// The environment of the job: as received but for the secrets of our sinks, and the facts of this run.
fn environment(run: &Circumstances<'_>, attempt: u32, report: Option<&Path>) -> Vec<OsString> {
    const SINKS: &[u8] = b"CRONWARD_SINK=";
    let Circumstances { plan, id, .. } = *run;
    let mut environment = plan.environment.clone();
    let secrets = sinks::secret_variables(&plan.sinks);
    let holds = |word: &OsString, name: &str| {
        word.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
    };
    if !secrets.is_empty() {
        environment.retain(|word| !secrets.iter().any(|secret| holds(word, secret)));
    }
    for word in environment.iter_mut().filter(|word| word.as_bytes().starts_with(SINKS)) {
        let seen = sinks::without_secrets(OsStr::from_bytes(&word.as_bytes()[SINKS.len()..]));
        *word = OsString::from("CRONWARD_SINK=");
        word.push(seen);
    }
    environment.push(format!("CRONWARD_RUN_ID={id}").into());
    environment.push(format!("CRONWARD_RUN_LABEL={}", plan.job.label).into());
    environment.push(format!("CRONWARD_RUN_ATTEMPT={attempt}").into());
    if let Some(report) = report {
        let mut word = OsString::from("CRONWARD_RUN_REPORT=");
        word.push(report);
        environment.push(word);
    }
    if let Some(traceparent) = &run.traceparent {
        put_traceparent(&mut environment, traceparent);
    }
    environment
}

/// Puts the run in the place of its caller, or behind our own facts.
fn put_traceparent(environment: &mut Vec<OsString>, traceparent: &str) {
    const NAME: &str = "TRACEPARENT=";
    let word = OsString::from(format!("{NAME}{traceparent}"));
    let mut is_set = false;
    for old in environment.iter_mut().filter(|old| old.as_bytes().starts_with(NAME.as_bytes())) {
        (*old, is_set) = (word.clone(), true);
    }
    if !is_set {
        environment.push(word);
    }
}

/// Gives an attempt its name: by how it ended, then by what was expected of it.
fn judge(run: &Circumstances<'_>, journal: &Journal, attempt: &Supervised, lost: Option<String>) -> Judged {
    let mut judged = name(run.plan, attempt);
    judged.output_was_lost = lost.is_some();
    if attempt.pid.is_some() {
        judged.complaints = take_report(journal, run.id, &mut judged.report);
    }
    hold_to_expectations(run, journal, attempt.wall_time, lost, &mut judged);
    judged
}

fn name(plan: &Plan, attempt: &Supervised) -> Judged {
    let ended = outcome::Ended {
        end: &attempt.end,
        timed_out_after: plan.time_limit.filter(|_| attempt.timed_out).map(|time| time.limit),
        stop_signal: attempt.stop_signal,
    };
    let (outcome, mut reason) = ended.judge(&plan.codes);
    if let (Outcome::Signaled, RunEnd::Ended(Ending::Killed { signal: Signal::KILL, .. }), Some(pid)) =
        (outcome, &attempt.end, attempt.pid)
        && let Some(why) = supervise::out_of_memory(pid)
    {
        reason = Some(format!("killed by {}: {why}", Signal::KILL));
    }
    Judged {
        outcome,
        reason,
        report: Report::default(),
        produced: Vec::new(),
        complaints: Vec::new(),
        output_was_lost: false,
    }
}

/// Takes what the job has reported of itself; the complaints about it.
fn take_report(journal: &Journal, id: RunId, place: &mut Report) -> Vec<String> {
    let Some(path) = journal.report_path(id) else { return Vec::new() };
    let Some((report, complaints)) = run_report::read(&path) else { return Vec::new() };
    // A job that still writes to it writes to nobody; what cannot be removed is removed with the journal.
    let _ = std::fs::remove_file(&path);
    *place = report;
    complaints
}

/// An attempt that ended well and has not done what was expected of it is suspect.
fn hold_to_expectations(
    run: &Circumstances<'_>,
    journal: &Journal,
    wall_time: Option<Duration>,
    lost: Option<String>,
    judged: &mut Judged,
) {
    let plan = run.plan;
    if judged.outcome.weight() != Weight::Success {
        return;
    }
    let mut unmet: Vec<String> = lost.into_iter().collect();
    unmet.extend(expectation::unmet(&plan.expectations, wall_time, &judged.report));
    if !plan.products.is_empty() {
        let last_good = |pattern: &str| journal.last_good_size(pattern);
        let (produced, missing) = produced::look(&plan.products, run.started_at, &last_good);
        judged.produced = produced;
        unmet.extend(missing);
    }
    (judged.outcome, judged.reason) = expectation::judge(judged.outcome, judged.reason.take(), &unmet);
}
