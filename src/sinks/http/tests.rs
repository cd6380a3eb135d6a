//! The client against a server that does as it is told.

use std::collections::HashSet;
use std::io::Write;
use std::net::TcpListener;

use super::scripted::{HttpServer, Reply, refusing_address};
use super::*;
use crate::clock::Stopwatch;

fn post(url: &str, limit: Duration) -> Result<Answer, String> {
    let url = Url::parse(url).unwrap();
    let headers = [("content-type", "text/plain"), ("x-test", "1")];
    let request = Request { method: Method::POST, url: &url, headers: &headers, body: b"a body" };
    Client::new(&Variables::default()).send(&request, Deadline::after(limit))
}

const AMPLE: Duration = Duration::from_secs(30);

fn status(answer: Result<Answer, String>) -> Result<u16, String> {
    answer.map(|answer| answer.status())
}

#[test]
fn a_request_arrives_as_it_was_written_and_the_answer_is_read() {
    let server = HttpServer::answering(&[Reply::Head("201 Created\r\nX-Said: yes")]);
    let answer = post(&server.url("/a/b?c=d"), AMPLE).unwrap();
    assert_eq!((answer.status(), answer.header("x-said"), answer.is_success()), (201, Some("yes"), true));
    let [request] = &server.received()[..] else { panic!("{:?}", server.received()) };
    assert_eq!((&request.line[..], &request.body[..]), ("POST /a/b?c=d", "a body"));
    let agent = format!("user-agent: {USER_AGENT}");
    for header in ["content-type: text/plain", "x-test: 1", "content-length: 6", &agent] {
        assert!(request.headers.iter().any(|found| found == header), "{header}: {:?}", request.headers);
    }
}

#[test]
fn one_connection_serves_several_requests() {
    let server = HttpServer::answering(&[]);
    let url = Url::parse(&server.url("/")).unwrap();
    let client = Client::new(&Variables::default());
    for body in [&b"1"[..], b"", b"22"] {
        let request = Request { method: Method::PUT, url: &url, headers: &[], body };
        assert_eq!(status(client.send(&request, Deadline::after(AMPLE))), Ok(200));
    }
    let received = server.received();
    let bodies: Vec<_> = received.iter().map(|request| &request.body[..]).collect();
    assert_eq!(bodies, ["1", "", "22"]);
    let peers: HashSet<_> = received.iter().flat_map(|request| &request.headers).collect();
    assert_eq!(peers.iter().filter(|header| header.starts_with("peer: ")).count(), 1, "{received:?}");
}

#[test]
fn what_may_pass_is_tried_again_and_what_will_not_is_an_answer() {
    for (replies, expected, attempts) in [
        (&[Reply::Head("503 Unavailable"), Reply::Head("200 OK")][..], 200, 2),
        (&[Reply::Head("500 Oops"), Reply::Head("429 Slow"), Reply::Head("204 OK")], 204, 3),
        (&[Reply::Hangup, Reply::Head("200 OK")], 200, 2),
        (&[Reply::Head("404 Not Found")], 404, 1),
        (&[Reply::Head("400 Bad Request")], 400, 1),
    ] {
        let server = HttpServer::answering(replies);
        assert_eq!(status(post(&server.url("/"), AMPLE)), Ok(expected), "{replies:?}");
        assert_eq!(server.received().len(), attempts, "{replies:?}");
    }
}

#[test]
fn a_client_may_be_told_what_alone_is_worth_another_attempt() {
    for (status_line, expected, attempts) in [("503 Unavailable", 200, 2), ("500 Oops", 500, 1)] {
        let server = HttpServer::answering(&[Reply::Head(status_line)]);
        let url = Url::parse(&server.url("/")).unwrap();
        let request = Request { method: Method::POST, url: &url, headers: &[], body: b"" };
        let client = Client::new(&Variables::default()).retrying(&[429, 503]);
        assert_eq!(status(client.send(&request, Deadline::after(AMPLE))), Ok(expected));
        assert_eq!(server.received().len(), attempts, "{status_line}");
    }
}

#[test]
fn a_pause_that_is_asked_for_is_kept() {
    let server = HttpServer::answering(&[Reply::Head("429 Slow\r\nRetry-After: 1")]);
    let clock = Stopwatch::start();
    assert_eq!(status(post(&server.url("/"), AMPLE)), Ok(200));
    assert!(clock.elapsed() >= Duration::from_secs(1), "{:?}", clock.elapsed());
}

#[test]
fn no_attempt_is_made_past_the_deadline_and_the_last_failure_is_the_error() {
    let (_kept, closed) = refusing_address();
    let limit = Duration::from_millis(400);
    for (replies, expected) in [
        (vec![Reply::Head("503 Unavailable"); 20], "HTTP 503"),
        (vec![Reply::Hangup; 20], "connection closed without an answer"),
        (vec![Reply::Silence], "timed out"),
        (vec![Reply::Trickle], "timed out"),
        (vec![Reply::Head("502 Bad Gateway"), Reply::Silence], "HTTP 502"),
    ] {
        let server = HttpServer::answering(&replies);
        let clock = Stopwatch::start();
        assert_eq!(status(post(&server.url("/"), limit)), Err(expected.to_owned()), "{replies:?}");
        assert!(clock.elapsed() < Duration::from_secs(5), "{replies:?} {:?}", clock.elapsed());
        assert!(server.received().len() < 5, "{replies:?}");
    }
    let refused = post(&format!("http://{closed}/secret"), limit);
    assert_eq!(status(refused), Err("connection refused".to_owned()));
}

