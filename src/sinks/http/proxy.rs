//! The way to a receiver where there is no direct one: the variables that curl and most others read.

use ureq::Proxy;

use super::url::Url;
use crate::plan::Variables;

/// The proxy for this URL, if the variables name one; for `https://` that of `https_proxy`, for
/// `http://` that of `http_proxy`, else that of `all_proxy`. Each is also read in capitals, the small one
/// first. The receiver's name is then looked up by the proxy.
///
/// # Errors
/// In words, without the value, which may hold a password.
pub fn for_url(url: &Url, variables: &Variables) -> Result<Option<Proxy>, String> {
    let names = if url.is_https() {
        ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
    };
    let set = names.iter().find_map(|name| variables.get(name).map(|value| (*name, value)));
    let Some((name, value)) = set else { return Ok(None) };
    let exceptions = variables.get("no_proxy").or_else(|| variables.get("NO_PROXY")).unwrap_or_default();
    if is_excepted(url.host(), exceptions) {
        return Ok(None);
    }
    let is_http = |proxy: &Proxy| matches!(proxy.uri().scheme_str(), Some("http" | "https"));
    match Proxy::new(value) {
        Ok(proxy) if is_http(&proxy) => Ok(Some(proxy)),
        Ok(_) | Err(_) => Err(format!("the value of {name} is no HTTP proxy; write http://HOST:PORT")),
    }
}

/// Whether a host is in a list such as `localhost,.example.org,10.0.0.1`: by its name, by a domain that it
/// is in, or because all are (`*`).
fn is_excepted(host: &str, exceptions: &str) -> bool {
    exceptions.split([',', ' ']).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.trim_start_matches('.').to_ascii_lowercase();
        let below = host.strip_suffix(&entry[..]).is_some_and(|front| front.ends_with('.'));
        entry == "*" || host == entry || host.trim_matches(['[', ']']) == entry || below
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str, set: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variables = Variables(set.iter().map(|&(name, value)| (name.into(), value.into())).collect());
        let found = for_url(&Url::parse(url).unwrap(), &variables)?;
        Ok(found.map(|proxy| format!("{}:{}", proxy.host(), proxy.port())))
    }

    #[test]
    fn each_scheme_has_its_proxy_and_all_have_one() {
        let all = [("http_proxy", "http://plain:1"), ("https_proxy", "secure:2"), ("all_proxy", "any:3")];
        for (url, set, expected) in [
            ("https://h/", &all[..], Some("secure:2")),
            ("http://h/", &all[..], Some("plain:1")),
            ("https://h/", &[("http_proxy", "plain:1")], None),
            ("https://h/", &[("ALL_PROXY", "http://me:pw@any")], Some("any:80")),
            ("http://h/", &[("HTTP_PROXY", "big:1"), ("http_proxy", "small:1")], Some("small:1")),
            ("http://h/", &[("http_proxy", ""), ("HTTP_PROXY", "big:1")], Some("big:1")),
            ("http://h/", &[], None),
        ] {
            assert_eq!(proxy(url, set), Ok(expected.map(str::to_owned)), "{url} {set:?}");
        }
    }

    #[test]
    fn a_host_in_no_proxy_is_reached_directly() {
        for (host, exceptions, excepted) in [
            ("h.example.org", "example.org", true),
            ("h.example.org", ".example.org", true),
            ("h.example.org", "x, H.EXAMPLE.ORG", true),
            ("h.example.org", "*", true),
            ("example.org", ".example.org", true),
            ("hexample.org", "example.org", false),
            ("h.example.org", "h", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("[::1]", "::1", true),
            ("h", "", false),
            ("h", ",", false),
        ] {
            let found =
                proxy(&format!("http://{host}/"), &[("all_proxy", "p:1"), ("no_proxy", exceptions)]).unwrap();
            assert_eq!(found.is_none(), excepted, "{host} {exceptions}");
        }
    }

    #[test]
    fn a_value_that_is_no_http_proxy_is_an_error_that_does_not_repeat_it() {
        for bad in ["socks5://secret:1", "secret secret", "http://", "ftp://secret"] {
            assert_eq!(
                proxy("https://h/", &[("HTTPS_PROXY", bad)]),
                Err("the value of HTTPS_PROXY is no HTTP proxy; write http://HOST:PORT".to_owned()),
                "{bad}"
            );
        }
    }
}
