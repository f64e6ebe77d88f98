//! serial-ws shares a serial port with any number of web pages and programs over WebSocket.
//!
//! ```text
//!  device ──bytes──▶ port task ──Event──▶ hub ══════▶ session ──Message──▶ socket
//!    ▲                (framer)             ║           (encodes its view)
//!    └──bytes── port task ◀──Request── bounded queue ◀── session ◀──Message── socket
//! ```
//!
//! Bytes are read once and cut into frames once, for everyone. A [`hub`] hands each event to all
//! sessions in one order; a [`view`] says what a client sees of it. The port below the hub and
//! the server above it know nothing of each other.

#![warn(unreachable_pub)]

mod cli;
mod commands;
mod config;
mod fingerprint;
pub mod hub;
mod log;
mod platform;
mod port;
mod program;
pub mod protocol;
mod server;
mod terminal;
mod units;
pub mod view;

pub use cli::main;
pub use config::Config;
pub use port::Closed;
pub use port::framing::{Framer, lines::LineFramer};
pub use program::{PortTasks, Program, serve};
pub use server::{ClientProtocol, Greeting, Input, Server, client_protocol};
