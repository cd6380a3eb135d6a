//! PURE. What a terminal can do, by the environment.

/// A variable of the environment; `None` if it is not set or not text.
pub(super) type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Whether it moves its cursor and scrolls in regions.
pub(super) fn draws(variable: Variable<'_>) -> bool {
    variable("TERM").is_some_and(|name| !matches!(&name[..], "" | "dumb" | "unknown"))
}

/// Whether it takes reports of progress (OSC 9;4). Only one that says so is sent any: to others `OSC 9` is a
/// notification of the desktop (iTerm2 before 3.6.6, older releases of kitty), and there would be one every
/// second. What tells a terminal's name seldom comes through ssh(1), but for `TERM`.
pub(super) fn takes_reports(variable: Variable<'_>) -> bool {
    let is = |name, wanted: &[&str]| variable(name).is_some_and(|value| wanted.contains(&&value[..]));
    is("TERM", &["xterm-ghostty"])
        || is("TERM_PROGRAM", &["ghostty", "WezTerm"])
        || is("ConEmuANSI", &["ON"])
        || variable("WT_SESSION").is_some()
        || variable("TERM_FEATURES").is_some_and(|features| has_feature(&features, "P"))
        || variable("PTYXIS_VERSION").is_some_and(|version| {
            version.split('.').next().and_then(|major| major.parse::<u32>().ok()) >= Some(48)
        })
}

/// Whether a list of features as iTerm2 gives it has one: names one behind the other, each a capital and
/// small letters, and then perhaps a number.
fn has_feature(features: &str, wanted: &str) -> bool {
    features
        .match_indices(wanted)
        .any(|(at, _)| !features[at + wanted.len()..].starts_with(|next: char| next.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(environment: &[(&str, &str)], ask: fn(Variable<'_>) -> bool) -> bool {
        let find = |name: &str| environment.iter().find(|(other, _)| *other == name);
        ask(&|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn nothing_is_drawn_on_a_terminal_that_is_dumb_or_has_no_name() {
        for (environment, expected) in [
            (&[][..], false),
            (&[("TERM", "")], false),
            (&[("TERM", "dumb")], false),
            (&[("TERM", "xterm-256color")], true),
            (&[("TERM", "linux")], true),
        ] {
            assert_eq!(with(environment, draws), expected, "{environment:?}");
        }
    }

    #[test]
    fn progress_is_reported_to_those_terminals_alone_that_are_known_to_take_it() {
        for (environment, expected) in [
            (&[("TERM", "xterm-256color")][..], false),
            (&[("TERM", "xterm-kitty")], false),
            (&[("TERM", "xterm-ghostty")], true),
            (&[("TERM_PROGRAM", "iTerm.app")], false),
            (&[("TERM_PROGRAM", "iTerm.app"), ("TERM_FEATURES", "T3CwLrMSc7UUw9Ts3BFGsSyHNoSxFP")], true),
            (&[("TERM_FEATURES", "T3PaSc7")], false),
            (&[("TERM_FEATURES", "PSc7")], true),
            (&[("TERM_PROGRAM", "ghostty")], true),
            (&[("TERM_PROGRAM", "WezTerm")], true),
            (&[("WT_SESSION", "5d1a")], true),
            (&[("ConEmuANSI", "ON")], true),
            (&[("ConEmuANSI", "OFF")], false),
            (&[("PTYXIS_VERSION", "47.9")], false),
            (&[("PTYXIS_VERSION", "48.1")], true),
            (&[("PTYXIS_VERSION", "x")], false),
        ] {
            assert_eq!(with(environment, takes_reports), expected, "{environment:?}");
        }
    }
}
