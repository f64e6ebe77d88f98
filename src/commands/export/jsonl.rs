//! `--jsonl`: a recording again, in one file: of several files, of a part, or of one direction.

use std::io::{self, Write};

use super::ExportFormat;
use crate::recording::{RecordingEntry, RecordingHeader};

/// Prints a recording.
#[derive(Default)]
pub(super) struct JsonLines {
    line: Vec<u8>,
}

impl ExportFormat for JsonLines {
    fn file(
        &mut self,
        header: &RecordingHeader,
        joins: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if joins {
            return Ok(());
        }
        self.line.clear();
        header.write(&mut self.line);
        out.write_all(&self.line)
    }

    fn entry(&mut self, entry: &RecordingEntry, out: &mut dyn Write) -> io::Result<()> {
        self.line.clear();
        entry.write(&mut self.line);
        out.write_all(&self.line)
    }
}
