//! A port of another serial-ws, shared on: two programs, of which the far one has the board.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Bridge, Client, Pair, Relay, Remote, until, within};

/// A near serial-ws that shares the first port of the one at this address as `board`.
async fn near(at: SocketAddr, arguments: &[&str]) -> Bridge {
    let near = unopened(at, arguments).await;
    near.open("board").await;
    near
}

/// The same, which may not have reached it.
async fn unopened(at: SocketAddr, arguments: &[&str]) -> Bridge {
    let port = format!("board=ws://{at}/");
    Bridge::start(&[&["--port", port.as_str()], arguments].concat()).await
}

/// The greeting of a new client.
async fn hello(bridge: &Bridge) -> Value {
    bridge.client("/?view=json").await.json_of("hello").await
}

/// A client that was greeted.
async fn greeted(bridge: &Bridge, target: &str) -> Client {
    let mut client = bridge.client(target).await;
    client.json_of("hello").await;
    client
}

/// Objects of this type up to one for which this holds.
async fn objects(client: &mut Client, kind: &str, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut objects = vec![client.json_of(kind).await];
    while !is_last(objects.last().expect("there is one")) {
        objects.push(client.json_of(kind).await);
    }
    objects
}

/// The text of a line.
fn text(line: &Value) -> &str {
    line["text"].as_str().unwrap_or_default()
}

/// Lines with these numbers, as a counting board sends them.
fn counted(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| format!("{number}\n")).collect()
}

#[tokio::test]
async fn whoever_released_the_port_here_or_there_keeps_it_from_a_client_that_asks_about_another() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &[]).await;
    let near = near(far.address(), &[]).await;
    let mut lender = near.client("/?view=json").await;
    let number = lender.json_of("hello").await["client"].clone();
    let mut other = greeted(&near, "/?view=json").await;
    let mut there = greeted(&far, "/?view=json").await;
    let own = json!({"type": "resume", "releasedBy": number});

    lender.acked(json!({"type": "release"})).await;
    let resume = json!({"type": "resume", "releasedBy": 0});
    let error = other.refused(resume).await;
    assert!(
        error.contains("another client released the port"),
        "{error}"
    );
    other.acked(own.clone()).await;
    near.open("board").await;

    there.acked(json!({"type": "release"})).await;
    let error = lender.refused(own).await;
    assert!(
        error.contains("another client released the port"),
        "{error}"
    );
    there.acked(json!({"type": "resume"})).await;
    near.open("board").await;
}

