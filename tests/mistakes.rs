//! The mistakes of clients that may connect: each gets its Close code and a reason, and the other
//! clients notice nothing.

use crate::support::{Bridge, Client, Pair, RawSocket, until};

#[tokio::test]
async fn an_unknown_view_is_refused_on_the_socket() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (code, reason) = bridge.client("/?view=rows").await.closed().await;
    assert_eq!(code, 4400, "{reason}");
    assert!(
        reason.contains("rows") && reason.contains("lines"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused_on_the_socket() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    for query in [
        "history=many",
        "view=json&since=yesterday",
        "latest=soon",
        "latest=1e-19",
        "append=tab",
    ] {
        let (code, reason) = bridge.client(&format!("/?{query}")).await.closed().await;
        assert_eq!(code, 4400, "{query}: {reason}");
        assert!(!reason.is_empty(), "{query}");
    }
}

#[tokio::test]
async fn a_query_and_a_subprotocol_that_disagree_are_refused() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client_as("/?view=raw", "serial-ws.lines").await;
    let (code, reason) = client.closed().await;
    assert_eq!(code, 4400, "{reason}");
    assert!(
        reason.contains("raw") && reason.contains("lines"),
        "{reason}"
    );
}

#[tokio::test]
async fn an_unknown_port_is_refused_with_the_names_of_those_that_exist() {
    let mut pair = Pair::open().await;
    let port = format!("board={}", pair.path);
    let bridge = Bridge::start(&["--port", &port, "--port", "room=loop"]).await;
    bridge.in_step("board", &mut pair).await;
    let (code, reason) = bridge.client("/ports/bored").await.closed().await;
    assert_eq!(code, 4404, "{reason}");
    assert!(
        reason.contains("board") && reason.contains("room"),
        "{reason}"
    );
}

#[tokio::test]
async fn one_client_too_many_is_told_to_try_later() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-clients", "2"]).await;
    until("the first witness to be gone", async || {
        (bridge.port("board").await["clients"] == 0).then_some(())
    })
    .await;
    let mut first = bridge.client("/").await;
    let second = bridge.client("/").await;
    let (code, reason) = bridge.client("/").await.closed().await;
    assert_eq!(code, 1013, "{reason}");
    assert!(!reason.is_empty());

    second.leave().await;
    until("the place to be free", async || {
        (bridge.port("board").await["clients"] == 1).then_some(())
    })
    .await;
    let mut third = bridge.client("/").await;
    pair.device.write("5\n").await;
    assert_eq!(first.text().await, "5");
    assert_eq!(third.text().await, "5");
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_with_both_sizes() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-message", "100"]).await;
    let mut witness = bridge.client("/").await;
    let mut client = bridge.client("/").await;
    client.send("x".repeat(100)).await;
    pair.device.expect("x".repeat(100)).await;
    client.send("y".repeat(250)).await;
    let (code, reason) = client.closed().await;
    assert_eq!(code, 1009, "{reason}");
    assert!(reason.contains("250") && reason.contains("100"), "{reason}");
    unmoved(&bridge, &mut pair, &mut witness).await;
}

#[tokio::test]
async fn a_text_message_that_is_not_utf8_is_a_protocol_error() {
    // A masked text message of the bytes FF FE; the mask is zero.
    refused(&[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe], 1007).await;
}

#[tokio::test]
async fn an_unmasked_message_is_a_protocol_error() {
    refused(&[0x81, 2, b'h', b'i'], 1002).await;
}

#[tokio::test]
async fn a_reserved_bit_is_a_protocol_error() {
    refused(&[0xf1, 0x82, 0, 0, 0, 0, b'h', b'i'], 1002).await;
}

#[tokio::test]
async fn a_reserved_opcode_is_a_protocol_error() {
    refused(&[0x83, 0x80, 0, 0, 0, 0], 1002).await;
}

#[tokio::test]
async fn a_ping_cut_in_two_is_a_protocol_error() {
    refused(&[0x09, 0x81, 0, 0, 0, 0, b'h'], 1002).await;
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_the_others_alone() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut witness = bridge.client("/").await;
    // Half a frame, and gone.
    let mut client = RawSocket::open(bridge.address(), "/").await;
    client.write(&[0x81, 0xfe, 0xff]).await;
    drop(client);
    unmoved(&bridge, &mut pair, &mut witness).await;
}

/// Asserts that these bytes on a WebSocket end it with `code` and a reason, and reach nobody.
async fn refused(bytes: &[u8], code: u16) {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut witness = bridge.client("/").await;
    let mut client = RawSocket::open(bridge.address(), "/").await;
    client.write(bytes).await;
    let (closed, reason) = client.closed().await;
    assert_eq!(closed, code, "{reason}");
    assert!(!reason.is_empty());
    unmoved(&bridge, &mut pair, &mut witness).await;
}

/// Asserts that the device got nothing, and that device and witness still hear each other.
async fn unmoved(bridge: &Bridge, pair: &mut Pair, witness: &mut Client) {
    pair.device.write("5\n").await;
    assert_eq!(witness.text().await, "5");
    witness.send("on\n").await;
    pair.device.expect("on\n").await;
    assert_eq!(bridge.port("board").await["status"]["state"], "open");
}
