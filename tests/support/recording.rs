//! Recordings as a reader finds them: a small reader of its own, beside the one of the program.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use flate2::read::MultiGzDecoder;
use serial_ws::recording::{RawLine, RecordingEntry, RecordingHeader, SegmentName, next_line};

/// A folder for recordings. It is removed when this is dropped.
pub struct Recordings {
    pub folder: PathBuf,
}

/// A file of a recording.
pub struct Recorded {
    pub name: SegmentName,
    pub header: RecordingHeader,
    pub entries: Vec<RecordingEntry>,
    /// True if the last line has no line end.
    pub is_torn: bool,
}

impl Recordings {
    /// A folder that does not exist yet.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("serial-ws-recordings-{process}-{count}"));
        let _ = fs::remove_dir_all(&folder);
        Self { folder }
    }

    /// The folder as an argument.
    pub fn path(&self) -> &str {
        self.folder.to_str().expect("its path is text")
    }

    /// All files of this port, oldest first.
    pub fn read(&self, port: &str) -> Vec<Recorded> {
        let names = self.names();
        let names = names.iter().filter_map(|name| SegmentName::parse(name));
        let mut names: Vec<_> = names.filter(|name| name.port == port).collect();
        names.sort();
        let files = names.into_iter();
        files.filter_map(|name| read(&self.folder, name)).collect()
    }

    /// The names of everything in the folder, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).expect("the folder can be read");
        let names = entries.map(|entry| entry.expect("it is there").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// What the device sent, by all files of the port, which must join without a gap.
    pub fn received(&self, port: &str) -> Vec<u8> {
        let mut all = Vec::new();
        for file in self.read(port) {
            let at = file.header.offset;
            assert_eq!(at, all.len() as u64, "{:?} does not follow", file.name);
            for entry in file.entries {
                match entry {
                    RecordingEntry::Received { bytes, .. } => all.extend(bytes),
                    RecordingEntry::Missed { .. } => panic!("{entry:?}"),
                    _ => {}
                }
            }
        }
        all
    }

    /// What the device was sent.
    pub fn sent(&self, port: &str) -> Vec<u8> {
        let entries = self.read(port).into_iter().flat_map(|file| file.entries);
        let sent = entries.filter_map(|entry| match entry {
            RecordingEntry::Sent { bytes, .. } => Some(bytes),
            _ => None,
        });
        sent.flatten().collect()
    }
}

impl Drop for Recordings {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Reads a file, which another program may be compressing just now: then it is found under its other
/// name, or not at all.
fn read(folder: &Path, name: SegmentName) -> Option<Recorded> {
    let is_doubled =
        !name.is_compressed && folder.join(name.clone().compressed().to_string()).exists();
    if is_doubled {
        return None;
    }
    let file = File::open(folder.join(name.to_string())).ok()?;
    let file: Box<dyn Read> = if name.is_compressed {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    parse(&mut BufReader::new(file), name)
}

fn parse(file: &mut impl BufRead, name: SegmentName) -> Option<Recorded> {
    let mut line = Vec::new();
    let mut next = || {
        next_line(file, &mut line)
            .expect("the file can be read")
            .map(owned)
    };
    let (header, _) = next()?;
    let header = RecordingHeader::parse(&header).expect("a recording begins with a header");
    let (mut entries, mut is_torn) = (Vec::new(), false);
    while let Some((line, is_whole)) = next() {
        is_torn = !is_whole;
        match RecordingEntry::parse(&line) {
            Ok(entry) => entries.extend(entry),
            Err(_) if is_torn => {}
            Err(error) => panic!("{name:?}: {error}: {}", String::from_utf8_lossy(&line)),
        }
    }
    assert!(
        entries.is_sorted_by_key(RecordingEntry::t),
        "{name:?} goes back in time"
    );
    Some(Recorded {
        name,
        header,
        entries,
        is_torn,
    })
}

fn owned(line: RawLine<'_>) -> (Vec<u8>, bool) {
    match line {
        RawLine::Whole(line) => (line.to_vec(), true),
        RawLine::Torn(line) => (line.to_vec(), false),
        RawLine::TooLong(length) => panic!("a line has {length} bytes"),
    }
}
