//! PURE. The bytes that keep the bottom row of a screen for the status line, and give it back.
//!
//! The job writes to the same terminal and does not know of this. So the screen scrolls in a region
//! without its bottom row (DECSTBM), as apt(8) does it for its own progress, and every drawing puts
//! the cursor and its attributes back where they were (DECSC, DECRC). That is enough for jobs that
//! write lines, and not for those that use the whole screen and set regions of their own.

use crate::sys::terminal::Window;

/// With fewer rows than this the job needs them all.
const ROWS_MIN: u16 = 4;

/// DECSC: the cursor's place and attributes are kept. There is room for one.
const SAVE: &str = "\x1b7";
/// DECRC: back to what was kept.
const RESTORE: &str = "\x1b8";
/// A line below the cursor's, made by scrolling if there is none; the cursor stays in its line and column.
/// VT and not LF: to that the terminal driver would add a carriage return.
const ROOM_BELOW: &str = "\x0b\x1b[A";
/// After the window has changed its size the old status line may be anywhere below the cursor, and in several
/// pieces: the region is given up, room made as above, and all below the cursor's line erased.
const FORGET: &str = "\x1b7\x1b[r\x1b8\x0b\x1b[A\x1b7\x1b[B\r\x1b[m\x1b[J\x1b8";
/// The same, and that nothing is under way.
const FORGET_ALL: &str = "\x1b7\x1b[r\x1b8\x0b\x1b[A\x1b7\x1b[B\r\x1b[m\x1b[J\x1b8\x1b]9;4;0;0\x1b\\";

/// What the terminal itself is told of the progress (OSC 9;4, as ConEmu has defined it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// Nothing is under way.
    None,
    /// So much is done, in percent.
    Percent(u8),
    /// Something is under way; nobody knows how far it is.
    Unknown,
}

impl Report {
    /// It ends in ST (ECMA-48), which every terminal of [`super::abilities`] takes. BEL is taken by most as
    /// well, but some front-ends of VTE are said to refuse it.
    fn sequence(self) -> String {
        let (state, percent) = match self {
            Self::None => (0, 0),
            Self::Percent(percent) => (1, percent),
            Self::Unknown => (3, 0),
        };
        format!("\x1b]9;4;{state};{percent}\x1b\\")
    }
}

/// What has been made of a screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    /// The size that it had when its bottom row was taken.
    reserved: Option<Window>,
    /// Whether the terminal takes reports.
    reports: bool,
}

impl Screen {
    /// One that is the job's alone.
    pub(super) fn new(reports: bool) -> Self {
        Self { reserved: None, reports }
    }

    /// Whether the bottom row is taken.
    pub(super) fn is_reserved(self) -> bool {
        self.reserved.is_some()
    }

    /// What gives the bottom row back, whatever size the window has then.
    pub(super) fn last_words(self) -> Option<&'static str> {
        self.is_reserved().then_some(if self.reports { FORGET_ALL } else { FORGET })
    }

    /// What shows this line, which is narrower than the window, and what the screen is then.
    pub(super) fn drawing(self, window: Window, line: &str, percent: Option<u8>) -> (String, Self) {
        if window.rows < ROWS_MIN {
            return self.release(Some(window));
        }
        let rows = window.rows;
        let mut bytes = String::with_capacity(256);
        match self.reserved {
            Some(reserved) if reserved == window => {}
            Some(_) => bytes.push_str(FORGET),
            None => bytes.push_str(ROOM_BELOW),
        }
        bytes.push_str(SAVE);
        if self.reserved != Some(window) {
            bytes.push_str(&format!("\x1b[1;{}r", rows - 1));
        }
        bytes.push_str(&format!("\x1b[{rows};1H\x1b[m\x1b[2K"));
        bytes.push_str(line);
        bytes.push_str(RESTORE);
        if self.reports {
            bytes.push_str(&percent.map_or(Report::Unknown, Report::Percent).sequence());
        }
        (bytes, Self { reserved: Some(window), ..self })
    }

    /// What gives the bottom row back, empty, and what the screen is then. `window` is its size now, if
    /// that is known. Without anything taken there is nothing to give.
    pub(super) fn release(self, window: Option<Window>) -> (String, Self) {
        let Some(reserved) = self.reserved else { return (String::new(), self) };
        let mut bytes = if window == Some(reserved) {
            format!("{SAVE}\x1b[r\x1b[{};1H\x1b[m\x1b[2K{RESTORE}", reserved.rows)
        } else {
            FORGET.to_owned()
        };
        if self.reports {
            bytes.push_str(&Report::None.sequence());
        }
        (bytes, Self { reserved: None, ..self })
    }
}

#[cfg(test)]
mod tests;
