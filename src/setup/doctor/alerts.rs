//! Whether somebody hears of an alert: who takes charge of it, what is owed, and when it was last tried.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Area, Finding, or_ok, some_of};
use super::jobs::Job;
use crate::attend::OfRecord;
use crate::clock::Timestamp;
use crate::human;
use crate::journal::Drills;
use crate::shell;
use crate::sinks::{creditors, shown_identity};

/// How long it is believed that an alert which has arrived once would arrive again.
const DRILL_AGE: Duration = Duration::from_secs(90 * 24 * 3600);

/// What is known of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFacts {
    /// Its label.
    pub label: String,
    /// The sinks that take charge of its alerts, by their identities.
    pub takers: Vec<String>,
    /// Whether there are no others, that only its runs know.
    pub is_known: bool,
    /// To whom something is owed, and the first of it.
    pub owed: Vec<(String, Timestamp)>,
    /// Its drills.
    pub drills: Option<Drills>,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The jobs.
    pub jobs: Vec<JobFacts>,
    /// Whether there is a program by which cron sends mail.
    pub has_mail: bool,
    /// Who could not be reached when something was last owed, by identities, and how often.
    pub unreached: Vec<(String, u32)>,
    /// Now.
    pub now: Timestamp,
}

/// What is known of a job.
pub fn job_facts(job: &Job) -> JobFacts {
    let takers = |OfRecord { plan, sinks }: &OfRecord| {
        creditors(&plan.sinks, sinks).into_iter().map(|(_, id)| id).collect()
    };
    let owed = job.entry.remembered.as_ref().map(|remembered| &remembered.owed[..]).unwrap_or_default();
    let each = owed.iter().flat_map(|owed| owed.to.iter().map(|to| (to.clone(), owed.turn.time)));
    JobFacts {
        label: job.entry.label.clone(),
        takers: job.record.as_ref().map(takers).unwrap_or_default(),
        is_known: job.is_known(),
        owed: each.collect(),
        drills: job.drills,
    }
}

/// What is wrong.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = of_nobody(facts).into_iter().collect();
    findings.extend(of_debts(facts));
    findings.extend(of_drills(facts));
    or_ok(findings, Area::Alerts, || match facts.jobs.len() {
        0 => "no job is on record that could have one".to_owned(),
        _ => "somebody takes charge of them, nothing is owed, and a person has seen one arrive".to_owned(),
    })
}

fn of_nobody(facts: &Facts) -> Option<Finding> {
    let alone = facts.jobs.iter().filter(|job| job.takers.is_empty() && job.is_known);
    let alone: Vec<&str> = alone.map(|job| &job.label[..]).collect();
    if alone.is_empty() {
        return None;
    }
    let what = format!(
        "no sink takes charge of the alerts of {}: each is a line on stderr, which cron mails",
        some_of(&alone)
    );
    let name = "name a sink that does ('exec:…', 'webhook:…', 'pagerduty:…', 'slack:…', 'otlp:…')";
    Some(match facts.has_mail {
        true => Finding::note(Area::Alerts, what, format!("is the mail of this host read? else {name}")),
        false => Finding::warning(
            Area::Alerts,
            format!("{what}, and there is no '/usr/sbin/sendmail' to mail it"),
            format!("{name}, or install a mail transport agent"),
        ),
    })
}

fn of_debts(facts: &Facts) -> Vec<Finding> {
    let mut debts: BTreeMap<&str, (usize, Timestamp)> = BTreeMap::new();
    for (sink, since) in facts.jobs.iter().flat_map(|job| &job.owed) {
        let debt = debts.entry(sink).or_insert((0, *since));
        *debt = (debt.0 + 1, debt.1.min(*since));
    }
    let finding = |(sink, (count, since)): (&str, (usize, Timestamp))| {
        let tried = facts.unreached.iter().find(|(other, _)| other == sink);
        let tried = tried.map(|(_, times)| {
            format!(", and was tried {} in vain", human::counted(*times as usize, "time", "times"))
        });
        let what = format!(
            "'{}' is owed {}, the first for {}{}",
            shown_identity(sink),
            human::counted(count, "alert or recovery", "alerts and recoveries"),
            human::span(facts.now.since(since)),
            tried.unwrap_or_default()
        );
        Finding::warning(Area::Alerts, what, "deliver it: cronward flush, which also says why it cannot be")
    };
    debts.into_iter().map(finding).collect()
}

