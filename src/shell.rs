//! PURE. Words as a POSIX shell reads and writes them (XCU 2.2, Quoting): the lists in variables,
//! the options at the head of a crontab line, a command shown to people. Bytes, not text.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Where a word ends that is read from bytes, and what it says once its quotes are gone.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says.
    pub text: Vec<u8>,
    /// Index of the first byte behind it.
    pub end: usize,
}

/// Why something is not a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAWord {
    /// This quote is opened and never closed.
    Unclosed(u8),
    /// Only a shell can tell what this byte would make of the word.
    Special(u8),
}

/// What a byte that means something to a shell is taken for outside quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Itself: the bytes are a list that no shell will see.
    List,
    /// An error: the bytes are shell code, and the word must say the same to us and to the shell.
    Code,
}

/// Space, tab and newline: what separates words.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// Reads the word that starts at `start`, up to the next blank outside quotes.
///
/// # Errors
/// A quote that is not closed; in [`Reading::Code`] also whatever a shell expands or stops at.
pub fn read_word(bytes: &[u8], start: usize, reading: Reading) -> Result<Word, NotAWord> {
    // What it says is as long as what is written, but for quotes.
    let unquoted = bytes.iter().skip(start).take_while(|&&byte| !is_blank(byte)).count();
    let mut text = Vec::with_capacity(unquoted);
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            blank if is_blank(blank) => break,
            b'\'' => at = read_single_quoted(bytes, at + 1, &mut text)?,
            b'"' => at = read_double_quoted(bytes, at + 1, reading, &mut text)?,
            b'\\' => {
                match bytes.get(at + 1) {
                    // A backslash and a newline are a line that goes on: nothing at all.
                    Some(b'\n') => {}
                    Some(&escaped) => text.push(escaped),
                    None => text.push(b'\\'),
                }
                at += 2;
            }
            special if reading == Reading::Code && is_special(special) => {
                return Err(NotAWord::Special(special));
            }
            plain => {
                text.push(plain);
                at += 1;
            }
        }
    }
    Ok(Word { text, end: at.min(bytes.len()) })
}

fn read_single_quoted(bytes: &[u8], start: usize, text: &mut Vec<u8>) -> Result<usize, NotAWord> {
    let rest = &bytes[start..];
    let len = rest.iter().position(|&byte| byte == b'\'').ok_or(NotAWord::Unclosed(b'\''))?;
    text.extend_from_slice(&rest[..len]);
    Ok(start + len + 1)
}

fn read_double_quoted(
    bytes: &[u8],
    start: usize,
    reading: Reading,
    text: &mut Vec<u8>,
) -> Result<usize, NotAWord> {
    let mut at = start;
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) => return Err(NotAWord::Unclosed(b'"')),
            (Some(b'"'), _) => return Ok(at + 1),
            (Some(b'\\'), Some(b'\n')) => at += 2,
            // Here a backslash escapes only these; before any other byte it stands for itself.
            (Some(b'\\'), Some(&escaped @ (b'$' | b'`' | b'"' | b'\\'))) => {
                text.push(escaped);
                at += 2;
            }
            (Some(&special @ (b'$' | b'`')), _) if reading == Reading::Code => {
                return Err(NotAWord::Special(special));
            }
            (Some(&plain), _) => {
                text.push(plain);
                at += 1;
            }
        }
    }
}

/// What a shell expands, or where it ends a word or a command. `*`, `?`, `[` and an inner `~` mean
/// nothing in an assignment, but shells have differed there; quoting them is no burden.
fn is_special(byte: u8) -> bool {
    b"$`~*?[;&|<>()".contains(&byte)
}

/// The words of a list in a variable.
///
/// # Errors
/// A quote that is not closed.
pub fn split(list: &OsStr) -> Result<Vec<OsString>, NotAWord> {
    let bytes = list.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if is_blank(byte) {
            at += 1;
            continue;
        }
        let word = read_word(bytes, at, Reading::List)?;
        at = word.end;
        words.push(OsString::from_vec(word.text));
    }
    Ok(words)
}

