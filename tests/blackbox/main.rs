//! cronward from outside: every test starts the program and looks only at what its caller, its job,
//! its sinks and its state can see. No network but the loopback interface, no root, no server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends by a panic, and so does what it is made of"
)]

mod alerts;
mod backpressure;
mod capture;
mod changes;
mod check;
mod completions;
mod config;
mod connections;
mod counting;
mod crash;
mod damaged;
#[cfg(debug_assertions)]
mod defects;
#[cfg(debug_assertions)]
mod doctor;
mod documents;
mod drill;
mod environment;
mod events;
mod excerpts;
mod expectations;
mod locks;
mod logs;
mod metrics;
#[cfg(feature = "http")]
mod otlp;
mod overdue;
mod owed;
#[cfg(feature = "http")]
mod pagers;
mod passthrough;
#[cfg(feature = "http")]
mod pings;
mod piped;
mod quiet;
mod redaction;
mod retries;
mod screens;
mod signals;
mod sinks;
#[cfg(feature = "http")]
mod slack;
mod statuses;
mod support;
mod syslog;
mod textfile;
mod timeout;
mod transparency;
mod upkeep;
mod usage;
mod wrap;
