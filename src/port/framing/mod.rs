//! Cuts a byte stream into frames, once for everyone. Pure: no I/O, no clock.

pub(crate) mod lines;
