//! Compresses the closed segments of a port, and removes the oldest where they take too much room.
//! Both is done by a thread of its own, so that writing never waits for it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::folder::sync_folder;
use crate::platform::{create_exclusive, reason, take_exclusive};
use crate::recording::{RawLine, RecordingHeader, SegmentName, next_line};

/// The end of the name of a compressed file that is not complete.
const PART_SUFFIX: &str = ".part";

/// The level of compression: the usual one, beyond which files get hardly smaller.
const LEVEL: u32 = 6;

/// The recordings of a port in a folder.
#[derive(Clone, Debug)]
pub(super) struct KeptRecordings {
    /// The folder.
    pub(super) folder: PathBuf,
    /// The port.
    pub(super) port: String,
    /// The bytes that they may take; None if nothing is removed.
    pub(super) keep: Option<u64>,
}

/// The thread that looks after the recordings of a port.
#[derive(Clone)]
pub(super) struct Housekeeping {
    wake: SyncSender<()>,
}

/// A file of a recording.
struct FoundSegment {
    name: SegmentName,
    path: PathBuf,
    bytes: u64,
}

impl Housekeeping {
    /// Starts the thread, which ends with the last handle of it. It looks at once.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub(super) fn start(recordings: KeptRecordings) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread = thread::Builder::new().name("recordings".to_owned());
        thread.spawn(move || run(&recordings, &woken))?;
        let housekeeping = Self { wake };
        housekeeping.wake();
        Ok(housekeeping)
    }

    /// Has the thread look, now or when it is done with what it does.
    pub(super) fn wake(&self) {
        // Where it is full, the thread will look anyway.
        let _ = self.wake.try_send(());
    }
}

fn run(recordings: &KeptRecordings, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        if let Err(error) = recordings.tidy() {
            let (port, folder) = (&recordings.port, recordings.folder.display());
            let why = reason(&error);
            tracing::warn!(port, "cannot tidy the recordings in {folder}: {why}");
        }
    }
}

impl KeptRecordings {
    /// Compresses what is closed, and removes what is too much.
    pub(super) fn tidy(&self) -> io::Result<()> {
        for segment in self.find()? {
            if !segment.name.is_compressed {
                self.compress(&segment)?;
            }
        }
        self.remove_oldest()
    }

