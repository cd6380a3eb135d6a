//! PURE. A crontab with cronward before each command, as cron and then the shell will read it. Whatever is
//! not a command stays as it is, byte for byte, and so does a line that is not understood.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use super::label::{LABEL_MAX, of_line};
use super::shape::{Shape, shape};
use super::unique::{Wanted, labels};
use crate::crontab::lines::{self, Content, Entry, Form, for_shell};
use crate::crontab::{Problem, calls, wrapped_jobs};
use crate::shell::quote;

/// Longest command that Debian's cron takes, its input included, in bytes: what is behind that it drops
/// without a word (`MAX_COMMAND` of 3.0pl1).
const COMMAND_MAX: usize = 999;

/// Where cron looks for programs if the crontab does not say (`_PATH_DEFPATH` of Debian's cron).
const SEARCH_PATH: &[u8] = b"/usr/bin:/bin";

/// The shell that `-c` stands for, and that cron has if the crontab does not say.
const SHELL: &[u8] = b"/bin/sh";

/// Shells that take words before which another word stands for what they were, but for those of their own.
const PLAIN_SHELLS: [&str; 4] = ["sh", "dash", "ash", "bash"];
/// Further shells that read single quotes as sh does.
const LIKE_SH: [&str; 5] = ["ksh", "ksh93", "lksh", "mksh", "zsh"];

/// What is asked of the host.
pub struct Host<'a> {
    /// The word by which cron finds cronward, where PATH is this.
    pub cronward: &'a dyn Fn(&[u8]) -> Option<OsString>,
    /// Whether this path is a script that does not name its interpreter: its shell reads it then.
    pub is_script_of_shell: &'a dyn Fn(&OsStr) -> bool,
}

/// What has become of a crontab.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wrapped {
    /// What is to stand in place of what, in the order of the text. Each is within one line.
    pub changes: Vec<(Range<usize>, Vec<u8>)>,
    /// Lines that are left as they are because they are not understood, in their order.
    pub problems: Vec<Problem>,
    /// Things to know about lines that were wrapped.
    pub notes: Vec<Problem>,
}

impl Wrapped {
    /// The whole text with the changes made.
    pub fn applied(&self, text: &[u8]) -> Vec<u8> {
        let mut new = Vec::with_capacity(text.len() + 100 * self.changes.len());
        let mut at = 0;
        for (range, with) in &self.changes {
            new.extend_from_slice(&text[at..range.start]);
            new.extend_from_slice(with);
            at = range.end;
        }
        new.extend_from_slice(&text[at..]);
        new
    }
}

/// Wraps a crontab.
pub fn wrap(text: &[u8], form: Form, host: &Host<'_>) -> Wrapped {
    let mut wrapped = Wrapped::default();
    let mut variables = BTreeMap::new();
    let mut jobs = Vec::new();
    for line in lines::read(text, form) {
        let mut problem =
            |reason: String| wrapped.problems.push(Problem { line_number: line.number, reason });
        match line.content {
            Content::Blank | Content::Comment => {}
            Content::Malformed(why) => problem(why),
            Content::Variable { name, value } => {
                variables.insert(name, value);
            }
            Content::Entry(entry) => match Job::of(text, form, &entry, &variables, host) {
                Ok(None) => {}
                Ok(Some(job)) => {
                    if variables.contains_key(&b"CRON_TZ"[..]) {
                        let reason = "wrapped without a schedule, since CRON_TZ gives it another time zone";
                        wrapped.notes.push(Problem { line_number: line.number, reason: reason.to_owned() });
                    }
                    jobs.push(job);
                }
                Err(why) => problem(why),
            },
        }
        if text.get(line.range.end).is_none() {
            let why = "no newline at its end, so cron ignores all of the crontab; add one";
            wrapped.problems.push(Problem { line_number: line.number, reason: why.to_owned() });
        }
    }
    let taken: BTreeSet<String> =
        wrapped_jobs(text, form).jobs.iter().map(|job| job.label.as_str().to_owned()).collect();
    let wanted: Vec<Wanted> = jobs.iter().map(|job| job.wanted.clone()).collect();
    for (job, label) in std::iter::zip(jobs, labels(&wanted, &taken)) {
        wrapped.changes.push((job.range.clone(), job.written(text, &label)));
    }
    wrapped
}

