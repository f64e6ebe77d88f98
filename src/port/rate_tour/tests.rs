//! Ports that find the rate of boards on simulated lines, as their clients see it.

use std::collections::VecDeque;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::hub::{
    Action, BaudChange, DeviceInfo, Done, Extent, Hub, HubConfig, Kind, LineErrors, LineSettings,
    Outcome, SettingsChange, Start, State, Status, SubscriberKind, Subscription, Taken,
};
use crate::port::device::Device;
use crate::port::source::sim::{line, plug_in};
use crate::port::source::{OpenFailure, OpenedDevice, Opening, Source};
use crate::port::{PortConfig, Supervisor};

/// A board: what it says, and for how long it is plugged in.
#[derive(Clone)]
struct Board {
    serial: &'static str,
    baud: u32,
    says: Vec<u8>,
    period: Duration,
    lifetime: Duration,
    is_uart: bool,
    /// Returns true for the rates that its adapter takes.
    takes: fn(u32) -> bool,
}

impl Board {
    fn new(baud: u32, says: &[u8], period: u64) -> Self {
        Self {
            serial: "A",
            baud,
            says: says.to_vec(),
            period: Duration::from_millis(period),
            lifetime: Duration::from_secs(100_000),
            is_uart: true,
            takes: |_| true,
        }
    }
}

/// An adapter that takes some rates only.
struct Adapter {
    line: Box<dyn Device>,
    takes: fn(u32) -> bool,
}

impl AsyncRead for Adapter {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Adapter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.line).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a device is never flushed");
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a device is never shut down");
    }
}

impl Device for Adapter {
    fn configure(&mut self, settings: &LineSettings) -> io::Result<()> {
        if !(self.takes)(settings.baud) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.line.configure(settings)
    }

    fn has_input(&self) -> bool {
        self.line.has_input()
    }

    fn line_errors(&self) -> Option<LineErrors> {
        self.line.line_errors()
    }
}

/// The bytes that the board has received, with the time.
type Received = Arc<Mutex<Vec<(Instant, u8)>>>;

/// Plugs the boards in one after another; the last stays.
struct Boards {
    boards: VecDeque<Board>,
    settings: LineSettings,
    received: Received,
}

impl Source for Boards {
    fn open(&mut self) -> Opening<'_> {
        let board = match self.boards.len() {
            1 => self.boards.front().cloned(),
            _ => self.boards.pop_front(),
        }
        .unwrap();
        let (baud, serial, is_uart) = (board.baud, board.serial, board.is_uart);
        let takes = board.takes;
        let received = Arc::clone(&self.received);
        let board = plug_in(|line| run(board, line, received));
        let opened: Result<_, OpenFailure> = Ok(OpenedDevice {
            device: Box::new(Adapter {
                line: line(board, baud, self.settings),
                takes,
            }),
            info: DeviceInfo {
                path: "/dev/ttyUSB0".to_owned(),
                usb: Some(format!("usb:1a86:7523:{serial}")),
                ..DeviceInfo::default()
            },
            detail: |_, settings| format!("open ({})", settings.rate_for_people()),
            starts_whole: false,
            gathers: true,
            has_rate: true,
            finds_rate: is_uart,
            settle: Duration::ZERO,
        });
        Box::pin(ready(opened))
    }

    fn set_settings(&mut self, settings: LineSettings, _are_chosen: bool) {
        self.settings = settings;
    }
}

async fn run(board: Board, line: DuplexStream, received: Received) {
    let (mut receiver, mut sender) = tokio::io::split(line);
    let send = async {
        let mut rhythm = interval(board.period);
        loop {
            rhythm.tick().await;
            if sender.write_all(&board.says).await.is_err() {
                return;
            }
        }
    };
    let receive = async {
        while let Ok(byte) = receiver.read_u8().await {
            received.lock().unwrap().push((Instant::now(), byte));
        }
    };
    let both = async {
        tokio::select! {
            () = send => {}
            () = receive => {}
        }
    };
    let _ = timeout(board.lifetime, both).await;
}

/// A port at work.
struct Bench {
    hub: Arc<Hub>,
    received: Received,
    _stop: tokio_util::sync::DropGuard,
}

