//! Values of settings. A value is written alike after a flag, in an environment variable and in a
//! file, and has one parser, one sentence for what was expected, and one way to be shown.

use std::ffi::OsStr;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{
    OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser,
    ValueParserFactory,
};
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::cli::{Tls, default_tcp_port};
use crate::hub::{FlowControl, ModemLine, Parity};
use crate::log::Format;
use crate::terminal::shown_json;
use crate::units;
use crate::view::LineEnding;

/// Leaves the time to hold writes to the device.
const AUTO: &str = "auto";

/// The number of times that a flag such as `-v` is believed to be given.
const MAX_TIMES: u64 = 9;

/// A setting with its value, for flags (clap) and for files (serde).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting<T>(pub(crate) T);

/// The value of a setting.
pub(crate) trait SettingValue: Clone + Send + Sync + 'static {
    /// The names to choose from and their help, for values that have names.
    const CHOICES: &'static [(&'static str, &'static str)] = &[];

    /// Reads the value.
    fn parse(text: &str) -> Result<Self, Invalid>;

    /// Reads the value as the system hands it over.
    fn parse_os(text: &OsStr) -> Result<Self, Invalid> {
        let text = text
            .to_str()
            .ok_or(Invalid::Expected("text in UTF-8".to_owned()));
        text.and_then(Self::parse)
    }

    /// Reads the value as a file has it.
    fn from_json(json: &Json) -> Result<Self, Invalid> {
        match json {
            Json::String(text) => Self::parse(text),
            Json::Array(_) | Json::Object(_) => Err(expected("a single value")),
            json => Self::parse(&json.to_string()),
        }
    }

    /// Writes the value as a file has it: what stands there in TOML and in JSON is the same.
    fn show(&self) -> Json;
}

/// The reason why a text is no such value.
#[derive(Debug)]
pub(crate) enum Invalid {
    /// Something else was expected, such as "a whole number".
    Expected(String),
    /// A sentence of its own.
    Because(String),
}

impl Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::Because(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Invalid {}

impl<T: SettingValue> ValueParserFactory for Setting<T> {
    type Parser = ValueParser;

    fn value_parser() -> ValueParser {
        parser(Self)
    }
}

/// Returns a parser of flags for a value, which is handed to `wrap`.
pub(crate) fn parser<T: SettingValue, U: Clone + Send + Sync + 'static>(
    wrap: fn(T) -> U,
) -> ValueParser {
    if T::CHOICES.is_empty() {
        let parser = OsStringValueParser::new();
        return ValueParser::new(parser.try_map(move |text| T::parse_os(&text).map(wrap)));
    }
    let names = T::CHOICES.iter();
    let names = names.map(|(name, help)| PossibleValue::new(*name).help(*help));
    let parser = PossibleValuesParser::new(names);
    ValueParser::new(parser.try_map(move |text| T::parse(&text).map(wrap)))
}

impl<T: SettingValue> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.show().serialize(serializer)
    }
}

impl<'de, T: SettingValue> Deserialize<'de> for Setting<T> {
    /// Reads the value. Errors go on where a sentence began with the key.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        T::from_json(&json).map(Self).map_err(|invalid| {
            let got = shown_json(&json.to_string());
            D::Error::custom(match invalid {
                Invalid::Expected(what) => format!("expects {what}, got {got}"),
                Invalid::Because(why) => format!("cannot be {got}: {why}"),
            })
        })
    }
}

/// A whole number within limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number<const MIN: u64, const MAX: u64, const EXAMPLE: u64>(pub(crate) u64);

impl<const MIN: u64, const MAX: u64, const EXAMPLE: u64> SettingValue
    for Number<MIN, MAX, EXAMPLE>
{
    fn parse(text: &str) -> Result<Self, Invalid> {
        let number = text.parse().ok();
        let number = number.filter(|number| (MIN..=MAX).contains(number));
        number.map(Self).ok_or_else(|| match MAX {
            0..100 => expected(format!("a whole number from {MIN} to {MAX}")),
            _ => expected(format!("a whole number such as {EXAMPLE}")),
        })
    }

    fn show(&self) -> Json {
        self.0.into()
    }
}

/// A number of bytes within limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size<const MIN: u64, const MAX: u64>(pub(crate) u64);

impl<const MIN: u64, const MAX: u64> SettingValue for Size<MIN, MAX> {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let size = units::size(text).ok_or_else(|| expected(units::SIZE))?;
        if !(MIN..=MAX).contains(&size) {
            let (least, most) = (units::show_size(MIN), units::show_size(MAX));
            return Err(expected(format!("a size from {least} to {most}")));
        }
        Ok(Self(size))
    }

    fn show(&self) -> Json {
        self.0.into()
    }
}

