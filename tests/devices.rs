//! The devices on offer: who sees them, who may open which, and what becomes of one that was opened.

use std::io::Write;

use serde_json::{Value, json};

#[cfg(feature = "mcp")]
use crate::support::Agent;
use crate::support::{Bridge, Client, Machine, Pair, Program, http, until};

const UNO: &str = "2341:0043:A1";
const UNO_ID: &str = "usb:2341:0043:A1";
/// A board that has no serial number.
const NANO: &str = "1a86:7523";
const GPS: &str = "1546:01a7";

/// A page of another web server on this computer.
const PAGE: &str = "http://localhost:5500";

impl Bridge {
    /// Lists the devices.
    async fn devices(&self) -> Vec<Value> {
        let list = self.get("/api/devices").await.json();
        list.as_array().expect("it is a list").clone()
    }

    /// Waits until a device has this ID, and returns it.
    async fn device(&self, id: &str) -> Value {
        until(&format!("{id} to be listed"), async || {
            self.devices()
                .await
                .into_iter()
                .find(|device| device["id"] == id)
        })
        .await
    }

    /// Waits until the device has this state.
    async fn device_state(&self, id: &str, state: &str) -> Value {
        until(&format!("{id} to be {state}"), async || {
            let device = self.device(id).await;
            (device["state"] == state).then_some(device)
        })
        .await
    }
}

/// Returns the IDs of the next list that a client gets.
async fn ids(client: &mut Client) -> Vec<String> {
    let list = client.json_of("devices").await;
    let devices = list["devices"].as_array().expect("it is a list");
    let ids = devices.iter().map(|device| device["id"].as_str());
    ids.map(|id| id.expect("an ID is text").to_owned())
        .collect()
}

/// Waits until a json client is told that the port is open.
async fn opened(client: &mut Client) {
    while client.json_of("status").await["state"] != "open" {}
}

#[tokio::test]
async fn whoever_watches_is_told_at_once_and_after_each_change() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--port", "sim"]).await;
    let mut watcher = bridge.client("/devices").await;
    assert_eq!(ids(&mut watcher).await, [""; 0]);
    let uno = machine.plug("ttyACM0", UNO, "1-1");
    assert_eq!(ids(&mut watcher).await, [UNO_ID]);
    // A second one comes later, and gets the list at once.
    let mut second = bridge.client_as("/devices", "serial-ws.json").await;
    let list = second.json_of("devices").await;
    let expected = json!([{
        "id": UNO_ID,
        "path": "/dev/ttyACM0",
        "usb": {"vid": 0x2341, "pid": 0x43, "serial": "A1", "location": "1-1", "interface": 0},
        "board": "Arduino Uno",
        "state": "free",
        "offered": false,
        "at": null,
        "hint": "usb:2341:0043:A1 is not offered; to offer it: --offer usb:2341:0043:A1",
    }]);
    assert_eq!(list["devices"], expected, "{list}");
    assert_eq!(json!(bridge.devices().await), expected);
    machine.unplug("ttyACM0", uno);
    assert_eq!(ids(&mut watcher).await, [""; 0]);
    assert_eq!(ids(&mut second).await, [""; 0]);
    for path in ["/devices", "/echo"] {
        let (code, reason) = bridge.refused(&format!("{path}?view=json")).await;
        let expected =
            "unknown query parameter `view`: this address takes only `client` and `token`";
        assert_eq!((code, &*reason), (4400, expected), "{path}");
    }
}

