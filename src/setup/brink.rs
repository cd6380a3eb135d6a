//! PURE. Histories that one more run makes an alert of, or the end of one, by whatever rule: what would be
//! there after the runs that lead there.

use crate::clock::Timestamp;
use crate::outcome::Outcome;
use crate::policy::{AlertAfter, AlertRule, History, RECENT_MAX};

/// A history that one more failure makes an alert of, all failures so far having ended at this moment.
pub fn of_an_alert(rule: &AlertRule, at: Timestamp) -> History {
    let failures = failures(rule) - 1;
    // What the rules that look further back count by is no longer than their own bound.
    let remembered = (failures as usize).min(RECENT_MAX);
    History {
        failures_in_a_row: failures,
        recent: vec![Outcome::Failed; remembered],
        failure_times: vec![at; remembered],
        ..History::default()
    }
}

/// The history in which an alert is open, but so many successes later that one more is its end.
pub fn of_recovery(rule: &AlertRule, open: &History) -> History {
    History {
        failures_in_a_row: 0,
        successes_in_a_row: rule.recover_after.get() - 1,
        recent: vec![Outcome::Ok; RECENT_MAX],
        failure_times: Vec::new(),
        ..open.clone()
    }
}

/// How many failures open the alert.
pub fn failures(rule: &AlertRule) -> u32 {
    let (AlertAfter::InARow(failures)
    | AlertAfter::OfLast { failures, .. }
    | AlertAfter::Within { failures, .. }) = rule.after;
    failures.get()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;
    use crate::job::RunId;
    use crate::outcome::{Ending, Run, RunEnd};
    use crate::policy::{AlertKey, Judged, Verdict, judge};

    #[test]
    fn one_more_failure_opens_the_alert_and_one_more_success_closes_it_by_every_rule() {
        let number = |number| NonZeroU32::new(number).unwrap();
        for after in [
            AlertAfter::InARow(number(1)),
            AlertAfter::InARow(NonZeroU32::MAX),
            AlertAfter::OfLast { failures: number(5), runs: number(10) },
            AlertAfter::Within { failures: number(64), span: Duration::from_secs(3600) },
        ] {
            let rule = AlertRule { after, realert: None, recover_after: NonZeroU32::MAX };
            let at = Timestamp::from_millis(1_800_000_000_000);
            let alert_key = AlertKey::of_one_host("k");
            let judged = |before: &History, outcome, code| {
                let run = Run::new(RunId::new(), at, RunEnd::Ended(Ending::Exited(code)), outcome);
                judge(before, &Judged { run: &run, ended_at: at, alert_key: &alert_key }, &rule)
            };
            let opened = judged(&of_an_alert(&rule, at), Outcome::Failed, 1);
            assert_eq!(opened.verdict, Verdict::Opened, "{after}");
            assert_eq!(opened.alert.map(|alert| alert.failures), Some(failures(&rule)), "{after}");
            let closed = judged(&of_recovery(&rule, &opened.history), Outcome::Ok, 0);
            assert_eq!(closed.verdict, Verdict::Closed, "{after}");
        }
    }
}
