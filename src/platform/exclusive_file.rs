//! Files that one program writes while others may read them, and the room on the disk for them.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Creates a file that did not exist, for appending. Only its owner may read it. While it is open, no
/// other program gets it by [`take_exclusive`].
///
/// # Errors
/// Also where the name is taken.
pub(crate) fn create_exclusive(path: &Path) -> io::Result<File> {
    system::create(path)
}

/// Opens a file for appending, and creates it where there is none; then only its owner may read it. No
/// other program that opens it by this function or by [`take_exclusive`] gets it meanwhile. Others may
/// rename it.
///
/// # Errors
/// Also where it is no ordinary file, or somebody else writes to it.
pub(crate) fn append_exclusive(path: &Path) -> io::Result<File> {
    // Opening something else could wait for ever, such as for the reader of a pipe.
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(io::Error::other("it is a folder")),
        Ok(metadata) if !metadata.is_file() => {
            return Err(io::Error::other("it is not an ordinary file"));
        }
        _ => {}
    }
    system::append(path)
}

/// The error where another program has a file already.
fn has_writer() -> io::Error {
    io::Error::other("another port or program writes to it")
}

/// Returns true if a file that was opened at this path is still there. On Windows, any other one at the
/// path is taken for it.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    system::is_at(file, path)
}

/// Checks that files can be made in a folder.
///
/// # Errors
/// Why they cannot be.
pub(crate) fn can_create_in(folder: &Path) -> io::Result<()> {
    if !fs::metadata(folder).map_err(no_folder)?.is_dir() {
        return Err(no_folder(io::ErrorKind::NotADirectory.into()));
    }
    let probe = folder.join(format!(".serial-ws-{}", std::process::id()));
    create_exclusive(&probe)?;
    fs::remove_file(&probe)
}

fn no_folder(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => io::Error::other("there is no such folder"),
        io::ErrorKind::NotADirectory => io::Error::other("it is not a folder"),
        _ => error,
    }
}

/// Opens a file for reading as the only program that may change it. Returns None where another one
/// has it.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn take_exclusive(path: &Path) -> io::Result<Option<File>> {
    system::take(path)
}

/// Returns the mode of a file or folder, as `chmod` takes it; None where there is nothing. Windows has
/// no modes.
pub(crate) fn mode(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::mode(&path.metadata().ok()?));
    #[cfg(windows)]
    {
        let _ = path;
        None
    }
}

/// Returns the bytes that an ordinary user may still write to the disk of a folder.
///
/// # Errors
/// Where there is no such folder.
pub(crate) fn free_bytes(folder: &Path) -> io::Result<u64> {
    system::free_bytes(folder)
}

#[cfg(unix)]
mod system {
    use std::fs::{File, TryLockError};
    use std::io;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    use std::path::Path;

    pub(super) fn create(path: &Path) -> io::Result<File> {
        let mut options = File::options();
        let file = options
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        // Some network file systems have no locks. Then programs should not share a folder.
        let _ = file.try_lock();
        Ok(file)
    }

    pub(super) fn append(path: &Path) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).append(true).create(true);
        let file = options.mode(0o600).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(super::has_writer()),
            // Some network file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
        }
    }

    pub(super) fn is_at(file: &File, path: &Path) -> bool {
        let found = file.metadata().and_then(|own| Ok((own, path.metadata()?)));
        found.is_ok_and(|(own, there)| (own.dev(), own.ino()) == (there.dev(), there.ino()))
    }

    pub(super) fn take(path: &Path) -> io::Result<Option<File>> {
        let file = File::open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn free_bytes(folder: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::windows::ffi::OsStrExt;
    use std::os::windows::fs::OpenOptionsExt;
    use std::path::Path;

    use windows_sys::Win32::Foundation::ERROR_SHARING_VIOLATION;
    use windows_sys::Win32::Storage::FileSystem::{
        FILE_SHARE_DELETE, FILE_SHARE_READ, GetDiskFreeSpaceExW,
    };

    pub(super) fn create(path: &Path) -> io::Result<File> {
        // A file that is only appended to could not be shortened.
        let mut options = File::options();
        options.write(true).create_new(true);
        options.share_mode(FILE_SHARE_READ).open(path)
    }

    pub(super) fn append(path: &Path) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options
            .share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE)
            .open(path);
        file.map_err(|error| match error.raw_os_error() {
            Some(code) if code == ERROR_SHARING_VIOLATION as i32 => super::has_writer(),
            _ => error,
        })
    }

    pub(super) fn is_at(_: &File, path: &Path) -> bool {
        path.exists()
    }

    pub(super) fn take(path: &Path) -> io::Result<Option<File>> {
        let mut options = File::options();
        let file = options.read(true).share_mode(FILE_SHARE_READ).open(path);
        match file {
            Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION as i32) => Ok(None),
            file => file.map(Some),
        }
    }

    pub(super) fn free_bytes(folder: &Path) -> io::Result<u64> {
        let folder: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
        let mut free = 0;
        // SAFETY: the path ends with a zero, and the number outlives the call.
        let done = unsafe {
            GetDiskFreeSpaceExW(
                folder.as_ptr(),
                &raw mut free,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(free)
    }
}
