//! An open device at work: reads, frames and publishes; writes what clients ask; until one ends.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::PortConfig;
use super::device::Device;
use super::diagnostics::Hints;
use super::framing::lines::Framer;
use super::modem_lines::{self, Script, Signalling};
use super::source::serial::os;
use super::until;
use crate::hub::LineErrors;
use crate::hub::LineSettings;
use crate::hub::{Action, Data, Hub, Kind, Lease, Request, RequestError, Timestamp};

/// Bytes that are read at once. A tty hands out at most 4 KiB on Linux, other systems more.
const READ_BUFFER: usize = 64 << 10;

/// Silence before a first byte that shows it to begin a line.
const SILENCE: Duration = Duration::from_millis(50);

/// How long to wait before trying again what a signal interrupted, or what could not be done at
/// once although the device was said to be ready. Long enough not to spin if that goes on.
const TRY_AGAIN: Duration = Duration::from_millis(1);

/// How often the driver is asked what went wrong on the line, where it counts that.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// How work with a device ended.
pub(crate) enum End {
    /// The program stops.
    Stopped,
    /// The device has gone, and why.
    Lost(String),
    /// Another program is to have the device; who asked for it hears when it is free.
    Released(Lease, Request),
}

/// A device at work.
pub(crate) struct Link<'a> {
    device: Box<dyn Device>,
    hub: &'a Hub,
    framer: &'a mut Framer,
    hints: Hints,
    name: &'a str,
    buffer: Box<[u8]>,
    silence: Silence,
    /// When writes may begin, unless the device speaks before.
    settled: Option<Instant>,
    has_spoken: bool,
    writing: Option<Writing>,
    signalling: Option<Signalling>,
    settle: Duration,
    settings: &'a LineSettings,
    faults: Option<Faults>,
}

/// What went wrong on the line, as the driver counts it since the device was plugged in.
struct Faults {
    at_opening: LineErrors,
    counted: LineErrors,
    /// When to count again.
    due: Instant,
}

/// A write under way.
struct Writing {
    request: Request,
    bytes: Bytes,
    written: usize,
}

/// What is known of the silence before the first byte. It counts only where the device was seen to
/// have nothing to say after it: on a busy machine a byte may have come long before it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// It began then.
    From(Instant),
    /// It is long enough, if nothing has come.
    Over,
    /// It was long enough, and nothing had come.
    Seen,
}

impl Silence {
    fn due(self) -> Option<Instant> {
        match self {
            Self::From(opened) => Some(opened + SILENCE),
            Self::Over | Self::Seen => None,
        }
    }
}

/// What to try first: in turn, so that neither direction starves the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefers {
    Reading,
    Writing,
}

/// What the device did.
enum Step {
    Read(usize),
    Wrote(usize),
}

impl<'a> Link<'a> {
    /// Work with a device that was opened just now.
    pub(crate) fn new(
        device: Box<dyn Device>,
        config: &'a PortConfig,
        hub: &'a Hub,
        framer: &'a mut Framer,
        settle: Duration,
    ) -> Self {
        let opened = Instant::now();
        let faults = device.line_errors().map(|errors| Faults {
            at_opening: errors,
            counted: errors,
            due: opened + COUNT_EVERY,
        });
        Self {
            device,
            hub,
            framer,
            hints: Hints::new(config.line.baud, config.expects_lines),
            name: &config.name,
            buffer: vec![0; READ_BUFFER].into(),
            silence: Silence::From(opened),
            settled: (settle > Duration::ZERO).then_some(opened + settle),
            has_spoken: false,
            writing: None,
            signalling: None,
            settle,
            settings: &config.line,
            faults,
        }
    }

