//! A fake UART that sends at its rate and reports what waits, and what urgent writes and breaks do to
//! what clients write to it.

use std::collections::VecDeque;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{self, Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::device::Device;
use super::modem_lines::LineChange;
use super::source::{OpenFailure, OpenedDevice, Opening, Source};
use super::{PortConfig, Supervisor};
use crate::config::Config;
use crate::hub::{
    Action, ClientNumbers, DeviceInfo, DeviceQuestion, DeviceReply, Done, ErrorCode, Hub,
    HubConfig, Kind, MAX_REPLY_TIMEOUT, ModemInputs, Outcome, RequestError, RequestLimits,
    RequestSender, SettingsChange, Start, State, Status, SubscriberKind, Until,
};

/// The time of one byte at 9600 baud.
const BYTE_TIME: Duration = Duration::from_nanos(1_041_667);

/// Bytes that the driver takes.
const DRIVER_BYTES: usize = 4096;

/// The record of the device.
#[derive(Default)]
struct Wire {
    queue: VecDeque<u8>,
    /// The time at which the first byte of the queue will have been sent.
    next: Option<Instant>,
    /// The bytes that were sent.
    sent: Vec<u8>,
    is_stopped: bool,
    breaks: Vec<bool>,
    /// True if the device refuses breaks.
    has_no_break: bool,
    inputs: Option<ModemInputs>,
    /// The times that the inputs were asked for.
    asked: usize,
    /// The text of the device, to be read.
    said: VecDeque<u8>,
    reader: Option<Waker>,
}

type Shared = Arc<Mutex<Wire>>;

fn wire(shared: &Shared) -> MutexGuard<'_, Wire> {
    let mut wire = shared.lock().unwrap();
    let now = Instant::now();
    while let Some(next) = wire.next.filter(|next| *next <= now && !wire.is_stopped) {
        let byte = wire.queue.pop_front();
        wire.sent.extend(byte);
        wire.next = (!wire.queue.is_empty()).then_some(next + BYTE_TIME);
    }
    wire
}

struct Uart {
    wire: Shared,
    has_room: Pin<Box<Sleep>>,
}

impl AsyncRead for Uart {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = wire(&self.wire);
        if wire.said.is_empty() {
            wire.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        while buffer.remaining() > 0
            && let Some(byte) = wire.said.pop_front()
        {
            buffer.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Uart {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        task::ready!(self.has_room.as_mut().poll(cx));
        let mut wire = wire(&self.wire);
        let count = bytes.len().min(DRIVER_BYTES - wire.queue.len());
        if count == 0 {
            drop(wire);
            self.has_room.as_mut().reset(Instant::now() + BYTE_TIME);
            return self.poll_write(cx, bytes);
        }
        wire.queue.extend(&bytes[..count]);
        wire.next.get_or_insert_with(|| Instant::now() + BYTE_TIME);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a device is never flushed");
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a device is never shut down");
    }
}

impl Device for Uart {
    fn change_line(&mut self, change: LineChange) -> io::Result<()> {
        let mut wire = wire(&self.wire);
        if let LineChange::Break(on) = change {
            if wire.has_no_break {
                return Err(io::ErrorKind::Unsupported.into());
            }
            wire.breaks.push(on);
        }
        Ok(())
    }

    fn unsent(&self) -> Option<usize> {
        Some(wire(&self.wire).queue.len())
    }

    fn inputs(&mut self) -> Option<ModemInputs> {
        let mut wire = wire(&self.wire);
        wire.asked += 1;
        wire.inputs
    }

    fn discard_output(&mut self) {
        wire(&self.wire).queue.clear();
    }
}

struct UartSource(Shared);

impl Source for UartSource {
    fn open(&mut self) -> Opening<'_> {
        let opened: Result<_, OpenFailure> = Ok(OpenedDevice {
            device: Box::new(Uart {
                wire: Arc::clone(&self.0),
                has_room: Box::pin(sleep(Duration::ZERO)),
            }),
            info: DeviceInfo::default(),
            detail: |_, _| "open".to_owned(),
            starts_whole: true,
            gathers: false,
            has_rate: true,
            finds_rate: false,
            settle: Duration::ZERO,
        });
        Box::pin(ready(opened))
    }
}

/// A port on a fake UART, at work.
pub(super) struct Bench {
    pub(super) hub: Arc<Hub>,
    wire: Shared,
    _stop: tokio_util::sync::DropGuard,
}

/// One client of it.
pub(super) struct Client {
    pub(super) sender: RequestSender,
    pub(super) replies: futures::channel::mpsc::Receiver<(u64, Outcome)>,
}

impl Bench {
    async fn start() -> Self {
        Self::with_limits(RequestLimits::default()).await
    }

