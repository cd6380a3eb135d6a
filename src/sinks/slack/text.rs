//! PURE. Text as it may stand in a message (docs.slack.dev, "Formatting message text"): only `&`, `<` and
//! `>` are escaped, and whoever cuts it cuts between characters as they are sent.
//!
//! Lengths are in units of UTF-16 of what is sent, escapes included: no other way to count gives more.

/// Stands for what was cut off.
const CUT: char = '…';

/// Parts characters that belong together only by accident, unseen and without a place to break the line.
const JOINER: char = '\u{2060}';

/// The text with at most `limit` units. An `@` that begins a word is parted from it: Slack itself reads
/// `<@U…>` and nothing else as a mention, but servers that take Slack's messages wake everybody for an
/// `@all` in a text.
pub fn escaped(text: &str, limit: usize) -> String {
    let mut sent = String::new();
    let mut size = 0;
    // As much of it as leaves room for the sign that something was cut off.
    let mut kept = 0;
    let mut before = None;
    for c in text.chars() {
        let from = sent.len();
        match c {
            '@' if !before.is_some_and(char::is_alphanumeric) => sent.extend([c, JOINER]),
            c => push(&mut sent, c),
        }
        size += units(&sent[from..]);
        if size > limit {
            sent.truncate(kept);
            sent.push(CUT);
            break;
        }
        if size < limit {
            kept = sent.len();
        }
        before = Some(c);
    }
    sent
}

/// The end of a text as a block of code, fence included, with at most `limit` units: whole lines, unless
/// the last one is too long by itself. Three backticks in a row would end the block, so between any two
/// stands a joiner.
pub fn code(text: &str, limit: usize) -> String {
    const FENCE: &str = "```";
    let text = text.trim_end();
    // Two fences, three ends of lines, and the sign that something was cut off.
    let mut room = limit.saturating_sub(2 * FENCE.len() + 4);
    let mut from = text.len();
    let mut sent = String::new();
    for (at, c) in text.char_indices().rev() {
        sent.clear();
        push_code(&mut sent, &text[..at], c);
        let Some(left) = room.checked_sub(units(&sent)) else { break };
        (room, from) = (left, at);
    }
    sent.clear();
    sent.push_str(FENCE);
    sent.push('\n');
    if from > 0 {
        from = text[from..].find('\n').map_or(from, |end| from + end + 1);
        sent.extend([CUT, '\n']);
    }
    for (at, c) in text[from..].char_indices() {
        push_code(&mut sent, &text[from..from + at], c);
    }
    sent.push('\n');
    sent.push_str(FENCE);
    sent
}

/// A link, if the text is plainly the URL of a page (RFC 3986): of printed ASCII and of nothing that
/// could end the link or give it another name. It is shown in full, so that it hides nothing.
pub fn link(text: &str) -> Option<String> {
    const MAX: usize = 1000;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"<>|\"\\^`{}".contains(&byte);
    let is_url = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && rest.bytes().all(fits)
        && text.len() <= MAX;
    is_url.then(|| format!("<{}>", text.replace('&', "&amp;")))
}

/// Length of a text as it is sent.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn push(sent: &mut String, c: char) {
    match c {
        '&' => sent.push_str("&amp;"),
        '<' => sent.push_str("&lt;"),
        '>' => sent.push_str("&gt;"),
        c => sent.push(c),
    }
}

/// A character of a block of code behind this text.
fn push_code(sent: &mut String, before: &str, c: char) {
    if c == '`' && before.ends_with('`') {
        sent.push(JOINER);
    }
    push(sent, c);
}

#[cfg(test)]
mod tests;
