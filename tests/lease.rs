//! Leases of a port to other programs: `release`, `resume` and `upload`, and what clients see of them.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    Bridge, Client, Ended, Pair, Program, http, is_emulated, is_for_windows, skip, until, wine,
};

/// By contract, the program has ended so long after a signal.
const GONE: Duration = Duration::from_secs(2);

/// A command that repeats what it is told until its input ends, and fails in a way of its own.
fn until_told() -> Vec<&'static str> {
    shell("cat; exit 7", "more & exit 7")
}

/// A command of the shell; the one of Windows speaks another language.
fn shell<'a>(script: &'a str, on_windows: &'a str) -> Vec<&'a str> {
    if is_for_windows() {
        vec!["cmd", "/c", on_windows]
    } else {
        vec!["sh", "-c", script]
    }
}

#[tokio::test]
async fn release_frees_the_port_for_another_program_and_resume_takes_it_back() {
    if wine::runs_it() {
        return skip("wine lets two programs open one port");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut watcher, mut page) = (watcher(&bridge).await, bridge.client("/").await);
    let released = run(&bridge, &["release"]).await;
    released.with(0, "");
    let path = &pair.path;
    let sentence = format!("{path} is free for 60 s. serial-ws resume takes it back\n");
    assert_eq!(released.stdout, sentence);
    hears(&mut watcher, "released").await;

    let port = format!("other={path}");
    let mut other = Bridge::start(&["--port", &port, "--no-wait"]).await;
    other.in_step("other", &mut pair).await;
    run(&bridge, &["resume"]).await.with(1, "in use by");
    other.program.signal(Signal::TERM);
    other.program.ended().await.with(0, "");

    let resumed = run(&bridge, &["resume"]).await;
    resumed.with(0, "");
    assert!(resumed.stdout.contains("is open"), "{resumed:?}");
    hears(&mut watcher, "busy").await;
    hears(&mut watcher, "open").await;
    flows(&mut pair, &mut page).await;
}

#[tokio::test]
async fn a_lease_ends_by_itself() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut watcher, mut page) = (watcher(&bridge).await, bridge.client("/").await);
    run(&bridge, &["release", "--for", "200ms"])
        .await
        .with(0, "");
    hears(&mut watcher, "released").await;
    hears(&mut watcher, "open").await;
    flows(&mut pair, &mut page).await;
}

#[tokio::test]
async fn a_second_release_sets_the_time_anew() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut watcher = watcher(&bridge).await;
    run(&bridge, &["release"]).await.with(0, "");
    run(&bridge, &["release", "--for", "200ms"])
        .await
        .with(0, "");
    hears(&mut watcher, "released").await;
    hears(&mut watcher, "released").await;
    hears(&mut watcher, "open").await;
}

#[tokio::test]
async fn a_client_can_ask_to_take_back_only_what_a_certain_client_has_released() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut lender = bridge.client("/?view=json").await;
    let number = lender.json_of("hello").await["client"].clone();
    let mut other = bridge.json_client().await;
    // Nobody has released it.
    other
        .acked(json!({"type": "resume", "releasedBy": 0}))
        .await;
    lender.acked(json!({"type": "release"})).await;
    let error = other
        .refused(json!({"type": "resume", "releasedBy": 0}))
        .await;
    assert!(
        error.contains("another client released the port"),
        "{error}"
    );
    other
        .acked(json!({"type": "resume", "releasedBy": number}))
        .await;
    bridge.open("board").await;
}

#[tokio::test]
async fn a_port_can_be_released_over_http_which_answers_when_it_is_free() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for (path, state) in [("release?seconds=60", "released"), ("resume", "open")] {
        let path = format!("/api/ports/board/{path}");
        let reply = http(bridge.address(), "POST", &path, &[]).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["status"]["state"], state, "{reply:?}");
    }
}

