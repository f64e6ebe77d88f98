//! Computers in a network of their own, without a way out of it: network namespaces of Linux, joined by a
//! switch. Only root can make them.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::{Program, bridge::is_emulated, skip};

/// Computers that have one interface each, `wlan0`. They are gone when this is dropped.
pub struct Room {
    name: String,
    computers: usize,
}

impl Room {
    /// A room with so many computers, the first of which has the address 10.77.0.1; None, with the reason
    /// given, where there can be none.
    pub fn new(computers: usize) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sws{}-{count}", std::process::id());
        let room = Self { name, computers };
        let switch = room.switch();
        if is_emulated() || !ip_succeeds(&["netns", "add", &switch]) {
            skip("only root can make network namespaces, with iproute2 on Linux");
            return None;
        }
        ip(&["-n", &switch, "link", "add", "br0", "type", "bridge"]);
        ip(&["-n", &switch, "link", "set", "br0", "up"]);
        for index in 0..computers {
            let computer = room.computer(index);
            let port = format!("port{index}");
            ip(&["netns", "add", &computer]);
            ip(&["-n", &computer, "link", "set", "lo", "up"]);
            let pair = [
                "link", "add", "wlan0", "netns", &computer, "type", "veth", "peer", "name", &port,
                "netns", &switch,
            ];
            ip(&pair);
            ip(&["-n", &switch, "link", "set", &port, "master", "br0", "up"]);
            room.on(index, &["address", "add", &address(index), "dev", "wlan0"]);
            room.on(index, &["link", "set", "wlan0", "up"]);
        }
        Some(room)
    }

    /// Runs `ip` on a computer.
    pub fn on(&self, index: usize, words: &[&str]) {
        let computer = self.computer(index);
        ip(&[&["-n", computer.as_str()], words].concat());
    }

    /// Delays what a computer sends by 50 ms, and loses a hundredth of it, where the system can.
    pub fn slow_down(&self, index: usize) {
        let mut command = self.command(index, "tc");
        let words = "qdisc add dev wlan0 root netem delay 50ms loss 1%";
        let command = command.args(words.split(' ')).stderr(Stdio::null());
        if !command.status().is_ok_and(|status| status.success()) {
            skip("without netem, the network has neither delay nor loss");
        }
    }

    /// Starts the program on a computer.
    pub fn start(&self, index: usize, arguments: &[&str]) -> Program {
        Program::start_by(&self.script(index), arguments)
    }

    /// Starts the program on a computer at a terminal, whose keys are returned.
    pub fn start_at_a_terminal(
        &self,
        index: usize,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (Program, std::fs::File) {
        Program::start_at_a_terminal_by(&self.script(index), arguments, variables)
    }

    /// A command that runs a program on a computer.
    pub fn command(&self, index: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.computer(index), program]);
        command
    }

    /// Something that connects from a computer.
    pub fn connector(&self, index: usize) -> Connector {
        let path = format!("/var/run/netns/{}", self.computer(index));
        let namespace = File::open(path).expect("the computer is there");
        Connector::in_namespace(Some(namespace))
    }

    /// The bytes that a computer has received and sent so far, with the headers of Ethernet.
    pub fn bytes(&self, index: usize) -> (u64, u64) {
        let output = self.command(index, "cat").arg("/proc/net/dev").output();
        let text = String::from_utf8(output.expect("the computer is there").stdout);
        let text = text.expect("it is text");
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("wlan0:"));
        let numbers = line.expect("the interface is there").split_whitespace();
        let numbers: Vec<u64> = numbers
            .map(|word| word.parse().expect("a number"))
            .collect();
        (numbers[0], numbers[8])
    }

    /// A shell script that runs its arguments on a computer.
    fn script(&self, index: usize) -> String {
        format!("exec ip netns exec {} \"$@\"", self.computer(index))
    }

    fn computer(&self, index: usize) -> String {
        format!("{}-{index}", self.name)
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.name)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let computers = (0..self.computers).map(|index| self.computer(index));
        for name in computers.chain([self.switch()]) {
            let _ = ip_succeeds(&["netns", "delete", &name]);
        }
    }
}

/// Connects from one place in a network: from a thread there, which a socket never leaves.
pub struct Connector(std::sync::mpsc::Sender<(SocketAddr, Connected)>);

/// The way back of a connection, or of the reason why there is none.
type Connected = oneshot::Sender<io::Result<std::net::TcpStream>>;

impl Connector {
    /// Connects from this computer itself.
    pub fn here() -> Self {
        Self::in_namespace(None)
    }

    fn in_namespace(namespace: Option<File>) -> Self {
        let (sender, wanted) = std::sync::mpsc::channel::<(SocketAddr, Connected)>();
        std::thread::spawn(move || {
            if let Some(namespace) = namespace {
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(namespace.as_fd(), kind).expect("root may enter it");
            }
            for (address, connected) in wanted {
                let limit = Duration::from_secs(5);
                let stream = std::net::TcpStream::connect_timeout(&address, limit);
                // Nobody waits for it any more if that fails.
                let _ = connected.send(stream);
            }
        });
        Self(sender)
    }

    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let (connected, stream) = oneshot::channel();
        let sent = self.0.send((address, connected));
        sent.expect("the thread lives as long as this");
        let stream = stream.await.expect("the thread answers")?;
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }
}

/// The address of a computer at first, and the length of its prefix.
fn address(index: usize) -> String {
    format!("10.77.0.{}/24", index + 1)
}

#[track_caller]
fn ip(words: &[&str]) {
    assert!(ip_succeeds(words), "ip {words:?} failed");
}

fn ip_succeeds(words: &[&str]) -> bool {
    let mut command = Command::new("ip");
    let command = command
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
