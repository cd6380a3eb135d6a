//! PURE. Rows under their headings, each column as wide as its widest field, and all of it no wider than the
//! page: what can be cut is cut, then what matters least is left out.

use std::fmt::Write;

use super::page::{Ink, Page};
use crate::columns;

/// Between two columns.
const GAP: usize = 2;

/// What stands in one place of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field(Vec<(String, Ink)>);

impl Field {
    /// A text in one colour; it must be [`columns::visible`].
    pub fn of(text: impl Into<String>, ink: Ink) -> Self {
        Self(vec![(text.into(), ink)])
    }

    /// What stands where there is nothing to say.
    pub fn nothing() -> Self {
        Self::of("-", Ink::Faint)
    }

    /// Single characters, each in its colour.
    pub fn of_marks(marks: Vec<(char, Ink)>) -> Self {
        let mut pieces: Vec<(String, Ink)> = Vec::new();
        for (mark, ink) in marks {
            match pieces.last_mut() {
                Some((text, same)) if *same == ink => text.push(mark),
                Some(_) | None => pieces.push((mark.to_string(), ink)),
            }
        }
        Self(pieces)
    }

    fn width(&self) -> usize {
        self.0.iter().map(|(text, _)| columns::width(text)).sum()
    }

    /// Writes it in at most so many columns; how many it took.
    fn write(&self, line: &mut String, most: usize, page: Page) -> usize {
        let mut left = most;
        for (text, ink) in &self.0 {
            let shown = columns::cut(text, left, page.cut_mark());
            page.paint(line, &shown, *ink);
            left -= columns::width(&shown);
            if shown.len() < text.len() {
                break;
            }
        }
        most - left
    }
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// What stands above it.
    pub heading: &'static str,
    /// Whether its fields end below each other, as numbers do.
    pub is_right: bool,
    /// To how many columns of the page its fields may be cut; `None`: they are whole, or left out.
    pub least: Option<usize>,
    /// Where there is not enough room, the column with the highest one is left out first; one with 0 never.
    pub rank: u8,
}

/// One line.
#[derive(Debug, Clone)]
pub enum Row {
    /// A field for each column.
    Fields(Vec<Field>),
    /// Fields for the first columns, and then a text to the end of the line.
    Note(Vec<Field>, Field),
}

impl Row {
    fn fields(&self) -> &[Field] {
        match self {
            Self::Fields(fields) | Self::Note(fields, _) => fields,
        }
    }
}

/// Rows under their headings.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

impl Table {
    /// A table of these columns.
    pub fn new(columns: Vec<Column>, rows: Vec<Row>) -> Self {
        Self { columns, rows }
    }

    /// The same without the column of this heading.
    pub fn without(mut self, heading: &str) -> Self {
        if let Some(at) = self.columns.iter().position(|column| column.heading == heading) {
            self.leave_out(at);
        }
        self
    }

    /// Whether nothing of it has to be cut or left out on a page.
    pub fn fits(&self, page: Page) -> bool {
        page.columns.is_none_or(|limit| total(&self.natural_widths()) <= limit)
    }

    /// The text, a newline at the end of each line.
    pub fn render(mut self, page: Page) -> String {
        let mut widths = self.natural_widths();
        while let Some(limit) = page.columns {
            self.shrink(&mut widths, limit);
            let least_wanted = self
                .columns
                .iter()
                .enumerate()
                .filter(|(_, column)| column.rank > 0)
                .max_by_key(|(_, column)| column.rank);
            match least_wanted {
                Some((at, _)) if total(&widths) > limit => {
                    self.leave_out(at);
                    widths = self.natural_widths();
                }
                Some(_) | None => break,
            }
        }
        let mut text = String::new();
        let headings = self.columns.iter().map(|column| Field::of(column.heading, Ink::Heading));
        self.write(&mut text, &Row::Fields(headings.collect()), &widths, page);
        for row in &self.rows {
            self.write(&mut text, row, &widths, page);
        }
        text
    }