#[tokio::test]
async fn a_release_lasts_a_day_at_most_and_a_break_five_seconds() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = watcher(&bridge).await;
    for (request, limit) in [
        (json!({"type": "release", "seconds": 86_401}), "86400"),
        (json!({"type": "break", "ms": 5001}), "5000"),
    ] {
        client.send_json(request).await;
        let error = client.json_of("error").await;
        let text = error["error"].as_str().expect("an error is a sentence");
        assert!(text.contains(limit), "{error}");
    }
    for (seconds, status) in [(86_401, 400), (86_400, 200)] {
        let path = format!("/api/ports/board/release?seconds={seconds}");
        let reply = http(bridge.address(), "POST", &path, &[]).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
}

#[tokio::test]
async fn what_is_sent_right_after_a_resume_reaches_the_device() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut page = bridge.client("/").await;
    let mut client = watcher(&bridge).await;
    for _ in 0..3 {
        client
            .send_json(json!({"type": "release", "id": "r"}))
            .await;
        client.json_until("r").await;
        client.send_json(json!({"type": "resume", "id": "s"})).await;
        client
            .send_json(json!({"type": "write", "text": "now\n", "id": "w"}))
            .await;
        let answers = client.json_until("w").await;
        assert_eq!(answers.last().expect("it is answered")["type"], "ack");
        pair.device.expect("now\n").await;
        page.send("then\n").await;
        pair.device.expect("then\n").await;
    }
}

#[tokio::test]
async fn writes_to_a_released_port_are_rejected_with_the_reason() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut writer = watcher(&bridge).await;
    run(&bridge, &["release"]).await.with(0, "");
    writer
        .send_json(json!({"type": "write", "text": "x", "id": 1}))
        .await;
    let error = writer.json_of("error").await;
    assert_eq!(error["id"], 1, "{error}");
    let reason = error["error"].as_str().expect("the reason is text");
    assert!(reason.contains("released to another program"), "{reason}");
    run(&bridge, &["resume"]).await.with(0, "");
    // What was refused is not written later.
    writer
        .send_json(json!({"type": "write", "text": "y"}))
        .await;
    pair.device.expect("y").await;
}

#[tokio::test]
async fn a_device_that_does_not_read_does_not_keep_its_port() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut writers = stuck(&bridge).await;
    run(&bridge, &["release"]).await.with(0, "");
    let mut cut = 0;
    for writer in &mut writers {
        let answer = answer(writer).await;
        if answer["type"] == "error" {
            let reason = answer["error"].as_str().expect("the reason is text");
            assert!(reason.contains("released to another program"), "{reason}");
            cut += usize::from(reason.contains(" after "));
        }
    }
    assert_eq!(cut, 1, "one write was under way");
    run(&bridge, &["resume"]).await.with(0, "");
}

#[tokio::test]
async fn a_request_that_overtakes_a_stuck_write_is_answered_under_its_own_id() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut writers = stuck(&bridge).await;
    let last = writers.last_mut().expect("there are writers");
    // A pty has no line to reset a board by, and says so.
    last.send_json(json!({"type": "reset", "id": "r"})).await;
    last.send_json(json!({"type": "resume", "id": "s"})).await;
    let answers = [answer(last).await, answer(last).await];
    let mut answered = answers.map(|answer| answer["id"].clone());
    answered.sort_by_key(|id| id.to_string());
    assert_eq!(answered, ["r", "s"]);
    // Since it was not reset, it still gets everything.
    pair.device.expect("x".repeat(60_000 * writers.len())).await;
}

