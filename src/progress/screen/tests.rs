use std::num::NonZeroU16;
use std::time::Duration;

use proptest::prelude::*;

use super::super::line;
use super::*;

/// What a terminal shows that the job and this write to by turns.
struct Terminal {
    parser: vt100::Parser<Heard>,
    screen: Screen,
    window: Window,
}

/// Reports of progress that have come, by their parameters.
#[derive(Default)]
struct Heard(Vec<String>);

impl vt100::Callbacks for Heard {
    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        let params: Vec<_> = params.iter().map(|param| String::from_utf8_lossy(param)).collect();
        self.0.push(params.join(";"));
    }

    fn unhandled_csi(
        &mut self,
        _: &mut vt100::Screen,
        _: Option<u8>,
        _: Option<u8>,
        _: &[&[u16]],
        end: char,
    ) {
        panic!("a sequence that no terminal knows, to '{end}'");
    }

    fn unhandled_escape(&mut self, _: &mut vt100::Screen, _: Option<u8>, _: Option<u8>, byte: u8) {
        // The end of an OSC.
        assert_eq!(byte, b'\\');
    }
}

fn size(rows: u16, columns: u16) -> (NonZeroU16, NonZeroU16) {
    (NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap())
}

impl Terminal {
    fn new(rows: u16, columns: u16) -> Self {
        let (height, width) = size(rows, columns);
        let parser = vt100::Parser::new_with_callbacks(height, width, 0, Heard::default());
        Self { parser, screen: Screen::new(true), window: Window { rows, columns } }
    }

    /// What arrives of bytes that somebody has written: the terminal driver puts a carriage return before
    /// every newline.
    fn write(&mut self, bytes: &str) {
        self.parser.process(bytes.replace('\n', "\r\n").as_bytes());
    }

    fn job(&mut self, text: &str) {
        self.write(text);
    }

    fn draw(&mut self, line: &str) {
        let (bytes, after) = self.screen.drawing(self.window, line, Some(39));
        self.write(&bytes);
        self.screen = after;
    }

    fn release(&mut self) {
        let (bytes, after) = self.screen.release(Some(self.window));
        self.write(&bytes);
        self.screen = after;
    }

    fn resize(&mut self, rows: u16, columns: u16) {
        let (height, width) = size(rows, columns);
        self.parser.screen_mut().set_size(height, width);
        self.window = Window { rows, columns };
    }

    fn rows(&self) -> Vec<String> {
        self.parser.screen().rows(0, self.window.columns).collect()
    }

    fn bottom(&self) -> String {
        self.rows().pop().unwrap()
    }

    /// The lines above the bottom row, without the empty ones.
    fn above(&self) -> Vec<String> {
        let mut rows = self.rows();
        rows.pop();
        rows.retain(|row| !row.is_empty());
        rows
    }
}

fn numbered(numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|number| format!("line {number}")).collect()
}

/// Whether the whole screen scrolls: a line behind another in the bottom row moves all.
fn scrolls_whole(terminal: &mut Terminal) -> bool {
    let height = terminal.window.rows;
    terminal.job(&"\n".repeat(usize::from(height)));
    terminal.job("last but one\nlast");
    terminal.bottom() == "last" && terminal.rows()[usize::from(height) - 2] == "last but one"
}

#[test]
fn the_jobs_lines_stay_whole_and_in_order_above_the_status_line() {
    for (rows, columns) in [(24, 80), (5, 20), (4, 20)] {
        let mut terminal = Terminal::new(rows, columns);
        for number in 1..=40_u32 {
            terminal.job(&format!("line {number}\n"));
            terminal.draw(&format!("status {number}"));
            // The row above the bottom is where the cursor is once the screen is full.
            let first = number.saturating_sub(u32::from(rows) - 2) + 1;
            assert_eq!(terminal.above(), numbered(first..=number));
            assert_eq!(terminal.bottom(), format!("status {number}"));
        }
        terminal.release();
        assert_eq!(terminal.above(), numbered(43 - u32::from(rows)..=40));
        assert_eq!(terminal.bottom(), "");
        assert!(scrolls_whole(&mut terminal));
    }
}

#[test]
fn a_line_that_the_job_has_begun_goes_on_where_it_was() {
    for lines_before in [0, 2, 3, 22, 23, 30] {
        let mut terminal = Terminal::new(24, 80);
        terminal.job(&"x\n".repeat(lines_before));
        terminal.job("copying... \x1b[1;31m");
        terminal.draw("status");
        terminal.job("50%");
        terminal.draw("status");
        terminal.job(" 100%");
        let row = terminal.rows().iter().position(|row| row == "copying... 50% 100%").unwrap();
        let cell = terminal.parser.screen().cell(row as u16, 18).unwrap();
        assert!(cell.bold() && cell.fgcolor() == vt100::Color::Idx(1), "attributes of the job's are kept");
        let status = terminal.parser.screen().cell(23, 0).unwrap();
        assert!(!status.bold() && status.fgcolor() == vt100::Color::Default, "and are not those of the line");
        let cursor = terminal.parser.screen().cursor_position();
        terminal.release();
        assert_eq!(terminal.parser.screen().cursor_position(), cursor);
        assert!(terminal.parser.screen().bold());
        assert_eq!(terminal.bottom(), "");
    }
}

