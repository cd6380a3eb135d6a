//! PURE. What a command is not to see of our sinks, since what it sees, all that it starts can see: variables
//! that hold a secret of theirs, and in `CRONWARD_SINK`, which is for a cronward further in, the sinks that
//! hold one, or whose variable it will not have.

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
    let kept: Vec<_> =
        words.iter().filter(|word| !holds_secret(word) && variables_of(word).is_empty()).collect();
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

/// The variables that hold the secrets of these sinks.
pub fn secret_variables(sinks: &[SinkWord]) -> Vec<&str> {
    sinks.iter().flat_map(|word| references(&word.target)).collect()
}

fn variables_of(word: &OsStr) -> Vec<String> {
    let text = word.to_string_lossy();
    let target = text.split_once(':').map_or("", |(_, target)| target);
    references(target).map(str::to_owned).collect()
}

/// The names in `env:NAME`, where that is a target or the value of an option of one.
fn references(target: &str) -> impl Iterator<Item = &str> {
    let (value, options) = match target.split_once(['#', '?']) {
        Some((value, options)) => (value, options),
        None => (target, ""),
    };
    let of_options =
        options.split(['&', '#', '?']).filter_map(|option| option.split_once('=')).map(|(_, value)| value);
    std::iter::once(value).chain(of_options).filter_map(|value| value.strip_prefix("env:"))
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
            ("ping:file:/etc/hc +dogstatsd:?events=all", "ping:file:/etc/hc +dogstatsd:?events=all"),
            ("ping:file:/etc/hc ping:env:HC_URL", "ping:file:/etc/hc"),
            ("ping:env:HC_URL", "none"),
            ("webhook:file:/u#events=all&secret=env:KEY jsonl:/f", "jsonl:/f"),
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
    fn variables_that_hold_a_secret_are_named_wherever_one_may_stand() {
        let word = |target: &str| SinkWord { kind: "x".into(), target: target.into(), origin: String::new() };
        let sinks = ["env:A", "https://h/?x=1#secret=env:B&events=all", "file:/f?url=env:C", "https://env:D"];
        let sinks: Vec<_> = sinks.into_iter().map(word).collect();
        assert_eq!(secret_variables(&sinks), ["A", "B", "C"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let list = OsString::from_vec(b"jsonl:/\xff ping:https://h/x".to_vec());
        assert_eq!(without_secrets(&list).as_bytes(), b"'jsonl:/\xff'");
    }
}
