//! What is not data: breaks, modem lines, the parity bit, and requests of other versions.

use serde_json::{Value, json};

use crate::support::{Bridge, Client, Pair, skip};

#[tokio::test]
async fn a_break_may_have_decimals_and_a_wrong_one_is_refused_with_its_limits() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    for ms in [json!(0), json!(0.1), json!(1.5), json!(2.25), json!(3)] {
        let ack = answer(&mut client, json!({"type": "break", "ms": ms})).await;
        assert_eq!((&ack["type"], &ack["bytes"]), (&json!("ack"), &json!(0)));
    }
    for ms in [json!(-0.1), json!(5000.1), json!(1e300), json!(u64::MAX)] {
        let error = refusal(&mut client, json!({"type": "break", "ms": ms})).await;
        assert!(error.contains("from 0 to 5000"), "{ms}: {error}");
    }
    for wrong in [json!("250"), json!([1]), json!({}), json!(true)] {
        refusal(&mut client, json!({"type": "break", "ms": wrong})).await;
        if !wrong.is_boolean() {
            refusal(&mut client, json!({"type": "break", "on": wrong})).await;
        }
    }
    for request in [
        json!({"type": "break"}),
        json!({"type": "break", "ms": null, "on": null}),
        json!({"type": "break", "ms": 1, "on": false}),
    ] {
        let error = refusal(&mut client, request).await;
        assert!(
            error.contains("\"ms\"") && error.contains("\"on\""),
            "{error}"
        );
    }
    // None of them holds up what is written.
    client
        .send_json(json!({"type": "write", "text": "x"}))
        .await;
    pair.device.expect("x").await;
}

#[tokio::test]
async fn a_held_break_refuses_writes_of_its_client_until_it_ends() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut holder, mut other) = (bridge.json_client().await, bridge.json_client().await);
    // Ending what nobody began is no error.
    for on in [false, true, true] {
        let ack = answer(&mut holder, json!({"type": "break", "on": on})).await;
        assert_eq!(ack["type"], "ack", "{ack}");
    }
    other.send_json(json!({"type": "write", "text": "o"})).await;
    let error = refusal(&mut holder, json!({"type": "write", "text": "h"})).await;
    assert!(error.contains(r#"{"type":"break","on":false}"#), "{error}");
    let ack = answer(&mut holder, json!({"type": "break", "on": false})).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    pair.device.expect("o").await;
    answer(&mut holder, json!({"type": "write", "text": "h"})).await;
    pair.device.expect("h").await;
}

#[tokio::test]
async fn a_held_break_ends_with_its_client_with_its_own_time_and_with_a_lease() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut other = bridge.json_client().await;
    for end in [
        None,
        Some(json!({"type": "break", "ms": 0.1})),
        Some(json!({"type": "release", "while": "connected"})),
    ] {
        let mut holder = bridge.json_client().await;
        answer(&mut holder, json!({"type": "break", "on": true})).await;
        if let Some(request) = end {
            let ack = answer(&mut holder, request).await;
            assert_eq!(ack["type"], "ack", "{ack}");
        }
        holder.leave().await;
        bridge.open("board").await;
        let ack = answer(&mut other, json!({"type": "write", "text": "o"})).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        pair.device.expect("o").await;
    }
}

#[tokio::test]
async fn requests_of_other_versions_are_answered_if_they_have_an_id() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    for request in [
        json!({"type": "rewind", "speed": 2}),
        json!({"type": "set_baud_rate", "baud": 115_200, "id": [1, {"of": 2}]}),
        json!({"type": "flush", "id": null}),
        json!({"type": "BREAK", "ms": 1, "id": 0.5}),
        json!({"type": "", "id": ""}),
    ] {
        let expected = request.get("id").cloned();
        client.send_json(request.clone()).await;
        if let Some(id) = expected {
            let error = client.json_of("error").await;
            assert_eq!(error["id"], id, "{error}");
            let text = error["error"].as_str();
            assert!(
                text.is_some_and(|text| text.contains("unknown type")),
                "{error}"
            );
        }
    }
    answer(&mut client, json!({"type": "write", "text": "x"})).await;
    pair.device.expect("x").await;
}

#[tokio::test]
async fn a_device_without_modem_lines_refuses_signals_and_has_no_inputs() {
    if !Pair::are_ours() {
        return skip("a serial pair from outside may have modem lines");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    for lines in [json!({"dtr": true}), json!({"rts": false, "dtr": false})] {
        let mut request = json!({"type": "signals"});
        request["dtr"] = lines["dtr"].clone();
        request["rts"] = lines["rts"].clone();
        let error = refusal(&mut client, request).await;
        let rest = error.strip_prefix("cannot set the modem lines of this device: ");
        assert!(rest.is_some_and(|rest| rest.starts_with("it ")), "{error}");
    }
    let port = bridge.port("board").await;
    assert_eq!(port["status"].get("inputs"), None, "{port}");
}

#[cfg(target_os = "linux")] // a pty keeps the flags there
#[tokio::test]
async fn the_parity_is_the_one_that_was_asked_for_whatever_it_was_before() {
    use crate::support::is_for_windows;
    use rustix::termios::{ControlModes, OptionalActions, tcgetattr, tcsetattr};

    let flags = ControlModes::CMSPAR | ControlModes::PARODD;
    for (parity, expected) in [
        ("mark", flags),
        ("space", ControlModes::CMSPAR),
        ("odd", ControlModes::PARODD),
        ("even", ControlModes::empty()),
        ("none", ControlModes::empty()),
    ] {
        if is_for_windows() && !expected.contains(ControlModes::CMSPAR) {
            // The library reads its own parity back, and a pty has dropped that.
            continue;
        }
        for before in [flags, ControlModes::CMSPAR, ControlModes::empty()] {
            let mut pair = Pair::open().await;
            let Some(terminal) = pair.terminal() else {
                return skip("the flags of a serial pair from outside cannot be seen");
            };
            let mut settings = tcgetattr(terminal).expect("a pty has settings");
            settings.control_modes.remove(flags);
            settings.control_modes.insert(before);
            tcsetattr(terminal, OptionalActions::Now, &settings).expect("a pty can be set");
            let bridge = Bridge::on(&mut pair, &["--parity", parity]).await;
            let terminal = pair.terminal().expect("the pty is still ours");
            let settings = tcgetattr(terminal).expect("a pty has settings");
            let modes = settings.control_modes & flags;
            assert_eq!(modes, expected, "{parity} after {before:?}");
            assert_eq!(bridge.port("board").await["settings"]["parity"], parity);
        }
    }
}

/// Sends `request`, and gives what comes back with its identifier.
async fn answer(client: &mut Client, mut request: Value) -> Value {
    request["id"] = json!("answer");
    client.send_json(request).await;
    let mut answers = client.json_until("answer").await;
    answers.pop().expect("the answer is the last")
}

/// Sends `request`, which must be refused, and gives the reason.
async fn refusal(client: &mut Client, request: Value) -> String {
    let error = answer(client, request.clone()).await;
    assert_eq!(error["type"], "error", "{request}: {error}");
    error["error"]
        .as_str()
        .expect("a reason is text")
        .to_owned()
}
