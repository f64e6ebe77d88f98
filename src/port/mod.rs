//! A serial port, below the hub.

pub mod boards;
pub mod enumerate;
pub mod identity;
pub mod select;
