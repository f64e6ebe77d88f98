//! Memory is bounded, whatever the device and the clients do.

use crate::support::{Bridge, Client, Pair, RawSocket, skip};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

#[tokio::test]
async fn a_device_that_never_ends_a_line_costs_constant_memory() {
    /// With 1 MiB of history, whatever clients read or do not.
    const BOUND: u64 = 40 * MIB;
    const SIZE: usize = 64 * MIB as usize;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--lines"]).await;
    if bridge.program.memory().is_none() {
        return skip("the memory of the program cannot be known here");
    }
    let _stalled = Client::open_narrow(bridge.address(), "/?view=lines").await;
    let mut client = bridge.client("/?view=raw").await;
    let device = tokio::spawn(async move {
        let part = vec![b'x'; MIB as usize];
        for _ in 0..SIZE / part.len() {
            pair.device.write(&part).await;
        }
        pair
    });
    let mut received = 0;
    while received < SIZE {
        let bytes = client.bytes().await;
        assert!(bytes.iter().all(|byte| *byte == b'x'));
        received += bytes.len();
    }
    let mut pair = device.await.expect("the device does not panic");
    let peak = bridge.program.peak_memory().expect("it was known before");
    assert!(
        peak < BOUND,
        "{} KiB for 64 MiB without a line end",
        peak / KIB
    );
    // The line ends after all, and the next one is a line again.
    let mut lines = bridge.client("/?view=json").await;
    lines.json_of("hello").await;
    pair.device.write("\nwhole\n").await;
    assert_eq!(lines.json_of("line").await["partial"], true);
    assert_eq!(lines.json_of("line").await["text"], "whole");
}

#[tokio::test]
async fn a_device_that_sends_byte_by_byte_keeps_to_the_history_it_was_given() {
    const HISTORY: u64 = 4 * MIB;
    /// Beside the history: what came and went while it was filled.
    const MARGIN: u64 = 4 * MIB;
    const BYTES: usize = 40_000;
    let mut pair = Pair::open().await;
    let history = HISTORY.to_string();
    // Beyond history, only what came within that time is kept for clients that are behind.
    let arguments = ["--history", &history, "--max-behind", "100ms"];
    let bridge = Bridge::on(&mut pair, &arguments).await;
    let mut client = bridge.client("/?view=raw").await;
    let Some(before) = bridge.program.peak_memory() else {
        return skip("the memory of the program cannot be known here");
    };
    for n in 0..BYTES {
        let byte = [if n % 4 == 3 { b'\n' } else { b'1' }];
        pair.device.write(byte).await;
        // The program has read this byte before the next one is sent.
        assert_eq!(client.bytes().await, byte);
    }
    let more = bridge.program.peak_memory().expect("it was known before") - before;
    assert!(
        more < HISTORY + MARGIN,
        "{} KiB for {BYTES} single bytes",
        more / KIB
    );
}

#[tokio::test]
async fn clients_that_leave_writes_behind_cost_constant_memory() {
    const CLIENTS: usize = 800;
    const WRITE: usize = 60_000;
    /// Of so many that have gone, what they sent is still written.
    const KEPT: usize = 256;
    /// What these may have waiting, and what came and went meanwhile.
    const BOUND: u64 = 16 * MIB + 8 * MIB;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let Some(before) = bridge.program.peak_memory() else {
        return skip("the memory of the program cannot be known here");
    };
    // The device takes nothing meanwhile.
    for _ in 0..CLIENTS {
        let mut client = bridge.client("/?view=raw").await;
        client.send_bytes(vec![b'x'; WRITE]).await;
        client.leave().await;
    }
    let more = bridge.program.peak_memory().expect("it was known before") - before;
    assert!(more < BOUND, "{} KiB for {CLIENTS} clients", more / KIB);
    // What was being written, and what the last ones left, still arrives.
    let mut last = bridge.client("/").await;
    last.send("!").await;
    last.leave().await;
    pair.device.take(KEPT * WRITE).await;
    pair.device.expect("!").await;
}

/// The views, as queries.
const VIEWS: [&str; 7] = [
    "view=lines",
    "view=raw",
    "view=text",
    "view=json",
    "view=json&data=chunks",
    "view=json&latest=1000",
    "latest=0.01",
];

