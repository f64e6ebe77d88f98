//! The line settings of a serial port: what opening its device needs to know.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The settings with which a serial device is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSettings {
    /// Bits per second on the wire.
    pub baud: u32,
    /// True while serial-ws listens for the rate, and when it has found it so.
    pub baud_auto: bool,
    /// True if this rate was found by listening, and is known to be right.
    pub baud_detected: bool,
    /// Data bits per character, from 5 to 8.
    pub data_bits: u8,
    /// The parity bit of each character.
    pub parity: Parity,
    /// Stop bits per character, 1 or 2.
    pub stop_bits: u8,
    /// The way in which both sides keep each other from sending too much.
    pub flow_control: FlowControl,
    /// Data Terminal Ready after opening.
    pub dtr: ModemLine,
    /// Request To Send after opening.
    pub rts: ModemLine,
    /// Lets boards run on when the port is closed and opened again.
    pub no_reset: bool,
    /// Asks the driver to hand over at once what it receives.
    pub low_latency: bool,
    /// The time for which writes are held after opening; if absent, it depends on the device.
    pub settle: Option<Duration>,
}

impl Default for LineSettings {
    /// The settings that Arduino's examples and serial monitor use.
    fn default() -> Self {
        Self {
            baud: 9600,
            baud_auto: false,
            baud_detected: false,
            data_bits: 8,
            parity: Parity::None,
            stop_bits: 1,
            flow_control: FlowControl::None,
            dtr: ModemLine::On,
            rts: ModemLine::On,
            no_reset: false,
            low_latency: true,
            settle: None,
        }
    }
}

impl LineSettings {
    /// Returns the bits that one byte takes on the wire, with its start, parity and stop bits.
    pub fn bits_per_byte(&self) -> u32 {
        let parity = u32::from(self.parity != Parity::None);
        1 + u32::from(self.data_bits) + parity + u32::from(self.stop_bits)
    }

    /// Returns true if bytes look alike on the wire.
    pub fn has_same_format(&self, other: &Self) -> bool {
        let format = |it: &Self| (it.baud, it.data_bits, it.parity, it.stop_bits);
        format(self) == format(other)
    }

    /// Returns true if a device is set alike by both, whoever has chosen the rate.
    pub fn sets_the_same(&self, other: &Self) -> bool {
        let (baud_auto, baud_detected) = (other.baud_auto, other.baud_detected);
        let alike = Self {
            baud_auto,
            baud_detected,
            ..*self
        };
        alike == *other
    }

    /// Returns the rate in words: `9600 baud`, or `115200 baud, detected`.
    pub fn rate_for_people(&self) -> String {
        let detected = if self.baud_detected { ", detected" } else { "" };
        format!("{} baud{detected}", self.baud)
    }

    /// Reads the members that clients are shown. Those that are missing or unknown are the usual ones.
    pub fn from_json(members: &Map<String, Value>) -> Self {
        fn read<T: serde::de::DeserializeOwned>(value: Option<&Value>) -> Option<T> {
            serde_json::from_value(value?.clone()).ok()
        }
        let usual = Self::default();
        let baud = read(members.get("baud")).filter(|baud| *baud > 0);
        let data_bits = read(members.get("dataBits")).filter(|bits| (5..=8).contains(bits));
        let stop_bits = read(members.get("stopBits")).filter(|bits| (1..=2).contains(bits));
        Self {
            baud: baud.unwrap_or(usual.baud),
            baud_auto: read(members.get("baudAuto")).unwrap_or(false),
            baud_detected: read(members.get("baudDetected")).unwrap_or(false),
            data_bits: data_bits.unwrap_or(usual.data_bits),
            parity: read(members.get("parity")).unwrap_or(usual.parity),
            stop_bits: stop_bits.unwrap_or(usual.stop_bits),
            flow_control: read(members.get("flowControl")).unwrap_or(usual.flow_control),
            ..usual
        }
    }

