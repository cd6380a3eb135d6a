//! PURE. Where messages go, as people write it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::plan::Variables;

/// Port of every statsd server where none is given.
pub const DEFAULT_PORT: u16 = 8125;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Datagrams to a host.
    Udp(Host),
    /// A connection to a host.
    Tcp(Host),
    /// A socket on this host.
    Unix(PathBuf, Socket),
    /// Nowhere: a variable that is not ours named something we cannot use, for this reason. It is no
    /// usage error, since it must not keep the job from starting.
    Unusable(String),
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// By number.
    Numeric(SocketAddr),
    /// By a name that has to be looked up.
    Named(String, u16),
}

/// Of which kind a unix socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// It takes datagrams.
    Datagram,
    /// It takes connections.
    Stream,
    /// Whatever there is: datagrams are tried, and it says if it wants a connection.
    Either,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(host) => write!(f, "{host}"),
            Self::Tcp(host) => write!(f, "tcp:{host}"),
            Self::Unix(path, Socket::Datagram) => write!(f, "unixgram:{}", path.display()),
            Self::Unix(path, Socket::Stream) => write!(f, "unixstream:{}", path.display()),
            Self::Unix(path, Socket::Either) => write!(f, "{}", path.display()),
            Self::Unusable(_) => Ok(()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numeric(address) => write!(f, "{address}"),
            Self::Named(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

impl Host {
    /// `HOST[:PORT]`, `ADDRESS`, `[ADDRESS]:PORT`.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Numeric(address));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Numeric(SocketAddr::new(address, default_port)));
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, parse_port(port)?),
            None => (text, default_port),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if host.is_empty() || !host.bytes().all(plain) {
            return Err(format!("'{host}' is not a host name; write HOST, HOST:PORT or [ADDRESS]:PORT"));
        }
        // It never means anything else (RFC 6761 section 6.3), and needs no look-up.
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(Self::Numeric(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        }
        Ok(Self::Named(host.to_owned(), port))
    }
}

impl Address {
    /// The default port of statsd on this host.
    pub fn localhost() -> Self {
        Self::Udp(Host::Numeric(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))))
    }

    /// `/path`, `unixgram:/path`, `unixstream:/path`, or `unix:/path`, which is as good as the path
    /// alone; a URL has `//` before the path. `None`: it is none of these.
    pub fn socket(text: &str) -> Option<Result<Self, String>> {
        let (kind, path) = match text.split_once(':') {
            _ if text.starts_with('/') => return Some(Ok(Self::Unix(text.into(), Socket::Either))),
            Some(("unix", path)) => (Socket::Either, path),
            Some(("unixgram", path)) => (Socket::Datagram, path),
            Some(("unixstream", path)) => (Socket::Stream, path),
            Some(_) | None => return None,
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        Some(if path.starts_with('/') {
            Ok(Self::Unix(path.into(), kind))
        } else {
            Err("the path of a socket begins with '/'".to_owned())
        })
    }

    /// The target of a `dogstatsd` sink: a host or a socket; empty: what the variables of Datadog's own
    /// clients say, in their order (datadog-go, `resolveAddr`).
    ///
    /// # Errors
    /// In words.
    pub fn dogstatsd(target: &str, variables: &Variables) -> Result<Self, String> {
        if target.is_empty() { Ok(Self::of_variables(variables)) } else { Self::url(target, DEFAULT_PORT) }
    }

    fn of_variables(variables: &Variables) -> Self {
        let port = variables.get("DD_DOGSTATSD_PORT");
        let (name, value) = match ["DD_DOGSTATSD_URL", "DD_AGENT_HOST"]
            .into_iter()
            .find_map(|name| variables.get(name).map(|value| (name, value)))
        {
            Some(found) => found,
            None if port.is_some() => ("DD_AGENT_HOST", "127.0.0.1"),
            None => return Self::localhost(),
        };
        let port = match port.map(parse_port).transpose() {
            Ok(port) => port.unwrap_or(DEFAULT_PORT),
            Err(reason) => return Self::Unusable(format!("DD_DOGSTATSD_PORT: {reason}")),
        };
        Self::url(value, port).unwrap_or_else(|reason| Self::Unusable(format!("{name}: {reason}")))
    }

    /// `udp://HOST[:PORT]`, a socket, or a host without a scheme.
    fn url(text: &str, default_port: u16) -> Result<Self, String> {
        if let Some(socket) = Self::socket(text) {
            return socket;
        }
        match text.split_once("://") {
            None => Host::parse(text, default_port).map(Self::Udp),
            Some(("udp", host)) => Host::parse(host, default_port).map(Self::Udp),
            Some((scheme, _)) => Err(format!("cannot use '{scheme}://'; write udp:// or unix:///")),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    // The standard library would take "+8125".
    match text.parse() {
        Ok(port) if port > 0 && !text.starts_with('+') => Ok(port),
        Ok(_) | Err(_) => Err(format!("'{text}' is not a port; write 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        Variables(pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect())
    }

    fn dogstatsd(target: &str) -> Result<String, String> {
        Address::dogstatsd(target, &Variables::default()).map(|address| address.to_string())
    }

    #[test]
    fn targets_are_read_as_hosts_and_sockets() {
        for (target, read) in [
            ("", "127.0.0.1:8125"),
            ("10.0.0.1", "10.0.0.1:8125"),
            ("10.0.0.1:99", "10.0.0.1:99"),
            ("::1", "[::1]:8125"),
            ("[::1]", "[::1]:8125"),
            ("[::1]:99", "[::1]:99"),
            ("localhost:99", "127.0.0.1:99"),
            ("stats_d.example.com", "stats_d.example.com:8125"),
            ("udp://h:1", "h:1"),
            ("/run/dsd.sock", "/run/dsd.sock"),
            ("unix:/run/dsd.sock", "/run/dsd.sock"),
            ("unix:///run/dsd.sock", "/run/dsd.sock"),
            ("unixgram:/run/dsd.sock", "unixgram:/run/dsd.sock"),
            ("unixgram:///run/dsd.sock", "unixgram:/run/dsd.sock"),
            ("unixstream:/run/dsd.sock", "unixstream:/run/dsd.sock"),
            ("unixstream:///run/dsd.sock", "unixstream:/run/dsd.sock"),
        ] {
            assert_eq!(dogstatsd(target).as_deref(), Ok(read), "{target}");
        }
        for bad in [
            "h:",
            "h:0",
            "h:65536",
            "h:+1",
            "h:1:2",
            ":1",
            "a b",
            "unixgram:x",
            "unixstream://x",
            "unix:",
            "é",
        ] {
            assert!(dogstatsd(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_empty_target_follows_the_variables_of_datadogs_clients() {
        for (set, read) in [
            (&[("DD_AGENT_HOST", "10.0.0.1")][..], "10.0.0.1:8125"),
            (&[("DD_AGENT_HOST", "10.0.0.1"), ("DD_DOGSTATSD_PORT", "99")], "10.0.0.1:99"),
            (&[("DD_AGENT_HOST", "agent:77"), ("DD_DOGSTATSD_PORT", "99")], "agent:77"),
            (&[("DD_AGENT_HOST", "unix:///run/a.sock")], "/run/a.sock"),
            (&[("DD_DOGSTATSD_PORT", "99")], "127.0.0.1:99"),
            (&[("DD_DOGSTATSD_URL", "udp://10.0.0.2"), ("DD_AGENT_HOST", "10.0.0.1")], "10.0.0.2:8125"),
            (&[("DD_DOGSTATSD_URL", "unix:///run/b.sock")], "/run/b.sock"),
            (&[("DD_DOGSTATSD_URL", "unixstream:///run/c.sock")], "unixstream:/run/c.sock"),
        ] {
            assert_eq!(Address::of_variables(&variables(set)).to_string(), read, "{set:?}");
        }
    }

    #[test]
    fn a_bad_variable_of_datadogs_is_no_usage_error() {
        for set in
            [("DD_DOGSTATSD_URL", "unixstream://x"), ("DD_DOGSTATSD_PORT", "x"), ("DD_AGENT_HOST", "a b")]
        {
            let address = Address::dogstatsd("", &variables(&[set])).unwrap();
            assert!(matches!(&address, Address::Unusable(why) if why.starts_with(set.0)), "{address:?}");
        }
    }
}
