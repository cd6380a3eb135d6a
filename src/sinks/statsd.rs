//! `statsd:HOST[:PORT]`: plain lines for Etsy's server and all that copied it. No tags, no events and
//! never a type but `c`, `ms` and `g`: Etsy's server counts a line `k:1.5|d` as a counter, silently.

use std::sync::Arc;

use super::address::{Address, DEFAULT_PORT, Host};
use super::datagrams::{Datagrams, Dialect};
use super::transport::{Framing, Transport};
use super::wire::{Packed, push_all, push_metric, push_name, push_name_part, push_number};
use super::{Opening, Sink, Topic, options};
use crate::notice::{MetricKind, Notice, Tagged, measurements};

/// The plain dialect.
struct Plain;

/// A sink of its target; empty: this host.
///
/// # Errors
/// In words: a bad address or option.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let (target, options) = options(opening.target)?;
    for (name, value) in options {
        match (name, value) {
            ("tags", "none") => {}
            ("tags", "influx" | "graphite") => return Err(format!("'tags={value}' is not built yet")),
            ("tags", _) => return Err(format!("cannot use 'tags={value}'; write 'tags=none'")),
            (name, _) => return Err(format!("unknown option '{name}'; the only one is 'tags'")),
        }
    }
    let address = match target {
        "" => Address::localhost(),
        target => Address::Udp(Host::parse(target, DEFAULT_PORT)?),
    };
    Ok(Arc::new(Datagrams {
        name: format!("statsd:{address}"),
        transport: Transport::new(address, Framing::Length),
        dialect: Plain,
    }))
}

impl Dialect for Plain {
    fn speaks_of(&self, topic: Topic) -> bool {
        matches!(topic, Topic::End | Topic::Standing | Topic::Alive)
    }

    fn pack(&self, notices: &[Notice], limit: usize) -> Packed {
        let mut packed = Packed::new(limit);
        for notice in notices {
            pack(notice, &mut packed);
        }
        packed
    }
}

