//! The end of an RFC 2217 connection that wants to use the serial port. Pure: is given what was read
//! and says what to write.

use crate::hub::{FlowControl, LineSettings, ModemInputs, Parity};
use crate::rfc2217::telnet::{TelnetDecoder, TelnetEvent, TelnetOptions};
use crate::rfc2217::{ComPortMessage, ComPortSide, flow, flow_code, modem, parity, parity_code};

/// The client's end of a connection.
#[derive(Default)]
pub(super) struct ComPortClient {
    decoder: TelnetDecoder,
    options: TelnetOptions,
    /// Commands that are to be written.
    pub(super) output: Vec<u8>,
    /// Data that was received.
    pub(super) data: Vec<u8>,
    /// True once the first settings were answered. Data that came before is of no use.
    is_open: bool,
    /// The settings that were answered last.
    answers: AnsweredSettings,
    /// The requests for each of them that were not answered yet.
    awaited: [u32; 5],
    modem_state: Option<u8>,
    /// True while the server wants to be sent nothing.
    pub(super) is_suspended: bool,
}

/// The settings that the server has in force; None where it has not said so.
#[derive(Default)]
struct AnsweredSettings {
    baud: Option<u32>,
    data_bits: Option<u8>,
    parity: Option<Parity>,
    stop_bits: Option<u8>,
    flow_control: Option<FlowControl>,
}

impl ComPortClient {
    /// Begins by offering to speak RFC 2217.
    pub(super) fn new() -> Self {
        let mut client = Self::default();
        client.options.offer(&mut client.output);
        client
    }

    /// Returns whether the server speaks RFC 2217; None until that is known.
    pub(super) fn has_com_port(&self) -> Option<bool> {
        self.options.has_com_port()
    }

    /// Returns true if the server has answered to a probe.
    pub(super) fn answers_probes(&self) -> bool {
        self.options.answers_probes
    }

    /// Asks the server for a sign of life.
    pub(super) fn probe(&mut self) {
        TelnetOptions::probe(&mut self.output);
    }

    /// Asks for settings, apart from the modem lines.
    pub(super) fn configure(&mut self, settings: &LineSettings) {
        self.send(&ComPortMessage::Baud(settings.baud));
        self.send(&ComPortMessage::DataBits(settings.data_bits));
        self.send(&ComPortMessage::Parity(parity_code(settings.parity)));
        self.send(&ComPortMessage::StopBits(settings.stop_bits));
        self.send(&ComPortMessage::Control(flow_code(settings.flow_control)));
        self.awaited = self.awaited.map(|count| count + 1);
    }

    /// Sends a message after all before.
    pub(super) fn send(&mut self, message: &ComPortMessage) {
        message.encode(ComPortSide::Client, &mut self.output);
    }

    /// Returns true while a setting was asked for and not answered.
    pub(super) fn awaits_settings(&self) -> bool {
        self.awaited != [0; 5]
    }

    /// Goes on without the answers that have not come.
    pub(super) fn forget_awaited(&mut self) {
        self.awaited = [0; 5];
        self.is_open = true;
    }

    /// Returns true if the server has answered to any setting.
    pub(super) fn has_answered(&self) -> bool {
        let AnsweredSettings {
            baud,
            data_bits,
            parity,
            stop_bits,
            flow_control,
        } = &self.answers;
        let bits = data_bits.is_some() || parity.is_some() || stop_bits.is_some();
        baud.is_some() || bits || flow_control.is_some()
    }

    /// Returns the settings in force where these were asked for.
    pub(super) fn in_force(&self, asked: &LineSettings) -> LineSettings {
        let answers = &self.answers;
        LineSettings {
            baud: answers.baud.unwrap_or(asked.baud),
            data_bits: answers.data_bits.unwrap_or(asked.data_bits),
            parity: answers.parity.unwrap_or(asked.parity),
            stop_bits: answers.stop_bits.unwrap_or(asked.stop_bits),
            flow_control: answers.flow_control.unwrap_or(asked.flow_control),
            ..*asked
        }
    }

    /// Returns the modem's inputs, if the server has told them.
    pub(super) fn inputs(&self) -> Option<ModemInputs> {
        let state = self.modem_state?;
        Some(ModemInputs {
            cts: state & modem::CTS != 0,
            dsr: state & modem::DSR != 0,
            dcd: state & modem::DCD != 0,
            ri: state & modem::RI != 0,
        })
    }

