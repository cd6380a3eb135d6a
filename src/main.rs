//! cronward runs a command, stays out of its way, measures it, and says when failures have become a
//! problem. This file is the table of contents: received → plan → run → exit.

#![cfg_attr(not(test), no_main)]

mod attend;
mod base64;
mod changes;
mod cli;
mod clock;
mod config;
mod crontab;
mod debts;
mod diagnostics;
mod directory;
mod dispatch;
mod expectation;
mod glob;
mod human;
mod inspect;
mod job;
mod journal;
mod notice;
mod os_error;
mod outcome;
mod output;
mod plan;
mod policy;
mod produced;
mod program;
mod progress;
mod redact;
mod rehearsal;
mod rescue;
mod run;
mod run_report;
mod schedule;
mod settings;
mod setup;
mod shell;
mod sinks;
mod standing;
mod supervise;
mod sys;
mod turn;
mod upkeep;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use attend::Attendant;
use cli::{Invocation, Subcommand, Task};
use clock::Timestamp;
use config::Configured;
use outcome::{Exit, status};
use plan::ThisHost;
use settings::UsageError;
use sys::entry::{self, Received};

/// One invocation, from what the kernel handed over to how the process ends.
fn cronward(received: Received) -> Exit {
    rescue::stand_by();
    invoke(received).unwrap_or_else(|usage| {
        diagnostics::say(usage);
        Exit::Code(status::CANNOT_RUN)
    })
}

fn invoke(received: Received) -> Result<Exit, UsageError> {
    let Received { args, environment, signals } = received;
    if entry::has_foreign_rights() {
        return Err(UsageError::new(
            "started with rights that its caller does not have; take the set-user-ID bit off 'cronward'",
        ));
    }
    match cli::parse(args)? {
        Invocation::Print(text) => Ok(print(&text)),
        Invocation::Subcommand(Subcommand { task, options }) => {
            let (state_dir, own) =
                plan::state_dir_to_read(options, environment, &ThisHost, &config::read_file)?;
            perform(task, state_dir, &own)
        }
        Invocation::Run(typed) => {
            let mut configured = Configured::new(typed, environment)?;
            plan::read_files(&mut configured, &config::read_file)?;
            plan::sift(&mut configured, &sinks::refusal);
            attend::fall_back(&mut configured, &ThisHost)?;
            let dry_run = configured.dry_run;
            let (plan, levels) = plan::resolve(configured, &ThisHost)?;
            let sinks = sinks::open(&plan).map_err(UsageError::new)?;
            if dry_run {
                for problem in &plan.problems {
                    diagnostics::say(format_args!("{problem}"));
                }
                let previews = |notices: &[notice::Notice]| sinks::preview(&sinks, notices);
                return Ok(print(&setup::dry_run::render(&plan, &levels, &previews)));
            }
            let plan = Arc::new(plan);
            let exit = run::run(&plan, &levels, &sinks, signals);
            // The process ends now; to take the plan apart first would be time of the caller's.
            std::mem::forget((plan, levels, sinks));
            Ok(exit)
        }
    }
}

/// A subcommand; `own` is what was typed and set for it.
fn perform(task: Task, state_dir: Result<PathBuf, String>, own: &Configured) -> Result<Exit, UsageError> {
    let now = Timestamp::now();
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let state_dir = match state_dir {
        Ok(state_dir) => state_dir,
        // A monitoring plugin that cannot say anything ends with 3.
        Err(why) if matches!(task, Task::Check { .. }) => {
            diagnostics::say(why);
            return Ok(Exit::Code(3));
        }
        Err(why) => return Ok(answer(Err(why))),
    };
    let attendant = Attendant { state_dir, own, host: &ThisHost };
    Ok(match task {
        Task::Status { labels, json } => {
            let labels: Vec<String> = labels.iter().map(text).collect();
            answer(inspect::status(&attendant.state_dir, &labels, json, attendant.others(), now))
        }
        Task::Check { labels, json, crontabs } => {
            let crontabs = crontabs.into_iter().map(PathBuf::from).collect();
            let request = inspect::Request { labels: labels.iter().map(text).collect(), json, crontabs };
            let checked = inspect::check(&request, &attendant, now);
            // What cannot be printed cannot be trusted to have been read either.
            if diagnostics::print(&checked.text) { Exit::Code(checked.status) } else { Exit::Code(3) }
        }
        Task::Mute { label, span } => {
            let span = plan::span_to_mute(&span)?;
            answer(upkeep::mute(&text(&label), span, &attendant, now))
        }
        Task::Forget { label } => answer(upkeep::forget(&text(&label), &attendant, now)),
        Task::Drill { label, confirm: true } => answer(setup::confirm(&text(&label), &attendant, now)),
        Task::Drill { label, confirm: false } => match setup::drill(&text(&label), &attendant, now) {
            Ok(drilled) => {
                let printed = diagnostics::print(&drilled.text);
                Exit::Code(u8::from(!printed || !drilled.well))
            }
            Err(why) => answer(Err(why)),
        },
        Task::Flush => match debts::flush(&attendant, now) {
            Ok(flushed) => {
                let printed = diagnostics::print(&flushed.text);
                Exit::Code(u8::from(!printed || !flushed.is_paid))
            }
            Err(why) => answer(Err(why)),
        },
    })
}

/// The answer to a question: on stdout, or why there is none, with status 1.
fn answer(answer: Result<String, String>) -> Exit {
    match answer {
        Ok(text) => print(&text),
        Err(message) => {
            diagnostics::say(message);
            Exit::Code(1)
        }
    }
}

/// Text that was asked for, to stdout.
fn print(text: &str) -> Exit {
    Exit::Code(u8::from(!diagnostics::print(text)))
}
