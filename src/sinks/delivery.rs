//! Telling the sinks: at the start of a run without holding it up, at its end within one deadline.
//! What cannot wait is told at once by the caller; what can has a thread, which is left behind when
//! the time is over, since the process then ends without asking its threads.

mod announcement;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::job::RunId;
use crate::notice::Notice;
use crate::sys::arena::system_has_room;
use announcement::Pending;

pub use announcement::{Announcement, announce};

/// Stack of a thread, in bytes: a TLS handshake wants up to a third of it, the C library's resolver
/// less. It costs nothing until it is touched.
pub const STACK: usize = 512 * 1024;

/// How often a wait is broken off to ask whether it should be cut short.
const SLICE: Duration = Duration::from_millis(50);

/// Most that is kept back of the deadline for the logs that hear what the others answered.
const RESERVE_MAX: Duration = Duration::from_millis(500);

/// What all sinks made of the end of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// `NAME: REASON` of each sink that failed.
    pub errors: Vec<String>,
    /// The alerts that sinks which confirm have taken: place of the sink, identity of the notice.
    pub taken: Vec<(usize, RunId)>,
    /// Places of the sinks that were handed an alert and have not taken it, and why.
    pub refused: Vec<(usize, String)>,
}

/// Notices for one sink, by its place, instead of those of alerts that all others are told.
pub type Instead = Vec<(usize, Vec<Notice>)>;

/// What a sink made of its notices.
struct Answer {
    /// The alerts that it has taken charge of.
    taken: Vec<RunId>,
    outcome: Result<(), String>,
}

impl Answer {
    fn failure(why: String) -> Self {
        Self { taken: Vec::new(), outcome: Err(why) }
    }
}

/// One sink that is to be told.
struct Task<'a> {
    place: usize,
    sink: &'a Arc<dyn Sink>,
    /// Those of all notices that it wants.
    notices: Cow<'a, [Notice]>,
    pending: Option<&'a Arc<Pending>>,
}

impl Task<'_> {
    fn given_up(&self, why: String) -> Told {
        let had_alerts = has_alerts(&**self.sink, &self.notices);
        Told { place: self.place, had_alerts, answer: Answer::failure(why) }
    }
}

/// Tells the sinks what became of a run, all within the deadline. First everybody who tells others,
/// side by side; then the logs on this host, with what those answered. `cut_short` is asked at
/// least every 50 ms while there is something to wait for; once it says so, nobody is waited for.
pub fn deliver(
    sinks: &[Arc<dyn Sink>],
    notices: &[Notice],
    instead: &Instead,
    announcement: Announcement,
    deadline: Deadline,
    cut_short: &mut dyn FnMut() -> bool,
) -> Delivery {
    let Announcement { errors, pending } = announcement;
    let mut delivery = Delivery { errors, ..Delivery::default() };
    let mut first = Vec::new();
    let mut last = Vec::new();
    for (place, sink) in sinks.iter().enumerate() {
        let pending = pending.iter().find(|(of, _)| *of == place).map(|(_, pending)| pending);
        let alerts = instead.iter().find(|(of, _)| *of == place).map(|(_, alerts)| &alerts[..]);
        let notices = wanted(&**sink, notices, alerts);
        if !notices.is_empty() || pending.is_some() {
            let task = Task { place, sink, notices, pending };
            if sink.hears_the_others() { &mut last } else { &mut first }.push(task);
        }
    }
    let reserve = if last.is_empty() { Duration::ZERO } else { RESERVE_MAX.min(deadline.left() / 5) };
    let mut impatient = false;
    let mut asked = || {
        impatient = impatient || cut_short();
        impatient
    };

    for told in tell_all(first, deadline.earlier_by(reserve), &mut asked) {
        delivery.note(&*sinks[told.place], told.place, told.had_alerts, told.answer);
    }
    for task in last.iter_mut().filter(|_| !delivery.errors.is_empty()) {
        let with_errors = |notice: &Notice| notice.with_sink_errors(&delivery.errors);
        task.notices = task.notices.iter().map(with_errors).collect();
    }
    for told in tell_all(last, deadline, &mut asked) {
        delivery.note(&*sinks[told.place], told.place, told.had_alerts, told.answer);
    }
    delivery
}

