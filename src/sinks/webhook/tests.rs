//! The sink against a server that does as it is told.

use std::ffi::OsString;
use std::time::Duration;

use super::*;
use crate::outcome::Outcome;
use crate::plan::Variables;
use crate::policy::History;
use crate::sinks::http::scripted::{HttpServer, Received, Reply};
use crate::sinks::sample;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";

fn sink(target: &str) -> Arc<dyn Sink> {
    sample::opening(target, open).unwrap()
}

fn alert() -> Notice {
    sample::failed(sample::job("backup")).remove(1)
}

fn tell(target: &str, notices: &[Notice]) -> Result<(), String> {
    sink(target).deliver(notices, Deadline::after(Duration::from_secs(30)))
}

fn header<'a>(request: &'a Received, name: &str) -> Option<&'a str> {
    request.headers.iter().find_map(|header| header.strip_prefix(name)?.strip_prefix(": "))
}

/// What the signature of a request should be.
fn expected(request: &Received) -> String {
    let key = SigningKey::read(&Secret::new(SECRET, &[]).unwrap()).unwrap();
    key.sign(header(request, ID).unwrap(), header(request, TIMESTAMP).unwrap(), &request.body)
}

#[test]
fn a_request_is_the_event_and_goes_where_it_was_told() {
    for path in ["/hook", "/hook/", "/a/b?token=1&x=2", "/"] {
        let server = HttpServer::answering(&[]);
        let notice = alert();
        assert_eq!(tell(&server.url(path), std::slice::from_ref(&notice)), Ok(()));
        let received = server.received();
        assert_eq!(
            (&received[0].line[..], &received[0].body),
            (&format!("POST {path}")[..], &envelope::body(&notice))
        );
        assert_eq!(header(&received[0], "content-type"), Some("application/cloudevents+json"));
        let signed = received[0].headers.iter().any(|header| header.starts_with("webhook-"));
        assert!(!signed, "{:?}", received[0].headers);
    }
}

#[test]
fn a_request_is_signed_if_there_is_a_secret_and_keeps_its_id_when_it_is_repeated() {
    let server = HttpServer::answering(&[Reply::Head("503 Unavailable"), Reply::Head("204 No Content")]);
    let notice = alert();
    let target = format!("{}#secret={SECRET}", server.url("/hook"));
    let before = Timestamp::now().as_seconds();
    for _ in 0..2 {
        assert_eq!(tell(&target, std::slice::from_ref(&notice)), Ok(()));
    }
    let received = server.received();
    assert_eq!(received.len(), 3);
    for request in &received {
        assert_eq!(header(request, ID), Some(&notice.id.to_string()[..]));
        assert_eq!(header(request, SIGNATURE), Some(&expected(request)[..]));
        let at: i64 = header(request, TIMESTAMP).unwrap().parse().unwrap();
        assert!((before..=Timestamp::now().as_seconds()).contains(&at), "{at}");
        assert_eq!(request.body, envelope::body(&notice));
    }
}

#[test]
fn alerts_and_overdue_runs_are_wanted_unless_an_option_says_more_or_less() {
    for (options, expected) in [
        ("", [false, true, false, true, false, false]),
        ("#events=all", [true, true, true, true, false, false]),
        ("#events=alerts", [false, false, false, true, false, false]),
    ] {
        let sink = sink(&format!("https://h/x{options}"));
        let wanted = [Topic::Start, Topic::Overdue, Topic::End, Topic::Alert, Topic::Standing, Topic::Alive]
            .map(|topic| sink.wants(topic));
        assert_eq!(wanted, expected, "{options}");
        assert!(sink.confirms() && sink.pace() == Pace::Waiting);
    }
}

#[test]
fn whatever_is_no_2xx_is_an_error_that_says_what_to_do() {
    for (reply, unsigned, signed) in [
        (Reply::Head("410 Gone"), "HTTP 410: gone; is the URL right?", "HTTP 410: gone; is the URL right?"),
        (
            Reply::Head("404 No"),
            "HTTP 404: not found; is the URL right?",
            "HTTP 404: not found; is the URL right?",
        ),
        (
            Reply::Head("401 No"),
            "HTTP 401: unauthorized; does it want a secret?",
            "HTTP 401: unauthorized; is the secret right?",
        ),
        (Reply::Head("400 No"), "HTTP 400: bad request", "HTTP 400: bad request"),
        (Reply::Head("304 No"), "HTTP 304: not modified", "HTTP 304: not modified"),
    ] {
        for (options, said) in [(String::new(), unsigned), (format!("#secret={SECRET}"), signed)] {
            let server = HttpServer::answering(&[reply]);
            let answer = tell(&format!("{}{options}", server.url("/x")), &[alert()]);
            assert_eq!(answer, Err(said.to_owned()));
            assert_eq!(server.received().len(), 1, "{reply:?}");
        }
    }
}

