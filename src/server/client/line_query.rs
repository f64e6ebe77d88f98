//! The line settings in the query of a device: `?baud=115200&parity=even`. Pure.

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use super::params::QueryError;
use crate::hub::SettingsChange;

/// The parameters that set the line.
pub(crate) const LINE_KEYS: [&str; 7] = [
    "baud",
    "dataBits",
    "parity",
    "stopBits",
    "flowControl",
    "dtr",
    "rts",
];

/// Takes the line settings out of a query.
///
/// # Errors
/// Code 4400, saying what is right.
pub(crate) fn take(query: &mut Vec<(String, String)>) -> Result<SettingsChange, QueryError> {
    let mut change = SettingsChange::default();
    for (key, value) in query.extract_if(.., |(key, _)| LINE_KEYS.contains(&key.as_str())) {
        let value = value.as_str();
        match key.as_str() {
            "baud" => change.baud = Some(baud(value)?.into()),
            "dataBits" => change.data_bits = Some(number(&key, value, 5, 8)?),
            "stopBits" => change.stop_bits = Some(number(&key, value, 1, 2)?),
            "parity" => {
                change.parity = Some(word(&key, value, "none, odd, even, mark or space")?);
            }
            "flowControl" => {
                change.flow_control = Some(word(&key, value, "none, software or hardware")?);
            }
            "dtr" => change.dtr = Some(level(&key, value)?),
            _ => change.rts = Some(level(&key, value)?),
        }
    }
    Ok(change)
}

fn baud(value: &str) -> Result<u32, QueryError> {
    let baud = value.parse().ok().filter(|baud| *baud > 0);
    baud.ok_or_else(|| QueryError::new("baud must be a whole number such as 115200"))
}

fn number(key: &str, value: &str, min: u8, max: u8) -> Result<u8, QueryError> {
    let number = value
        .parse()
        .ok()
        .filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| QueryError::new(format!("{key} must be from {min} to {max}")))
}

fn word<'de, T: Deserialize<'de>>(
    key: &str,
    value: &'de str,
    known: &str,
) -> Result<T, QueryError> {
    let value: Result<T, Error> = T::deserialize(value.into_deserializer());
    value.map_err(|_| QueryError::new(format!("{key} must be {known}")))
}

fn level(key: &str, value: &str) -> Result<bool, QueryError> {
    match value {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(QueryError::new(format!("{key} must be on or off"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{FlowControl, Parity};

    fn pairs(query: &str) -> Vec<(String, String)> {
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
        pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn line_settings_are_taken_and_the_rest_is_left() {
        let mut query = pairs(
            "view=raw&baud=115200&dataBits=7&parity=even&stopBits=2&flowControl=hardware&dtr=off\
             &rts=on&history=5",
        );
        let change = take(&mut query).unwrap();
        let expected = SettingsChange {
            baud: Some(115_200.into()),
            data_bits: Some(7),
            parity: Some(Parity::Even),
            stop_bits: Some(2),
            flow_control: Some(FlowControl::Hardware),
            dtr: Some(false),
            rts: Some(true),
        };
        assert_eq!(change, expected);
        assert_eq!(query, pairs("view=raw&history=5"));
    }

    #[test]
    fn a_wrong_setting_says_what_is_right() {
        for (query, expected) in [
            ("baud=0", "baud must be a whole number such as 115200"),
            ("baud=9600.5", "baud must be a whole number such as 115200"),
            ("baud=-1", "baud must be a whole number such as 115200"),
            (
                "baud=5000000000",
                "baud must be a whole number such as 115200",
            ),
            ("dataBits=9", "dataBits must be from 5 to 8"),
            ("stopBits=1.5", "stopBits must be from 1 to 2"),
            (
                "parity=None",
                "parity must be none, odd, even, mark or space",
            ),
            (
                "flowControl=",
                "flowControl must be none, software or hardware",
            ),
            ("dtr=1", "dtr must be on or off"),
        ] {
            assert_eq!(take(&mut pairs(query)).unwrap_err().reason, expected);
        }
    }
}
