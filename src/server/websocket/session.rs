//! One task per connected client: sends it what its view shows, and asks the port what it asks.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::channel::mpsc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::WaitForCancellationFuture;

use super::close::{self, Farewell};
use super::keepalive::Pulse;
use super::params::Wishes;
use super::send_queue::{Io, Outbox, turn};
use super::wake_flag::Bell;
use crate::hub::{Action, Event, Outcome, Permit, Position, RequestSender, Subscription, Taken};
use crate::server::Port;
use crate::server::access::Rights;
use crate::server::throttled_log::ThrottledLog;
use crate::view::{self, Id, Input, Part, View};

/// A client's connection to one port.
pub(crate) struct Session<S> {
    ws: WebSocketStream<Outbox<S>>,
    port: Arc<Port>,
    /// Hears what is dropped where the client cannot be told.
    log: Arc<ThrottledLog>,
    rights: Rights,
    wishes: Wishes,
    subscription: Subscription,
    /// What was taken from the hub a moment ago; kept for its memory only.
    taken: Vec<Taken>,
    requests: RequestSender,
    /// The port says here how each request ended: in the order of asking, but for those that do
    /// not wait their turn.
    replies: mpsc::Receiver<(u64, Outcome)>,
    /// The identifiers that the client gave to requests whose end is not known yet, by number.
    ids: VecDeque<(u64, Id)>,
    /// A request for which there is no room yet; while there is one, the client is not read.
    held: Option<Action>,
    newest: Newest,
    /// When this began, and when the oldest was read of what the socket has not taken yet. What
    /// was kept from before does not count, nor what waits because the client wants it seldom.
    began: std::time::Instant,
    oldest: Option<std::time::Instant>,
    /// Whether the client is to be told that it missed something, however much.
    owes_missed: bool,
    max_message: usize,
    pulse: Pulse,
    /// Rung by everything but the port's events.
    bell: Bell,
}

/// What a session hears of, beside the port's events.
enum Woken {
    Stop,
    Reply(u64, Outcome),
    Io(Io),
    Room(Permit),
    Newest,
    Silence,
}

/// What a client that wants only the newest frame is still to get.
struct Newest {
    event: Option<Arc<Event>>,
    due: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// A session of a client that has just been accepted.
    pub(crate) fn new(
        ws: WebSocketStream<Outbox<S>>,
        port: Arc<Port>,
        log: Arc<ThrottledLog>,
        rights: Rights,
        wishes: Wishes,
        subscription: Subscription,
        max_message: usize,
    ) -> Self {
        let (requests, replies) = port.hub.queue.register();
        let owes_missed = wishes.from_other_run;
        Self {
            ws,
            port,
            log,
            rights,
            wishes,
            subscription,
            taken: Vec::new(),
            requests,
            replies,
            ids: VecDeque::new(),
            held: None,
            newest: Newest {
                event: None,
                due: Instant::now(),
            },
            began: std::time::Instant::now(),
            oldest: None,
            owes_missed,
            max_message,
            pulse: Pulse::new(),
            bell: Bell::new(),
        }
    }

    /// Serves the client until it, its port or the program ends.
    pub(crate) async fn run(&mut self, greeting: Option<String>) {
        if let Some(greeting) = greeting {
            self.send(&greeting);
        }
        let farewell = self.serve().await;
        tracing::debug!(?farewell, "client leaves");
        // A port that was lent to the client need not wait for the goodbye.
        self.requests.return_lease();
        close::say(&mut self.ws, farewell).await;
    }

    async fn serve(&mut self) -> Farewell {
        let stop = self.port.stop.clone();
        let mut stopped = std::pin::pin!(stop.cancelled());
        loop {
            if self.ws.get_ref().is_empty() {
                self.delivered();
                self.fill();
                // Mostly the socket takes it all, and then there is no need to wait for that.
                if let Err(error) = self.ws.get_mut().send_now().await {
                    return Farewell::after(&error.into(), self.max_message);
                }
                if self.ws.get_ref().is_empty() {
                    self.delivered();
                }
            }
            let Some(woken) = self.wait(stopped.as_mut()).await else {
                continue;
            };
            match woken {
                Woken::Stop if self.port.is_removed() => return Farewell::PortRemoved,
                Woken::Stop => return Farewell::Stopping,
                Woken::Reply(number, outcome) => self.reply(number, outcome),
                Woken::Io(Io::Sent) | Woken::Newest => {}
                Woken::Io(Io::Received(message)) => {
                    self.pulse.beat();
                    self.receive(message);
                }
                Woken::Io(Io::Failed(error)) => return Farewell::after(&error, self.max_message),
                Woken::Room(room) => {
                    if let Some(action) = self.held.take() {
                        self.requests.send(action, room);
                    }
                }
                Woken::Silence => {
                    let is_read = self.held.is_none();
                    if let Err(farewell) = self.pulse.ask(self.ws.get_mut(), is_read) {
                        return farewell;
                    }
                }
            }
        }
    }

