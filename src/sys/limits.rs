//! Limits that this process was given.

use std::mem;

use nix::libc;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// Open files.
    Files,
    /// The size of a file, in bytes.
    FileSize,
    /// The processes of this user; nothing to root.
    Processes,
}

/// The soft limit (getrlimit(2)); `None` if there is none.
pub fn soft(limited: Limited) -> Option<u64> {
    let resource = match limited {
        Limited::Files => libc::RLIMIT_NOFILE,
        Limited::FileSize => libc::RLIMIT_FSIZE,
        Limited::Processes => libc::RLIMIT_NPROC,
    };
    // SAFETY: a plain struct for which zero is a value.
    let mut limit: libc::rlimit = unsafe { mem::zeroed() };
    // SAFETY: the call writes one live struct.
    let result = unsafe { libc::getrlimit(resource, &raw mut limit) };
    (result == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then(|| wide(limit.rlim_cur))
}

/// The type of a limit has a sign on some systems, and they are never below zero.
fn wide(limit: impl TryInto<u64>) -> u64 {
    limit.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_the_one_that_the_kernel_shows() {
        let shown = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = shown.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let shown = line.split_whitespace().nth(3).unwrap().parse().ok();
        assert_eq!(soft(Limited::Files), shown);
    }
}
