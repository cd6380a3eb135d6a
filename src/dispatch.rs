//! Telling the sinks of one job, and keeping the books of it: what is owed to them is told in its order, by one
//! process at a time, and what has been taken is put on record. What nobody takes charge of is a line on
//! stderr.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::changes;
use crate::clock::{Deadline, Timestamp};
use crate::diagnostics::say;
use crate::journal::{Backoff, GivenUp, Journal, KeptPlan, Rules, Taken, Telling};
use crate::notice::Notice;
use crate::outcome::Run;
use crate::plan::Plan;
use crate::policy::{self, History, Judged, Judgement};
use crate::sinks::delivery::{self, Announcement, Delivery, Instead};
use crate::sinks::{self, Sink};
use crate::turn::Owed;

/// Whom to trouble with what is owed to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressing {
    /// Those who could be reached, or have been left alone for long enough.
    WhoMayBeTried,
    /// Everybody.
    Everybody,
}

/// What is to be told.
pub struct Dispatch<'a> {
    /// The job.
    pub plan: &'a Plan,
    /// Its sinks, in the order of the plan.
    pub sinks: &'a [Arc<dyn Sink>],
    /// Its journal.
    pub journal: &'a mut Journal,
    /// What has happened.
    pub notices: &'a [Notice],
    /// What is owed by the journal, the alerts among the notices included, as far as they are on record.
    pub owed: &'a [Owed],
    /// What nobody will try to deliver any more.
    pub given_up: Vec<GivenUp>,
    /// Whom to trouble.
    pub pressing: Pressing,
}

/// For so long others are waited for, beyond the deadline, to put on record what has been taken.
const SETTLE_MIN: Duration = Duration::from_millis(250);

/// The alerts that one sink is to be told, in their order.
struct Queue {
    place: usize,
    /// The sink, by its identity.
    sink: String,
    alerts: VecDeque<Notice>,
}

/// What has come of it.
#[derive(Debug, Default)]
pub struct Dispatched {
    /// What is still owed, oldest first.
    pub left: Vec<Owed>,
    /// The sinks that did not take what they were told, by their identities, and why.
    pub refused: Vec<(String, String)>,
}

