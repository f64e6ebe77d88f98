//! Watches the devices of this computer. The system is asked again and again while somebody watches,
//! and not at all otherwise.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::time::sleep;

use super::device_id::IdError;
use super::listing::{ListedDevice, devices, find};
use crate::platform;
use crate::port::claims::Claims;

/// The time between two looks at the devices. A change is to be known within 1.5 s.
const POLL_INTERVAL: Duration = Duration::from_millis(700);

/// The devices of this computer, and who watches them.
#[derive(Clone)]
pub(crate) struct DeviceWatcher(Arc<WatcherState>);

struct WatcherState {
    claims: Claims,
    /// Devices to list although the system does not, while they are there.
    paths: Vec<String>,
    /// The list as it was at the last look; its receivers are those who watch.
    list: watch::Sender<DeviceList>,
    /// True while a task looks at the devices.
    is_polling: Mutex<bool>,
}

/// The devices at one moment.
pub(crate) type DeviceList = Arc<[ListedDevice]>;

impl DeviceWatcher {
    /// Watches nothing yet. `claims` are those of this program's ports, and `paths` names devices to
    /// list although the system does not.
    pub(crate) fn new(claims: Claims, paths: Vec<String>) -> Self {
        Self(Arc::new(WatcherState {
            claims,
            paths,
            list: watch::Sender::new(Arc::default()),
            is_polling: Mutex::new(false),
        }))
    }

    /// Lists the devices.
    ///
    /// # Errors
    /// If the system cannot list them.
    pub(crate) async fn list(&self) -> Result<DeviceList> {
        let inner = Arc::clone(&self.0);
        // It reads files, of other processes among them.
        let listing = tokio::task::spawn_blocking(move || devices(&inner.claims, &inner.paths));
        Ok(listing.await??.into())
    }

    /// Finds the device that `id` means, without its state.
    ///
    /// # Errors
    /// If the system cannot list the devices.
    pub(crate) async fn find(&self, id: &str) -> Result<Result<ListedDevice, IdError>> {
        let (inner, id) = (Arc::clone(&self.0), id.to_owned());
        let finding = move || find(&id, &inner.claims, &inner.paths);
        tokio::task::spawn_blocking(finding).await?
    }

    /// Returns the list as it is now, and as it will be after each change.
    pub(crate) async fn watch(&self) -> watch::Receiver<DeviceList> {
        let receiver = self.0.list.subscribe();
        // Before the first look, so that one task looks for all.
        let is_polling = std::mem::replace(&mut *self.is_polling(), true);
        self.look().await;
        if !is_polling {
            tokio::spawn(self.clone().poll());
        }
        receiver
    }

    /// Looks until nobody watches any more.
    async fn poll(self) {
        loop {
            tokio::select! {
                () = self.0.list.closed() => {}
                () = sleep(POLL_INTERVAL) => self.look().await,
            }
            let mut is_polling = self.is_polling();
            if self.0.list.receiver_count() == 0 {
                *is_polling = false;
                return;
            }
        }
    }

    async fn look(&self) {
        match self.list().await {
            Ok(list) => {
                self.0.list.send_if_modified(|last| {
                    let is_new = *last != list;
                    *last = list;
                    is_new
                });
            }
            Err(error) => tracing::debug!("{}", platform::sentence(&error)),
        }
    }

    fn is_polling(&self) -> MutexGuard<'_, bool> {
        self.0
            .is_polling
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_polled_while_nobody_watches() {
        let watcher = DeviceWatcher::new(Claims::default(), vec!["/dev/null".to_owned()]);
        assert!(!*watcher.is_polling());
        let receiver = watcher.watch().await;
        let second = watcher.watch().await;
        drop(receiver);
        sleep(POLL_INTERVAL * 3).await;
        assert!(*watcher.is_polling(), "one still watches");
        drop(second);
        sleep(POLL_INTERVAL).await;
        assert!(!*watcher.is_polling());
        let receiver = watcher.watch().await;
        assert!(*watcher.is_polling());
        drop(receiver);
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn a_device_that_comes_is_noticed() {
        let path = std::env::temp_dir().join(format!("serial-ws-watched-{}", std::process::id()));
        let name = path.display().to_string();
        let watcher = DeviceWatcher::new(Claims::default(), vec![name.clone()]);
        let mut list = watcher.watch().await;
        let is_there = |list: &DeviceList| list.iter().any(|device| device.info.path == name);
        assert!(!is_there(&list.borrow_and_update()));
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        let seen = list.wait_for(|list| is_there(list)).await.map(|_| ());
        std::fs::remove_file(&path).unwrap();
        seen.unwrap();
        list.wait_for(|list| !is_there(list)).await.unwrap();
    }
}
