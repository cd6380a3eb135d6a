//! `otlp:URL`: metrics, log records and a span for each run, for a collector of OpenTelemetry's, by OTLP over HTTP in
//! JSON (opentelemetry.io/docs/specs/otlp). An alert is a log record, and is taken when the collector says so.

mod answer;
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

use super::http::{Answer, Client, Method, QUOTED_MAX, Request, TELLING};
use super::probe::{Complaint, Probe};
use super::{Opening, Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::job::RunId;
use crate::notice::{News, Notice};
use crate::plan::Variables;
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

/// What writes all of it, and the beginning of the object in which that is said.
const SCOPE: &str =
    concat!("{\"scope\":{\"name\":\"cronward\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}");

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
    let mut sink = Otlp {
        name: "otlp:".to_owned(),
        routes: Vec::new(),
        resource,
        parent: Parent::of(opening.environment),
        own: OnceLock::new(),
        answered: AtomicU16::new(0),
    };
    for (signal, destination) in destinations {
        let route = destination.map(|to| Route { client: sink.client_for(&to, opening.variables), to });
        sink.routes.push((signal, route));
    }
    if let Some(first) = sink.routes.iter().find_map(|(_, route)| route.as_ref().ok()) {
        sink.name.push_str(first.to.url.origin());
    }
    Ok(Arc::new(sink))
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
        let mut shown = Vec::new();
        for (signal, route) in &self.routes {
            let Some(body) = self.body(*signal, notices, &|_| true) else { continue };
            let signal = signal.as_str();
            shown.push(match route {
                Err(why) => format!("{signal}: {why}"),
                Ok(Route { to, .. }) => {
                    let mut text = format!("POST {:?} ({signal})\n", to.url);
                    for (name, _) in &to.headers {
                        text.push_str(name);
                        text.push_str(": ***\n");
                    }
                    text + &body
                }
            });
        }
        shown
    }

    /// Sends each receiver a list of nothing, which is a request like any other ("Full Success").
    fn probe(&self, deadline: Deadline) -> Probe {
        let mut failures: Vec<(Signal, String)> = Vec::new();
        for (at, (signal, route)) in self.routes.iter().enumerate() {
            let share = deadline.left() / u32::try_from(self.routes.len() - at).unwrap_or(u32::MAX);
            let [outer, ..] = signal.lists();
            let body = format!("{{\"{outer}\":[]}}");
            let answer = route.as_ref().map_err(Clone::clone).and_then(|route| route.tell(&body, share));
            failures.extend(answer.err().map(|why| (*signal, why)));
        }
        let way = match &failures[..] {
            [] => Ok("it has taken a list of nothing".to_owned()),
            failures => Err(Complaint::new(
                in_words(failures),
                "start the collector, open the way to it, or set the endpoint right ('OTEL_EXPORTER_OTLP_ENDPOINT')",
            )),
        };
        way.into()
    }

    /// Each signal has a share of the time, so that one which cannot be told leaves the others theirs.
    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        let only_start = notices.iter().all(|notice| Topic::of(&notice.news) == Topic::Start);
        let deadline = if only_start { Deadline::after(deadline.left().min(START_LIMIT)) } else { deadline };
        let is_own = |run| self.own.get() == Some(&run);
        let mut bodies = Vec::new();
        for (signal, route) in &self.routes {
            bodies.extend(self.body(*signal, notices, &is_own).map(|body| (*signal, route, body)));
        }
        let mut failures: Vec<(Signal, String)> = Vec::new();
        for (at, (signal, route, body)) in bodies.iter().enumerate() {
            let share = deadline.left() / u32::try_from(bodies.len() - at).unwrap_or(u32::MAX);
            let answer = route.as_ref().map_err(Clone::clone).and_then(|route| route.tell(body, share));
            match answer {
                Ok(status) => self.answered.store(status, Ordering::Relaxed),
                Err(words) => failures.push((*signal, words)),
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(in_words(&failures)) }
    }
}

/// `logs, metrics: timed out; traces: HTTP 404: not found`
fn in_words(failures: &[(Signal, String)]) -> String {
    let mut text = String::new();
    for (at, (signal, words)) in failures.iter().enumerate() {
        text.push_str(signal.as_str());
        match failures.get(at + 1) {
            Some((_, next)) if next == words => text.push_str(", "),
            Some(_) => text.push_str(&format!(": {words}; ")),
            None => text.push_str(&format!(": {words}")),
        }
    }
    text
}