#[tokio::test]
async fn a_device_is_opened_once_for_all_who_come_and_closed_when_the_last_has_left() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let arguments = ["--port", "sim", "--offer", "usb", "--idle-close", "500ms"];
    let bridge = machine.start(&arguments).await;
    let mut uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.device(UNO_ID).await;
    let address = format!("/devices/{UNO_ID}");
    let mut first = bridge
        .client(&format!("{address}?baud=115200&view=json"))
        .await;
    let hello = first.json_of("hello").await;
    assert_eq!(hello["port"]["settings"]["baud"], 115_200, "{hello}");
    opened(&mut first).await;
    let device = bridge.device(UNO_ID).await;
    assert_eq!(device["state"], "open");
    assert_eq!(device["at"], address);
    let name = device["port"].as_str().expect("it has a port").to_owned();
    let mut second = bridge
        .client(&format!("{address}?view=raw&baud=115200"))
        .await;
    let mut by_name = bridge.client(&format!("/ports/{name}?view=raw")).await;
    uno.write("to all\n").await;
    assert_eq!(second.bytes_of(7).await, b"to all\n");
    assert_eq!(by_name.bytes_of(7).await, b"to all\n");
    second.send("from one").await;
    uno.expect("from one").await;
    by_name.leave().await;
    second.leave().await;
    first.leave().await;
    // A page that is loaded again.
    let mut again = bridge.client(&address).await;
    uno.write("still here\n").await;
    while again.text().await != "still here" {}
    assert_eq!(bridge.port(&name).await["counters"]["opened"], 1);
    again.leave().await;
    let device = bridge.device_state(UNO_ID, "free").await;
    assert_eq!(device["at"], Value::Null, "{device}");
    assert_eq!(bridge.refused(&format!("/ports/{name}")).await.0, 4404);
    // It counts anew then, which its clients notice by its run.
    let mut later = bridge.client(&format!("{address}?view=json")).await;
    assert_ne!(later.json_of("hello").await["run"], hello["run"]);
}

#[cfg(feature = "mcp")]
#[tokio::test]
async fn an_agent_opens_a_device_by_its_id_which_stays_open_until_the_agent_leaves() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let arguments = [
        "--port",
        "sim",
        "--offer",
        "usb:2341:*",
        "--idle-close",
        "100ms",
    ];
    let bridge = machine.start(&arguments).await;
    let mut uno = machine.plug("ttyACM0", UNO, "1-1");
    let _gps = machine.plug("ttyACM1", GPS, "1-2");
    bridge.device("usb:1546:01a7").await;
    let mut agent = Agent::at(&bridge, &["--write"]).await;
    let by_id = json!({"port": bridge.device(UNO_ID).await["id"]});
    let (_, text) = agent.refused("read", by_id.clone()).await;
    assert!(text.starts_with("the device is not open"), "{text}");
    assert_eq!(bridge.device(UNO_ID).await["state"], "free");
    let (_, text) = agent
        .refused("lock", json!({"port": "usb:1546:01a7", "on": true}))
        .await;
    assert!(text.contains("is not offered"), "{text}");
    let (_, text) = agent
        .refused("status", json!({"port": "usb:0000:0000"}))
        .await;
    assert_eq!(
        text,
        "no device has the ID usb:0000:0000: `devices` lists them"
    );

    agent
        .call("settings", json!({"port": UNO_ID, "baud": 115_200}))
        .await;
    for text in ["first", "second"] {
        agent
            .call("write", json!({"port": UNO_ID, "text": text}))
            .await;
        uno.expect(format!("{text}\n")).await;
        uno.write(format!("{text}\n")).await;
        let read = json!({"port": UNO_ID, "until": text, "history": 10});
        assert_eq!(agent.call("read", read).await["ended"], "until");
    }
    let status = agent.call("status", by_id).await;
    assert_eq!(status["settings"]["baud"], 115_200);
    let name = status["port"].as_str().expect("it has a port");
    assert_eq!(bridge.port(name).await["counters"]["opened"], 1);
    agent.leave().await.with(0, "");
    bridge.device_state(UNO_ID, "free").await;
}

