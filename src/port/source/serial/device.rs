//! An open serial port as a [`Device`].

use std::io;

use serialport::{ClearBuffer, SerialPort};

use super::library;
use super::os::{self, SerialStream};
use crate::hub::{LineErrors, LineSettings, ModemInputs};
use crate::port::device::Device;
use crate::port::modem_lines::LineChange;

impl Device for SerialStream {
    fn change_line(&mut self, change: LineChange) -> io::Result<()> {
        let changed = match change {
            LineChange::Dtr(on) => self.write_data_terminal_ready(on),
            LineChange::Rts(on) => self.write_request_to_send(on),
            LineChange::Break(true) => self.set_break(),
            LineChange::Break(false) => self.clear_break(),
        };
        changed.map_err(|error| library::io_error(&error))
    }

    fn configure(&mut self, settings: &LineSettings) -> io::Result<()> {
        os::configure(self, settings)
    }

    fn has_input(&self) -> bool {
        os::has_input(self)
    }

    fn unsent(&self) -> Option<usize> {
        self.bytes_to_write().ok().map(|count| count as usize)
    }

    fn line_errors(&self) -> Option<LineErrors> {
        os::line_errors(self)
    }

    fn inputs(&mut self) -> Option<ModemInputs> {
        os::inputs(self)
    }

    fn discard_output(&mut self) {
        os::discard_output(self);
    }

    fn close(self: Box<Self>) {
        // A device that has gone has nothing to discard.
        let _ = self.clear(ClearBuffer::Output);
    }
}
