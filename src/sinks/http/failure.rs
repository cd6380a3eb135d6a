//! PURE. Why there was no answer, in words that a person can act on and that give nothing away.

use std::io;

use rustls::CertificateError;
use ureq::{Error, Timeout};

use super::url::Url;
use crate::os_error;

/// Why an attempt brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people, without path and query of the URL.
    pub words: String,
    /// What may become of another attempt.
    pub kind: Kind,
}

/// What may become of another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It may succeed.
    Passing,
    /// It will fail in the same way.
    Lasting,
    /// There is no time for one.
    TimedOut,
}

/// What the standard library says in front of the resolver's own words, which differ by C library.
const LOOK_UP: &str = "failed to lookup address information";

/// Puts an error into words.
pub fn of(error: &Error, url: &Url) -> Failure {
    let failure = |kind, words: String| Failure { words, kind };
    if let Error::Timeout(Timeout::Global) = error {
        return failure(Kind::TimedOut, "timed out".to_owned());
    }
    if let Error::Timeout(_) | Error::ConnectionFailed = error {
        return failure(Kind::Passing, "no connection".to_owned());
    }
    if let Error::HostNotFound = error {
        return failure(Kind::Passing, unresolved(url));
    }
    if let Error::Io(error) = error {
        return match rustls_error(error) {
            Some(error) => failure(Kind::Lasting, tls(error, url)),
            None => failure(Kind::Passing, io_words(error, url)),
        };
    }
    if let Error::Rustls(error) = error {
        return failure(Kind::Lasting, tls(error, url));
    }
    if let Error::ConnectProxyFailed(reason) = error {
        return failure(Kind::Passing, reason.clone());
    }
    if let Error::Protocol(_) | Error::LargeResponseHeader(..) = error {
        return failure(Kind::Lasting, "the answer is no HTTP; is the port right?".to_owned());
    }
    let words = Some(format!("no request could be made: {error}")).filter(|words| !url.is_told_by(words));
    failure(Kind::Lasting, words.unwrap_or_else(|| "no request could be made".to_owned()))
}

fn unresolved(url: &Url) -> String {
    format!("name does not resolve: '{}'", url.host())
}

fn io_words(error: &io::Error, url: &Url) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "connection closed without an answer".to_owned();
    }
    let words = os_error::words_of(error);
    if words.starts_with(LOOK_UP) { unresolved(url) } else { words }
}

/// What TLS had to say, where it came by way of the connection.
fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn tls(error: &rustls::Error, url: &Url) -> String {
    if let rustls::Error::InvalidCertificate(why) = error {
        return format!("certificate not trusted: {}", distrust(why, url));
    }
    if let rustls::Error::InvalidMessage(_) = error {
        return "the receiver does not speak TLS; is the port right, or is it 'http://'?".to_owned();
    }
    if let rustls::Error::AlertReceived(alert) = error {
        return format!("the receiver refused TLS: {alert:?}");
    }
    format!("no TLS: {error}")
}

fn distrust(why: &CertificateError, url: &Url) -> String {
    use CertificateError as Bad;
    // A bad signature is that of an issuer of the same name with another key: one that has been renewed.
    if let Bad::UnknownIssuer | Bad::BadSignature = why {
        return "nobody known has issued it; name a file with its issuer's certificate in SSL_CERT_FILE"
            .to_owned();
    }
    if let Bad::Expired | Bad::ExpiredContext { .. } = why {
        return "it has expired".to_owned();
    }
    if let Bad::NotValidYet | Bad::NotValidYetContext { .. } = why {
        return "it is not valid yet; is this host's clock right?".to_owned();
    }
    if let Bad::NotValidForName | Bad::NotValidForNameContext { .. } = why {
        return format!("it is not for '{}'", url.host());
    }
    let words = why.to_string();
    // What `openssl req -x509` makes unless it is told otherwise. rustls knows it by this name alone.
    if words.contains("CaUsedAsEndEntity") {
        return "it is an authority's own (CA:TRUE); have it issue one for the server".to_owned();
    }
    words
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::sync::Arc;

    use rustls::{AlertDescription, InvalidMessage};

    use super::*;

    #[test]
    fn every_failure_is_said_in_words_and_is_worth_another_attempt_or_not() {
        let url = Url::parse("https://hc.example/secret").unwrap();
        let os = |number| Error::Io(io::Error::from_raw_os_error(number));
        let untrusted = |why| Error::Rustls(rustls::Error::InvalidCertificate(why));
        let by_io = |error: rustls::Error| Error::Io(io::Error::new(ErrorKind::InvalidData, error));
        for (error, kind, words) in [
            (Error::Timeout(Timeout::Global), Kind::TimedOut, "timed out"),
            (os(nix::libc::ECONNREFUSED), Kind::Passing, "connection refused"),
            (os(nix::libc::ENETUNREACH), Kind::Passing, "network is unreachable"),
            (
                Error::Io(io::Error::other(format!("{LOOK_UP}: Try again"))),
                Kind::Passing,
                "name does not resolve: 'hc.example'",
            ),
            (Error::HostNotFound, Kind::Passing, "name does not resolve: 'hc.example'"),
            (
                Error::Io(io::Error::new(ErrorKind::UnexpectedEof, "Peer disconnected")),
                Kind::Passing,
                "connection closed without an answer",
            ),
            (
                by_io(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
                Kind::Lasting,
                "certificate not trusted: nobody known has issued it; name a file with its issuer's \
                 certificate in SSL_CERT_FILE",
            ),
            (
                untrusted(CertificateError::BadSignature),
                Kind::Lasting,
                "certificate not trusted: nobody known has issued it; name a file with its issuer's \
                 certificate in SSL_CERT_FILE",
            ),
            (
                untrusted(CertificateError::Other(rustls::OtherError(Arc::new(io::Error::other(
                    "CaUsedAsEndEntity",
                ))))),
                Kind::Lasting,
                "certificate not trusted: it is an authority's own (CA:TRUE); have it issue one for the server",
            ),
            (untrusted(CertificateError::Expired), Kind::Lasting, "certificate not trusted: it has expired"),
            (
                untrusted(CertificateError::NotValidYet),
                Kind::Lasting,
                "certificate not trusted: it is not valid yet; is this host's clock right?",
            ),
            (
                untrusted(CertificateError::NotValidForName),
                Kind::Lasting,
                "certificate not trusted: it is not for 'hc.example'",
            ),
            (
                by_io(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)),
                Kind::Lasting,
                "the receiver does not speak TLS; is the port right, or is it 'http://'?",
            ),
            (
                by_io(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)),
                Kind::Lasting,
                "the receiver refused TLS: HandshakeFailure",
            ),
            (
                Error::ConnectProxyFailed("proxy server responded 407".to_owned()),
                Kind::Passing,
                "proxy server responded 407",
            ),
            (
                Error::LargeResponseHeader(70_000, 65_536),
                Kind::Lasting,
                "the answer is no HTTP; is the port right?",
            ),
            (
                Error::TlsRequired,
                Kind::Lasting,
                "no request could be made: TLS required, but transport is unsecured",
            ),
            (
                Error::BadUri("https://hc.example/secret".to_owned()),
                Kind::Lasting,
                "no request could be made",
            ),
        ] {
            assert_eq!(of(&error, &url), Failure { words: words.to_owned(), kind }, "{error:?}");
        }
    }
}
