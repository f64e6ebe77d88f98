//! RFC 2217, serial ports over Telnet, as bytes: the messages of both ends, and the values in them.
//! Pure; the source `rfc2217://` is one end, and the output `rfc2217=` the other.

pub(crate) mod telnet;

use crate::hub::{FlowControl, Parity};
use telnet::{COM_PORT, IAC, SB, SE, escape};

/// The number that is added to a code in a message from the server.
const SERVER_OFFSET: u8 = 100;

/// The values of [`ComPortMessage::Control`].
pub(crate) mod control {
    /// Begins the break condition.
    pub(crate) const BREAK_ON: u8 = 5;
    /// Ends the break condition.
    pub(crate) const BREAK_OFF: u8 = 6;
    /// Asserts DTR.
    pub(crate) const DTR_ON: u8 = 8;
    /// Releases DTR.
    pub(crate) const DTR_OFF: u8 = 9;
    /// Asserts RTS.
    pub(crate) const RTS_ON: u8 = 11;
    /// Releases RTS.
    pub(crate) const RTS_OFF: u8 = 12;
    /// The number that is added to a flow control for the other direction.
    pub(crate) const INBOUND_FLOW: u8 = 13;
}

/// The levels in [`ComPortMessage::ModemState`].
pub(crate) mod modem {
    /// Data Carrier Detect.
    pub(crate) const DCD: u8 = 128;
    /// Ring Indicator.
    pub(crate) const RI: u8 = 64;
    /// Data Set Ready.
    pub(crate) const DSR: u8 = 32;
    /// Clear To Send.
    pub(crate) const CTS: u8 = 16;
}

/// The end that sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComPortSide {
    /// The end that wants to use the serial port.
    Client,
    /// The end that has it.
    Server,
}

/// A message about the serial port: a request of the client, or the answer of the server, which has
/// the value in force. A value of 0 asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ComPortMessage {
    /// A text that names the sender; an empty one asks for it.
    Signature(Vec<u8>),
    /// Bits per second.
    Baud(u32),
    /// Data bits, from 5 to 8.
    DataBits(u8),
    /// The parity, as [`parity_code`] numbers it.
    Parity(u8),
    /// 1, 2, or 3 for one and a half.
    StopBits(u8),
    /// Flow control and modem lines, see [`control`].
    Control(u8),
    /// Errors and more of the line.
    LineState(u8),
    /// The modem's inputs, see [`modem`], and in the low half which of them have changed.
    ModemState(u8),
    /// Asks the other end to send nothing.
    Suspend,
    /// Asks it to go on.
    Resume,
    /// The line states that are to be told.
    LineStateMask(u8),
    /// The modem states that are to be told.
    ModemStateMask(u8),
    /// Drops what was received (1), what is to be sent (2), or both (3).
    Purge(u8),
}

impl ComPortMessage {
    /// Appends the message as it is sent.
    pub(crate) fn encode(&self, sender: ComPortSide, output: &mut Vec<u8>) {
        let number = [self.value()];
        let (code, value): (u8, &[u8]) = match self {
            Self::Signature(text) => (0, text),
            Self::Baud(rate) => return encode(1, &rate.to_be_bytes(), sender, output),
            Self::DataBits(_) => (2, &number),
            Self::Parity(_) => (3, &number),
            Self::StopBits(_) => (4, &number),
            Self::Control(_) => (5, &number),
            Self::LineState(_) => (6, &number),
            Self::ModemState(_) => (7, &number),
            Self::Suspend => (8, &[]),
            Self::Resume => (9, &[]),
            Self::LineStateMask(_) => (10, &number),
            Self::ModemStateMask(_) => (11, &number),
            Self::Purge(_) => (12, &number),
        };
        encode(code, value, sender, output);
    }

    fn value(&self) -> u8 {
        match self {
            Self::DataBits(value)
            | Self::Parity(value)
            | Self::StopBits(value)
            | Self::Control(value)
            | Self::LineState(value)
            | Self::ModemState(value)
            | Self::LineStateMask(value)
            | Self::ModemStateMask(value)
            | Self::Purge(value) => *value,
            Self::Signature(_) | Self::Baud(_) | Self::Suspend | Self::Resume => 0,
        }
    }

    /// Reads a subnegotiation. Returns None for one of another option, of the wrong end, or of a
    /// kind or length that nobody knows.
    pub(crate) fn decode(body: &[u8], sender: ComPortSide) -> Option<Self> {
        let [COM_PORT, code, value @ ..] = body else {
            return None;
        };
        let code = match sender {
            ComPortSide::Client => *code,
            ComPortSide::Server => code.checked_sub(SERVER_OFFSET)?,
        };
        Some(match (code, value) {
            (0, text) => Self::Signature(text.to_vec()),
            (1, rate) => Self::Baud(u32::from_be_bytes(rate.try_into().ok()?)),
            (2, [value]) => Self::DataBits(*value),
            (3, [value]) => Self::Parity(*value),
            (4, [value]) => Self::StopBits(*value),
            (5, [value]) => Self::Control(*value),
            (6, [value]) => Self::LineState(*value),
            (7, [value]) => Self::ModemState(*value),
            (8, []) => Self::Suspend,
            (9, []) => Self::Resume,
            (10, [value]) => Self::LineStateMask(*value),
            (11, [value]) => Self::ModemStateMask(*value),
            (12, [value]) => Self::Purge(*value),
            _ => return None,
        })
    }
}

