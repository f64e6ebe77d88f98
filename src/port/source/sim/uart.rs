//! A UART, bit for bit: the levels that one puts on the line, and what another makes of them at a
//! rate of its own. Pure: levels in, characters and errors out. Time is the length of the levels.

use crate::hub::{LineSettings, Parity};

/// Picoseconds of a second, the unit of time here. A bit at any rate is a whole number of them, but
/// for an error far below that of a clock.
pub(crate) const SECOND: u64 = 1_000_000_000_000;

/// The level of the line for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// True for a one, and for a line at rest.
    pub(crate) is_high: bool,
    /// Its length in picoseconds.
    pub(crate) length: u64,
}

/// The form of characters on the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CharacterFormat {
    /// The length of a bit in picoseconds.
    pub(crate) bit: u64,
    /// The length of a whole character.
    pub(crate) character: u64,
    data_bits: u8,
    parity: Parity,
    stop_bits: u8,
}

/// A character as a UART received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Character {
    /// Its data bits.
    pub(crate) byte: u8,
    /// The error that was found in it.
    pub(crate) error: Option<CharacterError>,
}

/// An error in a received character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CharacterError {
    /// The line was low where a stop bit was due.
    Framing,
    /// The parity bit was wrong.
    Parity,
    /// The line was low for the whole character, which is a break and no framing error.
    Break,
}

impl CharacterFormat {
    /// Returns the form that these settings give to characters.
    pub(crate) fn new(settings: &LineSettings) -> Self {
        let bit = SECOND / u64::from(settings.baud.max(1));
        Self {
            bit,
            character: bit * u64::from(settings.bits_per_byte()),
            data_bits: settings.data_bits,
            parity: settings.parity,
            stop_bits: settings.stop_bits,
        }
    }

    /// Returns the levels with which a byte is sent.
    pub(crate) fn send(&self, byte: u8) -> impl Iterator<Item = Level> + use<> {
        let data = (0..self.data_bits).map(move |at| byte >> at & 1 == 1);
        let parity = self.parity_bit(byte);
        let stop = std::iter::repeat_n(true, self.stop_bits.into());
        let bits = std::iter::once(false).chain(data).chain(parity).chain(stop);
        let length = self.bit;
        bits.map(move |is_high| Level { is_high, length })
    }

    fn parity_bit(&self, byte: u8) -> Option<bool> {
        let data = byte & (0xff >> (8 - self.data_bits));
        let is_odd = !data.count_ones().is_multiple_of(2);
        match self.parity {
            Parity::None => None,
            Parity::Odd => Some(!is_odd),
            Parity::Even => Some(is_odd),
            Parity::Mark => Some(true),
            Parity::Space => Some(false),
        }
    }
}

/// The receiving half of a UART. It samples the middle of each bit, counted from the edge of the
/// start bit.
pub(crate) struct UartReceiver {
    format: CharacterFormat,
    state: Reception,
}

#[derive(Clone, Copy)]
enum Reception {
    /// It waits for the line to be high: it was just switched on, or a stop bit was missing.
    Resting,
    /// It waits for a start bit.
    Ready,
    /// It samples the bit with this number, 0 for the start bit, after so many picoseconds. The
    /// bits so far are in the register, the first data bit lowest.
    Sampling(u8, u64, u16),
}

impl UartReceiver {
    /// Switches a receiver on, perhaps in the middle of a character.
    pub(crate) fn new(format: CharacterFormat) -> Self {
        Self {
            format,
            state: Reception::Resting,
        }
    }

    /// Follows the line for the length of a level, and returns the characters that end in it.
    pub(crate) fn follow(&mut self, level: Level) -> impl Iterator<Item = Character> {
        let mut rest = level.length;
        std::iter::from_fn(move || self.next(level.is_high, &mut rest))
    }

    /// Goes on until a character ends or the level does.
    fn next(&mut self, is_high: bool, rest: &mut u64) -> Option<Character> {
        loop {
            match self.state {
                Reception::Resting if is_high => self.state = Reception::Ready,
                Reception::Ready if !is_high => {
                    self.state = Reception::Sampling(0, self.format.bit / 2, 0);
                }
                Reception::Resting | Reception::Ready => return None,
                Reception::Sampling(bit, time, register) if time >= *rest => {
                    self.state = Reception::Sampling(bit, time - *rest, register);
                    *rest = 0;
                    return None;
                }
                Reception::Sampling(bit, time, register) => {
                    *rest -= time;
                    if let Some(character) = self.sample(bit, register, is_high) {
                        return Some(character);
                    }
                }
            }
        }
    }

    /// Takes a sample. Returns the character whose stop bit it is.
    fn sample(&mut self, bit: u8, register: u16, is_high: bool) -> Option<Character> {
        let format = &self.format;
        let stop = 1 + format.data_bits + u8::from(format.parity != Parity::None);
        if bit == 0 && is_high {
            // It was no start bit, but noise.
            self.state = Reception::Ready;
            return None;
        }
        if bit < stop {
            let at = bit.wrapping_sub(1);
            let register = if bit > 0 {
                register | u16::from(is_high) << at
            } else {
                register
            };
            self.state = Reception::Sampling(bit + 1, format.bit, register);
            return None;
        }
        self.state = if is_high {
            Reception::Ready
        } else {
            Reception::Resting
        };
        Some(self.character(register, is_high))
    }

    fn character(&self, register: u16, has_stop_bit: bool) -> Character {
        let format = &self.format;
        let byte = register as u8 & (0xff >> (8 - format.data_bits));
        let parity = register >> format.data_bits & 1 == 1;
        let is_wrong = |bit: bool| bit != parity;
        let error = match has_stop_bit {
            false if register == 0 => Some(CharacterError::Break),
            false => Some(CharacterError::Framing),
            true => format
                .parity_bit(byte)
                .filter(|bit| is_wrong(*bit))
                .map(|_| CharacterError::Parity),
        };
        Character { byte, error }
    }
}

#[cfg(test)]
mod tests;
