//! Tells how an output goes that is written to the disk: in the log, and in the status of the port.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::writer::{DiskWriter, EntryFormat, Storage};
use crate::hub::{Hub, OutputReporter, OutputState, RecordingStatus, Timestamp};

/// The words for an output in the log.
pub(in crate::output) struct ReportedOutput {
    /// The name of its work, such as `recording`.
    pub(in crate::output) doing: &'static str,
    /// The same when it is over.
    pub(in crate::output) done: &'static str,
}

/// Tells how one output goes.
pub(in crate::output) struct Report {
    output: &'static ReportedOutput,
    port: String,
    folder: String,
    reporter: Arc<OutputReporter>,
    /// The place where everybody is told of the recording, if it is one.
    recording: Option<(Arc<Hub>, RecordingStatus)>,
    file: String,
    problem: String,
    /// Bytes that were written.
    bytes: Arc<AtomicU64>,
}

impl Report {
    /// The report of what is written to `folder`.
    pub(in crate::output) fn new(
        output: &'static ReportedOutput,
        (port, folder): (&str, &Path),
        reporter: Arc<OutputReporter>,
    ) -> Self {
        Self {
            output,
            port: port.to_owned(),
            folder: folder.display().to_string(),
            reporter,
            recording: None,
            file: String::new(),
            problem: String::new(),
            bytes: Arc::default(),
        }
    }

    /// The same of a recording that begins at `since`.
    pub(in crate::output) fn of_recording(self, since: Timestamp, hub: Arc<Hub>) -> Self {
        let status = RecordingStatus {
            file: String::new(),
            since,
            problem: String::new(),
            bytes: Arc::clone(&self.bytes),
        };
        let recording = Some((hub, status));
        Self { recording, ..self }
    }

    /// Returns what the output does.
    pub(super) fn doing(&self) -> &'static str {
        self.output.doing
    }

    /// Tells what has changed.
    pub(super) fn update<S: Storage, F: EntryFormat>(&mut self, writer: &DiskWriter<S, F>) {
        self.count(writer);
        let file = writer.file_name().unwrap_or(&self.file);
        let problem = writer.problem();
        if file == self.file && problem == self.problem {
            return;
        }
        let (port, folder, doing) = (&self.port, &self.folder, self.output.doing);
        if problem != self.problem {
            match problem {
                "" => tracing::info!(port, "{doing} goes on to {folder}"),
                why => tracing::warn!(port, "{doing} pauses: {why}"),
            }
        } else if self.file.is_empty() {
            tracing::info!(port, "{doing} to {file} in {folder}");
        }
        self.file = file.to_owned();
        self.problem = problem.to_owned();
        self.tell();
    }

    /// Tells everybody.
    fn tell(&mut self) {
        let state = match &*self.problem {
            "" => OutputState::Open,
            why => OutputState::Waiting(why.into()),
        };
        let Some((hub, status)) = &mut self.recording else {
            return self.reporter.set(state);
        };
        self.reporter.note(state);
        status.file.clone_from(&self.file);
        status.problem.clone_from(&self.problem);
        hub.set_recording(Some(status.clone()));
    }

    /// Counts what was written.
    fn count<S: Storage, F: EntryFormat>(&self, writer: &DiskWriter<S, F>) {
        let before = self.bytes.swap(writer.written(), Ordering::Relaxed);
        self.reporter.sent((writer.written() - before) as usize);
    }

    /// Tells that the output is over, and what of it was `lost`.
    pub(super) fn end<S: Storage, F: EntryFormat>(
        &self,
        writer: &DiskWriter<S, F>,
        lost: &VecDeque<F::Entry>,
    ) {
        self.count(writer);
        let (port, done) = (&self.port, self.output.done);
        if lost.is_empty() && writer.problem().is_empty() {
            tracing::info!(port, "{done} {} bytes", writer.written());
            return;
        }
        let bytes = lost.iter().map(F::data_bytes).sum();
        self.reporter.missed(bytes);
        let why = writer.problem();
        tracing::warn!(port, "{bytes} bytes could not be {done}: {why}");
    }
}
