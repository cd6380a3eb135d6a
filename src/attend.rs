//! Acting on a job of record while no run of it ends: what `check`, `mute` and `forget` share. The plan
//! is that of its last run, on top of what the configuration files say now.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::{Deadline, Timestamp};
use crate::config::{self, Configured, Given, Level, Levels, Origin};
use crate::dispatch::{Dispatch, Dispatched, Pressing, with_rules};
use crate::job::CommandLine;
use crate::journal::{self, Amend, Amendment, Journal, KeptPlan, Reviewed, UnderWayNow};
use crate::notice::{Finished, Notice};
use crate::plan::{self, Host, Plan};
use crate::policy::{self, History};
use crate::settings::{Setting, UsageError};
use crate::sinks::delivery::Announcement;
use crate::sinks::{self, Sink};
use crate::standing::{self, Expected, Moment, Trouble};
use crate::turn::Owed;

/// Whoever attends to jobs: where their state is, and the surroundings in which their alerts are told.
pub struct Attendant<'a> {
    /// Where their state is.
    pub state_dir: PathBuf,
    /// What was typed and set for whoever attends.
    pub own: &'a Configured,
    /// The host.
    pub host: &'a dyn Host,
}

/// A job of record, with its plan.
pub struct OfRecord {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Where its notices go.
    pub sinks: Vec<Arc<dyn Sink>>,
}

/// The host that a job ran on: the same, or the one that shared the state directory.
struct HostOfRecord<'a> {
    name: Option<&'a str>,
    here: &'a dyn Host,
}

impl Host for HostOfRecord<'_> {
    fn name(&self) -> String {
        self.name.map_or_else(|| self.here.name(), str::to_owned)
    }

    fn user(&self) -> u32 {
        self.here.user()
    }

    fn home(&self) -> Option<PathBuf> {
        self.here.home()
    }

    fn is_dir(&self, path: &std::path::Path) -> bool {
        self.here.is_dir(path)
    }

    fn may_write(&self, dir: &std::path::Path) -> bool {
        self.here.may_write(dir)
    }

    fn working_dir(&self) -> Option<PathBuf> {
        self.here.working_dir()
    }
}

impl Attendant<'_> {
    /// The host whose other users are looked at, too: none if somebody has said where to look.
    pub fn others(&self) -> Option<&dyn Host> {
        self.own.levels.nearest(Setting::StateDir).is_none().then_some(self.host)
    }

    /// The plan of a job: what its last run was given, if that is known, below it what the files say.
    ///
    /// # Errors
    /// A value of the last run's that means nothing to this version.
    pub fn of_record(&self, label: &str, kept: Option<&KeptPlan>) -> Result<OfRecord, UsageError> {
        let given = |setting, level, text| Given { origin: Origin::at(setting, level), text };
        let mut options = vec![given(Setting::Label, Level::Flag, OsString::from(label))];
        let options_of_run = kept.into_iter().flat_map(KeptPlan::options);
        let nearer = options_of_run.filter(|option| !option.level.is_of_files());
        options.extend(
            nearer
                .filter(|option| !is_of_attendant(option.setting) && option.setting != Setting::Label)
                .map(|option| given(option.setting, option.level, option.text)),
        );
        options.extend(
            self.own.levels.given().iter().filter(|given| is_of_attendant(given.origin.setting)).cloned(),
        );
        options.sort_by_key(|given| given.origin.level);
        let mut surroundings = self.own.surroundings.clone();
        if let Some(kept) = kept {
            surroundings.search_path = kept.search_path().map(OsString::from);
            surroundings.variables = kept.variables_beside(&surroundings.variables);
        }
        let command = kept.map_or_else(|| CommandLine::Words(vec![label.into()]), KeptPlan::command);
        let mut configured =
            Configured { command, surroundings, levels: Levels::of(options), dry_run: false };
        plan::read_files(&mut configured, &config::read_file)?;
        plan::sift(&mut configured, &sinks::refusal);
        if let Some(kept) = kept {
            lay_last_run(&mut configured, kept);
        }
        let host = HostOfRecord { name: kept.map(KeptPlan::host), here: self.host };
        self.decided(configured, &host)
    }

    /// What is configured for whoever attends, and no job.
    ///
    /// # Errors
    /// A value that means nothing.
    pub fn of_no_job(&self) -> Result<OfRecord, UsageError> {
        let Configured { command, surroundings, levels, .. } = self.own;
        let (surroundings, levels) = (surroundings.clone(), levels.clone());
        let mut configured = Configured { command: command.clone(), surroundings, levels, dry_run: false };
        plan::read_files(&mut configured, &config::read_file)?;
        plan::sift(&mut configured, &sinks::refusal);
        self.decided(configured, self.host)
    }

    fn decided(&self, configured: Configured, host: &dyn Host) -> Result<OfRecord, UsageError> {
        let (mut plan, _) = plan::resolve(configured, host)?;
        plan.state_dir = Ok(self.state_dir.clone());
        let sinks = sinks::open(&plan).map_err(UsageError::new)?;
        Ok(OfRecord { plan: Arc::new(plan), sinks })
    }
}

