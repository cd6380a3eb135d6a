//! What the tests stand on: a host of their own, processes in any situation, a receiver that reads
//! datagrams strictly, and failures that show everything that is known.

pub mod exposition;
mod fifo;
pub mod host;
#[cfg(feature = "http")]
pub mod http;
mod journal;
mod process;
mod receiver;
pub mod situation;
pub mod wire;

pub use fifo::Fifo;
pub use host::{Host, cronward_binary, program};
pub use journal::Journal;
pub use process::{End, Invocation, Ran, Running, eventually, process_state, processor_ticks, until_reaped};
pub use receiver::{Listener, Receiver};
pub use situation::Situation;
