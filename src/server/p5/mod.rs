//! The protocol of p5.serialserver (`--p5`), for sketches that use the library p5.serialport: one
//! WebSocket, over which a sketch lists ports, opens some, and gets what they send, byte by byte.
//!
//! `message` says what is sent in either direction, `find` which port a sketch means, `open` how it
//! comes to it, and `session` is the task of one sketch. A sketch is a client of each port that it
//! has open.

mod find;
mod message;
mod open;
mod opened_port;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::access::offer::Audience;
use super::access::{Caller, Peer, Rights};
use super::client_list::{ConnectedClient, ListedClient};
use super::websocket::protocol::client_protocol;
use super::{App, Port};
use crate::view::View;

pub(crate) use session::run;

/// Marks the requests that come by the TCP port of `--p5`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SketchListener;

/// A sketch that has connected.
#[derive(Clone)]
pub(crate) struct SketchClient {
    app: Arc<App>,
    audience: Audience,
    rights: Rights,
    /// The sketch as the operator sees it while it has no port open.
    pub(crate) client: ConnectedClient,
}

impl SketchClient {
    /// Returns the sender of a request, which is allowed.
    pub(crate) fn new(app: &Arc<App>, caller: Caller<'_>, rights: Rights) -> Self {
        let (number, stop) = (app.ports.numbers.next(), app.stop.child_token());
        Self {
            app: Arc::clone(app),
            audience: audience(app, caller),
            rights,
            client: ConnectedClient {
                is_read_only: rights == Rights::ReadOnly,
                ..ConnectedClient::new(number, caller, "p5", stop)
            },
        }
    }

    /// Adds the sketch to the clients that the operator sees, as the client `number` of a port, and
    /// says so in the log.
    fn list(&self, port: &Port, number: u64) -> ListedClient {
        let listed = self.app.clients.add(ConnectedClient {
            number,
            port: Some(port.name.clone()),
            is_read_only: port.why_read_only(self.rights).is_some(),
            since: SystemTime::now(),
            ..self.client.clone()
        });
        self.log(&listed, "connected");
        listed
    }

    /// Says in the log what happens between the sketch and a port.
    fn log(&self, listed: &ListedClient, what: &str) {
        if let Some(port) = &listed.port {
            self.app.client_log.client(port, what, &listed.description);
        }
    }
}

/// Logs where sketches are served, and how those that need the token show it.
pub(crate) fn announce(addresses: &[SocketAddr], need_token: bool) {
    for address in addresses {
        tracing::info!("listening on ws://{address}/ for sketches of p5.serialport");
    }
    let first = addresses.first().filter(|_| need_token);
    if let Some(port) = first.map(SocketAddr::port) {
        tracing::info!(
            "sketches need the token, too: new p5.SerialPort(\"localhost:{port}/?token=TOKEN&\")"
        );
    }
}

/// Returns the audience of a sketch: the pages that serial-ws serves at its other TCP ports are its
/// own here, too.
fn audience(app: &App, caller: Caller<'_>) -> Audience {
    let peer = caller.peer;
    let at_other_ports = app.addresses.iter().map(|address| {
        let local = SocketAddr::new(peer.local.ip(), address.port());
        let peer = Peer { local, ..peer };
        Audience::of(Caller { peer, ..caller })
    });
    let mut own = at_other_ports.filter(|audience| *audience == Audience::Own);
    own.next().unwrap_or_else(|| Audience::of(caller))
}

/// Returns how many bytes a message may have that writes `max_write` bytes. Both are objects that
/// hold JSON strings.
pub(crate) fn max_message(max_write: usize) -> usize {
    client_protocol(View::JsonLines).max_message(max_write)
}

/// Returns the answer for a browser, which finds no page here; `page` is the address of the page.
pub(crate) fn no_page(page: Option<&str>) -> String {
    let page = page.unwrap_or("the address that serial-ws printed");
    format!(
        "This address is for sketches of p5.serialport only, by WebSocket.\nThe page of serial-ws \
         is at {page}\n"
    )
}