#[tokio::test]
async fn both_pages_go_on_when_their_board_comes_back_under_another_name() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--port", "sim", "--offer", "usb"]).await;
    let uno = machine.plug("ttyACM0", UNO, "1-1");
    let nano = machine.plug("ttyUSB0", NANO, "1-2");
    for (id, board, name, new_name, socket, device) in [
        (UNO_ID, UNO, "ttyACM0", "ttyACM1", "1-3", uno),
        ("usb:1a86:7523", NANO, "ttyUSB0", "ttyUSB1", "1-2", nano),
    ] {
        bridge.device(id).await;
        let target = format!("/devices/{id}?view=json");
        let mut pages = [bridge.client(&target).await, bridge.client(&target).await];
        for page in &mut pages {
            page.json_of("hello").await;
        }
        bridge.device_state(id, "open").await;
        machine.unplug(name, device);
        for page in &mut pages {
            while page.json_of("status").await["state"] != "lost" {}
        }
        // Whoever comes meanwhile waits with them.
        let mut late = bridge.client(&target).await;
        assert_eq!(late.json_of("hello").await["status"]["state"], "lost");
        let mut device = machine.plug(new_name, board, socket);
        bridge.device_state(id, "open").await;
        device.write("back\n").await;
        for page in pages.iter_mut().chain([&mut late]) {
            assert_eq!(page.json_of("line").await["text"], "back");
        }
    }
}

#[tokio::test]
async fn equal_boards_are_told_apart() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine
        .start(&["--port", "sim", "--offer", NANO_PATTERN])
        .await;
    let mut left = machine.plug("ttyUSB0", NANO, "1-1");
    bridge.device("usb:1a86:7523").await;
    let mut first = bridge.client("/devices/usb:1a86:7523").await;
    bridge.device_state("usb:1a86:7523", "open").await;
    let mut right = machine.plug("ttyUSB1", NANO, "1-2");
    let device = bridge.device("usb:1a86:7523@1-1").await;
    assert_eq!(device["state"], "open", "{device}");
    let (code, reason) = bridge.refused("/devices/usb:1a86:7523").await;
    let expected = "2 devices are usb:1a86:7523: usb:1a86:7523@1-1, usb:1a86:7523@1-2";
    assert_eq!((code, &*reason), (4404, expected));
    let mut second = bridge.client("/devices/usb:1a86:7523@1-2").await;
    bridge.device_state("usb:1a86:7523@1-2", "open").await;
    let mut third = bridge.client("/devices/usb:1A86:7523@1-1").await;
    left.write("left\n").await;
    right.write("right\n").await;
    assert_eq!(first.text().await, "left");
    assert_eq!(third.text().await, "left");
    assert_eq!(second.text().await, "right");
}

const NANO_PATTERN: &str = "usb:1a86:*";

#[tokio::test]
async fn a_board_that_a_port_has_is_listed_with_the_address_of_the_port() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine
        .start(&["--port", "uno=usb:2341:0043:A1,baud=57600"])
        .await;
    let mut uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.open("uno").await;
    let device = bridge.device_state(UNO_ID, "open").await;
    assert_eq!(device["at"], "/ports/uno", "{device}");
    assert_eq!(device["offered"], false, "{device}");
    let (code, _) = bridge.refused(&format!("/devices/{UNO_ID}")).await;
    assert_eq!(code, 4403);
    machine.unplug("ttyACM0", uno);
    drop(bridge);

    // Where it is offered as well, its ID leads to the port.
    let arguments = [
        "--port",
        "uno=usb:2341:0043:A1,baud=57600",
        "--offer",
        "usb",
    ];
    let bridge = machine.start(&arguments).await;
    uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.open("uno").await;
    let mut client = bridge.client(&format!("/devices/{UNO_ID}?view=json")).await;
    assert_eq!(client.json_of("hello").await["port"]["name"], "uno");
    uno.write("here\n").await;
    assert_eq!(client.json_of("line").await["text"], "here");
    let (code, reason) = bridge
        .refused(&format!("/devices/{UNO_ID}?baud=9600"))
        .await;
    let expected = "usb:2341:0043:A1 is in use with 57600 baud, 8N1, DTR on, RTS on";
    assert_eq!((code, &*reason), (4409, expected));
}

