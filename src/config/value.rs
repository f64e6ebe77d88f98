//! Values of settings. A value is written alike after a flag, in an environment variable and in a
//! file, and has one parser, one sentence for what was expected, and one way to be shown.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{
    PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser, ValueParser,
    ValueParserFactory,
};
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use crate::cli::{Tls, default_tcp_port};
use crate::config::units;
use crate::hub::{FlowControl, LockPolicy, ModemLine, Parity};
use crate::log::Format;
use crate::output::saver::Timestamps;
use crate::platform;
use crate::terminal::shown;
use crate::view::LineEnding;

/// Leaves a setting to the device and to serial-ws.
pub(super) const AUTO: &str = "auto";

/// The value of a setting that a port does not have, such as an output.
pub(super) const NONE: &str = "none";

/// The number of times that a flag such as `-v` is believed to be given.
pub(super) const MAX_TIMES: u8 = 9;

/// A setting with its value, for flags (clap) and for files (serde).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
}

/// The value of a setting.
pub(crate) trait SettingValue: Serialize + Clone + Send + Sync + 'static {
    /// The names to choose from and their help, for values that have names.
    const CHOICES: &'static [(&'static str, &'static str)] = &[];

    /// Reads the value. An error is a sentence that says what was expected.
    fn parse(text: &str) -> Result<Self, String>;

    /// Returns the value as a file has it: what stands there in TOML and in JSON is the same.
    fn show(&self) -> Json {
        json!(self)
    }
}

impl<T> Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: SettingValue> ValueParserFactory for Setting<T> {
    type Parser = ValueParser;

    fn value_parser() -> ValueParser {
        let parse = |text: String| T::parse(&text).map(|value| Self { value });
        if T::CHOICES.is_empty() {
            return ValueParser::new(StringValueParser::new().try_map(parse));
        }
        let names = T::CHOICES.iter();
        let names = names.map(|(name, help)| PossibleValue::new(*name).help(*help));
        ValueParser::new(PossibleValuesParser::new(names).try_map(parse))
    }
}

impl<T: SettingValue> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.show().serialize(serializer)
    }
}

impl<'de, T: SettingValue> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Json::deserialize(deserializer)? {
            Json::String(text) => T::parse(&text),
            Json::Array(_) | Json::Object(_) => Err("expected a single value".to_owned()),
            json => T::parse(&json.to_string()),
        };
        let value = value.map_err(D::Error::custom)?;
        Ok(Self { value })
    }
}

/// A whole number within limits.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Number<const MIN: u64, const MAX: u64, const EXAMPLE: u64>(pub(crate) u64);

impl<const MIN: u64, const MAX: u64, const EXAMPLE: u64> SettingValue
    for Number<MIN, MAX, EXAMPLE>
{
    fn parse(text: &str) -> Result<Self, String> {
        let number = text.parse().ok();
        let number = number.filter(|number| (MIN..=MAX).contains(number));
        number.map(Self).ok_or_else(|| match MAX {
            0..100 => format!("expected a whole number from {MIN} to {MAX}"),
            _ => format!("expected a whole number such as {EXAMPLE}"),
        })
    }
}

/// A baud rate; None for one that is to be found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BaudRate(Option<NonZeroU32>);

impl BaudRate {
    /// Returns the rate; None if it is to be found.
    pub(crate) fn rate(self) -> Option<u32> {
        self.0.map(NonZeroU32::get)
    }
}

impl SettingValue for BaudRate {
    fn parse(text: &str) -> Result<Self, String> {
        if text == AUTO {
            return Ok(Self(None));
        }
        let rate = text.parse().map(|rate| Self(Some(rate)));
        rate.map_err(|_| format!("expected {AUTO} or a whole number such as 9600"))
    }

    fn show(&self) -> Json {
        self.rate().map_or_else(|| AUTO.into(), Json::from)
    }
}

impl Serialize for BaudRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.show().serialize(serializer)
    }
}

/// A number of bytes within limits.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Size<const MIN: u64, const MAX: u64>(pub(crate) u64);

impl<const MIN: u64, const MAX: u64> SettingValue for Size<MIN, MAX> {
    fn parse(text: &str) -> Result<Self, String> {
        let size = units::size(text).ok_or_else(|| format!("expected {}", units::SIZE))?;
        if !(MIN..=MAX).contains(&size) {
            let (least, most) = (units::show_size(MIN), units::show_size(MAX));
            return Err(format!("expected a size from {least} to {most}"));
        }
        Ok(Self(size))
    }
}

impl SettingValue for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        units::parse_time(text)
    }

    fn show(&self) -> Json {
        units::show_time(*self).into()
    }
}

/// A time that the device may choose.
impl SettingValue for Option<Duration> {
    fn parse(text: &str) -> Result<Self, String> {
        if text == AUTO {
            return Ok(None);
        }
        // It took milliseconds before it took units.
        let time = units::time(text, 0.001).map(Some);
        time.ok_or_else(|| format!("expected {AUTO} or {}", units::TIME))
    }

    fn show(&self) -> Json {
        self.map_or_else(|| AUTO.to_owned(), units::show_time)
            .into()
    }
}

impl SettingValue for bool {
    fn parse(text: &str) -> Result<Self, String> {
        let value = text.parse();
        value.map_err(|_| "expected true or false".to_owned())
    }
}

impl SettingValue for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        // An empty path would be the current folder.
        let path = (!text.is_empty()).then(|| text.into());
        path.ok_or_else(|| "expected a path".to_owned())
    }
}

