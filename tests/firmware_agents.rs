//! A coding agent with a board: it edits a sketch, compiles it, uploads it to a simulated Uno,
//! and looks at what comes of it, with the tools of `serial-ws mcp` and a shell alone, while a page and
//! a recorder watch. A plain `cargo test` ignores these tests; `tests/run firmware` runs them.

use std::path::PathBuf;
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Agent, Board, Bridge, Client, Program, Recordings};

/// A sketch in a folder of its own, which an agent edits. It is removed when this is dropped.
struct Sketch {
    name: String,
    /// The folder of all that was compiled.
    compiled: PathBuf,
    folder: PathBuf,
}

impl Sketch {
    /// Writes a sketch; None where nothing can be compiled.
    fn new(name: &str, source: &str) -> Option<Self> {
        let compiled = Board::folder()?;
        let name = format!("Agent{name}{}", std::process::id());
        let folder = compiled.join("sketches").join(&name);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let sketch = Self {
            name,
            compiled,
            folder,
        };
        sketch.write(source);
        Some(sketch)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.ino", self.name))
    }

    fn write(&self, source: &str) {
        std::fs::write(self.path(), source).expect("the sketch can be written");
    }

    fn source(&self) -> String {
        std::fs::read_to_string(self.path()).expect("the sketch can be read")
    }

    /// Compiles it, as the shell of an agent does.
    fn compile(&self) -> Output {
        let mut script = shell("build-sketch.sh");
        let built = script.arg(&self.folder).arg(&self.compiled).output();
        built.expect("the script runs")
    }

    /// Compiles it, and uploads it to the board at `port`, as the shell of an agent does.
    fn upload(&self, port: &str) {
        let built = self.compile();
        assert!(built.status.success(), "{built:?}");
        let compiled = self.compiled.join(format!("{}.elf", self.name));
        let uploaded = shell("upload.sh").arg(port).arg(compiled).output();
        let uploaded = uploaded.expect("the script runs");
        assert!(uploaded.status.success(), "{uploaded:?}");
    }
}

impl Drop for Sketch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        let _ = std::fs::remove_file(self.compiled.join(format!("{}.elf", self.name)));
    }
}

/// A script of `tests/firmware`.
fn shell(script: &str) -> Command {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/firmware/");
    Command::new(format!("{folder}{script}"))
}

/// An Uno with a sketch, at a bridge that records it.
struct Bench {
    board: Board,
    bridge: Bridge,
    recordings: Recordings,
    _lines: LinesFile,
}

/// The modem lines that the board shares with the program.
struct LinesFile(PathBuf);

impl Drop for LinesFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Bench {
    async fn with(sketch: &Sketch) -> Option<Self> {
        let built = sketch.compile();
        assert!(built.status.success(), "{built:?}");
        let lines = format!("{}-lines-{}", sketch.name, std::process::id());
        let lines = LinesFile(std::env::temp_dir().join(lines));
        std::fs::write(&lines.0, [0; 16]).expect("the file can be written");
        let file = lines.0.to_str().expect("its path is text");
        // An Uno's bootloader listens for a second; this one leaves time for a busy machine.
        let options = ["--auto-reset", "--boot-ms", "1000", "--lines", file];
        let board = Board::start(&sketch.name, &options).await?;
        let library = sketch.compiled.join("modem-lines.so");
        let library = library.to_str().expect("its path is text");
        let recordings = Recordings::new();
        let port = format!("board={}", board.path);
        let program = Program::start_with(
            &[
                "--listen",
                "127.0.0.1:0",
                "--record",
                recordings.path(),
                &port,
            ],
            &[("LD_PRELOAD", library), ("LINES_FILE", file)],
        );
        let bridge = Bridge::of(program, 1).await;
        bridge.open("board").await;
        Some(Self {
            board,
            bridge,
            recordings,
            _lines: lines,
        })
    }
}

/// Uploads the sketch that an agent has edited, and returns the answer to `resume`. The simulated board
/// looks at its port once a millisecond or less, and must see that it was closed.
async fn upload(agent: &mut Agent, sketch: &Sketch, board: &mut Board) -> Value {
    let released = agent.call("release", json!({"seconds": 120})).await;
    assert_eq!(released["state"], "released");
    board.hears("close").await;
    sketch.upload(released["path"].as_str().expect("there is a path"));
    board.hears("close").await;
    let resumed = agent.call("resume", json!({})).await;
    assert_eq!(resumed["state"], "open", "{resumed}");
    resumed
}

const VERSIONS: &str = r#"
const int version = 1;
unsigned long count = 0;

void setup() {
  Serial.begin(9600);
  Serial.print("version ");
  Serial.println(version);
}

