//! Takes events as they are published, and hands their lines over to the thread that writes.

use std::path::{PathBuf, absolute};
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::SaverConfig;
use super::entry::{LineFormat, SavedEntry};
use super::file::SaverFiles;
use crate::hub::{
    Hub, Kind, OutputReporter, OutputState, Received, Start, StreamItem, SubscriberKind,
    Subscription, Timestamp,
};
use crate::output::disk::queue::DiskQueue;
use crate::output::disk::report::{Report, ReportedOutput};
use crate::output::disk::thread::{self, StartMode};
use crate::output::disk::writer::{DiskWriter, EntryFormat, FileLimits};
use crate::platform::ReopenSignal;

/// The words in which saved lines are reported.
const OUTPUT: ReportedOutput = ReportedOutput {
    doing: "saving",
    done: "saved",
};

/// Saves the lines of a port.
pub(crate) struct Saver {
    port: String,
    folder: PathBuf,
    writer: DiskWriter<SaverFiles, LineFormat>,
    reopening: ReopenSignal,
    lines: LineTaker,
}

/// Takes the lines of a port, and hands them over.
struct LineTaker {
    subscription: Subscription,
    queue: Arc<DiskQueue<SavedEntry>>,
    reporter: Arc<OutputReporter>,
    /// The time of the last line.
    last: Option<Timestamp>,
}

impl Saver {
    /// Opens the file for what comes from now on.
    ///
    /// # Errors
    /// If it cannot be written, in words for people.
    pub(crate) fn open(config: &SaverConfig, port: &str, hub: &Arc<Hub>) -> Result<Self, String> {
        let files = SaverFiles::open(config)?;
        let limits = FileLimits {
            size: config.size.unwrap_or(u64::MAX),
            reserve: config.reserve,
        };
        let name = config.path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let folder = config.folder();
        let kind = SubscriberKind::Output {
            backpressure: false,
        };
        Ok(Self {
            port: port.to_owned(),
            folder: absolute(folder).unwrap_or_else(|_| folder.to_owned()),
            writer: DiskWriter::new(files, limits, LineFormat(config.timestamps)),
            reopening: ReopenSignal::listen()?,
            lines: LineTaker {
                subscription: hub.subscribe(kind, Start::Live).of(StreamItem::Line),
                queue: Arc::default(),
                reporter: hub.add_output("save", name, OutputState::Off),
                last: None,
            },
        })
    }

    /// Saves lines until the port is removed or the program stops.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self {
            port,
            folder,
            writer,
            mut reopening,
            mut lines,
        } = self;
        let report = Report::new(&OUTPUT, (&port, &folder), Arc::clone(&lines.reporter));
        let queue = Arc::clone(&lines.queue);
        let written = thread::start(writer, queue, StartMode::WhenPossible, report).await;
        let written = match written {
            Ok(written) => written,
            Err(why) => return tracing::warn!(port, "{why}"),
        };
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = reopening.received() => lines.queue.reopen(),
                () = lines.subscription.ready() => lines.take_ready(),
            }
        }
        lines.take_ready();
        lines.queue.end();
        // The thread tells it or is gone.
        let _ = written.await;
        lines.reporter.set(OutputState::Off);
    }
}

impl LineTaker {
    fn take_ready(&mut self) {
        while let Some(received) = self.subscription.next(Instant::now()) {
            let entry = match received {
                Received::Event(taken) => match &taken.event.kind {
                    Kind::Data(data) => {
                        let times = self.times(taken.event.at);
                        SavedEntry::lines(data, taken.had.line, times)
                    }
                    Kind::Status(_) | Kind::Written(_) | Kind::Note(_) => None,
                },
                Received::Missed(missed) if missed.line > 0 => {
                    let times = self.times(Timestamp::now());
                    self.reporter.missed(missed.offset);
                    Some(SavedEntry::missed(missed.line, times))
                }
                Received::Missed(_) | Received::Restarted => None,
            };
            if let Some(entry) = entry {
                self.push(entry);
            }
        }
    }

    /// Returns the time of the line before one of this time, and that time.
    fn times(&self, t: Timestamp) -> (Timestamp, Timestamp) {
        (self.last.unwrap_or(t), t)
    }

    fn push(&mut self, entry: SavedEntry) {
        self.last = Some(entry.time());
        let bytes = LineFormat::data_bytes(&entry);
        if !self.queue.push(entry) {
            self.reporter.missed(bytes);
        }
    }
}
