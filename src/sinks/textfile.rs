//! `textfile:DIR`: a file for each job, and one for the check, in a directory that node_exporter reads
//! (its textfile collector). A file is always whole, and holds all that the last notices have said: the
//! exporter asks when it likes. It is no log, and nobody has to take charge of an alert for it.

mod place;

use std::fs::{Metadata, metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::exposition::{Before, page};
use super::probe::{Complaint, Probe, may_write_in};
use super::{Opening, Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::notice::{News, Notice};
use place::Place;

/// The sink.
#[derive(Debug)]
pub struct Textfile {
    name: String,
    dir: PathBuf,
}

/// A sink of a directory.
///
/// # Errors
/// In words: there is none, or it is not absolute. A check, which tells of every job, has another working
/// directory than the jobs.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let dir = PathBuf::from(opening.target);
    if opening.target.is_empty() {
        return Err("it names no directory".to_owned());
    }
    if !dir.is_absolute() {
        return Err(format!("'{}' is relative; write an absolute path", opening.target));
    }
    Ok(Arc::new(Textfile { name: format!("textfile:{}", opening.target), dir }))
}

impl Sink for Textfile {
    fn name(&self) -> &str {
        &self.name
    }

    /// As for the journal, nobody can wait with a limit for a file system.
    fn pace(&self) -> Pace {
        Pace::Prompt
    }

    fn wants(&self, topic: Topic) -> bool {
        match topic {
            Topic::End | Topic::Alert | Topic::Standing | Topic::Alive => true,
            Topic::Start | Topic::Overdue => false,
        }
    }

    fn only_shows(&self) -> bool {
        true
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        let file = |notice| {
            let text = page(notice, &Before::default())?;
            Some(format!("{}\n{text}", self.dir.join(file_name(notice)).display()))
        };
        notices.iter().filter_map(file).collect()
    }

    fn probe(&self, _: Deadline) -> Probe {
        let way = may_write_in(&self.dir).map(|()| "files can be made there".to_owned());
        let is_closed = |found: Metadata| found.mode() & 0o055 == 0;
        let concern = || {
            Complaint::new(
                "nobody else can enter the directory, and node_exporter is another user",
                format!("let it in: chmod a+rx '{}'", self.dir.display()),
            )
        };
        let concerns = metadata(&self.dir).is_ok_and(is_closed).then(concern);
        Probe { way, concerns: concerns.into_iter().collect() }
    }

    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        let place = Place::open(&self.dir)?;
        let tell = |notice| place.rewrite(&file_name(notice), &|before| page(notice, before), deadline);
        // A file that cannot be written leaves the others theirs.
        notices.iter().map(tell).fold(Ok(()), Result::and)
    }
}

/// The name of the file that a notice goes to, at most 204 bytes.
fn file_name(notice: &Notice) -> String {
    match &notice.news {
        // Not `cronward_check.prom`: that is of a job which is called so.
        News::Alive => "cronward-check.prom".to_owned(),
        News::Started(_)
        | News::Overdue(_)
        | News::Finished(_)
        | News::Opened(_)
        | News::Repeated(_)
        | News::Closed(_)
        | News::Standing(_) => format!("cronward_{}.prom", notice.job.label.file_name()),
    }
}

#[cfg(test)]
mod tests;
