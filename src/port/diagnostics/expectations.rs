//! The data that a user expects of a device, by the settings of its port.

use std::time::Duration;

use crate::hub::{LineSettings, Parity};
use crate::port::config::{DataKind, PortConfig};

/// Silence that ends a message. Adapters gather for 16 ms.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// Characters that a message may lack in between without ending there, at slow rates.
const MIN_PAUSE_CHARACTERS: u32 = 5;

/// The kind of data that the settings let the user expect.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    /// The kind of data that most clients want.
    pub(super) kind: DataKind,
    /// The rate in force.
    pub(super) baud: u32,
    /// True if the rate means something: not for native USB and simulated boards.
    pub(super) has_rate: bool,
    /// True if no usual rate fits.
    pub(super) was_searched: bool,
    /// True for characters of 8 bits without parity, which could be of 7 bits with it.
    pub(super) has_eight_bits: bool,
    /// The framing in force.
    pub(super) frame: String,
    /// The bytes of the longest line.
    pub(super) max_line: usize,
    /// The silence that ends a message.
    pub(super) min_pause: Duration,
    /// True for a program with pipes, which may keep what it writes for long.
    pub(super) is_piped: bool,
}

impl Expectations {
    /// Returns what to expect of a port with these settings, whose device has a baud rate or not.
    pub(crate) fn new(config: &PortConfig, line: &LineSettings, has_rate: bool) -> Self {
        let character = Duration::from_secs(1) * line.bits_per_byte() / line.baud;
        Self {
            kind: config.expects,
            baud: line.baud,
            has_rate,
            was_searched: false,
            has_eight_bits: has_rate && line.data_bits == 8 && line.parity == Parity::None,
            frame: config.frame.to_string(),
            max_line: config.max_line,
            min_pause: MIN_PAUSE.max(character * MIN_PAUSE_CHARACTERS),
            is_piped: config
                .spec
                .program()
                .is_some_and(|program| !program.has_terminal),
        }
    }

    /// The same where no usual rate fits.
    pub(crate) fn at_no_rate(self) -> Self {
        Self {
            has_rate: false,
            was_searched: true,
            ..self
        }
    }
}
