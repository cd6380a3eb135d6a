use proptest::prelude::*;

use super::event::{event, service_check, status};
use super::*;
use crate::job::Tag;
use crate::notice::News;
use crate::outcome::{Outcome, Run};
use crate::plan::{JobFacts, Severity, Variables};
use crate::policy::History;
use crate::sinks::Pace;
use crate::sinks::grammar::{self, Item};
use crate::sinks::sample;
use crate::sinks::wire::{UDP_MAX, UNIX_MAX};

/// A sink that does not look whether the tests run in a container.
fn sink(target: &str) -> Arc<dyn Sink> {
    sink_of(target, &[("DD_ORIGIN_DETECTION_ENABLED", "false")])
}

fn sink_of(target: &str, variables: &[(&str, &str)]) -> Arc<dyn Sink> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    let variables = Variables(variables.iter().map(owned).collect());
    open(&Opening { target, variables: &variables, environment: &[], inherited: false }).unwrap()
}

fn lines(sink: &dyn Sink, notices: &[Notice]) -> Vec<String> {
    let wanted: Vec<_> =
        notices.iter().filter(|notice| sink.wants(Topic::of(&notice.news))).cloned().collect();
    sink.preview(&wanted).iter().flat_map(|datagram| datagram.split('\n')).map(str::to_owned).collect()
}

fn items(datagrams: &[String]) -> Vec<Item> {
    datagrams.iter().flat_map(|datagram| grammar::dogstatsd(datagram).expect(datagram)).collect()
}

/// What does not depend on the metric.
fn common<'a>(tags: &'a str, origin: &'a str) -> Common<'a> {
    Common { of_job: tags, of_run: tags, origin }
}

fn backup() -> JobFacts {
    let mut job = sample::job("backup");
    job.tags = vec![Tag::parse("team:db").unwrap()];
    job.owner = Some("db-oncall".into());
    job.runbook = Some("https://wiki/x|y".into());
    job
}

#[test]
fn a_first_failure_is_metrics_a_service_check_and_an_event() {
    let tags = "task:backup,outcome:failed,team:db";
    let title = "backup is failing on db1: 1 failure: exited with 3";
    let text = "Outcome: failed\\nReason: exited with 3\\nFailures: 1\\nSeverity: error\\n\
                Owner: db-oncall\\nRunbook: https://wiki/x|y\\nCommand: pg_dump";
    assert_eq!(
        lines(&*sink(""), &sample::failed(backup())),
        [
            format!("cronward.run.duration:12.75|d|#{tags}"),
            format!("cronward.run.exit_code:3|g|#{tags}"),
            "cronward.run.count:1|c|#task:backup,outcome:failed,exit_code:3,team:db".to_owned(),
            format!("cronward.run.cpu_user:8.5|d|#{tags}"),
            format!("cronward.run.cpu_system:0|d|#{tags}"),
            format!("cronward.run.max_rss:1048576|g|#{tags}"),
            "cronward.job.consecutive_failures:1|g|#task:backup,team:db".to_owned(),
            "cronward.job.alert_open:1|g|#task:backup,team:db".to_owned(),
            "_sc|cronward.job|2|d:1700000000|h:db1|#task:backup,team:db|m:backup on db1: failed: exited with 3"
                .to_owned(),
            format!(
                "_e{{{},{}}}:{title}|{text}|d:1700000000|h:db1|k:db1/backup|p:normal|s:cronward|t:error\
                 |#task:backup,team:db",
                title.len(),
                text.len()
            ),
        ]
    );
}

