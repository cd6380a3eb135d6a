//! PURE. The runs of a job as a table for people, under what there is to be said of the job, over what is usual.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::figures::Figures;
use crate::clock::Timestamp;
use crate::columns::{cut, visible};
use crate::human::{bytes, counted, local, span};
use crate::inspect::chart;
use crate::inspect::expectations_of;
use crate::inspect::page::{Ink, Page};
use crate::inspect::status::Outlook;
use crate::inspect::table::{Column, Field, Row, Table};
use crate::job::CommandLine;
use crate::journal::{Record, Remembered, RunOnRecord};
use crate::outcome::{Outcome, Run, Weight};
use crate::standing::Moment;
use crate::turn::TurnKind;

/// How much of a command line is shown, in columns, where the page has no end.
const COMMAND_MAX: usize = 200;

/// What is shown.
pub struct Shown<'a> {
    /// The label of the job.
    pub label: &'a str,
    /// What is remembered of it.
    pub remembered: &'a Remembered,
    /// All that is on record for as long as was asked for, oldest first.
    pub all: Vec<&'a Record>,
    /// What of it is a line each.
    pub wanted: Vec<&'a Record>,
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Moments to the second, a long bar, and why.
    Full,
    /// Moments to the minute, a short bar.
    Short,
}

/// All of it, a newline at the end of each line.
pub fn screen(shown: &Shown<'_>, moment: &Moment<'_>, page: Page) -> String {
    let mut text = String::new();
    let mut line = |ink, content: &str| {
        let most = page.columns.unwrap_or(usize::MAX);
        page.paint(&mut text, &cut(content, most, page.cut_mark()), ink);
        text.push('\n');
    };
    for (ink, content) in head(shown, moment) {
        line(ink, &content);
    }
    line(Ink::Plain, "");
    if shown.wanted.is_empty() {
        line(Ink::Plain, "no such run is on record");
    } else {
        let mut table = table(shown, Form::Full, moment.zone, page);
        if !table.fits(page) {
            table = self::table(shown, Form::Short, moment.zone, page);
        }
        text.push_str(&table.render(page));
    }
    let mut line = |content: &str| {
        text.push_str(&cut(content, page.columns.unwrap_or(usize::MAX), page.cut_mark()));
        text.push('\n');
    };
    line("");
    foot(shown, moment.zone).iter().for_each(|content| line(content));
    text
}

/// What the job is, and how it stands.
fn head(shown: &Shown<'_>, moment: &Moment<'_>) -> Vec<(Ink, String)> {
    let remembered = shown.remembered;
    let outlook = Outlook::of(shown.label, remembered, moment);
    let command = remembered.plan.as_ref().map(|plan| written(&plan.command()));
    let command = command.map(|command| format!(": {}", cut(&command, COMMAND_MAX, "...")));
    let mut head = vec![(Ink::Heading, format!("{}{}", visible(shown.label), command.unwrap_or_default()))];
    if let Some(schedule) = expectations_of(remembered.plan.as_ref()).schedule {
        let next = outlook
            .next_due
            .map(|due| format!(", next in {} ({})", span(due.since(moment.now)), local(due, moment.zone)));
        head.push((Ink::Plain, format!("due at '{schedule}'{}", next.unwrap_or_default())));
    }
    if let Some(alert) = &remembered.history.alert {
        let failures = counted(alert.failures as usize, "failure", "failures");
        let open = span(moment.now.since(alert.opened_at));
        head.push((Ink::Bad, format!("alert open for {open}, {failures}")));
    }
    for trouble in &outlook.troubles {
        head.push((Ink::Bad, trouble.sentence(moment.zone)));
    }
    for run in remembered.under_way.iter().filter(|run| run.alive) {
        let usual = remembered.usual_duration();
        let usual = usual.map(|usual| format!(" of about {}", span(usual))).unwrap_or_default();
        let elapsed = span(moment.now.since(run.started_at));
        head.push((Ink::Plain, format!("running for {elapsed}{usual} (pid {})", run.pid)));
    }
    head
}

/// A command line as one would type it.
fn written(command: &CommandLine) -> String {
    let words: Vec<String> = match command {
        CommandLine::Shell(line) => vec![line.to_string_lossy().into_owned()],
        CommandLine::Words(words) => {
            words.iter().map(|word| crate::shell::quote(word).to_string_lossy().into_owned()).collect()
        }
    };
    visible(&words.join(" ")).into_owned()
}

fn table(shown: &Shown<'_>, form: Form, zone: &TimeZone, page: Page) -> Table {
    let runs = || shown.wanted.iter().filter_map(|record| ended(record));
    let longest = runs().filter_map(|ended| ended.run.wall_time).max().unwrap_or_default();
    let was_retried = runs().any(|ended| ended.run.attempts > 1);
    let column = |heading, is_right, least, rank| Column { heading, is_right, least, rank };
    let mut columns = vec![
        column("STARTED", false, None, 0),
        column("OUTCOME", false, None, 0),
        column("EXIT", false, None, 1),
        column("TOOK", true, None, 2),
        column("TRIES", true, None, 3),
        column("MEMORY", true, None, 4),
        column("", false, None, 5),
    ];
    if form == Form::Full {
        columns.push(column("WHY", false, None, 6));
    }
    let rows = shown.wanted.iter().map(|record| match record {
        Record::Ended(ended) => row(ended, longest, form, zone, page),
        Record::Noticed { at, what, turned } => {
            let what = format!("{}{}", visible(what), became(*turned));
            Row::Note(vec![Field::of(form.moment(*at, zone), Ink::Plain)], Field::of(what, Ink::Warning))
        }
    });
    let table = Table::new(columns, rows.collect());
    if was_retried { table } else { table.without("TRIES") }
}

