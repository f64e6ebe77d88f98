//! What every test stands on: a serial [`Pair`], the program as a [`Bridge`], a WebSocket
//! [`Client`], plain HTTP, and waiting with a limit. Tests hold no pty and no process code.

#[cfg(feature = "mcp")]
mod agent;
#[cfg(target_os = "linux")] // where the simulator runs
mod board;
mod bridge;
mod child;
mod client;
#[cfg(target_os = "linux")] // whose limit is raised
mod descriptors;
#[cfg(target_os = "linux")] // where mount namespaces are
mod full_disk;
mod http;
#[cfg(target_os = "linux")] // where mount namespaces are
mod machine;
#[cfg(target_os = "linux")] // where a broker is started
pub mod mqtt;
#[cfg(target_os = "linux")] // where network namespaces are
pub mod namespaces;
pub mod network;
mod noise;
mod pair;
mod recording;
mod relay;
mod remote;
mod serial_server;
mod wait;
#[cfg(unix)]
pub mod wine;

#[cfg(feature = "mcp")]
pub use agent::Agent;
#[cfg(target_os = "linux")]
pub use board::Board;
pub use bridge::{Bridge, Ended, Program, is_emulated, is_for_windows, words};
#[cfg(unix)]
pub use child::spawn;
pub use client::Client;
#[cfg(target_os = "linux")]
pub use descriptors::raise_descriptor_limit;
#[cfg(target_os = "linux")]
pub use full_disk::{on_a_full_disk, seen_by};
pub use http::{RawSocket, Reply, ask_upgrade, bare, http, request, upgrade};
#[cfg(target_os = "linux")]
pub use machine::Machine;
pub use noise::noise;
pub use pair::Pair;
#[cfg(unix)]
pub use pair::terminal;
pub use recording::Recordings;
pub use relay::Relay;
pub use remote::Remote;
pub use serial_server::{Quirks, SerialServer};
pub use wait::{skip, until, within};
