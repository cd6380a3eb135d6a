//! What `cronward check` measures: how each job stands, and that somebody looks.

use std::time::Duration;

use crate::support::wire::{self, Line, Metric, ServiceCheck};
use crate::support::{End, Host};

const UDP_LONGEST: usize = 1432;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a check sends to the receiver of the host.
fn sent(host: &Host, status: i32) -> (Vec<Metric>, Vec<ServiceCheck>, usize) {
    host.receiver.datagrams();
    let ran = host.cronward(["check"]).run();
    assert_eq!(ran.end(), End::Code(status), "{ran}");
    let (mut metrics, mut checks, mut events) = (Vec::new(), Vec::new(), 0);
    for line in wire::dogstatsd(&host.receiver.datagrams(), UDP_LONGEST) {
        match line {
            Line::Metric(metric) => metrics.push(metric),
            Line::ServiceCheck(check) => checks.push(check),
            Line::Event(_) => events += 1,
        }
    }
    (metrics, checks, events)
}

fn metric<'a>(metrics: &'a [Metric], name: &str) -> &'a Metric {
    let found: Vec<_> = metrics.iter().filter(|metric| metric.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {metrics:#?}");
    found[0]
}

#[test]
fn a_check_measures_every_job_and_that_it_was_there() {
    let host = Host::new();
    host.wrap(&["-l", "pg", "-t", "env:prod", "--max-age", "1d"], "exit 0").run();
    let (metrics, checks, events) = sent(&host, 0);
    assert_eq!((metrics.len(), checks.len(), events), (3, 1, 0), "{metrics:#?}");
    let tags = ["task:pg", "env:prod"];
    for (name, value) in [("cronward.job.success_age", 0.0), ("cronward.job.alert_open", 0.0)] {
        let found = metric(&metrics, name);
        assert_eq!((found.value, &found.kind[..]), (value, "g"), "{metrics:#?}");
        assert!(tags.iter().all(|tag| found.tags.iter().any(|found| found == tag)), "{found:?}");
    }
    let alive = metric(&metrics, "cronward.check.alive");
    assert_eq!((alive.value, &alive.kind[..]), (1.0, "g"), "{alive:?}");
    assert!(!alive.tags.iter().any(|tag| tag.starts_with("task")), "{alive:?}");
    assert_eq!((&checks[0].name[..], checks[0].status), ("cronward.job", 0), "{checks:?}");
    assert!(checks[0].tags.iter().any(|tag| tag == "task:pg"), "{checks:?}");

    host.age(2 * DAY);
    let (metrics, checks, events) = sent(&host, 2);
    assert!((metric(&metrics, "cronward.job.success_age").value - 172_800.0).abs() < 60.0, "{metrics:#?}");
    assert_eq!(metric(&metrics, "cronward.job.alert_open").value, 1.0);
    assert!(checks.iter().all(|check| check.status == 2) && !checks.is_empty(), "{checks:?}");
    assert_eq!(events, 1, "the alert was opened");
    let (_, checks, events) = sent(&host, 2);
    assert_eq!((checks.len(), checks[0].status, events), (1, 2, 0), "{checks:?}");
}

#[test]
fn a_job_without_a_success_has_no_age_of_one() {
    let host = Host::new();
    host.wrap(&["-l", "pg", "--alert-after", "9"], "exit 3").run();
    let (metrics, ..) = sent(&host, 0);
    let names: Vec<_> = metrics.iter().map(|metric| &metric.name[..]).collect();
    assert_eq!(names, ["cronward.job.alert_open", "cronward.check.alive"]);
}

/// Every job's state by its own sinks, the check's own by what is set for the check.
#[test]
fn many_jobs_are_told_apart_and_the_check_is_alive_without_any() {
    let host = Host::new();
    let (metrics, checks, _) = sent(&host, 0);
    assert_eq!((metrics.len(), checks.len()), (1, 0), "{metrics:#?}");
    assert_eq!(metrics[0].name, "cronward.check.alive");
    for label in ["a", "b"] {
        host.wrap(&["-l", label], "exit 0").run();
    }
    host.wrap(&["-l", "elsewhere", "--sink", "none"], "exit 0").run();
    let (metrics, checks, _) = sent(&host, 0);
    let of = |label: &str| {
        let tag = format!("task:{label}");
        metrics.iter().filter(|metric| metric.tags.contains(&tag)).count()
    };
    assert_eq!((of("a"), of("b"), of("elsewhere"), checks.len()), (2, 2, 0, 2), "{metrics:#?}");
    metric(&metrics, "cronward.check.alive");
}

#[test]
fn plain_statsd_has_the_label_in_the_name() {
    let host = Host::new();
    let sink = format!("statsd:{}", host.receiver.address());
    host.wrap(&["-l", "nightly", "--sink", &sink], "exit 0").run();
    host.receiver.datagrams();
    let ran = host.cronward(["check"]).env("CRONWARD_SINK", &sink).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let mut names: Vec<_> =
        wire::statsd(&host.receiver.datagrams(), UDP_LONGEST).into_iter().map(|metric| metric.name).collect();
    names.sort();
    assert_eq!(
        names,
        ["cronward.check.alive", "cronward.nightly.job.alert_open", "cronward.nightly.job.success_age"]
    );
}

/// The dead man's switch of the host: the line of the check itself is watched.
#[cfg(feature = "http")]
#[test]
fn a_ping_sink_of_the_check_hears_that_it_was_there() {
    use crate::support::http::HttpServer;

    let host = Host::new();
    let server = HttpServer::answering(&[]);
    host.wrap(&["-l", "job", "--sink", "none", "--max-age", "1d"], "exit 0").run();
    let check = || host.cronward(["check"]).env("CRONWARD_SINK", format!("ping:{}", server.url("/x"))).run();
    assert_eq!(check().end(), End::Code(0));
    host.age(2 * DAY);
    // What it found is another's business: it was there.
    assert_eq!(check().end(), End::Code(2));
    assert_eq!(server.lines(), ["POST /x/0?"; 2]);
}
