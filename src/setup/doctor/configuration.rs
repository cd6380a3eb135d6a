//! The configuration files: whether they can be read, what in them means nothing, and who else can write them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::finding::{Area, Finding, or_ok, some_of};
use crate::config::patterns::{self, Section};
use crate::config::{self, Configured, Given, Level, Levels, Origin};
use crate::plan;
use crate::settings::Setting;
use crate::sinks;

/// For how many labels the files are read: what is wrong in a section is only told to a job that it is for.
const LABELS_MAX: usize = 256;

/// What is known of the files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Each file that is there or was named, the nearest first.
    pub files: Vec<ConfigFile>,
    /// What is wrong in them, each behind its place.
    pub problems: Vec<String>,
    /// The labels of the jobs on record.
    pub labels: Vec<String>,
    /// Effective user id.
    pub user: u32,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its path.
    pub path: PathBuf,
    /// Its sections for some jobs only; `None`: it cannot be read, or is no TOML.
    pub sections: Option<Vec<Section>>,
    /// The user it belongs to and its mode, if it is there.
    pub rights: Option<(u32, u32)>,
}

impl Facts {
    /// Reads them.
    pub fn gather(own: &Configured, labels: Vec<String>, user: u32) -> Self {
        let mut problems = Vec::new();
        let paths = read_for(own, None, &mut problems);
        let files: Vec<ConfigFile> = paths.into_iter().map(file).collect();
        let sections = files.iter().filter_map(|file| file.sections.as_ref()).flatten();
        let of_sections = sections.filter_map(Section::some_label);
        for label in labels.iter().cloned().chain(of_sections).take(LABELS_MAX) {
            read_for(own, Some(&label), &mut problems);
        }
        Self { files, problems, labels, user }
    }
}

fn file(path: PathBuf) -> ConfigFile {
    let read = config::read_file(&path).ok().flatten();
    let sections = read.and_then(|bytes| patterns::sections(&bytes));
    let rights = fs::metadata(&path).ok().map(|found| (found.uid(), found.mode()));
    ConfigFile { path, sections, rights }
}

/// Reads the files as a job of this label would; what they are, and what is wrong is added.
fn read_for(own: &Configured, label: Option<&str>, problems: &mut Vec<String>) -> Vec<PathBuf> {
    let Configured { command, surroundings, levels, .. } = own;
    let label =
        label.map(|label| Given { origin: Origin::at(Setting::Label, Level::Flag), text: label.into() });
    let levels = Levels::of(label.into_iter().chain(levels.given().iter().cloned()).collect());
    let (command, surroundings) = (command.clone(), surroundings.clone());
    let mut configured = Configured { command, surroundings, levels, dry_run: false };
    if plan::read_files(&mut configured, &config::read_file).is_err() {
        return Vec::new();
    }
    plan::sift(&mut configured, &sinks::refusal);
    for problem in configured.levels.problems() {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    configured.levels.files().iter().map(|path| path.to_path_buf()).collect()
}

/// What is wrong with them.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let Facts { files, problems, labels, user } = facts;
    let mut findings = Vec::new();
    for problem in problems {
        let is_lost = |file: &&ConfigFile| {
            file.sections.is_none() && problem.starts_with(&*file.path.to_string_lossy())
        };
        findings.push(match files.iter().any(|file| is_lost(&file)) {
            true => Finding::fault(
                Area::Configuration,
                problem.clone(),
                "mend it; until then nothing of the file counts, and each job runs by what its last run had of it",
            ),
            false => Finding::warning(
                Area::Configuration,
                problem.clone(),
                "mend it; until then what the last run had, or the default, is in force",
            ),
        });
    }
    for ConfigFile { path, rights, sections } in files {
        let shown = path.display();
        if let Some((owner, mode)) = rights
            && sections.is_some()
        {
            if ![0, *user].contains(owner) {
                findings.push(Finding::warning(
                    Area::Configuration,
                    format!("'{shown}' belongs to user {owner}, who can have any command run by its sinks"),
                    format!("make it your own: chown {user} '{shown}'"),
                ));
            }
            if mode & 0o022 != 0 {
                findings.push(Finding::warning(
                    Area::Configuration,
                    format!("others can write '{shown}', and have any command run by its sinks"),
                    format!("take that away: chmod go-w '{shown}'"),
                ));
            }
        }
        for section in sections.iter().flatten() {
            if !labels.is_empty() && !labels.iter().any(|label| section.fits(label)) {
                findings.push(Finding::note(
                    Area::Configuration,
                    format!("{shown}:{}: '{}' fits no job on record", section.line, section.pattern),
                    "is the pattern right? 'cronward status' shows the labels",
                ));
            }
        }
    }
    or_ok(findings, Area::Configuration, || {
        let paths: Vec<_> = files.iter().map(|file| file.path.to_string_lossy()).collect();
        let paths: Vec<&str> = paths.iter().map(|path| &**path).collect();
        match &paths[..] {
            [] => "there is no file, and nothing but options and variables counts".to_owned(),
            paths => format!("{} can be read, and all of it means something", some_of(paths)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Severity, status};
    use super::*;

    fn sound() -> Facts {
        let section = Section { line: 3, pattern: "pg-*".to_owned() };
        let file = ConfigFile {
            path: "/etc/cronward.toml".into(),
            sections: Some(vec![section]),
            rights: Some((0, 0o100_644)),
        };
        Facts { files: vec![file], problems: Vec::new(), labels: vec!["pg-dump".to_owned()], user: 1000 }
    }

    #[test]
    fn each_fault_is_found_and_nothing_on_a_sound_host() {
        type Plant = fn(&mut Facts);
        for (plant, severity, said) in [
            ((|_| {}) as Plant, Severity::Ok, "'/etc/cronward.toml' can be read"),
            (|facts| facts.files.clear(), Severity::Ok, "there is no file"),
            (|facts| facts.files[0].rights = Some((7, 0o644)), Severity::Warning, "belongs to user 7"),
            (
                |facts| facts.files[0].rights = Some((0, 0o664)),
                Severity::Warning,
                "chmod go-w '/etc/cronward.toml'",
            ),
            (|facts| facts.labels = vec!["x".to_owned()], Severity::Note, ":3: 'pg-*' fits no job on record"),
            (
                |facts| {
                    facts
                        .problems
                        .push("/etc/cronward.toml:2: unknown key 'lcok', nearest is 'lock'".to_owned())
                },
                Severity::Warning,
                "nearest is 'lock'; mend it; until then what the last run had",
            ),
            (
                |facts| {
                    facts.files[0].sections = None;
                    facts.problems.push("/etc/cronward.toml:2: a value is missing".to_owned());
                },
                Severity::Fault,
                "nothing of the file counts",
            ),
        ] {
            let mut facts = sound();
            plant(&mut facts);
            let findings = examine(&facts);
            assert_eq!(findings.len(), 1, "{findings:?}");
            let Finding { what, hint, .. } = &findings[0];
            assert_eq!(findings[0].severity, severity, "{findings:?}");
            assert!(format!("{what}; {hint}").contains(said), "{findings:?}");
            assert_eq!(status(&findings) > 0, severity > Severity::Note);
        }
    }
}