impl SettingValue for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        with_zone_number(text)?.parse().map_err(|_| {
            let port = text.rsplit(':').next().and_then(|port| port.parse().ok());
            let port: u16 = port.unwrap_or(default_tcp_port!());
            format!("expected an address such as 127.0.0.1:{port}, or a TCP port such as {port}")
        })
    }
}

/// Returns the address with the number of its zone (RFC 4007 §11.2), where it has a name: the systems
/// know zones by number, and people know them by name, `[fe80::1%eth0]:8080`.
fn with_zone_number(text: &str) -> Result<Cow<'_, str>, String> {
    let zone = text
        .split_once('%')
        .and_then(|(ip, rest)| Some((ip, rest.split_once(']')?)));
    let Some((ip, (zone, port))) = zone.filter(|(_, (zone, _))| zone.parse::<u32>().is_err())
    else {
        return Ok(text.into());
    };
    let zone = platform::interface_index(zone)
        .ok_or_else(|| format!("this computer has no network interface `{}`", shown(zone)))?;
    Ok(format!("{ip}%{zone}]{port}").into())
}

/// Reads from a file how often a flag such as `-v` is given.
pub(crate) fn times<'de, D: Deserializer<'de>>(file: D) -> Result<u8, D::Error> {
    let times = match Json::deserialize(file)? {
        Json::Bool(is_on) => Some(is_on.into()),
        json => json.as_u64().and_then(|times| u8::try_from(times).ok()),
    };
    times.filter(|times| *times <= MAX_TIMES).ok_or_else(|| {
        let expected = format!("expected true, false or a number of times up to {MAX_TIMES}");
        D::Error::custom(expected)
    })
}

/// Gives an enum the names to choose from, each with a help text.
macro_rules! choices {
    ($($type:ident { $($name:literal: $help:literal),* })*) => {$(
        impl SettingValue for $type {
            const CHOICES: &'static [(&'static str, &'static str)] = &[$(($name, $help)),*];

            fn parse(text: &str) -> Result<Self, String> {
                let value = serde_json::from_value(text.into());
                value.map_err(|_| format!("expected {}", one_of(Self::CHOICES)))
            }
        }
    )*};
}

choices! {
    Parity {
        "none": "no parity bit",
        "odd": "an odd number of ones",
        "even": "an even number of ones",
        "mark": "a bit that is always one (not on macOS)",
        "space": "a bit that is always zero (not on macOS)"
    }
    FlowControl { "none": "no flow control", "software": "XON/XOFF", "hardware": "RTS/CTS" }
    ModemLine { "on": "assert it", "off": "release it", "keep": "leave it as the system sets it" }
    LockPolicy { "free": "every client that may write", "operator": "the operator alone" }
    LineEnding {
        "none": "add nothing",
        "lf": "line feed",
        "crlf": "carriage return and line feed",
        "cr": "carriage return"
    }
    Tls { "self-signed": "made by serial-ws, and kept" }
    Timestamps {
        "iso": "date and time of this computer's clock, 2026-12-01T10:11:41.402847+01:00",
        "epoch": "seconds since 1970",
        "delta": "seconds since the line before",
        "none": "nothing"
    }
    Format { "text": "for people", "json": "one JSON object per line" }
}

/// Lists names as a sentence does: `none, odd or even`.
fn one_of(choices: &[(&str, &str)]) -> String {
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    match &names[..] {
        [names @ .., last] if !names.is_empty() => format!("{} or {last}", names.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{AllowedOrigin, HostName};

    #[track_caller]
    fn check<T: SettingValue>() {
        for (name, _) in T::CHOICES {
            let value = T::parse(name).unwrap();
            assert_eq!(value.show(), Json::from(*name));
        }
    }

    #[test]
    fn every_choice_can_be_made_and_is_shown_by_its_name() {
        check::<Parity>();
        check::<FlowControl>();
        check::<LockPolicy>();
        check::<ModemLine>();
        check::<LineEnding>();
        check::<Tls>();
        check::<Timestamps>();
        check::<Format>();
    }

    #[track_caller]
    fn check_shown<T: SettingValue>(text: &str) {
        if let Ok(value) = T::parse(text) {
            let shown = Setting { value }.show();
            let read = serde_json::from_value::<Setting<T>>(shown.clone());
            assert!(read.is_ok(), "{text} is shown as {shown}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_zone_of_an_address_is_a_name_or_a_number() {
        let loopback = if cfg!(target_os = "linux") {
            "lo"
        } else {
            "lo0"
        };
        let number = platform::interface_index(loopback).unwrap();
        let parse = |zone: &str| SocketAddr::parse(&format!("[fe80::1%{zone}]:8080"));
        assert_eq!(parse(loopback), parse(&number.to_string()));
        assert_eq!(
            parse("none-such"),
            Err("this computer has no network interface `none-such`".to_owned())
        );
        for wrong in ["", "a\0b", "lo%lo"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(
            amount in "[0-9.]{1,20}(ms|s|m|h|B|KiB|GB)?",
            address in "[\\[]?[a-z0-9:.]{1,12}[\\]]?(:[0-9]{1,5})?",
            origin in "(http|https|a-extension)://[\\[]?[A-Za-z0-9:.]{1,9}[\\]]?(:80|:443)?/?(,read-only)?",
        ) {
            check_shown::<Duration>(&amount);
            check_shown::<Option<Duration>>(&amount);
            check_shown::<Size<0, { u64::MAX }>>(&amount);
            check_shown::<SocketAddr>(&address);
            check_shown::<HostName>(&address);
            check_shown::<AllowedOrigin>(&origin);
        }
    }
}
