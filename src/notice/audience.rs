//! What an audience may know of a job: `--sensitive` and `--send-args`, and no secrets away from this host.

use std::borrow::Cow;
use std::ffi::OsStr;

use crate::job::CommandLine;
use crate::outcome::Run;
use crate::plan::{JobFacts, Privacy};
use crate::program::Changed;
use crate::redact;

/// Who will read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Somebody on this host: the arguments are shown in full.
    Local,
    /// Anybody else: what `--sensitive` and `--send-args` allow, and of that what looks like no secret.
    Away,
}

/// Of the command, what an audience may know; `None`: nothing of it.
pub fn command_for(job: &JobFacts, audience: Audience) -> Option<Vec<Cow<'_, OsStr>>> {
    let Privacy { sensitive, send_args } = job.privacy;
    let words = match (audience, &job.command) {
        (Audience::Away, _) if sensitive => return None,
        (Audience::Away, command) if !send_args => vec![command.first_word()],
        (_, CommandLine::Words(words)) => words.iter().map(|word| word.as_os_str()).collect(),
        (_, CommandLine::Shell(line)) => vec![OsStr::new("/bin/sh"), OsStr::new("-c"), line],
    };
    Some(match audience {
        Audience::Local => words.into_iter().map(Cow::Borrowed).collect(),
        Audience::Away => redact::masked_words(&words),
    })
}

/// Of what has changed, what an audience may know.
pub fn changes_for<'a>(job: &JobFacts, changed: &'a [Changed], audience: Audience) -> Vec<Cow<'a, str>> {
    let Privacy { sensitive, send_args } = job.privacy;
    let in_full = audience == Audience::Local || (send_args && !sensitive);
    let told = |change: &'a Changed| words_for(if in_full { &change.full } else { &change.brief }, audience);
    changed.iter().map(told).collect()
}

/// Why a run ended so, as far as an audience may know: a reason may quote the command.
pub fn reason_for<'a>(job: &JobFacts, run: &'a Run, audience: Audience) -> Option<Cow<'a, str>> {
    match audience {
        Audience::Away if job.privacy.sensitive => None,
        Audience::Local | Audience::Away => run.reason.as_deref().map(|reason| words_for(reason, audience)),
    }
}

/// A sentence of ours, which may quote anything, for an audience.
pub fn words_for(sentence: &str, audience: Audience) -> Cow<'_, str> {
    match audience {
        Audience::Local => Cow::Borrowed(sentence),
        Audience::Away => redact::masked_sentence(sentence),
    }
}

#[cfg(test)]
mod tests;
