//! One recording of a port: takes events as they are published, makes entries of them, and hands those
//! to the thread that writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::RecorderConfig;
use super::folder::RecordingFolder;
use super::format::RecordingFormat;
use super::housekeeping::{Housekeeping, KeptRecordings};
use crate::hub::{
    Hub, Kind, OutputReporter, OutputState, Received, Start, Status, StreamItem, SubscriberKind,
    Subscription, Taken, Timestamp, Unit,
};
use crate::output::disk::queue::DiskQueue;
use crate::output::disk::report::{Report, ReportedOutput};
use crate::output::disk::thread::{self, StartMode};
use crate::output::disk::writer::{DiskWriter, FileLimits};
use crate::recording::{EntryAssembler, MAX_ENTRY_TIME, RecordingEntry, RecordingHeader};

/// The words in which recordings are reported.
const OUTPUT: ReportedOutput = ReportedOutput {
    doing: "recording",
    done: "recorded",
};

/// The answer to a remark for which there is no room.
const TOO_SLOW: &str = "the disk is too slow: the note was not recorded";

/// A recording that runs.
pub(super) struct RecordingSession {
    subscription: Subscription,
    assembler: EntryAssembler,
    queue: Arc<DiskQueue<RecordingEntry>>,
    /// Told when the thread has written everything.
    written: oneshot::Receiver<()>,
    hub: Arc<Hub>,
    reporter: Arc<OutputReporter>,
    /// True once another serial-ws that counts the stream has begun to count anew.
    has_restarted: bool,
}

impl RecordingSession {
    /// Starts recording with what history has kept of what comes after `recorded` bytes of the stream.
    ///
    /// # Errors
    /// If it cannot be written, in words for people.
    pub(super) async fn start(
        config: &RecorderConfig,
        (port, run): (&str, &str),
        (hub, reporter): (&Arc<Hub>, &Arc<OutputReporter>),
        (recorded, begin): (u64, StartMode),
    ) -> Result<Self, String> {
        let kind = SubscriberKind::Output {
            backpressure: false,
        };
        let start = match recorded {
            0 => Start::Last(StreamItem::Byte, u64::MAX),
            recorded => Start::After(Unit::Bytes, recorded),
        };
        let mut subscription = hub.subscribe(kind, start).with_written();
        let status = subscription.status();
        let assembler = EntryAssembler::new(config.line_end).after_header_of(&status);
        let mut first = subscription.next(Instant::now());
        // What history no longer has comes before the recording.
        first.take_if(|first| matches!(first, Received::Missed(_)));
        subscription.take_missed_written();
        let (offset, t) = match &first {
            Some(Received::Event(taken)) => {
                let Taken { event, had } = taken;
                (event.before.offset + had.offset, event.at)
            }
            _ => (subscription.position().offset, Timestamp::now()),
        };
        let upstream = hub.upstream_run();
        let run = upstream.map_or_else(|| run.to_owned(), |run| run.name.clone());
        let header = header(port, run, &status, (offset, t));
        let queue = Arc::<DiskQueue<_>>::default();
        let report = Report::new(&OUTPUT, (port, &config.folder), Arc::clone(reporter));
        let report = report.of_recording(header.t, Arc::clone(hub));
        let writer = writer(config, header)?;
        let written = thread::start(writer, Arc::clone(&queue), begin, report).await?;
        let mut session = Self {
            subscription,
            assembler,
            queue,
            written,
            hub: Arc::clone(hub),
            reporter: Arc::clone(reporter),
            has_restarted: false,
        };
        if let Some(first) = &first {
            session.take(first);
        }
        session.take_ready();
        let now = Timestamp::now();
        session
            .assembler
            .status(now, &session.subscription.status());
        session.hand_over();
        Ok(session)
    }

