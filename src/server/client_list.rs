//! The connected clients, as the operator sees them, who may disconnect one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderName, header};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::server::access::Caller;
use crate::terminal::shown;

/// The clients that are connected now.
#[derive(Default)]
pub(crate) struct ClientList {
    /// The clients by their number, in the order in which they came.
    clients: Mutex<BTreeMap<u64, ConnectedClient>>,
}

/// A connected client.
#[derive(Clone)]
pub(crate) struct ConnectedClient {
    /// Its number, which no other client of this run has.
    pub(crate) number: u64,
    /// The name that it gave itself.
    pub(crate) name: Option<Arc<str>>,
    /// Its address.
    pub(crate) address: IpAddr,
    /// The origin of its page; None for a program.
    pub(crate) origin: Option<String>,
    /// The program, as it calls itself.
    pub(crate) agent: Option<String>,
    /// The name of the port; None for a client of `/devices` or `/echo`.
    pub(crate) port: Option<String>,
    /// The name of the view, or of what it gets instead.
    pub(crate) view: &'static str,
    /// True if it may only read.
    pub(crate) is_read_only: bool,
    /// The time at which it connected.
    pub(crate) since: SystemTime,
    /// Cancelled to disconnect it.
    pub(crate) stop: CancellationToken,
}

/// The place of a client in the list, which it leaves when this is dropped.
pub(crate) struct ListedClient {
    list: Arc<ClientList>,
    number: u64,
    /// The name of its port, if it has one.
    pub(crate) port: Option<String>,
    /// Cancelled to disconnect it.
    pub(crate) stop: CancellationToken,
    /// The client in words, for the log: its address, its page, and its view.
    pub(crate) description: String,
}

impl ClientList {
    /// Adds a client, until the result is dropped.
    pub(crate) fn add(self: &Arc<Self>, client: ConnectedClient) -> ListedClient {
        let number = client.number;
        let (port, stop) = (client.port.clone(), client.stop.clone());
        let description = client.describe();
        self.lock().insert(number, client);
        ListedClient {
            list: Arc::clone(self),
            number,
            port,
            stop,
            description,
        }
    }

    /// Describes all clients but those that are being disconnected.
    pub(crate) fn to_json(&self) -> Value {
        let clients = self.lock();
        let staying = clients.values().filter(|client| !client.is_leaving());
        staying.map(ConnectedClient::to_json).collect()
    }

    /// Returns the client of this number, unless it is being disconnected.
    pub(crate) fn get(&self, id: u64) -> Option<ConnectedClient> {
        let client = self.lock().get(&id).cloned();
        client.filter(|client| !client.is_leaving())
    }

    /// Disconnects a client, and describes it. Returns `None` where there is none of this number.
    pub(crate) fn disconnect(&self, id: u64) -> Option<Value> {
        let clients = self.lock();
        let client = clients.get(&id)?;
        if client.is_leaving() {
            return None;
        }
        client.stop.cancel();
        Some(client.to_json())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, ConnectedClient>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectedClient {
    /// Returns a client of no port, from what its request says about the page or the program that
    /// sent it. It is disconnected by cancelling `stop`.
    pub(crate) fn new(
        number: u64,
        caller: Caller<'_>,
        view: &'static str,
        stop: CancellationToken,
    ) -> Self {
        let text = |name: HeaderName| {
            let value = caller.headers.get(name)?.to_str().ok()?;
            Some(shown(value).to_string())
        };
        Self {
            number,
            name: None,
            address: caller.peer.remote,
            origin: text(header::ORIGIN),
            agent: text(header::USER_AGENT),
            port: None,
            view,
            is_read_only: false,
            since: SystemTime::now(),
            stop,
        }
    }

    /// Returns true if it is being disconnected: its Close may not have been sent yet.
    fn is_leaving(&self) -> bool {
        self.stop.is_cancelled()
    }

    fn describe(&self) -> String {
        let page = self
            .origin
            .as_ref()
            .map(|it| format!(" with the page {it}"));
        let name = self.name.as_ref().map(|name| format!("{name:?} at "));
        format!(
            "{}{}{}, view {}",
            name.unwrap_or_default(),
            self.address,
            page.unwrap_or_default(),
            self.view
        )
    }

    /// Describes it for the operator.
    pub(crate) fn to_json(&self) -> Value {
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        json!({
            "id": self.number,
            "name": self.name.as_deref(),
            "address": self.address,
            "origin": self.origin,
            "agent": self.agent,
            "port": self.port,
            "view": self.view,
            "readOnly": self.is_read_only,
            "since": since.as_secs(),
        })
    }
}

impl Drop for ListedClient {
    fn drop(&mut self) {
        self.list.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_client_leaves_the_list_when_it_is_disconnected_although_its_session_goes_on() {
        let list = Arc::<ClientList>::default();
        let client = ConnectedClient {
            number: 1,
            name: None,
            address: Ipv4Addr::LOCALHOST.into(),
            origin: None,
            agent: None,
            port: Some("sim".to_owned()),
            view: "lines",
            is_read_only: false,
            since: UNIX_EPOCH,
            stop: CancellationToken::new(),
        };
        let session = list.add(client);
        assert_eq!(list.to_json().as_array().map(Vec::len), Some(1));
        assert!(list.disconnect(1).is_some());
        assert_eq!(list.to_json(), json!([]));
        assert_eq!(list.disconnect(1), None);
        drop(session);
        assert_eq!(list.disconnect(1), None);
    }
}
