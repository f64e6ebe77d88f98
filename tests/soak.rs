//! Everything that clients and devices do, again and again, after which nothing may be left of it.
//! Ignored unless `tests/run --soak` asks for it.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Bridge, Client, Pair, http, skip, until};

/// Names the seconds for which the churn goes on; `tests/run --soak` sets it.
const SECONDS: &str = "SERIAL_WS_SOAK_SECONDS";

/// What the program may take more in the last third of the time than in the first, after it has been
/// everything once: what an allocator does not give back.
const MAX_GROWTH: u64 = 1 << 20;

/// Clients that are there at the same time, many of them stalled.
const CLIENTS: u64 = 40;

/// What the clients of a round ask for.
const TARGETS: [&str; 9] = [
    "/",
    "/?view=raw&history=100000",
    "/?view=text&history=5000",
    "/?view=json&history=1000",
    "/?view=json&values&history=1000",
    "/?view=json&data=chunks&history=50000",
    "/?view=json&latest=30",
    "/?view=values&history=300",
    "/?latest=0.5",
];

/// What clients send: right, wrong, and what the port answers.
fn messages() -> Vec<String> {
    vec![
        "hello\n".to_owned(),
        "x".repeat(3000),
        json!({"type": "write", "text": "x\n", "id": 1}).to_string(),
        json!({"type": "write", "text": "!", "urgent": true, "id": "u"}).to_string(),
        json!({"type": "reset", "id": 2}).to_string(),
        json!({"type": "break", "ms": 1, "id": 3}).to_string(),
        json!({"type": "signals", "dtr": true}).to_string(),
        json!({"type": "no such type", "id": 4}).to_string(),
        json!({"type": "release", "while": "connected"}).to_string(),
        json!({"type": "resume"}).to_string(),
        "{".to_owned(),
        "\u{0}\u{1b}[2J".to_owned(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as long as it is told: tests/run --soak"]
async fn nothing_is_left_of_what_comes_and_goes() {
    let Ok(seconds) = std::env::var(SECONDS) else {
        return skip("it takes long: tests/run --soak");
    };
    let time = Duration::from_secs(seconds.parse().expect("it is a number of seconds"));
    if !Pair::are_ours() {
        return skip("this pair cannot be unplugged");
    }
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let (Some(descriptors), Some(_)) = (bridge.program.descriptors(), bridge.program.memory())
    else {
        return skip("what the program holds cannot be known here");
    };
    let start = Instant::now();
    let mut held = Vec::new();
    let mut round = 0;
    while start.elapsed() < time {
        churn(&bridge, &mut pair, round).await;
        // All have gone, and what they had with them.
        until("all descriptors of the clients to be closed", async || {
            (bridge.program.descriptors()? <= descriptors).then_some(())
        })
        .await;
        let memory = bridge.program.memory().expect("it was known before");
        held.push((start.elapsed(), memory));
        round += 1;
    }
    let log = bridge.program.log().join("\n");
    assert!(!log.contains("panicked"), "{log}");
    let most = |from: u32, to: u32| {
        let within = held
            .iter()
            .filter(|(at, _)| *at >= time * from / 6 && *at <= time * to / 6);
        within
            .map(|(_, memory)| *memory)
            .max()
            .expect("there were rounds")
    };
    // The first sixth is for warming up.
    let (early, late) = (most(1, 3), most(4, 6));
    println!(
        "{round} rounds; {} KiB, then {} KiB",
        early >> 10,
        late >> 10
    );
    assert!(late <= early + MAX_GROWTH, "{held:?}");
}

/// A round: clients come, some leave, the device is unplugged and comes back, all leave.
async fn churn(bridge: &Bridge, pair: &mut Pair, round: u64) {
    let mut readers = JoinSet::new();
    let mut stalled = Vec::new();
    for n in 0..CLIENTS {
        let target = TARGETS[(n + round) as usize % TARGETS.len()];
        if n % 5 == 0 {
            stalled.push(Client::open_narrow(bridge.address(), target).await);
            continue;
        }
        let mut client = bridge.client(target).await;
        readers.spawn(async move {
            let messages = messages();
            for message in messages
                .iter()
                .cycle()
                .skip(n as usize)
                .take(n as usize % 7)
            {
                client.send(message.as_str()).await;
            }
            // Some read to their end, some leave without a word.
            if n % 3 == 0 {
                client.leave().await
            } else {
                drop(client)
            }
        });
    }
    let line = format!("a:{round},b:2,c:{}\r\n", round * 7);
    for _ in 0..20 {
        pair.device.write(line.repeat(500)).await;
    }
    for (method, path) in [
        ("GET", "/api/status"),
        ("GET", "/metrics"),
        ("GET", "/"),
        ("GET", "/no/such/page"),
        ("POST", "/api/ports/board/reset"),
        ("DELETE", "/api/ports/board"),
    ] {
        http(bridge.address(), method, path, &[]).await;
    }
    while let Some(reader) = readers.join_next().await {
        reader.expect("a client does not panic");
    }
    if round.is_multiple_of(3) {
        pair.unplug();
        bridge.state("board", "lost").await;
        pair.plug_in();
    }
    // Whoever took the port has left.
    bridge.open("board").await;
    drop(stalled);
}
