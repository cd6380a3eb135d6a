//! PURE. A job in the field names of events; what does not apply is absent.

use serde::Serialize;

use super::job::{Job, LastEnd, Outlook};
use crate::journal::UnderWayNow;
use crate::notice::millis;
use crate::outcome::Outcome;
use crate::policy::Alert;
use crate::standing::Moment;

#[derive(Serialize, Default)]
pub struct JobFields {
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usual_duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    running: Vec<RunningFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overdue_since: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    troubles: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recent: Vec<RecentFields>,
}

#[derive(Serialize)]
struct AlertFields {
    id: String,
    key: String,
    opened_at: String,
    failures: u32,
}

#[derive(Serialize)]
struct RunningFields {
    run_id: String,
    pid: u32,
    started_at: String,
}

#[derive(Serialize)]
struct RecentFields {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
}

impl JobFields {
    pub fn of(job: &Job, moment: &Moment<'_>) -> Self {
        let label = &job.entry.label;
        let named = Self { label: label.clone(), user: job.user.clone(), ..Self::default() };
        let remembered = match &job.entry.remembered {
            Ok(remembered) => remembered,
            Err(why) => return Self { error: Some(why.clone()), ..named },
        };
        let history = &remembered.history;
        let outlook = Outlook::of(label, remembered, moment);
        let recent = remembered.recent.iter().map(|run| RecentFields {
            outcome: run.outcome.as_str(),
            duration_ms: run.wall_time.map(millis),
        });
        let known = Self {
            usual_duration_ms: remembered.usual_duration().map(millis),
            consecutive_failures: Some(history.failures_in_a_row),
            last_success: history.last_success.map(|success| success.ended_at.to_string()),
            alert: history.alert.as_ref().map(AlertFields::of),
            muted_until: history
                .muted_until
                .filter(|until| *until > moment.now)
                .map(|until| until.to_string()),
            running: remembered.under_way.iter().filter(|run| run.alive).map(RunningFields::of).collect(),
            next_due: outlook.next_due.map(|due| due.to_string()),
            overdue_since: outlook.overdue_since().map(|due| due.to_string()),
            troubles: outlook.troubles.iter().map(|trouble| trouble.sentence(moment.zone)).collect(),
            recent: recent.collect(),
            ..named
        };
        match LastEnd::of(remembered) {
            LastEnd::Died(run) => Self {
                run_id: Some(run.id.to_string()),
                outcome: Some(Outcome::Interrupted.as_str()),
                started_at: Some(run.started_at.to_string()),
                ..known
            },
            LastEnd::Recorded(last) => Self {
                run_id: Some(last.id.to_string()),
                outcome: Some(last.outcome.as_str()),
                started_at: last.started_at.map(|at| at.to_string()),
                ended_at: Some(last.ended_at.to_string()),
                duration_ms: last.wall_time.map(millis),
                ..known
            },
            LastEnd::None => known,
        }
    }
}

impl AlertFields {
    fn of(alert: &Alert) -> Self {
        Self {
            id: alert.id.to_string(),
            key: alert.key.text.clone(),
            opened_at: alert.opened_at.to_string(),
            failures: alert.failures,
        }
    }
}

impl RunningFields {
    fn of(run: &UnderWayNow) -> Self {
        Self { run_id: run.id.to_string(), pid: run.pid, started_at: run.started_at.to_string() }
    }
}