fn encode(code: u8, value: &[u8], sender: ComPortSide, output: &mut Vec<u8>) {
    let offset = match sender {
        ComPortSide::Client => 0,
        ComPortSide::Server => SERVER_OFFSET,
    };
    output.extend([IAC, SB, COM_PORT, code + offset]);
    escape(value, output);
    output.extend([IAC, SE]);
}

/// The kinds of parity by their numbers, beginning with 1.
const PARITIES: [Parity; 5] = [
    Parity::None,
    Parity::Odd,
    Parity::Even,
    Parity::Mark,
    Parity::Space,
];

/// The kinds of flow control by their numbers, beginning with 1.
const FLOW_CONTROLS: [FlowControl; 3] = [
    FlowControl::None,
    FlowControl::Software,
    FlowControl::Hardware,
];

/// Returns the number of a parity.
pub(crate) fn parity_code(parity: Parity) -> u8 {
    code_in(&PARITIES, parity)
}

/// Returns the parity with a number.
pub(crate) fn parity(code: u8) -> Option<Parity> {
    value_in(&PARITIES, code)
}

/// Returns the number of a flow control.
pub(crate) fn flow_code(flow: FlowControl) -> u8 {
    code_in(&FLOW_CONTROLS, flow)
}

/// Returns the flow control with a number.
pub(crate) fn flow(code: u8) -> Option<FlowControl> {
    value_in(&FLOW_CONTROLS, code)
}

fn code_in<T: PartialEq>(values: &[T], value: T) -> u8 {
    let position = values.iter().position(|one| *one == value);
    position.map_or(0, |index| index as u8 + 1)
}

fn value_in<T: Copy>(values: &[T], code: u8) -> Option<T> {
    values.get(usize::from(code).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::telnet::{TelnetDecoder, TelnetEvent};
    use super::*;

    /// Decodes one message.
    fn received(stream: &[u8], sender: ComPortSide) -> Option<ComPortMessage> {
        let mut data = Vec::new();
        let (used, event) = TelnetDecoder::default().decode(stream, &mut data);
        assert_eq!((used, data.len()), (stream.len(), 0));
        let Some(TelnetEvent::Subnegotiation(body)) = event else {
            return None;
        };
        ComPortMessage::decode(&body, sender)
    }

    #[track_caller]
    fn check(message: &ComPortMessage, sender: ComPortSide, stream: &[u8]) {
        let mut output = Vec::new();
        message.encode(sender, &mut output);
        assert_eq!(output, stream);
        assert_eq!(received(stream, sender).as_ref(), Some(message));
    }

    #[test]
    fn messages_are_those_of_the_standard_and_of_pyserial() {
        use ComPortMessage::{Baud, Control, DataBits, ModemState, Purge, Signature, Suspend};
        let (client, server) = (ComPortSide::Client, ComPortSide::Server);
        check(
            &Baud(115_200),
            client,
            b"\xff\xfa\x2c\x01\0\x01\xc2\0\xff\xf0",
        );
        check(
            &Baud(115_200),
            server,
            b"\xff\xfa\x2c\x65\0\x01\xc2\0\xff\xf0",
        );
        check(
            &Baud(255),
            client,
            b"\xff\xfa\x2c\x01\0\0\0\xff\xff\xff\xf0",
        );
        check(&DataBits(8), client, b"\xff\xfa\x2c\x02\x08\xff\xf0");
        check(&Control(8), server, b"\xff\xfa\x2c\x69\x08\xff\xf0");
        check(
            &ModemState(0xff),
            server,
            b"\xff\xfa\x2c\x6b\xff\xff\xff\xf0",
        );
        check(&Purge(1), client, b"\xff\xfa\x2c\x0c\x01\xff\xf0");
        check(&Suspend, server, b"\xff\xfa\x2c\x6c\xff\xf0");
        check(
            &Signature(b"me".to_vec()),
            client,
            b"\xff\xfa\x2c\0me\xff\xf0",
        );
    }

    #[test]
    fn what_nobody_knows_is_left_out() {
        for body in [
            &[24, 1][..],
            &[44],
            &[44, 1, 0, 0],
            &[44, 2],
            &[44, 2, 1, 1],
            &[44, 8, 1],
            &[44, 13, 0],
            &[44, 101, 0, 0, 0, 1],
        ] {
            assert_eq!(ComPortMessage::decode(body, ComPortSide::Client), None);
        }
        let of_client = ComPortMessage::decode(&[44, 2, 8], ComPortSide::Server);
        assert_eq!(of_client, None);
    }

    #[test]
    fn values_have_the_numbers_of_the_standard() {
        assert_eq!(parity_code(Parity::Space), 5);
        assert_eq!(parity(2), Some(Parity::Odd));
        assert_eq!((parity(0), parity(6)), (None, None));
        assert_eq!(flow_code(FlowControl::Hardware), 3);
        assert_eq!(flow(2), Some(FlowControl::Software));
        assert_eq!((flow(0), flow(17)), (None, None));
    }

    proptest! {
        #[test]
        fn any_subnegotiation_is_read_or_left_out(
            body in prop::collection::vec(any::<u8>(), 0..20)
        ) {
            let body = [&[COM_PORT][..], &body].concat();
            for sender in [ComPortSide::Client, ComPortSide::Server] {
                if let Some(message) = ComPortMessage::decode(&body, sender) {
                    let mut output = Vec::new();
                    message.encode(sender, &mut output);
                    prop_assert_eq!(received(&output, sender), Some(message));
                }
            }
        }
    }
}
