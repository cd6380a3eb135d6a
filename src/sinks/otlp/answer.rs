//! PURE. What a collector says in the body of an answer: how much of what it was sent it has rejected, and why. Looked for
//! by name, wherever it stands: a name in its quotes is found in no text, where they would be written as `\"`.

/// How many records, data points or spans were rejected.
pub fn rejected(body: &str) -> u64 {
    let names = ["rejectedLogRecords", "rejectedDataPoints", "rejectedSpans"];
    let numbers = names.into_iter().filter_map(|name| {
        // As a whole number of 64 bits it stands in quotes, and from some without.
        let value = value(body, name)?.trim_start_matches('"');
        let end = value.bytes().take_while(u8::is_ascii_digit).count();
        value[..end].parse::<u64>().ok()
    });
    numbers.sum()
}

/// The text of this name, if it can be read and shown as it stands.
pub fn words<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (text, _) = value(body, name)?.strip_prefix('"')?.split_once('"')?;
    (!text.is_empty() && !text.contains(|c: char| c == '\\' || c.is_control())).then_some(text)
}

/// What stands behind a name and its colon.
fn value<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = body.split_once(&format!("\"{name}\""))?;
    Some(behind.trim_start().strip_prefix(':')?.trim_start())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_rejected_is_counted_and_what_only_looks_so_is_not() {
        for (body, count) in [
            ("", 0),
            ("OK", 0),
            ("{}", 0),
            (r#"{"partialSuccess":null}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"0"}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"12","errorMessage":"x"}}"#, 12),
            (r#"{"partialSuccess":{"rejectedLogRecords": 3 }}"#, 3),
            ("{\"partialSuccess\" : {\n\"rejectedDataPoints\"\t:\n\"7\"}}", 7),
            (r#"{"partialSuccess":{"errorMessage":"\"rejectedSpans\":3"}}"#, 0),
            (r#"{"partialSuccess":{"errorMessage":"rejectedSpans"}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"#, 0),
            (r#"{"rejectedSpans":-1}"#, 0),
        ] {
            assert_eq!(rejected(body), count, "{body}");
        }
    }

    #[test]
    fn words_are_read_only_if_they_stand_as_they_are() {
        for (body, found) in [
            (r#"{"code":3,"message":"bad data"}"#, Some("bad data")),
            (r#"{"message" : "bad data"}"#, Some("bad data")),
            (r#"{"message":""}"#, None),
            (r#"{"message":"a\nb"}"#, None),
            (r#"{"message":"cut"#, None),
            (r#"{"message":3}"#, None),
            ("message", None),
        ] {
            assert_eq!(words(body, "message"), found, "{body}");
        }
    }

    proptest! {
        #[test]
        fn they_are_those_that_a_reader_of_json_finds(count in any::<u64>(), text in "\\PC{0,30}|.{0,30}") {
            let body = json!({"partialSuccess": {"errorMessage": text, "rejectedSpans": count.to_string()}}).to_string();
            prop_assert_eq!(rejected(&body), count);
            let plain = !text.is_empty() && !text.contains(|c: char| c.is_control() || c == '"' || c == '\\');
            prop_assert_eq!(words(&body, "errorMessage"), plain.then_some(&text[..]));
        }
    }
}