#[tokio::test]
async fn one_port_of_several_is_released_and_the_others_go_on() {
    if !Pair::are_ours() {
        return skip("there is only one serial pair");
    }
    let (mut uno, mut scale) = (Pair::open().await, Pair::open().await);
    let ports = [format!("uno={}", uno.path), format!("scale={}", scale.path)];
    let bridge = Bridge::start(&["--port", &ports[0], "--port", &ports[1]]).await;
    bridge.in_step("uno", &mut uno).await;
    bridge.in_step("scale", &mut scale).await;
    let mut page = bridge.client("/ports/uno").await;
    let released = run(&bridge, &["release", "--port", "scale"]).await;
    assert!(released.stdout.contains(&scale.path), "{released:?}");
    bridge.state("scale", "released").await;
    flows(&mut uno, &mut page).await;
    let command = shell("echo $SERIAL_WS_DEVICE", "echo %SERIAL_WS_DEVICE%");
    let uploaded = run(&bridge, &[&["upload", "--"], &command[..]].concat()).await;
    uploaded.with(0, "is open");
    assert_eq!(uploaded.stdout.trim(), uno.path);
    bridge.state("scale", "released").await;
    let nobody = run(&bridge, &["release", "--port", "nobody"]).await;
    nobody.with(1, "/ports/scale");
}

#[tokio::test]
async fn a_missing_port_can_be_released_and_is_opened_only_after_the_lease() {
    if !Pair::are_ours() {
        return skip("a serial pair from outside cannot be unplugged");
    }
    let mut pair = Pair::open().await;
    pair.hide();
    let port = format!("board={}", pair.path);
    let bridge = Bridge::start(&["--port", &port]).await;
    bridge.state("board", "waiting").await;
    run(&bridge, &["resume"]).await.with(1, "no port");
    let released = run(&bridge, &["release"]).await;
    assert!(
        released.stdout.starts_with("board is free for 60 s"),
        "{released:?}"
    );
    let mut watcher = watcher(&bridge).await;
    pair.show();
    // Nobody else has the port, so that it would be open by now if it were looked for.
    let command = shell("sleep 0.5; exit 3", "ping -n 2 127.0.0.1 >nul & exit 3");
    let uploaded = run(&bridge, &[&["upload", "--"], &command[..]].concat()).await;
    uploaded.with(3, "is open");
    hears(&mut watcher, "released").await;
    hears(&mut watcher, "open").await;
    let mut page = bridge.client("/").await;
    bridge.in_step("board", &mut pair).await;
    assert_eq!(page.text().await, "");
    flows(&mut pair, &mut page).await;
}

#[tokio::test]
async fn sigterm_during_a_lease_ends_the_bridge_in_two_seconds() {
    if is_for_windows() {
        return skip("Windows has no SIGTERM");
    }
    let mut pair = Pair::open().await;
    let mut bridge = Bridge::on(&mut pair, &[]).await;
    let mut watcher = watcher(&bridge).await;
    run(&bridge, &["release"]).await.with(0, "");
    let pressed = Instant::now();
    bridge.program.signal(Signal::TERM);
    assert_eq!(watcher.closed().await.0, 1001);
    drop(watcher);
    bridge.program.ended().await.with(0, "");
    assert!(pressed.elapsed() < GONE, "it took {:?}", pressed.elapsed());
}

