//! Named pipes: how jobs say that they are ready, and how they are held until a test lets them go.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc;

use super::process::PATIENCE;
use super::situation::{make_fifo, wait_readable};

/// A FIFO that the test holds open for reading and writing, so that nobody waits to open it. A job
/// that reads from it waits until the test writes, or ends and so closes it.
pub struct Fifo {
    path: PathBuf,
    file: File,
    unread: RefCell<Vec<u8>>,
}

impl Fifo {
    /// Makes the FIFO.
    pub fn new(path: PathBuf) -> Self {
        make_fifo(&path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .expect("a FIFO opens for both ends at once (fifo(7))");
        Self { path, file, unread: RefCell::default() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next line that somebody wrote, without its newline.
    pub fn line(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut unread = self.unread.borrow_mut();
        loop {
            if let Some(at) = unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = unread.drain(..=at).collect();
                return String::from_utf8_lossy(&line[..at]).into_owned();
            }
            assert!(wait_readable(&self.file, deadline), "nobody wrote to {}", self.path.display());
            let mut bytes = [0; 4096];
            // Somebody else may have read it meanwhile: then there is nothing (EAGAIN), and we wait on.
            let length = (&self.file).read(&mut bytes).unwrap_or(0);
            unread.extend_from_slice(&bytes[..length]);
        }
    }

    /// Whether nobody writes to it for that long.
    pub fn is_silent_for(&self, span: Duration) -> bool {
        self.unread.borrow().is_empty() && !wait_readable(&self.file, Instant::now() + span)
    }

    /// Fills it, so that nothing more can be written.
    pub fn stuff(&self) {
        while (&self.file).write(&[b'x'; 4096]).is_ok() {}
    }

    /// Writes a line, for one reader.
    pub fn say(&self, line: &str) {
        (&self.file).write_all(format!("{line}\n").as_bytes()).expect("a line fits into a FIFO");
    }
}
