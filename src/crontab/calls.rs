//! Where a line of shell calls cronward: as a command of its own, or through programs that do no more
//! than run the command behind their options.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::shell_line::{Joint, SimpleCommand, simple_commands};
use crate::shell::NotAWord;

/// One call of cronward.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// What it is called by, and with.
    pub args: Vec<OsString>,
    /// `NAME=value` words before it, in the order of writing.
    pub variables: Vec<OsString>,
    /// See [`super::WrappedJob::is_conditional`].
    pub is_conditional: bool,
}

/// A program that runs the command behind its options.
pub struct Prefix {
    name: &'static str,
    /// Short options that take a value.
    short: &'static str,
    /// Long options that take a value, also as the next word.
    long: &'static [&'static str],
    /// Words of its own before the command.
    words: usize,
}

/// One with these short and long options that take a value, and so many words of its own.
pub const fn prefix(
    name: &'static str,
    short: &'static str,
    long: &'static [&'static str],
    words: usize,
) -> Prefix {
    Prefix { name, short, long, words }
}

/// None of these changes the user or the variables that cronward reads, but for env(1).
pub static PREFIXES: [Prefix; 16] = [
    prefix("cgexec", "g", &[], 0),
    prefix("chronic", "", &[], 0),
    prefix("chrt", "TPD", &["sched-runtime", "sched-period", "sched-deadline"], 1),
    prefix("command", "", &[], 0),
    prefix("env", "uCS", &["unset", "chdir"], 0),
    prefix("exec", "a", &[], 0),
    prefix("flock", "wE", &["timeout", "conflict-exit-code"], 1),
    prefix("ionice", "cn", &["class", "classdata"], 0),
    prefix("nice", "n", &["adjustment"], 0),
    prefix("nohup", "", &[], 0),
    prefix("setsid", "", &[], 0),
    prefix("stdbuf", "ioe", &["input", "output", "error"], 0),
    prefix("systemd-cat", "tp", &["identifier", "priority", "stderr-priority"], 0),
    prefix("taskset", "", &[], 1),
    prefix("time", "fo", &["format", "output"], 0),
    prefix("timeout", "ks", &["kill-after", "signal"], 1),
];

/// Commands before `&&` that fail only where something is broken: a job behind them that does not
/// come is missed.
const PREPARATIONS: [&str; 11] =
    [".", ":", "cd", "echo", "export", "mkdir", "set", "sleep", "source", "true", "ulimit"];

/// Commands that may name cronward as something other than a command.
const MENTIONS: [&str; 12] =
    ["[", "[[", "command", "cp", "echo", "hash", "ls", "pgrep", "pkill", "test", "type", "which"];

/// The calls of cronward in a line; what is not understood is added to `reasons`.
pub fn in_line(line: &[u8], reasons: &mut Vec<String>) -> Vec<Call> {
    let commands = match simple_commands(line) {
        Ok(commands) => commands,
        Err(why) => {
            if mentions_cronward(line) {
                reasons.push(unclosed(why));
            }
            return Vec::new();
        }
    };
    let mut calls = Vec::new();
    let mut is_conditional = false;
    let mut before: Option<&SimpleCommand> = None;
    for command in &commands {
        is_conditional = match command.joint {
            Joint::Free => false,
            Joint::Pipe => is_conditional,
            Joint::And => is_conditional || !before.is_some_and(is_preparation),
            Joint::Or => true,
        };
        before = Some(command);
        match called_by(&command.words) {
            Some((variables, args)) => calls.push(Call {
                args: args.to_vec(),
                variables,
                is_conditional: is_conditional || command.is_in_branch,
            }),
            None => reasons.extend(hidden_call(&command.words)),
        }
    }
    calls
}

/// Why a line is none that a shell can run.
pub fn unclosed(why: NotAWord) -> String {
    let (NotAWord::Unclosed(open) | NotAWord::Special(open)) = why;
    format!("a {} is missing, so no shell can run it; close what is open", char::from(open))
}

/// Whether this is cronward, by its file name.
pub fn is_cronward(program: &OsStr) -> bool {
    file_name(program) == "cronward"
}

/// Its last part, whatever it is.
pub fn file_name(program: &OsStr) -> &OsStr {
    Path::new(program).file_name().unwrap_or_default()
}

/// The variables that are set for cronward, and the words from its name on; `None` if it is not what
/// these words run.
fn called_by(words: &[OsString]) -> Option<(Vec<OsString>, &[OsString])> {
    let mut variables = Vec::new();
    let mut at = 0;
    loop {
        let word = words.get(at)?;
        if is_assignment(word) {
            variables.push(word.clone());
            at += 1;
            continue;
        }
        if is_cronward(word) {
            return Some((variables, &words[at..]));
        }
        let prefix = PREFIXES.iter().find(|prefix| prefix.is(word))?;
        at = prefix.command(words, at + 1)?;
    }
}

impl Prefix {
    /// Whether a word calls this program.
    pub fn is(&self, word: &OsStr) -> bool {
        file_name(word) == self.name
    }

    /// The index of the command behind the options that begin at `at`.
    pub fn command(&self, words: &[OsString], mut at: usize) -> Option<usize> {
        loop {
            let takes_next = match words.get(at)?.as_bytes() {
                b"--" => return Some(at + 1 + self.words),
                [b'-', b'-', long @ ..] => self.long.iter().any(|known| known.as_bytes() == long),
                // The options by which `command` only says what a name stands for.
                [b'-', b'v' | b'V', ..] if self.name == "command" => return None,
                // The value is the rest of the word, or else the next one.
                [b'-', cluster @ ..] => {
                    let valued = cluster.iter().position(|byte| self.short.as_bytes().contains(byte));
                    valued.is_some_and(|at| at + 1 == cluster.len())
                }
                _ => return Some(at + self.words),
            };
            at += 1 + usize::from(takes_next);
        }
    }
}

/// `NAME=value` before a command.
pub fn is_assignment(word: &OsStr) -> bool {
    let bytes = word.as_bytes();
    let name = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    name > 0 && !bytes[0].is_ascii_digit() && bytes.get(name) == Some(&b'=')
}

/// Whether a command only makes things ready, or looks whether cronward is there.
fn is_preparation(command: &SimpleCommand) -> bool {
    let Some(program) = command.words.iter().find(|word| !is_assignment(word)) else { return true };
    PREPARATIONS.iter().any(|known| program == known)
        || MENTIONS.iter().any(|known| program == known)
            && command.words.iter().skip(1).any(|word| is_cronward(word))
}

/// That something else seems to call cronward, by a word of its own or in a line for another shell.
fn hidden_call(words: &[OsString]) -> Option<String> {
    let program = file_name(words.iter().find(|word| !is_assignment(word))?);
    let is_called = words.iter().any(|word| mentions_cronward(word.as_bytes()));
    if !is_called || MENTIONS.iter().any(|known| program == *known) {
        return None;
    }
    let program = program.to_string_lossy();
    Some(format!(
        "'{program}' seems to call cronward, and is not looked into; put cronward before '{program}'"
    ))
}

/// Whether cronward is named as a program: alone, or in a directory of programs.
fn mentions_cronward(text: &[u8]) -> bool {
    let is_of_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/".contains(byte);
    text.split(|byte| !is_of_path(byte)).any(|word| word == b"cronward" || word.ends_with(b"bin/cronward"))
}
