//! PURE. What differs between what was given to one run and to the next.

use super::KeptPlan;
use crate::program::Changed;
use crate::settings::Setting;

/// Longest value that is shown of a change, in characters.
const SHOWN_MAX: usize = 80;

/// What a person would want to know of the difference between two plans. Arguments, and the targets of
/// sinks, which may hold a password, are in the full form alone.
pub(super) fn differences(before: &KeptPlan, now: &KeptPlan) -> Vec<Changed> {
    let mut all = Vec::new();
    let mut differs = |what: &str, old: &str, new: &str, public: bool| {
        if old != new {
            let full = format!("{what} changed from '{}' to '{}'", shown(old), shown(new));
            let brief = if public { full.clone() } else { format!("{what} changed") };
            all.push(Changed { full, brief });
        }
    };
    let path = |plan: &KeptPlan| plan.path.clone().unwrap_or_default();
    differs("host name", &before.host, &now.host, true);
    differs("user", &before.user.to_string(), &now.user.to_string(), true);
    differs("command", &before.command.join(" "), &now.command.join(" "), false);
    differs("PATH", &path(before), &path(now), true);
    let mut options: Vec<&str> = Vec::new();
    for given in before.given.iter().chain(&now.given) {
        // Tags may differ with every run, and nothing fails for them.
        if given.option != Setting::Tag.row().long && !options.contains(&&given.option[..]) {
            options.push(&given.option);
        }
    }
    for option in options {
        let values = |plan: &KeptPlan| -> String {
            let same = plan.given.iter().filter(|given| given.option == option);
            same.map(|given| given.value.as_str()).collect::<Vec<_>>().join(" ")
        };
        let public = option != Setting::Sink.row().long;
        differs(&format!("configuration: {option}"), &values(before), &values(now), public);
    }
    all
}

fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_MAX) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}…", &value[..end]),
    }
}
