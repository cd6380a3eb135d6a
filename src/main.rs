//! cronward runs a command, stays out of its way, measures it, and says when failures have become a
//! problem.
#![cfg_attr(not(test), no_main)]
#![expect(dead_code, reason = "the rooms are being built")]
#![expect(unused_imports, reason = "the rooms are being built")]

mod cli;
mod clock;
mod config;
mod diagnostics;
mod job;
mod notice;
mod outcome;
mod plan;
mod policy;
mod settings;
mod setup;
mod shell;
mod sinks;
mod supervise;
mod sys;

fn cronward(_: sys::entry::Received) -> outcome::Exit {
    outcome::Exit::Code(0)
}