impl SettingValue for Duration {
    fn parse(text: &str) -> Result<Self, Invalid> {
        units::time(text, 1.0).ok_or_else(|| expected(units::TIME))
    }

    fn show(&self) -> Json {
        units::show_time(*self).into()
    }
}

/// The time for which writes are held after opening; `None` leaves it to the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Settle(pub(crate) Option<Duration>);

impl SettingValue for Settle {
    fn parse(text: &str) -> Result<Self, Invalid> {
        if text == AUTO {
            return Ok(Self(None));
        }
        // It took milliseconds before it took units.
        let time = units::time(text, 0.001).map(|time| Self(Some(time)));
        time.ok_or_else(|| expected(format!("{AUTO} or {}", units::TIME)))
    }

    fn show(&self) -> Json {
        self.0
            .map_or_else(|| AUTO.to_owned(), units::show_time)
            .into()
    }
}

impl SettingValue for bool {
    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map_err(|_| expected("true or false"))
    }

    fn show(&self) -> Json {
        (*self).into()
    }
}

impl SettingValue for PathBuf {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(text.into())
    }

    fn parse_os(text: &OsStr) -> Result<Self, Invalid> {
        Ok(text.into())
    }

    fn show(&self) -> Json {
        self.to_string_lossy().into()
    }
}

impl SettingValue for SocketAddr {
    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map_err(|_| {
            let port = text.rsplit(':').next().and_then(|port| port.parse().ok());
            let port: u16 = port.unwrap_or(default_tcp_port!());
            expected(format!(
                "an address such as 127.0.0.1:{port}, or 0.0.0.0:{port} for other computers too"
            ))
        })
    }

    fn show(&self) -> Json {
        self.to_string().into()
    }
}

/// Reads from a file how often a flag such as `-v` is given.
pub(crate) fn times<'de, D: Deserializer<'de>>(file: D) -> Result<Option<u8>, D::Error> {
    let json = Json::deserialize(file)?;
    let times = json
        .as_bool()
        .map_or_else(|| json.as_u64(), |is_on| Some(is_on.into()));
    let times = times
        .filter(|times| *times <= MAX_TIMES)
        .map(|times| Some(times as u8));
    times.ok_or_else(|| {
        let expected = format!("true, false or a number of times up to {MAX_TIMES}");
        D::Error::custom(format!("expects {expected}, got {json}"))
    })
}

/// Gives an enum the names to choose from, each with a help text.
macro_rules! choices {
    ($($type:ident { $($variant:ident: $help:literal,)* })*) => {$(
        impl SettingValue for $type {
            const CHOICES: &'static [(&'static str, &'static str)] =
                &[$((Self::$variant.name(), $help)),*];

            fn parse(text: &str) -> Result<Self, Invalid> {
                let mut all = [$(Self::$variant),*].into_iter();
                let found = all.find(|value| value.name() == text);
                found.ok_or_else(|| expected(one_of(Self::CHOICES)))
            }

            fn show(&self) -> Json {
                self.name().into()
            }
        }
    )*};
}

choices! {
    Parity {
        None: "no parity bit",
        Odd: "an odd number of ones",
        Even: "an even number of ones",
    }
    FlowControl {
        None: "no flow control",
        Software: "XON/XOFF",
        Hardware: "RTS/CTS",
    }
    ModemLine {
        On: "assert it",
        Off: "release it",
        Keep: "leave it as the system sets it",
    }
    LineEnding {
        None: "add nothing",
        Lf: "line feed",
        Crlf: "carriage return and line feed",
        Cr: "carriage return",
    }
    Tls {
        SelfSigned: "made by serial-ws, and kept",
    }
    Format {
        Text: "for people",
        Json: "one JSON object per line",
    }
}

/// Returns the value of a setting that has a default.
pub(crate) fn get<T>(setting: Option<Setting<T>>) -> T {
    setting.expect("the definition of its flag has a default").0
}

/// Returns the error for a text that is not `what` was expected.
pub(crate) fn expected(what: impl Into<String>) -> Invalid {
    Invalid::Expected(what.into())
}

/// Lists names as a sentence does: `none, odd or even`.
fn one_of(choices: &[(&str, &str)]) -> String {
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    match &names[..] {
        [names @ .., last] if !names.is_empty() => format!("{} or {last}", names.join(", ")),
        _ => names.concat(),
    }
}
