//! Where the value of a name begins and ends, and which values tell nothing.

use std::ops::Range;

use super::{has_at, is_among, is_blank, is_name_byte, until, words_of};

/// Ways to say who one is that stand before the secret itself (RFC 9110 section 11).
const SCHEMES: &str = "bearer basic token digest negotiate apikey aws4-hmac-sha256";

/// What is said of a secret in its place. Nobody's secret is one of these.
const SAYINGS: &str = "true false yes no on off none null nil undefined ok fail failed failure success succeeded valid \
    invalid incorrect wrong missing required expired denied rejected accepted enabled disabled empty \
    set unset user not is was for and or the to from of in must cannot";

/// A value, without its quotes, that begins at `start`; a scheme before it is left out. Quoted ones go to
/// the closing quote or the end of the line, others to white space or to where the next name begins.
pub fn value_at(text: &[u8], start: usize) -> Range<usize> {
    let slashes = until(text, start, |byte| byte != b'\\') - start;
    let opening = start + slashes;
    match text.get(opening) {
        Some(&quote @ (b'"' | b'\'' | b'`')) => {
            let end = end_of_quoted(text, opening + 1, quote, slashes);
            after_scheme(text, opening + 1).min(end)..end
        }
        Some(&bracket @ (b'[' | b'{')) if slashes == 0 => {
            let line = until(text, start + 1, |byte| byte == b'\n');
            let closing = if bracket == b'[' { b']' } else { b'}' };
            let inside = &text[start + 1..line];
            let length = inside.iter().rposition(|&byte| byte == closing).unwrap_or(inside.len());
            start + 1..start + 1 + length
        }
        _ => {
            let start = after_scheme(text, until(text, start, |byte| !matches!(byte, b'(' | b'<')));
            start..end_of_bare(text, start)
        }
    }
}

/// The rest of the line behind a scheme, or up to the quote that the line began in.
pub fn rest_of_line(text: &[u8], start: usize, enclosing: Option<u8>) -> Range<usize> {
    let start = after_scheme(text, start);
    let end = until(text, start, |byte| matches!(byte, b'\r' | b'\n') || Some(byte) == enclosing);
    start..end
}

/// Whether a value is none: a word that is said in the place of one, or a number as of tests that passed.
pub fn is_telling_nothing(value: &[u8]) -> bool {
    let is_small_number = value.len() <= 3 && value.iter().all(u8::is_ascii_digit);
    is_small_number || is_among(SAYINGS, value)
}

/// Behind a scheme and its blanks, if there is one with something behind it.
fn after_scheme(text: &[u8], start: usize) -> usize {
    let Some(scheme) = words_of(SCHEMES).find(|scheme| has_at(text, start, scheme)) else { return start };
    let end = start + scheme.len();
    let next = until(text, end, |byte| !is_blank(byte));
    let stands_alone = text.get(next).is_none_or(|byte| byte.is_ascii_whitespace() || *byte == b'"');
    if next == end || stands_alone { start } else { next }
}

/// A quote within JSON within JSON has backslashes before it, and so has the one that closes it; one with
/// more of them belongs to the value.
fn end_of_quoted(text: &[u8], start: usize, quote: u8, slashes: usize) -> usize {
    let mut run = 0;
    for (at, &byte) in text.iter().enumerate().skip(start) {
        if byte == b'\n' {
            return at;
        }
        if byte == quote && run <= slashes && closes(text, at) {
            return at - run;
        }
        run = if byte == b'\\' { run + 1 } else { 0 };
    }
    text.len()
}

/// A quote in the midst of a word closes nothing: `don't`, and `'don'\''t'` as a shell has it.
fn closes(text: &[u8], at: usize) -> bool {
    let next = text.get(at + 1).copied().unwrap_or(b' ');
    let goes_on = next.is_ascii_alphanumeric() || next == b'_' || next >= 0x80;
    !goes_on && !text[at..].starts_with(b"'\\'")
}

fn end_of_bare(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        let ends = match byte {
            b'"' | b'\'' | b'`' => closes(text, at),
            b',' | b';' | b'&' | b'|' => is_before_name(text, at + 1),
            b'<' => text.get(at + 1) == Some(&b'/'),
            byte => byte.is_ascii_whitespace(),
        };
        if ends {
            break;
        }
        at += 1;
    }
    // What closes something around the value, or ends a part of a sentence.
    let is_closing =
        |byte: &u8| matches!(byte, b',' | b';' | b')' | b']' | b'}' | b'>' | b'\\' | b'|' | b'&');
    at - text[start..at].iter().rev().take_while(|byte| is_closing(byte)).count()
}

/// Whether the next name and its value begin here: a delimiter may belong to a secret, too.
fn is_before_name(text: &[u8], start: usize) -> bool {
    let end = until(text, start, |byte| !is_name_byte(byte));
    end > start && matches!(text.get(end), Some(b'=' | b':'))
}
