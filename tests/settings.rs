//! Line settings that clients change while the port is open, or away.

use std::fs;

use serde_json::{Value, json};

use crate::support::network::home;
#[cfg(unix)]
use crate::support::skip;
use crate::support::{Bridge, Client, Pair, Program, Reply, http, until};

#[tokio::test]
async fn a_change_reaches_the_driver_and_everybody_is_told() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (mut client, mut other) = (bridge.json_client().await, bridge.json_client().await);
    let request = json!({"type": "settings", "baud": 57600, "stopBits": 2, "id": 7});
    client.send_json(request).await;
    assert_eq!(
        client.json().await,
        json!({"type": "ack", "id": 7, "bytes": 0})
    );
    for watcher in [&mut client, &mut other] {
        let status = watcher.json().await;
        assert_eq!(status["type"], "status", "{status}");
        assert_eq!(status["settings"], settings(57600, 2), "{status}");
        let detail = status["detail"].as_str().unwrap_or_default();
        assert!(detail.ends_with("is open (57600 baud)"), "{status}");
    }
    driver_has(&pair, 57600);
    let hello = bridge.client("/?view=json").await.json_of("hello").await;
    let shown = &hello["port"]["settings"];
    assert_eq!(
        (&shown["baud"], &shown["stopBits"]),
        (&json!(57600), &json!(2))
    );
    // The device stayed open.
    pair.device.write("\nstill here\n").await;
    while other.json_of("line").await["text"] != "still here" {}
    assert_eq!(bridge.port("board").await["counters"]["opened"], 1);
}

#[tokio::test]
async fn a_client_that_comes_alone_changes_the_settings_by_its_query_and_others_do_not() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--parity", "none"]).await;
    let address = "/ports/board?view=json&stopBits=2";
    let (mut first, settings) = bridge.settings_of(&format!("{address}&baud=57600")).await;
    assert_eq!(
        (&settings["baud"], &settings["stopBits"]),
        (&json!(57600), &json!(2))
    );
    driver_has(&pair, 57600);
    let (code, reason) = bridge.refused(&format!("{address}&baud=9600")).await;
    let expected = "board is in use with 57600 baud, 8N2, DTR on, RTS on";
    assert_eq!((code, &*reason), (4409, expected));
    // The same settings are no change, and the port keeps them when its clients have left.
    let (second, _) = bridge.settings_of(&format!("{address}&baud=57600")).await;
    second.leave().await;
    first.acked(json!({"type": "write", "text": "x"})).await;
    first.leave().await;
    driver_has(&pair, 57600);
    // What is wrong or fixed changes nothing.
    for (query, expected) in [
        ("baud=fast", "baud must be a whole number such as 115200"),
        (
            "baud=9600&view=rows",
            "unknown view `rows` (known: lines, raw, text, json, values, frames)",
        ),
        (
            "baud=9600&parity=even",
            "parity is fixed to none by --parity; take the write lock to change it for a while",
        ),
    ] {
        let refused = bridge.refused(&format!("/ports/board?{query}")).await;
        assert_eq!(refused, (4400, expected.to_owned()));
    }
    driver_has(&pair, 57600);
}

#[tokio::test]
async fn a_change_by_http_answers_with_the_settings_in_force() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let reply = post(&bridge, "baud=115200&parity=none&flowControl=software").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let shown = &reply.json()["settings"];
    assert_eq!(shown["baud"], 115_200, "{shown}");
    assert_eq!(shown["flowControl"], "software", "{shown}");
    driver_has(&pair, 115_200);
    for (query, reason) in [
        ("baud=0", "\"baud\" must be a whole number"),
        (
            "baud=fast",
            "\"baud\" must be a whole number such as 115200, or \"auto\"",
        ),
        ("speed=1", "unknown setting `speed`"),
        ("dtr=2", "\"dtr\" must be true or false"),
        ("", "settings takes one or more of"),
    ] {
        let reply = post(&bridge, query).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.body.contains(reason), "{reply:?}");
    }
    let reply = bridge.get("/api/ports/board/settings?baud=9600").await;
    assert_eq!(reply.status, 405, "a GET changes nothing: {reply:?}");
    driver_has(&pair, 115_200);
}

