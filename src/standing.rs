//! PURE. How a job stands at a moment when no run of it has ended: whether a run that was due did not
//! come, whether one takes too long, whether the last success is too old. What is remembered of the job
//! and what is expected of it go in.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::expectation::time_max;
use crate::human;
use crate::journal::UnderWayNow;
use crate::outcome::Outcome;
use crate::plan::{Expectations, Plan};
use crate::policy::{History, LastRun};
use crate::schedule::Schedule;

/// Least time that a run is given to come: cron itself wakes up once a minute.
const GRACE_MIN: Duration = Duration::from_secs(60);
/// Most of what is added to it.
const GRACE_MORE: Duration = Duration::from_secs(14 * 60);
/// By how much a run may come too early and still be the one that was due: clocks are set.
const EARLY: i64 = 30_000;
/// How many runs that did not come are counted at most.
const MISSED_MAX: usize = 1000;

/// What is expected of a job.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'a> {
    /// When runs are due.
    pub schedule: Option<&'a Schedule>,
    /// How old the last success may be.
    pub max_age: Option<Duration>,
    /// How long a run may take, all its attempts together.
    pub time_max: Option<Duration>,
    /// By how much runs start later than they are due.
    pub start_delay: Duration,
}

impl Moment<'_> {
    /// The moment to look at runs that are put off by so much: as many earlier, as the runs are then taken to be,
    /// too.
    pub fn earlier_by(&self, span: Duration) -> Self {
        let booted = self.booted.map(|booted| booted.earlier_by(span));
        Self { now: self.now.earlier_by(span), booted, ..*self }
    }
}

impl<'a> Expected<'a> {
    /// What a plan expects.
    pub fn of(plan: &'a Plan) -> Self {
        Self {
            schedule: plan.schedule.as_ref(),
            max_age: plan.max_age,
            time_max: time_max(&plan.expectations).map(|max| plan.retries.longest(max)),
            start_delay: plan.start_delay,
        }
    }
}

impl Expectations {
    /// The same, of a run that is put off by so much.
    pub fn expected(&self, start_delay: Duration) -> Expected<'_> {
        Expected {
            schedule: self.schedule.as_ref(),
            max_age: self.max_age,
            time_max: time_max(&self.expectations).map(|max| self.retries.longest(max)),
            start_delay,
        }
    }
}

/// When and where a job is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Now.
    pub now: Timestamp,
    /// The time zone of the host, which schedules are written in.
    pub zone: &'a TimeZone,
    /// When the host was started.
    pub booted: Option<Timestamp>,
}

/// Something that is wrong with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A run that was due did not come, and none has come since.
    Missed {
        /// When it was due.
        due: Timestamp,
        /// When the last run before it ended.
        last: Option<Timestamp>,
        /// The schedule.
        schedule: String,
    },
    /// The last success is too old.
    Stale {
        /// When it ended; `None`: there was none.
        success: Option<Timestamp>,
        /// How old it is, or the job.
        age: Duration,
        /// How old it may be.
        max_age: Duration,
    },
    /// A run takes longer than is expected of any.
    Hung {
        /// The run.
        run: UnderWayNow,
        /// For how long it has been running.
        elapsed: Duration,
        /// How long it may take.
        max: Duration,
    },
}

/// Everything that is wrong with a job now.
pub fn troubles(
    history: &History,
    under_way: &[UnderWayNow],
    expected: &Expected<'_>,
    moment: &Moment<'_>,
) -> Vec<Trouble> {
    let alive: Vec<&UnderWayNow> = under_way.iter().filter(|run| run.alive).collect();
    let missed = expected.schedule.and_then(|schedule| {
        let last = history.last.as_ref()?;
        missed(last, &alive, schedule, expected.start_delay, moment)
    });
    let stale = expected.max_age.and_then(|max_age| stale(history, &alive, max_age, moment.now));
    let hung = expected.time_max.into_iter().flat_map(|max| {
        alive.iter().filter_map(move |run| {
            let elapsed = moment.now.since(run.started_at);
            (elapsed > max).then(|| Trouble::Hung { run: (*run).clone(), elapsed, max })
        })
    });
    missed.into_iter().chain(stale).chain(hung).collect()
}

/// A job that was never on record, and so has no last run, has a crontab to be looked for in, and nothing here.
fn missed(
    last: &LastRun,
    alive: &[&UnderWayNow],
    schedule: &Schedule,
    start_delay: Duration,
    moment: &Moment<'_>,
) -> Option<Trouble> {
    // While a run is under way another need not come: systemd does not start a second one, and a lock skips it.
    if !alive.is_empty() {
        return None;
    }
    let due = overdue(schedule, &moment.earlier_by(start_delay))?;
    (due > covered_until(last).earlier_by(start_delay)).then(|| Trouble::Missed {
        due,
        last: Some(last.ended_at),
        schedule: schedule.to_string(),
    })
}

