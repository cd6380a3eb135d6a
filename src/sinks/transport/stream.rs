//! Messages over a connection: one connection a delivery, closed behind the last message.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, SockType, UnixAddr, connect, send, setsockopt, sockopt::Linger};

use super::{addresses_of, dropped, socket_of};
use crate::clock::Deadline;
use crate::os_error;
use crate::sinks::address::Host;
use crate::sys::pipes;

/// How messages are told apart on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Behind their length in bytes, as four bytes of which the least comes first (DogStatsD).
    Length,
    /// Behind their length in bytes, in decimal, and a blank (RFC 6587 section 3.4.1).
    OctetCount,
    /// Before a NUL, as syslog(3) of the GNU C library ends its records.
    Nul,
}

impl Framing {
    /// A message as it goes over the connection.
    fn frame(self, message: &str) -> Vec<u8> {
        let mut frame = Vec::with_capacity(message.len() + 8);
        match self {
            Self::Length => frame.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_le_bytes()),
            Self::OctetCount => frame.extend(format!("{} ", message.len()).into_bytes()),
            Self::Nul => {}
        }
        frame.extend(message.as_bytes());
        if self == Self::Nul {
            frame.push(0);
        }
        frame
    }
}

/// Connects to a unix socket and sends. Never waits: a listener whose backlog is full and a receiver
/// that does not read refuse at once (EAGAIN). Half a message ends it, since whatever came next would be
/// taken for the other half; the receiver drops what it has of it when the connection ends.
pub fn over_unix(path: &Path, framing: Framing, messages: &[String]) -> Result<(), String> {
    let count = messages.len();
    let lost = |sent: usize, why: Errno| Err(dropped(count - sent, messages, "messages", &why.into()));
    let socket = socket_of(AddressFamily::Unix, SockType::Stream)?;
    let door = socket.as_raw_fd();
    if let Err(why) = UnixAddr::new(path).and_then(|address| connect(door, &address)) {
        return lost(0, why);
    }
    for (sent, message) in messages.iter().enumerate() {
        let frame = framing.frame(message);
        // A receiver that has gone is an error, and not the end of this process.
        match send(door, &frame, pipes::NO_SIGNAL) {
            Ok(length) if length == frame.len() => {}
            Ok(_) => return lost(sent, Errno::EAGAIN),
            Err(why) => return lost(sent, why),
        }
    }
    Ok(())
}

/// Connects to a host and sends, and stays until the host has it all; until the deadline.
pub fn over_tcp(
    host: &Host,
    framing: Framing,
    messages: &[String],
    deadline: Deadline,
) -> Result<(), String> {
    let connection = connect_to(&addresses_of(host)?, deadline)?;
    let bytes: Vec<u8> = messages.iter().flat_map(|message| framing.frame(message)).collect();
    write_all(&connection, &bytes, deadline).map_err(|error| reason(&error))?;
    wait_when_closed(&connection, deadline);
    Ok(())
}

/// Closing a connection then waits until the other side has acknowledged everything (socket(7)), in whole
/// seconds. In a container the network ends with its first process, and what is still on its way with it.
pub fn wait_when_closed(connection: &TcpStream, deadline: Deadline) {
    let seconds = libc::c_int::try_from(deadline.left().as_secs() + 1).unwrap_or(libc::c_int::MAX);
    let _ = setsockopt(connection, Linger, &libc::linger { l_onoff: 1, l_linger: seconds });
}

/// The first of the addresses that answers. Each has its share of the time.
pub fn connect_to(addresses: &[SocketAddr], deadline: Deadline) -> Result<TcpStream, String> {
    let mut why = io::Error::from(io::ErrorKind::TimedOut);
    for (tried, address) in addresses.iter().enumerate() {
        let share = deadline.left() / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(connection) => return Ok(connection),
            Err(error) => why = error,
        }
    }
    Err(reason(&why))
}

fn write_all(mut connection: &TcpStream, mut rest: &[u8], deadline: Deadline) -> io::Result<()> {
    while !rest.is_empty() {
        let left = deadline.left();
        // No time at all would mean any time.
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        connection.set_write_timeout(Some(left))?;
        match connection.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn reason(error: &io::Error) -> String {
    // What a write says when its time is over (socket(7), SO_SNDTIMEO), and what a connect says.
    let is_late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    if is_late { "timed out".to_owned() } else { os_error::words_of(error) }
}
