//! Notices and jobs for the tests of the sinks.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::Opening;
use crate::clock::Timestamp;
use crate::job::{CommandLine, Label, RunId, Tag};
use crate::notice::{Finished, Notice, Start};
use crate::outcome::{Ending, Outcome, Report, Run, RunEnd, Usage};
use crate::plan::{JobFacts, Privacy, Severity, Variables};
use crate::policy::{Alert, AlertAfter, AlertKey, AlertRule, History, Judged, judge};
use crate::turn::{AlertTurn, TurnCause};

/// When every sample run ended.
pub const ENDED_AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A job of this label on host `db1`.
pub fn job(label: &str) -> JobFacts {
    JobFacts {
        label: Label::new(label.as_ref()).unwrap(),
        host: "db1".into(),
        namespace: "cronward".into(),
        tags: Vec::new(),
        command: CommandLine::Words(vec!["pg_dump".into(), "--password=x".into()]),
        alert_key: AlertKey::of_one_host(&format!("db1/{label}")),
        severity: Severity::Error,
        owner: None,
        runbook: None,
        privacy: Privacy::default(),
    }
}

/// A run that ended so, on a host with 12.75 ms to spare.
pub fn run(outcome: Outcome, code: u8, reason: Option<&str>) -> Run {
    let started_at = Timestamp::from_millis(ENDED_AT.as_millis() - 13);
    Run {
        ended_at: Some(ENDED_AT),
        wall_time: Some(Duration::from_micros(12_750)),
        pid: Some(4711),
        usage: Some(Usage { user: Duration::from_micros(8_500), max_rss_bytes: 1 << 20, ..Usage::default() }),
        reason: reason.map(str::to_owned),
        ..Run::new(RunId::new(), started_at, RunEnd::Ended(Ending::Exited(code)), outcome)
    }
}

/// The notices of a run after this history, by the rule of one failure.
pub fn ended(job: JobFacts, before: &History, run: Run) -> Vec<Notice> {
    let rule = AlertRule {
        after: AlertAfter::InARow(NonZeroU32::MIN),
        realert: Some(Duration::ZERO),
        recover_after: NonZeroU32::MIN,
    };
    let judged = Judged { run: &run, ended_at: ENDED_AT, alert_key: &job.alert_key };
    let judgement = judge(before, &judged, &rule);
    let cause = TurnCause::Ended(Box::new(run.clone()), Some(judgement.history.failures_in_a_row));
    let turn = AlertTurn::of(&judgement, cause, ENDED_AT);
    let finished =
        Finished { run, history: Some(judgement.history), problems: Vec::new(), sink_errors: Vec::new() };
    Notice::ended(&Arc::new(job), finished, turn.as_ref(), ENDED_AT)
}

/// A first failure: that the run ended, and that the alert was opened.
pub fn failed(job: JobFacts) -> Vec<Notice> {
    failed_because(job, "exited with 3")
}

/// The same for another reason.
pub fn failed_because(job: JobFacts, reason: &str) -> Vec<Notice> {
    ended(job, &History::default(), run(Outcome::Failed, 3, Some(reason)))
}

/// A success that has reported this of itself.
pub fn reported(job: JobFacts, values: &[(&str, f64)], tags: &[&str]) -> Vec<Notice> {
    let report = Report {
        values: values.iter().map(|&(name, value)| (name.to_owned(), value)).collect(),
        tags: tags.iter().filter_map(|tag| Tag::parse(tag)).collect(),
    };
    ended(job, &History::default(), Run { report, ..run(Outcome::Ok, 0, None) })
}

/// A report that would like to be more than values and tags.
pub fn hostile_report() -> impl Strategy<Value = Report> {
    let value = prop_oneof![any::<f64>(), -1e3..1e3_f64, Just(-0.0)];
    let tag = (hostile(), hostile()).prop_map(|(key, value)| Tag { key, value: Some(value) });
    (prop::collection::vec((hostile(), value), 0..9), prop::collection::vec(tag, 0..4))
        .prop_map(|(values, tags)| Report { values, tags })
}

/// A history in which the alert is open.
pub fn failing_history() -> History {
    let alert = Alert {
        id: RunId::new(),
        key: AlertKey::of_one_host("db1/backup"),
        opened_at: Timestamp::from_millis(1_699_999_000_000),
        notified_at: Some(Timestamp::from_millis(1_699_999_000_000)),
        failures: 3,
        counted: None,
    };
    History { failures_in_a_row: 3, alert: Some(alert), ..History::default() }
}

/// The notice of a run that has started.
pub fn started(job: JobFacts) -> Notice {
    let start = Start { id: RunId::new(), parent: None, pid: 4711, started_at: ENDED_AT };
    Notice::started(Arc::new(job), start)
}

/// What a kind makes of a target, without variables.
pub fn opening<T>(target: &str, open: impl FnOnce(&Opening<'_>) -> T) -> T {
    open(&Opening { target, variables: &Variables::default(), environment: &[], inherited: false })
}

/// Text that would like to be more than one field.
pub fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("|#".to_owned()),
        Just("x:1|c".to_owned()),
        Just("_e{1,1}:a|b".to_owned()),
        Just("_sc|a|2|m:".to_owned()),
        Just("m:".to_owned()),
        Just("\\n".to_owned()),
        Just("|k:".to_owned()),
        Just(",".to_owned()),
        Just("\0\x1b[31m\u{85}".to_owned()),
        "\\PC{1,40}",
        "[é漢🦀]{1,200}",
    ];
    prop::collection::vec(part, 1..12).prop_map(|parts| parts.concat())
}
