//! PURE. The text of a document, from left to right: blanks, comments, keys, and values of one piece.

use super::{Fault, Value};

/// A place in the text.
pub struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl<'t> Reader<'t> {
    /// The beginning of a text.
    pub fn new(text: &'t str) -> Self {
        Self { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0, line: 1 }
    }

    /// Number of the line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Something that is wrong here.
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        Fault { line: self.line, what: what.into() }
    }

    /// The next byte; `None` at the end.
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Takes this, if it comes next.
    pub fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Takes all bytes that are like this, none of which is part of a longer character.
    fn take_while(&mut self, like: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        let len = rest.bytes().take_while(|&byte| like(byte)).count();
        self.at += len;
        &rest[..len]
    }

    /// Spaces and tabs.
    pub fn skip_blanks(&mut self) {
        self.take_while(|byte| byte == b' ' || byte == b'\t');
    }

    /// The end of a line, if it comes next.
    fn take_newline(&mut self) -> bool {
        let found = self.take("\n") || self.take("\r\n");
        self.line += usize::from(found);
        found
    }

    fn skip_comment(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'#') {
            self.take_while(|byte| byte == b'\t' || !byte.is_ascii_control());
            if !matches!(self.peek(), None | Some(b'\n')) && !self.rest().starts_with("\r\n") {
                return Err(self.fault("a control character stands in a comment"));
            }
        }
        Ok(())
    }

    /// Blanks, comments and ends of lines.
    pub fn skip_lines(&mut self) -> Result<(), Fault> {
        loop {
            self.skip_blanks();
            self.skip_comment()?;
            if !self.take_newline() {
                return Ok(());
            }
        }
    }

    /// The end of the line, behind a header or a value.
    pub fn end_line(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        self.skip_comment()?;
        if self.peek().is_none() || self.take_newline() {
            return Ok(());
        }
        Err(self.fault(format!("'{}' stands behind the end; write one value on a line", self.word())))
    }

    /// What comes next up to a blank, for a message.
    fn word(&self) -> &'t str {
        let rest = self.rest();
        let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}');
        let end = rest.bytes().position(ends).unwrap_or(rest.len());
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let word = &rest[..end.max(first)];
        word.char_indices().nth(40).map_or(word, |(long, _)| &word[..long])
    }

    /// One key.
    pub fn key(&mut self) -> Result<String, Fault> {
        match self.peek() {
            Some(b'"' | b'\'') if self.quotes() < 3 => self.string(),
            Some(_) | None => {
                let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                match self.take_while(bare) {
                    "" if self.peek().is_none_or(|byte| b"\r\n".contains(&byte)) => {
                        Err(self.fault("a key is missing"))
                    }
                    "" => Err(self.fault(format!("'{}' is no key; write it in quotes", self.word()))),
                    key => Ok(key.to_owned()),
                }
            }
        }
    }

    /// How many quotes come next, all like the first.
    fn quotes(&self) -> usize {
        let quote = self.peek();
        self.rest().bytes().take_while(|&byte| Some(byte) == quote).count()
    }

    /// A string in quotes of any of the four kinds.
    pub fn string(&mut self) -> Result<String, Fault> {
        let opened = self.line;
        let quote = self.peek().unwrap_or_default();
        let many_lines = self.quotes() >= 3;
        self.at += if many_lines { 3 } else { 1 };
        if many_lines {
            self.take_newline();
        }
        let mut text = String::new();
        loop {
            let plain =
                |byte: u8| byte != quote && byte != b'\\' && (byte == b'\t' || !byte.is_ascii_control());
            text.push_str(self.take_while(plain));
            match self.peek() {
                Some(byte) if byte == quote => {
                    // The last three close it, and up to two before them are of the text.
                    let quotes = if many_lines { self.quotes().min(5) } else { 1 };
                    let closed = !many_lines || quotes >= 3;
                    let inside = if closed { quotes - if many_lines { 3 } else { 1 } } else { quotes };
                    text.push_str(&self.rest()[..inside]);
                    self.at += quotes;
                    if closed {
                        return Ok(text);
                    }
                }
                Some(b'\\') if quote == b'"' => self.escape(&mut text, many_lines)?,
                Some(b'\\') => {
                    self.at += 1;
                    text.push('\\');
                }
                Some(b'\n' | b'\r') if many_lines && self.take_newline() => text.push('\n'),
                None | Some(b'\n' | b'\r') => {
                    let what = "a string is not closed; write its last quote, or three quotes on either side of lines";
                    return Err(Fault { line: opened, what: what.to_owned() });
                }
                Some(_) => {
                    return Err(self.fault("a control character stands in a string; write it as '\\u001b'"));
                }
            }
        }
    }

    /// What a backslash stands for.
    fn escape(&mut self, text: &mut String, many_lines: bool) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        let behind = self.peek().unwrap_or_default();
        let digits = match behind {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => 0,
        };
        if many_lines && matches!(behind, b' ' | b'\t' | b'\r' | b'\n') {
            self.skip_blanks();
            if self.take_newline() {
                while !self.take_while(|byte| byte == b' ' || byte == b'\t').is_empty() || self.take_newline()
                {
                }
                return Ok(());
            }
        }
        let found = match behind {
            b'b' => Some('\u{8}'),
            b't' => Some('\t'),
            b'n' => Some('\n'),
            b'f' => Some('\u{c}'),
            b'r' => Some('\r'),
            b'e' => Some('\u{1b}'),
            b'"' | b'\\' => Some(char::from(behind)),
            _ => {
                let hex = self.rest().get(1..=digits).unwrap_or_default();
                let plain = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = u32::from_str_radix(hex, 16).ok().filter(|_| plain);
                code.and_then(char::from_u32)
            }
        };
        let Some(found) = found else {
            self.at = start;
            let word: String = self.rest().chars().take(2 + digits).collect();
            return Err(self.fault(format!(
                "'{word}' is no escape; write a backslash as '\\\\', or the text in single quotes"
            )));
        };
        text.push(found);
        self.at += 1 + digits;
        Ok(())
    }

    /// A value without quotes.
    pub fn bare_value(&mut self) -> Result<Value, Fault> {
        let line = self.line;
        let word = self.word();
        let part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-_.:".contains(&byte);
        let token = self.take_while(part);
        let value = match token {
            "true" => Some(Value::Boolean(true)),
            "false" => Some(Value::Boolean(false)),
            _ if begins_like(token, "0000-00-00") || begins_like(token, "00:00") => {
                // Between a date and a time may be a space.
                if token.len() == 10 && begins_like(self.rest().get(1..).unwrap_or_default(), "00:00") {
                    self.take(" ");
                    self.take_while(part);
                }
                Some(Value::Time)
            }
            _ => number(token),
        };
        let missing = word.is_empty() || word.starts_with(['\r', '\n', ',', ']', '}', '#']);
        value.ok_or_else(|| Fault {
            line,
            what: match missing {
                true => "a value is missing".to_owned(),
                false => format!("'{word}' is no value; write text in quotes"),
            },
        })
    }
}

