//! Headers: lines of words that name the columns of the lines after them.

use std::sync::Arc;

use super::decimal::DecimalMark;
use super::fields::{Field, MAX_FIELDS, pieces, split};
use super::line_class::{self, LineClass};
use super::{LineValues, MAX_NAME_CHARS, MAX_VALUES, boot_log, clean};

/// Bytes of a line that may be a header. A longer one names nothing.
const MAX_HEADER_BYTES: usize = 4096;

/// The names of the columns of a table, and what separates them.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    names: Box<[Box<str>]>,
    separator: u8,
}

/// Settles which header is in force for each line of a stream.
///
/// A header is a line of at least two words whose next line has as many fields, all of them numbers.
/// It is in force until lines of numbers have another number of fields, or another header comes.
/// Empty lines and lines of text in between change nothing.
#[derive(Debug, Default)]
pub struct HeaderTracker {
    /// The last line, if it is a line of text that could be a header; otherwise empty.
    candidate: Vec<u8>,
    in_force: Option<Arc<Header>>,
    /// The last candidate that was read, with the header that it would be. Sketches print the same
    /// line of text again and again.
    read: (Vec<u8>, Option<Arc<Header>>),
}

/// The headers in force for the lines of one chunk. Most chunks have one for all lines, or none.
#[derive(Clone, Debug, Default)]
pub struct LineHeaders {
    /// For the lines before the first change.
    first: Option<Arc<Header>>,
    /// The index of a line, and the header in force from it on.
    changes: Vec<(u32, Option<Arc<Header>>)>,
}

impl HeaderTracker {
    /// The header in force for the line that was taken last.
    pub fn in_force(&self) -> Option<&Arc<Header>> {
        self.in_force.as_ref()
    }

    /// Takes the next line. Returns true if another header is in force for it than for the line
    /// before, or none any more.
    ///
    /// This runs for every line, so it looks at little: for most, at their first byte alone.
    #[inline(always)]
    pub fn next(&mut self, line: &[u8]) -> bool {
        match line_class::of(line) {
            LineClass::Row if self.candidate.is_empty() => match &self.in_force {
                None => false,
                Some(header) if header.fits(line) => false,
                Some(_) => self.end(),
            },
            LineClass::Row => self.row_after_text(line),
            LineClass::Blank => false,
            LineClass::Text => self.remember(line),
            LineClass::Other => {
                self.candidate.clear();
                false
            }
        }
    }

    /// Takes a part of a line instead of a whole one: it is no header, and no row of a table.
    pub fn next_part(&mut self) {
        self.candidate.clear();
    }

    /// Forgets everything: what a stream begins with is not described by what came before.
    pub fn reset(&mut self) {
        self.candidate.clear();
        self.in_force = None;
    }

    #[inline(never)]
    fn remember(&mut self, line: &[u8]) -> bool {
        self.candidate.clear();
        if line.len() <= MAX_HEADER_BYTES {
            self.candidate.extend_from_slice(line);
        }
        false
    }

    #[inline(never)]
    fn row_after_text(&mut self, row: &[u8]) -> bool {
        if self.adopt(row) {
            return true;
        }
        self.in_force.take_if(|header| !header.fits(row)).is_some()
    }

    #[cold]
    fn end(&mut self) -> bool {
        self.in_force = None;
        true
    }

    /// Puts the line before in force, if it is a header and `row` fits it.
    fn adopt(&mut self, row: &[u8]) -> bool {
        let (text, header) = &mut self.read;
        if *text != self.candidate {
            text.clone_from(&self.candidate);
            *header = Header::read(text).map(Arc::new);
        }
        self.candidate.clear();
        let header = header.as_ref().filter(|header| header.fits_first(row));
        let is_header = header.is_some();
        if is_header {
            self.in_force = header.cloned();
        }
        is_header
    }
}

impl LineHeaders {
    /// The headers of lines for which they were settled elsewhere, in order.
    pub fn of_lines(lines: impl IntoIterator<Item = Option<Header>>) -> Self {
        let mut headers = Self::default();
        let mut last: Option<Arc<Header>> = None;
        for (index, header) in lines.into_iter().enumerate() {
            if header.as_ref() != last.as_deref() {
                last = header.map(Arc::new);
                headers.changes.push((index as u32, last.clone()));
            }
        }
        headers
    }

    /// Settles the headers of lines, each with whether it is a whole one.
    pub fn settle<'a>(
        headers: &mut HeaderTracker,
        lines: impl Iterator<Item = (&'a [u8], bool)>,
    ) -> Self {
        let first = headers.in_force.clone();
        let mut changes = Vec::new();
        for (index, (line, is_whole)) in lines.enumerate() {
            if !is_whole {
                headers.next_part();
            } else if headers.next(line) {
                changes.push((index as u32, headers.in_force.clone()));
            }
        }
        Self { first, changes }
    }

    /// Returns the header in force for the line at this index.
    pub fn at(&self, index: usize) -> Option<&Header> {
        let passed = self
            .changes
            .partition_point(|(from, _)| *from as usize <= index);
        match passed.checked_sub(1) {
            Some(last) => self.changes[last].1.as_deref(),
            None => self.first.as_deref(),
        }
    }

    /// Splits off the headers of the lines from this index on.
    pub fn split_off(&mut self, at: usize) -> Self {
        let kept = self
            .changes
            .partition_point(|(from, _)| (*from as usize) < at);
        let changes = self.changes.split_off(kept);
        let first = match self.changes.last() {
            Some((_, header)) => header.clone(),
            None => self.first.clone(),
        };
        let shifted = changes
            .into_iter()
            .map(|(from, header)| (from - at as u32, header));
        Self {
            first,
            changes: shifted.collect(),
        }
    }

