//! `--csv`: a table of the values in lines, found by the same grammar as the plot of the page.
//!
//! The names of all columns stand in the first row, so the recording is read twice.

use std::collections::HashMap;
use std::io::{self, Write};

use regex_lite::Regex;

use super::ExportFormat;
use super::received_lines::ReceivedLines;
use super::text::shown_time;
use crate::hub::{Frame, Timestamp};
use crate::recording::{RecordingEntry, RecordingHeader};
use crate::values::{Decimal, LineValues, MAX_VALUES};

/// Columns of a table. Values of further names are left out.
const MAX_COLUMNS: usize = MAX_VALUES;

/// The beginning of a formula, which a spreadsheet would run: also behind blanks, and behind what some
/// spreadsheets take for the end of a cell. As `csvField` of the page has it.
const FORMULA: &str = r"(^|[;,\t\r\n])\s*[=+\-@]|^[\t\r]";

/// Collects the names of the columns.
pub(super) struct Columns {
    lines: ReceivedLines,
    names: Vec<String>,
    places: HashMap<String, usize>,
    /// The names for which there was no column.
    left_out: bool,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            lines: ReceivedLines::new(),
            names: Vec::new(),
            places: HashMap::new(),
            left_out: false,
        }
    }
}

impl Columns {
    fn add(names: &mut Vec<String>, places: &mut HashMap<String, usize>, name: String) -> bool {
        if places.contains_key(&name) {
            return true;
        }
        let has_room = names.len() < MAX_COLUMNS;
        if has_room {
            places.insert(name.clone(), names.len());
            names.push(name);
        }
        has_room
    }
}

impl ExportFormat for Columns {
    fn file(&mut self, header: &RecordingHeader, joins: bool, _: &mut dyn Write) -> io::Result<()> {
        self.lines.file(header, joins, &mut |_| {});
        Ok(())
    }

    fn entry(&mut self, entry: &RecordingEntry, _: &mut dyn Write) -> io::Result<()> {
        // What is cut is a part of a line, which has no values.
        self.lines.part(entry, &mut |_| {});
        let (names, places, left_out) = (&mut self.names, &mut self.places, &mut self.left_out);
        if let Some(bytes) = bytes_of(entry) {
            self.lines.push(bytes, &mut |frame| {
                for (name, _) in named(&frame.values()) {
                    *left_out |= !Self::add(names, places, name);
                }
            });
        }
        Ok(())
    }

    fn end(&mut self, _: &mut dyn Write) -> io::Result<()> {
        if self.left_out {
            tracing::warn!("the table has {MAX_COLUMNS} columns, and further names are left out");
        }
        Ok(())
    }
}

/// Prints the rows.
pub(super) struct Rows {
    lines: ReceivedLines,
    columns: Columns,
    /// The cells of one row.
    cells: Vec<String>,
    has_head: bool,
}

impl Rows {
    /// Prints a table with these columns.
    pub(super) fn new(columns: Columns) -> Self {
        Self {
            lines: ReceivedLines::new(),
            cells: vec![String::new(); columns.names.len()],
            columns,
            has_head: false,
        }
    }

    fn head(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::replace(&mut self.has_head, true) {
            return Ok(());
        }
        let formula = Regex::new(FORMULA).expect("it was compiled by a test");
        out.write_all(b"time")?;
        for name in &self.columns.names {
            write!(out, ",{}", field(name, &formula))?;
        }
        out.write_all(b"\r\n")
    }
}

impl ExportFormat for Rows {
    fn file(
        &mut self,
        header: &RecordingHeader,
        joins: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.head(out)?;
        self.lines.file(header, joins, &mut |_| {});
        Ok(())
    }

    fn entry(&mut self, entry: &RecordingEntry, out: &mut dyn Write) -> io::Result<()> {
        self.lines.part(entry, &mut |_| {});
        let Some(bytes) = bytes_of(entry) else {
            return Ok(());
        };
        let (places, cells) = (&self.columns.places, &mut self.cells);
        let mut rows = Vec::new();
        self.lines.push(bytes, &mut |frame| {
            add_row(&mut rows, entry.t(), &frame, places, cells);
        });
        out.write_all(&rows)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.head(out)
    }
}

fn bytes_of(entry: &RecordingEntry) -> Option<&bytes::Bytes> {
    match entry {
        RecordingEntry::Received { bytes, .. } | RecordingEntry::Sent { bytes, .. } => Some(bytes),
        _ => None,
    }
}

/// Appends the row of a line, if it has values.
fn add_row(
    rows: &mut Vec<u8>,
    t: Timestamp,
    frame: &Frame<'_>,
    places: &HashMap<String, usize>,
    cells: &mut [String],
) {
    let values = frame.values();
    if values.is_empty() {
        return;
    }
    cells.iter_mut().for_each(String::clear);
    for (name, number) in named(&values) {
        if let (Some(place), Some(number)) = (places.get(&name), number) {
            cells[*place].push_str(number.as_str());
        }
    }
    rows.extend_from_slice(shown_time(t).as_bytes());
    for cell in cells.iter() {
        rows.push(b',');
        rows.extend_from_slice(cell.as_bytes());
    }
    rows.extend_from_slice(b"\r\n");
}

/// Returns the values of a line with their names, as the plot of the page has them: those without are
/// named by their place.
fn named(values: &LineValues) -> impl Iterator<Item = (String, Option<&Decimal>)> {
    let is_alone = values.iter().len() == 1;
    values.iter().enumerate().map(move |(index, value)| {
        let name = match &value.name {
            Some(name) => name.to_string(),
            None if is_alone => "value".to_owned(),
            None => format!("value {}", index + 1),
        };
        (name, value.number.as_ref())
    })
}

/// Returns a cell of a table (RFC 4180). What a spreadsheet would run as a formula is marked as text.
fn field(text: &str, formula: &Regex) -> String {
    let is_break = |c: char| matches!(c, '\t' | '\r' | '\n');
    let safe = if formula.is_match(text) {
        format!("'{}", text.replace(is_break, " "))
    } else {
        text.to_owned()
    };
    if safe.contains(|c: char| matches!(c, '"' | ',' | ';') || is_break(c)) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula() {
        let formula = Regex::new(FORMULA).unwrap();
        let check = |text: &str, expected: &str| assert_eq!(field(text, &formula), expected);
        check("light", "light");
        check("a b", "a b");
        check("a,b", "\"a,b\"");
        check("say \"hi\"", "\"say \"\"hi\"\"\"");
        check("=1+1", "'=1+1");
        check("  @cmd", "'  @cmd");
        check("-x", "'-x");
        check("a;=b", "\"'a;=b\"");
        check("\t=1", "' =1");
        check("a-b", "a-b");
    }
}
