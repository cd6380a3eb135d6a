//! What a job says of itself in the file named by `$CRONWARD_RUN_REPORT`: `NAME=NUMBER` and
//! `tag:KEY=VALUE`, one a line. Bad lines are complained of and cost nothing else.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;
use nix::unistd::geteuid;

use crate::job::Tag;
use crate::os_error;
use crate::outcome::Report;

/// How much of the file is read, in bytes.
const BYTES_MAX: usize = 64 * 1024;

/// How many lines of it count; blank ones do not.
const LINES_MAX: usize = 64;

/// How much of a word a complaint shows, in characters.
const SHOWN_MAX: usize = 40;

/// Reads the file that a job may have written; `None` if it is not there.
///
/// The path was in the job's environment, so whatever the job could make may stand there: nothing is
/// followed, nothing is waited for (a FIFO), and only a regular file of this user's is read.
pub fn read(path: &Path) -> Option<(Report, Vec<String>)> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let unreadable = |why: &str| (Report::default(), vec![format!("the run report is not read: {why}")]);
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Some(unreadable("it is a symbolic link"));
        }
        Err(error) => return Some(unreadable(&os_error::words_of(&error))),
    };
    Some(match file.metadata() {
        Ok(found) if !found.is_file() => unreadable("it is not a regular file"),
        Ok(found) if found.uid() != geteuid().as_raw() => unreadable("it belongs to another user"),
        Ok(_) => read_open(&file),
        Err(error) => unreadable(&os_error::words_of(&error)),
    })
}

/// Reads the file, opened and found trustworthy.
pub fn read_open(file: &File) -> (Report, Vec<String>) {
    let mut bytes = Vec::new();
    // One more, so that what is too long can be told.
    match file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes) {
        Ok(_) => parse(&bytes),
        Err(error) => {
            let why = os_error::words_of(&error);
            (Report::default(), vec![format!("the run report is not read: {why}")])
        }
    }
}

/// What the text of a report says, and complaints, one sentence each. Of a name or key that is there
/// twice the last value counts; what lies beyond 64 KiB or 64 lines does not, nor does a line that
/// is cut there.
pub fn parse(text: &[u8]) -> (Report, Vec<String>) {
    let mut report = Report::default();
    let mut complaints = Vec::new();
    let too_long = text.len() > BYTES_MAX;
    let text = if too_long { whole_lines(&text[..BYTES_MAX]) } else { text };
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).enumerate();
    let mut lines = lines.filter(|(_, line)| !line.is_empty());
    for (at, line) in lines.by_ref().take(LINES_MAX) {
        let added = match std::str::from_utf8(line) {
            Ok(line) => add(line, &mut report),
            Err(_) => Err("it is not UTF-8".to_owned()),
        };
        complaints.extend(added.err().map(|why| format!("line {} of the run report: {why}", at + 1)));
    }
    if too_long {
        complaints.push("the run report has more than 64 KiB; the rest does not count".to_owned());
    } else if lines.next().is_some() {
        complaints.push(format!("the run report has more than {LINES_MAX} lines; the rest does not count"));
    }
    (report, complaints)
}

/// Up to the last newline.
fn whole_lines(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
    &text[..end]
}

fn add(line: &str, report: &mut Report) -> Result<(), String> {
    if let Some(word) = line.strip_prefix("tag:") {
        let tag = Tag::parse(word.trim_start()).ok_or("a tag needs a key; write 'tag:KEY=VALUE'")?;
        match report.tags.iter_mut().find(|other| other.key == tag.key) {
            Some(same) => *same = tag,
            None => report.tags.push(tag),
        }
        return Ok(());
    }
    let (name, number) = line.split_once('=').unwrap_or((line, ""));
    let (name, number) = (name.trim_end(), number.trim_start());
    if !Report::is_name(name) {
        return Err(format!("'{}' is no name; write letters, digits, '_', '-' and '.' between", shown(name)));
    }
    if number.is_empty() {
        return Err(format!("'{name}' has no number"));
    }
    let value = number.parse::<f64>().ok().filter(|value| value.is_finite());
    let value = value.ok_or_else(|| format!("'{}' of '{name}' is no number", shown(number)))?;
    match report.values.iter_mut().find(|(other, _)| other == name) {
        Some((_, same)) => *same = value,
        None => report.values.push((name.to_owned(), value)),
    }
    Ok(())
}

/// The beginning of a text, without anything that a terminal would obey.
fn shown(text: &str) -> String {
    let cut = if text.chars().nth(SHOWN_MAX).is_some() { "…" } else { "" };
    let visible = text.chars().take(SHOWN_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c });
    visible.chain(cut.chars()).collect()
}

#[cfg(test)]
mod tests;
