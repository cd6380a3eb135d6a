//! PURE. Secrets and control sequences out of what leaves the host.
//!
//! Secrets are known by their shape: by the name that stands before them, by the place that they have in a
//! URL, or by how the tokens of well-known issuers begin. That is no proof: what has no shape is not
//! found. Where a text leaves a choice, more of it is masked rather than less.
//!
//! Terminal sequences may stand in the midst of a name, so [`plain`] comes before [`masked`].

mod assignment;
pub mod excerpt;
mod names;
mod pem;
mod plain;
mod tokens;
mod userinfo;
mod value;
mod words;

use std::borrow::Cow;
use std::ops::Range;

pub use plain::{one_line, plain};
pub use words::masked_words;

/// What stands in the place of a secret.
const MASK: &[u8] = b"***";

/// How often a text is gone over. A mask may bring a name and a text together that were none; more than
/// twice takes a text made for it.
const PASSES_MAX: usize = 4;

/// `text` with `***` in the place of whatever looks like a secret; names stay, so that a reader knows
/// what was there. Takes time in proportion to the length of the text, whatever it is.
pub fn masked(text: &str) -> Cow<'_, str> {
    match masked_bytes(text.as_bytes()) {
        None => Cow::Borrowed(text),
        // Only whole characters are taken out.
        Some(bytes) => Cow::Owned(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ),
    }
}

/// A sentence of ours as it may be sent: plain and masked. It may quote what was cut, as `…` says; half of
/// a word has no shape, so that one goes.
pub fn masked_sentence(text: &str) -> Cow<'_, str> {
    const CUT: char = '…';
    let plain = plain(text);
    if let (Cow::Borrowed(text), false) = (&plain, plain.contains(CUT)) {
        return masked(text);
    }
    let parts = plain.split_inclusive(CUT).map(|part| match part.strip_suffix(CUT) {
        Some(quoted) => format!("{}{CUT}", &quoted[..excerpt::end_of_words(quoted)]),
        None => part.to_owned(),
    });
    Cow::Owned(masked(&parts.collect::<String>()).into_owned())
}

/// The same of bytes; `None` if there is nothing to mask.
fn masked_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let mut masked = masked_once(text)?;
    for _ in 1..PASSES_MAX {
        match masked_once(&masked) {
            Some(again) => masked = again,
            None => break,
        }
    }
    Some(masked)
}

fn masked_once(text: &[u8]) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    for find in [pem::find, assignment::find, tokens::find, userinfo::find] {
        find(text, &mut found);
    }
    found.retain(|secret| !secret.is_empty());
    found.sort_unstable_by_key(|secret: &Range<usize>| secret.start);
    found.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    found.retain(|secret| text[secret.clone()] != *MASK);
    if found.is_empty() {
        return None;
    }
    let mut masked = Vec::with_capacity(text.len());
    let mut copied = 0;
    for secret in found {
        masked.extend_from_slice(&text[copied..secret.start]);
        masked.extend_from_slice(MASK);
        copied = secret.end;
    }
    masked.extend_from_slice(&text[copied..]);
    Some(masked)
}

/// A blank within a line.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What a name is written with: letters, digits, `_`, `-` and `.`.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// What no word contains: white space, and what would quote it.
fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
}

/// Index of the first byte from `start` on that `stops`, or the length of the text.
fn until(text: &[u8], start: usize, stops: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().position(|&byte| stops(byte)).unwrap_or(rest.len())
}

/// Whether `text` has `part` at `at`, whatever the case of its letters.
fn has_at(text: &[u8], at: usize, part: &[u8]) -> bool {
    text.get(at..at + part.len()).is_some_and(|there| there.eq_ignore_ascii_case(part))
}

/// Whether `text` ends so, whatever the case of its letters.
fn ends_with(text: &[u8], ending: &[u8]) -> bool {
    text.len().checked_sub(ending.len()).is_some_and(|at| text[at..].eq_ignore_ascii_case(ending))
}

/// The words of a list with blanks between. It is one text, since each of many would take room in the
/// binary for its address, and to have that relocated.
fn words_of(list: &str) -> impl Iterator<Item = &[u8]> {
    list.as_bytes().split(|&byte| byte == b' ')
}

/// Whether a word is one of a list, whatever the case of its letters.
fn is_among(list: &str, word: &[u8]) -> bool {
    words_of(list).any(|one| one.eq_ignore_ascii_case(word))
}

/// Whether a word may begin at `at`: it does not go on there.
fn begins(text: &[u8], at: usize) -> bool {
    at == 0 || !text[at - 1].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests;
