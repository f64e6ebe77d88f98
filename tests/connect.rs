//! What is typed or piped into `serial-ws connect`: each line reaches the board with its end.

use std::io::{BufRead, BufReader, Write};

use crate::support::{Bridge, Pair, Program, within};
#[cfg(unix)]
use crate::support::{is_for_windows, skip};

#[tokio::test]
async fn a_file_piped_into_connect_arrives_line_by_line_exactly() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let long = format!("{}\r\nM30\n", "(long)".repeat(30_000));
    let program = "G1 X10 F600\n".repeat(5_000);
    for file in [
        b"G28\nG1 X10 F600\nG1 Y10\n".as_slice(),
        b"AT\r\nATE0\r\n",
        b"unix\nwindows\r\n\n\r\nold mac\rend\n",
        b"caf\xe9 25 \xb0C\n\0\xff\n",
        long.as_bytes(),
        program.as_bytes(),
    ] {
        piped(&mut pair, &bridge, &[], file, file).await;
    }
    piped(&mut pair, &bridge, &[], b"H", b"H\n").await;
    piped(&mut pair, &bridge, &[], b"G28\nG29", b"G28\nG29\n").await;
    piped(
        &mut pair,
        &bridge,
        &["--raw"],
        b"\0\xff\r\nH",
        b"\0\xff\r\nH",
    )
    .await;
}

#[tokio::test]
async fn connect_ends_each_line_as_it_is_told() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let file = b"A\nB\r\nC";
    for (ending, expected) in [
        ("none", b"ABC".as_slice()),
        ("lf", b"A\nB\nC\n"),
        ("crlf", b"A\r\nB\r\nC\r\n"),
        ("cr", b"A\rB\rC\r"),
    ] {
        piped(&mut pair, &bridge, &["--append", ending], file, expected).await;
    }
}

#[tokio::test]
async fn connect_leaves_the_ending_to_a_port_that_has_one() {
    for (ending, expected) in [
        ("crlf", b"A\r\nB\r\nC\r\n".as_slice()),
        ("cr", b"A\rB\rC\r"),
    ] {
        let mut pair = Pair::open().await;
        let bridge = Bridge::on(&mut pair, &["--append", ending]).await;
        let address = url(&bridge, "/?history=0");
        let mut connect = Program::start_in_a_pipe(&["connect", &address]);
        let mut stdin = connect.take_stdin();
        stdin
            .write_all(b"A\nB\r\nC")
            .expect("the program reads its stdin");
        drop(stdin);
        pair.device.expect(expected).await;
        connect.ended().await.with(0, "");
    }
}

