//! Datagrams out of the door. Nothing here waits but the look-up of a name: a receiver that is full,
//! absent or restarting costs its datagrams and nothing else.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, PoisonError};

use cadence::{MetricSink, UdpMetricSink, UnixMetricSink};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::Pace;
use super::address::Address;
use super::wire::{Packed, UDP_MAX, UNIX_MAX};
use crate::os_error;

/// A way to one receiver of datagrams.
pub struct Transport {
    address: Address,
    /// The socket, once somebody wanted it; a second caller waits for the first. Only success is kept: a
    /// name that could not be looked up at the start of a run may be known at its end.
    door: Mutex<Option<Door>>,
}

type Door = Box<dyn MetricSink + Send + Sync>;

impl Transport {
    /// A way to this address; nothing is opened or looked up yet.
    pub fn new(address: Address) -> Self {
        Self { address, door: Mutex::new(None) }
    }

    /// Waiting if a name has to be looked up.
    pub fn pace(&self) -> Pace {
        match self.address {
            Address::Named(..) => Pace::Waiting,
            Address::Numeric(_) | Address::Unix(_) | Address::Unusable(_) => Pace::Prompt,
        }
    }

    /// Longest datagram, in bytes.
    pub fn limit(&self) -> usize {
        match self.address {
            Address::Unix(_) => UNIX_MAX,
            Address::Numeric(_) | Address::Named(..) | Address::Unusable(_) => UDP_MAX,
        }
    }

    /// Opens the socket. Looks the name of the host up first, if it has one; that may wait for as long
    /// as the resolver does.
    pub fn prepare(&self) {
        // Whoever sends will be told why it could not be opened.
        let _ = self.through(|_| ());
    }

    fn through<T>(&self, send: impl FnOnce(&Door) -> T) -> Result<T, String> {
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match door.take() {
            Some(open) => open,
            None => self.open()?,
        };
        Ok(send(door.insert(opened)))
    }

    /// Sends all of it, each datagram once.
    ///
    /// # Errors
    /// In words, if a datagram was dropped or a line did not fit in one; the others are sent.
    pub fn send(&self, packed: &Packed) -> Result<(), String> {
        if packed.datagrams.is_empty() && packed.too_long == 0 {
            return Ok(());
        }
        let errors = self.through(|door| -> Vec<io::Error> {
            packed.datagrams.iter().filter_map(|datagram| emit(&**door, datagram).err()).collect()
        })?;
        let dropped = errors.len();
        if let Some(error) = errors.first() {
            let all = packed.datagrams.len();
            let full = error.kind() == io::ErrorKind::WouldBlock;
            let why =
                if full { "the receiver's queue is full".to_owned() } else { os_error::words_of(error) };
            return Err(format!("{dropped} of {all} datagrams dropped: {why}"));
        }
        if packed.too_long > 0 {
            return Err(format!("{} metrics did not fit in a datagram; use fewer tags", packed.too_long));
        }
        Ok(())
    }

