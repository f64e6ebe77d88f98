//! A class in a network without internet: several computers, each in a network namespace, one of which
//! shares a board.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::network::home;
use crate::support::{Program, namespaces::Room, skip, spawn, until};

const TEACHER: usize = 0;
const STUDENT: usize = 1;

const ARGUMENTS: [&str; 4] = ["uno=sim", "scale=sim", "--lan", "--listen"];

/// Starts the program on the teacher's computer, at a terminal, with a token of this test.
fn teach(room: &Room, name: &str, arguments: &[&str]) -> (Program, std::fs::File) {
    let home = home(name);
    let home = home.to_str().expect("the folder is text");
    let variables = [("XDG_CONFIG_HOME", home), ("HOME", home)];
    room.start_at_a_terminal(TEACHER, &[&ARGUMENTS, arguments].concat(), &variables)
}

/// Returns the first address on the screen that begins so.
async fn url(program: &Program, start: &str) -> String {
    let line = program.said(start).await;
    line.split_whitespace()
        .next()
        .expect("it has a word")
        .to_owned()
}

/// Returns what a student's computer finds in the network.
async fn found(room: &Room) -> Value {
    let ended = room
        .start(STUDENT, &["list", "--lan", "--json"])
        .ended()
        .await;
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

#[tokio::test]
async fn the_addresses_on_the_screen_work_on_other_computers() {
    let Some(room) = Room::new(2) else {
        return;
    };
    room.on(
        TEACHER,
        &["address", "add", "fd77::1/64", "dev", "wlan0", "nodad"],
    );
    room.on(
        STUDENT,
        &["address", "add", "fd77::2/64", "dev", "wlan0", "nodad"],
    );
    let (program, _keys) = teach(&room, "class", &["8080"]);
    program.said("can use the device from your network").await;
    for start in [
        "http://10.77.0.1:8080/?token=",
        "http://[fd77::1]:8080/?token=",
    ] {
        let url = url(&program, start).await;
        let connect = ["connect", &url, "--count", "1"];
        room.start(STUDENT, &connect).ended().await.with(0, "");
    }
    program.said("█").await;
    let bare = ["connect", "http://10.77.0.1:8080/", "--count", "1"];
    room.start(STUDENT, &bare).ended().await.with(1, "token");
}

#[tokio::test]
async fn a_new_address_is_shown_and_works() {
    let Some(room) = Room::new(2) else {
        return;
    };
    let (program, _keys) = teach(&room, "moved", &["8080"]);
    program.said("http://10.77.0.1:8080/?token=").await;
    room.on(
        TEACHER,
        &["address", "flush", "dev", "wlan0", "scope", "global"],
    );
    room.on(TEACHER, &["address", "add", "10.78.0.1/24", "dev", "wlan0"]);
    room.on(STUDENT, &["address", "add", "10.78.0.2/24", "dev", "wlan0"]);
    program.said("The network has changed").await;
    let url = url(&program, "http://10.78.0.1:8080/?token=").await;
    let connect = ["connect", &url, "--count", "1"];
    room.start(STUDENT, &connect).ended().await.with(0, "");
    let found = until("the new address to be announced", async || {
        let found = found(&room).await;
        (found[0]["urls"][0] == "http://10.78.0.1:8080/").then_some(found)
    });
    found.await;
}

#[tokio::test]
async fn others_find_it_until_it_ends() {
    let Some(room) = Room::new(2) else {
        return;
    };
    for signal in [Signal::INT, Signal::TERM] {
        let (mut program, _keys) = teach(&room, "found", &["8080"]);
        let list = until("it to be found", async || {
            let list = found(&room).await;
            (list != Value::Array(Vec::new())).then_some(list)
        });
        let list = list.await;
        assert_eq!(list[0]["urls"][0], "http://10.77.0.1:8080/", "{list}");
        assert_eq!(list[0]["ports"], serde_json::json!(["uno", "scale"]));
        assert_eq!(list[0]["token"], true);
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
        program.signal(signal);
        program.ended().await;
        assert_eq!(found(&room).await, Value::Array(Vec::new()));
    }
}

#[tokio::test]
async fn several_on_one_computer_are_told_apart() {
    let Some(room) = Room::new(2) else {
        return;
    };
    let (_one, _keys) = teach(&room, "one", &["8080"]);
    let (_other, _other_keys) = teach(&room, "other", &["8090"]);
    let (_hidden, _hidden_keys) = teach(&room, "hidden", &["8100", "--no-announce"]);
    let names = until("both to be found", async || {
        let list = found(&room).await;
        let list = list.as_array().expect("it is a list");
        let urls = list.iter().map(|one| one["urls"][0].as_str());
        let mut urls: Vec<_> = urls.flatten().map(str::to_owned).collect();
        urls.sort_unstable();
        (urls.len() == 2).then_some(urls)
    });
    assert_eq!(
        names.await,
        ["http://10.77.0.1:8080/", "http://10.77.0.1:8090/"]
    );
}

#[tokio::test]
async fn where_nothing_can_be_announced_it_serves_all_the_same() {
    /// Takes UDP port 5353 for itself, says so, and keeps it until its input ends.
    const TAKER: &str = "import socket, sys\n\
        all = [(socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')]\n\
        kept = []\n\
        for family, address in all:\n\
        \x20   kept.append(socket.socket(family, socket.SOCK_DGRAM))\n\
        \x20   if family == socket.AF_INET6:\n\
        \x20       kept[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n\
        \x20   kept[-1].bind((address, 5353))\n\
        print('taken', flush=True)\n\
        sys.stdin.read()";
    let Some(room) = Room::new(2) else {
        return;
    };
    let mut python = room.command(TEACHER, "python3");
    python.args(["-c", TAKER]);
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut python) = spawn(python) else {
        return skip("there is no python3");
    };
    let mut line = String::new();
    let stdout = python.stdout.take().expect("it is a pipe");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("it is read");
    assert_eq!(line, "taken\n");
    let (program, _keys) = teach(&room, "taken", &["8080"]);
    program
        .said("UDP port 5353 is in use by a program that does not share it")
        .await;
    let url = url(&program, "http://10.77.0.1:8080/?token=").await;
    let connect = ["connect", &url, "--count", "1"];
    room.start(STUDENT, &connect).ended().await.with(0, "");
    let list = room.start(TEACHER, &["list", "--lan"]).ended().await;
    list.with(0, "UDP port 5353 is in use");
    assert!(list.stdout.contains("No serial-ws found"), "{list:?}");
    drop(python.stdin.take());
    python.wait().expect("it ends");
}

