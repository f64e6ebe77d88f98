//! serial-ws shares a serial port with any number of web pages and programs over WebSocket.
//!
//! ```text
//!  device ──bytes──▶ port task ──Event──▶ hub ══════▶ session ──Message──▶ socket
//!    ▲                (framer)             ║           (encodes its view)
//!    └──bytes── port task ◀──Request── bounded queue ◀── session ◀──Message── socket
//! ```
//!
//! Bytes are read once and cut into frames once, for everyone. A [`hub`] hands each event to all
//! sessions in one order; a [`view`] says what a client sees of it. The [`port`] below the hub and
//! the [`server`] above it know nothing of each other.

#![warn(unreachable_pub)]

mod cli;
mod commands;
mod config;
mod duration;
mod fingerprint;
pub mod hub;
mod log;
mod platform;
mod port;
mod server;
mod terminal;
pub mod view;

pub use cli::main;

use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use port::Closed;
pub use port::framing::lines::Framer;

use config::SharedPort;
use hub::{Hub, State, Status};
use port::Claims;
pub use server::Server;
use server::{LineFacts, Port};

/// Why --open opens nothing where all need a token.
const LEFT_TO_YOU: &str = "--open leaves the browser to you: others on this computer could read the \
    token in what it is started with. Open the page's address with ?token= and your token";

/// Runs the bridge until `stop` is cancelled: clients have had their Close then, and ports are
/// closed as far as the system lets them.
///
/// # Errors
/// When an address cannot be listened on, or a port can never be opened.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<Closed> {
    let open = config.server.open;
    let (server, hubs) = bind(&config, stop.clone())?;
    server.announce();
    platform::notify_service_manager("READY=1");
    match server.page() {
        Some(page) if open => show(&page),
        None if open => tracing::warn!("{LEFT_TO_YOU}"),
        _ => {}
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(async {
        server.run().await;
        Ok(Closed::Free)
    });
    let ports = config.port_configs();
    let held = Claims::new(port::claims(&ports).into());
    for (port, hub) in ports.into_iter().zip(hubs) {
        tasks.spawn(port::run(port, hub, held.clone(), stop.clone()));
    }
    let mut outcome = Ok(Closed::Free);
    while let Some(ended) = tasks.join_next().await {
        match ended? {
            Ok(Closed::Free) => {}
            Ok(Closed::Stuck) => outcome = outcome.map(|_| Closed::Stuck),
            Err(error) => {
                outcome = Err(error);
                stop.cancel();
            }
        }
    }
    outcome
}

/// The server of `config`, which listens but does not serve yet, with a hub for each port, in
/// order. No port is opened.
///
/// # Errors
/// When an address cannot be listened on.
pub fn bind(config: &Config, stop: CancellationToken) -> Result<(Server, Vec<Arc<Hub>>)> {
    let status = || Status::new(State::Waiting, "not open yet");
    let hubs: Vec<_> = config
        .ports
        .iter()
        .map(|_| Hub::new(config.limits, status()))
        .collect();
    let ports = config.ports.iter().zip(&hubs);
    let shared = ports.map(|(SharedPort { port, clients }, hub)| Port {
        name: port.name.clone(),
        line: LineFacts {
            json: port.line.to_json(),
            baud: port.line.baud,
            bits_per_byte: port.line.bits_per_byte(),
            max_line: port.max_line,
        },
        clients: *clients,
        hub: Arc::clone(hub),
    });
    let server = Server::bind(config.server.clone(), shared.collect(), stop)?;
    Ok((server, hubs))
}

/// Opens a page in the browser, on a thread of its own, since the program for that may stay.
fn show(url: &str) {
    let url = url.to_owned();
    std::thread::spawn(move || {
        if let Err(error) = platform::open_in_browser(&url) {
            tracing::warn!("cannot open a browser: {error}. Look at {url}");
        }
    });
}
