//! The session of a client, one task each: sends what its view shows, and passes its requests on.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::WaitForCancellationFuture;

use super::close::{self, CloseReason};
use super::frame;
use super::keepalive::Keepalive;
use super::latest::Latest;
use super::params::StreamParams;
use super::protocol::{ClientProtocol, Input};
use super::requests::{Reply, Requests};
use super::send_queue::{ClientSocket, Io, drive};
use super::wake_flag::WakeFlag;
use crate::hub::{Action, Position, Subscription, Taken};
use crate::protocol::Id;
use crate::server::Port;
use crate::server::access::Rights;
use crate::server::throttled_log::ThrottledLog;
use crate::view::Part;

/// A client that was accepted for a port.
pub(crate) struct Client {
    pub(crate) port: Arc<Port>,
    pub(crate) rights: Rights,
    pub(crate) params: StreamParams,
    pub(crate) protocol: &'static dyn ClientProtocol,
    pub(crate) subscription: Subscription,
}

/// A client's connection to one port.
pub(crate) struct Session<S> {
    ws: ClientSocket<S>,
    client: Client,
    /// Reports what is dropped where the client cannot be told.
    log: Arc<ThrottledLog>,
    requests: Requests,
    /// The events just taken from the hub; kept for its memory only.
    taken: Vec<Taken>,
    /// Set if the client wants only the newest frame.
    latest: Option<Latest>,
    /// The start of the session, and the time at which the oldest data was read that the socket has
    /// not taken. History does not count, nor what waits because the client wants it seldom.
    began: std::time::Instant,
    oldest: Option<std::time::Instant>,
    /// True if the client must still be told that it missed something, however much.
    owes_missed: bool,
    max_message: usize,
    keepalive: Keepalive,
    /// Raised by everything but the port's events.
    wake_flag: WakeFlag,
}

/// What a session waits for, apart from the port's events.
enum Woken {
    Stop,
    Reply(Reply),
    HeldRequestSent,
    Io(Io),
    LatestDue,
    Idle,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// A session over `ws`, whose messages may have `max_message` bytes.
    pub(crate) fn new(
        ws: ClientSocket<S>,
        client: Client,
        log: Arc<ThrottledLog>,
        max_message: usize,
    ) -> Self {
        Self {
            ws,
            log,
            requests: Requests::new(&client.port.hub.queue),
            taken: Vec::new(),
            latest: client.params.latest.map(Latest::new),
            began: std::time::Instant::now(),
            oldest: None,
            owes_missed: client.params.from_other_run,
            max_message,
            keepalive: Keepalive::new(),
            wake_flag: WakeFlag::new(),
            client,
        }
    }

    /// Serves the client until it leaves, or its port or the program ends.
    pub(crate) async fn run(&mut self, greeting: Option<String>) {
        self.send(greeting);
        let reason = self.serve().await;
        tracing::debug!(?reason, "client leaves");
        // A port that was lent to the client need not wait for the closing handshake.
        self.requests.return_lease();
        close::close(&mut self.ws, reason).await;
    }

    async fn serve(&mut self) -> CloseReason {
        let stop = self.client.port.stop.clone();
        let mut stopped = std::pin::pin!(stop.cancelled());
        loop {
            if self.ws.get_ref().is_empty() {
                self.delivered();
                self.fill();
                // Mostly the socket takes it all, and then there is no need to wait for that.
                if let Err(error) = self.ws.get_mut().send_now().await {
                    return CloseReason::after(&error.into(), self.max_message);
                }
                if self.ws.get_ref().is_empty() {
                    self.delivered();
                }
            }
            if let Some(woken) = self.wait(stopped.as_mut()).await
                && let Err(reason) = self.handle(woken)
            {
                return reason;
            }
        }
    }

