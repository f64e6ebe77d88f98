//! The session of a sketch, one task each: answers what it asks for, and passes on what its ports
//! send.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::{BoxFuture, FutureExt, select_all};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;

use super::SketchClient;
use super::find::PortChoices;
use super::message::{self, SketchRequest};
use super::open::open;
use super::opened_port::{OpenedPort, PortNews};
use crate::hub::Action;
use crate::server::client::keepalive::{Keepalive, PING_INTERVAL};
use crate::server::client::requests::Reply;
use crate::server::client::send_queue::{ClientSocket, Io, drive};
use crate::server::client_list::ListedClient;
use crate::server::progress::ReportsProgress;
use crate::server::websocket::close::{self, CloseReason};
use crate::server::websocket::turn::Turn;

/// Ports that one sketch may have open. At the limit another one is refused.
const MAX_PORTS: usize = 16;

/// The reason why something is not written by a sketch that has no port open.
const NOTHING_OPEN: &str = "nothing was written: no port is open; open one first";

/// The reason why what a sketch wrote that has left is not written.
const GIVEN_UP: &str = "the sketch has left, and the device takes nothing";

/// A sketch's connection.
struct SketchSession<S> {
    ws: ClientSocket<S>,
    sketch: SketchClient,
    /// The place of the sketch among the clients while it has no port open.
    listed: Option<ListedClient>,
    ports: Vec<OpenedPort>,
    /// The request that is being answered. Meanwhile the sketch is not read, so that its requests are
    /// answered in order.
    answering: Option<BoxFuture<'static, SketchAnswer>>,
    keepalive: Keepalive,
    /// The bytes that the devices had taken when it was last looked whether they take any.
    written_bytes: Option<u64>,
}

/// The answer to a request that took time.
enum SketchAnswer {
    List(Vec<String>),
    Port(Box<Result<OpenedPort, String>>),
}

/// The reasons to wake a session.
enum SketchEvent {
    Stop,
    Answered(SketchAnswer),
    Io(Io),
    Port(usize, PortNews),
    Idle,
}

/// Serves a sketch until it leaves, the operator disconnects it, or the program ends. `listed` is its
/// place among the clients.
pub(crate) async fn run<S>(ws: ClientSocket<S>, sketch: SketchClient, listed: ListedClient)
where
    S: AsyncRead + AsyncWrite + ReportsProgress + Send + Unpin,
{
    let mut session = SketchSession {
        ws,
        sketch,
        listed: Some(listed),
        ports: Vec::new(),
        answering: None,
        keepalive: Keepalive::new(),
        written_bytes: None,
    };
    let reason = session.serve().await;
    tracing::debug!(?reason, "sketch leaves");
    // Nobody need wait for the closing handshake.
    session.ports.clear();
    close::close(&mut session.ws, reason).await;
}

impl<S: AsyncRead + AsyncWrite + ReportsProgress + Send + Unpin> SketchSession<S> {
    async fn serve(&mut self) -> CloseReason {
        let mut turn = Turn::default();
        loop {
            if self.can_take() {
                self.fill();
                // Mostly the socket takes it all, and then there is no need to wait for that.
                self.ws.get_mut().send_now().await;
                if self.can_take() {
                    self.ports.iter_mut().for_each(OpenedPort::delivered);
                }
            }
            self.list();
            let woken = self.wait().await;
            let is_message = matches!(woken, SketchEvent::Io(Io::Received(_)));
            if let Err(reason) = self.handle(woken) {
                return reason;
            }
            if is_message {
                turn.count().await;
            }
        }
    }

    /// Sees to it that the operator sees the sketch once for each port that it has open, or else once.
    fn list(&mut self) {
        if !self.ports.is_empty() {
            self.listed = None;
        } else if self.listed.is_none() {
            let SketchClient { app, client, .. } = &self.sketch;
            self.listed = Some(app.clients.add(client.clone()));
        }
    }

    /// Returns true if the sketch has taken everything, and can take more.
    fn can_take(&self) -> bool {
        let queue = self.ws.get_ref();
        queue.is_empty() && !queue.is_broken()
    }

    /// Returns true if the next message of the sketch may be read: there is room for what it writes,
    /// and the request before has been answered.
    fn may_read(&self) -> bool {
        let mut ports = self.ports.iter();
        self.answering.is_none() && !ports.any(|opened| opened.requests.is_holding())
    }

    /// Queues what the ports have sent. Those whose device has gone are left.
    fn fill(&mut self) {
        let queue = self.ws.get_mut();
        self.ports.retain_mut(|opened| {
            let has_gone = opened.fill(queue);
            if has_gone {
                opened.delivered();
                queue.push_answer(message::disconnected());
            }
            !has_gone
        });
    }

    async fn wait(&mut self) -> SketchEvent {
        let (can_take, may_read) = (self.can_take(), self.may_read());
        let ports = self.ports.iter_mut();
        let ports: Vec<_> = ports.map(|opened| opened.news(can_take).boxed()).collect();
        tokio::select! {
            biased;
            () = self.sketch.client.stop.cancelled() => SketchEvent::Stop,
            answer = answered(&mut self.answering) => SketchEvent::Answered(answer),
            io = drive(&mut self.ws, may_read) => SketchEvent::Io(io),
            (port, news) = first(ports) => SketchEvent::Port(port, news),
            () = self.keepalive.idle() => SketchEvent::Idle,
        }
    }

