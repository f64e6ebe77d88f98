//! Cuts a byte stream into frames, once for everyone. Pure: no I/O, and no clock of its own.
//!
//! A new framing is a file here that implements [`Framer`], and an arm of [`framer`].

pub(crate) mod lines;

use bytes::Bytes;
use tokio::time::Instant;

use crate::hub::Data;
use lines::LineFramer;

/// Turns the chunks that a device sends into [`Data`]: each chunk with the frames that end in it.
pub trait Framer: Send + Sync {
    /// Starts a new stream. Its first frame counts as whole only if the stream `starts_whole`.
    fn begin(&mut self, starts_whole: bool);

    /// Takes a chunk, which is not empty, and returns it with the frames that it completed.
    fn push(&mut self, chunk: Bytes) -> Data;

    /// Returns when to call [`Framer::cut`] if nothing is read after `last_read`; None for a
    /// framing that silence does not end.
    fn deadline(&self, last_read: Instant) -> Option<Instant> {
        let _ = last_read;
        None
    }

    /// Ends the current frame, because its deadline has passed or the stream has ended. Returns it
    /// with what else was left unfinished, if anything.
    fn cut(&mut self) -> Option<Data>;
}

/// Returns a framer for a port whose lines are cut at `max_line` bytes.
pub(crate) fn framer(max_line: usize) -> Box<dyn Framer> {
    Box::new(LineFramer::new(max_line))
}
