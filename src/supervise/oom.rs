//! Whether the kernel killed a process for want of memory. Only asked when a command has died of a
//! SIGKILL that nobody here sent, so the ordinary run pays nothing for it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

use nix::libc;

/// Where the kernel's messages are read; needs root, or `kernel.dmesg_restrict=0` (syslog(2)).
const MESSAGES: &str = "/dev/kmsg";

/// More messages than any ring buffer of the kernel holds: a bound on the search.
const MESSAGES_MAX: usize = 200_000;

/// What the kernel says of having killed this process for want of memory: `out of memory`, or
/// `out of memory in its cgroup`. `None` if it says nothing, or does not say it to us.
pub fn verdict(pid: u32) -> Option<&'static str> {
    let messages = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(MESSAGES).ok()?;
    search(messages, pid)
}

/// One read gives one message; the end of the buffer is EAGAIN, a message that was overwritten
/// meanwhile EPIPE (Documentation/ABI/testing/dev-kmsg).
fn search(mut messages: File, pid: u32) -> Option<&'static str> {
    let mut message = [0_u8; 8192];
    let mut found = None;
    for _ in 0..MESSAGES_MAX {
        match messages.read(&mut message) {
            Ok(0) => break,
            // A pid may come twice in a long buffer; the last time is ours.
            Ok(length) => found = of_message(&message[..length], pid).or(found),
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::Interrupted) => {}
            Err(_) => break,
        }
    }
    found
}

/// What one message says of the process (mm/oom_kill.c: `Killed process PID (NAME)`).
fn of_message(message: &[u8], pid: u32) -> Option<&'static str> {
    let text = String::from_utf8_lossy(message);
    let (cause, rest) = text.split_once("Killed process ")?;
    let killed: u32 = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    if killed != pid {
        return None;
    }
    let cause = cause.to_ascii_lowercase();
    if cause.contains("memory cgroup out of memory") {
        Some("out of memory in its cgroup")
    } else {
        cause.contains("out of memory").then_some("out of memory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood_for_the_right_process_only() {
        let host = b"3,901,55,-;Out of memory: Killed process 4711 (pg_dump) total-vm:1kB";
        let cgroup = b"3,902,56,-;Memory cgroup out of memory: Killed process 4711 (pg_dump) total-vm:1kB";
        assert_eq!(of_message(host, 4711), Some("out of memory"));
        assert_eq!(of_message(cgroup, 4711), Some("out of memory in its cgroup"));
        assert_eq!(of_message(host, 471), None);
        assert_eq!(of_message(b"6,1,2,-;usb 1-1: new device", 4711), None);
    }
}
