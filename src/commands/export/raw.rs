//! `--raw`: the bytes exactly.

use std::io::{self, Write};

use super::ExportFormat;
use crate::recording::{RecordingEntry, RecordingHeader};

/// Prints bytes.
pub(super) struct Raw;

impl ExportFormat for Raw {
    fn file(&mut self, _: &RecordingHeader, _: bool, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn entry(&mut self, entry: &RecordingEntry, out: &mut dyn Write) -> io::Result<()> {
        match entry {
            RecordingEntry::Received { bytes, .. } | RecordingEntry::Sent { bytes, .. } => {
                out.write_all(bytes)
            }
            _ => Ok(()),
        }
    }
}
