//! The recipes of docs/machines.md, as a reader would paste them, against small devices that answer as the
//! real ones do.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::support::{Bridge, Pair, network::home, skip, spawn, words};

/// The blocks of this language below a heading of the document.
fn recipes(heading: &str, language: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/machines.md");
    let document = std::fs::read_to_string(path).expect("the document is there");
    let section = document
        .split("\n## ")
        .find(|section| section.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("the document has no {heading}"));
    let fence = format!("```{language}\n");
    let blocks = section.split(&fence).skip(1);
    let blocks = blocks.filter_map(|block| block.split_once("\n```"));
    blocks.map(|(block, _)| block.to_owned()).collect()
}

/// Runs a recipe for this bridge; None, with the reason given, where its program is missing.
async fn run(bridge: &Bridge, heading: &str, language: &str, arguments: &[&str]) -> Option<Output> {
    let program = if language == "sh" { "sh" } else { "python3" };
    let there = Command::new(program)
        .args(["-c", ""])
        .stdin(Stdio::null())
        .status();
    if !there.is_ok_and(|status| status.success()) || words().len() > 1 {
        skip(&format!(
            "{program} is missing, or another program runs serial-ws"
        ));
        return None;
    }
    let address = bridge.address().to_string();
    let recipe = recipes(heading, language)
        .remove(0)
        .replace("localhost:8080", &address)
        .replace("/ports/uno", "/ports/board");
    let binary = PathBuf::from(&words()[0]);
    let folder = binary.parent().expect("the program is in a folder");
    let path = format!(
        "{}:{}",
        folder.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = Command::new(program);
    command.args(["-c", &recipe]);
    if language == "sh" {
        command.arg("recipe");
    }
    command.args(arguments).env("PATH", path);
    command.env("SERIAL_WS_URL", format!("http://{address}"));
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = spawn(command).expect("the program can be started");
    let output = tokio::task::spawn_blocking(move || started.wait_with_output());
    Some(
        output
            .await
            .expect("it does not panic")
            .expect("the program runs"),
    )
}

/// Reads one line that ends with `end`, without it.
async fn line(pair: &mut Pair, end: u8) -> String {
    let mut line = Vec::new();
    loop {
        let byte = pair.device.take(1).await[0];
        if byte == end {
            return String::from_utf8(line).expect("a command is text");
        }
        line.push(byte);
    }
}

#[track_caller]
fn check(output: &Output, expected: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        expected,
        "{errors}"
    );
}

#[tokio::test]
async fn an_instrument_is_asked_for_its_name_and_for_readings() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let device = async {
        for count in 0.. {
            let reply = match &*line(&mut pair, b'\n').await {
                "*IDN?" => "ACME,DMM-1,42,1.0\n".to_owned(),
                "MEAS:VOLT?" => format!("+{count}.5E+00\n"),
                _ => continue,
            };
            pair.device.write(reply).await;
        }
    };
    let output = tokio::select! {
        output = run(&bridge, "An instrument", "sh", &[]) => output,
        () = device => None,
    };
    let Some(output) = output else { return };
    check(&output, "ACME,DMM-1,42,1.0\n+1.5E+00\n+2.5E+00\n+3.5E+00\n");
}

#[tokio::test]
async fn a_modem_is_asked_with_and_without_an_echo() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let device = async {
        let mut echoes = true;
        loop {
            let command = line(&mut pair, b'\r').await;
            if echoes {
                pair.device.write(format!("{command}\r")).await;
            }
            echoes &= command != "ATE0";
            let result = match &*command {
                "AT+CSQ" => "\r\n+CSQ: 15,99\r\n\r\nOK\r\n",
                "ATE0" => "\r\nOK\r\n",
                _ => "\r\nERROR\r\n",
            };
            pair.device.write(result).await;
        }
    };
    let output = tokio::select! {
        output = run(&bridge, "A modem", "sh", &[]) => output,
        () = device => None,
    };
    let Some(output) = output else { return };
    check(&output, "ATE0\r\r\nOK\n+CSQ: 15,99\r\n\r\nOK\n");
}

