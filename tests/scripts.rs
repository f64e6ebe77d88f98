//! HTTP for scripts: what is written by it.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Bridge, Pair, Reply, bare, request, until};

const WRITE: &str = "/api/ports/board/write";

/// Sends a request whose body is as long as it says.
async fn post(bridge: &Bridge, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let length = body.len().to_string();
    let headers = [headers, &[("Content-Length", &length)]].concat();
    let head = request(bridge.address(), "POST", path, &headers);
    Reply::parse(&bare(bridge.address(), &[head.as_bytes(), body].concat()).await)
}

#[track_caller]
fn check(reply: &Reply, status: u16, part: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert!(reply.body.contains(part), "{reply:?}");
}

#[tokio::test]
async fn a_body_is_written_exactly_and_its_length_is_the_answer() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--append", "lf"]).await;
    let all: Vec<u8> = (0..=255).chain([0, 0]).collect();
    let reply = post(&bridge, WRITE, &[], &all).await;
    assert_eq!(reply.json(), json!({"bytes": 258}), "{reply:?}");
    pair.device.expect(&all).await;
    // As curl -d sends it, but it is no form.
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let reply = post(&bridge, WRITE, &form, b"G28+X%20=1").await;
    assert_eq!(reply.json(), json!({"bytes": 10}), "{reply:?}");
    pair.device.expect("G28+X%20=1").await;
    let reply = post(&bridge, &format!("{WRITE}?append=crlf"), &form, b"on").await;
    assert_eq!(reply.json(), json!({"bytes": 4}), "{reply:?}");
    pair.device.expect("on\r\n").await;
}

#[tokio::test]
async fn a_body_in_chunks_is_written_in_one_piece() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let chunked = [("Transfer-Encoding", "chunked")];
    let head = request(bridge.address(), "POST", WRITE, &chunked);
    let body = "3\r\nG28\r\n1\r\n\n\r\n0\r\n\r\n";
    let reply = Reply::parse(&bare(bridge.address(), (head + body).as_bytes()).await);
    assert_eq!(reply.json(), json!({"bytes": 4}), "{reply:?}");
    pair.device.expect("G28\n").await;
}

#[tokio::test]
async fn a_write_that_is_not_possible_says_why_and_writes_nothing() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-message", "1000"]).await;
    let reply = post(&bridge, WRITE, &[], &[b'x'; 1001]).await;
    check(&reply, 413, "1001 bytes are too many");
    let chunked = [("Transfer-Encoding", "chunked")];
    let head = request(bridge.address(), "POST", WRITE, &chunked);
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001));
    let reply = Reply::parse(&bare(bridge.address(), (head + &chunk).as_bytes()).await);
    let error =
        "the body is too long for one write: it may have at most 1000 bytes (--max-message)";
    check(&reply, 413, error);
    let reply = post(&bridge, "/api/ports/bord/write", &[], b"x").await;
    check(&reply, 404, "available: board");
    let reply = post(&bridge, &format!("{WRITE}?apend=lf"), &[], b"x").await;
    check(&reply, 400, "did you mean `append`?");
    let reply = post(&bridge, &format!("{WRITE}?append=tab"), &[], b"x").await;
    check(&reply, 400, "append must be none, lf, crlf or cr");
    let origin = [("Origin", "https://evil.example")];
    let reply = post(&bridge, WRITE, &origin, b"x").await;
    check(&reply, 403, "--allow-origin https://evil.example");

    let mut holder = bridge.json_client().await;
    holder
        .acked(json!({"type": "lock", "name": "esptool"}))
        .await;
    check(&post(&bridge, WRITE, &[], b"x").await, 409, "esptool");
    holder.acked(json!({"type": "unlock"})).await;
    holder
        .acked(json!({"type": "release", "seconds": 60}))
        .await;
    check(&post(&bridge, WRITE, &[], b"x").await, 409, "released");
    holder.acked(json!({"type": "resume"})).await;
    bridge.open("board").await;
    let counters = &bridge.port("board").await["counters"];
    assert_eq!(counters["refused"], 2, "{counters}");
    check(&post(&bridge, WRITE, &[], b"!").await, 200, "1");
    pair.device.expect("!").await;
}

