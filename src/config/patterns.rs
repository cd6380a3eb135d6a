//! PURE. The sections of a file that are for some jobs only, for whoever looks at the file and at no job.

use super::pattern;
use super::toml::{self, Document, Value};

/// A section `[job."PATTERN"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Where it stands, from 1.
    pub line: usize,
    /// The pattern, which is one.
    pub pattern: String,
}

impl Section {
    /// Whether it is for a job of this label.
    pub fn fits(&self, label: &str) -> bool {
        pattern::fits(&self.pattern, label)
    }

    /// A label that it is for: what only such jobs are told by the file can then be looked at. `None` if none is
    /// found by simple means.
    pub fn some_label(&self) -> Option<String> {
        let mut label = String::new();
        let mut rest = self.pattern.chars();
        while let Some(one) = rest.next() {
            match one {
                '*' => {}
                '?' => label.push('x'),
                '[' => {
                    label.extend(rest.next().filter(|first| *first != '!')?.to_lowercase());
                    rest.by_ref().find(|&closing| closing == ']')?;
                }
                plain => label.push(plain),
            }
        }
        let label = if label.is_empty() { "x".to_owned() } else { label };
        self.fits(&label).then_some(label)
    }
}

/// The sections of a file that are for some jobs only; `None`: it is no TOML.
pub fn sections(bytes: &[u8]) -> Option<Vec<Section>> {
    let document = toml::read(std::str::from_utf8(bytes).ok()?).ok()?;
    Some(of(&document))
}

fn of(document: &Document) -> Vec<Section> {
    let nodes = document.nodes();
    let is_job = |table: usize| {
        nodes.get(table).is_some_and(|node| node.table == Document::ROOT && node.key == "job" && table != 0)
    };
    let sections = nodes.iter().filter(|node| is_job(node.table) && matches!(node.value, Value::Table(_)));
    let sound = sections.filter(|node| pattern::fault(&node.key).is_none());
    sound.map(|node| Section { line: node.line, pattern: node.key.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sections_of_jobs_are_found_with_their_lines_and_nothing_else_is_one() {
        let text = b"[defaults]\nlock = true\n[job.\"pg-*\"]\ntag.job = 'x'\n[job.b]\n[job.'[']\n[other.c]\n";
        let found = sections(text).unwrap();
        let section = |line, pattern: &str| Section { line, pattern: pattern.to_owned() };
        assert_eq!(found, [section(3, "pg-*"), section(5, "b")]);
        assert_eq!(sections(b"[defaults"), None);
        assert_eq!(sections(b"\xff"), None);
        assert_eq!(sections(b""), Some(Vec::new()));
    }

    proptest::proptest! {
        #[test]
        fn a_label_that_is_found_fits(pattern in "[a-c*?!\\[\\]-]{1,8}") {
            if pattern::fault(&pattern).is_none() {
                let section = Section { line: 1, pattern };
                proptest::prop_assert!(section.some_label().is_none_or(|label| section.fits(&label)));
            }
        }
    }

    #[test]
    fn a_label_is_found_that_a_pattern_fits() {
        for (pattern, label) in [
            ("pg-*", Some("pg-")),
            ("*", Some("x")),
            ("a?[c-e]", Some("axc")),
            ("[!a]", None),
            ("[[]", Some("[")),
        ] {
            let section = Section { line: 1, pattern: pattern.to_owned() };
            assert_eq!(section.some_label().as_deref(), label, "{pattern}");
        }
    }
}
