//! Recordings on disks that are full, fail or go.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard};

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::output::recorder::format::RecordingFormat;
use crate::recording::{RecordingEntry, RecordingHeader};

/// A disk of which tests decide what it takes.
#[derive(Clone, Default)]
struct FakeDisk(Arc<Mutex<DiskState>>);

struct DiskState {
    /// All files, in the order of their creation.
    files: Vec<FakeFileState>,
    /// Bytes that it takes in all.
    room: usize,
    is_failing: bool,
    syncs: usize,
}

#[derive(Default)]
struct FakeFileState {
    bytes: Vec<u8>,
    is_removed: bool,
}

/// The writer of a recording to such a disk.
type RecordingWriter = DiskWriter<FakeDisk, RecordingFormat>;

struct FakeFile {
    disk: FakeDisk,
    index: usize,
    name: String,
}

impl Default for DiskState {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            room: usize::MAX,
            is_failing: false,
            syncs: 0,
        }
    }
}

impl FakeDisk {
    fn state(&self) -> MutexGuard<'_, DiskState> {
        self.0.lock().unwrap()
    }

    /// The entries of all files that hold something, and that each begins where the one before ends.
    fn entries(&self) -> Vec<RecordingEntry> {
        let state = self.state();
        let mut offset = 0;
        let mut entries = Vec::new();
        for file in state.files.iter().filter(|file| !file.bytes.is_empty()) {
            let mut lines = file.bytes.split_inclusive(|byte| *byte == b'\n');
            let header = RecordingHeader::parse(lines.next().unwrap()).unwrap();
            assert_eq!(header.offset, offset);
            for line in lines {
                let entry = RecordingEntry::parse(line).unwrap().unwrap();
                assert!(entry.t() >= header.t, "{entry:?} before {header:?}");
                if let RecordingEntry::Received { bytes, .. } = &entry {
                    offset += bytes.len() as u64;
                }
                entries.push(entry);
            }
        }
        entries
    }
}

impl Storage for FakeDisk {
    type File = FakeFile;

    fn open(&mut self, _: Timestamp) -> Result<FakeFile, String> {
        if self.state().is_failing {
            return Err("there is no such folder".to_owned());
        }
        let mut state = self.state();
        let index = state.files.len();
        state.files.push(FakeFileState::default());
        Ok(FakeFile {
            disk: self.clone(),
            index,
            name: format!("file {index}"),
        })
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.state().room as u64)
    }

    fn closed_one(&mut self) {}
}

impl StoredFile for FakeFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn length(&self) -> u64 {
        self.disk.state().files[self.index].bytes.len() as u64
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.is_failing {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        if bytes.len() > state.room {
            return Err(ErrorKind::StorageFull.into());
        }
        state.room -= bytes.len();
        state.files[self.index].bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.state().syncs += 1;
        Ok(())
    }

    fn is_there(&self) -> bool {
        !self.disk.state().files[self.index].is_removed
    }
}

/// A writer that has begun, its disk, and the moment.
fn writer(limits: FileLimits) -> (RecordingWriter, FakeDisk, Instant) {
    let disk = FakeDisk::default();
    let header = RecordingHeader {
        run: "f6d5".to_owned(),
        port: "uno".to_owned(),
        path: None,
        board: None,
        usb: None,
        settings: Map::new(),
        offset: 0,
        t: Timestamp(0),
    };
    let format = RecordingFormat { header };
    let mut writer = DiskWriter::new(disk.clone(), limits, format);
    let now = Instant::now();
    writer.begin(now).unwrap();
    (writer, disk, now)
}

fn large() -> FileLimits {
    FileLimits {
        size: 1 << 20,
        reserve: 0,
    }
}

fn received(t: u64, bytes: &str) -> RecordingEntry {
    RecordingEntry::Received {
        t: Timestamp(t),
        d: 0,
        bytes: bytes.to_owned().into(),
    }
}

#[test]
fn a_line_may_go_on_in_the_next_file() {
    let limits = FileLimits {
        size: 300,
        reserve: 0,
    };
    let (mut writer, disk, now) = writer(limits);
    // Pieces of one line, as it is cut after 4096 bytes.
    let pieces = ["a".repeat(200), "b".repeat(200), "c\n".to_owned()];
    let pieces = pieces.iter().enumerate();
    let pieces: VecDeque<_> = pieces.map(|(t, piece)| received(t as u64, piece)).collect();
    writer.write(&mut pieces.clone(), now);
    assert_eq!(disk.entries(), Vec::from(pieces));
    assert_eq!(disk.state().files.len(), 3);
}