#[tokio::test]
async fn a_modbus_slave_is_asked_for_registers_and_may_refuse() {
    for (reply, expected) in [
        (
            &b"\x01\x03\x04\x00\x2a\x01\x02\x5b\xaa"[..],
            "[0, 42, 1, 2]\n",
        ),
        (b"\x01\x83\x02\xc0\xf1", "exception 2\n"),
    ] {
        let mut pair = Pair::open().await;
        let bridge = Bridge::on(&mut pair, &[]).await;
        let device = async {
            pair.device.expect(b"\x01\x03\0\0\0\x02\xc4\x0b").await;
            pair.device.write(reply).await;
        };
        let (output, ()) = tokio::join!(run(&bridge, "A Modbus", "python", &[]), device);
        let Some(output) = output else { return };
        check(&output, expected);
    }
}

/// Writes a file of G-code for a test.
fn program_of(name: &str, lines: &[&str]) -> PathBuf {
    let path = home(name).join("part.gcode");
    std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be made");
    std::fs::write(&path, lines.join("\n") + "\n").expect("it can be written");
    path
}

/// Bytes in grbl's buffer.
const GRBL_BUFFER: usize = 128;

#[tokio::test]
async fn grbl_gets_line_by_line_and_stops_at_an_error_while_its_buttons_work() {
    let long = "G1 X1000 Y1000 Z1000 F1000 (a comment of sixty characters that fills the buffer)";
    for (last, expected) in [("G1 X1", "done\n"), ("G5 X1", "")] {
        let mut pair = Pair::open().await;
        let bridge = Bridge::on(&mut pair, &[]).await;
        let path = program_of("grbl", &[&[long; 20][..], &[last]].concat());
        let mut panel = bridge.json_client().await;
        let device = async {
            pair.device.write("\r\nGrbl 1.1h ['$' for help]\r\n").await;
            for count in 0.. {
                let mut command = line(&mut pair, b'\n').await;
                if count == 10 {
                    // Hold, and the state, within or between lines.
                    panel
                        .acked(serde_json::json!({"type": "write", "text": "!?", "urgent": true}))
                        .await;
                }
                if command.contains('?') {
                    pair.device
                        .write("<Hold:0|MPos:0.000,0.000,0.000|FS:0,0>\r\n")
                        .await;
                }
                command.retain(|c| !"!?".contains(c));
                assert!(command.len() < GRBL_BUFFER, "{command}");
                let reply = if command.starts_with("G5") {
                    "error:20\r\n"
                } else {
                    "ok\r\n"
                };
                pair.device.write(reply).await;
            }
        };
        let arguments = [path.to_str().expect("the path is text")];
        let output = tokio::select! {
            output = run(&bridge, "A machine", "python", &arguments) => output,
            () = device => None,
        };
        let Some(output) = output else { return };
        check(&output, expected);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), last == "G1 X1", "{errors}");
        assert!(
            errors.contains("G5 X1: error:20") || last == "G1 X1",
            "{errors}"
        );
    }
}

#[tokio::test]
async fn marlin_says_that_it_is_busy_and_then_ok() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let device = async {
        loop {
            let command = line(&mut pair, b'\n').await;
            let reply = match &*command {
                "G28" => "echo:busy: processing\necho:busy: processing\nX:0.00 Y:0.00\nok\n",
                "M105" => "ok T:21.30 /0.00 B:22.10 /0.00\n",
                _ => "echo:Unknown command\nok\n",
            };
            pair.device.write(reply).await;
        }
    };
    let output = tokio::select! {
        output = run(&bridge, "A printer", "python", &["G28", "M105"]) => output,
        () = device => None,
    };
    let Some(output) = output else { return };
    check(
        &output,
        "G28 -> ok\nM105 -> ok T:21.30 /0.00 B:22.10 /0.00\n",
    );
}
