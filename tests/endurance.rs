//! What happens hundreds or thousands of times, each test ignored unless `tests/run --long` asks
//! for it.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

#[cfg(target_os = "linux")]
use crate::support::raise_descriptor_limit;
use crate::support::{Bridge, Client, Pair, skip, until};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: tests/run --long"]
async fn five_hundred_reconnections_with_since_lose_and_repeat_nothing() {
    const RECONNECTIONS: u64 = 500;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut lines = Resumed::new(&bridge, "", "line", "seq").await;
    let mut chunks = Resumed::new(&bridge, "&data=chunks", "data", "offset").await;
    for round in 0..RECONNECTIONS {
        // Some are read before the connection ends, some wait in it, some come in between.
        for n in 0..9 {
            pair.device.write(format!("{}\n", round * 9 + n)).await;
            if n < round % 5 {
                lines.take().await;
                chunks.take().await;
            }
            if n == 4 {
                lines.reconnect(&bridge, round % 2 == 0).await;
                chunks.reconnect(&bridge, round % 3 == 0).await;
            }
        }
    }
    let all: String = (0..RECONNECTIONS * 9).map(|n| format!("{n}\n")).collect();
    for resumed in [&mut lines, &mut chunks] {
        while resumed.text.len() < all.len() {
            resumed.take().await;
        }
        assert!(resumed.text == all, "{}", resumed.text);
    }
}

/// A client that comes back to where it was.
struct Resumed {
    client: Client,
    run: Value,
    query: &'static str,
    /// The objects that it counts, and the member that says where they are.
    kind: &'static str,
    place: &'static str,
    /// The place up to which it has everything.
    at: Option<u64>,
    /// All that it was ever sent, lines with their ends.
    text: String,
}

impl Resumed {
    async fn new(
        bridge: &Bridge,
        query: &'static str,
        kind: &'static str,
        place: &'static str,
    ) -> Self {
        let mut client = bridge.client(&format!("/?view=json{query}")).await;
        let run = client.json_of("hello").await["run"].clone();
        let (at, text) = (None, String::new());
        Self {
            client,
            run,
            query,
            kind,
            place,
            at,
            text,
        }
    }

    async fn take(&mut self) {
        let object = self.client.json_of(self.kind).await;
        let text = match object["bytes"].as_str() {
            Some(bytes) => BASE64_STANDARD.decode(bytes).expect("it is base64"),
            None => object["text"].as_str().expect("it is text").into(),
        };
        let text = String::from_utf8(text).expect("the device sends text");
        let here = object[self.place].as_u64().expect("it has a place");
        let (begins, ends) = match self.kind {
            "line" => (here - 1, here),
            _ => (here, here + text.len() as u64),
        };
        assert_eq!(begins, *self.at.get_or_insert(begins), "{object}");
        self.at = Some(ends);
        self.text += &text;
        if self.kind == "line" {
            self.text.push('\n');
        }
    }

    /// Ends the connection, with a goodbye or without, and begins another one at the same place.
    async fn reconnect(&mut self, bridge: &Bridge, says_goodbye: bool) {
        let Some(at) = self.at else {
            return;
        };
        let run = self.run.as_str().expect("a run is text");
        let target = format!("/?view=json{}&since={run}:{at}", self.query);
        let before = std::mem::replace(&mut self.client, bridge.client(&target).await);
        if says_goodbye {
            before.leave().await;
        } else {
            drop(before);
        }
        let hello = self.client.json_of("hello").await;
        assert_eq!(hello["run"], self.run);
    }
}

#[tokio::test]
#[ignore = "takes minutes: tests/run --long"]
async fn a_hundred_and_fifty_new_ptys_are_each_used_whole_and_leave_nothing_behind() {
    const PTYS: u32 = 150;
    if !Pair::are_ours() {
        return skip("this pair cannot be unplugged");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut client = bridge.client("/?view=json").await;
    client.json_of("hello").await;
    let mut open = None;
    for round in 0..PTYS {
        pair.unplug();
        state(&mut client, "lost").await;
        pair.plug_in();
        state(&mut client, "open").await;
        // The end of a line that may have begun before it was open.
        pair.device.write("\n").await;
        client.json_of("line").await;
        for n in 0..20 {
            pair.device.write(format!("{round}:{n}\n")).await;
        }
        for n in 0..20 {
            let line = client.json_of("line").await;
            assert_eq!(line["text"], format!("{round}:{n}"));
            assert_ne!(line["partial"], true);
        }
        let id = round.to_string();
        let write = serde_json::json!({"type": "write", "text": format!("to {round}\n"), "id": id});
        client.send_json(write).await;
        pair.device.expect(format!("to {round}\n")).await;
        client.json_until(&id).await;
        let Some(now) = bridge.program.descriptors() else {
            continue;
        };
        // What a closed device leaves is gone a moment later.
        let most = *open.get_or_insert(now);
        until("no more descriptors than at first", async || {
            (bridge.program.descriptors()? <= most).then_some(())
        })
        .await;
    }
    let log = bridge.program.log().join("\n");
    assert!(!log.contains("panicked"), "{log}");
}

/// Statuses until the port is in this state; what the device said before is let pass.
async fn state(client: &mut Client, state: &str) {
    loop {
        let object = client.json().await;
        if object["type"] == "status" && object["state"] == state {
            return;
        }
    }
}

#[cfg(target_os = "linux")] // whose limits are raised here
#[tokio::test]
#[ignore = "takes minutes: tests/run --long"]
async fn ten_thousand_idle_clients_cost_little_memory_and_no_time() {
    const CLIENTS: u64 = 10_000;
    const EACH: u64 = 10 * 1024;
    /// For our sockets and the program's, each in a process of its own, and some more.
    const DESCRIPTORS: u64 = CLIENTS + 500;
    if raise_descriptor_limit(DESCRIPTORS).is_none() {
        return;
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-clients", "10100"]).await;
    let mut clients = Vec::new();
    // What the first ones cost is the program's own: threads, tables.
    for _ in 0..100 {
        clients.push(bridge.client("/").await);
    }
    let before = bridge.program.memory();
    for _ in 0..CLIENTS {
        clients.push(bridge.client("/").await);
    }
    let after = bridge.program.memory();
    pair.device.write("5\n").await;
    for client in &mut clients {
        assert_eq!(client.text().await, "5");
    }
    let (Some(before), Some(after)) = (before, after) else {
        return skip("the memory of the program cannot be known here");
    };
    let each = (after - before) / CLIENTS;
    assert!(each < EACH, "{each} bytes for each client");
    // Pings go out every half minute at most; nothing else is to be done for them.
    bridge.program.rests(0.2).await.expect("it is known here");
}
