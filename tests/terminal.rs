//! The program at a terminal and in scripts: help, wrong usage, `list` and `connect`.

use std::{
    io::{BufRead, BufReader, Write},
    process::ChildStdin,
};

use crate::support::{Bridge, Program, within};
#[cfg(unix)]
use crate::support::{is_for_windows, skip};

#[tokio::test]
async fn help_names_the_commands() {
    let help = Program::run(&["--help"]).await;
    help.with(0, "");
    for word in ["--port", "list", "connect", "--baud", "sim"] {
        assert!(
            help.stdout.contains(word),
            "{word} is not in {}",
            help.stdout
        );
    }
}

#[tokio::test]
async fn a_wrong_flag_or_value_is_wrong_usage() {
    for wrong in [
        &["--prot", "sim"][..],
        &["--port", "sim", "--baud", "fast"],
        &["--port", "sim,colour=blue"],
        &["--port", "sim", "--append", "tab"],
        &["--port", "sim", "--listen", "nowhere"],
        &["--port", "sim", "--raw", "--lines"],
    ] {
        let ended = Bridge::fail(wrong).await;
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}: {ended:?}");
        assert!(!ended.stderr.is_empty(), "{wrong:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{wrong:?}");
    }
}

#[tokio::test]
async fn a_wrong_address_to_listen_on_gets_an_example() {
    for (wrong, code, right) in [
        ("localhost:8081", 2, "such as 127.0.0.1:8081"),
        ("nowhere", 2, "such as 127.0.0.1:8080"),
        // An address for documentation, which no computer has (RFC 5737).
        ("192.0.2.77:8081", 1, "--listen 0.0.0.0:8081"),
    ] {
        let ended = Bridge::fail(&["--port", "sim", "--listen", wrong]).await;
        ended.with(code, right);
    }
}

#[tokio::test]
async fn list_prints_a_table_or_json() {
    Program::run(&["list"]).await.with(0, "");
    for arguments in [&["list", "--json"][..], &["list", "--json", "--all"]] {
        let ended = Program::run(arguments).await;
        ended.with(0, "");
        let ports: serde_json::Value = serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error} in {ended:?}"));
        assert!(ports.is_array(), "{ports}");
    }
}

#[tokio::test]
async fn a_closed_stdout_ends_commands_quietly() {
    for arguments in [
        &["list", "--all"][..],
        &["list", "--json", "--all"],
        &["man"],
        &["completions", "zsh"],
        &["--help"],
    ] {
        let mut program = Program::start(arguments);
        drop(program.take_stdout());
        program.ended().await.with(0, "");
    }
}

#[tokio::test]
async fn a_closed_stdout_ends_connect_quietly() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    let mut connect = Program::start_in_a_pipe(&["connect", &url(&bridge, "/")]);
    let _stdin = connect.take_stdin();
    drop(connect.take_stdout());
    connect.ended().await.with(0, "");
}

#[tokio::test]
async fn connect_sends_the_lines_it_reads_and_prints_the_messages_it_gets() {
    let bridge = Bridge::start(&["--port", "room=loop"]).await;
    bridge.open("room").await;
    let mut connect = Program::start_in_a_pipe(&["connect", &url(&bridge, "/?append=lf")]);
    let mut stdin = connect.take_stdin();
    let mut stdout = BufReader::new(connect.take_stdout());
    for line in ["one", "två"] {
        type_line(&mut stdin, line);
        let printed = tokio::task::spawn_blocking(move || {
            let mut printed = String::new();
            stdout.read_line(&mut printed).expect("stdout is text");
            (stdout, printed)
        });
        let (again, printed) = within("an answer", printed)
            .await
            .expect("the reader does not panic");
        assert_eq!(printed, format!("{line}\n"));
        stdout = again;
    }
    drop(stdin);
    connect.ended().await.with(0, "");
}

#[tokio::test]
async fn everything_piped_into_connect_is_sent_before_it_exits() {
    let bridge = Bridge::start(&["--port", "room=loop"]).await;
    bridge.open("room").await;
    let mut witness = bridge.client("/").await;
    let mut connect = Program::start_in_a_pipe(&["connect", &url(&bridge, "/?append=lf")]);
    let mut stdin = connect.take_stdin();
    type_line(&mut stdin, "one");
    type_line(&mut stdin, "two");
    drop(stdin);
    connect.ended().await.with(0, "");
    assert_eq!(witness.text().await, "one");
    assert_eq!(witness.text().await, "two");
}

