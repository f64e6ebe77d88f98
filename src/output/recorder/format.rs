//! The text of a recording's files, and what is left of entries for which there was no room.

use crate::hub::Timestamp;
use crate::output::disk::queue::QueueEntry;
use crate::output::disk::writer::EntryFormat;
use crate::recording::{RecordingEntry, RecordingHeader};

/// Writes the entries of one recording, and keeps the header of a file that would begin now.
pub(in crate::output) struct RecordingFormat {
    /// That header.
    pub(in crate::output) header: RecordingHeader,
}

/// The bytes that were left out.
#[derive(Default)]
pub(in crate::output) struct RecordingGap {
    t: Timestamp,
    received: u64,
    sent: u64,
    /// The last status.
    status: Option<RecordingEntry>,
}

impl EntryFormat for RecordingFormat {
    type Entry = RecordingEntry;

    fn begin_before(&mut self, entry: &RecordingEntry) {
        self.header.t = first_byte_time(entry);
    }

    fn start(&self) -> Timestamp {
        self.header.t
    }

    fn write_header(&self, text: &mut Vec<u8>) {
        self.header.write(text);
    }

    fn write(&self, entry: &RecordingEntry, text: &mut Vec<u8>) {
        entry.write(text);
    }

    fn written(&mut self, entry: &RecordingEntry) {
        let header = &mut self.header;
        match entry {
            RecordingEntry::Received { bytes, .. } => header.offset += bytes.len() as u64,
            RecordingEntry::Missed { received, .. } => header.offset += received,
            RecordingEntry::Status {
                settings, device, ..
            } => {
                if let Some(settings) = settings {
                    header.settings.clone_from(settings);
                }
                if let Some(device) = device {
                    header.path = Some(device.path.clone());
                    header.board.clone_from(&device.board);
                    header.usb.clone_from(&device.usb);
                }
            }
            RecordingEntry::Sent { .. } | RecordingEntry::Note { .. } => {}
        }
    }

    fn data_bytes(entry: &RecordingEntry) -> u64 {
        entry.data_bytes() as u64
    }
}

/// Returns the time of the first byte of an entry.
fn first_byte_time(entry: &RecordingEntry) -> Timestamp {
    let (t, d) = match entry {
        RecordingEntry::Received { t, d, .. } | RecordingEntry::Sent { t, d, .. } => (*t, *d),
        entry => (entry.t(), 0),
    };
    Timestamp(t.0.saturating_sub(d * 1000))
}

impl QueueEntry for RecordingEntry {
    type Gap = RecordingGap;

    fn memory(&self) -> usize {
        match self {
            Self::Note { text, .. } => text.len(),
            Self::Status { detail, hint, .. } => detail.len() + hint.len(),
            _ => self.data_bytes(),
        }
    }

    fn leave_out(self, gap: &mut RecordingGap) {
        gap.t = self.t();
        match self {
            Self::Received { bytes, .. } => gap.received += bytes.len() as u64,
            Self::Sent { bytes, .. } => gap.sent += bytes.len() as u64,
            Self::Missed { received, sent, .. } => {
                gap.received += received;
                gap.sent += sent;
            }
            Self::Status { .. } => gap.merge(self),
            Self::Note { .. } => {}
        }
    }

    fn mark(gap: RecordingGap) -> impl Iterator<Item = Self> {
        let RecordingGap {
            t, received, sent, ..
        } = gap;
        let missed = (received + sent > 0).then_some(Self::Missed { t, received, sent });
        missed.into_iter().chain(gap.status)
    }
}

impl RecordingGap {
    /// Keeps the last status, with the settings and the device that an earlier one brought.
    fn merge(&mut self, mut entry: RecordingEntry) {
        if let RecordingEntry::Status {
            settings, device, ..
        } = &mut entry
            && let Some(RecordingEntry::Status {
                settings: earlier_settings,
                device: earlier_device,
                ..
            }) = self.status.take()
        {
            *settings = settings.take().or(earlier_settings);
            *device = device.take().or(earlier_device);
        }
        self.status = Some(entry);
    }
}
