//! `ask` and `status`: commands for scripts, which end by themselves and say why in their exit code.

use crate::support::{Bridge, Ended, Pair, Program};

/// Runs a command with the address of the bridge.
async fn run(bridge: &Bridge, command: &str, arguments: &[&str]) -> Ended {
    let url = format!("http://{}", bridge.address());
    Program::run(&[&[command, "--url", &url], arguments].concat()).await
}

#[tokio::test]
async fn ask_prints_the_reply_and_nothing_else() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let device = async {
        pair.device.expect("*IDN?\n").await;
        pair.device.write("ACME,42\r\n").await;
        pair.device.expect("AT\r").await;
        pair.device.write("\r\n+CME: 3\r\nERROR\r\n").await;
        pair.device.expect(b"C:\\new\n").await;
        pair.device.write("as it stands\n").await;
        pair.device.expect(b"\x01\x03").await;
        pair.device.write(b"\x01\x03\xff").await;
    };
    let script = async {
        let ended = run(&bridge, "ask", &["*IDN?"]).await;
        ended.with(0, "");
        assert_eq!((&*ended.stdout, &*ended.stderr), ("ACME,42\n", ""));
        let until = ["--until", "text:OK", "--until", "text:ERROR"];
        let ended = run(
            &bridge,
            "ask",
            &[&until[..], &["--append", "cr", "AT"]].concat(),
        )
        .await;
        ended.with(0, "");
        assert_eq!(ended.stdout, "+CME: 3\r\nERROR\n");
        let ended = run(&bridge, "ask", &[r"C:\new"]).await;
        assert_eq!(ended.stdout, "as it stands\n");
        let ended = run(&bridge, "ask", &["--hex", "--until", "bytes:3", "01 03"]).await;
        ended.with(0, "");
        assert_eq!(ended.stdout, "01 03 ff\n");
    };
    tokio::join!(device, script);
}

#[tokio::test]
async fn ask_says_in_its_exit_code_why_there_is_no_reply() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let ended = run(&bridge, "ask", &["--timeout", "100ms", "?"]).await;
    ended.with(3, "no reply within 100 ms");
    assert_eq!(ended.stdout, "");
    let device = async {
        pair.device.expect("?\n?\n").await;
        let mut other = bridge.json_client().await;
        other
            .acked(serde_json::json!({"type": "release", "seconds": 60}))
            .await;
    };
    let (ended, ()) = tokio::join!(run(&bridge, "ask", &["--timeout", "30s", "?"]), device);
    ended.with(
        4,
        "the port was released to another program before the reply came",
    );
    let ended = run(&bridge, "ask", &["?"]).await;
    ended.with(1, "the port is not open");
    let ended = run(&bridge, "ask", &["--port", "bord", "?"]).await;
    ended.with(1, "no port at /ports/bord");
}

#[tokio::test]
async fn status_prints_the_status_and_waits_for_one() {
    let bridge = Bridge::start(&["--port", "board=sim"]).await;
    bridge.open("board").await;
    let ended = run(&bridge, "status", &["--wait", "open"]).await;
    ended.with(0, "");
    assert_eq!(ended.stdout, "sim is open (simulated)\n");
    let ended = run(&bridge, "status", &["--json"]).await;
    ended.with(0, "");
    let status: serde_json::Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    assert_eq!(
        (&status["port"], &status["state"]),
        (&"board".into(), &"open".into())
    );
    let ended = run(&bridge, "status", &["--wait", "lost", "--timeout", "100ms"]).await;
    ended.with(
        3,
        "not lost within 100ms (--timeout): sim is open (simulated)",
    );
    let mut other = bridge.json_client().await;
    other
        .acked(serde_json::json!({"type": "release", "seconds": 60}))
        .await;
    let ended = run(&bridge, "status", &["--wait", "lost"]).await;
    ended.with(0, "");
    assert!(ended.stdout.starts_with("released"), "{ended:?}");
}

#[tokio::test]
async fn where_nothing_answers_the_exit_code_is_1() {
    for command in [&["ask", "?"][..], &["status"]] {
        let arguments = [command, &["--url", "http://127.0.0.1:9"]].concat();
        let ended = Program::run(&arguments).await;
        ended.with(1, "is serial-ws running there?");
    }
}
