//! Fault injection: a device fails once, in each way that devices fail and at each of its calls,
//! while clients write and read. What reached it must agree with what clients were told.

use std::collections::BTreeMap;
use std::future::ready;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{self, Context, Poll};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::device::Device;
use super::framing::Framer;
use super::modem_lines::LineChange;
use super::source::{OpenFailure, OpenedDevice, Opening, Source};
use super::{Closed, PortConfig, Supervisor};
use crate::config::Config;
use crate::hub::{
    Action, Data, DeviceInfo, Done, Extent, Frames, Hub, HubConfig, Kind, Lease, LineErrors,
    Outcome, Piece, RequestError, RequestSender, Start, State, Status, SubscriberKind,
    Subscription,
};

/// The time between two lines of the device.
const LINE_INTERVAL: Duration = Duration::from_millis(7);

/// The bytes that the device takes at once, and the time between two such times.
const TAKE_BYTES: usize = 16;
const TAKE_INTERVAL: Duration = Duration::from_millis(3);

/// Bytes of each write of a client.
const WRITE_BYTES: usize = 30;

/// The time for which a device stalls, longer than any timeout.
const STALL_TIME: Duration = Duration::from_secs(60);

/// The most calls that a run may take. With more, the port would be spinning.
const MAX_CALLS: usize = 2000;

/// A way in which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Short,
    Stall,
    Passing(ErrorKind),
    End,
    /// By the number of the system's error: EIO, ENODEV.
    Loss(i32),
}

const FAULTS: [Fault; 7] = [
    Fault::Short,
    Fault::Stall,
    Fault::Passing(ErrorKind::Interrupted),
    Fault::Passing(ErrorKind::WouldBlock),
    Fault::End,
    Fault::Loss(5),
    Fault::Loss(19),
];

/// The record of the device over all its openings.
#[derive(Default)]
struct World {
    calls: usize,
    openings: usize,
    attempts: usize,
    /// All that was handed to the port.
    sent: Vec<u8>,
    /// All that was taken from the port.
    taken: Vec<u8>,
    has_struck: bool,
    /// The changes of the break condition.
    breaks: Vec<bool>,
    /// The bytes that the port had written when it discarded its output.
    discarded_at: Option<usize>,
    /// True if the driver counts a framing error with every line.
    counts_errors: bool,
    /// The number of questions for them.
    asked: usize,
    /// True if the fault struck reading or writing, not a modem line.
    has_lost: bool,
}

type Shared = Arc<Mutex<World>>;

fn world(shared: &Shared) -> MutexGuard<'_, World> {
    shared.lock().unwrap()
}

/// A device as it was opened once.
struct Faulty {
    world: Shared,
    fault: Fault,
    at: usize,
    is_dead: bool,
    /// The rest of the current line, to be sent.
    saying: Vec<u8>,
    speaks: Pin<Box<Sleep>>,
    takes: Pin<Box<Sleep>>,
}

impl Faulty {
    fn new(world: &Shared, fault: Fault, at: usize) -> Self {
        Self {
            world: Arc::clone(world),
            fault,
            at,
            is_dead: false,
            saying: Vec::new(),
            speaks: Box::pin(sleep(LINE_INTERVAL)),
            takes: Box::pin(sleep(Duration::ZERO)),
        }
    }

    /// Counts a call, and returns its fault.
    fn call(&self) -> Fault {
        let mut world = world(&self.world);
        world.calls += 1;
        assert!(world.calls < MAX_CALLS, "the port spins");
        if world.calls != self.at {
            return Fault::None;
        }
        world.has_struck = true;
        self.fault
    }

    /// Counts a read or write, whose fault may end the device. Returns how many bytes may go.
    fn transfer(&mut self) -> io::Result<Option<usize>> {
        let fault = self.call();
        match fault {
            Fault::None => return Ok(Some(usize::MAX)),
            Fault::Short => return Ok(Some(1)),
            Fault::Stall => {
                self.speaks.as_mut().reset(Instant::now() + STALL_TIME);
                self.takes.as_mut().reset(Instant::now() + STALL_TIME);
                return Ok(Some(usize::MAX));
            }
            Fault::Passing(kind) => return Err(kind.into()),
            Fault::End | Fault::Loss(_) => {}
        }
        self.is_dead = true;
        world(&self.world).has_lost = true;
        match fault {
            Fault::Loss(number) => Err(io::Error::from_raw_os_error(number)),
            _ => Ok(None),
        }
    }