#[tokio::test]
async fn lines_bytes_numbers_and_times_are_those_of_the_far_end() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &["--max-line", "16"]).await;
    let early = "t,h\n21,40\r\n\n22,41\n";
    pair.device.write(early).await;
    let mut witness = greeted(&far, "/?view=json&history=99").await;
    objects(&mut witness, "line", |line| text(line) == "22,41").await;
    let near = near(far.address(), &[]).await;
    let run = hello(&far).await["run"].clone();
    let greeting = hello(&near).await;
    assert_eq!(greeting["run"], run);
    assert_eq!(greeting["port"]["settings"]["maxLine"], 16);
    let run = run.as_str().expect("a run has a name");
    for part in [
        &b"\xff\xfe\n23,4"[..],
        b"2\nh\xc3",
        b"\xa9\nan overlong line that is cut\n",
        b"\xe2\x82",
    ] {
        pair.device.write(part).await;
        let mut chunks = greeted(&far, "/?view=json&data=chunks&history=1").await;
        let last = json!(part[part.len() - 1]);
        objects(&mut chunks, "data", |data| {
            decoded(data).last() == last.as_u64().map(|it| it as u8).as_ref()
        })
        .await;
    }
    pair.device.write("end\n").await;
    for target in [
        format!("/?view=json&values&since={run}:0"),
        format!("/?view=json&since={run}:3"),
    ] {
        let is_last = |line: &Value| line["bytes"].is_string() && text(line).is_empty();
        let is_last = |line: &Value| is_last(line) && line["seq"].as_u64() > Some(8);
        let mut ends = Vec::new();
        for bridge in [&far, &near] {
            let mut client = greeted(bridge, &target).await;
            ends.push(objects(&mut client, "line", is_last).await);
        }
        assert_eq!(ends[0], ends[1]);
        assert!(ends[0].len() >= 8, "{ends:?}");
    }
    let target = format!("/?view=json&data=chunks&since={run}:0");
    let mut ends = Vec::new();
    for bridge in [&far, &near] {
        let mut client = greeted(bridge, &target).await;
        ends.push(
            objects(&mut client, "data", |data| {
                decoded(data).ends_with(b"end\n")
            })
            .await,
        );
    }
    assert_eq!(ends[0], ends[1]);
    let sizes = ends[0].iter().map(|data| decoded(data).len());
    let size = sizes.sum::<usize>();
    for view in ["raw", "text"] {
        let target = format!("/?view={view}&history=9999");
        let (mut far, mut near) = (far.client(&target).await, near.client(&target).await);
        if view == "raw" {
            assert_eq!(far.bytes_of(size).await, near.bytes_of(size).await);
        } else {
            let mut texts = [String::new(), String::new()];
            for (client, text) in [&mut far, &mut near].into_iter().zip(&mut texts) {
                while !text.ends_with("end\n") {
                    *text += &client.text().await;
                }
            }
            assert_eq!(texts[0], texts[1]);
        }
    }
    for view in ["lines", "values"] {
        let target = format!("/?view={view}&history=99");
        let (mut far, mut near) = (far.client(&target).await, near.client(&target).await);
        pair.device.write("9,9\n").await;
        let last = if view == "values" {
            r#"{"t":9,"h":9}"#
        } else {
            "9,9"
        };
        let mut count = 0;
        loop {
            let (far, near) = (far.text().await, near.text().await);
            assert_eq!(far, near);
            count += 1;
            if near == last {
                break;
            }
        }
        assert!(count > 3, "{view}: {count}");
    }
}

/// The bytes of a chunk.
fn decoded(data: &Value) -> Vec<u8> {
    let bytes = data["bytes"].clone();
    let bytes: serial_ws::protocol::Base64<'_> =
        serde_json::from_value(bytes).expect("a chunk has bytes");
    bytes.0.into_owned()
}

#[tokio::test]
async fn a_near_end_that_was_killed_goes_on_with_the_numbers_that_its_clients_know() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &[]).await;
    let near_end = near(far.address(), &[]).await;
    let mut client = near_end.json_client().await;
    pair.device.write(counted(0..100)).await;
    let first = objects(&mut client, "line", |line| text(line) == "99").await;
    let (at, run) = (near_end.address(), hello(&near_end).await["run"].clone());
    drop((client, near_end));
    pair.device.write(counted(100..200)).await;
    let near = unopened(far.address(), &["--listen", &at.to_string()]).await;
    let (run, seq) = (
        run.as_str().expect("a name"),
        &first[first.len() - 1]["seq"],
    );
    let mut client = near.client(&format!("/?view=json&since={run}:{seq}")).await;
    let greeting = client.json_of("hello").await;
    assert_eq!((&greeting["run"], &greeting["seq"]), (&json!(run), seq));
    pair.device.write(counted(200..300)).await;
    let rest = objects(&mut client, "line", |line| text(line) == "299").await;
    check_counted(&[first, rest].concat(), 0..300);
}

/// Checks that each number has come once, in order, and that their lines are numbered alike.
#[track_caller]
fn check_counted(lines: &[Value], expected: std::ops::Range<u64>) {
    let numbers: Vec<_> = lines.iter().map(|line| text(line).parse::<u64>()).collect();
    let numbers: Vec<_> = numbers.into_iter().flatten().collect();
    assert_eq!(numbers, expected.collect::<Vec<_>>());
    let seqs = lines.windows(2).map(|two| (&two[0]["seq"], &two[1]["seq"]));
    for (a, b) in seqs {
        assert_eq!(a.as_u64().map(|a| a + 1), b.as_u64());
    }
}

