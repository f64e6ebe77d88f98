//! Opens files of a folder, and nothing outside it, whatever others do in the folder meanwhile.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

/// Opens the file or folder at `path`, which is relative to `folder`. Links are followed as long as
/// they stay inside, and lead to nothing hidden. Pipes, sockets and devices are not opened: opening
/// one waits, or has an effect.
///
/// # Errors
/// `NotFound` where there is nothing that may be opened.
pub(crate) fn open_beneath(folder: &Path, path: &Path) -> io::Result<File> {
    system::open(folder, path)
}

/// Returns true for the name of a file that is for programs, such as `.env`. On HFS+, the old file
/// system of macOS, `.env` has more names, with characters in them that are not seen.
pub(crate) fn is_hidden(name: &OsStr) -> bool {
    let is_unseen = |c| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let name = name.to_string_lossy();
    name.trim_start_matches(is_unseen).starts_with('.')
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// Goes from folder to folder by descriptors, and reads each link itself. So a link that appears
/// where a folder was is never followed unseen. It does what `openat2` with `RESOLVE_BENEATH` does,
/// but works on every Unix, and sees the names on the way.
#[cfg(unix)]
mod system {
    use std::collections::VecDeque;
    use std::ffi::{OsStr, OsString};
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Component, Path};

    use rustix::fs::{AtFlags, FileType, Mode, OFlags};
    use rustix::io::Errno;

    use super::{is_hidden, not_found};

    /// Links on the way to one file; more are taken for a circle, as by Linux.
    const MAX_LINKS: usize = 40;

    /// Only Linux opens a folder that may be passed through, but not be listed.
    #[cfg(target_os = "linux")]
    const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
    #[cfg(not(target_os = "linux"))]
    const FOLDER: OFlags = OFlags::DIRECTORY;

    /// Without waiting for the other end of a pipe, and without taking a terminal: another program
    /// may put one in the place of a file at any moment.
    const FILE: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

    pub(super) fn open(folder: &Path, path: &Path) -> io::Result<File> {
        let folder = rustix::fs::open(folder, FOLDER | OFlags::CLOEXEC, Mode::empty())?;
        // The folders on the way to where we are; never empty.
        let mut way = vec![folder];
        let mut rest: VecDeque<_> = names(path)?.into();
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                way.pop();
                way.last().ok_or_else(not_found)?;
                continue;
            }
            if is_hidden(&name) {
                return Err(not_found());
            }
            let here = way.last().ok_or_else(not_found)?;
            let status = rustix::fs::statat(here, &*name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(status.st_mode) {
                FileType::Directory => way.push(open_at(here, &name, FOLDER)?),
                FileType::Symlink if links < MAX_LINKS => {
                    links += 1;
                    let target = rustix::fs::readlinkat(here, &*name, Vec::new());
                    let target = target.map_err(absence)?;
                    let target = names(Path::new(OsStr::from_bytes(target.as_bytes())))?;
                    target
                        .into_iter()
                        .rev()
                        .for_each(|name| rest.push_front(name));
                }
                FileType::RegularFile if rest.is_empty() => {
                    let file = File::from(open_at(here, &name, FILE)?);
                    let is_still_one = file.metadata()?.is_file();
                    return is_still_one.then_some(file).ok_or_else(not_found);
                }
                _ => return Err(not_found()),
            }
        }
        way.pop().map(File::from).ok_or_else(not_found)
    }

    fn open_at(folder: impl AsFd, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(absence)
    }

    /// Takes for absent what has become something else since it was looked at.
    fn absence(error: Errno) -> io::Error {
        match error {
            Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::INVAL => not_found(),
            error => error.into(),
        }
    }

    /// Returns the names in a path. An absolute one leads out of the folder.
    fn names(path: &Path) -> io::Result<Vec<OsString>> {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        parts
            .map(|part| match part {
                Component::Normal(name) => Ok(name.to_owned()),
                Component::ParentDir => Ok("..".into()),
                _ => Err(not_found()),
            })
            .collect()
    }
}

/// Opens the file, and then asks the system where it is: Windows has no way to open a path without
/// following links.
#[cfg(windows)]
mod system {
    use std::ffi::OsString;
    use std::fs::File;
    use std::io;
    use std::os::windows::ffi::OsStringExt;
    use std::os::windows::fs::OpenOptionsExt;
    use std::os::windows::io::AsRawHandle;
    use std::path::{Path, PathBuf};

    use windows_sys::Win32::Storage::FileSystem::{
        FILE_FLAG_BACKUP_SEMANTICS, GetFinalPathNameByHandleW,
    };

    use super::{is_hidden, not_found};

