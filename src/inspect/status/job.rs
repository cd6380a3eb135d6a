//! PURE. What there is to be said of a job.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::inspect::expectations_of;
use crate::job::Label;
use crate::journal::{Entry, Remembered, UnderWayNow};
use crate::outcome::Outcome;
use crate::policy::LastRun;
use crate::standing::{self, Moment, Trouble};

/// A job, and whose it is if it is another user's.
pub struct Job {
    /// The name of the user.
    pub user: Option<String>,
    /// What is remembered.
    pub entry: Entry,
}

/// The last run of a job that is known to have ended, on record or not.
pub enum LastEnd<'a> {
    /// Its cronward died; nobody has put it on record yet.
    Died(&'a UnderWayNow),
    /// It is on record.
    Recorded(LastRun),
    /// There is none.
    None,
}

impl LastEnd<'_> {
    /// Of a job.
    pub fn of(remembered: &Remembered) -> LastEnd<'_> {
        let died = remembered.under_way.iter().rfind(|run| !run.alive);
        match (died, remembered.history.last) {
            (Some(run), _) => LastEnd::Died(run),
            (None, Some(last)) => LastEnd::Recorded(last),
            (None, None) => LastEnd::None,
        }
    }

    /// How it ended.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Died(_) => Some(Outcome::Interrupted),
            Self::Recorded(last) => Some(last.outcome),
            Self::None => None,
        }
    }

    /// When it ended, or is last known to have been alive.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Died(run) => Some(run.started_at),
            Self::Recorded(last) => Some(last.ended_at),
            Self::None => None,
        }
    }

    /// How long it took.
    pub fn wall_time(&self) -> Option<Duration> {
        match self {
            Self::Recorded(last) => last.wall_time,
            Self::Died(_) | Self::None => None,
        }
    }
}

/// What is to be expected of a job from a moment on, by what its last run was given.
pub struct Outlook {
    /// When the next run is due.
    pub next_due: Option<Timestamp>,
    /// What is wrong already.
    pub troubles: Vec<Trouble>,
}

impl Outlook {
    /// Of a job of this label.
    pub fn of(label: &str, remembered: &Remembered, moment: &Moment<'_>) -> Self {
        let expectations = expectations_of(remembered.plan.as_ref());
        let host = remembered.plan.as_ref().map_or("", |plan| plan.host());
        let start_delay = Label::new(label.as_ref())
            .map_or(Duration::ZERO, |label| label.share_of(host, expectations.start_delay));
        let expected = expectations.expected(start_delay);
        let troubles = standing::troubles(&remembered.history, &remembered.under_way, &expected, moment);
        let next_due = expected.schedule.and_then(|schedule| {
            let due = schedule.due_after(moment.now.earlier_by(start_delay), moment.zone)?;
            Some(due.later_by(start_delay))
        });
        Self { next_due, troubles }
    }

    /// Since when a run has been due that did not come.
    pub fn overdue_since(&self) -> Option<Timestamp> {
        self.troubles.iter().find_map(|trouble| match trouble {
            Trouble::Missed { due, .. } => Some(*due),
            Trouble::Stale { .. } | Trouble::Hung { .. } => None,
        })
    }

    /// For how long there has been no success, if that is too long.
    pub fn stale_for(&self) -> Option<Duration> {
        self.troubles.iter().find_map(|trouble| match trouble {
            Trouble::Stale { age, .. } => Some(*age),
            Trouble::Missed { .. } | Trouble::Hung { .. } => None,
        })
    }

    /// Whether a run takes longer than any should.
    pub fn hangs(&self) -> bool {
        self.troubles.iter().any(|trouble| trouble.hung().is_some())
    }
}
