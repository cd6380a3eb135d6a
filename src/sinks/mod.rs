//! Where notices go. One trait, one table of kinds, one file a kind. Nothing here can change how
//! cronward exits, delay the start of a job, or outlast the deadline that it is given.

mod address;
mod datagrams;
pub mod delivery;
mod dogstatsd;
mod exec;
mod exposition;
#[cfg(feature = "http")]
mod http;
mod inherited;
mod jsonl;
mod options;
#[cfg(feature = "http")]
mod otlp;
#[cfg(feature = "http")]
mod pagerduty;
#[cfg(feature = "http")]
mod ping;
pub mod probe;
#[cfg(feature = "http")]
mod pushgateway;
#[cfg(feature = "http")]
mod secret;
#[cfg(feature = "http")]
mod slack;
mod statsd;
mod syslog;
mod textfile;
mod transport;
#[cfg(feature = "http")]
mod webhook;
mod wire;
#[cfg(not(feature = "http"))]
mod without_http;
#[cfg(not(feature = "http"))]
use {
    without_http as otlp, without_http as pagerduty, without_http as ping, without_http as pushgateway,
    without_http as slack, without_http as webhook,
};

#[cfg(test)]
mod grammar;
#[cfg(test)]
pub(crate) mod sample;

use std::ffi::OsString;
use std::sync::Arc;

use crate::clock::Deadline;
use crate::job::{CommandLine, RunId, fnv1a};
use crate::notice::{News, Notice};
use crate::plan::{Plan, SinkWord, Variables};
use crate::settings::nearest;

pub use inherited::{holds_secret, secret_variables, without_secrets};
#[cfg(feature = "http")]
use options::options_of_url;
use options::{only_refers, options};
use probe::Probe;

/// Whether telling a sink can make the caller wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Never waits: a datagram to a known address, a line to a regular file.
    Prompt,
    /// May wait, until the deadline; told on a thread of its own.
    Waiting,
}

/// What a sink can ask to be told of. It is asked by topic and not by notice, so that a notice which
/// nobody wants need not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// That a run was started.
    Start,
    /// That a run takes longer than it should.
    Overdue,
    /// That a run ended.
    End,
    /// What became of the alert.
    Alert,
    /// How a job stands while no run of it ends: measured, and no event.
    Standing,
    /// That somebody looks after the jobs of this host: measured, and no event.
    Alive,
}

impl Topic {
    /// What this is news of.
    pub fn of(news: &News) -> Self {
        match news {
            News::Started(_) => Self::Start,
            News::Standing(_) => Self::Standing,
            News::Alive => Self::Alive,
            News::Overdue(_) => Self::Overdue,
            News::Finished(_) => Self::End,
            News::Opened(..) | News::Repeated(..) | News::Closed(..) => Self::Alert,
        }
    }
}

/// One place that notices go to.
pub trait Sink: Send + Sync {
    /// How it is called in messages, without secrets: `dogstatsd:127.0.0.1:8125`.
    fn name(&self) -> &str;
    /// Whether telling it can wait. Asked once the job has been started, never before.
    fn pace(&self) -> Pace;
    /// Whether a delivery without error means that somebody has taken charge of an alert. Such a sink is handed
    /// alerts one by one, and is owed each until it has taken it.
    fn confirms(&self) -> bool {
        false
    }
    /// What it answered last when it took something, for people: `HTTP 202`, `exit status 0`.
    fn answer(&self) -> Option<String> {
        None
    }
    /// Whether it only shows how a job stands: an alert changes that, and nobody is told of it.
    fn only_shows(&self) -> bool {
        false
    }
    /// Whether it is told last, with what the others answered: a log on this host.
    fn hears_the_others(&self) -> bool {
        false
    }
    /// Whether it takes notices of this topic at all.
    fn wants(&self, topic: Topic) -> bool;
    /// Hears which run this process is about to make. What the command of that run is to find in `TRACEPARENT`, if it
    /// is to be in a trace of this sink's.
    fn begin(&self, _: RunId) -> Option<String> {
        None
    }
    /// Resolves names and opens sockets, while the job runs. One that is Waiting may wait for long, on a
    /// helper thread.
    fn prepare(&self) {}
    /// What would be sent, for `--dry-run`: one entry a datagram, line or request.
    fn preview(&self, notices: &[Notice]) -> Vec<String>;
    /// Whether it could be told something, found out without telling it anything: nobody hears of it.
    fn probe(&self, deadline: Deadline) -> Probe;
    /// Tells it these notices, all of which it wants, within the deadline.
    ///
    /// # Errors
    /// In words, without the sink's name: `refused`, `timed out`, `exit status 1: no route`.
    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String>;
}

