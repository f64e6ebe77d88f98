//! The thread that writes a recording, and tells the port's clients how it goes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::RecorderConfig;
use super::housekeeping::{Housekeeping, KeptRecordings};
use super::queue::RecordingQueue;
use super::segment_writer::{SegmentLimits, SegmentWriter};
use super::storage::{DiskStorage, Storage};
use crate::hub::{Hub, OutputReporter, OutputState, RecordingStatus};
use crate::platform::reason;
use crate::recording::{RecordingEntry, RecordingHeader};

/// The longest time without a look at anything.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// The way to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartMode {
    /// Fails if nothing can be written now.
    NowOrNever,
    /// Tries again from time to time.
    WhenPossible,
}

/// Starts the thread. Returns, once the first file is there, what tells that all is written.
///
/// # Errors
/// If that file cannot be written, in words for people.
pub(super) async fn start(
    config: &RecorderConfig,
    header: RecordingHeader,
    begin: StartMode,
    (queue, told): (Arc<RecordingQueue>, (Arc<Hub>, Arc<OutputReporter>)),
) -> Result<oneshot::Receiver<()>, String> {
    let no_thread = |error| {
        format!(
            "cannot record: no thread can be started: {}",
            reason(&error)
        )
    };
    let kept = KeptRecordings {
        folder: config.folder.clone(),
        port: header.port.clone(),
        keep: config.keep,
    };
    let housekeeping = Housekeeping::start(kept).map_err(no_thread)?;
    let storage = DiskStorage::new(&config.folder, &header.port, housekeeping);
    let limits = SegmentLimits {
        segment: config.segment,
        reserve: config.reserve,
    };
    let mut report = Report::new(config, &header, told);
    let mut writer = SegmentWriter::new(storage, limits, header);
    let (begun, beginning) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let thread = thread::Builder::new().name("recorder".to_owned());
    let run = move || {
        let outcome = writer.begin(Instant::now());
        let goes_on = outcome.is_ok() || begin == StartMode::WhenPossible;
        let outcome = outcome.or_else(|why| if goes_on { Ok(()) } else { Err(why) });
        if goes_on {
            // Whoever asked for it is answered when the status tells it.
            report.update(&writer);
        }
        if begun.send(outcome).is_ok() && goes_on {
            run(writer, &queue, report);
        }
        let _ = ended.send(());
    };
    thread.spawn(run).map_err(no_thread)?;
    beginning
        .await
        .map_err(|_| "cannot record: the thread that writes has ended")??;
    Ok(end)
}

fn run<S: Storage>(mut writer: SegmentWriter<S>, queue: &RecordingQueue, mut report: Report) {
    let mut entries = VecDeque::new();
    loop {
        let due = [writer.retry_at(), writer.sync_due()].into_iter().flatten();
        let due = due.min().unwrap_or_else(|| Instant::now() + MAX_WAIT);
        // While the disk takes nothing, the queue keeps what comes, and counts what it cannot.
        let has_ended = match writer.retry_at() {
            Some(_) => queue.wait_for_end(due),
            None => queue.take(&mut entries, due),
        };
        if has_ended {
            break;
        }
        writer.write(&mut entries, Instant::now());
        writer.sync_if_due(Instant::now());
        report.update(&writer);
    }
    queue.take(&mut entries, Instant::now());
    writer.end(&mut entries, Instant::now());
    report.end(&writer, &entries);
}

/// Tells how a recording goes.
struct Report {
    port: String,
    folder: String,
    hub: Arc<Hub>,
    reporter: Arc<OutputReporter>,
    last: RecordingStatus,
    bytes: Arc<AtomicU64>,
}

impl Report {
    fn new(
        config: &RecorderConfig,
        header: &RecordingHeader,
        (hub, reporter): (Arc<Hub>, Arc<OutputReporter>),
    ) -> Self {
        let bytes = Arc::<AtomicU64>::default();
        Self {
            port: header.port.clone(),
            folder: config.folder.display().to_string(),
            hub,
            reporter,
            last: RecordingStatus {
                file: String::new(),
                since: header.t,
                problem: String::new(),
                bytes: Arc::clone(&bytes),
            },
            bytes,
        }
    }

    /// Tells what has changed.
    fn update<S: Storage>(&mut self, writer: &SegmentWriter<S>) {
        self.count(writer);
        let file = writer.file_name().unwrap_or(&self.last.file);
        let problem = writer.problem();
        if file == self.last.file && problem == self.last.problem {
            return;
        }
        let (port, folder) = (&self.port, &self.folder);
        if problem != self.last.problem {
            match problem {
                "" => tracing::info!(port, "recording goes on to {folder}"),
                why => tracing::warn!(port, "recording pauses: {why}"),
            }
        } else if self.last.file.is_empty() {
            tracing::info!(port, "recording to {file} in {folder}");
        }
        self.last.file = file.to_owned();
        self.last.problem = problem.to_owned();
        self.reporter.note(match problem {
            "" => OutputState::Open,
            why => OutputState::Waiting(why.into()),
        });
        self.hub.set_recording(Some(self.last.clone()));
    }

    /// Counts what was written.
    fn count<S: Storage>(&self, writer: &SegmentWriter<S>) {
        let before = self.bytes.swap(writer.written(), Ordering::Relaxed);
        self.reporter.sent((writer.written() - before) as usize);
    }

    /// Tells that the recording is over.
    fn end<S: Storage>(&self, writer: &SegmentWriter<S>, lost: &VecDeque<RecordingEntry>) {
        self.count(writer);
        let port = &self.port;
        if lost.is_empty() && writer.problem().is_empty() {
            tracing::info!(port, "recorded {} bytes", writer.written());
            return;
        }
        let bytes: usize = lost.iter().map(RecordingEntry::data_bytes).sum();
        self.reporter.missed(bytes as u64);
        let why = writer.problem();
        tracing::warn!(port, "{bytes} bytes could not be recorded: {why}");
    }
}
