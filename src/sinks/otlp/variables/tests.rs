//! What the target and the variables come to.

use super::*;

const UNREADABLE_LIST: &str = "are no headers; write NAME=VALUE,NAME=VALUE, with %2C for a comma";

fn settings(target: &str, set: &[(&str, &str)]) -> Settings {
    let variables = Variables(set.iter().map(|&(name, value)| (name.into(), value.into())).collect());
    Settings::of(target, &variables).unwrap()
}

/// Where logs, metrics and traces go.
fn urls(target: &str, set: &[(&str, &str)]) -> Vec<String> {
    let destinations = settings(target, set).destinations;
    let url = |(signal, to): (Signal, Result<Destination, String>)| match to {
        Ok(to) => to.url.secret_text(),
        Err(why) => format!("{}: {why}", signal.as_str()),
    };
    destinations.into_iter().map(url).collect()
}

/// What is set for the logs.
fn of_logs(set: &[(&str, &str)]) -> Result<Destination, String> {
    settings("", set).destinations.remove(0).1
}

fn base(base: &str) -> Vec<String> {
    ["logs", "metrics", "traces"].map(|signal| format!("{base}/v1/{signal}")).to_vec()
}

#[test]
fn a_base_has_the_signal_behind_it_and_the_url_of_a_signal_is_used_as_it_is() {
    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c.example:4318/otlp/");
    const OF_LOGS: (&str, &str) = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs.example/in?key=1");
    let with_logs = |others: &str| {
        let mut urls = base(others);
        urls[0] = "http://logs.example/in?key=1".to_owned();
        urls
    };
    for (target, set, expected) in [
        ("", &[][..], base("http://localhost:4318")),
        ("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], base("http://localhost:4318")),
        ("", &[ENDPOINT], base("https://c.example:4318/otlp")),
        ("", &[OF_LOGS], with_logs("http://localhost:4318")),
        ("", &[ENDPOINT, OF_LOGS], with_logs("https://c.example:4318/otlp")),
        ("http://h", &[ENDPOINT, OF_LOGS], base("http://h")),
        (
            "https://h/a?b=c",
            &[],
            ["logs", "metrics", "traces"].map(|s| format!("https://h/a/v1/{s}?b=c")).to_vec(),
        ),
    ] {
        assert_eq!(urls(target, set), expected, "{target} {set:?}");
    }
}

#[test]
fn what_is_switched_off_is_not_sent() {
    let all = ["logs", "metrics", "traces"];
    for (set, expected) in [
        (&[("OTEL_SDK_DISABLED", "true")][..], &[][..]),
        (&[("OTEL_SDK_DISABLED", "True")], &[]),
        // Whatever else it is, it is not that.
        (&[("OTEL_SDK_DISABLED", "1")], &all),
        (&[("OTEL_METRICS_EXPORTER", "none")], &["logs", "traces"]),
        (&[("OTEL_LOGS_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", " None ")], &["metrics"]),
        (&[("OTEL_TRACES_EXPORTER", "otlp"), ("OTEL_METRICS_EXPORTER", "prometheus")], &all),
    ] {
        let sent: Vec<_> = settings("", set).destinations.iter().map(|(signal, _)| signal.as_str()).collect();
        assert_eq!(sent, expected, "{set:?}");
    }
}

#[test]
fn headers_are_decoded_and_those_of_a_signal_replace_the_others() {
    let owned = |headers: &[(&str, &str)]| -> Vec<(String, String)> {
        headers.iter().map(|&(name, value)| (name.into(), value.into())).collect()
    };
    const ALL: &str = "OTEL_EXPORTER_OTLP_HEADERS";
    for (set, expected) in [
        (&[][..], &[][..]),
        (&[(ALL, "api-key=a%20b%2Cc, X-Org=%zz=1%,,")], &[("api-key", "a b,c"), ("X-Org", "%zz=1%")]),
        (&[(ALL, "a=b"), ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "c=")], &[("c", "")]),
        (&[(ALL, "a=b"), ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "c=d")], &[("a", "b")]),
    ] {
        assert_eq!(of_logs(set).unwrap().headers, owned(expected), "{set:?}");
    }
}

