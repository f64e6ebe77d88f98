//! The session of a client, one task each: sends what its view shows, and passes its requests on.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{FutureExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::unconstrained;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use super::close::{self, CloseReason};
use super::frame;
use super::protocol::{ClientProtocol, FrameEncoder, Input};
use super::turn::Turn;
use crate::hub::{Action, Done, RequestError, Subscription};
use crate::log::throttled::ThrottledLog;
use crate::protocol::Id;
use crate::server::access::Rights;
use crate::server::client::delivery::Delivery;
use crate::server::client::keepalive::{Keepalive, PING_INTERVAL};
use crate::server::client::params::StreamParams;
use crate::server::client::requests::{Reply, Requests};
use crate::server::client::send_queue::{ClientSocket, Io, drive};
use crate::server::client::wake_flag::WakeFlag;
use crate::server::progress::ReportsProgress;
use crate::server::{Port, foreign};
use crate::view::LineEnding;

/// The reason why a message of a client that has left is not written.
const GIVEN_UP: &str = "the client has left, and the device takes nothing";

/// A client that was accepted for a port.
pub(crate) struct Client {
    pub(crate) port: Arc<Port>,
    pub(crate) rights: Rights,
    pub(crate) is_operator: bool,
    pub(crate) params: StreamParams,
    pub(crate) protocol: &'static dyn ClientProtocol,
    pub(crate) subscription: Subscription,
    pub(crate) requests: Requests,
    /// Cancelled with the port, or to disconnect this client alone.
    pub(crate) stop: CancellationToken,
}

/// A client's connection to one port.
pub(crate) struct Session<S> {
    ws: ClientSocket<S>,
    port: Arc<Port>,
    stop: CancellationToken,
    rights: Rights,
    is_operator: bool,
    protocol: &'static dyn ClientProtocol,
    /// The ending that is added to the client's text messages.
    append: LineEnding,
    /// True until the client has shown that it speaks our protocol.
    is_new: bool,
    delivery: Delivery<FrameEncoder>,
    requests: Requests,
    /// Reports what is dropped where the client cannot be told.
    log: Arc<ThrottledLog>,
    keepalive: Keepalive,
    /// The bytes that the device had taken when it was last looked whether it takes any.
    written_bytes: Option<u64>,
    /// Raised by everything but the port's events.
    wake_flag: WakeFlag,
}

/// The reasons to wake a session, apart from the port's events.
enum Woken {
    Stop,
    Reply(Reply),
    HeldRequestSent,
    Io(Io),
    LatestDue,
    Idle,
}

impl<S: AsyncRead + AsyncWrite + ReportsProgress + Unpin> Session<S> {
    /// Starts a session over `ws`.
    pub(crate) fn new(ws: ClientSocket<S>, client: Client, log: Arc<ThrottledLog>) -> Self {
        let encoder = FrameEncoder {
            protocol: client.protocol,
            view: client.params.view,
        };
        Self {
            ws,
            requests: client.requests,
            delivery: Delivery::new(client.subscription, encoder, &client.params),
            port: client.port,
            stop: client.stop,
            rights: client.rights,
            is_operator: client.is_operator,
            protocol: client.protocol,
            append: client.params.append,
            is_new: true,
            log,
            keepalive: Keepalive::new(),
            written_bytes: None,
            wake_flag: WakeFlag::new(),
        }
    }

    /// Serves the client until it leaves, or its port or the program ends.
    pub(crate) async fn run(&mut self, greeting: Option<String>) {
        self.send(greeting);
        let reason = self.serve().await;
        tracing::debug!(?reason, "client leaves");
        if let Some((code, text)) = reason.mistake() {
            self.log
                .closed(code, &format!("port {}: {text}", self.port.name));
        }
        // A port that was released to the client need not wait for the closing handshake.
        self.requests.return_port();
        close::close(&mut self.ws, reason).await;
    }

