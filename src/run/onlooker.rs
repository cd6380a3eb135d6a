//! What happens beside the command while it runs. Whatever can be done now instead of when it has
//! ended costs the caller nothing; and what takes too long is said while it does.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::Circumstances;
use crate::attend;
use crate::clock::{Deadline, Timestamp};
use crate::dispatch::{Dispatch, Pressing, with_rules};
use crate::expectation::time_max;
use crate::human;
use crate::journal::{Amendment, Journal, Reviewed, UnderWayNow};
use crate::notice::{Notice, Overdue, Start};
use crate::plan::Plan;
use crate::policy::{self, Verdict};
use crate::progress::Progress;
use crate::sinks::Sink;
use crate::sinks::delivery::{self, Announcement};
use crate::supervise::Witness;
use crate::sys::arena::system_has_room;

/// From this wall time on a run's start is made durable while it runs.
const LASTING: Duration = Duration::from_secs(1);
/// So many words of an overdue run may be on their way at a time. More are left unsaid: sinks that hang
/// must not gather threads.
const OVERDUE_MAX: usize = 4;
/// Stack of a helper thread, in bytes.
const STACK: usize = 256 * 1024;
/// How often a wait is broken off to ask whether it should be cut short.
const SLICE: Duration = Duration::from_millis(50);

/// Whoever looks on.
pub struct Onlooker<'a> {
    plan: &'a Arc<Plan>,
    sinks: &'a [Arc<dyn Sink>],
    journal: &'a mut Journal,
    moments: Moments,
    start: Start,
    left: &'a mut LeftToDo,
    is_first: bool,
    /// Whether an attempt that takes too long is the end of the matter: none comes after it, or nothing ends it.
    decides: bool,
    status_line: Option<StatusLine>,
}

/// The status line of an attempt.
struct StatusLine {
    progress: Progress,
    /// How long the job usually takes, once it has been looked up.
    usual: Option<Option<Duration>>,
}

/// What is left to do when the command has ended.
#[derive(Default)]
pub struct LeftToDo {
    /// What became of the notice of the start.
    pub announcement: Announcement,
    overdue: Vec<Receiver<()>>,
}

/// The moments of a run at which something is to be done.
#[derive(Debug, Clone, Copy)]
struct Moments {
    /// The largest wall time that is expected.
    max: Option<Duration>,
    /// `--warn-after`.
    every: Option<Duration>,
    /// Whether something is drawn each second.
    seconds: bool,
}

impl Moments {
    /// The first one after `passed`. Of those that are repeated none that has gone by: after an hour in
    /// which nobody ran, nobody wants to hear of every minute of it.
    fn next_after(&self, passed: Duration, now: Duration) -> Option<Duration> {
        let repeated = self.every.and_then(|every| {
            let times = passed.max(now).as_nanos() / every.as_nanos().max(1) + 1;
            every.checked_mul(u32::try_from(times).ok()?)
        });
        let second = self.seconds.then(|| Duration::from_secs(passed.max(now).as_secs() + 1));
        let once = [Some(LASTING), self.max].into_iter().flatten().filter(|&moment| moment > passed);
        once.chain(repeated).chain(second).min()
    }

    fn is_max(&self, moment: Duration) -> bool {
        self.max == Some(moment)
    }

    fn is_repeated(&self, moment: Duration) -> bool {
        self.every.is_some_and(|every| moment.as_nanos().is_multiple_of(every.as_nanos().max(1)))
    }
}

impl<'a> Onlooker<'a> {
    /// For an attempt that is about to start.
    pub fn new(
        run: &'a Circumstances<'_>,
        journal: &'a mut Journal,
        left: &'a mut LeftToDo,
        attempt: u32,
    ) -> Self {
        let Circumstances { plan, sinks, id, started_at, .. } = *run;
        let moments = Moments { max: time_max(&plan.expectations), every: plan.warn_after, seconds: false };
        let start = Start { id, parent: plan.parent, pid: 0, started_at };
        let decides = attempt > plan.retries.retries || plan.time_limit.is_none();
        Self {
            plan,
            sinks,
            journal,
            moments,
            start,
            left,
            is_first: attempt == 1,
            decides,
            status_line: None,
        }
    }

