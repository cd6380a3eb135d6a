//! `exec:COMMAND LINE`: a program of the user's that takes charge of an alert, by mail, SMS or what
//! else there is. It has the event as JSON on stdin and the main fields in its environment; exit
//! status 0 means that somebody has been told.

mod program;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use nix::unistd::{AccessFlags, access};

use super::probe::{Complaint, Probe};
use super::{Opening, Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::job::CommandLine;
use crate::notice::{Audience, Notice, Turn, changes_for, end_of_output, event_json};
use crate::rehearsal;

/// How much of the end of the output stands in a variable, in bytes: what people read in a mail. All that was
/// captured is in the event.
const OUTPUT_MAX: usize = 4096;

/// What the name of every variable begins with that speaks of the event.
const PREFIX: &str = "CRONWARD_EVENT_";

/// The sink.
#[derive(Debug)]
pub struct Exec {
    name: String,
    command: CommandLine,
    environment: Vec<OsString>,
}

/// A sink of a command line.
///
/// # Errors
/// In words: there is no command.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    if opening.target.trim().is_empty() {
        return Err("it has no command".to_owned());
    }
    let command = CommandLine::Shell(opening.target.into());
    // A line may hold a password, the name of its program does not.
    let name = format!("exec:{}", command.first_word().to_string_lossy());
    let ours = |word: &&OsString| !word.as_bytes().starts_with(PREFIX.as_bytes());
    let environment = opening.environment.iter().filter(ours).cloned().collect();
    Ok(Arc::new(Exec { name, command, environment }))
}

impl Sink for Exec {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        Pace::Waiting
    }

    fn confirms(&self) -> bool {
        true
    }

    fn answer(&self) -> Option<String> {
        Some("exit status 0".to_owned())
    }

    fn wants(&self, topic: Topic) -> bool {
        topic == Topic::Alert
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        notices.iter().map(|notice| event_json(notice, Audience::Away)).collect()
    }

    fn probe(&self, _: Deadline) -> Probe {
        found(self.command.first_word(), path_of(&self.environment)).into()
    }

    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        rehearsal::of_a_panic("sink");
        notices.iter().try_for_each(|notice| {
            let mut environment = self.environment.clone();
            environment.extend(variables(notice));
            let mut event = event_json(notice, Audience::Away);
            event.push('\n');
            program::run(&self.command.argv(), &environment, event.as_bytes(), deadline)
        })
    }
}

/// What only a shell has, or means something else by: no file of that name is looked for.
const OF_THE_SHELL: &[&str] = &[
    ".", ":", "/bin/sh", "case", "cd", "command", "echo", "eval", "exec", "exit", "export", "for", "if",
    "kill", "printf", "read", "set", "test", "trap", "true", "ulimit", "umask", "unset", "until", "while",
];

fn path_of(environment: &[OsString]) -> &OsStr {
    let value = |word: &OsString| word.as_bytes().strip_prefix(b"PATH=").map(<[u8]>::len);
    let found = environment.iter().find_map(|word| {
        let length = value(word)?;
        Some(OsStr::from_bytes(&word.as_bytes()[word.len() - length..]))
    });
    found.unwrap_or(OsStr::new(""))
}

/// Where the shell finds a program. It is not run.
fn found(program: &OsStr, search_path: &OsStr) -> Result<String, Complaint> {
    let shown = program.to_string_lossy();
    if OF_THE_SHELL.contains(&&*shown) {
        return Ok("the shell runs it".to_owned());
    }
    let is_executable = |path: &Path| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
    if shown.contains('/') {
        return match is_executable(Path::new(program)) {
            true => Ok("it can be run".to_owned()),
            false => Err(Complaint::new(
                format!("'{shown}' is no file that can be run"),
                "put the program there, and 'chmod +x' it",
            )),
        };
    }
    let mut places = search_path.as_bytes().split(|&byte| byte == b':').map(OsStr::from_bytes);
    match places.find(|place| is_executable(&Path::new(place).join(program))) {
        Some(place) => Ok(format!("it is in '{}'", place.to_string_lossy())),
        None => Err(Complaint::new(
            format!("'{shown}' is not in PATH ({})", search_path.to_string_lossy()),
            "install it, or write its whole path",
        )),
    }
}

/// The main fields of an event, for a line such as `mail -s "$CRONWARD_EVENT_HEADLINE" root`.
fn variables(notice: &Notice) -> Vec<OsString> {
    let job = &*notice.job;
    let mut fields = vec![
        ("KIND", notice.news.kind().to_owned()),
        ("ID", notice.id.to_string()),
        ("TIME", notice.time.to_string()),
        ("LABEL", job.label.to_string()),
        ("HOST", job.host.clone()),
        ("SEVERITY", job.severity.as_str().to_owned()),
        ("HEADLINE", notice.headline_for(Audience::Away)),
    ];
    fields.extend(job.owner.clone().map(|owner| ("OWNER", owner)));
    fields.extend(job.runbook.clone().map(|runbook| ("RUNBOOK", runbook)));
    if let Some(start) = notice.news.under_way() {
        fields.push(("RUN_ID", start.id.to_string()));
    }
    if let Some(finished) = notice.news.finished() {
        fields.push(("RUN_ID", finished.run.id.to_string()));
        fields.push(("OUTCOME", finished.run.outcome.as_str().to_owned()));
        fields.extend(finished.run.exit_code().map(|code| ("EXIT_CODE", code.to_string())));
        fields.extend(end_of_output(job, &finished.run, OUTPUT_MAX).map(|output| ("OUTPUT", output)));
    }
    if let Some(Turn { alert, cause, changed }) = notice.news.turn() {
        let reason = cause.reason_for(job, Audience::Away);
        fields.extend(reason.map(|reason| ("REASON", reason.into_owned())));
        fields.push(("FAILURES", alert.failures.to_string()));
        fields.push(("ALERT_ID", alert.id.to_string()));
        fields.push(("ALERT_KEY", alert.key.text.clone()));
        if !changed.is_empty() {
            fields.push(("CHANGED", changes_for(job, changed, Audience::Away).join("\n")));
        }
    }
    // A NUL ends a word of the environment, and the program would not be started at all.
    let word = |(name, value): (&str, String)| format!("{PREFIX}{name}={}", value.replace('\0', "\u{fffd}"));
    fields.into_iter().map(word).map(OsString::from).collect()
}

#[cfg(test)]
mod tests;
