//! A manual page in mdoc, as far as the tests look into it: the heads of lists in its sections, the
//! names that it marks, and its examples. Words are compared as the source has them.

use std::collections::BTreeSet;

/// The source of a page.
#[derive(Debug, Clone, Copy)]
pub struct Manual(pub &'static str);

impl Manual {
    /// The lines of the sections with these titles.
    ///
    /// A title that is not there is a failure: a test that looks into no section looks at nothing.
    pub fn sections(self, titles: &[&str]) -> Vec<&'static str> {
        let mut lines = Vec::new();
        for title in titles {
            let before = lines.len();
            let mut inside = false;
            for line in self.0.lines() {
                match line.strip_prefix(".Sh ") {
                    Some(head) => inside = head == *title,
                    None if inside => lines.push(line),
                    None => {}
                }
            }
            assert!(lines.len() > before, "no section {title}");
        }
        lines
    }

    /// What stands behind `.It MACRO` in these sections, up to the next macro on the line.
    pub fn items(self, titles: &[&str], makro: &str) -> BTreeSet<String> {
        let heads = self.heads(titles).into_iter();
        let named = heads.filter(|words| words[0] == makro);
        let names = named.flat_map(|words| {
            words[1..]
                .iter()
                .take_while(|word| **word != "Pq")
                .filter(|word| **word != ",")
                .copied()
                .collect::<Vec<_>>()
        });
        names.map(str::to_owned).collect()
    }

    /// The words of every `.It` in these sections.
    pub fn heads(self, titles: &[&str]) -> Vec<Vec<&'static str>> {
        let lines = self.sections(titles).into_iter();
        lines.filter_map(|line| line.strip_prefix(".It ")).map(|head| head.split(' ').collect()).collect()
    }

    /// The options at the heads of lists in these sections, with their dashes.
    pub fn options(self, titles: &[&str]) -> BTreeSet<String> {
        let heads = self.heads(titles).into_iter().filter(|words| words[0] == "Fl");
        let options = heads.flat_map(|words| {
            let flags = words.windows(2).filter(|pair| pair[0] == "Fl");
            flags.map(|pair| format!("-{}", pair[1])).collect::<Vec<_>>()
        });
        options.collect()
    }

    /// Every name that a macro marks on a line of its own in these sections.
    pub fn marked(self, titles: &[&str], makro: &str) -> BTreeSet<String> {
        let macros = format!(".{makro} ");
        let lines = self.sections(titles).into_iter().filter_map(|line| line.strip_prefix(&macros));
        lines.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect()
    }

    /// The literal displays, each a block of lines as they are printed.
    pub fn displays(self) -> Vec<Vec<String>> {
        let mut displays = Vec::new();
        let mut lines = self.0.lines();
        while let Some(line) = lines.next() {
            if line.starts_with(".Bd -literal") {
                let inside = lines.by_ref().take_while(|line| *line != ".Ed");
                displays.push(inside.map(|line| line.replace("\\e", "\\").replace("\\-", "-")).collect());
            }
        }
        displays
    }
}
