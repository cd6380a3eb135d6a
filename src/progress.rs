//! How far the run is, on the terminal: a status line in the bottom row, and the terminal's own
//! display of progress where it has one. It is for jobs that write lines or nothing; one that uses the
//! whole screen (an editor, a pager, a menu) would fight with it for the bottom row.

mod abilities;
mod line;
mod output;
mod screen;

use std::os::fd::AsFd;
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::diagnostics;
use crate::sys::{lifeline, terminal};
use output::Output;
use screen::Screen;

/// The status line of a run. When it is dropped the bottom row is the job's again.
pub struct Progress {
    label: String,
    output: Output,
    screen: Screen,
    /// What was to be drawn last: the time since the start, and the usual one.
    last: Option<(Duration, Option<Duration>)>,
}

impl Progress {
    /// For a run of this label. `None` unless stderr is the terminal that controls this process, and one
    /// that can be drawn on. Nothing is drawn yet.
    ///
    /// To write there it opens the terminal once more, since O_NONBLOCK holds for everybody who shares an
    /// open file, and on stderr's that is the job. By `/dev/tty`, which after su(1) can still be opened when
    /// the terminal's own name can no longer be: it is the same terminal, or tcgetpgrp(3) would have
    /// failed with ENOTTY.
    pub fn open(label: &str) -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        if !diagnostics::stderr_is_terminal() || !abilities::draws(&variable) {
            return None;
        }
        tcgetpgrp(std::io::stderr()).ok()?;
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let fd = open("/dev/tty", flags, Mode::empty()).ok()?;
        Some(Self {
            label: crate::columns::plain(label),
            output: Output::new(fd),
            screen: Screen::new(abilities::takes_reports(&variable)),
            last: None,
        })
    }

    /// Shows for how long the run has lasted, and how much that is of what is usual. To be called once a
    /// second; it never waits for the terminal longer than a tenth of one, and as a rule not at all. In the
    /// background nothing is drawn.
    pub fn draw(&mut self, elapsed: Duration, usual: Option<Duration>) {
        self.last = Some((elapsed, usual));
        if tcgetpgrp(&self.output) != Ok(getpgrp()) {
            return;
        }
        let Some(window) = terminal::window(&self.output) else { return };
        // The last column stays empty: after a character in it terminals differ in where the cursor is.
        let line = line::line(&self.label, elapsed, usual, window.columns - 1);
        let (bytes, after) = self.screen.drawing(window, &line, line::percent(elapsed, usual));
        if self.output.offer(bytes.as_bytes()) {
            self.becomes(after);
        }
    }

    fn becomes(&mut self, screen: Screen) {
        self.screen = screen;
        lifeline::borrows(self.output.as_fd(), screen.last_words());
    }

    /// Gives the bottom row back; to be called before this process stops itself. Takes a tenth of a second at
    /// most, where the terminal is halted.
    pub fn suspend(&mut self) {
        if self.screen.is_reserved() {
            let (bytes, after) = self.screen.release(terminal::window(&self.output));
            self.output.insist(bytes.as_bytes());
            self.becomes(after);
        }
    }

    /// Draws again what was drawn last; to be called when this process goes on. If that is in the
    /// background, the first [`Self::draw`] in the foreground does it.
    pub fn resume(&mut self) {
        if let Some((elapsed, usual)) = self.last {
            self.draw(elapsed, usual);
        }
    }

    /// Moves the line to where the bottom row is now; to be called when the window has changed its size
    /// (SIGWINCH).
    pub fn resized(&mut self) {
        // Every drawing looks at the size.
        self.resume();
    }
}

/// The bottom row is given back, the cursor where the job left it. How the run ended makes no difference: a
/// state that the terminal kept showing would be taken for that of whatever comes next.
impl Drop for Progress {
    fn drop(&mut self) {
        self.suspend();
    }
}
