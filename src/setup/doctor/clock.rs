//! The clock and the time zone, by which schedules are read.

use jiff::tz::TimeZone;

use super::finding::{Area, Finding, or_ok, some_of};
use crate::clock::Timestamp;
use crate::human;

/// No clock that goes right shows an earlier time: 2026-01-01, before there was this program.
const EARLIEST: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// By how much a record may be ahead, in milliseconds: clocks are set by less than this all the time.
const AHEAD_MAX: i64 = 60_000;

/// What is known of it.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Now.
    pub now: Timestamp,
    /// When the last run of each job ended, by label.
    pub last: Vec<(String, Timestamp)>,
    /// The zone, or why there is none.
    pub zone: Result<TimeZone, String>,
    /// `TZ`, if it is set.
    pub variable: Option<String>,
}

impl Facts {
    /// Asks for the zone.
    pub fn gather(now: Timestamp, last: Vec<(String, Timestamp)>, variable: Option<String>) -> Self {
        let zone = TimeZone::try_system().map_err(|error| error.to_string());
        Self { now, last, zone, variable: variable.filter(|value| !value.is_empty()) }
    }
}

/// What is wrong with it.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let Facts { now, last, zone, variable } = facts;
    let mut findings = Vec::new();
    let utc = TimeZone::UTC;
    let shown = human::local(*now, zone.as_ref().unwrap_or(&utc));
    if *now < EARLIEST {
        findings.push(Finding::fault(
            Area::Clock,
            format!("it is {shown} by the clock, which cannot be"),
            "set it (timedatectl set-ntp true, or date -s)",
        ));
    }
    let is_ahead = |at: &Timestamp| at.as_millis().saturating_sub(now.as_millis()) > AHEAD_MAX;
    let ahead: Vec<&str> = last.iter().filter(|(_, at)| is_ahead(at)).map(|(label, _)| &label[..]).collect();
    if !ahead.is_empty() {
        findings.push(Finding::warning(
            Area::Clock,
            format!(
                "it is {shown} by the clock, and runs are on record that ended later: {}",
                some_of(&ahead)
            ),
            "is the clock right (timedatectl)? if it is now, it is over with the next run of each",
        ));
    }
    match (zone, variable) {
        (Err(_), Some(name)) => findings.push(Finding::warning(
            Area::Clock,
            format!("'{name}' in TZ is no time zone that this host knows, and schedules are read in UTC"),
            "write one of 'timedatectl list-timezones', or install the package tzdata",
        )),
        (Err(_), None) => findings.push(Finding::note(
            Area::Clock,
            "this host has no time zone, and schedules are read in UTC",
            "link /etc/localtime to one below /usr/share/zoneinfo (package tzdata)",
        )),
        (Ok(_), _) => {}
    }
    or_ok(findings, Area::Clock, || match zone.as_ref().ok().and_then(|zone| zone.iana_name()) {
        Some(name) => format!("it is {shown}, in the time zone {name}"),
        None => format!("it is {shown}, local time"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_clock_that_cannot_be_right_and_a_zone_that_is_none_are_found() {
        let at = |seconds: i64| Timestamp::from_millis(1_800_000_000_000 + seconds * 1000);
        let utc = || Ok(TimeZone::UTC);
        let none = || Err("no".to_owned());
        let tz = Some("Mars/Olympus".to_owned());
        for (now, last, zone, variable, severity, said) in [
            (at(0), at(0), utc(), None, Severity::Ok, "it is 2027-01-15 08:00:00, in the time zone UTC"),
            (at(0), at(59), utc(), None, Severity::Ok, "it is "),
            (at(0), at(61), utc(), None, Severity::Warning, "ended later: 'job'"),
            (Timestamp::from_millis(0), at(-9e9 as i64), utc(), None, Severity::Fault, "it is 1970-01-01"),
            (at(0), at(0), none(), tz, Severity::Warning, "'Mars/Olympus' in TZ is no time zone"),
            (at(0), at(0), none(), None, Severity::Note, "has no time zone"),
        ] {
            let facts = Facts { now, last: vec![("job".to_owned(), last)], zone, variable };
            let findings = examine(&facts);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].severity, severity, "{findings:?}");
            assert!(findings[0].what.contains(said), "{findings:?}");
        }
    }
}
