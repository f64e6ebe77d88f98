//! `record=`: records everything that a port receives and sends, with its times, to files in a folder
//! of the operator's. `recording` defines their format.
//!
//! A recording is a subscriber that keeps up: it takes each event at once, whatever the disk does, and
//! nobody is slower for it. A thread of its own writes (`disk`).
//!
//! | file | what it does |
//! |---|---|
//! | `control` | starts and stops recordings on request |
//! | `session` | one recording: from events to entries |
//! | `format` | the text of files, and marks of gaps |
//! | `folder` | the folder and its files |
//! | `housekeeping` | compresses closed files, removes the oldest |

mod control;
#[cfg(test)]
mod days_tests;
mod folder;
pub(super) mod format;
mod housekeeping;
mod session;

use std::path::PathBuf;

pub use control::RecorderAction;
pub(crate) use control::{Recorder, RecorderRequests, check_folder, prepare_folder};

/// The recordings of a port.
#[derive(Clone, Debug)]
pub(crate) struct RecorderConfig {
    /// The folder for them.
    pub(crate) folder: PathBuf,
    /// Bytes of a file, after which the next one begins.
    pub(crate) segment: u64,
    /// Bytes that the recordings of the port may take; None if none is ever removed.
    pub(crate) keep: Option<u64>,
    /// Bytes that stay free on the disk.
    pub(crate) reserve: u64,
    /// The last byte of a line.
    pub(crate) line_end: u8,
}
