//! The manual, the schema and the examples against the binary: what it has is documented, and what is
//! documented it has. Names are taken from what it prints, sends and records, not from its source.

mod backups;
mod doctor;
mod examples;
// Their sinks are reached over HTTP.
#[cfg(feature = "http")]
mod fleet;
mod manual;
mod monitoring;
mod prometheus;
mod runnable;
mod runs;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{Host, wire};
use manual::Manual;
use schema::{Schema, referred};

const MANUAL: Manual = Manual(include_str!("../../man/cronward.1"));
const EVENTS_MANUAL: Manual = Manual(include_str!("../../man/cronward-events.5"));
const TOML_MANUAL: Manual = Manual(include_str!("../../man/cronward.toml.5"));
const SCHEMA: &str = include_str!("../../schema/cronward-event.v1.schema.json");
const README: &str = include_str!("../../README.md");

/// Options in the left column of a help text.
fn options_of_help(arguments: &[&str]) -> BTreeSet<String> {
    let ran = Host::new().cronward(arguments.iter().copied()).run();
    let help = ran.stdout_text();
    // Options are indented by 2, or by 6 where there is no short one; their texts by more.
    let lines = help.lines().map(|line| (line, line.trim_start()));
    let heads = lines.filter(|(line, head)| head.starts_with('-') && line.len() - head.len() <= 6);
    let words = heads.flat_map(|(_, head)| {
        head.split([' ', ',', '=', '[']).take_while(|word| word.is_empty() || word.starts_with('-'))
    });
    let options: BTreeSet<String> = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
    assert!(!options.is_empty(), "{ran}");
    options
}

#[test]
fn every_option_of_the_help_is_in_the_manual_and_no_other() {
    assert_eq!(MANUAL.options(&["OPTIONS"]), options_of_help(&["--help"]));
}

/// The subcommands, and the sections of the manual that have their options.
const SUBCOMMANDS: [(&str, &[&str]); 10] = [
    ("status", &["SUBCOMMANDS", "STATUS"]),
    ("history", &["SUBCOMMANDS", "HISTORY"]),
    ("check", &["SUBCOMMANDS", "CHECK"]),
    ("wrap", &["WRAP"]),
    ("doctor", &["SUBCOMMANDS", "DOCTOR"]),
    ("mute", &["SUBCOMMANDS", "MUTE AND FORGET"]),
    ("forget", &["SUBCOMMANDS", "MUTE AND FORGET"]),
    ("flush", &["SUBCOMMANDS", "DELIVERIES OWED"]),
    ("drill", &["SUBCOMMANDS", "DRILL"]),
    ("completions", &["COMPLETIONS"]),
];

#[test]
fn every_option_of_a_subcommand_is_in_the_manual_and_no_other() {
    for (subcommand, sections) in SUBCOMMANDS {
        let mut help = options_of_help(&[subcommand, "--help"]);
        // Those are said once, in OPTIONS.
        help.retain(|option| !["-h", "--help"].contains(&option.as_str()));
        assert_eq!(MANUAL.options(sections), help, "{subcommand}");
    }
}

#[test]
fn the_help_names_every_subcommand_and_no_other() {
    let ran = Host::new().cronward(["--help"]).run();
    let help = ran.stdout_text();
    let (_, behind) = help.split_once("Subcommands, as the very first word:\n").expect("a list");
    let lines = behind.lines().take_while(|line| !line.is_empty());
    let listed: Vec<&str> = lines.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(listed, SUBCOMMANDS.map(|(name, _)| name));
    let in_usage = help.lines().filter_map(|line| line.trim_start().strip_prefix("cronward "));
    let in_usage: Vec<&str> = in_usage.filter_map(|rest| rest.split(' ').next()).collect();
    assert_eq!(in_usage[1..], listed, "{ran}");
    let in_manual = MANUAL.marked(&["SUBCOMMANDS"], "Ql");
    assert!(listed.iter().all(|name| in_manual.contains(*name)), "{in_manual:?}");
}

#[test]
fn the_exit_statuses_of_check_are_those_that_it_has() {
    let documented = MANUAL.heads(&["CHECK"]).into_iter().filter_map(|words| words[0].parse().ok());
    assert_eq!(runs::exit_statuses_of_check(), documented.collect::<BTreeSet<i32>>());
}

