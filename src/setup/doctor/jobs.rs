//! The jobs on record with their plans, as whoever attends to them has them.

use std::sync::Arc;

use super::finding::{Area, Finding};
use crate::attend::{Attendant, OfRecord};
use crate::clock::Timestamp;
use crate::journal::{self, Drills, Entry, KeptPlan, Look};
use crate::plan::Plan;
use crate::sinks::Sink;

/// A job on record.
pub struct Job {
    /// What is remembered.
    pub entry: Entry,
    /// Its plan and sinks, or why there is none.
    pub record: Result<OfRecord, String>,
    /// Its drills.
    pub drills: Option<Drills>,
}

impl Job {
    fn plan(&self) -> Option<&KeptPlan> {
        self.entry.remembered.as_ref().ok()?.plan.as_ref()
    }

    /// The sinks of it that are only known where their secrets are written out.
    pub fn hidden(&self) -> &[String] {
        self.plan().map_or(&[], KeptPlan::hidden_sinks)
    }

    /// Whether all of its sinks are known.
    pub fn is_known(&self) -> bool {
        self.plan().is_some() && self.hidden().is_empty()
    }

    /// When its last run ended.
    pub fn last(&self) -> Option<Timestamp> {
        self.entry.remembered.as_ref().ok()?.history.last.as_ref().map(|last| last.ended_at)
    }

    /// Its plan and its sinks, each with its place. The default that stands for what is not known is none of them.
    pub fn sinks(&self) -> impl Iterator<Item = (&Arc<Plan>, usize, &Arc<dyn Sink>)> {
        let is_own = |plan: &Plan, place: usize| {
            self.is_known() || plan.sinks.get(place).is_some_and(|word| word.origin != "the default")
        };
        self.record.as_ref().ok().into_iter().flat_map(move |OfRecord { plan, sinks }| {
            let numbered = sinks.iter().enumerate();
            numbered
                .filter(move |(place, _)| is_own(plan, *place))
                .map(move |(place, sink)| (plan, place, sink))
        })
    }
}

/// All of them.
///
/// # Errors
/// In words: the state directory cannot be read.
pub fn on_record(attendant: &Attendant<'_>, now: Timestamp) -> Result<Vec<Job>, String> {
    let job = |entry: Entry| {
        let kept = entry.remembered.as_ref().ok().and_then(|remembered| remembered.plan.as_ref());
        let record = attendant.of_record(&entry.label, kept).map_err(|why| why.to_string());
        let drills = journal::drills(&attendant.state_dir, &entry.name);
        Job { record, drills, entry }
    };
    Ok(journal::entries(&attendant.state_dir, Look::Plans, now)?.into_iter().map(job).collect())
}

/// Jobs of which nobody but their own runs can speak.
pub fn examine(jobs: &[Job]) -> Vec<Finding> {
    let bad = jobs.iter().filter_map(|job| job.record.as_ref().err().map(|why| (&job.entry.label, why)));
    let finding = |(label, why): (&String, &String)| {
        let what = format!("what '{label}' was last run with means nothing here: {why}");
        Finding::warning(Area::State, what, "mend its line; the next run puts it right")
    };
    bad.map(finding).collect()
}
