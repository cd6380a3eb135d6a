//! The notice of a start, and what became of it.

use std::cell::LazyCell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{error_of, thread};
use crate::clock::Deadline;
use crate::notice::Notice;
use crate::sinks::{Pace, Sink, Topic};

/// Longest time that one sink may take for the notice of a start, which nothing waits for.
const START_LIMIT: Duration = Duration::from_secs(5);

/// What became of the notice of a start, sink by sink, so that the end of a run is never told
/// before its start.
#[derive(Default)]
pub struct Announcement {
    pub(super) errors: Vec<String>,
    /// With the place of the sink; none of a sink that there is nothing to wait for.
    pub(super) pending: Vec<(usize, Arc<Pending>)>,
}

/// A sink that can wait, and its start notice if it wants that.
type Waiting = (Arc<dyn Sink>, Option<Arc<Pending>>);

/// The start notice of one sink that can wait.
pub(super) struct Pending {
    stage: Mutex<Stage>,
    told: Condvar,
}

enum Stage {
    /// Nobody has begun to tell it.
    Due(Box<Notice>),
    /// Somebody is telling it.
    Telling,
    /// It has been told, and answered this.
    Told(Result<(), String>),
}

/// Tells the sinks that a run has started, and lets them look up what they need. To be called as
/// soon as the command runs; it returns at once. What can wait is done by one thread, which ends
/// when it is done; if there is no thread to be had, [`super::deliver`] makes up for it. The notice is made
/// if somebody wants it.
pub fn announce(sinks: &[Arc<dyn Sink>], started: impl FnOnce() -> Notice) -> Announcement {
    let started = LazyCell::new(started);
    let mut announcement = Announcement::default();
    let mut waiting: Vec<Waiting> = Vec::new();
    for (place, sink) in sinks.iter().enumerate() {
        let wants = sink.wants(Topic::Start);
        match sink.pace() {
            Pace::Prompt if wants => {
                let notices = std::slice::from_ref(&*started);
                let answer = sink.deliver(notices, Deadline::after(START_LIMIT));
                announcement.errors.extend(error_of(&**sink, answer));
            }
            // Opens what it will need; an error will be its answer at the end.
            Pace::Prompt => sink.prepare(),
            Pace::Waiting => {
                let pending = wants.then(|| Arc::new(Pending::new(started.clone())));
                announcement.pending.extend(pending.clone().map(|pending| (place, pending)));
                waiting.push((Arc::clone(sink), pending));
            }
        }
    }
    if !waiting.is_empty() {
        // Without a thread the notices stay due.
        let _ = thread(move || announce_waiting(&waiting));
    }
    announcement
}

/// On the helper thread. Look-ups come last: they may hang for longer than any notice, and who
/// needs one looks up by itself.
fn announce_waiting(sinks: &[Waiting]) {
    for (sink, pending) in sinks {
        let Some(pending) = pending else { continue };
        if let Some(notice) = pending.claim() {
            let answer = sink.deliver(&[notice], Deadline::after(START_LIMIT));
            pending.settle(answer);
        }
    }
    for (sink, _) in sinks {
        sink.prepare();
    }
}

impl Pending {
    fn new(notice: Notice) -> Self {
        Self { stage: Mutex::new(Stage::Due(Box::new(notice))), told: Condvar::new() }
    }

    /// The stage; no panic can happen while it is held.
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The notice, for whoever asks first.
    pub(super) fn claim(&self) -> Option<Notice> {
        let mut stage = self.stage();
        if !matches!(*stage, Stage::Due(_)) {
            return None;
        }
        match std::mem::replace(&mut *stage, Stage::Telling) {
            Stage::Due(notice) => Some(*notice),
            Stage::Telling | Stage::Told(_) => None,
        }
    }

    fn settle(&self, answer: Result<(), String>) {
        *self.stage() = Stage::Told(answer);
        self.told.notify_all();
    }

    /// Waits until it has been told; the answer, or that it is not there by the deadline.
    pub(super) fn answer(&self, deadline: Deadline) -> Result<(), String> {
        let still_telling = |stage: &mut Stage| matches!(stage, Stage::Telling);
        let waited = self.told.wait_timeout_while(self.stage(), deadline.left(), still_telling);
        match &*waited.unwrap_or_else(PoisonError::into_inner).0 {
            Stage::Told(answer) => answer.clone(),
            Stage::Due(_) | Stage::Telling => Err("still busy with the start of the run".to_owned()),
        }
    }
}
