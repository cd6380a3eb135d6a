//! A crontab as Debian's cron reads it (crontab(5), and `load_env` and `load_entry` of 3.0pl1): one
//! thing a line, and where in the text it stands. What a command means is no matter of this file.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use crate::schedule::Schedule;

/// Whose crontab it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// That of one user, as `crontab -l` prints it.
    User,
    /// `/etc/crontab` and the files in `/etc/cron.d`: the name of a user stands before the command.
    System,
}

impl Form {
    /// By the place of a crontab: the system's have a column of users (cron(8)).
    pub fn of_place(path: &Path) -> Self {
        if path.starts_with("/etc") { Self::System } else { Self::User }
    }
}

/// One line. Lines end at a newline; ranges are of bytes of the whole text.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// All of it but the newline.
    pub range: Range<usize>,
    /// What it says.
    pub content: Content,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Blank,
    /// Something to people.
    Comment,
    /// `NAME = value`, for all lines below it.
    Variable {
        /// Without its quotes.
        name: Vec<u8>,
        /// Without its quotes; nothing in it is expanded.
        value: Vec<u8>,
    },
    /// A command and its times.
    Entry(Entry),
    /// Something that cron refuses, or reads otherwise than it looks: why, in words. Debian's cron
    /// then ignores all of the crontab.
    Malformed(String),
}

/// A command and its times.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// `None`: `@reboot`.
    pub schedule: Option<Schedule>,
    /// Where the five fields or the word stand.
    pub times: Range<usize>,
    /// Where the user's name stands; only in the system form.
    pub user: Option<Range<usize>>,
    /// Where the command stands, up to the first `%`. A carriage return at the end of the line
    /// belongs to it: so it does to cron.
    pub command: Range<usize>,
    /// What stands behind that `%`, if there is one: the command's input.
    pub input: Option<Range<usize>>,
}

/// Above how many lines Debian's cron ignores a crontab.
const LINES_MAX: usize = 10_000;

/// The lines of a crontab, up to the one that is too many. Bytes, not text: nothing says in which encoding it is.
pub fn read(text: &[u8], form: Form) -> impl Iterator<Item = Line> {
    let mut start = 0;
    // What stands behind the last newline is a line only if there is something.
    let pieces = text.split_inclusive(|&byte| byte == b'\n');
    std::iter::zip(1..=LINES_MAX + 1, pieces).map(move |(number, piece)| {
        let line = piece.strip_suffix(b"\n").unwrap_or(piece);
        let range = start..start + line.len();
        start += piece.len();
        let content = if number > LINES_MAX {
            let why = "lines, so cron ignores all of the crontab; make two of it";
            Content::Malformed(format!("more than {LINES_MAX} {why}"))
        } else {
            Reader { line, at: 0, offset: range.start }.content(form)
        };
        Line { number, range, content }
    })
}

/// What cron gives to the shell for a command: `\%` is a percent sign, and `\\` one backslash.
pub fn for_shell(command: &[u8]) -> Cow<'_, [u8]> {
    if !command.contains(&b'\\') {
        return Cow::Borrowed(command);
    }
    let mut given = Vec::with_capacity(command.len());
    let mut bytes = command.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next_if(|next| b"\\%".contains(next)) } else { None };
        given.push(escaped.unwrap_or(byte));
    }
    Cow::Owned(given)
}

/// Reads one line.
struct Reader<'a> {
    line: &'a [u8],
    /// Index in the line of what comes next.
    at: usize,
    /// Of the line in the text.
    offset: usize,
}