/// One for all jobs whose alerts go the same way: a drill of one of them tries it for all.
fn of_drills(facts: &Facts) -> Vec<Finding> {
    let mut ways: BTreeMap<Vec<&str>, Vec<&JobFacts>> = BTreeMap::new();
    for job in facts.jobs.iter().filter(|job| !job.takers.is_empty()) {
        let mut takers: Vec<&str> = job.takers.iter().map(String::as_str).collect();
        takers.sort_unstable();
        ways.entry(takers).or_default().push(job);
    }
    let finding = |(takers, jobs): (Vec<&str>, Vec<&JobFacts>)| {
        let shown: Vec<String> = takers.iter().map(|taker| shown_identity(taker)).collect();
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let way = some_of(&shown);
        let drills = || jobs.iter().filter_map(|job| Some((job, job.drills?)));
        let confirmed = drills().filter_map(|(_, drills)| drills.confirmed).max();
        let last = drills().max_by_key(|(_, drills)| drills.last);
        let quoted = |label: &str| shell::quote(label.as_ref()).to_string_lossy().into_owned();
        let of = quoted(&jobs.first()?.label);
        let again =
            format!("try it: cronward drill {of}, and when it has arrived: cronward drill {of} --confirm");
        match (confirmed, last) {
            (Some(confirmed), _) if facts.now.since(confirmed) <= DRILL_AGE => None,
            (Some(confirmed), _) => {
                let ago = human::ago(facts.now, confirmed);
                let what =
                    format!("that an alert arrives by {way} was last seen {ago}, and that is over 90 days");
                Some(Finding::warning(Area::Alerts, what, again))
            }
            (None, Some((job, drills))) => {
                let ago = human::ago(facts.now, drills.last);
                let what =
                    format!("nobody has confirmed that the drill of '{}' {ago} arrived by {way}", job.label);
                let hint = format!("if it has: cronward drill {} --confirm", quoted(&job.label));
                Some(Finding::note(Area::Alerts, what, hint))
            }
            (None, None) => {
                Some(Finding::note(Area::Alerts, format!("no alert by {way} was ever drilled"), again))
            }
        }
    };
    ways.into_iter().filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + millis)
    }

    fn sound() -> Facts {
        let drills = Some(Drills { last: at(-DAY), confirmed: Some(at(-DAY)) });
        let takers = vec!["exec:mail root".to_owned()];
        let job = JobFacts { label: "a b".to_owned(), takers, is_known: true, owed: Vec::new(), drills };
        let other = JobFacts { label: "other".to_owned(), drills: None, ..job.clone() };
        Facts { jobs: vec![job, other], has_mail: true, unreached: Vec::new(), now: at(0) }
    }

    #[test]
    fn an_alert_that_nobody_would_hear_of_is_found() {
        type Plant = fn(&mut Facts);
        for (plant, severity, said) in [
            ((|_| {}) as Plant, Severity::Ok, "a person has seen one arrive"),
            (|facts| facts.jobs.clear(), Severity::Ok, "no job is on record"),
            (
                |facts| facts.jobs[1].takers.clear(),
                Severity::Note,
                "the alerts of 'other': each is a line on stderr",
            ),
            (
                |facts| {
                    facts.jobs[1].takers.clear();
                    facts.jobs[1].is_known = false;
                },
                Severity::Ok,
                "",
            ),
            (
                |facts| {
                    facts.jobs[1].takers.clear();
                    facts.has_mail = false;
                },
                Severity::Warning,
                "there is no '/usr/sbin/sendmail'",
            ),
            (
                |facts| {
                    facts.jobs[1].owed =
                        vec![("exec:mail root".to_owned(), at(-DAY)), ("exec:mail root".to_owned(), at(0))];
                    facts.unreached = vec![("exec:mail root".to_owned(), 3)];
                },
                Severity::Warning,
                "'exec:mail' is owed 2 alerts and recoveries, the first for 1d 00h, and was tried 3 times in vain",
            ),
            (
                |facts| facts.jobs[0].drills.as_mut().unwrap().confirmed = Some(at(-91 * DAY)),
                Severity::Warning,
                "was last seen 91d 00h ago, and that is over 90 days; try it: cronward drill 'a b'",
            ),
            (
                |facts| facts.jobs[0].drills.as_mut().unwrap().confirmed = None,
                Severity::Note,
                "the drill of 'a b' 1d 00h ago arrived by 'exec:mail'",
            ),
            (|facts| facts.jobs[0].drills = None, Severity::Note, "no alert by 'exec:mail' was ever drilled"),
        ] {
            let mut facts = sound();
            plant(&mut facts);
            let findings = examine(&facts);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].severity, severity, "{findings:?}");
            let Finding { what, hint, .. } = &findings[0];
            assert!(format!("{what}; {hint}").contains(said), "{findings:?}");
        }
    }

    #[test]
    fn each_way_that_alerts_go_is_drilled_by_itself() {
        let mut facts = sound();
        facts.jobs[1].takers.push("slack:file:/url".to_owned());
        let findings = examine(&facts);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].what.contains("'exec:mail', 'slack:file:/url' was ever drilled"), "{findings:?}");
    }
}
