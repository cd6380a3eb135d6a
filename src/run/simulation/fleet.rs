//! One host of the fleet: its jobs, when they run and how they end, and what must come of it by a model that
//! knows nothing of cronward.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::SINKS;
use super::world::{DAY, Dice, EPOCH, HERE, HOUR, MINUTE, Records, World};
use crate::cli::{Invocation, parse};
use crate::clock::{Deadline, Timestamp, by_the_clock_of_a_test};
use crate::config::{Configured, Levels};
use crate::job::RunId;
use crate::journal::fixture::leave;
use crate::journal::{self, Journal, KeptPlan, Look};
use crate::outcome::{Ending, Outcome, Run, RunEnd};
use crate::plan::{self, Plan, ThisHost};
use crate::run::onlooker::LeftToDo;
use crate::run::report::{Ended, report};
use crate::run::{Circumstances, SignalState};
use crate::sinks::{self, Sink};
use crate::sys::signals::SignalSet;

/// Something that a sink was told.
#[derive(Debug, Clone)]
pub struct Told {
    pub sink: String,
    pub label: String,
    pub kind: &'static str,
    pub id: RunId,
    pub alert: RunId,
    pub key: String,
    pub is_shared: bool,
    pub at: i64,
}

/// A job, and what the model says of it.
pub struct Job {
    pub label: String,
    plan: Arc<Plan>,
    levels: Levels,
    sinks: Vec<Arc<dyn Sink>>,
    period: i64,
    next: i64,
    /// How many of a thousand runs fail.
    fails: i64,
    /// Failures in a row that open the alert.
    threshold: usize,
    is_deployed: bool,
    expected: Expected,
    streak: usize,
    is_open: bool,
}

/// What must have come of a job.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    pub label: String,
    pub runs: usize,
    pub failures: usize,
    pub incidents: usize,
}

/// A host whose days are over.
pub struct Lived {
    pub number: usize,
    pub jobs: Vec<Expected>,
    pub told: Vec<Told>,
    pub refused: usize,
    pub deaths: usize,
    /// Whether every delivery has been made.
    pub owes_nothing: bool,
}

/// How far cronward gets with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaches {
    /// All the way.
    End,
    /// It dies while the command runs, or in the middle of putting the outcome on record.
    TornRecord(usize),
    /// It dies before anybody is told.
    Record,
    /// It dies after sinks were told, before or while that is put on record.
    Telling,
}

pub struct Host {
    number: usize,
    root: tempfile::TempDir,
    jobs: Vec<Job>,
    deaths: usize,
    dice: Dice,
}

/// The bad deploy: from then on the job of that name fails for two hours, on every host.
const DEPLOY: i64 = EPOCH + 5 * HOUR;

impl Host {
    pub fn new(number: usize, jobs: usize, world: &Arc<World>) -> Self {
        // Memory where there is some for files: there is a sync for each incident.
        let memory = std::path::Path::new("/dev/shm");
        let root = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
        let mut dice = Dice::new(number as u64 + 1);
        let records = Records::new(world, Dice::new(dice.next()));
        HERE.set(Some(Arc::new(Mutex::new(records))));
        let mut host = Self { number, root, jobs: Vec::new(), deaths: 0, dice: dice.clone() };
        for job in 0..jobs {
            let period = [30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR][dice.below(4).unsigned_abs() as usize];
            let fails = if dice.per_mille(100) { 350 } else { 5 };
            let threshold = 1 + job % 3;
            let job = host.job(&format!("h{number}-job{job}"), "{host}/{label}", period, fails, threshold);
            host.jobs.push(job);
        }
        let deployed = host.job(&format!("h{number}-app"), "deploy", HOUR, 0, 1);
        host.jobs.push(Job { is_deployed: true, ..deployed });
        host.dice = dice;
        host
    }

    fn job(&mut self, label: &str, key: &str, period: i64, fails: i64, threshold: usize) -> Job {
        let state = self.root.path().join("state").display().to_string();
        let after = threshold.to_string();
        let mut args: Vec<OsString> = ["cronward", "-l", label, "--no-config", "--state-dir", &state]
            .into_iter()
            .chain(["--alert-after", &after, "--alert-key", key])
            .map(OsString::from)
            .collect();
        args.extend(SINKS.iter().flat_map(|sink| ["--sink".into(), format!("simulated:{sink}").into()]));
        args.push("true".into());
        let Ok(Invocation::Run(typed)) = parse(args) else { panic!("{label} is no run") };
        let configured = Configured::new(typed, Vec::new()).unwrap();
        let (plan, levels) = plan::resolve(configured, &ThisHost).unwrap();
        let sinks = sinks::open(&plan).unwrap();
        let next = EPOCH + self.dice.below(period);
        Job {
            label: label.to_owned(),
            plan: Arc::new(plan),
            levels,
            sinks,
            period,
            next,
            fails,
            threshold,
            is_deployed: false,
            expected: Expected { label: label.to_owned(), ..Expected::default() },
            streak: 0,
            is_open: false,
        }
    }