    fn open(&self) -> Result<Door, String> {
        let address = match &self.address {
            Address::Numeric(address) => *address,
            Address::Named(host, port) => resolve(host, *port)?,
            Address::Unusable(reason) => return Err(reason.clone()),
            Address::Unix(path) => {
                let socket = UnixDatagram::from(datagram_socket(AddressFamily::Unix)?);
                return Ok(Box::new(UnixMetricSink::from(path, socket)));
            }
        };
        // A socket of one family cannot send to the other (EAFNOSUPPORT).
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let socket = UdpSocket::from(datagram_socket(family)?);
        match UdpMetricSink::from(address, socket) {
            Ok(sink) => Ok(Box::new(sink)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The best address that a name has.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, String> {
    let found = (host, port).to_socket_addrs().map_err(|error| cannot_resolve(host, &error))?;
    let found: Vec<_> = found.collect();
    // A datagram to an address on which nobody listens is lost without a sound, and most servers of
    // statsd listen on IPv4 alone.
    let best = found.iter().find(|address| address.is_ipv4()).or(found.first());
    best.copied().ok_or_else(|| format!("'{host}' has no address"))
}

/// A socket of this family, not bound: the kernel gives it a port with the first datagram (ip(7)).
/// The standard library would bind it, and ask once more for it not to block. Not to block, because
/// a unix receiver whose queue is full (net.unix.max_dgram_qlen) would otherwise do so for ever.
fn datagram_socket(family: AddressFamily) -> Result<OwnedFd, String> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    socket(family, SockType::Datagram, flags, None).map_err(os_error::words)
}

/// One datagram. ECONNREFUSED speaks of an earlier datagram (ip(7)) and has cost this one, so it is
/// sent once more; everything else is dropped.
fn emit(door: &dyn MetricSink, datagram: &str) -> io::Result<()> {
    match door.emit(datagram) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => door.emit(datagram).map(drop),
        other => other.map(drop),
    }
}

fn cannot_resolve(host: &str, error: &io::Error) -> String {
    format!("cannot look up '{host}': {}", os_error::words_of(error))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn packed(lines: &[&str]) -> Packed {
        let mut packed = Packed::new(UDP_MAX);
        lines.iter().for_each(|line| packed.push(line));
        packed
    }

    fn received(socket: &UdpSocket) -> String {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut buffer = [0; 9000];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_datagram_reaches_either_family() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            // A host without IPv6 has no such address to bind to, and nothing to be tested.
            let Ok(socket) = UdpSocket::bind(any) else { continue };
            let transport = Transport::new(Address::Numeric(socket.local_addr().unwrap()));
            assert_eq!(transport.pace(), Pace::Prompt);
            assert_eq!(transport.send(&packed(&["a:1|c", "b:2|g"])), Ok(()));
            assert_eq!(received(&socket), "a:1|c\nb:2|g");
        }
    }

    #[test]
    fn a_closed_udp_port_is_nobodys_problem() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let transport = Transport::new(Address::Numeric(socket.local_addr().unwrap()));
        drop(socket);
        for _ in 0..3 {
            assert_eq!(transport.send(&packed(&["a:1|c"])), Ok(()));
        }
    }

    // RFC 6761 section 6.4: no name under .invalid ever resolves.
    #[test]
    fn a_name_that_cannot_be_looked_up_is_an_error_in_words() {
        let transport = Transport::new(Address::Named("nowhere.invalid".into(), 1));
        assert_eq!(transport.pace(), Pace::Waiting);
        transport.prepare();
        let error = transport.send(&packed(&["a:1|c"])).unwrap_err();
        assert!(error.starts_with("cannot look up 'nowhere.invalid': "), "{error}");
    }

    #[test]
    fn an_absent_socket_costs_its_datagrams() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dsd.sock");
        let transport = Transport::new(Address::Unix(path.clone()));
        let error = transport.send(&packed(&["a:1|c"])).unwrap_err();
        assert_eq!(error, "1 of 1 datagrams dropped: no such file or directory");

        // A receiver that has gone leaves its file behind.
        drop(UnixDatagram::bind(&path).unwrap());
        let error = transport.send(&packed(&["a:1|c"])).unwrap_err();
        assert_eq!(error, "1 of 1 datagrams dropped: connection refused");
    }

    #[test]
    fn a_full_socket_costs_its_datagrams_and_no_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dsd.sock");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let transport = Transport::new(Address::Unix(path));
        let refused = (0..100_000).find_map(|_| transport.send(&packed(&["a:1|c"])).err());
        assert_eq!(
            refused.as_deref(),
            Some("1 of 1 datagrams dropped: the receiver's queue is full"),
            "the receiver's queue never filled"
        );
        let mut buffer = [0; 64];
        assert_eq!(receiver.recv(&mut buffer).unwrap(), 5);
        assert_eq!(transport.send(&packed(&["b:1|c"])), Ok(()));
    }

    #[test]
    fn a_line_that_fits_in_no_datagram_is_an_error_and_the_others_arrive() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let transport = Transport::new(Address::Numeric(socket.local_addr().unwrap()));
        let long = "x".repeat(UDP_MAX + 1);
        assert!(transport.send(&packed(&[&long, "a:1|c"])).is_err());
        assert_eq!(received(&socket), "a:1|c");
    }
}
