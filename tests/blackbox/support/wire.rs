//! The grammars of datagrams, as strict as the strictest receiver: whatever does not match is a failure,
//! and so is whatever a careless sender would have let through.

use std::collections::BTreeMap;

/// One line of a DogStatsD datagram.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// `NAME:VALUE|TYPE|#TAGS`
    Metric(Metric),
    /// `_e{TITLE_BYTES,TEXT_BYTES}:TITLE|TEXT|…`
    Event(Event),
    /// `_sc|NAME|STATUS|…`
    ServiceCheck(ServiceCheck),
}

/// A measured value.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its whole name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// `c`, `g`, `d` or `ms`.
    pub kind: String,
    /// Its tags, as written.
    pub tags: Vec<String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// With the escapes of the wire.
    pub title: String,
    /// With the escapes of the wire.
    pub text: String,
    /// Fields of one letter.
    pub fields: BTreeMap<char, String>,
    /// Its tags, as written.
    pub tags: Vec<String>,
}

/// A service check.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceCheck {
    /// Its whole name.
    pub name: String,
    /// 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    pub status: u8,
    /// Its tags, as written.
    pub tags: Vec<String>,
    /// With the escapes of the wire.
    pub message: String,
}

/// Reads datagrams of a DogStatsD client (protocol 1.0 to 1.6).
pub fn dogstatsd(datagrams: &[Vec<u8>], longest: usize) -> Vec<Line> {
    let lines = datagrams.iter().flat_map(|datagram| lines(datagram, longest));
    lines.map(|line| dogstatsd_line(&line).unwrap_or_else(|why| panic!("{why} in {line:?}"))).collect()
}

/// Reads datagrams of a plain StatsD client: metrics without tags.
pub fn statsd(datagrams: &[Vec<u8>], longest: usize) -> Vec<Metric> {
    datagrams.iter().flat_map(|datagram| statsd_datagram(&lines(datagram, longest))).collect()
}

/// A sign makes the value of a gauge a difference to the one before, so a gauge that is to have a
/// negative value is set to zero in the line before. The two are one measurement.
fn statsd_datagram(lines: &[String]) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for line in lines {
        let metric = statsd_line(line).unwrap_or_else(|why| panic!("{why} in {line:?}"));
        if metric.value < 0.0 {
            let zero = metrics.pop().filter(|zero| zero.name == metric.name && zero.value == 0.0);
            assert!(zero.is_some() && metric.kind == "g", "a difference, and not from zero: {line:?}");
        }
        metrics.push(metric);
    }
    metrics
}

fn lines(datagram: &[u8], longest: usize) -> Vec<String> {
    assert!(datagram.len() <= longest, "a datagram of {} bytes", datagram.len());
    let text =
        std::str::from_utf8(datagram).unwrap_or_else(|_| panic!("not UTF-8: {}", datagram.escape_ascii()));
    let text = text.strip_suffix('\n').unwrap_or(text);
    assert!(!text.is_empty(), "an empty datagram");
    text.split('\n').map(str::to_owned).collect()
}

fn dogstatsd_line(line: &str) -> Result<Line, String> {
    if line.chars().any(char::is_control) {
        return Err("a control character".into());
    }
    if let Some(rest) = line.strip_prefix("_e{") {
        return event(rest).map(Line::Event);
    }
    if let Some(rest) = line.strip_prefix("_sc|") {
        return service_check(rest).map(Line::ServiceCheck);
    }
    let mut fields = line.split('|');
    let (name, value) = name_and_value(fields.next().unwrap_or_default())?;
    let kind = fields.next().ok_or("no type")?.to_owned();
    // The Agent sets a gauge to a negative value; of anything else there is none.
    if value < 0.0 && kind != "g" {
        return Err(format!("value {value}"));
    }
    if !["c", "g", "d", "ms", "h"].contains(&&kind[..]) {
        return Err(format!("type {kind:?}"));
    }
    let mut tags = Vec::new();
    for field in fields {
        match field.strip_prefix('#') {
            Some(list) if tags.is_empty() => tags = tag_list(list)?,
            _ if field.starts_with("c:") || field.starts_with("e:") || field.starts_with("card:") => {}
            _ => return Err(format!("field {field:?}")),
        }
    }
    Ok(Line::Metric(Metric { name, value, kind, tags }))
}

fn statsd_line(line: &str) -> Result<Metric, String> {
    let (name_and_number, kind) = line.split_once('|').ok_or("no type")?;
    if !["c", "g", "ms"].contains(&kind) {
        return Err(format!("type {kind:?}"));
    }
    let (name, value) = name_and_value(name_and_number)?;
    Ok(Metric { name, value, kind: kind.to_owned(), tags: Vec::new() })
}

fn name_and_value(field: &str) -> Result<(String, f64), String> {
    let (name, value) = field.split_once(':').ok_or("no value")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || !name.bytes().all(plain) {
        return Err(format!("name {name:?}"));
    }
    if name.len() > 200 || name.split('.').any(str::is_empty) {
        return Err(format!("name {name:?}"));
    }
    // Few receivers read an exponent.
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    if !unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!("value {value:?}"));
    }
    let value: f64 = value.parse().map_err(|_| format!("value {value:?}"))?;
    Ok((name.to_owned(), value))
}

