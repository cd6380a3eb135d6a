//! PURE. Patterns of labels: `*` is any text, also none and also with a slash, `?` any character, `[a-z]`
//! one of a set, `[!a-z]` none of a set. There is no escape, since TOML has one of its own: `[*]` is a
//! star.

/// Why a text is no pattern, in words; `None` if it is one.
pub fn fault(pattern: &str) -> Option<String> {
    if pattern.is_empty() {
        return Some("it is empty; write '*' for all labels".to_owned());
    }
    let mut rest = pattern;
    while let Some((first, behind)) = split_first(rest) {
        rest = match (first, set(rest)) {
            ('[', None) => return Some("a '[' is not closed; write '[[]' for the character".to_owned()),
            ('[', Some((inside, behind))) => {
                if let Some((from, to)) = ranges(inside).find(|(from, to)| from > to) {
                    return Some(format!("the range '{from}-{to}' is reversed; write '{to}-{from}'"));
                }
                behind
            }
            _ => behind,
        };
    }
    None
}

/// Whether a pattern fits the whole of a text. It goes back to the last star only, so the time is at most
/// the product of both lengths.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // What stands behind the last star, and the text that the star has not taken yet.
    let mut star: Option<(&str, &str)> = None;
    loop {
        if let Some(behind) = pattern.strip_prefix('*') {
            (pattern, star) = (behind, Some((behind, text)));
            continue;
        }
        let Some((one, left)) = split_first(text) else { return pattern.is_empty() };
        if let Some(behind) = fits_first(pattern, one) {
            (pattern, text) = (behind, left);
            continue;
        }
        // The star takes one character more, and the rest is tried again.
        let Some((behind, from)) = star else { return false };
        let from = split_first(from).map_or("", |(_, from)| from);
        (pattern, text, star) = (behind, from, Some((behind, from)));
    }
}

/// What is left of a pattern when its first part, which is no star, has taken a character; `None` if it
/// does not fit.
fn fits_first(pattern: &str, one: char) -> Option<&str> {
    let (first, behind) = split_first(pattern)?;
    match (first, set(pattern)) {
        ('?', _) => Some(behind),
        ('[', Some((inside, behind))) => {
            let listed = ranges(inside).any(|(from, to)| (from..=to).contains(&one));
            (listed != inside.starts_with('!')).then_some(behind)
        }
        _ => (first == one).then_some(behind),
    }
}

/// The inside of the set that a pattern begins with, and what follows. A closing bracket in the first
/// place is one of the set.
fn set(pattern: &str) -> Option<(&str, &str)> {
    let inside = pattern.strip_prefix('[')?;
    let fixed = usize::from(inside.starts_with('!'));
    let first = inside[fixed..].chars().next()?.len_utf8();
    let end = fixed + first + inside[fixed + first..].find(']')?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// The ranges of a set; a single character is one of itself.
fn ranges(inside: &str) -> impl Iterator<Item = (char, char)> {
    let mut rest = inside.strip_prefix('!').unwrap_or(inside);
    std::iter::from_fn(move || {
        let (from, behind) = split_first(rest)?;
        let upper = behind.strip_prefix('-').and_then(split_first);
        let (to, behind) = upper.unwrap_or((from, behind));
        rest = behind;
        Some((from, to))
    })
}

fn split_first(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    Some((chars.next()?, chars.as_str()))
}

#[cfg(test)]
mod tests;