#[test]
fn an_event_that_cannot_be_told_does_not_keep_the_others() {
    let server = HttpServer::answering(&[Reply::Head("400 No")]);
    let notices = sample::ended(sample::job("x"), &History::default(), sample::run(Outcome::Failed, 1, None));
    assert_eq!(tell(&server.url("/#events=all"), &notices), Err("HTTP 400: bad request".to_owned()));
    assert_eq!(server.received().len(), 2);
}

#[test]
fn url_and_secret_may_stand_elsewhere_and_are_read_when_they_are_needed() {
    let server = HttpServer::answering(&[]);
    let directory = tempfile::tempdir().unwrap();
    let [url, key] = ["url", "key"].map(|name| directory.path().join(name));
    let target = format!("file:{}#secret=file:{}&events=all", url.display(), key.display());
    let sink = sink(&target);
    assert_eq!(sink.name(), format!("webhook:file:{}", url.display()));
    sink.prepare();
    let tell = |sink: &Arc<dyn Sink>| sink.deliver(&[alert()], Deadline::after(Duration::from_secs(30)));
    let absent =
        |path: &std::path::Path| format!("cannot read '{}': no such file or directory", path.display());
    assert_eq!(tell(&sink), Err(absent(&url)));
    std::fs::write(&url, server.url("/file\n")).unwrap();
    assert_eq!(tell(&sink), Err(absent(&key)));
    std::fs::write(&key, "correct horse").unwrap();
    let said = format!("the secret in 'file:{}' is not 'whsec_' and base64", key.display());
    assert_eq!(tell(&sink), Err(said));
    std::fs::write(&key, format!("{SECRET}\n")).unwrap();
    assert_eq!((tell(&sink), sink.answer().as_deref()), (Ok(()), Some("HTTP 200")));

    let environment = [format!("HOOK={}", server.url("/env")), format!("KEY={SECRET}")].map(OsString::from);
    let (target, variables) = ("env:HOOK#secret=env:KEY", Variables::default());
    let opening = Opening { target, variables: &variables, environment: &environment, inherited: false };
    assert_eq!(tell(&open(&opening).unwrap()), Ok(()));
    assert_eq!(server.lines(), ["POST /file", "POST /env"]);
    for request in server.received() {
        assert_eq!(header(&request, SIGNATURE), Some(&expected(&request)[..]));
    }
}

#[test]
fn what_was_written_down_as_no_url_option_or_secret_is_refused_at_once_and_not_repeated() {
    for bad in [
        "",
        "sesame",
        "ftp://h/sesame",
        "file:",
        "file:#secret=env:X",
        "https://h/sesame#secret=ses ame",
        "https://h/sesame#secret=",
        "https://h/sesame#secret=whsec_",
        "https://h/sesame#secret=file:",
        "https://h/#sesame",
        "https://h/#sesame=1",
        "https://h/#events=sesame",
        "https://h/#events=all&sesame",
        "https://sesame@h/",
    ] {
        let said = sample::opening(bad, open).err().expect(bad);
        assert!(!said.contains("sesame") && !said.contains("ses ame"), "{bad}: {said}");
    }
}

#[test]
fn what_a_dry_run_shows_has_neither_path_nor_secret() {
    let notice = alert();
    let (id, body) = (notice.id, envelope::body(&notice));
    let made = "(made when it is sent)";
    let signed = format!("webhook-id: {id}\nwebhook-timestamp: {made}\nwebhook-signature: v1,{made}\n");
    for (target, url, signed) in [
        ("https://h.example/sesame?x=sesame".to_owned(), "https://h.example/…", ""),
        (format!("https://h.example:8/sesame#secret={SECRET}"), "https://h.example:8/…", &signed),
        ("file:/etc/hook#secret=env:KEY".to_owned(), "file:/etc/hook", &signed),
    ] {
        let sink = sink(&target);
        assert_eq!(sink.name(), format!("webhook:{url}"));
        let shown = sink.preview(std::slice::from_ref(&notice));
        assert_eq!(
            shown,
            [format!("POST {url}\ncontent-type: application/cloudevents+json\n{signed}\n{body}")]
        );
    }
}
