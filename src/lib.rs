//! serial-ws shares a serial port with any number of web pages and programs over WebSocket.
//!
//! ```text
//!  device ──bytes──▶ port task ──Event──▶ hub ══════▶ session ──Message──▶ socket
//!    ▲                (framer)             ║           (encodes its view)
//!    └──bytes── port task ◀──Request── bounded queue ◀── session ◀──Message── socket
//! ```
//!
//! Bytes are read once and cut into frames once, for everyone. A [`hub`] hands each event to all
//! sessions in one order; a [`view`] defines what a client sees of it. `port` below the hub and
//! `server` above it never import each other. `docs/ARCHITECTURE.md` describes the rest.
//!
//! | module | holds |
//! |---|---|
//! | `cli` | the command line: flags, commands, exit codes |
//! | `commands` | the commands beside sharing ports, with their arguments |
//! | `config` | settings from flags, environment variables and files |
//! | `deadline` | waiting for a moment that there may not be |
//! | `dial` | connecting to another serial-ws: which certificates are trusted, why it refuses |
//! | [`hub`] | events, history, backpressure, requests: the fan-out of one port |
//! | `log` | the log on standard error, which never blocks |
//! | `output` | ports for programs that are no WebSocket clients |
//! | `platform` | what differs between systems, apart from serial ports |
//! | `port` | devices: finding, opening, reading, framing, writing, closing |
//! | `program` | the running program: the server and a task for each port |
//! | [`protocol`] | the messages of the json view, as types |
//! | [`recording`] | the format of recordings |
//! | `rfc2217` | RFC 2217, serial ports over Telnet, as bytes |
//! | `server` | access policy, limits, HTTP, WebSocket |
//! | `terminal` | text from outside, made safe to print |
//! | [`values`] | the numbers in lines, with their names |
//! | [`view`] | payloads: what clients can see of an event |

#![warn(unreachable_pub)]

mod cli;
mod commands;
mod config;
mod deadline;
mod dial;
pub mod hub;
mod log;
mod output;
mod platform;
mod port;
mod program;
pub mod protocol;
pub mod recording;
mod rfc2217;
mod server;
mod terminal;
pub mod values;
pub mod view;

pub use cli::main;
pub use config::Config;
pub use output::recorder::RecorderAction;
pub use port::Closed;
pub use port::framing::{Framer, Framing, lines::LineFramer};
pub use program::{PortTasks, Program, serve};
pub use server::{ClientProtocol, Greeting, Input, Server, client_protocol};
