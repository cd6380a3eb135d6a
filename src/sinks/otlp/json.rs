//! PURE. JSON as the protocol wants it (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): names in
//! camelCase, whole numbers of 64 bits as decimal text, enumerations as numbers. Written straight away: it keeps
//! the order in which it is made, and needs no tree of values in between.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::redact::one_line;

/// Longest value of an attribute, in bytes; what was cut ends in `…`.
const VALUE_MAX: usize = 1024;

/// A whole document or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(pub String);

impl Json {
    /// Text as it is.
    pub fn text(text: &str) -> Self {
        // A string always serializes.
        Self(serde_json::to_string(text).unwrap_or_default())
    }

    /// A number of an enumeration, or one of 32 bits.
    pub fn small(number: u32) -> Self {
        Self(number.to_string())
    }

    /// A whole number of 64 bits.
    pub fn whole(number: impl Display) -> Self {
        Self(format!("\"{number}\""))
    }

    /// A float; `None` of what JSON has no number for.
    pub fn float(number: f64) -> Option<Self> {
        number.is_finite().then(|| Self(serde_json::to_string(&number).unwrap_or_default()))
    }

    /// An array.
    pub fn array(items: &[Self]) -> Self {
        let mut written = String::from("[");
        for (at, Self(item)) in items.iter().enumerate() {
            written.push_str(if at > 0 { "," } else { "" });
            written.push_str(item);
        }
        written.push(']');
        Self(written)
    }

    /// An object of names that need no escape.
    pub fn object(fields: &[(&str, Self)]) -> Self {
        let mut written = String::from("{");
        for (at, (name, Self(value))) in fields.iter().enumerate() {
            written.push_str(if at > 0 { ",\"" } else { "\"" });
            written.push_str(name);
            written.push_str("\":");
            written.push_str(value);
        }
        written.push('}');
        Self(written)
    }
}

/// Attributes, of which no two may have the same key ("Common specification concepts"): the first is kept, so that
/// a tag replaces nothing that is ours.
#[derive(Debug, Default)]
pub struct Attributes {
    keys: BTreeSet<String>,
    items: Vec<Json>,
}

impl Attributes {
    /// Adds a text, on one line and without anything that a terminal would obey.
    pub fn text(&mut self, key: &str, value: &str) {
        self.put(key, text_value(value));
    }

    /// Adds a text of several lines, as it is.
    pub fn lines(&mut self, key: &str, value: &str) {
        self.put(key, Json::object(&[("stringValue", Json::text(value))]));
    }

    /// Adds a whole number.
    pub fn whole(&mut self, key: &str, value: impl Display) {
        self.put(key, Json::object(&[("intValue", Json::whole(value))]));
    }

    /// Adds a float.
    pub fn float(&mut self, key: &str, value: f64) {
        if let Some(value) = Json::float(value) {
            self.put(key, Json::object(&[("doubleValue", value)]));
        }
    }

    /// Adds a list of texts, if there are any.
    pub fn texts<'a>(&mut self, key: &str, values: impl Iterator<Item = &'a str>) {
        let values: Vec<Json> = values.map(text_value).collect();
        if !values.is_empty() {
            let list = Json::object(&[("values", Json::array(&values))]);
            self.put(key, Json::object(&[("arrayValue", list)]));
        }
    }

    /// The array.
    pub fn json(&self) -> Json {
        Json::array(&self.items)
    }

    fn put(&mut self, key: &str, value: Json) {
        let key = cut(&one_line(key));
        if !key.is_empty() && !self.keys.contains(&key) {
            self.items.push(Json::object(&[("key", Json::text(&key)), ("value", value)]));
            self.keys.insert(key);
        }
    }
}

fn text_value(value: &str) -> Json {
    Json::object(&[("stringValue", Json::text(&cut(&one_line(value))))])
}

/// The text in at most [`VALUE_MAX`] bytes.
pub fn cut(text: &str) -> String {
    const CUT: &str = "…";
    if text.len() <= VALUE_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(VALUE_MAX - CUT.len());
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::sinks::sample;

    fn parsed(json: &Json) -> Value {
        serde_json::from_str(&json.0).unwrap()
    }

    #[test]
    fn whole_numbers_are_text_and_floats_are_numbers() {
        let mut all = Attributes::default();
        all.whole("int", i64::MIN);
        all.float("double", 1e300);
        all.float("whole", 3.0);
        all.float("none", f64::NAN);
        all.float("neither", f64::INFINITY);
        all.texts("list", ["a", "\u{1b}[31mb\n"].into_iter());
        all.texts("empty", [].into_iter());
        assert_eq!(
            parsed(&all.json()),
            json!([
                {"key": "int", "value": {"intValue": "-9223372036854775808"}},
                {"key": "double", "value": {"doubleValue": 1e300}},
                {"key": "whole", "value": {"doubleValue": 3.0}},
                {"key": "list", "value": {"arrayValue": {"values": [
                    {"stringValue": "a"}, {"stringValue": "b "},
                ]}}},
            ])
        );
    }

    #[test]
    fn of_two_attributes_with_one_key_the_first_is_kept_and_one_without_a_key_is_none() {
        let mut all = Attributes::default();
        for (key, value) in
            [("task", "ours"), ("task", "forged"), ("", "x"), ("\u{1b}", "x"), ("ta\nsk", "y")]
        {
            all.text(key, value);
        }
        let text = |key, value| json!({"key": key, "value": {"stringValue": value}});
        assert_eq!(parsed(&all.json()), json!([text("task", "ours"), text("ta sk", "y")]));
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_shows_it() {
        assert_eq!(cut(&"x".repeat(VALUE_MAX)).len(), VALUE_MAX);
        let long = cut(&"é".repeat(VALUE_MAX));
        assert!(long.ends_with("é…") && long.len() > VALUE_MAX - 4 && long.len() <= VALUE_MAX, "{long}");
    }

    proptest! {
        #[test]
        fn no_text_is_more_than_one_value(key in sample::hostile(), value in sample::hostile()) {
            let mut all = Attributes::default();
            all.text(&key, &value);
            all.lines("lines", &value);
            let all = parsed(&all.json());
            let items = all.as_array().unwrap();
            prop_assert!(items.len() <= 2);
            let lines = items.last().unwrap();
            prop_assert_eq!(lines, &json!({"key": "lines", "value": {"stringValue": value}}));
        }
    }
}
