//! PURE. Where telemetry goes and what is said of its source: the target of the sink, and the variables that every
//! exporter of OpenTelemetry's reads (opentelemetry.io/docs/specs/otel/protocol/exporter and
//! …/configuration/sdk-environment-variables). A target names the receiver alone; the rest holds for it too, since
//! there is no other place for a key. A variable that cannot be used costs what would be sent by it, and no job.

use std::time::Duration;

use ureq::http::{HeaderName, HeaderValue};

use crate::plan::Variables;
use crate::sinks::http::Url;

/// Where exporters send to if nobody has said so.
const DEFAULT: &str = "http://localhost:4318";

/// Who speaks, if nobody has said so.
const SERVICE: &str = "cronward";

/// What is sent separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Log records; first, since alerts are among them.
    Logs,
    /// Data points.
    Metrics,
    /// Spans.
    Traces,
}

impl Signal {
    /// All of them, in the order in which they are sent.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Metrics, Self::Traces];

    /// How it is called, also at the end of the receiver's path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Traces => "traces",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Logs => "LOGS",
            Self::Metrics => "METRICS",
            Self::Traces => "TRACES",
        }
    }
}

/// Where one signal goes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The receiver.
    pub url: Url,
    /// Names and values. The latter are secrets.
    pub headers: Vec<(String, String)>,
    /// Longest time that sending may take; `None`: no limit but the deadline.
    pub limit: Option<Duration>,
    /// The variable that names the certificates to trust in place of the usual ones.
    pub certificates: Option<String>,
}

/// What the target and the variables say.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is to be sent, and where it goes, or why it cannot be.
    pub destinations: Vec<(Signal, Result<Destination, String>)>,
    /// What is said of the source of all of it. Without the name of the host, which the job knows.
    pub resource: Vec<(String, String)>,
}

impl Settings {
    /// From a target, which may be empty, and the variables.
    ///
    /// # Errors
    /// In words, without the target: it is no URL.
    pub fn of(target: &str, variables: &Variables) -> Result<Self, String> {
        let given = if target.is_empty() { None } else { Some(Url::parse(target)?) };
        let mut settings = Self { destinations: Vec::new(), resource: Vec::new() };
        if variables.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(settings);
        }
        let refused = settings.take_resource(variables).err();
        for signal in Signal::ALL {
            let exporter = variables.get(&format!("OTEL_{}_EXPORTER", signal.variable())).unwrap_or_default();
            if !exporter.trim().eq_ignore_ascii_case("none") {
                let destination =
                    refused.clone().map_or_else(|| destination(signal, given.as_ref(), variables), Err);
                settings.destinations.push((signal, destination));
            }
        }
        Ok(settings)
    }

    /// Takes in what is said of the source. Nothing of one run: every run would be a source of its own, and each of its
    /// counts a series that is never added up.
    fn take_resource(&mut self, variables: &Variables) -> Result<(), String> {
        const LIST: &str = "OTEL_RESOURCE_ATTRIBUTES";
        const SERVICE_NAME: &str = "service.name";
        let list = pairs(variables.get(LIST).unwrap_or_default());
        self.resource = list.ok_or_else(|| format!("cannot use {LIST}; write NAME=VALUE,NAME=VALUE"))?;
        let listed = self.resource.iter().position(|(key, _)| key == SERVICE_NAME);
        let listed = listed.map(|at| self.resource.remove(at).1);
        let named = variables.get("OTEL_SERVICE_NAME").map(str::to_owned).or(listed);
        let name = named.unwrap_or_else(|| SERVICE.to_owned());
        self.resource.insert(0, (SERVICE_NAME.to_owned(), name));
        Ok(())
    }
}

/// The name and value of `OTEL_EXPORTER_OTLP_SIGNAL_…`, else of `OTEL_EXPORTER_OTLP_…`.
fn variable<'a>(signal: Signal, what: &str, variables: &'a Variables) -> Option<(String, &'a str)> {
    let names =
        [format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.variable()), format!("OTEL_EXPORTER_OTLP_{what}")];
    names.into_iter().find_map(|name| variables.get(&name).map(|value| (name, value)))
}

fn destination(signal: Signal, given: Option<&Url>, variables: &Variables) -> Result<Destination, String> {
    let url = match given {
        Some(base) => of_signal(base, signal),
        None => endpoint(signal, variables)?,
    };
    let mut to = Destination { url, headers: Vec::new(), limit: None, certificates: None };
    if let Some((name, list)) = variable(signal, "HEADERS", variables) {
        to.headers = headers(list).ok_or_else(|| match list.starts_with('#') {
            // What is kept of one run's headers; see `KeptPlan`.
            true => format!("{name} is not set as it was for the run"),
            false => {
                format!("what is in {name} are no headers; write NAME=VALUE,NAME=VALUE, with %2C for a comma")
            }
        })?;
    }
    if let Some((name, value)) = variable(signal, "TIMEOUT", variables) {
        let millis = value.trim().parse().map_err(|_| format!("{name} is no number of milliseconds"))?;
        to.limit = (millis > 0).then(|| Duration::from_millis(millis));
    }
    to.certificates = variable(signal, "CERTIFICATE", variables).map(|(name, _)| name);
    Ok(to)
}

/// The URL of a signal below that of the receiver.
fn of_signal(base: &Url, signal: Signal) -> Url {
    base.with(&format!("v1/{}", signal.as_str()))
}

/// What the variables say of the receiver. That of one signal is its whole URL.
fn endpoint(signal: Signal, variables: &Variables) -> Result<Url, String> {
    let Some((name, value)) = variable(signal, "ENDPOINT", variables) else {
        return Url::parse(DEFAULT).map(|base| of_signal(&base, signal));
    };
    let url = Url::parse(value.trim()).map_err(|why| format!("cannot use {name}: {why}"))?;
    // JSON is understood wherever protobuf is over HTTP, but never where gRPC is spoken.
    if let Some((protocol, "grpc")) = variable(signal, "PROTOCOL", variables) {
        return Err(format!(
            "{protocol} is 'grpc', which is not spoken; name an endpoint for HTTP, as otlp:{DEFAULT}"
        ));
    }
    let is_whole = name.contains(signal.variable());
    Ok(if is_whole { url } else { of_signal(&url, signal) })
}

/// `NAME=VALUE,NAME=VALUE`; the values percent-encoded, as in W3C Baggage. `None` if it is none.
fn pairs(list: &str) -> Option<Vec<(String, String)>> {
    let mut all = Vec::new();
    for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, value) = entry.split_once('=')?;
        let name = name.trim();
        if name.is_empty() {
            return None;
        }
        all.push((name.to_owned(), percent_decoded(value.trim())));
    }
    Some(all)
}

fn headers(list: &str) -> Option<Vec<(String, String)>> {
    let is_header = |(name, value): &(String, String)| {
        HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok()
    };
    pairs(list).filter(|headers| headers.iter().all(is_header))
}

/// The text with `%2C` and its like as what they stand for; what is no such sequence stands for itself.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests;