    fn line(&self) -> io::Result<()> {
        match self.call() {
            Fault::Passing(kind) => Err(kind.into()),
            Fault::Loss(number) => Err(io::Error::from_raw_os_error(number)),
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_dead {
            return Poll::Ready(Ok(()));
        }
        let Some(most) = self.transfer()? else {
            return Poll::Ready(Ok(()));
        };
        if self.saying.is_empty() {
            task::ready!(self.speaks.as_mut().poll(cx));
            self.speaks.as_mut().reset(Instant::now() + LINE_INTERVAL);
            let number = world(&self.world).sent.len();
            self.saying = format!("at {number}\n").into();
        }
        let count = self.saying.len().min(most);
        let said: Vec<u8> = self.saying.drain(..count).collect();
        world(&self.world).sent.extend(&said);
        buf.put_slice(&said);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_dead {
            return Poll::Ready(Err(io::Error::from_raw_os_error(5)));
        }
        let Some(most) = self.transfer()? else {
            return Poll::Ready(Ok(0));
        };
        task::ready!(self.takes.as_mut().poll(cx));
        let count = buf.len().min(most).min(TAKE_BYTES);
        world(&self.world).taken.extend(&buf[..count]);
        self.takes.as_mut().reset(Instant::now() + TAKE_INTERVAL);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a device is never flushed");
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a device is never shut down");
    }
}

impl Device for Faulty {
    fn change_line(&mut self, change: LineChange) -> io::Result<()> {
        if let LineChange::Break(on) = change {
            world(&self.world).breaks.push(on);
        }
        self.line()
    }

    fn discard_output(&mut self) {
        let mut world = world(&self.world);
        world.discarded_at = Some(world.taken.len());
    }

    fn line_errors(&self) -> Option<LineErrors> {
        let mut world = world(&self.world);
        world.asked += 1;
        // The driver had counted some before.
        let framing = 7 + world.sent.iter().filter(|&&byte| byte == b'\n').count() as u32;
        world.counts_errors.then_some(LineErrors {
            framing,
            ..LineErrors::default()
        })
    }
}

/// Opens the device; after a loss only when it was absent and then denied for a while.
struct FaultySource {
    world: Shared,
    fault: Fault,
    at: usize,
}

impl FaultySource {
    fn open_now(&self) -> Result<OpenedDevice, OpenFailure> {
        let mut world = world(&self.world);
        world.attempts += 1;
        let fail = |state, is_absent| {
            Err(OpenFailure {
                status: Box::new(Status::new(state, "not now")),
                is_permanent: false,
                refuses_settings: false,
                is_absent,
                explains_loss: false,
                is_ambiguous: false,
                is_recorded: false,
            })
        };
        match world.attempts {
            2 => return fail(State::Waiting, true),
            3 => return fail(State::Denied, false),
            _ => world.openings += 1,
        }
        Ok(OpenedDevice {
            device: Box::new(Faulty::new(&self.world, self.fault, self.at)),
            info: DeviceInfo::default(),
            detail: |_, _| "open".to_owned(),
            starts_whole: true,
            gathers: false,
            has_rate: true,
            finds_rate: false,
            settle: Duration::from_millis(20),
        })
    }
}

impl Source for FaultySource {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(ready(self.open_now()))
    }
}

/// A client that writes distinct letters, several at a time, and goes on when the port is open
/// again.
struct Writer {
    hub: Arc<Hub>,
    sender: RequestSender,
    replies: futures::channel::mpsc::Receiver<(u64, Outcome)>,
    letters: std::ops::RangeInclusive<u8>,
    /// The outcome of each write.
    outcomes: BTreeMap<u8, Outcome>,
}

impl Writer {
    fn new(hub: &Arc<Hub>, letters: std::ops::RangeInclusive<u8>) -> Self {
        let (sender, replies) = hub.queue.register();
        let hub = Arc::clone(hub);
        let outcomes = BTreeMap::new();
        Self {
            hub,
            sender,
            replies,
            letters,
            outcomes,
        }
    }