impl Bench {
    fn start(flags: &[&str], boards: &[Board]) -> Self {
        let limits = HubConfig {
            history: 4 << 20,
            max_behind: Duration::from_secs(3600),
        };
        let status = Status::new(State::Waiting, "not open yet");
        let hub = Hub::new(limits, status);
        let arguments = [&["serial-ws", "--port", "/dev/ttyUSB0"], flags].concat();
        let config = Config::from_args(arguments).unwrap();
        let config: PortConfig = config.ports.into_iter().next().unwrap().port;
        let framer = config.frame.framer(config.max_line);
        let received = Received::default();
        let source = Box::new(Boards {
            boards: boards.iter().cloned().collect(),
            settings: config.line,
            received: Arc::clone(&received),
        });
        let stop = CancellationToken::new();
        let port = Supervisor::with_parts(config, Arc::clone(&hub), source, framer);
        tokio::spawn(port.run(stop.clone()));
        Self {
            hub,
            received,
            _stop: stop.drop_guard(),
        }
    }

    fn settings(&self) -> LineSettings {
        self.hub.status().settings
    }

    fn subscribe(&self) -> Subscription {
        self.hub.subscribe(SubscriberKind::Client, Start::Live)
    }

    /// Waits until a rate is found, and returns it with the seconds that it took.
    async fn found(&self) -> (u32, f32) {
        let start = Instant::now();
        while !self.settings().baud_detected {
            assert!(start.elapsed() < Duration::from_secs(200), "nothing found");
            sleep(Duration::from_millis(10)).await;
        }
        (self.settings().baud, start.elapsed().as_secs_f32())
    }

    async fn ask(&self, action: Action) -> (Outcome, Duration) {
        let start = Instant::now();
        let (mut sender, mut replies) = self.hub.queue.register();
        sender.try_send(action).unwrap();
        let reply = timeout(Duration::from_secs(60), replies.recv()).await;
        (reply.unwrap().unwrap().1, start.elapsed())
    }
}

fn taken(subscription: &mut Subscription) -> Vec<Taken> {
    let mut taken = Vec::new();
    while !subscription.is_up_to_date() {
        subscription.take(&mut taken);
    }
    taken
}

/// The lines among them, and all bytes.
fn lines(subscription: &mut Subscription) -> (Vec<String>, usize) {
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for taken in taken(subscription) {
        if let Kind::Data(data) = &taken.event.kind {
            let whole = data.frames.iter().filter(|it| it.extent == Extent::Whole);
            lines.extend(whole.map(|it| String::from_utf8_lossy(it.bytes).into_owned()));
            bytes += data.chunk.len();
        }
    }
    (lines, bytes)
}

const LINE: &[u8] = b"T:21.5 H:47\r\n";

