//! Minutes of load, each test ignored unless `tests/run --long` asks for it.

use crate::support::{Bridge, Client, Pair, skip};

const MIB: usize = 1024 * 1024;

#[tokio::test]
#[ignore = "takes minutes: tests/run --long"]
async fn a_gibibyte_reaches_the_client_that_keeps_up_beside_those_that_do_not() {
    const SIZE: usize = 1024 * MIB;
    const BOUND: u64 = 64 * MIB as u64;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut stalled = Vec::new();
    for view in ["lines", "raw", "text", "json"].repeat(5) {
        let target = format!("/?view={view}");
        stalled.push(Client::open_narrow(bridge.address(), &target).await);
    }
    let mut client = bridge.client("/?view=raw").await;
    // Lines of a length that divides no buffer.
    let line: Vec<u8> = (b'0'..=b'z')
        .filter(u8::is_ascii_alphanumeric)
        .chain(*b"\r\n")
        .collect();
    let part = line.repeat(10_000);
    let sent = part.clone();
    let device = tokio::spawn(async move {
        for _ in 0..SIZE / sent.len() + 1 {
            pair.device.write(&sent).await;
        }
        pair
    });
    let mut received = 0;
    while received < SIZE {
        let bytes = client.bytes().await;
        let mut expected = part.iter().cycle().skip(received % line.len());
        assert!(
            bytes.iter().all(|byte| expected.next() == Some(byte)),
            "after {received} bytes"
        );
        received += bytes.len();
    }
    device.abort();
    match bridge.program.peak_memory() {
        Some(peak) => assert!(peak < BOUND, "{} MiB", peak / MIB as u64),
        None => skip("the memory of the program cannot be known here"),
    }
}

#[tokio::test]
#[ignore = "takes minutes: tests/run --long"]
async fn two_hundred_clients_get_every_line() {
    const CLIENTS: usize = 200;
    const LINES: u64 = 20_000;
    const BATCH: u64 = 100;
    let mut pair = Pair::open().await;
    let bridge = Bridge::on(&mut pair, &[]).await;
    let mut witness = bridge.client("/?view=raw").await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = bridge.client("/").await;
        readers.spawn(async move {
            for n in 0..LINES {
                assert_eq!(client.text().await, n.to_string());
            }
        });
    }
    for batch in 0..LINES / BATCH {
        let lines: String = (batch * BATCH..(batch + 1) * BATCH)
            .map(|n| format!("{n}\n"))
            .collect();
        pair.device.write(&lines).await;
        assert_eq!(witness.bytes_of(lines.len()).await, lines.as_bytes());
    }
    while let Some(reader) = readers.join_next().await {
        reader.expect("each client gets every line");
    }
}