#[tokio::test]
async fn only_known_boards_are_offered_unless_the_operator_offers_others() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&[]).await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    let _gps = machine.plug("ttyACM1", GPS, "1-2");
    let gps = bridge.device("usb:1546:01a7").await;
    assert_eq!(gps["offered"], false, "{gps}");
    let hint = "usb:1546:01a7 is not offered; to offer it: --offer usb:1546:01a7";
    assert_eq!(gps["hint"], hint);
    let (code, reason) = bridge.refused("/devices/usb:1546:01a7").await;
    assert_eq!((code, &*reason), (4403, hint));
    bridge.program.said("is not offered").await;
    bridge
        .client(&format!("/devices/{UNO_ID}"))
        .await
        .leave()
        .await;
}

#[tokio::test]
async fn other_computers_and_pages_of_other_sites_see_only_what_they_may_use() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let site = "https://sketch.example";
    let arguments = ["--allow-origin", site, "--allow-host", "bench.example"];
    let bridge = machine.start(&arguments).await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    let _nano = machine.plug("ttyUSB0", NANO, "1-3");
    let _gps = machine.plug("ttyACM1", GPS, "1-2");
    until("three devices", async || {
        (bridge.devices().await.len() == 3).then_some(())
    })
    .await;
    let seen = async |headers: &[(&str, &str)]| {
        let list = http(bridge.address(), "GET", "/api/devices", headers)
            .await
            .json();
        let list = list.as_array().expect("it is a list").clone();
        list.iter()
            .map(|device| device["path"].to_string())
            .collect::<Vec<_>>()
    };
    let boards = ["\"/dev/ttyACM0\"", "\"/dev/ttyUSB0\""];
    assert_eq!(seen(&[("Origin", site)]).await, boards);
    assert_eq!(seen(&[("Origin", PAGE)]).await.len(), 3);
    // Nobody can be asked where there is no terminal.
    let target = format!("/devices/{UNO_ID}");
    for origin in [site, PAGE] {
        let mut page = Client::open(bridge.address(), &target, &[("Origin", origin)]).await;
        let (code, reason) = page.closed().await;
        assert_eq!(code, 4403, "{origin}: {reason}");
    }
    let own = format!("http://localhost:{}", bridge.address().port());
    for origin in [own.as_str(), ""] {
        let headers = [("Origin", origin)];
        let headers = if origin.is_empty() {
            &[][..]
        } else {
            &headers[..]
        };
        Client::open(bridge.address(), &target, headers)
            .await
            .leave()
            .await;
    }
}

#[tokio::test]
async fn the_operator_is_asked_once_about_a_page_and_a_board() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let (bridge, mut keys) = machine.start_at_a_terminal(&[]).await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    let _nano = machine.plug("ttyUSB0", NANO, "1-2");
    bridge.device("usb:1a86:7523").await;
    bridge.device(UNO_ID).await;
    let headers = &[("Origin", PAGE)][..];
    let mut list = Client::open(bridge.address(), "/devices", headers).await;
    let first = list.json_of("devices").await;
    assert_eq!(first["devices"][0]["asks"], true, "{first}");
    let open = async |id: &str| {
        Client::open(
            bridge.address(),
            &format!("/devices/{id}?view=json"),
            headers,
        )
        .await
    };
    let (code, reason) = open(UNO_ID).await.closed().await;
    assert_eq!(code, 4403);
    assert!(reason.contains("answer the question"), "{reason}");
    let question = "A page from http://localhost:5500 wants to open Arduino Uno (usb:2341:0043:A1)";
    bridge.program.said(question).await;
    // While the question is open, it is not asked again.
    open(UNO_ID).await.closed().await;
    write!(keys, "r\ry\r").expect("one can type at the terminal");
    // Whoever watches sees the answer.
    while list.json_of("devices").await["devices"][0]["asks"] == true {}
    open(UNO_ID).await.json_of("hello").await;
    let (code, _) = open("usb:1a86:7523").await.closed().await;
    assert_eq!(code, 4403);
    bridge
        .program
        .said("wants to open CH340 USB serial (usb:1a86:7523)")
        .await;
    write!(keys, "n\r").expect("one can type at the terminal");
    let refused = async || {
        let (_, reason) = open("usb:1a86:7523").await.closed().await;
        reason.contains("not offered").then_some(())
    };
    until("the answer to count", refused).await;
    let log = bridge.program.log();
    let asked = log
        .iter()
        .filter(|line| line.contains("wants to open Arduino"));
    // Once more after an answer that is none.
    assert_eq!(asked.count(), 2, "{log:#?}");
}