    async fn serve(&mut self) -> CloseReason {
        let stop = self.stop.clone();
        let mut stopped = std::pin::pin!(stop.cancelled());
        let mut turn = Turn::default();
        loop {
            if self.is_idle() {
                self.delivery.fill(self.ws.get_mut(), &self.port.hub);
                // Mostly the socket takes it all, and then there is no need to wait for that.
                self.ws.get_mut().send_now().await;
                if self.delivery.has_ended {
                    return CloseReason::Restarted;
                }
                if self.is_idle() {
                    self.delivery.delivered(&self.port.hub);
                }
            }
            let Some(woken) = self.wait(stopped.as_mut()).await else {
                continue;
            };
            let is_message = matches!(woken, Woken::Io(Io::Received(_)));
            if let Err(reason) = self.handle(woken) {
                return reason;
            }
            if is_message && turn.count().await {
                self.answer_ready();
            }
        }
    }

    /// Returns true if the client has taken everything, and can take more.
    fn is_idle(&self) -> bool {
        let queue = self.ws.get_ref();
        queue.is_empty() && !queue.is_broken()
    }

    /// Waits until there is something to do; returns nothing where that is only the port's events.
    async fn wait(&mut self, stopped: Pin<&mut WaitForCancellationFuture<'_>>) -> Option<Woken> {
        let is_idle = self.is_idle();
        let is_holding = self.requests.is_holding();
        let Delivery {
            subscription,
            latest,
            ..
        } = &mut self.delivery;
        // Most clients only listen. For those, an event is no reason to look at all the rest.
        let only_listens = is_idle && !is_holding && latest.frames.is_none();
        let rest = std::pin::pin!(async {
            tokio::select! {
                biased;
                () = stopped => Woken::Stop,
                reply = self.requests.next() => reply.map_or(Woken::HeldRequestSent, Woken::Reply),
                io = drive(&mut self.ws, !is_holding) => Woken::Io(io),
                () = latest.due(), if is_idle => Woken::LatestDue,
                () = self.keepalive.idle() => Woken::Idle,
            }
        });
        tokio::select! {
            biased;
            woken = self.wake_flag.poll_if_raised(!only_listens, rest) => Some(woken),
            () = subscription.ready(), if is_idle => None,
        }
    }

    fn handle(&mut self, woken: Woken) -> Result<(), CloseReason> {
        match woken {
            Woken::Stop if !self.port.stop.is_cancelled() => {
                return Err(CloseReason::DisconnectedByOperator);
            }
            Woken::Stop => {
                let end = self.port.end.get().cloned();
                return Err(end.map_or(CloseReason::Stopping, CloseReason::PortEnded));
            }
            Woken::Reply(reply) => {
                self.answer(reply);
                self.answer_ready();
            }
            Woken::Io(Io::Sent) => self.delivery.delivered(&self.port.hub),
            Woken::HeldRequestSent | Woken::LatestDue => {}
            Woken::Io(Io::Received(message)) => {
                self.keepalive.on_activity();
                self.recognise(&message)?;
                self.receive(message);
            }
            Woken::Io(Io::Failed(error)) => {
                return Err(CloseReason::after(&error));
            }
            Woken::Idle if self.ws.get_ref().is_broken() => self.read_on()?,
            Woken::Idle => {
                let is_read = !self.requests.is_holding();
                self.keepalive.on_idle(self.ws.get_mut(), is_read)?;
            }
        }
        Ok(())
    }

    /// Tells the client how a request has ended.
    fn answer(&mut self, Reply { id, outcome }: Reply) {
        match (outcome, id) {
            (Ok(done), Some(id)) => self.send(self.protocol.reply(id, &done)),
            (Ok(_), None) => {}
            (Err(error), id) => self.reject(id, &error),
        }
    }

    /// Tells the client of all requests that have ended: the reply to a request goes before the events
    /// that it brought about.
    fn answer_ready(&mut self) {
        while let Some(reply) = self.requests.ready() {
            self.answer(reply);
        }
    }

    /// Ends the connection of a client that speaks another protocol, as its first message shows.
    fn recognise(&mut self, message: &Message) -> Result<(), CloseReason> {
        if !self.is_new {
            return Ok(());
        }
        match message {
            Message::Text(text) => {
                if let Some(reason) = self.protocol.foreign(text) {
                    return Err(CloseReason::Error(4400, reason.to_owned()));
                }
                self.is_new = foreign::may_be_p5_serialport(text);
            }
            Message::Binary(_) => self.is_new = false,
            _ => {}
        }
        Ok(())
    }