#[tokio::test]
async fn what_cannot_be_a_setting_is_refused_with_what_can() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    for (member, value) in [
        ("baud", json!(0)),
        ("baud", json!(9600.5)),
        ("baud", json!("9600")),
        ("baud", json!(1_u64 << 40)),
        ("dataBits", json!(9)),
        ("parity", json!("EVEN")),
        ("stopBits", json!(1.5)),
        ("flowControl", json!(true)),
        ("rts", json!("on")),
        ("baudRate", json!(9600)),
        ("frame", json!("cr")),
    ] {
        let error = client
            .refused(json!({"type": "settings", member: value}))
            .await;
        let is_named = error.contains(&format!("\"{member}\" must be"))
            || error.contains(&format!("unknown setting `{member}`"));
        assert!(is_named, "{error}");
    }
    // One that is wrong spoils the others.
    client
        .refused(json!({"type": "settings", "baud": 300, "dataBits": 3}))
        .await;
    assert_eq!(bridge.port("board").await["settings"]["baud"], 9600);
}

#[tokio::test]
async fn what_was_given_explicitly_is_fixed_by_its_place_and_the_same_value_is_no_error() {
    let folder = home("settings-fixed");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let file = folder.join("lab.toml");
    let text = "stop-bits = 2\n[profile.bus]\nparity = 'even'\n";
    fs::write(&file, text).expect("the file can be written");
    let file = file.to_str().expect("the folder is text");
    let arguments = [
        "--config",
        file,
        "--profile",
        "bus",
        "--flow-control",
        "none",
        "--listen",
        "127.0.0.1:0",
    ];
    let variables = [("SERIAL_WS_PORT", "board=loop,baud=9600")];
    let bridge = Bridge::of(Program::start_with(&arguments, &variables), 1).await;
    bridge.open("board").await;
    let mut client = bridge.json_client().await;
    for (member, other, same, reason) in [
        (
            "baud",
            json!(300),
            json!(9600),
            "baud is fixed to 9600 by the variable SERIAL_WS_PORT",
        ),
        (
            "stopBits",
            json!(1),
            json!(2),
            "stopBits is fixed to 2 by lab.toml:1",
        ),
        (
            "parity",
            json!("odd"),
            json!("even"),
            "parity is fixed to even by lab.toml:3",
        ),
        (
            "flowControl",
            json!("software"),
            json!("none"),
            "flowControl is fixed to none by --flow-control",
        ),
    ] {
        let request = json!({"type": "settings", "dataBits": 7, member: other});
        let error = client.refused(request).await;
        let advice = "; take the write lock to change it for a while";
        assert_eq!(error, format!("{reason}{advice}"));
        let same = json!({"type": "settings", member: same, "id": 1});
        client.send_json(same).await;
        assert_eq!(
            client.json().await["type"],
            "ack",
            "nothing to tell anybody"
        );
    }
    let auto = client.refused(json!({"type": "settings", "baud": "auto"}));
    assert!(
        auto.await
            .starts_with("baud is fixed to 9600 by the variable")
    );
    let settings = &bridge.port("board").await["settings"];
    assert_eq!(settings["dataBits"], 8);
    let fixed = json!({
        "baud": "the variable SERIAL_WS_PORT",
        "parity": "lab.toml:3",
        "stopBits": "lab.toml:1",
        "flowControl": "--flow-control",
    });
    assert_eq!(settings["fixed"], fixed);
    let hello = bridge.client("/?view=json").await.json_of("hello").await;
    assert_eq!(hello["port"]["settings"]["fixed"], fixed);
    let reply = post(&bridge, "baud=300").await;
    assert_eq!(reply.status, 409, "{reply:?}");
    assert!(
        reply.body.contains("fixed to 9600 by the variable"),
        "{reply:?}"
    );
    client
        .send_json(json!({"type": "settings", "dataBits": 7, "id": 2}))
        .await;
    assert_eq!(client.json_of("ack").await["id"], 2);
    let _ = fs::remove_dir_all(folder);
}

