//! Secrets by how they begin: tokens of well-known issuers, and what follows `Bearer` and `Basic`.

use std::ops::Range;

use super::{begins, ends_word, has_at, is_among, is_blank, until, words_of};

/// How the tokens of an issuer begin; at least [`ISSUED_MIN`] letters, digits, `_` and `-` follow.
const ISSUED: &str = "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- xoxa- xoxb- xoxe- xoxp- xoxr- xoxs- xapp- \
    sk_live_ sk_test_ rk_live_ rk_test_ whsec_ hvs. ya29. SG. dckr_pat_ shpat_";
const ISSUED_MIN: usize = 16;

/// The same of those that begin like other words, too, as `npm_config_cache`.
const ISSUED_LONG: &str = "npm_ pypi- hf_ dop_v1_ AIza AGE-SECRET-KEY-";
const ISSUED_LONG_MIN: usize = 30;

/// URLs whose last part lets anybody write: it is masked with all that follows.
const HOOKS: &str = "hooks.slack.com/services/ hooks.slack.com/workflows/ hooks.slack.com/triggers/ \
    discord.com/api/webhooks/ api.telegram.org/bot";

/// So much of a word is looked at to decide whether it is a token; else a text made for it would be
/// gone over for each of its bytes.
const LOOK_MAX: usize = 64;

/// Appends the place of every token.
pub fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while at < text.len() {
        let token = begins(text, at).then(|| token_at(text, at)).flatten();
        at = token.as_ref().map_or(at + 1, |token| token.end.max(at + 1));
        found.extend(token);
    }
}

fn token_at(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let first = *rest.first()?;
    if !first.is_ascii_alphabetic() {
        return None;
    }
    if is_issued(rest, ISSUED, ISSUED_MIN)
        || is_issued(rest, ISSUED_LONG, ISSUED_LONG_MIN)
        || is_amazons(rest)
        || is_general(rest)
    {
        // With dots, as some have them in their midst.
        return Some(at..trimmed(text, at, until(text, at, |byte| !(is_token_byte(byte) || byte == b'.'))));
    }
    if let Some(end) = web_token(text, at) {
        return Some(at..end);
    }
    if let Some(hook) = words_of(HOOKS).find(|hook| has_at(text, at, hook)) {
        return Some(at + hook.len()..until(text, at + hook.len(), ends_word));
    }
    bearer(text, at).or_else(|| basic(text, at))
}

fn is_issued(rest: &[u8], prefixes: &str, least: usize) -> bool {
    let prefix = words_of(prefixes).find(|prefix| rest.starts_with(prefix));
    prefix.is_some_and(|prefix| leading(&rest[prefix.len()..], is_token_byte) >= least)
}

/// How many bytes at the beginning are such, as far as it is looked.
fn leading(text: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    text.iter().take(LOOK_MAX).take_while(|&&byte| is_such(byte)).count()
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Without the dot that ends a sentence.
fn trimmed(text: &[u8], start: usize, end: usize) -> usize {
    end - text[start..end].iter().rev().take_while(|&&byte| byte == b'.').count()
}

/// Ids of access keys, which go with a secret key (IAM identifiers, "Understanding unique ID prefixes").
fn is_amazons(rest: &[u8]) -> bool {
    let id = rest.strip_prefix(b"AKIA").or_else(|| rest.strip_prefix(b"ASIA"));
    id.is_some_and(|id| leading(id, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) >= 16)
}

/// `sk-` and what no word of a language looks like.
fn is_general(rest: &[u8]) -> bool {
    rest.strip_prefix(b"sk-").is_some_and(|rest| {
        let length = leading(rest, is_token_byte);
        length >= 20 && rest[..length].iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    })
}

/// A JSON Web Token (RFC 7519): `{"` begins header and claims, which is `eyJ` in base64.
fn web_token(text: &[u8], at: usize) -> Option<usize> {
    // In the midst of a part there is no beginning, so every part is gone over once.
    if at > 0 && is_token_byte(text[at - 1]) || !text[at..].starts_with(b"eyJ") {
        return None;
    }
    let dot = until(text, at, |byte| !is_token_byte(byte));
    let is_one = text[dot..].starts_with(b".eyJ");
    is_one.then(|| trimmed(text, at, until(text, dot, |byte| !(is_token_byte(byte) || byte == b'.'))))
}

/// Behind `Bearer`: anything behind a capital letter that is no word about it, else what no word is like.
fn bearer(text: &[u8], at: usize) -> Option<Range<usize>> {
    const ABOUT: &str = "token tokens auth authentication authorization scheme of is and or";
    let token = behind_word(text, at, b"bearer")?;
    let word = &text[token.clone()];
    let is_about = is_among(ABOUT, word);
    let looks_made = word.len() >= 16 || word.iter().any(u8::is_ascii_digit);
    (looks_made || (text[at] == b'B' && !is_about && !word.is_empty())).then_some(token)
}

/// Behind `Basic`: base64 of a text with a colon (RFC 7617), since much is basic.
fn basic(text: &[u8], at: usize) -> Option<Range<usize>> {
    let token = behind_word(text, at, b"basic")?;
    is_pair(&text[token.clone()]).then_some(token)
}

/// What stands behind a word and blanks, in the bytes of a `token68` (RFC 9110 section 11.2).
fn behind_word(text: &[u8], at: usize, word: &[u8]) -> Option<Range<usize>> {
    let end = has_at(text, at, word).then_some(at + word.len())?;
    let start = until(text, end, |byte| !is_blank(byte));
    let is_part = |byte: u8| is_token_byte(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=');
    (start > end).then(|| start..until(text, start, |byte| !is_part(byte)))
}

/// Whether base64 is that of `user:password`.
fn is_pair(coded: &[u8]) -> bool {
    let (mut bits, mut count, mut has_colon) = (0_u32, 0, false);
    let digits = coded.iter().take_while(|&&byte| byte != b'=');
    for &digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            let byte = (bits >> count) as u8;
            if byte.is_ascii_control() {
                return false;
            }
            has_colon |= byte == b':';
        }
    }
    has_colon
}
