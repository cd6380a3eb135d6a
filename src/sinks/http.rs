//! The client of every sink that speaks HTTP. One deadline for all of it: look-up, connection, TLS,
//! request, answer, and every further attempt. Nothing is read or built before the first request or
//! [`Client::prepare`]. A redirect is not followed: a request that carries a secret goes where it was
//! sent, and nowhere else.

mod failure;
pub mod json;
mod look;
mod proxy;
mod retry;
mod secret_url;
mod trust;
mod turns;
mod url;

#[cfg(test)]
#[path = "../../tests/blackbox/support/http.rs"]
pub mod scripted;

use std::io::Read;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::header::{LOCATION, RETRY_AFTER};
use ureq::http::{HeaderMap, Request as Wire, Response, StatusCode};
use ureq::tls::TlsConfig;

use crate::clock::Deadline;
use crate::plan::Variables;
use failure::{Failure, Kind};
use retry::Next;

pub use secret_url::SecretUrl;
pub use turns::tell_each;
pub use ureq::http::Method;
pub use url::{TELLING, Url};

const USER_AGENT: &str = concat!("cronward/", env!("CARGO_PKG_VERSION"));

/// How much of an answer's body is read, in bytes.
const BODY_MAX: u64 = 4096;

/// Longest time that is spent on an answer's body once its status is known.
const BODY_LIMIT: Duration = Duration::from_secs(1);

/// Buffers of a connection, in bytes: requests and answers are small.
const BUFFER: usize = 16 * 1024;

/// Longest line of an answer that is quoted, in bytes.
pub const QUOTED_MAX: usize = 120;

/// A client with connections and certificates of its own, to be kept for as long as its sink.
pub struct Client {
    variables: Variables,
    /// The variable that names the certificates to trust, if not the usual one does.
    certificates: Option<String>,
    /// The only statuses after which a request is sent again; `None`: all that may pass.
    passing: Option<&'static [u16]>,
    /// Once somebody needed it. Only success is kept: a file of certificates that was not there at the
    /// start of a run may be there at its end.
    agent: Mutex<Option<Agent>>,
    /// Status of the last answer; 0: there was none.
    answered: AtomicU16,
}

/// What is to be sent.
pub struct Request<'a> {
    /// POST or PUT.
    pub method: Method,
    /// Where to.
    pub url: &'a Url,
    /// Names and values beside those that every request has.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

/// What the receiver said: anything but 429, 5xx and a redirect.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    /// A client for receivers that may be reached by the proxy and trusted by the certificates that these
    /// variables name.
    pub fn new(variables: &Variables) -> Self {
        Self {
            variables: variables.clone(),
            certificates: None,
            passing: None,
            agent: Mutex::new(None),
            answered: AtomicU16::new(0),
        }
    }

    /// This client, trusting the certificates that another variable names.
    pub fn trusting(self, variable: Option<String>) -> Self {
        Self { certificates: variable, ..self }
    }

    /// This client, sending again only what was answered by one of these statuses, or not at all.
    pub fn retrying(self, statuses: &'static [u16]) -> Self {
        Self { passing: Some(statuses), ..self }
    }

    /// Gets ready for requests to this URL: reads the certificates that are trusted.
    pub fn prepare(&self, url: &Url) {
        // Whoever sends will be told why it is not ready.
        let _ = self.agent(url);
    }

    /// Sends a request and waits for the answer. One that could not be delivered, or was answered by 429
    /// or 5xx, is sent again as long as there is time.
    ///
    /// # Errors
    /// In words, of the last attempt, without path and query of the URL: `HTTP 503`, `connection refused`,
    /// `timed out`.
    pub fn send(&self, request: &Request<'_>, deadline: Deadline) -> Result<Answer, String> {
        let agent = self.agent(request.url)?;
        let mut failures = 0;
        let mut before = None;
        loop {
            let (words, asked) = match attempt(&agent, request, deadline.left()) {
                Ok(answer) => {
                    let lasts = self.passing.is_some_and(|statuses| !statuses.contains(&answer.status()));
                    match retry::next(answer.status(), answer.header(LOCATION.as_str()).is_some()) {
                        Next::Keep => {
                            self.answered.store(answer.status(), Ordering::Relaxed);
                            return Ok(answer);
                        }
                        Next::TryAgain if lasts => return Ok(answer),
                        Next::GoElsewhere => return Err(answer.elsewhere(request.url)),
                        Next::TryAgain => {
                            let asked = answer.header(RETRY_AFTER.as_str()).and_then(retry::retry_after);
                            (format!("HTTP {}", answer.status()), asked)
                        }
                    }
                }
                Err(Failure { words, kind }) => match kind {
                    Kind::Passing => (words, None),
                    Kind::Lasting => return Err(words),
                    // What kept it from succeeding is what the attempts before it met.
                    Kind::TimedOut => return Err(before.unwrap_or(words)),
                },
            };
            failures += 1;
            let Some(pause) = retry::pause(failures, asked, deadline.left()) else { return Err(words) };
            thread::sleep(pause);
            before = Some(words);
        }
    }

    /// What the receiver answered last, for people: `HTTP 202`.
    pub fn last_answer(&self) -> Option<String> {
        let status = self.answered.load(Ordering::Relaxed);
        (status > 0).then(|| format!("HTTP {status}"))
    }

    /// The agent for the receiver of this URL, of which a client has one.
    fn agent(&self, url: &Url) -> Result<Agent, String> {
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        match &*agent {
            Some(ready) => Ok(ready.clone()),
            None => Ok(agent.insert(self.new_agent(url)?).clone()),
        }
    }

    fn new_agent(&self, url: &Url) -> Result<Agent, String> {
        let proxy = proxy::for_url(url, &self.variables)?;
        let mut tls = TlsConfig::builder();
        if url.is_https() {
            tls = tls
                .root_certs(trust::roots(self.certificates.as_deref(), &self.variables)?)
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        }
        let config = Agent::config_builder()
            .proxy(proxy)
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(USER_AGENT)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER);
        Ok(config.build().new_agent())
    }
}