#[test]
fn what_a_job_reports_is_a_gauge_and_its_tags_are_those_of_the_run() {
    let mut job = backup();
    job.tags.push(Tag::parse("size:small").unwrap());
    let lines = lines(
        &*sink("?events=all"),
        &sample::reported(job, &[("rows", 12.0), ("drift", -0.5)], &["SIZE:big", "db:app"]),
    );
    let (of_job, of_run) = ("task:backup,team:db,size:small", "team:db,SIZE:big,db:app");
    let starting = |start: &str| lines.iter().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    assert_eq!(
        starting("cronward.run.custom"),
        [
            &format!("cronward.run.custom.rows:12|g|#task:backup,outcome:ok,{of_run}"),
            // A sign does not make a difference of it, as it would with Etsy's server.
            &format!("cronward.run.custom.drift:-0.5|g|#task:backup,outcome:ok,{of_run}"),
        ]
    );
    assert!(starting("cronward.run.").iter().all(|line| line.ends_with(of_run)), "{lines:#?}");
    assert!(starting("cronward.job.").iter().all(|line| line.ends_with(of_job)), "{lines:#?}");
    assert!(starting("_sc|")[0].contains(&format!("|#{of_job}|m:")), "{lines:#?}");
    assert!(starting("_e{")[0].ends_with(&format!("|#task:backup,{of_run}")), "{lines:#?}");
}

#[test]
fn a_job_that_reports_more_tags_than_fit_is_counted_all_the_same() {
    let tags: Vec<_> = (0..64).map(|at| format!("k{at}:{}", "v".repeat(190))).collect();
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    let items = items(&sink("").preview(&sample::reported(backup(), &[], &tags)));
    let count = items.iter().find_map(|item| match item {
        Item::Metric { name, tags, .. } if name == "cronward.run.count" => Some(tags),
        Item::Metric { .. } | Item::Event { .. } | Item::Check { .. } => None,
    });
    // Three of them take up less than half a datagram.
    let of_run = count.unwrap().iter().filter(|tag| tag.starts_with('k')).count();
    assert_eq!(of_run, 3);
}

// The vendor's client writes title `Job é failed`, text `line1⏎line2|pipe` as
// `_e{13,17}:Job é failed|line1\nline2|pipe|…`: bytes, counted after escaping.
#[test]
fn lengths_of_an_event_are_bytes_after_escaping() {
    let mut job = sample::job("Job é");
    job.host = "h1|k:x".into();
    job.severity = Severity::Warning;
    let notices = sample::failed_because(job, "line1\nline2|pipe");
    assert_eq!(
        event(&notices[1], &common("x:y,env:prod", ""), UDP_MAX),
        "_e{57,92}:Job é is failing on h1|k:x: 1 failure: line1\\nline2|pipe|Outcome: failed\\n\
         Reason: line1\\nline2|pipe\\nFailures: 1\\nSeverity: warning\\nCommand: pg_dump\
         |d:1700000000|h:h1_k:x|k:db1/Job é|p:normal|s:cronward|t:warning|#x:y,env:prod"
    );
}

// The vendor's client writes message `m: x⏎line2` as `m:m\: x\nline2`.
#[test]
fn the_message_of_a_service_check_is_escaped_as_by_the_vendors_client() {
    let notices = sample::failed_because(sample::job("m"), "m: x\nline2|#a:b");
    let status = status(&notices[0].news).unwrap();
    assert_eq!(
        service_check(&notices[0], status, &common("a:b", ""), UDP_MAX),
        "_sc|cronward.job|2|d:1700000000|h:db1|#a:b|m:m on db1: failed: m\\: x\\nline2_#a:b"
    );
}

#[test]
fn the_service_check_says_how_the_job_stands() {
    let one_failure = History { failures_in_a_row: 1, ..History::default() };
    for (before, outcome, status) in [
        (History::default(), Outcome::Ok, 0),
        (History::default(), Outcome::Warning, 1),
        (History::default(), Outcome::Skipped, 0),
        (one_failure.clone(), Outcome::Skipped, 1),
        (one_failure, Outcome::Ok, 0),
        (History::default(), Outcome::Failed, 2),
        (sample::failing_history(), Outcome::Stopped, 2),
        (sample::failing_history(), Outcome::Ok, 0),
    ] {
        let notices = sample::ended(backup(), &before, sample::run(outcome, 0, None));
        let items = items(&sink("").preview(&notices[..1]));
        let found = items.iter().find_map(|item| match item {
            Item::Check { status, .. } => Some(*status),
            Item::Metric { .. } | Item::Event { .. } => None,
        });
        assert_eq!(found, Some(status), "{outcome}");
    }
}

