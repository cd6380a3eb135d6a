//! The table of metrics, and what one finished run measures. Names and units stand here once: sinks
//! write them, the manual is checked against them.

use super::event::millis;
use super::{Finished, Notice};
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

/// One metric of the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, behind the namespace.
    pub name: &'static str,
    /// What it counts.
    pub kind: MetricKind,
    /// Unit and meaning, for the manual.
    pub meaning: &'static str,
}

macro_rules! catalogue {
    ($($id:ident = $name:literal, $kind:ident, $meaning:literal;)*) => {
        $(static $id: Metric = Metric { name: $name, kind: MetricKind::$kind, meaning: $meaning };)*
        /// Every metric that a run can send, in the order of the manual.
        pub static METRICS: &[&Metric] = &[$(&$id),*];
    };
}

catalogue! {
    DURATION = "run.duration", Timer, "wall time of the run, in milliseconds";
    COUNT = "run.count", Counter, "one for each run that ended; the metric to alert on";
    EXIT_CODE = "run.exit_code", Gauge, "exit code, if the command exited";
    SIGNAL = "run.signal", Gauge, "number of the signal, if the command died of one";
    CPU_USER = "run.cpu_user", Timer, "CPU time in user mode, in milliseconds";
    CPU_SYSTEM = "run.cpu_system", Timer, "CPU time in the kernel, in milliseconds";
    MAX_RSS = "run.max_rss", Gauge, "largest resident set of any process of the run, in bytes";
    CONSECUTIVE_FAILURES = "job.consecutive_failures", Gauge, "failures since the last success";
    LAST_SUCCESS = "job.last_success", Gauge, "end of the last success, in seconds since 1970";
    ALERT_OPEN = "job.alert_open", Gauge, "1 while the alert is open, else 0";
}

/// One value of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Which metric.
    pub metric: &'static Metric,
    /// The value, in the metric's unit; finite and not negative.
    pub value: f64,
    /// Tags of this value beyond the job's own. A gauge of the *job* has none: tagged by outcome,
    /// the value of the last failure would stand beside that of the recovery for ever.
    pub tags: Vec<(&'static str, String)>,
}

/// Everything that a finished run measures.
pub fn measurements(notice: &Notice, finished: &Finished) -> Vec<Measurement> {
    debug_assert_eq!(notice.news.kind(), "run.finished");
    let run = &finished.run;
    let outcome = ("outcome", run.outcome.as_str().to_owned());
    let of_run = |metric, value| Measurement { metric, value, tags: vec![outcome.clone()] };
    let of_job = |metric, value| Measurement { metric, value, tags: Vec::new() };

    let mut all = Vec::with_capacity(METRICS.len());
    all.extend(run.wall_time.map(|span| of_run(&DURATION, millis(span))));
    let mut count = of_run(&COUNT, 1.0);
    if let Some(code) = run.exit_code() {
        count.tags.push(("exit_code", code.to_string()));
        all.push(of_run(&EXIT_CODE, f64::from(code)));
    }
    if let Some((signal, _)) = run.death() {
        count.tags.push(("signal", signal.to_string()));
        all.push(of_run(&SIGNAL, f64::from(signal.0)));
    }
    all.push(count);
    if let Some(usage) = &run.usage {
        all.push(of_run(&CPU_USER, millis(usage.user)));
        all.push(of_run(&CPU_SYSTEM, millis(usage.system)));
        all.push(of_run(&MAX_RSS, usage.max_rss_bytes as f64));
    }
    if let Some(History { failures_in_a_row, last_success, alert, .. }) = &finished.history {
        all.push(of_job(&CONSECUTIVE_FAILURES, f64::from(*failures_in_a_row)));
        all.extend(last_success.map(|success| of_job(&LAST_SUCCESS, success.ended_at.as_seconds() as f64)));
        all.push(of_job(&ALERT_OPEN, f64::from(u8::from(alert.is_some()))));
    }
    all
}
