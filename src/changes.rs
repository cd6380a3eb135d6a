//! What has changed since a job last succeeded: the question that whoever is woken by its alert asks
//! first. Gathered only when an alert is opened, from the plan that is kept beside the journal, the files
//! of the command and the time of the last boot.

use std::ffi::OsStr;

use crate::clock::Timestamp;
use crate::human;
use crate::job::CommandLine;
use crate::journal::KeptPlan;
use crate::program::{Changed, Program, ProgramFile};

/// Everything that has changed after `success`, in the order in which it would be looked at.
pub fn since(
    success: Timestamp,
    kept: Option<&KeptPlan>,
    command: &CommandLine,
    search_path: Option<&OsStr>,
) -> Vec<Changed> {
    let now = Program::of(command, search_path);
    let then = kept.and_then(KeptPlan::program);
    let files = now.iter().flat_map(|program| program.files.iter().enumerate());
    let mut all: Vec<Changed> =
        files.filter_map(|(place, file)| of_file(place, file, then, success)).collect();
    if let (None, Some(then)) = (&now, then)
        && let Some(file) = then.files.first()
    {
        let full = format!("'{}' is not there any more", file.path.display());
        all.push(Changed { full, brief: "the executable is not there any more".to_owned() });
    }
    if let Some(kept) = kept {
        all.extend(kept.changes_since(success));
    }
    if let Some(boot) = Timestamp::of_boot().filter(|&boot| boot > success) {
        let text = format!("the host was started at {boot}");
        all.push(Changed { full: text.clone(), brief: text });
    }
    all
}

/// A file of the command, if it was written since. One that was put there with an older modification
/// time, as by a package, shows by its size or by the time of its attributes.
fn of_file(place: usize, file: &ProgramFile, then: Option<&Program>, success: Timestamp) -> Option<Changed> {
    let before = then.and_then(|then| then.files.iter().find(|other| other.path == file.path));
    let modified = Timestamp::from_millis(file.modified);
    let other_file = before.is_some_and(|old| (old.modified, old.size) != (file.modified, file.size));
    if modified <= success && !(other_file && file.changed > success.as_millis()) {
        return None;
    }
    let size = human::bytes(file.size);
    let was = before.filter(|old| old.size != file.size).map(|old| human::bytes(old.size));
    let size = was.map_or_else(|| size.clone(), |was| format!("{size}, was {was}"));
    let what = if place == 0 { "the executable" } else { "its script" };
    Some(Changed {
        full: format!("'{}' was modified at {modified} ({size})", file.path.display()),
        brief: format!("{what} was modified at {modified} ({size})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn said(success: Timestamp, file: &std::path::Path) -> Vec<String> {
        let command = CommandLine::Words(vec![file.into()]);
        since(success, None, &command, None).into_iter().map(|change| change.full).collect()
    }

    #[test]
    fn a_program_that_was_modified_since_is_named_with_its_time_and_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup.sh");
        fs::write(&path, "#!/bin/sh\n").unwrap();
        let now = Timestamp::now().as_millis();
        let hour = 3_600_000;
        let changes = said(Timestamp::from_millis(now - hour), &path);
        let named = format!("'{}' was modified at ", path.display());
        assert!(changes[0].starts_with(&named) && changes[0].ends_with(" (10 B)"), "{changes:?}");
        assert_eq!(said(Timestamp::from_millis(now + hour), &path), Vec::<String>::new());
    }

    #[test]
    fn a_boot_since_the_last_success_is_a_change() {
        let changes = since(Timestamp::from_millis(0), None, &CommandLine::Shell("(x)".into()), None);
        let booted = |change: &Changed| change.full.starts_with("the host was started at ");
        assert_eq!(changes.iter().filter(|change| booted(change)).count(), 1, "{changes:?}");
    }

    #[test]
    fn a_file_that_was_replaced_by_an_older_one_is_noticed() {
        let at = |modified, size, changed| ProgramFile { path: "/x".into(), modified, size, changed };
        let then = Program { files: vec![at(5_000, 10, 5_000)] };
        let success = Timestamp::from_millis(100_000);
        let changed = |file: ProgramFile| of_file(0, &file, Some(&then), success).map(|change| change.brief);
        assert_eq!(changed(at(5_000, 10, 200_000)), None, "only its attributes");
        assert_eq!(
            changed(at(4_000, 1_200, 200_000)).as_deref(),
            Some("the executable was modified at 1970-01-01T00:00:04.000Z (1.2 kB, was 10 B)")
        );
        assert_eq!(changed(at(4_000, 12, 50_000)), None, "that was before the last success");
    }
}
