//! Above the hub: accepts connections, admits or refuses them, and serves HTTP and WebSocket.

mod api;
mod assets;
mod bell;
mod close;
mod echo;
mod metrics;
mod outbox;
mod policy;
mod route;
mod session;
mod upgrade;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{ServerConfig, Settings};
use crate::hub::{Hub, MOST_WAITING};

pub use policy::Policy;

/// How long a connection has to send its request head; at the limit it is closed.
const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of a request head; a larger one is answered with 431.
const LARGEST_HEAD: usize = 8 << 10;

/// Header lines of a request; more are answered with 431.
const MOST_HEADERS: usize = 64;

/// Bytes that the system holds for a client that does not read; beyond, we know that it is slow.
const SEND_BUFFER: u32 = 64 << 10;

/// Connections that the system holds until we accept them.
const BACKLOG: u32 = 1024;

/// How long accepting rests after it failed, as when the system has run out of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What a client hears that may not write.
const READ_ONLY: &str = "clients may not write here: it runs with --read-only";

/// A serial port as clients reach it.
pub struct Port {
    /// What users call it.
    pub name: String,
    /// How it is opened and shown.
    pub settings: Settings,
    /// Where its events come from and requests go to.
    pub hub: Arc<Hub>,
}

/// What every connection shares.
pub struct App {
    ports: Vec<Arc<Port>>,
    names: Vec<String>,
    config: ServerConfig,
    policy: Policy,
    /// Random for each start of the program.
    run: String,
    started: std::time::Instant,
    clients: AtomicUsize,
    /// Clients that are only told their mistake.
    turned_away: AtomicUsize,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Listens for clients of `ports`.
pub struct Server {
    app: Arc<App>,
    listeners: Vec<TcpListener>,
}

impl Port {
    /// Says that a write of `size` bytes has no room beside the `waiting` ones.
    pub fn too_much(&self, size: usize, waiting: usize) -> String {
        let bits = size as u64 * u64::from(self.settings.bits_per_byte());
        let seconds = bits / u64::from(self.settings.baud);
        let baud = self.settings.baud;
        if size > MOST_WAITING {
            format!("{size} bytes need {seconds} s at {baud} baud; {MOST_WAITING} may wait")
        } else {
            format!("{waiting} bytes of yours wait for the device already; {MOST_WAITING} may wait")
        }
    }

    /// Tells the operator that something a client sent was dropped.
    pub fn note_refusal(&self, reason: &str) {
        // One line for the first, and then for every doubling: a page may send at every frame.
        let count = self.hub.counters.refused.load(Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(
                port = self.name,
                count,
                reason,
                "dropped what a client sent"
            );
        }
    }
}

impl Server {
    /// Opens the listeners.
    ///
    /// # Errors
    /// When an address cannot be listened on, unless it is one of several whose family the system
    /// lacks.
    pub fn bind(config: ServerConfig, ports: Vec<Port>, stop: CancellationToken) -> Result<Self> {
        let mut listeners = Vec::new();
        for &address in &config.listen {
            match listen(address) {
                Ok(listener) => listeners.push(listener),
                Err(e) if config.any_family && lacks_family(&e) => {
                    tracing::debug!(%address, "this system lacks the address family");
                }
                Err(e) => return Err(listen_error(e, address)),
            }
        }
        if listeners.is_empty() {
            bail!(
                "this system has neither 127.0.0.1 nor [::1] to listen on. Choose: --listen ADDR:PORT"
            );
        }
        let policy = Policy {
            hosts: config.allow_host.clone(),
            origins: config.allow_origin.clone(),
        };
        let app = Arc::new(App {
            names: ports.iter().map(|port| port.name.clone()).collect(),
            ports: ports.into_iter().map(Arc::new).collect(),
            config,
            policy,
            run: random_name(),
            started: std::time::Instant::now(),
            clients: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
            tasks: TaskTracker::new(),
            stop,
        });
        Ok(Self { app, listeners })
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }

    /// Serves until the program stops; returns when all clients have had their Close.
    pub async fn run(self) {
        let app = self.app;
        for listener in self.listeners {
            app.tasks.spawn(accept(listener, Arc::clone(&app)));
        }
        app.tasks.close();
        app.tasks.wait().await;
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // Elsewhere the option would let two programs listen at once.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Systems say in many ways that they lack an address family, but in one that it is taken.
fn lacks_family(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

fn listen_error(error: io::Error, address: SocketAddr) -> anyhow::Error {
    let port = address.port();
    if error.kind() == io::ErrorKind::AddrInUse {
        let other = SocketAddr::new(address.ip(), port.checked_add(1).unwrap_or(8080));
        return anyhow::anyhow!("port {port} is in use. Choose another: --listen {other}");
    }
    anyhow::Error::new(error).context(format!("cannot listen on {address}"))
}

async fn accept(listener: TcpListener, app: Arc<App>) {
    let router = api::router(Arc::clone(&app));
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            () = app.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                is_failing = false;
                app.tasks
                    .spawn(serve(stream, router.clone(), app.stop.clone()));
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "cannot accept connections");
                }
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Serves one connection: one request, which may turn it into a WebSocket.
async fn serve(stream: TcpStream, router: axum::Router, stop: CancellationToken) {
    // Without it a line may wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::select! {
        () = stop.cancelled() => {}
        served = connection => {
            if let Err(error) = served {
                tracing::debug!(%error, "connection ends");
            }
        }
    }
}

/// A name for this run of the program that no other run has.
fn random_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
