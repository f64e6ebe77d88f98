//! `tcp=`: the bytes of a port as they are, for any number of raw TCP clients.

use super::output_port::OutputPort;
use super::protocol::OutputProtocol;
use crate::hub::Action;

/// Bytes as they are.
pub(super) struct RawTcp;

impl OutputProtocol for RawTcp {
    fn receive(&mut self, input: Vec<u8>, port: &mut OutputPort, _output: &mut Vec<u8>) {
        port.ask(Action::Write(input.into()), None);
    }

    fn encode(&mut self, data: &[u8], output: &mut Vec<u8>) {
        output.extend_from_slice(data);
    }
}