/// RFC 6761 section 6.4: no name under .invalid ever resolves. Where there is no resolver to say so, it
/// may take longer than there is time.
#[test]
fn a_name_that_does_not_resolve_is_named() {
    let error = status(post("http://nowhere.invalid/secret", Duration::from_millis(500))).unwrap_err();
    assert!(["name does not resolve: 'nowhere.invalid'", "timed out"].contains(&&error[..]), "{error}");
}

#[test]
fn a_redirect_is_not_followed_and_named_as_far_as_it_may_be() {
    let elsewhere = HttpServer::answering(&[]);
    for (head, said) in [
        (
            "301 Moved\r\nLocation: https://other.example/secret",
            "HTTP 301: redirected to 'https://other.example', which is not followed; name that",
        ),
        ("307 Temporary\r\nLocation: /secret", "HTTP 307: redirected to another path, which is not followed"),
    ] {
        let server = HttpServer::answering(&[Reply::Head(head)]);
        assert_eq!(status(post(&server.url("/x"), AMPLE)), Err(said.to_owned()));
        assert_eq!(server.received().len(), 1);
    }
    let to = Box::leak(format!("302 Found\r\nLocation: {}", elsewhere.url("/x")).into_boxed_str());
    let server = HttpServer::answering(&[Reply::Head(to)]);
    assert!(post(&server.url("/x"), AMPLE).is_err());
    assert!(elsewhere.received().is_empty());
    // A status that could be one, without a place, is an answer.
    let server = HttpServer::answering(&[Reply::Head("304 Not Modified")]);
    assert_eq!(status(post(&server.url("/x"), AMPLE)), Ok(304));
}

#[test]
fn a_body_without_an_end_is_read_no_further_than_it_is_wanted() {
    let server = HttpServer::answering(&[Reply::Flood]);
    let answer = post(&server.url("/"), AMPLE).unwrap();
    assert_eq!((answer.status(), answer.body.len()), (200, BODY_MAX as usize));
}

#[test]
fn a_body_that_does_not_come_takes_nothing_from_the_status() {
    let server = HttpServer::answering(&[Reply::Stall]);
    let clock = Stopwatch::start();
    let answer = post(&server.url("/"), AMPLE).unwrap();
    assert_eq!((answer.status(), &answer.body[..]), (200, &b"O"[..]));
    assert!(clock.elapsed() < Duration::from_secs(15), "{:?}", clock.elapsed());
}

#[test]
fn what_is_no_http_is_said_so() {
    let server = HttpServer::answering(&[Reply::Head("200 OK\r\nno header\r\n\u{1}:")]);
    let said = status(post(&server.url("/"), AMPLE));
    assert_eq!(said, Err("the answer is no HTTP; is the port right?".to_owned()));
}

#[test]
fn a_server_that_does_not_speak_tls_is_told_from_one_that_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It answers in plain text whatever it is sent.
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let said = status(post(&format!("https://{address}/secret"), AMPLE));
    let expected = "the receiver does not speak TLS; is the port right, or is it 'http://'?";
    assert_eq!(said, Err(expected.to_owned()));
}

#[test]
fn a_proxy_that_is_gone_is_named() {
    let (_kept, closed) = refusing_address();
    let variables = Variables(vec![("http_proxy".into(), format!("http://me:secret@{closed}"))]);
    let url = Url::parse("http://hc.example/secret").unwrap();
    let request = Request { method: Method::POST, url: &url, headers: &[], body: b"" };
    let said = status(Client::new(&variables).send(&request, Deadline::after(Duration::from_millis(300))));
    assert_eq!(said, Err(format!("connection refused (by the proxy {closed})")));
}

#[test]
fn certificates_that_cannot_be_read_concern_only_those_who_need_them() {
    let variables = Variables(vec![("SSL_CERT_FILE".into(), "/nowhere.pem".into())]);
    let send = |url: &str| {
        let url = Url::parse(url).unwrap();
        let request = Request { method: Method::POST, url: &url, headers: &[], body: b"" };
        status(Client::new(&variables).send(&request, Deadline::after(AMPLE)))
    };
    let refused = send("https://127.0.0.1:1/").unwrap_err();
    assert_eq!(refused, "cannot read '/nowhere.pem' of SSL_CERT_FILE: no such file or directory");
    assert_eq!(send(&HttpServer::answering(&[]).url("/")), Ok(200));
}

#[test]
fn a_refusal_is_said_in_the_receivers_words_unless_they_tell_too_much() {
    let answer = Answer::of;
    let url = Url::parse("https://hc.example/5d2c44").unwrap();
    for (answer, said) in [
        (answer(409, "text/plain; charset=utf-8", "ambiguous slug\n"), "HTTP 409: ambiguous slug"),
        (answer(409, "text/html", "<p>ambiguous"), "HTTP 409: conflict"),
        (answer(404, "text/plain", "cannot POST /5d2c44/0"), "HTTP 404: not found"),
        (answer(404, "text/plain", "two\nlines"), "HTTP 404: not found"),
        (answer(404, "text/plain", ""), "HTTP 404: not found"),
        (answer(404, "text/plain", &"x".repeat(121)), "HTTP 404: not found"),
        (answer(799, "text/plain", ""), "HTTP 799"),
    ] {
        assert_eq!(answer.refusal(&url), said);
    }
}
