//! Viewers beyond one machine: a real broker between serial-ws and many subscribers, each of which gets every
//! line in order, and is told by numbers what it missed when one of the two was restarted.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::support::mqtt::{Broker, MqttStream};
use crate::support::namespaces::{Connector, Room};
use crate::support::{Pair, Program, raise_descriptor_limit, until};

/// The computers of a room: that of the board, that of the broker, and two for those who watch.
const BOARD: usize = 0;
const BROKER: usize = 1;
const VIEWERS: [usize; 2] = [2, 3];

/// The longest time in which no subscriber gets anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time after which a subscriber connects again, as clients of MQTT do.
const RECONNECT_DELAY: Duration = Duration::from_millis(200);

/// The places of the board, the broker and those who watch: a room, or this computer where no room can be.
struct Network {
    room: Option<Room>,
    broker: SocketAddr,
    viewers: Vec<Arc<Connector>>,
}

impl Network {
    fn new() -> Self {
        match Room::new(VIEWERS.len() + 2) {
            Some(room) => Self {
                broker: SocketAddr::from(([10, 77, 0, 2], 1883)),
                viewers: VIEWERS.map(|index| Arc::new(room.connector(index))).into(),
                room: Some(room),
            },
            None => {
                let free = std::net::TcpListener::bind("127.0.0.1:0");
                let free = free.expect("there is a free TCP port");
                Self {
                    room: None,
                    broker: free.local_addr().expect("it is bound"),
                    viewers: vec![Arc::new(Connector::here())],
                }
            }
        }
    }

    /// The command of the broker, where it is.
    fn mosquitto(&self) -> Command {
        match &self.room {
            Some(room) => room.command(BROKER, "mosquitto"),
            None => Command::new("mosquitto"),
        }
    }

    /// Starts serial-ws where the board is.
    fn serial_ws(&self, board: &str) -> Program {
        let port = format!("board={board}");
        let url = format!("mqtt://{}/lab", self.broker);
        let arguments = ["--port", &port, "--mqtt", &url, "--listen", "127.0.0.1:0"];
        match &self.room {
            Some(room) => room.start(BOARD, &arguments),
            None => Program::start(&arguments),
        }
    }

    /// The bytes that the computers of the board and of the broker have sent.
    fn sent(&self) -> Option<(u64, u64)> {
        let room = self.room.as_ref()?;
        Some((room.bytes(BOARD).1, room.bytes(BROKER).1))
    }
}

/// The lines that a subscriber got, as stretches without a gap: the run, the number of the first line, and
/// what the board counted in the first and in the last one.
type Stretches = Vec<(String, u64, u64, u64)>;

/// An object of the topic `json`.
#[derive(Debug, Deserialize)]
struct Object<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    run: Option<&'a str>,
    seq: Option<u64>,
    text: Option<&'a str>,
    partial: Option<bool>,
}

/// What one subscriber has got.
#[derive(Default)]
struct Seen {
    /// How many objects.
    objects: u64,
    run: String,
    /// The number of the last line, or of that before the next one.
    seq: u64,
    stretches: Stretches,
    /// True while the next line goes on with the last stretch.
    is_going_on: bool,
}

impl Seen {
    /// Notes an object of the topic `json`.
    fn note(&mut self, object: &Object<'_>, is_retained: bool) {
        self.objects += 1;
        match (object.kind, object.seq) {
            ("hello", Some(seq)) => {
                let run = object.run.expect("it has a run");
                if run != self.run {
                    (self.run, self.seq, self.is_going_on) = (run.to_owned(), seq, false);
                } else if !is_retained {
                    assert!(seq >= self.seq, "after line {}: {object:?}", self.seq);
                }
            }
            ("line", Some(seq)) => {
                assert!(seq > self.seq, "after line {}: {object:?}", self.seq);
                let count = object
                    .text
                    .and_then(|text| text.split(',').next()?.parse().ok());
                let is_next = self.is_going_on && seq == self.seq + 1;
                self.seq = seq;
                // The first line after an opening may be a part of one.
                let Some(count) = count.filter(|_| object.partial.is_none()) else {
                    self.is_going_on = false;
                    return;
                };
                match self.stretches.last_mut() {
                    Some(last) if is_next => {
                        assert_eq!(count, last.3 + 1, "{object:?}");
                        last.3 = count;
                    }
                    _ => self.stretches.push((self.run.clone(), seq, count, count)),
                }
                self.is_going_on = true;
            }
            ("status", _) => {}
            // History has everything.
            _ => panic!("{object:?}"),
        }
    }

