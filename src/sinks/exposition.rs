//! PURE. What is known of a job as Prometheus reads it: the text format 0.0.4
//! (prometheus.io/docs/instrumenting/exposition_formats). HELP and TYPE are the same in every text of
//! every version: of two files that differ in them, the exporter drops series, without a word.
//!
//! A text has three sections, each with a comment of ours at its head, so that what one notice cannot tell
//! is carried over from the text before it.

mod labels;

use std::fmt::Write;

use crate::job::Tag;
use crate::notice::{Cause, Finished, News, Notice, Turn};
use crate::outcome::{Outcome, Run};
use crate::plan::JobFacts;
use crate::policy::History;
use labels::{escaped, prefix, tag_labels};

/// What every metric of one name is.
struct Family {
    /// Behind the prefix. None ends in another one, so that no prefix makes two of them one.
    name: &'static str,
    kind: &'static str,
    help: &'static str,
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "gauge", help }
}

static ENDED: Family = gauge("last_run_timestamp_seconds", "When the last run ended, in seconds since 1970.");
static OUTCOME: Family = gauge("last_run_outcome", "1 for the outcome of the last run, 0 for all others.");
static READABLE: Family =
    gauge("history_readable", "1 if the history of the job could be read when the last run ended, else 0.");
static DURATION: Family = gauge("last_run_duration_seconds", "Wall time of the last run.");
static EXIT_CODE: Family = gauge("last_run_exit_code", "Exit code of the last run, if its command exited.");
static SIGNAL: Family =
    gauge("last_run_signal", "Number of the signal that the command of the last run died of, if it did.");
static CPU_USER: Family = gauge("last_run_cpu_user_seconds", "CPU time of the last run in user mode.");
static CPU_SYSTEM: Family = gauge("last_run_cpu_system_seconds", "CPU time of the last run in the kernel.");
static MAX_RSS: Family =
    gauge("last_run_max_rss_bytes", "Largest resident set of any process of the last run.");
static CUSTOM: Family = gauge("last_run_custom", "A value that the last run has reported, by its name.");
static INFO: Family = gauge("last_run_info", "1, with the tags that the last run has reported as labels.");
static RUNS: Family =
    Family { name: "runs_total", kind: "counter", help: "Runs that have ended, by outcome." };
static FAILURES: Family = gauge("consecutive_failures", "Failures since the last success.");
static LAST_SUCCESS: Family =
    gauge("last_success_timestamp_seconds", "When the last success ended, in seconds since 1970.");
static ALERT_OPEN: Family = gauge("alert_open", "1 while the alert is open, else 0.");
static CHECKED: Family = gauge(
    "check_timestamp_seconds",
    "When cronward check last looked after the jobs of this host, in seconds since 1970.",
);

/// Heads of sections, in their order.
const LAST_RUN: &str = "# cronward: last run";
const COUNTS: &str = "# cronward: counts";
const STANDING: &str = "# cronward: standing";

/// What stands in the place of a text that is to be written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before<'a> {
    /// The text; empty if there is none.
    pub text: &'a str,
    /// Whether it is so new that another run, which has ended in the meantime, may have written it. What
    /// is older gives way in any case: a record may be that of a backup.
    pub is_recent: bool,
}

/// The text that a notice makes of the one before it; `None` if it has nothing to say. It ends in a
/// newline and has no timestamps, without and with which the exporter passes over a whole file.
pub fn page(notice: &Notice, before: &Before<'_>) -> Option<String> {
    let writer = Writer::of(&notice.job);
    let old = Sections::of(before.text);
    match &notice.news {
        News::Finished(finished) => Some(writer.ended(notice, finished, &old, before.is_recent)),
        News::Standing(standing) => Some(writer.alert(&old, standing.alert_is_open)),
        // Of an alert that a run has turned, the end of the run tells.
        News::Opened(Turn { cause: Cause::Noticed(..), .. })
        | News::Repeated(Turn { cause: Cause::Noticed(..), .. }) => Some(writer.alert(&old, true)),
        News::Closed(Turn { cause: Cause::Noticed(..), .. }) => Some(writer.alert(&old, false)),
        News::Alive => {
            let of_host = Writer { task: String::new(), ..writer };
            Some(of_host.gauge(&CHECKED, seconds(notice.time.as_millis())).text)
        }
        News::Started(_) | News::Overdue(_) | News::Opened(_) | News::Repeated(_) | News::Closed(_) => None,
    }
}