/// Does `work` by the rules of a plan.
pub fn with_rules<T>(plan: &Plan, sinks: &[Arc<dyn Sink>], work: impl FnOnce(&Rules<'_>) -> T) -> T {
    let judge = |history: Option<&History>, run: &Run| judge(plan, history, run);
    let creditors = || sinks::creditors(&plan.sinks, sinks).into_iter().map(|(_, sink)| sink).collect();
    let changed = |kept: Option<&KeptPlan>, success: Timestamp| {
        changes::since(success, kept, &plan.job.command, plan.search_path.as_deref())
    };
    let keeps_output = !plan.job.privacy.sensitive;
    let telling = Telling { creditors: &creditors, changed: &changed, keeps_output };
    work(&Rules { judge: &judge, telling })
}

/// Judges a run by the rule of the plan.
pub fn judge(plan: &Plan, history: Option<&History>, run: &Run) -> Judgement {
    let ended_at = run.ended_at.unwrap_or_else(Timestamp::now);
    let judged = Judged { run, ended_at, alert_key: &plan.job.alert_key };
    match history {
        Some(history) => policy::judge(history, &judged, &plan.rule),
        None => policy::judge_blind(&judged, &plan.rule),
    }
}

impl Dispatch<'_> {
    /// Tells it all, until the deadline or until `cut_short` says that nobody must wait any more.
    pub fn tell(
        mut self,
        announcement: Announcement,
        deadline: Deadline,
        cut_short: &mut dyn FnMut() -> bool,
    ) -> Dispatched {
        self.say_given_up(&self.given_up);
        let creditors = sinks::creditors(&self.plan.sinks, self.sinks);
        if self.owed.is_empty() || creditors.is_empty() {
            let Delivery { taken, .. } =
                delivery::deliver(self.sinks, self.notices, &Vec::new(), announcement, deadline, cut_short);
            self.say_unconfirmed(|notice| taken.iter().any(|(_, id)| *id == notice.id));
            return Dispatched { left: self.owed.to_vec(), refused: Vec::new() };
        }
        self.pay(&creditors, announcement, deadline, cut_short)
    }

    /// Tells what there is to tell, and of the alerts one at a time. What has been taken is put on record before
    /// the next is told: so a death in between repeats no more than the last turn, which a receiver that goes by
    /// the key takes for the same. Told of opening and recovery again, it would raise the alarm again.
    fn pay(
        &mut self,
        creditors: &[(usize, String)],
        mut announcement: Announcement,
        deadline: Deadline,
        cut_short: &mut dyn FnMut() -> bool,
    ) -> Dispatched {
        let now = Timestamp::now();
        let mut backoff = self.journal.backoff();
        let turn = self.journal.turn_to_deliver(self.patience(deadline), cut_short);
        // What was owed while another delivered may have been paid.
        let owed = match turn.is_ours() {
            true => with_rules(self.plan, self.sinks, |rules| self.journal.owed(now, rules))
                .unwrap_or_else(|_| self.owed.to_vec()),
            false => Vec::new(),
        };
        let queue = |(place, sink): &(usize, String)| {
            let may_be_tried = self.pressing == Pressing::Everybody || backoff.is_due(sink, now);
            let alerts = self.alerts_for(sink, &owed, turn.is_ours(), may_be_tried);
            Queue { place: *place, sink: sink.clone(), alerts }
        };
        let mut queues: Vec<Queue> = creditors.iter().map(queue).collect();
        let mut notices = self.notices;
        let mut dispatched = Dispatched {
            left: if turn.is_ours() { owed.clone() } else { self.owed.to_vec() },
            refused: Vec::new(),
        };
        let mut told = Vec::new();
        loop {
            let next = |queue: &Queue| (queue.place, queue.alerts.front().cloned().into_iter().collect());
            let instead: Instead = queues.iter().map(next).collect();
            let announced = std::mem::take(&mut announcement);
            let delivery = delivery::deliver(self.sinks, notices, &instead, announced, deadline, cut_short);
            let taken = self.keep_up(&mut queues, &delivery, &mut backoff, &mut dispatched.refused, now);
            told.extend(taken.iter().map(|taken| taken.turn));
            dispatched.left = self.settle(&taken, dispatched.left, deadline, now);
            if deadline.passed() || cut_short() || queues.iter().all(|queue| queue.alerts.is_empty()) {
                break;
            }
            notices = &[];
        }
        // Somebody else may have told it in the meantime: who waits for the turn reads the books again.
        let was_paid = |notice: &Notice| {
            let among = |books: &[Owed]| books.iter().any(|owed| owed.turn.id == notice.id);
            turn.is_ours() && among(self.owed) && !among(&owed)
        };
        self.say_unconfirmed(|notice| told.contains(&notice.id) || was_paid(notice));
        dispatched
    }

    /// How long to wait for whoever is telling the same sinks. With something new, half of the time: the rest is
    /// for what they do not tell. Without, not at all: they tell what is owed.
    fn patience(&self, deadline: Deadline) -> Deadline {
        match self.fresh().next() {
            Some(_) => deadline.earlier_by(deadline.left() / 2),
            None => Deadline::after(Duration::ZERO),
        }
    }

    /// The alerts among the notices.
    fn fresh(&self) -> impl Iterator<Item = &Notice> {
        self.notices.iter().filter(|notice| notice.news.turn().is_some())
    }

    /// Takes what was taken off the queues, and leaves alone for a while who did not take it.
    fn keep_up(
        &self,
        queues: &mut [Queue],
        delivery: &Delivery,
        backoff: &mut Backoff,
        refused: &mut Vec<(String, String)>,
        now: Timestamp,
    ) -> Vec<Taken> {
        let before = backoff.clone();
        let mut all = Vec::new();
        for queue in queues {
            let is_taken = |notice: &Notice| delivery.taken.contains(&(queue.place, notice.id));
            if let Some(notice) = queue.alerts.pop_front_if(|notice| is_taken(notice)) {
                all.push(Taken { sink: queue.sink.clone(), turn: notice.id });
                backoff.reached(&queue.sink);
            } else if !queue.alerts.is_empty() {
                queue.alerts.clear();
                backoff.failed(&queue.sink, now);
                let why = delivery.refused.iter().find(|(place, _)| *place == queue.place);
                refused.extend(why.map(|(_, why)| (queue.sink.clone(), why.clone())));
            }
        }
        if *backoff != before {
            self.journal.remember(backoff);
        }
        all
    }

    /// The alerts that a sink is to be told: what is owed to it, in its order, if it may be tried or there is
    /// something new for it; and of what is new also that which could not be put on record.
    fn alerts_for(&self, sink: &str, owed: &[Owed], is_ours: bool, may_be_tried: bool) -> VecDeque<Notice> {
        let on_record = |notice: &&Notice| self.owed.iter().any(|owed| owed.turn.id == notice.id);
        let mut alerts = VecDeque::new();
        if is_ours && (may_be_tried || self.fresh().next().is_some()) {
            let to_sink = owed.iter().filter(|owed| owed.to.iter().any(|to| to == sink));
            // What is new has more in it than what is on record.
            alerts.extend(to_sink.map(|owed| match self.fresh().find(|notice| notice.id == owed.turn.id) {
                Some(notice) => notice.clone(),
                None => Notice::turned(&self.plan.job, &owed.turn),
            }));
        }
        alerts.extend(self.fresh().filter(|notice| !on_record(notice)).cloned());
        alerts
    }

    /// Puts on record what has been taken; what is left of what was owed.
    fn settle(&mut self, taken: &[Taken], owed: Vec<Owed>, deadline: Deadline, now: Timestamp) -> Vec<Owed> {
        if taken.is_empty() {
            return owed;
        }
        let (plan, sinks) = (self.plan, self.sinks);
        // What has taken all the time there was must not be told again for want of a line.
        let deadline = Deadline::after(deadline.left().max(SETTLE_MIN));
        match with_rules(plan, sinks, |rules| self.journal.settle(taken, now, deadline, rules)) {
            Ok(settled) => {
                self.say_given_up(&settled.given_up);
                settled.left
            }
            // It is told once more by somebody, under the same identity.
            Err(_) => owed,
        }
    }

    fn say_given_up(&self, given_up: &[GivenUp]) {
        for GivenUp { sink, time } in given_up {
            let (label, sink) = (&self.plan.job.label, sinks::shown_identity(sink));
            say(format_args!(
                "{label}: '{sink}' was never told of the alert of {time}; nobody tries any more"
            ));
        }
    }

    /// The alerts that nobody has taken charge of, a line each.
    fn say_unconfirmed(&self, is_told: impl Fn(&Notice) -> bool) {
        for alert in self.fresh().filter(|alert| !is_told(alert)) {
            say(alert.headline());
        }
    }
}
