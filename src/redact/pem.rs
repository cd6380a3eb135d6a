//! Private keys in PEM (RFC 7468), by the lines around them.

use std::ops::Range;

use super::{ends_word, until};

const DASHES: &[u8] = b"-----";

/// Longest label between the dashes, in bytes.
const LABEL_MAX: usize = 64;

#[derive(Clone, Copy)]
enum Marker {
    Begin,
    End,
}

/// Appends the place of every private key, with the lines around it. One that has no end goes to the end
/// of the text, and one that has no beginning began before it.
pub fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut begun = None;
    let mut is_first = true;
    let mut at = 0;
    loop {
        at = until(text, at, |byte| byte == b'-');
        if at == text.len() {
            break;
        }
        let Some((marker, behind)) = marker_at(text, at) else {
            at += 1;
            continue;
        };
        match marker {
            Marker::Begin => {
                begun.get_or_insert(at);
            }
            Marker::End => {
                let start = begun.take().or(is_first.then_some(0));
                // The `\n` of a string in JSON, which would else look like what follows a secret.
                let end = until(text, behind, ends_word);
                found.extend(start.map(|start| start..end));
            }
        }
        is_first = false;
        at = behind;
    }
    found.extend(begun.map(|start| start..text.len()));
}

/// The marker of a private key that begins here, and where it ends.
fn marker_at(text: &[u8], at: usize) -> Option<(Marker, usize)> {
    let rest = text[at..].strip_prefix(DASHES)?;
    let (marker, label) = match (rest.strip_prefix(b"BEGIN "), rest.strip_prefix(b"END ")) {
        (Some(label), _) => (Marker::Begin, label),
        (None, Some(label)) => (Marker::End, label),
        (None, None) => return None,
    };
    let label = &label[..label.len().min(LABEL_MAX)];
    let length = label.windows(DASHES.len()).position(|window| window == DASHES)?;
    let is_private = label[..length].windows(11).any(|window| window == b"PRIVATE KEY");
    let start = text.len() - rest.len() + if matches!(marker, Marker::Begin) { 6 } else { 4 };
    is_private.then_some((marker, start + length + DASHES.len()))
}
