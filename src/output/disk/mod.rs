//! Writes what a port's outputs keep in files: on a thread of its own, so that nobody waits for the
//! disk. Where the disk is full, slow or gone, entries wait in bounded memory; beyond that, the gap is
//! counted, and marked where it belongs.
//!
//! | file | what it does |
//! |---|---|
//! | `queue` | entries on their way to the disk, bounded |
//! | `thread` | the thread that writes |
//! | `writer` | files one after the other, pauses, retries |
//! | `report` | how it goes, in the log and in the status |

pub(super) mod queue;
pub(super) mod report;
pub(super) mod thread;
pub(super) mod writer;
