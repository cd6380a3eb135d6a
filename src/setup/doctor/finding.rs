//! PURE. What has been found, and how it is said.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::human;
use crate::redact::one_line;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// The configuration files.
    Configuration,
    /// The environment.
    Variables,
    /// The state directory and what is in it.
    State,
    /// Locks, and writing that lasts.
    Locks,
    /// Clock and time zone.
    Clock,
    /// Descriptors and limits.
    Limits,
    /// Where notices go.
    Sinks,
    /// Whether somebody hears of an alert.
    Alerts,
    /// Crontabs, and what cron gives to their lines.
    Cron,
    /// The file that is executed.
    Binary,
    /// What other users have on record.
    Users,
}

impl Area {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Variables => "variables",
            Self::State => "state",
            Self::Locks => "locks",
            Self::Clock => "clock",
            Self::Limits => "limits",
            Self::Sinks => "sinks",
            Self::Alerts => "alerts",
            Self::Cron => "cron",
            Self::Binary => "binary",
            Self::Users => "users",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// Good to know.
    Note,
    /// It works, and not as somebody will want it to.
    Warning,
    /// It keeps cronward from some of its work.
    Fault,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub area: Area,
    /// How bad it is.
    pub severity: Severity,
    /// What, with its name in quotes.
    pub what: String,
    /// What to do about it; empty if there is nothing to be done.
    pub hint: String,
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(area: Area, what: impl Into<String>) -> Self {
        Self { area, severity: Severity::Ok, what: what.into(), hint: String::new() }
    }

    /// Something that is good to know.
    pub fn note(area: Area, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { area, severity: Severity::Note, what: what.into(), hint: hint.into() }
    }

    /// Something that should be otherwise.
    pub fn warning(area: Area, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { area, severity: Severity::Warning, what: what.into(), hint: hint.into() }
    }

    /// Something that does not work.
    pub fn fault(area: Area, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { area, severity: Severity::Fault, what: what.into(), hint: hint.into() }
    }
}

/// The exit status: 0, 1 if there is a warning, 2 if there is a fault.
pub fn status(findings: &[Finding]) -> u8 {
    match findings.iter().map(|finding| finding.severity).max() {
        None | Some(Severity::Ok | Severity::Note) => 0,
        Some(Severity::Warning) => 1,
        Some(Severity::Fault) => 2,
    }
}

/// What has been found, or in its place that nothing is wrong: a reader sees that it was looked at.
pub fn or_ok(findings: Vec<Finding>, area: Area, what: impl FnOnce() -> String) -> Vec<Finding> {
    if findings.is_empty() { vec![Finding::ok(area, what())] } else { findings }
}

/// A line for each, and a sum.
pub fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { area, severity, what, hint } in findings {
        let tag = format!("[{}]", severity.as_str().to_uppercase());
        let hint = if hint.is_empty() { String::new() } else { format!("; {hint}") };
        let line = format!("{what}{hint}");
        let _ = writeln!(text, "{tag:9}  {:13}  {}", area.as_str(), one_line(&line));
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    text.push_str(&match (count(Severity::Fault), count(Severity::Warning)) {
        (0, 0) => "nothing is wrong\n".to_owned(),
        (faults, warnings) => format!(
            "{}, {}\n",
            human::counted(faults, "fault", "faults"),
            human::counted(warnings, "warning", "warnings")
        ),
    });
    text
}

/// An array of objects.
pub fn json(findings: &[Finding]) -> String {
    let object = |finding: &Finding| {
        let Finding { area, severity, what, hint } = finding;
        let mut object = json!({ "area": area.as_str(), "severity": severity.as_str(), "what": what });
        if !hint.is_empty() {
            object["hint"] = Value::from(&hint[..]);
        }
        object
    };
    format!("{}\n", Value::from(findings.iter().map(object).collect::<Vec<_>>()))
}

/// A few names of many: `'a', 'b' and 3 more`.
pub fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("'{name}'")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides_the_status_and_people_and_programs_are_told_the_same() {
        let ok = Finding::ok(Area::Clock, "fine");
        let note = Finding::note(Area::Users, "so", "");
        let warning = Finding::warning(Area::Sinks, "slow", "look");
        let fault = Finding::fault(Area::State, "'a\nb' full", "make room");
        let mut all = Vec::new();
        for (finding, expected) in [(ok, 0), (note, 0), (warning, 1), (fault, 2)] {
            all.push(finding);
            assert_eq!(status(&all), expected);
        }
        let text = text(&all);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert_eq!(lines[0], "[OK]       clock          fine");
        assert_eq!(lines[2], "[WARNING]  sinks          slow; look");
        assert_eq!(lines[4], "1 fault, 1 warning");
        assert_eq!(super::text(&all[..2]).lines().last(), Some("nothing is wrong"));
        let read: Value = serde_json::from_str(&json(&all)).unwrap();
        assert_eq!(
            read[3],
            json!({"area": "state", "severity": "fault", "what": "'a\nb' full", "hint": "make room"})
        );
        assert_eq!(read[1].get("hint"), None);
    }

    #[test]
    fn of_many_names_a_few_are_said() {
        assert_eq!(some_of(&["a", "b", "c"]), "'a', 'b', 'c'");
        assert_eq!(some_of(&["a", "b", "c", "d", "e"]), "'a', 'b', 'c' and 2 more");
    }
}
