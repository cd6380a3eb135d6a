//! PURE. Events as CloudEvents 1.0 (github.com/cloudevents/spec, JSON event format): the event of the manual
//! as `data`, in an envelope that a receiver can route it by.

use crate::notice::{Audience, Notice, event_json};
use crate::redact::one_line;
use crate::sinks::http::json::Object;

/// The body of the request.
pub fn body(notice: &Notice) -> String {
    let label = notice.job.label.as_str();
    let mut event = Object::new();
    event.text("specversion", "1.0");
    // A delivery that is repeated keeps both, by which the receiver drops it.
    event.text("id", &notice.id.to_string());
    event.text("source", &source(&notice.job.host, label));
    event.text("type", &format!("dev.cronward.{}", notice.news.kind()));
    if let Some(subject) = attribute(label) {
        event.text("subject", &subject);
    }
    event.text("time", &notice.time.to_string());
    event.text("datacontenttype", "application/json");
    event.json("data", &event_json(notice, Audience::Away));
    event.end()
}

/// `/cronward/HOST/LABEL`, a URI reference (RFC 3986 section 4.1) whatever they are made of.
fn source(host: &str, label: &str) -> String {
    let mut source = "/cronward".to_owned();
    for segment in [host, label] {
        source.push('/');
        for byte in segment.bytes() {
            // The unreserved characters, section 2.3.
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                source.push(char::from(byte));
            } else {
                source.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    source
}

/// A text as the value of an attribute, which is not empty and has neither control characters nor what
/// Unicode calls noncharacters (CloudEvents, section Type System).
fn attribute(text: &str) -> Option<String> {
    let is_noncharacter = |c: char| matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    let value: String = one_line(text).chars().filter(|&c| !is_noncharacter(c)).collect();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::sinks::sample::{self, hostile};

    fn read(notice: &Notice) -> Value {
        serde_json::from_str(&body(notice)).unwrap()
    }

    #[test]
    fn the_event_stands_in_an_envelope_that_names_where_it_comes_from() {
        let notice = &sample::failed(sample::job("backup"))[1];
        let text = body(notice);
        assert!(text.ends_with(&format!(",\"data\":{}}}", event_json(notice, Audience::Away))), "{text}");
        let mut event = read(notice);
        let data = event.as_object_mut().unwrap().remove("data").unwrap();
        assert_eq!((&data["kind"], &data["id"]), (&json!("alert.opened"), &event["id"]));
        assert_eq!(
            event,
            json!({
                "specversion": "1.0",
                "id": notice.id.to_string(),
                "source": "/cronward/db1/backup",
                "type": "dev.cronward.alert.opened",
                "subject": "backup",
                "time": sample::ENDED_AT.to_string(),
                "datacontenttype": "application/json",
            })
        );
        // Arguments stay on the host.
        assert_eq!(data["run"]["argv"], json!(["pg_dump"]));
    }

    #[test]
    fn whatever_a_label_is_made_of_its_source_is_a_reference_of_its_own() {
        for (label, expected) in [
            ("a/b", "a%2Fb"),
            ("a%2Fb", "a%252Fb"),
            ("../x y", "..%2Fx%20y"),
            ("é?#", "%C3%A9%3F%23"),
            ("\n\"", "%0A%22"),
            ("n-i_g.h~t", "n-i_g.h~t"),
        ] {
            assert_eq!(source("db1.example", label), format!("/cronward/db1.example/{expected}"));
        }
    }

    #[test]
    fn a_label_of_nothing_that_may_stand_there_is_no_subject() {
        for (label, subject) in
            [("a\nb\u{1b}[31m", Some("a b")), ("\u{1}", None), ("x\u{ffff}\u{fdd0}\u{1fffe}", Some("x"))]
        {
            assert_eq!(attribute(label).as_deref(), subject, "{label:?}");
        }
    }

    proptest! {
        #[test]
        fn no_label_forges_anything(label in hostile(), host in hostile()) {
            let mut job = sample::job(&label);
            job.host = host.clone();
            let event = read(&sample::failed(job)[1]);
            let names: Vec<&String> = event.as_object().unwrap().keys().collect();
            prop_assert!(names.len() - usize::from(event.get("subject").is_some()) == 7, "{names:?}");
            prop_assert_eq!(&event["data"]["label"], &json!(label));
            let source = event["source"].as_str().unwrap();
            prop_assert_eq!(source.matches('/').count(), 3);
            let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/%-._~".contains(&byte);
            prop_assert!(source.bytes().all(is_safe), "{source}");
            let subject = event["subject"].as_str().unwrap_or("x");
            prop_assert!(!subject.is_empty() && !subject.contains(char::is_control), "{subject:?}");
        }
    }
}
