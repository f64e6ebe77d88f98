//! An open device: a byte stream with modem lines.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::hub::LineErrors;

/// A byte stream with modem lines.
///
/// Never flush or shut down a device: for a serial port that blocks the runtime until the last
/// byte has left, which may be never.
pub(crate) trait Device: AsyncRead + AsyncWrite + Unpin + Send {
    /// Sets Data Terminal Ready.
    ///
    /// # Errors
    /// If the device has no such line, or has gone.
    fn set_dtr(&mut self, on: bool) -> io::Result<()> {
        let _ = on;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets Request To Send.
    ///
    /// # Errors
    /// If the device has no such line, or has gone.
    fn set_rts(&mut self, on: bool) -> io::Result<()> {
        let _ = on;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Begins or ends the break condition.
    ///
    /// # Errors
    /// If the device has none, or has gone.
    fn set_break(&mut self, on: bool) -> io::Result<()> {
        let _ = on;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns the errors on the line since the device was plugged in; None where nobody counts
    /// them.
    fn line_errors(&self) -> Option<LineErrors> {
        None
    }

    /// Returns why the device ended, once a read returned nothing.
    fn end_reason(&self) -> String {
        "it was unplugged".to_owned()
    }

    /// Discards what was written and not sent yet, as far as the system can.
    fn discard_output(&mut self) {}

    /// Discards what was not sent, and closes. May block.
    fn close(self: Box<Self>) {}
}
