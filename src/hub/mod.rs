//! The fan-out of one port: hands every event to every subscriber, in one order, and keeps the
//! latest for those who join late.
//!
//! Publishing never waits. Each subscriber takes events at its own pace from one shared ring; one
//! that falls too far behind skips ahead and is told exactly what it missed. In the other
//! direction, clients' requests wait in a bounded queue for the port. Pure: no I/O.

mod backpressure;
mod encodings;
mod event;
mod history;
mod last_values;
mod locking;
mod metrics;
mod outputs;
mod playback;
mod question;
mod recordings;
mod request_queue;
mod request_sender;
mod requests;
mod settings;
mod status;
mod stream_item;
mod subscribers;
mod subscription;
mod sync;
mod upstream;
mod utf8;
mod waiting_requests;
mod write_lock;
mod write_rate;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

pub use encodings::EncodingSlot;
pub use event::{
    Data, Event, Extent, Frame, Frames, Kind, Piece, Position, Timestamp, Unit, Written,
};
pub use metrics::{BUCKETS, Counters, Delays};
pub use outputs::{ConnectedProgram, OutputReporter, OutputState, OutputStatus, OutputTotals};
pub use playback::{Playback, PlaybackChange, PlaybackControl, PlaybackSpeed};
pub use question::{
    DEFAULT_REPLY_TIMEOUT, DeviceQuestion, DeviceReply, MAX_REPLY_BYTES, MAX_REPLY_LINES,
    MAX_REPLY_TEXT_BYTES, MAX_REPLY_TEXTS, MAX_REPLY_TIMEOUT, MIN_REPLY_GAP, QuestionEnd, Until,
};
pub use request_queue::{ClientNumbers, RequestQueue};
pub use request_sender::{NoRoom, Permit, RequestSender};
pub use requests::{
    Action, Done, ErrorCode, Lease, MAX_WAITING, Outcome, Request, RequestError, RequestLimits,
};
pub use settings::{BaudChange, FlowControl, LineSettings, ModemLine, Parity, SettingsChange};
pub use status::{Advice, DeviceInfo, LineErrors, ModemInputs, RecordingStatus, State, Status};
pub use stream_item::StreamItem;
pub use subscribers::SubscriberKind;
pub use subscription::{Received, Subscription, Taken};
pub use upstream::UpstreamRun;
pub use utf8::{IncompleteUtf8, incomplete_suffix};
pub use write_lock::{LockHolder, LockPolicy};

use backpressure::{Backpressure, MAX_PAUSE, MAX_STALL_PAUSE};
use history::History;
use subscribers::Subscribers;
use sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use sync::{Mutex, MutexGuard};
use upstream::Upstream;

/// The bounds on what a hub keeps.
#[derive(Clone, Copy, Debug)]
pub struct HubConfig {
    /// Memory in bytes that is kept for late joiners.
    pub history: usize,
    /// The age of the oldest event that a client may still have to take. At the limit it skips
    /// ahead.
    pub max_behind: Duration,
}

/// The place where a subscriber begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the next event.
    Live,
    /// With the last so many items, as far as history reaches.
    Last(StreamItem, u64),
    /// Exactly after this line or byte; what history no longer has counts as missed.
    After(Unit, u64),
    /// The same after this line and this byte.
    AfterPlace(Position),
}

/// The fan-out of one port.
pub struct Hub {
    history: Mutex<History>,
    /// The index of the next event.
    head: AtomicU64,
    /// The run of another serial-ws that is counted here, if one is.
    upstream: Upstream,
    subscribers: Mutex<Subscribers>,
    backpressure: Backpressure,
    /// Told whenever a subscriber comes or goes.
    subscribers_changed: Notify,
    /// Told whenever the line settings change.
    settings_changed: Notify,
    /// The number of subscriptions that want [`Kind::Written`] events.
    wants_written: AtomicUsize,
    /// The number of subscriptions that want to know of the modem's inputs.
    wants_inputs: AtomicUsize,
    /// The number of clients that want the bytes as they are read.
    wants_bytes: AtomicUsize,
    /// The control of the recording that is the port's device.
    playback: OnceLock<Arc<PlaybackControl>>,
    /// The recording that runs.
    recording: Mutex<Option<RecordingStatus>>,
    /// The outputs.
    outputs: Mutex<Arc<[OutputStatus]>>,
    /// The requests of clients, on their way to the port.
    pub queue: Arc<RequestQueue>,
    /// Totals since the hub was made.
    pub counters: Counters,
    /// Times from reading the oldest of what a session sends in one go until its socket has it all.
    pub delays: Delays,
}

impl Hub {
    /// A hub without events whose port has `status`.
    pub fn new(limits: HubConfig, status: Status) -> Arc<Self> {
        let numbers = ClientNumbers::default();
        Self::with_request_limits(limits, RequestLimits::default(), numbers, status)
    }

    /// The same with other bounds on what clients ask of the port, and with numbers for them that the
    /// clients of other ports share.
    pub fn with_request_limits(
        limits: HubConfig,
        requests: RequestLimits,
        numbers: ClientNumbers,
        mut status: Status,
    ) -> Arc<Self> {
        let queue = RequestQueue::new(requests, numbers);
        status.writer = queue.writer().map(Box::new);
        Arc::new(Self {
            history: Mutex::new(History::new(limits, status)),
            head: AtomicU64::new(0),
            upstream: Upstream::default(),
            subscribers: Mutex::default(),
            backpressure: Backpressure::default(),
            subscribers_changed: Notify::new(),
            settings_changed: Notify::new(),
            wants_written: AtomicUsize::new(0),
            wants_inputs: AtomicUsize::new(0),
            wants_bytes: AtomicUsize::new(0),
            playback: OnceLock::new(),
            recording: Mutex::new(None),
            outputs: Mutex::default(),
            queue,
            counters: Counters::default(),
            delays: Delays::default(),
        })
    }

