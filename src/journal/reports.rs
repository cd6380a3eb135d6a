//! The files in which runs leave their reports. Each run removes its own, and whoever finds a run dead removes
//! that run's. What is left is what the command of such a run writes after that: nobody waits for it.

use std::time::Duration;

use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::Files;
use super::locks::{self, Byte};
use super::under_way::UnderWay;
use crate::clock::Timestamp;
use crate::job::RunId;

const PREFIX: &str = "report-";
/// How long nobody must have written to a report before it is nobody's. Where there are no locks to be had,
/// and for runs on another host that shares the directory, there is no other sign of life.
const FORGOTTEN: Duration = Duration::from_secs(24 * 60 * 60);
/// How many names are looked at.
const NAMES_MAX: usize = 10_000;

/// The file in a job's directory that a run may leave its report in.
pub(super) fn name_of(run: RunId) -> String {
    format!("{PREFIX}{run}")
}

/// Removes the report of a run, if there is one.
pub(super) fn remove(files: &Files, run: RunId) {
    let _ = unlinkat(files.directory.fd(), &name_of(run)[..], UnlinkatFlags::NoRemoveDir);
}

/// Removes the reports of runs that are over: not under way, and nobody has written to them for a day. To be
/// called where a run that died was found, or the journal is compacted: an ordinary run leaves nothing
/// behind, and is spared the look.
pub(super) fn prune(files: &Files, under_way: &UnderWay, now: Timestamp) {
    let Ok(names) = files.directory.names(NAMES_MAX) else { return };
    for name in names {
        let run = name.strip_prefix(PREFIX).and_then(RunId::parse);
        // What has been begun since the journal was read has its byte.
        let is_alive = |run| under_way.contains(run) || lives(files, run);
        if run.is_some_and(|run| !is_alive(run)) && is_forgotten(files, &name, now) {
            let _ = unlinkat(files.directory.fd(), &name[..], UnlinkatFlags::NoRemoveDir);
        }
    }
}

fn lives(files: &Files, run: RunId) -> bool {
    files.lock.as_ref().is_ok_and(|lock| locks::is_held(lock, Byte::of_run(run)) != Ok(false))
}

fn is_forgotten(files: &Files, name: &str, now: Timestamp) -> bool {
    fstatat(files.directory.fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(|found| {
        now.as_millis().saturating_sub(found.st_mtime * 1000) > FORGOTTEN.as_millis() as i64
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::PathBuf;
    use std::time::SystemTime;

    use super::*;
    use crate::journal::fixture::{Home, ended, leave};
    use crate::outcome::Outcome;

    /// A report that was last written to so many seconds ago.
    fn report(home: &Home, run: RunId, age: u64) -> PathBuf {
        let path = home.job_dir().join(name_of(run));
        let written = SystemTime::now() - Duration::from_secs(age);
        File::create(&path).unwrap().set_modified(written).unwrap();
        path
    }

    /// One of a run that is over, one that somebody may still write to, one of a run that is under way, one whose
    /// start is not on record, and something else; and which of them are there after a run that finds
    /// something to do.
    fn left_behind(home: &Home, run: &dyn Fn()) -> [bool; 5] {
        let day = FORGOTTEN.as_secs();
        let (recorded, unrecorded) = (RunId::new(), RunId::new());
        let (mut first, mut second) = (home.open(), home.open());
        leave(&first.begin(recorded, Timestamp::now()), 4711);
        let _ = second.begin(unrecorded, Timestamp::now());
        let other = home.job_dir().join("report-x");
        fs::write(&other, "").unwrap();
        let paths = [
            report(home, RunId::new(), day + 60),
            report(home, RunId::new(), day - 60),
            report(home, recorded, day + 60),
            report(home, unrecorded, day + 60),
            other,
        ];
        run();
        home.commit(&mut first, &crate::outcome::Run { id: recorded, ..ended(Outcome::Ok) });
        paths.map(|path| path.exists())
    }

    #[test]
    fn an_ordinary_run_looks_at_no_report_but_its_own() {
        let home = Home::new();
        home.play(Outcome::Ok);
        assert_eq!(left_behind(&home, &|| drop(home.play(Outcome::Ok))), [true; 5]);
    }

    #[test]
    fn a_run_that_finds_another_dead_removes_the_reports_of_runs_that_are_over() {
        let home = Home::new();
        home.play(Outcome::Ok);
        let play = || {
            home.play_death();
            home.play(Outcome::Ok);
        };
        assert_eq!(left_behind(&home, &play), [false, true, true, true, true]);
    }

    #[test]
    fn a_compaction_removes_the_reports_of_runs_that_are_over() {
        let home = Home::new();
        home.play(Outcome::Ok);
        let play = || {
            // Of a journal that is large anybody's next line is one too many.
            let mut journal = fs::OpenOptions::new().append(true).open(home.journal_path()).unwrap();
            std::io::Write::write_all(&mut journal, &vec![b'\n'; 1024 * 1024]).unwrap();
            home.play(Outcome::Ok);
        };
        assert_eq!(left_behind(&home, &play), [false, true, true, true, true]);
    }
}
