//! The settings of the list "MQTT".

use std::io;
use std::path::{Path, PathBuf};

use clap::Error;
use serde::Serialize;

use super::layers::Layer;
use super::server::secret;
use super::value::{Setting, SettingValue};
use crate::cli::MqttArgs;
use crate::output::mqtt::{BrokerUrl, MqttConfig};
use crate::platform;

/// The environment variable with the password for the broker.
pub(crate) const MQTT_PASSWORD_VARIABLE: &str = "SERIAL_WS_MQTT_PASSWORD";

/// Checks the settings; `layer` has the same by their keys.
pub(super) fn resolve(
    args: &MqttArgs,
    max_message: usize,
    layer: &Layer,
) -> Result<Option<MqttConfig>, Error> {
    let Some(broker) = &args.mqtt else {
        let given = [
            ("mqtt-user", args.mqtt_user.is_some()),
            ("mqtt-password", args.mqtt_password.is_some()),
            ("mqtt-ca", args.mqtt_ca.is_some()),
            ("mqtt-write", *args.mqtt_write),
            ("mqtt-raw", *args.mqtt_raw),
        ];
        return match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) => {
                Err(layer.error(key, 0, "needs mqtt, the address of the broker, too"))
            }
            None => Ok(None),
        };
    };
    let broker = broker.0.clone();
    if !cfg!(feature = "mqtt") {
        let advice = "this build has no MQTT. Build it with: cargo install --features mqtt";
        return Err(layer.error("mqtt", 0, advice));
    }
    let ca = path(&args.mqtt_ca);
    if broker.is_encrypted && !cfg!(feature = "tls") {
        let advice = "this build has no TLS. Build it with: cargo install --features tls";
        return Err(layer.error("mqtt", 0, advice));
    }
    if ca.is_some() && !broker.is_encrypted {
        let why = "is for an encrypted connection: write mqtts:// instead of mqtt://";
        return Err(layer.error("mqtt-ca", 0, why));
    }
    if let Some(ca) = ca.as_ref().filter(|ca| !ca.is_file()) {
        return Err(layer.error(
            "mqtt-ca",
            0,
            &format!("{}: there is no such file", ca.display()),
        ));
    }
    let password = password(path(&args.mqtt_password).as_deref(), layer)?;
    let user = args.mqtt_user.as_ref().map(|user| user.0.clone());
    let credentials = match (user, password) {
        (Some(user), password) => Some((user, password.unwrap_or_default())),
        // MQTT 3.1.1, §3.1.2.9: no password without a user name.
        (None, Some(_)) => return Err(layer.error("mqtt-password", 0, "needs mqtt-user, too")),
        (None, None) => None,
    };
    Ok(Some(MqttConfig {
        broker,
        credentials,
        ca,
        may_write: *args.mqtt_write,
        has_raw: *args.mqtt_raw,
        max_message,
    }))
}

/// Reads the password from `file`, or else from its variable.
fn password(file: Option<&Path>, layer: &Layer) -> Result<Option<String>, Error> {
    let read = secret(file, MQTT_PASSWORD_VARIABLE);
    let read = read.map_err(|error: io::Error| {
        let shown = file.map_or_else(String::new, |file| format!("{}: ", file.display()));
        let why = format!("{shown}cannot read it: {}", platform::reason(&error));
        layer.error("mqtt-password", 0, &why)
    })?;
    // Editors end a file with a line feed, which belongs to no password.
    Ok(read.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn path(setting: &Option<Setting<PathBuf>>) -> Option<PathBuf> {
    setting.as_deref().cloned()
}

/// The address of a broker.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BrokerArg(BrokerUrl);

impl SettingValue for BrokerArg {
    fn parse(text: &str) -> Result<Self, String> {
        BrokerUrl::parse(text).map(Self)
    }
}

/// The name of a user.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UserName(String);

impl SettingValue for UserName {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err("expected the name of a user".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}