    fn receive(&mut self, message: Message) {
        let protocol = self.protocol;
        match protocol.decode(message, self.append) {
            Input::Nothing => {}
            Input::Invalid(reason, id) => {
                self.send(protocol.reject(id, &RequestError::new(reason)));
            }
            Input::Action(action, id) => match self.port.why_read_only(self.rights) {
                Some(reason) => self.reject(id, &RequestError::new(reason)),
                None if protocol.has_replies() => self.request(action, id),
                None => {
                    if let Err(holder) = self.requests.hold(action) {
                        self.reject(id, &holder.into());
                    }
                }
            },
            Input::Lock { name, restore, id } => match self.port.why_read_only(self.rights) {
                Some(reason) => self.reject(id, &RequestError::new(reason)),
                None => match self.requests.lock(name) {
                    Ok(()) if restore => self.request(Action::SaveSettings, id),
                    Ok(()) if self.port.hub.is_upstream() => self.request(Action::PassLockOn, id),
                    outcome => self.answer_at_once(outcome, id),
                },
            },
            Input::Playback(change, id) => {
                let may_write = self.port.check_writable(self.rights);
                let changed = may_write.and_then(|()| self.requests.change_playback(&change));
                self.answer_at_once(changed, id);
            }
            Input::Recorder(action, id) => {
                let asked = self.port.check_writable(self.rights).and_then(|()| {
                    let recorder = self.port.recorder.as_ref();
                    self.requests.ask_recorder(recorder, action, id.clone())
                });
                // What was asked is answered later.
                let _ = asked.map_err(|reason| self.answer_at_once(Err(reason), id));
            }
            Input::Unlock(id) => {
                let outcome = self.requests.unlock();
                self.answer_at_once(outcome, id);
            }
        }
    }

    fn answer_at_once(&mut self, outcome: Result<(), impl Into<RequestError>>, id: Option<Id>) {
        let done = outcome.map(|()| Done::Written(0));
        let outcome = done.map_err(Into::into);
        self.answer(Reply { id, outcome });
    }

    /// Asks the port at once, or rejects the request if there is no room.
    fn request(&mut self, action: Action, id: Option<Id>) {
        let size = action.bytes().len();
        // The one who holds the lock takes its own port back with `resume`.
        if action == Action::Resume(None) && self.is_operator && !self.requests.has_lock() {
            self.port.hub.unlock(None);
        }
        if let Err((reason, id)) = self.requests.try_send(action, id) {
            self.reject(id, &self.port.no_room(size, reason));
        }
    }

    /// Reports that a request was not carried out: to the client if its protocol can, else in
    /// the log.
    fn reject(&mut self, id: Option<Id>, error: &RequestError) {
        let Port { name, hub, .. } = &*self.port;
        if !self.protocol.has_replies() {
            self.log.dropped(name, &error.reason);
        }
        hub.counters.refused.fetch_add(1, Ordering::Relaxed);
        self.send(self.protocol.reject(id, error));
    }

    /// Goes on with a client that takes nothing more, for the sake of what it had sent before, as
    /// long as the device takes something.
    fn read_on(&mut self) -> Result<(), CloseReason> {
        let written = self.port.hub.counters.written_bytes.load(Ordering::Relaxed);
        if self.written_bytes.replace(written) == Some(written) {
            self.give_up();
            return Err(CloseReason::Disconnected);
        }
        self.keepalive.look_in(PING_INTERVAL);
        Ok(())
    }

    /// Reports all that the client had sent and that is not written.
    fn give_up(&mut self) {
        if self.requests.drop_held() {
            self.reject(None, &RequestError::new(GIVEN_UP));
        }
        // All at once: there is no more of it than the system holds for one socket.
        while let Some(Some(Ok(message))) = unconstrained(self.ws.next()).now_or_never() {
            if let Input::Action(_, id) = self.protocol.decode(message, self.append) {
                self.reject(id, &RequestError::new(GIVEN_UP));
            }
        }
    }

