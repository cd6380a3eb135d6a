//! Two runs that never were, with fixed values, judged by the job's own rule: a success, and the
//! failure that opens the alert.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::job::{RunId, Signal};
use crate::notice::{Finished, Notice, Start};
use crate::outcome::{Ended, Ending, Outcome, Run, RunEnd, Usage};
use crate::plan::Plan;
use crate::policy::{History, Judged, judge};
use crate::setup::brink;
use crate::turn::{AlertTurn, TurnCause};

/// 2026-01-01T00:00:00Z.
const STARTED_AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// 1.234 s later.
const ENDED_AT: Timestamp = Timestamp::from_millis(1_767_225_601_234);
const PID: u32 = 4711;

/// Each sample with its title, and the notices of its start and of its end.
pub fn all(plan: &Plan) -> [(&'static str, Vec<Vec<Notice>>); 2] {
    // Where no exit code is a failure, only a signal can be one.
    let killed = Ending::Killed { signal: Signal::KILL, core_dumped: false };
    let failure = failing_code(plan).map_or(killed, Ending::Exited);
    [
        ("a success would send", stages(plan, Ending::Exited(0), &History::default())),
        (
            "a failure that opens the alert would send",
            stages(plan, failure, &brink::of_an_alert(&plan.rule, STARTED_AT)),
        ),
    ]
}

/// The smallest exit code that is a failure of this job.
fn failing_code(plan: &Plan) -> Option<u8> {
    (1..=u8::MAX).find(|&code| plan.codes.of(code) == Outcome::Failed)
}

fn stages(plan: &Plan, ending: Ending, before: &History) -> Vec<Vec<Notice>> {
    let run = run(plan, ending);
    let start = Start { id: run.id, parent: run.parent, pid: PID, started_at: STARTED_AT };
    let judged = Judged { run: &run, ended_at: ENDED_AT, alert_key: &plan.job.alert_key };
    let judgement = judge(before, &judged, &plan.rule);
    let cause = TurnCause::Ended(Box::new(run.clone()), Some(judgement.history.failures_in_a_row));
    let turn = AlertTurn::of(&judgement, cause, ENDED_AT);
    let finished =
        Finished { run, history: Some(judgement.history), problems: Vec::new(), sink_errors: Vec::new() };
    vec![
        vec![Notice::started(Arc::clone(&plan.job), start)],
        Notice::ended(&plan.job, finished, turn.as_ref(), ENDED_AT),
    ]
}

fn run(plan: &Plan, ending: Ending) -> Run {
    let end = RunEnd::Ended(ending);
    let (outcome, reason) = Ended { end: &end, timed_out_after: None, stop_signal: None }.judge(&plan.codes);
    Run {
        parent: plan.parent,
        ended_at: Some(ENDED_AT),
        wall_time: Some(ENDED_AT.since(STARTED_AT)),
        pid: Some(PID),
        usage: Some(Usage {
            user: Duration::from_millis(812),
            system: Duration::from_millis(91),
            max_rss_bytes: 32 * 1024 * 1024,
            ..Usage::default()
        }),
        reason,
        ..Run::new(RunId::new(), STARTED_AT, end, outcome)
    }
}
