//! `dogstatsd:…`: metrics with tags, events and the service check of a job, in the datagrams of the
//! Datadog Agent (docs.datadoghq.com/extend/dogstatsd/datagram_shell, protocol 1.0, which every
//! version reads).

mod event;
mod tags;

use std::borrow::Cow;
use std::sync::Arc;

use super::address::Address;
use super::datagrams::{Datagrams, Dialect};
use super::transport::Transport;
use super::wire::{Packed, push_metric, push_name, push_number, push_tag};
use super::{Opening, Sink, Topic, options};
use crate::job::Tag;
use crate::notice::{Finished, MetricKind, News, Notice, Tagged, measurements, value_tags};
use tags::Surroundings;

/// The dialect of the Datadog agent.
struct Dogstatsd {
    events: Events,
    surroundings: Surroundings,
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
        transport: Transport::new(address),
        dialect: Dogstatsd { events, surroundings: Surroundings::of(opening.variables) },
    }))
}

impl Dialect for Dogstatsd {
    fn speaks_of(&self, topic: Topic) -> bool {
        topic == Topic::End || self.sends_event(topic)
    }

    fn pack(&self, notices: &[Notice], limit: usize) -> Packed {
        let mut packed = Packed::new(limit);
        for notice in notices {
            let of_job = self.surroundings.tags_of(&notice.job, &[]);
            let reported = notice.news.run().map_or(&[][..], |run| within(&run.report.tags, limit / 2));
            let of_run = match reported {
                [] => Cow::Borrowed(&of_job[..]),
                reported => Cow::Owned(self.surroundings.tags_of(&notice.job, reported)),
            };
            if let News::Finished(finished) = &notice.news {
                pack_metrics(notice, finished, &Common { of_job: &of_job, of_run: &of_run }, &mut packed);
                packed.push(&event::service_check(notice, finished, &of_job, limit));
            }
            if self.sends_event(Topic::of(&notice.news)) {
                packed.push(&event::event(notice, &of_run, limit));
            }
        }
        packed
    }
}

impl Dogstatsd {
    fn sends_event(&self, topic: Topic) -> bool {
        match self.events {
            Events::None => false,
            Events::Alerts => topic == Topic::Alert,
            Events::All => true,
        }
    }
}

/// As many tags as take up no more than `room` bytes. A job can report more than a datagram holds, and
/// then the count of its runs, which people alert on, would not be sent at all.
fn within(tags: &[Tag], mut room: usize) -> &[Tag] {
    let fits = |tag: &&Tag| {
        let size = ",:".len() + tag.key.len() + tag.value.as_ref().map_or(0, String::len);
        let left = room.checked_sub(size);
        room = left.unwrap_or(room);
        left.is_some()
    };
    &tags[..tags.iter().take_while(fits).count()]
}

/// Tags that do not depend on the metric, `task` first.
struct Common<'a> {
    /// Of what is known of the job from run to run: a tag of one run would make a series of its own
    /// that nothing ever changes.
    of_job: &'a str,
    /// Of what is known of one run: with the tags that it has reported.
    of_run: &'a str,
}

/// `NAME:VALUE|TYPE|#TAGS`. The tags of the value stand behind `task`, the common ones behind those.
fn pack_metrics(notice: &Notice, finished: &Finished, common: &Common<'_>, packed: &mut Packed) {
    let mut prefix = String::with_capacity(64);
    push_name(&mut prefix, &notice.job.namespace);
    prefix.push('.');
    let Common { of_job, of_run } = common;
    let (task, others) = of_run.split_at(of_run.find(',').unwrap_or(of_run.len()));
    let tags = |tagged| {
        let mut tags = String::with_capacity(of_run.len() + 64);
        tags.push_str(task);
        for (key, value) in value_tags(&finished.run, tagged) {
            tags.push(',');
            push_tag(&mut tags, key, &value);
        }
        tags.push_str(others);
        tags
    };
    let (of_outcome, of_ending) = (tags(Tagged::Outcome), tags(Tagged::Ending));
    for measured in measurements(notice, finished) {
        packed.push_with(|line| {
            push_metric(line, &prefix, measured.metric.name, measured.given_name);
            line.push(':');
            let is_number = push_number(line, measured.value);
            line.push_str(match measured.metric.kind {
                MetricKind::Counter => "|c|#",
                // Percentiles over all hosts; a histogram or timer has them for each Agent alone.
                MetricKind::Timer => "|d|#",
                MetricKind::Gauge => "|g|#",
            });
            line.push_str(match measured.metric.tagged {
                Tagged::Job => of_job,
                Tagged::Outcome => &of_outcome,
                Tagged::Ending => &of_ending,
            });
            is_number
        });
    }
}

#[cfg(test)]
mod tests;
