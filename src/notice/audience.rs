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
    reason_in_words(job, run.reason.as_deref(), audience)
}

/// The same of anything that has a reason.
pub fn reason_in_words<'a>(
    job: &JobFacts,
    reason: Option<&'a str>,
    audience: Audience,
) -> Option<Cow<'a, str>> {
    match audience {
        Audience::Away if job.privacy.sensitive => None,
        Audience::Local | Audience::Away => reason.map(|reason| words_for(reason, audience)),
    }
}

/// The output of a run, as far as an audience may know it, if any of it was kept. Of a part that was cut, and
/// goes away, only whole lines: a secret may have been cut with it.
pub fn output_for<'a>(job: &JobFacts, run: &'a Run, audience: Audience) -> Option<OutputFor<'a>> {
    let excerpt = run.output.excerpt.as_ref()?;
    let was_cut = excerpt.left_out > 0;
    let text = |bytes: &'a [u8], whole_lines: fn(&str) -> &str| {
        let text = String::from_utf8_lossy(bytes);
        match audience {
            Audience::Local => text,
            Audience::Away => {
                let kept = if was_cut { whole_lines(&text) } else { &text };
                Cow::Owned(redact::masked(&redact::plain(kept)).into_owned())
            }
        }
    };
    match audience {
        Audience::Away if job.privacy.sensitive => None,
        Audience::Local | Audience::Away => Some(OutputFor {
            head: text(&excerpt.head, redact::excerpt::cut_head),
            tail: was_cut.then(|| text(&excerpt.tail, redact::excerpt::cut_tail)),
            total: excerpt.total,
            left_out: excerpt.left_out,
        }),
    }
}

/// The end of the output of a run, as people away may read it: whole lines, at most so many bytes, and how many
/// bytes stood before them. `None` if nothing of it was kept, or there was none.
pub fn end_of_output(job: &JobFacts, run: &Run, most: usize) -> Option<String> {
    let OutputFor { head, tail, total, left_out } = output_for(job, run, Audience::Away)?;
    let gap = |bytes: u64| format!("[{bytes} bytes left out]\n");
    let mut text = head.into_owned();
    if let Some(tail) = tail {
        text.push_str(&gap(left_out));
        text.push_str(&tail);
    }
    let text = text.trim_end();
    if text.len() <= most {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let room = most.checked_sub(gap(total).len())?;
    let from = text.ceil_char_boundary(text.len() - room);
    let from = text[from..].find('\n').map_or(from, |end| from + end + 1);
    let shown = &text[from..];
    Some(gap(total.saturating_sub(shown.len() as u64)) + shown)
}

/// What an audience may know of the output of a run.
pub struct OutputFor<'a> {
    /// The first part; all of it if nothing was left out.
    pub head: Cow<'a, str>,
    /// The last part, if something was left out.
    pub tail: Option<Cow<'a, str>>,
    /// How many bytes there were.
    pub total: u64,
    /// How many of them are in neither part.
    pub left_out: u64,
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
