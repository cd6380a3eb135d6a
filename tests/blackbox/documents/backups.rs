//! The backup scripts, run as their heads say, with programs of those names that end as they are told. Which codes the
//! real ones end with, and when, is seen by `tests/interop`.

use std::fs;
use std::os::unix::fs::symlink;

use super::examples::{directory, example};
use crate::support::host::PATH;
use crate::support::{End, Host};

/// One night: how each step of the program ends, and what comes of it.
struct Night {
    /// Of the steps in their order; the program is told so by `FAKE_STEP`.
    codes: &'static [(&'static str, i32)],
    status: i32,
    outcome: &'static str,
    /// Steps that were taken.
    taken: &'static [&'static str],
}

/// Ends a step as `FAKE_STEP` says. The last word is a directory to make, if it ends with a slash.
const FAKE: &str = "#!/bin/sh
step=$1; case $step in -*) step=copy;; esac
echo $step >>taken
for last; do :; done
case $last in */) mkdir -p \"$last\"; echo $step >\"${last}file\";; esac
eval \"exit \\${FAKE_$step:-0}\"
";

/// The line in the head of a script by which it is to be run.
fn line_of(script: &str) -> String {
    let text = example(script);
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#   cronward ")).collect();
    assert_eq!(lines.len(), 1, "{script} says how it is to be run");
    lines[0].to_owned()
}

fn host_for(script: &str, program: &str) -> Host {
    let host = Host::new();
    fs::create_dir(host.path("bin")).expect("a directory in the temporary one");
    host.script(&format!("bin/{program}"), FAKE);
    symlink(directory().join(script), host.path(&format!("bin/{script}"))).expect("a link of our own");
    host
}

fn assert_night(host: &Host, line: &str, night: &Night) {
    let said = format!("{:?}", night.codes);
    let path = format!("{}:{PATH}", host.path("bin").display());
    let mut invocation = host.shell(&format!("\"$CRONWARD\" {line}"));
    for (step, code) in night.codes {
        invocation = invocation.env(&format!("FAKE_{step}"), code.to_string());
    }
    let ran = invocation.env("PATH", path).env("CRONWARD_SINK", host.log()).run();
    assert_eq!(ran.end(), End::Code(night.status), "{said}\n{ran}");
    let events = host.events();
    let finished = events.iter().rfind(|event| event["kind"] == "run.finished").expect("an event");
    assert_eq!(finished["outcome"], night.outcome, "{said}\n{ran}");
    let taken = fs::read_to_string(host.path("taken")).unwrap_or_default();
    assert_eq!(taken.lines().collect::<Vec<_>>(), night.taken, "{said}\n{ran}");
    fs::remove_file(host.path("taken")).expect("a file of our own");
}

/// <https://restic.readthedocs.io/en/stable/075_scripting.html>, "Exit codes".
#[test]
fn a_snapshot_of_restic_without_some_files_is_a_warning_and_without_one_nothing_is_removed() {
    let line = line_of("restic-backup.sh");
    let host = host_for("restic-backup.sh", "restic");
    const BOTH: &[&str] = &["backup", "forget"];
    for night in [
        Night { codes: &[], status: 0, outcome: "ok", taken: BOTH },
        Night { codes: &[("backup", 3)], status: 3, outcome: "warning", taken: BOTH },
        Night { codes: &[("backup", 1)], status: 1, outcome: "failed", taken: &["backup"] },
        Night { codes: &[("backup", 12)], status: 12, outcome: "failed", taken: &["backup"] },
        Night { codes: &[("forget", 3)], status: 1, outcome: "failed", taken: BOTH },
        Night { codes: &[("backup", 3), ("forget", 1)], status: 1, outcome: "failed", taken: BOTH },
    ] {
        assert_night(&host, &line, &night);
    }
}

