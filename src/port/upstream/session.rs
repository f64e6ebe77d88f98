//! One connection to another serial-ws at work: publishes what comes with its numbers and times, and
//! passes on what clients ask, until it is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::address::UpstreamAddress;
use super::connect::{ConnectFailure, UpstreamWebSocket};
use super::decode::{self, ChunkDecoder};
use super::earlier::Earlier;
use super::exchange::Exchange;
use super::forward::{Answered, Forwarded};
use crate::deadline::until;
use crate::hub::{
    DeviceInfo, DeviceReply, Done, Hub, Kind, LineSettings, LockHolder, Position, Request,
    RequestError, Status, Timestamp, Written,
};
use crate::port::connection::after_other_tasks;
use crate::port::wait_for_readers;
use crate::protocol::{ChunkMessage, Content, HelloMessage, ServerMessage, StatusMessage};

/// The reason why a connection ended.
pub(super) enum SessionEnd {
    /// The program stops.
    Stopped,
    /// It was lost, for this reason.
    Lost(String),
    /// The other serial-ws closed it.
    Closed(Box<ConnectFailure>),
}

/// One connection.
pub(super) struct UpstreamSession<'a> {
    address: &'a UpstreamAddress,
    hub: &'a Hub,
    exchange: Exchange<'a>,
    forwarded: Forwarded,
    decoder: ChunkDecoder,
    /// The number by which all clients of the other serial-ws are known here.
    others: u64,
    /// The number that this one has there.
    client: Option<u64>,
    device: Arc<DeviceInfo>,
    /// The settings that were told last.
    settings: LineSettings,
    /// The client of the other serial-ws that has the write lock there.
    writer: Option<LockHolder>,
    /// The messages that come until the history of the other serial-ws is here.
    earlier: Option<Earlier>,
    /// The end of a pause of reading, for clients that are far behind.
    read_pause: Option<Instant>,
}

impl<'a> UpstreamSession<'a> {
    /// Starts with a greeting. `max_history` is the most bytes that are taken of the history there.
    pub(super) fn new(
        address: &'a UpstreamAddress,
        hub: &'a Hub,
        ws: UpstreamWebSocket<'a>,
        hello: &HelloMessage<'_>,
        (others, max_history): (u64, usize),
    ) -> Self {
        let mut session = Self {
            address,
            hub,
            exchange: Exchange::new(ws),
            forwarded: Forwarded::new(hello.max_message, hello.client),
            decoder: ChunkDecoder::default(),
            others,
            client: hello.client,
            device: decode::device(address, &hello.port),
            settings: decode::settings(&hello.port),
            writer: None,
            earlier: None,
            read_pause: None,
        };
        session.begin(hello, max_history);
        session
    }

    /// Takes over the run of the other serial-ws, or goes on in it.
    fn begin(&mut self, hello: &HelloMessage<'_>, max_history: usize) {
        let run = decode::run(hello);
        let known = self.hub.upstream_run();
        let status = self.status(&hello.status);
        let start = Position {
            line: hello.seq,
            offset: hello.offset,
        };
        self.note_writer(hello.status.writer.as_deref().cloned());
        match known {
            Some(known) if known.name == run.name => {
                self.hub.describe_upstream(run);
                self.hub.publish_status(status);
            }
            // All that it has came after this one lost the connection.
            Some(_) => self.hub.begin_run(run, start, [], status),
            None => {
                let newest = hello.newest.map_or(start, decode::position);
                self.earlier = Some(Earlier::new(run, (start, newest), max_history, status));
                self.end_history();
            }
        }
    }

