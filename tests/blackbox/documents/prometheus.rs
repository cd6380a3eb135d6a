//! What Prometheus is told against the manual and the rules that are shipped: no rule waits for a name that
//! never comes. That Prometheus takes them is seen by `tests/interop`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::MANUAL;
use super::examples::example;
use crate::support::Host;
use crate::support::exposition::parse;

/// Names and types of all that is written by runs of every ending and by a check, without the namespace.
fn written() -> BTreeMap<String, String> {
    let host = Host::new();
    fs::create_dir(host.path("metrics")).expect("a directory in the temporary one");
    let sink = format!("textfile:{}", host.path("metrics").display());
    let report = "echo rows=1 >>$CRONWARD_RUN_REPORT; echo tag:db=shop >>$CRONWARD_RUN_REPORT";
    for (label, line) in [("ok", report), ("failed", "exit 3"), ("signaled", "kill -KILL $$")] {
        host.wrap(&["-l", label, "--sink", &sink], line).run();
    }
    host.cronward(["check"]).env("CRONWARD_SINK", &sink).run();
    let mut written = BTreeMap::new();
    for entry in fs::read_dir(host.path("metrics")).expect("our own directory").flatten() {
        let text = fs::read_to_string(entry.path()).expect("text");
        for family in parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}")) {
            let name = family.name.strip_prefix("cronward_").expect("the namespace");
            let before = written.insert(name.to_owned(), family.kind.clone());
            assert!(before.is_none_or(|kind| kind == family.kind), "{name} is of two types");
        }
    }
    written
}

#[test]
fn the_names_that_prometheus_is_told_are_those_of_the_manual() {
    let mut documented = BTreeMap::new();
    for words in MANUAL.heads(&["PROMETHEUS"]) {
        let end = words.iter().position(|word| *word == "Pq").expect("a type");
        let names = words[1..end].iter().filter(|word| **word != ",");
        documented.extend(names.map(|name| ((*name).to_owned(), words[end + 1].to_owned())));
    }
    assert_eq!(written(), documented);
}

#[test]
fn the_rules_for_text_files_ask_for_what_is_written() {
    let rules = example("prometheus-textfile-rules.yml");
    assert!(!rules.contains('\t'), "YAML has no tabs");
    // With the colons of names that the rules record themselves.
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
    let asked: BTreeSet<&str> = words.filter_map(|word| word.strip_prefix("cronward_")).collect();
    assert!(asked.len() >= 5, "{asked:?}");
    let written = written();
    assert_eq!(
        asked.iter().filter(|name| !written.contains_key(**name)).collect::<Vec<_>>(),
        Vec::<&&str>::new()
    );
}

/// What a dashboard of Grafana asks Prometheus for: the queries of its panels and of its variables.
fn queries(dashboard: &Value) -> Vec<String> {
    let list = |value: &Value, at: &str| {
        value.pointer(at).and_then(Value::as_array).unwrap_or_else(|| panic!("no {at}: {value:#}")).clone()
    };
    let targets = list(dashboard, "/panels").into_iter().flat_map(|panel| list(&panel, "/targets"));
    let of_targets = targets.map(|target| target["expr"].as_str().expect("an expression").to_owned());
    let variables = list(dashboard, "/templating/list").into_iter();
    let of_variables = variables.filter(|variable| variable["type"] == "query");
    let of_variables = of_variables.map(|variable| variable["query"].as_str().expect("a query").to_owned());
    of_targets.chain(of_variables).collect()
}

#[test]
fn the_dashboard_asks_for_what_is_written_and_for_outcomes_that_there_are() {
    let dashboard: Value = serde_json::from_str(&example("grafana-dashboard.json")).expect("JSON");
    let (written, outcomes) = (written(), MANUAL.items(&["OUTCOMES"], "Cm"));
    let queries = queries(&dashboard);
    assert!(queries.len() >= 10, "{queries:?}");
    for query in &queries {
        let words: Vec<&str> = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let asked: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix("cronward_")).collect();
        assert!(!asked.is_empty(), "{query}");
        for name in asked {
            assert!(written.contains_key(name), "no {name}: {query}");
        }
        let listed = query.split("outcome=~\"").nth(1).and_then(|rest| rest.split('"').next());
        for outcome in listed.into_iter().flat_map(|list| list.split('|')) {
            assert!(outcomes.contains(outcome), "no outcome {outcome}: {query}");
        }
    }
}

#[test]
fn the_panels_of_the_dashboard_do_not_overlap_and_each_has_a_number_of_its_own() {
    let dashboard: Value = serde_json::from_str(&example("grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("a list");
    let (mut numbers, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(numbers.insert(panel["id"].as_u64().expect("a number")), "twice: {panel:#}");
        let edge = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
        // Grafana's grid has 24 columns.
        assert!(edge("x") + edge("w") <= 24, "{panel:#}");
        for cell in (edge("x")..edge("x") + edge("w"))
            .flat_map(|x| (edge("y")..edge("y") + edge("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert(cell), "overlaps: {panel:#}");
        }
    }
}
