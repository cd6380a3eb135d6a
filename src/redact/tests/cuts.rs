//! No part of a secret gets past a cut.

use proptest::prelude::*;

use crate::redact::excerpt::{cut_head, cut_tail};
use crate::redact::masked;

#[test]
fn of_what_was_cut_whole_lines_are_left() {
    let line = "A".repeat(64);
    for (head, left) in
        [("", ""), ("a\nb\nc", "a\nb\n"), ("a\n", "a\n"), ("a b c", "a b"), ("abc", ""), ("a ", "a")]
    {
        assert_eq!(cut_head(head), left, "{head:?}");
    }
    for (tail, left) in [
        ("", ""),
        ("a b c d", ""),
        ("a\nb\nc", "b\nc"),
        ("a\n", ""),
        ("\nb", "b"),
        (&format!("a\n{line}\n  {line}\r\nAb=\ndone: x"), "done: x"),
        (&format!("{line}\nAb=\ndone: x"), "done: x"),
        (&format!("a\n{line}"), ""),
        ("a\nDone\n", "Done\n"),
        (&format!("a\nx {line}\n"), &format!("x {line}\n")),
    ] {
        assert_eq!(cut_tail(tail), left, "{tail:?}");
    }
}

/// A secret of any shape that is known, between `⟨` and `⟩`.
fn secret() -> impl Strategy<Value = String> {
    let token = "[a-zA-Z0-9]{24,40}";
    let loose = "[a-zA-Z0-9!#$%+/?^_~-]{10,40}";
    let name = prop::sample::select(vec![
        "password=",
        "DB_PASSWORD: ",
        "--password ",
        "--token=",
        "api key: ",
        "aws_secret_access_key = ",
        "Authorization: Bearer ",
        "Authorization: Token ",
        "X-Auth-Token: ",
        "curl -u joe:",
        "X=1;AccountKey=",
    ]);
    let quote = prop::sample::select(vec![
        ("\"password\": \"", "\""),
        ("password: '", "'"),
        ("--passphrase \"", "\" --more"),
        ("{\\\"token\\\": \\\"", "\\\"}"),
        ("Cookie: ", "\n"),
        ("authorization: Digest ", "\n"),
        ("<password>", "</password>"),
    ]);
    let prefix = prop::sample::select(vec![
        "ghp_",
        "gho_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "sk_live_",
        "sk-ant-A0",
        "https://hooks.slack.com/services/T0/",
        "eyJhbGciOiJIUzI1NiJ9.eyJ",
        "Bearer A",
    ]);
    let around = prop::sample::select(vec![
        ("postgres://app:", "@db/x"),
        ("https://", "@github.com/x"),
        ("app:", "@db/x"),
    ]);
    prop_oneof![
        (name, loose).prop_map(|(name, secret)| format!("{name}⟨{secret}⟩")),
        (quote, "[a-z]{8,12}( [a-z]{7,9}){1,5}")
            .prop_map(|((open, close), secret)| format!("{open}⟨{secret}⟩{close}")),
        (prefix, token).prop_map(|(prefix, secret)| format!("{prefix}⟨{secret}⟩")),
        (around, "[a-zA-Z0-9!$%+^_~-]{10,30}")
            .prop_map(|((open, close), secret)| format!("{open}⟨{secret}⟩{close}")),
        "[A-Z0-9]{16}".prop_map(|id| format!("⟨AKIA{id}⟩")),
    ]
}

/// A key in PEM, without the lines around it: of full lines and a shorter one.
fn key() -> impl Strategy<Value = String> {
    (prop::collection::vec("[a-zA-Z0-9+/]{64}", 1..3), "[a-zA-Z0-9+/]{8,63}={0,2}")
        .prop_map(|(lines, last)| format!("{}\n{last}", lines.join("\n")))
}

fn pieces(secret: &str) -> impl Iterator<Item = &str> {
    let letters: Vec<&str> = secret.split_whitespace().collect();
    letters.into_iter().flat_map(|word| (0..word.len().saturating_sub(5)).map(move |at| &word[at..at + 6]))
}

/// Cuts at every place, with gaps of several lengths, and looks at what is left.
fn nothing_gets_past(text: &str, secret: &str) -> Result<(), TestCaseError> {
    for cut in 0..=text.len() {
        for gap in [0, 9] {
            let (head, tail) = (&text[..cut], text.get(cut + gap..).unwrap_or(""));
            for sent in [masked(cut_head(head)), masked(cut_tail(tail))] {
                let found = pieces(secret).find(|piece| sent.contains(piece));
                prop_assert!(found.is_none(), "{found:?} at {cut}+{gap} in {sent:?} of {text:?}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_secret_on_one_line_does_not_get_past_a_cut(
        before in "([0-9 .,]{0,20}\n)?[0-9 .,]{0,30}[ \n]", line in secret(), after in "[ \n][0-9 .,]{0,30}(\n[0-9 .,]{0,20})?",
    ) {
        let (open, rest) = line.split_once('⟨').unwrap();
        let (secret, close) = rest.split_once('⟩').unwrap();
        nothing_gets_past(&format!("{before}{open}{secret}{close}{after}"), secret)?;
    }

    #[test]
    fn a_key_does_not_get_past_a_cut(before in "[0-9 .,\n]{0,30}", key in key(), after in "[0-9 .,\n]{0,30}") {
        let text = format!("{before}\n-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n{after}");
        nothing_gets_past(&text, &key)?;
    }
}
