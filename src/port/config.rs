//! The configuration of a port.

use serde_json::{Map, Value};

use super::framing::Framing;
use super::pace::Pace;
use super::poll::Poll;
use super::source::play::PlayOptions;
use super::source::spec::Spec;
use super::upstream::UpstreamAccess;
use crate::hub::LineSettings;

/// Bytes of the longest line that `--max-line` permits.
pub(crate) const MAX_LINE_LIMIT: usize = 1 << 20;

/// One serial port.
#[derive(Clone, Debug)]
pub(crate) struct PortConfig {
    /// The name that users give it; `[A-Za-z0-9_-]+`.
    pub(crate) name: String,
    /// The device that it wants.
    pub(crate) spec: Spec,
    /// The settings with which it is opened.
    pub(crate) line: LineSettings,
    /// Those of them that clients may not change.
    pub(crate) fixed: FixedSettings,
    /// True if the rate is to be found by listening, as long as nobody chooses one.
    pub(crate) detects_rate: bool,
    /// The way to cut what it sends into lines.
    pub(crate) frame: Framing,
    /// The pause between what is written; None where there is none.
    pub(crate) pace: Option<Pace>,
    /// The question that is repeated; None where there is none.
    pub(crate) poll: Option<Poll>,
    /// Bytes of a line beyond which it is cut into pieces.
    pub(crate) max_line: usize,
    /// The kind of data that most clients see. A device that sends something else deserves a hint.
    pub(crate) expects: DataKind,
    /// The access to another serial-ws that has the board.
    pub(crate) upstream: UpstreamAccess,
    /// True if a client chooses the board where several are here.
    pub(crate) may_be_chosen: bool,
    /// The way in which a recording is played.
    pub(crate) play: PlayOptions,
    /// Ends the program, instead of waiting, if the device cannot be opened at first.
    pub(crate) no_wait: bool,
}

/// The line settings that the user gave explicitly for a port, so that clients may not change them.
/// Each has the place that set it, in the user's words, such as `--baud` or `config.toml:12`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FixedSettings {
    /// The place that set [`LineSettings::baud`]; None where it may be changed, as for all others.
    pub(crate) baud: Option<String>,
    /// The same for [`LineSettings::data_bits`].
    pub(crate) data_bits: Option<String>,
    /// The same for [`LineSettings::parity`].
    pub(crate) parity: Option<String>,
    /// The same for [`LineSettings::stop_bits`].
    pub(crate) stop_bits: Option<String>,
    /// The same for [`LineSettings::flow_control`].
    pub(crate) flow_control: Option<String>,
    /// The same for [`LineSettings::dtr`].
    pub(crate) dtr: Option<String>,
    /// The same for [`LineSettings::rts`].
    pub(crate) rts: Option<String>,
    /// True if not even the holder of the write lock may change them.
    pub(crate) are_final: bool,
}

impl FixedSettings {
    /// All settings of a device that has them from `place` and no others.
    pub(crate) fn all(place: &str) -> Self {
        let place = || Some(place.to_owned());
        Self {
            baud: place(),
            data_bits: place(),
            parity: place(),
            stop_bits: place(),
            flow_control: place(),
            dtr: place(),
            rts: place(),
            are_final: true,
        }
    }

    /// Returns the places by the names that the settings have in the protocol.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let places = [
            ("baud", &self.baud),
            ("dataBits", &self.data_bits),
            ("parity", &self.parity),
            ("stopBits", &self.stop_bits),
            ("flowControl", &self.flow_control),
            ("dtr", &self.dtr),
            ("rts", &self.rts),
        ];
        let fixed = places.into_iter().filter_map(|(name, place)| {
            let place = place.as_deref()?;
            Some((name.to_owned(), place.into()))
        });
        fixed.collect()
    }
}

/// A kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataKind {
    /// Lines of text.
    Lines,
    /// Text with or without lines.
    Text,
    /// Any bytes.
    Bytes,
}

/// Returns whether a port may have this name. It becomes part of addresses.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_char)
}

/// Returns whether this character may be in the name of a port.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}
