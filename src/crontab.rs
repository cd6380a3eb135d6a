//! PURE. Which jobs of a crontab are wrapped: what would run under which label, and when. It serves
//! to find jobs that never ran, so what it cannot read it says, rather than pass over a job.

pub mod calls;
pub mod lines;
pub mod shell_line;
pub mod wrapping;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::cli::{self, Invocation};
use crate::config::{Configured, Levels};
use crate::job::{CommandLine, Label};
use crate::plan;
use crate::schedule::Schedule;
use crate::settings::{PREFIX, Setting};
use lines::{Content, Entry, Form, for_shell};

/// A line of a crontab that runs a command under cronward. A line with two of them is two jobs.
#[derive(Debug)]
pub struct WrappedJob {
    /// From 1.
    pub line_number: usize,
    /// When cron starts the line; `None`: `@reboot`.
    pub schedule: Option<Schedule>,
    /// The user whose job it is; only in the system form.
    pub user: Option<String>,
    /// As the run itself would have it.
    pub label: Label,
    /// Whether it takes more than the time for it to run: it stands behind `||`, in an `if`, or behind
    /// `&&` and a command that may well say no.
    pub is_conditional: bool,
    /// What is configured for it in the line and in the variables of the crontab.
    levels: Levels,
}

impl WrappedJob {
    /// The nearest value of an option that takes one; `None` also if only a shell can tell it.
    pub fn given(&self, setting: Setting) -> Option<&OsStr> {
        let text = self.levels.nearest(setting)?.text.as_os_str();
        is_known(text).then_some(text)
    }
}

/// A line, or a part of one, that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line_number: usize,
    /// In words.
    pub reason: String,
}

/// What there is in a crontab.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order of the lines.
    pub jobs: Vec<WrappedJob>,
    /// In the order of the lines.
    pub problems: Vec<Problem>,
}

/// Looks for wrapped jobs.
pub fn wrapped_jobs(text: &[u8], form: Form) -> Found {
    let mut found = Found::default();
    let mut environment = Environment::default();
    for line in lines::read(text, form) {
        let mut problem = |reason| found.problems.push(Problem { line_number: line.number, reason });
        match line.content {
            Content::Blank | Content::Comment => {}
            Content::Malformed(why) => problem(why),
            Content::Variable { name, value } => environment.set(&name, &value),
            Content::Entry(entry) => {
                let (jobs, reasons) = jobs_of(text, line.number, entry, &environment);
                reasons.into_iter().for_each(&mut problem);
                if !jobs.is_empty() && text[..line.range.end].ends_with(b"\r") {
                    problem(
                        "it ends in a carriage return, which cron gives to the command; \
                         save the file with plain newlines"
                            .to_owned(),
                    );
                }
                found.jobs.extend(jobs);
            }
        }
        if text.get(line.range.end).is_none() {
            problem("no newline at its end, so cron ignores all of the crontab; add one".to_owned());
        }
    }
    found
}

/// The variables of a crontab that say how a line is wrapped, up to that line.
#[derive(Debug, Default)]
struct Environment(Vec<OsString>);

impl Environment {
    /// Of two for one name the later counts.
    fn set(&mut self, name: &[u8], value: &[u8]) {
        if name == b"SHELL" || name.starts_with(PREFIX) {
            self.0.retain(|word| value_of(word, name).is_none());
            self.0.push(OsString::from_vec([name, b"=", value].concat()));
        }
    }

    /// What cron runs the lines by, if that is cronward.
    fn shell(&self) -> Option<&OsStr> {
        let shell = self.0.iter().find_map(|word| value_of(word, b"SHELL"))?;
        calls::is_cronward(shell).then_some(shell)
    }
}

/// The value of `NAME=value`, if that is its name.
fn value_of<'a>(word: &'a OsStr, name: &[u8]) -> Option<&'a OsStr> {
    word.as_bytes().strip_prefix(name)?.strip_prefix(b"=").map(OsStr::from_bytes)
}

/// The wrapped jobs of one entry, and what is not understood in it.
fn jobs_of(
    text: &[u8],
    line_number: usize,
    entry: Entry,
    environment: &Environment,
) -> (Vec<WrappedJob>, Vec<String>) {
    let command = for_shell(&text[entry.command]);
    let user = entry.user.map(|user| String::from_utf8_lossy(&text[user]).into_owned());
    let (mut jobs, mut reasons) = (Vec::new(), Vec::new());
    let calls = match environment.shell() {
        Some(shell) => {
            let args = vec![shell.to_owned(), OsString::from("-c"), OsString::from_vec(command.into_owned())];
            vec![calls::Call { args, variables: Vec::new(), is_conditional: false }]
        }
        None => calls::in_line(&command, &mut reasons),
    };
    for call in calls {
        // The first of two words for one name counts, and nearer ones stand before the crontab's.
        let variables = call.variables.iter().rev().chain(&environment.0).cloned().collect();
        match job_of(call.args, variables) {
            Ok(None) => {}
            Ok(Some((label, levels))) => jobs.push(WrappedJob {
                line_number,
                schedule: entry.schedule.clone(),
                user: user.clone(),
                label,
                is_conditional: call.is_conditional,
                levels,
            }),
            Err(why) => reasons.push(why),
        }
    }
    (jobs, reasons)
}

/// The label of a run and what is configured for it; `None` if the words run nothing.
fn job_of(args: Vec<OsString>, variables: Vec<OsString>) -> Result<Option<(Label, Levels)>, String> {
    if args.get(1).is_some_and(|word| cli::is_subcommand(word)) {
        return Ok(None);
    }
    let typed = match cli::parse(args).map_err(|usage| usage.to_string())? {
        Invocation::Run(typed) => typed,
        Invocation::Subcommand(_) | Invocation::Print(_) => return Ok(None),
    };
    let configured = Configured::new(typed, variables).map_err(|usage| usage.to_string())?;
    if configured.dry_run {
        return Ok(None);
    }
    let Configured { command, levels, .. } = configured;
    let label = plan::label(&command, &levels).map_err(|usage| usage.to_string())?;
    let of_known_words = || match &command {
        CommandLine::Words(words) => words.iter().all(|word| is_known(word)),
        CommandLine::Shell(line) => is_known(line),
    };
    let is_given = levels.nearest(Setting::Label).is_some();
    if is_given && is_known(OsStr::new(label.as_str())) || !is_given && of_known_words() {
        return Ok(Some((label, levels)));
    }
    Err("only a shell can tell the label of this job; give it a plain one with '--label'".to_owned())
}

/// Whether a word says all that it will say.
fn is_known(word: &OsStr) -> bool {
    !word.as_bytes().contains(&shell_line::UNKNOWN)
}

#[cfg(test)]
mod tests;
