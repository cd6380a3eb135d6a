//! cronward runs a command, stays out of its way, measures it, and says when failures have become a
//! problem. This file is the table of contents: received → plan → run → exit.

#![cfg_attr(not(test), no_main)]

mod attend;
mod base64;
mod changes;
mod cli;
mod clock;
mod columns;
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
mod subcommands;
mod supervise;
mod sys;
mod turn;
mod upkeep;

use std::sync::Arc;

use cli::Invocation;
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
        Invocation::Print(text) => Ok(subcommands::print(&text)),
        Invocation::Subcommand(subcommand) => subcommands::perform(subcommand, environment),
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
                return Ok(subcommands::print(&setup::dry_run::render(&plan, &levels, &previews)));
            }
            let plan = Arc::new(plan);
            let exit = run::run(&plan, &levels, &sinks, signals);
            // The process ends now; to take the plan apart first would be time of the caller's.
            std::mem::forget((plan, levels, sinks));
            Ok(exit)
        }
    }
}
