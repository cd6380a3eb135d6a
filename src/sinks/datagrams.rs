//! What all kinds share that write messages and hope: a receiver that confirms nothing, a transport,
//! and a dialect, which is all in which they differ.

use super::probe::Probe;
use super::transport::Transport;
use super::wire::Packed;
use super::{Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::notice::Notice;

/// How notices are written.
pub trait Dialect: Send + Sync {
    /// Whether it has words for notices of this topic.
    fn speaks_of(&self, topic: Topic) -> bool;
    /// Looks up on this host what is told beside the notices, while the job runs.
    fn prepare(&self) {}
    /// The notices, in datagrams of at most `limit` bytes.
    fn pack(&self, notices: &[Notice], limit: usize) -> Packed;
}

/// A sink that sends datagrams, or what would be datagrams, over a connection.
pub struct Datagrams {
    /// How it is called in messages.
    pub name: String,
    /// The way to the receiver.
    pub transport: Transport,
    /// What the receiver understands.
    pub dialect: Box<dyn Dialect>,
}

impl Datagrams {
    fn pack(&self, notices: &[Notice]) -> Packed {
        self.dialect.pack(notices, self.transport.limit())
    }
}

impl Sink for Datagrams {
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
        self.dialect.prepare();
        self.transport.prepare();
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        self.pack(notices).datagrams
    }

    fn probe(&self, deadline: Deadline) -> Probe {
        self.transport.probe(deadline).into()
    }

    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        let Packed { datagrams, too_long, .. } = self.pack(notices);
        self.transport.send(&datagrams, deadline)?;
        match too_long {
            0 => Ok(()),
            lines => Err(format!("{lines} metrics did not fit in a datagram; use fewer tags")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::*;
    use crate::sinks::address::{Address, Host};
    use crate::sinks::transport::Framing;

    struct Long;

    impl Dialect for Long {
        fn speaks_of(&self, _: Topic) -> bool {
            true
        }

        fn pack(&self, _: &[Notice], limit: usize) -> Packed {
            let mut packed = Packed::new(limit);
            packed.push(&"x".repeat(limit + 1));
            packed.push("a:1|c");
            packed
        }
    }

    #[test]
    fn a_line_that_fits_in_no_datagram_is_an_error_and_the_others_arrive() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = Address::Udp(Host::Numeric(socket.local_addr().unwrap()));
        let transport = Transport::new(address, Framing::Length);
        let sink = Datagrams { name: "x:".to_owned(), transport, dialect: Box::new(Long) };
        let error = sink.deliver(&[], Deadline::after(Duration::from_secs(60))).unwrap_err();
        assert_eq!(error, "1 metrics did not fit in a datagram; use fewer tags");
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(socket.recv(&mut buffer).unwrap(), 5);
    }
}
