use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::clock::Stopwatch;
use crate::notice::News;
use crate::sinks::probe::Probe;
use crate::sinks::sample;

/// Who was told what, in that order.
type Told = Mutex<Vec<(&'static str, Notice)>>;

type Deliver = Box<dyn Fn(&[Notice], Deadline) -> Result<(), String> + Send + Sync>;

/// A sink that does as it is told and remembers what it was told.
struct Fake {
    name: &'static str,
    pace: Pace,
    confirms: bool,
    local: bool,
    starts: bool,
    deliver: Deliver,
    told: Arc<Told>,
}

impl Sink for Fake {
    fn name(&self) -> &str {
        self.name
    }
    fn pace(&self) -> Pace {
        self.pace
    }
    fn confirms(&self) -> bool {
        self.confirms
    }
    fn hears_the_others(&self) -> bool {
        self.local
    }
    fn wants(&self, topic: Topic) -> bool {
        self.starts || topic != Topic::Start
    }
    fn prepare(&self) {}
    fn preview(&self, _: &[Notice]) -> Vec<String> {
        Vec::new()
    }
    fn probe(&self, _: Deadline) -> Probe {
        Probe::reached("a test")
    }
    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        (self.deliver)(notices, deadline)?;
        self.told.lock().unwrap().extend(notices.iter().map(|notice| (self.name, notice.clone())));
        Ok(())
    }
}

fn fake(name: &'static str, pace: Pace) -> Fake {
    let deliver: Deliver = Box::new(|_, _| Ok(()));
    let told = Arc::default();
    Fake { name, pace, confirms: false, local: false, starts: false, deliver, told }
}

fn doing(
    name: &'static str,
    pace: Pace,
    deliver: impl Fn(&[Notice], Deadline) -> Result<(), String> + Send + Sync + 'static,
) -> Fake {
    Fake { deliver: Box::new(deliver), ..fake(name, pace) }
}

/// All of them, noting in one list what they are told.
fn sinks(fakes: Vec<Fake>) -> (Vec<Arc<dyn Sink>>, Arc<Told>) {
    let told: Arc<Told> = Arc::default();
    let share = |fake| -> Arc<dyn Sink> { Arc::new(Fake { told: Arc::clone(&told), ..fake }) };
    (fakes.into_iter().map(share).collect(), told)
}

fn names(told: &Told) -> Vec<(&'static str, &'static str)> {
    told.lock().unwrap().iter().map(|(name, notice)| (*name, notice.news.kind())).collect()
}

fn started() -> Notice {
    sample::started(sample::job("backup"))
}

fn failed() -> Vec<Notice> {
    sample::failed(sample::job("backup"))
}

fn ample() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// Something that hangs until the test lets go of it.
fn hang() -> (Sender<()>, impl Fn() + Send + Sync) {
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let released = Mutex::new(released);
    (release, move || released.lock().unwrap().recv().unwrap_or(()))
}

#[test]
fn every_sink_is_told_and_the_log_last_with_what_the_others_answered() {
    let local = Fake { local: true, ..fake("log", Pace::Prompt) };
    let (sinks, told) = sinks(vec![
        local,
        doing("refusing", Pace::Prompt, |_, _| Err("refused".into())),
        doing("failing", Pace::Waiting, |_, _| Err("exit status 1".into())),
        fake("slow", Pace::Waiting),
    ]);
    let delivery = deliver(&sinks, &failed(), &Vec::new(), Announcement::default(), ample(), &mut || false);
    let mut errors = delivery.errors.clone();
    errors.sort();
    assert_eq!(errors, ["failing: exit status 1", "refusing: refused"]);
    assert!(delivery.taken.is_empty());
    let kinds = ["run.finished", "alert.opened"];
    assert_eq!(names(&told), [("slow", kinds[0]), ("slow", kinds[1]), ("log", kinds[0]), ("log", kinds[1])]);
    let told = told.lock().unwrap();
    let News::Finished(finished) = &told[2].1.news else { panic!("{told:?}") };
    assert_eq!(finished.sink_errors, delivery.errors);
}

