//! The locks and atomics through which the threads of a hub meet: the standard library's, or those of
//! loom where it tries every order of what threads do (`tests/run --long`).

#[cfg(serial_ws_loom)]
pub(super) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(serial_ws_loom))]
pub(super) use std::sync::{Mutex, MutexGuard, atomic};
