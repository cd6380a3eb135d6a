use super::*;

fn written(word: &str) -> SinkWord {
    let (kind, target) = word.split_once(':').unwrap();
    SinkWord { kind: kind.into(), target: target.into(), origin: "--sink".into() }
}

fn refused(word: &str) -> String {
    let word = written(word);
    let reason = open_one(&word, &Variables::default(), &[]).err().expect(&word.kind);
    format!("'{}': {reason}", shown(&word))
}

#[test]
fn an_unknown_kind_is_named_with_the_nearest_and_without_its_target() {
    let kinds = "kinds are dogstatsd, statsd, jsonl, exec, textfile, pushgateway, otlp, ping, webhook, \
                 pagerduty, syslog, slack";
    let said = format!("'dogstasd:…': unknown kind 'dogstasd' (did you mean 'dogstatsd'?; {kinds})");
    assert_eq!(refused("dogstasd:secret"), said);
    assert_eq!(refused("mqtt:secret"), format!("'mqtt:…': unknown kind 'mqtt' ({kinds})"));
}

#[test]
fn a_bad_target_is_shown_with_the_reason() {
    assert_eq!(
        refused("jsonl:"),
        "'jsonl:': it has no target; jsonl takes PATH, fd:N or stderr: every notice, a JSON object a line"
    );
    assert!(refused("dogstatsd:h?event=all").contains("unknown option 'event'; the only one is 'events'"));
    assert!(refused("dogstatsd:h?events").contains("NAME=VALUE"));
    assert!(refused("dogstatsd:h?events=some").contains("'all' or 'none'"));
    assert!(refused("exec: ").contains("command"));
}

#[test]
fn a_secret_target_is_shown_only_where_it_says_where_the_secret_is() {
    for (word, expected) in [
        ("ping:https://hc.example/secret", "ping:…"),
        ("ping:file:/etc/hc", "ping:file:/etc/hc"),
        ("ping:env:HC_URL", "ping:env:HC_URL"),
        ("pushgateway:http://secret", "pushgateway:…"),
        ("pushgateway:env:PUSH_URL", "pushgateway:env:PUSH_URL"),
        ("textfile:/var/x", "textfile:/var/x"),
        ("slack:https://hooks.slack.com/services/secret", "slack:…"),
        ("slack:file:/etc/slack", "slack:file:/etc/slack"),
        ("pong:secret", "pong:…"),
        ("pagerduty:secret", "pagerduty:…"),
        ("pagerduty:secret?url=https://eu.example", "pagerduty:…"),
        ("pagerduty:env:KEY?url=https://eu.example", "pagerduty:env:KEY?url=https://eu.example"),
        ("pagerduty:env:KEY?url=https://me:secret@eu.example", "pagerduty:…"),
        ("webhook:https://h/secret#secret=file:/k", "webhook:…"),
        ("webhook:file:/u#secret=env:KEY&events=all", "webhook:file:/u#secret=env:KEY&events=all"),
        ("webhook:file:/u#", "webhook:file:/u#"),
        ("webhook:file:/u#secret=secret", "webhook:…"),
        ("webhook:file:/u#events=all&secret=secret", "webhook:…"),
        // A slip of the finger.
        ("webhook:file:/u#secert=secret", "webhook:…"),
        ("webhook:file:/u#events=secret", "webhook:…"),
        ("webhook:file:/u#secret", "webhook:…"),
        ("exec:mail -s x", "exec:mail -s x"),
    ] {
        assert_eq!(shown(&written(word)), expected);
    }
}

#[cfg(not(feature = "http"))]
#[test]
fn a_kind_that_needs_http_says_that_it_was_left_out() {
    for (kind, takes) in
        [("ping", "https://"), ("slack", "https://"), ("webhook", "https://"), ("pagerduty", "a routing key")]
    {
        let said = format!("'{kind}:…': this cronward was built without HTTP; {kind} takes {takes}");
        assert!(refused(&format!("{kind}:https://hc.example/secret")).starts_with(&said));
    }
}

#[test]
fn every_kind_of_the_table_opens_a_sink_named_after_it() {
    let mut words =
        vec!["dogstatsd:", "statsd:", "jsonl:/tmp/x", "exec:mail -s x", "textfile:/tmp/x", "syslog:"];
    if cfg!(feature = "http") {
        words.extend(["pushgateway:http://push.example:9091", "otlp:", "otlp:https://o.example/x"]);
        words.extend(["ping:https://hc.example/x", "pagerduty:key", "webhook:https://hook.example/x"]);
        words.push("slack:https://hooks.example/x");
    }
    for word in words.into_iter().map(written) {
        let sink = open_one(&word, &Variables::default(), &[]).unwrap();
        assert!(sink.name().starts_with(&format!("{}:", word.kind)), "{}", sink.name());
    }
}
