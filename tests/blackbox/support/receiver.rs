//! Receivers of datagrams, and of what comes over connections.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
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

enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A listener that nobody serves until it is asked: connections and what came over them wait in the kernel.
pub struct Listener(Door);

impl Listener {
    /// On a free TCP port of the loopback interface.
    pub fn tcp() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback interface");
        listener.set_nonblocking(true).expect("a socket of ours");
        Self(Door::Tcp(listener))
    }

    /// On a unix socket.
    pub fn unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a socket in the temporary directory");
        listener.set_nonblocking(true).expect("a socket of ours");
        Self(Door::Unix(listener))
    }

    /// `127.0.0.1:PORT`, of TCP.
    pub fn address(&self) -> String {
        match &self.0 {
            Door::Tcp(listener) => listener.local_addr().expect("a bound socket has an address").to_string(),
            Door::Unix(_) => panic!("a unix socket has a path"),
        }
    }

    /// What came over each connection since the last call, up to its end.
    pub fn connections(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let accepted: std::io::Result<Box<dyn Read>> = match &self.0 {
                Door::Tcp(listener) => listener.accept().map(|(stream, _)| {
                    stream.set_nonblocking(false).expect("a socket of ours");
                    Box::new(stream) as Box<dyn Read>
                }),
                Door::Unix(listener) => listener.accept().map(|(stream, _)| {
                    stream.set_nonblocking(false).expect("a socket of ours");
                    Box::new(stream) as Box<dyn Read>
                }),
            };
            match accepted {
                Ok(mut stream) => {
                    let mut bytes = Vec::new();
                    stream.read_to_end(&mut bytes).expect("the sender has closed it");
                    all.push(bytes);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return all,
                Err(error) => panic!("accept: {error}"),
            }
        }
    }
}