#[test]
fn a_sink_gets_nothing_that_it_does_not_want() {
    let (sinks, told) = sinks(vec![fake("picky", Pace::Prompt), fake("picky too", Pace::Waiting)]);
    let announcement = announce(&sinks, started);
    let delivery = deliver(&sinks, &[started()], &Vec::new(), announcement, ample(), &mut || false);
    assert_eq!(delivery, Delivery::default());
    assert!(names(&told).is_empty());
}

#[test]
fn a_start_that_nobody_wants_is_not_even_made() {
    let (sinks, _) = sinks(vec![fake("picky", Pace::Prompt), fake("picky too", Pace::Waiting)]);
    announce(&sinks, || panic!("nobody has asked for it"));
}

#[test]
fn an_alert_is_confirmed_by_a_sink_that_confirms_and_by_no_other() {
    for (confirms, answer, confirmed) in
        [(true, Ok(()), true), (true, Err("refused".to_owned()), false), (false, Ok(()), false)]
    {
        let sink = doing("exec", Pace::Waiting, move |_, _| answer.clone());
        let (sinks, _) = sinks(vec![Fake { confirms, ..sink }]);
        let delivery =
            deliver(&sinks, &failed(), &Vec::new(), Announcement::default(), ample(), &mut || false);
        assert_eq!(delivery.taken.iter().any(|&(place, _)| place == 0), confirmed);
        let refused = delivery.refused == [(0, "refused".to_owned())];
        assert_eq!(refused, confirms && !confirmed, "who is owed it");
    }
    let none = deliver(&[], &failed(), &Vec::new(), Announcement::default(), ample(), &mut || false);
    assert_eq!(none, Delivery::default());
}

#[test]
fn a_sink_that_confirms_is_handed_alerts_one_by_one_until_it_does_not_take_one() {
    let many: Vec<Notice> = (0..3).flat_map(|_| failed()).collect();
    let alerts: Vec<RunId> =
        many.iter().filter(|notice| notice.news.turn().is_some()).map(|notice| notice.id).collect();
    let second = alerts[1];
    let refusing = move |notices: &[Notice], _| {
        let alone = notices.len() == 1 || notices.iter().all(|notice| notice.news.turn().is_none());
        if !alone || notices[0].id == second { Err("not this one".to_owned()) } else { Ok(()) }
    };
    let sink = doing("webhook", Pace::Waiting, refusing);
    let (sinks, told) = sinks(vec![Fake { confirms: true, ..sink }]);
    let delivery = deliver(&sinks, &many, &Vec::new(), Announcement::default(), ample(), &mut || false);
    assert_eq!(delivery.taken, [(0, alerts[0])]);
    assert_eq!(delivery.refused, [(0, "not this one".to_owned())]);
    let kinds: Vec<_> = names(&told).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(
        kinds,
        ["run.finished", "alert.opened", "run.finished", "run.finished"],
        "the third waits for it"
    );
}

#[test]
fn a_sink_can_be_told_of_other_alerts_than_the_rest() {
    let (sinks, told) =
        sinks(vec![Fake { confirms: true, ..fake("slack", Pace::Waiting) }, fake("log", Pace::Prompt)]);
    let (fresh, owed) = (failed(), failed().pop().unwrap());
    let instead = vec![(0, vec![owed.clone()])];
    let delivery = deliver(&sinks, &fresh, &instead, Announcement::default(), ample(), &mut || false);
    assert_eq!(delivery.taken, [(0, owed.id)]);
    let told = told.lock().unwrap();
    let ids = |of: &str| -> Vec<RunId> {
        told.iter().filter(|(name, _)| *name == of).map(|(_, notice)| notice.id).collect()
    };
    assert_eq!(ids("slack"), [fresh[0].id, owed.id]);
    assert_eq!(ids("log"), [fresh[0].id, fresh[1].id]);
}

