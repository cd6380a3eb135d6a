//! `cronward doctor`: looks at everything that runs need, and says what to do. One file for each thing that is looked
//! at: facts are gathered there by a thin shell, and examined by what touches nothing. Nothing is changed, but for a
//! file that locks are tried on, and nobody is told anything.

mod alerts;
mod binary;
mod clock;
mod configuration;
mod cron;
mod destinations;
mod finding;
mod jobs;
mod limits;
mod locks;
mod state;
mod users;
mod variables;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::attend::{Attendant, OfRecord};
use crate::clock::Timestamp;
use crate::config::{self, Configured};
use crate::journal;
use crate::outcome::Exit;
use crate::plan::{self, Host, ThisHost};
use crate::settings::{Setting, UsageError};
use crate::{diagnostics, rehearsal};
use finding::{Area, Finding};
use jobs::Job;

/// Where root may make a directory for a user without a home.
const USERS: &str = "/var/lib/cronward-users";

/// How long sinks are looked at, if no plan says.
const LIMIT: Duration = Duration::from_secs(5);

/// Examines everything that runs need.
///
/// # Errors
/// An option that means nothing. What means nothing in a variable or a file is a finding.
pub fn doctor(
    options: Vec<(Setting, OsString)>,
    environment: Vec<OsString>,
    json: bool,
    now: Timestamp,
) -> Result<Exit, UsageError> {
    let zone = environment.iter().find_map(|word| word.as_bytes().strip_prefix(b"TZ="));
    let zone = zone.map(|value| String::from_utf8_lossy(value).into_owned());
    let (of_variables, environment) = variables::examine(environment);
    let (state_dir, own) = plan::state_dir_to_read(options, environment, &ThisHost, &config::read_file)?;
    let mut findings = of_variables;
    // Where there is no place for state, everything else is looked at all the same.
    let (state_dir, nowhere) = match state_dir {
        Ok(state_dir) => (state_dir, None),
        Err(why) => (Path::new(USERS).join(ThisHost.user().to_string()), Some(why)),
    };
    findings.extend(Examination { state_dir: &state_dir, nowhere, own: &own, zone, now }.all());
    let text = if json { finding::json(&findings) } else { finding::text(&findings) };
    // What cannot be printed is as good as not looked at.
    let printed = diagnostics::print(&text);
    Ok(Exit::Code(if printed { finding::status(&findings) } else { 2 }))
}

/// What is looked at.
struct Examination<'a> {
    state_dir: &'a Path,
    /// Why there is no place for state, if there is none.
    nowhere: Option<String>,
    own: &'a Configured,
    /// `TZ`.
    zone: Option<String>,
    now: Timestamp,
}

impl Examination<'_> {
    fn all(self) -> Vec<Finding> {
        let Self { state_dir, nowhere, own, zone, now } = self;
        let (root, user) = (rehearsal::root(), ThisHost.user());
        let attendant = Attendant { state_dir: state_dir.to_owned(), own, host: &ThisHost };
        let read = jobs::on_record(&attendant, now);
        let jobs = read.as_deref().unwrap_or_default();
        let labels = jobs.iter().map(|job| job.entry.label.clone()).collect();
        let mut findings = configuration::examine(&configuration::Facts::gather(own, labels, user));

        let entries: Vec<&journal::Entry> = jobs.iter().map(|job| &job.entry).collect();
        let facts = state::Facts::gather(state_dir, nowhere, &entries, user, now);
        findings.extend(state::examine(&facts));
        findings.extend(jobs::examine(jobs));
        let is_usable = matches!(facts.place, state::Place::Usable(_));
        if let (Err(why), true) = (&read, is_usable) {
            findings.push(Finding::fault(
                Area::State,
                why.clone(),
                "see to it; until then no run is remembered",
            ));
        }
        findings.extend(locks::examine(state_dir, is_usable));

        let last = jobs.iter().filter_map(|job| Some((job.entry.label.clone(), job.last()?))).collect();
        findings.extend(clock::examine(&clock::Facts::gather(now, last, zone)));
        findings.extend(limits::examine(&limits::Facts::gather(user)));
        findings.extend(of_sinks(attendant.of_no_job(), jobs));

        let has_mail = root.join("usr/sbin/sendmail").is_file() || root.join("usr/lib/sendmail").is_file();
        findings.extend(alerts::examine(&alerts::Facts {
            jobs: jobs.iter().map(alerts::job_facts).collect(),
            has_mail,
            unreached: journal::unreached(state_dir),
            now,
        }));
        let own_path = binary::Facts::gather(user);
        findings.extend(cron::examine(&cron::Facts {
            crontabs: cron::Facts::crontabs(&root, user),
            watched: watched(jobs),
            last_check: journal::last_check(state_dir),
            own_path: own_path.path.clone(),
            root,
            now,
        }));
        findings.extend(binary::examine(&own_path));
        findings.extend(users::examine(attendant.others(), now));
        findings
    }
}

/// The jobs whose missing runs only a check notices.
fn watched(jobs: &[Job]) -> Vec<String> {
    let is_watched = |job: &&Job| {
        job.record
            .as_ref()
            .is_ok_and(|record| record.plan.schedule.is_some() || record.plan.max_age.is_some())
    };
    jobs.iter().filter(is_watched).map(|job| job.entry.label.clone()).collect()
}

fn of_sinks(own: Result<OfRecord, UsageError>, jobs: &[Job]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(why) = &own {
        findings.push(Finding::fault(
            Area::Sinks,
            why.to_string(),
            "set it right; until then no job is started (125)",
        ));
    }
    let own = own.as_ref().ok();
    let plans = jobs.iter().filter_map(|job| job.record.as_ref().ok()).chain(own).map(|record| &record.plan);
    let limit = plans.map(|plan| plan.flush_deadline).max().unwrap_or(LIMIT);
    let mut hidden = BTreeMap::new();
    for name in jobs.iter().flat_map(Job::hidden) {
        *hidden.entry(name.clone()).or_insert(0) += 1;
    }
    let looked = destinations::look(destinations::of(own, jobs), limit);
    findings.extend(destinations::examine(&looked, &hidden, limit));
    findings
}
