//! `otlp:URL`: metrics, log records and a span for each run, for a collector of OpenTelemetry's, by OTLP over HTTP in
//! JSON (opentelemetry.io/docs/specs/otlp). An alert is a log record, and is taken when the collector says so.

mod context;
mod facts;
mod json;
mod logs;
mod metrics;
mod span;
mod variables;

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;

use super::http::{Answer, Client, Method, QUOTED_MAX, Request, TELLING};
use super::{Opening, Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::job::RunId;
use crate::notice::{News, Notice};
use context::{Parent, Place};
use json::{Attributes, Json};
use variables::{Destination, Settings, Signal};

/// Longest time for the news of a start: the end of a short run waits until its start has been told.
const START_LIMIT: Duration = Duration::from_secs(2);

/// The answers after which the same request may be sent again, and no others ("OTLP/HTTP Response", "Retryable
/// Response Codes").
const PASSING: &[u16] = &[429, 502, 503, 504];

/// Words in the paths of receivers.
const PATH_WORDS: [&str; 4] = ["logs", "metrics", "traces", "otlp"];

/// The sink.
struct Otlp {
    name: String,
    routes: Vec<(Signal, Result<Route, String>)>,
    resource: Vec<(String, String)>,
    parent: Option<Parent>,
    /// The run that this process makes: the only one of which the parent's trace is the caller's.
    own: OnceLock<RunId>,
    /// The status by which the collector last took something; 0: it has not.
    answered: AtomicU16,
}

/// The way to one receiver.
struct Route {
    to: Destination,
    /// Shared by those that go to the same one.
    client: Arc<Client>,
}

/// A sink of a URL; empty: what the variables of OpenTelemetry say.
///
/// # Errors
/// In words: the target is no URL.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let Settings { destinations, resource } = Settings::of(opening.target, opening.variables)?;
    let mut routes: Vec<(Signal, Result<Route, String>)> = Vec::new();
    for (signal, destination) in destinations {
        let route = destination.map(|to| {
            let known = routes.iter().filter_map(|(_, route)| route.as_ref().ok());
            let same = |other: &&Route| {
                other.to.url.origin() == to.url.origin() && other.to.certificates == to.certificates
            };
            let client = known.into_iter().find(same).map(|other| Arc::clone(&other.client));
            let new = || {
                Arc::new(Client::new(opening.variables).trusting(to.certificates.clone()).retrying(PASSING))
            };
            Route { client: client.unwrap_or_else(new), to }
        });
        routes.push((signal, route));
    }
    let origin = routes.iter().find_map(|(_, route)| route.as_ref().ok()).map(|route| route.to.url.origin());
    Ok(Arc::new(Otlp {
        name: format!("otlp:{}", origin.unwrap_or_default()),
        routes,
        resource,
        parent: Parent::of(opening.environment),
        own: OnceLock::new(),
        answered: AtomicU16::new(0),
    }))
}

impl Sink for Otlp {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        if self.routes.is_empty() { Pace::Prompt } else { Pace::Waiting }
    }

    fn confirms(&self) -> bool {
        self.sends(Signal::Logs)
    }

    fn answer(&self) -> Option<String> {
        let status = self.answered.load(Ordering::Relaxed);
        (status > 0).then(|| format!("HTTP {status}"))
    }

    fn wants(&self, topic: Topic) -> bool {
        match topic {
            Topic::Start | Topic::Overdue | Topic::Alert => self.sends(Signal::Logs),
            Topic::End => !self.routes.is_empty(),
            Topic::Standing | Topic::Alive => self.sends(Signal::Metrics),
        }
    }

    fn begin(&self, run: RunId) -> Option<String> {
        // Of one process there is one run.
        let _ = self.own.set(run);
        self.sends(Signal::Traces).then(|| Place::of(run, self.parent.as_ref()).traceparent())
    }

    fn prepare(&self) {
        for route in self.routes.iter().filter_map(|(_, route)| route.as_ref().ok()) {
            route.client.prepare(&route.to.url);
        }
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        let request = |(signal, route): &(Signal, Result<Route, String>)| {
            let body = self.body(*signal, notices, &|_| true)?;
            let signal = signal.as_str();
            Some(match route {
                Err(why) => format!("{signal}: {why}"),
                Ok(Route { to, .. }) => {
                    let headers: String =
                        to.headers.iter().map(|(name, _)| format!("{name}: ***\n")).collect();
                    format!("POST {:?} ({signal})\n{headers}{body}", to.url)
                }
            })
        };
        self.routes.iter().filter_map(request).collect()
    }

    /// Each signal has a share of the time, so that one which cannot be told leaves the others theirs.
    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        let only_start = notices.iter().all(|notice| Topic::of(&notice.news) == Topic::Start);
        let deadline = if only_start { Deadline::after(deadline.left().min(START_LIMIT)) } else { deadline };
        let is_own = |run| self.own.get() == Some(&run);
        let told: Vec<_> = self
            .routes
            .iter()
            .filter_map(|(signal, route)| Some((*signal, route, self.body(*signal, notices, &is_own)?)))
            .collect();
        let mut failures: Vec<(String, String)> = Vec::new();
        for (at, (signal, route, body)) in told.iter().enumerate() {
            let share = deadline.left() / u32::try_from(told.len() - at).unwrap_or(u32::MAX);
            let answer = route.as_ref().map_err(Clone::clone).and_then(|route| route.tell(body, share));
            match answer {
                Ok(status) => self.answered.store(status, Ordering::Relaxed),
                Err(words) => match failures.iter_mut().find(|(_, other)| *other == words) {
                    Some((signals, _)) => signals.push_str(&format!(", {}", signal.as_str())),
                    None => failures.push((signal.as_str().to_owned(), words)),
                },
            }
        }
        let words: Vec<String> =
            failures.into_iter().map(|(signals, words)| format!("{signals}: {words}")).collect();
        if words.is_empty() { Ok(()) } else { Err(words.join("; ")) }
    }
}

