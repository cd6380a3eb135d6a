//! PURE. A command line, read word by word by a [`Grammar`]. Our own, because of its size and its time:
//! clap is 150 kB of the static binary, and building its grammar was a fifth of the instructions of a
//! run. The tests hold it to clap's answer, line by line, refusals included.

use std::ffi::{OsStr, OsString};
use std::mem::take;
use std::os::unix::ffi::OsStrExt;

use super::grammar::{Grammar, Known};
use crate::settings::{Setting, Takes, UsageError, nearest};

/// What a command line comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is to be done.
    Line(Line),
    /// The help is asked for; nothing behind that was read.
    Help,
    /// The version is asked for; nothing behind that was read.
    Version,
}

/// What was typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The options of the table, in its order; those of a list in the order of typing. A switch has the
    /// value `1`.
    pub settings: Vec<(Setting, OsString)>,
    /// The options that are no setting of a run, in the same way.
    pub others: Vec<(Known, OsString)>,
    /// The words that are neither an option nor its value.
    pub words: Vec<OsString>,
}

impl Line {
    /// Whether an option that takes nothing was typed.
    pub fn has(&self, option: Known) -> bool {
        self.others.iter().any(|(typed, _)| *typed == option)
    }

    /// The value of an option that takes one.
    pub fn value(&self, option: Known) -> Option<OsString> {
        self.values(option).pop()
    }

    /// All values of an option, in the order of typing.
    pub fn values(&self, option: Known) -> Vec<OsString> {
        let typed = self.others.iter().filter(|(typed, _)| *typed == option);
        typed.map(|(_, value)| value.clone()).collect()
    }
}

/// Reads a command line from its word number `start` on.
///
/// # Errors
/// The first option that is not known, lacks its value or has one that it does not take.
pub fn read(mut args: Vec<OsString>, start: usize, grammar: &Grammar) -> Result<Reading, UsageError> {
    let mut line = Line::default();
    let mut at = start;
    while let Some(word) = args.get_mut(at) {
        let (known, attached) = match seen(word, grammar)? {
            Seen::Option(known, attached) => (known, attached),
            Seen::Word if grammar.is_mixed => {
                line.words.push(take(word));
                at += 1;
                continue;
            }
            Seen::Word => break,
            Seen::End => {
                at += 1;
                break;
            }
        };
        let value = match (known.spelling().takes, attached) {
            (_, Some(value)) => OsStr::from_bytes(value).to_owned(),
            (Takes::Nothing | Takes::Perhaps(_), None) => "1".into(),
            (Takes::One(_) | Takes::Many(_), None) => {
                at += 1;
                value_of(known, args.get_mut(at), grammar)?
            }
        };
        at += 1;
        match known {
            Known::Setting(setting) => place(&mut line.settings, setting, known, value),
            Known::Help => return Ok(Reading::Help),
            Known::Version => return Ok(Reading::Version),
            Known::Json
            | Known::Confirm
            | Known::Crontab
            | Known::Failed
            | Known::Since
            | Known::Diff
            | Known::System => place(&mut line.others, known, known, value),
        }
    }
    args.drain(..at.min(args.len()));
    if line.words.is_empty() {
        line.words = args;
    } else {
        line.words.append(&mut args);
    }
    Ok(Reading::Line(line))
}

/// What a word looks like where an option may stand.
enum Seen<'a> {
    /// An option, and the value that is attached to it.
    Option(Known, Option<&'a [u8]>),
    /// The dashes after which there are only words.
    End,
    /// No option.
    Word,
}

fn seen<'a>(word: &'a OsStr, grammar: &Grammar) -> Result<Seen<'a>, UsageError> {
    match word.as_bytes() {
        b"--" => Ok(Seen::End),
        [b'-', b'-', long @ ..] => of_long(long, grammar),
        [b'-', short @ ..] if !short.is_empty() => of_short(short, grammar),
        // A lone dash is a word like any other: stdin, to many commands.
        _ => Ok(Seen::Word),
    }
}

/// `label` or `label=VALUE`. Unlike with getopt_long(3), the beginning of a name does not do: it would
/// change its meaning with the next version.
fn of_long<'a>(word: &'a [u8], grammar: &Grammar) -> Result<Seen<'a>, UsageError> {
    let mut halves = word.splitn(2, |&byte| byte == b'=');
    let name = halves.next().unwrap_or_default();
    let attached = halves.next();
    match grammar.options.iter().find(|known| known.spelling().long.as_bytes() == name) {
        Some(known) if attached.is_some() && known.spelling().takes == Takes::Nothing => {
            Err(UsageError::see_help(format_args!("'--{}' takes no value", known.spelling().long)))
        }
        Some(&known) => Ok(Seen::Option(known, attached)),
        None => {
            let name = String::from_utf8_lossy(name);
            let longs = grammar.options.iter().map(|known| known.spelling().long);
            Err(unknown(&format!("--{name}"), nearest(&name, longs)))
        }
    }
}

/// `l`, `lVALUE` or `l=VALUE`. Of the short options, those of the table all take a value, and the other
/// ones are help and version, which nothing can follow: so there are no clusters of them.
fn of_short<'a>(word: &'a [u8], grammar: &Grammar) -> Result<Seen<'a>, UsageError> {
    let short = word.first().map(|&byte| char::from(byte));
    let Some(&known) = grammar.options.iter().find(|known| known.spelling().short == short) else {
        // What does not begin with a character has none to be named.
        let first = word.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        let name = first.map_or_else(|| String::from_utf8_lossy(word).into_owned(), String::from);
        return Err(unknown(&format!("-{name}"), None));
    };
    let attached = match word.get(1..) {
        _ if known.spelling().takes == Takes::Nothing => None,
        None | Some([]) => None,
        Some([b'=', value @ ..] | value) => Some(value),
    };
    Ok(Seen::Option(known, attached))
}

/// The value of an option to which none is attached.
fn value_of(known: Known, next: Option<&mut OsString>, grammar: &Grammar) -> Result<OsString, UsageError> {
    if let Some(next) = next {
        if known.may_take_a_dash() {
            return Ok(take(next));
        }
        // An option that is wrong by itself is named first: it may have been meant for the value.
        if let Seen::Word = seen(next, grammar)? {
            return Ok(take(next));
        }
    }
    Err(UsageError::see_help(format_args!("'--{}' needs a value", known.spelling().long)))
}

/// Of a word that was quoted by mistake the first part says enough.
fn unknown(word: &str, near: Option<&str>) -> UsageError {
    let name = word.split([' ', '=']).next().unwrap_or_default();
    match near {
        Some(near) => UsageError::see_help(format_args!("unknown option '{name}', nearest is '--{near}'")),
        None => UsageError::see_help(format_args!("unknown option '{name}'")),
    }
}

/// Puts an option where it belongs in the order of its kind. Of an option that takes one value, the last
/// counts.
fn place<K: Copy + Ord>(options: &mut Vec<(K, OsString)>, key: K, known: Known, value: OsString) {
    let behind = options.partition_point(|(other, _)| *other <= key);
    match options[..behind].last_mut() {
        Some((same, before)) if *same == key && !matches!(known.spelling().takes, Takes::Many(_)) => {
            *before = value;
        }
        Some(_) | None => options.insert(behind, (key, value)),
    }
}
