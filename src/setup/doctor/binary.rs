//! The file that is executed, by root's crontab, too.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::finding::{Area, Finding, or_ok};

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its path; `None`: it cannot be named, or has gone.
    pub path: Option<PathBuf>,
    /// The user it belongs to, and its mode.
    pub rights: Option<(u32, u32)>,
    /// Effective user id.
    pub user: u32,
}

impl Facts {
    /// Looks at it.
    pub fn gather(user: u32) -> Self {
        let path = env::current_exe().ok();
        let rights =
            path.as_ref().and_then(|path| fs::metadata(path).ok()).map(|found| (found.uid(), found.mode()));
        Self { path: path.filter(|_| rights.is_some()), rights, user }
    }
}

/// What is wrong with it.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let (Some(path), Some((owner, mode))) = (&facts.path, facts.rights) else {
        let what = "the file that is executed has been removed or replaced meanwhile";
        return vec![Finding::warning(
            Area::Binary,
            what,
            "look again; if it stays so, install cronward anew",
        )];
    };
    let shown = path.display();
    let mut findings = Vec::new();
    if mode & 0o6000 != 0 {
        let what =
            format!("'{shown}' is set-user-ID or set-group-ID, and would give its rights to every command");
        findings.push(Finding::fault(Area::Binary, what, format!("chmod ug-s '{shown}'")));
    }
    if mode & 0o022 != 0 {
        let what = format!("others can write '{shown}', which runs the jobs of this user");
        findings.push(Finding::fault(Area::Binary, what, format!("chmod go-w '{shown}'")));
    }
    if ![0, facts.user].contains(&owner) {
        let what = format!("'{shown}' belongs to user {owner}, who can put another program in its place");
        findings.push(Finding::warning(Area::Binary, what, format!("as root: chown root '{shown}'")));
    }
    let is_built = ["target/debug", "target/release"]
        .iter()
        .any(|dir| path.parent().is_some_and(|at| at.ends_with(dir)));
    if is_built {
        let what = format!("'{shown}' is where it was built, and goes with the next 'cargo clean'");
        findings.push(Finding::note(
            Area::Binary,
            what,
            "install it: install -m 755 … /usr/local/bin/cronward",
        ));
    }
    let version = env!("CARGO_PKG_VERSION");
    or_ok(findings, Area::Binary, || format!("'{shown}', version {version}"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_binary_that_others_could_change_or_that_goes_is_found() {
        let sound =
            Facts { path: Some("/usr/bin/cronward".into()), rights: Some((0, 0o100_755)), user: 1000 };
        let with = |path: &str, owner, mode| Facts {
            path: Some(path.into()),
            rights: Some((owner, mode)),
            user: 1000,
        };
        for (facts, severity, said) in [
            (sound.clone(), Severity::Ok, "'/usr/bin/cronward', version "),
            (with("/home/me/cronward", 1000, 0o755), Severity::Ok, "version"),
            (with("/b", 0, 0o104_755), Severity::Fault, "set-user-ID"),
            (with("/b", 0, 0o102_755), Severity::Fault, "set-user-ID"),
            (with("/b", 0, 0o775), Severity::Fault, "others can write '/b'"),
            (with("/b", 7, 0o755), Severity::Warning, "belongs to user 7"),
            (with("/src/target/release/cronward", 0, 0o755), Severity::Note, "cargo clean"),
            (Facts { path: None, ..sound }, Severity::Warning, "removed or replaced"),
        ] {
            let findings = examine(&facts);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].severity, severity, "{findings:?}");
            assert!(findings[0].what.contains(said), "{findings:?}");
        }
    }
}