#[tokio::test]
async fn a_far_end_that_was_killed_is_told_as_a_restart() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &[]).await;
    let at = far.address();
    let near = near(at, &[]).await;
    let run = hello(&near).await["run"].clone();
    let mut page = near.client("/").await;
    let mut client = near.json_client().await;
    pair.device.write(counted(0..10)).await;
    objects(&mut client, "line", |line| text(line) == "9").await;
    drop(far);
    let lost = near.state("board", "lost").await;
    let detail = lost["detail"].as_str().expect("a status has words");
    assert!(
        detail.starts_with(&format!("the connection to ws://{at}/ was lost: ")),
        "{detail}"
    );
    let listen = at.to_string();
    let far = Bridge::on(&mut pair, &["--listen", &listen]).await;
    pair.device.write(counted(10..20)).await;
    let (code, reason) = client.closed().await;
    assert_eq!(code, 1001, "{reason}");
    assert!(reason.contains("has restarted"), "{reason}");
    // Clients without numbers go on, and get what has come meanwhile.
    let mut lines = Vec::new();
    while lines.last().is_none_or(|last| last != "19") {
        lines.push(page.text().await);
    }
    lines.retain(|line| !line.is_empty());
    assert_eq!(lines, counted(0..20).lines().collect::<Vec<_>>());
    let run = run.as_str().expect("a run has a name");
    let mut client = near.client(&format!("/?view=json&since={run}:11")).await;
    let greeting = client.json().await;
    assert_eq!(greeting["run"], hello(&far).await["run"]);
    assert_eq!(client.json().await["type"], "missed");
    let lines = objects(&mut client, "line", |line| text(line) == "19").await;
    assert_eq!(lines[0]["seq"], 1);
    check_counted(&lines[1..], 10..20);
}

#[tokio::test]
async fn what_comes_while_the_network_is_cut_arrives_once_when_it_is_back() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &[]).await;
    let relay = Relay::to(far.address()).await;
    let near = near(relay.at, &[]).await;
    let (mut client, mut page) = (near.json_client().await, near.client("/").await);
    let mut lines = Vec::new();
    for round in 0..3 {
        let first = round * 200;
        pair.device.write(counted(first..first + 100)).await;
        let last = (first + 99).to_string();
        lines.extend(objects(&mut client, "line", |line| text(line) == last).await);
        relay.cut();
        near.state("board", "lost").await;
        let refused = client.refused(json!({"type": "write", "text": "x"})).await;
        assert!(
            refused.starts_with("the port is not open: the connection to"),
            "{refused}"
        );
        pair.device.write(counted(first + 100..first + 200)).await;
        relay.mend();
        let last = (first + 199).to_string();
        lines.extend(objects(&mut client, "line", |line| text(line) == last).await);
        near.state("board", "open").await;
    }
    check_counted(&lines, 0..600);
    for number in 0..600 {
        assert_eq!(page.text().await, number.to_string());
    }
    assert_eq!(near.port("board").await["counters"]["reconnects"], 3);
}

#[tokio::test]
async fn what_the_far_history_has_no_longer_is_counted_exactly() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &["--history", "4KiB"]).await;
    let relay = Relay::to(far.address()).await;
    let near = near(relay.at, &[]).await;
    let mut client = near.json_client().await;
    pair.device.write(counted(0..10)).await;
    let before = objects(&mut client, "line", |line| text(line) == "9").await;
    relay.cut();
    near.state("board", "lost").await;
    let mut witness = far.json_client().await;
    for number in 10..500 {
        // Each is an event of its own.
        pair.device.write(format!("{number}\n")).await;
        objects(&mut witness, "line", |line| {
            text(line) == number.to_string()
        })
        .await;
    }
    relay.mend();
    let missed = loop {
        let object = client.json().await;
        if object["type"] == "missed" {
            break object;
        }
    };
    let after = objects(&mut client, "line", |line| text(line) == "499").await;
    let (lines, bytes) = (missed["lines"].as_u64(), missed["bytes"].as_u64());
    let lines = lines.expect("lines are counted");
    assert!((100..490).contains(&lines), "{missed}");
    let first = before.last().expect("there are some")["seq"].as_u64();
    assert_eq!(after[0]["seq"].as_u64(), first.map(|seq| seq + lines + 1));
    check_counted(&after, 10 + lines..500);
    assert_eq!(bytes, Some(counted(10..10 + lines).len() as u64));
}

