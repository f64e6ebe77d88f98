//! The devices of this computer that clients may be offered, as the program that owns the ports
//! tells of them.

use std::borrow::Cow;
use std::sync::Arc;

use futures::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::access::offer::OfferDecision;
use super::config::ClientDefaults;
use super::ports::{Arrival, Port};
use crate::hub::{LineSettings, ModemLine, SettingsChange};
use crate::terminal::shown;

/// The path below which each device has its address.
pub(crate) const DEVICES: &str = "/devices/";

/// Characters of an ID that a Close frame names, so that the reason fits its 123 bytes.
const MAX_ID_CHARS: usize = 40;

/// Characters of an ID that are encoded in its address. Those that are left may be in a path
/// (RFC 3986 §3.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b':')
    .remove(b'@')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// A device of this computer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceEntry {
    /// The ID by which clients open it. It has what the device says of itself, so it may have any
    /// characters.
    pub(crate) id: String,
    /// Its path.
    pub(crate) path: String,
    /// Other paths of it.
    pub(crate) aliases: Vec<String>,
    /// The description that USB gives of it, as clients are shown it; null if it is not USB.
    pub(crate) usb: Value,
    /// The name of the board, where it is known.
    pub(crate) board: Option<String>,
    /// True for a board of the table of boards.
    pub(crate) is_known_board: bool,
    /// The device as it is typed in a shell.
    pub(crate) spec: String,
    /// Its state, for programs: `free`, `open`, `busy` or `denied`.
    pub(crate) state: &'static str,
    /// The obstacle to opening it, for people; empty if there is none.
    pub(crate) detail: String,
    /// The next step for the user; empty where there is nothing to do.
    pub(crate) hint: String,
    /// The port that has it, or waits for it.
    pub(crate) port: Option<DevicePort>,
}

/// The port of a [`DeviceEntry`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DevicePort {
    /// Its name.
    pub(crate) name: String,
    /// True if it was opened by the device's ID, and closes again.
    pub(crate) is_opened_by_id: bool,
}

/// All devices at one moment, in their order.
pub(crate) type Devices = Arc<[DeviceEntry]>;

/// The owner of the ports, which knows the devices and opens them.
pub(crate) trait DeviceHost: Send + Sync {
    /// Lists the devices.
    ///
    /// # Errors
    /// If the system cannot list them: why.
    fn list(&self) -> BoxFuture<'_, Result<Devices, String>>;

    /// Watches the devices until the result is dropped.
    fn watch(&self) -> BoxFuture<'_, Box<dyn DeviceWatch>>;

    /// Finds the device that `id` means, without its state: one that is here, or one that was here
    /// and whose port waits for it.
    ///
    /// # Errors
    /// If there is none, or more than one.
    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<DeviceEntry, DeviceRejection>>;

    /// Returns the settings of clients of devices that ask for no other ones.
    fn client_defaults(&self) -> ClientDefaults;

    /// Opens a device with `change` as a port, or returns the port that has it already.
    ///
    /// # Errors
    /// If that is not possible with these settings, or not now.
    fn open<'a>(
        &'a self,
        device: &'a DeviceEntry,
        change: SettingsChange,
    ) -> BoxFuture<'a, Result<OpenedDevicePort, DeviceRejection>>;
}

/// A device that was opened as a port.
pub(crate) struct OpenedDevicePort {
    /// The port.
    pub(crate) port: Arc<Port>,
    /// The client that asked for it.
    pub(crate) arrival: Arrival,
}

/// The reason why a device is not opened.
#[derive(Debug)]
pub(crate) enum DeviceRejection {
    /// No device has this ID now.
    Unknown,
    /// Several devices fit it: their IDs.
    Several(Vec<String>),
    /// So many devices are open that no other may be.
    Full {
        /// The limit.
        max: usize,
    },
    /// It is open with these settings, and a newcomer does not change them.
    OtherSettings(LineSettings),
    /// Its settings cannot be those: why.
    Refused(String),
    /// Something else.
    Failed(String),
}

impl DeviceRejection {
    /// Returns the code and the reason of a Close frame. `id` is the one that the client asked for.
    pub(crate) fn close(&self, id: &str) -> (u16, String) {
        let id: String = shown(id).chars().take(MAX_ID_CHARS).collect();
        match self {
            Self::Unknown => (
                4404,
                format!("no device {id} is here; /api/devices lists all"),
            ),
            Self::Several(ids) => (
                4404,
                format!("{} devices are {id}: {}", ids.len(), shown(&ids.join(", "))),
            ),
            Self::Full { max } => (
                1013,
                format!("as many devices are open as may be (--max-open {max})"),
            ),
            Self::OtherSettings(line) => {
                let (dtr, rts) = (word(line.dtr), word(line.rts));
                let reason = format!("{id} is in use with {line}, DTR {dtr}, RTS {rts}");
                (4409, reason)
            }
            Self::Refused(reason) => (4400, reason.clone()),
            Self::Failed(reason) => (1013, reason.clone()),
        }
    }
}

