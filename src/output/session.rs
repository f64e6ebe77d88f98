//! One connection of an output: what the device sends goes out, and what comes in is asked of the
//! port, as the protocol of the output says. A connection that takes nothing for too long is closed;
//! until then it costs a bounded amount of memory, and nobody waits for it for longer than for any
//! client.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::ConnectionReader;
use super::connection_log::ConnectionLog;
use super::first_bytes::{FirstBytes, FirstLook};
use super::output_port::OutputPort;
use super::protocol::OutputProtocol;
use super::{OutputAddress, OutputConfig, OutputKind};
use crate::deadline::until;
use crate::hub::{
    ConnectedProgram, Hub, Kind, Outcome, OutputReporter, Position, Received, Start,
    SubscriberKind, Subscription,
};
use crate::platform::TerminalInput;
use crate::rfc2217::ComPortMessage;

/// Bytes that are read at once.
const READ_BYTES: usize = 4 << 10;

/// Bytes that wait to be sent, beside one chunk of the device. At the limit nothing is read.
const MAX_OUTPUT: usize = 16 << 10;

/// The longest time to wait until what a connection has changed can be set back.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The time between two looks at whether one that sends no more is still there.
const END_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The time for which a connection may take nothing, as for any client. After it, it is closed.
const STALL_TIMEOUT: Duration = Duration::from_secs(40);

/// One connection.
pub(super) struct OutputSession {
    port: OutputPort,
    protocol: Box<dyn OutputProtocol>,
    subscription: Subscription,
    replies: mpsc::Receiver<(u64, Outcome)>,
    first: FirstBytes,
    /// The time for which it may take nothing; None for ever.
    stall_timeout: Option<Duration>,
    /// Bytes to be sent.
    output: Vec<u8>,
    /// True from the end of what it sends.
    is_at_end: bool,
    /// The time since which it has taken nothing of what was to be sent.
    stalled_since: Instant,
    missed: u64,
    reporter: Arc<OutputReporter>,
    /// Counted as connected until the session ends.
    _connected: ConnectedProgram,
    stop: CancellationToken,
}

/// The reason why a connection ends.
type Ended = String;

