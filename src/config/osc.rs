//! The settings of the list "OSC".

use clap::Error;
use serde::{Serialize, Serializer};

use super::layers::Layer;
use super::value::SettingValue;
use crate::cli::OscArgs;
use crate::output::OutputAddress;
use crate::output::osc::{OscConfig, OscTarget};
use crate::server::{Rights, ServerConfig};

/// The key of the address to receive at.
const LISTEN: &str = "osc-listen";

/// Checks the settings; `layer` has the same by their keys.
///
/// # Errors
/// If others could write who may not.
pub(super) fn resolve(
    args: &OscArgs,
    server: &ServerConfig,
    layer: &Layer,
) -> Result<Option<OscConfig>, Error> {
    let targets: Vec<_> = args.osc.iter().map(|target| target.0.clone()).collect();
    let listen = args.osc_listen.as_ref().map(|listen| listen.0);
    if targets.is_empty() && *args.osc_lines {
        let why = "needs osc, the receiver, too";
        return Err(layer.error("osc-lines", 0, why));
    }
    if targets.is_empty() && listen.is_none() {
        return Ok(None);
    }
    if !cfg!(feature = "osc") {
        let key = if targets.is_empty() { LISTEN } else { "osc" };
        let advice = "this build has no OSC. Build it with: cargo install --features osc";
        return Err(layer.error(key, 0, advice));
    }
    if let Some(why) = listen.and_then(|listen| refusal(listen, server)) {
        return Err(layer.error(LISTEN, 0, &why));
    }
    Ok(Some(OscConfig {
        targets,
        sends_lines: *args.osc_lines,
        listen: listen.map_or_else(Vec::new, |listen| listen.addresses()),
        max_message: server.max_message,
    }))
}

/// Returns why nobody may be listened to at an address.
fn refusal(listen: OutputAddress, server: &ServerConfig) -> Option<String> {
    if server.token.is_some() {
        let why = "with --token everybody needs the token, which OSC cannot send: leave out one of the two";
        return Some(why.to_owned());
    }
    if !listen.is_beyond_loopback() {
        return None;
    }
    match server.lan {
        None => Some(format!(
            "other computers can send to {listen}, which needs --lan"
        )),
        Some(Rights::ReadOnly) => Some(format!(
            "other computers can send to {listen}, and with --lan-read-only they only read"
        )),
        Some(_) if !listen.is_writable => Some(format!(
            "whoever can send to {listen} would move the device, without a token. If that is meant: \
             {listen}:rw"
        )),
        Some(_) => None,
    }
}

/// A receiver.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OscTargetArg(OscTarget);

impl SettingValue for OscTargetArg {
    fn parse(text: &str) -> Result<Self, String> {
        OscTarget::parse(text).map(Self)
    }
}

/// The address to receive at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OscListenArg(OutputAddress);

impl SettingValue for OscListenArg {
    fn parse(text: &str) -> Result<Self, String> {
        let address = OutputAddress::parse(text);
        address.map(Self).map_err(|_| {
            "expected a UDP port such as 9000, or an address such as 192.168.1.5:9000:rw".to_owned()
        })
    }
}

impl Serialize for OscListenArg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
