//! The commands besides sharing a port, one module each, which owns its arguments.

pub(crate) mod ask;
pub(crate) mod client;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod lease;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod tls;

/// Makes an error one of wrong usage, which has an exit code of its own.
pub(crate) fn wrong_usage(error: anyhow::Error) -> anyhow::Error {
    clap::Error::raw(
        clap::error::ErrorKind::ValueValidation,
        format!("{error:#}\n"),
    )
    .into()
}
