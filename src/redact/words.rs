//! Secrets in the words of a command, where a value is known by the word that it is, blanks and all.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::assignment::{is_option_word, is_password, takes_credentials};
use super::names::is_secret;
use super::value::is_telling_nothing;
use super::{MASK, is_name_byte, masked_bytes, plain, until};

/// The words with `***` in the place of whatever looks like a secret, as in [`super::masked`]; and beyond
/// that, all of a word behind `--password`, and all of it behind `--password=`.
///
/// Bytes that are not UTF-8 stay where they are in no secret.
pub fn masked_words<'a>(words: &[&'a OsStr]) -> Vec<Cow<'a, OsStr>> {
    let before = std::iter::once(&b""[..]).chain(words.iter().map(|word| word.as_bytes()));
    before
        .zip(words)
        .map(|(before, word)| match masked_word(before, word.as_bytes()) {
            None => Cow::Borrowed(*word),
            Some(masked) => Cow::Owned(OsString::from_vec(masked)),
        })
        .collect()
}

/// A word behind another one; `None` if there is nothing to mask.
fn masked_word(before: &[u8], word: &[u8]) -> Option<Vec<u8>> {
    // A name with an escape sequence in it is one again wherever the sequence is obeyed or removed.
    let seen = std::str::from_utf8(word).map(plain);
    if let Ok(Cow::Owned(seen)) = seen
        && let Some(masked) = masked_as_it_stands(before, seen.as_bytes())
    {
        return Some(masked);
    }
    masked_as_it_stands(before, word)
}

fn masked_as_it_stands(before: &[u8], word: &[u8]) -> Option<Vec<u8>> {
    match secret_in(before, word) {
        Some(start) if word[start..] == *MASK => None,
        Some(start) => Some([&word[..start], MASK].concat()),
        None => masked_bytes(word),
    }
}

/// Where the secret begins that goes to the end of the word.
fn secret_in(before: &[u8], word: &[u8]) -> Option<usize> {
    // A line for a shell has words of its own.
    if is_shell_option(before) {
        return None;
    }
    if is_named_by(before) && !is_option_word(word) && !is_telling_nothing(word) {
        return Some(0);
    }
    if takes_credentials(before) {
        let colon = word.iter().position(|&byte| byte == b':')?;
        return is_password(&word[colon + 1..]).then_some(colon + 1);
    }
    let name = until(word, 0, |byte| !is_name_byte(byte));
    let is_own = word.get(name) == Some(&b'=') && is_secret(&word[..name], b"", b'=');
    (is_own && !is_telling_nothing(&word[name + 1..])).then_some(name + 1)
}

/// `-c`, and `-ec` and its like.
fn is_shell_option(word: &[u8]) -> bool {
    matches!(word, [b'-', letters @ .., b'c'] if letters.iter().all(u8::is_ascii_alphabetic))
}

/// Whether all of the next word is a secret: behind `--password`, and behind `password:`.
fn is_named_by(word: &[u8]) -> bool {
    let (name, operator) = match word {
        [name @ .., operator @ (b':' | b'=')] => (name, *operator),
        option => (option, b' '),
    };
    let is_option = operator != b' ' || (name.starts_with(b"-") && name.len() > 2);
    is_option && name.iter().all(|&byte| is_name_byte(byte)) && is_secret(name, b"", operator)
}