/// The last moment at which a run was due that should have come by now; `None` while one may still come.
pub fn overdue(schedule: &Schedule, moment: &Moment<'_>) -> Option<Timestamp> {
    let latest = schedule.last_due(moment.now, moment.zone)?;
    let grace = grace(schedule, latest, moment.zone);
    let due = if moment.now.since(latest) >= grace {
        latest
    } else {
        schedule.last_due(Timestamp::from_millis(latest.as_millis() - 1), moment.zone)?
    };
    // What was due while the host was down may come late, as anacron has it, or the next may come.
    let just_booted = moment.booted.is_some_and(|booted| due < booted && moment.now.since(booted) < grace);
    (!just_booted).then_some(due)
}

/// How long a run is waited for: a minute, and a tenth of the time between two of them, at most a quarter
/// of an hour in all.
pub fn grace(schedule: &Schedule, due: Timestamp, zone: &TimeZone) -> Duration {
    let interval = schedule.interval_around(due, zone).unwrap_or_default();
    GRACE_MIN + (interval / 10).min(GRACE_MORE)
}

/// Up to which moment everything that was due has come, by the last run. One that ended later was under
/// way, or came late; of one that died only its start is known.
fn covered_until(last: &LastRun) -> Timestamp {
    let came = match (last.outcome, last.started_at) {
        (Outcome::Interrupted, Some(started_at)) => started_at,
        (_, _) => last.ended_at,
    };
    Timestamp::from_millis(came.as_millis().saturating_add(EARLY))
}

fn stale(history: &History, alive: &[&UnderWayNow], max_age: Duration, now: Timestamp) -> Option<Trouble> {
    let success = history.last_success.map(|success| success.ended_at);
    // No end is on record of a job whose first run hangs, nor what is older than the first of those that
    // were skipped meanwhile.
    let first = || history.since.into_iter().chain(alive.iter().map(|run| run.started_at)).min();
    let age = now.since(success.or_else(first)?);
    (age > max_age).then_some(Trouble::Stale { success, age, max_age })
}

/// The runs that were due since the last check and have not come, though others have come after them:
/// oldest first, each once, whenever checks are made. `troubles` are what is wrong now, and what they speak of
/// is not said again. `runs` gives those that ended after a moment, from start
/// to end; it is asked only if there is something to look for.
pub fn missed_since(
    schedule: &Schedule,
    start_delay: Duration,
    last_check: Timestamp,
    on_record_since: Timestamp,
    troubles: &[Trouble],
    moment: &Moment<'_>,
    runs: impl FnOnce(Timestamp) -> Vec<(Timestamp, Timestamp)>,
) -> Vec<Timestamp> {
    let moment = moment.earlier_by(start_delay);
    let then = Moment { now: last_check.earlier_by(start_delay), booted: None, ..moment };
    let (Some(from), Some(latest)) = (overdue(schedule, &then), overdue(schedule, &moment)) else {
        return Vec::new();
    };
    let from = from.max(on_record_since.earlier_by(start_delay));
    let mut between = schedule
        .due_between(from, latest, moment.zone)
        .take(MISSED_MAX)
        .filter(|&due| troubles.iter().all(|trouble| trouble.due() != Some(due)))
        .peekable();
    if between.peek().is_none() {
        return Vec::new();
    }
    let put_back = |at: Timestamp| at.earlier_by(start_delay);
    let runs: Vec<_> = runs(from).into_iter().map(|(start, end)| (put_back(start), put_back(end))).collect();
    let came = |due: Timestamp| {
        let early = Timestamp::from_millis(due.as_millis() - EARLY);
        let next = schedule.due_after(due, moment.zone).unwrap_or(moment.now);
        runs.iter().any(|&(start, end)| start < next && end >= early)
    };
    between.filter(|&due| !came(due)).collect()
}

impl Trouble {
    /// The run that takes too long.
    pub fn hung(&self) -> Option<&UnderWayNow> {
        match self {
            Self::Hung { run, .. } => Some(run),
            Self::Missed { .. } | Self::Stale { .. } => None,
        }
    }

    /// When the run was due that did not come.
    fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Missed { due, .. } => Some(*due),
            Self::Stale { .. } | Self::Hung { .. } => None,
        }
    }

    /// In one sentence that a person can act on.
    pub fn sentence(&self, zone: &TimeZone) -> String {
        let local = |at: Timestamp| human::local(at, zone);
        match self {
            Self::Missed { due, last, schedule } => {
                let last = last.map(|last| format!("; the last one ended {}", local(last)));
                format!("no run came at {} ('{schedule}'){}", local(*due), last.unwrap_or_default())
            }
            Self::Stale { success: Some(success), age, max_age } => format!(
                "no success for {}, expected at most {}; the last one ended {}",
                human::span(*age),
                human::span(*max_age),
                local(*success)
            ),
            Self::Stale { success: None, age, max_age } => format!(
                "no success in the {} that the job is on record, expected one within {}",
                human::span(*age),
                human::span(*max_age)
            ),
            Self::Hung { run, elapsed, max } => format!(
                "still running after {} (pid {}), expected at most {}",
                human::span(*elapsed),
                run.pid,
                human::span(*max)
            ),
        }
    }
}

#[cfg(test)]
mod tests;