#[test]
fn the_fields_and_the_performance_data_of_check_are_those_of_the_manual() {
    let host = Host::new();
    for label in ["one", "two"] {
        host.wrap(&["-l", label, "--max-age", "1h"], "true").run();
    }
    let ran = host.cronward(["check", "--json"]).run();
    let findings: Vec<Value> =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|why| panic!("{why}\n{ran}"));
    let mut fields: BTreeSet<String> = findings[0].as_object().expect("an object").keys().cloned().collect();
    // Only root has it, of the jobs of others.
    fields.insert("user".to_owned());
    assert_eq!(MANUAL.marked(&["CHECK"], "Va"), fields);

    let ran = host.cronward(["check"]).run();
    let text = ran.stdout_text();
    let data = text.split('|').skip(1).flat_map(|part| part.lines().flat_map(|line| line.split(' ')));
    let names = data.filter_map(|word| word.split_once('=')).map(|(name, _)| name.trim_end_matches('\''));
    assert_eq!(MANUAL.items(&["CHECK"], "Cm"), names.map(str::to_owned).collect(), "{ran}");
}

#[test]
fn the_fields_of_status_are_those_of_the_manual() {
    let host = Host::new();
    host.wrap(&["-l", "late", "--schedule", "30 2 * * *", "--max-age", "1d"], "true").run();
    host.age(std::time::Duration::from_secs(2 * 24 * 3600));
    host.wrap(&["-l", "failing", "--schedule", "30 2 * * *"], "false").run();
    host.cronward(["mute", "failing", "1h"]).run();
    let ready = host.fifo("ready");
    let running = host.wrap(&["-l", "running"], "echo >ready; exec sleep 60").start();
    ready.line();
    let listed = host.status();
    running.signal(nix::libc::SIGTERM);
    running.wait();
    let jobs = listed.as_array().expect("a list").iter();
    let mut fields: BTreeSet<String> =
        jobs.flat_map(|job| job.as_object().expect("an object").keys().cloned()).collect();
    // Only root has the one, of the jobs of others, and only damage the other.
    fields.extend(["user", "error"].map(str::to_owned));
    assert_eq!(MANUAL.marked(&["STATUS"], "Va"), fields);
}

