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
