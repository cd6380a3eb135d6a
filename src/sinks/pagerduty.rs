//! `pagerduty:ROUTING_KEY`: alerts by the Events API v2 (developer.pagerduty.com/docs/events-api-v2). A
//! trigger for the opening and each repetition, a resolve for the recovery, all under one deduplication key.
//! 202 means that PagerDuty has taken charge.

mod event;

use std::sync::Arc;

use serde_json::Value;

use super::http::{Answer, Client, Method, Request, Url, tell_each};
use super::probe::{Complaint, Probe};
use super::secret::Secret;
use super::{Opening, Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::notice::Notice;
use crate::redact::one_line;

/// Where events are taken, unless an option names another place: the region EU, or a test.
const ENDPOINT: &str = "https://events.pagerduty.com/v2/enqueue";

const HEADER: (&str, &str) = ("content-type", "application/json");

/// How long the routing keys are that PagerDuty gives out.
const KEY_LENGTH: usize = 32;

/// Longest reason of PagerDuty's that is quoted, in characters.
const QUOTED_MAX: usize = 300;

/// The sink.
struct PagerDuty {
    name: String,
    key: Secret,
    url: Url,
    client: Client,
}

/// A sink of a routing key, or of where one stands, with `?url=URL` for another place than PagerDuty's own.
///
/// # Errors
/// In words, without the key: what was written down as it is, is none; the URL is none.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let (key, url) = match opening.target.split_once('?') {
        None => (opening.target, ENDPOINT),
        Some((key, option)) => {
            let url = option.strip_prefix("url=");
            (key, url.ok_or("behind '?' stands an option that there is not; the only one is 'url'")?)
        }
    };
    let url = Url::parse(url).map_err(|why| format!("'url' cannot be used: {why}"))?;
    let key = Secret::new(key, opening.environment)?;
    let reference = key.reference();
    if reference.is_none() {
        routing_key(&key)?;
    }
    Ok(Arc::new(PagerDuty {
        name: format!("pagerduty:{}", reference.as_deref().unwrap_or("…")),
        key,
        url,
        client: Client::new(opening.variables),
    }))
}

/// The key, read where it stands. How long it is, is PagerDuty's affair; that it is one word is everybody's,
/// so that another file which was named by mistake is not sent.
fn routing_key(secret: &Secret) -> Result<String, String> {
    let key = secret.read()?;
    if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(key);
    }
    let place = secret.reference().map_or_else(|| "it".to_owned(), |place| format!("what '{place}' holds"));
    Err(format!("{place} is no routing key; that is one word of 32 letters and digits"))
}

impl Sink for PagerDuty {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        Pace::Waiting
    }

    fn confirms(&self) -> bool {
        true
    }

    fn answer(&self) -> Option<String> {
        self.client.last_answer()
    }

    fn wants(&self, topic: Topic) -> bool {
        topic == Topic::Alert
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        let (name, value) = HEADER;
        let request = |notice| {
            let body = event::body(notice, event::action(notice)?, "…");
            Some(format!("POST {}\n{name}: {value}\n\n{body}", self.url.secret_text()))
        };
        notices.iter().filter_map(request).collect()
    }

    fn probe(&self, deadline: Deadline) -> Probe {
        let mut concerns = self.key.concerns();
        let way = match routing_key(&self.key) {
            Ok(key) => {
                let length = key.len();
                if length != KEY_LENGTH || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    let what =
                        format!("a routing key has {KEY_LENGTH} letters and digits, and this one {length}");
                    let hint = "copy the Integration Key of an integration of the kind 'Events API v2'";
                    concerns.push(Complaint::new(what, hint));
                }
                self.client.probe(&self.url, deadline)
            }
            Err(why) => Err(self.key.complaint(why)),
        };
        Probe { way, concerns }
    }

    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        tell_each(notices, deadline, &mut |notice, deadline| self.tell(notice, deadline))
    }
}

impl PagerDuty {
    fn tell(&self, notice: &Notice, deadline: Deadline) -> Result<(), String> {
        let Some(action) = event::action(notice) else { return Ok(()) };
        let key = routing_key(&self.key)?;
        let answer = self.client.send(
            &Request {
                method: Method::POST,
                url: &self.url,
                headers: &[HEADER],
                body: event::body(notice, action, &key).as_bytes(),
            },
            deadline,
        )?;
        verdict(&answer, &self.url, &key)
    }
}

/// Whether PagerDuty has taken the event. Any other success than 202 is somebody else's: a page to log in at.
fn verdict(answer: &Answer, url: &Url, key: &str) -> Result<(), String> {
    let status = answer.status();
    if status == 202 {
        return Ok(());
    }
    let own = reason(answer.text()).filter(|reason| !reason.contains(key));
    let refusal = own.map_or_else(|| answer.refusal(url), |reason| format!("HTTP {status}: {reason}"));
    let doubt = answer.is_success() || status == 404;
    Err(if doubt { format!("{refusal}; PagerDuty answers 202; is 'url' right?") } else { refusal })
}

/// PURE. Why PagerDuty refuses an event, in one line: `message` and `errors` of its answer.
fn reason(body: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(body).ok()?;
    let message = answer.get("message").and_then(Value::as_str);
    let errors = answer.get("errors").and_then(Value::as_array);
    let errors: Vec<&str> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
    let errors = Some(errors.join("; ")).filter(|errors| !errors.is_empty());
    let parts: Vec<&str> = message.into_iter().chain(errors.as_deref()).collect();
    let reason = event::cut(&one_line(parts.join(": ").trim()), QUOTED_MAX).into_owned();
    (!reason.is_empty()).then_some(reason)
}

#[cfg(test)]
mod tests;
