//! When a job's alert was last drilled, and when a person last saw one arrive: a file beside the journal.

use std::ffi::CStr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::JOBS;
use super::tail::read_range;
use crate::clock::Timestamp;
use crate::directory::{Access, Directory, Refusal, Unsynced};
use crate::os_error;

const FILE: &CStr = c"drill.json";
const VERSION: u32 = 1;
/// A larger file is none of ours.
const SIZE_MAX: u64 = 4096;

/// What is on record of the drills of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Stored {
    v: u32,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<i64>,
}

/// What is on record of the drills of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drills {
    /// When it was last drilled.
    pub last: Timestamp,
    /// When a person last said that one had arrived.
    pub confirmed: Option<Timestamp>,
}

/// The drills of a job, by the name of its directory; `None` if there was none.
pub fn drills(state_dir: &Path, name: &str) -> Option<Drills> {
    let stored = read(&job(state_dir, name).ok()?)?;
    let confirmed = stored.confirmed_at.map(Timestamp::from_millis);
    Some(Drills { last: Timestamp::from_millis(stored.at), confirmed })
}

/// Puts drills of a job on record.
///
/// # Errors
/// In words: it cannot be written.
pub fn note_drills(state_dir: &Path, name: &str, drills: Drills) -> Result<(), String> {
    let directory = job(state_dir, name).map_err(|refusal| refusal.to_string())?;
    let confirmed_at = drills.confirmed.map(Timestamp::as_millis);
    let stored = Stored { v: VERSION, at: drills.last.as_millis(), confirmed_at };
    let bytes = serde_json::to_vec(&stored).unwrap_or_default();
    let cannot = |error| {
        format!("'{}' cannot be written: {}", directory.path_of(FILE).display(), os_error::words(error))
    };
    directory.replace(FILE, &bytes).map(drop).map_err(cannot)
}

fn job(state_dir: &Path, name: &str) -> Result<Directory, Refusal> {
    Directory::open(state_dir)?.subdirectory(JOBS)?.subdirectory(name)
}

fn read(directory: &Directory) -> Option<Stored> {
    let file = directory.file(FILE, Access::Read, &mut Unsynced::new()).ok()?;
    let stored: Stored = serde_json::from_slice(&read_range(&file, 0, SIZE_MAX).ok()?).ok()?;
    (stored.v == VERSION).then_some(stored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::Home;
    use crate::outcome::Outcome;

    #[test]
    fn drills_are_remembered_with_the_job_and_a_file_that_is_none_is_nothing() {
        let home = Home::new();
        let (state, name) = (home.state_dir().unwrap(), "db%2Fbackup");
        let at = Timestamp::from_millis;
        let mut noted = Drills { last: at(5), confirmed: None };
        assert!(note_drills(&state, name, noted).is_err(), "of a job that is not on record nothing is made");
        home.play(Outcome::Ok);
        assert_eq!(drills(&state, name), None);
        for confirmed in [None, Some(at(7))] {
            noted.confirmed = confirmed;
            note_drills(&state, name, noted).unwrap();
            assert_eq!(drills(&state, name), Some(noted));
        }
        std::fs::write(home.job_dir().join("drill.json"), "x").unwrap();
        assert_eq!(drills(&state, name), None);
    }
}
