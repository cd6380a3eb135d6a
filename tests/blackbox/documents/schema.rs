//! JSON Schema 2020-12, as far as the project's schema uses it. A keyword that is not known here is a
//! failure, so nothing in the schema goes unchecked.

use std::collections::BTreeSet;

use serde_json::Value;

/// A schema, with definitions that are referred to by `#/$defs/NAME`.
pub struct Schema(Value);

impl Schema {
    /// Of its text.
    pub fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("the schema is JSON"))
    }

    /// A definition.
    pub fn definition(&self, name: &str) -> &Value {
        self.0["$defs"].get(name).unwrap_or_else(|| panic!("no definition '{name}'"))
    }

    /// Names of the definitions that the whole schema chooses from.
    pub fn kinds(&self) -> BTreeSet<&str> {
        let choices = self.0["oneOf"].as_array().expect("the schema chooses by kind");
        choices.iter().map(|choice| target(choice["$ref"].as_str().expect("a reference"))).collect()
    }

    /// What is wrong with a value by the whole schema; empty if nothing is.
    pub fn faults(&self, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(&self.0, value, "", &mut faults);
        faults
    }

    /// Every property that a definition describes, those of what it refers to included: its name, and
    /// what is said of it.
    pub fn properties<'a>(&'a self, described: &'a Value) -> Vec<(&'a str, &'a Value)> {
        let mut found: Vec<(&str, &Value)> = Vec::new();
        if let Some(reference) = described["$ref"].as_str() {
            found.extend(self.properties(self.definition(target(reference))));
        }
        for part in described["allOf"].as_array().into_iter().flatten() {
            found.extend(self.properties(part));
        }
        for (name, property) in described["properties"].as_object().into_iter().flatten() {
            found.push((name, property));
        }
        found
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let keywords = schema.as_object().unwrap_or_else(|| panic!("a schema at '{at}'"));
        for (keyword, wanted) in keywords {
            let holds = match &keyword[..] {
                "$schema" | "$id" | "$defs" | "title" | "description" | "contentEncoding" | "format" => true,
                "$ref" => {
                    let referred = self.definition(target(wanted.as_str().expect("a reference")));
                    self.check(referred, value, at, faults);
                    true
                }
                "allOf" => {
                    list(wanted).for_each(|part| self.check(part, value, at, faults));
                    true
                }
                "oneOf" => list(wanted).filter(|part| self.holds(part, value)).count() == 1,
                "anyOf" => list(wanted).any(|part| self.holds(part, value)),
                "not" => !self.holds(wanted, value),
                "const" => value == wanted,
                "enum" => list(wanted).any(|allowed| allowed == value),
                "type" => is_of_type(value, wanted.as_str().expect("one type")),
                "minimum" => value.as_f64() >= wanted.as_f64(),
                "maximum" => value.as_f64() <= wanted.as_f64(),
                "minLength" => value.as_str().is_some_and(|text| text.chars().count() as u64 >= size(wanted)),
                "minItems" => value.as_array().is_some_and(|items| items.len() as u64 >= size(wanted)),
                "minProperties" => {
                    value.as_object().is_some_and(|object| object.len() as u64 >= size(wanted))
                }
                "pattern" => value.as_str().is_some_and(|text| fits(text, wanted.as_str().unwrap_or(""))),
                "required" => list(wanted).all(|name| has(value, name.as_str().expect("a name"))),
                "dependentRequired" => wanted.as_object().into_iter().flatten().all(|(name, needs)| {
                    !has(value, name) || list(needs).all(|need| has(value, need.as_str().expect("a name")))
                }),
                "items" => {
                    for (index, item) in list(value).enumerate() {
                        self.check(wanted, item, &format!("{at}[{index}]"), faults);
                    }
                    true
                }
                "properties" => {
                    for (name, property) in wanted.as_object().into_iter().flatten() {
                        if let Some(inner) = value.get(name) {
                            self.check(property, inner, &format!("{at}.{name}"), faults);
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    assert!(schema.get("properties").is_none(), "not known here beside 'properties'");
                    for (name, inner) in value.as_object().into_iter().flatten() {
                        self.check(wanted, inner, &format!("{at}.{name}"), faults);
                    }
                    true
                }
                unknown => panic!("keyword '{unknown}' at '{at}' is not known here"),
            };
            if !holds {
                faults.push(format!("'{at}' = {value} against {keyword}: {wanted}"));
            }
        }
    }

    fn holds(&self, schema: &Value, value: &Value) -> bool {
        let mut faults = Vec::new();
        self.check(schema, value, "", &mut faults);
        faults.is_empty()
    }
}

/// The definition that a reference or a property points at, if it does.
pub fn referred(property: &Value) -> Option<&str> {
    property["$ref"].as_str().map(target)
}

