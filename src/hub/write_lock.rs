//! The write lock of a port: while one client holds it, nobody else changes the board. Pure.

use serde::{Deserialize, Serialize};

/// The client that holds the write lock, as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Its number.
    pub client: u64,
    /// The name that it gave itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl LockHolder {
    /// Returns the sentence for others that want to change the board.
    pub fn refusal(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" ({name:?})"));
        format!(
            "client {}{} has the write lock; the operator can end it: serial-ws resume",
            self.client,
            name.unwrap_or_default()
        )
    }
}

/// The write lock.
#[derive(Debug, Default)]
pub(super) struct WriteLock {
    holder: Option<LockHolder>,
    /// The number of the last term: from when a client takes the lock until it ends.
    term: u64,
}

impl WriteLock {
    /// Returns the client that has it.
    pub(super) fn holder(&self) -> Option<&LockHolder> {
        self.holder.as_ref()
    }

    /// Returns the other client that has it.
    pub(super) fn other_than(&self, client: u64) -> Option<&LockHolder> {
        self.holder().filter(|holder| holder.client != client)
    }

    /// Returns the number of the present term; None while nobody has the lock.
    pub(super) fn term(&self) -> Option<u64> {
        self.holder().map(|_| self.term)
    }

    /// Returns the number of the present term if it is this client's.
    pub(super) fn term_of(&self, client: u64) -> Option<u64> {
        let is_holder = self.holder().is_some_and(|holder| holder.client == client);
        is_holder.then_some(self.term)
    }

    /// Gives it to a client, or changes the name of the one that has it.
    ///
    /// # Errors
    /// The other client that has it.
    pub(super) fn take(&mut self, wanted: LockHolder) -> Result<(), LockHolder> {
        if let Some(other) = self.other_than(wanted.client) {
            return Err(other.clone());
        }
        self.term += u64::from(self.holder.is_none());
        self.holder = Some(wanted);
        Ok(())
    }

    /// Ends it if this client has it, or whoever does. Returns true if somebody had it.
    pub(super) fn end(&mut self, client: Option<u64>) -> bool {
        let is_meant =
            |holder: &mut LockHolder| client.is_none_or(|client| client == holder.client);
        self.holder.take_if(is_meant).is_some()
    }
}