#[tokio::test]
async fn a_computer_in_no_network_says_so_and_shows_its_address_once_it_is_in_one() {
    let Some(room) = Room::new(1) else {
        return;
    };
    room.on(TEACHER, &["link", "set", "wlan0", "down"]);
    let (program, _keys) = teach(&room, "alone", &["8080"]);
    program.said("This computer is in no network").await;
    room.on(TEACHER, &["link", "set", "wlan0", "up"]);
    program.said("http://10.77.0.1:8080/?token=").await;
}

#[tokio::test]
#[ignore = "takes minutes: tests/run --long"]
async fn a_device_whose_computer_vanishes_is_lost_as_soon_as_the_documents_say() {
    /// The devices, each with the time in seconds: while nothing is on its way, while written bytes are,
    /// and where the server is asked for a sign of life.
    const PLACES: [(&str, u64); 3] = [
        ("tcp://10.77.0.2:4000", 30),
        ("tcp://10.77.0.2:4001", 45),
        ("rfc2217://10.77.0.2:2217", 60),
    ];
    const SHARED: [&str; 9] = [
        "--port",
        "one=sim,tcp=0.0.0.0:4000:rw",
        "--port",
        "two=sim,rfc2217=0.0.0.0:2217:rw",
        "--port",
        "three=loop,tcp=0.0.0.0:4001:rw",
        "--lan",
        "--listen",
        "8080",
    ];
    let Some(room) = Room::new(2) else {
        return;
    };
    let home = home("vanishes");
    let home = home.to_str().expect("the folder is text");
    let variables = [("XDG_CONFIG_HOME", home), ("HOME", home)];
    let (far, _keys) = room.start_at_a_terminal(STUDENT, &SHARED, &variables);
    far.said("tcp clients may connect to 0.0.0.0:4001").await;
    let written = format!("written={}", PLACES[1].0);
    let near = room.start(TEACHER, &[PLACES[0].0, &written, PLACES[2].0]);
    for (place, _) in PLACES {
        near.said(&format!("{place} is open")).await;
    }
    let url = "ws://127.0.0.1:8080/ports/written";
    let (_client, mut keys) = room.start_at_a_terminal(TEACHER, &["connect", url], &variables);
    near.said("connected: 127.0.0.1").await;
    // From now on, nothing of what the other computer sends arrives.
    room.on(STUDENT, &["route", "add", "blackhole", "10.77.0.1/32"]);
    let start = Instant::now();
    keys.write_all(b"on its way\n").expect("it reads");
    for (place, seconds) in PLACES {
        let lost = format!("{place} was lost: it ");
        while !near.log().iter().any(|line| line.contains(&lost)) {
            let time = start.elapsed();
            // With time for a computer that has much to do.
            let limit = Duration::from_secs(seconds + 2);
            assert!(time < limit, "{place}: {time:?}, {:#?}", near.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("{place} was lost after {:?}", start.elapsed());
    }
    room.on(STUDENT, &["route", "delete", "blackhole", "10.77.0.1/32"]);
    until("all to be open again", async || {
        let log = near.log();
        let count = log.iter().filter(|line| line.contains(" is open")).count();
        (count == 2 * PLACES.len()).then_some(())
    })
    .await;
}

/// A program that counts from 0, fifty times a second.
const COUNTING: &str = "board=exec:sh -c 'i=0; while echo $i; do i=$((i+1)); sleep 0.02; done'";

/// Starts a counting board on the teacher's computer and a serial-ws that shares it on another one, in a
/// slow network, and loses the network for so long while a client counts.
async fn lose_the_network(name: &str, seconds: u64, is_noticed: bool) {
    let Some(room) = Room::new(2) else {
        return;
    };
    room.slow_down(TEACHER);
    room.slow_down(STUDENT);
    let home = home(name);
    std::fs::create_dir_all(&home).expect("a folder can be made");
    let token = home.join("class-token").display().to_string();
    std::fs::write(&token, "a-token-of-the-class").expect("a file can be written");
    let listen = ["--lan-read-only", "--lan-token", &token, "--listen", "8080"];
    let far = room.start(TEACHER, &[&[COUNTING][..], &listen].concat());
    far.said("is open").await;
    let port = format!("board=ws://10.77.0.1:8080/,token={token}");
    let near = room.start(STUDENT, &[&port, "--listen", "8090"]);
    near.said("the board at ws://10.77.0.1:8080/").await;
    let count = (60 + seconds * 50).to_string();
    let history = "ws://localhost:8090/?history=9999";
    let mut client = room.start(STUDENT, &["connect", history, "--count", &count]);
    room.on(STUDENT, &["link", "set", "wlan0", "down"]);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    if is_noticed {
        near.said("was lost: it does not answer any more").await;
    }
    room.on(STUDENT, &["link", "set", "wlan0", "up"]);
    let ended = client.ended().await;
    ended.with(0, "");
    let numbers: Vec<u64> = ended.stdout.lines().flat_map(str::parse).collect();
    let first = *numbers.first().expect("it has counted");
    assert_eq!(
        numbers,
        (first..first + 60 + seconds * 50).collect::<Vec<_>>()
    );
    let _ = std::fs::remove_dir_all(&home);
}

#[tokio::test]
async fn a_board_of_another_computer_misses_nothing_when_the_network_falters() {
    lose_the_network("falters", 6, false).await;
}

#[tokio::test]
#[ignore = "takes minutes: tests/run --long"]
async fn a_board_of_another_computer_misses_nothing_when_the_network_is_lost() {
    lose_the_network("lost", 30, true).await;
}

#[tokio::test]
async fn a_port_of_another_computer_is_shared_by_rfc2217() {
    let Some(room) = Room::new(2) else {
        return;
    };
    room.slow_down(TEACHER);
    let home = home("rfc2217");
    let text = home.to_str().expect("the folder is text");
    let variables = [("XDG_CONFIG_HOME", text), ("HOME", text)];
    let far = [
        "sim",
        "--lan",
        "--rfc2217",
        "10.77.0.1:2217:rw",
        "--listen",
        "8080",
    ];
    let (far, _keys) = room.start_at_a_terminal(TEACHER, &far, &variables);
    far.said("sim is open").await;
    let near = room.start(STUDENT, &["rfc2217://10.77.0.1:2217", "--listen", "8090"]);
    near.said("rfc2217://10.77.0.1:2217 is open").await;
    let connect = ["connect", "ws://localhost:8090/", "--count", "50"];
    room.start(STUDENT, &connect).ended().await.with(0, "");
}