    /// Makes the record of the start durable, on a thread of its own: a disk that hangs must not
    /// keep signals and time limits waiting.
    fn sync_start(&self) {
        if let Some(sync) = self.journal.start_syncer().filter(|_| system_has_room()) {
            // Without a thread the record is as durable as the kernel makes it by itself.
            let _ = std::thread::Builder::new().stack_size(64 * 1024).spawn(sync);
        }
    }

    /// Says that the run takes too long, on a thread of its own; and if it is longer than expected, asks
    /// what becomes of the alert.
    fn say_overdue(&mut self, moment: Duration) {
        let in_flight = &mut self.left.overdue;
        in_flight.retain(|done| done.try_recv() == Err(mpsc::TryRecvError::Empty));
        if in_flight.len() >= OVERDUE_MAX && !self.moments.is_max(moment) {
            return;
        }
        let max = self.moments.max.filter(|_| self.moments.is_max(moment));
        let reason = match max {
            Some(max) => format!("still running after {}, the most that is expected", human::span(max)),
            None => format!("still running after {}", human::span(moment)),
        };
        let overdue = Overdue { start: self.start.clone(), elapsed: moment, reason };
        let decides = max.is_some() && self.decides;
        let (plan, sinks) = (Arc::clone(self.plan), self.sinks.to_vec());
        let (over, done) = mpsc::channel();
        let work = move || {
            report_overdue(&plan, &sinks, overdue, decides);
            // Nobody may be waiting any more.
            let _ = over.send(());
        };
        if system_has_room() && std::thread::Builder::new().stack_size(STACK).spawn(work).is_ok() {
            self.left.overdue.push(done);
        }
    }
}

impl Witness for Onlooker<'_> {
    fn started(&mut self, pid: u32) {
        self.start.pid = pid;
        if self.plan.progress {
            let progress = Progress::open(self.plan.job.label.as_str());
            self.status_line = progress.map(|progress| StatusLine { progress, usual: None });
            self.moments.seconds = self.status_line.is_some();
        }
        if !self.is_first {
            return;
        }
        let start = || Notice::started(Arc::clone(&self.plan.job), self.start.clone());
        self.left.announcement = delivery::announce(self.sinks, start);
        self.journal.read_ahead(!self.plan.products.is_empty());
    }

    fn next_moment(&self, passed: Duration, now: Duration) -> Option<Duration> {
        self.moments.next_after(passed, now)
    }

    fn reached(&mut self, moment: Duration) {
        if moment == LASTING {
            self.sync_start();
        }
        if self.moments.is_max(moment) || self.moments.is_repeated(moment) {
            self.say_overdue(moment);
        }
        if let Some(StatusLine { progress, usual }) = &mut self.status_line {
            let usual = *usual.get_or_insert_with(|| self.journal.usual_duration());
            progress.draw(moment, usual);
        }
    }

    fn stopping(&mut self) {
        if let Some(line) = &mut self.status_line {
            line.progress.suspend();
        }
    }

    fn continued(&mut self) {
        if let Some(line) = &mut self.status_line {
            line.progress.resume();
        }
    }

    fn resized(&mut self) {
        if let Some(line) = &mut self.status_line {
            line.progress.resized();
        }
    }
}

impl LeftToDo {
    /// Waits until what was to be said of the run while it was overdue has been said, so that nobody
    /// hears of its end first; until the deadline, or until `cut_short` says so.
    pub fn wait(&self, deadline: Deadline, cut_short: &mut dyn FnMut() -> bool) {
        for done in &self.overdue {
            while done.recv_timeout(deadline.left().min(SLICE)) == Err(RecvTimeoutError::Timeout) {
                if deadline.passed() || cut_short() {
                    return;
                }
            }
        }
    }
}