/// The word so that a shell reads it as it is; unchanged if no quotes are needed.
pub fn quote(word: &OsStr) -> Cow<'_, OsStr> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(byte);
    let bytes = word.as_bytes();
    // A leading `=` is an expansion in zsh, and an assignment is no longer one with a quoted name.
    if !bytes.is_empty() && bytes[0] != b'=' && bytes.iter().all(plain) {
        return Cow::Borrowed(word);
    }
    let mut quoted = Vec::with_capacity(bytes.len() + 2);
    quoted.push(b'\'');
    for &byte in bytes {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            other => quoted.push(other),
        }
    }
    quoted.push(b'\'');
    Cow::Owned(OsString::from_vec(quoted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(line: &str) -> Result<(String, usize), NotAWord> {
        let word = read_word(line.as_bytes(), 0, Reading::Code)?;
        Ok((String::from_utf8(word.text).unwrap(), word.end))
    }

    #[test]
    fn words_are_read_as_sh_reads_them() {
        for (line, text, end) in [
            ("a b", "a", 1),
            ("a'b c'd e", "ab cd", 7),
            (r#""a b"c"#, "a bc", 6),
            (r"a\ b c", "a b", 4),
            (r"a\$b", "a$b", 4),
            (r#""a\$b\"c\d\\""#, r#"a$b"c\d\"#, 13),
            ("'a$b`c\"'", "a$b`c\"", 8),
            ("a\\\nb c", "ab", 4),
            ("\"a\\\nb\"", "ab", 6),
            ("a\nb", "a", 1),
            ("a\tb", "a", 1),
            ("a\\", "a\\", 2),
            ("", "", 0),
            ("{host}#!", "{host}#!", 8),
        ] {
            assert_eq!(code(line), Ok((text.to_owned(), end)), "{line:?}");
        }
    }

    #[test]
    fn what_only_a_shell_can_read_is_refused() {
        for special in "$`~*?[;&|<>()".chars() {
            assert_eq!(code(&format!("a{special}b")), Err(NotAWord::Special(special as u8)));
            assert_eq!(code(&format!("a'{special}'b")).unwrap().0, format!("a{special}b"));
            assert_eq!(code(&format!("a\\{special}b")).unwrap().0, format!("a{special}b"));
        }
        assert_eq!(code("\"$x\""), Err(NotAWord::Special(b'$')));
        assert_eq!(code("\"`x`\""), Err(NotAWord::Special(b'`')));
        assert_eq!(code("'x"), Err(NotAWord::Unclosed(b'\'')));
        assert_eq!(code("\"x\\"), Err(NotAWord::Unclosed(b'"')));
    }

    #[test]
    fn lists_are_separated_by_blanks_and_expand_nothing() {
        let words = |list: &str| split(OsStr::new(list)).unwrap();
        assert_eq!(words(" a:1  b\t'c d'\n"), ["a:1", "b", "c d"]);
        assert_eq!(words("exec:'mail $USER' *"), ["exec:mail $USER", "*"]);
        assert_eq!(words("''"), [""]);
        assert_eq!(words("  "), Vec::<OsString>::new());
    }

    #[test]
    fn only_words_that_need_them_get_quotes() {
        for (word, quoted) in [
            ("make", "make"),
            ("/usr/bin/a-b_c.d:e,f@g%h+i=j", "/usr/bin/a-b_c.d:e,f@g%h+i=j"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("~", "'~'"),
            ("=x", "'=x'"),
        ] {
            assert_eq!(quote(OsStr::new(word)), OsStr::new(quoted));
        }
    }

    fn any_words() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(1..=255_u8, 0..20), 0..8)
    }

    proptest! {
        #[test]
        fn quoted_words_are_split_into_themselves(words in any_words()) {
            let words: Vec<OsString> = words.into_iter().map(OsString::from_vec).collect();
            let quoted: Vec<_> = words.iter().map(|word| quote(word).into_owned()).collect();
            prop_assert_eq!(split(&quoted.join(OsStr::new(" "))), Ok(words.clone()));
            for (word, quoted) in std::iter::zip(&words, &quoted) {
                let read = read_word(quoted.as_bytes(), 0, Reading::Code);
                prop_assert_eq!(read, Ok(Word { text: word.as_bytes().to_vec(), end: quoted.len() }));
            }
        }

        #[test]
        fn any_bytes_are_a_word_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            for reading in [Reading::Code, Reading::List] {
                if let Ok(word) = read_word(&bytes, 0, reading) {
                    prop_assert!(word.end <= bytes.len());
                    prop_assert!(word.text.len() <= word.end);
                }
            }
        }
    }
}
