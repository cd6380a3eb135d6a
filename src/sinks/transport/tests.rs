use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{getsockopt, setsockopt, sockopt};

use super::*;
use crate::clock::Stopwatch;

fn sent(transport: &Transport, messages: &[&str]) -> Result<(), String> {
    let messages: Vec<_> = messages.iter().map(|&message| message.to_owned()).collect();
    transport.send(&messages, Deadline::after(Duration::from_secs(60)))
}

fn udp(address: SocketAddr) -> Transport {
    Transport::new(Address::Udp(Host::Numeric(address)), Framing::Length)
}

fn unix(path: &Path, kind: Socket) -> Transport {
    Transport::new(Address::Unix(path.to_owned(), kind), Framing::Length)
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
        let transport = udp(socket.local_addr().unwrap());
        assert_eq!(transport.pace(), Pace::Prompt);
        assert_eq!(sent(&transport, &["a:1|c\nb:2|g"]), Ok(()));
        assert_eq!(received(&socket), "a:1|c\nb:2|g");
    }
}

#[test]
fn a_closed_udp_port_is_nobodys_problem() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let transport = udp(socket.local_addr().unwrap());
    drop(socket);
    for _ in 0..3 {
        assert_eq!(sent(&transport, &["a:1|c"]), Ok(()));
    }
}

// RFC 6761 section 6.4: no name under .invalid ever resolves.
#[test]
fn a_name_that_cannot_be_looked_up_is_an_error_in_words() {
    let transport = Transport::new(Address::Udp(Host::Named("nowhere.invalid".into(), 1)), Framing::Length);
    assert_eq!(transport.pace(), Pace::Waiting);
    transport.prepare();
    let error = sent(&transport, &["a:1|c"]).unwrap_err();
    assert!(error.starts_with("cannot look up 'nowhere.invalid': "), "{error}");
}

#[test]
fn an_absent_socket_costs_its_datagrams() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dsd.sock");
    let transport = unix(&path, Socket::Datagram);
    let error = sent(&transport, &["a:1|c"]).unwrap_err();
    assert_eq!(error, "1 of 1 datagrams dropped: no such file or directory");

    // A receiver that has gone leaves its file behind.
    drop(UnixDatagram::bind(&path).unwrap());
    let error = sent(&transport, &["a:1|c"]).unwrap_err();
    assert_eq!(error, "1 of 1 datagrams dropped: connection refused");
}

#[test]
fn a_full_socket_costs_its_datagrams_and_no_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dsd.sock");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let transport = unix(&path, Socket::Datagram);
    let refused = (0..100_000).find_map(|_| sent(&transport, &["a:1|c"]).err());
    assert_eq!(
        refused.as_deref(),
        Some("1 of 1 datagrams dropped: the receiver's queue is full"),
        "the receiver's queue never filled"
    );
    let mut buffer = [0; 64];
    assert_eq!(receiver.recv(&mut buffer).unwrap(), 5);
    assert_eq!(sent(&transport, &["b:1|c"]), Ok(()));
}

/// A listener at a path that lives as long as the directory.
fn listener(directory: &tempfile::TempDir) -> (UnixListener, PathBuf) {
    let path = directory.path().join("stream.sock");
    (UnixListener::bind(&path).unwrap(), path)
}

/// What comes over the next connection until it ends.
fn everything(listener: &UnixListener) -> Vec<u8> {
    let mut bytes = Vec::new();
    listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
    bytes
}

// docs.datadoghq.com/developers/dogstatsd/unix_socket: 32 bits, little-endian, before each.
#[test]
fn messages_over_a_connection_come_behind_their_lengths() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, path) = listener(&directory);
    let long = "x".repeat(258);
    for kind in [Socket::Stream, Socket::Either] {
        let transport = unix(&path, kind);
        assert_eq!(transport.pace(), Pace::Prompt);
        transport.prepare();
        assert_eq!(sent(&transport, &["a:1|c", &long]), Ok(()), "{kind:?}");
        let expected = [b"\x05\0\0\0a:1|c\x02\x01\0\0", long.as_bytes()].concat();
        assert_eq!(everything(&listener), expected, "{kind:?}");
    }
}

#[test]
fn a_socket_that_is_either_takes_datagrams_where_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dsd.sock");
    let receiver = UnixDatagram::bind(&path).unwrap();
    assert_eq!(sent(&unix(&path, Socket::Either), &["a:1|c"]), Ok(()));
    let mut buffer = [0; 64];
    assert_eq!(receiver.recv(&mut buffer).unwrap(), 5);
    let error = sent(&unix(&path, Socket::Stream), &["a:1|c"]).unwrap_err();
    assert_eq!(error, "1 of 1 messages dropped: protocol wrong type for socket");
}

