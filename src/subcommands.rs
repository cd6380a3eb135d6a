//! What each subcommand does with what was typed for it, and the status that it ends with.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::attend::Attendant;
use crate::cli::{Subcommand, Task};
use crate::clock::Timestamp;
use crate::config;
use crate::inspect::Page;
use crate::outcome::Exit;
use crate::plan::{self, ThisHost};
use crate::settings::UsageError;
use crate::{debts, diagnostics, inspect, setup, upkeep};

/// The status of a monitoring plugin that cannot say anything.
const UNKNOWN: u8 = 3;

/// What is done with the jobs of a state directory.
type Work<'a> = Box<dyn FnOnce(&Attendant<'_>) -> Result<Exit, UsageError> + 'a>;

/// Does it, and says how cronward ends.
///
/// # Errors
/// Words that mean nothing to it.
pub fn perform(subcommand: Subcommand, environment: Vec<OsString>) -> Result<Exit, UsageError> {
    let Subcommand { task, options } = subcommand;
    let now = Timestamp::now();
    let mut without_state = 1;
    let work: Work<'_> = match task {
        // What the scripts ask for while somebody types.
        Task::Completions { shell } if shell == setup::LABELS => {
            Box::new(move |attendant| Ok(answer(setup::labels(&attendant.state_dir, now))))
        }
        Task::Completions { shell } => return setup::completions(&shell).map(|text| print(&text)),
        Task::Wrap { file, diff, system } => return setup::wrap(file.as_deref(), diff, system, &environment),
        Task::Doctor { json } => return setup::doctor(options, environment, json, now),
        Task::Status { labels, json } => Box::new(move |attendant| {
            let request = inspect::StatusRequest { labels: texts(&labels), json };
            Ok(answer(inspect::status(
                &request,
                &attendant.state_dir,
                attendant.others(),
                Page::of_stdout(),
                now,
            )))
        }),
        Task::History { label, failed, since, json } => Box::new(move |attendant| {
            let request = inspect::HistoryRequest::of(&text(&label), failed, since.as_deref(), json, now)?;
            Ok(answer(inspect::history(&request, &attendant.state_dir, Page::of_stdout(), now)))
        }),
        Task::Check { labels, json, crontabs } => {
            without_state = UNKNOWN;
            Box::new(move |attendant| {
                let crontabs = crontabs.into_iter().map(PathBuf::from).collect();
                let request = inspect::Request { labels: texts(&labels), json, crontabs };
                let checked = inspect::check(&request, attendant, now);
                // What cannot be printed cannot be trusted to have been read either.
                let printed = diagnostics::print(&checked.text);
                Ok(Exit::Code(if printed { checked.status } else { UNKNOWN }))
            })
        }
        Task::Mute { label, span } => Box::new(move |attendant| {
            let span = plan::span_to_mute(&span)?;
            Ok(answer(upkeep::mute(&text(&label), span, attendant, now)))
        }),
        Task::Forget { label } => {
            Box::new(move |attendant| Ok(answer(upkeep::forget(&text(&label), attendant, now))))
        }
        Task::Flush => Box::new(move |attendant| {
            let flushed = debts::flush(attendant, now);
            Ok(report(flushed.map(|flushed| (flushed.text, flushed.is_paid))))
        }),
        Task::Drill { label, confirm: true } => {
            Box::new(move |attendant| Ok(answer(setup::confirm(&text(&label), attendant, now))))
        }
        Task::Drill { label, confirm: false } => Box::new(move |attendant| {
            let drilled = setup::drill(&text(&label), attendant, now);
            Ok(report(drilled.map(|drilled| (drilled.text, drilled.well))))
        }),
    };
    let (state_dir, own) = plan::state_dir_to_read(options, environment, &ThisHost, &config::read_file)?;
    match state_dir {
        Ok(state_dir) => work(&Attendant { state_dir, own: &own, host: &ThisHost }),
        Err(why) => {
            diagnostics::say(why);
            Ok(Exit::Code(without_state))
        }
    }
}

fn text(word: &OsString) -> String {
    OsStr::to_string_lossy(word).into_owned()
}

fn texts(words: &[OsString]) -> Vec<String> {
    words.iter().map(text).collect()
}

/// The answer to a question: on stdout, or why there is none, with status 1.
fn answer(answer: Result<String, String>) -> Exit {
    report(answer.map(|text| (text, true)))
}

/// What has come of something, on stdout; status 0 if it has come to a good end.
fn report(result: Result<(String, bool), String>) -> Exit {
    match result {
        Ok((text, well)) => Exit::Code(u8::from(!diagnostics::print(&text) || !well)),
        Err(message) => {
            diagnostics::say(message);
            Exit::Code(1)
        }
    }
}

/// Text that was asked for, to stdout.
pub fn print(text: &str) -> Exit {
    answer(Ok(text.to_owned()))
}
