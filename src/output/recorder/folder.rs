//! The folder of recordings, and the files that are written there.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::housekeeping::Housekeeping;
use crate::hub::Timestamp;
use crate::output::disk::writer::{Storage, StoredFile};
use crate::platform::{create_exclusive, free_bytes};
use crate::recording::SegmentName;

/// Names that are tried for a segment, all of the same second.
const MAX_NAMES: usize = 1000;

/// A folder of the file system.
pub(super) struct RecordingFolder {
    folder: PathBuf,
    port: String,
    housekeeping: Housekeeping,
    /// The newest name. All after it are later, also where files of the same second were removed, or
    /// the clock was set back.
    newest: Option<SegmentName>,
}

/// A file in it.
pub(super) struct RecordingFile {
    name: String,
    path: PathBuf,
    file: File,
    /// Bytes of whole entries in it.
    length: u64,
    /// True if there may be something behind them.
    is_torn: bool,
}

impl RecordingFolder {
    /// The recordings of `port` in a folder.
    pub(super) fn new(folder: &Path, port: &str, housekeeping: Housekeeping) -> Self {
        Self {
            folder: folder.to_owned(),
            port: port.to_owned(),
            housekeeping,
            newest: None,
        }
    }
}

impl Storage for RecordingFolder {
    type File = RecordingFile;

    fn open(&mut self, t: Timestamp) -> Result<RecordingFile, String> {
        let failed = |why: &str| format!("cannot record to {}: {why}", self.folder.display());
        // A disk that is not mounted now may be so later. Its folder is not ours to make.
        if !self.folder.is_dir() {
            return Err(failed("there is no such folder"));
        }
        let mut name = SegmentName::new(&self.port, t);
        if let Some(newest) = &self.newest
            && name <= *newest
        {
            name = newest.clone().successor();
        }
        for _ in 0..MAX_NAMES {
            let file_name = name.to_string();
            let path = self.folder.join(&file_name);
            let is_taken = self.folder.join(name.clone().compressed().to_string());
            let created = if is_taken.exists() {
                Err(io::ErrorKind::AlreadyExists.into())
            } else {
                create_exclusive(&path)
            };
            match created {
                Ok(file) => {
                    sync_folder(&self.folder);
                    self.newest = Some(name);
                    return Ok(RecordingFile {
                        name: file_name,
                        path,
                        file,
                        length: 0,
                        is_torn: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    name = name.successor();
                }
                Err(error) => return Err(failed(&crate::platform::reason(&error))),
            }
        }
        Err(failed(&format!(
            "{file_name} and all names after it exist",
            file_name = name
        )))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        free_bytes(&self.folder)
    }

    fn closed_one(&mut self) {
        self.housekeeping.wake();
    }
}

impl StoredFile for RecordingFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.cut_off()?;
        }
        let written = self.file.write_all(bytes);
        match written {
            Ok(()) => self.length += bytes.len() as u64,
            // What is there of an entry would be taken for a torn one.
            Err(_) => self.is_torn = self.cut_off().is_err(),
        }
        written
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn is_there(&self) -> bool {
        self.path.exists()
    }
}

impl RecordingFile {
    /// Removes what stands behind the last whole entry.
    fn cut_off(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.is_torn = false;
        Ok(())
    }
}

impl Drop for RecordingFile {
    fn drop(&mut self) {
        if self.length == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the name of a new file last, where the system can.
pub(super) fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}
