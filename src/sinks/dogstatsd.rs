//! `dogstatsd:…`: metrics with tags, events and the service check of a job, in the datagrams of the
//! Datadog Agent (docs.datadoghq.com/extend/dogstatsd/datagram_shell, protocol 1.0, which every
//! version reads). In a container also where it comes from, by protocol 1.6; an older Agent skips
//! fields that it does not know.

mod container;
mod event;
mod origin;
mod tags;

use std::borrow::Cow;
use std::sync::Arc;

use super::address::Address;
use super::datagrams::{Datagrams, Dialect};
use super::transport::{Framing, Transport};
use super::wire::{Packed, push_all, push_metric, push_name, push_number, push_tag, tags_within};
use super::{Opening, Sink, Topic, options};
use crate::notice::{MetricKind, Notice, Tagged, measurements, value_tags};
use origin::Origin;
use tags::Surroundings;

/// The dialect of the Datadog agent.
struct Dogstatsd {
    events: Events,
    surroundings: Surroundings,
    origin: Origin,
}

/// Which notices are sent as events beside the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Events {
    None,
    Alerts,
    All,
}

/// A sink of its target; empty: what the `DD_*` variables say.
///
/// # Errors
/// In words: a bad address or option.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let (target, options) = options(opening.target)?;
    let mut events = Events::Alerts;
    for (name, value) in options {
        events = match (name, value) {
            ("events", "all") => Events::All,
            ("events", "none") => Events::None,
            ("events", _) => return Err(format!("cannot use 'events={value}'; write 'all' or 'none'")),
            (name, _) => return Err(format!("unknown option '{name}'; the only one is 'events'")),
        };
    }
    let address = Address::dogstatsd(target, opening.variables)?;
    Ok(Arc::new(Datagrams {
        name: format!("dogstatsd:{address}"),
        transport: Transport::new(address, Framing::Length),
        dialect: Box::new(Dogstatsd {
            events,
            surroundings: Surroundings::of(opening.variables),
            origin: Origin::of(opening.variables),
        }),
    }))
}

impl Dialect for Dogstatsd {
    fn speaks_of(&self, topic: Topic) -> bool {
        matches!(topic, Topic::End | Topic::Standing | Topic::Alive) || self.sends_event(topic)
    }

    fn prepare(&self) {
        self.origin.fields();
    }

    fn pack(&self, notices: &[Notice], limit: usize) -> Packed {
        let mut packed = Packed::new(limit);
        let origin = self.origin.fields();
        for notice in notices {
            let of_job = self.surroundings.tags_of(&notice.job, &[]);
            // A job can report more than a datagram holds, and then the count of its runs, which people
            // alert on, would not be sent at all.
            let room = room_for_tags(limit, origin);
            let reported = notice.news.run().map_or(&[][..], |run| tags_within(&run.report.tags, room));
            let of_run = match reported {
                [] => Cow::Borrowed(&of_job[..]),
                reported => Cow::Owned(self.surroundings.tags_of(&notice.job, reported)),
            };
            let common = Common { of_job: &of_job, of_run: &of_run, origin };
            pack_metrics(notice, &common, &mut packed);
            if let Some(status) = event::status(&notice.news) {
                packed.push(&event::service_check(notice, status, &common, limit));
            }
            if self.sends_event(Topic::of(&notice.news)) {
                packed.push(&event::event(notice, &common, limit));
            }
        }
        packed
    }
}

impl Dogstatsd {
    fn sends_event(&self, topic: Topic) -> bool {
        match self.events {
            Events::None => false,
            Events::Alerts => matches!(topic, Topic::Alert | Topic::Overdue),
            Events::All => !matches!(topic, Topic::Standing | Topic::Alive),
        }
    }
}

/// What does not depend on the metric: tags, `task` first, and the fields behind them.
struct Common<'a> {
    /// Of what is known of the job from run to run: a tag of one run would make a series of its own
    /// that nothing ever changes.
    of_job: &'a str,
    /// Of what is known of one run: with the tags that it has reported.
    of_run: &'a str,
    /// Where it comes from.
    origin: &'a str,
}

/// How much of a datagram tags may take up, in bytes, where there has to be room for something else.
fn room_for_tags(limit: usize, origin: &str) -> usize {
    (limit / 2).saturating_sub(origin.len())
}

/// `NAME:VALUE|TYPE|#TAGS` and the origin. The tags of the value stand behind `task`, the common ones behind those.
fn pack_metrics(notice: &Notice, common: &Common<'_>, packed: &mut Packed) {
    let measured = measurements(&notice.news);
    if measured.is_empty() {
        return;
    }
    let mut prefix = String::with_capacity(64);
    push_name(&mut prefix, &notice.job.namespace);
    prefix.push('.');
    let Common { of_job, of_run, origin } = common;
    let (task, others) = of_run.split_at(of_run.find(',').unwrap_or(of_run.len()));
    let tags = |tagged| {
        let mut tags = String::with_capacity(of_run.len() + 64);
        tags.push_str(task);
        for (key, value) in notice.news.run().map(|run| value_tags(run, tagged)).unwrap_or_default() {
            tags.push(',');
            push_tag(&mut tags, key, &value);
        }
        tags.push_str(others);
        tags
    };
    let of_host = of_job.split_once(',').map_or("", |(_, others)| others);
    let (of_outcome, of_ending) = (tags(Tagged::Outcome), tags(Tagged::Ending));
    for measured in measured {
        packed.push_with(|line| {
            push_metric(line, &prefix, measured.metric.name, measured.given_name);
            line.push(':');
            let is_number = push_number(line, measured.value);
            line.push_str(match measured.metric.kind {
                MetricKind::Counter => "|c",
                // Percentiles over all hosts; a histogram or timer has them for each Agent alone.
                MetricKind::Timer => "|d",
                MetricKind::Gauge => "|g",
            });
            let tags = match measured.metric.tagged {
                Tagged::Host => of_host,
                Tagged::Job => of_job,
                Tagged::Outcome => &of_outcome,
                Tagged::Ending => &of_ending,
            };
            if !tags.is_empty() {
                push_all(line, &["|#", tags]);
            }
            line.push_str(origin);
            is_number
        });
    }
}

#[cfg(test)]
mod tests;
