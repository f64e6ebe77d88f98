//! The ports that an agent has released, so that it takes none back that somebody else released.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The clients that released the ports for the agent last, by the names of the ports. Each call is a
/// client of its own.
#[derive(Default)]
pub(super) struct Releases(Mutex<HashMap<String, u64>>);

impl Releases {
    /// Notes that a client has released a port.
    pub(super) fn note(&self, port: &str, client: u64) {
        self.all().insert(port.to_owned(), client);
    }

    /// Returns the client that has released a port.
    pub(super) fn of(&self, port: &str) -> Option<u64> {
        self.all().get(port).copied()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