#[tokio::test]
async fn a_client_that_only_reads_changes_no_settings() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--read-only"]).await;
    let mut client = bridge.json_client().await;
    let error = client
        .refused(json!({"type": "settings", "baud": 300}))
        .await;
    assert!(error.contains("read-only"), "{error}");
    assert_eq!(post(&bridge, "baud=300").await.status, 403);
    driver_has(&pair, 9600);
}

#[tokio::test]
async fn a_line_never_joins_across_a_change_of_rate() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut page = bridge.client("/").await;
    let mut client = bridge.json_client().await;
    pair.device.write("one\ntw").await;
    assert_eq!(client.json_of("line").await["text"], "one");
    until("the part of a line to be read", async || {
        let bytes = bridge.port("board").await["bytes"].as_u64();
        (bytes >= Some(7)).then_some(())
    })
    .await;
    client.acked(json!({"type": "settings", "baud": 300})).await;
    pair.device.write("o\nthree\n").await;
    let cut = client.json_of("line").await;
    assert_eq!(
        (&cut["text"], &cut["partial"]),
        (&json!("tw"), &json!(true))
    );
    let rest = client.json_of("line").await;
    assert_eq!(rest["text"], "o", "{rest}");
    assert_eq!(page.text().await, "one");
    let next = page.text().await;
    assert!(["o", "three"].contains(&&*next), "{next}");
}

#[tokio::test]
async fn a_change_without_another_format_cuts_no_line() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    pair.device.write("tw").await;
    changed(
        &mut client,
        json!({"type": "settings", "flowControl": "software"}),
    )
    .await;
    pair.device.write("o\n").await;
    let line = client.json_of("line").await;
    assert_eq!((&line["text"], line.get("partial")), (&json!("two"), None));
}

