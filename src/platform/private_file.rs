//! Files that only their owner may change: tokens, private keys, allowed origins.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Reads a file that nobody but its owner may change.
///
/// # Errors
/// Also where others may change it, and where it is no text.
pub(crate) fn read_private(path: &Path) -> io::Result<String> {
    system::check(path)?;
    let no_text = |_| io::Error::other("it is not text in UTF-8: remove it");
    String::from_utf8(fs::read(path)?).map_err(no_text)
}

/// Reads a file that nobody but its owner may read or change.
///
/// # Errors
/// Also where others may, and where it is no file.
pub(crate) fn read_secret(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file: remove it"));
    }
    let text = read_private(path)?;
    if system::is_readable_by_others(path) {
        let why = "others may read it: chmod 600 it, or delete it";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(text)
}

/// Checks that nobody but its owner may change a file.
///
/// # Errors
/// Where others may, and where there is none.
pub(crate) fn check_private(path: &Path) -> io::Result<()> {
    system::check(path)
}

/// Warns where others may read a file with a secret.
pub(crate) fn warn_of_readers(path: &Path) {
    if system::is_readable_by_others(path) {
        let path = path.display();
        tracing::warn!("other users of this computer may read the secret in {path}: chmod 600 it");
    }
}

/// Writes a file, with its folder, that nobody but its owner may read or change. Whoever reads it
/// meanwhile finds it as it was or as it will be.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        system::create_folder(folder)?;
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = system::create(&new)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Half a file helps nobody, and the next start would leave another one.
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(unix)]
mod system {
    use std::fs::{self, DirBuilder, File};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    /// Permission to write, for the group and for others, as bits of a file's mode.
    const OTHERS_WRITE: u32 = 0o022;

    /// Permission to read, for the group and for others.
    const OTHERS_READ: u32 = 0o044;

    pub(super) fn is_readable_by_others(path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| metadata.mode() & OTHERS_READ != 0)
    }

    pub(super) fn check(path: &Path) -> io::Result<()> {
        let metadata = fs::metadata(path)?;
        // What others write to a device such as /dev/null is not what is read from it.
        if metadata.file_type().is_char_device() {
            return Ok(());
        }
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw() || metadata.uid() == 0;
        if is_ours && metadata.mode() & OTHERS_WRITE == 0 {
            return Ok(());
        }
        let why = "others may change it: chmod 600 it, or delete it";
        Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
    }

    pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }

    pub(super) fn create(path: &Path) -> io::Result<File> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(path)
    }
}

#[cfg(windows)]
mod system {
    use std::fs::{self, File};
    use std::io;
    use std::path::Path;

    pub(super) fn is_readable_by_others(_path: &Path) -> bool {
        false
    }

    /// Files in a user's folder are that user's alone unless someone changed that.
    pub(super) fn check(path: &Path) -> io::Result<()> {
        fs::metadata(path).map(drop)
    }

    pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    pub(super) fn create(path: &Path) -> io::Result<File> {
        File::create(path)
    }
}
