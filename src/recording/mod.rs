//! Recordings: the format in which a port is recorded and played back, version 1. Pure: files are
//! the business of those who write and read them.
//!
//! A recording is a file of [JSON Lines](https://jsonlines.org), UTF-8 with `\n` after each line.
//! The first line is the [header](RecordingHeader), each other one an [entry](RecordingEntry):
//!
//! ```text
//! {"recording":"serial-ws","version":1,"run":"f6d5…","port":"uno","path":"/dev/ttyACM0",
//!  "usb":"usb:2341:0043:A1","settings":{"baud":9600,…},"offset":0,"t":1795169621.402847}
//! {"t":1795169621.412847,"rx":"584,678,0\r\n"}
//! {"t":1795169621.422901,"d":12,"rx64":"//4gYmFk"}
//! {"t":1795169621.500000,"tx":"H\n","client":3}
//! {"t":1795169622.000000,"status":"lost","detail":"/dev/ttyACM0 was unplugged"}
//! {"t":1795169630.000000,"missed":{"bytes":5787404}}
//! {"t":1795169631.000000,"note":"second trial"}
//! ```
//!
//! - `t` is the time of the last byte of the entry in seconds since 1970, with six decimals. It never
//!   goes back within a file. `d` is there if the first byte came more than 1 ms before the last: it
//!   is the time between the two, in milliseconds.
//! - `rx` is what came from the device, `tx` what the system took for it. They are text where the
//!   entry is UTF-8, else base64 under `rx64` and `tx64`. All `rx` joined are the stream of the
//!   device, byte for byte; so are all `tx`. An entry ends with a line end, else
//!   [100 ms](MAX_ENTRY_TIME) after its first byte, or with [4096 bytes](MAX_ENTRY_BYTES).
//! - `missed` counts what belongs exactly here and is not in the file: `bytes` of the device, and
//!   bytes for it as `tx`.
//! - A `status` has the settings, and `path`, `board` and `usb` of the device, where they are others
//!   than before.
//! - `offset` in the header is the place in the stream of the port's run at which the file begins, so
//!   that files of one `run` can be joined.
//! - Readers ignore members and entries that they do not know. They skip lines that are no JSON, and
//!   those longer than [1 MiB](MAX_LINE_BYTES), with a warning. The last line of a file may be torn.
//!
//! A file is called `PORT-YYYYMMDDTHHMMSSZ.jsonl`, or `….jsonl.gz` when it is complete and compressed
//! ([`SegmentName`]). Where both are there, they hold the same.
//!
//! | file | what it does |
//! |---|---|
//! | `header` | the first line of a file |
//! | `entry` | all other lines |
//! | `assembler` | cuts streams into entries, in the order of time |
//! | `raw_line` | reads lines of a bounded length |
//! | `reader` | reads files, whatever they hold |
//! | `seconds` | times, exact to the microsecond |
//! | `segment_name` | names of files |

mod assembler;
mod entry;
mod header;
mod raw_line;
mod reader;
mod seconds;
mod segment_name;

use std::time::Duration;

pub use assembler::EntryAssembler;
pub use entry::{EntryError, RecordingEntry};
pub use header::{HeaderError, RecordingHeader};
pub use raw_line::{RawLine, next_line};
pub use reader::{Flaw, ReadError, ReadItem, ReadWarning, RecordingReader};
pub use segment_name::SegmentName;

/// The version of the format. Within it, objects only grow.
pub const VERSION: u64 = 1;

/// The time from the first byte of an entry until it ends, line end or not.
pub const MAX_ENTRY_TIME: Duration = Duration::from_millis(100);

/// Bytes of an entry. At the limit it ends, and the next one goes on.
pub const MAX_ENTRY_BYTES: usize = 4096;

/// Bytes of a line that readers take, without its line end. A longer one is skipped. serial-ws itself
/// writes lines of at most 25 KB.
pub const MAX_LINE_BYTES: usize = 1 << 20;
