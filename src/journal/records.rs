//! Everything that is on record of a job, for those who look back: run by run, oldest first.

use std::collections::HashSet;
use std::path::Path;

use super::stored::{self, Recorded};
use super::{JOBS, JOURNAL, tail};
use crate::clock::Timestamp;
use crate::directory::{Access, Directory, Refusal, Unsynced};
use crate::os_error;
use crate::outcome::Run;
use crate::turn::TurnKind;

/// How much of a journal is read, in bytes: more than the largest that a crowd of runs makes.
const ALL: u64 = 64 * 1024 * 1024;

/// Something that is on record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A run has ended.
    Ended(Box<RunOnRecord>),
    /// Something was noticed or decided while no run ended.
    Noticed {
        /// When.
        at: Timestamp,
        /// What, in one sentence.
        what: String,
        /// What became of the alert.
        turned: Option<TurnKind>,
    },
}

/// A run that has ended, as it is on record.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOnRecord {
    /// The run.
    pub run: Run,
    /// The words of its command, as text; none of a run that was found dead.
    pub argv: Vec<String>,
    /// What became of the alert by it.
    pub turned: Option<TurnKind>,
}

impl Record {
    /// When it ended, was found to have ended, or was noticed.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Ended(ended) => ended.run.ended_at.unwrap_or(ended.run.started_at),
            Self::Noticed { at, .. } => *at,
        }
    }
}

/// What is on record of one of one's own jobs, oldest first. `name` is that of its directory.
///
/// # Errors
/// In words: it cannot be read, or a newer cronward has written it.
pub fn records(state_dir: &Path, name: &str) -> Result<Vec<Record>, String> {
    let in_words = |refusal: Refusal| refusal.to_string();
    let jobs = Directory::open(state_dir).and_then(|state| state.subdirectory(JOBS)).map_err(in_words)?;
    let directory = jobs.subdirectory(name).map_err(in_words)?;
    let journal = match directory.file(JOURNAL, Access::Read, &mut Unsynced::new()) {
        Ok(journal) => journal,
        Err(refusal) if refusal.is_absence() => return Ok(Vec::new()),
        Err(refusal) => return Err(in_words(refusal)),
    };
    let fail = |error| {
        format!("'{}' cannot be read: {}", directory.path_of(JOURNAL).display(), os_error::words(error))
    };
    let size = nix::sys::stat::fstat(&journal).map_err(fail)?.st_size.unsigned_abs();
    let bytes = tail::read_range(&journal, size.saturating_sub(ALL), size).map_err(fail)?;
    let mut records: Vec<Record> = Vec::new();
    // A compaction may have written a record twice.
    let mut seen = HashSet::new();
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let Recorded { ends, remark } = stored::recorded(line);
        for end in ends {
            if seen.insert(end.id()) {
                let (argv, turned) = (end.argv(), end.turned());
                records.push(Record::Ended(Box::new(RunOnRecord { run: end.to_run(), argv, turned })));
            }
        }
        records.extend(remark.map(|(at, what, verdict)| Record::Noticed {
            at,
            what,
            turned: TurnKind::parse(&verdict),
        }));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::Home;
    use crate::outcome::Outcome;

    fn read(home: &Home) -> Vec<Record> {
        records(&home.state_dir().unwrap(), &home.label.file_name()).unwrap()
    }

    fn outcomes(records: &[Record]) -> Vec<(Outcome, Option<TurnKind>)> {
        let ended = |record: &Record| match record {
            Record::Ended(ended) => Some((ended.run.outcome, ended.turned)),
            Record::Noticed { .. } => None,
        };
        records.iter().filter_map(ended).collect()
    }

    #[test]
    fn every_run_is_read_back_in_its_order_with_what_became_of_the_alert() {
        let home = Home { threshold: 2, ..Home::new() };
        for outcome in [Outcome::Ok, Outcome::Failed, Outcome::Failed, Outcome::Failed, Outcome::Ok] {
            home.play(outcome);
        }
        let expected = [
            (Outcome::Ok, None),
            (Outcome::Failed, None),
            (Outcome::Failed, Some(TurnKind::Opened)),
            (Outcome::Failed, None),
            (Outcome::Ok, Some(TurnKind::Closed)),
        ];
        assert_eq!(outcomes(&read(&home)), expected);
    }

    #[test]
    fn a_run_that_was_found_dead_stands_before_the_one_that_found_it() {
        let home = Home::new();
        home.play_death();
        home.play(Outcome::Ok);
        assert_eq!(outcomes(&read(&home)), [(Outcome::Interrupted, None), (Outcome::Ok, None)]);
    }

    #[test]
    fn what_a_compaction_has_written_twice_is_one() {
        let home = Home::new();
        home.play(Outcome::Ok);
        let text = home.text();
        std::fs::write(home.journal_path(), format!("{text}{text}")).unwrap();
        assert_eq!(read(&home).len(), 1);
    }

    #[test]
    fn a_job_that_has_never_ended_has_no_record() {
        let home = Home::new();
        let mut journal = home.open();
        journal.begin(crate::job::RunId::new(), Timestamp::now());
        assert_eq!(read(&home), []);
        assert!(records(&home.state_dir().unwrap(), "other").is_err());
    }
}
