//! The settings of the list "Devices on offer".

use std::time::Duration;

use clap::Error;
use serde::{Serialize, Serializer};

use super::SharedPort;
use super::layers::Layer;
use super::port::PORT;
use super::value::SettingValue;
use crate::cli::OfferArgs;
use crate::server::{Offer, Offers};

/// The key of the devices on offer.
const OFFER: &str = "offer";

/// The configuration of the devices that clients open.
#[derive(Clone, Debug)]
pub(crate) struct DevicesConfig {
    /// The port that each of them becomes, but for its name and its device.
    pub(crate) template: SharedPort,
    /// Paths of devices that are listed although the system does not list them.
    pub(crate) paths: Vec<String>,
    /// The time without clients after which one is closed.
    pub(crate) idle_close: Duration,
    /// Devices that may be open at a time.
    pub(crate) max_open: usize,
}

/// Checks the settings; `layer` has the same by their keys.
pub(super) fn resolve(
    args: &OfferArgs,
    layer: &Layer,
    template: SharedPort,
) -> Result<(DevicesConfig, Offers), Error> {
    let explicit: Vec<Offer> = args.offer.iter().map(|offer| offer.value.clone()).collect();
    if explicit.len() > 1
        && let Some(index) = explicit.iter().position(|offer| *offer == Offer::None)
    {
        return Err(layer.error(OFFER, index, "none cannot be combined with other devices"));
    }
    let offers = Offers {
        explicit,
        has_ports: layer.sources.contains_key(PORT),
    };
    let devices = DevicesConfig {
        template,
        paths: offers.paths(),
        idle_close: *args.idle_close,
        max_open: args.max_open.0 as usize,
    };
    Ok((devices, offers))
}

impl SettingValue for Offer {
    fn parse(text: &str) -> Result<Self, String> {
        let begins = |start: &str| {
            let beginning = text.get(..start.len());
            beginning.is_some_and(|text| text.eq_ignore_ascii_case(start))
        };
        match text {
            "usb" => Ok(Self::Usb),
            "none" => Ok(Self::None),
            _ if begins("usb:") && !may_be_usb_id(&text["usb:".len()..]) => Err(format!(
                "no USB device has such an ID: expected {NUMBERS}, with a serial number or * behind them"
            )),
            _ if text.contains(['/', '\\', '*'])
                || ["usb:", "port:", "com"].into_iter().any(begins) =>
            {
                Ok(Self::Pattern(text.to_owned()))
            }
            _ => Err(
                "expected usb, none, or a pattern such as usb:2341:* or /dev/ttyUSB*".to_owned(),
            ),
        }
    }
}

/// The numbers with which an ID begins.
const NUMBERS: &str =
    "the vendor and the product as four hexadecimal digits each, such as usb:2341:0043";

/// The bytes of those numbers and the colon between them.
const NUMBERS_LENGTH: usize = 9;

/// Returns true if what follows `usb:` in a pattern can fit an ID.
fn may_be_usb_id(rest: &str) -> bool {
    let known = rest.split('*').next().unwrap_or_default();
    let fits = |(at, byte): (usize, u8)| match at {
        4 => byte == b':',
        _ => byte.is_ascii_hexdigit(),
    };
    let mut numbers = known.bytes().take(NUMBERS_LENGTH).enumerate();
    numbers.all(fits)
        && match known.as_bytes().get(NUMBERS_LENGTH) {
            None => known.len() == NUMBERS_LENGTH || rest.contains('*'),
            Some(next) => matches!(next, b':' | b'@'),
        }
}

impl Serialize for Offer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Usb => "usb",
            Self::None => "none",
            Self::Pattern(pattern) => pattern,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_begins_as_the_id_of_a_device_does() {
        for right in [
            "usb:*",
            "usb:2341:*",
            "usb:23*:0043",
            "usb:2341:0043",
            "USB:1A86:7523",
            "usb:2341:0043:A1*",
            "usb:2341:0043@1-1",
        ] {
            assert!(Offer::parse(right).is_ok(), "{right}");
        }
        for wrong in [
            "usb:",
            "usb:zz",
            "usb:2341",
            "usb:zz*",
            "usb:2341:43",
            "usb:2341:0043x",
        ] {
            let why = Offer::parse(wrong).expect_err(wrong);
            assert!(why.contains("four hexadecimal digits"), "{wrong}: {why}");
        }
    }
}