/// Those of the notices that a sink wants, and other alerts than those among them if there are such; copies
/// only if it does not want all.
fn wanted<'a>(sink: &dyn Sink, notices: &'a [Notice], alerts: Option<&[Notice]>) -> Cow<'a, [Notice]> {
    let wants = |notice: &&Notice| {
        let topic = Topic::of(&notice.news);
        sink.wants(topic) && (alerts.is_none() || topic != Topic::Alert)
    };
    if alerts.is_none() && notices.iter().all(|notice| wants(&notice)) {
        return Cow::Borrowed(notices);
    }
    let others = notices.iter().filter(wants);
    Cow::Owned(others.chain(alerts.unwrap_or_default()).cloned().collect())
}

impl Delivery {
    fn note(&mut self, sink: &dyn Sink, place: usize, had_alerts: bool, answer: Answer) {
        self.taken.extend(answer.taken.into_iter().map(|notice| (place, notice)));
        if let (true, Err(why)) = (had_alerts, &answer.outcome) {
            self.refused.push((place, why.clone()));
        }
        // The start may have failed for the same reason.
        self.errors.extend(error_of(sink, answer.outcome).filter(|error| !self.errors.contains(error)));
    }
}

/// A sink that has been told, or given up.
struct Told {
    place: usize,
    had_alerts: bool,
    answer: Answer,
}

fn has_alerts(sink: &dyn Sink, notices: &[Notice]) -> bool {
    sink.confirms() && notices.iter().any(|notice| notice.news.turn().is_some())
}

/// Tells each sink what it is to be told; the answers, in any order.
fn tell_all(tasks: Vec<Task<'_>>, deadline: Deadline, cut_short: &mut dyn FnMut() -> bool) -> Vec<Told> {
    let mut done = Vec::with_capacity(tasks.len());
    let (prompt, waiting): (Vec<_>, Vec<_>) =
        tasks.into_iter().partition(|task| task.sink.pace() == Pace::Prompt);
    let mut threads = None;
    if !waiting.is_empty() {
        if cut_short() {
            done.extend(waiting.iter().map(|task| task.given_up(GIVEN_UP.to_owned())));
        } else {
            threads = Some(Threads::start(waiting, deadline, &mut done));
        }
    }
    for Task { place, sink, notices, pending } in &prompt {
        let answer = tell(&***sink, notices, pending.map(|pending| &**pending), deadline);
        done.push(Told { place: *place, had_alerts: has_alerts(&***sink, notices), answer });
    }
    if let Some(threads) = threads {
        threads.wait(deadline, cut_short, &mut done);
    }
    done
}

/// The sinks that are being told on threads.
struct Threads {
    answers: Receiver<Told>,
    /// Places of those that have not answered, and whether they were handed an alert.
    outstanding: Vec<(usize, bool)>,
}

impl Threads {
    /// Gives each sink a thread, and a little less time than it is waited for, so that one that keeps
    /// to it can say what it did. Who gets no thread is done.
    fn start(tasks: Vec<Task<'_>>, deadline: Deadline, done: &mut Vec<Told>) -> Self {
        let told = deadline.earlier_by((deadline.left() / 10).min(Duration::from_millis(100)));
        let (answer_to, answers) = mpsc::channel();
        let mut outstanding = Vec::new();
        for Task { place, sink, notices, pending } in tasks {
            let (answer_to, sink) = (answer_to.clone(), Arc::clone(sink));
            let had_alerts = has_alerts(&*sink, &notices);
            let (notices, pending) = (notices.into_owned(), pending.cloned());
            let work = move || {
                let answer = tell(&*sink, &notices, pending.as_deref(), told);
                // Nobody hears the answer if it comes too late.
                let _ = answer_to.send(Told { place, had_alerts, answer });
            };
            match thread(work) {
                Ok(()) => outstanding.push((place, had_alerts)),
                Err(reason) => done.push(Told { place, had_alerts, answer: Answer::failure(reason) }),
            }
        }
        Self { answers, outstanding }
    }

