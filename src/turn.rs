//! PURE. The turns that an alert takes, and whom the news of one is still owed to. A turn has all in it
//! that is told of it, so that it can be told by another process, days later, in the same words and under
//! the same identity.

use crate::clock::Timestamp;
use crate::job::RunId;
use crate::outcome::Run;
use crate::policy::{Alert, Judgement, Verdict};
use crate::program::Changed;

/// A turn that an alert has taken.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertTurn {
    /// Identity of the news of it, so that a receiver can drop a repetition.
    pub id: RunId,
    /// When it was taken.
    pub time: Timestamp,
    /// Which: opened, repeated or closed.
    pub kind: TurnKind,
    /// The alert.
    pub alert: Alert,
    /// What it was that turned it.
    pub cause: TurnCause,
    /// What has changed since the last success; only of an alert that was opened.
    pub changed: Vec<Changed>,
}

/// What becomes of an alert, of which somebody is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnKind {
    /// It was opened.
    Opened,
    /// It is still open, and it is time to say so again.
    Repeated,
    /// It was closed.
    Closed,
}

/// What turned an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum TurnCause {
    /// A run that ended, and the failures in a row since; `None` if the history could not be read.
    Ended(Box<Run>, Option<u32>),
    /// Something that was noticed or decided while no run ended, in one sentence, with the run that is
    /// under way, if it is about one.
    Noticed(String, Option<UnderWay>),
}

/// A run that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderWay {
    /// Its id.
    pub id: RunId,
    /// Process id of its command.
    pub pid: u32,
    /// When it was started.
    pub started_at: Timestamp,
}

/// A turn that not everybody has been told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Owed {
    /// The turn.
    pub turn: AlertTurn,
    /// The sinks that it is owed to, by their identities.
    pub to: Vec<String>,
}

impl TurnKind {
    /// Of a verdict; `None` if nobody is to be told.
    pub fn of(verdict: Verdict) -> Option<Self> {
        match verdict {
            Verdict::Opened => Some(Self::Opened),
            Verdict::Repeat => Some(Self::Repeated),
            Verdict::Closed => Some(Self::Closed),
            Verdict::Healthy | Verdict::Failing | Verdict::StillOpen => None,
        }
    }

    /// The word of the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Repeated => "repeat",
            Self::Closed => "closed",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Opened, Self::Repeated, Self::Closed].into_iter().find(|kind| kind.as_str() == word)
    }

    /// Tells apart what is told of one run.
    fn number(self) -> u8 {
        match self {
            Self::Opened => 3,
            Self::Repeated => 4,
            Self::Closed => 5,
        }
    }
}

impl AlertTurn {
    /// Whether this run has turned the alert by ending.
    pub fn is_of(&self, run: RunId) -> bool {
        match &self.cause {
            TurnCause::Ended(cause, _) => cause.id == run,
            TurnCause::Noticed(..) => false,
        }
    }

    /// Whether it was turned while no run ended.
    pub fn was_noticed(&self) -> bool {
        match &self.cause {
            TurnCause::Ended(..) => false,
            TurnCause::Noticed(..) => true,
        }
    }

    /// The turn that a judgement of this moment speaks of, if it is one; nothing is said yet of what has
    /// changed.
    pub fn of(judgement: &Judgement, cause: TurnCause, now: Timestamp) -> Option<Self> {
        let kind = TurnKind::of(judgement.verdict)?;
        let alert = judgement.alert.clone()?;
        let (run, time) = match &cause {
            TurnCause::Ended(run, _) => (Some(run.id), run.ended_at.unwrap_or(now)),
            TurnCause::Noticed(_, run) => (run.map(|run| run.id), now),
        };
        // Of a run, one of each kind at most is told at one time; a turn that is about no run goes by the
        // alert.
        let id = run.unwrap_or(alert.id).of_notice(time, kind.number());
        Some(Self { id, time, kind, alert, cause, changed: Vec::new() })
    }
}
