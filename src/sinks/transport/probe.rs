//! Whether anybody is at the other end, as far as that can be told without saying anything.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockType, UnixAddr, connect};

use super::{Transport, addresses_of, chosen, socket_of, stream};
use crate::clock::Deadline;
use crate::os_error;
use crate::sinks::address::{Address, Host, Socket};
use crate::sinks::probe::Complaint;

/// How long a host is given to say that nobody listens there. One on this host says it at once.
const REFUSAL_LIMIT: Duration = Duration::from_millis(300);

impl Transport {
    /// How far the way leads. Over UDP an empty datagram is sent, which servers of statsd and of syslog pass over: it
    /// brings back the refusal of a host on which nobody listens (ip(7)). A connection is made and given up.
    ///
    /// # Errors
    /// Why it leads nowhere.
    pub fn probe(&self, deadline: Deadline) -> Result<String, Complaint> {
        match &self.address {
            Address::Unusable(why) => {
                Err(Complaint::new(why.clone(), "set the variable right, or take it out of the environment"))
            }
            Address::Udp(host) => {
                let address = chosen(host).map_err(|why| not_found(host, why))?;
                over_udp(address, deadline).map_err(|error| no_way(&error))?;
                Ok(format!("no refusal from {address}; UDP says no more"))
            }
            Address::Tcp(host) => {
                let addresses = addresses_of(host).map_err(|why| not_found(host, why))?;
                stream::connect_to(&addresses, deadline).map_err(|why| Complaint::new(why, START))?;
                Ok("it takes connections".to_owned())
            }
            Address::Unix(path, kind) => over_unix(path, *kind).map_err(|error| no_socket(path, error)),
        }
    }
}

const START: &str = "start the receiver there, open the way to it, or name another";

fn not_found(host: &Host, why: String) -> Complaint {
    let hint = match host {
        Host::Named(name, _) => format!("is the name right? 'getent hosts {name}' must print an address"),
        Host::Numeric(_) => START.to_owned(),
    };
    Complaint::new(why, hint)
}

fn no_way(error: &io::Error) -> Complaint {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        Complaint::new("nobody listens on that port", START)
    } else {
        Complaint::new(os_error::words_of(error), START)
    }
}

fn over_udp(address: SocketAddr, deadline: Deadline) -> io::Result<()> {
    let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own)?;
    socket.connect(address)?;
    socket.send(&[])?;
    // No time at all would mean any time.
    socket.set_read_timeout(Some(REFUSAL_LIMIT.min(deadline.left()).max(Duration::from_millis(1))))?;
    match socket.recv(&mut [0; 64]) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err(error)
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Both kinds of sockets take a connection (connect(2)); of datagrams it says only that somebody is there.
fn over_unix(path: &Path, kind: Socket) -> nix::Result<String> {
    let address = UnixAddr::new(path)?;
    let reach = |kind| {
        let socket = socket_of(AddressFamily::Unix, kind).map_err(|_| Errno::EMFILE)?;
        connect(socket.as_raw_fd(), &address)
    };
    match kind {
        Socket::Stream => reach(SockType::Stream)?,
        Socket::Datagram => reach(SockType::Datagram)?,
        Socket::Either => match reach(SockType::Datagram) {
            Err(Errno::EPROTOTYPE) => reach(SockType::Stream)?,
            other => other?,
        },
    }
    Ok("somebody has it open".to_owned())
}

fn no_socket(path: &Path, error: Errno) -> Complaint {
    let shown = path.display();
    let known = [
        (Errno::ENOENT, "does not exist", "start the receiver that makes it, or name another"),
        (Errno::ECONNREFUSED, "is a socket that nobody has open", "start the receiver, or name another"),
        (Errno::EACCES, "cannot be reached", "let this user write to the socket, and enter its directory"),
        (Errno::EPROTOTYPE, "is a socket of another kind", "write the path alone, and the kind is found out"),
    ];
    match known.into_iter().find(|(errno, ..)| *errno == error) {
        Some((_, what, hint)) => Complaint::new(format!("'{shown}' {what}"), hint),
        None => Complaint::new(format!("'{shown}': {}", os_error::words(error)), START),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;
    use crate::sinks::transport::Framing;

    fn probed(address: Address) -> Result<String, String> {
        let transport = Transport::new(address, Framing::Length);
        transport.probe(Deadline::after(Duration::from_secs(30))).map_err(|complaint| complaint.what)
    }

    #[test]
    fn who_listens_is_found_by_every_way_and_hears_nothing_and_who_has_gone_is_missed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to_udp = Address::Udp(Host::Numeric(udp.local_addr().unwrap()));
        assert!(probed(to_udp.clone()).unwrap().starts_with("no refusal from 127.0.0.1:"));
        udp.set_nonblocking(true).unwrap();
        assert_eq!(udp.recv(&mut [0; 8]).unwrap(), 0, "an empty datagram");
        drop(udp);
        assert_eq!(probed(to_udp).unwrap_err(), "nobody listens on that port");

        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let to_tcp = Address::Tcp(Host::Numeric(tcp.local_addr().unwrap()));
        assert_eq!(probed(to_tcp.clone()).unwrap(), "it takes connections");
        drop(tcp);
        assert_eq!(probed(to_tcp).unwrap_err(), "connection refused");

        let unix = |kind| probed(Address::Unix(path.clone(), kind));
        assert_eq!(unix(Socket::Either).unwrap_err(), format!("'{}' does not exist", path.display()));
        let datagrams = UnixDatagram::bind(&path).unwrap();
        assert!(unix(Socket::Either).is_ok() && unix(Socket::Datagram).is_ok());
        assert!(unix(Socket::Stream).unwrap_err().ends_with("is a socket of another kind"));
        datagrams.set_nonblocking(true).unwrap();
        assert!(datagrams.recv(&mut [0; 8]).is_err(), "nothing was sent");
        drop(datagrams);
        assert_eq!(
            unix(Socket::Either).unwrap_err(),
            format!("'{}' is a socket that nobody has open", path.display())
        );
        std::fs::remove_file(&path).unwrap();
        let _stream = UnixListener::bind(&path).unwrap();
        assert!(unix(Socket::Either).is_ok() && unix(Socket::Stream).is_ok());
    }

    #[test]
    fn what_a_variable_says_that_cannot_be_used_is_named() {
        let unusable = Address::Unusable("DD_AGENT_HOST: 'a b' is not a host name".to_owned());
        assert_eq!(probed(unusable).unwrap_err(), "DD_AGENT_HOST: 'a b' is not a host name");
    }
}