#[test]
fn a_full_disk_is_told_and_tried_again_after_ten_seconds() {
    let (mut writer, disk, now) = writer(large());
    disk.state().room = 100;
    let all = [
        received(1, "first\n"),
        received(2, &"x".repeat(100)),
        received(3, "last\n"),
    ];
    let mut entries = VecDeque::from(all.to_vec());
    writer.write(&mut entries, now);
    assert_eq!(writer.problem(), "cannot write to file 0: the disk is full");
    disk.state().room = 1000;
    writer.write(&mut entries, now + RETRY_DELAY - Duration::from_millis(1));
    assert_eq!(entries.len(), 3, "it is too early");
    writer.write(&mut entries, now + RETRY_DELAY);
    assert_eq!((writer.problem(), entries.len()), ("", 0));
    assert_eq!(disk.entries(), all);
    assert_eq!(disk.state().files.len(), 1, "the same file goes on");
}

#[test]
fn writing_pauses_while_too_little_is_free() {
    let limits = FileLimits {
        size: 1 << 20,
        reserve: 100_000_000,
    };
    let (mut writer, disk, now) = writer(limits);
    disk.state().room = 99_999_999;
    let mut entries = VecDeque::from([received(1, "first\n")]);
    let later = now + RESERVE_CHECK_INTERVAL;
    writer.write(&mut entries, later);
    assert_eq!(
        writer.problem(),
        "less than 100000000B are free on the disk (--record-reserve)"
    );
    disk.state().room = 100_000_000;
    writer.write(&mut entries, later + RETRY_DELAY);
    assert_eq!((writer.problem(), entries.len()), ("", 0));
}

#[test]
fn a_file_that_was_removed_is_followed_by_another_one() {
    let (mut writer, disk, now) = writer(large());
    writer.write(&mut VecDeque::from([received(1, "first\n")]), now);
    disk.state().files[0].is_removed = true;
    disk.state().is_failing = true;
    let mut entries = VecDeque::from([received(2, "second\n")]);
    writer.write(&mut entries, now);
    assert_eq!(writer.problem(), "there is no such folder");
    disk.state().is_failing = false;
    writer.write(&mut entries, now + RETRY_DELAY);
    assert_eq!(writer.problem(), "");
    assert_eq!(
        disk.entries(),
        [received(1, "first\n"), received(2, "second\n")]
    );
    assert_eq!(disk.state().files.len(), 2);
}

#[test]
fn what_failed_goes_on_only_when_it_works() {
    let (mut writer, disk, now) = writer(large());
    disk.state().files[0].is_removed = true;
    disk.state().is_failing = true;
    writer.write(&mut VecDeque::from([received(1, "first\n")]), now);
    writer.write(&mut VecDeque::new(), now + RETRY_DELAY);
    assert_eq!(writer.problem(), "there is no such folder");
    disk.state().is_failing = false;
    writer.write(&mut VecDeque::new(), now + RETRY_DELAY * 2);
    assert_eq!((writer.problem(), disk.state().files.len()), ("", 2));
}

#[test]
fn the_disk_has_what_was_written_after_five_seconds_and_at_the_end() {
    let (mut writer, disk, now) = writer(large());
    writer.write(&mut VecDeque::from([received(1, "first\n")]), now);
    writer.sync_if_due(now + SYNC_INTERVAL - Duration::from_millis(1));
    assert_eq!(disk.state().syncs, 0);
    writer.sync_if_due(now + SYNC_INTERVAL);
    assert_eq!((disk.state().syncs, writer.sync_due()), (1, None));
    writer.end(&mut VecDeque::from([received(2, "last\n")]), now);
    assert_eq!(disk.state().syncs, 2);
}

proptest! {
    #[test]
    fn whatever_the_disk_does_nothing_is_lost_or_doubled(
        happenings in prop::collection::vec((0..12_u8, 0..400_usize, 0..15_u64), 1..60),
        size in 200..3000_u64,
    ) {
        let (mut writer, disk, mut now) = writer(FileLimits { size, reserve: 0 });
        let (mut all, mut entries) = (Vec::new(), VecDeque::new());
        for (t, (happening, size, seconds)) in happenings.into_iter().enumerate() {
            match happening {
                0 => disk.state().room = size,
                1 => disk.state().room = usize::MAX,
                2 => disk.state().is_failing ^= true,
                3 => disk.state().files.iter_mut().for_each(|file| file.is_removed = true),
                _ => {
                    let entry = received(t as u64, &"x".repeat(size + 1));
                    all.push(entry.clone());
                    entries.push_back(entry);
                }
            }
            now += Duration::from_secs(seconds);
            writer.write(&mut entries, now);
        }
        disk.state().room = usize::MAX;
        disk.state().is_failing = false;
        writer.end(&mut entries, now);
        prop_assert_eq!(disk.entries(), all);
    }
}
