//! What is plugged in now: a byte stream with modem lines.

use std::io;

use serialport::{ClearBuffer, SerialPort};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_serial::SerialStream;

use super::source::serial::os;
use super::source::sim;
use crate::hub::LineErrors;

/// A byte stream with modem lines.
///
/// Never flush or shut down a device: for a serial port that blocks the runtime until the last
/// byte has left, which may be never.
pub(crate) trait Device: AsyncRead + AsyncWrite + Unpin + Send {
    /// Sets Data Terminal Ready.
    ///
    /// # Errors
    /// Where the device has no such line, or has gone.
    fn set_dtr(&mut self, on: bool) -> io::Result<()> {
        let _ = on;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets Request To Send.
    ///
    /// # Errors
    /// Where the device has no such line, or has gone.
    fn set_rts(&mut self, on: bool) -> io::Result<()> {
        let _ = on;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Begins or ends the break condition.
    ///
    /// # Errors
    /// Where the device has none, or has gone.
    fn set_break(&mut self, on: bool) -> io::Result<()> {
        let _ = on;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What went wrong on the line since the device was plugged in; None where it is not counted.
    fn line_errors(&self) -> Option<LineErrors> {
        None
    }

    /// Discards what was written and not sent yet, as far as the system can.
    fn discard_output(&mut self) {}

    /// Discards what was not sent, and closes. May block.
    fn close(self: Box<Self>) {}
}

impl Device for sim::Simulated {}

impl Device for SerialStream {
    fn set_dtr(&mut self, on: bool) -> io::Result<()> {
        Ok(self.write_data_terminal_ready(on)?)
    }

    fn set_rts(&mut self, on: bool) -> io::Result<()> {
        Ok(self.write_request_to_send(on)?)
    }

    fn set_break(&mut self, on: bool) -> io::Result<()> {
        Ok(if on {
            SerialPort::set_break(self)
        } else {
            self.clear_break()
        }?)
    }

    fn line_errors(&self) -> Option<LineErrors> {
        os::line_errors(self)
    }

    fn discard_output(&mut self) {
        os::discard_output(self);
    }

    fn close(self: Box<Self>) {
        // A device that has gone has nothing to discard.
        let _ = self.clear(ClearBuffer::Output);
    }
}