#[test]
fn the_readme_names_no_option_that_is_not_there() {
    let mut known = options_of_help(&["--help"]);
    known.extend(SUBCOMMANDS.iter().flat_map(|(name, _)| options_of_help(&[name, "--help"])));
    // Those of other programs.
    known.extend(["--locked", "--no-default-features", "--path", "--release", "--target"].map(str::to_owned));
    let part_of_option = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = README.split(|c: char| !part_of_option(c)).filter(|word| word.starts_with("--"));
    let is_named = |word: &&str| word.bytes().any(|byte| byte != b'-');
    let named: BTreeSet<_> = words.filter(is_named).map(str::to_owned).collect();
    assert!(named.contains("--alert-after"), "{named:?}");
    assert_eq!(named.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_kind_of_sink_is_in_the_manual_and_no_other() {
    let ran = Host::new().cronward(["--sink", "none-such:", "--", "true"]).run();
    let said = ran.stderr_text();
    let kinds = said.split_once("(kinds are ").and_then(|(_, rest)| rest.split_once(')')).expect("a list").0;
    let mut kinds: BTreeSet<&str> = kinds.split(", ").collect();
    // It is no kind, and stands beside them.
    kinds.insert("none");
    let documented: BTreeSet<&str> = MANUAL.heads(&["SINKS"]).iter().map(|words| words[1]).collect();
    assert_eq!(documented, kinds, "{ran}");
}

/// Every option of the help is a key, but for those that the manual says are refused.
#[test]
fn the_keys_that_a_file_refuses_are_those_of_the_manual() {
    let host = Host::new();
    let mut refused = BTreeSet::new();
    for option in options_of_help(&["--help"]).iter().filter_map(|option| option.strip_prefix("--")) {
        // Neither is an option of the table.
        if ["help", "version"].contains(&option) {
            continue;
        }
        // A section of another job, in which values are not looked at.
        host.configure(format!("[job.other]\n{option} = 1\n"));
        let ran = host.cronward(["--dry-run", "-l", "job", "true"]).run();
        if !ran.stderr.is_empty() {
            let said = format!("'{option}' cannot stand in a file");
            assert!(ran.stderr_text().contains(&said), "{ran}");
            refused.insert(option.to_owned());
        }
    }
    let mut documented = TOML_MANUAL.marked(&["KEYS"], "Ic");
    // Two that are described for other reasons.
    documented.retain(|key| !["lock", "state-dir"].contains(&&key[..]));
    assert_eq!(refused, documented);
}

/// The variables that a cronward further in inherits, and the facts that the job sees.
#[test]
fn the_variables_that_the_job_sees_are_those_of_the_manual() {
    let host = Host::new();
    let state_dir = host.state_dir();
    let mut invocation = host.cronward(["-l", "job", "--", "env"]);
    for option in MANUAL.options(&["OPTIONS"]).iter().filter(|option| option.starts_with("--")) {
        let value = match &option[..] {
            "--state-dir" => state_dir.to_str().expect("a plain path"),
            "--sink" => "none",
            "--severity" => "info",
            "--summary" => "never",
            "--warn-codes" => "2",
            "--expect" => "0s..",
            "--schedule" => "@daily",
            "--jitter" => "1ms",
            "--capture" => "1KiB",
            "--log-dir" => "/tmp",
            "--log-when" => "failed",
            "--timeout" | "--kill-after" | "--warn-after" | "--lock-wait" | "--max-age" | "--realert"
            | "--retry-delay" | "--flush-deadline" => "9s",
            _ => "1",
        };
        let variable = format!("CRONWARD_{}", option[2..].replace('-', "_").to_uppercase());
        if !["CRONWARD_COMMAND", "CRONWARD_DRY_RUN", "CRONWARD_HELP", "CRONWARD_VERSION"]
            .contains(&&variable[..])
        {
            invocation = invocation.env(&variable, value);
        }
    }
    let ran = invocation.run();
    let seen: BTreeSet<String> = ran
        .stdout_text()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.starts_with("CRONWARD_"))
        .collect();
    let mut documented = MANUAL.marked(&["ENVIRONMENT"], "Ev");
    // The variable that stands for all, and the one that is none.
    documented.retain(|name| {
        name.starts_with("CRONWARD_") && !["CRONWARD_KILL_AFTER", "CRONWARD_"].contains(&&name[..])
    });
    documented.extend(
        MANUAL.items(&["ENVIRONMENT"], "Ev").into_iter().filter(|name| name.starts_with("CRONWARD_")),
    );
    assert_eq!(seen, documented, "{ran}");
}

#[test]
fn the_exit_statuses_of_the_manual_are_those_that_cronward_has() {
    let documented = MANUAL.heads(&["EXIT STATUS"]);
    let documented: BTreeSet<i32> =
        documented.iter().map(|words| words[0].parse().expect("a number")).collect();
    assert_eq!(runs::own_exit_statuses(), documented);
}

/// A word that was run today would be another command with the next version.
#[test]
fn every_outcome_is_in_the_manual_and_every_one_of_the_manual_can_be_had() {
    let had: BTreeSet<String> = runs::events().iter().filter_map(|event| text(event, "outcome")).collect();
    assert_eq!(MANUAL.items(&["OUTCOMES"], "Cm"), had);
    let schema = Schema::parse(SCHEMA);
    let listed = schema.definition("outcome")["enum"].as_array().expect("a list");
    let listed: BTreeSet<String> =
        listed.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
    assert_eq!(listed, had);
}

#[test]
fn the_metrics_that_are_sent_are_those_of_the_manual() {
    let host = Host::new();
    for line in ["echo name=1 >>$CRONWARD_RUN_REPORT", "exit 3", "kill -TERM $$"] {
        host.wrap(&["-l", "job"], line).run();
    }
    host.cronward(["check"]).run();
    let sent: BTreeMap<String, String> = wire::dogstatsd(&host.receiver.datagrams(), 1432)
        .into_iter()
        .filter_map(|line| match line {
            wire::Line::Metric(metric) => Some(metric),
            wire::Line::Event(_) | wire::Line::ServiceCheck(_) => None,
        })
        .map(|metric| (metric.name.strip_prefix("cronward.").expect("the namespace").to_owned(), metric.kind))
        .collect();
    let heads = MANUAL.heads(&["METRICS"]).into_iter();
    let documented: BTreeMap<String, String> = heads
        .map(|words| {
            let end = words.iter().position(|word| *word == "Pq").expect("a kind of metric");
            let (name, kind) = words.split_at(end);
            let kind = match kind[1] {
                "time" => "d",
                "counter" => "c",
                "gauge" => "g",
                other => panic!("'{other}' is no kind of metric"),
            };
            // A part of the name that the job gives is called so in the manual.
            assert_eq!(name[0], "Cm", "{words:?}");
            let name: String =
                name[1..].iter().filter(|word| !["Ns", "Ar"].contains(word)).copied().collect();
            (name, kind.to_owned())
        })
        .collect();
    assert_eq!(sent, documented);
}

#[test]
fn every_event_of_real_runs_is_valid_and_has_no_field_that_the_schema_lacks() {
    let schema = Schema::parse(SCHEMA);
    for event in runs::events() {
        assert_eq!(schema.faults(event), Vec::<String>::new(), "{event:#}");
        let kind = schema.definition(event["kind"].as_str().expect("a kind"));
        assert_described(&schema, kind, event, event);
    }
}

/// The schema leaves objects open, for readers; here they are closed.
fn assert_described(schema: &Schema, described: &Value, object: &Value, event: &Value) {
    let properties: BTreeMap<_, _> = schema.properties(described).into_iter().collect();
    for (name, value) in object.as_object().expect("an object") {
        let property =
            properties.get(&name[..]).unwrap_or_else(|| panic!("'{name}' is not in the schema: {event:#}"));
        if let Some(inner) = referred(property).filter(|_| value.is_object()) {
            assert_described(schema, schema.definition(inner), value, event);
        }
    }
}

#[test]
fn every_kind_of_event_is_sent_and_documented() {
    let sent: BTreeSet<String> = runs::events().iter().filter_map(|event| text(event, "kind")).collect();
    let schema = Schema::parse(SCHEMA);
    assert_eq!(schema.kinds().into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), sent);
    assert_eq!(EVENTS_MANUAL.items(&["KINDS"], "Cm"), sent);
}

