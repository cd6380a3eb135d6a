//! Secrets between a user and a host: `scheme://user:password@host`, `https://TOKEN@host` and
//! `user:password@host`.

use std::ops::Range;

use super::{ends_with, ends_word, is_among, is_name_byte, until};

/// What stands before a colon and an address of mail, a telephone or a package, and is no user.
const NO_USERS: &str =
    "mailto to from cc bcc reply-to sip sips xmpp acct email e-mail mail npm contact sender";

/// A password that says that the user is the secret.
const NO_PASSWORD: &[u8] = b"x-oauth-basic";

/// Appends the place of every secret before a host.
pub fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while at < text.len() {
        let end = until(text, at, ends_word);
        in_word(text, at..end, found);
        at = end + 1;
    }
}

/// A word may hold several URLs, each up to the `://` of the next: every byte is looked at once or twice.
fn in_word(text: &[u8], word: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut start = word.start;
    let mut is_http = None;
    loop {
        let rest = &text[start..word.end];
        let next = rest.windows(3).position(|window| window == b"://").map(|at| start + at);
        let part = start..next.unwrap_or(word.end);
        match is_http {
            Some(is_http) => found.extend(in_url(text, part, is_http)),
            None => found.extend(without_scheme(text, part)),
        }
        let Some(next) = next else { return };
        let scheme = &text[start..next];
        is_http = Some([&b"http"[..], b"https"].iter().any(|http| ends_with(scheme, http)));
        start = next + 3;
    }
}

/// The secret in what follows `://`.
fn in_url(text: &[u8], url: Range<usize>, is_http: bool) -> Option<Range<usize>> {
    let authority = url.start..until(&text[..url.end], url.start, |byte| matches!(byte, b'/' | b'?' | b'#'));
    let last_at = |range: Range<usize>| {
        text[range.clone()].iter().rposition(|&byte| byte == b'@').map(|at| range.start + at)
    };
    let colon = text[authority.clone()].iter().position(|&byte| byte == b':').map(|at| url.start + at);
    // A password may hold a slash that somebody should have encoded; a port is a number.
    let is_port = |colon: usize| text[colon + 1..authority.end].iter().all(u8::is_ascii_digit);
    let goes_on = colon.is_some_and(|colon| !is_port(colon) && text[url.start] != b'[');
    let at = last_at(authority.clone()).or_else(|| last_at(url.clone()).filter(|_| goes_on))?;
    match colon.filter(|&colon| colon < at) {
        Some(colon) if is_http && matches!(&text[colon + 1..at], b"" | NO_PASSWORD) => Some(url.start..colon),
        Some(colon) => Some(colon + 1..at),
        None if is_http && text[url.start..at] != *b"git" => Some(url.start..at),
        None => None,
    }
}

/// The password in `user:password@host`, where that is what it looks like.
fn without_scheme(text: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    let at = word.start + text[word.clone()].iter().rposition(|&byte| byte == b'@')?;
    let colon = word.start + text[word.start..at].iter().position(|&byte| byte == b':')?;
    let is_user_byte = |byte: u8| is_name_byte(byte) || matches!(byte, b'%' | b'+');
    let length = text[word.start..colon].iter().rev().take_while(|&&byte| is_user_byte(byte)).count();
    let user = &text[colon - length..colon];
    let before = (colon - length).checked_sub(1).map(|before| text[before]);
    let password = &text[colon + 1..at];
    let host = &text[at + 1..word.end];
    let is_number = password.len() <= 4 && password.iter().all(u8::is_ascii_digit);
    // `10:30@noon` has no user, `git@host:path@v1` two hosts, and `image:tag@sha256:…` none.
    let stands = user.first().is_some_and(u8::is_ascii_alphabetic)
        && before != Some(b'@')
        && !is_among(NO_USERS, user)
        && !is_number
        && host.first().is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'[')
        && !host.starts_with(b"sha256:");
    stands.then_some(colon + 1..at)
}