/// Whether the text of a notice is all that is known of its subject, also with nothing before it.
#[cfg(feature = "http")]
pub fn is_whole(notice: &Notice) -> bool {
    let ended = |finished: &Finished| finished.history.is_some();
    match &notice.news {
        News::Finished(finished) => ended(finished),
        News::Alive => true,
        News::Started(_)
        | News::Overdue(_)
        | News::Standing(_)
        | News::Opened(_)
        | News::Repeated(_)
        | News::Closed(_) => false,
    }
}

/// How much is known: of which record, by the moment of its beginning, and of how many runs.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Extent {
    record: u64,
    runs: u64,
}

impl Extent {
    fn of(history: &History) -> Self {
        let begun = history.since.map_or(0, |since| since.as_millis());
        let runs = history.totals.iter().fold(0_u64, |sum, &total| sum.saturating_add(total));
        Self { record: u64::try_from(begun).unwrap_or(0), runs }
    }

    /// That of a section, if it says so.
    fn of_section(section: &str) -> Option<Self> {
        match numbers(section)[..] {
            [record, runs] => Some(Self { record, runs }),
            _ => None,
        }
    }

    fn head(self, title: &str) -> String {
        format!("{title}, record {}, runs {}\n", self.record, self.runs)
    }
}

/// The numbers in the first line.
fn numbers(section: &str) -> Vec<u64> {
    let head = section.lines().next().unwrap_or_default();
    head.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// A text, taken apart.
struct Sections<'a> {
    last_run: &'a str,
    counts: &'a str,
    standing: &'a str,
}

impl<'a> Sections<'a> {
    fn of(text: &'a str) -> Self {
        let (text, standing) = split_at_line(text, STANDING);
        let (text, counts) = split_at_line(text, COUNTS);
        Self { last_run: split_at_line(text, LAST_RUN).1, counts, standing }
    }
}

/// The text before the first line that begins so, and the rest. No label forges one: newlines in it are
/// escaped.
fn split_at_line<'a>(text: &'a str, head: &str) -> (&'a str, &'a str) {
    let starts = text.match_indices(head).map(|(at, _)| at);
    let at = starts.into_iter().find(|&at| at == 0 || text[..at].ends_with('\n'));
    text.split_at(at.unwrap_or(text.len()))
}

/// Seconds of milliseconds since 1970.
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1e3
}

/// Writes families for one job.
struct Writer {
    prefix: String,
    /// The label `task`; empty of what speaks of the host.
    task: String,
    /// The labels that are made of tags, which stand last.
    tags: Vec<(String, String)>,
    text: String,
}

impl Writer {
    fn of(job: &JobFacts) -> Self {
        let tags = tag_labels(job.tags.iter());
        let task = format!("task=\"{}\"", escaped(job.label.as_str()));
        Self { prefix: prefix(&job.namespace), task, tags, text: String::new() }
    }

    /// The text of a run that has ended. Another run may have ended since, and may have been faster: what
    /// knows of fewer runs does not take the place of what knows of more.
    fn ended(self, notice: &Notice, finished: &Finished, old: &Sections<'_>, heeds: bool) -> String {
        let extent = finished.history.as_ref().map(Extent::of);
        let kept = |section: &str| {
            let (Some(new), Some(old)) = (extent, Extent::of_section(section)) else { return false };
            heeds && new.record == old.record && new.runs < old.runs
        };
        let mut writer = self;
        if kept(old.last_run) {
            writer.text.push_str(old.last_run);
        } else {
            let head = extent.map_or_else(|| format!("{LAST_RUN}\n"), |extent| extent.head(LAST_RUN));
            writer.text.push_str(&head);
            writer = writer.last_run(notice, finished);
        }
        let (Some(history), Some(extent)) = (&finished.history, extent) else {
            // The counters have to be there after this run, too, or they would begin anew with the next.
            return writer.text + old.counts + old.standing;
        };
        writer = writer.counts(extent.record, &history.totals, old.counts);
        if kept(old.standing) {
            return writer.text + old.standing;
        }
        writer.text.push_str(&extent.head(STANDING));
        writer = writer.gauge(&FAILURES, f64::from(history.failures_in_a_row));
        if let Some(success) = history.last_success {
            writer = writer.gauge(&LAST_SUCCESS, seconds(success.ended_at.as_millis()));
        }
        writer.gauge(&ALERT_OPEN, bit(history.alert.is_some())).text
    }