    /// Writes the next `count` letters at once, and returns whether all arrived.
    async fn write(&mut self, count: usize) -> bool {
        while self.hub.status().state != State::Open {
            sleep(Duration::from_millis(1)).await;
        }
        let letters: Vec<u8> = self.letters.by_ref().take(count).collect();
        for &letter in &letters {
            let bytes = Bytes::from(vec![letter; WRITE_BYTES]);
            self.sender.try_send(Action::Write(bytes)).unwrap();
        }
        for &letter in &letters {
            let (_, outcome) = self.replies.recv().await.unwrap();
            self.outcomes.insert(letter, outcome);
        }
        letters.iter().all(|letter| self.outcomes[letter].is_ok())
    }

    async fn run(mut self) -> BTreeMap<u8, Outcome> {
        for _ in 0..2 {
            self.write(3).await;
        }
        for attempt in 0.. {
            if self.write(1).await {
                break;
            }
            assert!(attempt < 2, "the port does not recover");
        }
        self.outcomes
    }
}

/// A client that works the modem lines; each request is answered, one way or the other.
async fn signaller(hub: Arc<Hub>) {
    let (mut sender, mut replies) = hub.queue.register();
    let signals = Action::Signals {
        dtr: Some(true),
        rts: Some(false),
    };
    for action in [
        signals,
        Action::Reset,
        Action::Break(Duration::from_millis(9)),
    ] {
        sleep(Duration::from_millis(30)).await;
        sender.try_send(action).unwrap();
        // Done or refused, as long as there is an answer.
        let _outcome = replies.recv().await.unwrap();
    }
}

/// A port on such a device, at work.
struct Bench {
    hub: Arc<Hub>,
    listener: Subscription,
    stop: CancellationToken,
    port: tokio::task::JoinHandle<Result<Closed>>,
}

fn start(config: &PortConfig, shared: &Shared, fault: Fault, at: usize) -> Bench {
    let framer = config.frame.framer(config.max_line);
    start_with(framer, config, shared, fault, at)
}

fn start_with(
    framer: Box<dyn Framer>,
    config: &PortConfig,
    shared: &Shared,
    fault: Fault,
    at: usize,
) -> Bench {
    let limits = HubConfig {
        history: 1 << 20,
        max_behind: Duration::from_secs(3600),
    };
    let hub = Hub::new(limits, Status::new(State::Waiting, "not open yet"));
    let source = Box::new(FaultySource {
        world: Arc::clone(shared),
        fault,
        at,
    });
    let port = Supervisor::with_parts(config.clone(), Arc::clone(&hub), source, framer);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    Bench {
        listener: hub
            .subscribe(SubscriberKind::Client, Start::Live)
            .with_written(),
        hub,
        stop,
        port: tokio::spawn(port.run(stopped)),
    }
}

/// Runs the scenario, and returns how many calls it took.
async fn run(config: &PortConfig, fault: Fault, at: usize) -> usize {
    let shared = Shared::default();
    let Bench {
        hub,
        mut listener,
        stop,
        port,
    } = start(config, &shared, fault, at);
    let writers = async {
        let writers = [b'A'..=b'Z', b'a'..=b'z'].map(|letters| Writer::new(&hub, letters).run());
        let (writers, ()) = tokio::join!(
            futures::future::join_all(writers),
            signaller(Arc::clone(&hub))
        );
        writers.into_iter().flatten().collect()
    };
    let outcomes = tokio::time::timeout(2 * STALL_TIME, writers).await;
    let outcomes: BTreeMap<u8, Outcome> = outcomes.expect("every request is answered");
    let ended = hub.end().offset;
    while hub.end().offset < ended + 20 || hub.status().state != State::Open {
        sleep(LINE_INTERVAL).await;
    }
    let has_lost = world(&shared).has_lost;
    stop.cancel();
    let closed = tokio::time::timeout(Duration::from_secs(2), port).await;
    assert_eq!(closed.unwrap().unwrap().unwrap(), Closed::Free);
    let world = world(&shared);
    check_writes(&world, &outcomes);
    check_events(&world, &mut listener, has_lost);
    if !world.has_lost {
        let mut refused = outcomes
            .values()
            .filter_map(|outcome| outcome.as_ref().err());
        let lost = refused.find(|refusal| !refusal.reason.contains("reset"));
        assert_eq!(lost, None, "nothing was lost");
    }
    world.calls
}