#[tokio::test(start_paused = true)]
async fn a_board_at_another_rate_is_found_and_only_its_lines_are_lines() {
    for baud in [4800, 57_600, 115_200, 250_000] {
        let bench = Bench::start(&[], &[Board::new(baud, LINE, 50)]);
        let mut client = bench.subscribe();
        let (found, seconds) = bench.found().await;
        assert_eq!(found, baud);
        assert!(seconds < 5.0, "{seconds} s");
        assert_eq!(
            bench.hub.status().detail,
            format!("open ({baud} baud, detected)")
        );
        sleep(Duration::from_secs(2)).await;
        let (lines, bytes) = lines(&mut client);
        assert!(lines.len() > 30, "{} lines", lines.len());
        assert!(lines.iter().all(|line| line == "T:21.5 H:47"), "{lines:?}");
        // What was read before went to those who want bytes.
        assert!(bytes > lines.len() * LINE.len(), "{bytes} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_at_the_first_rate_is_left_alone_and_known_to_be_right() {
    let bench = Bench::start(&[], &[Board::new(9600, LINE, 50)]);
    let mut client = bench.subscribe();
    assert_eq!(bench.found().await.0, 9600);
    sleep(Duration::from_secs(1)).await;
    let statuses = taken(&mut client);
    let mut details: Vec<String> = statuses
        .iter()
        .filter_map(|taken| match &taken.event.kind {
            Kind::Status(status) => Some(status.detail.clone()),
            _ => None,
        })
        .collect();
    details.dedup();
    assert_eq!(details, ["open (9600 baud)", "open (9600 baud, detected)"]);
}

#[tokio::test(start_paused = true)]
async fn five_boards_in_turn_are_each_found_and_at_once_the_second_time() {
    let board = |serial, baud| Board {
        serial,
        lifetime: Duration::from_secs(20),
        ..Board::new(baud, LINE, 50)
    };
    let boards = [
        board("A", 115_200),
        board("B", 57_600),
        board("C", 9600),
        board("D", 250_000),
        board("E", 19_200),
    ];
    let bench = Bench::start(&[], &[&boards[..], &boards[..]].concat());
    let mut client = bench.subscribe();
    sleep(Duration::from_secs(199)).await;
    let mut open = Vec::new();
    for taken in taken(&mut client) {
        if let Kind::Status(status) = &taken.event.kind
            && status.state == State::Open
            && open.last() != Some(&status.settings)
        {
            open.push(status.settings);
        }
    }
    let found: Vec<u32> = open
        .iter()
        .filter(|it| it.baud_detected)
        .map(|it| it.baud)
        .collect();
    let rates = boards.map(|board| board.baud);
    assert_eq!(found, [rates, rates].concat());
    // In the second turn, each begins with its own rate.
    let second = &open[open.len() - rates.len()..];
    assert!(second.iter().all(|it| it.baud_detected), "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_somebody_chose_is_kept() {
    let board = Board::new(57_600, LINE, 50);
    for flags in [&["--baud", "9600"][..], &["--raw"], &["-b", "19200"]] {
        let bench = Bench::start(flags, std::slice::from_ref(&board));
        sleep(Duration::from_secs(60)).await;
        let expected = if flags == ["-b", "19200"] {
            19_200
        } else {
            9600
        };
        let settings = bench.settings();
        assert_eq!((settings.baud, settings.baud_detected), (expected, false));
    }
    let fixed = Bench::start(&["--baud", "9600"], std::slice::from_ref(&board));
    sleep(Duration::from_secs(10)).await;
    let advice = fixed.hub.status().advice.expect("a hint advises");
    assert!(advice.baud.is_some() || advice.view.is_some(), "{advice:?}");

    let bench = Bench::start(&[], &[board]);
    sleep(Duration::from_millis(1)).await;
    let change = SettingsChange {
        baud: Some(4800.into()),
        ..SettingsChange::default()
    };
    assert_eq!(
        bench.ask(Action::Settings(change)).await.0,
        Ok(Done::Written(0))
    );
    sleep(Duration::from_secs(30)).await;
    let settings = bench.settings();
    assert_eq!((settings.baud, settings.baud_detected), (4800, false));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sets_the_rate_in_a_tour_ends_it() {
    // Bytes that are no text at any rate.
    let noise: Vec<u8> = (0..=255).map(|byte: u8| byte.wrapping_mul(89)).collect();
    let bench = Bench::start(&[], &[Board::new(9600, &noise, 300)]);
    sleep(Duration::from_secs(3)).await;
    for baud in [9600, 4800] {
        let change = SettingsChange {
            baud: Some(baud.into()),
            ..SettingsChange::default()
        };
        let (outcome, took) = bench.ask(Action::Settings(change)).await;
        assert_eq!(outcome, Ok(Done::Written(0)));
        assert!(took < Duration::from_secs(1), "{took:?}");
        sleep(Duration::from_secs(30)).await;
        let settings = bench.settings();
        assert_eq!((settings.baud, settings.baud_detected), (baud, false));
    }
}

fn of_rate(baud: BaudChange) -> Action {
    Action::Settings(SettingsChange {
        baud: Some(baud),
        ..SettingsChange::default()
    })
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_found_anew_when_a_client_asks_for_it() {
    let bench = Bench::start(&[], &[Board::new(57_600, LINE, 50)]);
    let origin = |it: &Bench| {
        let settings = it.settings();
        (settings.baud, settings.baud_auto, settings.baud_detected)
    };
    sleep(Duration::from_millis(1)).await;
    assert_eq!(origin(&bench), (9600, true, false));
    assert_eq!(
        bench.ask(of_rate(4800.into())).await.0,
        Ok(Done::Written(0))
    );
    sleep(Duration::from_secs(30)).await;
    assert_eq!(origin(&bench), (4800, false, false));
    assert_eq!(
        bench.ask(of_rate(BaudChange::Auto)).await.0,
        Ok(Done::Written(0))
    );
    sleep(Duration::from_millis(1)).await;
    assert!(bench.settings().baud_auto);
    assert_eq!(bench.found().await.0, 57_600);
    assert_eq!(origin(&bench), (57_600, true, true));
    // What was found is kept, also if a client asks again, and is certain once lines have come.
    let mut client = bench.subscribe();
    assert_eq!(
        bench.ask(of_rate(BaudChange::Auto)).await.0,
        Ok(Done::Written(0))
    );
    sleep(Duration::from_secs(1)).await;
    assert_eq!(origin(&bench), (57_600, true, true));
    let rates = taken(&mut client)
        .into_iter()
        .filter_map(|taken| match &taken.event.kind {
            Kind::Status(status) => Some((status.settings.baud, status.settings.baud_detected)),
            _ => None,
        });
    let mut rates: Vec<_> = rates.collect();
    rates.dedup();
    assert_eq!(rates, [(57_600, false), (57_600, true)]);
    // One who names the rate that was found has chosen it.
    assert_eq!(
        bench.ask(of_rate(57_600.into())).await.0,
        Ok(Done::Written(0))
    );
    sleep(Duration::from_secs(1)).await;
    assert_eq!(origin(&bench), (57_600, false, false));
}

#[tokio::test(start_paused = true)]
async fn a_fixed_rate_is_searched_only_by_the_holder_of_the_lock_and_returns() {
    let bench = Bench::start(&["--baud", "9600"], &[Board::new(57_600, LINE, 50)]);
    sleep(Duration::from_millis(1)).await;
    let refused = bench.ask(of_rate(BaudChange::Auto)).await.0.unwrap_err();
    let reason = "baud is fixed to 9600 by --baud; take the write lock";
    assert!(refused.reason.starts_with(reason), "{}", refused.reason);
    let (mut holder, mut replies) = bench.hub.queue.register();
    bench.hub.lock(holder.client(), None).unwrap();
    holder.try_send(of_rate(BaudChange::Auto)).unwrap();
    assert_eq!(replies.recv().await.unwrap().1, Ok(Done::Written(0)));
    assert_eq!(bench.found().await.0, 57_600);
    bench.hub.unlock(Some(holder.client()));
    sleep(Duration::from_secs(30)).await;
    let settings = bench.settings();
    assert_eq!((settings.baud, settings.baud_auto), (9600, false));
}

#[tokio::test(start_paused = true)]
async fn a_device_without_a_rate_to_be_found_has_nothing_to_search() {
    let board = Board {
        is_uart: false,
        ..Board::new(57_600, LINE, 50)
    };
    let bench = Bench::start(&[], &[board]);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(
        bench.ask(of_rate(4800.into())).await.0,
        Ok(Done::Written(0))
    );
    assert_eq!(
        bench.ask(of_rate(BaudChange::Auto)).await.0,
        Ok(Done::Written(0))
    );
    sleep(Duration::from_secs(1)).await;
    let settings = bench.settings();
    assert_eq!((settings.baud, settings.baud_auto), (9600, false));
}

#[tokio::test(start_paused = true)]
async fn no_other_rate_is_tried_for_native_usb() {
    let board = Board {
        is_uart: false,
        ..Board::new(57_600, LINE, 50)
    };
    let bench = Bench::start(&[], &[board]);
    sleep(Duration::from_secs(60)).await;
    let settings = bench.settings();
    assert_eq!((settings.baud, settings.baud_detected), (9600, false));
}

#[tokio::test(start_paused = true)]
async fn no_other_rate_is_tried_while_a_client_wants_bytes() {
    let bench = Bench::start(&[], &[Board::new(57_600, LINE, 50)]);
    let raw = bench.subscribe().with_bytes();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.settings().baud, 9600);
    drop(raw);
    assert_eq!(bench.found().await.0, 57_600);
}

#[tokio::test(start_paused = true)]
async fn bytes_end_at_the_rate_where_they_began_with_a_hint_that_fits() {
    let noise: Vec<u8> = (0..=255).map(|byte: u8| byte.wrapping_mul(89)).collect();
    let bench = Bench::start(&[], &[Board::new(9600, &noise, 300)]);
    let mut client = bench.subscribe();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.settings(), LineSettings::default());
    lines(&mut client);
    // From now on, every byte is as it was sent.
    sleep(Duration::from_secs(3)).await;
    let bytes: Vec<u8> = taken(&mut client)
        .iter()
        .filter_map(|taken| match &taken.event.kind {
            Kind::Data(data) => Some(data.chunk.to_vec()),
            _ => None,
        })
        .flatten()
        .collect();
    let start = bytes.iter().position(|byte| *byte == 0).unwrap();
    let sent = noise.iter().cycle();
    assert!(bytes[start..].iter().eq(sent.take(bytes.len() - start)));
    let status = bench.hub.status();
    let advice = status.advice.as_ref();
    let advice = advice.unwrap_or_else(|| panic!("a hint advises, not {status:?}"));
    assert_eq!((advice.baud, advice.view.as_deref()), (None, Some("raw")));
}

#[tokio::test(start_paused = true)]
async fn writes_wait_for_the_rate_and_at_most_two_seconds() {
    // A line in 400 ms, so that the tour takes some time.
    let bench = Bench::start(&[], &[Board::new(19_200, LINE, 400)]);
    sleep(Duration::from_millis(1100)).await;
    let (outcome, took) = bench.ask(Action::Write("LED on\n".into())).await;
    assert_eq!(outcome, Ok(Done::Written(7)));
    assert!(took <= Duration::from_millis(2100), "{took:?}");
    bench.found().await;
    sleep(Duration::from_secs(1)).await;
    let received = bench.received.lock().unwrap().clone();
    let received: Vec<u8> = received.into_iter().map(|(_, byte)| byte).collect();
    assert_eq!(received, b"LED on\n");

    let noise: Vec<u8> = (0..=255).map(|byte: u8| byte.wrapping_mul(89)).collect();
    let bench = Bench::start(&[], &[Board::new(9600, &noise, 300)]);
    sleep(Duration::from_secs(2)).await;
    let (outcome, took) = bench.ask(Action::Write("stop\n".into())).await;
    assert_eq!(outcome, Ok(Done::Written(5)));
    assert!(
        (Duration::from_millis(1900)..Duration::from_millis(2200)).contains(&took),
        "{took:?}"
    );
    sleep(Duration::from_secs(30)).await;
    assert_eq!(bench.settings(), LineSettings::default());
    let received = bench.received.lock().unwrap().clone();
    let received: Vec<u8> = received.into_iter().map(|(_, byte)| byte).collect();
    assert_eq!(received, b"stop\n");
}

#[tokio::test(start_paused = true)]
async fn a_board_that_is_unplugged_in_a_tour_is_opened_at_the_first_rate() {
    let noise: Vec<u8> = (0..=255).map(|byte: u8| byte.wrapping_mul(89)).collect();
    let lost = Board {
        lifetime: Duration::from_secs(3),
        ..Board::new(9600, &noise, 300)
    };
    let bench = Bench::start(&[], &[lost, Board::new(9600, LINE, 200)]);
    let mut client = bench.subscribe();
    assert_eq!(bench.found().await.0, 9600);
    let opened = taken(&mut client);
    let opened = opened.iter().filter_map(|taken| match &taken.event.kind {
        Kind::Status(status) if status.state == State::Open => Some(status.settings.baud),
        _ => None,
    });
    assert!(opened.clone().all(|baud| baud == 9600));
    assert!(opened.count() >= 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_when_the_board_goes_is_refused_in_words_that_fit_it() {
    let zeros = Board {
        lifetime: Duration::from_secs(3),
        ..Board::new(9600, &[0; 40], 300)
    };
    let bench = Bench::start(&[], &[zeros, Board::new(9600, LINE, 200)]);
    sleep(Duration::from_millis(1500)).await;
    let held = bench.ask(Action::Break(Duration::from_millis(10))).await.0;
    let reason = held.unwrap_err().reason;
    assert!(reason.ends_with(" before this could be done"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_board_is_found_through_an_adapter_that_takes_few_rates() {
    let board = Board {
        takes: |baud| [9600, 38_400].contains(&baud),
        ..Board::new(38_400, LINE, 50)
    };
    assert_eq!(Bench::start(&[], &[board]).found().await.0, 38_400);
}

#[tokio::test(start_paused = true)]
async fn a_board_that_goes_while_its_rate_is_looked_for_is_lost_like_any_other() {
    let gone = Board {
        takes: |_| false,
        lifetime: Duration::from_secs(2),
        ..Board::new(57_600, LINE, 50)
    };
    let next = Board {
        serial: "B",
        ..Board::new(115_200, LINE, 50)
    };
    assert_eq!(Bench::start(&[], &[gone, next]).found().await.0, 115_200);
}
