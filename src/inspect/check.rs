//! `cronward check`: what no run says by ending. It finds runs that were due and did not come, that have
//! died or hang, and successes that are too old; puts on record what is to be there, has the alerts told
//! through the sinks of each job, and prints it all as a monitoring plugin does.

mod assessment;
mod never_ran;
mod plugin;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{expectations_of, others};
use crate::attend::{self, Attendant, OfRecord};
use crate::clock::{Deadline, Timestamp};
use crate::dispatch::Pressing;
use crate::journal::{self, Entry, Look, Remembered, Reviewed};
use crate::notice::{Notice, Standing};
use crate::plan::Plan;
use crate::policy::History;
use crate::sinks::Sink;
use crate::sinks::delivery::{self, Announcement, Instead};
use crate::standing::{self, Expected, Moment, Trouble};
use crate::turn::Owed;
use assessment::{Known, assess, unreadable};
use plugin::Finding;

/// Longest time that telling how all jobs stand may take.
const TELL_LIMIT: Duration = Duration::from_secs(5);

/// What is asked.
pub struct Request {
    /// Only these jobs; empty: all.
    pub labels: Vec<String>,
    /// As JSON.
    pub json: bool,
    /// Crontabs whose jobs must have run.
    pub crontabs: Vec<PathBuf>,
}

/// What a check has come to.
pub struct Checked {
    /// What is printed.
    pub text: String,
    /// The exit status.
    pub status: u8,
}

/// Checks every job, or those that were asked for.
pub fn check(request: &Request, attendant: &Attendant<'_>, now: Timestamp) -> Checked {
    let zone = TimeZone::system();
    let moment = Moment { now, zone: &zone, booted: Timestamp::of_boot() };
    let mut check =
        Check { attendant, moment, last: journal::last_check(&attendant.state_dir), standing: Vec::new() };
    let mut findings = Vec::new();
    // A check that runs under a label of its own would find itself failing, and fail for it.
    let own_label = attendant.own.surroundings.outer_label.as_deref();
    let wanted = |label: &str| {
        if request.labels.is_empty() {
            own_label != Some(label)
        } else {
            request.labels.iter().any(|other| other == label)
        }
    };
    match journal::entries(&attendant.state_dir, Look::Plans, now) {
        Ok(entries) => {
            findings.extend(entries.iter().filter(|entry| wanted(&entry.label)).map(|entry| check.own(entry)))
        }
        Err(why) => findings.push(unreadable("state", None, why)),
    }
    for (user, entries) in others::entries(attendant.others(), Look::Plans, now) {
        match entries {
            Ok(entries) => findings.extend(
                entries
                    .iter()
                    .filter(|entry| wanted(&entry.label))
                    .map(|entry| of_other(&user, entry, &moment)),
            ),
            Err(why) => findings.push(unreadable("state", Some(&user), why)),
        }
    }
    for crontab in &request.crontabs {
        findings.extend(never_ran::findings(crontab, &findings, &wanted, &attendant.state_dir, &moment));
    }
    for label in &request.labels {
        if findings.iter().all(|finding| finding.label != *label) {
            findings.push(unreadable(label, None, "no run of it is on record".to_owned()));
        }
    }
    check.tell_standing();
    if request.labels.is_empty() {
        journal::note_check(&attendant.state_dir, now);
    }
    let text = if request.json { plugin::json(&findings) } else { plugin::text(&findings) };
    Checked { text, status: plugin::status(plugin::worst(&findings)) }
}

/// A job, and how it and those stand whose notices go where its own go.
type Told = (OfRecord, Vec<Notice>);

/// One check under way.
struct Check<'a> {
    attendant: &'a Attendant<'a>,
    moment: Moment<'a>,
    /// When everything was last checked.
    last: Option<Timestamp>,
    /// How jobs stand, by the sinks that are to be told.
    standing: Vec<Told>,
}

