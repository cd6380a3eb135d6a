//! Jobs of a crontab that were never on record: a line that cron does not read, a job whose wrapper was
//! never found, a host that was set up and never worked.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::assessment::unreadable;
use super::plugin::Finding;
use crate::clock::Timestamp;
use crate::crontab::lines::Form;
use crate::crontab::{WrappedJob, wrapped_jobs};
use crate::human;
use crate::notice::Health;
use crate::os_error;
use crate::plan;
use crate::settings::Setting;
use crate::standing::{Moment, overdue};

/// How long after the start of the host an `@reboot` job is given to come on record.
const AFTER_BOOT: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// What is found in one crontab, of the jobs that are not among `findings` already.
pub fn findings(
    path: &Path,
    findings: &[Finding],
    wanted: &dyn Fn(&str) -> bool,
    state_dir: &Path,
    moment: &Moment<'_>,
) -> Vec<Finding> {
    let cannot =
        |why: String| vec![unreadable(&path.display().to_string(), None, format!("cannot be read: {why}"))];
    // Of a pipe nobody can say since when its lines are in force; and one without a writer would hang the check.
    let written = match fs::metadata(path) {
        Ok(found) if found.is_file() => Timestamp::from_millis(found.mtime().saturating_mul(1000)),
        Ok(_) => return cannot("it is not a regular file; write 'crontab -l' to one".to_owned()),
        Err(error) => return cannot(os_error::words_of(&error)),
    };
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) => return cannot(os_error::words_of(&error)),
    };
    let found = wrapped_jobs(&text, Form::of_place(path));
    let unknown = |job: &&WrappedJob| {
        let label = job.label.as_str();
        wanted(label) && findings.iter().all(|finding| finding.label != label)
    };
    let never = found.jobs.iter().filter(unknown).map(|job| of_job(job, path, written, state_dir, moment));
    let unread = found.problems.iter().map(|problem| {
        unreadable(&format!("{}:{}", path.display(), problem.line_number), None, problem.reason.clone())
    });
    never.chain(unread).collect()
}

/// A job that is not on record: it should be, if a run of it was due since the crontab was written.
fn of_job(
    job: &WrappedJob,
    path: &Path,
    written: Timestamp,
    state_dir: &Path,
    moment: &Moment<'_>,
) -> Finding {
    let place = format!("line {} of '{}'", job.line_number, path.display());
    if let Some(elsewhere) = job.given(Setting::StateDir).filter(|dir| Path::new(dir) != state_dir) {
        let elsewhere = Path::new(elsewhere).display();
        let sentence = format!("its state is kept in '{elsewhere}', which was not looked at ({place})");
        return Finding {
            health: Health::Ok,
            ..unreadable(job.label.as_str(), job.user.as_deref(), sentence)
        };
    }
    let due = match &job.schedule {
        Some(schedule) => {
            let start_delay = plan::longest_start_delay(job.given(Setting::Jitter));
            overdue(schedule, &moment.earlier_by(start_delay)).filter(|&due| due > written)
        }
        None => moment.booted.filter(|&booted| booted > written && moment.now.since(booted) > AFTER_BOOT),
    };
    let (health, sentence) = match due {
        Some(due) if !job.is_conditional => {
            let due = human::local(due, moment.zone);
            (Health::Critical, format!("never ran, though it was due at {due} ({place})"))
        }
        Some(_) | None => (Health::Ok, format!("has not run yet ({place})")),
    };
    Finding { health, ..unreadable(job.label.as_str(), job.user.as_deref(), sentence) }
}