#[cfg(unix)]
#[tokio::test]
async fn chosen_settings_survive_unplugging_and_may_be_chosen_while_the_board_is_away() {
    if !Pair::are_ours() {
        return skip("a serial pair from outside cannot be unplugged");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    changed(&mut client, json!({"type": "settings", "baud": 19200})).await;
    for rate in [None, Some(38400)] {
        pair.unplug();
        bridge.state("board", "lost").await;
        if let Some(rate) = rate {
            let status = changed(&mut client, json!({"type": "settings", "baud": rate})).await;
            assert_eq!(status["state"], "lost", "{status}");
            assert_eq!(status["settings"]["baud"], rate, "{status}");
        }
        pair.plug_in();
        bridge.open("board").await;
        let rate = rate.unwrap_or(19200);
        driver_has(&pair, rate);
        let status = bridge.port("board").await["status"].clone();
        let detail = status["detail"].as_str().unwrap_or_default();
        assert!(detail.ends_with(&format!("({rate} baud)")), "{status}");
    }
}

#[tokio::test]
async fn settings_chosen_while_the_port_is_released_are_used_when_it_comes_back() {
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.json_client().await;
    client
        .acked(json!({"type": "release", "seconds": 60}))
        .await;
    let status = changed(&mut client, json!({"type": "settings", "baud": 1200})).await;
    assert_eq!(status["state"], "released", "{status}");
    client.acked(json!({"type": "resume"})).await;
    bridge.open("board").await;
    driver_has(&pair, 1200);
}

#[tokio::test]
async fn a_simulated_board_takes_any_rate_and_has_no_modem_lines() {
    let bridge = Bridge::start(&["--port", "board=loop"]).await;
    bridge.open("board").await;
    let mut client = bridge.json_client().await;
    client
        .send_json(json!({"type": "write", "text": "tw"}))
        .await;
    let status = changed(
        &mut client,
        json!({"type": "settings", "baud": 300, "parity": "mark"}),
    )
    .await;
    assert_eq!(status["settings"]["parity"], "mark", "{status}");
    // A rate means nothing to it, so that no line is cut.
    client
        .send_json(json!({"type": "write", "text": "o\n"}))
        .await;
    assert_eq!(client.json_of("line").await["text"], "two");
    let error = client
        .refused(json!({"type": "settings", "baud": 9600, "dtr": false}))
        .await;
    assert!(
        error.contains("modem lines") && error.contains("stay as they were"),
        "{error}"
    );
    assert_eq!(bridge.port("board").await["settings"]["baud"], 300);
}

/// Rates with the stop bits that go with each, to tell half a change from a whole one.
const PAIRS: [(u32, u8); 10] = [
    (1200, 1),
    (2400, 2),
    (4800, 1),
    (14400, 2),
    (19200, 1),
    (28800, 2),
    (38400, 1),
    (57600, 2),
    (76800, 1),
    (115_200, 2),
];

#[tokio::test]
async fn ten_clients_that_change_settings_at_once_are_served_in_order_and_none_by_half() {
    const ROUNDS: usize = 20;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut watcher = bridge.json_client().await;
    let mut clients = Vec::new();
    for _ in PAIRS {
        clients.push(bridge.json_client().await);
    }
    let clients = PAIRS.into_iter().zip(clients);
    let clients = clients.map(|((rate, stop_bits), mut client)| {
        tokio::spawn(async move {
            for id in 0..ROUNDS {
                let rate = rate + id as u32;
                let members = json!({
                    "type": "settings", "baud": rate, "stopBits": stop_bits, "id": id,
                });
                client.send_json(members).await;
            }
            let (mut acks, mut told) = (Vec::new(), Vec::new());
            while acks.len() < ROUNDS || told.len() < PAIRS.len() * ROUNDS {
                let message = client.json().await;
                match message["type"].as_str() {
                    Some("ack") => acks.push(message["id"].as_u64()),
                    _ => told.push(in_force(&message)),
                }
            }
            let in_order: Vec<_> = (0..ROUNDS as u64).map(Some).collect();
            assert_eq!(acks, in_order);
            told
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut told = Vec::new();
    while told.len() < PAIRS.len() * ROUNDS {
        told.push(in_force(&watcher.json().await));
    }
    for (rate, stop_bits) in PAIRS {
        let own = told
            .iter()
            .filter(|it| it.1 == stop_bits && (rate..rate + 20).contains(&it.0));
        let rates: Vec<_> = own.map(|it| it.0).collect();
        let expected: Vec<_> = (0..ROUNDS as u32).map(|round| rate + round).collect();
        assert_eq!(
            rates, expected,
            "each client's changes are made in its order"
        );
    }
    for client in clients {
        let seen = client.await.expect("a client does not panic");
        assert_eq!(seen, told, "everybody is told the same");
    }
    driver_has(&pair, told[told.len() - 1].0);
}

/// The rate and the stop bits of a status.
fn in_force(status: &Value) -> (u32, u8) {
    let member = |name: &str| status["settings"][name].as_u64();
    let (rate, stop_bits) = (member("baud"), member("stopBits"));
    let read = rate
        .zip(stop_bits)
        .map(|(rate, bits)| (rate as u32, bits as u8));
    read.unwrap_or_else(|| panic!("{status} has no settings"))
}

fn settings(baud: u32, stop_bits: u8) -> Value {
    json!({
        "baud": baud, "dataBits": 8, "parity": "none", "stopBits": stop_bits, "flowControl": "none",
    })
}

/// Asserts the rate of the driver, where it can be seen from here.
#[track_caller]
fn driver_has(pair: &Pair, rate: u32) {
    #[cfg(all(unix, not(target_os = "macos")))]
    assert_eq!(pair.rate().unwrap_or(rate), rate);
    let _ = (pair, rate);
}

async fn post(bridge: &Bridge, query: &str) -> Reply {
    let path = format!("/api/ports/board/settings?{query}");
    http(bridge.address(), "POST", &path, &[]).await
}

/// Sends a change of settings, and returns the status that follows its ack.
async fn changed(client: &mut Client, request: Value) -> Value {
    client.acked(request).await;
    let status = client.json().await;
    assert_eq!(status["type"], "status", "{status}");
    status
}