/// A line that is to be wrapped.
struct Job {
    /// Of the text, what is replaced.
    range: Range<usize>,
    /// The word by which cronward is called, as a shell reads it.
    cronward: Vec<u8>,
    /// When it is due, in one blank between the fields.
    times: Option<String>,
    /// How cronward runs it.
    way: Way,
    wanted: Wanted,
}

/// How cronward runs a command.
enum Way {
    /// Behind `--`, as it is written.
    Words,
    /// As one word for this shell.
    Shell(Vec<u8>),
}

impl Job {
    /// What is to be done with an entry; `None`: it is to be left as it is.
    fn of(
        text: &[u8],
        form: Form,
        entry: &Entry,
        variables: &BTreeMap<Vec<u8>, Vec<u8>>,
        host: &Host<'_>,
    ) -> Result<Option<Self>, String> {
        let variable = |name: &str| variables.get(name.as_bytes()).map(Vec::as_slice);
        let shell = variable("SHELL").unwrap_or(SHELL);
        if calls::is_cronward(OsStr::from_bytes(shell)) {
            return Ok(None);
        }
        let written = &text[entry.command.clone()];
        let line = for_shell(written);
        let mut reasons = Vec::new();
        let calls = calls::in_line(&line, &mut reasons);
        if let Some(reason) = reasons.into_iter().next() {
            return Err(reason);
        }
        if !calls.is_empty() {
            return Ok(None);
        }
        refusal(&line, form, entry.input.as_ref().map_or(&b""[..], |input| &text[input.clone()]))?;
        let is_plain = is_among(shell, &PLAIN_SHELLS)
            .ok_or_else(|| "a SHELL that is none; write an absolute path".to_owned())?
            .then_some(true)
            .or_else(|| is_among(shell, &LIKE_SH).filter(|found| *found).map(|_| false));
        let Some(is_plain) = is_plain else {
            let shell = String::from_utf8_lossy(shell);
            return Err(format!("'{shell}' may read quotes otherwise than sh does; wrap it by hand"));
        };
        let (end, way) = match shape(&line).map_err(calls::unclosed)? {
            Shape::Nothing => return Err("it runs nothing; write a command, or take the line out".to_owned()),
            Shape::Words { program } if is_plain => {
                let path = program.filter(|_| !is_among(shell, &["sh"]).unwrap_or(false));
                match path.filter(|path| (host.is_script_of_shell)(OsStr::from_bytes(path))) {
                    None => (line.len(), Way::Words),
                    Some(_) => (line.trim_ascii_end().len(), Way::Shell(shell.to_owned())),
                }
            }
            Shape::Words { .. } => (line.trim_ascii_end().len(), Way::Shell(shell.to_owned())),
            Shape::Code { end } => (end, Way::Shell(shell.to_owned())),
        };
        let Some(cronward) = (host.cronward)(variable("PATH").unwrap_or(SEARCH_PATH)) else {
            return Err("no file is called 'cronward'; install it in '/usr/local/bin'".to_owned());
        };
        let start = entry.command.start;
        let end = match way {
            // Nothing is replaced: words are put before it.
            Way::Words => start,
            Way::Shell(_) => start + written_length(written, end),
        };
        let fields = String::from_utf8_lossy(&text[entry.times.clone()]);
        let times = fields.split([' ', '\t']).filter(|field| !field.is_empty()).collect::<Vec<_>>().join(" ");
        let user = entry.user.clone().map_or(&b""[..], |user| &text[user]);
        let mut name = of_line(&line);
        let user_name: String =
            String::from_utf8_lossy(user).chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        if !user_name.is_empty() {
            name.marks.push(user_name);
        }
        let job = Self {
            range: start..end,
            cronward: quote(&cronward).as_bytes().to_vec(),
            times: entry.schedule.as_ref().map(|_| times.clone()).filter(|_| variable("CRON_TZ").is_none()),
            way,
            wanted: Wanted { name, identity: [times.as_bytes(), user, &line].join(&0) },
        };
        let input = entry.input.as_ref().map_or(0, |input| 1 + input.len());
        // Not by the label that it gets: with the others wrapped it would get another one.
        let longest = job.written(text, &"x".repeat(LABEL_MAX)).len() + entry.command.end - end + input;
        if longest > COMMAND_MAX {
            return Err(format!(
                "wrapped it could have more than the {COMMAND_MAX} bytes that cron reads of a command; put it in a script"
            ));
        }
        Ok(Some(job))
    }

