//! The story of one run: claim, start, wait, commit, deliver, and say what nobody else was told.
//! How cronward exits is settled when the command has ended; nothing behind that point can change it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Deadline, Timestamp};
use crate::diagnostics::{say, stderr_is_terminal};
use crate::job::{RunId, Signal};
use crate::journal::{Claim, Committed, Journal};
use crate::notice::{Finished, Notice, Start};
use crate::outcome::{Ended, Ending, Exit, Outcome, Run, RunEnd, StartFailure, status};
use crate::plan::{Plan, Summary};
use crate::policy::{self, History, Judged, Judgement};
use crate::sinks::delivery::{self, Announcement};
use crate::sinks::{self, Sink};
use crate::supervise::{self, Supervised, Task, Witness};
use crate::sys::entry::SignalState;
use crate::sys::signals;

/// Runs the command of a plan, and reports on it.
pub fn run(plan: &Plan, sinks: &[Arc<dyn Sink>], caller: SignalState) -> Exit {
    let id = RunId::new();
    let mut journal = Journal::open(&plan.state_dir, &plan.job.label, &plan.job.host);
    let claimed = claim(plan, &mut journal, id, caller);
    // Only now: a wait for the lock is no part of the run.
    let started_at = Timestamp::now();
    let (supervised, announcement) = match claimed {
        Err(Refusal::Unusable(reason)) => {
            say(format_args!("{}: {reason}", plan.job.label));
            return Exit::Code(status::CANNOT_RUN);
        }
        Err(Refusal::Ended(end)) => (never_started(end), Announcement::default()),
        Ok(overlap) => {
            let last_words = journal.begin(id, started_at);
            let announcement = Announcement::default();
            let mut onlooker =
                Onlooker { plan, sinks, start: (id, started_at), journal: &mut journal, announcement };
            let supervised = supervise::supervise(
                Task {
                    argv: &plan.job.command.argv(),
                    environment: &environment(plan, id),
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
            (supervised, onlooker.announcement)
        }
    };
    let deadline = Deadline::after(plan.flush_deadline);
    let run = conclude(plan, id, started_at, supervised);
    let exit = run.exit();
    // The panic hook has said what there is to say; the command's status is what counts.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        report(plan, sinks, &mut journal, run, announcement, deadline, caller);
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
fn environment(plan: &Plan, id: RunId) -> Vec<OsString> {
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
    environment
}

/// What happens beside the command while it runs. Whatever can be done now instead of when it has
/// ended costs the caller nothing.
struct Onlooker<'a> {
    plan: &'a Plan,
    sinks: &'a [Arc<dyn Sink>],
    start: (RunId, Timestamp),
    journal: &'a mut Journal,
    announcement: Announcement,
}

impl Witness for Onlooker<'_> {
    fn started(&mut self, pid: u32) {
        let (id, started_at) = self.start;
        let start = Start { id, parent: self.plan.parent, pid, started_at };
        self.announcement =
            delivery::announce(self.sinks, || Notice::started(Arc::clone(&self.plan.job), start));
        self.journal.read_ahead();
    }

    /// Makes the record of the start durable, on a thread of its own: a disk that hangs must not
    /// keep signals and time limits waiting.
    fn lasted_a_second(&mut self) {
        if let Some(sync) = self.journal.start_syncer() {
            // Without a thread the record is as durable as the kernel makes it by itself.
            let _ = std::thread::Builder::new().stack_size(64 * 1024).spawn(sync);
        }
    }
}

/// Gives the run its outcome.
fn conclude(plan: &Plan, id: RunId, started_at: Timestamp, supervised: Supervised) -> Run {
    let time_limit = plan.time_limit.filter(|_| supervised.timed_out).map(|time| time.limit);
    let ended =
        Ended { end: &supervised.end, timed_out_after: time_limit, stop_signal: supervised.stop_signal };
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
    Run {
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
        outcome,
        reason,
    }
}

/// Everything behind the command's end: the journal first, then the sinks, then the few words that
/// nobody else was told.
fn report(
    plan: &Plan,
    sinks: &[Arc<dyn Sink>],
    journal: &mut Journal,
    run: Run,
    announcement: Announcement,
    deadline: Deadline,
    caller: SignalState,
) {
    let label = &plan.job.label;
    if let RunEnd::NotStarted(StartFailure { reason, .. }) = &run.end {
        say(format_args!("{label}: {reason}"));
    }
    let summary = summary(plan, &run);
    let committed =
        journal.commit(&run, &plan.job.command, deadline, &|history, run| judge(plan, history, run));
    if let Some(trouble) = journal.trouble().or(committed.trouble.as_deref()) {
        say(format_args!("{label}: {trouble}"));
    }
    let notices = notices(plan, committed, run);
    let mut cut_short = || stop_signal_within(Duration::ZERO, caller).is_some();
    let delivered = delivery::deliver(sinks, &notices, announcement, deadline, &mut cut_short);
    if !delivered.alert_confirmed {
        for notice in notices.iter().filter(|notice| notice.news.alert().is_some()) {
            say(notice.headline());
        }
    }
    if let Some(summary) = summary {
        say(summary);
    }
}

fn judge(plan: &Plan, history: Option<&History>, run: &Run) -> Judgement {
    let judged = Judged {
        id: run.id,
        outcome: run.outcome,
        ended_at: run.ended_at.unwrap_or_else(Timestamp::now),
        wall_time: run.wall_time,
        alert_key: &plan.job.alert_key,
    };
    match history {
        Some(history) => policy::judge(history, &judged, &plan.rule),
        None => policy::judge_blind(&judged),
    }
}

/// What there is to tell: of runs that were found dead, oldest first, and of this one.
fn notices(plan: &Plan, committed: Committed, run: Run) -> Vec<Notice> {
    let Committed { lost, own, history_readable, .. } = committed;
    lost.into_iter()
        .chain(std::iter::once((run, own)))
        .flat_map(|(run, judgement)| {
            let Judgement { history, verdict, alert } = judgement;
            let history = history_readable.then_some(history);
            Notice::ended(&plan.job, Finished { run, verdict, history, sink_errors: Vec::new() }, alert)
        })
        .collect()
}

/// The closing line for people.
fn summary(plan: &Plan, run: &Run) -> Option<String> {
    let wanted = match plan.summary {
        Summary::Always => true,
        Summary::Auto => stderr_is_terminal(),
        Summary::Never => false,
    };
    wanted.then(|| {
        let mut line = format!("{}: {}", plan.job.label, run.outcome);
        if let Some(wall_time) = run.wall_time {
            line.push_str(&format!(" in {}", crate::human::span(wall_time)));
        }
        if let Some(usage) = &run.usage {
            line.push_str(&format!(", {} of memory", crate::human::bytes(usage.max_rss_bytes)));
        }
        if let Some(reason) = &run.reason {
            line.push_str(&format!(": {reason}"));
        }
        line
    })
}