    async fn with_limits(requests: RequestLimits) -> Self {
        Self::on(Shared::default(), requests).await
    }

    async fn on(wire: Shared, requests: RequestLimits) -> Self {
        Self::with_settings("/dev/uart", wire, requests).await
    }

    /// A port with settings behind its device.
    pub(super) async fn with_port(port: &str) -> Self {
        Self::with_settings(port, Shared::default(), RequestLimits::default()).await
    }

    async fn with_settings(port: &str, wire: Shared, requests: RequestLimits) -> Self {
        let limits = HubConfig {
            history: 4 << 20,
            max_behind: Duration::from_secs(3600),
        };
        let status = Status::new(State::Waiting, "not open yet");
        let hub = Hub::with_request_limits(limits, requests, ClientNumbers::default(), status);
        let config = Config::from_args(["serial-ws", "--port", port]).unwrap();
        let config: PortConfig = config.ports.into_iter().next().unwrap().port;
        let stop = CancellationToken::new();
        let framer = config.frame.framer(config.max_line);
        let source = Box::new(UartSource(Arc::clone(&wire)));
        let port = Supervisor::with_parts(config, Arc::clone(&hub), source, framer);
        tokio::spawn(port.run(stop.clone()));
        while hub.status().state != State::Open {
            sleep(BYTE_TIME).await;
        }
        Self {
            hub,
            wire,
            _stop: stop.drop_guard(),
        }
    }

    pub(super) fn client(&self) -> Client {
        let (sender, replies) = self.hub.queue.register();
        Client { sender, replies }
    }

    pub(super) fn sent(&self) -> Vec<u8> {
        wire(&self.wire).sent.clone()
    }

    /// Has the device say something.
    pub(super) fn say(&self, text: &str) {
        let mut wire = wire(&self.wire);
        wire.said.extend(text.as_bytes());
        if let Some(reader) = wire.reader.take() {
            reader.wake();
        }
    }

    fn breaks(&self) -> Vec<bool> {
        wire(&self.wire).breaks.clone()
    }
}

impl Client {
    pub(super) fn ask(&mut self, action: Action) -> u64 {
        self.sender.try_send(action).unwrap()
    }

    fn write(&mut self, byte: u8, count: usize) -> u64 {
        self.ask(Action::Write(vec![byte; count].into()))
    }

    pub(super) fn urge(&mut self, text: &'static str) -> u64 {
        self.ask(Action::WriteUrgently(Bytes::from_static(text.as_bytes())))
    }

    /// Asks for a line, as long as one may.
    pub(super) fn question(&mut self, text: &'static str) -> u64 {
        self.ask(Action::Ask(DeviceQuestion {
            bytes: text.into(),
            until: Until::Lines(1),
            timeout: MAX_REPLY_TIMEOUT,
            is_text: true,
        }))
    }

    async fn refusal(&mut self) -> RequestError {
        self.outcome().await.1.unwrap_err()
    }

