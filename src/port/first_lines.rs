//! First lines, at every moment that matters: a device speaks at injected times after it is opened,
//! written to or restarted, and clients get its lines whole or marked as partial.

use std::collections::VecDeque;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::device::Device;
use super::modem_lines::LineChange;
use super::source::{OpenedDevice, Opening, Source};
use super::stream_start::silence;
use super::{PortConfig, Supervisor};
use crate::config::Config;
use crate::hub::{
    Action, DeviceInfo, Extent, Hub, HubConfig, Kind, Lease, LineSettings, RequestSender, Start,
    State, Status, SubscriberKind, Subscription,
};

/// Texts, each so many milliseconds after something has happened.
type Speech = Vec<(u64, &'static str)>;

/// The behaviour of a board.
#[derive(Clone, Default)]
struct Board {
    /// Its words after it is opened.
    opened: Speech,
    /// Its words after each write.
    written: Speech,
    /// Its words after DTR is asserted.
    restarted: Speech,
    /// The time that the system takes to hand over what has come.
    delay: u64,
    /// The silence that shows its next byte to begin a line.
    silence: Duration,
    settle: Duration,
}

/// The writes that the board got, each with its time in milliseconds since it was opened.
type Written = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

/// A board that was opened.
struct OpenBoard {
    board: Board,
    opened: Instant,
    said: VecDeque<(Instant, &'static str)>,
    handed_over: Pin<Box<Sleep>>,
    written: Written,
}

impl OpenBoard {
    fn say(&mut self, speech: &Speech) {
        let now = Instant::now();
        let said = speech.iter();
        let said = said.filter(|(_, text)| !text.is_empty());
        self.said
            .extend(said.map(|(after, text)| (now + Duration::from_millis(*after), *text)));
        self.said.make_contiguous().sort_by_key(|(at, _)| *at);
    }
}

impl AsyncRead for OpenBoard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(&(at, text)) = self.said.front() else {
            return Poll::Pending;
        };
        let handed_over = at + Duration::from_millis(self.board.delay);
        self.handed_over.as_mut().reset(handed_over);
        ready!(self.handed_over.as_mut().poll(cx));
        self.said.pop_front();
        buf.put_slice(text.as_bytes());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for OpenBoard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let time = self.opened.elapsed().as_millis() as u64;
        self.written.lock().unwrap().push((time, buf.to_vec()));
        let answer = self.board.written.clone();
        self.say(&answer);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a device is never flushed");
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a device is never shut down");
    }
}

impl Device for OpenBoard {
    fn change_line(&mut self, change: LineChange) -> io::Result<()> {
        if matches!(change, LineChange::Dtr(true) | LineChange::Break(false)) {
            let speech = self.board.restarted.clone();
            self.say(&speech);
        }
        Ok(())
    }

    fn has_input(&self) -> bool {
        let first = self.said.front();
        first.is_some_and(|(at, _)| *at <= Instant::now())
    }
}

struct BoardSource {
    board: Board,
    written: Written,
}

impl Source for BoardSource {
    fn open(&mut self) -> Opening<'_> {
        let mut device = OpenBoard {
            board: self.board.clone(),
            opened: Instant::now(),
            said: VecDeque::new(),
            handed_over: Box::pin(sleep(Duration::ZERO)),
            written: Arc::clone(&self.written),
        };
        device.say(&self.board.opened);
        Box::pin(ready(Ok(OpenedDevice {
            device: Box::new(device),
            info: DeviceInfo::default(),
            detail: |_, _| "open".to_owned(),
            starts_whole: false,
            gathers: self.board.silence == GATHERING,
            has_rate: true,
            finds_rate: false,
            settle: self.board.settle,
        })))
    }
}

/// A port with such a board, at work.
struct Bench {
    hub: Arc<Hub>,
    sender: RequestSender,
    listener: Subscription,
    written: Written,
    _stop: tokio_util::sync::DropGuard,
}

