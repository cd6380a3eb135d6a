//! What may leave the host of the beginning and the end of an output, where what lies between was not
//! kept. The cuts are at any byte: `password: hunter2` may have lost its name to the one side, which leaves
//! a secret without a shape, or a part of its value, which leaves half of a secret. Nothing that is masked
//! by its line is known by another line, but for keys in PEM; so whole lines are safe.

/// Shortest line that is taken for one of a key in PEM, in bytes: RFC 7468 writes 64, some write 60.
const PEM_LINE_MIN: usize = 60;

/// Of the beginning of an output that was cut off, what may be masked and sent: its whole lines. If there
/// is none, it goes without its last word: names and quotes stand before their values, so what is left
/// is known as what it is.
pub fn cut_head(head: &str) -> &str {
    let end = head.rfind('\n').map_or_else(|| end_of_words(head), |end| end + 1);
    &head[..end]
}

/// Where the last word begins, with the white space before it.
pub fn end_of_words(text: &str) -> usize {
    text.rfind(char::is_whitespace).unwrap_or(0)
}

/// Of the end of an output whose beginning was cut off, what may be masked and sent: its whole lines, but
/// for those of a key in PEM that it begins with. Of a line that is cut there is no word from which on it
/// would be safe, since a quoted value or the cookies of a header have any number of words.
pub fn cut_tail(tail: &str) -> &str {
    let Some((cut, mut rest)) = tail.split_once('\n') else { return "" };
    let mut in_key = is_base64(cut) && cut.trim().len() >= PEM_LINE_MIN / 2;
    loop {
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        let is_long = line.trim().len() >= PEM_LINE_MIN;
        // The last line of a key is shorter.
        if !is_base64(line) || !(is_long || in_key) {
            return rest;
        }
        in_key = is_long;
        rest = behind;
    }
}

/// Whether a line is base64 alone, between blanks.
fn is_base64(line: &str) -> bool {
    let mut bytes = line.trim().bytes().peekable();
    bytes.peek().is_some()
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}
