//! The kinds of device that a port can be opened from.

pub mod serial;
pub mod sim;
pub mod spec;