impl Bench {
    /// Opens the board.
    async fn new(board: Board) -> Self {
        let limits = HubConfig {
            history: 1 << 20,
            max_behind: Duration::from_secs(3600),
        };
        let hub = Hub::new(limits, Status::new(State::Waiting, "not open yet"));
        let config = config();
        let written = Written::default();
        let source = Box::new(BoardSource {
            board,
            written: Arc::clone(&written),
        });
        let framer = config.frame.framer(config.max_line);
        let listener = hub.subscribe(SubscriberKind::Client, Start::Live);
        let (sender, replies) = hub.queue.register();
        drop(replies);
        let port = Supervisor::with_parts(config, Arc::clone(&hub), source, framer);
        let stop = CancellationToken::new();
        tokio::spawn(port.run(stop.clone()));
        tokio::task::yield_now().await;
        Self {
            hub,
            sender,
            listener,
            written,
            _stop: stop.drop_guard(),
        }
    }

    fn ask(&mut self, action: Action) {
        self.sender.try_send(action).unwrap();
    }

    fn write(&mut self, text: &'static str) {
        self.ask(Action::Write(Bytes::from_static(text.as_bytes())));
    }

    async fn wait(&self, millis: u64) {
        sleep(Duration::from_millis(millis)).await;
    }

    /// Returns the lines so far, those that are partial with a `~` before them.
    async fn lines(&mut self) -> Vec<String> {
        self.wait(5000).await;
        let (mut taken, mut lines) = (Vec::new(), Vec::new());
        while !self.listener.is_up_to_date() {
            assert_eq!(self.listener.take(&mut taken), None, "nothing is missed");
        }
        for taken in taken {
            let Kind::Data(data) = &taken.event.kind else {
                continue;
            };
            lines.extend(data.frames.iter().map(|frame| {
                let text = String::from_utf8_lossy(frame.bytes);
                match frame.extent {
                    Extent::Whole => text.into_owned(),
                    _ => format!("~{text}"),
                }
            }));
        }
        lines
    }

    /// Returns when the board got `text`.
    #[track_caller]
    fn got(&self, text: &str) -> u64 {
        let written = self.written.lock().unwrap();
        let mut found = written.iter().filter(|(_, bytes)| bytes == text.as_bytes());
        found.next().expect("the board got it").0
    }
}

fn config() -> PortConfig {
    let config = Config::from_args(["serial-ws", "--port", "/dev/board"]).unwrap();
    config.ports.into_iter().next().unwrap().port
}

const DIRECT: Duration = Duration::from_millis(5);
const GATHERING: Duration = Duration::from_millis(20);

#[track_caller]
fn lines_are(got: Vec<String>, expected: &[&str]) {
    assert_eq!(got, expected);
}

async fn check_opened(silence: Duration, opened: Speech, expected: &[&str]) {
    let board = Board {
        opened: opened.clone(),
        silence,
        ..Board::default()
    };
    let lines = Bench::new(board).await.lines().await;
    assert_eq!(lines, expected, "{opened:?} with {silence:?}");
}

