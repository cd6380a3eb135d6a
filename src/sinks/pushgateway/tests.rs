use std::ffi::OsString;
use std::time::Duration;

use super::*;
use crate::clock::Stopwatch;
use crate::notice::{Health, Standing};
use crate::outcome::Outcome;
use crate::plan::Variables;
use crate::policy::History;
use crate::sinks::http::scripted::{HttpServer, Reply, refusing_address};
use crate::sinks::sample;

fn sink(target: &str) -> Arc<dyn Sink> {
    sample::opening(target, open).unwrap()
}

fn tell(sink: &Arc<dyn Sink>, notices: &[Notice]) -> Result<(), String> {
    sink.deliver(notices, Deadline::after(Duration::from_secs(30)))
}

fn failed(label: &str) -> Vec<Notice> {
    sample::failed(sample::job(label))
}

/// The end of a run whose history could not be read.
fn blind() -> Notice {
    let mut notice = failed("x").remove(0);
    if let News::Finished(finished) = &mut notice.news {
        Arc::make_mut(finished).history = None;
    }
    notice
}

fn standing() -> Notice {
    let standing = Standing {
        success_age: None,
        alert_is_open: true,
        health: Health::Critical,
        sentence: "late".to_owned(),
    };
    Notice::standing(Arc::new(sample::job("x")), sample::ENDED_AT, standing)
}

#[test]
fn all_that_is_known_replaces_a_group_and_what_is_not_all_a_part_of_it() {
    let server = HttpServer::answering(&[]);
    let alive = Notice::alive(Arc::new(sample::job("x")), sample::ENDED_AT);
    let [ended, opened] = &failed("x")[..] else { panic!("two notices") };
    let notices = [ended.clone(), opened.clone(), blind(), standing(), alive];
    assert_eq!(tell(&sink(&server.url("/push/")), &notices), Ok(()));
    let group = "/push/metrics/job/cronward/instance/db1";
    assert_eq!(
        server.lines(),
        [
            format!("PUT {group}/task/x"),
            format!("POST {group}/task/x"),
            format!("POST {group}/task/x"),
            format!("PUT {group}"),
        ]
    );
    let bodies: Vec<String> = server.received().into_iter().map(|request| request.body).collect();
    let texts = notices.iter().filter_map(|notice| page(notice, &Before::default()));
    assert_eq!(bodies, texts.collect::<Vec<_>>());
    assert!(!bodies[1].contains("runs_total") && !bodies[2].contains("consecutive_failures"));
    let headers = &server.received()[0].headers;
    assert!(headers.contains(&"content-type: text/plain; version=0.0.4; charset=utf-8".to_owned()));
}

/// prometheus/pushgateway README: base64 of the URL-safe alphabet, an empty value as `=`.
#[test]
fn a_label_that_would_mean_something_in_a_path_is_in_base64() {
    for (label, segments) in [
        ("nightly.db_1-x", "/task/nightly.db_1-x"),
        ("a/b", "/task@base64/YS9i"),
        ("..", "/task@base64/Li4"),
        (".", "/task@base64/Lg"),
        ("a b", "/task@base64/YSBi"),
        ("%2F", "/task@base64/JTJG"),
        ("é?#", "/task@base64/w6k_Iw"),
        ("~~>", "/task@base64/fn4-"),
    ] {
        assert_eq!(
            group(&failed(label)[0]),
            format!("metrics/job/cronward/instance/db1{segments}"),
            "{label}"
        );
    }
    let mut job = sample::job("x");
    job.host = String::new();
    assert_eq!(group(&sample::failed(job)[0]), "metrics/job/cronward/instance@base64/=/task/x");
}