#[tokio::test]
async fn upload_releases_the_port_to_a_command_and_exits_with_its_status() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut watcher, mut page) = (watcher(&bridge).await, bridge.client("/").await);
    let ends = [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
    ];
    let ends = ends
        .into_iter()
        .filter(|(end, _)| !(is_for_windows() && end.starts_with("kill")));
    for (end, code) in ends {
        let script = format!("echo sketch > \"$SERIAL_WS_DEVICE\"; {end}");
        let on_windows = format!("echo sketch> \\\\.\\%SERIAL_WS_DEVICE%& {end}");
        let command = shell(&script, &on_windows);
        let uploaded = run(&bridge, &[&["upload", "--"], &command[..]].concat()).await;
        uploaded.with(code, &format!("serial-ws: {} is open", pair.path));
        let end_of_line = if is_for_windows() { "\r\n" } else { "\n" };
        pair.device.expect(format!("sketch{end_of_line}")).await;
        hears(&mut watcher, "released").await;
        hears(&mut watcher, "open").await;
        flows(&mut pair, &mut page).await;
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_started_is_named_and_the_port_comes_back() {
    if is_emulated() && !is_for_windows() {
        return skip("in qemu every command seems to have been started");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for (command, code) in [("serial-ws-no-such-program", 127), ("/", 126)] {
        let uploaded = run(&bridge, &["upload", "--", command]).await;
        uploaded.with(code, &format!("cannot run {command}"));
        bridge.open("board").await;
    }
}

#[tokio::test]
async fn the_port_is_released_while_the_command_runs_and_to_no_other_program() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut upload = start_upload(&bridge, &until_told());
    bridge.state("board", "released").await;
    for second in [&["release"][..], &["upload", "--", "echo", "it ran"]] {
        let refused = run(&bridge, second).await;
        refused.with(1, "released to another program");
        assert_eq!(refused.stdout, "");
    }
    bridge.state("board", "released").await;
    let mut input = upload.take_stdin();
    input.write_all(b"output").expect("the command reads");
    drop(input);
    let uploaded = upload.ended().await;
    uploaded.with(7, "is open");
    assert_eq!(uploaded.stdout.trim(), "output");
    bridge.open("board").await;
}

#[tokio::test]
async fn ctrl_c_is_for_the_command_and_the_port_comes_back_after_it() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let command = shell("echo running; cat; exit 7", "echo running& more & exit 7");
    let mut upload = start_upload(&bridge, &command);
    let stdout = upload.take_stdout();
    first_byte(stdout).await;
    upload.signal(Signal::INT);
    upload.signal(Signal::INT);
    bridge.state("board", "released").await;
    drop(upload.take_stdin());
    upload.ended().await.with(7, "is open");
}

#[tokio::test]
async fn sigterm_is_passed_on_to_the_command() {
    if is_for_windows() {
        return skip("Windows has no SIGTERM");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut upload = start_upload(&bridge, &["sh", "-c", "echo running; exec cat"]);
    let stdout = upload.take_stdout();
    first_byte(stdout).await;
    upload.signal(Signal::TERM);
    upload.ended().await.with(143, "is open");
}

#[tokio::test]
async fn the_port_comes_back_from_an_upload_that_is_killed() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut watcher, mut page) = (watcher(&bridge).await, bridge.client("/").await);
    let mut upload = start_upload(&bridge, &until_told());
    let _input = upload.take_stdin();
    hears(&mut watcher, "released").await;
    upload.signal(Signal::KILL);
    hears(&mut watcher, "open").await;
    flows(&mut pair, &mut page).await;
}

#[tokio::test]
async fn a_port_taken_from_an_upload_is_not_taken_from_its_next_holder() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut watcher = watcher(&bridge).await;
    let mut upload = start_upload(&bridge, &until_told());
    let input = upload.take_stdin();
    hears(&mut watcher, "released").await;
    run(&bridge, &["resume"]).await.with(0, "");
    hears(&mut watcher, "open").await;
    run(&bridge, &["release"]).await.with(0, "");
    hears(&mut watcher, "released").await;
    upload.signal(Signal::KILL);
    drop(input);
    upload.ended().await;
    until("the bridge to see that the upload has gone", async || {
        let status = bridge.get("/api/status").await.json();
        (status["clients"] == 1).then_some(())
    })
    .await;
    run(&bridge, &["release", "--for", "1s"]).await.with(0, "");
    hears(&mut watcher, "released").await;
    hears(&mut watcher, "open").await;
}

#[tokio::test]
async fn the_command_runs_even_if_nothing_answers() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a TCP port can be had");
    let url = format!("http://{}", free.local_addr().expect("it has an address"));
    drop(free);
    let command = shell("echo it ran; exit 7", "echo it ran& exit 7");
    let uploaded = Program::run(&[&["upload", "--url", &url, "--"], &command[..]].concat()).await;
    let said = format!("nothing answers at {url}: running the command without releasing a port");
    uploaded.with(7, &said);
    assert_eq!(uploaded.stdout.trim(), "it ran");
    for command in ["release", "resume"] {
        let ended = Program::run(&[command, "--url", &url]).await;
        ended.with(1, &format!("nothing answers at {url}"));
    }
}