#[tokio::test]
async fn clients_of_every_view_that_never_read_stay_within_the_stated_bound() {
    const CLIENTS: usize = 256;
    /// PROTOCOL.md: 22 MiB for the port, 128 KiB for each client; and 32 MiB for the program.
    const BOUND: u64 = 22 * MIB + CLIENTS as u64 * 128 * KIB + 32 * MIB;
    /// So much at least is used, else the test tests nothing.
    const REACHED: u64 = 30 * MIB;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    if bridge.program.memory().is_none() {
        return skip("the memory of the program cannot be known here");
    }
    let mut witness = bridge.client("/?view=raw").await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        // Each begins at another place, so that no two can share what they hold.
        let block = vec![b'\n'; 16 * KIB as usize];
        tokio::join!(pair.device.write(&block), witness.bytes_of(block.len()));
        let view = VIEWS[number % VIEWS.len()];
        let target = if view.contains("latest") {
            format!("/?{view}")
        } else {
            format!("/?{view}&history=100000000")
        };
        clients.push(Client::open_narrow(bridge.address(), &target).await);
    }
    let peak = bridge.program.peak_memory().expect("it was known before");
    assert!(peak < BOUND, "{} KiB", peak / KIB);
    assert!(peak > REACHED, "{} KiB", peak / KIB);
}

/// What the clients send that send all they can, each as one frame: its first byte and its payload.
const SHOUTS: [(u8, &[u8]); 8] = [
    (0x81, b"{"),
    (0x81, b""),
    (0x89, b"a ping with some payload"),
    (0x82, b""),
    (0x82, &[b'x'; 60_000]),
    (
        0x81,
        br#"{"type":"write","text":"x\n","id":"an identifier of some length"}"#,
    ),
    (0x81, br#"{"type":"write","text":"!","urgent":true,"id":1}"#),
    (0x81, br#"{"type":"reset","id":2}"#),
];

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_all_they_can_and_never_read_stay_within_the_stated_bound() {
    const CLIENTS: usize = 256;
    const EACH: usize = 4 * MIB as usize;
    /// PROTOCOL.md: 22 MiB for the port, 208 KiB and 1 MiB for each client; and 32 MiB for the
    /// program.
    const BOUND: u64 = 22 * MIB + CLIENTS as u64 * (MIB + 208 * KIB) + 32 * MIB;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let Some(before) = bridge.program.peak_memory() else {
        return skip("the memory of the program cannot be known here");
    };
    let mut shouts = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let view = VIEWS[number / SHOUTS.len() % VIEWS.len()];
        let mut socket = RawSocket::open(bridge.address(), &format!("/?{view}")).await;
        let (first, payload) = SHOUTS[number % SHOUTS.len()];
        shouts.spawn(async move {
            let shout = frame(first, payload);
            let batch = shout.repeat((64 * 1024_usize).div_ceil(shout.len()));
            let taken = socket.write_all_it_takes(&batch, EACH).await;
            (socket, taken)
        });
    }
    let shouts = shouts.join_all().await;
    let taken: usize = shouts.iter().map(|(_, taken)| taken).sum();
    let peak = bridge.program.peak_memory().expect("it was known before");
    println!("{} MiB taken, {} KiB at most", taken >> 20, peak / KIB);
    assert!(
        taken > CLIENTS * 64 * KIB as usize,
        "{taken} bytes are no flood"
    );
    assert!(
        peak < BOUND,
        "{} KiB after {} KiB",
        peak / KIB,
        before / KIB
    );
    // It still listens.
    bridge.get("/healthz").await;
}

/// A masked frame whose mask changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn an_idle_client_costs_no_more_after_it_was_sent_history() {
    const CLIENTS: u64 = 60;
    const EACH: u64 = 10 * KIB;
    const LINES: usize = 1500;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-clients", "500"]).await;
    let mut witness = bridge.client("/?view=raw").await;
    for _ in 0..LINES {
        pair.device.write("1\n").await;
        witness.bytes_of(2).await;
    }
    let mut clients = Vec::new();
    let join = async |clients: &mut Vec<Client>| {
        let mut client = bridge.client(&format!("/?history={LINES}")).await;
        for _ in 0..LINES {
            client.text().await;
        }
        clients.push(client);
    };
    for _ in 0..20 {
        join(&mut clients).await;
    }
    let Some(before) = bridge.program.memory() else {
        return skip("the memory of the program cannot be known here");
    };
    for _ in 0..CLIENTS {
        join(&mut clients).await;
    }
    let after = bridge.program.memory().expect("it was known before");
    let each = after.saturating_sub(before) / CLIENTS;
    assert!(each < EACH, "{each} bytes for each client");
}

#[tokio::test]
async fn an_idle_client_costs_less_than_10_kib() {
    const CLIENTS: u64 = 400;
    const EACH: u64 = 10 * KIB;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &["--max-clients", "500"]).await;
    // What the first ones cost is the program's own: threads, tables.
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(bridge.client("/").await);
    }
    let Some(before) = bridge.program.memory() else {
        return skip("the memory of the program cannot be known here");
    };
    for _ in 0..CLIENTS {
        clients.push(bridge.client("/").await);
    }
    pair.device.write("5\n").await;
    for client in &mut clients {
        assert_eq!(client.text().await, "5");
    }
    let each = (bridge.program.memory().expect("it was known before") - before) / CLIENTS;
    assert!(each < EACH, "{each} bytes for each client");
}
