//! `--dry-run`: the plan in full, where each value came from, and what a success and a failure would
//! send. Nothing is run, opened or written.

mod sample;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::time::Duration;

use crate::config::{Level, Levels};
use crate::job::CommandLine;
use crate::notice::Notice;
use crate::outcome::ExitCodes;
use crate::plan::{LogWhen, Plan, Quiet, Summary};
use crate::settings::{Setting, TABLE, Takes};
use crate::shell;
use crate::sinks;

/// What every sink would send for some notices: its name, and one text a datagram, line or request.
pub type Previews<'a> = dyn Fn(&[Notice]) -> Vec<(String, Vec<String>)> + 'a;

/// The whole text.
pub fn render(plan: &Plan, levels: &Levels, previews: &Previews<'_>) -> String {
    let mut text = format!("command  {}\n", command(plan));
    text.push_str("\noptions in force, and where they come from\n");
    text.push_str(&settings(plan, levels));
    for (title, stages) in sample::all(plan) {
        let _ = write!(text, "\n{title}\n");
        text.push_str(&sent(&stages, previews));
    }
    text
}

/// The command as a shell would read it.
fn command(plan: &Plan) -> String {
    let quoted = |word: &OsString| printable(&shell::quote(word).to_string_lossy()).into_owned();
    let words: Vec<String> = match &plan.job.command {
        CommandLine::Words(words) => words.iter().map(quoted).collect(),
        shell @ CommandLine::Shell(_) => shell.argv().iter().map(quoted).collect(),
    };
    words.join(" ")
}

/// One line for every option: name, value, origin.
fn settings(plan: &Plan, levels: &Levels) -> String {
    let rows: Vec<(&str, String, String)> = TABLE
        .iter()
        .filter_map(|row| {
            let value = printable(&value(plan, levels, row.setting)?).into_owned();
            Some((row.long, value, origin(plan, levels, row.setting)))
        })
        .collect();
    let name_width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    // One long path must not push the origins of all others off the screen.
    let value_width = rows.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or(0).min(36);
    rows.iter().fold(String::new(), |mut text, (name, value, origin)| {
        let _ = writeln!(text, "  {name:name_width$}  {value:value_width$}  {origin}");
        text
    })
}

/// The value in force, in the words of the option; `None` for what is no setting of the run.
fn value(plan: &Plan, levels: &Levels, setting: Setting) -> Option<String> {
    let job = &plan.job;
    let text = match setting {
        Setting::Command | Setting::DryRun | Setting::NoConfig => return None,
        Setting::Config => listed(levels.files().iter().map(|file| file.display().to_string())),
        Setting::Label => job.label.to_string(),
        Setting::Tag => listed(job.tags.iter().map(ToString::to_string)),
        Setting::Timeout => span(plan.time_limit.map(|limit| limit.limit)),
        Setting::KillAfter => span(plan.time_limit.map(|limit| limit.grace)),
        Setting::WarnAfter => span(plan.warn_after),
        Setting::Retries => plan.retries.retries.to_string(),
        Setting::RetryDelay => span(Some(plan.retries.delay)),
        Setting::Jitter => span(Some(plan.start_delay)),
        Setting::Lock => on(plan.overlap.is_some()),
        Setting::LockWait => span(plan.overlap.map(|rule| rule.wait)),
        Setting::LockExit => plan.overlap.map_or_else(none, |rule| rule.exit_status.to_string()),
        Setting::OkCodes => codes(&plan.codes.ok),
        Setting::WarnCodes => codes(&plan.codes.warn),
        Setting::Expect => listed(plan.expectations.iter().map(ToString::to_string)),
        Setting::Produces => listed(plan.products.iter().map(ToString::to_string)),
        Setting::Schedule => plan.schedule.as_ref().map_or_else(none, ToString::to_string),
        Setting::MaxAge => span(plan.max_age),
        Setting::AlertAfter => plan.rule.after.to_string(),
        Setting::Realert => span(plan.rule.realert),
        Setting::RecoverAfter => plan.rule.recover_after.to_string(),
        Setting::AlertKey if job.alert_key.is_shared => format!("{} (shared by hosts)", job.alert_key.text),
        Setting::AlertKey => job.alert_key.text.clone(),
        Setting::Severity => job.severity.as_str().to_owned(),
        Setting::Owner => job.owner.clone().unwrap_or_else(none),
        Setting::Runbook => job.runbook.clone().unwrap_or_else(none),
        Setting::Quiet => match plan.output.quiet {
            None => on(false),
            Some(Quiet::Failure) => "failure".to_owned(),
            Some(Quiet::Alert) => "alert".to_owned(),
        },
        Setting::Capture => format!("{}B", plan.output.capture),
        Setting::LogDir => plan.output.logs.as_ref().map_or_else(none, |logs| logs.dir.display().to_string()),
        Setting::LogKeep => plan.output.logs.as_ref().map_or_else(none, |logs| logs.keep.to_string()),
        Setting::LogWhen => match plan.output.logs.as_ref().map(|logs| logs.when) {
            None => none(),
            Some(LogWhen::Failed) => "failed".to_owned(),
            Some(LogWhen::Always) => "always".to_owned(),
        },
        Setting::Sink if plan.sinks.is_empty() => "none".to_owned(),
        Setting::Sink => listed(plan.sinks.iter().map(sinks::shown)),
        Setting::Namespace => job.namespace.clone(),
        Setting::Sensitive => on(job.privacy.sensitive),
        Setting::SendArgs => on(job.privacy.send_args),
        Setting::StateDir => match &plan.state_dir {
            Ok(dir) => dir.display().to_string(),
            Err(why) => format!("none: {why}"),
        },
        Setting::FlushDeadline => span(Some(plan.flush_deadline)),
        Setting::OwnGroup => on(plan.own_group),
        Setting::Progress => on(plan.progress),
        Setting::Summary => match plan.summary {
            Summary::Auto => "auto".to_owned(),
            Summary::Always => "always".to_owned(),
            Summary::Never => "never".to_owned(),
        },
    };
    Some(text)
}

