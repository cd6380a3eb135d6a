//! `dogstatsd:…`: metrics with tags, events and the service check of a job, in the datagrams of the
//! Datadog Agent (docs.datadoghq.com/extend/dogstatsd/datagram_shell, protocol 1.0, which every
//! version reads).

mod event;
mod tags;

use std::sync::Arc;

use super::address::Address;
use super::transport::Transport;
use super::wire::{Packed, push_name, push_number, push_tag};
use super::{Opening, Pace, Sink, options};
use crate::clock::Deadline;
use crate::notice::{Finished, MetricKind, News, Notice, measurements};
use tags::Surroundings;

/// The sink.
#[derive(Debug)]
pub struct Dogstatsd {
    name: String,
    transport: Transport,
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
    Ok(Arc::new(Dogstatsd {
        name: format!("dogstatsd:{address}"),
        transport: Transport::new(address),
        events,
        surroundings: Surroundings::of(opening.variables),
    }))
}

impl Sink for Dogstatsd {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        self.transport.pace()
    }

    fn confirms(&self) -> bool {
        false
    }

    fn hears_the_others(&self) -> bool {
        false
    }

    fn wants(&self, notice: &Notice) -> bool {
        matches!(notice.news, News::Finished(_)) || self.sends_event(&notice.news)
    }

    fn prepare(&self) {
        self.transport.prepare();
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        self.pack(notices).datagrams
    }

    fn deliver(&self, notices: &[Notice], _: Deadline) -> Result<(), String> {
        self.transport.send(&self.pack(notices))
    }
}

impl Dogstatsd {
    fn sends_event(&self, news: &News) -> bool {
        match (self.events, news) {
            (Events::None, _) | (Events::Alerts, News::Started(_) | News::Finished(_)) => false,
            (Events::Alerts, News::Opened(..) | News::Repeated(..) | News::Closed(..)) | (Events::All, _) => {
                true
            }
        }
    }

    fn pack(&self, notices: &[Notice]) -> Packed {
        let limit = self.transport.limit();
        let mut packed = Packed::new(limit);
        for notice in notices {
            let common = self.surroundings.tags_of(&notice.job);
            if let News::Finished(finished) = &notice.news {
                pack_metrics(notice, finished, &common, &mut packed);
                packed.push(&event::service_check(notice, finished, &common, limit));
            }
            if self.sends_event(&notice.news) {
                packed.push(&event::event(notice, &common, limit));
            }
        }
        packed
    }
}

/// `NAME:VALUE|TYPE|#TAGS`. The tags of the value stand behind `task`, the common ones behind those.
fn pack_metrics(notice: &Notice, finished: &Finished, common: &[String], packed: &mut Packed) {
    let mut namespace = String::new();
    push_name(&mut namespace, &notice.job.namespace);
    let (task, others) = common.split_at(common.len().min(1));
    let others: String = others.iter().flat_map(|tag| [",", tag]).collect();
    for measured in measurements(notice, finished) {
        let mut line = namespace.clone();
        line.push('.');
        push_name(&mut line, measured.metric.name);
        line.push(':');
        if !push_number(&mut line, measured.value) {
            continue;
        }
        line.push_str(match measured.metric.kind {
            MetricKind::Counter => "|c|#",
            // Percentiles over all hosts; a histogram or timer has them for each Agent alone.
            MetricKind::Timer => "|d|#",
            MetricKind::Gauge => "|g|#",
        });
        line.extend(task.iter().map(String::as_str));
        for (key, value) in &measured.tags {
            line.push(',');
            push_tag(&mut line, key, value);
        }
        line.push_str(&others);
        packed.push(&line);
    }
}

#[cfg(test)]
mod tests;
