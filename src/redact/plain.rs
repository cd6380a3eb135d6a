//! Text as it would be seen, without anything that a terminal would obey (ECMA-48).

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';
const CANCEL: char = '\u{18}';
const SUBSTITUTE: char = '\u{1a}';
/// ST, which ends a string.
const STRING_END: char = '\u{9c}';

/// `text` without escape sequences, whole or cut short, without control characters other than newline and
/// tab, and without what turns the direction of writing. Of a line that was written over, what would be
/// seen last: behind its last carriage return, and with what backspaces were written over.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut line = Line { text: String::with_capacity(text.len()), ..Line::default() };
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ESCAPE => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            // DCS, SOS, OSC, PM and APC in one character.
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            '\n' => line.end(),
            '\r' => line.returned = true,
            '\u{8}' => line.backspaces += 1,
            c if is_obeyed(c) => {}
            c => line.write(c),
        }
    }
    Cow::Owned(line.text)
}

/// The same on one line: newlines and tabs become blanks.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let plain = plain(text);
    if plain.contains(['\n', '\t']) { Cow::Owned(plain.replace(['\n', '\t'], " ")) } else { plain }
}

/// Control characters, and the embeddings, overrides and isolates of Unicode (UAX #9), which make a
/// text look like another one.
fn is_obeyed(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

/// A line as it is written. Going back removes nothing until something is written over it.
#[derive(Default)]
struct Line {
    text: String,
    /// Where it begins in the text.
    start: usize,
    returned: bool,
    backspaces: usize,
}

impl Line {
    fn write(&mut self, c: char) {
        if std::mem::take(&mut self.returned) {
            self.text.truncate(self.start);
            self.backspaces = 0;
        }
        while self.backspaces > 0 && self.text.len() > self.start {
            self.text.pop();
            self.backspaces -= 1;
        }
        self.backspaces = 0;
        self.text.push(c);
    }

    fn end(&mut self) {
        self.text.push('\n');
        *self = Self { start: self.text.len(), text: std::mem::take(&mut self.text), ..Self::default() };
    }
}

type Rest<'a> = Peekable<Chars<'a>>;

/// What follows ESC. What cannot follow it is text again.
fn skip_escape(rest: &mut Rest<'_>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some('P' | 'X' | ']' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        _ => {
            skip_while(rest, |c| matches!(c, ' '..='/'));
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
    }
}

fn skip_control_sequence(rest: &mut Rest<'_>) {
    skip_while(rest, |c| matches!(c, '0'..='?'));
    skip_while(rest, |c| matches!(c, ' '..='/'));
    rest.next_if(|c| matches!(c, '@'..='~'));
}

/// One that has no end goes to the end of its line: else a byte could hide all that follows.
fn skip_string(rest: &mut Rest<'_>) {
    skip_while(rest, |c| !matches!(c, '\n' | BELL | ESCAPE | CANCEL | SUBSTITUTE | STRING_END));
    // Any other ESC begins a sequence of its own, also ESC and backslash, which ends this one.
    rest.next_if(|&c| c != '\n' && c != ESCAPE);
}

fn skip_while(rest: &mut Rest<'_>, is_part: impl Fn(char) -> bool) {
    while rest.next_if(|&c| is_part(c)).is_some() {}
}