/// What the device took is what clients were told, each write in one piece and once.
fn check_writes(world: &World, outcomes: &BTreeMap<u8, Outcome>) {
    let mut taken = BTreeMap::new();
    for run in world.taken.chunk_by(|a, b| a == b) {
        let again = taken.insert(run[0], run.len());
        assert_eq!(again, None, "a write came in two pieces, or twice");
    }
    for (letter, outcome) in outcomes {
        let count = match outcome {
            Ok(done) => {
                assert_eq!(*done, Done::Written(WRITE_BYTES));
                WRITE_BYTES
            }
            Err(refusal) => refusal.written,
        };
        let letter_taken = taken.remove(letter).unwrap_or_default();
        assert_eq!(letter_taken, count, "{} {outcome:?}", *letter as char);
    }
    assert_eq!(taken, BTreeMap::new(), "nobody wrote that");
}

/// Everything that was read or written was published, once and in order, and statuses tell what
/// happened.
fn check_events(world: &World, listener: &mut Subscription, has_lost: bool) {
    let (mut bytes, mut written) = (Vec::new(), Vec::new());
    let (mut states, mut taken) = (Vec::new(), Vec::new());
    while !listener.is_up_to_date() {
        assert_eq!(listener.take(&mut taken), None, "nothing is missed");
    }
    for taken in taken {
        match &taken.event.kind {
            Kind::Data(data) => bytes.extend_from_slice(&data.chunk),
            Kind::Status(status) => states.push(status.state),
            Kind::Written(part) => written.extend_from_slice(&part.bytes),
            Kind::Note(_) => {}
        }
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&bytes), text(&world.sent));
    assert_eq!(text(&written), text(&world.taken));
    // A loss while the port is being closed may be noticed or not.
    if world.has_lost && !has_lost {
        states.truncate(1);
    }
    let expected: &[State] = if has_lost {
        &[State::Open, State::Lost, State::Open]
    } else {
        &[State::Open]
    };
    assert_eq!(states, expected);
    assert_eq!(world.openings, expected.len().div_ceil(2));
}

fn config() -> PortConfig {
    let arguments = ["serial-ws", "--port", "/dev/faulty"];
    let config = Config::from_args(arguments).unwrap();
    config.ports.into_iter().next().unwrap().port
}