impl Reader<'_> {
    fn content(mut self, form: Form) -> Content {
        self.skip_blanks();
        match self.line[self.at..] {
            [] => return Content::Blank,
            [b'#', ..] => return Content::Comment,
            [b'\r'] => {
                let why = "a carriage return and nothing else; save the file with plain newlines";
                return Content::Malformed(why.to_owned());
            }
            _ => {}
        }
        if let Some((name, value)) = variable(&self.line[self.at..]) {
            return Content::Variable { name, value };
        }
        let first_word = self.word();
        self.at = first_word.start;
        match self.entry(form) {
            Ok(entry) => Content::Entry(entry),
            Err(_) if self.line[first_word.clone()].contains(&b'=') => Content::Malformed(format!(
                "cron does not take '{}' for a variable; put all of the value in quotes, also an empty one",
                String::from_utf8_lossy(&self.line[first_word])
            )),
            Err(why) => Content::Malformed(why),
        }
    }

    fn entry(&mut self, form: Form) -> Result<Entry, String> {
        let start = self.at;
        let fields = if self.line[start] == b'@' { 1 } else { 5 };
        let mut end = start;
        for _ in 0..fields {
            self.skip_blanks();
            let field = self.word();
            end = if field.is_empty() { end } else { field.end };
        }
        let times = String::from_utf8_lossy(&self.line[start..end]);
        let schedule = match &*times {
            "@reboot" => None,
            times => Some(Schedule::parse(times).map_err(|why| format!("bad schedule '{times}': {why}"))?),
        };
        self.skip_blanks();
        let user = match form {
            Form::User => None,
            Form::System => Some(self.word()),
        };
        self.skip_blanks();
        if self.line[self.at..].trim_ascii().is_empty() {
            return Err(match (form, &user) {
                (Form::System, Some(user)) if !user.is_empty() => {
                    "no command behind the user; in this form of a crontab a user comes first".to_owned()
                }
                _ => "no command behind the schedule; write one, or take the line out".to_owned(),
            });
        }
        let (command, input) = split_at_percent(self.line, self.at);
        let in_text = |range: Range<usize>| self.offset + range.start..self.offset + range.end;
        Ok(Entry {
            schedule,
            times: in_text(start..end),
            user: user.map(in_text),
            command: in_text(command),
            input: input.map(in_text),
        })
    }

    fn skip_blanks(&mut self) {
        self.at += self.line[self.at..].iter().take_while(|&&byte| is_blank(byte)).count();
    }

    /// The word that comes next, up to a blank or the end.
    fn word(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += self.line[start..].iter().take_while(|&&byte| !is_blank(byte)).count();
        start..self.at
    }
}

/// What separates fields.
fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The command from `start` on, and what is behind the first `%` that no backslash stands before.
fn split_at_percent(line: &[u8], start: usize) -> (Range<usize>, Option<Range<usize>>) {
    let mut escaped = false;
    for (at, &byte) in line.iter().enumerate().skip(start) {
        if byte == b'%' && !escaped {
            return (start..at, Some(at + 1..line.len()));
        }
        escaped = byte == b'\\' && !escaped;
    }
    (start..line.len(), None)
}

/// Name and value, if cron takes the line for a variable: `NAME=value` with blanks around each and
/// quotes around either. It looks for this first, so `@daily = x` is a variable. `None` for what it
/// then tries as an entry: no equals sign behind the first word, a quote that stays open, something
/// behind a closing one, no value at all.
fn variable(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (name, rest) = match line {
        [quote @ (b'\'' | b'"'), rest @ ..] => {
            split_at_quote(rest, *quote).filter(|(name, _)| !name.contains(&b'='))?
        }
        _ => line.split_at(line.iter().position(|byte| *byte == b'=' || byte.is_ascii_whitespace())?),
    };
    let value = rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
    let value = match value {
        [] => return None,
        [quote @ (b'\'' | b'"'), rest @ ..] => {
            let (value, behind) = split_at_quote(rest, *quote)?;
            behind.is_empty().then_some(value)?
        }
        value => value,
    };
    Some((name.to_vec(), value.to_vec()))
}

/// What stands before the closing quote, and what behind it.
fn split_at_quote(bytes: &[u8], quote: u8) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == quote)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests;