#[tokio::test]
async fn requests_are_answered_by_the_far_end() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &[]).await;
    let near = near(far.address(), &[]).await;
    let mut client = near.client("/?view=json&writes").await;
    let number = client.json_of("hello").await["client"].clone();
    let reply = client
        .reply(json!({"type": "write", "text": "one\n"}))
        .await;
    assert_eq!(
        (&reply["type"], &reply["bytes"]),
        (&json!("ack"), &json!(4))
    );
    pair.device.expect("one\n").await;
    client
        .acked(json!({"type": "write", "text": "!", "urgent": true}))
        .await;
    pair.device.expect("!").await;
    near.client("/?view=raw")
        .await
        .send_bytes(vec![0, 255, 10])
        .await;
    pair.device.expect([0, 255, 10]).await;
    let mut watcher = greeted(&near, "/?view=json&writes").await;
    let mut other = far.json_client().await;
    other.acked(json!({"type": "write", "text": "far\n"})).await;
    pair.device.expect("far\n").await;
    // The write before it may be told late.
    let far_one = objects(&mut watcher, "written", |one| one["text"] == "far\n").await;
    assert_ne!(far_one[far_one.len() - 1]["client"], number);
    client
        .acked(json!({"type": "write", "text": "two\n"}))
        .await;
    pair.device.expect("two\n").await;
    let near_one = watcher.json_of("written").await;
    assert_eq!(
        (&near_one["text"], &near_one["client"]),
        (&json!("two\n"), &number)
    );
    // Errors have the words of the far end.
    for request in [
        json!({"type": "signals", "dtr": true}),
        json!({"type": "settings", "baud": 0}),
    ] {
        let (near, far) = (
            client.refused(request.clone()).await,
            other.refused(request).await,
        );
        assert_eq!(near, far);
    }
    client
        .acked(json!({"type": "settings", "baud": 19_200}))
        .await;
    until("the rate to be told", async || {
        let settings = near.port("board").await["settings"].clone();
        (settings["baud"] == 19_200).then_some(())
    })
    .await;
    assert_eq!(far.port("board").await["settings"]["baud"], 19_200);
}

#[tokio::test]
async fn many_writes_from_many_clients_arrive_whole_and_in_order() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &[]).await;
    let near = near(far.address(), &[]).await;
    let (mut one, mut other) = (near.json_client().await, near.json_client().await);
    let long = "x".repeat(40_000);
    for round in 0..3 {
        for (client, name) in [(&mut one, "a"), (&mut other, "b")] {
            let text = format!("{name}{round}{long}\n");
            client
                .send_json(json!({"type": "write", "text": text, "id": "last"}))
                .await;
        }
        let got = pair.device.take(2 * (long.len() + 3)).await;
        let got = String::from_utf8(got).expect("it is text");
        for line in got.lines() {
            assert!(
                line.ends_with(&long) && line.len() == long.len() + 2,
                "{}",
                &line[..9]
            );
        }
        for client in [&mut one, &mut other] {
            let replies = client.json_until("last").await;
            assert_eq!(replies.last().expect("it has come")["type"], "ack");
        }
    }
}

