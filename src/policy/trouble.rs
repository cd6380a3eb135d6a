//! PURE. What no run has said by ending: that one does not come, that one takes too long, that the last
//! success is too old. Whoever notices asks here what becomes of the alert.

use super::{Alert, AlertKey, AlertRule, History, Judgement, Verdict};
use crate::clock::Timestamp;
use crate::job::RunId;
use crate::outcome::Outcome;

/// Judges a job that is in trouble at this moment, without a run that has ended: it opens the alert, or
/// says it again if that is due.
pub fn judge_trouble(before: &History, alert_key: &AlertKey, rule: &AlertRule, now: Timestamp) -> Judgement {
    let mut history = before.clone();
    match history.alert.take() {
        Some(alert) => history.still_open(alert, rule, now),
        None => {
            let failures = history.failures_in_a_row.saturating_add(1);
            history.opened(Alert::new(alert_key, now, failures), now)
        }
    }
}

/// Judges a run that is under way and has already taken too long: if its failure would open the alert,
/// that is opened now. The run is `suspect` whenever it ends, and counts then.
pub fn judge_overdue(
    before: &History,
    run: RunId,
    alert_key: &AlertKey,
    rule: &AlertRule,
    now: Timestamp,
) -> Judgement {
    let mut then = before.clone();
    then.count(Outcome::Suspect, now, rule);
    let stays = |verdict, alert| Judgement { history: before.clone(), verdict, alert };
    match &before.alert {
        Some(alert) => stays(Verdict::StillOpen, Some(alert.clone())),
        None if rule.after.holds(&then, now) => {
            let failures = rule.after.found(&then, now);
            let alert = Alert { counted: Some(run), ..Alert::new(alert_key, now, failures) };
            before.clone().opened(alert, now)
        }
        None => stays(Verdict::Failing, None),
    }
}
