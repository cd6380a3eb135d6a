//! PURE. TOML (version 1.1) into a tree, every value with its line. Our own, because of its size: the
//! static binary is 20 kB larger for it, where the crate `toml` takes 86 kB and its grammar alone,
//! `toml_parser`, 33 kB. The tests hold it to that crate's answer, document by document.
//!
//! What no option takes is read loosely: a date is told by its first digits.

mod scan;
mod tree;

pub use tree::{Document, Node, Value};

use scan::Reader;
use tree::{Element, Table};

/// How deep arrays and inline tables may stand in each other. More means nothing to any option, and the
/// stack has an end.
const DEPTH_MAX: usize = 32;

/// Why a text is no TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, counted from 1.
    pub line: usize,
    /// What, in words, with a hint.
    pub what: String,
}

/// Reads a document.
///
/// # Errors
/// The first thing that no document of TOML has.
pub fn read(text: &str) -> Result<Document, Fault> {
    let mut reader = Reader::new(text);
    let mut document = Document::default();
    let mut table = Document::ROOT;
    loop {
        reader.skip_lines()?;
        match reader.peek() {
            None => return Ok(document),
            Some(b'[') => table = header(&mut reader, &mut document)?,
            Some(_) => pair(&mut reader, &mut document, table, 0)?,
        }
        reader.end_line()?;
    }
}

/// `[a.b]` or `[[a.b]]`: the table that the lines below it fill.
fn header(reader: &mut Reader<'_>, document: &mut Document) -> Result<usize, Fault> {
    let line = reader.line();
    let brackets = if reader.take("[[") { "]]" } else { "]" };
    if brackets == "]" {
        reader.take("[");
    }
    let keys = keys(reader)?;
    if !reader.take(brackets) {
        return Err(reader.fault(format!("a '{brackets}' is missing behind '{}'", keys.join("."))));
    }
    document.open(keys, line, brackets == "]]").map_err(|what| Fault { line, what })
}

/// `a.b = VALUE`, into a table.
fn pair(reader: &mut Reader<'_>, document: &mut Document, table: usize, depth: usize) -> Result<(), Fault> {
    let line = reader.line();
    let keys = keys(reader)?;
    if !reader.take("=") {
        return Err(reader.fault(format!("a '=' is missing behind '{}'", keys.join("."))));
    }
    let place = document.place(table, keys, line).map_err(|what| Fault { line, what })?;
    let value = value(reader, document, place, depth)?;
    document.fill(place, value);
    Ok(())
}

/// `a."b c".d`, with blanks around.
fn keys(reader: &mut Reader<'_>) -> Result<Vec<String>, Fault> {
    let mut keys = Vec::new();
    loop {
        reader.skip_blanks();
        keys.push(reader.key()?);
        reader.skip_blanks();
        if !reader.take(".") {
            return Ok(keys);
        }
    }
}

/// A value, which is to stand at a place of the document.
fn value(
    reader: &mut Reader<'_>,
    document: &mut Document,
    place: usize,
    depth: usize,
) -> Result<Value, Fault> {
    if depth > DEPTH_MAX {
        return Err(reader.fault("arrays and tables stand too deep in each other"));
    }
    reader.skip_blanks();
    if reader.take("[") {
        let mut elements = Vec::new();
        list(reader, "]", |reader| {
            let line = reader.line();
            let place = document.unnamed(line);
            let value = value(reader, document, place, depth + 1)?;
            elements.push(Element { line, value });
            Ok(())
        })?;
        return Ok(Value::Array(elements));
    }
    if reader.take("{") {
        document.fill(place, Value::Table(Table::Inline));
        list(reader, "}", |reader| pair(reader, document, place, depth + 1))?;
        return Ok(Value::Table(Table::Inline));
    }
    match reader.peek() {
        Some(b'"' | b'\'') => reader.string().map(Value::Text),
        Some(_) | None => reader.bare_value(),
    }
}

/// What stands between brackets, separated by commas; the last may have one too.
fn list(
    reader: &mut Reader<'_>,
    end: &str,
    mut element: impl FnMut(&mut Reader<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let opened = reader.line();
    loop {
        reader.skip_lines()?;
        if reader.take(end) {
            return Ok(());
        }
        if reader.peek().is_some() {
            element(reader)?;
            reader.skip_lines()?;
            if reader.take(",") {
                continue;
            }
            if reader.take(end) {
                return Ok(());
            }
        }
        let what =
            format!("a list is not closed; write a ',' between its values and '{end}' behind the last");
        return Err(Fault { line: if reader.peek().is_none() { opened } else { reader.line() }, what });
    }
}

#[cfg(test)]
mod tests;
