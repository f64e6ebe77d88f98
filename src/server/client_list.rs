//! The connected WebSocket clients, as the operator sees them, who may disconnect one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, header};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::terminal::shown;

/// The clients that are connected now.
#[derive(Default)]
pub(crate) struct ClientList(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    /// The clients by their number, in the order in which they came.
    clients: BTreeMap<u64, ConnectedClient>,
    /// The number of the next one. None is used twice in a run.
    next: u64,
}

/// A connected client.
pub(crate) struct ConnectedClient {
    /// Its address.
    pub(crate) address: IpAddr,
    /// The origin of its page; None for a program.
    pub(crate) origin: Option<String>,
    /// The program, as it calls itself.
    pub(crate) agent: Option<String>,
    /// The name of the port.
    pub(crate) port: String,
    /// The name of the view.
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
    /// The name of its port.
    pub(crate) port: String,
    /// The client in words, for the log: its address, its page, and its view.
    pub(crate) description: String,
}

impl ClientList {
    /// Adds a client, until the result is dropped.
    pub(crate) fn add(self: &Arc<Self>, client: ConnectedClient) -> ListedClient {
        let mut entries = self.lock();
        entries.next += 1;
        let number = entries.next;
        let (port, description) = (client.port.clone(), client.describe());
        entries.clients.insert(number, client);
        ListedClient {
            list: Arc::clone(self),
            number,
            port,
            description,
        }
    }

    /// Describes all clients but those that are being disconnected.
    pub(crate) fn to_json(&self) -> Value {
        let entries = self.lock();
        let clients = entries.clients.iter();
        let staying = clients.filter(|(_, client)| !client.is_leaving());
        staying.map(|(id, client)| client.to_json(*id)).collect()
    }

    /// Disconnects a client, and describes it. Returns `None` where there is none of this number.
    pub(crate) fn disconnect(&self, id: u64) -> Option<Value> {
        let entries = self.lock();
        let client = entries.clients.get(&id)?;
        if client.is_leaving() {
            return None;
        }
        client.stop.cancel();
        Some(client.to_json(id))
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectedClient {
    /// Returns what a request says about the page or the program that sent it: origin and name.
    pub(crate) fn origin_and_agent(headers: &HeaderMap) -> (Option<String>, Option<String>) {
        let text = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(shown(value).to_string())
        };
        (text(header::ORIGIN), text(header::USER_AGENT))
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
        format!(
            "{}{}, view {}",
            self.address,
            page.unwrap_or_default(),
            self.view
        )
    }

    fn to_json(&self, id: u64) -> Value {
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        json!({
            "id": id,
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
        self.list.lock().clients.remove(&self.number);
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
            address: Ipv4Addr::LOCALHOST.into(),
            origin: None,
            agent: None,
            port: "sim".to_owned(),
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