    /// Checks that the numbers of each run tell exactly what is missing between two stretches. Returns the last
    /// line of each run but the present one, and the first of the next run.
    fn check(&self) -> Vec<(u64, u64)> {
        let mut changes = Vec::new();
        for two in self.stretches.windows(2) {
            let ((run, seq, first, last), (next_run, next_seq, next_first, _)) = (&two[0], &two[1]);
            assert!(next_first > last, "{:?}", self.stretches);
            if run == next_run {
                let missed = next_seq - (seq + last - first) - 1;
                assert_eq!(next_first - last - 1, missed, "{:?}", self.stretches);
            } else {
                changes.push((*last, *next_first));
            }
        }
        changes
    }
}

/// One of those who watch.
#[derive(Default)]
struct Viewer(Mutex<Seen>);

impl Viewer {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().expect("what was published is right")
    }

    /// Watches, and connects again whenever the broker has gone.
    async fn watch(&self, number: usize, connector: &Connector, broker: SocketAddr) {
        let name = format!("viewer{number}");
        loop {
            if let Ok(stream) = connector.connect(broker).await
                && let Ok(mut stream) = MqttStream::subscribe(stream, &name, "lab/board/json").await
            {
                while let Ok(message) = stream.message().await {
                    let object = serde_json::from_str(&message.payload).expect("it is an object");
                    self.seen().note(&object, message.is_retained);
                }
            }
            tokio::time::sleep(RECONNECT_DELAY).await;
        }
    }
}

/// All of them, with the board that counts and what is between.
struct Crowd {
    network: Network,
    broker: Broker,
    program: Program,
    /// The serial port of the board.
    path: String,
    /// What the board has counted.
    count: Arc<AtomicU64>,
    /// Milliseconds between two lines of the board.
    interval: Arc<AtomicU64>,
    /// True while the board counts no further.
    is_paused: Arc<AtomicBool>,
    viewers: Vec<Arc<Viewer>>,
    /// Those of the viewers and of the board, none of which ends.
    tasks: JoinSet<()>,
}

