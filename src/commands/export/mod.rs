//! `serial-ws export`: prints a recording in a form that other programs read. It needs the same memory
//! for a recording of any length.

mod csv;
mod jsonl;
mod place;
mod progress;
mod raw;
mod received_lines;
mod text;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueHint};

use crate::commands::wrong_usage;
use crate::config::value::{Setting, SettingValue};
use crate::hub::Timestamp;
use crate::platform;
use crate::port::is_name;
use crate::port::source::play::files::{RecordedFile, RecordedFiles};
use crate::port::source::play::sequence::{RecordingSequence, SequenceItem};
use crate::recording::{RecordingEntry, RecordingHeader};
use place::{Range, RangeEnd};
use progress::ProgressBar;
use serde::Serialize;

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Arguments of `serial-ws export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// Recordings, or folders of them; compressed ones too
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    files: Vec<PathBuf>,
    /// Print each line with its time, and changes of the port as comments (in force without another
    /// form)
    #[arg(long, group = "form")]
    text: bool,
    /// Print a table with a row for each line with numbers and a column for each name
    #[arg(long, group = "form")]
    csv: bool,
    /// Print the bytes exactly
    #[arg(long, group = "form")]
    raw: bool,
    /// Print a recording again, such as a part of it
    #[arg(long, group = "form")]
    jsonl: bool,
    /// Place to begin at: the time since the beginning, such as 90s, or a date and time, such as
    /// 2026-12-01T10:11:41
    #[arg(long, value_name = "TIME")]
    from: Option<RangeEnd>,
    /// Place to end before
    #[arg(long, value_name = "TIME")]
    to: Option<RangeEnd>,
    /// Port of which recordings are taken, where they are of several [default: that of the first file]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    port: Option<String>,
    /// Direction to print: rx is what the device sent, tx what it was sent
    /// [default: both with --text and --jsonl, otherwise rx]
    #[arg(long, value_name = "DIRECTION")]
    direction: Option<Setting<Direction>>,
}

const EXAMPLES: &str = "\
Examples:
  serial-ws export --csv lesson.jsonl > lesson.csv
  serial-ws export --raw recordings/ | sha256sum
  serial-ws export --jsonl --from 2m --to 3m day.jsonl.gz > minute.jsonl";

/// The directions to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    /// From the device.
    Rx,
    /// To the device.
    Tx,
    /// Both.
    Both,
}

impl SettingValue for Direction {
    const CHOICES: &'static [(&'static str, &'static str)] = &[
        ("rx", "what the device sent"),
        ("tx", "what it was sent"),
        ("both", "both"),
    ];

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "rx" => Ok(Self::Rx),
            "tx" => Ok(Self::Tx),
            "both" => Ok(Self::Both),
            _ => Err("expected rx, tx or both".to_owned()),
        }
    }
}

/// A form in which a recording is printed.
trait ExportFormat {
    /// Takes the beginning of a file. If it `joins`, it goes on exactly where the one before ended.
    fn file(
        &mut self,
        header: &RecordingHeader,
        joins: bool,
        out: &mut dyn Write,
    ) -> io::Result<()>;

    /// Takes an entry of the directions that are wanted.
    fn entry(&mut self, entry: &RecordingEntry, out: &mut dyn Write) -> io::Result<()>;

    /// Takes the end.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let _ = out;
        Ok(())
    }
}

/// Prints recordings to standard output.
///
/// # Errors
/// When a recording cannot be read, or nothing can be written.
pub(crate) fn run(args: &ExportArgs) -> Result<ExitCode> {
    let direction = args.direction()?;
    let found =
        RecordedFiles::find(&args.files, args.port.as_deref()).map_err(|why| anyhow!(why))?;
    for remark in &found.remarks {
        tracing::warn!("{remark}");
    }
    let is_read_twice = args.csv;
    let bytes = found.bytes() * if is_read_twice { 2 } else { 1 };
    let mut export = Export {
        files: found.files.into(),
        range: Range::new(args.from, args.to),
        direction,
        progress: ProgressBar::new(bytes),
        warns: true,
    };
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let outcome = export.print(args, &mut out);
    export.progress.end();
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(ExportError::Output(error)) if platform::is_reader_gone(&error) => {
            // Dropping it would try to write once more.
            let _ = out.into_parts();
            Ok(ExitCode::SUCCESS)
        }
        Err(ExportError::Output(error)) => Err(error).context("cannot write the output"),
        Err(ExportError::Input(why)) => Err(anyhow!(why)),
    }
}

/// The reason why printing ended early.
enum ExportError {
    /// A file cannot be read.
    Input(String),
    /// Nothing can be written.
    Output(io::Error),
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<String> for ExportError {
    fn from(why: String) -> Self {
        Self::Input(why)
    }
}

/// An export: the files, and the part of them that is printed.
struct Export {
    files: Arc<[RecordedFile]>,
    range: Range,
    direction: Direction,
    progress: ProgressBar,
    /// True for the first pass.
    warns: bool,
}

impl Export {
    fn print(&mut self, args: &ExportArgs, out: &mut dyn Write) -> Result<(), ExportError> {
        if args.csv {
            let mut columns = csv::Columns::default();
            self.pass(&mut columns, &mut io::sink())?;
            self.warns = false;
            let mut rows = csv::Rows::new(columns);
            self.pass(&mut rows, out)?;
        } else if args.raw {
            self.pass(&mut raw::Raw, out)?;
        } else if args.jsonl {
            self.pass(&mut jsonl::JsonLines::default(), out)?;
        } else {
            let is_terminal = io::stdout().is_terminal();
            self.pass(&mut text::Text::new(is_terminal), out)?;
        }
        Ok(out.flush()?)
    }

    /// Goes through all files once.
    fn pass(
        &mut self,
        format: &mut dyn ExportFormat,
        out: &mut dyn Write,
    ) -> Result<(), ExportError> {
        let mut sequence = RecordingSequence::new(Arc::clone(&self.files));
        let mut prelude = Prelude::default();
        let done = self.progress.done();
        loop {
            let item = sequence.next_item();
            self.progress.show(done + sequence.bytes_read());
            let warnings = sequence.take_warnings().into_iter();
            for warning in warnings.filter(|_| self.warns) {
                self.progress.clear();
                tracing::warn!("{warning}");
            }
            let Some((position, item)) = item? else {
                break;
            };
            match item {
                SequenceItem::File { header, joins, .. } => {
                    prelude.file(*header, joins, format, out)?;
                }
                SequenceItem::Entry(entry) => {
                    if self.range.is_over(position, entry.t()) {
                        break;
                    }
                    if !self.range.has_begun(position, entry.t()) {
                        prelude.skip(entry);
                        continue;
                    }
                    let start = self.range.start(position, entry.t());
                    prelude.begin(start, format, out)?;
                    if self.direction.includes(&entry) {
                        format.entry(&entry, out)?;
                    }
                }
            }
        }
        self.progress.finish(done + sequence.bytes_read());
        Ok(format.end(out)?)
    }
}

/// The state of the port before the first entry that is printed.
#[derive(Default)]
struct Prelude {
    /// The header of the file, moved to where printing begins.
    header: Option<RecordingHeader>,
    status: Option<RecordingEntry>,
    has_begun: bool,
}

impl Prelude {
    fn file(
        &mut self,
        header: RecordingHeader,
        joins: bool,
        format: &mut dyn ExportFormat,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if self.has_begun {
            return format.file(&header, joins, out);
        }
        if !joins {
            self.status = None;
        }
        self.header = Some(header);
        Ok(())
    }

    /// Takes an entry that is not printed.
    fn skip(&mut self, entry: RecordingEntry) {
        if let Some(header) = &mut self.header {
            header.offset += match &entry {
                RecordingEntry::Received { bytes, .. } => bytes.len() as u64,
                RecordingEntry::Missed { received, .. } => *received,
                _ => 0,
            };
        }
        if matches!(entry, RecordingEntry::Status { .. }) {
            self.status = Some(entry);
        }
    }

    /// Takes the first entry that is printed. A part that does not begin with the recording begins at
    /// `start`, with the status that the port had then.
    fn begin(
        &mut self,
        start: Option<Timestamp>,
        format: &mut dyn ExportFormat,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        if let Some(mut header) = self.header.take() {
            header.t = start.unwrap_or(header.t);
            format.file(&header, false, out)?;
        }
        match (self.status.take(), start) {
            (Some(mut status), Some(start)) => {
                if let RecordingEntry::Status { t, .. } = &mut status {
                    *t = start;
                }
                format.entry(&status, out)
            }
            _ => Ok(()),
        }
    }
}

impl Direction {
    fn includes(self, entry: &RecordingEntry) -> bool {
        match entry {
            RecordingEntry::Received { .. } => self != Self::Tx,
            RecordingEntry::Sent { .. } => self != Self::Rx,
            _ => true,
        }
    }
}

impl ExportArgs {
    /// Returns the directions to print.
    fn direction(&self) -> Result<Direction> {
        let is_of_one = self.raw || self.csv;
        match self.direction.map(|direction| direction.value) {
            Some(Direction::Both) if is_of_one => {
                let form = if self.raw { "--raw" } else { "--csv" };
                let why = format!("{form} prints one direction: --direction rx or --direction tx");
                Err(wrong_usage(anyhow!(why)))
            }
            Some(direction) => Ok(direction),
            None if is_of_one => Ok(Direction::Rx),
            None => Ok(Direction::Both),
        }
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    let is_right = is_name(text);
    is_right
        .then(|| text.to_owned())
        .ok_or_else(|| "expected the name of a port".to_owned())
}
