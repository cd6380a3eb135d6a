//! `syslog:TARGET`: a record for every run that ended, and one of its own for each overdue run and each
//! turn of an alert, since somebody may be woken by these. To another host as RFC 5424 has it, over UDP
//! or TCP (RFC 5426, RFC 6587); to a socket of this host as syslog(3) writes it, which is all that the
//! readers of /dev/log understand: rsyslog's takes the version of RFC 5424 for the name of the program.

mod record;

use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;

use super::address::{Address, Host};
use super::datagrams::{Datagrams, Dialect};
use super::transport::{Framing, Transport};
use super::wire::Packed;
use super::{Opening, Sink, Topic, options};
use crate::notice::Notice;
use record::Form;

/// Port of syslog, over UDP as over TCP.
const PORT: u16 = 514;

/// Where programs of this host log to.
const LOCAL: &str = "/dev/log";

/// Facility that records have, unless told otherwise: cron's.
const CRON: u8 = 9;

/// Facilities by the words of syslog.conf(5), with their numbers (RFC 5424 section 6.2.1); not `kern`,
/// which nobody but the kernel can have.
#[rustfmt::skip]
const FACILITIES: [(&str, u8); 19] = [
    ("user", 1), ("mail", 2), ("daemon", 3), ("auth", 4), ("syslog", 5), ("lpr", 6), ("news", 7), ("uucp", 8),
    ("cron", CRON), ("authpriv", 10), ("ftp", 11), ("local0", 16), ("local1", 17), ("local2", 18), ("local3", 19),
    ("local4", 20), ("local5", 21), ("local6", 22), ("local7", 23),
];

/// What is written.
struct Syslog {
    facility: u8,
    /// Whether it is for a socket of this host.
    is_local: bool,
    /// The zone of this host's clock, once it was wanted.
    zone: OnceLock<TimeZone>,
}

/// A sink of its target; empty: /dev/log.
///
/// # Errors
/// In words: a bad address or option.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let (target, options) = options(opening.target)?;
    let mut facility = CRON;
    for (name, value) in options {
        facility = match name {
            "facility" => facility_of(value)?,
            name => return Err(format!("unknown option '{name}'; the only one is 'facility'")),
        };
    }
    let address = address(if target.is_empty() { LOCAL } else { target })?;
    let (is_local, framing) = match address {
        Address::Unix(..) => (true, Framing::Nul),
        Address::Udp(_) | Address::Tcp(_) | Address::Unusable(_) => (false, Framing::OctetCount),
    };
    Ok(Arc::new(Datagrams {
        name: format!("syslog:{address}"),
        transport: Transport::new(address, framing),
        dialect: Box::new(Syslog { facility, is_local, zone: OnceLock::new() }),
    }))
}

fn facility_of(word: &str) -> Result<u8, String> {
    let found = FACILITIES.iter().find(|(name, _)| *name == word);
    found
        .map(|(_, number)| *number)
        .ok_or_else(|| format!("'{word}' is not a facility; write 'cron', 'daemon', 'local0' or the like"))
}

/// `HOST[:PORT]` or `udp:HOST[:PORT]`, `tcp:HOST[:PORT]`, or a socket.
fn address(target: &str) -> Result<Address, String> {
    if let Some(socket) = Address::socket(target) {
        return socket;
    }
    match target.strip_prefix("tcp:") {
        Some(host) => Host::parse(host, PORT).map(Address::Tcp),
        None => Host::parse(target.strip_prefix("udp:").unwrap_or(target), PORT).map(Address::Udp),
    }
}

impl Syslog {
    fn form(&self) -> Form<'_> {
        if self.is_local { Form::Local(self.zone.get_or_init(TimeZone::system)) } else { Form::Network }
    }
}

impl Dialect for Syslog {
    fn speaks_of(&self, topic: Topic) -> bool {
        match topic {
            Topic::End | Topic::Overdue | Topic::Alert => true,
            Topic::Start | Topic::Standing | Topic::Alive => false,
        }
    }

    /// To find the zone takes files and much stack, which the thread that tells of an overdue run has not.
    fn prepare(&self) {
        self.form();
    }

    fn pack(&self, notices: &[Notice], limit: usize) -> Packed {
        let mut packed = Packed::new(limit);
        for notice in notices {
            packed.push_alone(record::of(notice, self.facility, self.form(), limit));
        }
        packed
    }
}

#[cfg(test)]
mod tests;
