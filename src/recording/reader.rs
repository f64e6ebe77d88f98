//! Reads a recording from a file, whatever that holds: in constant memory, and what is damaged is
//! skipped with a warning.

use std::fmt;
use std::io::{self, BufRead, ErrorKind};

use super::{
    EntryError, HeaderError, MAX_LINE_BYTES, RawLine, RecordingEntry, RecordingHeader, next_line,
};
use crate::hub::Timestamp;

/// Lines of one file that a warning is given of. At the limit, further ones are only counted.
const MAX_WARNINGS: u64 = 3;

/// Reads a recording line by line.
pub struct RecordingReader<R> {
    file: R,
    header: RecordingHeader,
    buffer: Vec<u8>,
    /// The number of the line that was read last.
    line: u64,
    /// The lines that could not be read.
    skipped: u64,
    /// The latest time so far.
    latest: Timestamp,
    /// True once a time went back.
    goes_back: bool,
    /// True once nothing more can be read.
    is_over: bool,
    /// The warnings that were not taken yet.
    warnings: Vec<ReadWarning>,
}

/// An item of a recording after its header.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadItem {
    /// An entry.
    Entry(RecordingEntry),
    /// The header of another recording, which was appended to the file.
    Header(Box<RecordingHeader>),
}

/// Something in a file that is not as it should be, and does not keep the rest from being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadWarning {
    /// The number of the line, from 1 on.
    pub line: u64,
    /// The mistake.
    pub flaw: Flaw,
}

/// A mistake in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The line is no entry.
    NotAnEntry(EntryError),
    /// The line has so many bytes, more than readers take.
    TooLong(u64),
    /// The line is the last one, and has no end.
    Torn,
    /// Its time is before that of an earlier line.
    GoesBack,
    /// The file is damaged from here on, or its compressed form ends too soon.
    Damaged,
    /// So many lines could not be read beside the first.
    More(u64),
}

/// The reason why a file cannot be read as a recording.
#[derive(Debug)]
pub enum ReadError {
    /// It cannot be read at all.
    Io(io::Error),
    /// It is empty.
    Empty,
    /// Its first line is no header.
    Header(HeaderError),
}

impl<R: BufRead> RecordingReader<R> {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// If it has none, or cannot be read.
    pub fn new(mut file: R) -> Result<Self, ReadError> {
        let mut buffer = Vec::new();
        let line = next_line(&mut file, &mut buffer).map_err(|error| {
            if is_damage(&error) {
                ReadError::Header(HeaderError::NotARecording)
            } else {
                ReadError::Io(error)
            }
        })?;
        let header = match line {
            None => return Err(ReadError::Empty),
            Some(RawLine::TooLong(_)) => Err(HeaderError::NotARecording),
            Some(RawLine::Whole(line) | RawLine::Torn(line)) => RecordingHeader::parse(line),
        };
        let header = header.map_err(ReadError::Header)?;
        Ok(Self {
            file,
            header,
            buffer,
            line: 1,
            skipped: 0,
            latest: Timestamp::default(),
            goes_back: false,
            is_over: false,
            warnings: Vec::new(),
        })
    }

    /// Returns the header.
    pub fn header(&self) -> &RecordingHeader {
        &self.header
    }

    /// Returns what has been found wrong since this was asked last.
    pub fn take_warnings(&mut self) -> Vec<ReadWarning> {
        std::mem::take(&mut self.warnings)
    }

    /// Returns what comes next; None at the end.
    ///
    /// # Errors
    /// If the file cannot be read any further, although it is not damaged.
    pub fn next_item(&mut self) -> io::Result<Option<ReadItem>> {
        while !self.is_over {
            self.line += 1;
            let item = match next_line(&mut self.file, &mut self.buffer) {
                Ok(Some(RawLine::Whole(line))) => item(line),
                // A whole entry without a line end is as good as any.
                Ok(Some(RawLine::Torn(line))) => item(line).map_err(|_| Flaw::Torn),
                Ok(Some(RawLine::TooLong(length))) => Err(Flaw::TooLong(length)),
                Ok(None) => {
                    self.end();
                    continue;
                }
                Err(error) if is_damage(&error) => {
                    self.warn(Flaw::Damaged);
                    self.end();
                    continue;
                }
                Err(error) => return Err(error),
            };
            match item {
                Ok(Some(item)) => {
                    self.check_time(&item);
                    return Ok(Some(item));
                }
                Ok(None) => {}
                Err(flaw) => self.skip(flaw),
            }
        }
        Ok(None)
    }

    fn end(&mut self) {
        self.is_over = true;
        if self.skipped > MAX_WARNINGS {
            self.warn(Flaw::More(self.skipped - MAX_WARNINGS));
        }
    }

    fn skip(&mut self, flaw: Flaw) {
        self.skipped += 1;
        if self.skipped <= MAX_WARNINGS {
            self.warn(flaw);
        }
    }

    fn check_time(&mut self, item: &ReadItem) {
        let ReadItem::Entry(entry) = item else {
            self.latest = Timestamp::default();
            return;
        };
        if entry.t() < self.latest && !std::mem::replace(&mut self.goes_back, true) {
            self.warn(Flaw::GoesBack);
        }
        self.latest = self.latest.max(entry.t());
    }

    fn warn(&mut self, flaw: Flaw) {
        let line = self.line;
        self.warnings.push(ReadWarning { line, flaw });
    }
}

