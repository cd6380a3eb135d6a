//! PURE. What a sink may know of a run: notices in the words of every document, and the table of
//! metrics. Here it is decided what leaves the host; how it is written is each sink's affair.

mod audience;
mod event;
mod measure;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::human;
use crate::job::RunId;
use crate::outcome::Run;
use crate::plan::JobFacts;
use crate::policy::{Alert, History};
use crate::program::Changed;
use crate::turn::{AlertTurn, TurnCause, TurnKind, UnderWay};

#[cfg(feature = "http")]
pub use audience::reason_in_words;
pub use audience::{Audience, changes_for, command_for, end_of_output, reason_for, words_for};
pub use event::{event_json, millis, runs_json};
pub use measure::{Measurement, MetricKind, Tagged, measurements, value_tags};

/// One thing that sinks are told, with an identity of its own.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Identity of this notice, so that a receiver can drop a repetition.
    pub id: RunId,
    /// When it happened.
    pub time: Timestamp,
    /// The job it is about.
    pub job: Arc<JobFacts>,
    /// What happened.
    pub news: News,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum News {
    /// A run was started.
    Started(Start),
    /// A run is taking longer than it should.
    Overdue(Overdue),
    /// A run ended.
    Finished(Arc<Finished>),
    /// The alert was opened.
    Opened(Turn),
    /// The alert is still open, and it is time to say so again.
    Repeated(Turn),
    /// The alert was closed.
    Closed(Turn),
    /// How a job stands while no run of it ends; measured, and no event.
    Standing(Standing),
    /// That somebody looks after the jobs of this host; measured, and no event.
    Alive,
}

/// How a job stands while no run of it ends.
#[derive(Debug, Clone)]
pub struct Standing {
    /// How old the last success is; `None`: there was none.
    pub success_age: Option<Duration>,
    /// Whether the alert is open.
    pub alert_is_open: bool,
    /// How good or bad that is.
    pub health: Health,
    /// In one sentence.
    pub sentence: String,
}

/// How good or bad a job stands, in the four words of monitoring plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// All is well.
    Ok,
    /// Somebody may want to look.
    Warning,
    /// Nobody can say.
    Unknown,
    /// Somebody should act.
    Critical,
}

/// A turn that an alert has taken.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The alert.
    pub alert: Alert,
    /// What it was that turned it.
    pub cause: Cause,
    /// What has changed since the last success; only of an alert that was opened.
    pub changed: Vec<Changed>,
}

/// What turned an alert.
#[derive(Debug, Clone)]
pub enum Cause {
    /// A run that ended.
    Run(Arc<Finished>),
    /// Something that was noticed or decided while no run ended: in one sentence, with the run that is
    /// under way, if it is about one.
    Noticed(String, Option<Start>),
}

/// A run that takes longer than it should.
#[derive(Debug, Clone)]
pub struct Overdue {
    /// The run.
    pub start: Start,
    /// For how long it has been running.
    pub elapsed: Duration,
    /// In one sentence.
    pub reason: String,
}

/// What is known of a run when it starts.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its id.
    pub id: RunId,
    /// The run that it was started in.
    pub parent: Option<RunId>,
    /// Process id of the command.
    pub pid: u32,
    /// When it was started.
    pub started_at: Timestamp,
}

/// A run that has ended, and how its job stands since.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The run.
    pub run: Run,
    /// The job's history, this run included; `None` if the one before it could not be read.
    pub history: Option<History>,
    /// What was not as it should be with the configuration or the run's report, in one sentence each.
    pub problems: Vec<String>,
    /// What sinks that were told earlier answered, where a sink is told later.
    pub sink_errors: Vec<String>,
}

