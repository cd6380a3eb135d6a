//! What the manual says of `doctor` against what it prints.

use std::collections::BTreeSet;

use serde_json::Value;

use super::MANUAL;
use crate::support::Host;

#[test]
fn the_areas_and_the_fields_of_doctor_are_those_of_the_manual() {
    let host = Host::new();
    let doctor = host.cronward(["doctor", "--json"]).env("_CRONWARD_ROOT", host.path("root"));
    let ran = doctor.env("CRONWARD_TIMEUOT", "5m").run();
    let findings: Vec<Value> =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|why| panic!("{why}\n{ran}"));
    let area = |finding: &Value| finding["area"].as_str().expect("every finding has one").to_owned();
    let mut areas: BTreeSet<String> = findings.iter().map(area).collect();
    // Only root has it, and only where nobody has named a directory.
    areas.insert("users".to_owned());
    assert_eq!(MANUAL.items(&["DOCTOR"], "Cm"), areas);
    let fields = findings.iter().flat_map(|finding| finding.as_object().expect("an object").keys().cloned());
    assert_eq!(MANUAL.marked(&["DOCTOR"], "Va"), fields.collect::<BTreeSet<String>>());
}
