//! A delivery that is owed, as it stands in a fold: the news of one turn of an alert, and the sinks that
//! have not taken it.

use serde::{Deserialize, Serialize};

use super::words::Id;
use super::{Alert, End};
use crate::clock::Timestamp;
use crate::job::RunId;
use crate::outcome::{Excerpt, Outcome};
use crate::program::Changed;
use crate::turn::{self, AlertTurn, TurnCause, TurnKind, UnderWay};

/// How much of the end of the output is kept for those who are told later, in bytes.
const OUTPUT_MAX: usize = 2048;
/// How many changes are kept, and how many bytes of each.
const CHANGES_MAX: usize = 8;
const CHANGE_MAX: usize = 256;

/// The news of a turn, and whom it is owed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::journal) struct Owed {
    id: Id,
    at: i64,
    kind: String,
    alert: Alert,
    /// The run that has turned it by ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<Box<End<'static>>>,
    /// Failures in a row after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    /// What else has turned it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    what: String,
    /// The run under way that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Started>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changed: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Output>,
    to: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Started {
    run: Id,
    at: i64,
    pid: u32,
}

/// The end of an output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Output {
    tail: String,
    total: u64,
}

impl Owed {
    /// A turn that is owed to these sinks.
    pub(in crate::journal) fn of(turn: &AlertTurn, to: Vec<String>, keeps_output: bool) -> Self {
        let (end, failures, what, run, output) = match &turn.cause {
            TurnCause::Ended(run, failures) => {
                let end = Box::new(End::of_run(run).into_owned());
                let excerpt = run.output.excerpt.as_ref().filter(|_| keeps_output);
                (Some(end), *failures, String::new(), None, excerpt.map(Output::of))
            }
            TurnCause::Noticed(what, run) => (None, None, what.clone(), run.as_ref().map(Started::of), None),
        };
        let changed = turn.changed.iter().take(CHANGES_MAX);
        Self {
            id: Id(turn.id),
            at: turn.time.as_millis(),
            kind: turn.kind.as_str().to_owned(),
            alert: Alert::of(&turn.alert),
            end,
            failures,
            what,
            run,
            changed: changed.map(|change| (cut(&change.full), cut(&change.brief))).collect(),
            output,
            to,
        }
    }

    /// The turn; `None` if it is of a kind that only a newer cronward knows.
    pub(in crate::journal) fn to_owed(&self) -> Option<turn::Owed> {
        let cause = match &self.end {
            Some(end) => {
                let mut run = end.to_run();
                run.output.excerpt = self.output.as_ref().map(Output::to_excerpt);
                // When it was found, and not when it ended.
                run.ended_at = run.ended_at.filter(|_| run.outcome != Outcome::Interrupted);
                TurnCause::Ended(Box::new(run), self.failures)
            }
            None => TurnCause::Noticed(self.what.clone(), self.run.as_ref().map(Started::to_under_way)),
        };
        let changed = self.changed.iter();
        let turn = AlertTurn {
            id: self.id.0,
            time: Timestamp::from_millis(self.at),
            kind: TurnKind::parse(&self.kind)?,
            alert: self.alert.to_policy(),
            cause,
            changed: changed
                .map(|(full, brief)| Changed { full: full.clone(), brief: brief.clone() })
                .collect(),
        };
        Some(turn::Owed { turn, to: self.to.clone() })
    }

    /// Identity of the news.
    pub(in crate::journal) fn id(&self) -> RunId {
        self.id.0
    }

    /// When the turn was taken.
    pub(in crate::journal) fn time(&self) -> Timestamp {
        Timestamp::from_millis(self.at)
    }

    /// Which alert it is about.
    pub(in crate::journal) fn alert(&self) -> RunId {
        self.alert.id.0
    }

    /// Whom it is owed to.
    pub(in crate::journal) fn to(&self) -> &[String] {
        &self.to
    }

    /// Takes sinks off.
    pub(in crate::journal) fn keep_to(&mut self, mut stays: impl FnMut(&str) -> bool) {
        self.to.retain(|sink| stays(sink));
    }

    /// Leaves out what can be done without.
    pub(in crate::journal) fn shorten(&mut self) {
        self.output = None;
        self.changed = Vec::new();
    }
}

impl Started {
    fn of(run: &UnderWay) -> Self {
        Self { run: Id(run.id), at: run.started_at.as_millis(), pid: run.pid }
    }

    fn to_under_way(&self) -> UnderWay {
        UnderWay { id: self.run.0, pid: self.pid, started_at: Timestamp::from_millis(self.at) }
    }
}

impl Output {
    fn of(excerpt: &Excerpt) -> Self {
        let last = if excerpt.left_out > 0 { &excerpt.tail } else { &excerpt.head };
        let tail = &last[last.len().saturating_sub(OUTPUT_MAX)..];
        Self { tail: String::from_utf8_lossy(tail).into_owned(), total: excerpt.total }
    }

    fn to_excerpt(&self) -> Excerpt {
        let bytes = self.tail.clone().into_bytes();
        // A byte that was no text has become three.
        let left_out = self.total.saturating_sub(bytes.len() as u64);
        match left_out {
            0 => Excerpt { head: bytes, tail: Vec::new(), total: self.total, left_out },
            _ => Excerpt { head: Vec::new(), tail: bytes, total: self.total, left_out },
        }
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(CHANGE_MAX)].to_owned()
}