#[tokio::test]
async fn the_write_lock_is_one_for_both_ends() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &[]).await;
    let near = near(far.address(), &[]).await;
    let (mut here, mut there) = (near.json_client().await, far.json_client().await);
    let lock = |name| json!({"type": "lock", "name": name});
    let write = || json!({"type": "write", "text": "x"});
    here.acked(lock("esptool")).await;
    let refused = there.refused(write()).await;
    assert!(
        refused.contains(r#"("esptool") has the write lock"#),
        "{refused}"
    );
    here.acked(write()).await;
    pair.device.expect("x").await;
    here.acked(json!({"type": "unlock"})).await;
    until("the lock to end there", async || {
        let status = far.port("board").await["status"].clone();
        status["writer"].is_null().then_some(())
    })
    .await;
    there.acked(lock("picotool")).await;
    let status = until("the lock to be told", async || {
        let status = near.port("board").await["status"].clone();
        (!status["writer"].is_null()).then_some(status)
    })
    .await;
    assert_eq!(status["writer"]["name"], "picotool");
    let refused = here.refused(write()).await;
    assert!(
        refused.contains(r#"("picotool") has the write lock"#),
        "{refused}"
    );
    let refused = here.refused(lock("mine")).await;
    assert!(
        refused.contains(r#"("picotool") has the write lock"#),
        "{refused}"
    );
    there.leave().await;
    until("the lock to end here", async || {
        let status = near.port("board").await["status"].clone();
        status["writer"].is_null().then_some(())
    })
    .await;
    here.acked(write()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_board_that_is_lost_there_is_told_apart_from_a_lost_connection() {
    let mut pair = Pair::open().await;
    if !Pair::are_ours() {
        return crate::support::skip("this pair cannot be unplugged");
    }
    let far = Bridge::on(&mut pair, &[]).await;
    let at = far.address();
    let near = near(at, &[]).await;
    let mut client = near.json_client().await;
    pair.unplug();
    let there = far.state("board", "lost").await;
    let here = near.state("board", "lost").await;
    let detail = there["detail"].as_str().expect("a status has words");
    assert_eq!(here["detail"], format!("the board at ws://{at}/: {detail}"));
    assert_eq!(here["hint"], there["hint"]);
    let refused = client.refused(json!({"type": "write", "text": "x"})).await;
    assert_eq!(refused, format!("the port is not open: {detail}"));
    pair.plug_in();
    near.state("board", "open").await;
}

#[tokio::test]
async fn a_far_end_that_only_lets_read_says_so() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &["--read-only"]).await;
    let near = near(far.address(), &[]).await;
    let mut client = near.client("/?view=json").await;
    let greeting = client.json_of("hello").await;
    assert_eq!(greeting["port"]["settings"]["readOnly"], true);
    let refused = client.refused(json!({"type": "write", "text": "x"})).await;
    assert_eq!(refused, "this port is read-only (--read-only)");
}

/// A file in a folder of its own, with this text.
fn file(name: &str, text: &str) -> String {
    let name = format!("serial-ws-upstream-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).expect("a file can be written");
    path.display().to_string()
}

#[tokio::test]
async fn a_token_comes_from_a_file_and_is_shown_nowhere() {
    const TOKEN: &str = "a-token-of-this-test";
    let (right, wrong) = (file("right", TOKEN), file("wrong", "another-token-here"));
    let far = Bridge::start(&["--port", "sim", "--token", &right]).await;
    let at = far.address();
    let near_end = unopened(at, &[]).await;
    let said = near_end.program.said("needs a token").await;
    assert!(said.contains("add ,token=FILE to the port"), "{said}");
    let port = format!("board=ws://{at}/,token={wrong}");
    let near_end = Bridge::start(&["--port", &port]).await;
    let said = near_end.program.said("does not accept the token in").await;
    assert!(said.contains(&wrong), "{said}");
    let port = format!("board=ws://{at}/,token={right}");
    let near_end = Bridge::start(&["--port", &port, "-vv"]).await;
    near_end.open("board").await;
    near_end.json_client().await.json_of("line").await;
    for path in ["/api/ports", "/api/status", "/api/clients"] {
        let reply = near_end.get(path).await;
        assert!(!reply.body.contains(TOKEN), "{reply:?}");
    }
    assert!(!near_end.program.log().join("\n").contains(TOKEN));
    let refused = Bridge::fail(&["--port", &format!("ws://{at}/?token={TOKEN}")]).await;
    refused.with(2, "add ,token=FILE in place of ?token=");
    for file in [right, wrong] {
        std::fs::remove_file(file).expect("it is there");
    }
}

#[tokio::test]
async fn what_is_no_serial_ws_is_told_so() {
    let plain = Remote::listen("127.0.0.1:0").await;
    let at = plain.at;
    let near_end = unopened(at, &[]).await;
    let mut stream = plain.connected().await;
    let mut head = [0; 4096];
    within("a request", stream.read(&mut head))
        .await
        .expect("there is one");
    let answer = "HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 4\r\n\r\nnone";
    stream
        .write_all(answer.as_bytes())
        .await
        .expect("it is read");
    let expected = format!("what answers at ws://{at}/ is no serial-ws: ");
    near_end
        .program
        .said(&format!(
            "{expected}it answers 404 Not Found. Check the address"
        ))
        .await;
    let echo = Remote::listen("127.0.0.1:0").await;
    let near_end = unopened(echo.at, &[]).await;
    let stream = echo.connected().await;
    let socket = tokio_tungstenite::accept_async(stream).await;
    let mut socket = socket.expect("it is a WebSocket");
    socket.send("hi".into()).await.expect("it is read");
    let said = near_end.program.said("it sends something else").await;
    assert!(said.contains("is no serial-ws"), "{said}");
    while let Some(Ok(_)) = socket.next().await {}
    let raw = Remote::listen("127.0.0.1:0").await;
    let near_end = unopened(raw.at, &[]).await;
    let mut stream = raw.connected().await;
    stream
        .write_all(b"1,2\n3,4\n\r\n\r\n")
        .await
        .expect("it is read");
    near_end.program.said("it does not speak WebSocket").await;
}

#[tokio::test]
async fn one_that_is_not_there_is_waited_for_and_its_clients_begin_when_it_comes() {
    let mut pair = Pair::open().await;
    let free = Remote::listen("127.0.0.1:0").await;
    let at = free.at;
    drop(free);
    let near = unopened(at, &[]).await;
    let status = near.state("board", "waiting").await;
    let expected = format!("cannot connect to {at}: nothing listens there");
    until("the reason", async || {
        let status = near.port("board").await["status"].clone();
        (status["detail"] == expected).then_some(())
    })
    .await;
    drop(status);
    let mut page = near.client("/").await;
    let far = Bridge::on(&mut pair, &["--listen", &at.to_string()]).await;
    near.open("board").await;
    pair.device.write("1\n").await;
    while page.text().await != "1" {}
    drop(far);
    let ended = Bridge::fail(&["--port", &format!("ws://{at}/"), "--no-wait"]).await;
    ended.with(1, "nothing listens there");
}

#[tokio::test]
async fn a_way_back_to_itself_is_refused() {
    let relay = Relay::to("127.0.0.1:9".parse().expect("an address")).await;
    drop(relay);
    let ended = Bridge::fail(&["--port", "ws://localhost:8080/", "--listen", "8080"]).await;
    ended.with(2, "is where this serial-ws listens itself");
    // By another address, only the other end can tell.
    let free = Remote::listen("127.0.0.1:0").await;
    let at = free.at;
    drop(free);
    let relay = Relay::to(at).await;
    let listen = at.to_string();
    let near = unopened(relay.at, &["--port", "sim", "--listen", &listen]).await;
    near.program.said("leads back to this serial-ws").await;
}

#[tokio::test]
async fn one_near_end_may_stand_behind_another() {
    let mut pair = Pair::open().await;
    let far = Bridge::on(&mut pair, &[]).await;
    let middle = near(far.address(), &[]).await;
    let last = near(middle.address(), &[]).await;
    assert_eq!(hello(&far).await["run"], hello(&last).await["run"]);
    let mut client = last.json_client().await;
    let mut there = far.json_client().await;
    pair.device.write("hello\n").await;
    assert_eq!(client.json_of("line").await, there.json_of("line").await);
    client
        .acked(json!({"type": "write", "text": "back\n"}))
        .await;
    pair.device.expect("back\n").await;
}
