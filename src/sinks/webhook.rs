//! `webhook:URL`: events as CloudEvents 1.0 in structured mode, one a request, signed as Standard Webhooks
//! 1.0.0 if there is a secret. An answer of 2xx means that somebody has taken charge.

mod envelope;
mod signature;

use std::sync::Arc;

use super::http::{Answer, Client, Method, Request, SecretUrl, Url, tell_each};
use super::probe::Probe;
use super::secret::Secret;
use super::{Opening, Pace, Sink, Topic, options_of_url};
use crate::clock::{Deadline, Timestamp};
use crate::notice::Notice;
use signature::SigningKey;

/// CloudEvents, HTTP protocol binding, section 3.2.
const CONTENT_TYPE: (&str, &str) = ("content-type", "application/cloudevents+json");

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// The sink.
struct Webhook {
    name: String,
    url: SecretUrl,
    /// What requests are signed with, in words.
    secret: Option<Secret>,
    events: Events,
    client: Client,
}

/// Which notices are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Events {
    Alerts,
    AlertsAndOverdue,
    All,
}

/// A sink of a URL, or of where one stands, with options behind `#`.
///
/// # Errors
/// In words, without anything of the target, in which any part may be a secret: a bad URL, option or secret.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let (target, options) = options_of_url(opening.target)?;
    let (mut events, mut secret) = (Events::AlertsAndOverdue, None);
    for (name, value) in options {
        match (name, value) {
            ("secret", text) => {
                let given = Secret::new(text, opening.environment)?;
                if given.reference().is_none() {
                    SigningKey::read(&given)?;
                }
                secret = Some(given);
            }
            ("events", "all") => events = Events::All,
            ("events", "alerts") => events = Events::Alerts,
            ("events", _) => return Err("'events' is neither 'all' nor 'alerts'".to_owned()),
            _ => {
                return Err("behind '#' stands an unknown option; there are 'secret' and 'events'".to_owned());
            }
        }
    }
    let url = SecretUrl::new(target, opening.environment)?;
    Ok(Arc::new(Webhook {
        name: format!("webhook:{}", url.shown()),
        url,
        secret,
        events,
        client: Client::new(opening.variables),
    }))
}

impl Sink for Webhook {
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
        match topic {
            Topic::Alert => true,
            Topic::Overdue => self.events != Events::Alerts,
            Topic::Start | Topic::End => self.events == Events::All,
            Topic::Standing | Topic::Alive => false,
        }
    }

    /// Only where every run is told of: certificates need not be read for an alert that may never come.
    fn prepare(&self) {
        if let (Events::All, Ok(url)) = (self.events, self.url.url()) {
            self.client.prepare(url);
        }
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        let (name, value) = CONTENT_TYPE;
        let request = |notice: &Notice| {
            let mut text = format!("POST {}\n{name}: {value}\n", self.url.shown());
            if self.secret.is_some() {
                let made = "(made when it is sent)";
                text.push_str(&format!("{ID}: {}\n{TIMESTAMP}: {made}\n{SIGNATURE}: v1,{made}\n", notice.id));
            }
            text + "\n" + &envelope::body(notice)
        };
        notices.iter().map(request).collect()
    }

    fn probe(&self, deadline: Deadline) -> Probe {
        let mut probe = self.url.probe(&self.client, deadline);
        if let Some(secret) = &self.secret {
            if let Err(why) = SigningKey::read(secret) {
                probe.way = Err(secret.complaint(why));
            }
            probe.concerns.extend(secret.concerns());
        }
        probe
    }

    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        let url = self.url.url()?;
        let key = self.secret.as_ref().map(SigningKey::read).transpose()?;
        tell_each(notices, deadline, &mut |notice, deadline| self.tell(url, key.as_ref(), notice, deadline))
    }
}

impl Webhook {
    /// The time of the signature is that of the first attempt: a deadline is shorter than the five minutes
    /// that receivers allow.
    fn tell(
        &self,
        url: &Url,
        key: Option<&SigningKey>,
        notice: &Notice,
        deadline: Deadline,
    ) -> Result<(), String> {
        let body = envelope::body(notice);
        let (id, timestamp) = (notice.id.to_string(), Timestamp::now().as_seconds().to_string());
        let signature = key.map(|key| key.sign(&id, &timestamp, &body));
        let mut headers = vec![CONTENT_TYPE];
        if let Some(signature) = &signature {
            headers.extend([(ID, &id[..]), (TIMESTAMP, &timestamp), (SIGNATURE, signature)]);
        }
        let request = Request { method: Method::POST, url, headers: &headers, body: body.as_bytes() };
        verdict(&self.client.send(&request, deadline)?, url, key.is_some())
    }
}

/// Whether the receiver has taken the event.
fn verdict(answer: &Answer, url: &Url, is_signed: bool) -> Result<(), String> {
    if answer.is_success() {
        return Ok(());
    }
    let hint = match answer.status() {
        404 | 410 => "; is the URL right?",
        401 | 403 if is_signed => "; is the secret right?",
        401 | 403 => "; does it want a secret?",
        _ => "",
    };
    Err(answer.refusal(url) + hint)
}

#[cfg(test)]
mod tests;
