//! The table of metrics, and what one finished run measures. Names and units stand here once: sinks
//! write them, the manual is checked against them.

use std::borrow::Cow;

use super::event::millis;
use super::{Finished, Notice};
use crate::outcome::Run;
use crate::policy::History;

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Events since the last report; added up by the receiver.
    Counter,
    /// A span of time in milliseconds with fraction.
    Timer,
    /// A value that replaces the one before it.
    Gauge,
}

/// Which tags the values of a metric have beyond the job's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// None: it is the job's. Tagged by outcome, the value of the last failure would stand beside
    /// that of the recovery for ever.
    Job,
    /// `outcome`.
    Outcome,
    /// `outcome`, and `exit_code` or `signal` if there was one.
    Ending,
}

/// One metric of the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, behind the namespace.
    pub name: &'static str,
    /// What it counts.
    pub kind: MetricKind,
    /// How its values are tagged.
    pub tagged: Tagged,
    /// Unit and meaning, for the manual.
    pub meaning: &'static str,
}

macro_rules! catalogue {
    ($($id:ident = $name:literal, $kind:ident, $tagged:ident, $meaning:literal;)*) => {
        $(static $id: Metric = Metric {
            name: $name,
            kind: MetricKind::$kind,
            tagged: Tagged::$tagged,
            meaning: $meaning,
        };)*
        /// Every metric that a run can send, in the order of the manual.
        pub static METRICS: &[&Metric] = &[$(&$id),*];
    };
}

catalogue! {
    DURATION = "run.duration", Timer, Outcome, "wall time of the run, in milliseconds";
    COUNT = "run.count", Counter, Ending, "one for each run that ended; the metric to alert on";
    EXIT_CODE = "run.exit_code", Gauge, Outcome, "exit code, if the command exited";
    SIGNAL = "run.signal", Gauge, Outcome, "number of the signal, if the command died of one";
    CPU_USER = "run.cpu_user", Timer, Outcome, "CPU time in user mode, in milliseconds";
    CPU_SYSTEM = "run.cpu_system", Timer, Outcome, "CPU time in the kernel, in milliseconds";
    MAX_RSS = "run.max_rss", Gauge, Outcome, "largest resident set of any process of the run, in bytes";
    CUSTOM = "run.custom", Gauge, Outcome, "a value that the job has reported, by the name it gave";
    CONSECUTIVE_FAILURES = "job.consecutive_failures", Gauge, Job, "failures since the last success";
    LAST_SUCCESS = "job.last_success", Gauge, Job, "end of the last success, in seconds since 1970";
    ALERT_OPEN = "job.alert_open", Gauge, Job, "1 while the alert is open, else 0";
}

/// One value of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement<'a> {
    /// Which metric.
    pub metric: &'static Metric,
    /// The name that the job has given to the value, if it did: it stands behind that of the metric
    /// and a dot.
    pub given_name: Option<&'a str>,
    /// The value, in the metric's unit; finite, and negative only if the job has reported it so.
    pub value: f64,
}

/// The tags that values of a run have beyond the job's own.
pub fn value_tags(run: &Run, tagged: Tagged) -> Vec<(&'static str, Cow<'static, str>)> {
    let outcome = ("outcome", Cow::Borrowed(run.outcome.as_str()));
    match tagged {
        Tagged::Job => Vec::new(),
        Tagged::Outcome => vec![outcome],
        Tagged::Ending => {
            let exit_code = run.exit_code().map(|code| ("exit_code", Cow::Owned(code.to_string())));
            let signal = run.death().map(|(signal, _)| ("signal", Cow::Owned(signal.to_string())));
            std::iter::once(outcome).chain(exit_code).chain(signal).collect()
        }
    }
}

/// Everything that a finished run measures.
pub fn measurements<'a>(notice: &Notice, finished: &'a Finished) -> Vec<Measurement<'a>> {
    debug_assert_eq!(notice.news.kind(), "run.finished");
    let run = &finished.run;
    let mut all = Vec::with_capacity(METRICS.len() + run.report.values.len());
    let mut measured = |metric, value| all.push(Measurement { metric, given_name: None, value });
    if let Some(span) = run.wall_time {
        measured(&DURATION, millis(span));
    }
    if let Some(code) = run.exit_code() {
        measured(&EXIT_CODE, f64::from(code));
    }
    if let Some((signal, _)) = run.death() {
        measured(&SIGNAL, f64::from(signal.0));
    }
    measured(&COUNT, 1.0);
    if let Some(usage) = &run.usage {
        measured(&CPU_USER, millis(usage.user));
        measured(&CPU_SYSTEM, millis(usage.system));
        measured(&MAX_RSS, usage.max_rss_bytes as f64);
    }
    if let Some(History { failures_in_a_row, last_success, alert, .. }) = &finished.history {
        measured(&CONSECUTIVE_FAILURES, f64::from(*failures_in_a_row));
        if let Some(success) = last_success {
            measured(&LAST_SUCCESS, success.ended_at.as_seconds() as f64);
        }
        measured(&ALERT_OPEN, f64::from(u8::from(alert.is_some())));
    }
    all.extend(run.report.values.iter().map(|(name, value)| Measurement {
        metric: &CUSTOM,
        given_name: Some(name),
        value: *value,
    }));
    all
}
