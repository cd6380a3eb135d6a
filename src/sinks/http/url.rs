//! PURE. The address of an HTTP receiver, taken apart into what may be shown of it and what may not.

use std::fmt;

use ureq::http::Uri;

/// Shortest part of a path or query that is looked for in what a receiver says, in bytes; a shorter
/// one is found in any sentence.
pub const TELLING: usize = 4;

/// `http(s)://HOST[:PORT][/PATH][?QUERY]`. Only scheme, host and port may be shown: whoever knows the
/// rest of a ping URL or of a webhook can use it.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// `https://hc.example:8000`
    origin: String,
    /// The host alone; a numeric address of version 6 in its brackets.
    host: String,
    /// Empty, or with a slash in front; as it was given, since `/x` and `/x/` can be two.
    path: String,
    query: Option<String>,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// In words, without the text, which may be a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let no_url = || "it is no URL".to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(no_url)?;
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "https"].contains(&&scheme[..]) {
            return Err("it begins with neither 'https://' nor 'http://'".to_owned());
        }
        if rest.contains('#') {
            return Err("it has a '#', and what stands behind that is never sent; leave it out".to_owned());
        }
        let uri: Uri = format!("{scheme}://{rest}").parse().map_err(|_| no_url())?;
        let authority = uri.authority().ok_or_else(no_url)?;
        if authority.as_str().contains('@') {
            return Err("a user or password in a URL is not supported; leave out 'USER@'".to_owned());
        }
        let host = authority.host();
        if host.is_empty() {
            return Err(no_url());
        }
        // A port that is none is otherwise taken for the usual one.
        let port = authority.as_str().strip_prefix(host).unwrap_or_default();
        if !port.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(format!("'{port}' is not a port; write ':1' to ':65535', or nothing"));
        }
        Ok(Self {
            origin: format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()),
            host: host.to_ascii_lowercase(),
            path: if uri.path() == "/" { String::new() } else { uri.path().to_owned() },
            query: uri.query().filter(|query| !query.is_empty()).map(str::to_owned),
        })
    }

    /// Scheme, host and port, which may be shown.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is spoken to by TLS.
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }

    /// The URL with this path behind its own.
    pub fn with(&self, path: &str) -> Self {
        Self { path: format!("{}/{path}", self.path.trim_end_matches('/')), ..self.clone() }
    }

    /// The URL one segment further down, with one more option behind those that it has.
    pub fn below(&self, segment: &str, option: &str) -> Self {
        let query =
            self.query.as_ref().map_or_else(|| option.to_owned(), |query| format!("{query}&{option}"));
        let path = self.path.trim_end_matches('/');
        Self { path: format!("{path}/{segment}"), query: Some(query), ..self.clone() }
    }

    /// What stands at the root of the same host.
    pub fn front_page(&self) -> Self {
        Self { path: String::new(), query: None, ..self.clone() }
    }

    /// All of it, to be sent and never to be shown.
    pub fn secret_text(&self) -> String {
        let Self { origin, path, query, .. } = self;
        let query = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{origin}{path}{query}")
    }

    /// Whether a text gives away something of path or query.
    pub fn is_told_by(&self, text: &str) -> bool {
        let query = self.query.as_deref().unwrap_or_default();
        let mut parts = self.path.split('/').chain(query.split(['&', '=']));
        parts.any(|part| part.len() >= TELLING && text.contains(part))
    }
}

/// What may be shown.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_put_together_again() {
        for (text, origin, host, https, whole) in [
            (
                "https://hc-ping.com/u-1",
                "https://hc-ping.com",
                "hc-ping.com",
                true,
                "https://hc-ping.com/u-1",
            ),
            ("https://HC-Ping.com/U/", "https://hc-ping.com", "hc-ping.com", true, "https://hc-ping.com/U/"),
            ("http://h/", "http://h", "h", false, "http://h"),
            ("HTTP://h:8000", "http://h:8000", "h", false, "http://h:8000"),
            ("http://h/?", "http://h", "h", false, "http://h"),
            ("http://[::1]:80/a?b=c&d", "http://[::1]:80", "[::1]", false, "http://[::1]:80/a?b=c&d"),
            ("http://127.0.0.1/a/b", "http://127.0.0.1", "127.0.0.1", false, "http://127.0.0.1/a/b"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(
                (url.origin(), url.host(), url.is_https(), &url.secret_text()[..]),
                (origin, host, https, whole)
            );
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_repeated() {
        for (text, said) in [
            ("", "it is no URL"),
            ("hc-ping.com/secret", "it is no URL"),
            ("https:/secret", "it is no URL"),
            ("https:///secret", "it is no URL"),
            ("https://h/secret secret", "it is no URL"),
            ("https://h/\u{1}secret", "it is no URL"),
            ("https://é/secret", "it is no URL"),
            ("https://?secret", "it is no URL"),
            ("ftp://h/secret", "it begins with neither 'https://' nor 'http://'"),
            (
                "https://h/secret#secret",
                "it has a '#', and what stands behind that is never sent; leave it out",
            ),
            ("https://me:secret@h/", "a user or password in a URL is not supported; leave out 'USER@'"),
            ("https://h:0/secret", "':0' is not a port; write ':1' to ':65535', or nothing"),
            ("https://h:65536/secret", "':65536' is not a port; write ':1' to ':65535', or nothing"),
            ("https://h:/secret", "':' is not a port; write ':1' to ':65535', or nothing"),
        ] {
            assert_eq!(Url::parse(text).err().as_deref(), Some(said), "{text:?}");
        }
    }

    #[test]
    fn a_segment_goes_behind_the_path_and_an_option_behind_the_query() {
        let below = |text: &str| Url::parse(text).unwrap().below("start", "rid=1").secret_text();
        assert_eq!(below("https://h"), "https://h/start?rid=1");
        assert_eq!(below("https://h/a//"), "https://h/a/start?rid=1");
        assert_eq!(below("https://h/key/slug?create=1"), "https://h/key/slug/start?create=1&rid=1");
    }

    #[test]
    fn a_path_goes_between_the_path_and_the_query() {
        let with = |text: &str| Url::parse(text).unwrap().with("v1/logs").secret_text();
        assert_eq!(with("https://h"), "https://h/v1/logs");
        assert_eq!(with("https://h/a/?key=1"), "https://h/a/v1/logs?key=1");
    }

    #[test]
    fn a_text_that_repeats_a_part_of_the_path_gives_it_away() {
        let url = Url::parse("https://hc.example/ab/5d2c-44?token=xyz1&a=1").unwrap();
        for (text, tells) in [
            ("cannot POST /ab/5d2c-44", true),
            ("xyz1 is no token", true),
            ("not found", false),
            ("a is 1 and ab", false),
            ("hc.example is closed", false),
        ] {
            assert_eq!(url.is_told_by(text), tells, "{text}");
        }
        assert_eq!(format!("{url:?}"), "https://hc.example/…");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_it_accepts_stays_the_same(text in ".{0,40}", end in "[ -~é]{0,40}") {
            for text in [text, format!("https://h{end}"), format!("http://h.example/{end}")] {
                if let Ok(url) = Url::parse(&text) {
                    prop_assert_eq!(Url::parse(&url.secret_text()), Ok(url));
                }
            }
        }
    }
}
