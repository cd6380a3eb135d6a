//! Secrets by the name before them: `NAME=value`, `NAME: value`, `"NAME": "value"`, `--name value`,
//! `<name>value</name>`, and `curl -u user:value`.

use std::ops::Range;

use super::names::{is_header, is_secret};
use super::value::{is_telling_nothing, rest_of_line, value_at};
use super::{is_blank, is_name_byte, until};

/// Appends the place of every value in `text` whose name is that of a secret.
pub fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    let mut before = 0..0;
    loop {
        let start = until(text, at, is_name_byte);
        if start == text.len() {
            return;
        }
        let end = until(text, start, |byte| !is_name_byte(byte));
        let next_to = start == before.end + 1 && is_blank(text[before.end]);
        let word_before = if next_to { &text[before.clone()] } else { &[] };
        at = end;
        if let Some(value) = value_of(text, start..end, word_before) {
            // Behind it only: a long value is looked at once.
            at = at.max(value.end);
            found.push(value);
        }
        before = start..end;
    }
}

/// The value of the name in that place, if it has one that is a secret.
fn value_of(text: &[u8], name: Range<usize>, before: &[u8]) -> Option<Range<usize>> {
    let word = &text[name.clone()];
    let operator = operator_behind(text, &name);
    if let Some(value) = credentials(text, &name, operator) {
        return Some(value);
    }
    let (operator, start) = operator.or_else(|| blank_behind_option(text, &name))?;
    if !is_secret(word, before, operator) {
        return None;
    }
    let is_quoted = matches!(text.get(start), Some(b'"' | b'\'' | b'\\'));
    let value = if operator == b':' && is_header(word) && !is_quoted {
        let first = start..until(text, start, |byte| byte.is_ascii_whitespace());
        if is_telling_nothing(&text[first]) {
            return None;
        }
        rest_of_line(text, start, enclosing_quote(text, name.start))
    } else if operator == b'>' {
        start..until(text, start, |byte| matches!(byte, b'<' | b'\n'))
    } else {
        value_at(text, start)
    };
    (!value.is_empty() && !is_telling_nothing(&text[value.clone()])).then_some(value)
}

/// What stands between a name and its value, by its first byte, and where the value begins.
fn operator_behind(text: &[u8], name: &Range<usize>) -> Option<(u8, usize)> {
    if name.start > 0 && text[name.start - 1] == b'<' && text.get(name.end) == Some(&b'>') {
        return Some((b'>', name.end + 1));
    }
    // The name may be quoted, in an index, or both.
    let mut at = until(text, name.end, |byte| byte != b'\\');
    at += usize::from(matches!(text.get(at), Some(b'"' | b'\'')));
    at += usize::from(text.get(at) == Some(&b']'));
    at = until(text, at, |byte| !is_blank(byte));
    let (operator, length) = match text.get(at..)? {
        // A path of a programming language, or the scheme of a URL.
        [b':', b':', ..] | [b':', b'/', b'/', ..] => return None,
        [b'=', b'=', b'=', ..] => (b'=', 3),
        [b'=', b'>' | b'=', ..] | [b':', b'=', ..] => (b'=', 2),
        [operator @ (b':' | b'='), ..] => (*operator, 1),
        _ => return None,
    };
    Some((operator, until(text, at + length, |byte| !is_blank(byte))))
}

/// Where the word behind an option begins, on the same line.
fn blank_behind_option(text: &[u8], name: &Range<usize>) -> Option<(u8, usize)> {
    let is_option = text[name.start] == b'-' && name.len() > 2 && begins_word(text, name.start);
    let start = until(text, name.end, |byte| !is_blank(byte));
    let stands = is_option && start > name.end && !is_option_word(text.get(start..)?);
    stands.then_some((b' ', start))
}

/// Whether a word is the next option and not the value of the one before.
pub fn is_option_word(word: &[u8]) -> bool {
    matches!(word, [b'-', b'-', letter, ..] if letter.is_ascii_alphabetic())
}

/// The password in `-u user:password`, as curl and its like take it.
fn credentials(text: &[u8], name: &Range<usize>, operator: Option<(u8, usize)>) -> Option<Range<usize>> {
    let word = &text[name.clone()];
    if !begins_word(text, name.start) {
        return None;
    }
    if let (true, Some((b':', start))) = (word.starts_with(b"-u") && word.len() > 2, operator) {
        let value = value_at(text, start);
        return (start == name.end + 1 && is_password(&text[value.clone()])).then_some(value);
    }
    if !takes_credentials(word) {
        return None;
    }
    let start = match operator {
        Some((b'=', start)) => start,
        _ => until(text, name.end, |byte| !is_blank(byte)),
    };
    let pair = value_at(text, start);
    let colon = text[pair.clone()].iter().position(|&byte| byte == b':')?;
    let password = pair.start + colon + 1..pair.end;
    (start > name.end && is_password(&text[password.clone()])).then_some(password)
}

/// Whether an option is one that takes `user:password`.
pub fn takes_credentials(option: &[u8]) -> bool {
    matches!(option, b"-u" | b"-U" | b"--user" | b"--proxy-user")
}

/// Whether what stands behind a user and a colon is a password, and not the number of a group.
pub fn is_password(word: &[u8]) -> bool {
    !word.is_empty() && !word.iter().all(u8::is_ascii_digit)
}

fn begins_word(text: &[u8], at: usize) -> bool {
    at == 0 || text[at - 1].is_ascii_whitespace() || matches!(text[at - 1], b'"' | b'\'' | b'(' | b'[')
}

/// The quote that a header stands in, name and all: `-H 'Authorization: …'`.
fn enclosing_quote(text: &[u8], name: usize) -> Option<u8> {
    name.checked_sub(1).map(|before| text[before]).filter(|before| matches!(before, b'"' | b'\''))
}
