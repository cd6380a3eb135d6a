//! PURE. Findings as a monitoring plugin prints them (monitoring-plugins.org, development guidelines): a
//! line that says how it stands, performance data behind a bar on it, and a line for each job.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::notice::Health;

/// Longest text of one job, in characters.
const SENTENCE_MAX: usize = 500;

/// What was found of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The label.
    pub label: String,
    /// Whose job it is, if it is another user's.
    pub user: Option<String>,
    /// How good or bad that is.
    pub health: Health,
    /// In one sentence.
    pub sentence: String,
    /// How old the last success is.
    pub success_age: Option<Duration>,
    /// How old it may be.
    pub max_age: Option<Duration>,
    /// Failures in a row.
    pub failures: u32,
    /// Runs that did not come since the last check.
    pub missed: usize,
    /// Runs under way.
    pub running: usize,
}

/// The whole output.
pub fn text(findings: &[Finding]) -> String {
    let worst = worst(findings);
    let mut text = format!("CRONWARD {}", word(worst));
    // One job needs no line of its own.
    if let [only] = findings {
        let _ = writeln!(text, " - {}: {} | {}", name(only), said(&only.sentence), measures(only).join(" "));
        return text;
    }
    // All data stand on the first line: behind a later one Icinga 2 takes them for text.
    let data: Vec<String> = findings.iter().flat_map(measures).collect();
    let _ = write!(text, " - {} | {}", summary(findings, worst), totals(findings));
    data.iter().for_each(|measure| text.extend([" ", measure]));
    text.push('\n');
    for finding in findings {
        let _ = writeln!(text, "[{}] {}: {}", word(finding.health), name(finding), said(&finding.sentence));
    }
    text
}

/// The worst of all, as a plugin's exit status means it; without jobs nothing is wrong.
pub fn worst(findings: &[Finding]) -> Health {
    findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Ok)
}

/// The exit status of a plugin.
pub fn status(health: Health) -> u8 {
    match health {
        Health::Ok => 0,
        Health::Warning => 1,
        Health::Critical => 2,
        Health::Unknown => 3,
    }
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Ok => "OK",
        Health::Warning => "WARNING",
        Health::Critical => "CRITICAL",
        Health::Unknown => "UNKNOWN",
    }
}

/// What is wrong in one line: how many, and the first few by name.
fn summary(findings: &[Finding], worst: Health) -> String {
    const NAMED: usize = 5;
    let jobs = |count: usize| format!("{count} {}", if count == 1 { "job" } else { "jobs" });
    if findings.is_empty() {
        return "no job is on record".to_owned();
    }
    if worst == Health::Ok {
        return format!("{}, all is well", jobs(findings.len()));
    }
    let bad: Vec<&Finding> = findings.iter().filter(|finding| finding.health == worst).collect();
    let named: Vec<String> = bad.iter().take(NAMED).map(|finding| name(finding)).collect();
    let more = if bad.len() > NAMED { format!(" and {} more", bad.len() - NAMED) } else { String::new() };
    format!("{} of {}: {}{more}", bad.len(), jobs(findings.len()), named.join(", "))
}

fn totals(findings: &[Finding]) -> String {
    let count = |health| findings.iter().filter(|finding| finding.health == health).count();
    format!(
        "jobs={} ok={} warning={} critical={} unknown={}",
        findings.len(),
        count(Health::Ok),
        count(Health::Warning),
        count(Health::Critical),
        count(Health::Unknown)
    )
}

/// `'label'=value[unit];[warn];[crit];[min];[max]` for each number of a job.
fn measures(finding: &Finding) -> Vec<String> {
    let name = |what: &str| format!("'{} {what}'", measured(&name(finding)));
    let age = finding.success_age.map(|age| {
        let limit = finding.max_age.map(|limit| limit.as_secs().to_string()).unwrap_or_default();
        format!("{}={}s;;{limit};0", name("success_age"), age.as_secs())
    });
    let counts =
        [("failures", finding.failures as usize), ("missed", finding.missed), ("running", finding.running)];
    age.into_iter().chain(counts.map(|(what, count)| format!("{}={count};;;0", name(what)))).collect()
}

/// The name of a measurement: an equals sign or a quote would end it. The guidelines would have a quote
/// doubled, but Icinga 2 and Monitoring::Plugin read it as the end all the same.
fn measured(name: &str) -> String {
    said(name).replace(['=', '\''], "_")
}

fn name(finding: &Finding) -> String {
    match &finding.user {
        Some(user) => said(&format!("{} ({user})", finding.label)),
        None => said(&finding.label),
    }
}

/// A text on one line, without the bar that begins performance data.
fn said(text: &str) -> String {
    let plain = |c: char| {
        if c.is_control() {
            ' '
        } else if c == '|' {
            '/'
        } else {
            c
        }
    };
    let mut said: String = text.chars().take(SENTENCE_MAX).map(plain).collect();
    if text.chars().nth(SENTENCE_MAX).is_some() {
        said.push('…');
    }
    said
}

/// A finding for programs; what does not apply is absent.
#[derive(Serialize)]
struct Fields<'a> {
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    status: &'static str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_age_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_s: Option<u64>,
    consecutive_failures: u32,
    missed: usize,
    running: usize,
}

