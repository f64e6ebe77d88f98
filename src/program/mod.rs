//! The running program: the server, and a task for each port. Ports come and go while it runs; those
//! that clients open by the ID of a device are in `devices`.

pub(crate) mod device_entry;
mod device_watch;
mod devices;

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, SharedPort};
use crate::hub::{Hub, HubConfig, State, Status};
use crate::log;
use crate::output::mqtt::Mqtt;
use crate::output::osc::Osc;
use crate::output::recorder::{Recorder, RecorderConfig, RecorderRequests, prepare_folder};
use crate::output::saver::Saver;
use crate::output::{Output, OutputConfig, PublishedPort};
use crate::platform;
use crate::port::source::spec::Spec;
use crate::port::{Claims, Closed, PortConfig, PortTask};
use crate::server::{OutputCounters, Port, Ports, Server};
use devices::{Choices, DevicePorts};

/// The answer to `--open` where everyone needs a token.
const OPEN_NEEDS_TOKEN: &str = "--open leaves the browser to you: others on this computer could \
    read the token in what it is started with. Open the page's address with ?token= and your token";

/// Runs serial-ws until `stop` is cancelled. By then clients have had their Close, and ports are
/// closed as far as the system lets them.
///
/// # Errors
/// When an address cannot be listened on, or a port of `config` can never be opened.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<Closed> {
    Program::bind(config, stop)?.run().await
}

/// A program that listens for clients, and has opened no port yet.
pub struct Program {
    /// The server.
    pub server: Server,
    /// The ports, to add and remove some while the program runs.
    pub ports: PortTasks,
    registered: Vec<Registered>,
    devices: DevicePorts,
    /// The port at `/` for which a client may choose the board.
    root: Option<(Registered, PortConfig)>,
    choices: Choices,
    opens_page: bool,
}

impl Program {
    /// Listens at the addresses of `config`.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub fn bind(config: Config, stop: CancellationToken) -> Result<Self> {
        let registry = Arc::<Ports>::default();
        let opens_page = config.server.open;
        let mut ports = PortTasks {
            registry: Arc::clone(&registry),
            claims: Claims::default(),
            limits: config.limits,
            runs: Arc::default(),
            tasks: Arc::default(),
            mqtt: None,
            osc: None,
            stop: stop.clone(),
        };
        if let Some(config) = config.mqtt {
            let (mqtt, connection) = Mqtt::new(config, stop.clone())?;
            ports.mqtt = Some(mqtt);
            ports.spawn(connection);
        }
        if let Some(config) = config.osc {
            let (osc, receiving) = Osc::new(config, stop.clone())?;
            ports.osc = Some(osc);
            ports.spawn(receiving);
        }
        // All are claimed before the first is opened, so that none opens what another one names.
        log::name_ports(config.ports.len() > 1);
        let (mut registered, mut root) = (Vec::new(), None);
        for shared in config.ports {
            let config = shared.port.clone();
            let port = ports.register(shared, 0)?;
            if config.may_be_chosen {
                root = Some((port, config));
            } else {
                registered.push(port);
            }
        }
        let root_port = root.as_ref().map(|((port, _), _)| Arc::clone(port));
        let mqtt = ports.mqtt.as_ref().map(|mqtt| Arc::clone(&mqtt.counters));
        let osc = ports.osc.as_ref().map(|osc| Arc::clone(&osc.counters));
        let (devices, choices) = DevicePorts::new(ports.clone(), config.devices, root_port);
        let host = Arc::new(devices.clone());
        Ok(Self {
            server: Server::bind(
                config.server,
                registry,
                host,
                OutputCounters { mqtt, osc },
                stop,
            )?,
            registered,
            devices,
            root,
            choices,
            ports,
            opens_page,
        })
    }

    /// Serves clients and keeps the ports open until the program stops.
    ///
    /// # Errors
    /// When a port that the program was started with can never be opened.
    pub async fn run(mut self) -> Result<Closed> {
        self.server.announce();
        platform::notify_ready();
        match self.server.page() {
            Some(page) if self.opens_page => open_page(&page),
            None if self.opens_page => tracing::warn!("{OPEN_NEEDS_TOKEN}"),
            _ => {}
        }
        let server = self.server;
        self.ports.tasks().spawn(async {
            server.run().await;
            Ok(Closed::Free)
        });
        if let Some((registered, config)) = self.root {
            let root = self.devices.run_root(registered, config, self.choices);
            self.ports.tasks().spawn(root);
        }
        for (port, task) in self.registered {
            let task = task.run(port.stop.clone());
            self.ports.tasks().spawn(task);
        }
        self.ports.wait().await
    }
}

/// Starts and stops ports while the program runs.
#[derive(Clone)]
pub struct PortTasks {
    registry: Arc<Ports>,
    claims: Claims,
    limits: HubConfig,
    /// The ports that were added since the program began.
    runs: Arc<AtomicU32>,
    /// The tasks of the server and of the ports.
    tasks: Arc<Mutex<JoinSet<Result<Closed>>>>,
    /// The connection to an MQTT broker, if there is one.
    mqtt: Option<Mqtt>,
    /// The ports that are sent and written by OSC, if any are.
    osc: Option<Osc>,
    stop: CancellationToken,
}

/// A port that clients reach, and that is not opened yet.
type Registered = (Arc<Port>, PortTask);

