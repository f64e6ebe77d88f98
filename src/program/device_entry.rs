//! The entries of the list of devices: what a port knows of a device, as the server shows it.

use serde_json::{Value, json};

use crate::port::source::serial::enumerate::Usb;
use crate::port::source::serial::listing::{DeviceState, ListedDevice};
use crate::server::devices::{DeviceEntry, DevicePort};

/// Describes a device for the server, as if its port was not opened by an ID.
pub(super) fn describe(listed: &ListedDevice) -> DeviceEntry {
    let ListedDevice { id, info, .. } = listed;
    DeviceEntry {
        id: id.clone(),
        path: info.path.clone(),
        aliases: info.aliases.clone(),
        usb: info.usb().map_or(Value::Null, usb),
        board: info.board(),
        is_known_board: info.is_known_board(),
        spec: listed.spec(),
        state: match listed.state {
            DeviceState::Free => "free",
            DeviceState::Open => "open",
            DeviceState::Busy => "busy",
            DeviceState::Denied => "denied",
        },
        detail: listed.detail.clone(),
        hint: listed.hint.clone(),
        port: listed.port.clone().map(|name| DevicePort {
            name,
            is_opened_by_id: false,
        }),
    }
}

/// Returns the description of a USB device as clients are shown it, without what is not known.
fn usb(usb: &Usb) -> Value {
    let mut object = json!({ "vid": usb.vid, "pid": usb.pid });
    let texts = [
        ("serial", &usb.serial),
        ("maker", &usb.manufacturer),
        ("product", &usb.product),
        ("location", &usb.location),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            object[key] = json!(text);
        }
    }
    if let Some(interface) = usb.interface {
        object["interface"] = json!(interface);
    }
    object
}
