//! Whether a receiver answers at all. What is asked for is its front page, by HEAD, and never the path that somebody
//! is woken by: to healthchecks.io a HEAD of that is a check-in like any other.

use ureq::http::Request as Wire;

use super::failure::{self, Failure};
use super::{Answer, BODY_LIMIT, Client, Method, SecretUrl, Url};
use crate::clock::Deadline;
use crate::sinks::probe::{Complaint, Probe};

/// What to do about a receiver that cannot be reached.
const HINT: &str = "does this host reach it? names, routes, proxies ('https_proxy') and certificates ('SSL_CERT_FILE') \
                    are those of this environment";

impl Client {
    /// Asks for something once, and not again; any answer is one.
    ///
    /// # Errors
    /// In words, as by [`Client::send`].
    pub fn look(&self, method: Method, url: &Url, deadline: Deadline) -> Result<Answer, String> {
        let agent = self.agent(url)?;
        let failed = |error: &ureq::Error| {
            let Failure { words, .. } = failure::of(error, url);
            words
        };
        let wire = Wire::builder().method(method).uri(url.secret_text()).body(());
        let wire = wire.map_err(|error| failed(&error.into()))?;
        let wire = agent
            .configure_request(wire)
            .timeout_global(Some(deadline.left()))
            .timeout_recv_body(Some(BODY_LIMIT))
            .build();
        agent.run(wire).map(Answer::read).map_err(|error| failed(&error))
    }

    /// Whether the host of a URL answers.
    ///
    /// # Errors
    /// Why it does not.
    pub fn probe(&self, url: &Url, deadline: Deadline) -> Result<String, Complaint> {
        let answer = self.look(Method::HEAD, &url.front_page(), deadline);
        match answer {
            Ok(answer) => Ok(format!("'{}' answers (HTTP {})", url.origin(), answer.status())),
            Err(why) => Err(Complaint::new(format!("'{}': {why}", url.origin()), HINT)),
        }
    }
}

impl SecretUrl {
    /// Whether the URL can be had and its host answers, and who can read it.
    pub fn probe(&self, client: &Client, deadline: Deadline) -> Probe {
        let way = match self.url() {
            Ok(url) => client.probe(url, deadline),
            Err(why) => Err(self.secret.complaint(why)),
        };
        Probe::from(way).with(self.secret.concerns())
    }
}
