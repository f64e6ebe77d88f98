//! The session of a stream, one task each: sends what its view shows until the client leaves.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use super::encoder::StreamEncoder;
use crate::platform::Acknowledged;
use crate::server::Port;
use crate::server::client::delivery::Delivery;
use crate::server::client::keepalive::{PING_INTERVAL, TAKE_TIMEOUT};
use crate::server::client::port_client::PortClient;
use crate::server::client::requests::Requests;
use crate::server::client::send_queue::SendQueue;
use crate::server::client::wake_flag::WakeFlag;
use crate::server::progress::{LOOK_INTERVAL, ReportsProgress, Stall};
use crate::server::websocket::close::{CLOSE_TIMEOUT, CloseReason};

/// A stream of a port to one client.
pub(super) struct StreamSession<S> {
    queue: SendQueue<S>,
    port: Arc<Port>,
    stop: CancellationToken,
    delivery: Delivery<StreamEncoder>,
    greeting: Option<String>,
    watch: ClientWatch,
    /// False once the client has sent something after its request, which means nothing here.
    is_read: bool,
    /// Raised by everything but the port's events.
    wake_flag: WakeFlag,
    /// The client's number, which others may see in the status.
    _requests: Requests,
}

/// Looks now and then at a client, which never says anything.
struct ClientWatch {
    timer: Pin<Box<Sleep>>,
    stall: Stall,
    kept_alive: Instant,
}

/// The reasons to wake a session, apart from the port's events.
enum StreamWoken {
    Stop,
    Left,
    Sent,
    LatestDue,
    Idle,
}

impl<S: AsyncRead + AsyncWrite + ReportsProgress + Unpin> StreamSession<S> {
    /// Starts a session over `stream`.
    pub(super) fn new(stream: S, client: PortClient, encoder: StreamEncoder) -> Self {
        let PortClient { client, greeting } = client;
        Self {
            queue: SendQueue::new(stream),
            delivery: Delivery::new(client.subscription, encoder, &client.params),
            port: client.port,
            stop: client.stop,
            greeting,
            watch: ClientWatch::new(),
            is_read: true,
            wake_flag: WakeFlag::new(),
            _requests: client.requests,
        }
    }

    /// Sends the head of the answer, and then what happens, until the client leaves, or its port or the
    /// program ends.
    pub(super) async fn run(&mut self, head: Bytes) {
        // Plain lines and NDJSON have nothing to send to a client while the device is silent.
        self.queue.get_ref().keep_alive();
        self.queue.push(head);
        let place = self.delivery.subscription.position();
        let greeting = self.greeting.take();
        let greeting = self.delivery.encoder.greeting(place, greeting);
        self.queue.push(greeting);
        let reason = self.serve().await;
        tracing::debug!(?reason, "client leaves");
        if let Some((code, reason)) = reason.code_and_reason() {
            self.queue.push(self.delivery.encoder.closed(code, &reason));
            self.queue.push(self.delivery.encoder.end());
            // A client that does not take the rest in time goes without it.
            let _ = timeout(CLOSE_TIMEOUT, self.end()).await;
        }
    }

    async fn serve(&mut self) -> CloseReason {
        let stop = self.stop.clone();
        let mut stopped = std::pin::pin!(stop.cancelled());
        loop {
            if self.queue.is_empty() {
                self.delivery.fill(&mut self.queue, &self.port.hub);
                // Mostly the socket takes it all, and then there is no need to wait for that.
                self.queue.send_now().await;
                if self.delivery.has_ended {
                    return CloseReason::Restarted;
                }
                if self.queue.is_empty() {
                    self.delivery.delivered(&self.port.hub);
                }
            }
            if self.queue.is_broken() {
                return CloseReason::Disconnected;
            }
            let reason = match self.wait(stopped.as_mut()).await {
                Some(StreamWoken::Stop) => self.why_stopped(),
                Some(StreamWoken::Left) => CloseReason::Disconnected,
                Some(StreamWoken::Idle) if self.watch.has_taken_nothing(&self.queue) => {
                    CloseReason::TookNothing
                }
                Some(StreamWoken::Idle) => {
                    if self.watch.is_keepalive_due() && self.queue.is_empty() {
                        self.queue.push(self.delivery.encoder.keepalive());
                    }
                    continue;
                }
                Some(StreamWoken::Sent) => {
                    self.delivery.delivered(&self.port.hub);
                    continue;
                }
                Some(StreamWoken::LatestDue) | None => continue,
            };
            return reason;
        }
    }

