//! An HTTP server that answers as it is told to, also badly, and remembers what it was sent. The unit
//! tests of the client use it too.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    /// By this status line and these headers, without a body.
    Head(&'static str),
    /// By 200 and this line of text.
    Text(&'static str),
    /// By this status line and this body, in JSON.
    Json(&'static str, &'static str),
    /// By this status line and these headers, and this body.
    Body(&'static str, &'static str),
    /// By nothing, while the connection stays open.
    Silence,
    /// By the end of the connection.
    Hangup,
    /// By 200, one byte a second.
    Trickle,
    /// By 200 at once, and a body that never ends.
    Flood,
    /// By 200 at once, and a body of which the second half never comes.
    Stall,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Received {
    /// `POST /path?query`
    pub line: String,
    /// Header lines, `name: value`, names in small letters; and `peer: ADDRESS`, the other end of its
    /// connection.
    pub headers: Vec<String>,
    /// The body.
    pub body: String,
}

/// A server on a free port of the loopback interface. It lives as long as the test's process.
pub struct HttpServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl HttpServer {
    /// Answers the first requests so, and all further ones by `OK`.
    pub fn answering(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback interface");
        let address = listener.local_addr().expect("a bound socket has an address");
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let replies = Arc::new(Mutex::new(VecDeque::from(replies.to_vec())));
        let taken = Arc::clone(&received);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (taken, replies) = (Arc::clone(&taken), Arc::clone(&replies));
                thread::spawn(move || serve(&connection, &taken, &replies));
            }
        });
        Self { address, received }
    }

    /// A URL of this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request so far, in the order in which they came.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("nobody panics with it").clone()
    }

    /// Request lines so far, without the ids of runs.
    pub fn lines(&self) -> Vec<String> {
        let line = |request: &Received| request.line.split("rid=").next().unwrap_or_default().to_owned();
        self.received().iter().map(line).collect()
    }
}

/// An address that refuses connections: the near end of a connection, which nobody else can listen at for as
/// long as what comes with it is kept.
pub fn refusing_address() -> ((TcpListener, TcpStream), SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback interface");
    let far = listener.local_addr().expect("a bound socket has an address");
    let stream = TcpStream::connect(far).expect("a listener of ours");
    let near = stream.local_addr().expect("a connected socket has an address");
    ((listener, stream), near)
}

fn serve(connection: &TcpStream, taken: &Mutex<Vec<Received>>, replies: &Mutex<VecDeque<Reply>>) {
    let peer = connection.peer_addr().map(|peer| format!("peer: {peer}"));
    while let Some(mut request) = read(&mut BufReader::new(connection)) {
        request.headers.extend(peer.as_ref().ok().cloned());
        taken.lock().expect("nobody panics with it").push(request);
        let reply = replies.lock().expect("nobody panics with it").pop_front().unwrap_or(Reply::Text("OK"));
        if answer(connection, reply).is_none() {
            return;
        }
    }
}

/// One request; none at the end of the connection.
fn read(stream: &mut impl BufRead) -> Option<Received> {
    let mut next_line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|&length| length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let line = next_line()?.replace(" HTTP/1.1", "");
    let mut headers = Vec::new();
    let mut length = 0;
    loop {
        let header = next_line()?;
        let Some((name, value)) = header.split_once(": ") else { break };
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            length = value.parse().ok()?;
        }
        headers.push(format!("{name}: {value}"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Received { line, headers, body: String::from_utf8(body).ok()? })
}

/// None if the connection is over.
fn answer(mut connection: &TcpStream, reply: Reply) -> Option<()> {
    match reply {
        Reply::Head(head) => {
            connection.write_all(format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n").as_bytes()).ok()
        }
        Reply::Text(text) => {
            let head = format!("content-type: text/plain\r\ncontent-length: {}", text.len());
            connection.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{text}").as_bytes()).ok()
        }
        Reply::Json(status, body) => {
            let head = format!("content-type: application/json\r\ncontent-length: {}", body.len());
            connection.write_all(format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}").as_bytes()).ok()
        }
        Reply::Body(head, body) => {
            let length = body.len();
            connection
                .write_all(format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())
                .ok()
        }
        Reply::Silence => wait_for_hangup(connection),
        Reply::Stall => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nO").ok()?;
            wait_for_hangup(connection)
        }
        Reply::Hangup => None,
        Reply::Trickle => {
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK" {
                connection.write_all(&[*byte]).ok()?;
                thread::sleep(Duration::from_secs(1));
            }
            Some(())
        }
        Reply::Flood => {
            connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
            while connection.write_all(&[b'x'; 4096]).is_ok() {}
            None
        }
    }
}

fn wait_for_hangup(mut connection: &TcpStream) -> Option<()> {
    let _ = connection.read(&mut [0]);
    None
}
