//! PURE. A unified diff of a text of which some lines were replaced, each by one, as patch(1) reads it.

use std::path::Path;

/// Lines of context around a change, as diff(1) gives them.
const CONTEXT: usize = 3;

/// One line of a text, its newline included, and what takes its place.
pub struct Line<'a> {
    /// As it was.
    pub old: &'a [u8],
    /// As it is to be; `None`: as it was.
    pub new: Option<Vec<u8>>,
}

/// The diff; empty if nothing changes.
pub fn unified(lines: &[Line<'_>], name: &str) -> Vec<u8> {
    let changed: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].new.is_some()).collect();
    let mut diff = Vec::new();
    let mut rest = &changed[..];
    while let Some(&first) = rest.first() {
        if diff.is_empty() {
            diff.extend_from_slice(format!("--- a/{name}\n+++ b/{name}\n").as_bytes());
        }
        // Changes whose contexts touch are one hunk.
        let meets = |pair: &[usize]| pair[1] - pair[0] <= 2 * CONTEXT + 1;
        let count = 1 + rest.windows(2).take_while(|pair| meets(pair)).count();
        let start = first.saturating_sub(CONTEXT);
        let end = (rest[count - 1] + 1 + CONTEXT).min(lines.len());
        hunk(&lines[start..end], start, &mut diff);
        rest = &rest[count..];
    }
    diff
}

fn hunk(lines: &[Line<'_>], start: usize, diff: &mut Vec<u8>) {
    // diff(1) leaves out a count of one; patch(1) takes both.
    let place = format!("{},{}", start + 1, lines.len());
    diff.extend_from_slice(format!("@@ -{place} +{place} @@\n").as_bytes());
    let mut rest = lines;
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|line| line.new.is_some() == first.new.is_some()).count();
        let (same, behind) = rest.split_at(run);
        rest = behind;
        for line in same {
            put(if first.new.is_some() { b'-' } else { b' ' }, line.old, diff);
        }
        same.iter().filter_map(|line| line.new.as_deref()).for_each(|new| put(b'+', new, diff));
    }
}

fn put(mark: u8, line: &[u8], diff: &mut Vec<u8>) {
    diff.push(mark);
    diff.extend_from_slice(line);
    if !line.ends_with(b"\n") {
        diff.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

/// What a file is called in a diff, for `patch -p1` in the root directory or where a relative name begins.
/// A name that would need quotes there is not given.
pub fn name(path: Option<&Path>) -> String {
    let name = path.and_then(Path::to_str).map(|path| path.trim_start_matches("./").trim_start_matches('/'));
    let is_plain = |name: &&str| {
        !name.is_empty()
            && !name.contains("..")
            && !name.contains(|c: char| c.is_whitespace() || c.is_control() || "\"\\".contains(c))
    };
    name.filter(is_plain).unwrap_or("crontab").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(old: &str, changed: &[usize]) -> String {
        let lines: Vec<Line<'_>> = (0..)
            .zip(old.split_inclusive('\n'))
            .map(|(at, line)| Line {
                old: line.as_bytes(),
                new: changed.contains(&at).then(|| format!("new {line}").into_bytes()),
            })
            .collect();
        String::from_utf8(unified(&lines, "crontab")).unwrap()
    }

    #[test]
    fn changes_have_three_lines_around_them_and_are_one_hunk_where_these_touch() {
        let old: String = (1..=20).map(|number| format!("{number}\n")).collect();
        assert_eq!(of(&old, &[]), "");
        assert_eq!(
            of(&old, &[0, 7, 8, 16]),
            "--- a/crontab\n+++ b/crontab\n@@ -1,12 +1,12 @@\n-1\n+new 1\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n-9\n+new 8\n\
             +new 9\n 10\n 11\n 12\n@@ -14,7 +14,7 @@\n 14\n 15\n 16\n-17\n+new 17\n 18\n 19\n 20\n"
        );
    }

    #[test]
    fn a_last_line_without_a_newline_is_marked() {
        assert_eq!(
            of("a\nb", &[1]),
            "--- a/crontab\n+++ b/crontab\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+new b\n\
             \\ No newline at end of file\n"
        );
    }

    #[test]
    fn the_name_is_one_that_patch_reads() {
        for (path, expected) in [
            (Some("/etc/crontab"), "etc/crontab"),
            (Some("./my.cron"), "my.cron"),
            (Some(".hidden"), ".hidden"),
            (Some("../cron"), "crontab"),
            (Some("my cron"), "crontab"),
            (Some("/"), "crontab"),
            (None, "crontab"),
        ] {
            assert_eq!(name(path.map(Path::new)), expected);
        }
    }

    /// The lines of a text after a diff, as patch(1) would have them.
    fn patched(old: &str, diff: &str) -> String {
        let old: Vec<&str> = old.split_inclusive('\n').collect();
        let (mut new, mut at) = (String::new(), 0);
        for hunk in diff.split("@@ -").skip(1) {
            let (head, body) = hunk.split_once('\n').unwrap();
            let start: usize = head.split(',').next().unwrap().parse().unwrap();
            new.extend(old[at..start - 1].iter().copied());
            at = start - 1;
            let body = body.replace("\n\\ No newline at end of file\n", "\0");
            for line in body.split_inclusive(['\n', '\0']) {
                let line = line.replace('\0', "");
                let (mark, text) = line.split_at(1);
                if mark != "+" {
                    assert_eq!(old[at], text);
                    at += 1;
                }
                if mark != "-" {
                    new.push_str(text);
                }
            }
        }
        new.extend(old[at..].iter().copied());
        new
    }

    proptest! {
        #[test]
        fn applied_it_makes_the_new_text(
            lines in proptest::collection::vec(("[a-c]{0,2}", any::<bool>()), 0..40),
            ends in any::<bool>(),
        ) {
            let mut old: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
            if !ends && !old.is_empty() && !old.ends_with("\n\n") && old != "\n" {
                old.pop();
            }
            let changed: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].1).collect();
            let new: String = (0..)
                .zip(old.split_inclusive('\n'))
                .map(|(at, line)| if changed.contains(&at) { format!("new {line}") } else { line.to_owned() })
                .collect();
            prop_assert_eq!(patched(&old, &of(&old, &changed)), new);
        }
    }
}
