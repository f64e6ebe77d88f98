//! What is served by HTTP: pages, calls, metrics, and the way to a WebSocket.

mod assets;
mod metrics;
mod static_files;

pub(crate) mod api;

pub(crate) use static_files::warn_of_hidden;
