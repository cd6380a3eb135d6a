//! `mute` and `forget`: what people decide about a job's record.

use crate::attend::{Attendant, OfRecord};
use crate::clock::{Deadline, Timestamp};
use crate::human;
use crate::journal::{self, Amendment, Entry, Look};
use crate::policy::{Judgement, Verdict};

/// Holds the notifications of a job's alert back for `span`; none at all: tells them again from now on. What
/// there is to say to whoever asked.
///
/// # Errors
/// In words: no such job, or its record cannot be used.
pub fn mute(
    label: &str,
    span: std::time::Duration,
    attendant: &Attendant<'_>,
    now: Timestamp,
) -> Result<String, String> {
    let (job, _) = of_record(label, attendant, now)?;
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let until = Timestamp::from_millis(now.as_millis().saturating_add(millis));
    let muted = !span.is_zero();
    let what = if muted { format!("muted until {until}") } else { "no longer muted".to_owned() };
    job.attend(now, &mut |history, _| {
        let mut history = history.clone();
        history.muted_until = muted.then_some(until);
        let judgement = Judgement { history, verdict: Verdict::StillOpen, alert: None };
        Some(Amendment { judgement, what: what.clone(), run: None })
    })?;
    let local = human::local(until, &jiff::tz::TimeZone::system());
    Ok(if muted {
        format!("'{label}' is muted until {local}; runs are recorded, and a recovery is told\n")
    } else {
        format!("'{label}' is no longer muted\n")
    })
}

/// Removes all that is remembered of a job; an alert that somebody was told of is closed first.
///
/// # Errors
/// In words: no such job, a run of it is under way, or its record cannot be used.
pub fn forget(label: &str, attendant: &Attendant<'_>, now: Timestamp) -> Result<String, String> {
    let (job, entry) = of_record(label, attendant, now)?;
    let alive = entry.remembered.iter().flat_map(|remembered| &remembered.under_way).find(|run| run.alive);
    if let Some(run) = alive {
        return Err(format!("'{label}' is running (pid {}); stop it first", run.pid));
    }
    let deadline = || Deadline::after(job.plan.flush_deadline);
    // An alert must not be closed because of a job that is then not forgotten.
    journal::may_forget(&attendant.state_dir, &entry.name, deadline())?;
    if entry.remembered.is_ok() {
        job.attend(now, &mut |history, _| {
            let alert = history.alert.clone().filter(|alert| alert.notified_at.is_some())?;
            let mut history = history.clone();
            history.alert = None;
            let judgement = Judgement { history, verdict: Verdict::Closed, alert: Some(alert) };
            Some(Amendment { judgement, what: "the job is forgotten".to_owned(), run: None })
        })?;
    }
    journal::forget(&attendant.state_dir, &entry.name, deadline())?;
    Ok(format!("'{label}' is forgotten\n"))
}

fn of_record(label: &str, attendant: &Attendant<'_>, now: Timestamp) -> Result<(OfRecord, Entry), String> {
    let entries = journal::entries(&attendant.state_dir, Look::Plans, now)?;
    let entry = entries.into_iter().find(|entry| entry.label == label).ok_or_else(|| {
        let dir = attendant.state_dir.display();
        format!("no run of '{label}' is on record in '{dir}'; 'cronward status' lists those that are")
    })?;
    let plan = entry.remembered.as_ref().ok().and_then(|remembered| remembered.plan.as_ref());
    let job = attendant.of_record(label, plan).map_err(|why| why.to_string())?;
    Ok((job, entry))
}