    fn wait(mut self, deadline: Deadline, cut_short: &mut dyn FnMut() -> bool, done: &mut Vec<Told>) {
        while !self.outstanding.is_empty() {
            let why_not = match self.answers.recv_timeout(deadline.left().min(SLICE)) {
                Ok(told) => {
                    self.outstanding.retain(|&(other, _)| other != told.place);
                    done.push(told);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) if cut_short() => GIVEN_UP,
                Err(RecvTimeoutError::Timeout) if !deadline.passed() => continue,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => "timed out",
            };
            done.extend(self.outstanding.drain(..).map(|(place, had_alerts)| Told {
                place,
                had_alerts,
                answer: Answer::failure(why_not.to_owned()),
            }));
        }
    }
}

const GIVEN_UP: &str = "given up: cronward was told to stop";

/// Tells one sink, its start notice first if nobody has begun with that.
fn tell(sink: &dyn Sink, notices: &[Notice], pending: Option<&Pending>, deadline: Deadline) -> Answer {
    let Some(pending) = pending else {
        return hand_over(sink, notices, deadline);
    };
    if let Some(start) = pending.claim() {
        let all: Vec<Notice> = std::iter::once(start).chain(notices.iter().cloned()).collect();
        return hand_over(sink, &all, deadline);
    }
    let start = pending.answer(deadline);
    if notices.is_empty() || deadline.passed() {
        return Answer { taken: Vec::new(), outcome: start };
    }
    let Answer { taken, outcome } = hand_over(sink, notices, deadline);
    Answer { taken, outcome: outcome.and(start) }
}

/// Hands notices to a sink. To one that confirms, alerts one by one, in their order, until it does not take one;
/// what stands between them has a share of the time, so that they are left theirs.
fn hand_over(sink: &dyn Sink, notices: &[Notice], deadline: Deadline) -> Answer {
    let mut answer = Answer { taken: Vec::new(), outcome: Ok(()) };
    if !sink.confirms() {
        answer.outcome = sink.deliver(notices, deadline);
        return answer;
    }
    let is_alert = |notice: &Notice| notice.news.turn().is_some();
    let mut alert_refused = false;
    let mut parcels: Vec<&[Notice]> =
        notices.chunk_by(|one, other| !is_alert(one) && !is_alert(other)).collect();
    parcels.reverse();
    while let Some(parcel) = parcels.pop() {
        let alert = parcel.first().filter(|first| is_alert(first));
        let until = match (alert, parcels.is_empty()) {
            (Some(_), _) if alert_refused => continue,
            (Some(_), _) | (None, true) => deadline,
            (None, false) => Deadline::after(deadline.left() / 2),
        };
        let outcome = sink.deliver(parcel, until);
        if let Some(alert) = alert {
            alert_refused = outcome.is_err();
            answer.taken.extend(outcome.is_ok().then_some(alert.id));
        }
        answer.outcome = answer.outcome.and(outcome);
    }
    answer
}

/// Runs `work` on a thread that nobody joins. It inherits the mask of its maker, in which all
/// signals are blocked, so none is ever taken from the main thread.
fn thread(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    if !system_has_room() {
        return Err("no thread to be had: out of memory".to_owned());
    }
    match std::thread::Builder::new().stack_size(STACK).spawn(work) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("no thread to be had: {error}")),
    }
}

fn error_of(sink: &dyn Sink, answer: Result<(), String>) -> Option<String> {
    answer.err().map(|reason| format!("{}: {reason}", sink.name()))
}

#[cfg(test)]
mod tests;
