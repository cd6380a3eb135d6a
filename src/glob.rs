//! PURE. Patterns of names as a shell has them (POSIX, XCU 2.13): `*`, `?`, `[a-z]`, `[!a-z]`, and a
//! backslash before what is to stand for itself.

/// A pattern of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// This character.
    One(char),
    /// Any character.
    AnyOne,
    /// Any characters, also none.
    AnyRun,
    /// A character that lies in one of these ranges; with `negated`, in none.
    Of { ranges: Vec<(char, char)>, negated: bool },
}

impl Pattern {
    /// The pattern that a text stands for. Every text stands for one: a bracket that is not closed
    /// is a bracket.
    pub fn of(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let behind = &rest[first.len_utf8()..];
            let (piece, left) = match first {
                '*' => (Piece::AnyRun, behind),
                '?' => (Piece::AnyOne, behind),
                '[' => bracket(behind).unwrap_or((Piece::One('['), behind)),
                _ => {
                    let (one, left) = literal(rest).unwrap_or((first, behind));
                    (Piece::One(one), left)
                }
            };
            pieces.push(piece);
            rest = left;
        }
        Self(pieces)
    }

    /// The one name that fits, if there is only one.
    pub fn name(&self) -> Option<String> {
        let one = |piece: &Piece| match piece {
            Piece::One(one) => Some(*one),
            Piece::AnyOne | Piece::AnyRun | Piece::Of { .. } => None,
        };
        self.0.iter().map(one).collect()
    }

    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        let (mut pieces, mut left) = (&self.0[..], name);
        // Where to go on if what follows the last run does not fit: the run takes one more.
        let mut run: Option<(&[Piece], &str)> = None;
        loop {
            let next = left.chars().next();
            match (pieces.split_first(), next) {
                (Some((Piece::AnyRun, rest)), _) => {
                    pieces = rest;
                    run = Some((rest, left));
                    continue;
                }
                (Some((piece, rest)), Some(one)) if piece.fits(one) => {
                    pieces = rest;
                    left = &left[one.len_utf8()..];
                    continue;
                }
                (None, None) => return true,
                (Some(_) | None, _) => {}
            }
            let Some((behind, from)) = run else { return false };
            let Some(one) = from.chars().next() else { return false };
            pieces = behind;
            left = &from[one.len_utf8()..];
            run = Some((behind, left));
        }
    }

    /// Whether the name of a file fits: a leading dot has to be written.
    pub fn fits_file(&self, name: &str) -> bool {
        (!name.starts_with('.') || self.0.first() == Some(&Piece::One('.'))) && self.fits(name)
    }
}

impl Piece {
    fn fits(&self, one: char) -> bool {
        match self {
            Self::One(other) => one == *other,
            Self::AnyOne | Self::AnyRun => true,
            Self::Of { ranges, negated } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&one)) != *negated
            }
        }
    }
}

/// The first character of a text, or the one behind a backslash, and what follows.
fn literal(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    let one = if first == '\\' { chars.next().unwrap_or(first) } else { first };
    Some((one, chars.as_str()))
}