    /// Takes what comes next, and hands over what is complete. Returns true if the stream has begun to
    /// be counted anew, so that another recording has to begin.
    pub(super) async fn advance(&mut self) -> bool {
        let due = self.assembler.due();
        match due {
            None => self.subscription.ready().await,
            Some(due) => {
                // The clock may have been set back meanwhile.
                let left = due.0.saturating_sub(Timestamp::now().0);
                let left = Duration::from_micros(left).min(MAX_ENTRY_TIME);
                let is_over = tokio::select! {
                    biased;
                    () = self.subscription.ready() => false,
                    () = sleep(left) => true,
                };
                if is_over {
                    self.assembler.pass(due);
                }
            }
        }
        self.take_ready();
        self.hand_over();
        self.has_restarted
    }

    /// Adds a remark.
    ///
    /// # Errors
    /// If the disk is too slow to take it.
    pub(super) fn note(&mut self, now: Timestamp, text: String) -> Result<(), String> {
        self.take_ready();
        self.assembler.note(now, text);
        if self.hand_over() {
            Ok(())
        } else {
            Err(TOO_SLOW.to_owned())
        }
    }

    /// Ends the recording, once everything up to now is written. Returns the offset in the stream up
    /// to which it goes.
    pub(super) async fn end(mut self) -> u64 {
        self.take_ready();
        self.assembler.end();
        self.hand_over();
        self.queue.end();
        // The thread tells it or is gone.
        let _ = self.written.await;
        self.reporter.note(OutputState::Off);
        self.hub.set_recording(None);
        self.subscription.position().offset
    }

    fn take_ready(&mut self) {
        while !self.has_restarted
            && let Some(received) = self.subscription.next(Instant::now())
        {
            self.take(&received);
            self.has_restarted = matches!(received, Received::Restarted);
        }
    }

    /// Hands over the entries that are complete. Returns false if there was no room.
    fn hand_over(&mut self) -> bool {
        let mut had_room = true;
        while let Some(entry) = self.assembler.pop() {
            let bytes = entry.data_bytes() as u64;
            if !self.queue.push(entry) {
                had_room = false;
                self.reporter.missed(bytes);
            }
        }
        had_room
    }

    fn take(&mut self, received: &Received) {
        let assembler = &mut self.assembler;
        match received {
            Received::Event(taken) => {
                let event = &taken.event;
                match &event.kind {
                    Kind::Data(data) => {
                        let had = (taken.had.offset as usize).min(data.chunk.len());
                        assembler.received(event.at, &data.chunk[had..]);
                    }
                    Kind::Status(status) => assembler.status(event.at, status),
                    Kind::Written(written) => {
                        assembler.sent(event.at, written.client, &written.bytes);
                    }
                    Kind::Note(text) => assembler.note(event.at, text.clone()),
                }
            }
            Received::Restarted => {}
            Received::Missed(missed) => {
                let sent = self.subscription.take_missed_written();
                // Where only statuses were skipped, nothing is missing.
                if missed.offset + sent > 0 {
                    self.reporter.missed(missed.offset + sent);
                    assembler.missed(Timestamp::now(), missed.offset, sent);
                }
            }
        }
    }
}

/// Returns what writes the files of a recording.
fn writer(
    config: &RecorderConfig,
    header: RecordingHeader,
) -> Result<DiskWriter<RecordingFolder, RecordingFormat>, String> {
    let kept = KeptRecordings {
        folder: config.folder.clone(),
        port: header.port.clone(),
        keep: config.keep,
    };
    let housekeeping = Housekeeping::start(kept);
    let housekeeping = housekeeping.map_err(|error| thread::no_thread(OUTPUT.doing, &error))?;
    let folder = RecordingFolder::new(&config.folder, &header.port, housekeeping);
    let limits = FileLimits {
        size: config.segment,
        reserve: config.reserve,
    };
    Ok(DiskWriter::new(folder, limits, RecordingFormat { header }))
}

/// Returns the header of a recording that begins at this offset of the stream, and at this time.
fn header(
    port: &str,
    run: String,
    status: &Status,
    (offset, t): (u64, Timestamp),
) -> RecordingHeader {
    let device = status.device.as_deref().cloned();
    RecordingHeader {
        run,
        port: port.to_owned(),
        path: device.as_ref().map(|device| device.path.clone()),
        board: device.as_ref().and_then(|device| device.board.clone()),
        usb: device.and_then(|device| device.usb),
        settings: status.settings.to_json(),
        offset,
        t,
    }
}