#[test]
fn an_absent_listener_costs_its_messages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dsd.sock");
    let transport = unix(&path, Socket::Stream);
    let error = sent(&transport, &["a:1|c", "b:1|c"]).unwrap_err();
    assert_eq!(error, "2 of 2 messages dropped: no such file or directory");
    drop(UnixListener::bind(&path).unwrap());
    let error = sent(&transport, &["a:1|c"]).unwrap_err();
    assert_eq!(error, "1 of 1 messages dropped: connection refused");
}

/// A connection of its own for each delivery, so nothing is kept of the listener before.
#[test]
fn a_listener_that_was_started_anew_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let (first, path) = listener(&directory);
    let transport = unix(&path, Socket::Stream);
    assert_eq!(sent(&transport, &["a:1|c"]), Ok(()));
    assert_eq!(everything(&first).len(), 9);
    drop(first);
    std::fs::remove_file(&path).unwrap();
    let second = UnixListener::bind(&path).unwrap();
    assert_eq!(sent(&transport, &["b:1|c"]), Ok(()));
    assert_eq!(everything(&second), b"\x05\0\0\0b:1|c");
}

#[test]
fn a_listener_that_nobody_serves_costs_no_time() {
    let directory = tempfile::tempdir().unwrap();
    let (_listener, path) = listener(&directory);
    let transport = unix(&path, Socket::Stream);
    let refused = (0..10_000).find_map(|_| sent(&transport, &["a:1|c"]).err());
    assert_eq!(
        refused.as_deref(),
        Some("1 of 1 messages dropped: the receiver's queue is full"),
        "the backlog never filled"
    );
}

/// A frame of which only a part went out is the last: the receiver would read the next one as its rest.
#[test]
fn a_receiver_that_does_not_read_costs_no_time_and_sees_no_frame_inside_another() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, path) = listener(&directory);
    // Small ones first; then one that the kernel takes in parts, of which the buffer holds the first alone.
    let messages = [vec!["x".repeat(10_001); 4], vec!["x".repeat(1_000_001); 4]].concat();
    let clock = Stopwatch::start();
    let transport = unix(&path, Socket::Stream);
    let error = transport.send(&messages, Deadline::after(Duration::from_secs(60))).unwrap_err();
    assert_eq!(error, "4 of 8 messages dropped: the receiver's queue is full");
    assert!(clock.elapsed() < Duration::from_secs(10), "{:?}", clock.elapsed());
    let bytes = everything(&listener);
    let (small, rest) = bytes.split_at(4 * 10_005);
    assert!(small.chunks(10_005).all(|frame| frame[..4] == 10_001_u32.to_le_bytes()));
    assert!(rest.starts_with(&1_000_001_u32.to_le_bytes()), "half a frame went out, or this shows nothing");
    assert!(rest[4..].iter().all(|&byte| byte == b'x'), "a frame inside another");
}

fn tcp(address: SocketAddr) -> Transport {
    Transport::new(Address::Tcp(Host::Numeric(address)), Framing::OctetCount)
}

// RFC 6587 section 3.4.1: MSG-LEN SP SYSLOG-MSG.
#[test]
fn messages_over_tcp_are_counted_in_octets_on_one_connection() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(any) else { continue };
        let transport = tcp(listener.local_addr().unwrap());
        assert_eq!(transport.pace(), Pace::Waiting);
        transport.prepare();
        assert_eq!(sent(&transport, &["é", "<75>1 - x"]), Ok(()));
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!(text, "2 é9 <75>1 - x");
    }
}

#[test]
fn a_connection_is_closed_when_the_other_side_has_everything_or_the_time_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream::wait_when_closed(&connection, Deadline::after(Duration::from_millis(2_500)));
    let lingers = getsockopt(&connection, sockopt::Linger).unwrap();
    assert_eq!((lingers.l_onoff, lingers.l_linger), (1, 3));
}

#[test]
fn a_host_that_refuses_is_an_error_in_words() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let transport = tcp(listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(sent(&transport, &["x"]).unwrap_err(), "connection refused");
}

#[test]
fn a_host_that_does_not_read_costs_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    setsockopt(&listener.as_fd(), sockopt::RcvBuf, &1024).unwrap();
    let transport = tcp(listener.local_addr().unwrap());
    let clock = Stopwatch::start();
    let messages = vec!["x".repeat(1 << 20); 64];
    let limit = Duration::from_millis(200);
    assert_eq!(transport.send(&messages, Deadline::after(limit)).unwrap_err(), "timed out");
    assert!(clock.elapsed() < Duration::from_secs(10), "{:?}", clock.elapsed());
}

#[test]
fn no_time_left_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let transport = tcp(listener.local_addr().unwrap());
    let past = Deadline::after(Duration::ZERO);
    assert_eq!(transport.send(&["x".to_owned()], past).unwrap_err(), "timed out");
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn records_of_the_c_library_end_in_a_nul() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, path) = listener(&directory);
    let transport = Transport::new(Address::Unix(path, Socket::Either), Framing::Nul);
    assert_eq!(sent(&transport, &["<75>a", "<75>b"]), Ok(()));
    assert_eq!(everything(&listener), b"<75>a\0<75>b\0");
}
