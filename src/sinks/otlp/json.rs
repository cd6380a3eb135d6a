//! PURE. JSON as the protocol wants it (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): names in
//! camelCase, whole numbers of 64 bits as decimal text, enumerations as numbers. Written straight away: it keeps
//! the order in which it is made, and needs no tree of values in between.

use crate::redact::one_line;

/// Longest value of an attribute, in bytes; what was cut ends in `…`.
const VALUE_MAX: usize = 1024;

/// A document in the making. What has a name is a field of the object that was begun last, what has none an element of
/// the array.
#[derive(Debug, Default)]
pub struct Json(pub String);

impl Json {
    /// Begins an object or an array, by its opening bracket.
    pub fn begin(&mut self, name: &str, bracket: char) {
        self.name(name);
        self.0.push(bracket);
    }

    /// Ends what was begun last, by its closing bracket.
    pub fn end(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    /// Text as it is.
    pub fn text(&mut self, name: &str, text: &str) {
        // A string always serializes.
        self.raw(name, &serde_json::to_string(text).unwrap_or_default());
    }

    /// What is JSON already: a number of an enumeration, or one of 32 bits.
    pub fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.push_str(json);
    }

    /// A whole number of 64 bits.
    pub fn whole(&mut self, name: &str, number: u64) {
        self.text(name, &number.to_string());
    }

    /// A float, if it is a number that JSON has.
    pub fn float(&mut self, name: &str, number: f64) {
        // What is not finite becomes `null`, which stands for no value at all.
        self.raw(name, &serde_json::to_string(&number).unwrap_or_default());
    }

    fn name(&mut self, name: &str) {
        if !self.0.is_empty() && !self.0.ends_with(['{', '[']) {
            self.0.push(',');
        }
        if !name.is_empty() {
            self.0.push('"');
            self.0.push_str(name);
            self.0.push_str("\":");
        }
    }
}

/// Attributes in the making, of which no two may have the same key ("Common specification concepts"): the first is kept,
/// so that a tag replaces nothing that is ours.
pub struct Attributes<'a> {
    json: &'a mut Json,
    keys: Vec<String>,
}

impl<'a> Attributes<'a> {
    /// Begins the attributes of the object that was begun last.
    pub fn begin(json: &'a mut Json) -> Self {
        json.begin("attributes", '[');
        Self { json, keys: Vec::new() }
    }

    /// There are no more.
    pub fn end(self) {
        self.json.end(']');
    }

    /// Adds a text, on one line and without anything that a terminal would obey.
    pub fn text(&mut self, key: &str, value: &str) {
        self.lines(key, &plain(value));
    }

    /// Adds a text of several lines, as it is.
    pub fn lines(&mut self, key: &str, value: &str) {
        if self.is_new(key) {
            self.json.text("stringValue", value);
            self.json.0.push_str("}}");
        }
    }

    /// Adds a whole number.
    pub fn whole(&mut self, key: &str, value: u64) {
        if self.is_new(key) {
            self.json.whole("intValue", value);
            self.json.0.push_str("}}");
        }
    }

    /// Adds a float, which has to be finite.
    pub fn float(&mut self, key: &str, value: f64) {
        if self.is_new(key) {
            self.json.float("doubleValue", value);
            self.json.0.push_str("}}");
        }
    }

    /// Adds a list of texts, if there are any.
    pub fn texts(&mut self, key: &str, values: &[&str]) {
        if !values.is_empty() && self.is_new(key) {
            self.json.begin("arrayValue", '{');
            self.json.begin("values", '[');
            for value in values {
                self.json.begin("", '{');
                self.json.text("stringValue", &plain(value));
                self.json.end('}');
            }
            self.json.0.push_str("]}}}");
        }
    }

    /// Begins the attribute of this key, if there is none yet.
    fn is_new(&mut self, key: &str) -> bool {
        let key = plain(key);
        if key.is_empty() || self.keys.contains(&key) {
            return false;
        }
        self.json.begin("", '{');
        self.json.text("key", &key);
        self.json.begin("value", '{');
        self.keys.push(key);
        true
    }
}

/// A text on one line, of which a terminal obeys nothing, in at most [`VALUE_MAX`] bytes.
pub fn plain(text: &str) -> String {
    cut(&one_line(text))
}

/// The text in at most [`VALUE_MAX`] bytes.
fn cut(text: &str) -> String {
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

    /// What these attributes come to.
    fn written(fill: impl FnOnce(&mut Attributes<'_>)) -> Value {
        let mut json = Json::default();
        json.begin("", '{');
        let mut all = Attributes::begin(&mut json);
        fill(&mut all);
        all.end();
        json.end('}');
        serde_json::from_str::<Value>(&json.0).unwrap()["attributes"].clone()
    }

    #[test]
    fn whole_numbers_are_text_and_floats_are_numbers() {
        let found = written(|all| {
            all.whole("int", u64::MAX);
            all.float("double", 1e300);
            all.float("three", 3.0);
            all.texts("list", &["a", "\u{1b}[31mb\n"]);
            all.texts("empty", &[]);
            all.lines("lines", "a\nb");
        });
        assert_eq!(
            found,
            json!([
                {"key": "int", "value": {"intValue": "18446744073709551615"}},
                {"key": "double", "value": {"doubleValue": 1e300}},
                {"key": "three", "value": {"doubleValue": 3.0}},
                {"key": "list", "value": {"arrayValue": {"values": [
                    {"stringValue": "a"}, {"stringValue": "b "},
                ]}}},
                {"key": "lines", "value": {"stringValue": "a\nb"}},
            ])
        );
    }

    #[test]
    fn of_two_attributes_with_one_key_the_first_is_kept_and_one_without_a_key_is_none() {
        let found = written(|all| {
            for (key, value) in
                [("task", "ours"), ("task", "forged"), ("", "x"), ("\u{1b}", "x"), ("ta\nsk", "y")]
            {
                all.text(key, value);
            }
        });
        let text = |key, value| json!({"key": key, "value": {"stringValue": value}});
        assert_eq!(found, json!([text("task", "ours"), text("ta sk", "y")]));
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
            let all = written(|all| {
                all.text(&key, &value);
                all.lines("lines", &value);
            });
            let items = all.as_array().unwrap();
            prop_assert!(items.len() <= 2);
            let lines = items.last().unwrap();
            prop_assert_eq!(lines, &json!({"key": "lines", "value": {"stringValue": value}}));
        }
    }
}
