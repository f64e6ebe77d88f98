//! The file that lines are saved to, and the older ones beside it: `FILE.1` is the newest of those.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::SaverConfig;
use crate::hub::Timestamp;
use crate::output::disk::writer::{Storage, StoredFile};
use crate::platform::{append_exclusive, can_create_in, free_bytes, is_at, reason};

/// The place of the file.
pub(super) struct SaverFiles {
    path: PathBuf,
    folder: PathBuf,
    /// Bytes after which the file becomes an older one.
    size: Option<u64>,
    /// Older files that are kept.
    count: u64,
    /// The file that was opened at the start, for as long as nobody writes it.
    first: Option<SavedFile>,
}

/// The file while it is written.
pub(super) struct SavedFile {
    name: String,
    path: PathBuf,
    file: File,
    /// The length without what stands behind the last whole entry, where it could not be removed.
    torn: Option<u64>,
}

/// Checks that lines could be saved to a file, without leaving anything behind.
///
/// # Errors
/// In words for people.
pub(crate) fn check(config: &SaverConfig) -> Result<(), String> {
    let path = &config.path;
    let failed = |error: &io::Error| failed(path, error);
    let is_there = path.exists();
    if is_there {
        append_exclusive(path).map_err(|error| failed(&error))?;
    }
    // The file is renamed when it is full.
    if !is_there || config.size.is_some() {
        can_create_in(config.folder()).map_err(|error| failed(&error))?;
    }
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("cannot save to {}: {}", path.display(), reason(error))
}

/// Returns the name of a file without its folder.
fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

impl SaverFiles {
    /// Opens the file of `config`, and keeps it from everybody else.
    ///
    /// # Errors
    /// In words for people.
    pub(super) fn open(config: &SaverConfig) -> Result<Self, String> {
        check(config)?;
        let mut files = Self {
            path: config.path.clone(),
            folder: config.folder().to_owned(),
            size: config.size,
            count: config.count,
            first: None,
        };
        files.first = Some(Storage::open(&mut files, Timestamp::default())?);
        Ok(files)
    }

    /// Opens the file behind what is in it.
    fn append(&self) -> io::Result<SavedFile> {
        let mut file = append_exclusive(&self.path)?;
        end_line(&mut file)?;
        Ok(SavedFile {
            name: name(&self.path),
            path: self.path.clone(),
            file,
            torn: None,
        })
    }

    /// Makes the file the newest of the older ones. The oldest goes.
    fn rotate(&self) -> io::Result<()> {
        for number in (1..self.count).rev() {
            match fs::rename(self.older(number), self.older(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.older(1))
    }

    /// Returns the path of an older file.
    fn older(&self, number: u64) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

/// Ends the line that an earlier run left unfinished, so that no other one joins it.
fn end_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    match last {
        [b'\n'] => Ok(()),
        _ => file.write_all(b"\n"),
    }
}

impl Storage for SaverFiles {
    type File = SavedFile;

    fn open(&mut self, _: Timestamp) -> Result<SavedFile, String> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let failed = |error: io::Error| failed(&self.path, &error);
        let file = self.append().map_err(failed)?;
        if self.size.is_none_or(|size| file.length() < size) {
            return Ok(file);
        }
        drop(file);
        self.rotate().map_err(failed)?;
        self.append().map_err(failed)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        free_bytes(&self.folder)
    }

    /// It becomes an older one when the next one is opened.
    fn closed_one(&mut self) {}
}

impl StoredFile for SavedFile {
    fn name(&self) -> &str {
        &self.name
    }

    /// Others may have shortened it.
    fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(length) = self.torn {
            self.cut_off(length)?;
        }
        let length = self.file.seek(SeekFrom::End(0))?;
        let written = self.file.write_all(bytes);
        if written.is_err() && self.cut_off(length).is_err() {
            self.torn = Some(length);
        }
        written
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn is_there(&self) -> bool {
        is_at(&self.file, &self.path)
    }
}

impl SavedFile {
    /// Removes what stands behind this length.
    fn cut_off(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.torn = None;
        Ok(())
    }
}
