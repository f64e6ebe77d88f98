//! The client of a port, from its request to its session: what it is subscribed to, how it is greeted,
//! and what the operator sees of it.

use std::sync::Arc;

use super::params::{QueryError, StreamParams};
use super::requests::Requests;
use crate::hub::SubscriberKind;
use crate::server::access::{Caller, Rights};
use crate::server::client_list::{ConnectedClient, ListedClient};
use crate::server::websocket::protocol::{ClientProtocol, Greeting, client_protocol};
use crate::server::websocket::session::Client;
use crate::server::{App, Port};
use crate::view::View;

/// The client of a port, with its greeting, if there is one.
pub(crate) struct PortClient {
    pub(crate) client: Client,
    pub(crate) greeting: Option<String>,
}

impl PortClient {
    /// Subscribes `caller` to a port as its query and its subprotocol ask.
    ///
    /// # Errors
    /// The code and the reason for a Close frame.
    pub(crate) fn new(
        app: &App,
        port: Arc<Port>,
        caller: Caller<'_>,
        query: &[(String, String)],
        subprotocol: Option<&str>,
        rights: Rights,
    ) -> Result<Box<Self>, QueryError> {
        let run = port.run(&app.run);
        let params = StreamParams::new(query, subprotocol, &port.clients, run.known())?;
        let protocol = client_protocol(params.view);
        Ok(Self::with_params(
            app, port, caller, params, protocol, rights,
        ))
    }

    /// Subscribes `caller` to a port with these parameters. It is told what `protocol` tells.
    pub(crate) fn with_params(
        app: &App,
        port: Arc<Port>,
        caller: Caller<'_>,
        params: StreamParams,
        protocol: &'static dyn ClientProtocol,
        rights: Rights,
    ) -> Box<Self> {
        // Subscribed before the answer, so that a client that is connected misses nothing.
        let subscription = port.hub.subscribe(SubscriberKind::Client, params.start);
        let mut subscription = subscription.of(params.view.item());
        if port.hub.is_upstream() {
            let run = port.run(&app.run);
            let start = params.awaited_run.as_ref().map(|_| params.start);
            subscription = subscription.in_run(run.seen_by(&params), start);
        }
        // What is written says as much as the right to write.
        if params.wants_written && port.why_read_only(rights).is_none() {
            subscription = subscription.with_written();
        }
        if matches!(params.view, View::Raw | View::JsonChunks) {
            subscription = subscription.with_bytes();
        }
        let client = Client {
            protocol,
            // Only those who are told the status want to know of the modem's inputs.
            subscription: if protocol.has_replies() {
                subscription.with_inputs()
            } else {
                subscription
            },
            requests: Requests::new(&port.hub, rights).named(params.client.clone()),
            stop: port.stop.child_token(),
            port,
            rights,
            is_operator: app.policy.is_operator(caller),
            params,
        };
        let greeting = greeting(app, &client);
        Box::new(Self { client, greeting })
    }

    /// Adds the client to the list that the operator sees.
    pub(crate) fn list(&self, app: &App, caller: Caller<'_>) -> ListedClient {
        let client = &self.client;
        let (number, view) = (client.requests.client(), client.params.view.name());
        app.clients.add(ConnectedClient {
            port: Some(client.port.name.clone()),
            name: client.params.client.clone(),
            is_read_only: client.port.why_read_only(client.rights).is_some(),
            ..ConnectedClient::new(number, caller, view, client.stop.clone())
        })
    }
}

fn greeting(app: &App, client: &Client) -> Option<String> {
    let (hub, params) = (&client.port.hub, &client.params);
    let run = client.port.run(&app.run);
    let place = params.awaited_place();
    client.protocol.greet(&Greeting {
        port: &client.port,
        rights: client.rights,
        status: client.subscription.status(),
        position: place.unwrap_or_else(|| client.subscription.position()),
        newest: (params.view == View::JsonAll).then(|| hub.end()),
        client: client.requests.client(),
        max_message: app.config.max_message,
        run: run.seen_by(params),
        ports: &app.ports.names(),
    })
}
