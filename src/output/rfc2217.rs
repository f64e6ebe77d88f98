//! `rfc2217=`: a port as a network serial port, with settings, modem lines and breaks, for programs
//! that speak RFC 2217 such as pyserial and esptool.

use super::output_port::OutputPort;
use super::protocol::OutputProtocol;
use super::temporary_settings::{ChangeOutcome, TemporarySettings};
use crate::hub::{Action, BaudChange, LineSettings, ModemInputs, Outcome, SettingsChange, Status};
use crate::rfc2217::telnet::{TelnetDecoder, TelnetEvent, TelnetOptions, escape};
use crate::rfc2217::{
    ComPortMessage, ComPortSide, control, flow, flow_code, modem, parity, parity_code,
};

/// The name that is told to those who ask.
const SIGNATURE: &str = concat!("serial-ws ", env!("CARGO_PKG_VERSION"));

/// The values of PURGE-DATA that mean what the device has sent.
const PURGE_RECEIVED: [u8; 2] = [1, 3];

/// The server's end of an RFC 2217 connection.
pub(super) struct ComPortServer {
    decoder: TelnetDecoder,
    options: TelnetOptions,
    /// The modem lines as this connection knows them; None where nobody has set them.
    lines: ModemLines,
    /// The modem lines before this connection changed anything.
    lines_before: ModemLines,
    settings: TemporarySettings,
    is_break: bool,
    inputs: ModemInputs,
    modem_mask: u8,
    /// True while the client wants to be sent no data.
    is_suspended: bool,
}

/// The levels of DTR and RTS.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct ModemLines {
    dtr: Option<bool>,
    rts: Option<bool>,
}

impl ComPortServer {
    /// Starts with a connection on which nothing was said.
    pub(super) fn new() -> Self {
        Self {
            decoder: TelnetDecoder::default(),
            options: TelnetOptions::default(),
            lines: ModemLines::default(),
            lines_before: ModemLines::default(),
            settings: TemporarySettings::default(),
            is_break: false,
            inputs: ModemInputs::default(),
            modem_mask: u8::MAX,
            is_suspended: false,
        }
    }

    fn is_agreed(&self) -> bool {
        self.options.has_com_port() == Some(true)
    }

    /// Writes data, which means something only once both ends speak RFC 2217.
    fn write(&self, data: &mut Vec<u8>, port: &mut OutputPort) {
        let data = std::mem::take(data);
        if self.is_agreed() && !data.is_empty() {
            port.ask(Action::Write(data.into()), None);
        }
    }

    /// Carries out what the client asks for, or asks the port for it.
    fn request(&mut self, message: ComPortMessage, port: &mut OutputPort, output: &mut Vec<u8>) {
        match message {
            ComPortMessage::Signature(text) if text.is_empty() => {
                let signature = SIGNATURE.as_bytes().to_vec();
                answer(&ComPortMessage::Signature(signature), output);
            }
            // None of them is told.
            ComPortMessage::LineStateMask(_) => answer(&ComPortMessage::LineStateMask(0), output),
            ComPortMessage::ModemStateMask(mask) => {
                self.modem_mask = mask;
                answer(&message, output);
            }
            ComPortMessage::Purge(what) => {
                if PURGE_RECEIVED.contains(&what) {
                    port.skips_data = true;
                }
                answer(&message, output);
            }
            ComPortMessage::Suspend | ComPortMessage::Resume => {
                self.is_suspended = message == ComPortMessage::Suspend;
            }
            ComPortMessage::Signature(_)
            | ComPortMessage::LineState(_)
            | ComPortMessage::ModemState(_) => {}
            _ => self.set(message, port, output),
        }
    }

    /// Changes a setting or a line, unless it is so already.
    fn set(&mut self, message: ComPortMessage, port: &mut OutputPort, output: &mut Vec<u8>) {
        let settings = port.status().settings;
        if !self.settings.has_changed() {
            self.lines = ModemLines {
                dtr: settings.dtr.level(),
                rts: settings.rts.level(),
            };
            self.lines_before = self.lines;
        }
        let Some(action) = action(&message) else {
            return answer(&self.in_force(&message, &settings), output);
        };
        let is_so = self.is_so(&action, &settings);
        match (self.settings).change(action, is_so, Some(message.clone()), port) {
            ChangeOutcome::IsSo => answer(&message, output),
            ChangeOutcome::Refused => answer(&self.in_force(&message, &settings), output),
            ChangeOutcome::Asked => {}
        }
    }

    /// Returns true if an action would change nothing.
    fn is_so(&self, action: &Action, settings: &LineSettings) -> bool {
        match action {
            Action::Settings(change) => change.is_made(*settings),
            Action::Signals { dtr, rts } => {
                let is_level = |wanted: Option<bool>, now| wanted.is_none() || wanted == now;
                is_level(*dtr, self.lines.dtr) && is_level(*rts, self.lines.rts)
            }
            Action::HoldBreak(on) => *on == self.is_break,
            _ => false,
        }
    }