/// Where the configuration files of a run are in trouble, what the last run of its label had of them takes
/// their place, its lock included.
///
/// # Errors
/// A label or state directory that means nothing, given by an option or a variable.
pub fn fall_back(configured: &mut Configured, host: &dyn Host) -> Result<(), UsageError> {
    if !configured.levels.in_trouble() {
        return Ok(());
    }
    let Ok(state_dir) = plan::state_dir_of(configured, host)? else { return Ok(()) };
    let label = plan::label(&configured.command, &configured.levels)?;
    if let Some(kept) = journal::last_plan(&state_dir, &label) {
        lay_last_run(configured, &kept);
    }
    Ok(())
}

fn lay_last_run(configured: &mut Configured, kept: &KeptPlan) {
    if configured.levels.in_trouble() {
        configured.levels.fall_back(kept.of_files());
        // A value of another version's may mean nothing to this one.
        plan::sift(configured, &sinks::refusal);
    }
}

/// What becomes of the alert of a job that is in trouble at this moment; `None` if nothing does.
pub fn amendment(
    plan: &Plan,
    history: &History,
    under_way: &[UnderWayNow],
    moment: &Moment<'_>,
) -> Option<Amendment> {
    let troubles = standing::troubles(history, under_way, &Expected::of(plan), moment);
    let key = &plan.job.alert_key;
    let hung = troubles.iter().find_map(Trouble::hung);
    let absent = troubles.iter().any(|trouble| trouble.hung().is_none());
    let judgement = match (absent, hung) {
        (true, _) => policy::judge_trouble(history, key, &plan.rule, moment.now),
        (false, Some(run)) => policy::judge_overdue(history, run.id, key, &plan.rule, moment.now),
        (false, None) => return None,
    };
    if judgement.history == *history {
        return None;
    }
    let sentences: Vec<String> = troubles.iter().map(|trouble| trouble.sentence(moment.zone)).collect();
    Some(Amendment { judgement, what: sentences.join("; "), run: hung.cloned() })
}

/// Where state and configuration are is for the attendant to say, not for the job.
fn is_of_attendant(setting: Setting) -> bool {
    matches!(setting, Setting::StateDir | Setting::Config | Setting::NoConfig)
}

impl OfRecord {
    /// Puts runs that have died on record, and what `amend` makes of what is remembered; and tells it all.
    ///
    /// # Errors
    /// In words: the journal cannot be used.
    pub fn attend(&self, now: Timestamp, amend: Amend<'_>) -> Result<Reviewed, String> {
        let plan = &*self.plan;
        let deadline = Deadline::after(plan.flush_deadline);
        let mut journal = Journal::open(&plan.state_dir, &plan.job.label, &plan.job.host);
        let mut reviewed =
            with_rules(plan, &self.sinks, |rules| journal.review(now, deadline, rules, amend))?;
        let notices = notices(plan, &reviewed, now);
        let dispatched = Dispatch {
            plan,
            sinks: &self.sinks,
            journal: &mut journal,
            notices: &notices,
            owed: &reviewed.owed,
            given_up: std::mem::take(&mut reviewed.given_up),
            pressing: Pressing::WhoMayBeTried,
        }
        .tell(Announcement::default(), deadline, &mut || false);
        reviewed.owed = dispatched.left;
        Ok(reviewed)
    }

    /// The sinks of the job that something may be owed to, by their identities.
    pub fn sinks_of_record(&self) -> Vec<String> {
        sinks::creditors(&self.plan.sinks, &self.sinks).into_iter().map(|(_, sink)| sink).collect()
    }

    /// Tells the sinks of the job what is owed to them.
    pub fn pay(&self, owed: &[Owed], pressing: Pressing, deadline: Deadline) -> Dispatched {
        let plan = &*self.plan;
        let mut journal = Journal::open(&plan.state_dir, &plan.job.label, &plan.job.host);
        if owed.is_empty() {
            // It is noted among those that owe something, and does not.
            let now = Timestamp::now();
            let _ = with_rules(plan, &self.sinks, |rules| journal.settle(&[], now, deadline, rules));
            return Dispatched::default();
        }
        Dispatch {
            plan,
            sinks: &self.sinks,
            journal: &mut journal,
            notices: &[],
            owed,
            given_up: Vec::new(),
            pressing,
        }
        .tell(Announcement::default(), deadline, &mut || false)
    }
}

/// What there is to tell of a review: of runs that were found dead, oldest first, and of what was added.
pub fn notices(plan: &Plan, reviewed: &Reviewed, now: Timestamp) -> Vec<Notice> {
    let lost = reviewed.lost.iter().flat_map(|(run, judgement)| {
        let history = judgement.history.clone();
        let (history, problems) = (Some(history), Vec::new());
        let finished = Finished { run: run.clone(), history, problems, sink_errors: Vec::new() };
        let turn = reviewed.turns.iter().find(|turn| turn.is_of(run.id));
        Notice::ended(&plan.job, finished, turn, now)
    });
    let noticed = reviewed.turns.iter().filter(|turn| turn.was_noticed());
    lost.chain(noticed.map(|turn| Notice::turned(&plan.job, turn))).collect()
}