/// Reads a line after the header. Returns None for what a later version has written.
fn item(line: &[u8]) -> Result<Option<ReadItem>, Flaw> {
    match RecordingEntry::parse(line) {
        Ok(Some(entry)) => Ok(Some(ReadItem::Entry(entry))),
        Ok(None) => {
            let header = RecordingHeader::parse(line).ok();
            Ok(header.map(|header| ReadItem::Header(Box::new(header))))
        }
        Err(error) => Err(Flaw::NotAnEntry(error)),
    }
}

/// Returns true for what a file that is cut off or overwritten brings about when it is decompressed.
fn is_damage(error: &io::Error) -> bool {
    let kinds = [
        ErrorKind::UnexpectedEof,
        ErrorKind::InvalidData,
        ErrorKind::InvalidInput,
    ];
    kinds.contains(&error.kind())
}

impl fmt::Display for ReadWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.flaw {
            Flaw::NotAnEntry(error) => write!(f, "{error}; it was skipped"),
            Flaw::TooLong(length) => write!(
                f,
                "it has {length} bytes, more than {MAX_LINE_BYTES}; it was skipped"
            ),
            Flaw::Torn => f.write_str(
                "it is not whole, since recording ended in the middle of it; it was skipped",
            ),
            Flaw::GoesBack => f.write_str(
                "its time is before that of an earlier line; lines stay in the order of the file",
            ),
            Flaw::Damaged => f.write_str(
                "the compressed file is damaged or cut off here; what comes before was read",
            ),
            Flaw::More(count) => write!(f, "{count} more lines were skipped before the end"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Empty => f.write_str("it is empty"),
            Self::Header(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read, repeat};

    use super::*;

    const HEADER: &str = r#"{"recording":"serial-ws","version":1,"port":"uno","t":1}"#;

    /// Returns the text of each entry, and the warnings.
    fn read(text: impl Read) -> (Vec<String>, Vec<String>) {
        let mut reader = RecordingReader::new(BufReader::new(text)).unwrap();
        let mut items = Vec::new();
        while let Some(item) = reader.next_item().unwrap() {
            items.push(match item {
                ReadItem::Entry(RecordingEntry::Received { bytes, .. }) => {
                    String::from_utf8_lossy(&bytes).into_owned()
                }
                ReadItem::Entry(entry) => format!("{entry:?}"),
                ReadItem::Header(header) => format!("header of {}", header.port),
            });
        }
        let warnings = reader.take_warnings();
        (items, warnings.iter().map(ToString::to_string).collect())
    }

    #[track_caller]
    fn check(lines: &str, entries: &[&str], warnings: &[&str]) {
        let (found, told) = read(Cursor::new(format!("{HEADER}\n{lines}")));
        assert_eq!(found, entries);
        assert_eq!(told.len(), warnings.len(), "{told:?}");
        for (told, warning) in told.iter().zip(warnings) {
            assert!(told.starts_with(warning), "{told}");
        }
    }

    #[test]
    fn what_is_not_known_is_ignored() {
        let lines = "{\"t\":2,\"colour\":1}\n{\"t\":2,\"rx\":\"a\",\"x\":[]}\n";
        check(lines, &["a"], &[]);
        check("", &[], &[]);
    }

    #[test]
    fn a_torn_last_line_is_skipped_unless_it_is_whole() {
        check("{\"t\":2,\"rx\":\"a\"}", &["a"], &[]);
        let torn = "{\"t\":2,\"rx\":\"a\"}\n{\"t\":3,\"rx\":\"b";
        check(torn, &["a"], &["line 3: it is not whole"]);
    }

    #[test]
    fn the_first_lines_that_are_no_entries_are_told_and_the_others_counted() {
        let lines = "x\n[1]\n{\"rx\":\"a\"}\n\u{0}\n\n{\"t\":2,\"rx\":\"b\"}\n";
        let warnings = [
            "line 2: it is no JSON object",
            "line 3: it has no time",
            "line 4: it has no time",
            "line 8: 2 more lines were skipped",
        ];
        check(lines, &["b"], &warnings);
    }

    #[test]
    fn a_time_that_goes_back_is_told_once() {
        let lines = "{\"t\":3,\"rx\":\"a\"}\n{\"t\":2,\"rx\":\"b\"}\n{\"t\":1,\"rx\":\"c\"}\n";
        check(lines, &["a", "b", "c"], &["line 3: its time is before"]);
    }

    #[test]
    fn a_recording_that_was_appended_begins_with_its_header() {
        let lines = format!("{{\"t\":9,\"rx\":\"a\"}}\n{HEADER}\n{{\"t\":2,\"rx\":\"b\"}}\n");
        check(&lines, &["a", "header of uno", "b"], &[]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped() {
        let start = Cursor::new(format!("{HEADER}\n"));
        let end = Cursor::new("\n{\"t\":2,\"rx\":\"a\"}\n");
        let text = start.chain(repeat(b'x').take(1 << 21)).chain(end);
        let (entries, warnings) = read(text);
        assert_eq!(entries, ["a"]);
        assert_eq!(
            warnings,
            ["line 2: it has 2097152 bytes, more than 1048576; it was skipped"]
        );
    }

    #[test]
    fn what_is_no_recording_is_an_error() {
        let error = |text: Vec<u8>| {
            let error = RecordingReader::new(Cursor::new(text)).err();
            error.map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(error(Vec::new()), "it is empty");
        for text in [
            "584,678\n",
            "\u{0}\u{1}\n",
            "{}",
            "{\"t\":1,\"rx\":\"a\"}\n",
        ] {
            let error = error(text.into());
            assert!(
                error.starts_with("it is no recording of serial-ws"),
                "{error}"
            );
        }
        let error = error(HEADER.replace("\"version\":1", "\"version\":2").into());
        assert!(
            error.starts_with("it is a recording of version 2"),
            "{error}"
        );
    }
}
