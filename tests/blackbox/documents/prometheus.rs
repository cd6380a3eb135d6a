//! What Prometheus is told against the manual and the rules that are shipped: no rule waits for a name that
//! never comes. That Prometheus takes them is seen by `tests/interop`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

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
