//! The devices that this program's ports have open or wait for, so that none takes another's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rate::KnownRates;
use super::source::serial::identity::Identity;
use super::source::spec::Spec;

/// The devices of all ports of this program.
///
/// A port is added before it opens anything, and those that start together are all added before
/// the first of them opens, so that none opens what another one names.
#[derive(Clone, Default)]
pub(crate) struct Claims {
    devices: Arc<Mutex<BTreeMap<u64, ClaimedDevice>>>,
    /// The rates that were found for boards.
    pub(super) rates: KnownRates,
}

/// The device that one port has open or waits for.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedDevice {
    /// The name of the port.
    pub(crate) port: String,
    /// The SPEC of the port.
    pub(crate) spec: Spec,
    /// The path of the device that the port has open.
    pub(crate) path: Option<String>,
    /// The identity of the device that the port has open, or had last.
    pub(crate) identity: Option<Identity>,
}

impl ClaimedDevice {
    /// The claim of a port that has opened nothing yet.
    pub(crate) fn new(port: &str, spec: &Spec) -> Self {
        Self {
            port: port.to_owned(),
            spec: spec.clone(),
            path: None,
            identity: None,
        }
    }
}

/// The place of one port among the [`Claims`], which is given up when this is dropped.
pub(crate) struct ClaimGuard {
    claims: Claims,
    key: u64,
}

impl Claims {
    /// Adds a port that has opened nothing yet.
    pub(crate) fn add(&self, port: &str, spec: &Spec) -> ClaimGuard {
        let mut devices = self.devices();
        let key = devices.last_key_value().map_or(0, |(last, _)| last + 1);
        devices.insert(key, ClaimedDevice::new(port, spec));
        let claims = self.clone();
        ClaimGuard { claims, key }
    }

    /// Returns the devices of all ports.
    pub(crate) fn all(&self) -> Vec<ClaimedDevice> {
        self.devices().values().cloned().collect()
    }

    fn devices(&self) -> MutexGuard<'_, BTreeMap<u64, ClaimedDevice>> {
        // A panic elsewhere leaves the list whole.
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClaimGuard {
    /// Returns the devices of all other ports.
    pub(crate) fn others(&self) -> Vec<ClaimedDevice> {
        let devices = self.claims.devices();
        let others = devices.iter().filter(|(key, _)| **key != self.key);
        others.map(|(_, device)| device.clone()).collect()
    }

    /// Records the path that this port has open, and the device that it has or waits for.
    pub(crate) fn update(&self, path: Option<String>, identity: Option<Identity>) {
        if let Some(device) = self.claims.devices().get_mut(&self.key) {
            (device.path, device.identity) = (path, identity);
        }
    }
}

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        self.claims.devices().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_sees_the_claims_of_others_until_they_are_removed() {
        let claims = Claims::default();
        let names = |guard: &ClaimGuard| -> Vec<String> {
            guard.others().into_iter().map(|it| it.port).collect()
        };
        let first = claims.add("a", &Spec::Auto);
        let second = claims.add("b", &Spec::Path("COM3".into()));
        // A port may be added again while the one that had its name is still closing.
        let third = claims.add("a", &Spec::Auto);
        second.update(Some("COM4".into()), None);
        assert_eq!(names(&second), ["a", "a"]);
        assert_eq!(first.others()[0].path.as_deref(), Some("COM4"));
        drop(first);
        assert_eq!(names(&second), ["a"]);
        drop(second);
        assert_eq!(names(&third), [""; 0]);
    }
}