    /// Lives to the end of the day without trouble.
    pub fn live(mut self, world: &Arc<World>) -> Lived {
        let end = world.calm_from + DAY;
        loop {
            let (at, index) =
                self.jobs.iter().enumerate().map(|(index, job)| (job.next, index)).min().unwrap();
            if at >= end {
                break;
            }
            let calm = at >= world.calm_from;
            let reaches = if calm { Reaches::End } else { self.fate() };
            let job = &mut self.jobs[index];
            let failed = !calm && job.fails(at, &mut self.dice);
            job.run(at, failed, reaches);
            if reaches != Reaches::End {
                self.deaths += 1;
            }
            job.next = at + job.period;
        }
        by_the_clock_of_a_test(None);
        let records = HERE.take().unwrap();
        let mut records = records.lock().unwrap();
        Lived {
            number: self.number,
            told: std::mem::take(&mut records.told),
            refused: records.refused,
            deaths: self.deaths,
            owes_nothing: self.owes_nothing(),
            jobs: self.jobs.into_iter().map(|job| job.expected).collect(),
        }
    }

    fn fate(&mut self) -> Reaches {
        match self.dice.below(200) {
            0 => Reaches::TornRecord(0),
            1 => Reaches::TornRecord(self.dice.below(300).unsigned_abs() as usize),
            2 | 3 => Reaches::Record,
            4 | 5 => Reaches::Telling,
            _ => Reaches::End,
        }
    }

    fn owes_nothing(&self) -> bool {
        let state = self.root.path().join("state");
        let entries = journal::entries(&state, Look::Plans, Timestamp::now()).unwrap();
        let is_paid = |entry: &journal::Entry| entry.remembered.as_ref().is_ok_and(|of| of.owed.is_empty());
        entries.len() == self.jobs.len() && entries.iter().all(is_paid) && !state.join("owed").exists()
    }
}

impl Job {
    fn fails(&self, at: i64, dice: &mut Dice) -> bool {
        let badly_deployed = self.is_deployed && (DEPLOY..DEPLOY + 2 * HOUR).contains(&at);
        badly_deployed || dice.per_mille(self.fails)
    }

    /// What must come of a run: so many failures in a row are an incident, a success is its end.
    fn expect(&mut self, failed: bool) {
        self.expected.runs += 1;
        if failed {
            self.expected.failures += 1;
            self.streak += 1;
            self.expected.incidents += usize::from(!self.is_open && self.streak >= self.threshold);
            self.is_open |= self.streak >= self.threshold;
        } else {
            self.streak = 0;
            self.is_open = false;
        }
    }

    fn run(&mut self, at: i64, failed: bool, reaches: Reaches) {
        by_the_clock_of_a_test(Some(Timestamp::from_millis(at)));
        let path = self.plan.state_dir.as_ref().unwrap().join("jobs").join(&self.label).join("runs.jsonl");
        let size = || fs::metadata(&path).map_or(0, |found| found.len());
        let cut = |to: u64| OpenOptions::new().write(true).open(&path).unwrap().set_len(to).unwrap();
        let id = RunId::new();
        let mut journal = Journal::open(&self.plan.state_dir, &self.plan.job.label, &self.plan.job.host);
        journal.keep(KeptPlan::of(&self.plan, &self.levels));
        leave(&journal.begin(id, Timestamp::from_millis(at)), 4711);
        let started = size();
        let run = ended(id, at, failed);
        if let Reaches::TornRecord(bytes) = reaches {
            // Whoever finds it dead counts it as a failure, before their own.
            self.expect(true);
            if bytes > 0 {
                let deadline = Deadline::after(Duration::from_secs(60));
                self.commit(&mut journal, &run, deadline);
                cut(size().min(started + bytes as u64));
            }
            return;
        }
        self.expect(failed);
        if reaches == Reaches::Record {
            self.commit(&mut journal, &run, Deadline::after(Duration::from_secs(60)));
            return;
        }
        let caller = SignalState { mask: SignalSet::ALL, child_ignored: false };
        let circumstances = Circumstances {
            plan: &self.plan,
            levels: &self.levels,
            sinks: &self.sinks,
            id,
            started_at: run.started_at,
            caller,
            traceparent: None,
        };
        let deadline = Deadline::after(Duration::from_secs(60));
        let ended = Ended { run, problems: Vec::new() };
        report(&circumstances, &mut journal, ended, None, LeftToDo::default(), deadline);
        if reaches == Reaches::Telling {
            let text = fs::read(&path).unwrap();
            let settled = memchr::memmem::rfind(&text, b"{\"v\":1,\"settled\"");
            if let Some(settled) = settled.filter(|&at| at as u64 > started) {
                cut(settled as u64 + 20);
                // Its name was still in the list.
                let owed = self.plan.state_dir.as_ref().unwrap().join("owed");
                let _ = fs::create_dir(&owed);
                fs::write(owed.join(&self.label), "").unwrap();
            }
        }
    }

    fn commit(&self, journal: &mut Journal, run: &Run, deadline: Deadline) {
        crate::dispatch::with_rules(&self.plan, &self.sinks, |rules| {
            journal.commit(run, &self.plan.job.command, deadline, rules)
        });
    }
}

fn ended(id: RunId, at: i64, failed: bool) -> Run {
    let outcome = if failed { Outcome::Failed } else { Outcome::Ok };
    let end = RunEnd::Ended(Ending::Exited(u8::from(failed)));
    Run {
        ended_at: Some(Timestamp::from_millis(at + 100)),
        wall_time: Some(Duration::from_millis(100)),
        pid: Some(4711),
        ..Run::new(id, Timestamp::from_millis(at), end, outcome)
    }
}