    fn last_run(self, notice: &Notice, finished: &Finished) -> Self {
        let run = &finished.run;
        let mut writer = self
            .gauge(&ENDED, seconds(notice.time.as_millis()))
            .outcomes(&OUTCOME, |_, outcome| bit(outcome == run.outcome))
            .gauge(&READABLE, bit(finished.history.is_some()));
        if let Some(span) = run.wall_time {
            writer = writer.gauge(&DURATION, span.as_secs_f64());
        }
        if let Some(code) = run.exit_code() {
            writer = writer.gauge(&EXIT_CODE, f64::from(code));
        }
        if let Some((signal, _)) = run.death() {
            writer = writer.gauge(&SIGNAL, f64::from(signal.0));
        }
        if let Some(usage) = &run.usage {
            writer = writer
                .gauge(&CPU_USER, usage.user.as_secs_f64())
                .gauge(&CPU_SYSTEM, usage.system.as_secs_f64())
                .gauge(&MAX_RSS, usage.max_rss_bytes as f64);
        }
        writer.reported(&notice.job, run)
    }

    /// What the run says of itself. Its tags are labels of one family alone: of any other they would make
    /// a new series whenever one of them changes, and of a counter one that begins at its end.
    fn reported(mut self, job: &JobFacts, run: &Run) -> Self {
        if !run.report.values.is_empty() {
            self.head(&CUSTOM);
            for (name, value) in &run.report.values {
                self.sample(&CUSTOM, &[("name", name)], *value);
            }
        }
        if run.report.tags.is_empty() {
            return self;
        }
        let is_reported = |tag: &&Tag| run.report.tags.iter().any(|other| other.key == tag.key);
        let of_job = job.tags.iter().filter(|tag| !is_reported(tag));
        let own = std::mem::replace(&mut self.tags, tag_labels(of_job.chain(&run.report.tags)));
        Self { tags: own, ..self.gauge(&INFO, 1.0) }
    }

    /// The counters, which never go back as long as the record is the same: a run that could not be put on
    /// record, or was counted without the lock, is in one text and not in the record of the next.
    fn counts(mut self, record: u64, totals: &[u64], old: &str) -> Self {
        let before = numbers(old);
        let before = before.split_first().filter(|(of, _)| **of == record).map_or(&[][..], |(_, all)| all);
        let total = |at: usize| totals.get(at).max(before.get(at)).copied().unwrap_or(0);
        let _ = write!(self.text, "{COUNTS}, record {record}, runs");
        for at in 0..totals.len() {
            let _ = write!(self.text, " {}", total(at));
        }
        self.text.push('\n');
        self.outcomes(&RUNS, |at, _| total(at) as f64)
    }

    /// The alert alone, in the place of what was said of it.
    fn alert(mut self, old: &Sections<'_>, is_open: bool) -> String {
        let standing = if old.standing.is_empty() { STANDING } else { old.standing };
        let [prefix, name] = [&self.prefix[..], ALERT_OPEN.name];
        let fronts = [
            format!("{prefix}_{name}{{"),
            format!("# HELP {prefix}_{name} "),
            format!("# TYPE {prefix}_{name} "),
        ];
        for part in [old.last_run, old.counts] {
            self.text.push_str(part);
        }
        for line in standing.lines().filter(|line| !fronts.iter().any(|front| line.starts_with(front))) {
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.gauge(&ALERT_OPEN, bit(is_open)).text
    }

    fn head(&mut self, family: &Family) {
        let (prefix, Family { name, kind, help }) = (&self.prefix, family);
        // Writing to a String cannot fail, here and below.
        let _ = write!(self.text, "# HELP {prefix}_{name} {help}\n# TYPE {prefix}_{name} {kind}\n");
    }

    /// One value; none if it is no number.
    fn sample(&mut self, family: &Family, own: &[(&str, &str)], value: f64) {
        if !value.is_finite() {
            return;
        }
        let mut labels = self.task.clone();
        let tags = self.tags.iter().map(|(name, value)| (&name[..], &value[..]));
        for (name, value) in own.iter().copied().chain(tags) {
            let comma = if labels.is_empty() { "" } else { "," };
            let _ = write!(labels, "{comma}{name}=\"{}\"", escaped(value));
        }
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(self.text, "{}_{}{labels} {value}", self.prefix, family.name);
    }

    fn gauge(mut self, family: &Family, value: f64) -> Self {
        self.head(family);
        self.sample(family, &[], value);
        self
    }

    /// A value for every outcome, also for those that have not come: a series that comes and goes is
    /// a gap to every rule, and a counter that begins at 1 has not increased.
    fn outcomes(mut self, family: &Family, value: impl Fn(usize, Outcome) -> f64) -> Self {
        self.head(family);
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            self.sample(family, &[("outcome", outcome.as_str())], value(at, outcome));
        }
        self
    }
}

fn bit(value: bool) -> f64 {
    f64::from(u8::from(value))
}

#[cfg(test)]
#[path = "../../tests/blackbox/support/exposition.rs"]
pub mod reader;
#[cfg(test)]
mod tests;