fn ended(record: &Record) -> Option<&RunOnRecord> {
    match record {
        Record::Ended(ended) => Some(ended),
        Record::Noticed { .. } => None,
    }
}

fn row(ended: &RunOnRecord, longest: Duration, form: Form, zone: &TimeZone, page: Page) -> Row {
    let RunOnRecord { run, turned, .. } = ended;
    let ink = chart::ink(run.outcome);
    let bar = match form {
        Form::Full => 20,
        Form::Short => 12,
    };
    let mut fields = vec![
        Field::of(form.moment(run.started_at, zone), Ink::Plain),
        Field::of(run.outcome.as_str(), ink),
        exit(run),
        run.wall_time.map_or_else(Field::nothing, |took| Field::of(span(took), Ink::Plain)),
        Field::of(run.attempts.to_string(), Ink::Plain),
        run.usage.map_or_else(Field::nothing, |usage| Field::of(bytes(usage.max_rss_bytes), Ink::Plain)),
        run.wall_time
            .map_or_else(Field::default, |took| Field::of(chart::bar(took, longest, bar, page), ink)),
    ];
    if form == Form::Full {
        let reason = run.reason.as_deref().map(visible).unwrap_or_default();
        fields.push(Field::of(format!("{reason}{}", became(*turned)).trim_start_matches("; "), Ink::Plain));
    }
    Row::Fields(fields)
}

/// What became of the alert, behind what else there is to say.
fn became(turned: Option<TurnKind>) -> &'static str {
    match turned {
        None => "",
        Some(TurnKind::Opened) => "; alert opened",
        Some(TurnKind::Repeated) => "; alert repeated",
        Some(TurnKind::Closed) => "; alert closed",
    }
}

/// The exit code, or the signal.
fn exit(run: &Run) -> Field {
    let ending = run.end.ending();
    let death = ending.and_then(|ending| ending.death());
    match (ending.and_then(|ending| ending.exit_code()), death) {
        (Some(code), _) => Field::of(code.to_string(), Ink::Plain),
        (None, Some((signal, _))) => Field::of(signal.to_string(), Ink::Plain),
        (None, None) => Field::nothing(),
    }
}

impl Form {
    fn moment(self, at: Timestamp, zone: &TimeZone) -> String {
        let mut moment = local(at, zone);
        if self == Form::Short {
            moment.truncate("2026-11-21 02:30".len());
        }
        moment
    }
}

/// How many there were and how they ended; how long successes take; and why the last failure was one.
fn foot(shown: &Shown<'_>, zone: &TimeZone) -> Vec<String> {
    let runs: Vec<&Run> =
        shown.all.iter().filter_map(|record| ended(record)).map(|ended| &ended.run).collect();
    let Some(first) = runs.first() else { return vec!["no run is on record".to_owned()] };
    let outcomes: Vec<String> = Outcome::ALL
        .into_iter()
        .filter_map(|outcome| {
            let count = runs.iter().filter(|run| run.outcome == outcome).count();
            (count > 0).then(|| format!("{count} {outcome}"))
        })
        .collect();
    let total = counted(runs.len(), "run", "runs");
    let mut foot = vec![format!("{total} since {}: {}", local(first.started_at, zone), outcomes.join(", "))];
    let successes = runs.iter().filter(|run| run.outcome.weight() == Weight::Success);
    let durations: Vec<Duration> = successes.filter_map(|run| run.wall_time).collect();
    if let Some(figures) = Figures::of(&durations) {
        let share = |share: &str, took: Option<Duration>| {
            took.map(|took| format!(", {share} within {}", span(took))).unwrap_or_default()
        };
        foot.push(format!(
            "successes take {} (median){}{}, at most {}",
            span(figures.median),
            share("90%", figures.ninety),
            share("99%", figures.ninety_nine),
            span(figures.longest)
        ));
        foot.extend(figures.trend.map(|trend| {
            let percent = ((trend.ratio - 1.0) * 100.0).round();
            let compared = match percent {
                0.0 => "as long as".to_owned(),
                percent if percent > 0.0 => format!("{percent}% longer than"),
                percent => format!("{}% less than", -percent),
            };
            format!("the last {} took {compared} the {} before", trend.last, trend.before)
        }));
    }
    let failed = runs.iter().rfind(|run| run.outcome.weight() == Weight::Failure);
    foot.extend(failed.and_then(|run| {
        let reason = run.reason.as_deref()?;
        Some(format!("last failure, {}: {}", local(run.started_at, zone), visible(reason)))
    }));
    foot
}

#[cfg(test)]
mod tests;
