//! The rates that were found, for as long as the program runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::hub::DeviceInfo;

/// Boards whose rates are remembered. At the limit, one of them is forgotten.
const MAX_BOARDS: usize = 1024;

/// The rates of boards by their identity.
#[derive(Clone, Default)]
pub(crate) struct KnownRates(Arc<Mutex<HashMap<String, u32>>>);

impl KnownRates {
    /// Returns the rate that was found last for this board.
    pub(crate) fn of(&self, device: &DeviceInfo) -> Option<u32> {
        let rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rates.get(&identity(device)).copied()
    }

    /// Remembers the rate of this board.
    pub(crate) fn remember(&self, device: &DeviceInfo, baud: u32) {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() >= MAX_BOARDS
            && let Some(other) = rates.keys().next().cloned()
        {
            rates.remove(&other);
        }
        rates.insert(identity(device), baud);
    }
}

/// Returns what a board is known by: its serial number, or its kind and its path.
fn identity(device: &DeviceInfo) -> String {
    /// The parts of `usb:VID:PID:SERIAL`.
    const PARTS_WITH_SERIAL: usize = 4;

    let usb = device.usb.as_deref().unwrap_or_default();
    if usb.splitn(PARTS_WITH_SERIAL, ':').count() == PARTS_WITH_SERIAL {
        return usb.to_owned();
    }
    format!("{usb} {}", device.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(path: &str, usb: Option<&str>) -> DeviceInfo {
        DeviceInfo {
            path: path.to_owned(),
            usb: usb.map(str::to_owned),
            ..DeviceInfo::default()
        }
    }

    #[test]
    fn a_board_is_known_by_its_serial_number_wherever_it_is() {
        let rates = KnownRates::default();
        let with_serial = |path| device(path, Some("usb:1a86:7523:A:1"));
        let equal = |path| device(path, Some("usb:1a86:7523"));
        rates.remember(&with_serial("/dev/ttyUSB0"), 57_600);
        rates.remember(&equal("/dev/ttyUSB0"), 115_200);
        rates.remember(&device("/dev/ttyS0", None), 4800);
        assert_eq!(rates.of(&with_serial("/dev/ttyUSB1")), Some(57_600));
        assert_eq!(rates.of(&equal("/dev/ttyUSB0")), Some(115_200));
        assert_eq!(rates.of(&equal("/dev/ttyUSB1")), None);
        assert_eq!(rates.of(&device("/dev/ttyS0", None)), Some(4800));
    }
}
