//! The commands beside sharing a port, each in a module of its own.

pub mod client;
pub mod completions;
pub mod connect;
pub mod doctor;
pub mod lease;
pub mod list;
pub mod man;
pub mod service;
