//! The write lock: what it keeps others from, how it ends, and what becomes of settings then.

use serde_json::{Value, json};

use crate::support::{Bridge, Client, Pair, Reply, http};

/// The requests that are refused to others while a client has the lock.
fn changes() -> [Value; 12] {
    [
        json!({"type": "write", "text": "x"}),
        json!({"type": "write", "text": "x", "urgent": true}),
        json!({"type": "signals", "dtr": true}),
        json!({"type": "break", "ms": 1}),
        json!({"type": "break", "on": true}),
        json!({"type": "settings", "baud": 300}),
        json!({"type": "reset"}),
        json!({"type": "release"}),
        json!({"type": "playback", "pause": true}),
        json!({"type": "lock"}),
        json!({"type": "record", "on": false}),
        json!({"type": "note", "text": "x"}),
    ]
}

#[tokio::test]
async fn everything_of_others_that_changes_the_board_is_refused_and_everybody_knows_why() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut holder, mut other) = (bridge.json_client().await, bridge.json_client().await);
    let mut page = bridge.client("/").await;
    holder
        .acked(json!({"type": "lock", "name": "esptool"}))
        .await;
    let status = other.json().await;
    let client = status["writer"]["client"]
        .as_u64()
        .expect("a client has a number");
    assert_eq!(status["writer"]["name"], "esptool", "{status}");
    for request in changes() {
        let error = other.refused(request).await;
        let expected = format!("client {client} (\"esptool\") has the write lock");
        assert!(error.starts_with(&expected), "{error}");
    }
    for call in [
        "reset",
        "release",
        "settings?baud=300",
        "playback?pause=true",
    ] {
        let reply = post(&bridge, call, &[]).await;
        assert_eq!(reply.status, 409, "{reply:?}");
        assert!(reply.body.contains("esptool"), "{reply:?}");
    }
    // A plain client cannot be told, but the operator is.
    page.send("x").await;
    bridge.program.said("has the write lock").await;
    let hello = bridge.client("/?view=json").await.json_of("hello").await;
    assert_eq!(hello["status"]["writer"]["client"], client, "{hello}");

    holder.acked(json!({"type": "write", "text": "mine"})).await;
    pair.device.expect("mine").await;
    holder.acked(json!({"type": "unlock"})).await;
    let status = other.json().await;
    assert_eq!(status.get("writer"), None, "{status}");
    other.acked(json!({"type": "write", "text": "yours"})).await;
    pair.device.expect("yours").await;
}

#[tokio::test]
async fn the_lock_ends_with_its_client_and_after_a_time_without_a_request() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--lock-idle", "300ms"]).await;
    let mut other = bridge.json_client().await;
    let mut leaving = bridge.json_client().await;
    leaving.acked(json!({"type": "lock"})).await;
    assert!(other.json().await["writer"].is_object());
    leaving.leave().await;
    assert_eq!(other.json().await.get("writer"), None);

    let mut idle = bridge.json_client().await;
    idle.acked(json!({"type": "lock"})).await;
    assert!(other.json().await["writer"].is_object());
    assert_eq!(other.json().await.get("writer"), None);
    other.acked(json!({"type": "write", "text": "x"})).await;
    pair.device.expect("x").await;
}

#[tokio::test]
async fn fixed_settings_change_under_the_lock_and_return_when_it_ends() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--baud", "9600"]).await;
    let (mut holder, mut other) = (bridge.json_client().await, bridge.json_client().await);
    holder
        .refused(json!({"type": "settings", "baud": 460_800}))
        .await;
    for ends_by_leaving in [false, true] {
        holder.acked(json!({"type": "lock"})).await;
        holder
            .acked(json!({"type": "settings", "baud": 460_800}))
            .await;
        driver_has(&pair, 460_800);
        // What was sent before the end still goes out before the settings return.
        holder
            .send_json(json!({"type": "write", "text": "last"}))
            .await;
        if ends_by_leaving {
            holder.leave().await;
            holder = bridge.json_client().await;
        } else {
            holder.acked(json!({"type": "unlock"})).await;
        }
        pair.device.expect("last").await;
        while other.json().await["settings"]["baud"] != 460_800 {}
        while other.json().await["settings"]["baud"] != 9600 {}
        driver_has(&pair, 9600);
    }
}

#[tokio::test]
async fn all_settings_return_after_a_lock_that_restores_them() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut holder, mut other) = (bridge.json_client().await, bridge.json_client().await);
    other
        .acked(json!({"type": "settings", "baud": 57_600}))
        .await;
    for ends_by_leaving in [false, true] {
        let lock = json!({"type": "lock", "restore": true});
        holder.acked(lock.clone()).await;
        for baud in [115_200, 460_800] {
            holder
                .acked(json!({"type": "settings", "baud": baud}))
                .await;
            // Taking the lock again does not make these the settings to return to.
            holder.acked(lock.clone()).await;
        }
        driver_has(&pair, 460_800);
        if ends_by_leaving {
            holder.leave().await;
            holder = bridge.json_client().await;
        } else {
            holder.acked(json!({"type": "unlock"})).await;
        }
        while other.json().await["settings"]["baud"] != 460_800 {}
        while other.json().await["settings"]["baud"] != 57_600 {}
        driver_has(&pair, 57_600);
    }
    // Without a change, and without the wish, nothing returns.
    holder.acked(json!({"type": "lock", "restore": true})).await;
    holder.acked(json!({"type": "unlock"})).await;
    holder.acked(json!({"type": "lock"})).await;
    holder
        .acked(json!({"type": "settings", "baud": 19_200}))
        .await;
    holder.acked(json!({"type": "unlock"})).await;
    holder.acked(json!({"type": "write", "text": "x"})).await;
    driver_has(&pair, 19_200);
}