/// `NAMESPACE.LABEL.METRIC:VALUE|TYPE`; the counter of runs ends in the outcome, since there are no
/// tags to tell one from another.
fn pack(notice: &Notice, packed: &mut Packed) {
    let mut of_host = String::with_capacity(64);
    push_name(&mut of_host, &notice.job.namespace);
    of_host.push('.');
    let mut of_job = of_host.clone();
    push_name_part(&mut of_job, notice.job.label.as_str());
    of_job.push('.');
    for measured in measurements(&notice.news) {
        let prefix = match measured.metric.tagged {
            Tagged::Host => &of_host,
            Tagged::Job | Tagged::Outcome | Tagged::Ending => &of_job,
        };
        let name = |line: &mut String| {
            push_metric(line, prefix, measured.metric.name, measured.given_name);
        };
        packed.push_with(|line| {
            let kind = match measured.metric.kind {
                MetricKind::Counter => {
                    name(line);
                    if let Some(run) = notice.news.run() {
                        push_all(line, &[".", run.outcome.as_str()]);
                    }
                    "|c"
                }
                MetricKind::Timer => {
                    name(line);
                    "|ms"
                }
                MetricKind::Gauge => {
                    // A sign makes the value of a gauge a difference, so a negative one is counted
                    // from zero, and both lines have to be in one datagram.
                    if measured.value < 0.0 {
                        name(line);
                        line.push_str(":0|g\n");
                    }
                    name(line);
                    "|g"
                }
            };
            line.push(':');
            let is_number = push_number(line, measured.value);
            line.push_str(kind);
            is_number
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outcome::{Outcome, Run};
    use crate::policy::History;
    use crate::sinks::grammar::{self, Item};
    use crate::sinks::sample;

    fn lines(notice: &Notice) -> Vec<String> {
        let mut packed = Packed::new(1432);
        pack(notice, &mut packed);
        packed.datagrams.iter().flat_map(|datagram| datagram.split('\n')).map(str::to_owned).collect()
    }

    fn opened(target: &str) -> Result<String, String> {
        sample::opening(target, |opening| open(opening).map(|sink| sink.name().to_owned()))
    }

    #[test]
    fn a_failed_run_is_written_in_plain_lines() {
        let notice = &sample::failed(sample::job("nightly.pg dump"))[0];
        assert_eq!(
            lines(notice),
            [
                "cronward.nightly_pg_dump.run.duration:12.75|ms",
                "cronward.nightly_pg_dump.run.exit_code:3|g",
                "cronward.nightly_pg_dump.run.count.failed:1|c",
                "cronward.nightly_pg_dump.run.cpu_user:8.5|ms",
                "cronward.nightly_pg_dump.run.cpu_system:0|ms",
                "cronward.nightly_pg_dump.run.max_rss:1048576|g",
                "cronward.nightly_pg_dump.job.consecutive_failures:1|g",
                "cronward.nightly_pg_dump.job.alert_open:1|g",
            ]
        );
    }

    /// Etsy's server adds a gauge with a sign to the one before it (statsd docs/metric_types.md).
    #[test]
    fn what_a_job_reports_is_a_gauge_of_its_own_and_a_negative_one_is_counted_from_zero() {
        let values = [("rows", 1000.0), ("db.drift", -2.5), ("share", 0.000_4), ("big", 1e21)];
        let notice = &sample::reported(sample::job("x"), &values, &["env:prod"])[0];
        let lines = lines(notice);
        assert_eq!(
            lines[lines.len() - 5..],
            [
                "cronward.x.run.custom.rows:1000|g",
                "cronward.x.run.custom.db.drift:0|g",
                "cronward.x.run.custom.db.drift:-2.5|g",
                "cronward.x.run.custom.share:0.0004|g",
                "cronward.x.run.custom.big:1000000000000000000000|g",
            ]
        );
        assert!(lines.iter().all(|line| !line.contains("prod")), "{lines:#?}");
    }

    #[test]
    fn targets_and_options_are_read_strictly() {
        assert_eq!(opened("").as_deref(), Ok("statsd:127.0.0.1:8125"));
        assert_eq!(opened("h:1?tags=none").as_deref(), Ok("statsd:h:1"));
        for bad in ["h:x", "h?tags=", "h?tags=influx", "h?events=all", "h?", "/a.sock"] {
            assert!(opened(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn hostile_labels_and_namespaces_forge_no_line(
            label in sample::hostile(), namespace in sample::hostile(), reason in sample::hostile(),
        ) {
            let mut job = sample::job(&label);
            job.namespace = namespace;
            let notice = &sample::failed_because(job, &reason)[0];
            let mut packed = Packed::new(1432);
            pack(notice, &mut packed);
            let items: Vec<Item> = packed.datagrams.iter().flat_map(|d| grammar::plain(d).unwrap()).collect();
            prop_assert_eq!(items.len(), 8);
            prop_assert_eq!(packed.too_long, 0);
        }

        #[test]
        fn hostile_reports_forge_no_line_and_no_difference(report in sample::hostile_report()) {
            let values = report.values.iter().map(|(_, value)| value);
            let lines = values.filter(|value| value.is_finite()).map(|value| if *value < 0.0 { 2 } else { 1 });
            let expected = 8 + lines.sum::<usize>();
            let run = Run { report, ..sample::run(Outcome::Failed, 3, None) };
            let notice = &sample::ended(sample::job("x"), &History::default(), run)[0];
            let mut packed = Packed::new(1432);
            pack(notice, &mut packed);
            let items: Vec<Item> = packed.datagrams.iter().flat_map(|d| grammar::plain(d).unwrap()).collect();
            prop_assert_eq!(items.len(), expected);
            for item in items {
                let Item::Metric { name, .. } = item else { panic!("{item:?}") };
                prop_assert!(name.starts_with("cronward.x."), "{}", name);
            }
        }
    }
}
