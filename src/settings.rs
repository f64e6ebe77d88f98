//! How a port is opened and shown, as whoever opens it and whoever shows it must know.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::view::{LineEnding, View};

/// How to open and show a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Baud.
    pub(crate) baud: u32,
    /// 5 to 8.
    pub(crate) data_bits: u8,
    /// Parity of each character.
    pub(crate) parity: Parity,
    /// 1 or 2.
    pub(crate) stop_bits: u8,
    /// How the two sides keep each other from sending too much.
    pub(crate) flow_control: FlowControl,
    /// Data Terminal Ready after opening.
    pub(crate) dtr: ModemLine,
    /// Request To Send after opening.
    pub(crate) rts: ModemLine,
    /// Whether to let boards run on when the port is closed and opened again.
    pub(crate) no_reset: bool,
    /// Whether the driver should hand over at once what it receives.
    pub(crate) low_latency: bool,
    /// How long to hold writes after opening; by the kind of device where absent.
    pub(crate) settle: Option<Duration>,
    /// The view of a client that asks for none.
    pub(crate) view: View,
    /// The ending that is added to text messages that lack one.
    pub(crate) append: LineEnding,
    /// Bytes of a line beyond which it comes in pieces.
    pub(crate) max_line: usize,
    /// Whether clients may not write.
    pub(crate) read_only: bool,
}

impl Settings {
    /// Bits that one byte takes on the wire, with its start, parity and stop bits.
    pub(crate) fn bits_per_byte(&self) -> u32 {
        let parity = u32::from(self.parity != Parity::None);
        1 + u32::from(self.data_bits) + parity + u32::from(self.stop_bits)
    }

    /// The settings as clients are shown them.
    pub(crate) fn to_json(self) -> Value {
        let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        json!({
            "baud": self.baud,
            "dataBits": self.data_bits,
            "parity": name(&self.parity),
            "stopBits": self.stop_bits,
            "flowControl": name(&self.flow_control),
            "view": self.view.name(),
            "append": name(&self.append),
            "maxLine": self.max_line,
            "readOnly": self.read_only,
        })
    }
}

/// Parity bit of each character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Parity {
    /// No parity bit
    #[default]
    None,
    /// An odd number of ones
    Odd,
    /// An even number of ones
    Even,
}

/// How the two sides keep each other from sending too much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowControl {
    /// They do not
    #[default]
    None,
    /// By XON and XOFF characters
    Software,
    /// By the lines RTS and CTS
    Hardware,
}

/// What to do with a modem line after opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModemLine {
    /// Assert it
    #[default]
    On,
    /// Release it
    Off,
    /// Leave it as the system sets it
    Keep,
}
