//! The variables that begin like ours: values that mean nothing, which make every run that sees them a usage error,
//! and names that nobody reads.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::finding::{Area, Finding, or_ok};
use crate::cli::Typed;
use crate::config::Configured;
use crate::plan::{self, ThisHost};
use crate::settings::{PREFIX, Setting, TABLE, UsageError, Variable, nearest};
use crate::sinks;

/// What programs of a sink and jobs are told; no option is called so.
const FACTS: [&str; 2] = ["CRONWARD_RUN_", "CRONWARD_EVENT_"];

/// What is wrong with the variables, and the environment without those that mean nothing, in which everything else can
/// be looked at.
pub fn examine(environment: Vec<OsString>) -> (Vec<Finding>, Vec<OsString>) {
    let mut findings = Vec::new();
    let (ours, mut sound): (Vec<OsString>, Vec<OsString>) =
        environment.into_iter().partition(|word| word.as_bytes().starts_with(PREFIX));
    let others = sound.clone();
    for word in ours {
        let name = name_of(&word);
        if Setting::of_variable(name.as_bytes()).is_none() {
            findings.extend(unknown(&name, ""));
            continue;
        }
        match refusal(&word, &others).filter(|why| why.contains(&name)) {
            Some(why) => findings.push(Finding::fault(
                Area::Variables,
                why,
                "set it right, or unset it: with it, no job is started (125)",
            )),
            None => sound.push(word),
        }
    }
    (or_ok(findings, Area::Variables, || "every CRONWARD_* variable means something".to_owned()), sound)
}

fn name_of(word: &OsStr) -> String {
    String::from_utf8_lossy(word.as_bytes()).split('=').next().unwrap_or_default().to_owned()
}

/// That nobody reads a variable of this name, which is set at that place; `None` if somebody does.
pub fn unknown(name: &str, place: &str) -> Option<Finding> {
    let is_ours = name.as_bytes().starts_with(PREFIX);
    let is_known =
        Setting::of_variable(name.as_bytes()).is_some() || FACTS.iter().any(|fact| name.starts_with(fact));
    if !is_ours || is_known {
        return None;
    }
    let names = TABLE.iter().filter(|row| row.variable != Variable::None).map(|row| row.variable_name());
    let names: Vec<String> = names.collect();
    // What all have in common says nothing about which was meant.
    let tail = |name: &str| name["CRONWARD_".len()..].to_owned();
    let tails: Vec<String> = names.iter().map(|name| tail(name)).collect();
    let hint = match nearest(&tail(name), tails.iter().map(String::as_str)) {
        Some(known) => format!("did you mean 'CRONWARD_{known}'?"),
        None => "variables are named after the long options of 'cronward --help'".to_owned(),
    };
    Some(Finding::warning(Area::Variables, format!("{place}nobody reads '{name}'"), hint))
}

/// Why no run is started with a variable, all others of ours unset.
fn refusal(word: &OsStr, others: &[OsString]) -> Option<String> {
    let judge = || -> Result<(), UsageError> {
        let options = vec![(Setting::Label, OsString::from("doctor"))];
        let typed = Typed { program: OsString::new(), options, words: vec!["cronward".into()] };
        let environment = others.iter().cloned().chain([word.to_owned()]).collect();
        let mut configured = Configured::new(typed, environment)?;
        plan::read_files(&mut configured, &|_| Ok(None))?;
        let (plan, _) = plan::resolve(configured, &ThisHost)?;
        sinks::open(&plan).map(drop).map_err(UsageError::new)
    };
    judge().err().map(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_variable_is_read_or_refused_or_known_to_nobody() {
        for (word, severity, said, hint) in [
            ("CRONWARD_TIMEOUT=5m", Severity::Ok, "every CRONWARD_*", ""),
            ("CRONWARD_RUN_LABEL=x", Severity::Ok, "every CRONWARD_*", ""),
            ("CRONWARD_LOCK=1", Severity::Ok, "every CRONWARD_*", ""),
            ("CRONWARD_CONFIG=/nowhere", Severity::Ok, "every CRONWARD_*", ""),
            ("CRONWARD_TIMEOUT=5", Severity::Fault, "bad duration '5' in CRONWARD_TIMEOUT: ", "unset it"),
            ("CRONWARD_SINK=mqtt:x", Severity::Fault, "bad sink 'mqtt:…' in CRONWARD_SINK: ", "unset it"),
            ("CRONWARD_STATE_DIR=x", Severity::Fault, "in CRONWARD_STATE_DIR: it is relative", "unset it"),
            (
                "CRONWARD_TIMEUOT=5m",
                Severity::Warning,
                "nobody reads 'CRONWARD_TIMEUOT'",
                "mean 'CRONWARD_TIMEOUT'?",
            ),
            (
                "CRONWARD_ZZZ=5m",
                Severity::Warning,
                "nobody reads 'CRONWARD_ZZZ'",
                "named after the long options",
            ),
        ] {
            let (findings, sound) = examine(vec!["PATH=/bin".into(), word.into()]);
            assert_eq!(findings.len(), 1, "{findings:?}");
            let found = &findings[0];
            assert_eq!(found.severity, severity, "{found:?}");
            assert!(found.what.contains(said) && found.hint.contains(hint), "{found:?}");
            let kept = sound.iter().any(|kept| kept == word);
            assert_eq!(kept, severity == Severity::Ok && !word.starts_with("CRONWARD_RUN"), "{word}");
        }
    }
}