    /// Works until the device is lost or the program stops.
    pub(crate) async fn run(&mut self, starts_whole: bool, stop: &CancellationToken) -> End {
        self.framer.begin(starts_whole);
        let mut rest = None;
        let mut prefers = Prefers::Reading;
        // While clients are far behind, until when to wait for them.
        let mut patience = None;
        loop {
            let is_busy = self.writing.is_some() || self.signalling.is_some();
            let may_take = !is_busy && self.settled.is_none();
            patience = self.hub.read_pause().map(|time| {
                let deadline = Instant::now() + time;
                patience.map_or(deadline, |earlier| deadline.min(earlier))
            });
            let settled = self.settled;
            let silent = self.silence.due();
            let signal = self.signalling.as_ref().map(Signalling::due);
            let recount = self.faults.as_ref().map(|faults| faults.due);
            let step = step(
                &mut self.device,
                &mut self.buffer,
                &self.writing,
                &mut self.silence,
                patience.is_none(),
                prefers,
            );
            // In no fixed order, so that a device that floods does not keep clients waiting.
            tokio::select! {
                () = stop.cancelled() => return End::Stopped,
                request = self.hub.queue.take_urgent() => match request.action {
                    Action::Release(lease) => return End::Released(lease, request),
                    Action::Resume | Action::Return => request.end(Ok(0)),
                    _ => self.reset(request),
                },
                step = step, if rest.is_none() => match step {
                    Ok(Step::Read(0)) => return End::Lost("it was unplugged".into()),
                    Ok(Step::Read(count)) => {
                        prefers = Prefers::Writing;
                        self.hear(starts_whole);
                        self.publish(count);
                        after_the_others().await;
                    }
                    Ok(Step::Wrote(count)) => {
                        prefers = Prefers::Reading;
                        self.wrote(count);
                    }
                    Err(error) if os::is_transient(&error) => rest = Some(Instant::now() + TRY_AGAIN),
                    Err(error) => return End::Lost(error.to_string()),
                },
                () = until(rest) => rest = None,
                () = until(signal) => {
                    let signalling = self.signalling.take();
                    self.signalling = signalling.and_then(|it| it.go_on(&mut *self.device));
                }
                () = room(self.hub, patience) => {}
                request = self.hub.queue.take(), if may_take => self.begin(request),
                () = until(settled) => self.settled = None,
                () = until(silent) => self.silence = Silence::Over,
                () = until(recount) => self.count_faults(),
            }
        }
    }

    /// The device, to be closed.
    pub(crate) fn into_device(mut self, end: &End) -> Box<dyn Device> {
        self.give_up(match end {
            End::Stopped => "serial-ws is stopping",
            End::Lost(_) => "the device was lost",
            End::Released(..) => "the port was lent to another program",
        });
        self.device
    }

    /// Reports what is under way and what waits as failed.
    fn give_up(&mut self, reason: &str) {
        if let Some(Writing {
            request,
            bytes,
            written,
        }) = self.writing.take()
        {
            let reason = format!("{reason} after {written} of {} bytes", bytes.len());
            request.end(Err(RequestError { reason, written }));
        }
        if let Some(signalling) = self.signalling.take() {
            signalling.give_up(&mut *self.device, reason);
        }
        while let Some(request) = self.hub.queue.try_take() {
            request.end(Err(RequestError::new(format!(
                "{reason} before this could be written"
            ))));
        }
    }

    fn publish(&mut self, count: usize) {
        let at = Timestamp::now();
        let data = self
            .framer
            .push(Bytes::copy_from_slice(&self.buffer[..count]));
        self.count(&data);
        if let Some(hint) = self.hints.look(&data, std::time::Instant::now()) {
            tracing::warn!(port = self.name, "{hint}");
        }
        self.hub.publish(at, Kind::Data(data));
    }

    fn count(&self, data: &Data) {
        let counters = &self.hub.counters;
        counters.chunks.fetch_add(1, Ordering::Relaxed);
        let invalid = data.frames.iter().filter(|frame| !frame.utf8).count();
        if invalid > 0 {
            let invalid = invalid as u64;
            counters.invalid_lines.fetch_add(invalid, Ordering::Relaxed);
        }
    }

    /// Tells clients what went wrong on the line, if the driver counts more of it than before.
    fn count_faults(&mut self) {
        let Some(faults) = &mut self.faults else {
            return;
        };
        faults.due = Instant::now() + COUNT_EVERY;
        let Some(counted) = self.device.line_errors() else {
            return;
        };
        if std::mem::replace(&mut faults.counted, counted) != counted {
            let errors = counted.since(faults.at_opening);
            tracing::debug!(port = self.name, ?errors, "faults on the line");
            self.hub
                .publish_status(self.hub.status().with_errors(Some(errors)));
        }
    }