    /// Takes what was read.
    pub(super) fn receive(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            let (used, event) = self.decoder.decode(input, &mut self.data);
            input = &input[used..];
            match event {
                Some(TelnetEvent::Negotiation(verb, option)) => {
                    self.options.answer(verb, option, &mut self.output);
                }
                Some(TelnetEvent::Subnegotiation(body)) => {
                    if let Some(message) = ComPortMessage::decode(&body, ComPortSide::Server) {
                        self.answered(&message);
                    }
                }
                None => {}
            }
            if !self.is_open {
                self.data.clear();
                self.is_open = self.has_answered() && !self.awaits_settings();
            }
        }
    }

    fn answered(&mut self, message: &ComPortMessage) {
        let answers = &mut self.answers;
        let index = match *message {
            ComPortMessage::Baud(rate) => {
                answers.baud = Some(rate).filter(|rate| *rate > 0);
                0
            }
            ComPortMessage::DataBits(bits) => {
                answers.data_bits = Some(bits).filter(|bits| (5..=8).contains(bits));
                1
            }
            ComPortMessage::Parity(code) => {
                answers.parity = parity(code);
                2
            }
            ComPortMessage::StopBits(code) => {
                // One and a half are two for us.
                answers.stop_bits = Some(code.min(2)).filter(|bits| *bits > 0);
                3
            }
            // What follows is about modem lines and the other direction, but for the last: flow
            // control that we never ask for.
            ComPortMessage::Control(code @ (0..=3 | 17..=19)) => {
                answers.flow_control = flow(code);
                4
            }
            ComPortMessage::ModemState(state) => {
                self.modem_state = Some(state);
                return;
            }
            ComPortMessage::Suspend | ComPortMessage::Resume => {
                self.is_suspended = *message == ComPortMessage::Suspend;
                return;
            }
            _ => return,
        };
        self.awaited[index] = self.awaited[index].saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first bytes of a server that speaks RFC 2217.
    const AGREED: &[u8] = b"\xff\xfd\x2c\xff\xfb\x2c";

    fn server(messages: &[ComPortMessage]) -> Vec<u8> {
        let mut stream = Vec::new();
        for message in messages {
            message.encode(ComPortSide::Server, &mut stream);
        }
        stream
    }

    fn answers(baud: u32) -> Vec<u8> {
        use ComPortMessage::{Baud, Control, DataBits, Parity, StopBits};
        server(&[Baud(baud), DataBits(8), Parity(1), StopBits(1), Control(1)])
    }

    #[test]
    fn what_the_server_answers_is_in_force() {
        let mut client = ComPortClient::new();
        client.receive(AGREED);
        assert_eq!(client.has_com_port(), Some(true));
        let wanted = LineSettings {
            baud: 12_345,
            ..LineSettings::default()
        };
        client.configure(&wanted);
        assert!(client.awaits_settings());
        client.receive(b"garbage");
        client.receive(&[&answers(9600)[..], b"data"].concat());
        assert!(!client.awaits_settings());
        assert_eq!(client.data, b"data", "what came before is of no use");
        let expected = LineSettings::default();
        assert_eq!(client.in_force(&wanted), expected);
    }

    #[test]
    fn an_answer_belongs_to_the_request_before_it() {
        let mut client = ComPortClient::new();
        let settings = LineSettings::default();
        client.configure(&settings);
        client.configure(&settings);
        client.receive(&answers(300));
        assert!(client.awaits_settings());
        client.receive(&answers(9600));
        assert!(!client.awaits_settings());
        assert_eq!(client.in_force(&settings).baud, 9600);
    }

    #[test]
    fn the_inputs_are_those_that_the_server_tells() {
        let mut client = ComPortClient::new();
        assert_eq!(client.inputs(), None);
        client.receive(&server(&[ComPortMessage::ModemState(0xb0)]));
        let expected = ModemInputs {
            cts: true,
            dsr: true,
            dcd: true,
            ri: false,
        };
        assert_eq!(client.inputs(), Some(expected));
    }

    #[test]
    fn values_that_nobody_knows_change_nothing() {
        use ComPortMessage::{Baud, Control, DataBits, Parity, StopBits};
        let mut client = ComPortClient::new();
        let asked = LineSettings::default();
        client.configure(&asked);
        let strange = [Baud(0), DataBits(9), Parity(6), StopBits(0), Control(19)];
        client.receive(&server(&strange));
        assert!(!client.awaits_settings());
        assert_eq!(client.in_force(&asked), asked);
    }

    proptest! {
        #[test]
        fn whatever_a_server_sends_is_borne_in_bounded_memory(
            stream in prop::collection::vec(
                prop_oneof![any::<u8>(), Just(255), Just(250), Just(240), Just(44), 100_u8..113],
                0..500,
            ),
            size in 1_usize..30,
        ) {
            let mut client = ComPortClient::new();
            client.output.clear();
            client.configure(&LineSettings::default());
            client.output.clear();
            for piece in stream.chunks(size) {
                client.receive(piece);
            }
            prop_assert!(client.output.len() <= stream.len());
            prop_assert!(client.data.len() <= stream.len());
            let in_force = client.in_force(&LineSettings::default());
            prop_assert!(in_force.baud > 0 && (1..=2).contains(&in_force.stop_bits));
            prop_assert!((5..=8).contains(&in_force.data_bits));
        }
    }
}