#[test]
fn every_field_of_the_schema_is_sent_by_some_run_and_is_in_the_manual_and_no_other() {
    let schema = Schema::parse(SCHEMA);
    let mut described = BTreeSet::new();
    for kind in schema.kinds() {
        collect_described(&schema, schema.definition(kind), "", &mut described);
    }
    let mut sent = BTreeSet::new();
    for event in runs::events() {
        collect_sent(event, "", &mut sent);
    }
    assert_eq!(described, sent);
    assert_eq!(EVENTS_MANUAL.items(&["FIELDS"], "Va"), described);
}

/// Fields that are objects whose own fields have names of ours.
const OBJECTS: [&str; 5] = ["run", "usage", "produced", "output", "alert"];

/// The name of a field in the manual: those of `run` are those of the top.
fn field_name(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn inner_prefix(name: &str) -> &str {
    if name == "run" { "" } else { name }
}

fn collect_described(schema: &Schema, described: &Value, prefix: &str, names: &mut BTreeSet<String>) {
    for (name, property) in schema.properties(described) {
        names.insert(field_name(prefix, name));
        if OBJECTS.contains(&name) {
            let inner = schema.definition(referred(property).expect("objects are definitions"));
            collect_described(schema, inner, inner_prefix(name), names);
        }
    }
}

fn collect_sent(object: &Value, prefix: &str, names: &mut BTreeSet<String>) {
    for (name, value) in object.as_object().expect("an object") {
        names.insert(field_name(prefix, name));
        if OBJECTS.contains(&&name[..]) {
            collect_sent(value, inner_prefix(name), names);
        }
    }
}

#[test]
fn the_variables_of_an_exec_sink_are_those_of_the_manual() {
    assert_eq!(runs::variables_of_exec_sink(), EVENTS_MANUAL.items(&["ENVIRONMENT"], "Ev"));
}

fn text(event: &Value, field: &str) -> Option<String> {
    event[field].as_str().map(str::to_owned)
}

/// Events are shown with line breaks between their fields, which JSON does not mind.
#[test]
fn the_events_that_the_manual_and_the_readme_show_are_valid() {
    let schema = Schema::parse(SCHEMA);
    let shown = EVENTS_MANUAL.displays().into_iter().map(|lines| lines.join("\n"));
    let mut events = 0;
    for text in shown.chain(examples::blocks("json").into_iter().map(str::to_owned)) {
        if !text.starts_with('{') {
            continue;
        }
        for event in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            let event = event.unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(schema.faults(&event), Vec::<String>::new(), "{event:#}");
            events += 1;
        }
    }
    assert!(events >= 4, "{events} events");
}
