//! Files that one program writes while others may read them, and the room on the disk for them.

use std::fs::File;
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

/// Opens a file for reading as the only program that may change it. Returns None where another one
/// has it.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn take_exclusive(path: &Path) -> io::Result<Option<File>> {
    system::take(path)
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
    use std::os::unix::fs::OpenOptionsExt;
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
    use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, GetDiskFreeSpaceExW};

    pub(super) fn create(path: &Path) -> io::Result<File> {
        // A file that is only appended to could not be shortened.
        let mut options = File::options();
        options.write(true).create_new(true);
        options.share_mode(FILE_SHARE_READ).open(path)
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
