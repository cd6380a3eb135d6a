//! PURE. Text in the columns of a terminal (UAX 11), with nothing in it that a terminal would obey.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Columns that a text takes. Character by character, as most terminals count, and not by what several make
/// together.
pub fn width(text: &str) -> usize {
    // Most of what is shown is, and there is a lot of it.
    if text.bytes().all(is_plain_ascii) {
        return text.len();
    }
    text.chars().map(width_of).sum()
}

/// Columns that a character takes: none, one or two.
pub fn width_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// A text in at most so many columns: of one that is longer its beginning and `mark`, if there is room for it.
pub fn cut<'a>(text: &'a str, columns: usize, mark: &str) -> Cow<'a, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mark = if width(mark) <= columns { mark } else { "" };
    let mut left = columns - width(mark);
    let fits = |character: &char| {
        let room = left.checked_sub(width_of(*character));
        left = room.unwrap_or(0);
        room.is_some()
    };
    let mut beginning: String = text.chars().take_while(fits).collect();
    beginning.push_str(mark);
    Cow::Owned(beginning)
}

/// A text on one line that says what is in it: what a terminal would obey, what has no width of its own or
/// turns the order of the others round stands as an escape.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_plain_ascii) || !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The same text without such characters.
pub fn plain(text: &str) -> String {
    text.chars().filter(|&character| !is_hidden(character)).collect()
}

/// Printable, and a column wide.
fn is_plain_ascii(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Control characters, and the format characters of Unicode that are in use.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_character_takes_as_many_columns_as_a_terminal_gives_it() {
        for (text, columns) in
            [("", 0), ("abc", 3), ("größer", 6), ("バックアップ", 12), ("e\u{301}", 1), ("🚀", 2)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn a_text_that_does_not_fit_ends_in_the_mark() {
        for (text, columns, cut_to) in [
            ("backup", 6, "backup"),
            ("backup", 5, "back…"),
            ("backup", 1, "…"),
            ("backup", 0, ""),
            ("バックアップ", 12, "バックアップ"),
            ("バックアップ", 11, "バックアッ…"),
            ("バックアップ", 10, "バックア…"),
        ] {
            assert_eq!(cut(text, columns, "…"), cut_to, "{text} in {columns}");
        }
        assert_eq!(cut("backup", 1, ".."), "b", "a mark that does not fit is left out");
    }

    #[test]
    fn what_a_terminal_would_obey_or_hide_is_shown_as_an_escape() {
        assert_eq!(visible("db/backup größer"), "db/backup größer");
        assert_eq!(visible("\u{1b}[2J\u{9b}x\r\n"), r"\u{1b}[2J\u{9b}x\r\n");
        assert_eq!(visible("a\u{202e}b\u{200d}c\u{feff}"), r"a\u{202e}b\u{200d}c\u{feff}");
        assert_eq!(plain("a\u{202e}b\u{200d}c\x07"), "abc");
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_begins_like_the_text(text in "\\PC{0,40}", columns in 0..50_usize) {
            let cut = cut(&text, columns, "..");
            prop_assert!(width(&cut) <= columns);
            prop_assert!(*cut == *text || text.starts_with(cut.trim_end_matches("..")));
        }

        #[test]
        fn nothing_that_is_visible_is_a_control_character(text in any::<String>()) {
            prop_assert!(!visible(&text).contains(is_hidden));
            let once = visible(&text).into_owned();
            prop_assert_eq!(visible(&once), &once[..]);
        }
    }
}
