//! PURE. The jobs as a table for people: in full where there is room, else shorter, then shortest.

use std::time::Duration;

use super::job::{Job, LastEnd, Outlook};
use crate::clock::Timestamp;
use crate::columns::{cut, visible};
use crate::human::{ago, brief, counted, local, span};
use crate::inspect::chart;
use crate::inspect::page::{Ink, Page};
use crate::inspect::table::{Column, Field, Row, Table};
use crate::journal::{Lasted, Remembered, UnderWayNow};
use crate::outcome::{Outcome, Weight};
use crate::policy::History;
use crate::standing::Moment;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Moments by the clock and from now, spans in two units.
    Full,
    /// Moments from now, spans in two units.
    Shorter,
    /// Everything in one unit.
    Shortest,
}

/// The columns of a form.
fn columns(form: Form) -> Vec<Column> {
    let column = |heading, is_right, least, rank| Column { heading, is_right, least, rank };
    let when = if form == Form::Shortest { "AGO" } else { "WHEN" };
    vec![
        column("LABEL", false, Some(10), 0),
        column("OUTCOME", false, None, 0),
        column(when, false, None, 3),
        column("TOOK", true, None, 4),
        column("USUAL", true, None, 6),
        column("STREAK", false, None, 5),
        column("ALERT", false, None, 1),
        column("NOW", false, None, 2),
        column("RECENT", false, None, 7),
    ]
}

/// The table, and below it what matters of all of them.
pub fn screen(jobs: &[Job], moment: &Moment<'_>, page: Page) -> String {
    let known: Vec<Known<'_>> = jobs.iter().map(|job| Known::of(job, moment)).collect();
    let mut table = table(&known, Form::Full, moment, page);
    for form in [Form::Shorter, Form::Shortest] {
        if table.fits(page) {
            break;
        }
        table = self::table(&known, form, moment, page);
    }
    let mut text = table.render(page);
    if known.len() > 1 {
        text.push('\n');
        text.push_str(&cut(&summary(&known), page.columns.unwrap_or(usize::MAX), page.cut_mark()));
        text.push('\n');
    }
    text
}

