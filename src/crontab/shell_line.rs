//! A line of shell, taken apart into its simple commands (POSIX XCU 2.9.1) as far as that can be done
//! without a shell: to see which programs it calls, not to run it.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;

use crate::shell::{self, NotAWord, Reading, is_blank};

/// What stands in a word where only a shell can tell what it says. No word that a shell hands on can
/// hold this byte.
pub const UNKNOWN: u8 = 0;

/// A simple command.
#[derive(Debug, PartialEq, Eq)]
pub struct SimpleCommand {
    /// Its words without redirections. One that a shell would expand has [`UNKNOWN`] before the first
    /// place where it would, and stands from there on as it is written.
    pub words: Vec<OsString>,
    /// How it hangs together with what comes before it.
    pub joint: Joint,
    /// Whether it stands in a `then`, `do` or `case`, or in brackets behind `&&` or `||`.
    pub is_in_branch: bool,
}

/// What makes a simple command run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// Nothing: it is the first, or stands behind `;`, `&` or a keyword.
    Free,
    /// `|`: the one before it does.
    Pipe,
    /// `&&`: the success of what comes before.
    And,
    /// `||`: the failure of what comes before.
    Or,
}

/// The simple commands of a line.
///
/// # Errors
/// A quote or a bracket that is not closed.
pub fn simple_commands(line: &[u8]) -> Result<Vec<SimpleCommand>, NotAWord> {
    let mut splitter = Splitter {
        line,
        at: 0,
        commands: Vec::new(),
        words: Vec::new(),
        joint: Joint::Free,
        nests: Vec::new(),
        branches: 0,
    };
    while splitter.step()?.is_continue() {}
    splitter.end_command(Joint::Free);
    Ok(splitter.commands)
}

struct Splitter<'a> {
    line: &'a [u8],
    at: usize,
    commands: Vec<SimpleCommand>,
    /// Those of the command that is being read.
    words: Vec<OsString>,
    joint: Joint,
    /// What the command stands in, innermost last.
    nests: Vec<Nest>,
    /// How many of them are branches.
    branches: usize,
}

/// Brackets or keywords around commands.
struct Nest {
    closes: Close,
    /// Whether something else has to be so for what is in it to run.
    is_branch: bool,
}

/// What ends a [`Nest`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    /// `)`
    Round,
    /// `}`
    Curly,
    /// `fi`, `done`, `esac`, or `elif`, behind which another `then` comes.
    Keyword,
}

