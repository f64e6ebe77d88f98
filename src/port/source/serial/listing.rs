//! Lists the devices that clients could open, each with its ID, its state, and the port of this
//! program that has it. Opens none.

use anyhow::Result;

use super::device_id::{self, IdError};
use super::enumerate::{self, PortInfo, PortKind};
use super::find::owner;
use super::open::{denied, in_use};
use super::os::{self, Access, PathKind};
use crate::port::claims::{ClaimedDevice, Claims};
use crate::port::source::spec::Spec;

/// A device of this computer, as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedDevice {
    /// The ID by which it is opened.
    pub(crate) id: String,
    /// Its path, and what USB tells of it.
    pub(crate) info: PortInfo,
    /// Its state at that moment.
    pub(crate) state: DeviceState,
    /// The reason why it cannot be opened, for people; empty if it can.
    pub(crate) detail: String,
    /// The next step for the user; empty where there is nothing to do.
    pub(crate) hint: String,
    /// The name of the port of this program that has it open, or waits for it.
    pub(crate) port: Option<String>,
}

/// The state of a device, as far as it is known without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceState {
    /// Nobody is known to have it open.
    Free,
    /// A port of this program has it open.
    Open,
    /// Another program has it open.
    Busy,
    /// The system does not permit opening it.
    Denied,
}

impl ListedDevice {
    /// Returns the device as a SPEC that can be typed in any shell.
    pub(crate) fn spec(&self) -> String {
        let spec = self.info.usb_spec();
        spec.unwrap_or_else(|| self.info.path.clone())
    }
}

/// Lists the devices. `claims` tells which of them ports of this program have, and `paths` names
/// further ones, which are listed while they are there.
///
/// # Errors
/// If the system cannot list ports at all.
pub(crate) fn devices(claims: &Claims, paths: &[String]) -> Result<Vec<ListedDevice>> {
    let ports = ports(paths)?;
    let claims = claims.all();
    let ids = device_id::ids(&ports);
    let listed = ports.iter().zip(ids);
    Ok(listed
        .map(|(port, id)| describe(port, id, &ports, &claims))
        .collect())
}

/// Finds the device that `id` means, without its state: that is known once it is opened. The other
/// arguments are those of [`devices`].
///
/// # Errors
/// If the system cannot list ports at all.
pub(crate) fn find(
    id: &str,
    claims: &Claims,
    paths: &[String],
) -> Result<Result<ListedDevice, IdError>> {
    let ports = ports(paths)?;
    let found = device_id::find(id, &ports).map(|port| {
        let claims = claims.all();
        let owner = owner(&Spec::Auto, &port.path, &ports, &claims);
        ListedDevice {
            id: device_id::id(port, &ports),
            info: port.clone(),
            state: DeviceState::Free,
            detail: String::new(),
            hint: String::new(),
            port: owner.map(|owner| owner.port.clone()),
        }
    });
    Ok(found)
}

/// Returns the ports behind which there is a device, and those at `paths`.
fn ports(paths: &[String]) -> Result<Vec<PortInfo>> {
    let mut ports = enumerate::ports()?;
    ports.retain(|port| !port.is_placeholder());
    for path in paths {
        let is_listed = ports.iter().any(|port| os::same_port(&port.path, path));
        if !is_listed && os::describe_path(path) == PathKind::Port {
            ports.push(PortInfo {
                path: path.clone(),
                kind: PortKind::Other,
                aliases: Vec::new(),
            });
        }
    }
    Ok(ports)
}

fn describe(
    port: &PortInfo,
    id: String,
    ports: &[PortInfo],
    claims: &[ClaimedDevice],
) -> ListedDevice {
    let path = &port.path;
    let owner = owner(&Spec::Auto, path, ports, claims);
    let is_open = owner.is_some_and(|owner| owner.path.is_some());
    let (state, status) = if is_open {
        (DeviceState::Open, None)
    } else {
        match (os::holder(path), os::access(path)) {
            (Some(holder), _) => (DeviceState::Busy, Some(in_use(path, Some(&holder)))),
            (None, Access::Denied { hint }) => (DeviceState::Denied, Some(denied(path, hint))),
            (None, Access::Granted | Access::Unknown) => (DeviceState::Free, None),
        }
    };
    let (detail, hint) = status.map(|it| (it.detail, it.hint)).unwrap_or_default();
    ListedDevice {
        id,
        info: port.clone(),
        state,
        detail,
        hint,
        port: owner.map(|owner| owner.port.clone()),
    }
}