void loop() {
  if (Serial.read() == '?') {
    Serial.print("I am version ");
    Serial.println(version);
  }
  Serial.println(count);
  count = count + 1;
  delay(20);
}
"#;

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn an_agent_develops_a_sketch_while_a_page_and_a_recorder_miss_nothing() {
    let Some(sketch) = Sketch::new("Versions", VERSIONS) else {
        return;
    };
    let Some(bench) = Bench::with(&sketch).await else {
        return;
    };
    let Bench {
        mut board,
        mut bridge,
        recordings,
        _lines,
    } = bench;
    let mut page = bridge.client("/?view=json&history=100000").await;
    let mut bytes = bridge.client("/?view=raw&history=1000000").await;
    let mut agent = Agent::at(&bridge, &["--write"]).await;
    let first = agent
        .call("read", json!({"history": 100, "until": "^version 1$"}))
        .await;
    assert_eq!(first["ended"], "until", "{first}");

    for version in 2..=3 {
        let edited = sketch.source().replace(
            &format!("version = {};", version - 1),
            &format!("version = {version};"),
        );
        sketch.write(&edited);
        let resumed = upload(&mut agent, &sketch, &mut board).await;
        let started = json!({"since": resumed["since"], "until": "^version", "timeout": 12});
        let started = agent.call("read", started).await;
        assert_eq!(started["ended"], "until", "{started}");
        let expected = format!("version {version}");
        ends_with(&started, &expected);
        let expected = format!("I am version {version}");
        let asked = json!({"text": "?", "until": [format!("text:{expected}")]});
        let reply = agent.call("ask", asked).await;
        ends_with(&reply, &expected);
    }

    let reset = agent.call("reset", json!({})).await;
    let again = json!({"since": reset["since"], "until": "^version 3$", "timeout": 12});
    let again = agent.call("read", again).await;
    assert_eq!(again["ended"], "until", "{again}");

    // Nothing comes any more, so that all can be compared.
    agent.call("release", json!({"seconds": 120})).await;
    let port = bridge.port("board").await;
    let (lines, total) = (port["lines"].as_u64(), port["bytes"].as_u64());
    let states = watched(&mut page, lines.expect("lines are counted")).await;
    assert_eq!(
        states.iter().filter(|state| *state == "released").count(),
        2,
        "{states:?}"
    );
    let total = usize::try_from(total.expect("bytes are counted")).expect("they are few");
    let seen = bytes.bytes_of(total).await;
    bridge.program.signal(Signal::TERM);
    bridge.program.ended().await;
    assert!(
        recordings.received("board") == seen,
        "the recording has the bytes of the page"
    );
}

#[track_caller]
fn ends_with(answer: &Value, expected: &str) {
    let text = answer["text"].as_str().unwrap_or_default();
    assert!(text.ends_with(expected), "{answer}");
}

/// Reads lines up to the number `last`, of which none may be missing, and returns the states that the
/// page was told meanwhile.
async fn watched(page: &mut Client, last: u64) -> Vec<Value> {
    let (mut seq, mut states) = (0, Vec::new());
    while seq < last {
        let message = page.json().await;
        match message["type"].as_str() {
            Some("line") => {
                assert_eq!(message["seq"].as_u64(), Some(seq + 1), "{message}");
                seq += 1;
            }
            Some("status") => states.push(message["state"].clone()),
            Some("hello") => {}
            _ => panic!("{message}"),
        }
    }
    states
}

/// The lines that the sketches of the next test are meant to send.
const GOAL: &str = "^reading [0-9]+$";

const TOO_FAST: &str = r#"
int reading = 0;

void setup() {
  Serial.begin(115200);
}

void loop() {
  Serial.print("reading ");
  Serial.println(reading);
  reading = reading + 1;
  delay(50);
}
"#;

const WITHOUT_LINES: &str = r#"
int reading = 0;

void setup() {
  Serial.begin(9600);
}

void loop() {
  Serial.print("reading ");
  Serial.print(reading);
  reading = reading + 1;
  delay(50);
}
"#;

const WAITING: &str = r#"
int reading = 0;

void setup() {
  Serial.begin(9600);
}

void loop() {
  while (Serial.available() == 0) {}
  Serial.read();
  Serial.print("reading ");
  Serial.println(reading);
  reading = reading + 1;
  delay(50);
}
"#;

#[tokio::test]
#[ignore = "tests/run firmware"]
async fn three_broken_sketches_are_brought_to_work_by_what_the_tools_say() {
    for (name, source, expected) in [
        ("TooFast", TOO_FAST, "another rate"),
        ("WithoutLines", WITHOUT_LINES, "line ends"),
        ("Waiting", WAITING, "no waiting"),
    ] {
        let Some(sketch) = Sketch::new(name, source) else {
            return;
        };
        let Some(mut bench) = Bench::with(&sketch).await else {
            return;
        };
        let mut agent = Agent::at(&bench.bridge, &["--write"]).await;
        let goal = json!({"until": GOAL, "timeout": 4});
        let before = agent.call("read", goal.clone()).await;
        assert_eq!(before["ended"], "timeout", "{name} works already: {before}");
        // What is silent shows nothing, and what ends no line shows what there is.
        assert_eq!(
            before.get("unended").is_some(),
            name != "Waiting",
            "{before}"
        );
        assert_eq!(
            repair(&mut agent, &sketch, &mut bench.board).await,
            expected,
            "{name}"
        );
        let after = agent.call("read", goal).await;
        assert_eq!(after["ended"], "until", "{name}: {after}");
        // It works for the page, too.
        let mut page = bench.bridge.client("/").await;
        assert!(page.text().await.starts_with("reading "));
    }
}

/// Finds out by the tools alone what is wrong, puts it right, and returns what that was.
async fn repair(agent: &mut Agent, sketch: &Sketch, board: &mut Board) -> &'static str {
    let status = agent.call("status", json!({})).await;
    let advice = &status["advice"];
    if let Some(baud) = advice["baud"].as_u64() {
        agent.call("settings", json!({"baud": baud})).await;
        return "another rate";
    }
    if advice.get("view").is_some() {
        let lines = sketch
            .source()
            .replace("print(reading)", "println(reading)");
        sketch.write(&lines);
        upload(agent, sketch, board).await;
        return "line ends";
    }
    let written = agent.call("write", json!({"text": "?"})).await;
    let spoken = json!({"since": written["since"], "timeout": 4, "until": "."});
    let spoken = agent.call("read", spoken).await;
    assert_eq!(
        spoken["ended"], "until",
        "it speaks when it is spoken to: {status} {spoken}"
    );
    let edited = sketch
        .source()
        .replace("while (Serial.available() == 0) {}", "");
    sketch.write(&edited);
    upload(agent, sketch, board).await;
    "no waiting"
}