impl News {
    /// The kind of event, as in the manual.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started(_) => "run.started",
            Self::Overdue(_) => "run.overdue",
            Self::Finished(_) => "run.finished",
            Self::Opened(_) => "alert.opened",
            Self::Repeated(_) => "alert.repeated",
            Self::Closed(_) => "alert.closed",
            Self::Standing(_) => "job.standing",
            Self::Alive => "check.alive",
        }
    }

    /// The turn of the alert, if this is news of one.
    pub fn turn(&self) -> Option<&Turn> {
        match self {
            Self::Opened(turn) | Self::Repeated(turn) | Self::Closed(turn) => Some(turn),
            Self::Started(_) | Self::Overdue(_) | Self::Finished(_) | Self::Standing(_) | Self::Alive => None,
        }
    }

    /// The run that has ended, if this is news of one.
    pub fn finished(&self) -> Option<&Arc<Finished>> {
        match self {
            Self::Started(_) | Self::Overdue(_) | Self::Standing(_) | Self::Alive => None,
            Self::Finished(finished) => Some(finished),
            Self::Opened(turn) | Self::Repeated(turn) | Self::Closed(turn) => turn.cause.finished(),
        }
    }

    /// The run that has ended, if one has.
    pub fn run(&self) -> Option<&Run> {
        self.finished().map(|finished| &finished.run)
    }

    /// The run that is under way, if this is news of one.
    pub fn under_way(&self) -> Option<&Start> {
        match self {
            Self::Started(start) | Self::Overdue(Overdue { start, .. }) => Some(start),
            Self::Finished(_) | Self::Standing(_) | Self::Alive => None,
            Self::Opened(turn) | Self::Repeated(turn) | Self::Closed(turn) => match &turn.cause {
                Cause::Run(_) => None,
                Cause::Noticed(_, start) => start.as_ref(),
            },
        }
    }
}

impl Cause {
    /// The run that has ended.
    pub fn finished(&self) -> Option<&Arc<Finished>> {
        match self {
            Self::Run(finished) => Some(finished),
            Self::Noticed(..) => None,
        }
    }

    /// In one sentence, if there is more to say than the outcome, and as far as an audience may know it.
    pub fn reason_for(&self, job: &JobFacts, audience: Audience) -> Option<Cow<'_, str>> {
        match self {
            Self::Run(finished) => reason_for(job, &finished.run, audience),
            Self::Noticed(reason, _) => Some(words_for(reason, audience)),
        }
    }
}

impl Notice {
    /// The notice of a run that has started.
    pub fn started(job: Arc<JobFacts>, start: Start) -> Self {
        Self::new(job, start.started_at, News::Started(start))
    }

    /// The notice of a run that is taking longer than it should.
    pub fn overdue(job: Arc<JobFacts>, now: Timestamp, overdue: Overdue) -> Self {
        Self::new(job, now, News::Overdue(overdue))
    }

    /// The notices of a run that has ended, or was found now to have died: that it did, and the turn that the
    /// alert has taken by it.
    pub fn ended(
        job: &Arc<JobFacts>,
        finished: Finished,
        turn: Option<&AlertTurn>,
        now: Timestamp,
    ) -> Vec<Self> {
        let finished = Arc::new(finished);
        let time = finished.run.ended_at.unwrap_or(now);
        let told = turn.map(|turn| Self::of_turn(job, turn, Cause::Run(Arc::clone(&finished))));
        let end = Self::new(Arc::clone(job), time, News::Finished(finished));
        std::iter::once(end).chain(told).collect()
    }

    /// The notice of a turn that an alert has taken, with what is on record of its cause.
    pub fn turned(job: &Arc<JobFacts>, turn: &AlertTurn) -> Self {
        let cause = match &turn.cause {
            TurnCause::Ended(run, failures) => Cause::Run(Arc::new(Finished {
                run: (**run).clone(),
                history: failures
                    .map(|failures| History { failures_in_a_row: failures, ..History::default() }),
                problems: Vec::new(),
                sink_errors: Vec::new(),
            })),
            TurnCause::Noticed(what, run) => {
                let start =
                    run.map(|UnderWay { id, pid, started_at }| Start { id, parent: None, pid, started_at });
                Cause::Noticed(what.clone(), start)
            }
        };
        Self::of_turn(job, turn, cause)
    }