    /// Waits until there is something to do: with the port's events where it is nothing else.
    async fn wait(&mut self, stopped: Pin<&mut WaitForCancellationFuture<'_>>) -> Option<Woken> {
        let is_idle = self.ws.get_ref().is_empty();
        let newest_due = self.newest.event.is_some().then_some(self.newest.due);
        // Most clients only listen. For those, an event is no reason to look at all the rest.
        let only_listens = is_idle && self.held.is_none() && newest_due.is_none();
        let rest = std::pin::pin!(async {
            tokio::select! {
                biased;
                () = stopped => Woken::Stop,
                Ok((number, outcome)) = self.replies.recv() => Woken::Reply(number, outcome),
                io = turn(&mut self.ws, self.held.is_none()) => Woken::Io(io),
                room = room(&self.requests, self.held.as_ref()) => Woken::Room(room),
                () = until(newest_due), if is_idle => Woken::Newest,
                () = self.pulse.silence() => Woken::Silence,
            }
        });
        tokio::select! {
            biased;
            woken = self.bell.hear(!only_listens, rest) => Some(woken),
            () = self.subscription.ready(), if is_idle => None,
        }
    }

    /// Takes what is ready from the hub and queues it for the socket.
    fn fill(&mut self) {
        if self.wishes.latest.is_some() {
            return self.fill_newest();
        }
        let mut taken = std::mem::take(&mut self.taken);
        self.take(&mut taken);
        let outbox = self.ws.get_mut();
        for taken in taken.drain(..) {
            let frames = self.wishes.view.encode(&taken);
            if self.oldest.is_none() && !frames.is_empty() && taken.event.read >= self.began {
                self.oldest = Some(taken.event.read);
            }
            outbox.push(frames);
        }
        self.taken = taken;
    }

    /// Takes note that the socket has taken all there was.
    fn delivered(&mut self) {
        self.subscription.delivered();
        if let Some(oldest) = self.oldest.take() {
            self.port.hub.delays.record(oldest.elapsed());
        }
    }

    /// Passes over all but the newest frame, and queues it when its time has come.
    fn fill_newest(&mut self) {
        let view = self.wishes.view;
        let mut taken = std::mem::take(&mut self.taken);
        while !self.subscription.is_up_to_date() {
            self.take(&mut taken);
            for Taken { event, .. } in taken.drain(..) {
                if event.is_status() {
                    self.ws
                        .get_mut()
                        .push(view.encode_part(&event, Part::Newest));
                } else if !view.is_blank(&event) {
                    self.newest.event = Some(event);
                }
            }
        }
        self.taken = taken;
        let now = Instant::now();
        if let Some(event) = self.newest.event.take_if(|_| self.newest.due <= now) {
            self.newest.due = now + self.wishes.latest.unwrap_or_default();
            self.ws
                .get_mut()
                .push(view.encode_part(&event, Part::Newest));
        }
    }

    /// Takes what is ready. Where something before it was passed over, that is counted, and the
    /// client told if its view can, with the status now: changes of it may have been among that.
    fn take(&mut self, taken: &mut Vec<Taken>) {
        let skipped = self.subscription.take(taken);
        let owes_missed = std::mem::take(&mut self.owes_missed);
        if skipped.is_none() && !owes_missed {
            return;
        }
        let missed = skipped.unwrap_or_default();
        self.port
            .hub
            .counters
            .missed_lines
            .fetch_add(missed.line, Ordering::Relaxed);
        self.port
            .hub
            .counters
            .missed_bytes
            .fetch_add(missed.offset, Ordering::Relaxed);
        if self.is_json() {
            if owes_missed || missed != Position::default() {
                self.send(&view::missed(missed));
            }
            self.send(&view::status(&self.subscription.status()));
        }
    }