/// On the helper thread, with a journal of its own: the run's is busy with the run.
fn report_overdue(plan: &Plan, sinks: &[Arc<dyn Sink>], overdue: Overdue, decides: bool) {
    let now = Timestamp::now();
    // Before the run, should it end at once, stops waiting for this: or the last word would be lost.
    let deadline = Deadline::after(plan.flush_deadline - plan.flush_deadline / 10);
    let (start, reason) = (overdue.start.clone(), overdue.reason.clone());
    let mut notices = vec![Notice::overdue(Arc::clone(&plan.job), now, overdue)];
    let mut journal = Journal::open(&plan.state_dir, &plan.job.label, &plan.job.host);
    let (mut owed, mut given_up) = (Vec::new(), Vec::new());
    if decides {
        // Who waits for the journal until the end has no time left to tell anybody.
        let for_journal = deadline.earlier_by(deadline.left() / 2);
        if let Some(reviewed) = open_if_due(plan, sinks, &mut journal, now, for_journal, start, reason) {
            notices.extend(attend::notices(plan, &reviewed, now));
            (owed, given_up) = (reviewed.owed, reviewed.given_up);
        }
    }
    let journal = &mut journal;
    Dispatch {
        plan,
        sinks,
        journal,
        notices: &notices,
        owed: &owed,
        given_up,
        pressing: Pressing::WhoMayBeTried,
    }
    .tell(Announcement::default(), deadline, &mut || false);
}

/// The opening of the alert, if the failure of the run would open it; and what else was found.
fn open_if_due(
    plan: &Plan,
    sinks: &[Arc<dyn Sink>],
    journal: &mut Journal,
    now: Timestamp,
    deadline: Deadline,
    start: Start,
    reason: String,
) -> Option<Reviewed> {
    let mut amend = |history: &policy::History, under_way: &[UnderWayNow]| {
        // One that has ended while this waited for its turn is counted.
        let run = under_way.iter().find(|run| run.id == start.id).cloned()?;
        let judgement = policy::judge_overdue(history, start.id, &plan.job.alert_key, &plan.rule, now);
        let opened = judgement.verdict == Verdict::Opened || judgement.history.alert != history.alert;
        opened.then(|| Amendment { judgement, what: reason.clone(), run: Some(run) })
    };
    // If it cannot be put on record now, the run is counted when it ends.
    with_rules(plan, sinks, |rules| journal.review(now, deadline, rules, &mut amend)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn all(moments: Moments) -> Vec<u64> {
        let next = |passed: &Duration| moments.next_after(*passed, *passed);
        std::iter::successors(next(&Duration::ZERO), next).take(6).map(|moment| moment.as_secs()).collect()
    }

    #[test]
    fn every_moment_comes_once_and_in_its_order() {
        for (max, every, expected) in [
            (None, None, &[1][..]),
            (Some(seconds(10)), None, &[1, 10]),
            (None, Some(seconds(4)), &[1, 4, 8, 12, 16, 20]),
            (Some(seconds(8)), Some(seconds(4)), &[1, 4, 8, 12, 16, 20]),
            (Some(seconds(1)), Some(seconds(1)), &[1, 2, 3, 4, 5, 6]),
        ] {
            assert_eq!(all(Moments { max, every, seconds: false }), expected);
        }
    }

    #[test]
    fn what_was_missed_is_not_made_up_for_but_the_maximum() {
        let moments = Moments { max: Some(seconds(30)), every: Some(seconds(4)), seconds: false };
        let next = |passed, now| moments.next_after(seconds(passed), seconds(now));
        assert_eq!(next(8, 3601), Some(seconds(30)));
        assert_eq!(next(30, 3601), Some(seconds(3604)));
    }

    #[test]
    fn a_status_line_is_drawn_each_second_and_what_is_due_between_is_not_missed() {
        let moments = Moments { max: Some(Duration::from_millis(2500)), every: None, seconds: true };
        let next = |passed: &Duration| moments.next_after(*passed, *passed);
        let first = std::iter::successors(next(&Duration::ZERO), next).take(4);
        assert_eq!(first.map(|moment| moment.as_millis()).collect::<Vec<_>>(), [1000, 2000, 2500, 3000]);
    }

    #[test]
    fn a_moment_knows_what_it_is_for() {
        let moments = Moments { max: Some(seconds(8)), every: Some(seconds(4)), seconds: false };
        assert!(moments.is_max(seconds(8)) && moments.is_repeated(seconds(8)));
        assert!(!moments.is_max(seconds(4)) && moments.is_repeated(seconds(4)));
        assert!(!moments.is_repeated(seconds(1)));
    }
}