impl OutputSession {
    /// Subscribes a connection to a port.
    pub(super) fn new(
        config: &OutputConfig,
        (log, reporter): (ConnectionLog, Arc<OutputReporter>),
        hub: &Arc<Hub>,
        stop: CancellationToken,
    ) -> Self {
        let (sender, replies) = hub.queue.register();
        // Programs of this computer are the operator's.
        let is_near = |address: OutputAddress| !address.is_beyond_loopback();
        let sender = sender.of_operator(config.kind.address().is_none_or(is_near));
        Self {
            port: OutputPort::new(hub, config.may_write.then_some(sender), log),
            protocol: config.kind.protocol(),
            subscription: subscribe(hub),
            replies,
            first: match config.kind {
                OutputKind::Pty(_) => FirstBytes::of_program(),
                _ => FirstBytes::default(),
            },
            // A program that has a terminal open cannot be sent away.
            stall_timeout: config.kind.address().map(|_| STALL_TIMEOUT),
            output: Vec::new(),
            is_at_end: false,
            stalled_since: Instant::now(),
            missed: 0,
            _connected: reporter.connected(),
            reporter,
            stop,
        }
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(
        mut self,
        mut reader: ConnectionReader,
        mut writer: impl AsyncWrite + Send + Unpin,
    ) {
        self.port.log.say("connected");
        let stop = self.stop.clone();
        let ended = tokio::select! {
            () = stop.cancelled() => String::new(),
            ended = self.serve(&mut reader, &mut writer) => ended,
        };
        drop((reader, writer));
        self.count_rest();
        self.protocol.leave(&mut self.port);
        // What cannot be set back by then, the end of the write lock sets back.
        let _ = timeout(LEAVE_TIMEOUT, self.set_back()).await;
        // Others are told, also where nothing else has changed.
        self.port.unlock();
        let missed = match self.missed {
            0 => String::new(),
            count => format!(", which missed {count} bytes"),
        };
        let log = &self.port.log;
        if ended.is_empty() && missed.is_empty() {
            log.say("left");
        } else {
            let why = if ended.is_empty() { "" } else { ": " };
            let text = format_args!("left: {}{missed}{why}{ended}", log.name);
            log.warn(&format!("left: {ended}"), text);
        }
    }

    /// Sends what is still to be asked of the port.
    async fn set_back(&mut self) {
        while !self.port.waiting.is_empty() {
            let permit = self.port.reserve().await;
            self.port.send(permit);
        }
    }

    async fn serve(
        &mut self,
        reader: &mut ConnectionReader,
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Ended {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            // Without a timeout, only what is read tells of the end.
            let has_room = self.output.len() < MAX_OUTPUT || self.stall_timeout.is_none();
            let may_read = !self.is_at_end && self.port.waiting.is_empty() && has_room;
            let is_sending = !self.output.is_empty();
            let first_due = self.first.deadline();
            let lock_due = self.port.lock_due();
            let stall_due = self.stall_timeout.filter(|_| is_sending);
            let stall_due = stall_due.map(|time| self.stalled_since + time);
            tokio::select! {
                written = writer.write(&self.output), if is_sending => match written {
                    Ok(count @ 1..) => self.sent(count),
                    Ok(0) | Err(_) => return String::new(),
                },
                read = reader.read(&mut bytes), if may_read => match read {
                    Ok(None) if self.protocol.ends_with_input() => return String::new(),
                    Ok(None) => self.is_at_end = true,
                    Ok(Some(input)) => {
                        if let Some(ended) = self.receive(input, &bytes) {
                            return ended;
                        }
                    }
                    Err(_) => return String::new(),
                },
                () = self.subscription.ready(), if !is_sending && !self.protocol.is_suspended() => {
                    self.fill();
                }
                permit = self.port.reserve() => {
                    if let Some((message, error)) = self.port.send(permit) {
                        self.reply(message, Err(error));
                    }
                }
                Some((number, outcome)) = self.replies.next() => self.answered(number, outcome),
                () = until(lock_due) => self.port.unlock(),
                () = sleep(END_CHECK_INTERVAL), if self.is_at_end => {
                    if reader.is_broken() {
                        return String::new();
                    }
                }
                () = until(first_due) => {
                    let look = self.first.pass();
                    self.take(look);
                }
                () = until(stall_due) => {
                    return format!("it took nothing for {} s", STALL_TIMEOUT.as_secs());
                }
            }
        }
    }

    /// Counts bytes that the system took.
    fn sent(&mut self, count: usize) {
        self.output.drain(..count);
        self.reporter.sent(count);
        self.stalled_since = Instant::now();
        if self.output.is_empty() {
            self.subscription.delivered();
        }
    }

    /// Takes what a program did. Returns the reason to end, if there is one.
    fn receive(&mut self, input: TerminalInput, bytes: &[u8]) -> Option<Ended> {
        if input.is_flushed {
            self.subscription = subscribe(&self.port.hub);
            self.output.clear();
        }
        if let Some(change) = input.settings {
            self.protocol.set(change, &mut self.port);
        }
        if input.count == 0 {
            return None;
        }
        let look = self.first.push(&bytes[..input.count], Instant::now());
        self.take(look)
    }

    /// Takes what came, unless it is from a browser. Returns the reason to end then.
    fn take(&mut self, look: FirstLook) -> Option<Ended> {
        match look {
            FirstLook::Hold => None,
            FirstLook::Pass(input) => {
                if self.output.is_empty() {
                    self.stalled_since = Instant::now();
                }
                self.protocol
                    .receive(input, &mut self.port, &mut self.output);
                if std::mem::take(&mut self.port.skips_data) {
                    self.subscription = subscribe(&self.port.hub);
                }
                None
            }
            FirstLook::Refuse(what) => Some(format!(
                "it began with {what}, as a browser does, and nothing of it was written"
            )),
        }
    }

    /// Takes the outcome of a request.
    fn answered(&mut self, number: u64, outcome: Outcome) {
        match (self.port.answered(number), outcome) {
            (Some(message), outcome) => self.reply(message, outcome),
            (None, Err(error)) => self.port.warn(&error.reason),
            (None, Ok(_)) => {}
        }
    }

    /// Answers a message whose action was carried out, or not.
    fn reply(&mut self, message: ComPortMessage, outcome: Outcome) {
        if self.output.is_empty() {
            self.stalled_since = Instant::now();
        }
        self.protocol
            .reply(message, outcome, &mut self.port, &mut self.output);
    }

    /// Takes what comes next from the port.
    fn fill(&mut self) {
        self.stalled_since = Instant::now();
        while self.output.is_empty()
            && let Some(received) = self.subscription.next(std::time::Instant::now())
        {
            match received {
                Received::Event(taken) => match &taken.event.kind {
                    Kind::Data(data) => {
                        let had = (taken.had.offset as usize).min(data.chunk.len());
                        self.protocol.encode(&data.chunk[had..], &mut self.output);
                    }
                    Kind::Status(status) => self.protocol.status(status, &mut self.output),
                    Kind::Written(_) | Kind::Note(_) => {}
                },
                Received::Missed(position) => self.count_missed(position),
                Received::Restarted => {}
            }
        }
    }

    /// Counts what a connection that ends was too slow for.
    fn count_rest(&mut self) {
        if let Some(Received::Missed(position)) = self.subscription.next(std::time::Instant::now())
        {
            self.count_missed(position);
        }
    }

    fn count_missed(&mut self, position: Position) {
        self.missed += position.offset;
        self.reporter.missed(position.offset);
        let counters = &self.port.hub.counters;
        counters.missed_lines.fetch_add(position.line, Relaxed);
        counters.missed_bytes.fetch_add(position.offset, Relaxed);
    }
}

/// Subscribes to all that comes from now on.
fn subscribe(hub: &Arc<Hub>) -> Subscription {
    let kind = SubscriberKind::Output { backpressure: true };
    let subscription = hub.subscribe(kind, Start::Live);
    subscription.with_bytes().with_inputs()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::hub::{Data, HubConfig, State, Status, Timestamp};
    use crate::output::OutputAddress;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_takes_nothing_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stalled = TcpStream::connect(listener.local_addr().unwrap()).await;
        let stalled = stalled.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let limits = HubConfig {
            history: 1 << 20,
            max_behind: Duration::from_secs(10),
        };
        let hub = Hub::new(limits, Status::new(State::Open, "open"));
        let config = OutputConfig {
            kind: OutputKind::Tcp(OutputAddress::parse("4000").unwrap()),
            may_write: true,
        };
        let (log, peer) = (Arc::default(), stream.peer_addr().unwrap());
        let log = ConnectionLog::of_peer(&log, "board", &config.kind, peer);
        let told = (log, hub.add_listening_output("tcp", "4000"));
        let session = OutputSession::new(&config, told, &hub, CancellationToken::new());
        let (reader, writer) = stream.into_split();
        let session = tokio::spawn(session.run(ConnectionReader::Tcp(reader), writer));
        let start = Instant::now();
        // More than the system has room for.
        while !session.is_finished() {
            let chunk = Bytes::from(vec![0; 64 << 10]);
            let data = Data {
                chunk,
                ..Data::default()
            };
            hub.publish(Timestamp::now(), Kind::Data(data));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        session.await.unwrap();
        assert!(start.elapsed() >= STALL_TIMEOUT, "{:?}", start.elapsed());
        assert!(start.elapsed() < STALL_TIMEOUT * 3, "{:?}", start.elapsed());
        drop(stalled);
    }
}
