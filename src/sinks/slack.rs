//! `slack:URL`: alerts and recoveries as messages, by an incoming webhook of Slack's or of a server that
//! takes the same (docs.slack.dev, "Sending messages using incoming webhooks").
//!
//! A webhook knows no keys: what is delivered twice is shown twice, with the same alert in its context.

mod message;
mod text;

use std::sync::Arc;

use super::http::{Answer, Client, Method, Request, SecretUrl, Url};
use super::probe::Probe;
use super::{Opening, Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::notice::Notice;

/// Longest word of the receiver's own that is quoted, in bytes.
const WORD_MAX: usize = 60;

/// The sink.
struct Slack {
    name: String,
    webhook: SecretUrl,
    client: Client,
}

/// A sink of a webhook's URL, or of where that stands.
///
/// # Errors
/// In words: what was written down as it is, is no URL.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let webhook = SecretUrl::new(opening.target, opening.environment)?;
    Ok(Arc::new(Slack {
        name: format!("slack:{}", webhook.shown()),
        webhook,
        client: Client::new(opening.variables),
    }))
}

impl Sink for Slack {
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

    /// Nothing: most runs have no alert, and certificates that nobody needs are not read for them.
    fn prepare(&self) {}

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        let webhook = self.webhook.shown();
        notices.iter().map(|notice| format!("POST {webhook}\n{}", message::message(notice))).collect()
    }

    fn probe(&self, deadline: Deadline) -> Probe {
        self.webhook.probe(&self.client, deadline)
    }

    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        let url = self.webhook.url()?;
        notices.iter().try_for_each(|notice| self.tell(url, notice, deadline))
    }
}

impl Slack {
    fn tell(&self, url: &Url, notice: &Notice, deadline: Deadline) -> Result<(), String> {
        let mut answer = self.post(url, &message::message(notice), deadline)?;
        // It does not like what it was sent, as a server that knows other blocks might. A headline is more
        // than nothing.
        if answer.status() == 400 {
            answer = self.post(url, &message::headline(notice), deadline)?;
        }
        verdict(&answer, url)
    }

    fn post(&self, url: &Url, body: &str, deadline: Deadline) -> Result<Answer, String> {
        let headers = &[("content-type", "application/json; charset=utf-8")];
        let request = Request { method: Method::POST, url, headers, body: body.as_bytes() };
        self.client.send(&request, deadline)
    }
}

/// Whether the message was taken, and if not, why in Slack's own word and what to do.
fn verdict(answer: &Answer, url: &Url) -> Result<(), String> {
    let body = answer.text();
    if answer.is_success() && is_taken(body) {
        return Ok(());
    }
    let status = answer.status();
    let refusal = match word(body).filter(|word| !url.is_told_by(word)) {
        Some(word) => format!("HTTP {status}: {word}"),
        None if answer.is_success() => format!("HTTP {status}: the answer is not 'ok'"),
        None => answer.refusal(url),
    };
    let advice = match status {
        401 | 403 => "is the app still installed, and allowed to post there?",
        404 => "is the webhook still there? make a new one, and name its URL",
        410 => "the channel is archived or gone: name the URL of another one's webhook",
        _ => "is it the URL of a webhook for Slack's messages?",
    };
    Err(format!("{refusal}; {advice}"))
}

/// Slack and Mattermost say `ok`, others nothing at all or an object of JSON. A page, as of a proxy that
/// wants to be logged in to, and whatever else answers 200 to all and sundry, has taken no alert.
fn is_taken(body: &str) -> bool {
    let dense: String = body.split_ascii_whitespace().collect();
    let denies = [r#""ok":false"#, r#""success":false"#].iter().any(|denial| dense.contains(denial));
    body.is_empty() || body.eq_ignore_ascii_case("ok") || (body.starts_with('{') && !denies)
}

/// The body, if it is one word such as `channel_is_archived`. Slack sends it as `text/html`.
fn word(body: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    ((1..=WORD_MAX).contains(&body.len()) && body.bytes().all(fits)).then_some(body)
}

#[cfg(test)]
mod tests;