impl Otlp {
    fn sends(&self, signal: Signal) -> bool {
        self.routes.iter().any(|(other, _)| *other == signal)
    }

    /// What is sent of these notices as this signal; `None` if nothing is. One part for each host: jobs of several
    /// may be on record in one place.
    fn body(&self, signal: Signal, notices: &[Notice], is_own: &dyn Fn(RunId) -> bool) -> Option<String> {
        let mut hosts: Vec<&str> = Vec::new();
        for notice in notices {
            if !hosts.contains(&&notice.job.host[..]) {
                hosts.push(&notice.job.host);
            }
        }
        let [outer, inner, list] = match signal {
            Signal::Logs => ["resourceLogs", "scopeLogs", "logRecords"],
            Signal::Metrics => ["resourceMetrics", "scopeMetrics", "metrics"],
            Signal::Traces => ["resourceSpans", "scopeSpans", "spans"],
        };
        let scope = [("name", Json::text("cronward")), ("version", Json::text(env!("CARGO_PKG_VERSION")))];
        let mut parts = Vec::new();
        for host in hosts {
            let items = self.items(signal, notices.iter().filter(|notice| notice.job.host == host), is_own);
            if !items.is_empty() {
                let scoped = Json::object(&[("scope", Json::object(&scope)), (list, Json::array(&items))]);
                let resource = Json::object(&[("attributes", self.resource(host).json())]);
                parts.push(Json::object(&[("resource", resource), (inner, Json::array(&[scoped]))]));
            }
        }
        (!parts.is_empty()).then(|| Json::object(&[(outer, Json::array(&parts))]).0)
    }

    fn items<'a>(
        &self,
        signal: Signal,
        notices: impl Iterator<Item = &'a Notice>,
        is_own: &dyn Fn(RunId) -> bool,
    ) -> Vec<Json> {
        let place = |run| Place::of(run, self.parent.as_ref().filter(|_| is_own(run)));
        match signal {
            Signal::Metrics => metrics::metrics(notices),
            Signal::Logs => {
                let place = |run| self.sends(Signal::Traces).then(|| place(run));
                notices.filter_map(|notice| logs::record(notice, &place)).collect()
            }
            Signal::Traces => notices
                .filter_map(|notice| match &notice.news {
                    News::Finished(finished) => Some((notice, finished, place(finished.run.id))),
                    News::Started(_)
                    | News::Overdue(_)
                    | News::Opened(_)
                    | News::Repeated(_)
                    | News::Closed(_)
                    | News::Standing(_)
                    | News::Alive => None,
                })
                .filter(|(.., place)| place.is_sampled)
                .map(|(notice, finished, place)| span::span(&notice.job, finished, &place))
                .collect(),
        }
    }

    /// What speaks: what the variables say, and on which host.
    fn resource(&self, host: &str) -> Attributes {
        let mut all = Attributes::default();
        for (key, value) in &self.resource {
            all.text(key, value);
        }
        all.text("host.name", host);
        all
    }
}

impl Route {
    /// The status by which it was taken.
    fn tell(&self, body: &str, share: Duration) -> Result<u16, String> {
        let Destination { url, headers, limit, .. } = &self.to;
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers.iter().map(|(name, value)| (&name[..], &value[..])));
        let deadline = Deadline::after(limit.map_or(share, |limit| limit.min(share)));
        let request = Request { method: Method::POST, url, headers: &all, body: body.as_bytes() };
        let answer = self.client.send(&request, deadline)?;
        self.verdict(&answer).map(|()| answer.status())
    }

    /// Whether the receiver has taken it all. What it has rejected a part of is not to be sent again ("Partial
    /// Success"); words without a number are a remark. An answer without a body is one of several that are about.
    fn verdict(&self, answer: &Answer) -> Result<(), String> {
        let said: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        if !answer.is_success() {
            let refusal = answer.refusal(&self.to.url);
            let status = answer.status();
            let refusal =
                self.quoted(&said["message"]).map_or(refusal, |words| format!("HTTP {status}: {words}"));
            let hint = if status == 404 { "; is the endpoint right?" } else { "" };
            return Err(refusal + hint);
        }
        // A page for people, of a proxy that wants a password or of some other server.
        if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            return Err(format!("HTTP {}, and a web page; is the endpoint right?", answer.status()));
        }
        let partial = &said["partialSuccess"];
        let count = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0);
        let rejected: u64 = ["rejectedLogRecords", "rejectedDataPoints", "rejectedSpans"]
            .iter()
            .map(|name| count(&partial[*name]))
            .sum();
        if rejected == 0 {
            return Ok(());
        }
        let why = self.quoted(&partial["errorMessage"]).map(|words| format!(": {words}"));
        Err(format!("{rejected} rejected{}", why.unwrap_or_default()))
    }

    /// What a receiver says, if it is one short line in which nothing of a secret stands.
    fn quoted<'a>(&self, words: &'a Value) -> Option<&'a str> {
        let words = words.as_str()?.trim();
        // What stands in the path of every receiver gives nothing away.
        let bare = PATH_WORDS.iter().fold(words.to_owned(), |text, word| text.replace(word, ""));
        let mut secrets = self.to.headers.iter().flat_map(|(_, value)| value.split(' '));
        let tells = secrets.any(|secret| secret.len() >= TELLING && words.contains(secret));
        let tells = tells || self.to.url.is_told_by(&bare);
        let fits = (1..=QUOTED_MAX).contains(&words.len()) && !words.contains(char::is_control);
        (fits && !tells).then_some(words)
    }
}

#[cfg(test)]
mod tests;
