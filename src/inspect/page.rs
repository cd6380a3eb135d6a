//! What is printed on: how wide it is, and whether it shows colours and more than ASCII.

use std::io::IsTerminal;

use crate::sys::terminal;

/// What a text means, for whoever sees colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Nothing in particular.
    Plain,
    /// A heading.
    Heading,
    /// All is well.
    Good,
    /// It deserves a look.
    Warning,
    /// It is wrong.
    Bad,
    /// It is beside the point.
    Faint,
}

/// What is printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Its width; `None`: without end.
    pub columns: Option<usize>,
    /// Whether it shows colours.
    pub colours: bool,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
}

/// A variable of the environment; `None` if it is not set or not text.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Page {
    /// What stdout is.
    pub fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        let window = terminal::window(&stdout).map(|window| usize::from(window.columns));
        Self::of(stdout.is_terminal(), window, &|name| std::env::var(name).ok())
    }

    /// `COLUMNS` says how wide it is if the terminal does not, as under watch(1), which reads a pipe. `NO_COLOR`
    /// by no-color.org. What the locale says of characters: setlocale(3), the first of the three that is set
    /// and not empty.
    fn of(is_terminal: bool, window: Option<usize>, variable: Variable<'_>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let given = set("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|&columns| columns > 0);
        let dumb = set("TERM").is_none_or(|name| name == "dumb");
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self {
            columns: window.or(given),
            colours: is_terminal && !dumb && set("NO_COLOR").is_none(),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    /// What stands for the rest of a text that was cut.
    pub fn cut_mark(self) -> &'static str {
        if self.unicode { "…" } else { ".." }
    }

    /// A text in its colour (ECMA-48, SGR), appended to a line.
    pub fn paint(self, line: &mut String, text: &str, ink: Ink) {
        let code = match ink {
            Ink::Plain => "",
            Ink::Heading => "1",
            Ink::Good => "32",
            Ink::Warning => "33",
            Ink::Bad => "1;31",
            Ink::Faint => "2",
        };
        if !self.colours || code.is_empty() || text.trim().is_empty() {
            line.push_str(text);
            return;
        }
        for part in ["\x1b[", code, "m", text, "\x1b[m"] {
            line.push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(is_terminal: bool, window: Option<usize>, environment: &[(&str, &str)]) -> Page {
        let find = |name: &str| environment.iter().find(|(other, _)| *other == name);
        Page::of(is_terminal, window, &|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_width_is_that_of_the_terminal_or_else_what_is_said() {
        assert_eq!(page(true, Some(80), &[("COLUMNS", "132")]).columns, Some(80));
        assert_eq!(page(false, None, &[("COLUMNS", "132")]).columns, Some(132));
        for nothing in ["", "0", "wide"] {
            assert_eq!(page(false, None, &[("COLUMNS", nothing)]).columns, None);
        }
    }

    #[test]
    fn colours_are_for_terminals_that_have_some_and_whose_user_wants_them() {
        let xterm = ("TERM", "xterm-256color");
        assert!(page(true, Some(80), &[xterm]).colours);
        assert!(page(true, Some(80), &[xterm, ("NO_COLOR", "")]).colours, "an empty one says nothing");
        assert!(!page(true, Some(80), &[xterm, ("NO_COLOR", "1")]).colours);
        assert!(!page(true, Some(80), &[("TERM", "dumb")]).colours);
        assert!(!page(true, Some(80), &[]).colours);
        assert!(!page(false, None, &[xterm]).colours);
    }

    #[test]
    fn what_the_locale_can_write_is_written() {
        for (environment, expected) in [
            (&[][..], false),
            (&[("LANG", "de_DE.UTF-8")], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LC_ALL", "C"), ("LANG", "C.UTF-8")], false),
            (&[("LC_ALL", ""), ("LC_CTYPE", "en_GB.UTF-8"), ("LANG", "C")], true),
        ] {
            assert_eq!(page(false, None, environment).unicode, expected, "{environment:?}");
        }
    }

    #[test]
    fn a_text_is_painted_only_where_there_are_colours() {
        let painted = |colours| {
            let mut line = String::new();
            let page = Page { columns: None, colours, unicode: false };
            for (text, ink) in [("a", Ink::Plain), ("b", Ink::Bad), ("  ", Ink::Good)] {
                page.paint(&mut line, text, ink);
            }
            line
        };
        assert_eq!(painted(false), "ab  ");
        assert_eq!(painted(true), "a\x1b[1;31mb\x1b[m  ");
    }
}
