//! PURE. What a line of shell looks like from outside: whether the words of one command, before which
//! cronward can simply be put, or something that only a shell can run as a whole.

use std::ops::ControlFlow;

use crate::crontab::calls::is_assignment;
use crate::crontab::shell_line::extent;
use crate::shell::{self, NotAWord, Reading, is_blank};

/// What a line looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// It runs nothing: it is empty, or a comment.
    Nothing,
    /// One command: whatever its words are to the shell, they are the same behind another word.
    Words {
        /// What it is called by, as far as that can be told without a shell.
        program: Option<Vec<u8>>,
    },
    /// For a shell as a whole.
    Code {
        /// Where the last word or operator ends; blanks and a comment may stand behind it.
        end: usize,
    },
}

/// Words that a shell (dash, bash) does not look for in PATH when they come first, and those that are
/// no command at all. What one of them does to the shell itself, as `cd`, nothing else can do for it; and
/// what the others print is not always what the program of that name prints, as with `echo`.
static OWN_WORDS: [&str; 77] = [
    "!",
    ".",
    ":",
    "[",
    "[[",
    "]]",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
];
/// The rest of them.
static MORE_OWN_WORDS: [&str; 6] = ["unset", "until", "wait", "while", "{", "}"];

/// Looks at a line as cron hands it to the shell.
///
/// # Errors
/// A quote or a bracket that is not closed.
pub fn shape(line: &[u8]) -> Result<Shape, NotAWord> {
    let mut look = Look { line, at: 0, end: 0, program: None, has_words: false, is_code: false };
    while look.step()?.is_continue() {}
    Ok(match look {
        Look { end: 0, .. } => Shape::Nothing,
        Look { is_code: false, has_words: true, program, .. } => Shape::Words { program },
        Look { end, .. } => Shape::Code { end },
    })
}

/// One look at a line.
struct Look<'a> {
    line: &'a [u8],
    at: usize,
    /// Of what has been seen, blanks behind it left out.
    end: usize,
    program: Option<Vec<u8>>,
    has_words: bool,
    is_code: bool,
}

impl Look<'_> {
    /// Reads what comes next: an operator, a redirection or a word.
    fn step(&mut self) -> Result<ControlFlow<()>, NotAWord> {
        match self.line[self.at..] {
            [] | [b'#', ..] => return Ok(ControlFlow::Break(())),
            [byte, ..] if is_blank(byte) && byte != b'\n' => {
                self.at += 1;
                return Ok(ControlFlow::Continue(()));
            }
            [b'&', b'>', ..] | [b'<' | b'>', ..] => self.redirection(1)?,
            [b';' | b'&' | b'|' | b'(' | b')' | b'\n', ..] => {
                self.is_code = true;
                self.at += 1;
            }
            _ => self.word()?,
        }
        self.end = self.at;
        Ok(ControlFlow::Continue(()))
    }

    /// The operator and the word behind it. Of the plain ones the shell takes care before cronward begins.
    /// What changes stderr does so for cronward's own words as well, and a line that throws stderr away
    /// would throw away the alert that cron could have mailed; so that is for the shell within.
    fn redirection(&mut self, descriptor: u32) -> Result<(), NotAWord> {
        let rest = &self.line[self.at..];
        let length = rest.iter().take_while(|byte| b"<>&|".contains(byte)).count();
        let is_plain = matches!(rest[..length], [b'<'] | [b'>'] | [b'>', b'>'] | [b'>', b'|']);
        self.at += length;
        self.at += self.line[self.at..].iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
        let target = self.at;
        self.at = extent(self.line, target)?.0;
        self.is_code |= !is_plain || descriptor > 1 || self.at == target;
        Ok(())
    }

    fn word(&mut self) -> Result<(), NotAWord> {
        let start = self.at;
        let (end, expands) = extent(self.line, start)?;
        let written = &self.line[start..end];
        self.at = end;
        if matches!(self.line.get(end), Some(b'<' | b'>')) {
            if written.iter().all(u8::is_ascii_digit) {
                return self.redirection(if written == b"0" || written == b"1" { 1 } else { 2 });
            }
            // `{name}>file` gives the shell a new descriptor.
            self.is_code |= written.starts_with(b"{");
        }
        if !self.has_words {
            self.has_words = true;
            self.program = program(&self.line[..end], start, expands);
            self.is_code |= !can_follow(written, self.program.as_deref());
        }
        Ok(())
    }
}