#[tokio::test(start_paused = true)]
async fn a_greeting_after_the_silence_is_whole_and_one_before_it_may_be_a_rest() {
    for (silence, time, is_whole) in [
        (DIRECT, 1, false),
        (DIRECT, 4, false),
        (DIRECT, 7, true),
        (DIRECT, 50, true),
        (DIRECT, 2000, true),
        (GATHERING, 7, false),
        (GATHERING, 19, false),
        (GATHERING, 22, true),
    ] {
        let greeting = if is_whole {
            "time,light"
        } else {
            "~time,light"
        };
        let opened = vec![(time, "time,light\r\n"), (time + 3, "0,0\r\n")];
        check_opened(silence, opened, &[greeting, "0,0"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_talks_on_never_gives_a_half_line() {
    const LINE: &[&str] = &["1", "0", "2", "3", "\n"];
    for silence in [DIRECT, GATHERING] {
        let longest_pause = silence.as_millis() as u64 - 1;
        for pause in 1..=longest_pause {
            for first in 0..LINE.len() {
                let rest = LINE.iter().cycle().skip(first).take(LINE.len() * 3 - first);
                let times = (0..).map(|count| (count + 1) * pause);
                let opened: Speech = times.zip(rest.copied()).collect();
                let begun = format!("~{}", LINE[first..4].concat());
                check_opened(silence, opened, &[&begun, "1023", "1023"]).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_it_was_read_is_no_silence() {
    let board = Board {
        opened: vec![(1, "23\n")],
        delay: 40,
        silence: DIRECT,
        ..Board::default()
    };
    lines_are(Bench::new(board).await.lines().await, &["~23"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_write_waits_for_the_silence_so_that_its_answer_is_whole() {
    for silence in [DIRECT, GATHERING] {
        let mut bench = Bench::new(Board {
            written: vec![(3, "T:23.5\r\n")],
            silence,
            ..Board::default()
        })
        .await;
        bench.write("?\n");
        lines_are(bench.lines().await, &["T:23.5"]);
        let time = bench.got("?\n");
        let earliest = silence.as_millis() as u64;
        assert!((earliest..earliest + 3).contains(&time), "{time}");
        // The next one does not wait.
        let before = Instant::now();
        bench.write("again");
        bench.wait(1).await;
        assert!(before.elapsed() < DIRECT);
        bench.got("again");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_write_goes_out_when_the_device_speaks() {
    let mut bench = Bench::new(Board {
        opened: (2..400).map(|at| (at, "x")).collect(),
        silence: GATHERING,
        ..Board::default()
    })
    .await;
    bench.write("?");
    bench.wait(1000).await;
    let time = bench.got("?");
    assert!((2..5).contains(&time), "{time}");
}

#[tokio::test(start_paused = true)]
async fn each_opening_after_a_lease_asks_for_the_silence_again() {
    for (time, expected) in [(2, "~T:1"), (9, "T:1")] {
        let mut bench = Bench::new(Board {
            opened: vec![(time, "T:1\n")],
            silence: DIRECT,
            ..Board::default()
        })
        .await;
        bench.wait(1000).await;
        bench.ask(Action::Release(Lease::For(Duration::from_secs(1))));
        bench.wait(100).await;
        assert_eq!(bench.hub.status().state, State::Released);
        bench.ask(Action::Resume(None));
        lines_are(bench.lines().await, &[expected, expected]);
    }
}

/// The time that a reset takes until DTR is asserted.
const RESET_MILLIS: u64 = 150;

/// A board that says `running` 10 ms before `action` restarts it, and what becomes of its lines.
async fn restart(action: Action, running: &'static str, restarted: Speech) -> Vec<String> {
    let is_reset = action == Action::Reset;
    let lead = if is_reset { RESET_MILLIS } else { 0 };
    let mut bench = Bench::new(Board {
        opened: vec![(100, "511\r\n512\r\n"), (300 + lead, running)],
        restarted,
        silence: GATHERING,
        ..Board::default()
    })
    .await;
    bench.wait(310).await;
    if matches!(action, Action::Signals { .. }) {
        let (dtr, rts) = (Some(false), None);
        bench.ask(Action::Signals { dtr, rts });
    }
    bench.ask(action);
    bench.lines().await
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_a_restart_never_joins_what_came_before() {
    let signals = Action::Signals {
        dtr: Some(true),
        rts: None,
    };
    let breaking = Action::Break(Duration::from_millis(7));
    for action in [Action::Reset, signals, breaking] {
        let restart = async |running, restarted| restart(action.clone(), running, restarted).await;
        let line = ["511", "512", "~5", "Ready", "0"];
        for time in [25, 40, 300, 2000] {
            let restarted = vec![(time, "Ready\r\n0\r\n")];
            lines_are(restart("5", restarted).await, &line);
        }
        // The rest of the line was on its way.
        let restarted = vec![(8, "13\r\n5"), (40, "Ready\r\n0\r\n")];
        let expected = ["511", "512", "~5", "~13", "~5", "Ready", "0"];
        lines_are(restart("5", restarted).await, &expected);
        // Too soon to tell: marked, but not joined.
        let restarted = vec![(2, "Ready\r\n"), (9, "0\r\n")];
        lines_are(
            restart("5", restarted).await,
            &["511", "512", "~5", "~Ready", "0"],
        );
        // Between lines, nothing is cut.
        let restarted = vec![(300, "Ready\r\n")];
        lines_are(restart("", restarted).await, &["511", "512", "Ready"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_that_no_reset_restarts_loses_no_line_but_the_one_in_progress() {
    let numbers = (1..200).map(|at| (5 * at, "1023\n")).collect();
    let mut bench = Bench::new(Board {
        opened: numbers,
        silence: GATHERING,
        ..Board::default()
    })
    .await;
    bench.wait(502).await;
    bench.ask(Action::Reset);
    let lines = bench.lines().await;
    let cut = lines.iter().filter(|line| line.starts_with('~')).count();
    assert!(lines.len() == 199 && cut <= 5, "{cut} of {}", lines.len());
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_read_at_a_restart_came_before_it() {
    let mut bench = Bench::new(Board {
        opened: vec![(100, "511\n"), (120, "512\n5")],
        restarted: vec![(300, "Ready\n")],
        delay: 30,
        silence: DIRECT,
        ..Board::default()
    })
    .await;
    bench.wait(140).await;
    bench.ask(Action::Break(Duration::from_millis(7)));
    lines_are(bench.lines().await, &["511", "512", "~5", "Ready"]);
}

#[tokio::test(start_paused = true)]
async fn lines_that_restart_no_board_cut_nothing() {
    let mut bench = Bench::new(Board {
        opened: vec![(100, "51"), (200, "2\n")],
        silence: GATHERING,
        ..Board::default()
    })
    .await;
    bench.wait(150).await;
    for rts in [false, false] {
        bench.ask(Action::Signals {
            dtr: Some(true),
            rts: Some(rts),
        });
    }
    lines_are(bench.lines().await, &["512"]);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_question_right_after_a_break_is_whole() {
    // As a sensor with SDI-12 is asked.
    let mut bench = Bench::new(Board {
        written: vec![(9, "0+23.5\r\n")],
        silence: GATHERING,
        ..Board::default()
    })
    .await;
    bench.wait(1000).await;
    for _ in 0..3 {
        bench.ask(Action::Break(Duration::from_millis(12)));
        bench.write("0M!");
        bench.wait(300).await;
    }
    lines_are(bench.lines().await, &["0+23.5"; 3]);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_question_right_after_a_reset_is_whole() {
    let mut bench = Bench::new(Board {
        opened: (1..30).map(|at| (10 * at, "1023\n")).collect(),
        written: vec![(3, "T:23.5\r\n")],
        silence: GATHERING,
        ..Board::default()
    })
    .await;
    // The last line of the program that ran comes when the reset is almost over.
    bench.wait(141).await;
    bench.ask(Action::Reset);
    bench.wait(1).await;
    bench.write("?");
    assert_eq!(bench.lines().await.last().unwrap(), "T:23.5");
}

#[tokio::test(start_paused = true)]
async fn what_a_board_said_before_it_was_reset_lets_no_write_out() {
    let mut bench = Bench::new(Board {
        opened: vec![(30, "1023\n1023\n")],
        restarted: vec![(2, "1023\n1023\n10"), (1500, "ready\n")],
        silence: GATHERING,
        settle: Duration::from_secs(3),
        ..Board::default()
    })
    .await;
    bench.wait(1000).await;
    bench.ask(Action::Reset);
    bench.wait(1).await;
    bench.write("?");
    bench.wait(5000).await;
    let time = bench.got("?");
    assert!(
        (1000 + 150 + 1700..1000 + 150 + 1720).contains(&time),
        "{time}"
    );
}

#[test]
fn the_silence_is_never_shorter_than_five_characters() {
    let at = |baud| LineSettings {
        baud,
        ..LineSettings::default()
    };
    let millis = |baud, gathers| silence(&at(baud), gathers).as_micros();
    assert_eq!(millis(115_200, false), 5000);
    assert_eq!(millis(9600, false), 5208);
    assert_eq!(millis(9600, true), 20_000);
    assert_eq!(millis(1200, true), 41_666);
    assert_eq!(millis(300, false), 166_666);
}