    /// What stands in place of its range, as cron reads it.
    fn written(&self, text: &[u8], label: &str) -> Vec<u8> {
        let mut head = self.cronward.clone();
        head.extend_from_slice(format!(" -l {label}").as_bytes());
        if let Some(times) = &self.times {
            // Fields of a schedule hold no quote.
            head.extend_from_slice(format!(" --schedule '{times}'").as_bytes());
        }
        match &self.way {
            Way::Words => head.extend_from_slice(b" -- "),
            Way::Shell(shell) if shell == SHELL => head.extend_from_slice(b" -c "),
            Way::Shell(shell) => {
                head.extend_from_slice(b" -- ");
                head.extend_from_slice(quote(OsStr::from_bytes(shell)).as_bytes());
                head.extend_from_slice(b" -c ");
            }
        }
        let mut written = for_cron(&head).into_owned();
        match &self.way {
            Way::Words => {}
            // It is written for cron already, and no quote means anything to cron.
            Way::Shell(_) => {
                written.push(b'\'');
                for &byte in &text[self.range.clone()] {
                    match byte {
                        b'\'' => written.extend_from_slice(b"'\\''"),
                        other => written.push(other),
                    }
                }
                written.push(b'\'');
                // A comment begins where a word could.
                if text.get(self.range.end) == Some(&b'#') {
                    written.push(b' ');
                }
            }
        }
        written
    }
}

/// Why a line that is not wrapped yet cannot be.
fn refusal(line: &[u8], form: Form, input: &[u8]) -> Result<(), String> {
    let why = if line.ends_with(b"\r") || input.ends_with(b"\r") {
        "it ends in a carriage return, which cron gives to the command; save the file with plain newlines"
    } else if line.contains(&0) {
        "it holds a NUL, at which cron ends the command; take it out"
    } else if line.trim_ascii_start().starts_with(crate::settings::PREFIX) {
        "it begins with an option of cronward, and runs something else; put 'cronward' before its command"
    } else if form == Form::User && line.split(|byte| byte.is_ascii_whitespace()).next() == Some(b"root") {
        "its command seems to be a user's name, as in '/etc/crontab'; for that form add '--system'"
    } else {
        return Ok(());
    };
    Err(why.to_owned())
}

/// Whether a shell is one of these; `None` if it is no absolute path.
fn is_among(shell: &[u8], names: &[&str]) -> Option<bool> {
    let shell = OsStr::from_bytes(shell);
    let name = calls::file_name(shell);
    shell.as_bytes().starts_with(b"/").then(|| names.iter().any(|known| name == *known))
}

/// So that cron gives these bytes to the shell: the other way round than [`for_shell`].
fn for_cron(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.iter().any(|byte| b"%\\".contains(byte)) {
        return Cow::Borrowed(bytes);
    }
    let escaped = bytes
        .iter()
        .flat_map(|&byte| b"\\".iter().copied().filter(move |_| b"%\\".contains(&byte)).chain([byte]));
    Cow::Owned(escaped.collect())
}

/// How many bytes of a written command cron makes the first `length` bytes for the shell of.
fn written_length(written: &[u8], length: usize) -> usize {
    let mut at = 0;
    for _ in 0..length {
        let is_escaped = matches!(written.get(at..at + 2), Some(b"\\\\" | b"\\%"));
        at += if is_escaped { 2 } else { 1 };
    }
    at.min(written.len())
}

#[cfg(test)]
mod tests;