    /// Hands an event to all subscribers.
    pub fn publish(&self, at: Timestamp, kind: Kind) {
        self.push(self.history(), at, kind);
    }

    /// Appends an event to the stream, and wakes all subscribers once others can read it.
    fn push(&self, mut history: MutexGuard<'_, History>, at: Timestamp, kind: Kind) {
        history.push(at, kind);
        self.head.store(history.head(), Ordering::SeqCst);
        drop(history);
        self.subscribers().wake();
    }

    /// Publishes the port's status, unless it says the same as the last one.
    pub fn publish_status(&self, status: Status) {
        self.publish_changed(|_| status);
    }

    /// Publishes what becomes of the last status, with what only the hub knows, unless it says the same.
    fn publish_changed(&self, change: impl FnOnce(&Status) -> Status) {
        let history = self.history();
        let status = self.filled_in(change(&history.status));
        if history.status.says_the_same(&status) {
            return;
        }
        if history.status.settings != status.settings {
            self.settings_changed.notify_waiters();
        }
        self.push(history, Timestamp::now(), Kind::Status(status));
    }

    /// Returns a status with what only the hub knows.
    fn filled_in(&self, status: Status) -> Status {
        Status {
            writer: self.queue.writer().map(Box::new),
            playback: self.playback(),
            recording: self.recording().clone().map(Box::new),
            outputs: Arc::clone(&self.outputs()),
            ..status
        }
    }

    /// Publishes bytes that the system took for the device, if a subscriber wants to know.
    pub fn publish_written(&self, written: impl FnOnce() -> Written) {
        if self.wants_written.load(Ordering::Relaxed) > 0 {
            self.publish(Timestamp::now(), Kind::Written(written()));
        }
    }

    /// Returns whether a subscriber wants to know soon when the modem's inputs change.
    pub fn wants_inputs(&self) -> bool {
        self.wants_inputs.load(Ordering::Relaxed) > 0
    }

    /// Returns whether a client wants the bytes as they are read, text or not.
    pub fn wants_bytes(&self) -> bool {
        self.wants_bytes.load(Ordering::Relaxed) > 0
    }

    /// The port's status now.
    pub fn status(&self) -> Status {
        let mut status = self.history().status.clone();
        status.playback = self.playback();
        status
    }

    /// The place that the stream has reached.
    pub fn end(&self) -> Position {
        self.history().end
    }

    /// The number of clients.
    pub fn clients(&self) -> usize {
        self.subscribers().clients()
    }

    /// Waits until no client has been connected for `time`.
    pub async fn idle(&self, time: Duration) {
        loop {
            // Made before looking, so that no change in between is missed.
            let changed = self.subscribers_changed.notified();
            if self.clients() > 0 {
                changed.await;
            } else if tokio::time::timeout(time, changed).await.is_err() {
                return;
            }
        }
    }

    /// Waits until the line settings are others than these, and returns them. It is woken by nothing
    /// else.
    pub async fn settings_other_than(&self, known: &LineSettings) -> LineSettings {
        loop {
            // Made before looking, so that no change in between is missed.
            let changed = self.settings_changed.notified();
            let settings = self.status().settings;
            if settings != *known {
                return settings;
            }
            changed.await;
        }
    }

    /// Subscribes at `start`. A subscription never gets [`Kind::Written`] events unless it asks for
    /// them by [`Subscription::with_written`].
    pub fn subscribe(self: &Arc<Self>, kind: SubscriberKind, start: Start) -> Subscription {
        Subscription::new(self, kind, start)
    }

    /// The longest time for which reading the device may pause now for the sake of its subscribers;
    /// None where it goes on at once.
    pub fn read_pause(&self) -> Option<Duration> {
        let end = self.end().offset;
        let is_stalled = self.backpressure.is_stalled(end);
        let subscribers = self.subscribers();
        if is_stalled && subscribers.has_anyone_to_wait_for() {
            Some(MAX_STALL_PAUSE)
        } else {
            let has_slow = subscribers.has_anyone_fallen_behind(end);
            has_slow.then_some(MAX_PAUSE)
        }
    }

    /// Waits until the reason for [`Hub::read_pause`] has gone, at the longest until `deadline`.
    /// Those who are still behind then are not waited for again. Cancelling the wait and waiting
    /// again does not prolong it.
    pub async fn wait_for_readers(&self, deadline: tokio::time::Instant) {
        let caught_up = tokio::time::timeout_at(deadline, self.caught_up()).await;
        if caught_up.is_err() {
            self.backpressure.give_up();
            let end = self.end().offset;
            self.subscribers().mark_slow(end);
        }
    }

    /// Waits until there is no reason for [`Hub::read_pause`].
    async fn caught_up(&self) {
        loop {
            // Made before looking, so that no progress in between is missed.
            let progress = self.backpressure.progress.notified();
            if self.read_pause().is_none() {
                return;
            }
            progress.await;
        }
    }

    fn recording(&self) -> MutexGuard<'_, Option<RecordingStatus>> {
        self.recording
            .lock()
            .expect("nothing panics while it holds the recording")
    }

    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers
            .lock()
            .expect("waking a task does not panic")
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history
            .lock()
            .expect("nothing panics while it holds the history")
    }
}

#[cfg(all(test, serial_ws_loom))]
mod loom_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod request_model_tests;
#[cfg(test)]
mod tests;
