//! What the jobs of a state directory owe, paid by somebody else than the job: by the end of any run, by
//! `check`, and by `flush`.

use crate::attend::Attendant;
use crate::clock::{Deadline, Timestamp};
use crate::config::{Configured, Levels, Surroundings};
use crate::dispatch::{Dispatched, Pressing};
use crate::human;
use crate::journal::{self, Entry, Journal, Look};
use crate::plan::{Plan, ThisHost};
use crate::sinks::shown_identity;
use crate::turn::Owed;

/// So many jobs are helped by one run at most; the next one goes on with others.
const HELPED_MAX: usize = 32;

/// Delivers what these jobs owe to sinks that may be tried, as long as there is time, in the surroundings of
/// a run of `plan`, whose journal this is and who owes this itself.
pub fn help(
    plan: &Plan,
    levels: &Levels,
    journal: &Journal,
    debtors: Vec<String>,
    own: &[Owed],
    deadline: Deadline,
    cut_short: &mut dyn FnMut() -> bool,
) {
    let now = Timestamp::now();
    if journal.backoff().is_idle(now) {
        return;
    }
    let Ok(state_dir) = plan.state_dir.clone() else { return };
    let configured = surroundings(plan, levels);
    let attendant = Attendant { state_dir, own: &configured, host: &ThisHost };
    let own_name = plan.job.label.file_name();
    let mut others: Vec<String> = debtors.into_iter().filter(|name| *name != own_name).collect();
    if others.is_empty() {
        return;
    }
    others.sort();
    // Not always the same ones first: what is owed to a sink that only the job itself knows stays for days.
    let first = usize::try_from(now.as_millis()).unwrap_or(0) % others.len();
    others.rotate_left(first);
    let mut owed_to: Vec<String> = own.iter().flat_map(|owed| owed.to.clone()).collect();
    let mut finished = others.len() <= HELPED_MAX;
    for name in others.iter().take(HELPED_MAX) {
        if deadline.passed() || cut_short() {
            finished = false;
            break;
        }
        owed_to.extend(pay_one(&attendant, name, deadline, now));
    }
    if finished {
        let mut backoff = journal.backoff();
        backoff.rest(owed_to.iter().map(|sink| &sink[..]), now);
        journal.remember(&backoff);
    }
}

/// The sinks that a job owes something after it was helped.
fn pay_one(attendant: &Attendant<'_>, name: &str, deadline: Deadline, now: Timestamp) -> Vec<String> {
    let Ok(entry) = journal::entry(&attendant.state_dir, name, now) else { return Vec::new() };
    let Ok(remembered) = entry.remembered else { return Vec::new() };
    let left = match attendant.of_record(&entry.label, remembered.plan.as_ref()) {
        Ok(job) => job.pay(&remembered.owed, Pressing::WhoMayBeTried, deadline).left,
        Err(_) => remembered.owed,
    };
    left.into_iter().flat_map(|owed| owed.to).collect()
}

/// What has come of a flush.
pub struct Flushed {
    /// What is printed: a line for each job and sink.
    pub text: String,
    /// Whether nothing is owed any more.
    pub is_paid: bool,
}

/// Delivers whatever any job of a state directory owes, also to sinks that could not be reached lately.
///
/// # Errors
/// In words: the state directory cannot be read.
pub fn flush(attendant: &Attendant<'_>, now: Timestamp) -> Result<Flushed, String> {
    let mut text = String::new();
    let mut is_paid = true;
    for entry in journal::entries(&attendant.state_dir, Look::Plans, now)? {
        let label = entry.label.clone();
        let (lines, paid) = flush_one(attendant, entry, now).unwrap_or_else(|why| (vec![why], false));
        is_paid &= paid;
        for line in lines {
            text.push_str(&format!("{label}: {line}\n"));
        }
    }
    if text.is_empty() {
        text.push_str("nothing is owed\n");
    }
    Ok(Flushed { text, is_paid })
}

/// What became of what one job owed, in lines, and whether it owes nothing any more.
fn flush_one(attendant: &Attendant<'_>, entry: Entry, now: Timestamp) -> Result<(Vec<String>, bool), String> {
    let remembered = entry.remembered?;
    if remembered.owed.is_empty() {
        return Ok((Vec::new(), true));
    }
    let job =
        attendant.of_record(&entry.label, remembered.plan.as_ref()).map_err(|error| error.to_string())?;
    let deadline = Deadline::after(job.plan.flush_deadline);
    let paid = job.pay(&remembered.owed, Pressing::Everybody, deadline);
    let lines = report(&remembered.owed, &paid, &job.sinks_of_record(), now);
    Ok((lines, paid.left.is_empty()))
}

/// What became of what was owed, a line for each sink.
fn report(before: &[Owed], paid: &Dispatched, known: &[String], now: Timestamp) -> Vec<String> {
    let mut sinks: Vec<&String> = before.iter().flat_map(|owed| &owed.to).collect();
    sinks.sort();
    sinks.dedup();
    let lines = sinks.into_iter().map(|sink| {
        let of = |books: &[Owed]| books.iter().filter(|owed| owed.to.contains(sink)).count();
        let (were, left) = (of(before), of(&paid.left));
        let shown = shown_identity(sink);
        let oldest = paid.left.iter().find(|owed| owed.to.contains(sink));
        match oldest.map(|owed| human::ago(now, owed.turn.time)) {
            None => format!("'{shown}' was told of {}", counted(were)),
            Some(age) if !known.contains(sink) => format!(
                "'{shown}' is owed {} (the first {age}): it is not among the job's sinks of record; \
                 the job's own next run tells it, if its secret is only known there",
                counted(left)
            ),
            Some(age) => {
                let why = paid.refused.iter().find(|(refused, _)| refused == sink);
                let why = why.map(|(_, why)| format!(": {why}")).unwrap_or_default();
                format!("'{shown}' is still owed {} (the first {age}){why}", counted(left))
            }
        }
    });
    lines.collect()
}

fn counted(turns: usize) -> String {
    human::counted(turns, "alert or recovery", "alerts and recoveries")
}

/// What an attendant is configured with who acts in the place of a run.
fn surroundings(plan: &Plan, levels: &Levels) -> Configured {
    let (surroundings, _) = Surroundings::scan("cronward".as_ref(), plan.environment.clone());
    Configured { command: plan.job.command.clone(), surroundings, levels: levels.clone(), dry_run: false }
}