    /// Waits until there is something to do; returns nothing where that is only the port's events.
    async fn wait(&mut self, stopped: Pin<&mut WaitForCancellationFuture<'_>>) -> Option<Woken> {
        let is_idle = self.ws.get_ref().is_empty();
        let is_holding = self.requests.is_holding();
        let latest = self.latest.as_ref().filter(|latest| latest.is_waiting());
        // Most clients only listen. For those, an event is no reason to look at all the rest.
        let only_listens = is_idle && !is_holding && latest.is_none();
        let rest = std::pin::pin!(async {
            tokio::select! {
                biased;
                () = stopped => Woken::Stop,
                reply = self.requests.next() => reply.map_or(Woken::HeldRequestSent, Woken::Reply),
                io = drive(&mut self.ws, !is_holding) => Woken::Io(io),
                () = due(latest), if is_idle => Woken::LatestDue,
                () = self.keepalive.idle() => Woken::Idle,
            }
        });
        tokio::select! {
            biased;
            woken = self.wake_flag.poll_if_raised(!only_listens, rest) => Some(woken),
            () = self.client.subscription.ready(), if is_idle => None,
        }
    }

    fn handle(&mut self, woken: Woken) -> Result<(), CloseReason> {
        match woken {
            Woken::Stop if self.client.port.is_removed() => return Err(CloseReason::PortRemoved),
            Woken::Stop => return Err(CloseReason::Stopping),
            Woken::Reply(Reply { id, outcome }) => match (outcome, id) {
                (Ok(written), Some(id)) => self.send(self.client.protocol.reply(id, written)),
                (Ok(_), None) => {}
                (Err(error), id) => self.reject(id, &error.reason, error.written),
            },
            Woken::Io(Io::Sent) | Woken::HeldRequestSent | Woken::LatestDue => {}
            Woken::Io(Io::Received(message)) => {
                self.keepalive.on_activity();
                self.receive(message);
            }
            Woken::Io(Io::Failed(error)) => {
                return Err(CloseReason::after(&error, self.max_message));
            }
            Woken::Idle => {
                let is_read = !self.requests.is_holding();
                self.keepalive.on_idle(self.ws.get_mut(), is_read)?;
            }
        }
        Ok(())
    }

    /// Takes what is ready from the hub and queues it for the socket.
    fn fill(&mut self) {
        if self.latest.is_some() {
            return self.fill_latest();
        }
        let mut taken = std::mem::take(&mut self.taken);
        self.take(&mut taken);
        let Client {
            protocol, params, ..
        } = &self.client;
        let queue = self.ws.get_mut();
        for Taken { event, had } in taken.drain(..) {
            let frames = protocol.event(params.view, &event, Part::After(had));
            if self.oldest.is_none() && !frames.is_empty() && event.read >= self.began {
                self.oldest = Some(event.read);
            }
            queue.push(frames);
        }
        self.taken = taken;
    }

    /// Records that the socket has taken everything.
    fn delivered(&mut self) {
        self.client.subscription.delivered();
        if let Some(oldest) = self.oldest.take() {
            self.client.port.hub.delays.record(oldest.elapsed());
        }
    }

    /// Passes over all but the newest frame, and queues it when its time has come.
    fn fill_latest(&mut self) {
        let (view, protocol) = (self.client.params.view, self.client.protocol);
        let mut taken = std::mem::take(&mut self.taken);
        while !self.client.subscription.is_up_to_date() {
            self.take(&mut taken);
            for Taken { event, .. } in taken.drain(..) {
                if event.is_status() {
                    let frames = protocol.event(view, &event, Part::Newest);
                    self.ws.get_mut().push(frames);
                } else if let Some(latest) = &mut self.latest
                    && !view.is_blank(&event)
                {
                    latest.replace(event);
                }
            }
        }
        self.taken = taken;
        if let Some(event) = self.latest.as_mut().and_then(Latest::take_due) {
            let frames = protocol.event(view, &event, Part::Newest);
            self.ws.get_mut().push(frames);
        }
    }

    /// Takes what is ready. If something before it was passed over, counts that, and tells a client
    /// that can be told, together with the status now: a change of it may have been passed over too.
    fn take(&mut self, taken: &mut Vec<Taken>) {
        let skipped = self.client.subscription.take(taken);
        let owes_missed = std::mem::take(&mut self.owes_missed);
        if skipped.is_none() && !owes_missed {
            return;
        }
        let missed = skipped.unwrap_or_default();
        let Client { port, protocol, .. } = &self.client;
        let counters = &port.hub.counters;
        let (lines, bytes) = (&counters.missed_lines, &counters.missed_bytes);
        lines.fetch_add(missed.line, Ordering::Relaxed);
        bytes.fetch_add(missed.offset, Ordering::Relaxed);
        let status = protocol.status(&self.client.subscription.status());
        if owes_missed || missed != Position::default() {
            self.send(protocol.missed(missed));
        }
        self.send(status);
    }

