//! `pty=`: a port as a pseudo-terminal, for programs that only know serial ports. What they set of it
//! is followed as far as the system tells of it; a pseudo-terminal has no modem lines and no breaks.

use super::output_port::OutputPort;
use super::protocol::OutputProtocol;
use super::temporary_settings::TemporarySettings;
use crate::hub::{Action, SettingsChange};

/// A program that has the terminal open.
#[derive(Default)]
pub(super) struct PtyProgram {
    settings: TemporarySettings,
}

impl OutputProtocol for PtyProgram {
    fn receive(&mut self, input: Vec<u8>, port: &mut OutputPort, _output: &mut Vec<u8>) {
        port.ask(Action::Write(input.into()), None);
    }

    fn encode(&mut self, data: &[u8], output: &mut Vec<u8>) {
        output.extend_from_slice(data);
    }

    fn set(&mut self, change: SettingsChange, port: &mut OutputPort) {
        let is_so = change.is_made(port.status().settings);
        // The program is not told how it went: it has set the terminal already.
        self.settings
            .change(Action::Settings(change), is_so, None, port);
    }

    fn ends_with_input(&self) -> bool {
        true
    }

    fn leave(&mut self, port: &mut OutputPort) {
        self.settings.set_back(port);
    }
}