#[test]
fn a_history_that_could_not_be_read_is_unknown() {
    let mut notice = sample::failed(backup()).remove(0);
    if let News::Finished(finished) = &mut notice.news {
        Arc::make_mut(finished).history = None;
    }
    let items = items(&sink("").preview(&[notice]));
    assert!(items.iter().any(|item| matches!(item, Item::Check { status: 3, .. })), "{items:?}");
}

// datadog-go's order: behind the tags of metrics and events, and behind the message of service checks.
#[test]
fn the_origin_is_the_end_of_whatever_is_sent() {
    let variables =
        [("DD_ENTITY_ID", "pod-uid"), ("DD_EXTERNAL_ENV", "it-false,cn-app"), ("DD_CARDINALITY", "low")];
    let sink = sink_of("?events=all", &variables);
    sink.prepare();
    let lines = lines(&*sink, &sample::failed(backup()));
    assert_eq!(lines.len(), 11, "{lines:#?}");
    for line in &lines {
        assert!(line.ends_with("|e:it-false,cn-app|card:low"), "{line}");
        assert!(line.contains(",team:db,dd.internal.entity_id:pod-uid|"), "{line}");
    }
}

#[test]
fn events_are_for_alerts_unless_told_otherwise() {
    let mut notices = vec![sample::started(backup())];
    notices.extend(sample::failed(backup()));
    notices.extend(sample::ended(backup(), &sample::failing_history(), sample::run(Outcome::Ok, 0, None)));
    for (target, kinds) in [
        ("", &["t:error", "t:success"][..]),
        ("?events=none", &[]),
        ("?events=all", &["t:info", "t:error", "t:error", "t:success", "t:success"]),
    ] {
        let lines = lines(&*sink(target), &notices);
        let events: Vec<_> = lines.iter().filter(|line| line.starts_with("_e{")).collect();
        assert_eq!(events.len(), kinds.len(), "{target}: {events:#?}");
        assert!(events.iter().zip(kinds).all(|(event, kind)| event.contains(kind)), "{events:#?}");
    }
}

#[test]
fn arguments_leave_the_host_only_where_that_is_allowed() {
    let mut job = backup();
    let command = |job: JobFacts| {
        let line = lines(&*sink(""), &sample::failed(job)).pop().unwrap();
        line.split_once("Command: ").map(|(_, rest)| rest.split('|').next().unwrap().to_owned())
    };
    job.privacy.send_args = true;
    assert_eq!(command(job).as_deref(), Some("pg_dump --password=***"));
    assert_eq!(command(backup()).as_deref(), Some("pg_dump"));
    let sensitive = || {
        let mut job = backup();
        job.privacy.sensitive = true;
        job
    };
    assert_eq!(command(sensitive()), None);
    // A reason may quote the command.
    let notices = sample::failed_because(sensitive(), "not found: 'pg_dump'");
    let lines = lines(&*sink("?events=all"), &notices);
    assert!(lines.iter().all(|line| !line.contains("pg_dump")), "{lines:#?}");
}

#[test]
fn a_numeric_address_is_prompt_and_a_name_is_not() {
    assert_eq!(sink("10.0.0.1").pace(), Pace::Prompt);
    assert_eq!(sink("/run/dsd.sock").pace(), Pace::Prompt);
    assert_eq!(sink("agent").pace(), Pace::Waiting);
    assert_eq!(sink("agent?events=none").name(), "dogstatsd:agent:8125");
}