    /// Returns the members of the settings that clients are shown, in their order.
    pub fn to_json(self) -> Map<String, Value> {
        let mut members = Map::from_iter([
            ("baud".to_owned(), json!(self.baud)),
            ("dataBits".to_owned(), json!(self.data_bits)),
            ("parity".to_owned(), json!(self.parity)),
            ("stopBits".to_owned(), json!(self.stop_bits)),
            ("flowControl".to_owned(), json!(self.flow_control)),
        ]);
        if self.baud_auto {
            members.insert("baudAuto".to_owned(), json!(true));
        }
        if self.baud_detected {
            members.insert("baudDetected".to_owned(), json!(true));
        }
        members
    }
}

impl fmt::Display for LineSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Odd => 'O',
            Parity::Even => 'E',
            Parity::Mark => 'M',
            Parity::Space => 'S',
        };
        let (baud, data_bits, stop_bits) = (self.baud, self.data_bits, self.stop_bits);
        write!(f, "{baud} baud, {data_bits}{parity}{stop_bits}")?;
        match self.flow_control {
            FlowControl::None => Ok(()),
            FlowControl::Software => f.write_str(", software flow control"),
            FlowControl::Hardware => f.write_str(", hardware flow control"),
        }
    }
}

/// The rate that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaudChange {
    /// The rate that serial-ws finds by listening.
    Auto,
    /// This rate, at least 1.
    #[serde(untagged)]
    Rate(u32),
}

impl BaudChange {
    /// Returns the rate, if the client names one.
    pub fn rate(self) -> Option<u32> {
        match self {
            Self::Auto => None,
            Self::Rate(rate) => Some(rate),
        }
    }
}

impl From<u32> for BaudChange {
    fn from(rate: u32) -> Self {
        Self::Rate(rate)
    }
}

/// A change of settings while the port runs. What is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsChange {
    /// Bits per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baud: Option<BaudChange>,
    /// Data bits per character, from 5 to 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_bits: Option<u8>,
    /// The parity bit of each character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<Parity>,
    /// Stop bits per character, 1 or 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_bits: Option<u8>,
    /// The way in which both sides keep each other from sending too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_control: Option<FlowControl>,
    /// Data Terminal Ready, now and after each opening.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtr: Option<bool>,
    /// Request To Send, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rts: Option<bool>,
}

impl SettingsChange {
    /// Returns true if `settings` have this change already.
    pub fn is_made(&self, settings: LineSettings) -> bool {
        self.applied_to(settings).sets_the_same(&settings)
    }

    /// Returns `settings` with this change. A rate that is to be found stays as it is.
    pub fn applied_to(&self, settings: LineSettings) -> LineSettings {
        let baud = self.baud.and_then(BaudChange::rate);
        LineSettings {
            baud: baud.unwrap_or(settings.baud),
            baud_auto: settings.baud_auto && baud.is_none(),
            baud_detected: settings.baud_detected && baud.is_none(),
            data_bits: self.data_bits.unwrap_or(settings.data_bits),
            parity: self.parity.unwrap_or(settings.parity),
            stop_bits: self.stop_bits.unwrap_or(settings.stop_bits),
            flow_control: self.flow_control.unwrap_or(settings.flow_control),
            dtr: self.dtr.map_or(settings.dtr, ModemLine::from),
            rts: self.rts.map_or(settings.rts, ModemLine::from),
            ..settings
        }
    }
}

/// The parity bit of each character.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// No parity bit.
    None,
    /// An odd number of ones.
    Odd,
    /// An even number of ones.
    Even,
    /// Always one.
    Mark,
    /// Always zero.
    Space,
}

impl Parity {
    /// Returns the value of a parity bit that is always the same.
    pub fn constant(self) -> Option<bool> {
        match self {
            Self::Mark => Some(true),
            Self::Space => Some(false),
            Self::None | Self::Odd | Self::Even => None,
        }
    }
}

/// The way in which both sides keep each other from sending too much.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowControl {
    /// No flow control.
    None,
    /// XON and XOFF characters.
    Software,
    /// The modem lines RTS and CTS.
    Hardware,
}

/// The state to give to a modem line after opening.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModemLine {
    /// Asserted.
    On,
    /// Released.
    Off,
    /// Left as the system sets it.
    Keep,
}

impl ModemLine {
    /// Returns the level; None where the system decides.
    pub fn level(self) -> Option<bool> {
        match self {
            Self::On => Some(true),
            Self::Off => Some(false),
            Self::Keep => None,
        }
    }
}

impl From<bool> for ModemLine {
    fn from(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}