/// What a first word says, if that can be told.
fn program(line: &[u8], start: usize, expands: bool) -> Option<Vec<u8>> {
    if expands {
        return None;
    }
    shell::read_word(line, start, Reading::Code).ok().map(|word| word.text)
}

/// Whether a first word still means the same behind another one. One with a slash is the path of a
/// program, whatever a shell makes of the rest of it.
fn can_follow(written: &[u8], program: Option<&[u8]>) -> bool {
    let name = written.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    // Also `NAME+=value` and `NAME[1]=value`, which bash has.
    if is_assignment(std::os::unix::ffi::OsStrExt::from_bytes(written))
        || name > 0 && matches!(written.get(name), Some(b'+' | b'[')) && written.contains(&b'=')
    {
        return false;
    }
    if written.contains(&b'/') {
        return true;
    }
    let is_own = |word: &[u8]| {
        OWN_WORDS.iter().chain(&MORE_OWN_WORDS).any(|own| own.as_bytes() == word) || word.contains(&b'{')
    };
    program.is_some_and(|program| !program.is_empty() && !is_own(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        match shape(line.as_bytes()).unwrap() {
            Shape::Nothing => "nothing".to_owned(),
            Shape::Words { program } => {
                format!("words {}", String::from_utf8(program.unwrap_or_default()).unwrap())
            }
            Shape::Code { end } => format!("code {}", &line[..end]),
        }
    }

    #[test]
    fn a_command_is_words_whatever_a_shell_makes_of_them() {
        for (line, program) in [
            ("/opt/backup.sh", "/opt/backup.sh"),
            (" backup.sh  --all  ", "backup.sh"),
            ("tar czf \"/b/$(date +%F).tgz\" ~/x *.c", "tar"),
            ("$HOME/bin/sync a", ""),
            ("~/bin/sync a", ""),
            ("/opt/*/run", ""),
            ("'/opt/my job' x", "/opt/my job"),
            ("b\\ackup A=b", "backup"),
            ("pg_dump app >/b/app.sql", "pg_dump"),
            ("sync >>/var/log/sync.log # nightly", "sync"),
            ("sync 1>x", "sync"),
            ("<in sync >|x", "sync"),
            ("find / -exec rm {} \\;", "find"),
            ("curl 'http://x/?a=1&b=2'", "curl"),
            ("echoes", "echoes"),
        ] {
            assert_eq!(shown(line), format!("words {program}"), "{line:?}");
        }
    }

    #[test]
    fn what_needs_a_shell_as_a_whole_is_code_up_to_its_comment() {
        for line in [
            "a | b",
            "a && b",
            "a || b",
            "a; b",
            "a &",
            "(a)",
            "{ a; }",
            "a `b` | c",
            "cd /srv",
            "A=b a",
            "A+=b a",
            "A[1]=/b/c a",
            "A=/b/c",
            "! a",
            "[ -x a ]",
            "if a; then b; fi",
            "echo a",
            "\\echo a",
            "'cd' /x",
            ". /etc/profile",
            "exec a",
            "time a",
            "a 2>&1",
            "a >/dev/null 2>&1",
            "a 2>/dev/null",
            "a &>x",
            "a >&2",
            "a 0<&1",
            "a 3>x",
            "a <<EOF",
            "a <<<b",
            "diff <(a) <(b)",
            "a {fd}>x",
            ">x",
            "$CMD a",
            "`a` b",
            "\"$A\" b",
            "{a,b} c",
            "a*b",
            "* a",
            "a\nb",
        ] {
            assert_eq!(shown(line), format!("code {line}"), "{line:?}");
            assert_eq!(shown(&format!("{line}  # it's a note")), format!("code {line}"), "{line:?}");
        }
    }

    #[test]
    fn what_runs_nothing_is_nothing() {
        for line in ["", " \t", "# a note", "  # a; b"] {
            assert_eq!(shown(line), "nothing", "{line:?}");
        }
    }

    #[test]
    fn what_is_open_is_an_error() {
        for (line, open) in [("a 'b", b'\''), ("a \"b", b'"'), ("a $(b", b')'), ("a `b", b'`')] {
            assert_eq!(shape(line.as_bytes()), Err(NotAWord::Unclosed(open)));
        }
    }
}