fn tag_list(list: &str) -> Result<Vec<String>, String> {
    let tags: Vec<_> = list.split(',').map(str::to_owned).collect();
    for tag in &tags {
        if tag.is_empty() || tag.chars().count() > 200 || tag.contains(['|', '#']) || tag.starts_with(':') {
            return Err(format!("tag {tag:?}"));
        }
    }
    Ok(tags)
}

fn event(rest: &str) -> Result<Event, String> {
    let (lengths, rest) = rest.split_once("}:").ok_or("no end of the lengths")?;
    let (title, text) = lengths.split_once(',').ok_or("one length")?;
    let length = |digits: &str| digits.parse::<usize>().map_err(|_| format!("length {digits:?}"));
    let (title, text) = (length(title)?, length(text)?);
    if title == 0 {
        return Err("an empty title, which the Agent refuses".into());
    }
    let cut = |from: usize, to: usize| rest.get(from..to).ok_or("a length that cuts a character or the line");
    let (title_text, body) = (cut(0, title)?, cut(title + 1, title + 1 + text)?);
    if rest.as_bytes()[title] != b'|' {
        return Err("a title of another length".into());
    }
    let behind = &rest[title + 1 + text..];
    let mut event =
        Event { title: title_text.into(), text: body.into(), fields: BTreeMap::new(), tags: Vec::new() };
    let Some(behind) = behind.strip_prefix('|') else {
        return if behind.is_empty() { Ok(event) } else { Err("a text of another length".into()) };
    };
    for field in behind.split('|') {
        if let Some(list) = field.strip_prefix('#') {
            event.tags = tag_list(list)?;
            continue;
        }
        let (letter, value) = field.split_once(':').ok_or_else(|| format!("field {field:?}"))?;
        let known = match letter {
            "d" => value.parse::<u64>().is_ok(),
            "p" => ["normal", "low"].contains(&value),
            "t" => ["error", "warning", "info", "success"].contains(&value),
            "h" | "k" | "s" => !value.is_empty(),
            "c" | "e" | "card" => continue,
            _ => false,
        };
        let letter = letter.chars().next().unwrap_or(' ');
        if !known || event.fields.insert(letter, value.to_owned()).is_some() {
            return Err(format!("field {field:?}"));
        }
    }
    Ok(event)
}

fn service_check(rest: &str) -> Result<ServiceCheck, String> {
    let mut fields = rest.split('|');
    let (name, _) = name_and_value(&format!("{}:0", fields.next().unwrap_or_default()))?;
    let status = fields.next().and_then(|digit| digit.parse().ok()).filter(|&status| status <= 3);
    let status = status.ok_or("no status")?;
    let mut check = ServiceCheck { name, status, tags: Vec::new(), message: String::new() };
    let mut message_seen = false;
    for field in fields {
        if let Some(message) = field.strip_prefix("m:") {
            check.message = message.to_owned();
            message_seen = true;
        } else if message_seen && !["c:", "e:", "card:"].iter().any(|front| field.starts_with(front)) {
            return Err("a field behind the message".into());
        } else if let Some(list) = field.strip_prefix('#') {
            check.tags = tag_list(list)?;
        } else if !(field.starts_with("d:") || field.starts_with("h:") || message_seen) {
            return Err(format!("field {field:?}"));
        }
    }
    // `m:` within the message would begin another to the receiver.
    if check.message.replace("m\\:", "").contains("m:") {
        return Err("an unescaped m: in the message".into());
    }
    Ok(check)
}

#[test]
fn the_grammar_of_the_tests_refuses_what_forges() {
    for line in [
        "a:1|c|#x,,y",
        "a:1|c|#x|y",
        "a:1|c|x",
        "a:-1|c",
        "a:--1|g",
        "a:1e5|g",
        "a:1",
        "a b:1|c",
        "a:1|c|#x|#y",
        "a:NaN|g",
        "_e{0,1}:|x",
        "_e{1,1}:ab|c",
        "_e{1,1}:a|bc",
        "_e{1,1}:a|b|t:fatal",
        "_sc|a|4",
        "_sc|a|0|m:x|#y",
        "_sc|a|0|m:x m:y",
        "a..b:1|c",
        ".a:1|c",
        "a:1|s",
        "\u{e9}:1|c",
    ] {
        assert!(dogstatsd_line(line).is_err(), "{line}");
    }
    for line in [
        "a.b:1.5|d|#k:v:w,bare",
        "a:-1.5|g",
        "_e{3,5}:a|b|c|d|e|d:1|h:x|k:x|p:low|s:x|t:error|#a:b",
        "_sc|a.b|2|d:1|#a:b|m:x m\\: y",
    ] {
        assert!(dogstatsd_line(line).is_ok(), "{line}: {:?}", dogstatsd_line(line));
    }
    for line in ["a:1|c|#x:y", "a:1|d", "_sc|a|0", "a:1:2|c"] {
        assert!(statsd_line(line).is_err(), "{line}");
    }
}
