//! The commands besides sharing a port, one module each, which owns its arguments.

pub(crate) mod client;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod doctor;
pub(crate) mod lease;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod service;
pub(crate) mod tls;