    /// Works until the connection is lost, or the program stops.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> SessionEnd {
        let end = loop {
            if let Some(end) = self.work(stop).await {
                break end;
            }
        };
        self.forwarded.give_up("the connection was lost");
        // The lock there has ended with the connection.
        self.hub.unlock(None);
        if matches!(end, SessionEnd::Stopped) {
            self.exchange.close().await;
        }
        end
    }

    async fn work(&mut self, stop: &CancellationToken) -> Option<SessionEnd> {
        let (hub, read_pause) = (self.hub, self.read_pause);
        let deadline = self.exchange.deadline();
        let forwarded = &self.forwarded;
        let break_of = forwarded.break_of();
        tokio::select! {
            () = stop.cancelled() => Some(SessionEnd::Stopped),
            message = self.exchange.next(read_pause.is_none()) => {
                let end = match message {
                    Ok(message) => self.receive(message),
                    Err(reason) => Some(SessionEnd::Lost(reason)),
                };
                after_other_tasks().await;
                end
            }
            request = hub.queue.take_immediate(), if forwarded.has_immediate_room() => {
                self.forward(request)
            }
            request = hub.queue.take_urgent(), if forwarded.has_urgent_room() => {
                self.forward(request)
            }
            request = hub.queue.take(break_of), if forwarded.has_room() => self.forward(request),
            () = wait_for_readers(hub, read_pause) => {
                self.update_read_pause();
                None
            }
            () = until(Some(deadline)) => self.exchange.on_silence().err().map(SessionEnd::Lost),
        }
    }

    /// Passes a request on.
    fn forward(&mut self, request: Request) -> Option<SessionEnd> {
        if let Some(text) = self.forwarded.send(request, self.hub) {
            self.exchange.send(text);
        }
        None
    }

    fn receive(&mut self, message: Message) -> Option<SessionEnd> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(frame) => {
                let code = frame.as_ref().map(|frame| u16::from(frame.code));
                let failure = ConnectFailure::closed(self.address, frame.clone());
                return Some(match (code, frame) {
                    (Some(4000..), _) => SessionEnd::Closed(Box::new(failure)),
                    (_, Some(frame)) if !frame.reason.is_empty() => {
                        SessionEnd::Lost(crate::terminal::excerpt(&frame.reason))
                    }
                    _ => SessionEnd::Lost("it closed the connection".to_owned()),
                });
            }
            _ => return None,
        };
        match serde_json::from_str(&text) {
            Ok(message) => self.take(message),
            Err(error) => {
                tracing::debug!(%error, "cannot understand a message");
                let reason = "it sent something that this version does not understand";
                Some(SessionEnd::Lost(reason.to_owned()))
            }
        }
    }

    fn take(&mut self, message: ServerMessage<'_>) -> Option<SessionEnd> {
        match message {
            ServerMessage::Chunk(chunk) => self.take_chunk(&chunk),
            ServerMessage::Missed { lines, bytes } => self.take_missed(lines, bytes),
            ServerMessage::Status(status) => self.take_status(&status),
            ServerMessage::Ack { id, bytes } => {
                let answered =
                    self.forwarded
                        .reply(Some(&id), Ok(Done::Written(bytes as usize)), self.hub);
                self.answered(answered);
            }
            ServerMessage::Reply { id, content } => {
                let reply = DeviceReply {
                    bytes: content.as_bytes().to_vec().into(),
                    is_text: matches!(content, Content::Text(_)),
                };
                let outcome = Ok(Done::Replied(reply));
                let answered = self.forwarded.reply(Some(&id), outcome, self.hub);
                self.answered(answered);
            }
            ServerMessage::Error {
                error,
                id,
                bytes,
                code,
            } => {
                let error = RequestError {
                    reason: error.into_owned(),
                    written: bytes as usize,
                    code,
                };
                let answered = self.forwarded.reply(id.as_ref(), Err(error), self.hub);
                self.answered(answered);
            }
            ServerMessage::Written {
                t,
                content,
                client,
                name,
            } if Some(client) != self.client => {
                self.take_written(t, &content, name.as_deref().map(Arc::from));
            }
            _ => {}
        }
        None
    }

    /// Publishes what came with one read.
    fn take_chunk(&mut self, chunk: &ChunkMessage<'_>) {
        let (place, end) = (decode::position(chunk.place), decode::end(chunk));
        let data = self.decoder.decode(chunk);
        if let Some(earlier) = &mut self.earlier {
            earlier.push(place, chunk.t, data, end);
            self.end_history();
            return;
        }
        if place != self.hub.end() {
            self.hub.skip_to(place);
        }
        let invalid = data.frames.iter().filter(|frame| !frame.utf8).count();
        let counters = &self.hub.counters;
        counters.chunks.fetch_add(1, Ordering::Relaxed);
        counters
            .invalid_lines
            .fetch_add(invalid as u64, Ordering::Relaxed);
        self.hub.publish(chunk.t, Kind::Data(data));
        self.update_read_pause();
    }

    fn take_missed(&mut self, lines: u64, bytes: u64) {
        self.decoder.skip();
        let missed = |end: Position| Position {
            line: end.line + lines,
            offset: end.offset + bytes,
        };
        match &mut self.earlier {
            Some(earlier) => {
                earlier.end = missed(earlier.end);
                self.end_history();
            }
            None if (lines, bytes) != (0, 0) => self.hub.skip_to(missed(self.hub.end())),
            None => {}
        }
    }

    /// Begins with the run of the other serial-ws, once its history is here.
    fn end_history(&mut self) {
        if let Some(earlier) = self.earlier.take_if(|earlier| earlier.is_complete()) {
            earlier.publish(self.hub);
        }
    }

    fn take_status(&mut self, message: &StatusMessage<'_>) {
        let status = self.status(message);
        self.settings = status.settings;
        self.note_writer(message.writer.as_deref().cloned());
        match &mut self.earlier {
            Some(earlier) => earlier.status = status,
            None => self.hub.publish_status(status),
        }
    }

    fn status(&self, message: &StatusMessage<'_>) -> Status {
        let device = Arc::clone(&self.device);
        decode::status(self.address, message, self.settings, device)
    }

    /// Notes who has the write lock there: while it is none of the clients here, it is held against all of
    /// them.
    fn note_writer(&mut self, writer: Option<LockHolder>) {
        self.writer = writer.filter(|writer| Some(writer.client) != self.client);
        let Some(LockHolder { name, .. }) = self.writer.clone() else {
            // Nothing ends while one of the clients here has it.
            self.hub.unlock(Some(self.others));
            return;
        };
        if self.hub.lock(self.others, name.clone()).is_err() {
            self.hub.unlock(None);
            // Nobody has it now.
            let _ = self.hub.lock(self.others, name);
        }
    }

    fn answered(&mut self, answered: Option<Answered>) {
        if let Some(request) = self.forwarded.take_held() {
            self.forward(request);
        }
        match answered {
            Some(Answered::LockRefused(client)) => {
                self.hub.unlock(Some(client));
            }
            // The operator here is none there.
            Some(Answered::ResumeRefused) => self.note_writer(self.writer.clone()),
            Some(Answered::Other) | None => {}
        }
    }

    fn take_written(&mut self, at: Timestamp, content: &Content<'_>, name: Option<Arc<str>>) {
        let client = self.others;
        let bytes = content.as_bytes().to_vec().into();
        if self.earlier.is_none() {
            let written = Written {
                bytes,
                client,
                name,
            };
            self.hub.publish(at, Kind::Written(written));
        }
    }

    fn update_read_pause(&mut self) {
        self.read_pause = self.hub.read_pause().map(|time| {
            let end = Instant::now() + time;
            self.read_pause.map_or(end, |earlier| end.min(earlier))
        });
    }
}