    fn of_turn(job: &Arc<JobFacts>, turn: &AlertTurn, cause: Cause) -> Self {
        let told = Turn { alert: turn.alert.clone(), cause, changed: turn.changed.clone() };
        let news = match turn.kind {
            TurnKind::Opened => News::Opened(told),
            TurnKind::Repeated => News::Repeated(told),
            TurnKind::Closed => News::Closed(told),
        };
        Self { id: turn.id, time: turn.time, job: Arc::clone(job), news }
    }

    /// The notice of how a job stands.
    pub fn standing(job: Arc<JobFacts>, now: Timestamp, standing: Standing) -> Self {
        Self::new(job, now, News::Standing(standing))
    }

    /// The notice that somebody looks after the jobs of this host; `facts` are those of no job.
    pub fn alive(facts: Arc<JobFacts>, now: Timestamp) -> Self {
        Self::new(facts, now, News::Alive)
    }

    fn new(job: Arc<JobFacts>, time: Timestamp, news: News) -> Self {
        // Of a run, one of each is told at one time; see [`AlertTurn::of`] for the numbers between.
        let number = match &news {
            News::Started(_) => 1,
            News::Finished(_) => 2,
            News::Overdue(_) => 6,
            News::Standing(_) => 7,
            News::Alive | News::Opened(_) | News::Repeated(_) | News::Closed(_) => 8,
        };
        let run = news.finished().map(|finished| finished.run.id);
        let id = run.or_else(|| news.under_way().map(|start| start.id)).unwrap_or_else(RunId::new);
        Self { id: id.of_notice(time, number), time, job, news }
    }

    /// This notice, told to a sink that comes after others: with what those answered.
    pub fn with_sink_errors(&self, errors: &[String]) -> Self {
        let mut notice = self.clone();
        if let News::Finished(finished) = &mut notice.news {
            Arc::make_mut(finished).sink_errors.extend_from_slice(errors);
        }
        notice
    }

    /// What happened in one line, for people on this host: what, since when, how often, why.
    pub fn headline(&self) -> String {
        self.headline_for(Audience::Local)
    }

    /// The same, as far as an audience may know it.
    pub fn headline_for(&self, audience: Audience) -> String {
        let label = &self.job.label;
        let host = &self.job.host;
        let because = |finished: &Finished| {
            let reason = reason_for(&self.job, &finished.run, audience);
            reason.map(|reason| format!(": {reason}")).unwrap_or_default()
        };
        let told = |sentence| words_for(sentence, audience);
        match &self.news {
            News::Started(_) => format!("{label} started on {host}"),
            News::Overdue(overdue) => format!("{label} is overdue on {host}: {}", told(&overdue.reason)),
            News::Finished(finished) => {
                format!("{label} on {host}: {}{}", finished.run.outcome, because(finished))
            }
            News::Opened(Turn { alert, cause: Cause::Run(finished), .. }) => {
                format!("{label} is failing on {host}: {}{}", failures(alert), because(finished))
            }
            News::Opened(Turn { cause: Cause::Noticed(reason, _), .. }) => {
                format!("{label} is in trouble on {host}: {}", told(reason))
            }
            News::Repeated(Turn { alert, cause, .. }) => format!(
                "{label} is still failing on {host} since {}: {}{}",
                alert.opened_at,
                failures(alert),
                match cause {
                    Cause::Run(finished) => because(finished),
                    Cause::Noticed(reason, _) => format!(": {}", told(reason)),
                }
            ),
            News::Closed(Turn { alert, cause: Cause::Run(_), .. }) => format!(
                "{label} has recovered on {host}: it had been failing since {}, {}",
                alert.opened_at,
                failures(alert)
            ),
            News::Standing(standing) => format!("{label} on {host}: {}", told(&standing.sentence)),
            News::Alive => format!("cronward is looking after the jobs of {host}"),
            News::Closed(Turn { alert, cause: Cause::Noticed(reason, _), .. }) => {
                let opened_at = alert.opened_at;
                format!("{label} on {host}: {}; the alert of {opened_at} is closed", told(reason))
            }
        }
    }
}

fn failures(alert: &Alert) -> String {
    human::counted(alert.failures as usize, "failure", "failures")
}
