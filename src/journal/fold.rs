//! PURE. Folding in what a fold does not hold yet, and what becomes of runs that died.

use std::collections::BTreeSet;
use std::time::Duration;

use super::stored::{End, Fold};
use super::tail::Loose;
use super::under_way::Begun;
use crate::clock::Timestamp;
use crate::outcome::{Outcome, Run, RunEnd};
use crate::policy::{History, Judgement};

/// Judges a run by the history before it; `None`: that history cannot be read.
pub type Judge<'a> = &'a dyn Fn(Option<&History>, &Run) -> Judgement;

/// How long a run on another host is given before it is said to have died: its lock may not be
/// seen from here (NFS).
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(7 * 24 * 3600);

/// Folds in the records behind a fold, each run once, however often it is on record: a compaction
/// may copy what its writer, too, writes again.
pub(super) fn catch_up(fold: &mut Fold, loose: Vec<Loose>, judge: Judge<'_>) {
    let mut begun = Vec::new();
    let mut ended = BTreeSet::new();
    let mut ends = Vec::new();
    for record in loose {
        match record {
            Loose::Start(start) => begun.push(start),
            Loose::End(end, owed) => {
                if ended.insert(end.id()) {
                    ends.push(end);
                    fold.owed.extend(owed);
                }
            }
        }
    }
    for start in begun {
        if !ended.contains(&start.id) {
            fold.under_way.add(&start);
        }
    }
    if ends.is_empty() {
        return;
    }
    let mut history = fold.history();
    for end in ends {
        fold.under_way.remove(end.id());
        history = after_late(&history, &end, judge);
    }
    fold.set_history(&history);
}

/// The history after a run that its cronward judged by what it could see. The counters are those of
/// the rule; but the alert is what the world was told, or nobody would hear of one that the rule
/// opens here, and of one that was opened there no end.
fn after_late(before: &History, end: &End<'_>, judge: Judge<'_>) -> History {
    let judgement = judge(Some(before), &end.to_run());
    let mut history = judgement.history;
    history.alert = match end.opened() {
        Some(alert) => Some(alert),
        None if end.closed() => None,
        None => before.alert.as_ref().and(judgement.alert),
    };
    history
}

/// Whether a run whose lock is free has died, as seen from `host`.
pub(super) fn has_died(begun: &Begun, host: &str, now: Timestamp) -> bool {
    begun.host == host || now.since(begun.started_at) > PATIENCE_WITH_OTHERS
}

/// A run that died, found on `host`, which was started at `boot`.
pub(super) fn lost_run(begun: &Begun, host: &str, boot: Option<Timestamp>) -> Run {
    let Begun { started_at, pid, .. } = begun;
    let what = if begun.host != host {
        format!("nothing was heard for 7 days of a run on host '{}'", begun.host)
    } else if boot.is_some_and(|boot| *started_at < boot) {
        "the host was restarted during the run".to_owned()
    } else {
        "cronward died during the run".to_owned()
    };
    let reason = format!("{what} (started {started_at}, pid {pid})");
    let end = RunEnd::Interrupted { reason: reason.clone() };
    let run = Run::new(begun.id, *started_at, end, Outcome::Interrupted);
    Run { pid: Some(*pid), reason: Some(reason), ..run }
}

#[cfg(test)]
mod tests;