/// What stands behind an opening bracket, up to the closing one; `None` if there is none. A closing
/// bracket in the first place is one of the characters.
fn bracket(text: &str) -> Option<(Piece, &str)> {
    let inside = text.strip_prefix(['!', '^']);
    let (negated, mut rest) = (inside.is_some(), inside.unwrap_or(text));
    let mut ranges = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix(']').filter(|_| !ranges.is_empty()) {
            return Some((Piece::Of { ranges, negated }, behind));
        }
        let (first, behind) = literal(rest)?;
        let upper = behind.strip_prefix('-').filter(|upper| !upper.starts_with(']'));
        let (last, behind) = match upper {
            Some(upper) => literal(upper)?,
            None => (first, behind),
        };
        ranges.push((first, last));
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, fitting, others) in [
            ("app.dump", &["app.dump"][..], &["app_dump", "app.dump2", ""][..]),
            ("app-*.dump", &["app-.dump", "app-1.dump", "app-a.dump.dump"], &["app.dump", "app-1.dump.gz"]),
            ("*", &["", "a", ".a"], &[]),
            ("a**b*", &["ab", "axxbb", "abc"], &["a", "ba"]),
            ("?", &["a", "é", "\u{fffd}"], &["", "ab"]),
            ("[a-c0]x", &["ax", "cx", "0x"], &["dx", "x", "[a-c0]x"]),
            ("[!a-c]", &["d", "é", "-"], &["a", ""]),
            ("[^a]", &["b", "^"], &["a"]),
            ("[]a]", &["]", "a"], &["[]a]"]),
            ("[!]]", &["a"], &["]"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[-a]", &["a", "-"], &["b"]),
            ("[c-a]", &[], &["a", "b", "c"]),
            ("[\\]-]", &["]", "-"], &["\\"]),
            ("[a", &["[a"], &["a"]),
            ("[", &["["], &[]),
            ("\\*\\?\\[a]", &["*?[a]"], &["aa", "\\*?[a]"]),
            ("a\\", &["a\\"], &["a"]),
            ("a[:]1B..", &["a:1B.."], &[]),
            ("", &[""], &["a"]),
        ] {
            let pattern_of = Pattern::of(pattern);
            fitting.iter().for_each(|name| assert!(pattern_of.fits(name), "{pattern} {name}"));
            others.iter().for_each(|name| assert!(!pattern_of.fits(name), "{pattern} {name}"));
        }
    }

    #[test]
    fn a_pattern_without_wildcards_is_a_name() {
        assert_eq!(Pattern::of("a\\*b").name().as_deref(), Some("a*b"));
        assert_eq!(Pattern::of("[a").name().as_deref(), Some("[a"));
        for pattern in ["a*", "?", "[a]"] {
            assert_eq!(Pattern::of(pattern).name(), None);
        }
    }

    #[test]
    fn a_hidden_file_fits_only_what_begins_with_a_dot() {
        for (pattern, fits) in [("*", false), ("?x", false), ("[.]x", false), (".*", true), (".x", true)] {
            assert_eq!(Pattern::of(pattern).fits_file(".x"), fits, "{pattern}");
        }
        assert!(Pattern::of("*").fits_file("x"));
    }

    /// What fits, found by trying everything.
    fn fits_slowly(pieces: &[Piece], name: &str) -> bool {
        let next = name.chars().next().map(|one| (one, &name[one.len_utf8()..]));
        match (pieces, next) {
            ([], next) => next.is_none(),
            ([Piece::AnyRun, rest @ ..], next) => {
                fits_slowly(rest, name) || next.is_some_and(|(_, left)| fits_slowly(pieces, left))
            }
            ([piece, rest @ ..], next) => {
                next.is_some_and(|(one, left)| piece.fits(one) && fits_slowly(rest, left))
            }
        }
    }

    proptest! {
        #[test]
        fn a_name_fits_if_any_length_of_the_runs_makes_it_fit(
            pattern in "([ab?*é]|\\[!?[ab]\\]){0,7}", name in "[abé]{0,9}",
        ) {
            let pattern = Pattern::of(&pattern);
            prop_assert_eq!(pattern.fits(&name), fits_slowly(&pattern.0, &name));
        }

        #[test]
        fn any_text_is_a_pattern_and_a_plain_one_fits_itself(text in "\\PC{0,20}|[]\\[!*?a\\\\-]{0,12}", name in "\\PC{0,9}") {
            let pattern = Pattern::of(&text);
            let _ = pattern.fits(&name);
            if let Some(only) = pattern.name() {
                prop_assert!(pattern.fits(&only));
            }
            if !text.contains(['*', '?', '[', '\\']) {
                prop_assert_eq!(pattern.name(), Some(text));
            }
        }
    }
}
