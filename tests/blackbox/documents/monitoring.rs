//! The examples for monitoring systems against what cronward sends: no monitor waits for a metric, a tag
//! or an outcome that never comes. That these systems take them is seen by `tests/interop`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::MANUAL;
use super::examples::example;
use crate::support::wire::{self, Line};
use crate::support::{Host, Receiver};

/// A name that has nothing of a metric's, and what becomes of it in one.
const LABEL: (&str, &str) = ("nightly pg.dump", "nightly_pg_dump");

/// Everything that is sent by runs of every ending and by a check, to a sink of this kind.
fn sent(kind: &str) -> Vec<Vec<u8>> {
    let host = Host::new();
    let receiver = Receiver::udp();
    let sink = format!("{kind}:{}", receiver.address());
    let report = "echo rows=1 >>$CRONWARD_RUN_REPORT; echo db.drift=-2 >>$CRONWARD_RUN_REPORT";
    for line in [report, "exit 3", "kill -KILL $$"] {
        host.wrap(&["-l", LABEL.0, "--sink", &sink], line).run();
    }
    host.cronward(["check"]).env("CRONWARD_SINK", &sink).run();
    receiver.datagrams()
}

/// One rule of the mapping: the fields that its lines set.
type Mapping = BTreeMap<String, String>;

/// The mapping, of whose YAML no more is known than it uses: a field is a line, a list begins with a dash.
fn mappings() -> Vec<Mapping> {
    let text = example("statsd-exporter.yml");
    assert!(!text.contains('\t'), "YAML has no tabs");
    let (_, list) = text.split_once("\nmappings:\n").expect("a list of mappings");
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in list.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if line.starts_with("  - ") {
            mappings.push(Mapping::new());
        }
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line}"));
        let name = name.trim_start_matches([' ', '-']).to_owned();
        let mapping = mappings.last_mut().expect("a dash before the first field");
        assert!(mapping.insert(name, value.trim().to_owned()).is_none(), "twice: {line}");
    }
    mappings
}

/// The first mapping that matches, as statsd_exporter finds it: a star is one part between dots.
fn mapped<'m>(mappings: &'m [Mapping], name: &str, kind: &str) -> Option<(usize, &'m Mapping, Vec<String>)> {
    let parts: Vec<&str> = name.split('.').collect();
    let kind = match kind {
        "c" => "counter",
        "g" => "gauge",
        "ms" => "observer",
        other => panic!("'{other}' is no type of Etsy's statsd"),
    };
    mappings.iter().enumerate().find_map(|(index, mapping)| {
        let pattern: Vec<&str> = mapping["match"].split('.').collect();
        let matches = pattern.len() == parts.len()
            && pattern.iter().zip(&parts).all(|(wanted, part)| *wanted == "*" || wanted == part)
            && mapping.get("match_metric_type").is_none_or(|wanted| wanted == kind);
        let stars = pattern.iter().zip(&parts).filter(|(wanted, _)| **wanted == "*");
        matches.then(|| (index, mapping, stars.map(|(_, part)| (*part).to_owned()).collect()))
    })
}

/// A template with `$1` and `${1}` filled in.
fn filled(template: &str, stars: &[String]) -> String {
    (1..).zip(stars).fold(template.to_owned(), |text, (number, star)| {
        text.replace(&format!("${{{number}}}"), star).replace(&format!("${number}"), star)
    })
}

/// Names at Prometheus of all that is sent.
fn names_at_prometheus() -> BTreeSet<String> {
    let mappings = mappings();
    let mut used = BTreeSet::new();
    let mut names = BTreeSet::new();
    for metric in wire::statsd(&sent("statsd"), 1432) {
        let (index, mapping, stars) = mapped(&mappings, &metric.name, &metric.kind)
            .unwrap_or_else(|| panic!("{metric:?} is not mapped, and its label would be in its name"));
        used.insert(index);
        let name = filled(&mapping["name"], &stars);
        // What the head of the file says: the name of the manual with other dots, seconds for a time.
        let of_job = metric.name.replacen(&format!("cronward.{}.", LABEL.1), "cronward.", 1);
        let (expected, task, outcome) = match of_job.strip_prefix("cronward.run.count.") {
            Some(outcome) => ("cronward_run_count".to_owned(), true, Some(outcome)),
            None => (of_job.replace('.', "_"), of_job != metric.name, None),
        };
        let unit = if metric.kind == "ms" { "_seconds" } else { "" };
        assert_eq!(name, format!("{expected}{unit}"), "{metric:?}");
        let label = |label: &str| mapping.get(label).map(|value| filled(value, &stars));
        assert_eq!(label("task").as_deref(), task.then_some(LABEL.1), "{metric:?}");
        assert_eq!(label("outcome").as_deref(), outcome, "{metric:?}");
        names.insert(name);
    }
    assert_eq!(used.len(), mappings.len(), "mappings that nothing is sent for: only {used:?} are used");
    names
}

#[test]
fn the_exporter_has_a_name_for_every_metric_and_the_rules_ask_for_no_other() {
    let names = names_at_prometheus();
    let rules = example("prometheus-rules.yml");
    assert!(!rules.contains('\t'), "YAML has no tabs");
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let asked: BTreeSet<String> =
        words.filter(|word| word.starts_with("cronward_")).map(str::to_owned).collect();
    assert!(asked.len() >= 3, "{asked:?}");
    assert_eq!(asked.difference(&names).collect::<Vec<_>>(), Vec::<&String>::new(), "{names:?}");
}

