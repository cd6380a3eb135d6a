//! Patterns by tables, and against a matcher that tries everything.

use proptest::prelude::*;

use super::*;

#[test]
fn patterns_fit_whole_labels() {
    for (pattern, fitting, others) in [
        ("pg-backup", &["pg-backup"][..], &["pg-backup2", "xpg-backup", "", "PG-BACKUP"][..]),
        ("*", &["", "x", "a/b", "ü"], &[]),
        ("pg-*", &["pg-", "pg-x", "pg-a/b"], &["pg", "xpg-a"]),
        ("*-backup", &["-backup", "a-b-backup"], &["backup", "a-backup-"]),
        ("a*b*c", &["abc", "aXbYc", "abbcbc", "a/b/c"], &["ab", "acb", "abcd"]),
        ("?", &["a", "ü", "/"], &["", "ab"]),
        ("a?c", &["abc", "aüc"], &["ac", "abbc"]),
        ("[a-c]x", &["ax", "bx", "cx"], &["dx", "x", "Ax"]),
        ("[!a-c]x", &["dx", "-x", "üx"], &["ax", "cx", "x"]),
        ("[abx-z9]", &["a", "b", "y", "9"], &["c", "-"]),
        ("[a-]", &["a", "-"], &["b"]),
        ("[-a]", &["a", "-"], &["b"]),
        ("[]a]", &["]", "a"], &["b"]),
        ("[!]a]", &["b"], &["]", "a"]),
        ("[*]", &["*"], &["x", ""]),
        ("[?][[]", &["?["], &["x["]),
        ("[à-ü]", &["é"], &["e"]),
        ("a]b", &["a]b"], &["ab"]),
        ("a\\*", &["a\\x"], &["a*"]),
        ("db[0-9]*", &["db1", "db12/x"], &["dbx", "db"]),
    ] {
        assert_eq!(fault(pattern), None, "{pattern}");
        for text in fitting {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for text in others {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}

#[test]
fn what_is_no_pattern_says_why() {
    let open = "a '[' is not closed; write '[[]' for the character";
    for (pattern, why) in [
        ("", "it is empty; write '*' for all labels"),
        ("[", open),
        ("a[b", open),
        ("[]", open),
        ("[!]", open),
        ("[a][", open),
        ("[z-a]", "the range 'z-a' is reversed; write 'a-z'"),
        ("x[a9-0]", "the range '9-0' is reversed; write '0-9'"),
    ] {
        assert_eq!(fault(pattern).as_deref(), Some(why), "{pattern}");
        // And it is no matter to ask all the same.
        let _ = fits(pattern, "abc");
    }
}

/// A matcher that tries everything would be at this for longer than the host stands.
#[test]
fn many_stars_take_no_longer_than_both_lengths_say() {
    let (stars, text) = ("a*".repeat(2_000), "a".repeat(10_000));
    let began = std::time::Instant::now();
    assert!(fits(&stars, &text));
    assert!(!fits(&format!("{stars}b"), &text));
    assert!(began.elapsed().as_secs() < 10);
}

/// By the definition: a star is no character or one more.
fn tries_everything(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', behind)), _) => {
            tries_everything(behind, text) || !text.is_empty() && tries_everything(pattern, &text[1..])
        }
        (Some((first, behind)), Some((one, left))) => {
            (*first == '?' || first == one) && tries_everything(behind, left)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

proptest! {
    #[test]
    fn stars_and_question_marks_fit_what_trying_everything_finds(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(fits(&pattern, &text), tries_everything(&chars(&pattern), &chars(&text)));
    }

    #[test]
    fn any_text_is_a_pattern_or_says_why_not(pattern in "[-!a\\]\\[*?ü]{0,10}", text in "[-!a\\]\\[ü]{0,8}") {
        let behind_a_star = format!("*{pattern}");
        if fault(&pattern).is_none() && fits(&pattern, &text) {
            prop_assert!(fits(&behind_a_star, &text));
        }
    }
}
