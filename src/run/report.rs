//! Everything behind the command's end: the journal first, then the sinks, then the few words that
//! nobody else was told.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::onlooker::LeftToDo;
use super::{Circumstances, obeyed, stop_signal_within};
use crate::attend;
use crate::clock::{Deadline, Timestamp};
use crate::debts;
use crate::diagnostics::{say, stderr_is_terminal};
use crate::dispatch::{Dispatch, Pressing, with_rules};
use crate::journal::{Committed, Journal, Reviewed, UnderWayNow};
use crate::notice::{Finished, Notice};
use crate::outcome::{Outcome, Run, RunEnd, StartFailure, Weight};
use crate::output::Output;
use crate::plan::{LogWhen, Plan, Quiet, Summary};
use crate::policy::History;
use crate::standing::{Expected, Moment};
use crate::turn::Owed;

/// A run that has ended, and what is not as it should be with its configuration or its report.
pub struct Ended {
    pub run: Run,
    pub problems: Vec<String>,
}

/// Reports on a run, within the deadline, and shows the output that was held back, if it is to be shown.
pub fn report(
    run: &Circumstances<'_>,
    journal: &mut Journal,
    mut ended: Ended,
    mut output: Option<&mut Output>,
    left_to_do: LeftToDo,
    deadline: Deadline,
) {
    let Circumstances { plan, sinks, caller, .. } = *run;
    let label = &plan.job.label;
    if let RunEnd::NotStarted(StartFailure { reason, .. }) = &ended.run.end {
        say(format_args!("{label}: {reason}"));
    }
    let summary = summary(plan, &ended.run);
    if let Some(output) = &mut output {
        keep_output(plan, output, &mut ended);
    }
    let mut committed =
        with_rules(plan, sinks, |rules| journal.commit(&ended.run, &plan.job.command, deadline, rules));
    if let Some(trouble) = journal.trouble().or(committed.trouble.as_deref()) {
        say(format_args!("{label}: {trouble}"));
    }
    let deadline = match output.filter(|output| output.is_held()) {
        None => deadline,
        Some(output) => {
            let left = deadline.left();
            if is_to_be_shown(plan, &ended.run, &committed) {
                let shown = output.show(&mut |arrived| obeyed(arrived, caller).is_some());
                if let Some(complaint) = shown {
                    say(format_args!("{label}: {complaint}"));
                    ended.problems.push(complaint);
                }
            }
            // Whoever reads it takes the time that they take: it is not that of the sinks.
            Deadline::after(left)
        }
    };
    // Several ask, and each signal is heard once.
    let mut stopped = false;
    let mut cut_short = || {
        stopped = stopped || stop_signal_within(Duration::ZERO, caller).is_some();
        stopped
    };
    let skipped = ended.run.outcome == Outcome::Skipped;
    let mut owed = std::mem::take(&mut committed.owed);
    let given_up = std::mem::take(&mut committed.given_up);
    let mut notices = notices(plan, committed, ended);
    if skipped && let Some(reviewed) = trouble_behind(run, journal, deadline) {
        notices.extend(attend::notices(plan, &reviewed, Timestamp::now()));
        owed = reviewed.owed;
    }
    left_to_do.wait(deadline, &mut cut_short);
    let dispatched = Dispatch {
        plan,
        sinks,
        journal,
        notices: &notices,
        owed: &owed,
        given_up,
        pressing: Pressing::WhoMayBeTried,
    }
    .tell(left_to_do.announcement, deadline, &mut cut_short);
    help_others(run, journal, &dispatched.left, deadline, &mut cut_short);
    if let Some(summary) = summary {
        say(summary);
    }
}

/// Ends the keeping of the output.
fn keep_output(plan: &Plan, output: &mut Output, ended: &mut Ended) {
    let well = ended.run.outcome.weight() == Weight::Success;
    let keep_log = !well || plan.output.logs.as_ref().is_some_and(|logs| logs.when == LogWhen::Always);
    let finished = output.finish(&plan.output, keep_log, Timestamp::now());
    for complaint in &finished.complaints {
        say(format_args!("{}: {complaint}", plan.job.label));
    }
    // A run that was cut short, by a signal or its time limit, may have lost output for that reason alone, at
    // a terminal that is halted: where this would be written, too.
    if ended.run.output_was_lost
        && !matches!(ended.run.outcome, Outcome::Stopped | Outcome::TimedOut)
        && let Some(why) = output.lost()
    {
        say(format_args!("{}: {why}", plan.job.label));
    }
    ended.run.output = finished.kept;
    ended.problems.extend(finished.complaints);
    ended.problems.extend(finished.remarks);
}

/// Whether the output that was held back is to be shown. Where the history cannot be read nobody can say
/// whether an alert is open, and a failure speaks for itself.
fn is_to_be_shown(plan: &Plan, run: &Run, committed: &Committed) -> bool {
    let well = run.outcome.weight() == Weight::Success;
    match plan.output.quiet {
        Some(Quiet::Alert) if committed.history_readable => committed.own.history.alert.is_some(),
        Some(Quiet::Alert | Quiet::Failure) | None => !well,
    }
}

/// What a run that was skipped has to say of the job: that the run in its way hangs, or that there has been no
/// success for too long. Otherwise a holder that hangs for ever would be a job that never fails.
fn trouble_behind(run: &Circumstances<'_>, journal: &mut Journal, deadline: Deadline) -> Option<Reviewed> {
    let plan = run.plan;
    let expected = Expected::of(plan);
    if expected.schedule.is_none() && expected.max_age.is_none() && expected.time_max.is_none() {
        return None;
    }
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let moment = Moment { now, zone: &zone, booted: Timestamp::of_boot() };
    let mut amend =
        |history: &History, under_way: &[UnderWayNow]| attend::amendment(plan, history, under_way, &moment);
    // The run itself is on record; if this cannot be, the next one that is skipped asks again.
    with_rules(plan, run.sinks, |rules| journal.review(now, deadline, rules, &mut amend)).ok()
}

/// Delivers what other jobs of this state directory owe, as long as there is time. In the ordinary case nobody
/// owes anything.
fn help_others(
    run: &Circumstances<'_>,
    journal: &Journal,
    own: &[Owed],
    deadline: Deadline,
    cut_short: &mut dyn FnMut() -> bool,
) {
    let debtors = journal.debtors();
    if !debtors.is_empty() && !deadline.passed() && !cut_short() {
        debts::help(run.plan, run.levels, journal, debtors, own, deadline, cut_short);
    }
}

/// What there is to tell: of runs that were found dead, oldest first, and of this one.
fn notices(plan: &Plan, committed: Committed, ended: Ended) -> Vec<Notice> {
    let Committed { lost, own, turns, history_readable, .. } = committed;
    let lost = lost.into_iter().map(|(run, judgement)| (Ended { run, problems: Vec::new() }, judgement));
    let now = Timestamp::now();
    lost.chain(std::iter::once((ended, own)))
        .flat_map(|(Ended { run, problems }, judgement)| {
            let turn = turns.iter().find(|turn| turn.is_of(run.id));
            let history = judgement.history;
            let history = history_readable.then_some(history);
            let finished = Finished { run, history, problems, sink_errors: Vec::new() };
            Notice::ended(&plan.job, finished, turn, now)
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
