//! What the kernel knows of a terminal.

use std::mem;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

/// The size of a terminal's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Height in lines, at least 1.
    pub rows: u16,
    /// Width in characters, at least 1.
    pub columns: u16,
}

/// The size of the window of a terminal, by TIOCGWINSZ (ioctl_tty(2)). `None`: it is no terminal, or
/// nobody has told the kernel a size, as on a serial line.
pub fn window(terminal: impl AsFd) -> Option<Window> {
    // SAFETY: winsize is plain old data for which all zeroes is a value, the kernel fills it, and it
    // lives across the call. On any other file the call fails with ENOTTY and writes nothing.
    let size = unsafe {
        let mut size: libc::winsize = mem::zeroed();
        // The type of the request differs between the C libraries.
        let request = libc::TIOCGWINSZ as _;
        (libc::ioctl(terminal.as_fd().as_raw_fd(), request, &raw mut size) == 0).then_some(size)
    }?;
    let known = size.ws_row > 0 && size.ws_col > 0;
    known.then_some(Window { rows: size.ws_row, columns: size.ws_col })
}

#[cfg(test)]
mod tests {
    use nix::pty::{Winsize, openpty};

    use super::*;

    fn window_of(ws_row: u16, ws_col: u16) -> Option<Window> {
        let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
        window(openpty(&size, None).unwrap().slave)
    }

    #[test]
    fn a_terminal_has_the_size_that_it_was_given() {
        assert_eq!(window_of(24, 80), Some(Window { rows: 24, columns: 80 }));
    }

    #[test]
    fn a_size_that_nobody_has_set_is_none() {
        assert_eq!(window_of(0, 0), None);
        assert_eq!(window_of(24, 0), None);
    }

    #[test]
    fn a_file_has_no_window() {
        assert_eq!(window(std::fs::File::open("/dev/null").unwrap()), None);
    }
}