proptest! {
    #[test]
    fn hostile_words_forge_nothing(
        label in sample::hostile(),
        namespace in sample::hostile(),
        host in sample::hostile(),
        reason in sample::hostile(),
        owner in sample::hostile(),
        tag_key in sample::hostile(),
        tag_value in sample::hostile(),
        unix in any::<bool>(),
    ) {
        let mut job = sample::job(&label);
        job.namespace = namespace;
        job.host = host;
        job.owner = Some(owner);
        job.tags = vec![Tag { key: tag_key, value: Some(tag_value) }];
        let target = if unix { "/x.sock" } else { "10.0.0.1" };
        let limit = if unix { UNIX_MAX } else { UDP_MAX };
        let datagrams = sink(target).preview(&sample::failed_because(job, &reason));
        prop_assert!(datagrams.iter().all(|datagram| datagram.len() <= limit));
        let items = items(&datagrams);
        let metrics = items.iter().filter(|item| matches!(item, Item::Metric { .. })).count();
        let events = items.iter().filter(|item| matches!(item, Item::Event { .. })).count();
        let checks = items.iter().filter(|item| matches!(item, Item::Check { .. })).count();
        // A name of 200 characters and tags of 200 of four bytes each may be too much for UDP.
        prop_assert!(metrics == 8 || !unix, "{metrics} metrics");
        prop_assert_eq!((events, checks), (1, 1));
        for item in &items {
            if let Item::Metric { tags, .. } = item {
                prop_assert!(tags[0].starts_with("task:"));
                prop_assert!(tags.len() <= 4);
            }
        }
    }

    #[test]
    fn hostile_reports_forge_nothing(report in sample::hostile_report()) {
        let values = report.values.iter().filter(|(_, value)| value.is_finite()).count();
        let run = Run { report, ..sample::run(Outcome::Failed, 3, None) };
        let notices = sample::ended(backup(), &History::default(), run);
        let datagrams = sink("/x.sock").preview(&notices);
        let items = items(&datagrams);
        let metrics = items.iter().filter(|item| matches!(item, Item::Metric { .. })).count();
        prop_assert_eq!((metrics, items.len()), (8 + values, 10 + values));
        for item in &items {
            if let Item::Metric { name, tags, .. } = item {
                prop_assert!(name.starts_with("cronward."), "{}", name);
                prop_assert!(tags[0] == "task:backup" && tags.len() <= 7, "{:?}", tags);
            }
        }
    }

    #[test]
    fn events_and_checks_fit_whatever_they_are_made_of(
        text in prop::collection::vec("\\PC{0,900}|[\\n🦀]{0,900}", 4), tags in prop::collection::vec("[a-z]{1,20}:[é]{1,170}", 0..30),
        external in "([ -{]{0,256})?",
    ) {
        let origin = if external.is_empty() { String::new() } else { format!("|c:ci-{}|e:{external}|card:orchestrator", "0".repeat(64)) };
        let tags = tags.join(",");
        let mut job = sample::job(&format!("x{}", text[0]));
        job.host = text[1].clone();
        job.runbook = Some(text[2].clone());
        job.alert_key.text = text[3].clone();
        let notices = sample::failed_because(job, &text[3]);
        let status = status(&notices[0].news).unwrap();
        for limit in [UDP_MAX, UNIX_MAX] {
            let common = common(&tags, &origin);
            let written = [event(&notices[1], &common, limit), service_check(&notices[0], status, &common, limit)];
            for line in written {
                prop_assert!(line.len() <= limit, "{} bytes", line.len());
                prop_assert!(line.ends_with(&origin));
                prop_assert_eq!(grammar::dogstatsd(&line).expect(&line).len(), 1);
            }
        }
    }
}

#[test]
fn no_sentence_of_an_event_has_a_secret() {
    use crate::job::RunId;
    use crate::notice::{Cause, Health, News, Overdue, Standing, Start, Turn};

    let start = Start { id: RunId::new(), parent: None, pid: 1, started_at: sample::ENDED_AT };
    let reason = || "said token=abc123".to_owned();
    let alert = sample::failing_history().alert.unwrap();
    let overdue = Overdue { start, elapsed: std::time::Duration::ZERO, reason: reason() };
    let standing =
        Standing { success_age: None, alert_is_open: true, health: Health::Critical, sentence: reason() };
    for news in [
        News::Overdue(overdue),
        News::Opened(Turn { alert, cause: Cause::Noticed(reason(), None), changed: Vec::new() }),
        News::Standing(standing),
    ] {
        let notice =
            Notice { id: RunId::new(), time: sample::ENDED_AT, job: Arc::new(sample::job("x")), news };
        let event = super::event::event(&notice, &common("", ""), 8192);
        assert!(event.contains("said token=***") && !event.contains("abc123"), "{event}");
    }
}
