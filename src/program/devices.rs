//! The devices on offer: lists them for the server, opens one as a port when a client asks for it,
//! and closes it again some time after its last client has left.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::device_entry::{describe, port_config};
use super::device_watch::WatchedDevices;
use super::{PortTasks, Registered};
use crate::config::{DevicesConfig, SharedPort};
use crate::hub::{SettingsChange, Start, State, Status, SubscriberKind};
use crate::platform;
use crate::port::source::serial::device_id::IdError;
use crate::port::source::serial::watcher::{DeviceList, DeviceWatcher};
use crate::port::{Closed, PortConfig, PortTask, Supervisor};
use crate::server::devices::{
    DeviceEntry, DeviceHost, DeviceRejection, DeviceWatch, Devices, OpenedDevicePort,
};
use crate::server::{Arrival, ClientDefaults, Newcomer, Port, PortEnd, SettingsTurn};

/// Opens devices as ports, and closes them.
#[derive(Clone)]
pub(super) struct DevicePorts(Arc<DevicePortsState>);

struct DevicePortsState {
    ports: PortTasks,
    watcher: DeviceWatcher,
    config: DevicesConfig,
    /// The ports that were opened by an ID, and not closed yet.
    opened: Mutex<Vec<OpenedById>>,
    /// The port at `/` for which a client may choose the board; None where ports were given.
    root: Option<Root>,
}

/// A port that was opened by an ID.
struct OpenedById {
    device: DeviceEntry,
    port: Arc<Port>,
}

/// The port at `/` whose board is chosen.
struct Root {
    port: Arc<Port>,
    /// Sends the choice to [`DevicePorts::run_root`].
    choose: mpsc::Sender<PortConfig>,
}

/// The place where the choices for the port at `/` arrive.
pub(super) type Choices = mpsc::Receiver<PortConfig>;

impl DevicePorts {
    /// Prepares to open devices beside `ports`. `root` is the port for which a client may choose the
    /// board, if there is one.
    pub(super) fn new(
        ports: PortTasks,
        config: DevicesConfig,
        root: Option<Arc<Port>>,
    ) -> (Self, Choices) {
        let (choose, choices) = mpsc::channel(1);
        let watcher = DeviceWatcher::new(ports.claims.clone(), config.paths.clone());
        let devices = Self(Arc::new(DevicePortsState {
            ports,
            watcher,
            config,
            opened: Mutex::default(),
            root: root.map(|port| Root { port, choose }),
        }));
        (devices, choices)
    }

    /// Keeps the port at `/` open: with the only board, or with the one that a client has chosen,
    /// until all its clients have left.
    ///
    /// # Errors
    /// As [`Supervisor::run`].
    pub(super) async fn run_root(
        self,
        (port, supervisor): Registered,
        config: PortConfig,
        mut choices: Choices,
    ) -> Result<Closed> {
        let claims = &self.0.ports.claims;
        let mut supervisor = supervisor;
        loop {
            let stop = port.stop.child_token();
            let mut running = std::pin::pin!(supervisor.run(stop.clone()));
            let choice = tokio::select! {
                ended = &mut running => return ended,
                choice = choices.recv() => choice,
            };
            stop.cancel();
            let closed = running.await?;
            let Some(choice) = choice else {
                return Ok(closed);
            };
            let chosen = Supervisor::new(choice, Arc::clone(&port.hub), claims);
            let stop = port.stop.child_token();
            let mut running = std::pin::pin!(chosen.run(stop.clone()));
            let outcome = tokio::select! {
                outcome = &mut running => outcome,
                () = self.forget_when_idle(&port) => {
                    stop.cancel();
                    running.await
                }
            };
            if port.stop.is_cancelled() {
                return outcome;
            }
            let status = match outcome {
                Ok(_) => Status::new(State::Waiting, "closed: nobody used the board any more"),
                Err(error) => Status::new(State::Waiting, platform::sentence(&error)),
            };
            tracing::info!(port = port.name, "{}", status.sentence());
            self.opened()
                .retain(|other| !Arc::ptr_eq(&other.port, &port));
            port.hub.publish_status(status.with_settings(config.line));
            supervisor = Supervisor::new(config.clone(), Arc::clone(&port.hub), claims).into();
        }
    }

    /// Opens `device`, or joins those who use it. Fails within if another newcomer is just changing
    /// its settings; `turn` is what came of waiting for that one.
    fn try_open(
        &self,
        device: &DeviceEntry,
        change: SettingsChange,
        turn: Option<SettingsTurn>,
    ) -> Result<Result<OpenedDevicePort, Newcomer>, DeviceRejection> {
        let mut opened = self.opened();
        let known = self.port_of(&opened, device);
        let Some(port) = known else {
            let port = self.open_port(&mut opened, device, change)?;
            let hold = port.hub.subscribe(SubscriberKind::Client, Start::Live);
            let arrival = Arrival { hold, turn: None };
            return Ok(Ok(OpenedDevicePort { port, arrival }));
        };
        let joined = port.try_join(change, turn)?;
        Ok(joined.map(|arrival| OpenedDevicePort { port, arrival }))
    }

    /// Opens `device`, which no port has, as a port of its own or as that at `/`.
    fn open_port(
        &self,
        opened: &mut Vec<OpenedById>,
        device: &DeviceEntry,
        change: SettingsChange,
    ) -> Result<Arc<Port>, DeviceRejection> {
        let max = self.0.config.max_open;
        if opened.len() >= max {
            return Err(DeviceRejection::Full { max });
        }
        let shared = port_config(&self.0.config.template, device, change)?;
        let port = match self.choose(opened, &shared.port) {
            Some(root) => root,
            None => self.add(shared, opened)?,
        };
        opened.push(OpenedById {
            device: device.clone(),
            port: Arc::clone(&port),
        });
        Ok(port)
    }