#[tokio::test]
async fn settings_return_after_a_lock_while_the_board_is_away() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut holder, mut other) = (bridge.json_client().await, bridge.json_client().await);
    holder.acked(json!({"type": "lock", "restore": true})).await;
    holder
        .acked(json!({"type": "settings", "baud": 460_800}))
        .await;
    holder.acked(json!({"type": "release"})).await;
    holder.leave().await;
    while other.json().await["settings"]["baud"] != 460_800 {}
    while other.json().await["settings"]["baud"] != 9600 {}
    other.acked(json!({"type": "resume"})).await;
    while other.json().await["state"] != "open" {}
    driver_has(&pair, 9600);
}

#[tokio::test]
async fn fixed_settings_return_even_if_the_same_client_locks_again_or_the_board_is_reset() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--baud", "9600"]).await;
    let (mut holder, mut other) = (bridge.json_client().await, bridge.json_client().await);
    holder.acked(json!({"type": "lock"})).await;
    holder
        .acked(json!({"type": "settings", "baud": 460_800}))
        .await;
    for request in ["unlock", "lock"] {
        holder.send_json(json!({"type": request})).await;
    }
    while other.json().await["settings"]["baud"] != 460_800 {}
    while other.json().await["settings"]["baud"] != 9600 {}
    driver_has(&pair, 9600);
    holder
        .acked(json!({"type": "settings", "baud": 230_400}))
        .await;
    driver_has(&pair, 230_400);
    holder.send_json(json!({"type": "unlock"})).await;
    // It waits for nothing, and cancels what does.
    other.send_json(json!({"type": "reset"})).await;
    while other.json().await["settings"]["baud"] != 230_400 {}
    while other.json().await["settings"]["baud"] != 9600 {}
    driver_has(&pair, 9600);
}

#[tokio::test]
async fn who_began_a_break_may_end_it_while_another_client_has_the_lock() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut holder, mut other) = (bridge.json_client().await, bridge.json_client().await);
    other.acked(json!({"type": "break", "on": true})).await;
    holder.acked(json!({"type": "lock"})).await;
    holder
        .send_json(json!({"type": "write", "text": "after"}))
        .await;
    other.refused(json!({"type": "break", "on": true})).await;
    other.acked(json!({"type": "break", "on": false})).await;
    pair.device.expect("after").await;
    other.refused(json!({"type": "break", "on": false})).await;
}

#[tokio::test]
async fn the_holder_that_takes_its_own_port_back_keeps_the_lock() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut holder, mut other) = (bridge.json_client().await, bridge.json_client().await);
    holder.acked(json!({"type": "lock"})).await;
    holder.acked(json!({"type": "release"})).await;
    holder.acked(json!({"type": "resume"})).await;
    other.refused(json!({"type": "write", "text": "x"})).await;
    holder.acked(json!({"type": "write", "text": "mine"})).await;
    pair.device.expect("mine").await;
}

#[tokio::test]
async fn resume_ends_the_lock_for_the_operator_and_is_refused_to_all_others() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut holder = bridge.json_client().await;
    holder.acked(json!({"type": "lock"})).await;
    // A page of another origin is never the operator.
    let reply = post(&bridge, "resume", &[("Origin", "http://localhost:5500")]).await;
    assert_eq!(reply.status, 409, "{reply:?}");
    let headers = [("Origin", "http://localhost:5500")];
    let mut page = Client::open(bridge.address(), "/?view=json", &headers).await;
    page.json_of("hello").await;
    page.refused(json!({"type": "resume"})).await;
    assert!(bridge.port("board").await["status"]["writer"].is_object());

    let reply = post(&bridge, "resume", &[]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(bridge.port("board").await["status"].get("writer"), None);
    let mut program = bridge.json_client().await;
    holder.acked(json!({"type": "lock"})).await;
    program.acked(json!({"type": "resume"})).await;
    program
        .acked(json!({"type": "write", "text": "free"}))
        .await;
    pair.device.expect("free").await;
}

#[tokio::test]
async fn a_client_that_only_reads_gets_no_lock_and_a_wrong_name_is_refused() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    for name in [
        json!(""),
        json!(7),
        json!("x\u{1b}[2J"),
        json!("x".repeat(65)),
    ] {
        let error = client.refused(json!({"type": "lock", "name": name})).await;
        assert!(error.contains("\"name\" must be"), "{error}");
    }
    client.acked(json!({"type": "unlock"})).await;
    let bridge = Bridge::start(&["--port", "board=loop", "--read-only"]).await;
    bridge.open("board").await;
    let mut client = bridge.json_client().await;
    let error = client.refused(json!({"type": "lock"})).await;
    assert!(error.contains("read-only"), "{error}");
}

/// Asserts the rate of the driver, where it can be seen from here.
#[track_caller]
fn driver_has(pair: &Pair, rate: u32) {
    #[cfg(all(unix, not(target_os = "macos")))]
    assert_eq!(pair.rate().unwrap_or(rate), rate);
    let _ = (pair, rate);
}

async fn post(bridge: &Bridge, call: &str, headers: &[(&str, &str)]) -> Reply {
    let path = format!("/api/ports/board/{call}");
    http(bridge.address(), "POST", &path, headers).await
}