    fn begin(&mut self, request: Request) {
        match &request.action {
            Action::Write(bytes) if bytes.is_empty() => request.end(Ok(0)),
            Action::Write(bytes) => {
                let bytes = bytes.clone();
                self.writing = Some(Writing {
                    request,
                    bytes,
                    written: 0,
                });
            }
            Action::Signals { dtr, rts } => {
                let script = modem_lines::set(*dtr, *rts);
                self.start(request, script);
            }
            Action::Break(time) => {
                let script = modem_lines::hold_break(*time);
                self.start(request, script);
            }
            Action::Reset | Action::Release(_) | Action::Resume | Action::Return => {
                self.reset(request);
            }
        }
    }

    /// Restarts the board, for which nothing is that was sent before.
    fn reset(&mut self, request: Request) {
        let begun = Signalling::new(request, modem_lines::reset(self.settings));
        let Some(signalling) = begun.go_on(&mut *self.device) else {
            // A device without modem lines runs on, and gets what was sent.
            return;
        };
        self.device.discard_output();
        self.give_up("the board was reset");
        self.signalling = Some(signalling);
        self.settled = (self.settle > Duration::ZERO).then(|| Instant::now() + self.settle);
    }

    fn start(&mut self, request: Request, script: Script) {
        self.signalling = Some(Signalling::new(request, script));
    }

    /// Notes that the device has spoken.
    fn hear(&mut self, starts_whole: bool) {
        if !std::mem::replace(&mut self.has_spoken, true) {
            self.framer
                .begin(starts_whole || self.silence == Silence::Seen);
        }
        if self.signalling.is_none() {
            self.settled = None;
        }
    }

    fn wrote(&mut self, count: usize) {
        self.hub
            .counters
            .written_bytes
            .fetch_add(count as u64, Ordering::Relaxed);
        let finished = self.writing.take_if(|writing| {
            writing.written += count;
            writing.written == writing.bytes.len()
        });
        if let Some(Writing {
            request, written, ..
        }) = finished
        {
            request.end(Ok(written));
        }
    }
}

/// Waits until clients have caught up, at most until the deadline; for ever if there is none.
async fn room(hub: &Hub, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => hub.wait_for_readers(deadline).await,
        None => std::future::pending().await,
    }
}

/// Returns when every task that was ready has had its turn, so that a flood does not outrun
/// clients that could keep up, and no line waits for the next read.
async fn after_the_others() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Reads or writes, whichever the device is ready for.
async fn step(
    device: &mut Box<dyn Device>,
    buffer: &mut [u8],
    writing: &Option<Writing>,
    silence: &mut Silence,
    may_read: bool,
    prefers: Prefers,
) -> io::Result<Step> {
    poll_fn(|cx| {
        if prefers == Prefers::Writing
            && let Poll::Ready(wrote) = poll_write(device, cx, writing)
        {
            return Poll::Ready(wrote);
        }
        if may_read {
            match poll_read(device, cx, buffer) {
                Poll::Ready(read) => return Poll::Ready(read),
                Poll::Pending if *silence == Silence::Over => *silence = Silence::Seen,
                Poll::Pending => {}
            }
        }
        match prefers {
            Prefers::Reading => poll_write(device, cx, writing),
            Prefers::Writing => Poll::Pending,
        }
    })
    .await
}

fn poll_read(
    device: &mut Box<dyn Device>,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<Step>> {
    let mut buffer = ReadBuf::new(buffer);
    ready!(Pin::new(device).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(Step::Read(buffer.filled().len())))
}

fn poll_write(
    device: &mut Box<dyn Device>,
    cx: &mut Context<'_>,
    writing: &Option<Writing>,
) -> Poll<io::Result<Step>> {
    let Some(Writing { bytes, written, .. }) = writing else {
        return Poll::Pending;
    };
    let rest = &bytes[*written..];
    match ready!(Pin::new(device).poll_write(cx, os::write_chunk(rest)))? {
        0 => Poll::Ready(Err(ErrorKind::WriteZero.into())),
        count => Poll::Ready(Ok(Step::Wrote(count))),
    }
}
