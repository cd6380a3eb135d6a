//! PURE. The options of an ordinary run, read without clap. Building clap's grammar and its matches
//! cost 53,000 of the 274,000 instructions of a run, and half a dozen page faults, for the options
//! that were typed alone; reading the same words here costs 2,000. clap stays the arbiter: whatever
//! is not plainly an option of the table with its value is left to it, so that it alone says what is
//! help and what is an error, and a property holds the two to the same answer.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::settings::{Row, Setting, TABLE, Takes};

/// The options before the command, as [`super::Typed::options`] has them, and the index in `args` of
/// the first word of the command. `None` if clap has to look: help, a switch with a value, an option
/// that is not known or lacks its value.
pub fn options(args: &[OsString]) -> Option<(Vec<(Setting, OsString)>, usize)> {
    let mut options = Vec::new();
    let mut at = 1;
    while let Some(word) = args.get(at) {
        let (row, attached) = match word.as_bytes() {
            b"--" => return Some((options, at + 1)),
            [b'-', b'-', long @ ..] => of_long(long)?,
            [b'-', short, attached @ ..] => of_short(*short, attached)?,
            // A lone dash is a word like any other: stdin, to many commands.
            _ => break,
        };
        let value = match (row.takes, attached) {
            (Takes::Nothing | Takes::Perhaps(_), None) => OsStr::new("1"),
            (Takes::Nothing, Some(_)) => return None,
            (Takes::Perhaps(_) | Takes::One(_) | Takes::Many(_), Some(value)) => OsStr::from_bytes(value),
            (Takes::One(_) | Takes::Many(_), None) => {
                at += 1;
                args.get(at).filter(|word| may_be_value(row, word))?
            }
        };
        place(&mut options, row, value.to_owned());
        at += 1;
    }
    Some((options, at.min(args.len())))
}

/// `label` or `label=VALUE`.
fn of_long(word: &[u8]) -> Option<(&'static Row, Option<&[u8]>)> {
    let mut halves = word.splitn(2, |&byte| byte == b'=');
    let row = Setting::of_long(halves.next()?)?.row();
    Some((row, halves.next()))
}

/// `l`, `lVALUE` or `l=VALUE`. Every short option of the table takes a value, so there are no
/// clusters of them; one that takes none would be left to clap with whatever is attached to it.
fn of_short(short: u8, attached: &[u8]) -> Option<(&'static Row, Option<&[u8]>)> {
    let row = TABLE.iter().find(|row| row.short == Some(char::from(short)))?;
    Some(match attached {
        [] => (row, None),
        [b'=', value @ ..] | value => (row, Some(value)),
    })
}

/// Whether clap would take a word for the value of the option before it.
fn may_be_value(row: &Row, word: &OsStr) -> bool {
    word == "-" || !word.as_bytes().starts_with(b"-") || super::may_begin_with_dash(row)
}

/// Puts an option where it belongs in the order of the table. Of an option that takes one value, the
/// last counts.
fn place(options: &mut Vec<(Setting, OsString)>, row: &Row, value: OsString) {
    let behind = options.partition_point(|(other, _)| *other as usize <= row.setting as usize);
    match options[..behind].last_mut() {
        Some((same, before)) if *same == row.setting && !matches!(row.takes, Takes::Many(_)) => {
            *before = value;
        }
        Some(_) | None => options.insert(behind, (row.setting, value)),
    }
}
