//! What all kinds share that write datagrams and hope: a receiver that confirms nothing, a transport,
//! and a dialect, which is all in which they differ.

use super::transport::Transport;
use super::wire::Packed;
use super::{Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::notice::Notice;

/// How notices are written.
pub trait Dialect: Send + Sync {
    /// Whether it has words for notices of this topic.
    fn speaks_of(&self, topic: Topic) -> bool;
    /// The notices, in datagrams of at most `limit` bytes.
    fn pack(&self, notices: &[Notice], limit: usize) -> Packed;
}

/// A sink that sends datagrams.
pub struct Datagrams<D> {
    /// How it is called in messages.
    pub name: String,
    /// The way to the receiver.
    pub transport: Transport,
    /// What the receiver understands.
    pub dialect: D,
}

impl<D: Dialect> Datagrams<D> {
    fn pack(&self, notices: &[Notice]) -> Packed {
        self.dialect.pack(notices, self.transport.limit())
    }
}

impl<D: Dialect> Sink for Datagrams<D> {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        self.transport.pace()
    }

    fn wants(&self, topic: Topic) -> bool {
        self.dialect.speaks_of(topic)
    }

    fn prepare(&self) {
        self.transport.prepare();
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        self.pack(notices).datagrams
    }

    fn deliver(&self, notices: &[Notice], _: Deadline) -> Result<(), String> {
        self.transport.send(&self.pack(notices))
    }
}
