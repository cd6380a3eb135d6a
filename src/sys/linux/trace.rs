//! What a command leaves behind to be known by, when cronward has died: its line of `/proc/PID/stat`, in which pid and
//! start time tell it from a stranger that was given the same pid (proc(5)).

use std::ffi::c_void;
use std::fs;
use std::io::ErrorKind;

use nix::libc;
use serde::{Deserialize, Serialize};

/// Where a pid means anything; empty without /proc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Of the kernel, since it was started.
    pub boot: String,
    /// Of the container.
    pub pid_namespace: String,
}

impl Place {
    /// That of this process.
    pub fn here() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self { boot: boot.trim().to_owned(), pid_namespace: namespace.to_string_lossy().into_owned() }
    }

    fn is_known(&self) -> bool {
        !self.boot.is_empty() && !self.pid_namespace.is_empty()
    }
}

/// What tells this process from every other that has had its pid: its own line of `/proc`, with its start time.
/// How much of the room it takes; `None` without `/proc`. Only system calls, so also for a child between clone and
/// exec.
pub fn own_record(room: &mut [u8]) -> Option<usize> {
    // SAFETY: a literal C string, a live buffer with its own length.
    let length = unsafe {
        let stat = libc::open(c"/proc/self/stat".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if stat < 0 {
            return None;
        }
        let length = libc::read(stat, room.as_mut_ptr().cast::<c_void>(), room.len());
        libc::close(stat);
        length
    };
    usize::try_from(length).ok()
}

/// The pid of the command that left this record there, if it still lives. `run` is the one that cronward died in, and
/// `remedy` what to do where nobody can say.
///
/// # Errors
/// Why that cannot be said, and what to do.
pub fn command_left(
    there: &Place,
    here: &Place,
    record: &[u8],
    run: &str,
    remedy: &str,
) -> Result<Option<u32>, String> {
    if !here.is_known() || !there.is_known() {
        return Err(format!(
            "cronward died in run {run}, and without /proc nobody can say whether the command still runs; \
             mount /proc, or {remedy}"
        ));
    }
    if there != here || record.is_empty() {
        // Another boot or another container; or it was not executed.
        return Ok(None);
    }
    let Some(left) = Process::parse(record) else {
        return Err(format!("its record of the last command cannot be read; {remedy}"));
    };
    let now = match fs::read(format!("/proc/{}/stat", left.pid)) {
        Ok(stat) => Process::parse(&stat),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // Ended while it was read.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => None,
        Err(error) => return Err(format!("'/proc/{}/stat' cannot be read: {error}", left.pid)),
    };
    Ok(now.filter(|now| now.is(&left)).map(|now| now.pid))
}

/// A process as in `/proc/PID/stat` (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) state: u8,
    /// In clock ticks since boot.
    pub(crate) start_time: u64,
}

impl Process {
    /// The second field is the command's name in parentheses, and may itself hold blanks and
    /// parentheses; the others hold neither.
    pub(crate) fn parse(stat: &[u8]) -> Option<Self> {
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let pid = text(stat.split(|&byte| byte == b' ').next()?)?.parse().ok()?;
        let mut fields = text(&stat[name_end + 1..])?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        // Field 22, where the state is field 3.
        let start_time = fields.nth(18)?.parse().ok()?;
        Some(Self { pid, state, start_time })
    }

    /// Whether this one, as it is now, is the one that was left, and alive. One that nobody reaps, as
    /// in a container whose first process does not, stays a zombie for ever and has ended all the same.
    fn is(&self, left: &Self) -> bool {
        self.pid == left.pid && self.start_time == left.start_time && !b"ZXx".contains(&self.state)
    }
}
