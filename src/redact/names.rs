//! Which names are those of secrets. A name is taken apart at `_`, `-`, `.` and where a capital letter
//! follows a small one, since `monkey`, `author` and `compass` contain what `api_key`, `auth` and
//! `db_pass` are made of.

use super::{ends_with, is_among, words_of};

/// So many bytes of a name are looked at, from its end.
const NAME_MAX: usize = 128;

/// What a part of the name of a secret ends in: `PGPASSWORD`, `authtoken`.
const ENDINGS: &str = "password passwords passwd passphrase passcode passwort secret secrets token credential \
    credentials apikey accesskey privatekey secretkey accountkey authkey signingkey encryptionkey authorization cookie";

/// What a part of the name of a secret is.
const PARTS: &str = "pass auth oauth pw";

/// What stands before `pass` in one word: most words that end so are others (`compass`, `lowpass`).
const BEFORE_PASS: &str = "db my pg sql mysql ssh ftp smtp imap mail user root admin http proxy ldap bind redis \
    login key store";

/// What makes a `key` a secret.
const BEFORE_KEY: &str = "api access private secret encryption signing master account auth service storage session \
    integration routing license webhook";

/// What may be said of a secret without telling it: `password_file`, `token_type`.
const ABOUT: &str = "file path dir type count length len size ttl expiry expires expired stdin prompt policy name \
    method changed max";

/// An option that begins so takes no secret: `--no-password`, `--ask-pass`.
const WITHOUT: &str = "no ask prompt without skip";

/// Whether what a name stands for is a secret; `before` is the word that stands a blank before it, and
/// `operator` the first byte of what follows it.
pub fn is_secret(name: &[u8], before: &[u8], operator: u8) -> bool {
    // So the tools of tests write that one passed, and parsers what they stumble at.
    let is_token_of_grammar = is_among("unexpected expected illegal", before) && is_among("token", name);
    if (name == b"PASS" && operator == b':') || is_token_of_grammar {
        return false;
    }
    let is_option = name.starts_with(b"-");
    let name = &name[name.len().saturating_sub(NAME_MAX)..];
    let mut before = parts(before).last().unwrap_or_default();
    let mut secret = false;
    for (place, part) in parts(name).enumerate() {
        if place == 0 && is_option && is_among(WITHOUT, part) {
            return false;
        }
        let named = ends_in_secret(part) || completes_secret(before, part) || is_signature(part, operator);
        secret = named || (secret && !is_among(ABOUT, part));
        before = part;
    }
    secret
}

/// Whether a name is that of a header whose value goes to the end of the line.
pub fn is_header(name: &[u8]) -> bool {
    let last = parts(name).last().unwrap_or_default();
    ends_with(last, b"authorization") || ends_with(last, b"cookie")
}

fn ends_in_secret(part: &[u8]) -> bool {
    let of_pass = || ends_with(part, b"pass") && is_among(BEFORE_PASS, &part[..part.len() - "pass".len()]);
    is_among(PARTS, part) || words_of(ENDINGS).any(|ending| ends_with(part, ending)) || of_pass()
}

/// Names in two words, as `api key`. `PWD` alone is the working directory.
fn completes_secret(before: &[u8], part: &[u8]) -> bool {
    let is = |word: &str| part.eq_ignore_ascii_case(word.as_bytes());
    let after = |word: &str| before.eq_ignore_ascii_case(word.as_bytes());
    (is("key") && is_among(BEFORE_KEY, before))
        || (is("pwd") && !before.is_empty() && !after("old"))
        || (after("pass") && (is("phrase") || is("word")))
}

/// What lets anybody fetch what a URL names: `X-Amz-Signature=…`, `sig=…`.
fn is_signature(part: &[u8], operator: u8) -> bool {
    operator == b'=' && is_among("sig signature", part)
}

/// The parts of a name, without digits at their ends: `password2` is one, too.
fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = name.split(|byte| matches!(byte, b'_' | b'-' | b'.'));
    let humps =
        words.flat_map(|word| word.chunk_by(|a, b| !(a.is_ascii_lowercase() && b.is_ascii_uppercase())));
    let trimmed = humps.map(|part| {
        let digits = part.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        &part[..part.len() - digits]
    });
    trimmed.filter(|part| !part.is_empty())
}