/// What a kind makes a sink of.
pub struct Opening<'a> {
    /// What stands behind the kind and the colon.
    pub target: &'a str,
    /// The variables that sinks read.
    pub variables: &'a Variables,
    /// The environment of a program that a sink runs.
    pub environment: &'a [OsString],
    /// Whether it was named in the environment, perhaps for other runs than this one.
    pub inherited: bool,
}

/// One row of the table: a kind of sink.
pub struct Kind {
    /// The word before the colon.
    pub name: &'static str,
    /// Target and meaning, for messages and the manual.
    pub help: &'static str,
    /// Whether a target is a secret, unless it only says where one is.
    pub(crate) secret: bool,
    /// Makes a sink, without waiting for anything; an error is in words and without the target.
    pub(crate) open: fn(&Opening<'_>) -> Result<Arc<dyn Sink>, String>,
}

/// Every kind of sink, in the order of the manual.
pub static KINDS: &[Kind] = &[
    Kind {
        name: "dogstatsd",
        help: "HOST[:PORT], /path/to.sock or unixstream:/path: metrics with tags, events, a service check",
        secret: false,
        open: dogstatsd::open,
    },
    Kind {
        name: "statsd",
        help: "HOST[:PORT]: counters, timers and gauges, with '?tags=influx' or 'graphite' tagged",
        secret: false,
        open: statsd::open,
    },
    Kind {
        name: "jsonl",
        help: "PATH, fd:N or stderr: every notice, a JSON object a line",
        secret: false,
        open: jsonl::open,
    },
    Kind {
        name: "exec",
        help: "a command line for /bin/sh: run for each alert, the event as JSON on its stdin",
        secret: false,
        open: exec::open,
    },
    Kind {
        name: "textfile",
        help: "an absolute DIR: a file for each job, for node_exporter",
        secret: false,
        open: textfile::open,
    },
    Kind {
        name: "pushgateway",
        help: "http(s)://HOST[:PORT], or file:PATH or env:NAME that holds it: the same by PUT",
        secret: true,
        open: pushgateway::open,
    },
    Kind {
        name: "otlp",
        help: "http(s)://HOST[:PORT], or nothing for what OTEL_* say: metrics, log records, a span a run, by OTLP/HTTP",
        secret: false,
        open: otlp::open,
    },
    Kind {
        name: "ping",
        help: "https://HOST/PATH, or file:PATH or env:NAME that holds it: check-ins with healthchecks.io",
        secret: true,
        open: ping::open,
    },
    Kind {
        name: "webhook",
        help: "https://HOST/PATH, or file:PATH or env:NAME that holds it, and #secret=SECRET: \
               alerts and overdue runs as CloudEvents",
        secret: true,
        open: webhook::open,
    },
    Kind {
        name: "pagerduty",
        help: "a routing key, or file:PATH or env:NAME that holds it: alerts",
        secret: true,
        open: pagerduty::open,
    },
    Kind {
        name: "syslog",
        help: "HOST[:PORT], tcp:HOST[:PORT] or /path/to.sock, by default /dev/log: a record a run, and alerts",
        secret: false,
        open: syslog::open,
    },
    Kind {
        name: "slack",
        help: "https://HOST/PATH of a webhook, or file:PATH or env:NAME that holds it: alerts as messages",
        secret: true,
        open: slack::open,
    },
];

/// The sinks of a list that take charge of alerts, each by its place and by what it is known as in the books
/// of what is owed. Whoever reads that learns no secret, and a secret that is referred to may be changed.
pub fn creditors(words: &[SinkWord], sinks: &[Arc<dyn Sink>]) -> Vec<(usize, String)> {
    let taking_charge = |sink: &dyn Sink| sink.confirms() && sink.wants(Topic::Alert);
    let pairs = words.iter().zip(sinks).enumerate();
    pairs
        .filter(|(_, (_, sink))| taking_charge(&***sink))
        .map(|(place, (word, _))| (place, identity(word)))
        .collect()
}

/// What a sink is known as from run to run: what may be shown of it, and of a secret a hash.
fn identity(word: &SinkWord) -> String {
    let shown = shown(word);
    if !is_secret(word) {
        return shown;
    }
    format!("{shown}#{:08x}", fnv1a(std::iter::once(word.target.as_bytes())))
}

/// What may be shown of a sink that is known as this; of a command line, which may be long, its first word.
pub fn shown_identity(identity: &str) -> String {
    if let Some(line) = identity.strip_prefix("exec:") {
        return format!("exec:{}", CommandLine::Shell(line.into()).first_word().to_string_lossy());
    }
    identity.split_once("…#").map_or_else(|| identity.to_owned(), |(shown, _)| format!("{shown}…"))
}

/// What each sink would send for some notices, of those that it wants: its name, and one text a
/// datagram, line or request.
pub fn preview(sinks: &[Arc<dyn Sink>], notices: &[Notice]) -> Vec<(String, Vec<String>)> {
    let wanted = |sink: &dyn Sink| -> Vec<Notice> {
        notices.iter().filter(|notice| sink.wants(Topic::of(&notice.news))).cloned().collect()
    };
    sinks.iter().map(|sink| (sink.name().to_owned(), sink.preview(&wanted(&**sink)))).collect()
}

/// The sinks of a plan, ready to be told. Nothing is looked up and nothing waits.
///
/// # Errors
/// One line that names the first word that cannot be used and where it came from.
pub fn open(plan: &Plan) -> Result<Vec<Arc<dyn Sink>>, String> {
    plan.sinks
        .iter()
        .map(|word| open_one(word, &plan.variables, &plan.environment).map_err(|why| refused(word, &why)))
        .collect()
}

/// Why a sink could not be opened, in the same words; `None` if it can.
pub fn refusal(word: &SinkWord, variables: &Variables, environment: &[OsString]) -> Option<String> {
    open_one(word, variables, environment).err().map(|why| refused(word, &why))
}

fn refused(word: &SinkWord, why: &str) -> String {
    format!("bad sink '{}' in {}: {why}", shown(word), word.origin)
}

/// One sink.
fn open_one(
    word: &SinkWord,
    variables: &Variables,
    environment: &[OsString],
) -> Result<Arc<dyn Sink>, String> {
    let SinkWord { kind, target, origin } = word;
    // A file speaks of other runs too, as a variable does.
    let inherited = origin != "--sink" && !origin.ends_with("in the line of -c");
    let known = named(kind).ok_or_else(|| not_a_kind(kind))?;
    (known.open)(&Opening { target, variables, environment, inherited })
        .map_err(|reason| format!("{reason}; {kind} takes {}", known.help))
}

fn named(kind: &str) -> Option<&'static Kind> {
    #[cfg(test)]
    if kind == "simulated" {
        return Some(&crate::run::simulation::KIND);
    }
    KINDS.iter().find(|known| known.name == kind)
}

/// A sink as it may be shown: without its target if that is a secret.
pub fn shown(word: &SinkWord) -> String {
    let SinkWord { kind, target, .. } = word;
    if is_secret(word) { format!("{kind}:…") } else { format!("{kind}:{target}") }
}

/// What may be shown of a sink whose target is a secret; `None` of any other.
pub fn shown_if_secret(word: &SinkWord) -> Option<String> {
    is_secret(word).then(|| shown(word))
}

/// Whether the target of a sink is a secret, and does not only say where one is. That of an unknown kind
/// may be somebody's key, with a slip of the finger in the kind.
fn is_secret(word: &SinkWord) -> bool {
    named(&word.kind).is_none_or(|known| known.secret && !only_refers(&word.target))
}

fn not_a_kind(kind: &str) -> String {
    match nearest(kind, KINDS.iter().map(|known| known.name)) {
        Some(name) => format!("unknown kind '{kind}' (did you mean '{name}'?; {})", kinds_are()),
        None => format!("unknown kind '{kind}' ({})", kinds_are()),
    }
}

fn kinds_are() -> String {
    let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    format!("kinds are {}", names.join(", "))
}

#[cfg(test)]
mod tests;
