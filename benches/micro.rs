//! Measures the framer and the views per chunk, without any I/O.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serial_ws::hub::{
    Hub, HubConfig, Kind, Start, State, Status, SubscriberKind, Subscription, Timestamp,
};
use serial_ws::view::{Part, Payload, View};
use serial_ws::{Framer, Framing, LineFramer, client_protocol};

/// The default of `--max-line`.
const MAX_LINE: usize = 16 << 10;

/// The most that a tty on Linux returns from one read.
const CHUNK: usize = 4 << 10;

fn main() {
    divan::main();
}

/// Returns a chunk of whole lines of 32 bytes, including the line endings.
fn lines() -> Bytes {
    b"0000000001 0123456789 abcdefghi\n"
        .repeat(CHUNK / 32)
        .into()
}

fn frame(bencher: Bencher<'_, '_>, chunks: &[Bytes]) {
    let bytes = chunks.iter().map(Bytes::len).sum::<usize>();
    let mut framer = LineFramer::new(MAX_LINE);
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        for chunk in chunks {
            black_box(framer.push(chunk.clone()));
        }
    });
}

#[divan::bench]
fn frame_lines(bencher: Bencher<'_, '_>) {
    frame(bencher, &[lines()]);
}

#[divan::bench]
fn frame_lines_that_chunks_cut(bencher: Bencher<'_, '_>) {
    let stream = lines().repeat(8);
    let chunks: Vec<_> = stream
        .chunks(CHUNK - 5)
        .map(Bytes::copy_from_slice)
        .collect();
    frame(bencher, &chunks);
}

#[divan::bench]
fn frame_byte_by_byte(bencher: Bencher<'_, '_>) {
    let chunks: Vec<_> = lines().chunks(1).map(Bytes::copy_from_slice).collect();
    frame(bencher, &chunks);
}

#[divan::bench]
fn frame_without_line_ends(bencher: Bencher<'_, '_>) {
    frame(bencher, &[vec![b'x'; CHUNK].into()]);
}

/// Returns a chunk of messages of about 30 bytes, as a board sends them in this framing.
fn messages(framing: &Framing) -> Bytes {
    let name = framing.to_string();
    let message = match name.split(':').next() {
        Some("packet") => [&[0xaa, 30][..], &[7; 30]].concat(),
        Some("json") => br#"{"light":512,"temp":21.5,"on":true}"#.to_vec(),
        Some("len") => vec![7; 32],
        _ => b"0000000001 0123456789 abcdefgh".to_vec(),
    };
    // A gap has none.
    let message = framing.encode(&message).unwrap_or(message);
    message.repeat(CHUNK / message.len()).into()
}

#[divan::bench(args = [
    "lf", "crlf", "delim:3b", "len:32", "gap:20ms", "start:02:03", "slip", "cobs", "packet:aa:1:1",
    "json",
])]
fn frame_as(bencher: Bencher<'_, '_>, framing: &str) {
    let framing: Framing = framing.parse().expect("it is a framing");
    let chunk = messages(&framing);
    let mut framer = framing.framer(MAX_LINE);
    bencher
        .counter(BytesCount::new(chunk.len()))
        .bench_local(|| {
            black_box(framer.push(chunk.clone()));
            black_box(framer.on_silence());
        });
}

/// The worst cases of encodings: each byte has a meaning of its own.
#[divan::bench(args = ["slip", "cobs"])]
fn frame_of_special_bytes(bencher: Bencher<'_, '_>, framing: &str) {
    let framing: Framing = framing.parse().expect("it is a framing");
    let special: &[u8] = if framing.to_string() == "slip" {
        &[0xdb]
    } else {
        &[0]
    };
    let chunk = framing
        .encode(&special.repeat(CHUNK / 2 - 2))
        .expect("it has frames");
    let chunk = Bytes::from(chunk);
    let mut framer = framing.framer(MAX_LINE);
    bencher
        .counter(BytesCount::new(chunk.len()))
        .bench_local(|| black_box(framer.push(chunk.clone())));
}

#[divan::bench(args = [View::Lines, View::Raw, View::Text, View::JsonLines])]
fn encode(bencher: Bencher<'_, '_>, view: View) {
    let (hub, mut subscription) = subscribed();
    let data = LineFramer::new(MAX_LINE).push(lines());
    hub.publish(Timestamp::now(), Kind::Data(data));
    let mut taken = Vec::new();
    subscription.take(&mut taken);
    let (event, part) = (&taken[0].event, Part::After(taken[0].had));
    bencher.counter(BytesCount::new(CHUNK)).bench_local(|| {
        let mut payloads = Vec::new();
        view.encode(event, part, &mut |payload, _| match payload {
            Payload::Text(bytes) | Payload::Binary(bytes) => payloads.extend_from_slice(bytes),
        });
        payloads
    });
}

#[divan::bench]
fn encode_json_chunks(bencher: Bencher<'_, '_>) {
    encode(bencher, View::JsonChunks);
}

/// Takes one line from the framer through the hub to all subscribers, encoded for sending.
#[divan::bench(args = [1, 10, 100])]
fn publish_and_take(bencher: Bencher<'_, '_>, subscribers: usize) {
    let (hub, first) = subscribed();
    let mut subscriptions = vec![first];
    subscriptions.resize_with(subscribers, || {
        hub.subscribe(SubscriberKind::Client, Start::Live)
    });
    let mut framer = LineFramer::new(MAX_LINE);
    let line = lines().slice(..32);
    let protocol = client_protocol(View::Lines);
    let mut taken = Vec::new();
    bencher.bench_local(|| {
        hub.publish(Timestamp::now(), Kind::Data(framer.push(line.clone())));
        for subscription in &mut subscriptions {
            subscription.take(&mut taken);
            for taken in taken.drain(..) {
                let part = Part::After(taken.had);
                black_box(protocol.event(View::Lines, &taken.event, part));
            }
        }
    });
}

fn subscribed() -> (Arc<Hub>, Subscription) {
    let limits = HubConfig {
        history: 1 << 20,
        max_behind: Duration::from_secs(10),
    };
    let hub = Hub::new(limits, Status::new(State::Open, "a benchmark"));
    let subscription = hub.subscribe(SubscriberKind::Client, Start::Live);
    (hub, subscription)
}