#[tokio::test]
async fn connect_adds_nothing_to_messages_that_reach_no_board() {
    let bridge = Bridge::start(&["--port", "room=loop"]).await;
    bridge.open("room").await;
    for (target, line) in [
        ("/echo", "hello"),
        (
            "/?view=json&append=lf",
            r#"{"type":"write","text":"H","id":1}"#,
        ),
    ] {
        let address = url(&bridge, target);
        let mut connect = Program::start_in_a_pipe(&["connect", &address, "--wait", "forever"]);
        let mut stdin = connect.take_stdin();
        let stdout = BufReader::new(connect.take_stdout());
        writeln!(stdin, "{line}").expect("the program reads its stdin");
        let reading = tokio::task::spawn_blocking(move || {
            let lines = stdout.lines().map_while(Result::ok);
            let mut answers =
                lines.filter(|line| !line.contains("hello\",") && !line.contains("status"));
            answers.next()
        });
        let answer = within("an answer", reading).await.expect("it can be read");
        let expected = [line, r#"{"type":"ack","id":1,"bytes":2}"#];
        assert!(
            expected.contains(&answer.as_deref().unwrap_or_default()),
            "{answer:?}"
        );
    }
}

#[cfg(unix)] // where a test can make a terminal
#[tokio::test]
async fn a_line_typed_at_the_terminal_of_connect_ends_with_a_newline() {
    if is_for_windows() {
        return skip("wine's console is not the terminal of the test");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let address = url(&bridge, "/");
    let (_connect, mut keys) = Program::start_at_a_terminal(&["connect", &address], &[]);
    // As a terminal hands on what is pasted into it: Enter is a carriage return.
    keys.write_all(b"G28\rG1 X10 F600\rG1 Y10\r")
        .expect("the terminal takes keys");
    pair.device.expect("G28\nG1 X10 F600\nG1 Y10\n").await;
}

/// Pipes `input` into `connect` with these arguments, and asserts that the board gets `expected`.
async fn piped(
    pair: &mut Pair,
    bridge: &Bridge,
    arguments: &[&str],
    input: &[u8],
    expected: &[u8],
) {
    let address = url(bridge, "/");
    let arguments = [&["connect", &address], arguments].concat();
    let mut connect = Program::start_in_a_pipe(&arguments);
    let mut stdin = connect.take_stdin();
    let input = input.to_vec();
    // The board reads meanwhile: less fits the way to it.
    let writing = tokio::task::spawn_blocking(move || stdin.write_all(&input));
    pair.device.expect(expected).await;
    let written = within("the program to read its stdin", writing).await;
    written
        .expect("the writer does not panic")
        .expect("the program reads its stdin");
    connect.ended().await.with(0, "");
    // Nothing came behind it.
    bridge.client("/").await.send("|").await;
    pair.device.expect("|").await;
}

fn url(bridge: &Bridge, target: &str) -> String {
    format!("ws://{}{target}", bridge.address())
}

#[tokio::test]
async fn connect_ends_with_an_empty_input() {
    let bridge = Bridge::start(&["sim"]).await;
    bridge.open("sim").await;
    let ended = Program::run(&["connect", &url(&bridge, "/")]).await;
    ended.with(0, "");
}

#[tokio::test]
async fn connect_tells_scripts_by_its_code_why_it_ended() {
    let bridge = Bridge::start(&["sim", "room=loop"]).await;
    bridge.open("sim").await;
    bridge.open("room").await;
    let address = url(&bridge, "/");
    let run = async |arguments: &[&str]| {
        Program::run(&[&["connect", &address], arguments].concat()).await
    };
    let matched = run(&["--until", "^[0-9]+,[0-9]+,[01]$"]).await;
    matched.with(0, "");
    assert_eq!(matched.stdout.lines().count(), 1, "{matched:?}");
    let late = run(&["--port", "room", "--until", "never", "--timeout", "100ms"]).await;
    late.with(
        3,
        "error: what was waited for did not come within 100ms (--timeout)",
    );
    run(&["--timeout", "100ms"])
        .await
        .with(3, "error: the time is over");
    let refused = run(&["--port", "rom"]).await;
    refused.with(1, "rom");
    for wrong in [
        &["--until", "("][..],
        &["--timeout", "soon"],
        &["--count", "-1"],
        &["--port", "a/b"],
        &["--json", "--raw"],
    ] {
        run(wrong).await.with(2, "error: ");
    }
    let mut waiting = Program::start(&["connect", &address, "--wait", "forever"]);
    crate::support::until("connect to be there", async || {
        (bridge.port("sim").await["clients"] == 1).then_some(())
    })
    .await;
    drop(bridge);
    waiting.ended().await.with(4, "error: ");
}

#[tokio::test]
async fn connect_prints_lines_with_their_times_and_history_and_saves_them() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut witness = bridge.client("/").await;
    for line in ["1\n", "2\n", "3\n"] {
        pair.device.write(line).await;
        witness.text().await;
    }
    let address = url(&bridge, "/");
    let folder = crate::support::network::home("connect-save");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let file = folder.join("lines.txt");
    let name = file.to_str().expect("the folder is text");
    let common = [
        "connect",
        &address,
        "--history",
        "2",
        "--count",
        "2",
        "--save",
        name,
    ];
    let timed = Program::run(&[&common[..], &["-t"]].concat()).await;
    timed.with(0, "");
    let lines: Vec<_> = timed.stdout.lines().map(|line| line.split_at(13)).collect();
    assert_eq!([lines[0].1, lines[1].1], ["2", "3"], "{timed:?}");
    // 14:07:59.123 and a blank.
    let is_time = |time: &str| time.len() == 13 && time[8..].starts_with('.') && &time[2..3] == ":";
    assert!(lines.iter().all(|(time, _)| is_time(time)), "{timed:?}");
    let plain = Program::run(&common).await;
    assert_eq!(plain.stdout, "2\n3\n");
    let objects = Program::run(&[&common[..], &["--json"]].concat()).await;
    let objects: Vec<serde_json::Value> = objects
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect();
    let texts: Vec<_> = objects
        .iter()
        .filter_map(|it| it["text"].as_str())
        .collect();
    assert_eq!(texts, ["2", "3"]);
    let saved = std::fs::read_to_string(&file).expect("the file is there");
    assert!(
        saved.starts_with(&format!("{}2\n3\n", timed.stdout)),
        "{saved}"
    );
    std::fs::remove_dir_all(folder).expect("it is ours");
}

#[cfg(unix)] // where a test can make a terminal and unplug a board
#[tokio::test]
async fn a_person_is_told_how_the_board_is_and_is_connected_again() {
    if is_for_windows() || !Pair::are_ours() {
        return skip("a terminal and a board of the test are needed");
    }
    let mut pair = Pair::open().await;
    let port = format!("board={}", pair.path);
    let mut bridge = Bridge::start(&[&port, "--listen", "127.0.0.1:0"]).await;
    bridge.in_step("board", &mut pair).await;
    let address = url(&bridge, "/");
    let (connect, mut keys) = Program::start_in_a_terminal(&["connect", &address]);
    connect.said(&format!("{} is open", pair.path)).await;
    keys.write_all(b"G28\r").expect("the terminal takes keys");
    pair.device.expect("G28\n").await;
    pair.device.write("\x1b[31mhot\x1b[2J\n").await;
    connect.said("\x1b[31mhot\\x1b[2J\x1b[0m").await;
    let place = bridge.address().to_string();
    // In order: if it were killed, the pty, which the test holds open, would stay exclusive, and only
    // root could open it again.
    bridge.program.signal(rustix::process::Signal::TERM);
    bridge.program.ended().await;
    connect.said("waiting for it to come back").await;
    let again = Bridge::start(&[&port, "--listen", &place]).await;
    again.in_step("board", &mut pair).await;
    // Its own witness has left, and this one is there.
    crate::support::until("connect to be there again", async || {
        (again.port("board").await["clients"] == 1).then_some(())
    })
    .await;
    pair.device.write("back\n").await;
    connect.said("back").await;
    keys.write_all(b"G29\r").expect("the terminal takes keys");
    pair.device.expect("G29\n").await;
    pair.unplug();
    connect.said("was lost").await;
}