fn table(known: &[Known<'_>], form: Form, moment: &Moment<'_>, page: Page) -> Table {
    Table::new(columns(form), known.iter().map(|known| known.row(form, moment, page)).collect())
}

/// A job, and what is to be expected of it; or why it cannot be read.
struct Known<'a> {
    label: String,
    remembered: Result<(&'a Remembered, Outlook), &'a str>,
}

impl<'a> Known<'a> {
    fn of(job: &'a Job, moment: &Moment<'_>) -> Self {
        let label = visible(&job.entry.label);
        let label = match &job.user {
            Some(user) => format!("{label} ({})", visible(user)),
            None => label.into_owned(),
        };
        let remembered = match &job.entry.remembered {
            Ok(remembered) => Ok((remembered, Outlook::of(&job.entry.label, remembered, moment))),
            Err(why) => Err(&why[..]),
        };
        Self { label, remembered }
    }

    fn row(&self, form: Form, moment: &Moment<'_>, page: Page) -> Row {
        let label = Field::of(&*self.label, Ink::Plain);
        let (remembered, outlook) = match &self.remembered {
            Ok(known) => known,
            Err(why) => {
                let unreadable = Field::of("unreadable", Ink::Bad);
                return Row::Note(vec![label, unreadable], Field::of(visible(why), Ink::Plain));
            }
        };
        let last = LastEnd::of(remembered);
        let usual = remembered.usual_duration();
        Row::Fields(vec![
            label,
            last.outcome()
                .map_or_else(Field::nothing, |outcome| Field::of(outcome.as_str(), chart::ink(outcome))),
            last.at().map_or_else(Field::nothing, |at| Field::of(form.past(at, moment), Ink::Plain)),
            last.wall_time().map_or_else(Field::nothing, |took| Field::of(form.span(took), Ink::Plain)),
            usual.map_or_else(Field::nothing, |usual| Field::of(form.span(usual), Ink::Faint)),
            streak(&remembered.history, form),
            alert(&remembered.history, form, moment.now),
            now(remembered, outlook, usual, form, moment),
            recent(remembered, form, page),
        ])
    }
}

impl Form {
    fn span(self, length: Duration) -> String {
        match self {
            Self::Full | Self::Shorter => span(length),
            Self::Shortest => brief(length),
        }
    }

    fn past(self, at: Timestamp, moment: &Moment<'_>) -> String {
        match self {
            Self::Full => format!("{} ({})", local(at, moment.zone), ago(moment.now, at)),
            Self::Shorter => ago(moment.now, at),
            Self::Shortest if at > moment.now => "-".to_owned(),
            Self::Shortest => brief(moment.now.since(at)),
        }
    }
}

fn streak(history: &History, form: Form) -> Field {
    let (count, one, many, ink) = match (history.failures_in_a_row, history.successes_in_a_row) {
        (0, 0) => return Field::nothing(),
        (0, successes) => (successes, "success", "successes", Ink::Plain),
        (failures, _) => (failures, "failure", "failures", Ink::Bad),
    };
    match form {
        Form::Full => Field::of(counted(count as usize, one, many), ink),
        Form::Shorter | Form::Shortest if ink == Ink::Bad => Field::of(format!("{count} bad"), ink),
        Form::Shorter | Form::Shortest => Field::of(format!("{count} ok"), ink),
    }
}

fn alert(history: &History, form: Form, now: Timestamp) -> Field {
    let muted = history.muted_until.filter(|until| *until > now);
    match (&history.alert, muted, form) {
        (None, None, _) => Field::nothing(),
        (None, Some(until), Form::Full) => {
            Field::of(format!("muted for {}", span(until.since(now))), Ink::Warning)
        }
        (None, Some(_), Form::Shorter | Form::Shortest) => Field::of("muted", Ink::Warning),
        (Some(alert), muted, Form::Full) => {
            let muted = if muted.is_some() { ", muted" } else { "" };
            Field::of(format!("open for {}{muted}", span(now.since(alert.opened_at))), Ink::Bad)
        }
        (Some(alert), _, Form::Shorter | Form::Shortest) => {
            Field::of(form.span(now.since(alert.opened_at)), Ink::Bad)
        }
    }
}

/// What goes on or does not: the worst of it first, and alone where there is little room.
fn now(
    remembered: &Remembered,
    outlook: &Outlook,
    usual: Option<Duration>,
    form: Form,
    moment: &Moment<'_>,
) -> Field {
    let mut said = Vec::new();
    let alive: Vec<&UnderWayNow> = remembered.under_way.iter().filter(|run| run.alive).collect();
    if let Some(oldest) = alive.first() {
        let ink = if outlook.hangs() { Ink::Bad } else { Ink::Plain };
        said.push((running(oldest, alive.len(), usual, form, moment.now), ink));
    }
    if alive.len() < remembered.under_way.len() {
        let died = if form == Form::Full { "died; the next run records it" } else { "died" };
        said.push((died.to_owned(), Ink::Bad));
    }
    if let Some(due) = outlook.overdue_since() {
        said.push((format!("{} overdue", form.span(moment.now.since(due))), Ink::Bad));
    }
    if let Some(age) = outlook.stale_for() {
        said.push((format!("no ok for {}", form.span(age)), Ink::Bad));
    }
    if let Some(due) = outlook.next_due {
        let left = form.span(due.since(moment.now));
        let text = match form {
            Form::Full => format!("due in {left} ({})", local(due, moment.zone)),
            Form::Shorter | Form::Shortest => format!("due in {left}"),
        };
        said.push((text, Ink::Plain));
    }
    match (said.first().cloned(), form) {
        (None, _) => Field::nothing(),
        (Some((text, ink)), Form::Shorter | Form::Shortest) => Field::of(text, ink),
        (Some((_, ink)), Form::Full) => {
            let all: Vec<String> = said.into_iter().map(|(text, _)| text).collect();
            Field::of(all.join("; "), ink)
        }
    }
}

/// A run under way, since when, and how long it usually takes.
fn running(
    oldest: &UnderWayNow,
    count: usize,
    usual: Option<Duration>,
    form: Form,
    now: Timestamp,
) -> String {
    let elapsed = now.since(oldest.started_at);
    match (form, usual) {
        (Form::Full, Some(usual)) if count == 1 => {
            format!("running for {} of about {} (pid {})", span(elapsed), span(usual), oldest.pid)
        }
        (Form::Full, None) if count == 1 => format!("running for {} (pid {})", span(elapsed), oldest.pid),
        (Form::Full, _) => format!("{count} running, the first for {}", span(elapsed)),
        (Form::Shorter | Form::Shortest, Some(usual)) if count == 1 => {
            format!("runs {}/{}", brief(elapsed), brief(usual))
        }
        (Form::Shorter | Form::Shortest, _) if count == 1 => format!("runs {}", brief(elapsed)),
        (Form::Shorter | Form::Shortest, _) => format!("{count} run {}", brief(elapsed)),
    }
}

/// The last runs; one that was skipped took no time and did nothing.
fn recent(remembered: &Remembered, form: Form, page: Page) -> Field {
    let most = match form {
        Form::Full => 20,
        Form::Shorter => 12,
        Form::Shortest => 8,
    };
    let runs: Vec<Lasted> =
        remembered.recent.iter().filter(|run| run.outcome != Outcome::Skipped).copied().collect();
    Field::of_marks(chart::sparkline(&runs[runs.len().saturating_sub(most)..], page))
}

/// What a glance should tell.
fn summary(known: &[Known<'_>]) -> String {
    let readable = || known.iter().filter_map(|known| known.remembered.as_ref().ok());
    let last_failed =
        |last: LastEnd<'_>| last.outcome().is_some_and(|outcome| outcome.weight() == Weight::Failure);
    let facts = [
        (readable().filter(|(job, _)| job.history.alert.is_some()).count(), "alert open", "alerts open"),
        (readable().filter(|(job, _)| last_failed(LastEnd::of(job))).count(), "failed", "failed"),
        (readable().filter(|(_, outlook)| outlook.overdue_since().is_some()).count(), "overdue", "overdue"),
        (
            readable().filter(|(job, _)| job.under_way.iter().any(|run| run.alive)).count(),
            "running",
            "running",
        ),
        (known.iter().filter(|known| known.remembered.is_err()).count(), "unreadable", "unreadable"),
    ];
    let facts: Vec<String> = facts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|&(count, one, many)| counted(count, one, many))
        .collect();
    let jobs = counted(known.len(), "job", "jobs");
    if facts.is_empty() { format!("{jobs}, all well") } else { format!("{jobs}: {}", facts.join(", ")) }
}

#[cfg(test)]
mod tests;