    /// Has the port at `/` open a device, if it waits for a choice.
    fn choose(&self, opened: &[OpenedById], config: &PortConfig) -> Option<Arc<Port>> {
        let Root { port, choose } = self.0.root.as_ref()?;
        let is_waiting = port.hub.status().state == State::Waiting;
        let is_chosen = opened.iter().any(|other| Arc::ptr_eq(&other.port, port));
        let config = PortConfig {
            name: port.name.clone(),
            ..config.clone()
        };
        let may_choose = is_waiting && !is_chosen && choose.try_send(config).is_ok();
        may_choose.then(|| Arc::clone(port))
    }

    fn add(
        &self,
        mut shared: SharedPort,
        opened: &[OpenedById],
    ) -> Result<Arc<Port>, DeviceRejection> {
        let ports = &self.0.ports;
        let name = shared.port.name.clone();
        // Another device may have a name like it, after what a name must not contain was replaced.
        let names = (1..=opened.len() + 2).map(|n| match n {
            1 => name.clone(),
            n => format!("{name}-{n}"),
        });
        let taken = ports.registry.names();
        let free = names.into_iter().find(|name| !taken.contains(name));
        shared.port.name = free.unwrap_or(name);
        let (port, task) = ports
            .register(shared, ports.next_run())
            .map_err(|error| DeviceRejection::Failed(platform::sentence(&error)))?;
        let (devices, opened) = (self.clone(), Arc::clone(&port));
        ports
            .tasks()
            .spawn(async move { devices.run(opened, task).await });
        Ok(port)
    }

    /// Keeps a port of its own open until nobody uses it any more.
    async fn run(self, port: Arc<Port>, task: PortTask) -> Result<Closed> {
        let mut running = std::pin::pin!(task.run(port.stop.clone()));
        let outcome = tokio::select! {
            outcome = &mut running => outcome,
            () = self.forget_when_idle(&port) => {
                tracing::info!(port = port.name, "closed: nobody uses it any more");
                self.0.ports.remove(&port.name);
                running.await
            }
        };
        self.opened()
            .retain(|other| !Arc::ptr_eq(&other.port, &port));
        outcome.or_else(|error| {
            tracing::warn!(port = port.name, "removed: {}", platform::sentence(&error));
            let end = PortEnd::refused(platform::sentence(&error));
            self.0.ports.registry.end(&port, end);
            Ok(Closed::Free)
        })
    }

    /// Waits until the last client of a port has left, and nobody has come for a time. From then on
    /// nobody finds the port any more.
    async fn forget_when_idle(&self, port: &Arc<Port>) {
        loop {
            port.hub.idle(self.0.config.idle_close).await;
            let mut opened = self.opened();
            // Whoever opens a device becomes a client of its port while the list is locked.
            if port.hub.clients() == 0 {
                opened.retain(|other| !Arc::ptr_eq(&other.port, port));
                return;
            }
        }
    }

    /// Returns the port that has a device, or had it when it was listed.
    fn port_of(&self, opened: &[OpenedById], device: &DeviceEntry) -> Option<Arc<Port>> {
        let by_id = opened.iter().find(|other| other.device.id == device.id);
        let named = || self.0.ports.registry.by_name(&device.port.as_ref()?.name);
        by_id.map(|other| Arc::clone(&other.port)).or_else(named)
    }

    pub(super) fn describe(&self, list: &DeviceList) -> Devices {
        let opened = self.opened();
        let devices = list.iter().map(|listed| {
            let mut device = describe(listed);
            if let Some(port) = &mut device.port {
                port.is_opened_by_id = opened.iter().any(|other| other.port.name == port.name);
            }
            device
        });
        devices.collect()
    }

    fn opened(&self) -> MutexGuard<'_, Vec<OpenedById>> {
        self.0.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeviceHost for DevicePorts {
    fn list(&self) -> BoxFuture<'_, Result<Devices, String>> {
        async {
            let list = self.0.watcher.list().await;
            let list = list.map_err(|error| platform::sentence(&error))?;
            Ok(self.describe(&list))
        }
        .boxed()
    }

    fn watch(&self) -> BoxFuture<'_, Box<dyn DeviceWatch>> {
        async {
            let list = self.0.watcher.watch().await;
            let watch = WatchedDevices {
                devices: self.clone(),
                list,
                is_new: true,
            };
            Box::new(watch) as Box<dyn DeviceWatch>
        }
        .boxed()
    }

    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<DeviceEntry, DeviceRejection>> {
        async move {
            let found = self.0.watcher.find(id).await;
            match found.map_err(|error| DeviceRejection::Failed(platform::sentence(&error)))? {
                Ok(listed) => Ok(describe(&listed)),
                Err(IdError::Several(ids)) => Err(DeviceRejection::Several(ids)),
                Err(IdError::Unknown) => {
                    let opened = self.opened();
                    let waiting = opened.iter().find(|other| other.device.id == id);
                    let waiting = waiting.map(|other| other.device.clone());
                    waiting.ok_or(DeviceRejection::Unknown)
                }
            }
        }
        .boxed()
    }

    fn client_defaults(&self) -> ClientDefaults {
        self.0.config.template.clients
    }

    fn open<'a>(
        &'a self,
        device: &'a DeviceEntry,
        change: SettingsChange,
    ) -> BoxFuture<'a, Result<OpenedDevicePort, DeviceRejection>> {
        async move {
            let mut turn = None;
            loop {
                match self.try_open(device, change, turn)? {
                    Ok(opened) => return Ok(opened),
                    Err(newcomer) => turn = Some(newcomer.lock_owned().await),
                }
            }
        }
        .boxed()
    }
}