/// Whether a text begins with digits where the shape has them, and with the shape's other bytes.
fn begins_like(text: &str, shape: &str) -> bool {
    let like = |(byte, shape): (u8, u8)| if shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    text.len() >= shape.len() && std::iter::zip(text.bytes(), shape.bytes()).all(like)
}

/// An integer, which is kept in decimal digits, or a float.
fn number(token: &str) -> Option<Value> {
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    let sign = if token.starts_with('-') { "-" } else { "" };
    let integer = |digits: &str, radix| {
        let number = i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()?;
        Some(Value::Integer(number.to_string()))
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(written) = token.strip_prefix(prefix) {
            return integer(&digits(written, radix)?, radix);
        }
    }
    if matches!(unsigned, "inf" | "nan") {
        return Some(Value::Float);
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let digits = (digits(whole, 10)?, digits(fraction, 10)?, digits(exponent, 10)?);
    if digits.0.len() > 1 && digits.0.starts_with('0') {
        return None;
    }
    if unsigned.len() == whole.len() { integer(&digits.0, 10) } else { Some(Value::Float) }
}

/// Digits of a number without the underscores between them.
fn digits(text: &str, radix: u32) -> Option<String> {
    let fine =
        text.split('_').all(|part| !part.is_empty() && part.bytes().all(|c| char::from(c).is_digit(radix)));
    fine.then(|| text.replace('_', ""))
}