    /// Returns the message with the value in force.
    fn in_force(&self, message: &ComPortMessage, settings: &LineSettings) -> ComPortMessage {
        let either = |is_on: bool, on: u8, off: u8| if is_on { on } else { off };
        match message {
            ComPortMessage::Baud(_) => ComPortMessage::Baud(settings.baud),
            ComPortMessage::DataBits(_) => ComPortMessage::DataBits(settings.data_bits),
            ComPortMessage::Parity(_) => ComPortMessage::Parity(parity_code(settings.parity)),
            ComPortMessage::StopBits(_) => ComPortMessage::StopBits(settings.stop_bits),
            ComPortMessage::Control(code) => ComPortMessage::Control(match code {
                4..=6 => either(self.is_break, control::BREAK_ON, control::BREAK_OFF),
                7..=9 => either(
                    self.lines.dtr == Some(true),
                    control::DTR_ON,
                    control::DTR_OFF,
                ),
                10..=12 => either(
                    self.lines.rts == Some(true),
                    control::RTS_ON,
                    control::RTS_OFF,
                ),
                13..=16 => control::INBOUND_FLOW + flow_code(settings.flow_control),
                _ => flow_code(settings.flow_control),
            }),
            other => other.clone(),
        }
    }

    /// Tells the modem's inputs, with those that have changed.
    fn tell_inputs(&mut self, inputs: ModemInputs, is_first: bool, output: &mut Vec<u8>) {
        let before = std::mem::replace(&mut self.inputs, inputs);
        let (now, before) = (levels(inputs), levels(before));
        let is_news = is_first || (now ^ before) & self.modem_mask != 0;
        if is_news && self.is_agreed() {
            answer(
                &ComPortMessage::ModemState(now | ((now ^ before) >> 4)),
                output,
            );
        }
    }
}

impl OutputProtocol for ComPortServer {
    fn receive(&mut self, input: Vec<u8>, port: &mut OutputPort, output: &mut Vec<u8>) {
        let (mut input, mut data) = (&*input, Vec::new());
        while !input.is_empty() {
            let (used, event) = self.decoder.decode(input, &mut data);
            input = &input[used..];
            self.write(&mut data, port);
            match event {
                Some(TelnetEvent::Negotiation(verb, option)) => {
                    let was_agreed = self.is_agreed();
                    self.options.answer(verb, option, output);
                    if !was_agreed {
                        let inputs = port.status().inputs.unwrap_or_default();
                        self.tell_inputs(inputs, true, output);
                    }
                }
                Some(TelnetEvent::Subnegotiation(body)) => {
                    let message = ComPortMessage::decode(&body, ComPortSide::Client);
                    if let Some(message) = message.filter(|_| self.is_agreed()) {
                        self.request(message, port, output);
                    }
                }
                None => {}
            }
        }
    }

    fn encode(&mut self, data: &[u8], output: &mut Vec<u8>) {
        escape(data, output);
    }

    fn status(&mut self, status: &Status, output: &mut Vec<u8>) {
        if let Some(inputs) = status.inputs {
            self.tell_inputs(inputs, false, output);
        }
    }

    fn reply(
        &mut self,
        message: ComPortMessage,
        outcome: Outcome,
        port: &mut OutputPort,
        output: &mut Vec<u8>,
    ) {
        if let Err(error) = outcome {
            port.warn(&error.reason);
            let settings = port.status().settings;
            return answer(&self.in_force(&message, &settings), output);
        }
        match action(&message) {
            Some(Action::Signals { dtr, rts }) => {
                self.lines.dtr = dtr.or(self.lines.dtr);
                self.lines.rts = rts.or(self.lines.rts);
            }
            Some(Action::HoldBreak(on)) => self.is_break = on,
            _ => {}
        }
        answer(&message, output);
    }

    fn is_suspended(&self) -> bool {
        self.is_suspended
    }

    fn ends_with_input(&self) -> bool {
        true
    }

    fn leave(&mut self, port: &mut OutputPort) {
        if self.settings.set_back(port) && self.lines != self.lines_before {
            let ModemLines { dtr, rts } = self.lines_before;
            port.ask(Action::Signals { dtr, rts }, None);
        }
    }
}

/// Returns what a message asks of the port; None for one that asks for a value, or for a value that
/// no port has.
fn action(message: &ComPortMessage) -> Option<Action> {
    let none = SettingsChange::default();
    let change = match *message {
        ComPortMessage::Baud(rate @ 1..) => SettingsChange {
            baud: Some(BaudChange::Rate(rate)),
            ..none
        },
        ComPortMessage::DataBits(bits @ 5..=8) => SettingsChange {
            data_bits: Some(bits),
            ..none
        },
        ComPortMessage::Parity(code) => SettingsChange {
            parity: Some(parity(code)?),
            ..none
        },
        ComPortMessage::StopBits(bits @ 1..=2) => SettingsChange {
            stop_bits: Some(bits),
            ..none
        },
        ComPortMessage::Control(code) => {
            let signals = |dtr, rts| Some(Action::Signals { dtr, rts });
            match code {
                control::BREAK_ON | control::BREAK_OFF => {
                    return Some(Action::HoldBreak(code == control::BREAK_ON));
                }
                control::DTR_ON | control::DTR_OFF => {
                    return signals(Some(code == control::DTR_ON), None);
                }
                control::RTS_ON | control::RTS_OFF => {
                    return signals(None, Some(code == control::RTS_ON));
                }
                code => SettingsChange {
                    flow_control: Some(flow(code)?),
                    ..none
                },
            }
        }
        _ => return None,
    };
    Some(Action::Settings(change))
}

fn answer(message: &ComPortMessage, output: &mut Vec<u8>) {
    message.encode(ComPortSide::Server, output);
}

/// Returns the modem's inputs as RFC 2217 has them.
fn levels(inputs: ModemInputs) -> u8 {
    let ModemInputs { cts, dsr, dcd, ri } = inputs;
    let level = |is_on: bool, bit: u8| if is_on { bit } else { 0 };
    level(cts, modem::CTS) | level(dsr, modem::DSR) | level(dcd, modem::DCD) | level(ri, modem::RI)
}
