//! Descriptors: those that the caller left open for us, and what the kernel knows of any.

use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int};

use super::kernel;

/// A descriptor of our own for the open file that the caller left at this number; `None` if it left
/// none there. What is marked close-on-exec has not come through our exec: it is one of our own
/// files, or the place holder for a standard descriptor that the caller had closed.
///
/// # Errors
/// EMFILE: there is one, and no descriptor to be had for it.
pub fn inherited(number: c_int) -> nix::Result<Option<OwnedFd>> {
    // SAFETY: fcntl(2) with these commands takes integers, and fails with EBADF where nothing is
    // open.
    let duplicate = unsafe {
        let flags = libc::fcntl(number, libc::F_GETFD);
        if flags < 0 || flags & libc::FD_CLOEXEC != 0 {
            return Ok(None);
        }
        Errno::result(libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3))?
    };
    // SAFETY: a new descriptor that nobody else knows of.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(duplicate) }))
}

/// Whether two descriptors are of one open file: what is written to the one comes behind what was written to
/// the other. Where the kernel cannot be asked that, or does not let us, what it tells of both files is
/// compared, which takes a file that was opened twice in the same way for one as long as nobody has written.
pub fn same_open_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    if let Some(known) = kernel::same_open_file(one, other) {
        return known;
    }
    let (one, other) = (one.as_raw_fd(), other.as_raw_fd());
    // SAFETY: all of these take integers but for fstat(2), which is given live plain structs.
    unsafe {
        let mut found: [libc::stat; 2] = mem::zeroed();
        if libc::fstat(one, &raw mut found[0]) != 0 || libc::fstat(other, &raw mut found[1]) != 0 {
            return false;
        }
        (found[0].st_dev, found[0].st_ino) == (found[1].st_dev, found[1].st_ino)
            && libc::fcntl(one, libc::F_GETFL) == libc::fcntl(other, libc::F_GETFL)
            && libc::lseek(one, 0, libc::SEEK_CUR) == libc::lseek(other, 0, libc::SEEK_CUR)
    }
}

/// How many bytes of a pipe have not been read yet (pipe(7), FIONREAD); 0 if that cannot be told.
pub fn unread(pipe: BorrowedFd<'_>) -> usize {
    let mut count: c_int = 0;
    // SAFETY: the request writes one int, which is live.
    let asked = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    if asked == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_descriptor_without_close_on_exec_is_the_callers() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let mut ours = std::fs::File::from(inherited(writer.as_raw_fd()).unwrap().unwrap());
        ours.write_all(b"x").unwrap();
        let mut byte = [0];
        std::fs::File::from(reader).read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }

    #[cfg(not(posix_only))]
    #[test]
    fn one_open_file_is_told_from_a_file_that_was_opened_twice() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || std::fs::File::options().append(true).open(file.path()).unwrap();
        let one = open();
        assert!(same_open_file(one.as_fd(), one.try_clone().unwrap().as_fd()));
        assert!(!same_open_file(one.as_fd(), open().as_fd()));
        assert!(!same_open_file(one.as_fd(), std::fs::File::open("/dev/null").unwrap().as_fd()));
    }

    #[test]
    fn what_stands_in_a_pipe_is_counted() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        assert_eq!(unread(reader.as_fd()), 0);
        nix::unistd::write(&writer, b"12345").unwrap();
        assert_eq!(unread(reader.as_fd()), 5);
    }

    #[test]
    fn our_own_files_and_closed_numbers_are_not() {
        let ours = std::fs::File::open("/").unwrap();
        assert!(inherited(ours.as_raw_fd()).unwrap().is_none());
        assert!(inherited(-1).unwrap().is_none());
        assert!(inherited(c_int::MAX).unwrap().is_none());
    }
}