#[tokio::test]
async fn of_several_boards_the_root_has_the_one_that_a_client_chooses() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--idle-close", "500ms"]).await;
    // Both come before the program looks again for the only one.
    let left = machine.plug("ttyACM0", UNO, "1-1");
    let _ = left;
    bridge.open("auto").await;
    let mut right = machine.plug("ttyUSB0", NANO, "1-2");
    // The board at the root stays, and the other one has an address of its own.
    let mut other = bridge.client("/devices/usb:1a86:7523").await;
    bridge.device_state("usb:1a86:7523", "open").await;
    right.write("other\n").await;
    assert_eq!(other.text().await, "other");
    assert_eq!(bridge.device(UNO_ID).await["at"], "/ports/auto");
    other.leave().await;
    bridge.device_state("usb:1a86:7523", "free").await;
    drop(bridge);

    let bridge = machine.restart(&["--idle-close", "500ms"]).await;
    let mut root = bridge.client("/?view=json").await;
    while root.json().await["status"]["detail"] != "choose a board" {
        root = bridge.client("/?view=json").await;
    }
    let mut chooser = bridge
        .client("/devices/usb:1a86:7523?view=json&baud=57600")
        .await;
    let hello = chooser.json_of("hello").await;
    assert_eq!(hello["port"]["name"], "auto", "{hello}");
    opened(&mut root).await;
    right.write("chosen\n").await;
    assert_eq!(root.json_of("line").await["text"], "chosen");
    let device = bridge.device("usb:1a86:7523").await;
    assert_eq!(device["at"], "/devices/usb:1a86:7523");
    // A second choice has a port of its own.
    let mut second = bridge.client(&format!("/devices/{UNO_ID}?view=json")).await;
    let hello = second.json_of("hello").await;
    assert_eq!(hello["port"]["name"], "usb-2341-0043-A1", "{hello}");
    second.leave().await;
    chooser.leave().await;
    assert_eq!(bridge.device("usb:1a86:7523").await["state"], "open");
    root.leave().await;
    bridge.device_state("usb:1a86:7523", "free").await;
    bridge.device_state(UNO_ID, "free").await;
    let status = bridge.port("auto").await["status"].clone();
    assert_eq!(status["state"], "waiting", "{status}");
}

#[tokio::test]
async fn no_more_devices_are_open_than_the_operator_permits() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let arguments = [
        "--port",
        "sim",
        "--offer",
        "usb",
        "--max-open",
        "1",
        "--idle-close",
        "300ms",
    ];
    let bridge = machine.start(&arguments).await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    let _nano = machine.plug("ttyUSB0", NANO, "1-2");
    bridge.device("usb:1a86:7523").await;
    bridge.device(UNO_ID).await;
    let first = bridge.client(&format!("/devices/{UNO_ID}")).await;
    bridge.device_state(UNO_ID, "open").await;
    let (code, reason) = bridge.refused("/devices/usb:1a86:7523").await;
    assert_eq!(
        (code, &*reason),
        (1013, "as many devices are open as may be (--max-open 1)")
    );
    first.leave().await;
    bridge.device_state(UNO_ID, "free").await;
    let mut client = bridge.client("/devices/usb:1a86:7523?view=json").await;
    client.json_of("hello").await;
}