    /// Waits until there is something to do; returns nothing where that is only the port's events.
    async fn wait(
        &mut self,
        stopped: Pin<&mut WaitForCancellationFuture<'_>>,
    ) -> Option<StreamWoken> {
        let is_idle = self.queue.is_empty();
        let Delivery {
            subscription,
            latest,
            ..
        } = &mut self.delivery;
        // For most clients, an event is no reason to look at all the rest.
        let only_listens = is_idle && latest.frames.is_none();
        let (queue, is_read) = (&mut self.queue, &mut self.is_read);
        let rest = std::pin::pin!(async {
            tokio::select! {
                biased;
                () = stopped => StreamWoken::Stop,
                woken = poll_fn(|cx| poll_socket(queue, is_read, cx)) => woken,
                () = latest.due(), if is_idle => StreamWoken::LatestDue,
                () = self.watch.timer.as_mut() => StreamWoken::Idle,
            }
        });
        tokio::select! {
            biased;
            woken = self.wake_flag.poll_if_raised(!only_listens, rest) => Some(woken),
            () = subscription.ready(), if is_idle => None,
        }
    }

    fn why_stopped(&self) -> CloseReason {
        if !self.port.stop.is_cancelled() {
            return CloseReason::DisconnectedByOperator;
        }
        let end = self.port.end.get().cloned();
        end.map_or(CloseReason::Stopping, CloseReason::PortEnded)
    }

    /// Sends what waits, and ends the answer.
    async fn end(&mut self) {
        poll_fn(|cx| self.queue.poll_send(cx)).await;
        // Nothing is lost if it has been closed already.
        let _ = self.queue.get_mut().shutdown().await;
    }
}

/// Sends what waits, and notices when the client leaves.
fn poll_socket<S: AsyncRead + AsyncWrite + Unpin>(
    queue: &mut SendQueue<S>,
    is_read: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<StreamWoken> {
    let had_something = !queue.is_empty();
    if queue.poll_send(cx).is_ready() && had_something {
        return Poll::Ready(StreamWoken::Sent);
    }
    if *is_read {
        let mut scrap = [0; 64];
        let mut scrap = ReadBuf::new(&mut scrap);
        match Pin::new(queue.get_mut()).poll_read(cx, &mut scrap) {
            Poll::Ready(Ok(())) if !scrap.filled().is_empty() => *is_read = false,
            Poll::Ready(_) => return Poll::Ready(StreamWoken::Left),
            Poll::Pending => {}
        }
    }
    Poll::Pending
}

impl ClientWatch {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            timer: Box::pin(sleep_until(now + LOOK_INTERVAL)),
            stall: Stall::new(Acknowledged::all(0), now),
            kept_alive: now,
        }
    }

    /// Returns true if a client has taken nothing of what waits for it for too long.
    fn has_taken_nothing<S: ReportsProgress>(&mut self, queue: &SendQueue<S>) -> bool {
        let now = Instant::now();
        self.timer.as_mut().reset(now + LOOK_INTERVAL);
        let state = queue.get_ref().acknowledged();
        let is_waiting = state.held > 0 || !queue.is_empty();
        self.stall.look(state, is_waiting, now) >= TAKE_TIMEOUT
    }

    /// Returns true once in an interval.
    fn is_keepalive_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = now - self.kept_alive >= PING_INTERVAL;
        if is_due {
            self.kept_alive = now;
        }
        is_due
    }
}