    fn receive(&mut self, message: Message) {
        match self.wishes.view.decode(message, self.wishes.append) {
            Input::Nothing => {}
            Input::Mistake(reason, id) => self.send(&view::error(id.as_ref(), &reason, 0)),
            Input::Action(action, id) => match self.port.why_read_only(self.rights) {
                Some(reason) => self.refuse(id.as_ref(), reason, 0),
                None if self.is_json() => self.ask(action, id),
                None => self.held = Some(action),
            },
        }
    }

    /// Asks the port at once, or refuses at once.
    fn ask(&mut self, action: Action, id: Option<Id>) {
        let size = match &action {
            Action::Write(bytes) => bytes.len(),
            _ => 0,
        };
        match self.requests.try_send(action) {
            Ok(number) => self.ids.extend(id.map(|id| (number, id))),
            Err(waiting) => {
                let reason = self.port.no_room_reason(size, waiting);
                self.refuse(id.as_ref(), &reason, 0);
            }
        }
    }

    /// Passes on how a request ended.
    fn reply(&mut self, number: u64, outcome: Outcome) {
        let found = self.ids.binary_search_by_key(&number, |(asked, _)| *asked);
        let id = found
            .ok()
            .and_then(|at| self.ids.remove(at))
            .map(|(_, id)| id);
        match (outcome, id) {
            (Ok(bytes), Some(id)) => self.send(&view::ack(&id, bytes)),
            (Ok(_), None) => {}
            (Err(refusal), id) => self.refuse(id.as_ref(), &refusal.reason, refusal.written),
        }
    }

    /// Says that something was not done: to the client if its view can, else in the log.
    fn refuse(&mut self, id: Option<&Id>, reason: &str, written: usize) {
        if self.is_json() {
            self.send(&view::error(id, reason, written));
        } else {
            self.log.dropped(&self.port.name, reason);
        }
        self.port
            .hub
            .counters
            .refused
            .fetch_add(1, Ordering::Relaxed);
    }

    fn send(&mut self, text: &str) {
        self.ws.get_mut().push_answer(view::text_frame(text));
    }

    fn is_json(&self) -> bool {
        matches!(self.wishes.view, View::Json(_))
    }
}

/// Waits until there is room for the request that is held; for ever if there is none.
async fn room(requests: &RequestSender, held: Option<&Action>) -> Permit {
    match held {
        Some(action) => requests.reserve(action).await,
        None => std::future::pending().await,
    }
}

/// Waits until the moment; for ever if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, DuplexStream};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::config::Config;
    use tokio_util::sync::CancellationToken;

    use crate::hub::{Hub, MAX_WAITING, State, Status, SubscriberKind};
    use crate::server::websocket::params;

    /// The session of a client that has written more than the port, which takes nothing, has room
    /// for.
    async fn held(socket: DuplexStream) -> Session<DuplexStream> {
        let config = Config::from_args(["serial-ws", "--port", "sim"]).unwrap();
        let clients = config.ports[0].clients;
        let hub = Hub::new(config.limits, Status::new(State::Open, ""));
        let wishes = params::wishes(&[], None, &clients, "").unwrap();
        let subscription = hub.subscribe(SubscriberKind::Client, wishes.start);
        let name = "sim".to_owned();
        let port = Arc::new(Port::new(
            name,
            16 << 10,
            clients,
            hub,
            CancellationToken::new(),
        ));
        let outbox = Outbox::new(socket, &[], MAX_WAITING);
        let ws = WebSocketStream::from_raw_socket(outbox, Role::Server, None).await;
        let mut session = Session::new(
            ws,
            port,
            Arc::default(),
            Rights::ReadWrite,
            wishes,
            subscription,
            MAX_WAITING,
        );
        let write = Action::Write(Bytes::from(vec![0; MAX_WAITING]));
        session.requests.try_send(write.clone()).unwrap();
        session.held = Some(write);
        session
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_while_its_write_is_held_gives_its_place_back() {
        let (client, server) = tokio::io::duplex(64);
        let mut session = held(server).await;
        drop(client);
        let minute = Duration::from_secs(60);
        let end = tokio::time::timeout(minute, session.run(None));
        assert!(end.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_write_is_held_need_not_answer() {
        const PONG: [u8; 2] = [0x8a, 0];
        let (mut client, server) = tokio::io::duplex(64);
        let mut session = held(server).await;
        let _session = tokio::spawn(async move { session.run(None).await });
        for _ in 0..100 {
            let mut frame = [0; 2];
            client.read_exact(&mut frame).await.unwrap();
            assert_eq!(frame, PONG);
        }
    }
}