#[tokio::test]
async fn an_id_of_any_bytes_gets_a_clear_answer() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--port", "sim", "--offer", "*"]).await;
    let _odd = machine.plug("ttyACM0", "2341:0043:ü/?#%2e @:x", "1-1");
    bridge.device("usb:2341:0043:ü/?#%2e @:x").await;
    let long = "x".repeat(5000);
    for id in [
        "",
        "%",
        "%0",
        "%00",
        "%ff",
        "..",
        "../../etc/passwd",
        "%2e%2e%2fttyS0",
        "@",
        "@1-1",
        "usb:",
        "usb:2341:0043:@",
        "%20",
        "%1b%5b2J",
        "usb:2341:0043%00",
        "%c3%bc",
        "a+b",
        &long,
        "usb:2341:0043:%C3%BC/?",
        "/dev/ttyACM1",
        "%2fdev%2fnull",
        "port:null",
    ] {
        let (code, reason) = bridge.refused(&format!("/devices/{id}")).await;
        assert_eq!(code, 4404, "{id}: {reason}");
        assert!(!reason.contains(char::is_control), "{reason:?}");
    }
    let address = "/devices/usb:2341:0043:%C3%BC%2F%3F%23%252e%20@:x";
    let mut client = bridge.client(&format!("{address}?view=json")).await;
    client.json_of("hello").await;
    let device = bridge
        .device_state("usb:2341:0043:ü/?#%2e @:x", "open")
        .await;
    assert_eq!(device["at"], address, "{device}");
    bridge.client("/ports/sim").await.text().await;
}

#[tokio::test]
async fn a_client_that_comes_and_goes_a_thousand_times_opens_its_device_once() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--port", "sim", "--offer", "usb"]).await;
    let mut uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.device(UNO_ID).await;
    let target = format!("/devices/{UNO_ID}");
    let mut stays = bridge.client(&target).await;
    let name = bridge.device_state(UNO_ID, "open").await["port"].clone();
    for _ in 0..100 {
        let mut visits = Vec::new();
        for _ in 0..10 {
            visits.push(bridge.client(&target).await);
        }
        for visit in visits {
            drop(visit);
        }
    }
    uno.write("still here\n").await;
    assert_eq!(stays.text().await, "still here");
    let port = bridge.port(name.as_str().expect("it has a port")).await;
    assert_eq!(port["counters"]["opened"], 1, "{port}");
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_with_what_is_right() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--port", "sim", "--offer", "usb"]).await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.device(UNO_ID).await;
    for (query, expected) in [
        ("baud=0", "baud must be a whole number such as 115200"),
        ("baud=9600.5", "baud must be a whole number such as 115200"),
        (
            "parity=maybe",
            "parity must be none, odd, even, mark or space",
        ),
        (
            "view=rows",
            "unknown view `rows` (known: lines, raw, text, json, values, frames)",
        ),
    ] {
        let refused = bridge.refused(&format!("/devices/{UNO_ID}?{query}")).await;
        assert_eq!(refused, (4400, expected.to_owned()));
    }
    // Nothing was opened for them.
    assert_eq!(bridge.device(UNO_ID).await["state"], "free");
}

#[tokio::test]
async fn a_path_that_the_system_does_not_list_can_be_offered() {
    if !Pair::are_ours() {
        return crate::support::skip("a serial pair from outside is listed");
    }
    let mut pair = Pair::open().await;
    pair.let_go();
    let arguments = ["--port", "sim", "--offer", &pair.path];
    let bridge = Bridge::start(&arguments).await;
    let name = pair.path.rsplit('/').next().expect("a path has an end");
    let id = format!("port:{name}");
    let device = bridge.device_state(&id, "free").await;
    assert_eq!(device["offered"], true, "{device}");
    assert_eq!(device["usb"], Value::Null, "{device}");
    let mut client = bridge.client(&format!("/devices/{id}?view=json")).await;
    client.json_of("hello").await;
    bridge.device_state(&id, "open").await;
    pair.device.write("hello\n").await;
    assert_eq!(client.json_of("line").await["text"], "hello");
}

#[tokio::test]
async fn a_wrong_offer_says_what_is_right() {
    let ended = Program::run(&["--offer", "arduino"]).await;
    ended.with(2, "expected usb, none, or a pattern such as usb:2341:*");
    let ended = Program::run(&["--offer", "none", "--offer", "usb"]).await;
    ended.with(2, "none cannot be combined with other devices");
}

