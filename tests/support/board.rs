//! A simulated board: a sketch of `firmware/`, compiled for an Uno, running in `uno-sim` (see
//! `tests/firmware/uno-sim.c` for its commands and events).

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tokio::sync::watch;

use super::{bridge::Bridge, child::spawn, wait::skip, wait::within};

/// Names the folder that holds `uno-sim` and the compiled sketches; `tests/firmware/run` sets it.
const FOLDER: &str = "SERIAL_WS_FIRMWARE";

/// The program takes the first line of a port for a whole one after 50 ms of silence; a page is
/// hardly ever there so soon after the port was opened.
const SILENCE: Duration = Duration::from_millis(60);

/// A board on which a sketch runs. It is switched off when this is dropped.
pub struct Board {
    /// What the program is told to open.
    pub path: String,
    child: Child,
    commands: ChildStdin,
    /// Every event so far. A thread writes; its end means that the simulation ended.
    events: watch::Receiver<Vec<String>>,
    /// How many of the events were heard.
    heard: usize,
}

impl Board {
    /// A board with `sketch`, at a path where a program can open it; None, with the reason given,
    /// where there are no compiled sketches.
    pub async fn start(sketch: &str, options: &[&str]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = Self::folder()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("serial-ws-board-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name).display().to_string();
        let mut simulator = Command::new(folder.join("uno-sim"));
        simulator.args(["--link", &path]).args(options);
        simulator.arg(folder.join(format!("{sketch}.elf")));
        simulator.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(simulator).expect("the simulator starts");
        let commands = child.stdin.take().expect("stdin is a pipe");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let (sender, events) = watch::channel(Vec::new());
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sender.send_modify(|events: &mut Vec<String>| events.push(line));
            }
        });
        let mut board = Self {
            path,
            child,
            commands,
            events,
            heard: 0,
        };
        board.hears("pty").await;
        Some(board)
    }

    /// The folder of the compiled sketches and of what they run on; None, with the reason given, where
    /// there is none.
    pub fn folder() -> Option<PathBuf> {
        let folder = std::env::var_os(FOLDER).map(PathBuf::from);
        if folder.is_none() {
            skip("no compiled sketches: tests/run firmware makes and runs them");
        }
        folder
    }

    /// A bridge whose only port, `board`, is this one, open for a moment.
    pub async fn bridge(&self, arguments: &[&str]) -> Bridge {
        let port = format!("board={}", self.path);
        let bridge = Bridge::start(&[&["--port", port.as_str()], arguments].concat()).await;
        bridge.open("board").await;
        tokio::time::sleep(SILENCE).await;
        bridge
    }

    /// Waits until it has started and been silent for a moment.
    pub async fn settles(&mut self) {
        self.hears("start").await;
        tokio::time::sleep(SILENCE).await;
    }

    /// Gives the simulation a command.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").expect("the simulator takes commands");
    }

    /// Waits for the next event that begins so, and returns it. What happened before it counts as
    /// heard.
    pub async fn hears(&mut self, event: &str) -> String {
        let heard = self.heard;
        let find = |events: &Vec<String>| {
            let mut new = events.iter().skip(heard);
            new.position(|one| one.starts_with(event))
        };
        let seen = within(
            &format!("the board to tell {event:?}"),
            self.events.wait_for(|events| find(events).is_some()),
        )
        .await;
        let Ok(events) = seen else {
            panic!("the simulation ended without {event:?}");
        };
        let at = heard + find(&events).expect("it was just found");
        self.heard = at + 1;
        events[at].clone()
    }

    /// One of the simulator's figures: sent, lost, received, dropped.
    pub async fn figure(&mut self, name: &str) -> u64 {
        self.tell("stat");
        let figures = self.hears("stat").await;
        let mut words = figures.split(' ').skip_while(|word| *word != name);
        let number = words.nth(1).and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("{name} is not in {figures}"))
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.path);
        if thread::panicking() {
            println!("the board told: {:#?}", self.events.borrow());
        }
    }
}
