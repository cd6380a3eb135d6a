//! PURE. What a sink may know of a run: notices in the words of every document, and the table of
//! metrics. Here it is decided what leaves the host; how it is written is each sink's affair.

mod event;
mod measure;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::job::RunId;
use crate::outcome::Run;
use crate::plan::JobFacts;
use crate::policy::{Alert, History, Verdict};

pub use event::{Audience, command_for, event_json};
pub use measure::{MetricKind, Tagged, measurements, value_tags};

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
    /// A run ended.
    Finished(Arc<Finished>),
    /// A run ended and opened the alert.
    Opened(Arc<Finished>, Alert),
    /// A run ended, the alert is still open, and it is time to say so again.
    Repeated(Arc<Finished>, Alert),
    /// A run ended and closed the alert.
    Closed(Arc<Finished>, Alert),
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
    /// What it made of the job.
    pub verdict: Verdict,
    /// The job's history, this run included; `None` if the one before it could not be read.
    pub history: Option<History>,
    /// What sinks that were told earlier answered, where a sink is told later.
    pub sink_errors: Vec<String>,
}

impl News {
    /// The kind of event, as in the manual.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started(_) => "run.started",
            Self::Finished(_) => "run.finished",
            Self::Opened(..) => "alert.opened",
            Self::Repeated(..) => "alert.repeated",
            Self::Closed(..) => "alert.closed",
        }
    }

    /// The run that has ended, if one has.
    pub fn run(&self) -> Option<&Run> {
        match self {
            Self::Started(_) => None,
            Self::Finished(finished)
            | Self::Opened(finished, _)
            | Self::Repeated(finished, _)
            | Self::Closed(finished, _) => Some(&finished.run),
        }
    }

    /// The alert, if this is news of one.
    pub fn alert(&self) -> Option<&Alert> {
        match self {
            Self::Started(_) | Self::Finished(_) => None,
            Self::Opened(_, alert) | Self::Repeated(_, alert) | Self::Closed(_, alert) => Some(alert),
        }
    }
}

impl Notice {
    /// The notice of a run that has started.
    pub fn started(job: Arc<JobFacts>, start: Start) -> Self {
        Self::new(job, start.started_at, News::Started(start))
    }

    /// The notices of a run that has ended: that it did, and what became of the alert.
    pub fn ended(job: &Arc<JobFacts>, finished: Finished, alert: Option<Alert>) -> Vec<Self> {
        let finished = Arc::new(finished);
        let time = finished.run.ended_at.unwrap_or_else(Timestamp::now);
        let news_of_alert = match (finished.verdict, alert) {
            (Verdict::Opened, Some(alert)) => Some(News::Opened(Arc::clone(&finished), alert)),
            (Verdict::Repeat, Some(alert)) => Some(News::Repeated(Arc::clone(&finished), alert)),
            (Verdict::Closed, Some(alert)) => Some(News::Closed(Arc::clone(&finished), alert)),
            (Verdict::Healthy | Verdict::Failing | Verdict::StillOpen, _)
            | (Verdict::Opened | Verdict::Repeat | Verdict::Closed, None) => None,
        };
        std::iter::once(News::Finished(finished))
            .chain(news_of_alert)
            .map(|news| Self::new(Arc::clone(job), time, news))
            .collect()
    }

    fn new(job: Arc<JobFacts>, time: Timestamp, news: News) -> Self {
        // One of each at most is told of a run.
        let (run, number) = match &news {
            News::Started(start) => (start.id, 1),
            News::Finished(finished) => (finished.run.id, 2),
            News::Opened(finished, _) => (finished.run.id, 3),
            News::Repeated(finished, _) => (finished.run.id, 4),
            News::Closed(finished, _) => (finished.run.id, 5),
        };
        Self { id: run.of_notice(time, number), time, job, news }
    }

    /// This notice, told to a sink that comes after others: with what those answered.
    pub fn with_sink_errors(&self, errors: &[String]) -> Self {
        let mut notice = self.clone();
        if let News::Finished(finished) = &mut notice.news {
            Arc::make_mut(finished).sink_errors.extend_from_slice(errors);
        }
        notice
    }

    /// What an alert says in one line, for people: what, since when, how often, why.
    pub fn headline(&self) -> String {
        let label = &self.job.label;
        let host = &self.job.host;
        match &self.news {
            News::Started(_) => format!("{label} started on {host}"),
            News::Finished(finished) => {
                format!("{label} on {host}: {}{}", finished.run.outcome, finished.because())
            }
            News::Opened(finished, alert) => {
                format!("{label} is failing on {host}: {}{}", failures(alert), finished.because())
            }
            News::Repeated(finished, alert) => format!(
                "{label} is still failing on {host} since {}: {}{}",
                alert.opened_at,
                failures(alert),
                finished.because()
            ),
            News::Closed(_, alert) => format!(
                "{label} has recovered on {host}: it had been failing since {}, {}",
                alert.opened_at,
                failures(alert)
            ),
        }
    }
}

fn failures(alert: &Alert) -> String {
    let plural = if alert.failures == 1 { "" } else { "s" };
    format!("{} failure{plural}", alert.failures)
}

impl Finished {
    /// `: reason`, or nothing.
    fn because(&self) -> String {
        self.run.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default()
    }
}
