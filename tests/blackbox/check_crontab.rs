//! `cronward check --crontab`: wrapped jobs that never ran (SPEC, section 8).

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::support::{End, Host, Ran};

/// A crontab that was written two days ago.
fn crontab(host: &Host, text: &str) -> PathBuf {
    let path = host.path("crontab");
    fs::write(&path, text).unwrap();
    let then = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    path
}

fn check(host: &Host, words: &[&str], status: i32, says: &[&str]) -> Ran {
    let ran = host.cronward([&["check", "--crontab", "crontab"], words].concat()).run();
    assert_eq!(ran.end(), End::Code(status), "{ran}");
    assert!(ran.stderr.is_empty(), "{ran}");
    for says in says {
        assert!(ran.stdout_text().contains(says), "'{says}'\n{ran}");
    }
    ran
}

#[test]
fn a_wrapped_job_that_never_ran_is_critical_with_its_line() {
    let host = Host::new();
    let path = crontab(
        &host,
        "# a comment\n*/5 * * * * cronward -l never -- true\n*/5 * * * * /opt/bin/cronward -l ran -- true\n\
         */5 * * * * /usr/bin/not-wrapped\n",
    );
    host.wrap(&["-l", "ran"], "exit 0").run();
    let ran = check(
        &host,
        &[],
        2,
        &["1 of 2 jobs: never", "never: never ran, though it was due at ", "[OK] ran: "],
    );
    assert!(ran.stdout_text().contains("(line 2 of 'crontab')"), "{ran}");
    check(&host, &["ran"], 0, &["- ran: last ok"]);
    check(&host, &["never"], 2, &["- never: never ran"]);
    host.wrap(&["-l", "never"], "exit 0").run();
    check(&host, &[], 0, &["2 jobs, all is well"]);
    // A crontab that has just been written has had no time to be read.
    fs::write(&path, "*/5 * * * * cronward -l new -- true\n").unwrap();
    check(&host, &["new"], 0, &["- new: has not run yet (line 1 of 'crontab')"]);
}

#[test]
fn jobs_are_found_in_every_way_of_wrapping_them() {
    let host = Host::new();
    crontab(
        &host,
        "SHELL=/usr/local/bin/cronward\n*/5 * * * * CRONWARD_LABEL=by-shell true\n\
         */5 * * * * CRONWARD_LABEL=by-reboot CRONWARD_STATE_DIR=/elsewhere true\n",
    );
    check(
        &host,
        &[],
        2,
        &["[CRITICAL] by-shell: never ran", "[OK] by-reboot: its state is kept in '/elsewhere'"],
    );
}

#[test]
fn a_crontab_that_cannot_be_read_or_understood_is_unknown() {
    let host = Host::new();
    host.wrap(&["-l", "job"], "exit 0").run();
    check(&host, &[], 3, &["[UNKNOWN] crontab: 'crontab' cannot be read: ", "[OK] job: last ok"]);
    crontab(&host, "61 * * * * cronward -l job -- true\n");
    check(&host, &[], 3, &["[UNKNOWN] crontab:1: ", "[OK] job: last ok"]);
    fs::remove_file(host.path("crontab")).unwrap();
    fs::create_dir(host.path("crontab")).unwrap();
    check(&host, &[], 3, &["[UNKNOWN] crontab: 'crontab' cannot be read: "]);
}
