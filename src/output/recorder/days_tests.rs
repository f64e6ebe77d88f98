//! Recordings of days, by an injected clock: their sizes, rotation, and what is kept.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::format::RecordingFormat;
use super::housekeeping::KeptRecordings;
use crate::hub::Timestamp;
use crate::output::disk::writer::{DiskWriter, FileLimits, Storage, StoredFile};
use crate::platform::create_exclusive;
use crate::recording::{EntryAssembler, RecordingHeader, SegmentName};

/// Lines that the board sends in a second.
const RATE: u64 = 100;

/// The bytes that a line of 10.8 takes in a file, and gzipped.
const BYTES_PER_LINE: [f64; 2] = [44.8, 8.1];

const HOUR: Duration = Duration::from_secs(3600);

/// The files of a recording: in a folder, or just their number.
struct Days {
    folder: Option<KeptRecordings>,
    opened: Arc<AtomicUsize>,
}

struct DayFile {
    length: u64,
    file: Option<File>,
}

impl Storage for Days {
    type File = DayFile;

    fn open(&mut self, t: Timestamp) -> Result<DayFile, String> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.as_ref().map(|kept| {
            let name = SegmentName::new(&kept.port, t).to_string();
            create_exclusive(&kept.folder.join(name)).unwrap()
        });
        Ok(DayFile { length: 0, file })
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn closed_one(&mut self) {
        if let Some(kept) = &self.folder {
            kept.tidy().unwrap();
        }
    }
}

impl StoredFile for DayFile {
    fn name(&self) -> &str {
        "a day"
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        let mut file = self.file.as_ref();
        file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn is_there(&self) -> bool {
        true
    }
}

/// A line of 10.8 bytes on average, such as the sketch of three sensors sends.
fn line(n: u64) -> String {
    let noise = |salt: u64| (n ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let light = if n.is_multiple_of(5) {
        10 + noise(1) % 90
    } else {
        100 + noise(1) % 900
    };
    format!("{light},{},{}\r\n", 100 + noise(2) % 900, noise(3) % 2)
}

/// Records the board for a time, in files of this size. Returns the writer, and the lines.
fn record(days: Days, size: u64, time: Duration) -> (DiskWriter<Days, RecordingFormat>, u64) {
    const START: u64 = 1_795_169_621_402_847;
    let header = RecordingHeader {
        run: "f6d5".to_owned(),
        port: "uno".to_owned(),
        path: None,
        board: None,
        usb: None,
        settings: serde_json::Map::new(),
        offset: 0,
        t: Timestamp(START),
    };
    let limits = FileLimits { size, reserve: 0 };
    let mut writer = DiskWriter::new(days, limits, RecordingFormat { header });
    let (mut assembler, mut entries) = (EntryAssembler::new(b'\n'), VecDeque::new());
    let mut now = Instant::now();
    let lines = time.as_secs() * RATE;
    for n in 0..lines {
        let t = Timestamp(START + n * 1_000_000 / RATE);
        assembler.received(t, line(n).as_bytes());
        if (n + 1).is_multiple_of(RATE) {
            entries.extend(std::iter::from_fn(|| assembler.pop()));
            writer.write(&mut entries, now);
            now += Duration::from_secs(1);
        }
    }
    writer.end(&mut entries, now);
    assert!(entries.is_empty());
    (writer, lines)
}

/// Checks the sizes of a recording of this time.
fn check(time: Duration, size: u64) {
    let opened = Arc::<AtomicUsize>::default();
    let days = Days {
        folder: None,
        opened: Arc::clone(&opened),
    };
    let (writer, lines) = record(days, size, time);
    let expected = lines as f64 * BYTES_PER_LINE[0];
    let written = writer.written() as f64;
    assert!(
        (written / expected - 1.0).abs() < 0.05,
        "{written} bytes, not {expected}"
    );
    // The last file is not full; none is larger than one entry more than its size.
    let files = written / size as f64;
    let opened = opened.load(Ordering::Relaxed);
    assert!(
        (opened as f64 - files).abs() <= 1.0,
        "{opened} files, not {files}"
    );
}

#[test]
fn an_hour_at_100_lines_a_second_takes_what_was_calculated() {
    check(HOUR, 1 << 20);
}

#[test]
#[ignore = "takes minutes: tests/run --long"]
fn two_days_at_100_lines_a_second_take_what_was_calculated() {
    check(48 * HOUR, 64 << 20);
}

#[test]
fn the_newest_of_a_long_recording_are_kept() {
    const KEEP: u64 = 700 << 10;
    const SIZE: u64 = 1 << 20;
    let folder = std::env::temp_dir().join(format!("serial-ws-days-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    let kept = KeptRecordings {
        folder: PathBuf::clone(&folder),
        port: "uno".to_owned(),
        keep: Some(KEEP),
    };
    let days = Days {
        folder: Some(kept),
        opened: Arc::default(),
    };
    record(days, SIZE, HOUR);
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    names.sort();
    let (running, closed) = names.split_last().unwrap();
    assert_eq!(running.extension().unwrap(), "jsonl");
    let closed: u64 = closed
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    // A closed file takes about a sixth; as many stay as there is room for.
    let compressed = SIZE as f64 / BYTES_PER_LINE[0] * BYTES_PER_LINE[1];
    assert!(closed <= KEEP, "{closed} bytes are kept");
    assert!(
        closed as f64 > KEEP as f64 - 2.0 * compressed,
        "only {closed} bytes are kept"
    );
    fs::remove_dir_all(folder).unwrap();
}
