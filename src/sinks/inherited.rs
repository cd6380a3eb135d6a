//! PURE. The sinks that a command sees in `CRONWARD_SINK`, for a cronward further in: those of ours that
//! hold no secret. What a command sees, all that it starts can see.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::{SinkWord, is_secret};
use crate::shell;

/// The list without the sinks whose target is a secret; the same list if there is none. `none` where
/// nothing is left of a list that stood in the place of the default, so that the default does not
/// come back.
pub fn without_secrets(list: &OsStr) -> OsString {
    // A list that is none is refused before a command sees it.
    let words = shell::split(list).unwrap_or_default();
    let kept: Vec<_> = words.iter().filter(|word| !holds_secret(word)).collect();
    if kept.len() == words.len() {
        return list.to_owned();
    }
    if kept.is_empty() && !words.iter().all(|word| word.as_bytes().starts_with(b"+")) {
        return "none".into();
    }
    let quoted: Vec<_> = kept.iter().map(|word| shell::quote(word)).collect();
    let bytes: Vec<&[u8]> = quoted.iter().map(|word| word.as_bytes()).collect();
    OsString::from_vec(bytes.join(&b' '))
}

/// Whether a word that names a sink holds a secret, and does not only say where one is.
pub fn holds_secret(word: &OsStr) -> bool {
    let text = word.to_string_lossy();
    text.trim_start_matches('+').split_once(':').is_some_and(|(kind, target)| {
        is_secret(&SinkWord { kind: kind.to_owned(), target: target.to_owned(), origin: String::new() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_sees_no_sink_with_a_secret() {
        for (list, seen) in [
            ("", ""),
            ("none", "none"),
            ("dogstatsd:  exec:'mail -s x root'", "dogstatsd:  exec:'mail -s x root'"),
            ("dogstatsd: ping:https://h/x exec:'mail -s x root'", "dogstatsd: 'exec:mail -s x root'"),
            ("+ping:https://h/x +jsonl:/f", "+jsonl:/f"),
            ("ping:file:/etc/hc ping:env:HC_URL", "ping:file:/etc/hc ping:env:HC_URL"),
            ("ping:https://h/x", "none"),
            ("'ping:https://h/x' ping:https://h/y", "none"),
            ("+ping:https://h/x", ""),
            ("webhook:file:/u#secret=k jsonl:/f pagerduty:k", "jsonl:/f"),
            (
                "webhook:file:/u#secret=file:/k pagerduty:file:/k",
                "webhook:file:/u#secret=file:/k pagerduty:file:/k",
            ),
        ] {
            assert_eq!(without_secrets(OsStr::new(list)), OsStr::new(seen), "{list}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let list = OsString::from_vec(b"jsonl:/\xff ping:https://h/x".to_vec());
        assert_eq!(without_secrets(&list).as_bytes(), b"'jsonl:/\xff'");
    }
}