impl Bridge {
    /// Waits until no client is connected.
    async fn nobody(&self) {
        until("all clients to be gone", async || {
            let clients = self.get("/api/clients").await.json();
            clients.as_array().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
    }

    /// Opens a device with these settings, and leaves it open without a client.
    async fn leave_open(&self, target: &str) {
        let (mut first, _) = self.settings_of(target).await;
        opened(&mut first).await;
        first.leave().await;
        self.nobody().await;
    }
}

#[tokio::test]
async fn whoever_comes_alone_changes_the_settings_of_the_open_device() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--port", "sim", "--offer", "usb"]).await;
    let mut uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.device(UNO_ID).await;
    let address = format!("/devices/{UNO_ID}?view=json");
    bridge.leave_open(&format!("{address}&baud=57600")).await;
    let others = format!("{address}&baud=115200&parity=even");
    let (mut alone, settings) = bridge.settings_of(&others).await;
    assert_eq!(settings["baud"], 115_200, "{settings}");
    assert_eq!(settings["parity"], "even", "{settings}");
    uno.write("\nhere\n").await;
    while alone.json_of("line").await["text"] != "here" {}
    // It is in use now.
    let (code, reason) = bridge.refused(&format!("{address}&baud=9600")).await;
    let expected = "usb:2341:0043:A1 is in use with 115200 baud, 8E1, DTR on, RTS on";
    assert_eq!((code, &*reason), (4409, expected));
    let (same, settings) = bridge.settings_of(&others).await;
    assert_eq!(settings["baud"], 115_200, "{settings}");
    same.leave().await;
    alone.leave().await;
    bridge.nobody().await;
    // Without settings in the address, they stay as they are.
    let (last, settings) = bridge.settings_of(&address).await;
    assert_eq!(settings["baud"], 115_200, "{settings}");
    let name = bridge.device(UNO_ID).await["port"].clone();
    let port = bridge.port(name.as_str().expect("it has a port")).await;
    assert_eq!(port["counters"]["opened"], 1, "{port}");
    last.leave().await;
}

#[tokio::test]
async fn of_those_who_come_at_once_all_have_the_same_settings() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--port", "sim", "--offer", "usb"]).await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.device(UNO_ID).await;
    let address = format!("/devices/{UNO_ID}?view=json");
    bridge.leave_open(&address).await;
    let target = format!("{address}&baud=57600");
    let same = futures::future::join_all((0..8).map(|_| bridge.settings_of(&target))).await;
    for (client, settings) in same {
        assert_eq!(settings["baud"], 57600, "{settings}");
        client.leave().await;
    }
    bridge.nobody().await;
    let targets = [300, 600, 1200, 2400].map(|baud| format!("{address}&baud={baud}"));
    let come = targets.iter().map(|target| bridge.client(target));
    let clients = futures::future::join_all(come).await;
    let known = bridge.get("/api/clients").await.json();
    assert_eq!(known.as_array().map(Vec::len), Some(1), "{known}");
    drop(clients);
}

#[tokio::test]
async fn settings_that_the_driver_refuses_leave_the_old_ones_in_force() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--port", "sim", "--offer", "usb"]).await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.device(UNO_ID).await;
    let address = format!("/devices/{UNO_ID}?view=json");
    bridge.leave_open(&address).await;
    // A pseudo-terminal has no modem lines.
    let (code, reason) = bridge.refused(&format!("{address}&baud=300&dtr=off")).await;
    assert_eq!(code, 4400, "{reason}");
    assert!(reason.contains("cannot set the modem lines"), "{reason}");
    let (_client, settings) = bridge.settings_of(&address).await;
    assert_eq!(settings["baud"], 9600, "{settings}");
    assert_eq!(bridge.device(UNO_ID).await["state"], "open");
}

