//! Messages out of the door. Nothing here waits but the look-up of a name and a connection to another
//! host: a receiver that is full, absent or restarting costs its messages and nothing else.

mod probe;
mod stream;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, PoisonError};

use cadence::{MetricSink, UdpMetricSink, UnixMetricSink};
use nix::libc;
use nix::sys::socket::{AddressFamily, SockType};

use super::Pace;
use super::address::{Address, Host, Socket};
use super::wire::{TCP_MAX, UDP_MAX, UNIX_MAX};
use crate::clock::Deadline;
use crate::os_error;
use crate::sys::pipes;

pub use stream::Framing;

/// A way to one receiver of messages.
pub struct Transport {
    address: Address,
    framing: Framing,
    /// The socket of datagrams, once somebody wanted it; a second caller waits for the first. Only
    /// success is kept: a name that could not be looked up at the start of a run may be known at its end.
    door: Mutex<Option<Door>>,
}

type Door = Box<dyn MetricSink + Send + Sync>;

impl Transport {
    /// A way to this address, with messages told apart so where there is a connection; nothing is
    /// opened or looked up yet.
    pub fn new(address: Address, framing: Framing) -> Self {
        Self { address, framing, door: Mutex::new(None) }
    }

    /// Waiting if a name has to be looked up, or a connection be made to another host.
    pub fn pace(&self) -> Pace {
        match self.address {
            Address::Udp(Host::Named(..)) | Address::Tcp(_) => Pace::Waiting,
            Address::Udp(Host::Numeric(_)) | Address::Unix(..) | Address::Unusable(_) => Pace::Prompt,
        }
    }

    /// Longest message, in bytes.
    pub fn limit(&self) -> usize {
        match self.address {
            Address::Unix(..) => UNIX_MAX,
            Address::Tcp(_) => TCP_MAX,
            Address::Udp(_) | Address::Unusable(_) => UDP_MAX,
        }
    }

    /// Opens the socket of datagrams. Looks the name of the host up first, if it has one; that may wait
    /// for as long as the resolver does. A connection is made when there is something to say: one that
    /// is idle for hours has been given up by somebody in between.
    pub fn prepare(&self) {
        match self.address {
            // Whoever sends will be told why it could not be opened.
            Address::Udp(_) | Address::Unix(_, Socket::Datagram | Socket::Either) => {
                let _ = self.through(|_| ());
            }
            Address::Tcp(_) | Address::Unix(_, Socket::Stream) | Address::Unusable(_) => {}
        }
    }

    fn through<T>(&self, send: impl FnOnce(&Door) -> T) -> Result<T, String> {
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match door.take() {
            Some(open) => open,
            None => self.open()?,
        };
        Ok(send(door.insert(opened)))
    }

    /// Sends all of it, each message once. Waits, until the deadline, for another host only.
    ///
    /// # Errors
    /// In words, if one was dropped. Of datagrams, the others are sent; of a connection, those before.
    pub fn send(&self, messages: &[String], deadline: Deadline) -> Result<(), String> {
        if messages.is_empty() {
            return Ok(());
        }
        let errors = match &self.address {
            Address::Tcp(host) => return stream::over_tcp(host, self.framing, messages, deadline),
            Address::Unix(path, Socket::Stream) => return stream::over_unix(path, self.framing, messages),
            Address::Unix(path, Socket::Either) => match self.through(|door| emit_all(&**door, messages))? {
                errors if errors.iter().any(wants_connection) => {
                    return stream::over_unix(path, self.framing, messages);
                }
                errors => errors,
            },
            Address::Udp(_) | Address::Unix(_, Socket::Datagram) | Address::Unusable(_) => {
                self.through(|door| emit_all(&**door, messages))?
            }
        };
        match errors.first() {
            None => Ok(()),
            Some(why) => Err(dropped(errors.len(), messages, "datagrams", why)),
        }
    }

    fn open(&self) -> Result<Door, String> {
        let address = match &self.address {
            Address::Udp(host) => chosen(host)?,
            Address::Unix(path, _) => {
                let socket = UnixDatagram::from(socket_of(AddressFamily::Unix, SockType::Datagram)?);
                return Ok(Box::new(UnixMetricSink::from(path, socket)));
            }
            Address::Unusable(reason) => return Err(reason.clone()),
            Address::Tcp(host) => return Err(format!("'{host}' takes connections alone")),
        };
        // A socket of one family cannot send to the other (EAFNOSUPPORT).
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let socket = UdpSocket::from(socket_of(family, SockType::Datagram)?);
        match UdpMetricSink::from(address, socket) {
            Ok(sink) => Ok(Box::new(sink)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The address of a host that datagrams go to.
fn chosen(host: &Host) -> Result<SocketAddr, String> {
    let found = addresses_of(host)?;
    // A datagram to an address on which nobody listens is lost without a sound, and most servers listen
    // on IPv4 alone.
    let best = found.iter().find(|address| address.is_ipv4()).or(found.first());
    best.copied().ok_or_else(|| format!("'{host}' has no address"))
}

/// The addresses that a host has; at least one.
fn addresses_of(host: &Host) -> Result<Vec<SocketAddr>, String> {
    let (name, port) = match host {
        Host::Numeric(address) => return Ok(vec![*address]),
        Host::Named(name, port) => (&name[..], *port),
    };
    match (name, port).to_socket_addrs() {
        Ok(found) if found.len() == 0 => Err(format!("'{name}' has no address")),
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(format!("cannot look up '{name}': {}", os_error::words_of(&error))),
    }
}

/// A socket of this kind, not bound: the kernel gives it a port with the first datagram (ip(7)).
/// The standard library would bind it, and ask once more for it not to block. Not to block, because
/// a unix receiver whose queue is full (net.unix.max_dgram_qlen) would otherwise do so for ever.
fn socket_of(family: AddressFamily, kind: SockType) -> Result<OwnedFd, String> {
    pipes::socket(family, kind).map_err(os_error::words)
}

/// Sends each, until the receiver turns out to want a connection; the errors.
fn emit_all(door: &dyn MetricSink, datagrams: &[String]) -> Vec<io::Error> {
    let mut errors = Vec::new();
    for datagram in datagrams {
        errors.extend(emit(door, datagram).err());
        if errors.last().is_some_and(wants_connection) {
            break;
        }
    }
    errors
}

/// One datagram. ECONNREFUSED speaks of an earlier datagram (ip(7)) and has cost this one, so it is
/// sent once more; everything else is dropped.
fn emit(door: &dyn MetricSink, datagram: &str) -> io::Result<()> {
    match door.emit(datagram) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => door.emit(datagram).map(drop),
        other => other.map(drop),
    }
}

/// Whether a datagram was refused because the socket takes connections (unix(7)).
fn wants_connection(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPROTOTYPE)
}

fn dropped(count: usize, messages: &[String], called: &str, why: &io::Error) -> String {
    let full = why.kind() == io::ErrorKind::WouldBlock;
    let why = if full { "the receiver's queue is full".to_owned() } else { os_error::words_of(why) };
    format!("{count} of {} {called} dropped: {why}", messages.len())
}

#[cfg(test)]
mod tests;
