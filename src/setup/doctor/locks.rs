//! Locks, and writing that lasts: some file systems of other hosts have neither.

use std::path::Path;

use super::finding::{Area, Finding};
use crate::journal::{Lack, try_file_system};

/// Tries it where the state directory is, if it can be used.
pub fn examine(state_dir: &Path, is_usable: bool) -> Vec<Finding> {
    if !is_usable {
        return vec![Finding::ok(
            Area::Locks,
            "not tried, since there is no state directory that can be used",
        )];
    }
    vec![match try_file_system(state_dir) {
        Ok(()) => Finding::ok(
            Area::Locks,
            "they exclude others and end with their holder, and what is written lasts",
        ),
        Err(lack) => of_lack(&lack, state_dir),
    }]
}

fn of_lack(lack: &Lack, state_dir: &Path) -> Finding {
    let shown = state_dir.display();
    let local = "name a directory on a local file system by --state-dir";
    let (what, hint) = match lack {
        Lack::Place(_) | Lack::Writing(_) => (
            format!("they could not be tried in '{shown}': {lack}"),
            "see what is said of 'state' and 'limits'",
        ),
        Lack::Locks(_) | Lack::Exclusion | Lack::Release => (
            format!(
                "in '{shown}' {lack}: no job with --lock is started (125), and runs that die are not noticed"
            ),
            local,
        ),
        Lack::Sync(_) => {
            (format!("in '{shown}' {lack}: what is remembered may be lost with the power"), local)
        }
    };
    Finding::fault(Area::Locks, what, hint)
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn what_a_file_system_lacks_is_said_with_what_it_costs() {
        let dir = Path::new("/s");
        for (lack, said) in [
            (
                Lack::Locks(Errno::ENOLCK),
                "no lock can be had: no locks available: no job with --lock is started",
            ),
            (Lack::Exclusion, "two can have the same lock: no job"),
            (Lack::Release, "outlives the file"),
            (Lack::Sync(Errno::EINVAL), "cannot be synced: invalid argument: what is remembered may be lost"),
            (
                Lack::Writing(Errno::EFBIG),
                "could not be tried in '/s': a file cannot be written: file too large",
            ),
        ] {
            let finding = of_lack(&lack, dir);
            assert_eq!(finding.severity, Severity::Fault);
            assert!(finding.what.to_lowercase().contains(said), "{finding:?}");
        }
        assert_eq!(examine(dir, false)[0].severity, Severity::Ok);
    }
}