#[tokio::test(start_paused = true)]
async fn no_fault_at_any_call_loses_or_doubles_anything_unsaid() {
    let config = &config();
    let calls = run(config, Fault::None, 0).await;
    println!("{calls} calls");
    assert!((150..MAX_CALLS / 6).contains(&calls), "{calls} calls");
    for fault in FAULTS {
        for at in 1..=calls {
            let run = std::panic::AssertUnwindSafe(run(config, fault, at));
            if let Err(panic) = futures::FutureExt::catch_unwind(run).await {
                println!("with {fault:?} at call {at} of {calls}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn errors_on_the_line_are_told_at_most_once_a_second() {
    let shared = Shared::default();
    world(&shared).counts_errors = true;
    let mut bench = start(&config(), &shared, Fault::None, 0);
    sleep(Duration::from_millis(3500)).await;
    let told = framing_errors(&mut bench.listener);
    let (first, last) = (told[0], told[told.len() - 1]);
    assert!(
        told.len() == 4 && first == 0 && (300..500).contains(&last),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_errors_on_the_line_are_told_when_the_device_falls_silent() {
    let shared = Shared::default();
    world(&shared).counts_errors = true;
    let mut bench = start(&config(), &shared, Fault::Stall, 20);
    sleep(STALL_TIME / 2).await;
    let world = world(&shared);
    let lines = world.sent.split_inclusive(|&byte| byte == b'\n').count() as u32;
    assert_eq!(framing_errors(&mut bench.listener), [0, lines]);
}

/// A framing in which silence ends a frame.
#[derive(Default)]
struct SilenceFramer(Vec<u8>);

impl Framer for SilenceFramer {
    fn begin(&mut self, _starts_whole: bool) {}

    fn push(&mut self, chunk: Bytes) -> Data {
        self.0.extend_from_slice(&chunk);
        Data {
            chunk,
            ..Data::default()
        }
    }

    fn has_begun(&self) -> bool {
        !self.0.is_empty()
    }

    fn deadline(&self, last_read: Instant) -> Option<Instant> {
        (!self.0.is_empty()).then(|| last_read + 3 * LINE_INTERVAL)
    }

    fn cut(&mut self) -> Option<Data> {
        None
    }

    fn on_silence(&mut self) -> Option<Data> {
        let frame = Bytes::from(std::mem::take(&mut self.0));
        let piece = Piece {
            start: 0,
            end: frame.len() as u32,
            extent: Extent::Whole,
            utf8: true,
        };
        let frames = Frames::new(frame, vec![piece]);
        Some(Data {
            frames,
            ..Data::default()
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_silence_ends_is_published_at_its_deadline() {
    let shared = Shared::default();
    let framer = Box::new(SilenceFramer::default());
    let mut bench = start_with(framer, &config(), &shared, Fault::Stall, 20);
    sleep(STALL_TIME / 2).await;
    let mut taken = Vec::new();
    while !bench.listener.is_up_to_date() {
        bench.listener.take(&mut taken);
    }
    let frames = taken.iter().filter_map(|taken| match &taken.event.kind {
        Kind::Data(data) => data.frames.iter().next().map(|frame| frame.bytes.to_vec()),
        Kind::Status(_) | Kind::Written(_) | Kind::Note(_) => None,
    });
    assert_eq!(frames.collect::<Vec<_>>(), [world(&shared).sent.clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_counts_no_errors_is_not_asked_for_them_again() {
    let shared = Shared::default();
    let _bench = start(&config(), &shared, Fault::None, 0);
    sleep(LINE_INTERVAL).await;
    let asked = world(&shared).asked;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world(&shared).asked, asked);
}

/// The framing errors that were told, one number for each status.
fn framing_errors(listener: &mut Subscription) -> Vec<u32> {
    let mut taken = Vec::new();
    while !listener.is_up_to_date() {
        listener.take(&mut taken);
    }
    let told = taken.iter().filter_map(|taken| match &taken.event.kind {
        Kind::Status(status) => Some(status.errors?.framing),
        Kind::Data(_) | Kind::Written(_) | Kind::Note(_) => None,
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_reset_does_not_reach_the_restarted_board() {
    let shared = Shared::default();
    let bench = start(&config(), &shared, Fault::None, 0);
    let (mut writer, mut other) = (bench.hub.queue.register(), bench.hub.queue.register());
    for _ in 0..2 {
        let bytes = Bytes::from(vec![b'A'; 10 * TAKE_BYTES]);
        writer.0.try_send(Action::Write(bytes)).unwrap();
    }
    while world(&shared).taken.is_empty() {
        sleep(TAKE_INTERVAL).await;
    }
    other.0.try_send(Action::Reset).unwrap();
    let mut refused = async || writer.1.recv().await.unwrap().1.unwrap_err();
    let (cut, unwritten) = (refused().await, refused().await);
    let written = cut.written;
    assert!(written > 0 && written < 10 * TAKE_BYTES, "{written}");
    let of = format!(
        "the board was reset after {written} of {} bytes",
        10 * TAKE_BYTES
    );
    assert_eq!(cut.reason, of);
    let whole = RequestError::new("the board was reset before this could be written");
    assert_eq!(unwritten, whole);
    assert_eq!(world(&shared).discarded_at, Some(written));

    // What is sent after it does, once the board has started.
    writer.0.try_send(Action::Write("B".into())).unwrap();
    assert_eq!(other.1.recv().await.unwrap().1, Ok(Done::Written(0)));
    assert_eq!(writer.1.recv().await.unwrap().1, Ok(Done::Written(1)));
    let taken = [vec![b'A'; written], b"B".to_vec()].concat();
    assert_eq!(world(&shared).taken, taken);
}

#[tokio::test(start_paused = true)]
async fn a_break_that_is_given_up_ends() {
    let long = Action::Break(STALL_TIME);
    for instead in [Action::Reset, Action::Release(Lease::For(STALL_TIME))] {
        let shared = Shared::default();
        let bench = start(&config(), &shared, Fault::None, 0);
        let (mut sender, mut replies) = bench.hub.queue.register();
        sender.try_send(long.clone()).unwrap();
        while world(&shared).breaks.is_empty() {
            sleep(LINE_INTERVAL).await;
        }
        sender.try_send(instead).unwrap();
        assert!(replies.recv().await.unwrap().1.is_err());
        assert_eq!(replies.recv().await.unwrap().1, Ok(Done::Written(0)));
        assert_eq!(world(&shared).breaks, [true, false]);
    }
}
