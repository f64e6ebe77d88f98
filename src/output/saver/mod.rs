//! `save=`: appends the lines of a port as text to a file of the operator's.
//!
//! Like a recording it is a subscriber that keeps up: it takes each event at once, whatever the disk
//! does, and a thread of its own writes (`disk`).
//!
//! | file | what it does |
//! |---|---|
//! | `session` | from events to entries |
//! | `entry` | lines as text, with their times |
//! | `file` | the file, and the older ones beside it |

mod entry;
mod file;
mod session;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use file::check;
pub(crate) use session::Saver;

/// The file that a port's lines are saved to.
#[derive(Clone, Debug)]
pub(crate) struct SaverConfig {
    /// Its path.
    pub(crate) path: PathBuf,
    /// The time before each line.
    pub(crate) timestamps: Timestamps,
    /// Bytes after which it becomes an older file, and the next one begins; None for never.
    pub(crate) size: Option<u64>,
    /// Older files that are kept.
    pub(crate) count: u64,
    /// Bytes that stay free on the disk.
    pub(crate) reserve: u64,
}

impl SaverConfig {
    /// Returns the folder of the file.
    pub(crate) fn folder(&self) -> &Path {
        let parent = self.path.parent();
        let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new("."))
    }
}

/// The time before each line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Timestamps {
    /// Date and time of this computer's clock, with its distance from UTC.
    Iso,
    /// Seconds since 1970.
    Epoch,
    /// Seconds since the line before.
    Delta,
    /// Nothing.
    None,
}
