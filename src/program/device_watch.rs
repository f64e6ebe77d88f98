//! The view of one who watches the devices on offer.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::devices::DevicePorts;
use crate::port::source::serial::watcher::DeviceList;
use crate::server::devices::{DeviceWatch, Devices};

/// One who watches the devices.
pub(super) struct WatchedDevices {
    pub(super) devices: DevicePorts,
    pub(super) list: watch::Receiver<DeviceList>,
    /// True until the first list was taken.
    pub(super) is_new: bool,
}

impl DeviceWatch for WatchedDevices {
    fn next(&mut self) -> BoxFuture<'_, Devices> {
        async {
            if !std::mem::take(&mut self.is_new) && self.list.changed().await.is_err() {
                // The sender lives as long as the devices that this has.
                return std::future::pending().await;
            }
            let list = Arc::clone(&self.list.borrow_and_update());
            self.devices.describe(&list)
        }
        .boxed()
    }
}