    fn natural_widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> =
            self.columns.iter().map(|column| columns::width(column.heading)).collect();
        for row in &self.rows {
            for (width, field) in widths.iter_mut().zip(row.fields()) {
                *width = (*width).max(field.width());
            }
        }
        widths
    }

    /// Takes what is too much from the columns that may be cut, one after the other.
    fn shrink(&self, widths: &mut [usize], limit: usize) {
        let mut surplus = total(widths).saturating_sub(limit);
        for (width, column) in widths.iter_mut().zip(&self.columns) {
            let spare = column.least.map_or(0, |least| width.saturating_sub(least));
            let taken = spare.min(surplus);
            *width -= taken;
            surplus -= taken;
        }
    }

    fn leave_out(&mut self, at: usize) {
        self.columns.remove(at);
        for row in &mut self.rows {
            match row {
                Row::Fields(fields) | Row::Note(fields, _) if at < fields.len() => {
                    fields.remove(at);
                }
                Row::Fields(_) | Row::Note(..) => {}
            }
        }
    }

    fn write(&self, text: &mut String, row: &Row, widths: &[usize], page: Page) {
        let mut at = 0;
        let mut line = String::new();
        let mut gap = 0;
        for ((field, &width), column) in row.fields().iter().zip(widths).zip(&self.columns) {
            let before = if column.is_right { width.saturating_sub(field.width()) } else { 0 };
            pad(&mut line, gap + before);
            let taken = field.write(&mut line, width, page);
            gap = GAP + width.saturating_sub(before + taken);
            at += GAP + width;
        }
        if let Row::Note(_, note) = row {
            pad(&mut line, gap);
            let room = page.columns.map_or(usize::MAX, |limit| limit.saturating_sub(at));
            note.write(&mut line, room, page);
        }
        // A heading or a note may be empty.
        text.push_str(line.trim_end_matches(' '));
        text.push('\n');
    }
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

fn pad(line: &mut String, columns: usize) {
    // A String takes everything.
    let _ = write!(line, "{:columns$}", "");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: Page = Page { columns: None, colours: false, unicode: true };

    fn page(columns: usize) -> Page {
        Page { columns: Some(columns), ..PAGE }
    }

    fn table(rows: &[[&str; 3]]) -> Table {
        let column = |heading, is_right, least, rank| Column { heading, is_right, least, rank };
        let columns = vec![
            column("LABEL", false, Some(6), 0),
            column("N", true, None, 1),
            column("WHEN", false, None, 2),
        ];
        let row = |fields: &[&str; 3]| Row::Fields(fields.map(|text| Field::of(text, Ink::Plain)).to_vec());
        Table::new(columns, rows.iter().map(row).collect())
    }

    const ROWS: [[&str; 3]; 2] = [["größer-backup", "7", "3h ago"], ["日本", "120", "now"]];

    #[test]
    fn columns_are_as_wide_as_their_widest_field_by_the_columns_of_a_terminal() {
        let expected = "LABEL            N  WHEN\ngrößer-backup    7  3h ago\n日本           120  now\n";
        assert_eq!(table(&ROWS).render(PAGE), expected);
        assert_eq!(table(&ROWS).render(page(26)), expected, "that is just enough");
    }

    #[test]
    fn with_less_room_fields_are_cut_and_then_columns_left_out() {
        assert_eq!(
            table(&ROWS).render(page(19)),
            "LABEL     N  WHEN\ngröße…    7  3h ago\n日本    120  now\n"
        );
        assert_eq!(
            table(&ROWS).render(page(18)),
            "LABEL            N\ngrößer-backup    7\n日本           120\n"
        );
        assert_eq!(table(&ROWS).render(page(10)), "LABEL\ngrößer-ba…\n日本\n");
        assert_eq!(table(&ROWS).render(page(3)), "LABEL\ngröße…\n日本\n", "less than the least there is not");
    }

    #[test]
    fn a_note_goes_on_to_the_end_of_the_line() {
        let mut table = table(&ROWS[1..]);
        let first = vec![Field::of("x", Ink::Plain)];
        table.rows.push(Row::Note(first, Field::of("cannot be read, for a long reason", Ink::Bad)));
        let text = table.render(page(20));
        assert_eq!(text.lines().last(), Some("x      cannot be re…"));
    }

    #[test]
    fn colours_take_no_room() {
        let field = Field::of_marks(vec![('a', Ink::Good), ('b', Ink::Good), ('c', Ink::Bad)]);
        assert_eq!(field.width(), 3);
        let mut line = String::new();
        assert_eq!(field.write(&mut line, 2, Page { colours: true, ..PAGE }), 2);
        assert_eq!(line, "\x1b[32mab\x1b[m");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_page(
            labels in proptest::collection::vec("\\PC{0,20}", 1..5), columns in 6..60_usize, colours: bool,
        ) {
            let rows: Vec<[&str; 3]> = labels.iter().map(|label| [&label[..], "12", "yesterday"]).collect();
            let text = table(&rows).render(page(columns));
            for line in text.lines() {
                prop_assert!(columns::width(line) <= columns, "{line:?} in {columns}");
            }
            let painted = table(&rows).render(Page { colours, ..page(columns) });
            prop_assert_eq!(painted.replace("\x1b[1m", "").replace("\x1b[m", ""), text);
        }
    }
}
