//! A receiver of datagrams.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram, PathBuf),
}

/// A socket that collects what it is sent. On one host a datagram has arrived when send(2) returns, so
/// once the sender has ended there is nothing to wait for.
pub struct Receiver(Socket);

impl Receiver {
    /// A UDP socket on a free port of the loopback interface.
    pub fn udp() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port on the loopback interface");
        socket.set_nonblocking(true).expect("a socket of ours");
        Self(Socket::Udp(socket))
    }

    /// A unix datagram socket.
    pub fn unix(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket in the temporary directory");
        socket.set_nonblocking(true).expect("a socket of ours");
        Self(Socket::Unix(socket, path.to_owned()))
    }

    /// `127.0.0.1:PORT`, or the path of the socket.
    pub fn address(&self) -> String {
        match &self.0 {
            Socket::Udp(socket) => {
                let address: SocketAddr = socket.local_addr().expect("a bound socket has an address");
                address.to_string()
            }
            Socket::Unix(_, path) => path.display().to_string(),
        }
    }

    /// Everything that has arrived since the last call.
    pub fn datagrams(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let received = match &self.0 {
                Socket::Udp(socket) => socket.recv(&mut buffer),
                Socket::Unix(socket, _) => socket.recv(&mut buffer),
            };
            match received {
                Ok(length) => all.push(buffer[..length].to_vec()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return all,
                Err(error) => panic!("recv: {error}"),
            }
        }
    }
}