#[test]
fn a_sink_that_hangs_costs_the_deadline_and_leaves_time_for_the_log() {
    let (_release, hangs) = hang();
    let hanging = doing("hanging", Pace::Waiting, move |_, _| {
        hangs();
        Ok(())
    });
    let local = Fake { local: true, ..fake("log", Pace::Waiting) };
    let (sinks, told) = sinks(vec![hanging, local]);
    let clock = Stopwatch::start();
    let limit = Duration::from_millis(300);
    let delivery =
        deliver(&sinks, &failed(), &Vec::new(), Announcement::default(), Deadline::after(limit), &mut || {
            false
        });
    assert_eq!(delivery.errors, ["hanging: timed out"]);
    assert_eq!(names(&told), [("log", "run.finished"), ("log", "alert.opened")]);
    assert!(clock.elapsed() < Duration::from_secs(10), "{:?}", clock.elapsed());
}

#[test]
fn a_signal_cuts_the_wait_short() {
    let (_release, hangs) = hang();
    let hanging = doing("hanging", Pace::Waiting, move |_, _| {
        hangs();
        Ok(())
    });
    let local = Fake { local: true, ..fake("log", Pace::Prompt) };
    let never = Fake { local: true, ..fake("pipe", Pace::Waiting) };
    let (sinks, told) = sinks(vec![hanging, local, never]);
    let mut asked = 0;
    let mut cut_short = || {
        asked += 1;
        asked > 1
    };
    let delivery = deliver(&sinks, &failed(), &Vec::new(), Announcement::default(), ample(), &mut cut_short);
    assert_eq!(delivery.errors, [format!("hanging: {GIVEN_UP}"), format!("pipe: {GIVEN_UP}")]);
    assert_eq!(names(&told), [("log", "run.finished"), ("log", "alert.opened")]);
}

#[test]
fn a_prompt_sink_has_the_start_before_announce_returns() {
    let (sinks, told) = sinks(vec![Fake { starts: true, ..fake("log", Pace::Prompt) }]);
    let _announcement = announce(&sinks, started);
    assert_eq!(names(&told), [("log", "run.started")]);
}

#[test]
fn a_start_never_comes_after_the_end_of_the_same_run() {
    for _ in 0..200 {
        let (sinks, told) = sinks(vec![Fake { starts: true, ..fake("pipe", Pace::Waiting) }]);
        let announcement = announce(&sinks, started);
        let delivery = deliver(&sinks, &failed(), &Vec::new(), announcement, ample(), &mut || false);
        assert!(delivery.errors.is_empty(), "{:?}", delivery.errors);
        let kinds: Vec<_> = names(&told).into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(kinds, ["run.started", "run.finished", "alert.opened"]);
    }
}

#[test]
fn a_start_that_hangs_does_not_hold_up_the_other_sinks() {
    let (_release, hangs) = hang();
    let hanging = doing("hanging", Pace::Waiting, move |_, _| {
        hangs();
        Ok(())
    });
    let hanging = Fake { starts: true, ..hanging };
    let other = Fake { starts: true, ..fake("other", Pace::Waiting) };
    let (sinks, told) = sinks(vec![hanging, other]);
    let announcement = announce(&sinks, started);
    let limit = Deadline::after(Duration::from_millis(500));
    let delivery = deliver(&sinks, &failed(), &Vec::new(), announcement, limit, &mut || false);
    assert_eq!(delivery.errors.len(), 1, "{:?}", delivery.errors);
    assert!(delivery.errors[0].starts_with("hanging: "), "{:?}", delivery.errors);
    let told = names(&told);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0], ("other", "run.started"));
}

#[test]
fn the_same_error_at_start_and_end_is_said_once() {
    for pace in [Pace::Prompt, Pace::Waiting] {
        let sink = doing("log", pace, |_, _| Err("refused".into()));
        let (sinks, _) = sinks(vec![Fake { starts: true, ..sink }]);
        let announcement = announce(&sinks, started);
        let delivery = deliver(&sinks, &failed(), &Vec::new(), announcement, ample(), &mut || false);
        assert_eq!(delivery.errors, ["log: refused"]);
    }
}
