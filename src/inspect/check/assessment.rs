//! PURE. What is found of one job: from what is remembered of it and what is wrong with it to a word of
//! health and a sentence.

use crate::human;
use crate::notice::Health;
use crate::outcome::Outcome;
use crate::policy::History;
use crate::sinks::shown_identity;
use crate::standing::{Expected, Moment, Trouble};
use crate::turn::Owed;

use super::plugin::Finding;

/// What is known of a job at the end of a check.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What is remembered of it.
    pub history: &'a History,
    /// What is wrong with it.
    pub troubles: &'a [Trouble],
    /// Runs under way.
    pub running: usize,
    /// Runs that were found dead.
    pub died: usize,
    /// Runs that were due since the last check and did not come, besides what the troubles speak of.
    pub missed: usize,
    /// What its sinks have not been told, oldest first.
    pub owed: &'a [Owed],
}

/// The finding of a job.
pub fn assess(
    label: &str,
    user: Option<&str>,
    known: &Known<'_>,
    expected: &Expected<'_>,
    moment: &Moment<'_>,
) -> Finding {
    let history = known.history;
    let mut verdicts: Vec<(Health, String)> = Vec::new();
    verdicts.extend(known.troubles.iter().map(|trouble| {
        let health = match trouble {
            Trouble::Missed { .. } | Trouble::Stale { .. } => Health::Critical,
            Trouble::Hung { .. } => Health::Warning,
        };
        (health, trouble.sentence(moment.zone))
    }));
    verdicts.extend(of_alert(history, moment));
    if known.died > 0 {
        verdicts.push((Health::Critical, human::counted(known.died, "run found dead", "runs found dead")));
    }
    if known.missed > 0 {
        verdicts.push((
            Health::Warning,
            format!("{} due since the last check did not come", human::counted(known.missed, "run", "runs")),
        ));
    }
    verdicts.extend(of_owed(known.owed, moment));
    verdicts.extend(of_last_run(history, known, moment));
    // Somebody who has muted a job knows of its trouble; it is no reason to be called.
    let worst = if history.is_muted(moment.now) { Health::Warning } else { Health::Critical };
    let health = verdicts.iter().map(|(health, _)| *health).max().unwrap_or(Health::Ok).min(worst);
    let sentences: Vec<String> = verdicts.into_iter().map(|(_, sentence)| sentence).collect();
    Finding {
        label: label.to_owned(),
        user: user.map(str::to_owned),
        health,
        sentence: sentences.join("; "),
        success_age: history.last_success.map(|success| moment.now.since(success.ended_at)),
        max_age: expected.max_age,
        failures: history.failures_in_a_row,
        missed: known.missed + known.troubles.iter().filter(|trouble| is_missed(trouble)).count(),
        running: known.running,
    }
}

/// The finding of a job whose state cannot be read.
pub fn unreadable(label: &str, user: Option<&str>, why: String) -> Finding {
    Finding {
        label: label.to_owned(),
        user: user.map(str::to_owned),
        health: Health::Unknown,
        sentence: why,
        success_age: None,
        max_age: None,
        failures: 0,
        missed: 0,
        running: 0,
    }
}

fn is_missed(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Missed { .. } => true,
        Trouble::Stale { .. } | Trouble::Hung { .. } => false,
    }
}

fn of_alert(history: &History, moment: &Moment<'_>) -> Option<(Health, String)> {
    let alert = history.alert.as_ref()?;
    let failures = human::counted(alert.failures as usize, "failure", "failures");
    let open = human::span(moment.now.since(alert.opened_at));
    let muted = history.muted_until.filter(|_| history.is_muted(moment.now));
    let muted = muted.map(|until| format!(", muted until {}", human::local(until, moment.zone)));
    // As a rule it is this check that has opened it.
    let since = if alert.opened_at >= moment.now {
        "alert opened now".to_owned()
    } else {
        format!("alert open for {open}")
    };
    Some((Health::Critical, format!("{since} ({failures}){}", muted.unwrap_or_default())))
}

/// Alerts that have not reached those whom they are for.
fn of_owed(owed: &[Owed], moment: &Moment<'_>) -> Option<(Health, String)> {
    let first = owed.first()?;
    let mut sinks: Vec<String> =
        owed.iter().flat_map(|owed| &owed.to).map(|sink| shown_identity(sink)).collect();
    sinks.sort_unstable();
    sinks.dedup();
    let alerts = human::counted(owed.len(), "alert or recovery", "alerts and recoveries");
    let age = human::span(moment.now.since(first.turn.time));
    Some((Health::Warning, format!("{alerts} not delivered to {} for {age}", sinks.join(", "))))
}

fn of_last_run(history: &History, known: &Known<'_>, moment: &Moment<'_>) -> Option<(Health, String)> {
    let Some(last) = &history.last else {
        let sentence = if known.running > 0 { "running for the first time" } else { "no run has ended yet" };
        return Some((Health::Ok, sentence.to_owned()));
    };
    // A run that died stays so until the next has ended, whoever it was that found it.
    let health = match last.outcome {
        Outcome::Interrupted => Health::Critical,
        Outcome::Warning => Health::Warning,
        Outcome::Ok
        | Outcome::Failed
        | Outcome::Signaled
        | Outcome::TimedOut
        | Outcome::Suspect
        | Outcome::NotStarted
        | Outcome::Stopped
        | Outcome::Skipped => Health::Ok,
    };
    let streak = match history.failures_in_a_row {
        0 | 1 => String::new(),
        failures => format!(", {failures} failures in a row"),
    };
    Some((health, format!("last {} {}{streak}", last.outcome, human::ago(moment.now, last.ended_at))))
}
