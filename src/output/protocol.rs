//! The trait in which the kinds of output differ: how one connection is spoken to. It does no I/O.

use super::output_port::OutputPort;
use crate::hub::{Outcome, SettingsChange, Status};
use crate::rfc2217::ComPortMessage;

/// A way to speak to a connection.
pub(super) trait OutputProtocol: Send {
    /// Takes bytes that came. Answers go to `output`.
    fn receive(&mut self, input: Vec<u8>, port: &mut OutputPort, output: &mut Vec<u8>);

    /// Appends data of the device as it is sent.
    fn encode(&mut self, data: &[u8], output: &mut Vec<u8>);

    /// Notes that the program has changed settings by other means than bytes.
    fn set(&mut self, _change: SettingsChange, _port: &mut OutputPort) {}

    /// Notes a change of the port's status.
    fn status(&mut self, _status: &Status, _output: &mut Vec<u8>) {}

    /// Answers a message whose action was carried out, or not.
    fn reply(
        &mut self,
        _message: ComPortMessage,
        _outcome: Outcome,
        _port: &mut OutputPort,
        _output: &mut Vec<u8>,
    ) {
    }

    /// Returns true while the connection wants to be sent no data.
    fn is_suspended(&self) -> bool {
        false
    }

    /// Returns true if a connection that sends no more is over.
    fn ends_with_input(&self) -> bool {
        false
    }

    /// Sets back what the connection has changed, because it ends.
    fn leave(&mut self, _port: &mut OutputPort) {}
}