fn target(reference: &str) -> &str {
    reference.strip_prefix("#/$defs/").unwrap_or_else(|| panic!("reference '{reference}'"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn size(value: &Value) -> u64 {
    value.as_u64().expect("a size")
}

fn has(value: &Value, name: &str) -> bool {
    value.get(name).is_some()
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        unknown => panic!("type '{unknown}' is not known here"),
    }
}

/// Whether a text fits a regular expression: the three that the schema has, each read by hand.
fn fits(text: &str, pattern: &str) -> bool {
    let shape = |shape: &str| {
        text.len() == shape.len()
            && std::iter::zip(text.chars(), shape.chars()).all(|(found, wanted)| match wanted {
                'x' => found.is_ascii_digit() || ('a'..='f').contains(&found),
                '0' => found.is_ascii_digit(),
                'v' => "89ab".contains(found),
                other => found == other,
            })
    };
    match pattern {
        "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$" => {
            shape("xxxxxxxx-xxxx-7xxx-vxxx-xxxxxxxxxxxx")
        }
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$" => {
            shape("0000-00-00T00:00:00.000Z")
        }
        "^(SIG[A-Z0-9]+|signal [0-9]+)$" => match text.strip_prefix("signal ") {
            Some(number) => number.parse::<u8>().is_ok(),
            None => {
                text.len() > 3
                    && text.starts_with("SIG")
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
            }
        },
        unknown => panic!("pattern '{unknown}' is not known here"),
    }
}

/// An event of a kind, with these fields beside those that every event has.
fn event(kind: &str, more: Value) -> Value {
    let mut event = serde_json::json!({
        "version": 1, "kind": kind, "id": "01939c5e-0000-7000-8000-000000000000",
        "time": "2026-11-21T07:00:00.123Z", "label": "x", "host": "db1",
    });
    let fields = event.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    event
}

/// A run that has started.
fn started() -> Value {
    serde_json::json!({
        "pid": 7, "run_id": "01939c5e-0000-7000-8000-000000000000", "started_at": "2026-11-21T07:00:00.123Z",
    })
}

/// Every event with one of the fields replaced, or taken out by a null, is refused.
fn assert_refused(event: &Value, changes: &[(&str, Value)]) {
    let schema = Schema::parse(super::SCHEMA);
    assert_eq!(schema.faults(event), Vec::<String>::new(), "{event}");
    for (field, bad) in changes {
        let mut event = event.clone();
        let fields = event.as_object_mut().expect("an object");
        fields.remove(*field);
        if !bad.is_null() {
            fields.insert((*field).to_owned(), bad.clone());
        }
        assert!(!schema.faults(&event).is_empty(), "{field}: {bad}");
    }
}

#[test]
fn the_schema_refuses_what_is_no_event() {
    let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert_refused(
        &event("run.started", started()),
        &[
            ("version", json("2")),
            ("kind", "run.paused".into()),
            ("id", "01939c5e-0000-4000-8000-000000000000".into()),
            ("time", "2026-11-21T07:00:00Z".into()),
            ("label", "".into()),
            ("host", json("[null]")),
            ("pid", json("0")),
            ("outcome", "ok".into()),
            ("argv", json("[1]")),
            ("argv_base64", json(r#"["eA=="]"#)),
            ("tags", json(r#"{"a": 1}"#)),
        ],
    );
}

#[test]
fn the_schema_refuses_an_overdue_run_without_its_time_or_reason_or_with_an_end() {
    let mut overdue = event("run.overdue", started());
    overdue["duration_ms"] = 7_200_000.into();
    overdue["reason"] = "still running after 2h".into();
    assert_refused(
        &overdue,
        &[
            ("duration_ms", Value::Null),
            ("reason", Value::Null),
            ("reason", "".into()),
            ("pid", Value::Null),
            ("outcome", "ok".into()),
            ("alert", serde_json::json!({})),
        ],
    );
}

/// An alert is turned by a run that has ended or by something else that is said, never by both.
#[test]
fn the_schema_refuses_an_alert_that_nothing_has_turned() {
    let mut ended = started();
    ended["outcome"] = "failed".into();
    let alert = serde_json::json!({
        "id": "01939c5e-0000-7000-8000-000000000000", "key": "k", "failures": 1, "severity": "error",
        "opened_at": "2026-11-21T07:00:00.123Z", "changed": ["command changed"],
    });
    let by_run = event("alert.opened", serde_json::json!({ "run": ended, "alert": alert }));
    let both = ("reason", "still running".into());
    assert_refused(
        &by_run,
        &[both, ("run", Value::Null), ("run", started()), ("run", "x".into()), ("alert", Value::Null)],
    );
    let noticed = serde_json::json!({ "reason": "still running", "run": started(), "alert": alert });
    let noticed = event("alert.closed", noticed);
    assert_refused(&noticed, &[("reason", Value::Null), ("run", ended), ("reason", 1.into())]);
    let mut without_run = noticed;
    without_run.as_object_mut().expect("an object").remove("run");
    let nothing_changed = serde_json::json!({ "changed": [] });
    assert_refused(&without_run, &[("alert", nothing_changed)]);
}