/// <https://borgbackup.readthedocs.io/en/stable/usage/general.html>, "Return codes".
#[test]
fn a_warning_of_borg_is_one_by_old_and_by_new_codes_and_an_error_ends_the_script() {
    // As in its head, of directories that every host has.
    let line = line_of("borg-backup.sh").replace("/etc /srv", "/etc /usr");
    let host = host_for("borg-backup.sh", "borg");
    const ALL: &[&str] = &["create", "prune", "compact"];
    for night in [
        Night { codes: &[], status: 0, outcome: "ok", taken: ALL },
        Night { codes: &[("create", 1)], status: 1, outcome: "warning", taken: ALL },
        Night { codes: &[("create", 100)], status: 100, outcome: "warning", taken: ALL },
        Night { codes: &[("create", 123)], status: 123, outcome: "warning", taken: ALL },
        Night { codes: &[("create", 2)], status: 2, outcome: "failed", taken: &["create"] },
        Night { codes: &[("create", 99)], status: 99, outcome: "failed", taken: &["create"] },
        Night { codes: &[("create", 128)], status: 128, outcome: "failed", taken: &["create"] },
        // What a shell says of a program that it cannot start.
        Night { codes: &[("create", 126)], status: 126, outcome: "failed", taken: &["create"] },
        Night { codes: &[("create", 127)], status: 127, outcome: "failed", taken: &["create"] },
        // The first warning is the one that is told of.
        Night { codes: &[("create", 107), ("prune", 1)], status: 107, outcome: "warning", taken: ALL },
        Night { codes: &[("compact", 1)], status: 1, outcome: "warning", taken: ALL },
        Night { codes: &[("create", 1), ("prune", 13)], status: 13, outcome: "failed", taken: &ALL[..2] },
    ] {
        assert_night(&host, &line, &night);
    }
    assert_nothing_is_taken_of_what_is_not_there(&host, &line.replace("/usr", "missing"));
}

/// borg would warn, and rsync copy an empty directory.
fn assert_nothing_is_taken_of_what_is_not_there(host: &Host, line: &str) {
    let path = format!("{}:{PATH}", host.path("bin").display());
    let ran = host.shell(&format!("\"$CRONWARD\" {line}")).env("PATH", path).run();
    assert_eq!(ran.end(), End::Code(2), "{ran}");
    assert!(ran.stderr_text().contains("missing"), "{ran}");
    assert!(!host.path("taken").exists(), "{ran}");
}

/// rsync(1), EXIT VALUES.
#[test]
fn a_copy_of_rsync_is_kept_with_its_warning_and_one_that_broke_off_is_not_the_latest() {
    let host = host_for("rsync-backup.sh", "rsync");
    let line = line_of("rsync-backup.sh").replace("/srv /backup/srv", "source backup");
    assert!(line.ends_with(" source backup"), "{line}");
    for name in ["source", "backup"] {
        fs::create_dir(host.path(name)).expect("a directory in the temporary one");
    }
    let latest = host.path("backup/latest");
    let copy: &[&str] = &["copy"];
    let broken = Night { codes: &[("copy", 30)], status: 30, outcome: "failed", taken: copy };
    assert_night(&host, &line, &broken);
    assert!(!latest.exists() && host.path("backup/part").exists());
    for night in [
        Night { codes: &[], status: 0, outcome: "ok", taken: copy },
        Night { codes: &[("copy", 24)], status: 24, outcome: "ok", taken: copy },
        Night { codes: &[("copy", 23)], status: 23, outcome: "warning", taken: copy },
    ] {
        assert_night(&host, &line, &night);
        assert!(latest.join("file").exists() && !host.path("backup/part").exists(), "{:?}", night.codes);
        fs::write(latest.join("file"), "the good one").expect("a file of our own");
    }
    assert_night(&host, &line, &broken);
    assert_eq!(fs::read_to_string(latest.join("file")).expect("the latest copy"), "the good one");
    assert_nothing_is_taken_of_what_is_not_there(&host, &line.replace("source ", "missing "));
}
