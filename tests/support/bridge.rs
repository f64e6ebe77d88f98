//! The program under test: started, watched, and ended with the test.
//!
//! `SERIAL_WS_TEST_BIN` names another build of it, split on blanks, so that
//! `wine serial-ws.exe` or `qemu-aarch64 … serial-ws` can be tested from here.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::sync::watch;

#[cfg(unix)]
use super::wine;
use super::{
    child,
    client::Client,
    http::{self, Reply},
    pair::Pair,
    wait::{until, within},
};

/// The program, running. It is killed when this is dropped.
pub struct Program {
    child: Child,
    /// Every line written to stderr so far. A thread writes; its end means that stderr ended.
    log: watch::Receiver<Vec<String>>,
}

/// How the program ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// The program as a bridge that accepts connections.
pub struct Bridge {
    pub program: Program,
    /// Where it listens, in the order of its `--listen`.
    pub addresses: Vec<SocketAddr>,
}

impl Program {
    /// Starts the program with nothing on stdin.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// Starts the program with these variables, of which it gets no others of its own.
    pub fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let (command, words) = command(arguments, variables);
        Self::spawn(command, words, Stdio::null(), None)
    }

    /// Starts the program with a limit on descriptors, as `ulimit` of a shell takes it.
    #[cfg(unix)]
    pub fn start_with_descriptors(limit: &str, arguments: &[&str]) -> Self {
        Self::start_by(&format!("ulimit {limit}; exec \"$@\""), arguments)
    }

    /// Starts the program by a script for a shell, whose arguments are the command.
    #[cfg(unix)]
    pub fn start_by(script: &str, arguments: &[&str]) -> Self {
        let (shell, words) = by_shell(script, arguments, &[]);
        Self::spawn(shell, words, Stdio::null(), None)
    }

    /// Starts the program with its stderr going elsewhere, so that nothing is `said`.
    #[cfg(unix)]
    pub fn start_with_stderr(arguments: &[&str], stderr: Stdio) -> Self {
        let (mut command, words) = command(arguments, &[]);
        command.stderr(stderr);
        Self::spawn(
            command,
            words,
            Stdio::null(),
            Some(Box::new(std::io::empty())),
        )
    }

    /// Starts the program with a pipe on stdin, for `take_stdin`.
    pub fn start_in_a_pipe(arguments: &[&str]) -> Self {
        let (command, words) = command(arguments, &[]);
        Self::spawn(command, words, Stdio::piped(), None)
    }

    /// Starts the program with its stdin and stderr at a terminal, whose keys are returned.
    #[cfg(unix)]
    pub fn start_at_a_terminal(
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (Self, std::fs::File) {
        Self::start_at_a_terminal_by("exec \"$@\"", arguments, variables)
    }

    /// The same by a script for a shell, whose arguments are the command.
    #[cfg(unix)]
    pub fn start_at_a_terminal_by(
        script: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (Self, std::fs::File) {
        let (mut command, words) = by_shell(script, arguments, variables);
        let (person, theirs) = super::pair::terminal();
        let stdin = theirs.try_clone().expect("a descriptor can be doubled");
        command.stderr(theirs);
        let screen = person.try_clone().expect("a descriptor can be doubled");
        let program = Self::spawn(command, words, stdin.into(), Some(Box::new(screen)));
        (program, person)
    }

    /// Starts the program in a terminal, whose keys are returned; what it shows is `said`.
    #[cfg(unix)]
    pub fn start_in_a_terminal(arguments: &[&str]) -> (Self, std::fs::File) {
        let (mut command, words) = command(arguments, &[]);
        let (person, theirs) = super::pair::terminal();
        let double = || theirs.try_clone().expect("a descriptor can be doubled");
        command.stdout(double()).stderr(double());
        let screen = person.try_clone().expect("a descriptor can be doubled");
        let stdin = double().into();
        let program = Self::spawn_showing(command, words, stdin, Some(Box::new(screen)));
        (program, person)
    }

    /// Starts the program with its stdout at a terminal, whose screen is returned, and a pipe on
    /// stdin, for `take_stdin`.
    #[cfg(unix)]
    pub fn start_with_a_screen(arguments: &[&str]) -> (Self, std::fs::File) {
        let (mut command, words) = command(arguments, &[]);
        let (person, theirs) = super::pair::terminal();
        command.stdout(theirs);
        let program = Self::spawn_showing(command, words, Stdio::piped(), None);
        (program, person)
    }

    /// Starts the program; its stderr comes out of `screen`, if it is not to be a pipe.
    fn spawn(
        mut command: Command,
        words: Vec<String>,
        stdin: Stdio,
        screen: Option<Box<dyn Read + Send>>,
    ) -> Self {
        command.stdout(Stdio::piped());
        Self::spawn_showing(command, words, stdin, screen)
    }

    /// The same with the stdout of `command`.
    fn spawn_showing(
        mut command: Command,
        words: Vec<String>,
        stdin: Stdio,
        screen: Option<Box<dyn Read + Send>>,
    ) -> Self {
        if screen.is_none() {
            command.stderr(Stdio::piped());
        }
        command.stdin(stdin);
        let mut child =
            child::spawn(command).unwrap_or_else(|error| panic!("cannot start {words:?}: {error}"));
        let screen = screen.unwrap_or_else(|| {
            let stderr = child.stderr.take();
            Box::new(stderr.expect("stderr is a pipe"))
        });
        let (sender, log) = watch::channel(Vec::new());
        thread::spawn(move || {
            for line in BufReader::new(screen).lines().map_while(Result::ok) {
                sender.send_modify(|log: &mut Vec<String>| log.push(line));
            }
        });
        Self { child, log }
    }

    /// The first line on stderr, from the start of the program on, that contains `part`.
    pub async fn said(&self, part: &str) -> String {
        let find = |log: &Vec<String>| log.iter().find(|line| line.contains(part)).cloned();
        let mut log = self.log.clone();
        let what = format!("{part:?} on stderr");
        match within(&what, log.wait_for(|log| find(log).is_some())).await {
            Ok(log) => find(&log).expect("it was just found"),
            Err(_) => panic!("{part:?} was not said, but this: {:#?}", self.log()),
        }
    }

    /// Every line on stderr so far.
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// The writing end of the program's stdin; dropping it is the end of input.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.child
            .stdin
            .take()
            .expect("the program was started in a pipe")
    }

    /// The reading end of the program's stdout; dropping it closes stdout.
    pub fn take_stdout(&mut self) -> ChildStdout {
        self.child
            .stdout
            .take()
            .expect("stdout was not taken before")
    }

    /// Waits until the program has ended by itself.
    pub async fn ended(&mut self) -> Ended {
        // Read beside waiting: a program whose pipe is full would never end.
        let stdout = self.child.stdout.take().map(|mut pipe| {
            thread::spawn(move || {
                let mut all = String::new();
                pipe.read_to_string(&mut all).map(|_| all)
            })
        });
        let status = until("the program to end", async || {
            self.child
                .try_wait()
                .expect("the program can be waited for")
        })
        .await;
        let mut log = self.log.clone();
        within("the end of stderr", async {
            while log.changed().await.is_ok() {}
        })
        .await;
        let stdout = stdout.map(|reader| reader.join().expect("the reader does not panic"));
        Ended {
            status,
            stdout: stdout
                .transpose()
                .expect("stdout is text")
                .unwrap_or_default(),
            stderr: self.log().join("\n"),
        }
    }

    /// Runs the program to its end.
    pub async fn run(arguments: &[&str]) -> Ended {
        Self::start(arguments).ended().await
    }

    /// The process of the program, where no other program runs it.
    #[cfg(target_os = "linux")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, as Ctrl-C or `kill` would.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("the program runs");
    }

    /// Returns true if the program itself handles a signal by now.
    #[cfg(target_os = "linux")]
    pub fn catches(&self, signal: rustix::process::Signal) -> bool {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("the program runs");
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = u64::from_str_radix(mask.expect("it is there").trim(), 16);
        mask.expect("a number") >> (signal.as_raw() - 1) & 1 == 1
    }

    /// The most memory that the program has held so far, in bytes; None where that cannot be
    /// known, or would be an emulator's.
    pub fn peak_memory(&self) -> Option<u64> {
        self.memory_line("VmHWM:")
    }

    /// The memory that the program holds now, in bytes; None as above.
    pub fn memory(&self) -> Option<u64> {
        self.memory_line("VmRSS:")
    }

    fn memory_line(&self, name: &str) -> Option<u64> {
        let text = self.proc_file("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kibibytes
            .and_then(|number| number.parse().ok())
            .map(|kibibytes: u64| kibibytes * 1024)
    }

    /// The number of descriptors that the program has open; None as above.
    #[cfg(unix)]
    pub fn descriptors(&self) -> Option<usize> {
        let knowable = cfg!(target_os = "linux") && !is_emulated();
        let folder = format!("/proc/{}/fd", self.child.id());
        knowable.then(|| {
            let descriptors = std::fs::read_dir(folder).expect("the program runs");
            descriptors.count()
        })
    }

    /// The processor time that the program has used; None as above.
    pub fn processor_time(&self) -> Option<Duration> {
        let knowable = cfg!(target_os = "linux") && !is_emulated();
        let tasks = format!("/proc/{}/task", self.child.id());
        knowable.then(|| {
            let tasks = std::fs::read_dir(tasks).expect("the program runs");
            let times = tasks.map(|task| {
                let path = task.expect("the tasks can be listed").path();
                // A task that has ended since it was listed uses nothing more.
                let text = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
                let nanoseconds = text.split_whitespace().next();
                Duration::from_nanos(nanoseconds.map_or(0, |it| it.parse().expect("a number")))
            });
            times.sum()
        })
    }

    /// Waits until the program has used at most `share` of the processor for half a second; None as above.
    ///
    /// A single measurement would fail on a busy machine, where whatever the program does costs more. One
    /// that never rests uses as much in every half second.
    ///
    /// # Panics
    /// If it has not after ten of them.
    pub async fn rests(&self, share: f64) -> Option<()> {
        const WATCHED: Duration = Duration::from_millis(500);
        let mut used = Vec::new();
        for _ in 0..10 {
            let before = self.processor_time()?;
            tokio::time::sleep(WATCHED).await;
            // Less than before if a task has ended.
            let time = self.processor_time()?.saturating_sub(before);
            if time <= WATCHED.mul_f64(share) {
                return Some(());
            }
            used.push(time);
        }
        panic!("the program never rests: it used {used:?} of {WATCHED:?} each");
    }

    fn proc_file(&self, file: &str) -> Option<String> {
        let knowable = cfg!(target_os = "linux") && !is_emulated();
        let path = format!("/proc/{}/{file}", self.child.id());
        knowable.then(|| std::fs::read_to_string(path).expect("the program runs"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            // Captured by cargo test and shown with the failure.
            println!("the program said: {:#?}", self.log());
        }
    }
}

impl Ended {
    /// Asserts the exit code, and that stderr has `part`.
    #[track_caller]
    pub fn with(&self, code: i32, part: &str) {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        assert!(self.stderr.contains(part), "{part:?} is not in {self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}

impl Bridge {
    /// Starts a bridge on a free TCP port (unless `arguments` say where) and waits until it accepts
    /// connections.
    pub async fn start(arguments: &[&str]) -> Self {
        let arguments = somewhere(arguments);
        let listeners = arguments
            .iter()
            .filter(|argument| **argument == LISTEN)
            .count();
        Self::of(Program::start(&arguments), listeners).await
    }

    /// Starts a bridge that cannot run, and waits for its end.
    pub async fn fail(arguments: &[&str]) -> Ended {
        Program::run(&somewhere(arguments)).await
    }

    /// Waits until `program` accepts connections on so many `listeners`.
    pub async fn of(program: Program, listeners: usize) -> Self {
        let addresses = program.addresses(listeners).await;
        Self { program, addresses }
    }

    /// Starts a bridge whose only port, `board`, is `pair`, open and in step: the next byte that the
    /// device sends begins a whole line.
    pub async fn on(pair: &mut Pair, arguments: &[&str]) -> Self {
        let port = format!("board={}", pair.path);
        let bridge = Self::start(&[&["--port", port.as_str()], arguments].concat()).await;
        bridge.in_step("board", pair).await;
        bridge
    }

    /// Waits until port `name` is open, and ends the line that its first bytes may be a part of.
    pub async fn in_step(&self, name: &str, pair: &mut Pair) {
        self.open(name).await;
        let mut witness = self.client(&format!("/ports/{name}?view=json")).await;
        witness.json_of("hello").await;
        pair.device.write("\n").await;
        witness.json_of("line").await;
        witness.leave().await;
    }

    /// Waits until port `name` is open.
    pub async fn open(&self, name: &str) {
        self.state(name, "open").await;
    }

    /// Waits until port `name` is in `state`, and gives its status.
    pub async fn state(&self, name: &str, state: &str) -> Value {
        until(&format!("port {name} to be {state}"), async || {
            let status = self.port(name).await["status"].clone();
            (status["state"] == state).then_some(status)
        })
        .await
    }

    /// What `/api/status` says about port `name`.
    pub async fn port(&self, name: &str) -> Value {
        let status = self.get("/api/status").await.json();
        let ports = status["ports"].as_array().expect("the status has ports");
        let port = ports.iter().find(|port| port["name"] == name);
        port.unwrap_or_else(|| panic!("port {name} is not in {status}"))
            .clone()
    }

    /// Connects a client to `target`, a path with its query.
    pub async fn client(&self, target: &str) -> Client {
        Client::open(self.address(), target, &[]).await
    }

    /// Connects a client of the json view, which was greeted.
    pub async fn json_client(&self) -> Client {
        let mut client = self.client("/?view=json").await;
        client.json_of("hello").await;
        client
    }

    /// Connects a json client that asks for settings, and returns those in its greeting.
    pub async fn settings_of(&self, target: &str) -> (Client, Value) {
        let mut client = self.client(target).await;
        let hello = client.json_of("hello").await;
        (client, hello["port"]["settings"].clone())
    }

    /// Connects a client that is refused, and returns the code and the reason.
    pub async fn refused(&self, target: &str) -> (u16, String) {
        self.client(target).await.closed().await
    }

    /// Connects a client that asks for `view` as a page would: without a query, by subprotocol.
    pub async fn client_as(&self, target: &str, protocol: &str) -> Client {
        Client::open(
            self.address(),
            target,
            &[("Sec-WebSocket-Protocol", protocol)],
        )
        .await
    }

    /// Ends the program as Ctrl-C does, and waits until all that it writes is on the disk.
    pub async fn stop(mut self) -> Ended {
        #[cfg(unix)]
        self.program.signal(rustix::process::Signal::INT);
        self.program.ended().await
    }

    /// Gets `path` over HTTP.
    pub async fn get(&self, path: &str) -> Reply {
        http::http(self.address(), "GET", path, &[]).await
    }

    /// Where the bridge listens; the first place, if there are several.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }
}

impl Program {
    /// The addresses of the first `count` lines on stderr that have one in `ws://ADDRESS/`.
    async fn addresses(&self, count: usize) -> Vec<SocketAddr> {
        let find = |log: &Vec<String>| -> Vec<SocketAddr> {
            let rest = log.iter().filter_map(|line| line.split_once("ws://"));
            let address = rest.filter_map(|(_, rest)| rest.split_once('/'));
            address
                .filter_map(|(address, _)| address.parse().ok())
                .collect()
        };
        let mut log = self.log.clone();
        let seen = within(
            "the bridge to listen",
            log.wait_for(|log| find(log).len() >= count),
        )
        .await;
        match seen {
            Ok(log) => find(&log),
            Err(_) => panic!("the bridge does not listen: {:#?}", self.log()),
        }
    }
}

const LISTEN: &str = "--listen";

/// The arguments of a bridge on a free TCP port, unless they say where it listens.
fn somewhere<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = arguments.to_vec();
    if !arguments.contains(&LISTEN) {
        arguments.extend([LISTEN, "127.0.0.1:0"]);
    }
    arguments
}

/// The program with `arguments` and `variables`, and the words that it was made of.
fn command(arguments: &[&str], variables: &[(&str, &str)]) -> (Command, Vec<String>) {
    let words = words();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SERIAL_WS_") {
            command.env_remove(name);
        }
    }
    #[cfg(unix)]
    if wine::runs_it() {
        wine::give_up_configuration();
    }
    // What the one who runs the tests has allowed or configured is not what a test expects.
    let home = cfg!(target_os = "macos").then_some("HOME");
    for name in ["XDG_CONFIG_HOME", "APPDATA"].into_iter().chain(home) {
        command.env(name, std::env::temp_dir().join("serial-ws-test-nothing"));
    }
    // As under systemd, whose journal adds the time to each line.
    command.env("JOURNAL_STREAM", "1:1");
    command.envs(variables.iter().copied());
    (command, words)
}

/// The command that starts the program by a script for a shell, and its words.
#[cfg(unix)]
fn by_shell(
    script: &str,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (Command, Vec<String>) {
    let (program, words) = command(arguments, variables);
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(program.get_program());
    shell.args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    (shell, words)
}

/// Whether the program is for Windows, here or under wine.
pub fn is_for_windows() -> bool {
    cfg!(windows) || words().last().is_some_and(|word| word.ends_with(".exe"))
}

/// Whether another program runs it, such as wine or qemu.
pub fn is_emulated() -> bool {
    words().len() > 1
}

/// The command that starts the program.
pub fn words() -> Vec<String> {
    match std::env::var("SERIAL_WS_TEST_BIN") {
        Ok(command) => command.split_whitespace().map(str::to_owned).collect(),
        Err(_) => vec![env!("CARGO_BIN_EXE_serial-ws").to_owned()],
    }
}
