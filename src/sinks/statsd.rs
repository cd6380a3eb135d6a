//! `statsd:HOST[:PORT]`: lines for Etsy's server and all that copied it. No events and never a type but
//! `c`, `ms` and `g`: Etsy's server counts a line `k:1.5|d` as a counter, silently. Tags only by an
//! option, since a server that does not know them takes them for a part of the name.

mod tags;

use std::sync::Arc;

use super::address::{Address, DEFAULT_PORT, Host};
use super::datagrams::{Datagrams, Dialect};
use super::transport::{Framing, Transport};
use super::wire::{Packed, push_all, push_metric, push_name, push_name_part, push_number};
use super::{Opening, Sink, Topic, options};
use crate::notice::{Measurement, MetricKind, Notice, Tagged, measurements};
use tags::Style;

/// The dialect.
struct Statsd {
    /// How tags are written; without, label and outcome are parts of the name.
    tags: Option<Style>,
}

/// A sink of its target; empty: this host.
///
/// # Errors
/// In words: a bad address or option.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let (target, options) = options(opening.target)?;
    let mut tags = None;
    for (name, value) in options {
        tags = match (name, value) {
            ("tags", "none") => None,
            ("tags", "influx") => Some(Style::Influx),
            ("tags", "graphite") => Some(Style::Graphite),
            ("tags", _) => {
                return Err(format!("cannot use 'tags={value}'; write 'none', 'influx' or 'graphite'"));
            }
            (name, _) => return Err(format!("unknown option '{name}'; the only one is 'tags'")),
        };
    }
    let address = match target {
        "" => Address::localhost(),
        target => Address::Udp(Host::parse(target, DEFAULT_PORT)?),
    };
    Ok(Arc::new(Datagrams {
        name: format!("statsd:{address}"),
        transport: Transport::new(address, Framing::Length),
        dialect: Box::new(Statsd { tags }),
    }))
}

impl Dialect for Statsd {
    fn speaks_of(&self, topic: Topic) -> bool {
        matches!(topic, Topic::End | Topic::Standing | Topic::Alive)
    }

    fn pack(&self, notices: &[Notice], limit: usize) -> Packed {
        let mut packed = Packed::new(limit);
        for notice in notices {
            match self.tags {
                None => pack(notice, &mut packed),
                Some(style) => pack_tagged(notice, style, limit, &mut packed),
            }
        }
        packed
    }
}

/// `NAMESPACE.LABEL.METRIC:VALUE|TYPE`; the counter of runs ends in the outcome, since there are no
/// tags to tell one from another.
fn pack(notice: &Notice, packed: &mut Packed) {
    let of_host = prefix(notice);
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
            if let (MetricKind::Counter, Some(run)) = (measured.metric.kind, notice.news.run()) {
                push_all(line, &[".", run.outcome.as_str()]);
            }
        };
        packed.push_with(|line| push_value(line, &measured, &name));
    }
}

/// `NAMESPACE.METRIC` and tags, `:VALUE|TYPE`.
fn pack_tagged(notice: &Notice, style: Style, limit: usize, packed: &mut Packed) {
    let measured = measurements(&notice.news);
    if measured.is_empty() {
        return;
    }
    let prefix = prefix(notice);
    let tags = |tagged| tags::of(notice, tagged, style, limit);
    let (of_host, of_job) = (tags(Tagged::Host), tags(Tagged::Job));
    let (of_outcome, of_ending) = (tags(Tagged::Outcome), tags(Tagged::Ending));
    for measured in measured {
        let tags = match measured.metric.tagged {
            Tagged::Host => &of_host,
            Tagged::Job => &of_job,
            Tagged::Outcome => &of_outcome,
            Tagged::Ending => &of_ending,
        };
        let name = |line: &mut String| {
            push_metric(line, &prefix, measured.metric.name, measured.given_name);
            line.push_str(tags);
        };
        packed.push_with(|line| push_value(line, &measured, &name));
    }
}

fn prefix(notice: &Notice) -> String {
    let mut prefix = String::with_capacity(64);
    push_name(&mut prefix, &notice.job.namespace);
    prefix.push('.');
    prefix
}

/// `NAME:VALUE|TYPE`; false if there is no number to be written.
///
/// A sign makes the value of a gauge a difference, for Etsy's server, Telegraf and statsd_exporter alike.
/// So a negative one is counted from zero, and both lines are pushed as one, to be in one datagram.
fn push_value(line: &mut String, measured: &Measurement<'_>, name: &dyn Fn(&mut String)) -> bool {
    let kind = match measured.metric.kind {
        MetricKind::Counter => "|c",
        MetricKind::Timer => "|ms",
        MetricKind::Gauge => "|g",
    };
    if kind == "|g" && measured.value < 0.0 {
        name(line);
        line.push_str(":0|g\n");
    }
    name(line);
    line.push(':');
    let is_number = push_number(line, measured.value);
    line.push_str(kind);
    is_number
}

#[cfg(test)]
mod tests;
