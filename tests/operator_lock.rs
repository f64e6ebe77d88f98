//! `--lock operator`: nobody but the operator writes, until the operator gives the write lock to a client.

use serde_json::{Value, json};

use crate::support::{Bridge, Client, Pair, http};

const ONLY: &str = "only the operator may write to this port (--lock operator)";

/// A page of another server on this computer, which is let in and never the operator.
async fn page(bridge: &Bridge, target: &str) -> Client {
    let headers = [("Origin", "http://localhost:5500")];
    Client::open(bridge.address(), target, &headers).await
}

/// Calls the route for the write lock of a client.
async fn change_lock(bridge: &Bridge, method: &str, client: &Value) -> u16 {
    let path = format!("/api/clients/{client}/lock");
    http(bridge.address(), method, &path, &[]).await.status
}

fn write(text: &str) -> Value {
    json!({"type": "write", "text": text})
}

#[tokio::test]
async fn only_the_operator_writes_until_it_gives_the_lock_to_a_client() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--lock", "operator"]).await;
    let mut operator = bridge.json_client().await;
    let mut pupil = page(&bridge, "/?view=json").await;
    let hello = pupil.json_of("hello").await;
    assert_eq!(
        hello["status"]["writer"],
        json!({"client": 0, "name": "the operator"})
    );
    assert_eq!(hello["port"]["settings"]["readOnly"], false, "{hello}");
    for request in [
        write("x"),
        json!({"type": "write", "text": "x", "urgent": true}),
        json!({"type": "ask", "text": "x"}),
        json!({"type": "signals", "dtr": true}),
        json!({"type": "break", "ms": 1}),
        json!({"type": "settings", "baud": 300}),
        json!({"type": "reset"}),
        json!({"type": "release"}),
        json!({"type": "lock"}),
    ] {
        let error = pupil.refused(request.clone()).await;
        assert!(error.starts_with(ONLY), "{request}: {error}");
        assert!(error.contains("can give you the write lock"), "{error}");
    }
    operator.acked(write("mine")).await;
    pair.device.expect("mine").await;

    assert_eq!(change_lock(&bridge, "POST", &hello["client"]).await, 200);
    let status = pupil.json_of("status").await;
    assert_eq!(status["writer"], json!({"client": hello["client"]}));
    pupil.acked(write("theirs")).await;
    pair.device.expect("theirs").await;
    let error = operator.refused(write("x")).await;
    assert!(error.contains("has the write lock"), "{error}");

    assert_eq!(change_lock(&bridge, "DELETE", &hello["client"]).await, 200);
    assert_eq!(pupil.json_of("status").await["writer"]["client"], 0);
    let error = pupil.refused(write("x")).await;
    assert!(error.starts_with(ONLY), "{error}");
    operator.acked(write("again")).await;
    pair.device.expect("again").await;
}

#[tokio::test]
async fn scripts_and_programs_of_this_computer_are_the_operators() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--lock", "operator"]).await;
    let length = ("Content-Length", "0");
    let at = bridge.address();
    for call in ["settings?baud=9600", "release", "resume"] {
        let path = format!("/api/ports/board/{call}");
        assert_eq!(http(at, "POST", &path, &[]).await.status, 200, "{call}");
        let headers = [length, ("Origin", "http://localhost:5500")];
        let reply = http(at, "POST", &path, &headers).await;
        assert_eq!(reply.status, 409, "{call}: {reply:?}");
        assert!(reply.body.starts_with(ONLY), "{reply:?}");
    }
    // A plain client cannot be told, but the operator is.
    page(&bridge, "/").await.send("x").await;
    bridge.program.said(ONLY).await;
}

#[tokio::test]
async fn a_lock_that_was_given_ends_with_its_client_and_by_its_own_wish() {
    let bridge = Bridge::start(&["--port", "board=loop", "--lock", "operator"]).await;
    bridge.open("board").await;
    let mut watcher = bridge.json_client().await;
    let mut pupil = page(&bridge, "/?view=json").await;
    let client = pupil.json_of("hello").await["client"].clone();
    for leaves in [false, true] {
        assert_eq!(change_lock(&bridge, "POST", &client).await, 200);
        assert_eq!(watcher.json_of("status").await["writer"]["client"], client);
        if leaves {
            pupil.leave().await;
            break;
        }
        pupil.acked(json!({"type": "unlock"})).await;
        assert_eq!(watcher.json_of("status").await["writer"]["client"], 0);
    }
    assert_eq!(watcher.json_of("status").await["writer"]["client"], 0);
    assert_eq!(change_lock(&bridge, "POST", &client).await, 404);
}

#[tokio::test]
async fn the_operator_gives_the_lock_of_a_free_port_and_to_nobody_who_may_only_read() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut one, mut other) = (
        bridge.client("/?view=json").await,
        bridge.json_client().await,
    );
    let client = one.json_of("hello").await["client"].clone();
    other.acked(json!({"type": "lock"})).await;
    assert_eq!(change_lock(&bridge, "POST", &client).await, 200);
    one.acked(write("x")).await;
    other.refused(write("y")).await;
    pair.device.expect("x").await;
    let denied = [("Origin", "http://localhost:5500")];
    let path = format!("/api/clients/{client}/lock");
    for method in ["POST", "DELETE"] {
        let reply = http(bridge.address(), method, &path, &denied).await;
        assert_eq!(reply.status, 403, "{reply:?}");
    }
    let bridge = Bridge::start(&["--port", "board=loop", "--read-only"]).await;
    let mut reader = bridge.client("/?view=json").await;
    let client = reader.json_of("hello").await["client"].clone();
    assert_eq!(change_lock(&bridge, "POST", &client).await, 409);
    let mut watcher = bridge.client("/devices").await;
    watcher.text().await;
    let list = bridge.get("/api/clients").await.json();
    let of_no_port = list.as_array().and_then(|list| list.last()).expect("two");
    assert_eq!(change_lock(&bridge, "POST", &of_no_port["id"]).await, 409);
}

#[tokio::test]
async fn polls_go_on_while_a_client_has_a_lock_that_it_was_given() {
    let mut pair = Pair::open().await;
    let port = format!("board={},poll=A,every=20ms", pair.path);
    let bridge = Bridge::start(&["--port", &port, "--lock", "operator"]).await;
    bridge.open("board").await;
    let mut pupil = page(&bridge, "/?view=json").await;
    let client = pupil.json_of("hello").await["client"].clone();
    pair.device.expect("A").await;
    assert_eq!(change_lock(&bridge, "POST", &client).await, 200);
    for reading in ["1", "2", "3"] {
        pair.device.write(format!("{reading}\n")).await;
        assert_eq!(pupil.json_of("line").await["text"], reading);
        pair.device.expect("A").await;
    }
    // Taken by itself, the lock is for an upload that nothing may disturb.
    pupil.acked(json!({"type": "lock"})).await;
    pupil.acked(write("w")).await;
    pair.device.expect("w").await;
}
