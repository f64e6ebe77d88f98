//! Flags whose value is one of a few names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::hub::{FlowControl, ModemLine, Parity};
use crate::view::LineEnding;

pub(crate) const PARITY: &[(Parity, &str)] = &[
    (Parity::None, "no parity bit"),
    (Parity::Odd, "an odd number of ones"),
    (Parity::Even, "an even number of ones"),
];

pub(crate) const FLOW_CONTROL: &[(FlowControl, &str)] = &[
    (FlowControl::None, "no flow control"),
    (FlowControl::Software, "XON/XOFF"),
    (FlowControl::Hardware, "RTS/CTS"),
];

pub(crate) const MODEM_LINE: &[(ModemLine, &str)] = &[
    (ModemLine::On, "assert it"),
    (ModemLine::Off, "release it"),
    (ModemLine::Keep, "leave it as the system sets it"),
];

pub(crate) const LINE_ENDING: &[(LineEnding, &str)] = &[
    (LineEnding::None, "add nothing"),
    (LineEnding::Lf, "line feed"),
    (LineEnding::Crlf, "carriage return and line feed"),
    (LineEnding::Cr, "carriage return"),
];

/// Returns a parser that takes the name of one of `values`, each of which has a help text.
pub(crate) fn choice<T: Copy + Send + Sync + 'static>(
    values: &'static [(T, &'static str)],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let names = values
        .iter()
        .map(|(value, help)| PossibleValue::new(name(*value)).help(*help));
    PossibleValuesParser::new(names).try_map(move |typed| {
        let mut values = values.iter().map(|(value, _)| *value);
        let found = values.find(|value| name(*value) == typed);
        found.ok_or("expected one of the possible values")
    })
}