#[test]
fn a_limit_is_in_milliseconds_and_a_certificate_is_named_by_its_variable() {
    for (value, limit) in [("1500", Some(1500)), (" 2 ", Some(2)), ("0", None)] {
        let found = of_logs(&[("OTEL_EXPORTER_OTLP_TIMEOUT", value)]).unwrap().limit;
        assert_eq!(found, limit.map(Duration::from_millis), "{value}");
    }
    let set = [("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem")];
    assert_eq!(of_logs(&set).unwrap().certificates.as_deref(), Some(set[0].0));
    assert_eq!(of_logs(&[]).unwrap().certificates, None);
}

#[test]
fn a_variable_that_cannot_be_used_is_named_without_what_may_be_a_secret() {
    for (name, value, said) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "c.example:4317",
            "cannot use OTEL_EXPORTER_OTLP_ENDPOINT: it is no URL",
        ),
        (
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            "ftp://SECRET",
            "cannot use OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: it begins with neither 'https://' nor 'http://'",
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "SECRET",
            &format!("what is in OTEL_EXPORTER_OTLP_HEADERS {UNREADABLE_LIST}"),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "=SECRET",
            &format!("what is in OTEL_EXPORTER_OTLP_HEADERS {UNREADABLE_LIST}"),
        ),
        (
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
            "a=SECRET%0Ax",
            &format!("what is in OTEL_EXPORTER_OTLP_LOGS_HEADERS {UNREADABLE_LIST}"),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a b=x",
            &format!("what is in OTEL_EXPORTER_OTLP_HEADERS {UNREADABLE_LIST}"),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "#5EC2E7",
            "OTEL_EXPORTER_OTLP_HEADERS is not set as it was for the run",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", "a", "cannot use OTEL_RESOURCE_ATTRIBUTES; write NAME=VALUE,NAME=VALUE"),
    ] {
        assert_eq!(of_logs(&[(name, value)]), Err(said.to_owned()), "{name}={value}");
    }
    // Of one signal it is the others' no affair.
    assert_eq!(
        urls("", &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "x")])[..2],
        base("http://localhost:4318")[..2]
    );
}

#[test]
fn an_endpoint_for_grpc_is_not_spoken_to_and_protobuf_is_no_obstacle() {
    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c.example:4317");
    let said = "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc', which is not spoken; name an endpoint for HTTP, as \
                otlp:http://localhost:4318";
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_eq!(of_logs(&[ENDPOINT, grpc]), Err(said.to_owned()));
    assert_eq!(urls("", &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]), base(ENDPOINT.1));
    // Neither speaks of where we send to.
    assert_eq!(urls("", &[grpc]), base("http://localhost:4318"));
    assert_eq!(urls("http://h", &[ENDPOINT, grpc]), base("http://h"));
}

#[test]
fn a_target_that_is_no_url_is_refused_without_being_repeated() {
    for bad in ["c.example:4318", "grpc://SECRET", "http://user:SECRET@h", "http://h#SECRET"] {
        let why = Settings::of(bad, &Variables::default()).unwrap_err();
        assert!(!why.contains("SECRET"), "{why}");
    }
}

#[test]
fn the_source_is_what_the_variables_say_and_has_a_name_in_any_case() {
    for (set, expected) in [
        (&[][..], &[("service.name", "cronward")][..]),
        (
            &[("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=a%2Cb , x = y z ,")],
            &[("service.name", "cronward"), ("deployment.environment.name", "a,b"), ("x", "y z")],
        ),
        (&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,x=y")], &[("service.name", "a"), ("x", "y")]),
        (
            &[("OTEL_SERVICE_NAME", "wins"), ("OTEL_RESOURCE_ATTRIBUTES", "x=y,service.name=a")],
            &[("service.name", "wins"), ("x", "y")],
        ),
    ] {
        let found = settings("", set).resource;
        let found: Vec<_> = found.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        assert_eq!(found, expected, "{set:?}");
    }
}

#[test]
fn what_is_no_percent_sequence_stands_for_itself() {
    for (text, expected) in [
        ("%41%7a%2c", "Az,"),
        ("100%", "100%"),
        ("%4", "%4"),
        ("%g1%", "%g1%"),
        ("a+b", "a+b"),
        ("%ff", "\u{fffd}"),
    ] {
        assert_eq!(percent_decoded(text), expected);
    }
}
