//! The files of a recording: finds and orders them, and opens them, compressed or not.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use crate::platform;
use crate::recording::{ReadError, RecordingHeader, RecordingReader};
use crate::terminal::shown;

/// Bytes that are read from a file at once.
const BUFFER_BYTES: usize = 64 << 10;

/// The ends of the names of recordings. In a folder, other files are left alone.
const SUFFIXES: [&str; 2] = [".jsonl", ".jsonl.gz"];

/// The first bytes of a file that is compressed (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A reader of the file of a recording.
pub(crate) type FileReader = RecordingReader<Box<dyn std::io::BufRead + Send>>;

/// One file of a recording.
#[derive(Clone, Debug)]
pub(crate) struct RecordedFile {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its first line.
    pub(crate) header: RecordingHeader,
}

/// The files of one port, in the order of their times.
#[derive(Clone, Debug)]
pub(crate) struct RecordedFiles {
    /// At least one.
    pub(crate) files: Vec<RecordedFile>,
    /// Remarks about them for the user.
    pub(crate) remarks: Vec<String>,
}

impl RecordedFiles {
    /// Finds the recordings of a port at these paths, which are files or folders. Without a port, it
    /// is the one that the first file is of.
    ///
    /// # Errors
    /// If there are none, or a file that was named is none.
    pub(crate) fn find<P: AsRef<Path>>(paths: &[P], port: Option<&str>) -> Result<Self, String> {
        let mut files = Vec::new();
        let mut remarks = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let kind = fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
            if kind.is_dir() {
                add_folder(path, &mut files, &mut remarks)?;
            } else {
                let reader = open(path).map_err(|why| format!("{}: {why}", name(path)))?;
                let header = reader.header().clone();
                let path = path.to_owned();
                files.push(RecordedFile { path, header });
            }
        }
        let mut files = of_port(files, port, &mut remarks)?;
        files.sort_by_key(|file| file.header.t);
        Ok(Self { files, remarks })
    }

    /// Returns the bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        let files = self.files.iter();
        let sizes = files.filter_map(|file| fs::metadata(&file.path).ok());
        sizes.map(|file| file.len()).sum()
    }
}

/// Opens a recording and reads its header.
///
/// # Errors
/// Says why it cannot be read, without its name.
pub(crate) fn open(path: &Path) -> Result<FileReader, String> {
    open_counted(path, Arc::default())
}

/// The same, and counts the bytes that are read from the file.
pub(crate) fn open_counted(path: &Path, count: Arc<AtomicU64>) -> Result<FileReader, String> {
    let reason = |error: &std::io::Error| platform::reason(error);
    let mut file = File::open(path).map_err(|error| reason(&error))?;
    let is_compressed = is_compressed(&mut file).map_err(|error| reason(&error))?;
    let file = BufReader::with_capacity(BUFFER_BYTES, CountedFile { file, count });
    let file: Box<dyn std::io::BufRead + Send> = if is_compressed {
        let file = MultiGzDecoder::new(file);
        Box::new(BufReader::with_capacity(BUFFER_BYTES, file))
    } else {
        Box::new(file)
    };
    RecordingReader::new(file).map_err(|error| match error {
        ReadError::Io(error) => reason(&error),
        error => error.to_string(),
    })
}

/// A file whose bytes are counted as they are read.
struct CountedFile {
    file: File,
    count: Arc<AtomicU64>,
}

impl Read for CountedFile {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Returns true if a file is compressed, whatever it is called. Leaves it at its beginning.
fn is_compressed(file: &mut File) -> std::io::Result<bool> {
    let mut start = Vec::new();
    file.take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start == GZIP_MAGIC)
}

/// Adds the recordings of a folder.
fn add_folder(
    folder: &Path,
    files: &mut Vec<RecordedFile>,
    remarks: &mut Vec<String>,
) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| cannot_read(folder, &error))?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_recording_name(path))
        .collect();
    paths.sort();
    let before = files.len();
    for path in &paths {
        // A complete file is compressed, and may not be removed yet.
        let plain = path.with_extension("");
        if path.extension().is_some_and(|it| it == "gz") && paths.contains(&plain) {
            continue;
        }
        match open(path) {
            Ok(reader) => files.push(RecordedFile {
                path: path.clone(),
                header: reader.header().clone(),
            }),
            Err(why) => remarks.push(format!("{} is left out: {why}", name(path))),
        }
    }
    if files.len() == before {
        return Err(format!(
            "{} has no recordings, whose names end in {}",
            name(folder),
            SUFFIXES.join(" or ")
        ));
    }
    Ok(())
}

fn is_recording_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
}

/// Keeps the files of one port.
fn of_port(
    mut files: Vec<RecordedFile>,
    port: Option<&str>,
    remarks: &mut Vec<String>,
) -> Result<Vec<RecordedFile>, String> {
    let mut ports: Vec<String> = Vec::new();
    for RecordedFile { header, .. } in &files {
        if !ports.contains(&header.port) {
            ports.push(header.port.clone());
        }
    }
    let ports_text = || shown(&ports.join(", "));
    let chosen = match port {
        Some(port) if ports.iter().any(|recorded| recorded == port) => port.to_owned(),
        Some(port) => {
            let port = shown(port);
            return Err(format!(
                "no recording is of the port {port} (recorded: {})",
                ports_text()
            ));
        }
        None => ports.first().cloned().unwrap_or_default(),
    };
    if ports.len() > 1 && port.is_none() {
        remarks.push(format!(
            "these recordings are of the ports {}; only {} is taken",
            ports_text(),
            shown(&chosen)
        ));
    }
    files.retain(|file| file.header.port == chosen);
    Ok(files)
}

/// Returns the path of a file as it is shown to people.
pub(crate) fn name(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

fn cannot_read(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read {}: {}", name(path), platform::reason(error))
}