/// The view of one who watches the devices.
pub(crate) trait DeviceWatch: Send {
    /// Returns the devices now, the first time at once, and then after each change.
    fn next(&mut self) -> BoxFuture<'_, Devices>;
}

impl DeviceEntry {
    /// Returns the device as clients are shown it, of whom `decision` tells whether they may open it.
    pub(crate) fn to_json(&self, decision: &OfferDecision) -> Value {
        let mut object = json!({
            "id": self.id,
            "path": self.path,
            "usb": self.usb,
            "board": self.board,
            "state": self.state,
            "offered": decision.is_offered(),
            "at": self.address(),
        });
        let hint = match decision {
            OfferDecision::Rejected(reason) => reason,
            OfferDecision::Offered | OfferDecision::Ask => &self.hint,
        };
        for (key, text) in [("detail", &self.detail), ("hint", hint)] {
            if !text.is_empty() {
                object[key] = json!(text);
            }
        }
        if *decision == OfferDecision::Ask {
            object["asks"] = json!(true);
        }
        if let Some(port) = &self.port {
            object["port"] = json!(port.name);
        }
        object
    }

    /// Returns the reason for a client that may not open the device: what would allow it.
    pub(crate) fn not_offered(&self) -> String {
        let short = |text: &str| -> String { shown(text).chars().take(MAX_ID_CHARS).collect() };
        let (id, spec) = (short(&self.id), short(&self.spec));
        format!("{id} is not offered; to offer it: --offer {spec}")
    }

    /// Returns the address of the port that has the device, if one has.
    fn address(&self) -> Option<String> {
        let port = self.port.as_ref()?;
        Some(if port.is_opened_by_id {
            format!("{DEVICES}{}", utf8_percent_encode(&self.id, ENCODED))
        } else {
            format!("/ports/{}", port.name)
        })
    }
}

fn word(line: ModemLine) -> &'static str {
    match line {
        ModemLine::On => "on",
        ModemLine::Off => "off",
        ModemLine::Keep => "keep",
    }
}

/// Returns the ID in the path of a device's address; None for another path, and for bytes that are
/// not UTF-8, which no ID has.
pub(crate) fn id_in(path: &str) -> Option<Cow<'_, str>> {
    let id = path.strip_prefix(DEVICES)?;
    percent_decode_str(id).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn device(id: &str, port: Option<(&str, bool)>) -> DeviceEntry {
        DeviceEntry {
            id: id.to_owned(),
            path: "/dev/ttyACM0".to_owned(),
            aliases: Vec::new(),
            usb: Value::Null,
            board: None,
            is_known_board: false,
            spec: "usb:2341:0043".to_owned(),
            state: "free",
            detail: String::new(),
            hint: String::new(),
            port: port.map(|(name, is_opened_by_id)| DevicePort {
                name: name.to_owned(),
                is_opened_by_id,
            }),
        }
    }

    #[track_caller]
    fn check(id: &str, port: Option<(&str, bool)>, expected: Option<&str>) {
        assert_eq!(device(id, port).address().as_deref(), expected);
    }

    #[test]
    fn the_address_is_that_of_the_port_that_has_the_device() {
        check("usb:2341:0043:A1", None, None);
        check("usb:2341:0043:A1", Some(("uno", false)), Some("/ports/uno"));
        check(
            "usb:2341:0043:A1@1-1.2",
            Some(("usb-2341-0043-A1", true)),
            Some("/devices/usb:2341:0043:A1@1-1.2"),
        );
        check(
            "usb:2341:0043:a/b?c d",
            Some(("x", true)),
            Some("/devices/usb:2341:0043:a%2Fb%3Fc%20d"),
        );
    }

    proptest! {
        #[test]
        fn every_id_comes_back_from_its_address(id in any::<String>()) {
            let address = device(&id, Some(("x", true))).address().unwrap();
            prop_assert_eq!(id_in(&address), Some(Cow::from(id.as_str())));
            prop_assert!(address.parse::<axum::http::Uri>().is_ok());
        }
    }

    #[test]
    fn what_no_id_is_has_none() {
        assert_eq!(id_in("/devices"), None);
        assert_eq!(id_in("/ports/uno"), None);
        assert_eq!(id_in("/devices/%ff"), None);
        assert_eq!(id_in("/devices/%00"), Some("\0".into()));
        assert_eq!(id_in("/devices/"), Some("".into()));
        assert_eq!(id_in("/devices/%"), Some("%".into()));
    }
}
