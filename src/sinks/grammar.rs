//! Strict readers of datagrams for the tests: every byte is accounted for, and what a lenient server
//! would pass over is an error.

/// One line of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Metric { name: String, value: String, kind: String, tags: Vec<String> },
    Event { title: String, text: String, fields: Vec<String>, tags: Vec<String> },
    Check { name: String, status: u8, fields: Vec<String>, tags: Vec<String>, message: String },
}

/// A datagram of plain StatsD (statsd docs/metric_types.md).
pub fn plain(datagram: &str) -> Result<Vec<Item>, String> {
    statsd(datagram, |line| {
        if line.contains('#') { Err(format!("tags in {line:?}")) } else { metric(line, &["c", "ms", "g"]) }
    })
}

/// A datagram of StatsD with tags in the name, as Telegraf (`,`) or Graphite (`;`) reads them: none of the
/// characters that mean something to one of the servers is in a tag, each tag has a value, and no name of
/// ours comes twice.
pub fn tagged(datagram: &str, divider: char) -> Result<Vec<Item>, String> {
    statsd(datagram, |line| {
        let (name, rest) = line.split_once(':').ok_or("no value")?;
        let mut parts = name.split(divider);
        let plain = format!("{}:{rest}", parts.next().unwrap_or_default());
        let Item::Metric { name, value, kind, .. } = metric(&plain, &["c", "ms", "g"])? else {
            return Err("no metric".to_owned());
        };
        let mut tags: Vec<String> = Vec::new();
        for part in parts {
            let (key, value) = part.split_once('=').ok_or(format!("no value in {part:?}"))?;
            let foreign = |c: char| c.is_control() || c.is_whitespace() || ",;=:|#[]~!^\\".contains(c);
            if key.is_empty() || value.is_empty() || key.contains(foreign) || value.contains(foreign) {
                return Err(format!("bad tag {part:?}"));
            }
            let own = ["task", "outcome", "exit_code", "signal"].contains(&key);
            if own && tags.iter().any(|tag| tag.starts_with(&format!("{key}="))) {
                return Err(format!("{key} twice"));
            }
            tags.push(part.to_owned());
        }
        Ok(Item::Metric { name, value, kind, tags })
    })
}

fn statsd(datagram: &str, read: impl Fn(&str) -> Result<Item, String>) -> Result<Vec<Item>, String> {
    let items = datagram.split('\n').map(read).collect::<Result<Vec<_>, _>>()?;
    for (at, item) in items.iter().enumerate() {
        let Item::Metric { name, value, kind, tags } = item else { continue };
        let zero =
            Item::Metric { name: name.clone(), value: "0".into(), kind: "g".into(), tags: tags.clone() };
        let from_zero = kind == "g" && at > 0 && items[at - 1] == zero;
        if value.starts_with('-') && !from_zero {
            return Err(format!("a difference, and not from zero: {item:?}"));
        }
    }
    Ok(items)
}

/// A datagram of DogStatsD (datagram_shell, protocol 1.0).
pub fn dogstatsd(datagram: &str) -> Result<Vec<Item>, String> {
    let read = |line: &str| match without_origin(line) {
        line if line.starts_with("_e{") => event(line),
        line if line.starts_with("_sc|") => check(line),
        line => metric(line, &["c", "g", "d"]),
    };
    datagram.split('\n').map(read).collect()
}

/// A line without the fields `|c:…|e:…|card:…` at its end, of which each may be missing.
fn without_origin(mut line: &str) -> &str {
    let is_fine = |name: &str, value: &str| match name {
        "card:" => ["none", "low", "orchestrator", "high"].contains(&value),
        "e:" => !value.is_empty() && value.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        _ => value.starts_with("ci-") || value.starts_with("in-"),
    };
    for name in ["card:", "e:", "c:"] {
        if let Some((before, field)) = line.rsplit_once('|')
            && field.strip_prefix(name).is_some_and(|value| is_fine(name, value))
        {
            line = before;
        }
    }
    line
}

fn clean(text: &str) -> Result<&str, String> {
    if text.chars().any(char::is_control) { Err(format!("control character in {text:?}")) } else { Ok(text) }
}

fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let fine = !text.is_empty() && text.bytes().all(plain);
    if fine { Ok(text.to_owned()) } else { Err(format!("bad name {text:?}")) }
}

fn number(text: &str) -> Result<String, String> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let fine = match unsigned.split_once('.') {
        Some((whole, fraction)) => {
            let decimals = if whole == "0" { 9 } else { 3 };
            digits(whole) && digits(fraction) && fraction.len() <= decimals
        }
        None => digits(unsigned),
    };
    if fine { Ok(text.to_owned()) } else { Err(format!("bad number {text:?}")) }
}

fn tags(text: &str) -> Result<Vec<String>, String> {
    clean(text)?
        .split(',')
        .map(|tag| match tag {
            "" => Err("empty tag".to_owned()),
            tag if tag.contains(['#', '|']) || tag.starts_with(':') => Err(format!("bad tag {tag:?}")),
            tag => Ok(tag.to_owned()),
        })
        .collect()
}

fn metric(line: &str, kinds: &[&str]) -> Result<Item, String> {
    let mut parts = line.split('|');
    let (metric, value) = parts.next().and_then(|part| part.split_once(':')).ok_or("no value")?;
    let kind = parts.next().filter(|kind| kinds.contains(kind)).ok_or(format!("bad type: {line:?}"))?;
    let tags = match parts.next() {
        Some(part) => tags(part.strip_prefix('#').ok_or("neither tags nor end")?)?,
        None => Vec::new(),
    };
    match parts.next() {
        Some(rest) => Err(format!("{rest:?} after the tags")),
        None => Ok(Item::Metric { name: name(metric)?, value: number(value)?, kind: kind.to_owned(), tags }),
    }
}

fn event(line: &str) -> Result<Item, String> {
    let (lengths, rest) = line["_e{".len()..].split_once("}:").ok_or("no lengths")?;
    let (title, text) = lengths.split_once(',').ok_or("one length")?;
    let length = |digits: &str| number(digits)?.parse::<usize>().map_err(|error| error.to_string());
    let (title_end, text_length) = (length(title)?, length(text)?);
    let title = rest.get(..title_end).filter(|title| !title.is_empty()).ok_or("title cut")?;
    let rest = rest[title_end..].strip_prefix('|').ok_or("no bar behind the title")?;
    let text = rest.get(..text_length).ok_or("text cut")?;
    let (fields, tags) = fields(&rest[text_length..], &["d:", "h:", "k:", "p:", "s:", "t:"])?;
    Ok(Item::Event { title: clean(title)?.to_owned(), text: clean(text)?.to_owned(), fields, tags })
}

fn check(line: &str) -> Result<Item, String> {
    let (line, message) = line.split_once("|m:").ok_or("no message")?;
    let message = clean(message)?;
    if message.contains('|') || message.contains("m:") {
        return Err(format!("unescaped message {message:?}"));
    }
    let mut parts = line["_sc|".len()..].splitn(3, '|');
    let (check, status) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let status = status.parse().ok().filter(|status| *status <= 3).ok_or("bad status")?;
    let (fields, tags) = fields(&format!("|{}", parts.next().unwrap_or("")), &["d:", "h:"])?;
    Ok(Item::Check { name: name(check)?, status, fields, tags, message: message.to_owned() })
}

/// `|x:…` fields, each at most once and in this order, then `|#tags`.
fn fields(text: &str, known: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
    let mut known = known.iter();
    let mut fields = Vec::new();
    let mut found_tags = Vec::new();
    for part in text.strip_prefix('|').ok_or("no bar before the fields")?.split('|') {
        if !found_tags.is_empty() {
            return Err(format!("{part:?} after the tags"));
        }
        match part.strip_prefix('#') {
            Some(part) => found_tags = tags(part)?,
            None if known.any(|known| part.starts_with(known)) => fields.push(clean(part)?.to_owned()),
            None => return Err(format!("unknown, repeated or misplaced field {part:?}")),
        }
    }
    Ok((fields, found_tags))
}
