//! The write lock of a port: while one client holds it, nobody else changes the board. Pure.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::requests::PROGRAM;

/// Says who may write to a port while no client has the write lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockPolicy {
    /// Every client that may write.
    #[default]
    Free,
    /// The operator alone.
    Operator,
}

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
    /// The operator, who has it while nobody was given it.
    fn operator() -> Self {
        Self {
            client: PROGRAM,
            name: Some("the operator".to_owned()),
        }
    }

    /// Returns the reason why others cannot change the board.
    pub fn reason(&self) -> String {
        if self.client == PROGRAM {
            return "only the operator may write to this port".to_owned();
        }
        let name = self.name.as_ref().map(|name| format!(" ({name:?})"));
        let name = name.unwrap_or_default();
        format!("client {}{name} has the write lock", self.client)
    }

    /// Returns the sentence for others that want to change the board, and what to do.
    pub fn refusal(&self) -> String {
        let remedy = match self.client {
            PROGRAM => {
                " (--lock operator); whoever runs serial-ws can give you the write lock, in the page's list \
                 of clients"
            }
            _ => "; the operator can end it: serial-ws resume",
        };
        self.reason() + remedy
    }
}

/// The write lock.
#[derive(Debug, Default)]
pub(super) struct WriteLock {
    policy: LockPolicy,
    holder: Option<LockHolder>,
    /// True if the operator gave it to its holder, who has not asked for it.
    is_given: bool,
    /// The clients that are connected: true for those of the operator.
    clients: HashMap<u64, bool>,
    /// The number of the last term: from when a client takes the lock until it ends.
    term: u64,
}

impl WriteLock {
    /// A lock that nobody has.
    pub(super) fn new(policy: LockPolicy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Adds a client, or says that it is one of the operator.
    pub(super) fn add_client(&mut self, client: u64, is_operator: bool) {
        self.clients.insert(client, is_operator);
    }

    /// Removes a client that has left.
    pub(super) fn remove_client(&mut self, client: u64) {
        self.clients.remove(&client);
    }

    /// Returns the client that has it.
    pub(super) fn holder(&self) -> Option<&LockHolder> {
        self.holder.as_ref()
    }

    /// Returns the one client that may write, or the operator if only that one may.
    pub(super) fn writer(&self) -> Option<LockHolder> {
        let operator = (self.policy == LockPolicy::Operator).then(LockHolder::operator);
        self.holder.clone().or(operator)
    }

    /// Returns who keeps this client from writing.
    pub(super) fn other_than(&self, client: u64) -> Option<LockHolder> {
        let is_operator = client == PROGRAM || self.clients.get(&client) == Some(&true);
        self.writer().filter(|writer| match writer.client {
            PROGRAM => !is_operator,
            // What the program asks by itself disturbs nobody whom the operator lets write.
            _ if client == PROGRAM && self.is_given => false,
            holder => holder != client,
        })
    }

    /// Returns true if the program may ask the device by itself.
    pub(super) fn may_poll(&self) -> bool {
        self.other_than(PROGRAM).is_none()
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
            return Err(other);
        }
        self.term += u64::from(self.holder.is_none());
        self.holder = Some(wanted);
        self.is_given = false;
        Ok(())
    }

    /// Gives it to a client that nobody else keeps from having it. Returns false if that one has left.
    pub(super) fn give(&mut self, client: u64) -> bool {
        let is_there = self.clients.contains_key(&client);
        if is_there {
            self.term += 1;
            let name = None;
            self.holder = Some(LockHolder { client, name });
            self.is_given = true;
        }
        is_there
    }

    /// Ends it if this client has it, or whoever does. Returns true if somebody had it.
    pub(super) fn end(&mut self, client: Option<u64>) -> bool {
        let is_meant =
            |holder: &mut LockHolder| client.is_none_or(|client| client == holder.client);
        self.holder.take_if(is_meant).is_some()
    }
}