impl Splitter<'_> {
    /// Reads what comes next: an operator, a redirection or a word.
    fn step(&mut self) -> Result<ControlFlow<()>, NotAWord> {
        match self.line[self.at..] {
            [] | [b'#', ..] => return Ok(ControlFlow::Break(())),
            [byte, ..] if is_blank(byte) && byte != b'\n' => self.at += 1,
            [b'&', b'>', ..] | [b'<' | b'>', ..] => self.redirection()?,
            [b'&', b'&', ..] => self.operator(2, Joint::And),
            [b'|', b'|', ..] => self.operator(2, Joint::Or),
            [b'|', b'&', ..] => self.operator(2, Joint::Pipe),
            [b'|', ..] => self.operator(1, Joint::Pipe),
            [b'(', ..] => {
                self.operator(1, self.joint);
                self.open_brackets(Close::Round);
            }
            [b')', ..] => {
                self.operator(1, Joint::Free);
                self.close(Close::Round);
            }
            [b';' | b'&' | b'\n', ..] => self.operator(1, Joint::Free),
            _ => self.word()?,
        }
        Ok(ControlFlow::Continue(()))
    }

    fn operator(&mut self, length: usize, joint: Joint) {
        self.at += length;
        self.end_command(joint);
    }

    fn end_command(&mut self, next: Joint) {
        if !self.words.is_empty() {
            let words = std::mem::take(&mut self.words);
            self.commands.push(SimpleCommand { words, joint: self.joint, is_in_branch: self.branches > 0 });
        }
        self.joint = next;
    }

    /// The operator and the word behind it.
    fn redirection(&mut self) -> Result<(), NotAWord> {
        self.at += self.line[self.at..].iter().take_while(|byte| b"<>&|".contains(byte)).count();
        // `<<-` and `>&-`.
        self.at += usize::from(self.line.get(self.at) == Some(&b'-'));
        self.at += self.line[self.at..].iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
        self.at = extent(self.line, self.at)?.0;
        Ok(())
    }

    fn word(&mut self) -> Result<(), NotAWord> {
        let start = self.at;
        let (end, expands) = extent(self.line, start)?;
        self.at = end;
        let written = &self.line[start..end];
        let is_descriptor =
            written.iter().all(u8::is_ascii_digit) && matches!(self.line.get(end), Some(b'<' | b'>'));
        if is_descriptor || (self.words.is_empty() && self.keyword(written)) {
            return Ok(());
        }
        self.words.push(OsString::from_vec(match written {
            // Alone it is test(1), not the beginning of a pattern.
            b"[" | b"[[" => written.to_vec(),
            _ if expands => half_read(written),
            _ => shell::read_word(&self.line[..end], start, Reading::Code)
                .map_or_else(|_| half_read(written), |word| word.text),
        }));
        Ok(())
    }

    /// Takes a word that only says how commands hang together.
    fn keyword(&mut self, word: &[u8]) -> bool {
        match word {
            b"!" | b"if" | b"else" | b"while" | b"until" => {}
            b"{" => self.open_brackets(Close::Curly),
            b"}" => self.close(Close::Curly),
            b"then" | b"do" | b"case" => self.open(Nest { closes: Close::Keyword, is_branch: true }),
            b"elif" | b"fi" | b"done" | b"esac" => self.close(Close::Keyword),
            _ => return false,
        }
        true
    }

    fn open_brackets(&mut self, closes: Close) {
        self.open(Nest { closes, is_branch: matches!(self.joint, Joint::And | Joint::Or) });
    }

    fn open(&mut self, nest: Nest) {
        self.branches += usize::from(nest.is_branch);
        self.nests.push(nest);
    }

    /// Leaves the innermost nest if this is its end; in a `case`, a pattern ends in a bracket.
    fn close(&mut self, closes: Close) {
        if let Some(nest) = self.nests.pop_if(|nest| nest.closes == closes) {
            self.branches -= usize::from(nest.is_branch);
        }
    }
}

/// A word that a shell would expand: without its quotes, marked before the first place where it would.
fn half_read(written: &[u8]) -> Vec<u8> {
    let mut word: Vec<u8> = written.iter().copied().filter(|byte| !b"'\"".contains(byte)).collect();
    let first = word.iter().position(|byte| b"$`*?[~".contains(byte)).unwrap_or(0);
    word.insert(first, UNKNOWN);
    word
}

/// Where the word that begins at `start` ends, and whether a shell would expand it. Substitutions are
/// passed over with all that is in them, however deep.
///
/// # Errors
/// A quote or a bracket that is not closed.
pub fn extent(line: &[u8], start: usize) -> Result<(usize, bool), NotAWord> {
    // What would close each thing that is open, innermost last.
    let mut open: Vec<u8> = Vec::new();
    let mut expands = line.get(start) == Some(&b'~');
    let mut at = start;
    loop {
        let innermost = open.last().copied();
        match (line.get(at), line.get(at + 1)) {
            (None, _) => {
                return innermost.map_or(Ok((line.len(), expands)), |close| Err(NotAWord::Unclosed(close)));
            }
            (Some(b'\\'), _) => at = (at + 2).min(line.len()),
            (Some(&byte), _) if Some(byte) == innermost => {
                open.pop();
                at += 1;
            }
            (Some(b'\''), _) if innermost != Some(b'"') => {
                let rest = &line[at + 1..];
                let length = rest.iter().position(|&byte| byte == b'\'').ok_or(NotAWord::Unclosed(b'\''))?;
                at += length + 2;
            }
            (Some(b'$'), Some(bracket @ (b'(' | b'{'))) => {
                open.push(if *bracket == b'(' { b')' } else { b'}' });
                expands = true;
                at += 2;
            }
            (Some(&quote @ (b'"' | b'`')), _) => {
                open.push(quote);
                expands |= quote == b'`';
                at += 1;
            }
            (Some(b'('), _) if innermost == Some(b')') => {
                open.push(b')');
                at += 1;
            }
            (Some(&byte), _) if innermost.is_none() && (is_blank(byte) || b";&|<>()".contains(&byte)) => {
                return Ok((at, expands));
            }
            (Some(&byte), _) => {
                expands |= byte == b'$' || (innermost.is_none() && b"*?[".contains(&byte));
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