    pub(super) fn open(folder: &Path, path: &Path) -> io::Result<File> {
        let path = folder.join(path);
        // Opens nothing but files and folders, as far as nobody exchanges them meanwhile.
        let metadata = path.canonicalize()?.metadata()?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(not_found());
        }
        let (folder, file) = (open_any(folder)?, open_any(&path)?);
        let (folder, real) = (real_path(&folder)?, real_path(&file)?);
        let name = real.strip_prefix(&folder).map_err(|_| not_found())?;
        let is_served = !name.iter().any(is_hidden);
        is_served.then_some(file).ok_or_else(not_found)
    }

    fn open_any(path: &Path) -> io::Result<File> {
        let mut options = File::options();
        // Without this flag, folders cannot be opened.
        let options = options.read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
        options.open(path)
    }

    /// Returns where an open file is, with long names and without links.
    fn real_path(file: &File) -> io::Result<PathBuf> {
        // The longest path of Windows has 32,767 characters.
        let mut text = vec![0; 1 << 15];
        let capacity = u32::try_from(text.len()).unwrap_or_default();
        // SAFETY: the handle is open as long as `file` is borrowed, and the system writes at most
        // `capacity` characters to `text`, which has so many.
        let length = unsafe {
            GetFinalPathNameByHandleW(file.as_raw_handle(), text.as_mut_ptr(), capacity, 0)
        };
        match usize::try_from(length) {
            Ok(length) if (1..text.len()).contains(&length) => {
                Ok(OsString::from_wide(&text[..length]).into())
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    use super::*;

    /// A folder `web` with files, beside a file that is not inside.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("serial-ws-beneath-{name}-{}", std::process::id());
            let folder = Self(std::env::temp_dir().join(name));
            let _ = fs::remove_dir_all(&folder.0);
            for (path, text) in [
                ("web/a/file", "inside"),
                ("web/.env", "hidden"),
                ("web/.git/file", "hidden"),
                ("out/file", "outside"),
            ] {
                let path = folder.0.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            folder
        }

        fn link(&self, name: &str, target: &str) {
            symlink(target, self.0.join("web").join(name)).unwrap();
        }

        /// Returns the text of a file, or None where there is none that may be opened.
        #[track_caller]
        fn text(&self, path: &str) -> Option<String> {
            let mut text = String::new();
            match open_beneath(&self.0.join("web"), Path::new(path)) {
                Ok(mut file) => file.read_to_string(&mut text).unwrap(),
                Err(error) => {
                    let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
                    assert!(absent.contains(&error.kind()), "{path}: {error}");
                    return None;
                }
            };
            Some(text)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn links_are_followed_as_long_as_they_stay_inside() {
        let folder = Folder::new("inside");
        folder.link("file", "a/file");
        folder.link("a/up", "../a/./file");
        folder.link("folder", "a");
        folder.link("again", "folder/up");
        for path in ["a/file", "file", "a/up", "folder/file", "again"] {
            assert_eq!(folder.text(path).as_deref(), Some("inside"), "{path}");
        }
        let opened = open_beneath(&folder.0.join("web"), Path::new("folder")).unwrap();
        assert!(opened.metadata().unwrap().is_dir());
    }

    #[test]
    fn nothing_outside_or_hidden_is_opened_by_any_link() {
        let folder = Folder::new("outside");
        let absolute = folder.0.join("web/a/file").display().to_string();
        for (name, target) in [
            ("file", "../out/file"),
            ("folder", "../out"),
            ("around", "../web/a/file"),
            ("absolute", &absolute),
            ("root", "/"),
            ("hidden", ".env"),
            ("git", "a/../.git"),
            ("self", "self"),
            ("nowhere", "b"),
            ("zero", "/dev/zero"),
            ("through", "a/file/../file"),
        ] {
            folder.link(name, target);
        }
        for path in [
            "file",
            "folder/file",
            "around",
            "absolute",
            "root/etc/passwd",
            "hidden",
            "git/file",
            "self",
            "nowhere",
            "zero",
            "through",
            ".env",
            "\u{200c}.env",
            "..",
            "../out/file",
            "a/../../out/file",
            "/etc/passwd",
            "a/file/b",
        ] {
            assert_eq!(folder.text(path), None, "{path}");
        }
    }

    #[test]
    fn a_folder_that_becomes_a_link_at_any_moment_gives_nothing_outside() {
        let folder = Folder::new("race");
        folder.link("other", "../out");
        let web = folder.0.join("web");
        std::thread::scope(|scope| {
            // Until both states were met often.
            let reader = scope.spawn(|| {
                let (mut folders, mut links) = (0, 0);
                while folders < 2000 || links < 2000 {
                    match folder.text("a/file") {
                        Some(text) => {
                            assert_eq!(text, "inside");
                            folders += 1;
                        }
                        None => links += 1,
                    }
                }
            });
            let (one, other) = (web.join("a"), web.join("other"));
            while !reader.is_finished() {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
            reader.join().unwrap();
        });
    }
}
