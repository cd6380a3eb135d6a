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
        let resource = resource(variables);
        let refused = resource.as_ref().err().cloned();
        let destination = |signal| match &refused {
            Some(why) => Err(why.clone()),
            None => destination(signal, given.as_ref(), variables),
        };
        let is_off =
            variables.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let sent = |signal: &Signal| {
            let exporter = variables.get(&format!("OTEL_{}_EXPORTER", signal.variable()));
            !is_off && exporter.is_none_or(|name| !name.trim().eq_ignore_ascii_case("none"))
        };
        Ok(Self {
            destinations: Signal::ALL.into_iter().filter(sent).map(|one| (one, destination(one))).collect(),
            resource: resource.unwrap_or_default(),
        })
    }
}

/// The name and value of `OTEL_EXPORTER_OTLP_SIGNAL_…`, else of `OTEL_EXPORTER_OTLP_…`.
fn variable<'a>(signal: Signal, what: &str, variables: &'a Variables) -> Option<(String, &'a str)> {
    let names =
        [format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.variable()), format!("OTEL_EXPORTER_OTLP_{what}")];
    names.into_iter().find_map(|name| variables.get(&name).map(|value| (name, value)))
}

fn destination(signal: Signal, given: Option<&Url>, variables: &Variables) -> Result<Destination, String> {
    let of = |what| variable(signal, what, variables);
    Ok(Destination {
        url: match given {
            Some(base) => base.with(&format!("v1/{}", signal.as_str())),
            None => endpoint(signal, variables)?,
        },
        headers: match of("HEADERS") {
            // What is kept of one run's headers; see `KeptPlan`.
            Some((name, hash)) if hash.starts_with('#') => {
                return Err(format!("{name} is not set as it was for the run"));
            }
            Some((name, list)) => headers(list).ok_or_else(|| {
                format!("what is in {name} are no headers; write NAME=VALUE,NAME=VALUE, with %2C for a comma")
            })?,
            None => Vec::new(),
        },
        limit: match of("TIMEOUT") {
            Some((name, value)) => {
                let millis =
                    value.trim().parse().map_err(|_| format!("{name} is no number of milliseconds"))?;
                (millis > 0).then(|| Duration::from_millis(millis))
            }
            None => None,
        },
        certificates: of("CERTIFICATE").map(|(name, _)| name),
    })
}

/// What the variables say of the receiver. That of one signal is its whole URL.
fn endpoint(signal: Signal, variables: &Variables) -> Result<Url, String> {
    let Some((name, value)) = variable(signal, "ENDPOINT", variables) else {
        return Url::parse(DEFAULT).map(|base| base.with(&format!("v1/{}", signal.as_str())));
    };
    let url = Url::parse(value.trim()).map_err(|why| format!("cannot use {name}: {why}"))?;
    // JSON is understood wherever protobuf is over HTTP, but never where gRPC is spoken.
    if let Some((protocol, "grpc")) = variable(signal, "PROTOCOL", variables) {
        return Err(format!(
            "{protocol} is 'grpc', which is not spoken; name an endpoint for HTTP, as otlp:{DEFAULT}"
        ));
    }
    let is_whole = name.contains(signal.variable());
    Ok(if is_whole { url } else { url.with(&format!("v1/{}", signal.as_str())) })
}

/// `NAME=VALUE,NAME=VALUE`; the values percent-encoded, as in W3C Baggage. `None` if it is none.
fn pairs(list: &str) -> Option<Vec<(String, String)>> {
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let pair = |entry: &str| {
        let (name, value) = entry.split_once('=')?;
        let (name, value) = (name.trim(), percent_decoded(value.trim()));
        (!name.is_empty()).then(|| (name.to_owned(), value))
    };
    entries.map(pair).collect()
}

fn headers(list: &str) -> Option<Vec<(String, String)>> {
    let is_header = |(name, value): &(String, String)| {
        HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok()
    };
    pairs(list).filter(|headers| headers.iter().all(is_header))
}

/// What is said of the source. Nothing of one run: every run would be a source of its own, and each of its counts a
/// series that is never added up.
fn resource(variables: &Variables) -> Result<Vec<(String, String)>, String> {
    const LIST: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let mut all = match variables.get(LIST) {
        Some(list) => pairs(list).ok_or_else(|| format!("cannot use {LIST}; write NAME=VALUE,NAME=VALUE"))?,
        None => Vec::new(),
    };
    let service = "service.name";
    if let Some(name) = variables.get("OTEL_SERVICE_NAME") {
        all.retain(|(key, _)| key != service);
        all.insert(0, (service.to_owned(), name.to_owned()));
    } else if all.iter().all(|(key, _)| key != service) {
        all.insert(0, (service.to_owned(), SERVICE.to_owned()));
    }
    Ok(all)
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
