//! `--text`: each line with its time, for people and `grep`.

use std::io::{self, Write};

use super::ExportFormat;
use super::received_lines::ReceivedLines;
use crate::hub::{Frame, Timestamp};
use crate::platform;
use crate::recording::{RecordingEntry, RecordingHeader};
use crate::terminal::safe_line;

/// Prints lines with their times: `>` stands before what was sent to the device, `#` before what is no
/// data.
pub(super) struct Text {
    received: ReceivedLines,
    sent: ReceivedLines,
    /// The time of the last entry, for what is left unfinished.
    last: Timestamp,
    /// True if control characters are escaped.
    is_terminal: bool,
}

impl Text {
    /// Prints to a terminal or not.
    pub(super) fn new(is_terminal: bool) -> Self {
        Self {
            received: ReceivedLines::new(),
            sent: ReceivedLines::new(),
            last: Timestamp::default(),
            is_terminal,
        }
    }

    /// Ends the lines that have begun by `cut`, which gets each direction.
    fn cut(
        &mut self,
        out: &mut dyn Write,
        cut: impl Fn(&mut ReceivedLines, &mut dyn FnMut(Frame<'_>)),
    ) -> io::Result<()> {
        let (t, is_terminal) = (self.last, self.is_terminal);
        for (lines, mark) in [(&mut self.received, ""), (&mut self.sent, "> ")] {
            let mut rows = Vec::new();
            cut(lines, &mut |frame| {
                add_row(&mut rows, t, mark, frame.bytes, is_terminal)
            });
            out.write_all(&rows)?;
        }
        Ok(())
    }

    fn remark(&self, t: Timestamp, text: &str, out: &mut dyn Write) -> io::Result<()> {
        let mut row = Vec::new();
        add_row(&mut row, t, "# ", text.as_bytes(), self.is_terminal);
        out.write_all(&row)
    }
}

impl ExportFormat for Text {
    fn file(
        &mut self,
        header: &RecordingHeader,
        joins: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.cut(out, |lines, each| lines.file(header, joins, each))?;
        if joins {
            return Ok(());
        }
        self.last = header.t;
        let place = header.path.as_deref().map(|path| format!(" ({path})"));
        let text = format!("recording of {}{}", header.port, place.unwrap_or_default());
        self.remark(header.t, &text, out)
    }

    fn entry(&mut self, entry: &RecordingEntry, out: &mut dyn Write) -> io::Result<()> {
        self.cut(out, |lines, each| lines.part(entry, each))?;
        let t = entry.t();
        self.last = t;
        let is_terminal = self.is_terminal;
        let mut rows = Vec::new();
        match entry {
            RecordingEntry::Received { bytes, .. } => self.received.push(bytes, &mut |frame| {
                add_row(&mut rows, t, "", frame.bytes, is_terminal);
            }),
            RecordingEntry::Sent { bytes, .. } => self.sent.push(bytes, &mut |frame| {
                add_row(&mut rows, t, "> ", frame.bytes, is_terminal);
            }),
            RecordingEntry::Status { state, detail, .. } => {
                self.remark(t, &format!("{state}: {detail}"), out)?;
            }
            RecordingEntry::Missed { received, sent, .. } => {
                let text = format!("missed {received} bytes from the device and {sent} for it");
                self.remark(t, &text, out)?;
            }
            RecordingEntry::Note { text, .. } => self.remark(t, &format!("note: {text}"), out)?,
        }
        out.write_all(&rows)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.cut(out, |lines, each| lines.cut(each))
    }
}

/// Returns a time as this computer's clock shows it.
pub(super) fn shown_time(t: Timestamp) -> String {
    platform::local_time(t.0).unwrap_or_else(|| t.to_string())
}

fn add_row(rows: &mut Vec<u8>, t: Timestamp, mark: &str, text: &[u8], is_terminal: bool) {
    let text = String::from_utf8_lossy(text);
    let text = if is_terminal {
        safe_line(&text)
    } else {
        text.replace('\n', " ")
    };
    rows.extend_from_slice(format!("{} {mark}{text}\n", shown_time(t)).as_bytes());
}
