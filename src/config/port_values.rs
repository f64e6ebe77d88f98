//! The values of a port that are types of other modules: its device, its framing, its outputs.

use std::path::PathBuf;

use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::units;
use super::value::{NONE, SettingValue};
use crate::output::OutputAddress;
use crate::port::framing::Framing;
use crate::port::source::spec::Spec;
use crate::port::{DataKind, Pace};
use crate::view::View;

/// Returns the kind of data that the user expects of the device.
pub(super) fn expected_data(view: View, frame: &Framing) -> DataKind {
    match view {
        _ if frame.is_of_bytes() => DataKind::Bytes,
        View::Raw => DataKind::Bytes,
        View::Text => DataKind::Text,
        _ => DataKind::Lines,
    }
}

impl SettingValue for Spec {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: anyhow::Error| format!("{error:#}"))
    }
}

impl SettingValue for Option<OutputAddress> {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            NONE => Ok(None),
            text => OutputAddress::parse(text).map(Some),
        }
    }

    fn show(&self) -> Json {
        self.map_or_else(|| NONE.into(), |address| address.to_string().into())
    }
}

impl SettingValue for Option<PathBuf> {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            NONE => Ok(None),
            text => PathBuf::parse(text).map(Some),
        }
    }

    fn show(&self) -> Json {
        self.as_ref()
            .map_or_else(|| NONE.into(), |path| json!(path))
    }
}

impl Serialize for OutputAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl SettingValue for Option<Pace> {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            NONE => Ok(None),
            text => Pace::parse(text, |time| units::time(time, 0.001)).map(Some),
        }
    }

    fn show(&self) -> Json {
        self.map_or_else(|| NONE.into(), |pace| pace.to_string().into())
    }
}

impl SettingValue for Framing {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for Framing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Spec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