    /// Returns the segments of the port, oldest first.
    fn find(&self) -> io::Result<Vec<FoundSegment>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some(file_name) = file_name.to_str() else {
                continue;
            };
            let name = SegmentName::parse(file_name).filter(|name| name.port == self.port);
            let metadata = entry.metadata()?;
            if let Some(name) = name.filter(|_| metadata.is_file()) {
                let (path, bytes) = (entry.path(), metadata.len());
                found.push(FoundSegment { name, path, bytes });
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Compresses a segment, unless it is written just now or is no recording. The compressed file
    /// appears as a whole; only then the other one is removed.
    fn compress(&self, segment: &FoundSegment) -> io::Result<()> {
        let Some(file) = self.take(segment)? else {
            return Ok(());
        };
        let name = segment.name.clone().compressed().to_string();
        let complete = self.folder.join(&name);
        if !complete.exists() {
            let part = self.folder.join(name + PART_SUFFIX);
            let compressed = compress_to(file, &part).and_then(|()| fs::rename(&part, &complete));
            if compressed.is_err() {
                let _ = fs::remove_file(&part);
            }
            compressed?;
            sync_folder(&self.folder);
        }
        fs::remove_file(&segment.path)
    }

    /// Removes the oldest segments while all of them take too much room. One that is written just now
    /// stays, and so does a file that is no recording of the port.
    fn remove_oldest(&self) -> io::Result<()> {
        let Some(keep) = self.keep else {
            return Ok(());
        };
        let segments = self.find()?;
        let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
        for segment in &segments {
            if total <= keep {
                break;
            }
            if let Some(file) = self.take(segment)? {
                drop(file);
                fs::remove_file(&segment.path)?;
                total -= segment.bytes;
                let (port, path) = (&self.port, segment.path.display());
                tracing::info!(port, "removed {path} (--record-keep)");
            }
        }
        Ok(())
    }

    /// Opens a segment that nobody writes, if it is a recording of the port.
    fn take(&self, segment: &FoundSegment) -> io::Result<Option<File>> {
        let Some(file) = take_exclusive(&segment.path)? else {
            return Ok(None);
        };
        let is_ours = if segment.name.is_compressed {
            self.is_header_of(MultiGzDecoder::new(&file))
        } else {
            self.is_header_of(&file)
        };
        io::Seek::rewind(&mut &file)?;
        Ok(is_ours.then_some(file))
    }

    /// Returns true if a file begins as a recording of the port.
    fn is_header_of(&self, file: impl Read) -> bool {
        let mut line = Vec::new();
        match next_line(&mut BufReader::new(file), &mut line) {
            Ok(Some(RawLine::Whole(line))) => {
                RecordingHeader::parse(line).is_ok_and(|header| header.port == self.port)
            }
            _ => false,
        }
    }
}

/// Writes a file in compressed form to a new one, and waits until the disk has it.
fn compress_to(mut file: File, part: &Path) -> io::Result<()> {
    // One that an earlier run did not finish.
    if part.exists() {
        fs::remove_file(part)?;
    }
    let compressed = BufWriter::new(create_exclusive(part)?);
    let mut encoder = GzEncoder::new(compressed, Compression::new(LEVEL));
    io::copy(&mut file, &mut encoder)?;
    let mut compressed = encoder.finish()?;
    compressed.flush()?;
    compressed.get_ref().sync_all()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::hub::Timestamp;

    /// An empty folder.
    fn folder() -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("serial-ws-tidy-{process}-{count}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// A recording of `port` that began in this second, with some bytes that can hardly be compressed.
    fn segment(folder: &Path, port: &str, second: u64) -> PathBuf {
        let t = Timestamp(second * 1_000_000);
        let path = folder.join(SegmentName::new(port, t).to_string());
        let mut text = Vec::new();
        header(port, t).write(&mut text);
        let mut random = vec![0; 3000];
        getrandom::fill(&mut random).unwrap();
        let entry = crate::recording::RecordingEntry::Received {
            t,
            d: 0,
            bytes: random.into(),
        };
        entry.write(&mut text);
        fs::write(&path, text).unwrap();
        path
    }

    fn header(port: &str, t: Timestamp) -> RecordingHeader {
        RecordingHeader {
            run: String::new(),
            port: port.to_owned(),
            path: None,
            board: None,
            usb: None,
            settings: serde_json::Map::new(),
            offset: 0,
            t,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    fn tidy(folder: &Path, keep: Option<u64>) {
        let folder = folder.to_owned();
        let port = "uno".to_owned();
        KeptRecordings { folder, port, keep }.tidy().unwrap();
    }

    #[test]
    fn closed_files_of_the_port_are_compressed_and_no_others() {
        let folder = folder();
        let text = fs::read(segment(&folder, "uno", 1)).unwrap();
        segment(&folder, "knob", 1);
        fs::write(folder.join("uno-19700101T000009Z.jsonl"), "no recording").unwrap();
        fs::write(folder.join("notes.jsonl"), "").unwrap();
        let running = folder.join("uno-19700101T000002Z.jsonl");
        let mut file = create_exclusive(&running).unwrap();
        let mut begun = Vec::new();
        header("uno", Timestamp(2_000_000)).write(&mut begun);
        file.write_all(&begun).unwrap();
        tidy(&folder, None);
        assert_eq!(
            names(&folder),
            [
                "knob-19700101T000001Z.jsonl",
                "notes.jsonl",
                "uno-19700101T000001Z.jsonl.gz",
                "uno-19700101T000002Z.jsonl",
                "uno-19700101T000009Z.jsonl",
            ]
        );
        let compressed = fs::read(folder.join("uno-19700101T000001Z.jsonl.gz")).unwrap();
        let mut read = Vec::new();
        MultiGzDecoder::new(&*compressed)
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, text);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_an_earlier_run_had_not_finished_is_finished() {
        let folder = folder();
        let plain = segment(&folder, "uno", 1);
        fs::write(folder.join("uno-19700101T000001Z.jsonl.gz.part"), "\x1f").unwrap();
        tidy(&folder, None);
        assert_eq!(names(&folder), ["uno-19700101T000001Z.jsonl.gz"]);
        // It was compressed, and then the program ended.
        fs::write(&plain, fs::read(segment(&folder, "uno", 1)).unwrap()).unwrap();
        tidy(&folder, None);
        assert_eq!(names(&folder), ["uno-19700101T000001Z.jsonl.gz"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_oldest_go_first_where_they_take_too_much_room() {
        let folder = folder();
        for second in 1..=4 {
            segment(&folder, "uno", second);
        }
        segment(&folder, "knob", 1);
        // Three kilobytes of random bytes each.
        tidy(&folder, Some(7000));
        assert_eq!(
            names(&folder),
            [
                "knob-19700101T000001Z.jsonl",
                "uno-19700101T000003Z.jsonl.gz",
                "uno-19700101T000004Z.jsonl.gz",
            ]
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