    /// Queues a text message, if there is one.
    fn send(&mut self, text: Option<String>) {
        if let Some(text) = text {
            self.ws.get_mut().push_answer(frame::text(&text));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::Config;
    use crate::hub::{Hub, Kind, MAX_WAITING, State, Status, SubscriberKind, Timestamp};
    use crate::port::framing::{Framer, lines::LineFramer};
    use crate::server::client::send_queue::client_socket;
    use crate::server::progress::CountedStream;
    use crate::server::websocket::protocol::client_protocol;

    type Socket = CountedStream<DuplexStream>;

    /// The session of a client of a port that takes nothing.
    async fn session(socket: DuplexStream, rights: Rights) -> Session<Socket> {
        let config = Config::from_args(["serial-ws", "--port", "sim"]).unwrap();
        let clients = config.ports[0].clients;
        let hub = Hub::new(config.limits, Status::new(State::Open, ""));
        let params = StreamParams::new(&[], None, &clients, Some("")).unwrap();
        let client = Client {
            requests: Requests::new(&hub, rights),
            subscription: hub.subscribe(SubscriberKind::Client, params.start),
            protocol: client_protocol(params.view),
            params,
            rights,
            is_operator: false,
            stop: CancellationToken::new(),
            port: Arc::new(Port {
                name: "sim".to_owned(),
                run: 0,
                frame: "lf".to_owned(),
                may_be_chosen: false,
                max_line: 16 << 10,
                poll: None,
                is_program: false,
                fixed: serde_json::Map::new(),
                clients,
                hub,
                stop: CancellationToken::new(),
                newcomer: Arc::default(),
                recorder: None,
                end: OnceLock::new(),
            }),
        };
        let socket = CountedStream::unbuffered(socket);
        let ws = client_socket(socket, Vec::new(), MAX_WAITING).await;
        Session::new(ws, client, Arc::default())
    }

    /// The session of a client that has written more than the port has room for.
    async fn holding(socket: DuplexStream) -> Session<Socket> {
        let mut session = session(socket, Rights::ReadWrite).await;
        let write = Action::Write(Bytes::from(vec![0; MAX_WAITING]));
        session.requests.try_send(write.clone(), None).unwrap();
        session.requests.hold(write).unwrap();
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

    /// Messages of 100 bytes, more than may wait for the port at once.
    const MESSAGES: usize = 2000;

    /// The session of a client that sent its messages and left, and to which nothing can be sent.
    async fn departed() -> (Session<Socket>, Arc<Hub>) {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let frame = [&[0x82, 0x80 | 100, 0, 0, 0, 0][..], &[b'x'; 100]].concat();
        client.write_all(&frame.repeat(MESSAGES)).await.unwrap();
        drop(client);
        let session = session(server, Rights::ReadWrite).await;
        let hub = Arc::clone(&session.port.hub);
        let line = LineFramer::new(99).push(Bytes::from_static(b"ok\n"));
        hub.publish(Timestamp::now(), Kind::Data(line));
        (session, hub)
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_sent_before_it_left_is_written_though_the_device_talks() {
        let (mut session, hub) = departed().await;
        let queue = Arc::clone(&hub.queue);
        let device = tokio::spawn(async move {
            for _ in 0..MESSAGES {
                queue.take(None).await.end(Ok(Done::Written(100)));
            }
        });
        session.run(None).await;
        device.await.unwrap();
        assert_eq!(hub.counters.refused.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_sent_before_it_left_is_refused_if_the_device_takes_nothing() {
        let (mut session, hub) = departed().await;
        let minute = Duration::from_secs(60);
        let end = tokio::time::timeout(minute, session.run(None));
        assert!(end.await.is_ok(), "it gives its place back");
        let waiting = std::iter::from_fn(|| hub.queue.try_take()).count();
        let refused = hub.counters.refused.load(Ordering::Relaxed) as usize;
        assert_eq!((waiting, waiting + refused), (MAX_WAITING / 100, MESSAGES));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_much_lets_others_go_first_after_64_messages() {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let empty = [0x82, 0x80, 0, 0, 0, 0];
        client.write_all(&empty.repeat(MESSAGES)).await.unwrap();
        let mut session = session(server, Rights::ReadOnly).await;
        let hub = Arc::clone(&session.port.hub);
        let _session = tokio::spawn(async move { session.run(None).await });
        let mut before = 0;
        while before < MESSAGES as u64 {
            tokio::task::yield_now().await;
            let after = hub.counters.refused.load(Ordering::Relaxed);
            assert!(after - before <= 64, "{before} to {after}");
            before = after;
        }
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
