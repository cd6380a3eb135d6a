//! PURE. How the lines of a crontab call cronward: by which word, with which PATH, around what. It serves to find
//! lines that cannot work, in cron's surroundings.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::calls::{self, is_cronward};
use super::lines::{self, Content, Form, for_shell};
use super::{is_known, value_of};
use crate::cli::{self, Invocation};
use crate::config::Configured;
use crate::job::CommandLine;
use crate::settings::PREFIX;

/// A call of cronward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapping {
    /// From 1.
    pub line_number: usize,
    /// The word that it is called by; `None`: it is the `SHELL` of the crontab.
    pub program: Option<OsString>,
    /// Where cron's shell looks for programs; `None` where only a shell can tell.
    pub search_path: Option<OsString>,
    /// What it is to do.
    pub task: Task,
}

/// What cronward is called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// To run a command, which begins with this word; `None` where only a shell can tell.
    Job(Option<OsString>),
    /// A subcommand.
    Subcommand(String),
}

/// A variable that a crontab sets, and that says something to cronward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// From 1.
    pub line_number: usize,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: OsString,
}

/// What there is of cronward in a crontab.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wrappings {
    /// The calls, in the order of the lines.
    pub calls: Vec<Wrapping>,
    /// `SHELL` where that names cronward, and `CRONWARD_*`, in the order of the lines.
    pub variables: Vec<Variable>,
}

/// Where cron itself looks, if a crontab does not say where: that of Debian's and of cronie.
pub const CRON_PATH: &str = "/usr/bin:/bin";

/// Looks for calls of cronward.
pub fn wrappings(text: &[u8], form: Form) -> Wrappings {
    let mut found = Wrappings::default();
    let mut search_path = OsString::from(CRON_PATH);
    let mut is_shell = false;
    for line in lines::read(text, form) {
        let line_number = line.number;
        match line.content {
            Content::Blank | Content::Comment | Content::Malformed(_) => {}
            Content::Variable { name, value } => {
                let value = OsString::from_vec(value);
                if name == b"PATH" {
                    search_path = value;
                    continue;
                }
                let names_us = name == b"SHELL" && is_cronward(&value);
                is_shell = if name == b"SHELL" { names_us } else { is_shell };
                if names_us || name.starts_with(PREFIX) {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    found.variables.push(Variable { line_number, name, value });
                }
            }
            Content::Entry(entry) => {
                let command = for_shell(&text[entry.command]);
                for call in calls_in(&command, is_shell) {
                    let search_path = path_of(&command, &call.variables, &search_path);
                    let program = (!is_shell).then(|| call.args.first().cloned().unwrap_or_default());
                    if let Some(task) = task_of(call.args) {
                        found.calls.push(Wrapping { line_number, program, search_path, task });
                    }
                }
            }
        }
    }
    found
}

fn calls_in(command: &[u8], is_shell: bool) -> Vec<calls::Call> {
    if !is_shell {
        // What is not understood is said by `wrapped_jobs`.
        return calls::in_line(command, &mut Vec::new());
    }
    let line = OsString::from_vec(command.to_vec());
    let args = vec!["cronward".into(), "-c".into(), line];
    vec![calls::Call { args, variables: Vec::new(), is_conditional: false }]
}

/// Where programs of a line are looked for: what stands right before the call counts, and a line that may set it in
/// another way is not looked into.
fn path_of(command: &[u8], nearer: &[OsString], of_crontab: &OsStr) -> Option<OsString> {
    if let Some(value) = nearer.iter().rev().find_map(|word| value_of(word, b"PATH")) {
        return is_known(value).then(|| value.to_owned());
    }
    let text = String::from_utf8_lossy(command);
    let may_change =
        text.contains("PATH=") || text.split_ascii_whitespace().any(|word| [".", "source"].contains(&word));
    (!may_change).then(|| of_crontab.to_owned())
}

