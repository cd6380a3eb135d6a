//! PURE. Names and labels that Prometheus reads, made of whatever a user or a run has given.

use std::borrow::Cow;

use crate::job::Tag;

/// Labels that are ours, that Prometheus adds itself (ours would become `exported_job`), or that mean
/// something to it.
const TAKEN: &[&str] = &["task", "outcome", "name", "job", "instance", "le", "quantile"];

/// A namespace as the front of a name: `[a-zA-Z_:][a-zA-Z0-9_:]*`, everything else as `_`.
pub fn prefix(namespace: &str) -> String {
    word(namespace, |c| c == ':')
}

/// The tags as labels, each under a name of its own and with a value that is not empty; to Prometheus an
/// empty one is none. A bare word is `true`.
pub fn tag_labels<'a>(tags: impl Iterator<Item = &'a Tag>) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for tag in tags {
        let value = tag.value.as_deref().unwrap_or("true");
        if value.is_empty() {
            continue;
        }
        let mut name = word(&tag.key, |_| false);
        // Those that begin with two underscores are Prometheus' own; `_` would be one as soon as it has a
        // number.
        if TAKEN.contains(&&name[..]) || name.starts_with("__") || name == "_" {
            name.insert_str(0, "tag_");
        }
        let is_free = |name: &str| labels.iter().all(|(other, _)| other != name);
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(|name| is_free(name));
        labels.extend(name.map(|name| (name, value.to_owned())));
    }
    labels
}

/// Letters, digits and `_`, and what else `stands`; no digit in front, and not nothing.
fn word(text: &str, stands: impl Fn(char) -> bool) -> String {
    let front = if text.starts_with(|c: char| !c.is_ascii_digit()) { "" } else { "_" };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || stands(c);
    front.chars().chain(text.chars().map(|c| if plain(c) { c } else { '_' })).collect()
}

/// A value between its quotes. NUL, which no format of Prometheus' can carry, is replaced.
pub fn escaped(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', '"', '\n', '\0']) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n").replace('\0', "\u{fffd}"))
}
