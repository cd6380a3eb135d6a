//! A strict reader of Prometheus' text format 0.0.4: every byte is accounted for, and what an exporter would
//! pass over, or pass over a file for, is an error. The unit tests of the sinks use it too.

use std::collections::{BTreeMap, BTreeSet};

/// All values of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its full name.
    pub name: String,
    /// `gauge` or `counter`.
    pub kind: String,
    /// Its HELP.
    pub help: String,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Names and values of labels, as they are meant.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// The families of a text, in its order.
pub fn parse(text: &str) -> Result<Vec<Family>, String> {
    let mut families: Vec<Family> = Vec::new();
    let lines = text.strip_suffix('\n').ok_or("no newline at the end")?.split('\n');
    let mut help = None;
    for line in lines {
        let told = |why: &str| format!("{why}: {line:?}");
        if line.starts_with("# cronward: ") {
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').ok_or_else(|| told("no help"))?;
            if words.contains('\\') || help.replace((name, words)).is_some() {
                return Err(told("an escape, or a help behind a help"));
            }
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| told("no type"))?;
            let (of, words) = help.take().ok_or_else(|| told("a type without help"))?;
            let known = ["gauge", "counter"].contains(&kind) && of == name && is_name(name, ":");
            if !known || families.iter().any(|family| family.name == name) {
                return Err(told("a type that is none, of another name, or twice"));
            }
            let [name, kind, help] = [name, kind, words].map(str::to_owned);
            families.push(Family { name, kind, help, samples: Vec::new() });
        } else {
            let family = families.last_mut().filter(|_| help.is_none()).ok_or_else(|| told("no type"))?;
            let rest = line.strip_prefix(&family.name[..]).ok_or_else(|| told("another name"))?;
            let sample = sample(rest).map_err(|why| told(&why))?;
            if family.samples.iter().any(|other| other.labels == sample.labels) {
                return Err(told("the same series twice"));
            }
            family.samples.push(sample);
        }
    }
    match families.iter().find(|family| family.samples.is_empty()) {
        Some(family) => Err(format!("'{}' has no value", family.name)),
        None => Ok(families),
    }
}

/// `{NAME="VALUE",…} NUMBER`, and nothing behind it, where a timestamp would stand.
fn sample(text: &str) -> Result<Sample, String> {
    let (mut labels, mut rest) = (BTreeMap::new(), text);
    if let Some(inside) = text.strip_prefix('{') {
        rest = inside;
        loop {
            let (name, behind) = rest.split_once("=\"").ok_or("no label")?;
            let (value, behind) = quoted(behind)?;
            let fine = is_name(name, "") && !name.starts_with("__") && !value.is_empty();
            if !fine || labels.insert(name.to_owned(), value).is_some() {
                return Err(format!("bad label {name:?}"));
            }
            match (behind.strip_prefix(','), behind.strip_prefix('}')) {
                (Some(next), _) => rest = next,
                (None, Some(end)) => break rest = end,
                (None, None) => return Err("no end of the labels".to_owned()),
            }
        }
    }
    let number = rest.strip_prefix(' ').ok_or("no blank before the number")?;
    let plain = |byte: u8| byte.is_ascii_digit() || b"-.".contains(&byte);
    let value = number.parse().ok().filter(|_| number.bytes().all(plain)).ok_or("no number")?;
    Ok(Sample { labels, value })
}

/// What stands before the next quote, without escapes; and what stands behind that.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some(c @ ('\\' | '"')) => value.push(c),
                other => return Err(format!("unknown escape {other:?}")),
            },
            '\0' => return Err("a NUL".to_owned()),
            c => value.push(c),
        }
    }
    Err("no closing quote".to_owned())
}

fn is_name(text: &str, more: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(c);
    text.starts_with(|c: char| !c.is_ascii_digit()) && text.chars().all(plain)
}

/// The value of a family that has one for these labels, those that it has besides them left aside.
pub fn value(families: &[Family], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let family = families.iter().find(|family| family.name == name)?;
    let wanted = |sample: &&Sample| {
        labels.iter().all(|(name, value)| sample.labels.get(*name).map(String::as_str) == Some(value))
    };
    let mut found = family.samples.iter().filter(wanted);
    found.next().map(|sample| sample.value).filter(|_| found.next().is_none())
}

/// The names of all families.
pub fn names(families: &[Family]) -> BTreeSet<&str> {
    families.iter().map(|family| &family.name[..]).collect()
}