/// The exporter would show it for ever.
#[test]
fn what_a_check_says_does_not_outlive_it_at_the_exporter() {
    for mapping in mappings() {
        let name = &mapping["name"];
        let of_check = ["cronward_check_alive", "cronward_job_success_age", "cronward_job_alert_open"]
            .contains(&&name[..]);
        assert_eq!(mapping.contains_key("ttl"), of_check, "{name}");
    }
}

/// What stands between two words of a query.
fn between<'q>(query: &'q str, open: &str, close: &str) -> Vec<&'q str> {
    query.split(open).skip(1).filter_map(|rest| rest.split_once(close)).map(|(inside, _)| inside).collect()
}

#[test]
fn the_monitors_ask_for_what_is_sent() {
    let mut metrics: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut checks = BTreeSet::new();
    for line in wire::dogstatsd(&sent("dogstatsd"), 1432) {
        match line {
            Line::Metric(metric) => {
                let keys = metric.tags.iter().filter_map(|tag| tag.split_once(':'));
                metrics.entry(metric.name).or_default().extend(keys.map(|(key, _)| key.to_owned()));
            }
            Line::ServiceCheck(check) => drop(checks.insert(check.name)),
            Line::Event(_) => {}
        }
    }
    let outcomes = MANUAL.items(&["OUTCOMES"], "Cm");
    let monitors: Vec<Value> = serde_json::from_str(&example("datadog-monitors.json")).expect("an array");
    let mut names = BTreeSet::new();
    let mut asked = BTreeSet::new();
    for monitor in &monitors {
        let text = |field: &str| {
            monitor[field].as_str().unwrap_or_else(|| panic!("no {field}: {monitor:#}")).to_owned()
        };
        assert!(names.insert(text("name")), "twice: {monitor:#}");
        assert!(text("message").contains('@'), "nobody is told: {monitor:#}");
        let query = text("query");
        if text("type") == "service check" {
            let name = query.split('"').nth(1).unwrap_or_default();
            assert!(checks.contains(name), "{name} of {query}");
            continue;
        }
        let name = query.split([':', '{']).find(|word| word.starts_with("cronward.")).expect("a metric");
        let mut keys = metrics.get(name).unwrap_or_else(|| panic!("{name} is never sent: {query}")).clone();
        // The agent's own.
        keys.insert("host".to_owned());
        let (filter, groups) = query
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once("} by {"))
            .unwrap_or_else(|| panic!("no groups: {query}"));
        let groups = groups.split('}').next().unwrap_or_default();
        let filter_key = filter.split([':', ' ']).next().filter(|key| *key != "*");
        for key in groups.split(',').chain(filter_key) {
            assert!(keys.contains(key), "no tag {key}: {query}");
        }
        for outcome in between(filter, "outcome IN (", ")").into_iter().flat_map(|list| list.split(',')) {
            assert!(outcomes.contains(outcome), "no outcome {outcome}: {query}");
        }
        // The API refuses a monitor that says it twice and not alike.
        let limit: f64 = query.rsplit(' ').next().and_then(|word| word.parse().ok()).expect("a number");
        assert_eq!(monitor["options"]["thresholds"]["critical"].as_f64(), Some(limit), "{query}");
        asked.insert(name.to_owned());
    }
    assert!(asked.contains("cronward.check.alive") && asked.len() < monitors.len(), "{asked:?}");
}

/// The lines of the system's crontab, also the one that is offered in a comment, without their user.
#[cfg(feature = "http")]
fn lines_for_check() -> Vec<String> {
    use super::examples::command;

    let table = example("crontab-check");
    let jobs = table.lines().map(|line| line.trim_start_matches('#')).filter(|line| line.starts_with('*'));
    let commands = jobs.map(|line| command(line).strip_prefix("root ").expect("a user").trim().to_owned());
    commands.collect()
}

/// As cron runs it, with a failure on record, and `cronward` where PATH has it.
#[cfg(feature = "http")]
#[test]
fn a_check_that_finds_something_is_printed_nowhere_and_has_checked_in_as_well() {
    use crate::support::End;
    use crate::support::http::HttpServer;

    let lines = lines_for_check();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let url = "/etc/cronward/ping-url";
    assert_eq!(lines.iter().filter(|line| line.contains(url)).count(), 1, "{lines:?}");
    for line in lines {
        let host = Host::new();
        let server = HttpServer::answering(&[]);
        std::fs::write(host.path("ping-url"), server.url("/key")).expect("a file in the temporary directory");
        std::fs::create_dir(host.path("bin")).expect("a directory in the temporary one");
        std::os::unix::fs::symlink(crate::support::cronward_binary(), host.path("bin/cronward"))
            .expect("a link in the temporary directory");
        host.wrap(&["-l", "pg-backup"], "exit 1").run();

        let path = format!("{}:/usr/bin:/bin", host.path("bin").display());
        let here = line.replace(url, &host.path("ping-url").display().to_string());
        let ran = host.shell(&here).env("PATH", path).run();
        assert_eq!(ran.end(), End::Code(2), "{ran}");
        assert_eq!(ran.stdout_text() + &ran.stderr_text(), "", "{ran}");
        let told = if line.contains(url) { &["POST /key/start?", "POST /key/0?"][..] } else { &[] };
        assert_eq!(server.lines(), told, "{ran}");
        // Beside the others' sinks, not in their place.
        let measured = wire::dogstatsd(&host.receiver.datagrams(), 1432);
        let of_check =
            |line: &Line| matches!(line, Line::ServiceCheck(check) if check.tags[0] == "task:check");
        assert_eq!(measured.iter().any(of_check), line.contains(url), "{measured:#?}");
    }
}
