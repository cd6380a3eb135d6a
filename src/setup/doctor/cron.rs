//! Cron's bare environment: whether the lines that call cronward find it there, and their programs; and whether somebody
//! checks the jobs.

mod crontabs;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::{Area, Finding, or_ok, some_of};
use super::variables;
use crate::clock::Timestamp;
use crate::crontab::wrapped_jobs;
use crate::crontab::wrapping::{CRON_PATH, Task, Wrapping, Wrappings, wrappings};
use crate::human;
pub use crontabs::Crontab;

/// How long ago the last check may be.
const CHECK_AGE: Duration = Duration::from_secs(3600);

/// What cronward is called, where it is looked for.
const CRONWARD: &str = "cronward";

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The crontabs that can be read.
    pub crontabs: Vec<Crontab>,
    /// The root of the file system that programs are looked for in.
    pub root: PathBuf,
    /// The jobs that are missed only by a check.
    pub watched: Vec<String>,
    /// When everything was last checked.
    pub last_check: Option<Timestamp>,
    /// How cronward is called here.
    pub own_path: Option<PathBuf>,
    /// Now.
    pub now: Timestamp,
}

impl Facts {
    /// The crontabs that this user can read.
    pub fn crontabs(root: &Path, user: u32) -> Vec<Crontab> {
        crontabs::gather(root, user)
    }
}

/// What is wrong.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut calls = 0;
    for crontab in &facts.crontabs {
        let found = wrappings(&crontab.text, crontab.form);
        calls += found.calls.len();
        findings.extend(of_crontab(crontab, &found, facts));
    }
    let places = programs_in(CRON_PATH.as_ref(), CRONWARD.as_ref(), &facts.root);
    if calls == 0 && !places {
        let own =
            facts.own_path.as_ref().map_or_else(|| CRONWARD.to_owned(), |path| path.display().to_string());
        let what = format!("'{CRONWARD}' is not in cron's PATH ({CRON_PATH}), and no crontab calls it yet");
        findings.push(Finding::note(Area::Cron, what, format!("write its whole path there: {own}")));
    }
    findings.extend(of_checks(facts));
    or_ok(findings, Area::Cron, || match calls {
        0 => "no crontab that can be read calls cronward".to_owned(),
        calls => {
            let calls = human::counted(calls, "call", "calls");
            format!(
                "{calls} in {}, and each finds its program",
                human::counted(facts.crontabs.len(), "crontab", "crontabs")
            )
        }
    })
}

fn of_crontab(crontab: &Crontab, found: &Wrappings, facts: &Facts) -> Vec<Finding> {
    let Crontab { name, form, text } = crontab;
    let mut findings = Vec::new();
    for variable in &found.variables {
        let place = format!("{name}:{}: ", variable.line_number);
        if variable.name == "SHELL" {
            if !is_program(&variable.value, &facts.root) {
                let what = format!(
                    "{place}SHELL '{}' is no program, and cron runs none of the lines below",
                    variable.value.to_string_lossy()
                );
                findings.push(Finding::fault(Area::Cron, what, hint_of_path(facts)));
            }
            continue;
        }
        let unknown = variables::unknown(&variable.name, &place);
        findings.extend(unknown.map(|finding| Finding { area: Area::Cron, ..finding }));
    }
    for call in &found.calls {
        findings.extend(of_call(name, call, facts));
    }
    // What is said of a crontab that has nothing to do with cronward is cron's affair.
    if contains(text, CRONWARD.as_bytes()) {
        for problem in wrapped_jobs(text, *form).problems {
            let what = format!("{name}:{}: {}", problem.line_number, problem.reason);
            findings.push(Finding::warning(
                Area::Cron,
                what,
                "mend that line; it is not looked after as it stands",
            ));
        }
    }
    findings
}

fn of_call(crontab: &str, call: &Wrapping, facts: &Facts) -> Option<Finding> {
    let place = format!("{crontab}:{}", call.line_number);
    let path = call.search_path.as_deref();
    let lost = |word: &OsStr| {
        let is_absolute = word.as_bytes().starts_with(b"/");
        let is_plain = !word.as_bytes().contains(&b'/') && !word.as_bytes().contains(&0);
        match path {
            _ if is_absolute => !is_program(word, &facts.root),
            Some(path) if is_plain => !programs_in(path, word, &facts.root),
            Some(_) | None => false,
        }
    };
    let shown_path = || path.unwrap_or_default().to_string_lossy().into_owned();
    let where_to = |word: &OsStr| match word.as_bytes().starts_with(b"/") {
        true => "there is no such program".to_owned(),
        false => format!("it is not in PATH there ({})", shown_path()),
    };
    if let Some(program) = call.program.as_deref().filter(|program| lost(program)) {
        let what = format!("{place}: '{}' cannot be run: {}", program.to_string_lossy(), where_to(program));
        return Some(Finding::fault(Area::Cron, what, hint_of_path(facts)));
    }
    let Task::Job(Some(program)) = &call.task else { return None };
    lost(program).then(|| {
        let shown = program.to_string_lossy();
        let what = format!("{place}: the command '{shown}' cannot be run: {}", where_to(program));
        let hint =
            "write its whole path, or set PATH at the head of the crontab (cron expands no $PATH in it)";
        Finding::fault(Area::Cron, what, hint)
    })
}

fn hint_of_path(facts: &Facts) -> String {
    match &facts.own_path {
        Some(path) => format!("write '{}', or link cronward into /usr/bin", path.display()),
        None => "write its whole path".to_owned(),
    }
}

fn of_checks(facts: &Facts) -> Option<Finding> {
    let watched: Vec<&str> = facts.watched.iter().map(String::as_str).collect();
    if watched.is_empty() || facts.last_check.is_some_and(|last| facts.now.since(last) <= CHECK_AGE) {
        return None;
    }
    let when = match facts.last_check {
        Some(last) => format!("everything was last checked {}", human::ago(facts.now, last)),
        None => "'cronward check' has never looked at everything".to_owned(),
    };
    let own = facts.own_path.as_ref().map_or_else(|| CRONWARD.to_owned(), |path| path.display().to_string());
    Some(Finding::warning(
        Area::Cron,
        format!("{when}, and nobody else misses a run that does not come: {}", some_of(&watched)),
        format!("add to this user's crontab: */5 * * * * {own} check >/dev/null"),
    ))
}

/// Whether a program is in one of the places of a PATH.
fn programs_in(search_path: &OsStr, name: &OsStr, root: &Path) -> bool {
    let mut places = search_path.as_bytes().split(|&byte| byte == b':').map(OsStr::from_bytes);
    places.any(|place| {
        Path::new(place).is_absolute() && is_program(Path::new(place).join(name).as_os_str(), root)
    })
}

/// Whether an absolute path is that of a file that somebody can execute. A link is followed as it stands.
fn is_program(path: &OsStr, root: &Path) -> bool {
    let Ok(below) = Path::new(path).strip_prefix("/") else { return false };
    fs::metadata(root.join(below))
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests;