/// The findings as a JSON array, a newline at the end.
pub fn json(findings: &[Finding]) -> String {
    let fields: Vec<Fields<'_>> = findings
        .iter()
        .map(|finding| Fields {
            label: &finding.label,
            user: finding.user.as_deref(),
            status: word(finding.health),
            reason: &finding.sentence,
            success_age_s: finding.success_age.map(|age| age.as_secs()),
            max_age_s: finding.max_age.map(|age| age.as_secs()),
            consecutive_failures: finding.failures,
            missed: finding.missed,
            running: finding.running,
        })
        .collect();
    // Strings, numbers and structs of them always serialize.
    serde_json::to_string(&fields).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finding(label: &str, health: Health, sentence: &str) -> Finding {
        Finding {
            label: label.into(),
            user: None,
            health,
            sentence: sentence.into(),
            success_age: Some(Duration::from_secs(123)),
            max_age: None,
            failures: 0,
            missed: 0,
            running: 0,
        }
    }

    /// Reads a plugin's output as Nagios and Icinga both do: data behind the bar of the first line, and
    /// then text. Gives the measurements by name.
    fn read(text: &str) -> Result<Vec<(String, f64)>, String> {
        let (first, rest) = text.split_once('\n').ok_or("no newline")?;
        let (_, data) = first.split_once('|').ok_or("no data on the first line")?;
        if data.contains('|') || rest.contains('|') {
            return Err("a second bar".into());
        }
        let mut measures = Vec::new();
        let mut rest = data.trim();
        while !rest.is_empty() {
            let (name, after) = match rest.strip_prefix('\'') {
                Some(quoted) => quoted.split_once('\'').ok_or("an open quote")?,
                None => rest.split_at(rest.find('=').ok_or("no value")?),
            };
            if name.contains('=') || name.is_empty() {
                return Err(format!("the name '{name}'"));
            }
            let value = after.strip_prefix('=').ok_or("no equals sign")?;
            let end = value.find(char::is_whitespace).unwrap_or(value.len());
            let fields: Vec<&str> = value[..end].split(';').collect();
            let number = fields[0].trim_end_matches('s');
            if fields.len() > 5
                || fields[1..].iter().any(|limit| !limit.is_empty() && limit.parse::<f64>().is_err())
            {
                return Err(format!("the fields {fields:?}"));
            }
            measures.push((name.to_owned(), number.parse().map_err(|_| format!("the number '{number}'"))?));
            rest = value[end..].trim_start();
        }
        Ok(measures)
    }

    #[test]
    fn one_job_is_one_line() {
        let mut only = finding("pg-backup", Health::Critical, "no run came at 02:30");
        only.max_age = Some(Duration::from_secs(86_400));
        let text = text(&[only]);
        assert_eq!(
            text,
            "CRONWARD CRITICAL - pg-backup: no run came at 02:30 | 'pg-backup success_age'=123s;;86400;0 \
             'pg-backup failures'=0;;;0 'pg-backup missed'=0;;;0 'pg-backup running'=0;;;0\n"
        );
    }

    #[test]
    fn many_jobs_are_a_summary_with_all_data_and_a_line_each() {
        let mut of_alice = finding("b", Health::Critical, "alert open");
        of_alice.user = Some("alice".into());
        of_alice.success_age = None;
        let text = text(&[finding("a", Health::Ok, "fine"), of_alice]);
        assert_eq!(
            text,
            "CRONWARD CRITICAL - 1 of 2 jobs: b (alice) | jobs=2 ok=1 warning=0 critical=1 unknown=0 \
             'a success_age'=123s;;;0 'a failures'=0;;;0 'a missed'=0;;;0 'a running'=0;;;0 \
             'b (alice) failures'=0;;;0 'b (alice) missed'=0;;;0 'b (alice) running'=0;;;0\n\
             [OK] a: fine\n\
             [CRITICAL] b (alice): alert open\n"
        );
        assert_eq!(read(&text).unwrap().len(), 5 + 4 + 3);
    }

    #[test]
    fn no_job_at_all_is_said_and_is_no_trouble() {
        assert_eq!(
            text(&[]),
            "CRONWARD OK - no job is on record | jobs=0 ok=0 warning=0 critical=0 unknown=0\n"
        );
    }

    #[test]
    fn the_worst_counts_and_critical_is_worse_than_unknown() {
        use Health::{Critical, Ok, Unknown, Warning};
        for (all, expected, exit) in [
            (vec![Ok, Warning, Ok], Warning, 1),
            (vec![Warning, Unknown], Unknown, 3),
            (vec![Unknown, Critical, Warning], Critical, 2),
            (vec![Ok], Ok, 0),
        ] {
            let findings: Vec<Finding> = all.iter().map(|&health| finding("x", health, "y")).collect();
            assert_eq!((worst(&findings), status(worst(&findings))), (expected, exit));
        }
    }

    proptest! {
        #[test]
        fn hostile_labels_and_sentences_forge_no_data(
            texts in proptest::collection::vec(("\\PC{0,30}|[|=' ;\n\t\\\\]{0,20}", ".{0,30}"), 0..5),
        ) {
            let findings: Vec<Finding> =
                texts.iter().map(|(label, sentence)| finding(label, Health::Warning, sentence)).collect();
            let text = text(&findings);
            let expected = match findings.len() { 1 => 4, jobs => 5 + 4 * jobs };
            prop_assert_eq!(read(&text).map(|measures| measures.len()), Ok(expected), "{}", text);
        }
    }
}