/// What a call is for; `None` if it runs nothing, or is a mistake that `wrapped_jobs` names.
fn task_of(args: Vec<OsString>) -> Option<Task> {
    if let Some(word) = args.get(1).filter(|word| cli::is_subcommand(word)) {
        return Some(Task::Subcommand(word.to_string_lossy().into_owned()));
    }
    match cli::parse(args).ok()? {
        Invocation::Subcommand(_) | Invocation::Print(_) => None,
        Invocation::Run(typed) => {
            let configured = Configured::new(typed, Vec::new()).ok()?;
            let is_shells = matches!(configured.command, CommandLine::Shell(_));
            let word = configured.command.first_word();
            // A line of which the first word is no plain name is the shell's affair.
            let plain = is_known(word) && !(is_shells && (word == "/bin/sh" || is_of_shell(word)));
            Some(Task::Job(plain.then(|| word.to_owned())))
        }
    }
}

/// Words that only a shell has: no program of that name is looked for.
fn is_of_shell(word: &OsStr) -> bool {
    const WORDS: [&str; 20] = [
        ".", ":", "case", "cd", "command", "eval", "exec", "exit", "export", "for", "if", "read", "set",
        "source", "trap", "ulimit", "umask", "unset", "until", "while",
    ];
    WORDS.iter().any(|known| word == *known) || word.as_bytes().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str, form: Form) -> Vec<(usize, String, String, String)> {
        let word =
            |word: Option<OsString>| word.map_or("?".into(), |word| word.to_string_lossy().into_owned());
        let found = wrappings(text.as_bytes(), form).calls.into_iter();
        let task = |task| match task {
            Task::Job(first) => word(first),
            Task::Subcommand(name) => format!("subcommand {name}"),
        };
        found
            .map(|call| (call.line_number, word(call.program), word(call.search_path), task(call.task)))
            .collect()
    }

    proptest::proptest! {
        /// Root reads the crontabs of others.
        #[test]
        fn whatever_stands_in_a_crontab_is_read_to_its_end(
            text in proptest::collection::vec(
                proptest::sample::select(vec![
                    &b"@daily "[..], b"cronward ", b"PATH=", b"-c ", b"'", b"\n", b"$(", b"\\", b"%", b"\xff\0",
                    b"SHELL=/x/cronward", b"-- x ", b"* * * * * ",
                ]),
                0..24,
            ),
        ) {
            let text = text.concat();
            let lines = text.split(|&byte| byte == b'\n').count();
            for form in [Form::User, Form::System] {
                let found = wrappings(&text, form);
                proptest::prop_assert!(found.calls.iter().all(|call| (1..=lines).contains(&call.line_number)));
            }
        }
    }

    #[test]
    fn each_call_has_the_path_that_cron_gives_it_at_that_line() {
        let text = "@daily cronward -l a -- dump -x\nPATH=/opt/bin\n@daily /usr/local/bin/cronward check >/dev/null\n\
                    @daily PATH=/x cronward -l b -- b\n@daily . /etc/profile; cronward -l c -- \"$HOME/c\"\n\
                    @daily echo no\n";
        let expected = [
            (1, "cronward", "/usr/bin:/bin", "dump"),
            (3, "/usr/local/bin/cronward", "/opt/bin", "subcommand check"),
            (4, "cronward", "/x", "b"),
            (5, "cronward", "?", "?"),
        ];
        let expected = expected
            .map(|(line, program, path, task)| (line, program.to_owned(), path.to_owned(), task.to_owned()));
        assert_eq!(calls(text, Form::User), expected);
    }

    #[test]
    fn under_a_shell_that_is_cronward_every_line_is_a_call_until_it_is_another() {
        let text = "SHELL=/opt/cronward\nCRONWARD_LCOK=1\n0 0 * * * root dump | gzip\n0 0 * * * root cd /x && y\n\
                    SHELL=/bin/sh\n0 0 * * * root z\n";
        let found = calls(text, Form::System);
        let task = |line, task: &str| (line, "?".to_owned(), CRON_PATH.to_owned(), task.to_owned());
        assert_eq!(found, [task(3, "dump"), task(4, "?")]);
        let variables = wrappings(text.as_bytes(), Form::System).variables;
        let names: Vec<_> = variables.iter().map(|found| (found.line_number, &found.name[..])).collect();
        assert_eq!(names, [(1, "SHELL"), (2, "CRONWARD_LCOK")]);
    }
}
