//! PURE. JSON objects, written field by field in the order in which a person is to read them. Types that
//! serialize themselves would take several times the room in the binary.

/// An object that is being written.
pub struct Object(String);

impl Object {
    /// An object without fields.
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    /// One more field: text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.json(name, &string(value));
    }

    /// One more field: a value that is JSON. Nothing is asked about the name; one that has been written
    /// before would stand there twice.
    pub fn json(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&string(name));
        self.0.push(':');
        self.0.push_str(value);
    }

    /// Whether it has no field.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    /// The whole object, as one line.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A text as JSON.
pub fn string(text: &str) -> String {
    // A string always serializes.
    serde_json::to_string(text).unwrap_or_default()
}

/// An array of values that are JSON.
pub fn array(values: &[String]) -> String {
    format!("[{}]", values.join(","))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::sinks::sample::hostile;

    #[test]
    fn fields_stand_in_the_order_in_which_they_were_written() {
        let mut inner = Object::new();
        assert!(inner.is_empty());
        inner.text("b", "é\n");
        assert!(!inner.is_empty());
        let mut object = Object::new();
        object.json("z", "1");
        object.json("a", &inner.end());
        object.json("list", &array(&[string("x"), string("\"")]));
        assert_eq!(object.end(), "{\"z\":1,\"a\":{\"b\":\"é\\n\"},\"list\":[\"x\",\"\\\"\"]}");
        assert_eq!((Object::new().end(), array(&[])), ("{}".to_owned(), "[]".to_owned()));
    }

    proptest! {
        #[test]
        fn no_text_is_more_than_one_field(name in hostile(), value in hostile()) {
            let mut object = Object::new();
            object.text("first", "1");
            object.text(&format!("x{name}"), &value);
            let read: Value = serde_json::from_str(&object.end()).unwrap();
            let expected = json!({ "first": "1", (format!("x{name}")): value });
            prop_assert_eq!(read, expected);
        }
    }
}
