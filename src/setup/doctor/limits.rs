//! What this process was given: descriptors and limits. Those of cron may be others; but whoever tightened these will
//! have done it for all.

use std::fs::File;
use std::os::unix::fs::FileTypeExt;

use nix::libc;

use super::finding::{Area, Finding, or_ok};
use crate::human;
use crate::sys::descriptor::inherited;
use crate::sys::limits::{Limited, soft};

/// A run with many sinks, outputs and logs has fewer descriptors open than this.
const FILES_MIN: u64 = 64;
/// A journal is compacted past half of this, in bytes.
const FILE_SIZE_MIN: u64 = 2 * 1024 * 1024;
/// Fewer processes than this are too few for a user of jobs.
const PROCESSES_MIN: u64 = 64;

/// What is known of them; `None`: no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Open files.
    pub files: Option<u64>,
    /// Size of a file, in bytes.
    pub file_size: Option<u64>,
    /// Processes of the user; none of root's.
    pub processes: Option<u64>,
    /// The standard streams that are closed.
    pub closed: Vec<&'static str>,
    /// Whether /dev/null can be read and written, and is what it should be.
    pub has_null: bool,
}

impl Facts {
    /// Asks for them.
    pub fn gather(user: u32) -> Self {
        let is_closed = |number| matches!(inherited(number), Ok(None));
        let streams =
            [(libc::STDIN_FILENO, "stdin"), (libc::STDOUT_FILENO, "stdout"), (libc::STDERR_FILENO, "stderr")];
        let null = File::options().read(true).write(true).open("/dev/null");
        Self {
            files: soft(Limited::Files),
            file_size: soft(Limited::FileSize),
            processes: soft(Limited::Processes).filter(|_| user != 0),
            closed: streams
                .into_iter()
                .filter(|(number, _)| is_closed(*number))
                .map(|(_, name)| name)
                .collect(),
            has_null: null
                .and_then(|null| null.metadata())
                .is_ok_and(|found| found.file_type().is_char_device()),
        }
    }
}

/// What is wrong with them.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let Facts { files, file_size, processes, closed, has_null } = facts;
    let mut findings = Vec::new();
    let mut low = |limit: Option<u64>, least: u64, what: &dyn Fn(u64) -> String, hint: &str| {
        if let Some(limit) = limit.filter(|limit| *limit < least) {
            findings.push(Finding::warning(Area::Limits, what(limit), hint));
        }
    };
    low(
        *files,
        FILES_MIN,
        &|limit| format!("no more than {limit} files can be open"),
        "raise it to 1024 (ulimit -n, limits.conf(5), LimitNOFILE= of the cron service)",
    );
    low(
        *file_size,
        FILE_SIZE_MIN,
        &|limit| format!("no file can be larger than {}, and journals grow to 1 MiB", human::bytes(limit)),
        "lift it (ulimit -f unlimited, limits.conf(5), LimitFSIZE= of the cron service)",
    );
    low(
        *processes,
        PROCESSES_MIN,
        &|limit| format!("this user can have no more than {limit} processes and threads"),
        "raise it (ulimit -u, limits.conf(5), LimitNPROC= of the cron service)",
    );
    for name in closed {
        findings.push(Finding::warning(
            Area::Limits,
            format!("{name} is closed, and a job would be started so"),
            "leave it open, or redirect it to /dev/null",
        ));
    }
    if !has_null {
        findings.push(Finding::fault(
            Area::Limits,
            "'/dev/null' cannot be read and written, or is no device",
            "as root: rm -f /dev/null; mknod -m 666 /dev/null c 1 3",
        ));
    }
    or_ok(findings, Area::Limits, || match files {
        Some(files) => format!("{files} files can be open, and the standard streams are"),
        None => "any number of files can be open, and the standard streams are".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_tight_limit_and_a_stream_that_is_closed_are_found() {
        type Plant = fn(&mut Facts);
        for (plant, severity, said) in [
            ((|_| {}) as Plant, Severity::Ok, "any number of files can be open"),
            (|facts| facts.files = Some(64), Severity::Ok, "64 files can be open"),
            (|facts| facts.files = Some(63), Severity::Warning, "no more than 63 files"),
            (|facts| facts.file_size = Some(512_000), Severity::Warning, "larger than 512.0 kB"),
            (|facts| facts.processes = Some(5), Severity::Warning, "no more than 5 processes"),
            (|facts| facts.closed = vec!["stderr"], Severity::Warning, "stderr is closed"),
            (|facts| facts.has_null = false, Severity::Fault, "'/dev/null'"),
        ] {
            let mut facts = Facts { has_null: true, ..Facts::default() };
            plant(&mut facts);
            let findings = examine(&facts);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].severity, severity, "{findings:?}");
            assert!(findings[0].what.contains(said), "{findings:?}");
        }
        assert!(Facts::gather(0).has_null);
    }
}
