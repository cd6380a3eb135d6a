//! Descriptors that the caller left open for us.

use std::os::fd::{FromRawFd, OwnedFd};

use nix::libc::{self, c_int};

/// A descriptor of our own for the open file that the caller left at this number; `None` if it left
/// none there. What is marked close-on-exec has not come through our exec: it is one of our own
/// files, or the place holder for a standard descriptor that the caller had closed.
pub fn inherited(number: c_int) -> Option<OwnedFd> {
    // SAFETY: fcntl(2) with these commands takes integers, and fails with EBADF where nothing is
    // open.
    let duplicate = unsafe {
        let flags = libc::fcntl(number, libc::F_GETFD);
        if flags < 0 || flags & libc::FD_CLOEXEC != 0 {
            return None;
        }
        libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3)
    };
    // SAFETY: a new descriptor that nobody else knows of.
    (duplicate >= 0).then(|| unsafe { OwnedFd::from_raw_fd(duplicate) })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_descriptor_without_close_on_exec_is_the_callers() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let mut ours = std::fs::File::from(inherited(writer.as_raw_fd()).unwrap());
        ours.write_all(b"x").unwrap();
        let mut byte = [0];
        std::fs::File::from(reader).read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }

    #[test]
    fn our_own_files_and_closed_numbers_are_not() {
        let ours = std::fs::File::open("/").unwrap();
        assert!(inherited(ours.as_raw_fd()).is_none());
        assert!(inherited(-1).is_none());
        assert!(inherited(c_int::MAX).is_none());
    }
}
