//! Below the hub: opens a device, reads and writes it, and says how it is.

pub mod framer;