#[tokio::test]
async fn a_bridge_that_stops_while_the_command_runs_is_reported_afterwards() {
    let mut pair = Pair::open().await;
    let mut bridge = Bridge::on(&mut pair, &[]).await;
    let mut upload = start_upload(&bridge, &until_told());
    bridge.state("board", "released").await;
    bridge.program.signal(Signal::INT);
    bridge.program.ended().await.with(0, "");
    drop(upload.take_stdin());
    let uploaded = upload.ended().await;
    uploaded.with(7, "the connection ended while the command was running");
}

#[tokio::test]
async fn a_read_only_port_is_not_released() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--read-only"]).await;
    for command in [&["release"][..], &["upload", "--", "echo", "it ran"]] {
        let refused = run(&bridge, command).await;
        refused.with(1, "--read-only");
        assert_eq!(refused.stdout, "");
    }
    let path = "/api/ports/board/release";
    let reply = http(bridge.address(), "POST", path, &[]).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    bridge.open("board").await;
}

#[tokio::test]
async fn a_command_without_dashes_or_a_wrong_name_is_wrong_usage() {
    for wrong in [
        &["upload"][..],
        &["upload", "echo"],
        &["release", "--for", "soon"],
        &["release", "--port", "/dev/ttyACM0"],
    ] {
        let ended = Program::run(wrong).await;
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}: {ended:?}");
    }
}

/// Runs `serial-ws COMMAND` about the bridge to its end.
async fn run(bridge: &Bridge, command: &[&str]) -> Ended {
    let url = format!("http://{}", bridge.address());
    let at = ["--url", url.as_str()];
    Program::run(&[&command[..1], &at, &command[1..]].concat()).await
}

/// Starts `serial-ws upload` with a pipe on its input.
fn start_upload(bridge: &Bridge, command: &[&str]) -> Program {
    let url = format!("http://{}", bridge.address());
    Program::start_in_a_pipe(&[&["upload", "--url", &url, "--"], command].concat())
}

/// Clients that write more than the system takes for a device that does not read, each with one
/// message; most wait for the others when this returns, and one for the device.
async fn stuck(bridge: &Bridge) -> Vec<Client> {
    let text = "x".repeat(60_000);
    let mut writers = Vec::new();
    for id in 0..8 {
        let mut writer = bridge.client("/?view=json").await;
        writer.json_of("hello").await;
        writer
            .send_json(json!({"type": "write", "text": text, "id": id}))
            .await;
        writers.push(writer);
    }
    let mut before = 0;
    until("the device to be full", async || {
        let counters = bridge.port("board").await["counters"].clone();
        let written = counters["written_bytes"].as_u64().expect("it is counted");
        let last = std::mem::replace(&mut before, written);
        (written > 0 && written == last).then_some(())
    })
    .await;
    writers
}

/// Waits for the first byte that the command prints.
async fn first_byte(mut stdout: std::process::ChildStdout) {
    let read = tokio::task::spawn_blocking(move || {
        std::io::Read::read_exact(&mut stdout, &mut [0]).expect("the command prints");
    });
    read.await.expect("the reader does not panic");
}

/// A client that is told how the port is.
async fn watcher(bridge: &Bridge) -> Client {
    let mut client = bridge.client("/?view=json&latest=0.001").await;
    client.json_of("hello").await;
    client
}

/// The next status, which is this one.
async fn hears(watcher: &mut Client, state: &str) {
    loop {
        let object = watcher.json().await;
        if object["type"] == "status" {
            return assert_eq!(object["state"], state, "{object}");
        }
        assert_eq!(object["type"], "line", "{object}");
    }
}

/// The next object that answers a request.
async fn answer(client: &mut Client) -> Value {
    loop {
        let object = client.json().await;
        if object["type"] != "status" {
            return object;
        }
    }
}

/// Bytes flow both ways between the device and a page, which has heard nothing else.
async fn flows(pair: &mut Pair, page: &mut Client) {
    // The device may have been in the middle of a line.
    pair.device.write("\n5\n").await;
    while page.text().await != "5" {}
    page.send("6").await;
    pair.device.expect("6").await;
}
