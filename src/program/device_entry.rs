//! The entries of the list of devices: what a port knows of a device, as the server shows it, and the
//! port that such a device becomes.

use serde_json::{Value, json};

use crate::config::SharedPort;
use crate::hub::SettingsChange;
use crate::port::PortSettings;
use crate::port::source::serial::enumerate::Usb;
use crate::port::source::serial::listing::{DeviceState, ListedDevice};
use crate::port::source::spec::Spec;
use crate::server::devices::{DeviceEntry, DevicePort, DeviceRejection};

/// Describes a device for the server, as if its port was not opened by an ID.
pub(crate) fn describe(listed: &ListedDevice) -> DeviceEntry {
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

/// Returns the configuration of the port for a device: that of `template`, with a change that a client
/// asks for, if it may.
pub(super) fn port_config(
    template: &SharedPort,
    device: &DeviceEntry,
    change: SettingsChange,
) -> Result<SharedPort, DeviceRejection> {
    let mut shared = template.clone();
    shared.port.spec = match device.usb {
        Value::Null => Spec::Path(device.path.clone()),
        _ => Spec::Device(device.id.clone()),
    };
    shared.port.name = shared.port.spec.default_name();
    let changed = PortSettings::new(&shared.port).changed(&change, false);
    shared.port.line = changed.map_err(|error| DeviceRejection::Refused(error.reason))?;
    shared.port.detects_rate &= change.baud.is_none();
    Ok(shared)
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
