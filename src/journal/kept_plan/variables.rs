//! PURE. What sinks read of the environment, as it is kept of one run and put together for whoever acts on the job
//! later, in an environment of their own.

use crate::job::fnv1a;

type Variable = (String, String);

/// What is kept of what sinks read: no secret. Of headers, which are sent to whatever receiver the other variables
/// name, a hash, by which the same ones are known again.
pub fn kept(variables: &[Variable]) -> Vec<Variable> {
    let kept = |(name, value): &Variable| match is_headers(name) {
        true => Some((name.clone(), hashed(value))),
        false => (!is_secret(name, value)).then(|| (name.clone(), value.clone())),
    };
    variables.iter().filter_map(kept).collect()
}

/// What was kept, and below it the attendant's own. Of OpenTelemetry's nothing is mixed: one job's key would go to
/// another's receiver, and what one says of itself to the other's. Headers are the attendant's if they are those
/// that the job had; else the hash stays, by which nothing can be sent.
pub fn together(kept: &[Variable], own: &[Variable]) -> Vec<Variable> {
    let is_kept = |name: &str| kept.iter().any(|(other, _)| other == name);
    let known = kept.iter().map(|(name, value)| {
        let is_it = |(other, found): &&Variable| is_headers(name) && other == name && hashed(found) == *value;
        own.iter().find(is_it).cloned().unwrap_or_else(|| (name.clone(), value.clone()))
    });
    let others = own.iter().filter(|(name, _)| !name.starts_with(OPEN_TELEMETRY) && !is_kept(name));
    known.chain(others.cloned()).collect()
}

/// What the names of OpenTelemetry's variables begin with.
const OPEN_TELEMETRY: &str = "OTEL_";

fn is_headers(name: &str) -> bool {
    name.starts_with(OPEN_TELEMETRY) && name.ends_with("_HEADERS")
}

/// What is no list of headers, and says nothing of the one that it is made of.
fn hashed(value: &str) -> String {
    format!("#{:08x}", fnv1a(std::iter::once(value.as_bytes())))
}

/// Whether a variable is a secret by its name, or a URL with a password, as of a proxy.
fn is_secret(name: &str, value: &str) -> bool {
    let authority =
        value.split_once("://").map_or(value, |(_, rest)| rest).split('/').next().unwrap_or_default();
    ["KEY", "TOKEN", "SECRET", "PASS", "HEADERS"].iter().any(|word| name.contains(word))
        || authority.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(variables: &[(&str, &str)]) -> Vec<Variable> {
        variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn secrets_are_not_kept_and_of_headers_a_hash_is() {
        let given = [
            ("DD_API_KEY", "x"),
            ("DD_AGENT_HOST", "agent"),
            ("https_proxy", "http://me:pw@proxy:3128/"),
            ("all_proxy", "me@p"),
            ("http_proxy", "http://proxy:3128/a@b"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "foobar"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", ""),
            ("DD_HEADERS", "x"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key"),
        ];
        let expected = [
            ("DD_AGENT_HOST", "agent"),
            ("http_proxy", "http://proxy:3128/a@b"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "#bf9cf968"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "#811c9dc5"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
        ];
        assert_eq!(kept(&owned(&given)), owned(&expected));
    }

    #[test]
    fn what_is_kept_comes_first_and_of_open_telemetry_alone() {
        let job = kept(&owned(&[("DD_ENV", "a"), ("OTEL_EXPORTER_OTLP_HEADERS", "key=a")]));
        for (own, expected) in [
            (
                &[("OTEL_EXPORTER_OTLP_HEADERS", "key=a")][..],
                &[("DD_ENV", "a"), ("OTEL_EXPORTER_OTLP_HEADERS", "key=a")][..],
            ),
            (
                &[("OTEL_EXPORTER_OTLP_HEADERS", "key=b"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b")],
                &[("DD_ENV", "a"), ("OTEL_EXPORTER_OTLP_HEADERS", &job[1].1)],
            ),
            (
                &[("DD_ENV", "b"), ("SSL_CERT_FILE", "/ca"), ("OTEL_SERVICE_NAME", "b")],
                &[("DD_ENV", "a"), ("OTEL_EXPORTER_OTLP_HEADERS", &job[1].1), ("SSL_CERT_FILE", "/ca")],
            ),
        ] {
            assert_eq!(together(&job, &owned(own)), owned(expected), "{own:?}");
        }
        assert_eq!(together(&[], &owned(&[("OTEL_EXPORTER_OTLP_HEADERS", "key=b")])), owned(&[]));
    }
}