impl Crowd {
    /// So many subscribers, who watch a board that counts once in so many milliseconds; None where there is
    /// no broker.
    async fn new(subscribers: usize, interval: u64) -> Option<Self> {
        let network = Network::new();
        let broker = Broker::start(network.mosquitto(), network.broker)?;
        until("the broker to listen", async || {
            network.viewers[0].connect(network.broker).await.ok()
        })
        .await;
        let pair = Pair::open().await;
        let path = pair.path.clone();
        let program = network.serial_ws(&path);
        program.said(" is open").await;
        program.said("publishes to").await;
        let mut tasks = JoinSet::new();
        let mut viewers = Vec::new();
        for number in 0..subscribers {
            let viewer = Arc::<Viewer>::default();
            let connector = Arc::clone(&network.viewers[number % network.viewers.len()]);
            let (watching, address) = (Arc::clone(&viewer), network.broker);
            tasks.spawn(async move { watching.watch(number, &connector, address).await });
            viewers.push(viewer);
        }
        let count = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&count);
        let is_paused = Arc::<AtomicBool>::default();
        let pauses = Arc::clone(&is_paused);
        let interval = Arc::new(AtomicU64::new(interval));
        let waits = Arc::clone(&interval);
        let mut crowd = Self {
            network,
            broker,
            program,
            path,
            count,
            interval,
            is_paused,
            viewers,
            tasks,
        };
        crowd.all("the run", |seen| !seen.run.is_empty()).await;
        crowd.tasks.spawn(async move {
            // As a whole, with the link to it.
            let mut pair = pair;
            loop {
                tokio::time::sleep(Duration::from_millis(waits.load(Ordering::Relaxed))).await;
                if pauses.load(Ordering::Relaxed) {
                    continue;
                }
                let count = counted.fetch_add(1, Ordering::Relaxed);
                pair.device.write(format!("{count},512,300\n")).await;
            }
        });
        Some(crowd)
    }

    /// Waits until all have seen what they are to see, for as long as anybody gets more.
    async fn all(&mut self, what: &str, has_seen: impl Fn(&Seen) -> bool) {
        let (mut got, mut progress) = (0, Instant::now());
        loop {
            if let Some(ended) = self.tasks.try_join_next() {
                ended.expect("what was published is right");
            }
            let (mut now, mut is_seen) = (0, true);
            for viewer in &self.viewers {
                let seen = viewer.seen();
                now += seen.objects;
                is_seen &= has_seen(&seen);
            }
            if is_seen {
                return;
            }
            if now != got {
                (got, progress) = (now, Instant::now());
            }
            assert!(
                progress.elapsed() < PATIENCE,
                "waited {PATIENCE:?} for all to get {what}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until all have got what the board counts from now on, so many lines.
    async fn get(&mut self, lines: u64) {
        let count = self.count.load(Ordering::Relaxed) + lines;
        let has_got = |seen: &Seen| {
            seen.stretches
                .last()
                .is_some_and(|last| last.3 + 1 >= count)
        };
        self.all("the lines", has_got).await;
    }

    /// Starts serial-ws again where it was.
    async fn start_again(&mut self) {
        self.program = self.network.serial_ws(&self.path);
        self.program.said("publishes to").await;
    }

    /// Has all get so many lines, and prints what that took.
    async fn measure(&mut self, lines: u64) {
        let before = (self.broker.processor_time(), self.program.processor_time());
        let sent = self.network.sent();
        let first = self.count.load(Ordering::Relaxed);
        self.get(lines).await;
        self.is_paused.store(true, Ordering::Relaxed);
        self.get(0).await;
        let lines = (self.count.load(Ordering::Relaxed) - first) as f64;
        let messages = self.viewers.len() as f64 * lines;
        let used = (self.broker.processor_time() - before.0).as_secs_f64() * 1e6;
        println!(
            "the broker: {:.2} µs for each message of a subscriber",
            used / messages
        );
        if let (Some(before), Some(after)) = (before.1, self.program.processor_time()) {
            let used = (after - before).as_secs_f64() * 1e6;
            println!("serial-ws: {:.0} µs for each line", used / lines);
        }
        if let (Some(before), Some(after)) = (sent, self.network.sent()) {
            let (board, broker) = ((after.0 - before.0) as f64, (after.1 - before.1) as f64);
            println!("serial-ws sent {:.0} bytes for each line", board / lines);
            println!(
                "the broker sent {:.0} bytes for each message",
                broker / messages
            );
        }
        self.is_paused.store(false, Ordering::Relaxed);
    }
}

/// Restarts the broker and serial-ws while subscribers watch, each of which checks what it gets. The board
/// sends a line in so many milliseconds at first, and then, with the restarts, in so many `later`.
async fn restart_in_a_crowd(subscribers: usize, interval: u64, later: u64, lines: u64) {
    let Some(mut crowd) = Crowd::new(subscribers, interval).await else {
        return;
    };
    crowd.measure(lines).await;
    for viewer in &crowd.viewers {
        let seen = viewer.seen();
        assert_eq!(seen.stretches.len(), 1, "every line: {:?}", seen.stretches);
        assert!(seen.stretches[0].2 <= 1, "{:?}", seen.stretches);
    }
    crowd.interval.store(later, Ordering::Relaxed);
    let command = crowd.network.mosquitto();
    crowd.broker.restart(Signal::TERM, command);
    crowd.get(lines / 2).await;

    crowd.program.signal(Signal::TERM);
    crowd.program.ended().await.with(0, "lost the broker");
    crowd.start_again().await;
    crowd.get(lines / 2).await;

    crowd.program.signal(Signal::KILL);
    crowd.program.ended().await;
    crowd.start_again().await;
    crowd.get(lines / 2).await;

    for viewer in &crowd.viewers {
        let changes = viewer.seen().check();
        assert_eq!(
            changes.len(),
            2,
            "serial-ws was restarted twice: {changes:?}"
        );
    }
}

#[tokio::test]
async fn subscribers_are_told_exactly_what_they_missed_when_the_broker_or_serial_ws_was_restarted()
{
    restart_in_a_crowd(50, 5, 5, 100).await;
}

#[tokio::test]
#[ignore = "takes a minute: tests/run --long"]
async fn two_thousand_subscribers_get_every_line_and_are_told_exactly_what_they_missed() {
    const SUBSCRIBERS: usize = 2_000;
    // For the test, and for the broker, which inherits the limit.
    if raise_descriptor_limit(SUBSCRIBERS as u64 + 500).is_none() {
        return;
    }
    // 50 lines a second take all of a core that the broker has, and those who watch take the other: then
    // nobody could catch up after a restart. Without optimisation, it is too much from the beginning.
    let interval = if cfg!(debug_assertions) { 100 } else { 20 };
    restart_in_a_crowd(SUBSCRIBERS, interval, 100, 500).await;
}
