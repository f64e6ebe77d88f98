//! What is served by HTTP: pages, calls, metrics, and the way to a WebSocket.

mod assets;
mod folder;
mod metrics;
mod upgrade;

pub mod api;

pub use folder::warn_of_hidden;
