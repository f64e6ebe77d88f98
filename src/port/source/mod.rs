//! The kinds of device that a port can be opened from.

pub(crate) mod serial;
pub(crate) mod sim;
pub(crate) mod spec;
