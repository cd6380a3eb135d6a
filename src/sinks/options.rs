//! PURE. Options behind the target of a sink.

/// `NAME=VALUE` pairs, in the order in which they were given.
pub type Options<'a> = Vec<(&'a str, &'a str)>;

/// `TARGET?NAME=VALUE&NAME=VALUE`, taken apart.
///
/// # Errors
/// In words: what stands behind the question mark is no list of such pairs.
pub fn options(target: &str) -> Result<(&str, Options<'_>), String> {
    let Some((target, list)) = target.split_once('?') else {
        return Ok((target, Vec::new()));
    };
    let pairs = list.split('&').map(|pair| {
        pair.split_once('=').ok_or_else(|| format!("'{pair}' behind '?' is no option; write NAME=VALUE"))
    });
    Ok((target, pairs.collect::<Result<_, _>>()?))
}

/// `URL#NAME=VALUE&NAME=VALUE`, taken apart: what stands behind the question mark of a URL is the URL's own,
/// and what stands behind `#` is never sent (RFC 3986 section 3.5). A reference to a URL has them too.
///
/// # Errors
/// In words, without the text, which may be a secret: behind `#` stands no list of such pairs.
#[cfg(feature = "http")]
pub fn options_of_url(target: &str) -> Result<(&str, Options<'_>), String> {
    let Some((target, list)) = target.split_once('#') else {
        return Ok((target, Vec::new()));
    };
    let pairs: Option<_> = list.split('&').map(|pair| pair.split_once('=')).collect();
    Ok((target, pairs.ok_or("what stands behind '#' is no list of options; write NAME=VALUE")?))
}

/// Options behind `#` that may be shown by themselves.
const PLAIN_OPTIONS: &[&str] = &["", "events=all", "events=alerts"];

/// Whether a target and its options behind `#` only say where secrets are. An option that nobody knows may
/// be a secret, with a slip of the finger in its name.
pub fn only_refers(target: &str) -> bool {
    let refers = |text: &str| text.starts_with("file:") || text.starts_with("env:");
    // A URL in an option may have a password in it, and is refused for that.
    let has_user = target.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    let (target, list) = target.split_once('#').unwrap_or((target, ""));
    let is_plain =
        |pair| PLAIN_OPTIONS.contains(&pair) || pair.split_once('=').is_some_and(|(_, value)| refers(value));
    refers(target) && !has_user && list.split('&').all(is_plain)
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_url_stand_behind_what_is_never_sent() {
        for (target, expected) in [
            ("https://h/p?x=1&y", Some(("https://h/p?x=1&y", vec![]))),
            ("https://h/p?x=1#a=b=&c=#", Some(("https://h/p?x=1", vec![("a", "b="), ("c", "#")]))),
            ("file:/etc/url#a=env:B", Some(("file:/etc/url", vec![("a", "env:B")]))),
            ("https://h/#section", None),
            ("https://h/#a=b&", None),
            ("https://h/#", None),
        ] {
            assert_eq!(options_of_url(target).ok(), expected, "{target}");
        }
    }
}