#[tokio::test]
async fn a_client_that_opens_a_device_does_not_change_what_the_operator_fixed() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let arguments = ["--port", "sim", "--offer", "usb", "--baud", "9600"];
    let bridge = machine.start(&arguments).await;
    let uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.device(UNO_ID).await;
    let address = format!("/devices/{UNO_ID}?view=json");
    let reason = "baud is fixed to 9600 by --baud; take the write lock to change it for a while";
    let refused = (4400, reason.to_owned());
    assert_eq!(
        bridge.refused(&format!("{address}&baud=300")).await,
        refused
    );
    assert_eq!(bridge.device(UNO_ID).await["state"], "free");
    bridge
        .leave_open(&format!("{address}&baud=9600&stopBits=2"))
        .await;
    assert_eq!(
        bridge.refused(&format!("{address}&baud=300")).await,
        refused
    );
    let (client, settings) = bridge.settings_of(&address).await;
    assert_eq!(settings["baud"], 9600, "{settings}");
    assert_eq!(settings["stopBits"], 2, "{settings}");
    client.leave().await;
    machine.unplug("ttyACM0", uno);
    drop(bridge);

    // A port of the command line that has the device is no exception.
    let port = "uno=usb:2341:0043:A1,baud=57600";
    let bridge = machine.start(&["--port", port, "--offer", "usb"]).await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.open("uno").await;
    let (code, reason) = bridge.refused(&format!("{address}&baud=300")).await;
    assert_eq!(code, 4400, "{reason}");
    assert!(
        reason.starts_with("baud is fixed to 57600 by --port"),
        "{reason}"
    );
    let (_client, settings) = bridge.settings_of(&format!("{address}&parity=odd")).await;
    assert_eq!(settings["parity"], "odd", "{settings}");
}

#[tokio::test]
async fn a_client_that_may_only_read_changes_no_settings_of_an_open_device() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine
        .start(&["--port", "sim", "--offer", "usb", "--read-only"])
        .await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    bridge.device(UNO_ID).await;
    let address = format!("/devices/{UNO_ID}?view=json");
    bridge.leave_open(&address).await;
    let (code, reason) = bridge.refused(&format!("{address}&baud=300")).await;
    assert_eq!(code, 4409, "{reason}");
    assert!(reason.contains("9600 baud"), "{reason}");
    bridge.settings_of(&format!("{address}&baud=9600")).await;
}

#[tokio::test]
async fn doctor_says_which_devices_are_on_offer_to_whom() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let bridge = machine.start(&["--port", "sim"]).await;
    let _uno = machine.plug("ttyACM0", UNO, "1-1");
    let _gps = machine.plug("ttyACM1", GPS, "1-2");
    bridge.device(UNO_ID).await;
    bridge.device("usb:1546:01a7").await;
    let doctor = async |flags: &[&str]| {
        let own = ["doctor", "--listen", "127.0.0.1:0"];
        machine.run(&[&own, flags].concat()).await.stdout
    };
    let has = |text: &str, mark: &str, part: &str| {
        let mut lines = text.lines();
        let is_there = lines.any(|line| line.starts_with(mark) && line.contains(part));
        assert!(is_there, "{mark} … {part} is not in {text}");
    };
    let gps = "usb:1546:01a7 (/dev/ttyACM1)";
    let uno = "usb:2341:0043:A1 (Arduino Uno, /dev/ttyACM0)";
    let said = doctor(&[]).await;
    let own = "is on offer to programs of this computer and pages of serial-ws; serial-ws asks";
    has(&said, "ok", &format!("{uno} {own}"));
    let offer =
        |name: &str, spec: &str| format!("{name} is not on offer. To offer it: --offer {spec}");
    has(&said, "note", &offer(gps, "usb:1546:01a7"));
    let said = doctor(&["--port", "sim"]).await;
    has(&said, "note", &offer(uno, "usb:2341:0043:A1"));
    let said = doctor(&[
        "--port",
        "sim",
        "--offer",
        "usb:2341:*",
        "--offer",
        "usb:dead:*",
    ])
    .await;
    has(
        &said,
        "ok",
        &format!("{uno} is on offer to everyone who may connect"),
    );
    has(&said, "ok", "you may open it");
    has(&said, "note", &offer(gps, "usb:1546:01a7"));
    has(
        &said,
        "note",
        "--offer usb:dead:* fits no device that is here now",
    );
    let said = doctor(&["--port", "/dev/ttyACM0"]).await;
    assert!(!said.contains(uno), "clients reach it by its port: {said}");
}
