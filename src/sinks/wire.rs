//! PURE. What is written into datagrams: names, tags, numbers and text made safe, and lines packed into
//! them. Nothing below cleans anything up, so a byte that ends a field must not get past here.

use std::fmt::Write;

use crate::job::Tag;

/// Longest payload of a UDP datagram, in bytes: what passes Ethernet with tunnels in one piece
/// (statsd docs/metric_types.md, "Multi-Metric Packets").
pub const UDP_MAX: usize = 1432;

/// Longest unix datagram, in bytes: the Datadog Agent's receive buffer.
pub const UNIX_MAX: usize = 8192;

/// Longest message over TCP, in bytes: what every receiver of syslog should take (RFC 5424 section 6.1).
/// One that takes less reads the rest of a longer one as a message of its own.
pub const TCP_MAX: usize = 2048;

/// Longest name, tag key or whole tag, in characters (Datadog's limit for a tag).
const WORD_MAX: usize = 200;

/// What a tag without a value has for one, where it has to have one.
pub const BARE: &str = "true";

/// Appends `text` as a metric name: `[A-Za-z0-9_.-]`, everything else as `_`.
pub fn push_name(line: &mut String, text: &str) {
    push_word(line, text, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
}

/// Appends `text` as one part of a dotted name: a dot in it would make a level of its own.
pub fn push_name_part(line: &mut String, text: &str) {
    push_word(line, text, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
}

/// Appends the name of a metric, with the one that the job has given to the value, if it did.
pub fn push_metric(line: &mut String, prefix: &str, metric: &str, given_name: Option<&str>) {
    push_all(line, &[prefix, metric]);
    if let Some(name) = given_name {
        line.push('.');
        push_name(line, name);
    }
}

fn push_word(line: &mut String, text: &str, stands: impl Fn(char) -> bool) {
    line.extend(text.chars().take(WORD_MAX).map(|c| if stands(c) { c } else { '_' }));
}

/// Appends `key:value`, or the bare key where there is no value. What would end the tag, the field
/// or the line becomes `_`; a colon is allowed in a value, where it ends nothing.
pub fn push_tag(line: &mut String, key: &str, value: &str) {
    let ends = |c: char| matches!(c, '|' | '#' | ',') || c.is_control();
    let key = key.chars().map(|c| if ends(c) || c == ':' { '_' } else { c });
    let colon = (!value.is_empty()).then_some(':');
    let value = value.chars().map(|c| if ends(c) { '_' } else { c });
    line.extend(key.chain(colon).chain(value).take(WORD_MAX));
}

/// The user's tags and those that a run has reported beside them, which win. A key is the same whatever
/// the case of its letters.
pub fn merged_tags<'a>(users: &'a [Tag], reported: &'a [Tag]) -> Vec<&'a Tag> {
    let replaced = |tag: &&Tag| reported.iter().any(|other| other.key.eq_ignore_ascii_case(&tag.key));
    users.iter().filter(|tag| !replaced(tag)).chain(reported).collect()
}

/// As many tags as take up no more than `room` bytes. One without a value may have to be given one.
pub fn tags_within(tags: &[Tag], mut room: usize) -> &[Tag] {
    let fits = |tag: &&Tag| {
        let value = tag.value.as_ref().map_or(0, String::len).max(BARE.len());
        let size = ",:".len() + tag.key.len() + value;
        let left = room.checked_sub(size);
        room = left.unwrap_or(room);
        left.is_some()
    };
    &tags[..tags.iter().take_while(fits).count()]
}

/// Appends all of it, as it is.
pub fn push_all(line: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| line.push_str(part));
}

/// Appends a number as every statsd server reads it: at most three decimals, or nine of what is less
/// than one, no trailing zeros, no exponent. False, and nothing appended, for what is no finite number.
pub fn push_number(line: &mut String, value: f64) -> bool {
    if !value.is_finite() {
        return false;
    }
    match thousandths(value) {
        Some(thousandths) => push_thousandths(line, thousandths),
        None => push_float(line, value),
    }
    true
}

/// The value in thousandths, if it is a whole number of those; which all are that we measure.
fn thousandths(value: f64) -> Option<u64> {
    /// Below this, neighbouring floats are less than half a thousandth apart: no two thousandths are
    /// the same float, and the product is off by less than a half.
    const MAX: u64 = 1 << 51;
    // Casting saturates: below zero is zero.
    let nearest = (value * 1e3 + 0.5) as u64;
    (nearest < MAX && nearest as f64 / 1e3 == value).then_some(nearest)
}

/// Formatting a float takes ten times as long, and a run writes ten of them.
fn push_thousandths(line: &mut String, thousandths: u64) {
    push_whole(line, thousandths / 1000);
    let mut fraction = thousandths % 1000;
    if fraction > 0 {
        line.push('.');
    }
    while fraction > 0 {
        push_digit(line, fraction / 100);
        fraction = fraction % 100 * 10;
    }
}

/// Appends a whole number.
pub fn push_whole(line: &mut String, number: u64) {
    if number >= 10 {
        push_whole(line, number / 10);
    }
    push_digit(line, number % 10);
}

fn push_digit(line: &mut String, digit: u64) {
    line.push(char::from(b'0' + digit as u8));
}

/// Any finite number, by the standard library.
fn push_float(line: &mut String, value: f64) {
    let start = line.len();
    // A share of errors may be small and yet not nothing.
    let decimals = if value.abs() < 1.0 { 9 } else { 3 };
    // Writing to a String cannot fail.
    let _ = write!(line, "{value:.decimals$}");
    let kept = line[start..].trim_end_matches('0').trim_end_matches('.').len();
    line.truncate(start + kept);
    if &line[start..] == "-0" {
        line.replace_range(start.., "0");
    }
}

/// Appends a field that ends at the next `|`: that and control characters become `_`; at most `max`
/// bytes.
pub fn push_field(line: &mut String, text: &str, max: usize) {
    let end = line.len() + max;
    let safe = text.chars().map(|c| if c == '|' || c.is_control() { '_' } else { c });
    for c in safe {
        if line.len() + c.len_utf8() > end {
            break;
        }
        line.push(c);
    }
}

/// Text for people in at most `room` bytes: a newline becomes the two characters `\n`, as the
/// Agent wants it, any other control character a blank. What was cut ends in `…`.
pub fn text_within(text: &str, room: usize) -> String {
    const CUT: &str = "…";
    let mut written = String::with_capacity(text.len().min(room));
    let mut cut_at = 0;
    for c in text.chars() {
        match c {
            '\n' => written.push_str("\\n"),
            c if c.is_control() => written.push(' '),
            c => written.push(c),
        }
        if written.len() > room {
            written.truncate(cut_at);
            if written.len() + CUT.len() <= room {
                written.push_str(CUT);
            }
            break;
        }
        if written.len() + CUT.len() <= room {
            cut_at = written.len();
        }
    }
    written
}

/// Lines packed into datagrams, joined by newlines, never cut.
#[derive(Debug)]
pub struct Packed {
    /// The datagrams; the last one may still grow.
    pub datagrams: Vec<String>,
    /// How many lines were longer than a datagram and are not among them.
    pub too_long: usize,
    limit: usize,
}

impl Packed {
    /// Nothing yet, for datagrams of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { datagrams: Vec::new(), too_long: 0, limit }
    }

    /// Adds the line that `write` appends to the text it is given; none if it answers false. Lines
    /// that must arrive together may be joined by a newline.
    pub fn push_with(&mut self, write: impl FnOnce(&mut String) -> bool) {
        // Taken out and put back, since an empty datagram must not stay.
        let mut datagram = self.datagrams.pop().unwrap_or_else(|| String::with_capacity(self.limit));
        let end = datagram.len();
        if end > 0 {
            datagram.push('\n');
        }
        let start = datagram.len();
        let stands = write(&mut datagram);
        let too_long = datagram.len() - start > self.limit;
        let mut next = None;
        if !stands || too_long {
            self.too_long += usize::from(stands);
            datagram.truncate(end);
        } else if datagram.len() > self.limit {
            let mut line = String::with_capacity(self.limit);
            line.push_str(&datagram[start..]);
            next = Some(line);
            datagram.truncate(end);
        }
        self.datagrams.extend(Some(datagram).filter(|datagram| !datagram.is_empty()).into_iter().chain(next));
    }

    /// Adds a datagram of its own, as it is.
    pub fn push_alone(&mut self, datagram: String) {
        self.datagrams.push(datagram);
    }

    /// Adds a line as it is.
    pub fn push(&mut self, line: &str) {
        self.push_with(|datagram| {
            datagram.push_str(line);
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(value: f64) -> String {
        let mut line = String::new();
        assert!(push_number(&mut line, value));
        line
    }

    fn tag(key: &str, value: &str) -> String {
        let mut line = String::new();
        push_tag(&mut line, key, value);
        line
    }

    #[test]
    fn numbers_have_no_exponent_and_few_decimals() {
        for (value, written) in [
            (0.0, "0"),
            (-0.0, "0"),
            (-0.000_1, "-0.0001"),
            (0.000_4, "0.0004"),
            (-1e-10, "0"),
            (1.000_4, "1"),
            (1.0, "1"),
            (100.0, "100"),
            (12.75, "12.75"),
            (0.1 + 0.2, "0.3"),
            (1_900_123.456_7, "1900123.457"),
            (-10.5, "-10.5"),
            (1e21, "1000000000000000000000"),
        ] {
            assert_eq!(number(value), written);
        }
        let mut line = String::from("x");
        assert!(!push_number(&mut line, f64::NAN) && !push_number(&mut line, f64::INFINITY));
        assert_eq!(line, "x");
    }

    #[test]
    fn tags_lose_what_would_end_them() {
        assert_eq!(tag("env", "prod"), "env:prod");
        assert_eq!(tag("canary", ""), "canary");
        assert_eq!(tag("url", "http://x:1"), "url:http://x:1");
        assert_eq!(tag("a:b|c#d,e\nf\0g", "h|i#j,k\r\nl\u{85}m:n"), "a_b_c_d_e_f_g:h_i_j_k__l_m:n");
        assert_eq!(tag("k", &"é".repeat(300)).chars().count(), WORD_MAX);
    }

    #[test]
    fn text_is_cut_between_characters_and_says_so() {
        assert_eq!(text_within("a\nb|c\x1b", 20), "a\\nb|c ");
        assert_eq!(text_within("éééé", 8), "éééé");
        assert_eq!(text_within("éééé", 7), "éé…");
        assert_eq!(text_within("éééé", 2), "");
        let mut line = String::from("x");
        push_field(&mut line, "é|é\n", 4);
        assert_eq!(line, "xé_");
    }

    #[test]
    fn a_line_longer_than_a_datagram_is_counted_and_left_out() {
        let mut packed = Packed::new(5);
        for line in ["abcdef", "ab", "cd", "abcde"] {
            packed.push(line);
        }
        assert_eq!((&packed.datagrams[..], packed.too_long), (&["ab\ncd".into(), "abcde".into()][..], 1));
    }

    #[test]
    fn a_line_that_is_withdrawn_leaves_nothing_behind() {
        let mut packed = Packed::new(5);
        for (line, stands) in [("xy", false), ("ab", true), ("x", false), ("abcdef", false), ("cd", true)] {
            packed.push_with(|datagram| {
                datagram.push_str(line);
                stands
            });
        }
        assert_eq!((&packed.datagrams[..], packed.too_long), (&["ab\ncd".into()][..], 0));
    }

    fn by_the_standard_library(value: f64) -> String {
        let mut line = String::new();
        push_float(&mut line, value);
        line
    }

    proptest! {
        #[test]
        fn whole_thousandths_are_written_without_floats_and_alike(thousandths in 0..1_u64 << 51, size in 0..51) {
            let value = (thousandths >> size) as f64 / 1e3;
            prop_assert_eq!(super::thousandths(value), Some(thousandths >> size));
            prop_assert_eq!(number(value), by_the_standard_library(value));
        }

        #[test]
        fn every_number_is_written_as_by_the_standard_library(
            value in prop_oneof![any::<f64>(), -1e4..1e4_f64, 4e12..1e13_f64, (0..1_u32 << 20).prop_map(|n| f64::from(n) / 2e3)],
        ) {
            prop_assume!(value.is_finite());
            prop_assert_eq!(number(value), by_the_standard_library(value));
        }

        #[test]
        fn packing_keeps_every_line_whole_and_in_order(
            lines in prop::collection::vec("[a-z]{1,40}", 0..40), limit in 40_usize..200,
        ) {
            let mut packed = Packed::new(limit);
            lines.iter().for_each(|line| packed.push(line));
            prop_assert!(packed.datagrams.iter().all(|datagram| datagram.len() <= limit));
            let unpacked: Vec<_> = packed.datagrams.iter().flat_map(|d| d.split('\n')).collect();
            prop_assert_eq!(unpacked, lines);
        }

        #[test]
        fn text_never_exceeds_its_room_nor_holds_a_control_character(text in "\\PC*|[\\x00-\\x7f]*", room in 0_usize..60) {
            let written = text_within(&text, room);
            prop_assert!(written.len() <= room);
            prop_assert!(!written.chars().any(char::is_control));
        }

        #[test]
        fn numbers_read_back_as_what_they_were(value in -1e12..1e12_f64) {
            let written = number(value);
            prop_assert!((written.parse::<f64>().unwrap() - value).abs() <= 0.000_6, "{}", written);
            prop_assert!(written.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-'));
        }
    }
}