#[tokio::test]
async fn connect_prints_as_many_messages_as_counted() {
    let bridge = Bridge::start(&["--port", "room=loop"]).await;
    bridge.open("room").await;
    let target = url(&bridge, "/?append=lf");
    let mut connect = Program::start_in_a_pipe(&["connect", &target, "--count", "2"]);
    let mut stdin = connect.take_stdin();
    type_line(&mut stdin, "one");
    type_line(&mut stdin, "two");
    type_line(&mut stdin, "three");
    drop(stdin);
    let ended = connect.ended().await;
    ended.with(0, "");
    assert_eq!(ended.stdout, "one\ntwo\n");
}

#[tokio::test]
async fn connect_names_the_address_that_it_cannot_reach() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a TCP port can be had");
    let address = free.local_addr().expect("it has an address");
    drop(free);
    let ended = Program::run(&["connect", &format!("ws://{address}/")]).await;
    ended.with(1, &address.to_string());
}

#[tokio::test]
async fn connect_says_why_it_was_rejected() {
    let bridge = Bridge::start(&["--port", "sim"]).await;
    // With stdin open: the end of input is no reason to leave yet.
    let mut connect = Program::start_in_a_pipe(&["connect", &url(&bridge, "/ports/nobody")]);
    let _stdin = connect.take_stdin();
    connect.ended().await.with(1, "sim");
}

#[cfg(unix)] // where a test can make a terminal
#[tokio::test]
async fn a_device_cannot_command_or_mislead_the_terminal_of_connect() {
    if is_for_windows() {
        return skip("wine's console is not the terminal of the test");
    }
    let bridge = Bridge::start(&["--port", "room=loop"]).await;
    bridge.open("room").await;
    // Those that control, those that break lines, and those that change the direction of text.
    let controls = (0..0x20).chain(0x7f..0xa0).chain([0x2028, 0x2029]);
    let directions = [0x61c, 0x200e, 0x200f].into_iter();
    let directions = directions.chain(0x202a..=0x202e).chain(0x2066..=0x2069);
    let hostile = controls.chain(directions).filter_map(char::from_u32);
    // Those of which lines are made, and the one that moves to the right.
    let hostile: Vec<_> = hostile.filter(|c| !"\n\r\t".contains(*c)).collect();
    for view in ["lines", "text"] {
        let target = url(&bridge, &format!("/?append=lf&view={view}"));
        let (mut connect, screen) = Program::start_with_a_screen(&["connect", &target]);
        let mut stdin = connect.take_stdin();
        connect.said("connected to").await;
        for character in &hostile {
            type_line(&mut stdin, &format!("<{character}>"));
        }
        type_line(&mut stdin, "a\r\u{1b}[2Jb\tc");
        type_line(&mut stdin, "the end");
        let reading = tokio::task::spawn_blocking(move || {
            let lines = BufReader::new(screen).lines().map_while(Result::ok);
            let lines = lines.map(|line| line.trim_end_matches('\r').to_owned());
            lines.take_while(|line| line != "the end").collect()
        });
        let shown: Vec<String> = within("the end", reading).await.expect("it can be read");
        let mut expected: Vec<_> = hostile
            .iter()
            .map(|c| match u32::from(*c) {
                code @ ..0x80 => format!("<\\x{code:02x}>"),
                code => format!("<\\u{{{code:x}}}>"),
            })
            .collect();
        expected.push("a\\x0d\\x1b[2Jb\tc".to_owned());
        assert_eq!(shown, expected, "{view}");
    }
}

#[tokio::test]
async fn all_errors_begin_alike() {
    for wrong in [
        &["--bord", "9600"] as &[_],
        &["--port", "sim,baud=fast"],
        &["man", "nothing"],
        &["connect", "ftp://a"],
        &["--config", "/no/such/file"],
        &["doctor", "--port", "sim", "no page"],
    ] {
        let ended = Program::run(wrong).await;
        let first = ended.stderr.lines().next();
        assert!(
            first.is_some_and(|line| line.starts_with("error: ")),
            "{wrong:?}: {ended:?}"
        );
    }
}

fn url(bridge: &Bridge, target: &str) -> String {
    format!("ws://{}{target}", bridge.address())
}

fn type_line(stdin: &mut ChildStdin, line: &str) {
    writeln!(stdin, "{line}").expect("the program reads its stdin");
}