    fn handle(&mut self, woken: SketchEvent) -> Result<(), CloseReason> {
        match woken {
            SketchEvent::Stop => return Err(CloseReason::of_stop(&self.sketch.app.stop)),
            SketchEvent::Answered(answer) => {
                self.answering = None;
                self.answer(answer);
            }
            SketchEvent::Port(port, PortNews::Removed) => {
                self.ports.remove(port);
                self.ws.get_mut().push_answer(message::disconnected());
            }
            SketchEvent::Port(port, PortNews::Reply(Some(reply))) => self.end_request(port, reply),
            SketchEvent::Port(_, PortNews::Ready | PortNews::Reply(None))
            | SketchEvent::Io(Io::Sent) => {}
            SketchEvent::Io(Io::Received(message)) => {
                self.keepalive.on_activity();
                self.receive(&message);
            }
            SketchEvent::Io(Io::Failed(error)) => return Err(CloseReason::after(&error)),
            SketchEvent::Idle if self.ws.get_ref().is_broken() => self.read_on()?,
            SketchEvent::Idle => {
                let may_read = self.may_read();
                self.keepalive.on_idle(self.ws.get_mut(), may_read)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, answer: SketchAnswer) {
        let frames = match answer {
            SketchAnswer::List(names) => message::list(&names),
            SketchAnswer::Port(opened) => match *opened {
                Err(reason) => message::error(&reason),
                Ok(opened) => {
                    let is_known = |other: &OpenedPort| Arc::ptr_eq(&other.port, &opened.port);
                    if !self.ports.iter().any(is_known) {
                        self.ports.push(opened);
                    }
                    message::opened()
                }
            },
        };
        self.ws.get_mut().push_answer(frames);
    }

    fn receive(&mut self, message: &Message) {
        let request = match message {
            Message::Text(text) => SketchRequest::parse(text),
            Message::Binary(_) => Err("a message must be text, not binary".to_owned()),
            _ => return,
        };
        let sketch = self.sketch.clone();
        match request {
            Err(reason) => self.error(&reason),
            Ok(SketchRequest::Echo(data)) => self.ws.get_mut().push_answer(message::echo(&data)),
            // Of a sketch that has left, only what it wrote still counts.
            Ok(SketchRequest::List) if self.ws.get_ref().is_broken() => {}
            Ok(SketchRequest::List) => {
                let list =
                    async move { SketchAnswer::List(PortChoices::of(&sketch).await.names()) };
                self.answering = Some(list.boxed());
            }
            Ok(SketchRequest::Open(_)) if self.ports.len() >= MAX_PORTS => {
                self.error(&format!(
                    "{MAX_PORTS} ports are open already; close them first"
                ));
            }
            Ok(SketchRequest::Open(request)) => {
                let open =
                    async move { SketchAnswer::Port(Box::new(open(&sketch, request).await)) };
                self.answering = Some(open.boxed());
            }
            Ok(SketchRequest::Write(bytes)) => self.write(bytes),
            Ok(SketchRequest::Close) if self.ports.is_empty() => {}
            Ok(SketchRequest::Close) => {
                self.ports.clear();
                self.ws.get_mut().push_answer(message::closed());
            }
        }
    }

    /// Writes to every port that is open. Until there is room in all of them, the sketch is not read.
    fn write(&mut self, bytes: bytes::Bytes) {
        let max = self.sketch.app.config.max_message;
        if bytes.len() > max {
            let size = bytes.len();
            return self.error(&format!("{size} bytes are too many (--max-message {max})"));
        }
        if self.ports.is_empty() {
            return self.error(NOTHING_OPEN);
        }
        for index in 0..self.ports.len() {
            let opened = &mut self.ports[index];
            let refused = match opened.port.why_read_only(self.sketch.rights) {
                Some(reason) => Some(reason.to_owned()),
                None => {
                    let held = opened.requests.hold(Action::Write(bytes.clone()));
                    held.err().map(|holder| holder.refusal())
                }
            };
            if let Some(reason) = refused {
                self.reject(index, &reason);
            }
        }
    }

    fn end_request(&mut self, port: usize, reply: Reply) {
        if let Err(error) = reply.outcome {
            self.reject(port, &error.reason);
        }
    }

    /// Tells the sketch that something it wrote was not written, and the operator.
    fn reject(&mut self, port: usize, reason: &str) {
        self.ports[port].dropped(reason);
        self.error(&format!("nothing was written: {reason}"));
    }

    fn error(&mut self, reason: &str) {
        self.ws.get_mut().push_answer(message::error(reason));
    }

    /// Goes on with a sketch that takes nothing more, for the sake of what it had sent before, as long
    /// as a device takes something.
    fn read_on(&mut self) -> Result<(), CloseReason> {
        let counters = self.ports.iter().map(|opened| &opened.port.hub.counters);
        let written = counters.map(|counters| counters.written_bytes.load(Ordering::Relaxed));
        let written = written.sum();
        if self.written_bytes.replace(written) == Some(written) {
            for opened in &mut self.ports {
                if opened.requests.drop_held() {
                    opened.dropped(GIVEN_UP);
                }
            }
            return Err(CloseReason::Disconnected);
        }
        self.keepalive.look_in(PING_INTERVAL);
        Ok(())
    }
}

/// Waits for the answer that is being made; forever if there is none.
async fn answered(answering: &mut Option<BoxFuture<'static, SketchAnswer>>) -> SketchAnswer {
    match answering {
        Some(answering) => answering.await,
        None => std::future::pending().await,
    }
}

/// Waits for the first news of all ports, with the index of the port.
async fn first(ports: Vec<BoxFuture<'_, PortNews>>) -> (usize, PortNews) {
    if ports.is_empty() {
        return std::future::pending().await;
    }
    let (news, port, _) = select_all(ports).await;
    (port, news)
}
