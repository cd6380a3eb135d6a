//! What a command leaves behind to be known by, when cronward has died: its pid, since POSIX has nothing else that a
//! stranger could read. A pid that nobody has is that of a command which has ended (kill(2), ESRCH). One that somebody
//! has may be the command's or a stranger's: then nobody can say.

use nix::errno::Errno;
use nix::libc;
use serde::{Deserialize, Serialize};

/// Where a pid means anything. Nobody says; so a host that was started again is not told from the one that it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {}

impl Place {
    /// That of this process.
    pub fn here() -> Self {
        Self {}
    }
}

/// What there is to be known this process by: its pid, in decimal. How much of the room it takes. One system call, so
/// also for a child between fork and exec.
pub fn own_record(room: &mut [u8]) -> Option<usize> {
    // SAFETY: getpid(2) takes nothing.
    let mut number = unsafe { libc::getpid() }.unsigned_abs();
    let digits = number.checked_ilog10()? as usize + 1;
    for place in room.get_mut(..digits)?.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
    Some(digits)
}

/// The pid of the command that left this record there, if it still lives, which cannot be said for certain. `run` is
/// the one that cronward died in, and `remedy` what to do where nobody can say.
///
/// # Errors
/// Why that cannot be said, and what to do.
pub fn command_left(
    _: &Place,
    _: &Place,
    record: &[u8],
    run: &str,
    remedy: &str,
) -> Result<Option<u32>, String> {
    if record.is_empty() {
        // It was not executed.
        return Ok(None);
    }
    let pid =
        std::str::from_utf8(record).ok().and_then(|text| text.parse::<i32>().ok()).filter(|&pid| pid > 0);
    let Some(pid) = pid else {
        return Err(format!("its record of the last command cannot be read; {remedy}"));
    };
    // SAFETY: kill(2) takes two integers; signal 0 asks, and does nothing. The pid is no group's.
    let is_there = unsafe { libc::kill(pid, 0) == 0 } || Errno::last() != Errno::ESRCH;
    if !is_there {
        return Ok(None);
    }
    Err(format!(
        "cronward died in run {run}, and nobody can say whether process {pid} is its command, which then still runs; \
         {remedy}"
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_record_of_a_process_is_its_pid() {
        let mut room = [0; 16];
        let length = super::own_record(&mut room).unwrap();
        assert_eq!(std::str::from_utf8(&room[..length]).unwrap(), std::process::id().to_string());
        assert_eq!(super::own_record(&mut []), None);
    }

    #[test]
    fn only_of_a_pid_that_nobody_has_it_is_known_that_the_command_has_ended() {
        let ask =
            |record: &[u8]| super::command_left(&super::Place {}, &super::Place {}, record, "R", "empty it");
        assert_eq!(ask(b""), Ok(None));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(ask(child.id().to_string().as_bytes()), Ok(None));
        let own = ask(std::process::id().to_string().as_bytes()).unwrap_err();
        assert!(own.contains(&std::process::id().to_string()) && own.ends_with("empty it"), "{own}");
        for record in ["0", "-1", "x"] {
            assert!(ask(record.as_bytes()).is_err(), "{record}");
        }
    }
}