/// Where a value comes from; of a list, all the places that added to it.
fn origin(plan: &Plan, levels: &Levels, setting: Setting) -> String {
    // Where no file is read, that is what was said.
    let of_files = setting == Setting::Config && levels.files().is_empty();
    let nearest = levels.origin(if of_files { Setting::NoConfig } else { setting });
    if nearest.level == Level::Default || !matches!(setting.row().takes, Takes::Many(_)) {
        return nearest.to_string();
    }
    let mut places: Vec<String> = if setting == Setting::Sink {
        plan.sinks.iter().map(|sink| sink.origin.clone()).collect()
    } else {
        levels.all(setting).map(|given| given.origin.to_string()).collect()
    };
    places.dedup();
    if places.is_empty() { nearest.to_string() } else { places.join(", ") }
}

/// What each sink would send in the stages of one sample run.
fn sent(stages: &[Vec<Notice>], previews: &Previews<'_>) -> String {
    let mut by_sink = Vec::<(String, Vec<String>)>::new();
    for (name, texts) in stages.iter().flat_map(|notices| previews(notices)) {
        match by_sink.iter_mut().find(|(other, _)| *other == name) {
            Some((_, all)) => all.extend(texts),
            None => by_sink.push((name, texts)),
        }
    }
    if by_sink.is_empty() {
        return "  nothing: there is no sink\n".to_owned();
    }
    let mut text = String::new();
    for (name, texts) in by_sink {
        let _ = writeln!(text, "  {}", printable(&name));
        if texts.is_empty() {
            text.push_str("    nothing\n");
        }
        for (at, sent) in texts.iter().enumerate() {
            // A datagram of several lines stays recognisable as one.
            for (line_at, line) in sent.lines().enumerate() {
                let number = if line_at == 0 { format!("{}.", at + 1) } else { String::new() };
                let _ = writeln!(text, "    {number:3} {}", printable(line));
            }
        }
    }
    text
}

/// The text without anything that a terminal would obey.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if character.is_control() {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    Cow::Owned(visible)
}

fn none() -> String {
    "-".to_owned()
}

fn on(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn span(span: Option<Duration>) -> String {
    span.map_or_else(none, |span| humantime::format_duration(span).to_string())
}

fn codes(codes: &ExitCodes) -> String {
    if codes.is_empty() { none() } else { codes.to_string() }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> =
        words.map(|word| shell::quote(OsStr::new(&word)).to_string_lossy().into_owned()).collect();
    if words.is_empty() { none() } else { words.join(" ") }
}

#[cfg(test)]
mod tests;
