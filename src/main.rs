//! cronward runs a command, stays out of its way, measures it, and says when failures have become a
//! problem.
#![cfg_attr(not(test), no_main)]
#![expect(dead_code, reason = "the rooms are being built")]
#![expect(unused_imports, reason = "the rooms are being built")]

mod base64;
mod clock;
mod diagnostics;
mod inspect;
mod job;
mod journal;
mod notice;
mod outcome;
mod plan;
mod policy;
mod sinks;
mod sys;

fn cronward(_: sys::entry::Received) -> outcome::Exit {
    outcome::Exit::Code(0)
}