#[test]
fn it_is_told_of_ends_and_alerts_and_confirms_none() {
    let sink = sink("https://Push.example:9091/key");
    assert_eq!(sink.name(), "pushgateway:https://push.example:9091/…");
    let wanted = [Topic::End, Topic::Alert, Topic::Standing, Topic::Alive].map(|topic| sink.wants(topic));
    assert_eq!(
        (wanted, [Topic::Start, Topic::Overdue].map(|topic| sink.wants(topic))),
        ([true; 4], [false; 2])
    );
    // A drill would leave a group behind for ever.
    assert!(!sink.confirms() && sink.only_shows() && sink.pace() == Pace::Waiting);
}

#[test]
fn what_a_dry_run_shows_is_what_is_sent_but_for_the_path_of_the_url() {
    for (target, shown) in [
        ("http://push.example:9091/secret?token=secret", "http://push.example:9091/…"),
        ("file:/etc/push", "file:/etc/push"),
        ("env:PUSH_URL", "env:PUSH_URL"),
    ] {
        let notices = failed("a/b");
        let text = page(&notices[0], &Before::default()).unwrap();
        let request = format!("PUT {shown}/metrics/job/cronward/instance/db1/task@base64/YS9i\n{text}");
        assert_eq!(sink(target).preview(&notices), [request]);
    }
}

#[test]
fn targets_are_read_strictly() {
    let refused = |target: &str| sample::opening(target, |opening| open(opening).err().unwrap());
    assert_eq!(refused(""), "it is no URL");
    assert_eq!(refused("push.example:9091"), "it is no URL");
    assert_eq!(
        refused("http://push.example:9091/metrics/job/x"),
        "leave out '/metrics/job/' and what stands behind it, which is added"
    );
}

#[test]
fn a_url_that_stands_elsewhere_is_read_when_it_is_needed() {
    let server = HttpServer::answering(&[]);
    let environment = [OsString::from(format!("PUSH_URL={}", server.url("/y")))];
    let (target, variables) = ("env:PUSH_URL", Variables::default());
    let opening = Opening { target, variables: &variables, environment: &environment, inherited: false };
    let found = open(&opening).unwrap();
    found.prepare();
    assert_eq!(tell(&found, &failed("x")), Ok(()));
    assert_eq!(server.lines(), ["PUT /y/metrics/job/cronward/instance/db1/task/x"]);
    assert_eq!(tell(&sink("env:PUSH_URL"), &failed("x")), Err("variable 'PUSH_URL' is not set".to_owned()));
}

#[test]
fn an_answer_that_is_no_success_is_an_error_that_says_what_to_do() {
    for (reply, said) in [
        (Reply::Head("404 Not Found"), "HTTP 404: not found; is it the URL of a Pushgateway?"),
        (Reply::Head("405 No"), "HTTP 405: method not allowed; is it the URL of a Pushgateway?"),
        (Reply::Head("400 Bad Request"), "HTTP 400: bad request"),
    ] {
        let server = HttpServer::answering(&[reply]);
        assert_eq!(tell(&sink(&server.url("/secret")), &failed("x")), Err(said.to_owned()));
    }
    let server = HttpServer::answering(&[Reply::Head("503 Unavailable"), Reply::Head("202 Accepted")]);
    assert_eq!(tell(&sink(&server.url("")), &failed("x")), Ok(()));
    let (_kept, address) = refusing_address();
    let limit = Deadline::after(Duration::from_millis(300));
    let answer = sink(&format!("http://{address}")).deliver(&failed("x"), limit);
    assert_eq!(answer, Err("connection refused".to_owned()));
}

#[test]
fn a_request_that_hangs_leaves_the_others_theirs() {
    let server = HttpServer::answering(&[Reply::Silence]);
    let clock = Stopwatch::start();
    let ended = |outcome| {
        sample::ended(sample::job("x"), &History::default(), sample::run(outcome, 0, None)).remove(0)
    };
    let limit = Deadline::after(Duration::from_secs(2));
    let answer = sink(&server.url("")).deliver(&[ended(Outcome::Interrupted), ended(Outcome::Ok)], limit);
    assert_eq!((answer, server.lines().len()), (Err("timed out".to_owned()), 2));
    assert!(clock.elapsed() < Duration::from_secs(8), "{:?}", clock.elapsed());
}