    fn receive(&mut self, message: Message) {
        let Client {
            protocol, params, ..
        } = &self.client;
        match protocol.decode(message, params.append) {
            Input::Nothing => {}
            Input::Invalid(reason, id) => self.send(protocol.reject(id, &reason, 0)),
            Input::Action(action, id) => match self.client.port.why_read_only(self.client.rights) {
                Some(reason) => self.reject(id, reason, 0),
                None if protocol.has_replies() => self.request(action, id),
                None => self.requests.hold(action),
            },
        }
    }

    /// Asks the port at once, or rejects the request if there is no room.
    fn request(&mut self, action: Action, id: Option<Id>) {
        let size = match &action {
            Action::Write(bytes) => bytes.len(),
            _ => 0,
        };
        if let Err((waiting, id)) = self.requests.try_send(action, id) {
            let reason = self.client.port.no_room_reason(size, waiting);
            self.reject(id, &reason, 0);
        }
    }

    /// Reports that a request was not carried out: to the client if its protocol can, else in
    /// the log.
    fn reject(&mut self, id: Option<Id>, reason: &str, written: usize) {
        let Client { port, protocol, .. } = &self.client;
        if !protocol.has_replies() {
            self.log.dropped(&port.name, reason);
        }
        port.hub.counters.refused.fetch_add(1, Ordering::Relaxed);
        self.send(protocol.reject(id, reason, written));
    }

    /// Queues a text message, if there is one.
    fn send(&mut self, text: Option<String>) {
        if let Some(text) = text {
            self.ws.get_mut().push_answer(frame::text(&text));
        }
    }
}

/// Waits until the newest frame is due; forever if none waits.
async fn due(latest: Option<&Latest>) {
    match latest {
        Some(latest) => latest.due().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, DuplexStream};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::Config;
    use crate::hub::{Hub, MAX_WAITING, State, Status, SubscriberKind};
    use crate::server::websocket::protocol::client_protocol;
    use crate::server::websocket::send_queue::client_socket;

    /// The session of a client that has written more than the port, which takes nothing, has room
    /// for.
    async fn holding(socket: DuplexStream) -> Session<DuplexStream> {
        let config = Config::from_args(["serial-ws", "--port", "sim"]).unwrap();
        let clients = config.ports[0].clients;
        let hub = Hub::new(config.limits, Status::new(State::Open, ""));
        let params = StreamParams::new(&[], None, &clients, "").unwrap();
        let client = Client {
            subscription: hub.subscribe(SubscriberKind::Client, params.start),
            protocol: client_protocol(params.view),
            params,
            rights: Rights::ReadWrite,
            port: Arc::new(Port::new(
                "sim".to_owned(),
                16 << 10,
                clients,
                hub,
                CancellationToken::new(),
            )),
        };
        let ws = client_socket(socket, Vec::new(), MAX_WAITING).await;
        let mut session = Session::new(ws, client, Arc::default(), MAX_WAITING);
        let write = Action::Write(Bytes::from(vec![0; MAX_WAITING]));
        session.requests.try_send(write.clone(), None).unwrap();
        session.requests.hold(write);
        session
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_while_its_write_is_held_gives_its_place_back() {
        let (client, server) = tokio::io::duplex(64);
        let mut session = holding(server).await;
        drop(client);
        let minute = Duration::from_secs(60);
        let end = tokio::time::timeout(minute, session.run(None));
        assert!(end.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_write_is_held_need_not_answer() {
        const PONG: [u8; 2] = [0x8a, 0];
        let (mut client, server) = tokio::io::duplex(64);
        let mut session = holding(server).await;
        let _session = tokio::spawn(async move { session.run(None).await });
        for _ in 0..100 {
            let mut frame = [0; 2];
            client.read_exact(&mut frame).await.unwrap();
            assert_eq!(frame, PONG);
        }
    }
}