    /// The bytes of memory that this takes, with the headers that came into force here.
    pub fn memory(&self) -> usize {
        let headers = self
            .changes
            .iter()
            .filter_map(|(_, header)| header.as_ref());
        let headers: usize = headers.map(|header| header.memory()).sum();
        headers + size_of_val(&*self.changes)
    }
}

impl Header {
    /// A header with these names, as another serial-ws has read it.
    pub fn new(names: impl IntoIterator<Item = Box<str>>, separator: u8) -> Self {
        let names = names.into_iter().collect();
        Self { names, separator }
    }

    /// Returns the names of the columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Returns what separates the columns.
    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// Reads a line as a header: at least two different words, with one kind of separator.
    fn read(line: &[u8]) -> Option<Self> {
        let text = clean::visible_text(line);
        let text = text.trim().trim_start_matches('#').trim();
        let separator = [';', '\t', '|', ',']
            .into_iter()
            .find(|it| text.contains(*it));
        let separator = separator.unwrap_or(' ');
        let words: Vec<&str> = match separator {
            ' ' => text.split_ascii_whitespace().take(MAX_FIELDS).collect(),
            _ => pieces(text.strip_suffix(separator).unwrap_or(text), separator).collect(),
        };
        let names: Option<Vec<Box<str>>> = words.iter().map(|word| name(word)).collect();
        let names = names?;
        let mut sorted: Vec<_> = names.iter().collect();
        sorted.sort_unstable();
        let is_unique = sorted.windows(2).all(|pair| pair[0] != pair[1]);
        let is_header = is_unique && (2..=MAX_VALUES).contains(&names.len());
        (is_header && !boot_log::is_boot_log(text)).then(|| Self {
            names: names.into(),
            separator: separator as u8,
        })
    }

    /// Returns true if a row has as many fields as this header. It counts separators alone.
    #[inline]
    fn fits(&self, row: &[u8]) -> bool {
        line_class::has_fields(row, self.separator, self.names.len())
    }

    /// Returns true if a row has as many fields, and all of them are numbers, or times beside
    /// numbers.
    fn fits_first(&self, row: &[u8]) -> bool {
        if !self.fits(row) {
            return false;
        }
        let text = clean::visible_text(row);
        let fields = self.fields(text.trim());
        let is_number = |field: &Field<'_>| matches!(field, Field::Number(..));
        let is_in_table = |field: &Field<'_>| is_number(field) || *field == Field::Time;
        fields.iter().any(is_number) && fields.iter().all(is_in_table)
    }

    /// Returns the values of a row by these names; None for a line that is no row of this table.
    pub(super) fn values(&self, text: &str) -> Option<LineValues> {
        let is_row = line_class::of(text.as_bytes()) == LineClass::Row;
        let fields = self.fields(text.trim());
        if !is_row || fields.len() != self.names.len() {
            return None;
        }
        let mut values = LineValues::default();
        for (name, field) in self.names.iter().zip(fields) {
            if let Field::Number(number, _) = field {
                values.push(Some(name), number);
            }
        }
        Some(values)
    }

    fn fields<'a>(&self, text: &'a str) -> Vec<Field<'a>> {
        let separator = char::from(self.separator);
        let separators = text.matches(separator).count();
        // A separator at the end is one too many, unless the last field is empty.
        let is_closed = separator != ' ' && separators == self.names.len();
        let text = text
            .strip_suffix(separator)
            .filter(|_| is_closed)
            .unwrap_or(text);
        match separator {
            ' ' => {
                let words = text.split_ascii_whitespace().take(MAX_FIELDS);
                words
                    .map(|word| super::fields::classify(word, DecimalMark::PointOrComma))
                    .collect()
            }
            ',' => split(text, ',', DecimalMark::Point),
            _ => split(text, separator, DecimalMark::PointOrComma),
        }
    }

    /// The bytes of memory that this takes.
    pub fn memory(&self) -> usize {
        let names = self.names.iter().map(|name| name.len());
        size_of::<Self>() + size_of_val(&*self.names) + names.sum::<usize>()
    }
}

/// Returns the name that a field of a header is.
fn name(field: &str) -> Option<Box<str>> {
    let name = field.trim_matches(['"', '\'', ' ']);
    let is_word = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && !name.contains([':', '=', '{', '}', '"'])
        && name.chars().count() < MAX_NAME_CHARS;
    let is_value = ["true", "false", "nan", "inf", "null", "none", "ovf"]
        .iter()
        .any(|value| name.eq_ignore_ascii_case(value));
    (is_word && !is_value).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_chunk_keeps_the_headers_of_its_lines() {
        let lines = ["a,b", "1,2", "3,4", "5", "c,d", "6,7"];
        let lines = lines.iter().map(|line| (line.as_bytes(), true));
        let whole = LineHeaders::settle(&mut HeaderTracker::default(), lines);
        let names = |headers: &LineHeaders, index| headers.at(index).map(|it| it.names.concat());
        let expected: Vec<_> = (0..6).map(|index| names(&whole, index)).collect();
        let ab = || Some("ab".to_owned());
        assert_eq!(
            expected,
            [None, ab(), ab(), None, None, Some("cd".to_owned())]
        );
        for at in 0..=6 {
            let mut first = whole.clone();
            let rest = first.split_off(at);
            let parts = (0..at).map(|index| names(&first, index));
            let parts = parts.chain((0..6 - at).map(|index| names(&rest, index)));
            assert_eq!(parts.collect::<Vec<_>>(), expected, "split at {at}");
        }
    }
}