impl Check<'_> {
    /// Checks one of one's own jobs.
    fn own(&mut self, entry: &Entry) -> Finding {
        let remembered = match &entry.remembered {
            Ok(remembered) => remembered,
            Err(why) => return unreadable(&entry.label, None, why.clone()),
        };
        let job = match self.attendant.of_record(&entry.label, remembered.plan.as_ref()) {
            Ok(job) => job,
            Err(why) => return unreadable(&entry.label, None, why.to_string()),
        };
        let expected = Expected::of(&job.plan);
        let mut known = AfterAll::of(remembered, &expected, &self.moment);
        if known.died > 0 || !known.troubles.is_empty() {
            match self.attend(&job) {
                Ok(reviewed) => known = known.after(reviewed, &expected, &self.moment),
                Err(why) => return unreadable(&entry.label, None, why),
            }
        } else if !known.owed.is_empty() {
            let deadline = Deadline::after(job.plan.flush_deadline);
            known.owed = job.pay(&known.owed, Pressing::WhoMayBeTried, deadline).left;
        }
        let missed = self.missed_before_the_last(entry, remembered, &expected, &known.troubles);
        let finding = assess(&entry.label, None, &known.known(missed), &expected, &self.moment);
        self.stands(job, &known.history, &finding);
        finding
    }

    /// Puts on record what is to be there, and has it told.
    fn attend(&self, job: &OfRecord) -> Result<Reviewed, String> {
        let plan = &*job.plan;
        job.attend(self.moment.now, &mut |history, under_way| {
            attend::amendment(plan, history, under_way, &self.moment)
        })
    }

    /// Runs that did not come since the last check, though later ones have come.
    fn missed_before_the_last(
        &self,
        entry: &Entry,
        remembered: &Remembered,
        expected: &Expected<'_>,
        troubles: &[Trouble],
    ) -> usize {
        let (Some(schedule), Some(last), Some(since)) =
            (expected.schedule, self.last, remembered.history.since)
        else {
            return 0;
        };
        let runs = |from| {
            let ended = journal::runs_since(&self.attendant.state_dir, &entry.name, from).unwrap_or_default();
            let under_way = remembered.under_way.iter().map(|run| (run.started_at, self.moment.now));
            ended.into_iter().chain(under_way).collect()
        };
        standing::missed_since(schedule, expected.start_delay, last, since, troubles, &self.moment, runs)
            .len()
    }

    /// Remembers how a job stands, to be told with all that go to the same sinks.
    fn stands(&mut self, job: OfRecord, history: &History, finding: &Finding) {
        let standing = Standing {
            success_age: finding.success_age,
            alert_is_open: history.alert.is_some(),
            health: finding.health,
            sentence: finding.sentence.clone(),
        };
        let notice = Notice::standing(Arc::clone(&job.plan.job), self.moment.now, standing);
        // By name alone two receivers may be one; and variables say more than where to.
        let go_to = |plan: &Plan| (plan.sinks == job.plan.sinks) && (plan.variables == job.plan.variables);
        match self.standing.iter_mut().find(|(other, _)| go_to(&other.plan)) {
            Some((_, notices)) => notices.push(notice),
            None => self.standing.push((job, vec![notice])),
        }
    }

    /// Tells how all jobs stand, and that somebody looks after them.
    fn tell_standing(&self) {
        let deadline = Deadline::after(TELL_LIMIT);
        for (job, notices) in &self.standing {
            tell(&job.sinks, notices, deadline);
        }
        let Ok(own) = self.attendant.of_no_job() else { return };
        let alive = Notice::alive(Arc::clone(&own.plan.job), self.moment.now);
        tell(&own.sinks, &[alive], deadline);
    }
}

/// Tells sinks what is no alert.
fn tell(sinks: &[Arc<dyn Sink>], notices: &[Notice], deadline: Deadline) {
    delivery::deliver(sinks, notices, &Instead::new(), Announcement::default(), deadline, &mut || false);
}

/// What is known of a job when everything has been put on record.
struct AfterAll {
    history: History,
    troubles: Vec<Trouble>,
    running: usize,
    died: usize,
    owed: Vec<Owed>,
}

impl AfterAll {
    fn of(remembered: &Remembered, expected: &Expected<'_>, moment: &Moment<'_>) -> Self {
        let Remembered { history, under_way, owed, .. } = remembered;
        Self {
            owed: owed.clone(),
            troubles: standing::troubles(history, under_way, expected, moment),
            running: under_way.iter().filter(|run| run.alive).count(),
            died: under_way.iter().filter(|run| !run.alive).count(),
            history: history.clone(),
        }
    }

    fn after(self, reviewed: Reviewed, expected: &Expected<'_>, moment: &Moment<'_>) -> Self {
        let running = reviewed.under_way.len();
        let troubles = standing::troubles(&reviewed.history, &reviewed.under_way, expected, moment);
        let died = reviewed.lost.len();
        Self { history: reviewed.history, troubles, running, died, owed: reviewed.owed }
    }

    fn known(&self, missed: usize) -> Known<'_> {
        let Self { history, troubles, running, died, owed } = self;
        Known { history, troubles, running: *running, died: *died, missed, owed }
    }
}

/// Checks a job of another user's: what is remembered and what its last run was given, and nothing else
/// of theirs; nothing is written, and nobody is told on their behalf.
fn of_other(user: &str, entry: &Entry, moment: &Moment<'_>) -> Finding {
    let remembered = match &entry.remembered {
        Ok(remembered) => remembered,
        Err(why) => return unreadable(&entry.label, Some(user), why.clone()),
    };
    let expectations = expectations_of(remembered.plan.as_ref());
    // Which host it is put off on is not ours to know: as if by the most.
    let expected = expectations.expected(expectations.start_delay);
    let known = AfterAll::of(remembered, &expected, moment);
    assess(&entry.label, Some(user), &known.known(0), &expected, moment)
}