#[tokio::test]
async fn nothing_is_written_to_a_port_that_is_read_only() {
    let bridge = Bridge::start(&["--port", "board=loop", "--read-only"]).await;
    let reply = post(&bridge, WRITE, &[], b"x").await;
    check(&reply, 403, "this port is read-only (--read-only)");
}

#[tokio::test]
async fn a_body_that_ends_early_is_not_written() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let length = [("Content-Length", "10")];
    let head = request(bridge.address(), "POST", WRITE, &length);
    let mut stream = TcpStream::connect(bridge.address()).await.unwrap();
    stream.write_all((head + "halfw").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    check(&post(&bridge, WRITE, &[], b"!").await, 200, "1");
    pair.device.expect("!").await;
}

#[tokio::test]
async fn a_write_is_answered_when_the_system_has_it_and_goes_on_when_its_client_leaves() {
    const LENGTH: usize = 40_000;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let length = [("Content-Length", "40000")];
    let head = request(bridge.address(), "POST", WRITE, &length);
    let mut streams = Vec::new();
    for byte in [b'a', b'b'] {
        let mut stream = TcpStream::connect(bridge.address()).await.unwrap();
        let body = [byte; LENGTH];
        stream
            .write_all(&[head.as_bytes(), &body].concat())
            .await
            .unwrap();
        let written = async || {
            let written = bridge.port("board").await["counters"]["written_bytes"].as_u64();
            written.filter(|written| *written > 0)
        };
        until("a part is written", written).await;
        streams.push(stream);
    }
    let mut leaving = streams.pop().expect("there are two");
    let mut stays = streams.pop().expect("there are two");
    // The pseudo-terminal does not hold so much, so the first is not answered.
    let mut answer = [0; 1];
    assert!(stays.try_read(&mut answer).is_err());
    leaving.shutdown().await.unwrap();
    assert!(pair.device.take(LENGTH).await == [b'a'; LENGTH]);
    let mut answer = Vec::new();
    stays.read_to_end(&mut answer).await.unwrap();
    assert_eq!(Reply::parse(&answer).json(), json!({"bytes": LENGTH}));
    drop(leaving);
    assert!(pair.device.take(LENGTH).await == [b'b'; LENGTH]);
}

#[tokio::test]
async fn writes_by_http_and_by_websocket_go_out_in_the_order_of_their_answers() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    let reply = post(&bridge, WRITE, &[], b"1").await;
    check(&reply, 200, "1");
    client.acked(json!({"type": "write", "text": "2"})).await;
    let reply = post(&bridge, WRITE, &[], b"3").await;
    check(&reply, 200, "1");
    pair.device.expect("123").await;
}

#[cfg(unix)] // where curl and a shell are
#[tokio::test]
async fn a_shell_writes_by_curl() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-message", "3MiB"]).await;
    let script = r#"set -e
command -v curl >/dev/null || exit 127
for step in 1 2 3; do curl -sS -d "step $step" "$0?append=lf"; done
printf '\000\377' | curl -sS --data-binary @- "$0"
# So much that curl asks first whether it may.
head -c 2000000 /dev/zero | curl -sS -o /dev/null -w '%{http_code}' -X POST -H Content-Type: --data-binary @- "${0%board/write}none/write""#;
    let url = format!("http://{}{WRITE}", bridge.address());
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", script, &url]);
    command.stderr(std::process::Stdio::inherit());
    let Ok(output) = command.output().await else {
        return crate::support::skip("there is no shell");
    };
    if output.status.code() == Some(127) {
        return crate::support::skip("there is no curl");
    }
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, r#"{"bytes":7}{"bytes":7}{"bytes":7}{"bytes":2}404"#);
    pair.device.expect(b"step 1\nstep 2\nstep 3\n\0\xff").await;
}

#[tokio::test]
async fn what_one_computer_writes_by_http_counts_together_for_the_rate() {
    let bridge = Bridge::start(&["--port", "board=loop", "--max-write-rate", "100"]).await;
    bridge.open("board").await;
    let start = std::time::Instant::now();
    check(&post(&bridge, WRITE, &[], &[b'x'; 250]).await, 200, "250");
    check(&post(&bridge, WRITE, &[], b"y").await, 200, "1");
    // It may be a second ahead.
    let elapsed = start.elapsed().as_secs_f64();
    assert!(elapsed >= 1.5, "the second was written after {elapsed} s");
}
