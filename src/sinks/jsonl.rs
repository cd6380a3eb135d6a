//! `jsonl:PATH`, `jsonl:fd:N`, `jsonl:stderr`: every notice as one JSON object a line, for a log on
//! this host. It is told last, so that it can say what the other sinks answered.

mod line;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

use super::probe::{Complaint, Probe, may_append};
use super::{Opening, Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::notice::{Audience, Notice, event_json};
use crate::os_error;
use crate::sys::descriptor::inherited;

/// The sink.
#[derive(Debug)]
pub struct Jsonl {
    name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A file, opened anew for every delivery, so that it can be rotated away.
    Path(PathBuf),
    /// An open file that we share with the caller: its flags are not ours to change.
    Shared(File),
    /// The caller has closed its stderr. That is no usage error: daemons do.
    Closed,
}

/// A sink of its target.
///
/// # Errors
/// In words: no target, or a descriptor that the caller has not left open for writing.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let target = opening.target;
    let place = match target.strip_prefix("fd:") {
        Some(number) => match (descriptor(number)?, opening.inherited) {
            (Some(Some(file)), _) => Place::Shared(file),
            // It is there, and cannot be had at this moment: no reason not to run.
            (Some(None), _) => Place::Closed,
            // Named for a whole host or by a cronward further out, whose job has closed it since: no
            // reason not to run this one.
            (None, true) => Place::Closed,
            (None, false) => {
                return Err(format!("fd {number} is not open; write it as a redirection, '{number}>>FILE'"));
            }
        },
        None if target == "stderr" => {
            let stderr = inherited(libc::STDERR_FILENO).ok().flatten();
            stderr.map_or(Place::Closed, |fd| Place::Shared(fd.into()))
        }
        None if target.is_empty() => return Err("it has no target".to_owned()),
        None => Place::Path(target.into()),
    };
    Ok(Arc::new(Jsonl { name: format!("jsonl:{target}"), place }))
}

/// The open file that the caller left at this number; `None` if it left none, `Some(None)` if there is no
/// descriptor to be had for it.
fn descriptor(number: &str) -> Result<Option<Option<File>>, String> {
    let fd = match number.parse() {
        Ok(fd) if number.bytes().all(|byte| byte.is_ascii_digit()) => match inherited(fd) {
            Ok(fd) => fd,
            Err(_) => return Ok(Some(None)),
        },
        Ok(_) | Err(_) => return Err(format!("'{number}' is not the number of a descriptor")),
    };
    let Some(fd) = fd else { return Ok(None) };
    let flags = fcntl(&fd, FcntlArg::F_GETFL).map(OFlag::from_bits_retain).unwrap_or(OFlag::O_RDONLY);
    if flags & OFlag::O_ACCMODE == OFlag::O_RDONLY {
        return Err(format!("fd {number} is not open for writing"));
    }
    Ok(Some(Some(fd.into())))
}

impl Sink for Jsonl {
    fn name(&self) -> &str {
        &self.name
    }

    /// Prompt for a regular file, also one that is yet to be made. The kernel does not let anybody
    /// wait for one with a limit, and the journal is one, too.
    fn pace(&self) -> Pace {
        let regular = match &self.place {
            Place::Path(path) => path.metadata().map_or(true, |found| found.is_file()),
            Place::Shared(file) => file.metadata().is_ok_and(|found| found.is_file()),
            Place::Closed => true,
        };
        if regular { Pace::Prompt } else { Pace::Waiting }
    }

    fn hears_the_others(&self) -> bool {
        true
    }

    fn wants(&self, topic: Topic) -> bool {
        !matches!(topic, Topic::Standing | Topic::Alive)
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        notices.iter().map(|notice| event_json(notice, Audience::Local)).collect()
    }

    fn probe(&self, _: Deadline) -> Probe {
        let way = match &self.place {
            Place::Path(path) => may_append(path),
            Place::Shared(_) => Ok("it is open".to_owned()),
            Place::Closed => {
                Err(Complaint::new("it is not open here", "redirect it where the job is started"))
            }
        };
        way.into()
    }

    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        let opened;
        let file = match &self.place {
            Place::Path(path) => {
                opened = open_path(path).map_err(|error| cannot_open(&error))?;
                &opened
            }
            Place::Shared(file) => file,
            Place::Closed => return Err("stderr is not open".to_owned()),
        };
        notices.iter().try_for_each(|notice| {
            let mut text = event_json(notice, Audience::Local);
            text.push('\n');
            line::append(file, text.as_bytes(), deadline)
        })
    }
}

/// Opens for appending. Readable by the owner alone, unlike what a shell would make with `>>`:
/// arguments stand in it in full. O_NONBLOCK is on a description of our own and means that a FIFO
/// without a reader is an error (ENXIO) and no wait; regular files do not know it.
fn open_path(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)
}

fn cannot_open(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENXIO) => "nobody reads it".to_owned(),
        _ => format!("cannot open it: {}", os_error::words_of(error)),
    }
}

#[cfg(test)]
mod tests;