impl PortTasks {
    /// Adds the ports of `config` and opens them. One that can never be opened is removed again,
    /// with a warning.
    ///
    /// # Errors
    /// When there is a port of the same name.
    pub fn add(&self, config: Config) -> Result<()> {
        // Another one than those that the program began with.
        log::name_ports(true);
        for config in config.ports {
            let (port, task) = self.register(config, self.next_run())?;
            let registry = Arc::clone(&self.registry);
            self.tasks().spawn(async move {
                let outcome = task.run(port.stop.clone()).await;
                outcome.or_else(|error| {
                    tracing::warn!(port = port.name, "removed: {}", platform::sentence(&error));
                    registry.remove(&port.name);
                    Ok(Closed::Free)
                })
            });
        }
        Ok(())
    }

    /// Removes a port: closes its device and disconnects its clients. Returns false where there is
    /// no port of that name.
    pub fn remove(&self, name: &str) -> bool {
        self.registry.remove(name)
    }

    /// Lets clients reach a port, and claims its device. `run` is that of [`Port`].
    fn register(&self, shared: SharedPort, run: u32) -> Result<Registered> {
        let config = shared.port;
        let status = Status::new(State::Waiting, "not open yet").with_settings(config.line);
        let numbers = self.registry.numbers.clone();
        if let Some(config) = &shared.recorder {
            prepare_folder(&config.folder).map_err(anyhow::Error::msg)?;
        }
        let recorder = shared.recorder.is_some().then(Recorder::new);
        let hub = match config.spec {
            Spec::Upstream(_) => Hub::of_upstream,
            _ => Hub::with_request_limits,
        };
        let hub = hub(self.limits, shared.requests, numbers, status);
        let port = Arc::new(Port {
            name: config.name.clone(),
            run,
            frame: config.frame.to_string(),
            may_be_chosen: config.may_be_chosen,
            max_line: config.max_line,
            poll: config.poll.as_ref().map(|it| (it.text.clone(), it.every)),
            is_program: config.spec.program().is_some(),
            fixed: config.fixed.to_json(),
            clients: shared.clients,
            hub,
            stop: self.stop.child_token(),
            end: OnceLock::new(),
            newcomer: Arc::default(),
            recorder: recorder.as_ref().map(|(recorder, _)| recorder.clone()),
        });
        let is_new = self.registry.add(Arc::clone(&port));
        ensure!(is_new, "there is a port called {} already", port.name);
        self.start_outputs(&port, shared.outputs)?;
        if let Some(config) = shared.saver {
            let saver = Saver::open(&config, &port.name, &port.hub).map_err(anyhow::Error::msg)?;
            self.spawn(saver.run(port.stop.clone()));
        }
        self.publish(&port);
        if let (Some(config), Some((_, requests))) = (shared.recorder, recorder) {
            self.start_recorder(&port, config, requests);
        }
        let own = (self.registry.run.as_str(), self.limits.history);
        let task = PortTask::new(config, Arc::clone(&port.hub), &self.claims, own);
        Ok((port, task))
    }

    /// Opens the outputs of a port, until it is removed.
    fn start_outputs(&self, port: &Arc<Port>, outputs: Vec<OutputConfig>) -> Result<()> {
        for config in outputs {
            let output = Output::open(config, &port.name, &port.hub)?;
            let (name, hub, stop) = (port.name.clone(), Arc::clone(&port.hub), port.stop.clone());
            self.spawn(output.run(name, hub, stop));
        }
        Ok(())
    }

    /// Publishes a port to the MQTT broker and by OSC, where that is configured.
    fn publish(&self, port: &Port) {
        // Only the operator writes to a program, and nobody knows who publishes at a broker.
        let may_write = !port.clients.read_only && !port.is_program;
        let published = PublishedPort {
            name: port.name.clone(),
            run: port.run(&self.registry.run).name.into_owned(),
            hub: Arc::clone(&port.hub),
            append: may_write.then_some(port.clients.append),
            stop: port.stop.clone(),
        };
        if let Some(osc) = &self.osc {
            self.spawn(osc.publish(published.clone()));
        }
        if let Some(mqtt) = &self.mqtt {
            self.spawn(mqtt.publish(published));
        }
    }

    /// Records a port, until it is removed.
    fn start_recorder(&self, port: &Port, config: RecorderConfig, requests: RecorderRequests) {
        let run = port.run(&self.registry.run).name.into_owned();
        let named = (port.name.clone(), run);
        let (hub, stop) = (Arc::clone(&port.hub), port.stop.clone());
        self.spawn(requests.serve(config, named, hub, stop));
    }

    /// Runs a task that the program waits for at its end.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks().spawn(async {
            task.await;
            Ok(Closed::Free)
        });
    }

    /// Returns a number that no port had before.
    fn next_run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Waits for all tasks to end. The first that fails stops the others.
    async fn wait(&self) -> Result<Closed> {
        let mut outcome = Ok(Closed::Free);
        while let Some(ended) = poll_fn(|cx| self.tasks().poll_join_next(cx)).await {
            match ended? {
                Ok(Closed::Free) => {}
                Ok(Closed::Stuck) => outcome = outcome.map(|_| Closed::Stuck),
                Err(error) => {
                    outcome = Err(error);
                    self.stop.cancel();
                }
            }
        }
        outcome
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<Result<Closed>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a page in the browser, on a thread of its own, since the program for that may stay.
fn open_page(url: &str) {
    let url = url.to_owned();
    std::thread::spawn(move || {
        if let Err(error) = open::that(&url) {
            tracing::warn!("cannot open a browser. Open {url} yourself");
            tracing::debug!(%error, "cannot open a browser");
        }
    });
}