#[test]
fn the_first_drawing_scrolls_only_where_there_is_no_room() {
    let mut terminal = Terminal::new(5, 20);
    terminal.job("a\nb\nc\nd");
    terminal.draw("status");
    assert_eq!(terminal.rows(), ["a", "b", "c", "d", "status"]);
    terminal.job("\ne");
    assert_eq!(terminal.rows(), ["b", "c", "d", "e", "status"]);
    let mut terminal = Terminal::new(5, 20);
    terminal.job("a\nb\nc\nd\ne");
    terminal.draw("status");
    assert_eq!(terminal.rows(), ["b", "c", "d", "e", "status"]);
}

#[test]
fn after_a_resize_the_line_is_at_the_new_bottom_and_nowhere_else() {
    for (from, to) in [((24, 80), (30, 100)), ((24, 80), (10, 40)), ((24, 80), (24, 40)), ((5, 20), (24, 80))]
    {
        for lines in [0, 3, 22, 60] {
            let mut terminal = Terminal::new(from.0, from.1);
            for number in 1..=lines {
                terminal.job(&format!("line {number}\n"));
            }
            terminal.job("prompt: ");
            terminal.draw("old status");
            terminal.resize(to.0, to.1);
            terminal.draw("status");
            terminal.job("answer\nnext\n");
            terminal.draw("status");
            assert_eq!(terminal.bottom(), "status");
            let contents = terminal.parser.screen().contents();
            assert_eq!(contents.matches("status").count(), 1, "{contents}");
            assert!(contents.contains("prompt: answer\nnext\n"), "{contents}");
            terminal.release();
            assert!(!terminal.parser.screen().contents().contains("status"));
            assert!(scrolls_whole(&mut terminal));
        }
    }
}

#[test]
fn a_resize_that_nobody_has_told_of_leaves_no_trace_at_the_end() {
    for (rows, columns) in [(30, 80), (10, 80), (3, 80)] {
        let mut terminal = Terminal::new(24, 80);
        terminal.job("line 1\nline 2");
        terminal.draw("status");
        terminal.resize(rows, columns);
        terminal.release();
        assert_eq!(terminal.above(), numbered(1..=2));
        assert_eq!(terminal.bottom(), "");
        assert!(scrolls_whole(&mut terminal));
    }
}

#[test]
fn a_screen_with_too_few_rows_is_left_to_the_job() {
    let mut terminal = Terminal::new(3, 80);
    terminal.draw("status");
    assert!(!terminal.screen.is_reserved());
    assert_eq!(terminal.parser.screen().contents(), "");
    terminal.resize(10, 80);
    terminal.draw("status");
    assert_eq!(terminal.bottom(), "status");
    terminal.resize(3, 80);
    terminal.draw("status");
    assert!(!terminal.parser.screen().contents().contains("status"));
    assert!(scrolls_whole(&mut terminal));
}

#[test]
fn a_line_can_be_taken_back_and_drawn_again() {
    let mut terminal = Terminal::new(5, 20);
    terminal.job("one\n");
    terminal.draw("status");
    terminal.release();
    terminal.job("[1]+ Stopped\n$ fg\n");
    terminal.draw("status");
    terminal.job("two\nthree\n");
    terminal.draw("status");
    assert_eq!(terminal.rows(), ["$ fg", "two", "three", "", "status"]);
    assert_eq!(terminal.parser.callbacks().0, ["9;4;1;39", "9;4;0;0", "9;4;1;39", "9;4;1;39"]);
}

#[test]
fn the_terminal_is_told_of_progress_if_it_takes_that() {
    let window = Window { rows: 24, columns: 80 };
    for (percent, ends) in [
        (Some(0), "\x1b]9;4;1;0\x1b\\"),
        (Some(39), "\x1b]9;4;1;39\x1b\\"),
        (Some(100), "\x1b]9;4;1;100\x1b\\"),
        (None, "\x1b]9;4;3;0\x1b\\"),
    ] {
        let (bytes, after) = Screen::new(true).drawing(window, "x", percent);
        assert!(bytes.ends_with(ends), "{bytes:?}");
        assert!(after.release(Some(window)).0.ends_with("\x1b]9;4;0;0\x1b\\"));
        let (bytes, after) = Screen::new(false).drawing(window, "x", percent);
        assert!(!bytes.contains("\x1b]") && !after.release(Some(window)).0.contains("\x1b]"));
    }
}

#[test]
fn what_was_never_taken_is_not_given_back() {
    assert_eq!(Screen::new(true).release(None).0, "");
    assert_eq!(Screen::new(true).last_words(), None);
}

#[test]
fn the_last_words_give_back_what_was_taken_whatever_size_the_window_has() {
    for reports in [true, false] {
        let (_, taken) = Screen::new(reports).drawing(Window { rows: 24, columns: 80 }, "x", None);
        assert_eq!(taken.last_words(), Some(&*taken.release(None).0));
    }
}

proptest! {
    /// The widths are those of the terminal here, and not our own approximation.
    #[test]
    fn no_label_makes_a_line_that_does_not_fit(label in "[\\PC\u{300}日ｗ😀﷽]{0,60}", columns in 2..90_u16) {
        let (elapsed, usual) = (Duration::from_secs(723), Duration::from_secs(1_850));
        let line = line::line(&crate::columns::plain(&label), elapsed, Some(usual), columns - 1);
        let mut terminal = Terminal::new(4, columns);
        terminal.job(&line);
        prop_assert_eq!(terminal.parser.screen().cursor_position().0, 0, "{}", line);
        prop_assert_eq!(&terminal.rows()[1], "");
    }
}