    pub(super) async fn outcome(&mut self) -> (u64, Outcome) {
        let reply = timeout(Duration::from_secs(600), self.replies.recv()).await;
        reply.expect("every request is answered").unwrap()
    }
}

fn place(sent: &[u8], byte: u8) -> usize {
    let place = sent.iter().position(|other| *other == byte);
    place.expect("it was sent")
}

/// Checks that no more than 50 ms of the line went out before the urgent byte.
#[track_caller]
fn check_urgent(sent: &[u8]) {
    let before = place(sent, b'!');
    assert!(before <= 49, "{before} bytes before");
}

#[tokio::test(start_paused = true)]
async fn an_urgent_byte_waits_for_50_ms_of_the_line_within_a_long_message() {
    let bench = Bench::start().await;
    let (mut busy, mut panel) = (bench.client(), bench.client());
    busy.write(b'x', 60_000);
    for _ in 0..5 {
        sleep(Duration::from_millis(1234)).await;
        let (before, asked) = (bench.sent().len(), Instant::now());
        panel.urge("!");
        assert!(panel.outcome().await.1.is_ok());
        sleep(Duration::from_millis(100)).await;
        let new = bench.sent().split_off(before);
        check_urgent(&new);
        assert!(asked.elapsed() < Duration::from_millis(200));
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_message_keeps_the_line_busy() {
    let bench = Bench::start().await;
    let mut client = bench.client();
    let start = Instant::now();
    client.write(b'x', 9600);
    assert_eq!(client.outcome().await.1, Ok(Done::Written(9600)));
    let took = start.elapsed();
    assert!(took < Duration::from_millis(10_050), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_interrupted_is_whole_and_acknowledged() {
    let bench = Bench::start().await;
    let (mut busy, mut panel) = (bench.client(), bench.client());
    let first = busy.write(b'a', 2000);
    let second = busy.write(b'b', 2000);
    sleep(Duration::from_millis(100)).await;
    for text in ["1", "2", "3"] {
        panel.urge(text);
    }
    let own = busy.urge("4");
    assert_eq!(busy.outcome().await, (own, Ok(Done::Written(1))));
    assert_eq!(busy.outcome().await, (first, Ok(Done::Written(2000))));
    assert_eq!(busy.outcome().await, (second, Ok(Done::Written(2000))));
    sleep(Duration::from_secs(1)).await;
    let (urgent, rest): (Vec<u8>, Vec<u8>) =
        bench.sent().iter().partition(|byte| byte.is_ascii_digit());
    assert_eq!(urgent, b"1234");
    assert_eq!(rest, [[b'a'; 2000], [b'b'; 2000]].concat());
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_told_in_the_order_in_which_it_was_sent() {
    let bench = Bench::start().await;
    let listener = bench.hub.subscribe(SubscriberKind::Client, Start::Live);
    let mut listener = listener.with_written();
    let (mut busy, mut panel) = (bench.client(), bench.client());
    busy.write(b'x', 5000);
    for _ in 0..3 {
        sleep(Duration::from_millis(777)).await;
        panel.urge("!?");
    }
    assert!(busy.outcome().await.1.is_ok());
    sleep(Duration::from_secs(1)).await;
    let mut taken = Vec::new();
    while !listener.is_up_to_date() {
        listener.take(&mut taken);
    }
    let written = taken.iter().filter_map(|taken| match &taken.event.kind {
        Kind::Written(written) => Some(written.bytes.clone()),
        _ => None,
    });
    let written: Vec<Bytes> = written.collect();
    assert_eq!(written.concat(), bench.sent());
    assert!(written.len() < 20, "{} events", written.len());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_device_gets_the_urgent_byte_first_when_it_goes_on() {
    let bench = Bench::start().await;
    let (mut busy, mut panel) = (bench.client(), bench.client());
    busy.write(b'x', 10_000);
    sleep(Duration::from_millis(100)).await;
    let before = bench.sent().len();
    wire(&bench.wire).is_stopped = true;
    sleep(Duration::from_secs(60)).await;
    panel.urge("!");
    sleep(Duration::from_secs(60)).await;
    assert!(bench.sent().len() <= before + 1);
    {
        let mut wire = bench.wire.lock().unwrap();
        (wire.is_stopped, wire.next) = (false, Some(Instant::now()));
    }
    sleep(Duration::from_millis(100)).await;
    let new = bench.sent().split_off(before);
    check_urgent(&new);
}

#[tokio::test(start_paused = true)]
async fn urgent_writes_are_few_and_leave_room_for_a_reset() {
    let bench = Bench::start().await;
    wire(&bench.wire).is_stopped = true;
    let mut client = bench.client();
    while client.sender.try_send(Action::Write("x".into())).is_ok() {}
    let urgent = (0..).take_while(|_| {
        client
            .sender
            .try_send(Action::WriteUrgently("!".into()))
            .is_ok()
    });
    assert_eq!(urgent.count(), 64);
    let long = Action::WriteUrgently(vec![0; 257].into());
    assert!(client.sender.try_send(long).is_err());
    let reset = client.ask(Action::Reset);
    while client.outcome().await != (reset, Ok(Done::Written(0))) {}
    assert!(
        client
            .sender
            .try_send(Action::WriteUrgently("!".into()))
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_over_its_rate_leaves_the_line_to_others() {
    let limits = RequestLimits {
        max_write_rate: 100,
        ..RequestLimits::default()
    };
    let bench = Bench::with_limits(limits).await;
    let (mut busy, mut calm) = (bench.client(), bench.client());
    for _ in 0..100 {
        busy.write(b'x', 50);
    }
    sleep(Duration::from_secs(10)).await;
    calm.write(b'c', 1);
    assert_eq!(calm.outcome().await.1, Ok(Done::Written(1)));
    busy.urge("!");
    sleep(Duration::from_secs(1)).await;
    let sent = bench.sent();
    let written = sent.iter().filter(|byte| **byte == b'x').count();
    assert!((1100..=1250).contains(&written), "{written} bytes in 11 s");
    assert!(sent.contains(&b'c') && sent.contains(&b'!'));
}

#[tokio::test(start_paused = true)]
async fn a_break_lasts_until_its_client_ends_it_and_others_wait() {
    let bench = Bench::start().await;
    let (mut holder, mut other) = (bench.client(), bench.client());
    holder.ask(Action::HoldBreak(true));
    assert_eq!(holder.outcome().await.1, Ok(Done::Written(0)));
    other.write(b'x', 1);
    other.urge("!");
    holder.write(b'y', 1);
    assert!(
        holder
            .outcome()
            .await
            .1
            .unwrap_err()
            .reason
            .contains("break")
    );
    sleep(Duration::from_secs(60)).await;
    assert_eq!((bench.breaks(), bench.sent()), (vec![true], vec![]));
    holder.ask(Action::HoldBreak(false));
    assert_eq!(holder.outcome().await.1, Ok(Done::Written(0)));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.breaks(), [true, false]);
    assert_eq!(bench.sent(), b"!x");
}

#[tokio::test(start_paused = true)]
async fn a_break_ends_when_its_client_leaves_or_the_board_is_reset() {
    let bench = Bench::start().await;
    let mut holder = bench.client();
    holder.ask(Action::HoldBreak(true));
    assert!(holder.outcome().await.1.is_ok());
    drop(holder);
    sleep(BYTE_TIME).await;
    assert_eq!(bench.breaks(), [true, false]);

    let (mut holder, mut other) = (bench.client(), bench.client());
    holder.ask(Action::HoldBreak(true));
    assert!(holder.outcome().await.1.is_ok());
    other.ask(Action::Reset);
    assert_eq!(other.outcome().await.1, Ok(Done::Written(0)));
    assert_eq!(bench.breaks(), [true, false, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_break_that_has_not_begun_never_begins_when_its_client_has_left() {
    let bench = Bench::start().await;
    let (mut holder, mut other) = (bench.client(), bench.client());
    holder.write(b'x', 1000);
    holder.ask(Action::HoldBreak(true));
    sleep(Duration::from_millis(100)).await;
    drop(holder);
    other.write(b'o', 1);
    assert_eq!(other.outcome().await.1, Ok(Done::Written(1)));
    assert_eq!(bench.breaks(), Vec::<bool>::new());
}

#[tokio::test(start_paused = true)]
async fn a_device_without_breaks_says_so_and_is_not_held() {
    let bench = Bench::start().await;
    wire(&bench.wire).has_no_break = true;
    let mut client = bench.client();
    client.ask(Action::HoldBreak(true));
    assert!(client.outcome().await.1.is_err());
    client.write(b'x', 1);
    assert_eq!(client.outcome().await.1, Ok(Done::Written(1)));
}

#[tokio::test(start_paused = true)]
async fn a_break_of_less_than_the_timer_can_tell_is_done_at_once() {
    let bench = Bench::start().await;
    let mut client = bench.client();
    let start = Instant::now();
    client.ask(Action::Break(Duration::from_micros(100)));
    assert_eq!(client.outcome().await.1, Ok(Done::Written(0)));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(bench.breaks(), [true, false]);
}

fn with_inputs() -> Shared {
    let shared = Shared::default();
    wire(&shared).inputs = Some(ModemInputs::default());
    shared
}

#[tokio::test(start_paused = true)]
async fn inputs_are_told_soon_to_who_wants_them() {
    let bench = Bench::on(with_inputs(), RequestLimits::default()).await;
    let listener = bench.hub.subscribe(SubscriberKind::Client, Start::Live);
    let mut listener = listener.with_inputs();
    sleep(Duration::from_secs(1)).await;
    for cts in [true, false, true] {
        let inputs = ModemInputs {
            cts,
            ..ModemInputs::default()
        };
        wire(&bench.wire).inputs = Some(inputs);
        sleep(Duration::from_millis(50)).await;
        assert_eq!(bench.hub.status().inputs, Some(inputs));
    }
    let mut taken = Vec::new();
    while !listener.is_up_to_date() {
        listener.take(&mut taken);
    }
    assert_eq!(taken.len(), 3, "each change is one status");
}

#[tokio::test(start_paused = true)]
async fn inputs_are_looked_at_once_a_second_while_nobody_wants_them() {
    let bench = Bench::on(with_inputs(), RequestLimits::default()).await;
    let asked = wire(&bench.wire).asked;
    sleep(Duration::from_millis(10_500)).await;
    assert_eq!(wire(&bench.wire).asked - asked, 10);
}

#[tokio::test(start_paused = true)]
async fn a_device_without_inputs_is_not_asked_for_them_again() {
    let bench = Bench::start().await;
    let listener = bench.hub.subscribe(SubscriberKind::Client, Start::Live);
    let _listener = listener.with_inputs();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(wire(&bench.wire).asked, 1);
    assert_eq!(bench.hub.status().inputs, None);
}

fn replied(text: &'static str) -> Outcome {
    let (bytes, is_text) = (text.into(), true);
    Ok(Done::Replied(DeviceReply { bytes, is_text }))
}

#[tokio::test(start_paused = true)]
async fn a_reset_ends_a_question_and_those_that_wait() {
    let bench = Bench::start().await;
    let (mut asker, mut other) = (bench.client(), bench.client());
    asker.question("1\n");
    asker.question("2\n");
    sleep(Duration::from_millis(50)).await;
    other.ask(Action::Reset);
    assert_eq!(other.outcome().await.1, Ok(Done::Written(0)));
    let reason = "the board was reset before the reply came";
    assert_eq!(asker.refusal().await.reason, reason);
    let reason = "the board was reset before this could be written";
    assert_eq!(asker.refusal().await.reason, reason);
    // The board that runs now is asked anew, and what it says by itself is no reply.
    bench.say("ready\nset\n");
    asker.question("3\n");
    sleep(Duration::from_secs(1)).await;
    bench.say("three\n");
    assert_eq!(asker.outcome().await.1, replied("three"));
    assert_eq!(bench.sent(), b"1\n3\n");
}

#[tokio::test(start_paused = true)]
async fn another_rate_ends_a_question_and_other_changes_do_not() {
    let bench = Bench::start().await;
    let (mut asker, mut other) = (bench.client(), bench.client());
    asker.question("1\n");
    sleep(Duration::from_millis(50)).await;
    let dtr = SettingsChange {
        dtr: Some(false),
        ..SettingsChange::default()
    };
    other.ask(Action::Settings(dtr));
    assert_eq!(other.outcome().await.1, Ok(Done::Written(0)));
    bench.say("one\n");
    assert_eq!(asker.outcome().await.1, replied("one"));
    asker.question("2\n");
    sleep(Duration::from_millis(50)).await;
    let baud = SettingsChange {
        baud: Some(115_200.into()),
        ..SettingsChange::default()
    };
    other.ask(Action::Settings(baud));
    assert_eq!(other.outcome().await.1, Ok(Done::Written(0)));
    let reason = "the settings were changed before the reply came";
    assert_eq!(asker.refusal().await.reason, reason);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_settings_by_who_asks_waits_for_the_reply() {
    let bench = Bench::start().await;
    let mut asker = bench.client();
    let question = asker.question("1\n");
    let settings = asker.ask(Action::Settings(SettingsChange {
        baud: Some(115_200.into()),
        ..SettingsChange::default()
    }));
    sleep(Duration::from_secs(1)).await;
    bench.say("one\n");
    assert_eq!(asker.outcome().await, (question, replied("one")));
    assert_eq!(asker.outcome().await, (settings, Ok(Done::Written(0))));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_takes_nothing_ends_a_question_in_time() {
    let bench = Bench::start().await;
    wire(&bench.wire).is_stopped = true;
    let mut asker = bench.client();
    let text: &'static str = "x".repeat(2 * DRIVER_BYTES).leak();
    let start = Instant::now();
    asker.question(text);
    let error = asker.refusal().await;
    assert_eq!(error.code, Some(ErrorCode::Timeout));
    assert!(error.written < text.len(), "{error:?}");
    let reason = format!(
        "the device did not take the question in time: it stopped after {} of {} bytes",
        error.written,
        text.len()
    );
    assert_eq!(error.reason, reason);
    assert_eq!(start.elapsed(), MAX_REPLY_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn the_replies_of_all_clients_are_told_apart_whatever_the_device_and_they_do() {
    let bench = Bench::start().await;
    let mut clients: Vec<_> = (0..4).map(|_| bench.client()).collect();
    for turn in 0..200_usize {
        let client = &mut clients[turn * 7 % 4];
        client.question(["a\n", "b\n", "c\n"][turn % 3]);
        sleep(Duration::from_millis(20)).await;
        // Nothing, half a line, a line, two lines.
        let said = ["", "ha", "yes\n", "yes\nno\n"][turn * 5 % 4];
        bench.say(said);
        sleep(Duration::from_millis(1)).await;
        let outcome = timeout(Duration::ZERO, client.replies.recv()).await;
        assert_eq!(outcome.is_ok(), said.contains('\n'), "{turn}: {said:?}");
        match outcome {
            Ok(Ok((_, outcome))) => assert_eq!(outcome, replied("yes")),
            Ok(Err(_)) => panic!("the port is there"),
            // It leaves, and what is late belongs to nobody.
            Err(_) => {
                *client = bench.client();
                sleep(Duration::from_millis(1)).await;
                bench.say("\nlate\n");
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
