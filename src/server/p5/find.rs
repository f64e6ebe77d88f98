//! Finds the port that a sketch means. Sketches name what was plugged in where they were written, so
//! that a name which is not here means the board that is, if there is only one.

use std::sync::Arc;

use super::SketchClient;
use crate::server::Port;
use crate::server::devices::{DeviceEntry, Devices};
use crate::terminal::shown;

/// The names of a serial port of macOS for incoming and outgoing calls: the same device.
const MACOS_NAMES: [&str; 2] = ["/dev/tty.", "/dev/cu."];

/// The ports and devices that a sketch may open.
#[derive(Clone)]
pub(super) enum Openable {
    /// A port that is there already.
    Port(Arc<Port>),
    /// A device, which may have to be opened first.
    Device(Box<DeviceEntry>),
}

/// All that a sketch could mean.
pub(super) struct PortChoices {
    devices: Devices,
    ports: Arc<[Arc<Port>]>,
    /// Those that it is told of.
    listed: Vec<PortChoice>,
}

/// Something that a sketch is told of.
struct PortChoice {
    name: String,
    target: Openable,
    /// True for a device on offer, false for a port that the operator named.
    is_device: bool,
}

/// The target that a sketch means.
pub(super) struct FoundPort {
    pub(super) target: Openable,
    /// True if it has another name.
    pub(super) is_only_one: bool,
}

impl PortChoices {
    /// Finds out what this sketch may open: the devices on offer, by their paths, and the other
    /// ports, by their names.
    pub(super) async fn of(sketch: &SketchClient) -> Self {
        let app = &sketch.app;
        let devices = app.devices.list().await.unwrap_or_else(|error| {
            tracing::warn!("cannot list the devices: {error}");
            Devices::default()
        });
        let ports = app.ports.all();
        let is_offered = |device: &&DeviceEntry| app.offer(device, &sketch.audience).is_offered();
        let offered: Vec<_> = devices.iter().filter(is_offered).collect();
        let is_of = |device: &DeviceEntry, port: &Port| {
            let known = device.port.as_ref();
            known.is_some_and(|known| known.name == port.name)
        };
        let is_named = |port: &&Arc<Port>| {
            let mut by_id = devices.iter().filter(|device| is_of(device, port));
            let is_opened_by_id = by_id.any(|device| {
                let known = device.port.as_ref();
                known.is_some_and(|known| known.is_opened_by_id)
            });
            let is_offered = offered.iter().any(|device| is_of(device, port));
            !is_opened_by_id && !is_offered && !port.may_be_chosen
        };
        let named = ports.iter().filter(is_named);
        let named = named.map(|port| PortChoice {
            name: port.name.clone(),
            target: Openable::Port(Arc::clone(port)),
            is_device: false,
        });
        let by_path = offered.iter().map(|device| PortChoice {
            name: device.path.clone(),
            target: Openable::of(device, &ports),
            is_device: true,
        });
        let listed = by_path.chain(named).collect();
        Self {
            devices,
            ports,
            listed,
        }
    }

    /// Returns the names of what is listed.
    pub(super) fn names(&self) -> Vec<String> {
        self.listed
            .iter()
            .map(|choice| choice.name.clone())
            .collect()
    }

    /// Finds what `name` means: a name of the list, of a port, or of a device, or else the only board.
    ///
    /// # Errors
    /// A sentence with what there is.
    pub(super) fn find(&self, name: &str) -> Result<FoundPort, String> {
        if let Some(target) = self.named(name) {
            return Ok(FoundPort {
                target,
                is_only_one: false,
            });
        }
        self.only().ok_or_else(|| {
            let name = shown(name);
            match &*self.names().join(", ") {
                "" => format!("there is no port {name}, and no board to open instead"),
                names => format!("there is no port {name}; there are: {}", shown(names)),
            }
        })
    }

    /// Returns the only board, or else the only port.
    fn only(&self) -> Option<FoundPort> {
        let boards = self.listed.iter().filter(|choice| choice.is_device);
        let choice = only(boards).or_else(|| only(self.listed.iter()));
        let target = match choice {
            Some(choice) => choice.target.clone(),
            // Its board is not there yet.
            None if self.listed.is_empty() => Openable::Port(Arc::clone(only(self.ports.iter())?)),
            None => return None,
        };
        Some(FoundPort {
            target,
            is_only_one: true,
        })
    }

    fn named(&self, name: &str) -> Option<Openable> {
        let listed = self.listed.iter();
        let mut listed = listed.filter(|choice| is_same(&choice.name, name));
        if let Some(choice) = listed.next() {
            return Some(choice.target.clone());
        }
        let is_device_of = |port: &Port| {
            let device = port.hub.status().device;
            device.is_some_and(|device| is_same(&device.path, name))
        };
        let mut ports = self.ports.iter();
        let port = ports.find(|port| port.name == name || is_device_of(port));
        port.map(|port| Openable::Port(Arc::clone(port)))
            .or_else(|| {
                let mut devices = self.devices.iter();
                let device = devices.find(|device| {
                    let mut names = device.aliases.iter().chain([&device.path, &device.id]);
                    names.any(|known| is_same(known, name))
                });
                device.map(|device| Openable::of(device, &self.ports))
            })
    }
}

impl Openable {
    /// Returns what a device is reached by: the port that has it, unless that was opened by its ID.
    fn of(device: &DeviceEntry, ports: &[Arc<Port>]) -> Self {
        let name = device.port.as_ref().filter(|port| !port.is_opened_by_id);
        let port = name.and_then(|known| ports.iter().find(|port| port.name == known.name));
        match port {
            Some(port) => Self::Port(Arc::clone(port)),
            None => Self::Device(Box::new(device.clone())),
        }
    }
}

/// Returns the only one of these.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next();
    first.filter(|_| items.next().is_none())
}

/// Returns true for two names of the same device.
fn is_same(one: &str, other: &str) -> bool {
    let [tty, cu] = MACOS_NAMES;
    let bare = |name: &str| {
        let name = name.strip_prefix(tty).or_else(|| name.strip_prefix(cu));
        name.map(str::to_owned)
    };
    one == other || bare(one).is_some_and(|bare_one| bare(other) == Some(bare_one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_names_of_a_port_of_macos_are_the_same() {
        for (one, other, expected) in [
            ("/dev/cu.usbmodem1421", "/dev/tty.usbmodem1421", true),
            ("/dev/cu.usbmodem1421", "/dev/cu.usbmodem1411", false),
            ("/dev/ttyACM0", "/dev/ttyACM0", true),
            ("/dev/ttyACM0", "/dev/ttyACM1", false),
            ("COM3", "COM30", false),
        ] {
            assert_eq!(is_same(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn only_one_of_one_is_the_only_one() {
        assert_eq!(only([7].iter()), Some(&7));
        assert_eq!(only([7, 7].iter()), None);
        assert_eq!(only([0; 0].iter()), None);
    }
}
