//! The settings of a port of another serial-ws: how that one is reached, and what only it decides.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize, Serializer};

use super::names::Values;
use super::value::{Setting, SettingValue};
use crate::dial::Fingerprint;
use crate::port::source::spec::Spec;
use crate::port::upstream::UpstreamAccess;

/// The key of the file with the token of the other serial-ws.
pub(super) const TOKEN: &str = "token";

/// The keys that only such a port has.
pub(super) const UPSTREAM_KEYS: [&str; 2] = [TOKEN, "fingerprint"];

/// The keys of what the other serial-ws decides on.
const THEIR_KEYS: [&str; 15] = [
    "baud",
    "data-bits",
    "parity",
    "stop-bits",
    "flow-control",
    "dtr",
    "rts",
    "no-reset",
    "no-low-latency",
    "settle",
    "frame",
    "max-line",
    "pace",
    "poll",
    "every",
];

/// The settings by which another serial-ws is reached.
#[derive(Args, Deserialize, Serialize)]
pub(super) struct UpstreamArgs {
    /// The file with its token.
    #[arg(long)]
    token: Option<Setting<PathBuf>>,
    /// The fingerprint of its certificate.
    #[arg(long)]
    fingerprint: Option<Setting<Fingerprint>>,
}

impl UpstreamArgs {
    /// Returns the settings as the port takes them.
    pub(super) fn access(self) -> UpstreamAccess {
        UpstreamAccess {
            token: self.token.map(|token| token.value),
            fingerprint: self.fingerprint.map(|fingerprint| fingerprint.value),
        }
    }
}

/// Checks that a port has no settings that another serial-ws decides on, if that has the board, and that
/// it has none for reaching it otherwise.
///
/// # Errors
/// Names the setting.
pub(super) fn check_keys(own: &Values, spec: &Spec) -> Result<(), String> {
    let is_given = |key: &&&str| own.get(**key).is_some_and(|value| !value.is_null());
    let Spec::Upstream(address) = spec else {
        return match UPSTREAM_KEYS.iter().find(is_given) {
            Some(key) => Err(format!("{key} is for ws:// and wss://, not for {spec}")),
            None => Ok(()),
        };
    };
    match THEIR_KEYS.iter().find(is_given) {
        Some(key) => Err(format!(
            "{key} is decided where the board is: give it to the serial-ws at {address}"
        )),
        None => Ok(()),
    }
}

impl SettingValue for Fingerprint {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
