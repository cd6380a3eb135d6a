//! What other users have on record, as far as root's `status` and `check` cannot read it.

use super::finding::{Area, Finding, or_ok};
use crate::clock::Timestamp;
use crate::human;
use crate::inspect::others;
use crate::journal::Look;
use crate::plan::Host;

/// Looks, if this is root and nobody has said where to look.
pub fn examine(host: Option<&dyn Host>, now: Timestamp) -> Vec<Finding> {
    if host.is_none_or(|host| host.user() != 0) {
        return Vec::new();
    }
    let read = others::entries(host, Look::Plans, now);
    let mut findings = Vec::new();
    for (user, entries) in &read {
        let (label, why) = match entries {
            Err(why) => (String::new(), why),
            Ok(entries) => {
                match entries.iter().find_map(|entry| Some((entry, entry.remembered.as_ref().err()?))) {
                    Some((entry, why)) => (format!(" of '{}'", entry.label), why),
                    None => continue,
                }
            }
        };
        let what = format!("what user '{user}' has on record{label} cannot be read: {why}");
        findings.push(Finding::note(Area::Users, what, "root's 'check' says so, too; look as that user"));
    }
    or_ok(findings, Area::Users, || {
        format!("{} with jobs on record", human::counted(read.len(), "other user", "other users"))
    })
}