/// One attempt, which takes no longer than is left.
fn attempt(agent: &Agent, request: &Request<'_>, left: Duration) -> Result<Answer, Failure> {
    let failed = |error: &ureq::Error| {
        let Failure { words, kind } = failure::of(error, request.url);
        let by =
            agent.config().proxy().map(|proxy| format!(" (by the proxy {}:{})", proxy.host(), proxy.port()));
        Failure { words: words + &by.unwrap_or_default(), kind }
    };
    let mut wire = Wire::builder().method(request.method.clone()).uri(request.url.secret_text());
    for (name, value) in request.headers {
        wire = wire.header(*name, *value);
    }
    let wire = wire.body(request.body).map_err(|error| failed(&error.into()))?;
    let wire =
        agent.configure_request(wire).timeout_global(Some(left)).timeout_recv_body(Some(BODY_LIMIT)).build();
    agent.run(wire).map(Answer::read).map_err(|error| failed(&error))
}

impl Answer {
    /// The answer with the beginning of its body. A body that comes too slowly or breaks off takes
    /// nothing from the status.
    fn read(response: Response<ureq::Body>) -> Self {
        let (head, body) = response.into_parts();
        let mut read = Vec::new();
        let _ = body.into_reader().take(BODY_MAX).read_to_end(&mut read);
        Self { status: head.status, headers: head.headers, body: read }
    }

    /// The status, 100 to 999.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Whether the receiver has done what it was asked to.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The beginning of the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Why the request to this URL was refused: `HTTP 409: ambiguous slug` in the receiver's own words if
    /// it has a few plain ones, else in those of the standard, `HTTP 404: not found`.
    pub fn refusal(&self, url: &Url) -> String {
        let status = self.status();
        let reason = self.own_words().filter(|words| !url.is_told_by(words)).map(str::to_owned);
        match reason.or_else(|| self.status.canonical_reason().map(str::to_lowercase)) {
            Some(reason) => format!("HTTP {status}: {reason}"),
            None => format!("HTTP {status}"),
        }
    }

    /// The beginning of the body, whatever it was said to be, without blanks around it; empty if it is no
    /// text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default().trim()
    }

    /// The body, if it is one short line of text.
    pub fn own_words(&self) -> Option<&str> {
        let is_plain = self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        let text = std::str::from_utf8(&self.body).ok().filter(|_| is_plain)?.trim();
        let fits = (1..=QUOTED_MAX).contains(&text.len()) && !text.contains(char::is_control);
        fits.then_some(text)
    }

    /// Where a redirect leads, as far as that may be shown.
    fn elsewhere(&self, url: &Url) -> String {
        let status = self.status();
        let location = self.header(LOCATION.as_str()).unwrap_or_default();
        match Url::parse(location) {
            Ok(other) if other.origin() != url.origin() => {
                format!("HTTP {status}: redirected to '{}', which is not followed; name that", other.origin())
            }
            Ok(_) | Err(_) => format!("HTTP {status}: redirected to another path, which is not followed"),
        }
    }
}

#[cfg(test)]
impl Answer {
    /// An answer of this status and this body, said to be of this kind.
    pub fn of(status: u16, kind: &'static str, body: &str) -> Self {
        let headers = HeaderMap::from_iter([("content-type".parse().unwrap(), kind.parse().unwrap())]);
        Self { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
