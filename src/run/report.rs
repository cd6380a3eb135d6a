//! Everything behind the command's end: the journal first, then the sinks, then the few words that
//! nobody else was told.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::onlooker::LeftToDo;
use super::{Circumstances, obeyed, stop_signal_within};
use crate::attend::{self, changed_since, judge, say_unconfirmed};
use crate::clock::{Deadline, Timestamp};
use crate::diagnostics::{say, stderr_is_terminal};
use crate::journal::{Committed, Journal, UnderWayNow};
use crate::notice::{Finished, Notice};
use crate::outcome::{Outcome, Run, RunEnd, StartFailure, Weight};
use crate::output::Output;
use crate::plan::{LogWhen, Plan, Quiet, Summary};
use crate::policy::{History, Judgement};
use crate::sinks::delivery;
use crate::standing::{Expected, Moment};

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
    let committed =
        journal.commit(&ended.run, &plan.job.command, deadline, &|history, run| judge(plan, history, run));
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
    let mut cut_short = || stop_signal_within(Duration::ZERO, caller).is_some();
    let skipped = ended.run.outcome == Outcome::Skipped;
    let mut notices = notices(plan, journal, committed, ended);
    if skipped {
        notices.extend(trouble_behind(plan, journal, deadline));
    }
    left_to_do.wait(deadline, &mut cut_short);
    let delivered = delivery::deliver(sinks, &notices, left_to_do.announcement, deadline, &mut cut_short);
    if !delivered.alert_confirmed {
        say_unconfirmed(&notices);
    }
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
fn trouble_behind(plan: &Plan, journal: &mut Journal, deadline: Deadline) -> Vec<Notice> {
    let expected = Expected::of(plan);
    if expected.schedule.is_none() && expected.max_age.is_none() && expected.time_max.is_none() {
        return Vec::new();
    }
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let moment = Moment { now, zone: &zone, booted: Timestamp::of_boot() };
    let mut amend =
        |history: &History, under_way: &[UnderWayNow]| attend::amendment(plan, history, under_way, &moment);
    match journal.review(now, deadline, &|history, run| judge(plan, history, run), &mut amend) {
        Ok(reviewed) => attend::notices(plan, journal, &reviewed, now),
        // The run itself is on record; the next one that is skipped asks again.
        Err(_) => Vec::new(),
    }
}

/// What there is to tell: of runs that were found dead, oldest first, and of this one.
fn notices(plan: &Plan, journal: &Journal, committed: Committed, ended: Ended) -> Vec<Notice> {
    let Committed { lost, own, history_readable, .. } = committed;
    let lost = lost.into_iter().map(|(run, judgement)| (Ended { run, problems: Vec::new() }, judgement));
    lost.chain(std::iter::once((ended, own)))
        .flat_map(|(Ended { run, problems }, judgement)| {
            let Judgement { history, verdict, alert } = judgement;
            let success = history.last_success.map(|success| success.ended_at);
            let history = history_readable.then_some(history);
            let finished = Finished { run, verdict, history, problems, sink_errors: Vec::new() };
            let notices = Notice::ended(&plan.job, finished, alert);
            notices
                .into_iter()
                .map(move |notice| notice.with_changes(|| changed_since(plan, journal, success)))
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