impl Signal {
    /// The names of the lists in each other that it is sent in.
    fn lists(self) -> [&'static str; 3] {
        match self {
            Self::Logs => ["resourceLogs", "scopeLogs", "logRecords"],
            Self::Metrics => ["resourceMetrics", "scopeMetrics", "metrics"],
            Self::Traces => ["resourceSpans", "scopeSpans", "spans"],
        }
    }
}

impl Otlp {
    /// That of another signal if it goes to the same place, else a new one.
    fn client_for(&self, to: &Destination, variables: &Variables) -> Arc<Client> {
        for route in self.routes.iter().filter_map(|(_, route)| route.as_ref().ok()) {
            if route.to.url.origin() == to.url.origin() && route.to.certificates == to.certificates {
                return Arc::clone(&route.client);
            }
        }
        Arc::new(Client::new(variables).trusting(to.certificates.clone()).retrying(PASSING))
    }

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
        let [outer, inner, list] = signal.lists();
        let mut json = Json::default();
        json.begin("", '{');
        json.begin(outer, '[');
        let mut is_empty = true;
        for host in hosts {
            let before = json.0.len();
            json.begin("", '{');
            self.push_resource(&mut json, host);
            json.begin(inner, '[');
            json.0.push_str(SCOPE);
            json.begin(list, '[');
            let without_items = json.0.len();
            let of_host: Vec<&Notice> = notices.iter().filter(|notice| notice.job.host == host).collect();
            self.push_items(&mut json, signal, &of_host, is_own);
            if json.0.len() == without_items {
                json.0.truncate(before);
            } else {
                json.0.push_str("]}]}");
                is_empty = false;
            }
        }
        json.0.push_str("]}");
        (!is_empty).then_some(json.0)
    }

    fn push_items(
        &self,
        json: &mut Json,
        signal: Signal,
        notices: &[&Notice],
        is_own: &dyn Fn(RunId) -> bool,
    ) {
        let is_traced = self.sends(Signal::Traces);
        let place = |run| is_traced.then(|| Place::of(run, self.parent.as_ref().filter(|_| is_own(run))));
        match signal {
            Signal::Metrics => metrics::push_metrics(json, notices),
            Signal::Logs => notices.iter().for_each(|notice| logs::push_record(json, notice, &place)),
            Signal::Traces => {
                for notice in notices {
                    if let News::Finished(finished) = &notice.news
                        && let Some(place) = place(finished.run.id).filter(|place| place.is_sampled)
                    {
                        span::push_span(json, &notice.job, finished, &place);
                    }
                }
            }
        }
    }

    /// What speaks: what the variables say, and on which host.
    fn push_resource(&self, json: &mut Json, host: &str) {
        json.begin("resource", '{');
        let mut all = Attributes::begin(json);
        for (key, value) in &self.resource {
            all.text(key, value);
        }
        all.text("host.name", host);
        all.end();
        json.end('}');
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
        let body = String::from_utf8_lossy(answer.body());
        let status = answer.status();
        if !answer.is_success() {
            let refusal = answer.refusal(&self.to.url);
            let words = answer::words(&body, "message").filter(|words| self.may_be_quoted(words));
            let refusal = words.map_or(refusal, |words| format!("HTTP {status}: {words}"));
            let hint = if status == 404 { "; is the endpoint right?" } else { "" };
            return Err(refusal + hint);
        }
        // A page for people, of a proxy that wants a password or of some other server.
        if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            return Err(format!("HTTP {status}, and a web page; is the endpoint right?"));
        }
        let rejected = answer::rejected(&body);
        if rejected == 0 {
            return Ok(());
        }
        let words = answer::words(&body, "errorMessage").filter(|words| self.may_be_quoted(words));
        Err(words
            .map_or_else(|| format!("{rejected} rejected"), |words| format!("{rejected} rejected: {words}")))
    }

    /// Whether what a receiver says is one short line in which nothing of a secret stands.
    fn may_be_quoted(&self, words: &str) -> bool {
        // What stands in the path of every receiver gives nothing away.
        let bare = PATH_WORDS.iter().fold(words.to_owned(), |text, word| text.replace(word, ""));
        let mut secrets = self.to.headers.iter().flat_map(|(_, value)| value.split(' '));
        let tells = secrets.any(|secret| secret.len() >= TELLING && words.contains(secret));
        words.len() <= QUOTED_MAX && !tells && !self.to.url.is_told_by(&bare)
    }
}

#[cfg(test)]
mod tests;
