//! Secrets in the words of a command.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;

use crate::redact::masked_words;

fn masked(words: &[&str]) -> Vec<String> {
    let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
    masked_words(&words).into_iter().map(|word| word.to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_word_behind_a_name_and_all_of_it_behind_an_equals_sign_are_masked_whole() {
    for (words, expected) in [
        (&["x", "--password", "correct horse", "y"][..], &["x", "--password", "***", "y"][..]),
        (&["x", "--password=correct horse"], &["x", "--password=***"]),
        (&["x", "-password", "-dash"], &["x", "-password", "***"]),
        (&["env", "DB_PASSWORD=correct horse", "x"], &["env", "DB_PASSWORD=***", "x"]),
        (&["echo", "password:", "correct horse"], &["echo", "password:", "***"]),
        (&["x", "--token", "--verbose"], &["x", "--token", "--verbose"]),
        (&["x", "--token", "--password", "hunter2"], &["x", "--token", "--password", "***"]),
        (&["pg_dump", "--no-password", "app"], &["pg_dump", "--no-password", "app"]),
        (&["x", "-p", "22", "password", "app"], &["x", "-p", "22", "password", "app"]),
        (&["curl", "-u", "joe:correct horse"], &["curl", "-u", "joe:***"]),
        (&["curl", "-ujoe:hunter2", "https://u:p@h"], &["curl", "-ujoe:***", "https://u:***@h"]),
        (&["run", "-u", "1000:1000"], &["run", "-u", "1000:1000"]),
        (&["curl", "-H", "Authorization: Bearer a.b"], &["curl", "-H", "Authorization: Bearer ***"]),
        (&["sh", "-ec", "PGPASSWORD=hunter2 pg_dump app"], &["sh", "-ec", "PGPASSWORD=*** pg_dump app"]),
        (&["x", "--pass\u{1b}[1mword=a b"], &["x", "--password=***"]),
        (&["x", "\u{1b}[1mred"], &["x", "\u{1b}[1mred"]),
        (&["--password"], &["--password"]),
        (&[], &[]),
    ] {
        assert_eq!(masked(words), expected);
    }
}

#[test]
fn bytes_that_are_no_text_stay_but_in_a_secret() {
    let words = [&b"\xff\xfe"[..], b"--password=\xff\xfe", b"\xffx token=\xfe \xfd"].map(OsStr::from_bytes);
    let masked = masked_words(&words);
    assert!(matches!(masked[0], Cow::Borrowed(_)));
    let bytes: Vec<&[u8]> = masked.iter().map(|word| word.as_bytes()).collect();
    assert_eq!(bytes, [&b"\xff\xfe"[..], b"--password=***", b"\xffx token=*** \xfd"]);
}

proptest! {
    #[test]
    fn words_keep_their_number_and_any_bytes_will_do(
        words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8),
    ) {
        let words: Vec<&OsStr> = words.iter().map(|word| OsStr::from_bytes(word)).collect();
        let once = masked_words(&words);
        prop_assert_eq!(once.len(), words.len());
    }

    #[test]
    fn an_option_hides_its_value_whatever_it_is(secret in "[a-z ]{0,5}[A-Z0-9 '\"]{8,30}", glued: bool) {
        let words = if glued { vec![format!("--token={secret}")] } else { vec!["--token".into(), secret.clone()] };
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        let words: Vec<&OsStr> = words.iter().map(OsString::as_os_str).collect();
        for word in masked_words(&words) {
            prop_assert!(["--token=***", "--token", "***"].contains(&word.to_str().unwrap()), "{word:?}");
        }
    }
}
