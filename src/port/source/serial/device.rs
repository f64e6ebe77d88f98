//! An open serial port as a [`Device`].

use std::io;

use serialport::{ClearBuffer, SerialPort};
use tokio_serial::SerialStream;

use super::os;
use crate::hub::LineErrors;
use crate::port::device::Device;

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
