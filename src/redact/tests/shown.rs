//! What is left of a text for a terminal.

use proptest::prelude::*;

use crate::redact::{one_line, plain};

#[test]
fn what_a_terminal_would_obey_is_gone_and_what_it_would_show_last_stays() {
    for (text, shown) in [
        ("", ""),
        ("a\tb\nc\n", "a\tb\nc\n"),
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("\u{1b}[38;5;1mred\u{1b}[m \u{1b}[?25l", "red "),
        ("\u{1b}[1 qx\u{1b}[2\ny", "x\ny"),
        ("a\u{9b}2Jb", "ab"),
        ("\u{1b}]0;title\u{7}x", "x"),
        ("\u{1b}]8;;https://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
        ("\u{9d}52;c;abc\u{9c}x", "x"),
        ("\u{1b}P1$q\u{1b}\\x\u{90}q\u{1b}\\y", "xy"),
        ("\u{1b}^private\u{1b}\\\u{1b}_app\u{9c}\u{1b}Xsos\u{18}z", "z"),
        ("\u{1b}]0;never ends\nnext", "\nnext"),
        ("\u{1b}]0;cut by \u{1b}[1mnext", "next"),
        ("\u{1b}(B\u{1b}7\u{1b}c\u{1b}Mx\u{1b}", "x"),
        ("\u{1b}\nx\u{1b}[", "\nx"),
        ("\u{1b}éx", "éx"),
        ("_\u{8}u_\u{8}nder b\u{8}bo\u{8}old", "under bold"),
        ("|\u{8}/\u{8}-\u{8}", "-"),
        ("\u{8}\u{8}a\n\u{8}\u{8}b", "a\nb"),
        ("abc\u{8}\u{8}X", "aX"),
        ("10%\r50%\r100%\r\nok\r\n", "100%\nok\n"),
        ("long line\rshort\nrest", "short\nrest"),
        ("kept\r", "kept"),
        ("kept\r\r\n\rx", "kept\nx"),
        ("a\0b\u{7}c\u{7f}d\u{85}e\u{c}f", "abcdef"),
        ("a\u{202e}b\u{2066}c\u{2069}", "abc"),
        ("é漢🦀", "é漢🦀"),
    ] {
        assert_eq!(plain(text), shown, "{text:?}");
    }
}

#[test]
fn one_line_has_blanks_for_newlines() {
    assert_eq!(one_line("back\nup\tx\r\n\u{1b}[1my"), "back up x y");
    assert!(matches!(one_line("back up"), std::borrow::Cow::Borrowed("back up")));
}

proptest! {
    #[test]
    fn nothing_is_left_that_a_terminal_would_obey(
        parts in prop::collection::vec(
            prop_oneof![
                Just("\u{1b}".to_owned()), Just("\u{1b}[".to_owned()), Just("\u{1b}]".to_owned()),
                Just("\r".to_owned()), Just("\u{8}".to_owned()), Just("\n".to_owned()),
                "[\u{80}-\u{9f}]", "\\PC{1,4}", any::<char>().prop_map(String::from),
            ],
            0..30,
        ),
    ) {
        let text = parts.concat();
        let shown = plain(&text);
        prop_assert!(!shown.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{shown:?}");
        prop_assert_eq!(plain(&shown), &shown[..]);
        prop_assert!(!one_line(&text).chars().any(char::is_control));
    }

    #[test]
    fn text_without_control_characters_stays_as_it_is(text in "[ -~é漢\n\t]{0,60}") {
        prop_assert_eq!(plain(&text), &text[..]);
    }
}
