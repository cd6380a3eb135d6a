//! PURE. The books of what is owed: the turns of an alert that not every sink has taken, oldest first. They
//! stand in every fold, so they have an end: in age, and in number.

use std::time::Duration;

use super::kept_plan::KeptPlan;
use super::stored::Owed;
use crate::clock::Timestamp;
use crate::job::RunId;
use crate::outcome::Run;
use crate::policy::Judgement;
use crate::program::Changed;
use crate::turn::{AlertTurn, TurnCause, TurnKind};

/// For so long somebody tries to deliver.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// So many turns of one job are owed at most: of a job that flaps through an outage of hours.
const TURNS_MAX: usize = 64;
/// So many of the newest are kept with all that was to be said.
const IN_FULL: usize = 8;

/// Who is to be told of the turns of a job's alert, and what.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    /// The sinks that it is owed to until they have taken it, by their identities.
    pub creditors: &'a dyn Fn() -> Vec<String>,
    /// What has changed since the last success, by what is kept of the job's plan.
    pub changed: &'a dyn Fn(Option<&KeptPlan>, Timestamp) -> Vec<Changed>,
    /// Whether output may be kept for those who are told later.
    pub keeps_output: bool,
}

/// A delivery that has been made: the sink, and the news that it has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The sink, by its identity.
    pub sink: String,
    /// Identity of the news.
    pub turn: RunId,
}

/// A delivery that nobody will try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The sink, by its identity.
    pub sink: String,
    /// When the turn was taken that it was not told of.
    pub time: Timestamp,
}

/// The turn that a run takes by ending, if it does.
pub(super) fn turn_of_run(
    run: &Run,
    judgement: &Judgement,
    now: Timestamp,
    readable: bool,
    changed: impl FnOnce(Timestamp) -> Vec<Changed>,
) -> Option<AlertTurn> {
    TurnKind::of(judgement.verdict)?;
    let failures = readable.then_some(judgement.history.failures_in_a_row);
    let cause = TurnCause::Ended(Box::new(run.clone()), failures);
    with_changes(AlertTurn::of(judgement, cause, now)?, judgement, changed)
}

/// A turn with what has changed since the last success, if it is an opening.
pub(super) fn with_changes(
    mut turn: AlertTurn,
    judgement: &Judgement,
    changed: impl FnOnce(Timestamp) -> Vec<Changed>,
) -> Option<AlertTurn> {
    if let (TurnKind::Opened, Some(success)) = (turn.kind, judgement.history.last_success) {
        turn.changed = changed(success.ended_at);
    }
    Some(turn)
}

/// Enters a turn that is owed to these sinks. Whoever has not been told of the alert at all needs no
/// repetition.
pub(super) fn enter(books: &mut Vec<Owed>, turn: &AlertTurn, creditors: Vec<String>, keeps_output: bool) {
    let knows =
        |sink: &String| !books.iter().any(|owed| owed.alert() == turn.alert.id && owed.to().contains(sink));
    let mut creditors = creditors;
    if turn.kind == TurnKind::Repeated {
        creditors.retain(knows);
    }
    if creditors.is_empty() || books.iter().any(|owed| owed.id() == turn.id) {
        return;
    }
    books.push(Owed::of(turn, creditors, keeps_output));
    let in_short = books.len().saturating_sub(IN_FULL);
    books.iter_mut().take(in_short).for_each(Owed::shorten);
}

/// Takes off what has been taken; whether anything was.
pub(super) fn settle(books: &mut Vec<Owed>, taken: &[Taken]) -> bool {
    let mut settled = false;
    for owed in books.iter_mut() {
        let id = owed.id();
        owed.keep_to(|sink| {
            let is_taken = taken.iter().any(|taken| taken.turn == id && taken.sink == sink);
            settled |= is_taken;
            !is_taken
        });
    }
    books.retain(|owed| !owed.to().is_empty());
    settled
}

/// Takes off what is too old, and of too many first the incidents that nobody has heard of, neither of
/// their beginning nor of their end.
pub(super) fn give_up(books: &mut Vec<Owed>, now: Timestamp) -> Vec<GivenUp> {
    let mut given_up = Vec::new();
    let mut drop_where = |books: &mut Vec<Owed>, goes: &dyn Fn(&Owed) -> bool| {
        books.retain(|owed| {
            let goes = goes(owed);
            if goes {
                let of_sink = |sink: &String| GivenUp { sink: sink.clone(), time: owed.time() };
                given_up.extend(owed.to().iter().map(of_sink));
            }
            !goes
        });
    };
    drop_where(books, &|owed| now.since(owed.time()) > AGE_MAX);
    while books.len() > TURNS_MAX {
        let whole = books.iter().enumerate().find_map(|(at, owed)| {
            let end = books[at + 1..].iter().find(|other| other.alert() == owed.alert())?;
            (end.to() == owed.to()).then(|| owed.alert())
        });
        match (whole, books.first().map(Owed::id)) {
            (Some(alert), _) => drop_where(books, &|owed| owed.alert() == alert),
            (None, Some(first)) => drop_where(books, &|owed| owed.id() == first),
            (None, None) => {}
        }
    }
    given_up
}

#[cfg(test)]
mod tests;
