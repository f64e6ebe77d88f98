//! Cuts the two streams of a port into entries, and puts all entries in the order of time. It reads
//! no clock: events bring their time.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{MAX_ENTRY_BYTES, MAX_ENTRY_TIME, RecordingEntry};
use crate::hub::{DeviceInfo, Status, Timestamp, incomplete_suffix};

/// Bytes of complete entries that wait for an unfinished one with an earlier time. At the limit, that
/// one ends.
const MAX_WAITING_BYTES: usize = 64 << 10;

/// Makes entries of what happens at a port.
///
/// Times never go back: what seems to be earlier counts as happening at the same time. An entry's time is that of its last byte; so a complete entry waits
/// while an unfinished one of the other direction might still end with an earlier time, at most
/// [`MAX_ENTRY_TIME`].
#[derive(Debug)]
pub struct EntryAssembler {
    /// The last byte of a line.
    line_end: u8,
    received: Unfinished,
    sent: Unfinished,
    /// The client that writes what is unfinished.
    client: u64,
    /// Entries in the order of time.
    complete: VecDeque<RecordingEntry>,
    /// The bytes of data in them.
    waiting_bytes: usize,
    /// The latest time.
    now: Timestamp,
    /// The words of the last status.
    status: Option<[String; 3]>,
    /// The settings that the recording knows of.
    settings: Option<Map<String, Value>>,
    /// The device that it knows of.
    device: Option<Arc<DeviceInfo>>,
}

/// An entry that may go on.
#[derive(Debug, Default)]
struct Unfinished {
    bytes: Vec<u8>,
    first: Timestamp,
    last: Timestamp,
}

impl EntryAssembler {
    /// An assembler without entries, where lines end with this byte.
    pub fn new(line_end: u8) -> Self {
        Self {
            line_end,
            received: Unfinished::default(),
            sent: Unfinished::default(),
            client: 0,
            complete: VecDeque::new(),
            waiting_bytes: 0,
            now: Timestamp::default(),
            status: None,
            settings: None,
            device: None,
        }
    }

    /// The same assembler, whose recording begins with the settings and the device of this status.
    #[must_use]
    pub fn after_header_of(self, status: &Status) -> Self {
        Self {
            settings: Some(status.settings.to_json()),
            device: status.device.clone(),
            ..self
        }
    }

    /// Takes bytes that came from the device.
    pub fn received(&mut self, t: Timestamp, bytes: &[u8]) {
        let t = self.forward(t);
        self.pass(t);
        let line_end = self.line_end;
        for piece in bytes.split_inclusive(|byte| *byte == line_end) {
            let is_end = piece.ends_with(&[line_end]);
            self.received.push(t, piece);
            self.take_received(is_end);
        }
    }

    /// Takes bytes that the system took for the device from a client.
    pub fn sent(&mut self, t: Timestamp, client: u64, bytes: &[u8]) {
        let t = self.forward(t);
        self.pass(t);
        if self.client != client {
            self.take_sent(true);
            self.client = client;
        }
        let line_end = self.line_end;
        for piece in bytes.split_inclusive(|byte| *byte == line_end) {
            let is_end = piece.ends_with(&[line_end]);
            self.sent.push(t, piece);
            self.take_sent(is_end);
        }
    }

    /// Takes a status. What it says again is left out.
    pub fn status(&mut self, t: Timestamp, status: &Status) {
        let t = self.forward(t);
        let text = [status.state.word(), &status.detail, &status.hint].map(str::to_owned);
        let settings = status.settings.to_json();
        let is_new = self.settings.as_ref() != Some(&settings);
        let is_other = status.device.is_some() && self.device != status.device;
        if self.status.as_ref() == Some(&text) && !is_new && !is_other {
            return;
        }
        self.end();
        self.status = Some(text.clone());
        self.settings = Some(settings.clone());
        if is_other {
            self.device.clone_from(&status.device);
        }
        let [state, detail, hint] = text;
        self.insert(RecordingEntry::Status {
            t,
            state,
            detail,
            hint,
            settings: is_new.then_some(settings),
            device: self
                .device
                .as_deref()
                .filter(|_| is_other)
                .cloned()
                .map(Box::new),
        });
    }

    /// Notes that bytes are missing here, so many from the device and so many for it.
    pub fn missed(&mut self, t: Timestamp, received: u64, sent: u64) {
        let t = self.forward(t);
        self.end();
        self.insert(RecordingEntry::Missed { t, received, sent });
    }

    /// Takes somebody's remark.
    pub fn note(&mut self, t: Timestamp, text: String) {
        let t = self.forward(t);
        self.pass(t);
        self.insert(RecordingEntry::Note { t, text });
    }

    /// Ends the entries whose time is over by `now`.
    pub fn pass(&mut self, now: Timestamp) {
        let is_over = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        if is_over(self.received.due()) {
            self.take_received(true);
        }
        if is_over(self.sent.due()) {
            self.take_sent(true);
        }
    }

    /// Returns when [`pass`](Self::pass) has something to end, unless more comes before.
    pub fn due(&self) -> Option<Timestamp> {
        let due = [self.received.due(), self.sent.due()];
        due.into_iter().flatten().min()
    }

    /// Ends all entries, such as at the end of the recording.
    pub fn end(&mut self) {
        self.take_received(true);
        self.take_sent(true);
    }

    /// Returns the next entry, if it can be told by now.
    pub fn pop(&mut self) -> Option<RecordingEntry> {
        let t = self.complete.front()?.t();
        let may_precede = |it: &Unfinished| !it.bytes.is_empty() && it.last < t;
        if may_precede(&self.received) || may_precede(&self.sent) {
            if self.waiting_bytes <= MAX_WAITING_BYTES {
                return None;
            }
            self.end();
        }
        let entry = self.complete.pop_front()?;
        self.waiting_bytes -= entry.data_bytes();
        Some(entry)
    }

    /// Returns the time of what happens at `t`: it never goes back.
    fn forward(&mut self, t: Timestamp) -> Timestamp {
        self.now = self.now.max(t);
        self.now
    }

    /// Completes what came from the device: all of it if this `is_end`, else what is too long.
    fn take_received(&mut self, is_end: bool) {
        while let Some((bytes, t, d)) = self.received.next(is_end) {
            self.insert(RecordingEntry::Received { t, d, bytes });
        }
    }

    /// The same for what was sent to it.
    fn take_sent(&mut self, is_end: bool) {
        while let Some((bytes, t, d)) = self.sent.next(is_end) {
            let client = Some(self.client);
            self.insert(RecordingEntry::Sent {
                t,
                d,
                bytes,
                client,
            });
        }
    }

    /// Puts an entry after all that are not later.
    fn insert(&mut self, entry: RecordingEntry) {
        self.waiting_bytes += entry.data_bytes();
        let later = self.complete.partition_point(|it| it.t() <= entry.t());
        self.complete.insert(later, entry);
    }
}

impl Unfinished {
    fn push(&mut self, t: Timestamp, bytes: &[u8]) {
        if self.bytes.is_empty() {
            self.first = t;
        }
        self.last = t;
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the bytes, the time and the duration of an entry that is complete, where `is_end` says
    /// that the last one is.
    fn next(&mut self, is_end: bool) -> Option<(Bytes, Timestamp, u64)> {
        let is_long = self.bytes.len() > MAX_ENTRY_BYTES;
        if self.bytes.is_empty() || !(is_end || is_long) {
            return None;
        }
        let bytes = if is_long {
            self.split_off()
        } else {
            std::mem::take(&mut self.bytes)
        };
        let micros = self.last.0.saturating_sub(self.first.0);
        let d = if micros > 1000 {
            (micros + 500) / 1000
        } else {
            0
        };
        // The rest came with the last byte, or its beginning is not known better.
        self.first = self.last;
        Some((bytes.into(), self.last, d))
    }

    /// Splits off what one entry takes, without cutting a character in two.
    fn split_off(&mut self) -> Vec<u8> {
        let begun = incomplete_suffix(&self.bytes[..MAX_ENTRY_BYTES]);
        let rest = self.bytes.split_off(MAX_ENTRY_BYTES - begun);
        std::mem::replace(&mut self.bytes, rest)
    }

    fn due(&self) -> Option<Timestamp> {
        let is_there = !self.bytes.is_empty();
        is_there.then(|| Timestamp(self.first.0 + MAX_ENTRY_TIME.as_micros() as u64))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Milliseconds.
    fn at(ms: u64) -> Timestamp {
        Timestamp(ms * 1000)
    }

    fn assembler() -> EntryAssembler {
        EntryAssembler::new(b'\n')
    }

    /// The entries that can be told, as text.
    fn told(assembler: &mut EntryAssembler) -> String {
        let mut out = Vec::new();
        while let Some(entry) = assembler.pop() {
            entry.write(&mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_line_is_an_entry_with_the_time_of_its_last_byte() {
        let mut assembler = assembler();
        assembler.received(at(1000), b"1\r\n2\r\n3");
        assert_eq!(
            told(&mut assembler),
            "{\"t\":1.000000,\"rx\":\"1\\r\\n\"}\n{\"t\":1.000000,\"rx\":\"2\\r\\n\"}\n"
        );
        assembler.received(at(1012), b"4\r\n");
        assert_eq!(
            told(&mut assembler),
            "{\"t\":1.012000,\"d\":12,\"rx\":\"34\\r\\n\"}\n"
        );
    }

    #[test]
    fn a_line_that_does_not_end_is_an_entry_after_100_ms() {
        let mut assembler = assembler();
        assembler.received(at(1000), b"> ");
        assert_eq!(assembler.due(), Some(at(1100)));
        assembler.pass(at(1099));
        assert_eq!(told(&mut assembler), "");
        assembler.pass(at(1100));
        assert_eq!(told(&mut assembler), "{\"t\":1.000000,\"rx\":\"> \"}\n");
        assert_eq!(assembler.due(), None);
        assembler.received(at(2000), b"a");
        assembler.received(at(2100), b"b\n");
        assert_eq!(
            told(&mut assembler),
            "{\"t\":2.000000,\"rx\":\"a\"}\n{\"t\":2.100000,\"rx\":\"b\\n\"}\n"
        );
    }

    #[test]
    fn an_entry_ends_with_4096_bytes_and_cuts_no_character() {
        let mut assembler = assembler();
        let text = format!("{}é{}", "x".repeat(MAX_ENTRY_BYTES - 1), "y".repeat(9000));
        assembler.received(at(1000), text.as_bytes());
        assembler.end();
        let sizes: Vec<_> = std::iter::from_fn(|| assembler.pop())
            .map(|entry| entry.data_bytes())
            .collect();
        assert_eq!(
            sizes,
            [MAX_ENTRY_BYTES - 1, MAX_ENTRY_BYTES, MAX_ENTRY_BYTES, 810]
        );
    }

    #[test]
    fn a_write_does_not_cut_a_line_that_goes_on() {
        let mut assembler = assembler();
        assembler.received(at(1000), b"58");
        assembler.sent(at(1001), 3, b"H\n");
        assert_eq!(told(&mut assembler), "", "the line may end at 1000");
        assembler.received(at(1002), b"4\n");
        assert_eq!(
            told(&mut assembler),
            "{\"t\":1.001000,\"tx\":\"H\\n\",\"client\":3}\n\
             {\"t\":1.002000,\"d\":2,\"rx\":\"584\\n\"}\n"
        );
    }

    #[test]
    fn a_write_comes_after_the_prompt_that_it_answers() {
        let mut assembler = assembler();
        assembler.received(at(1000), b"> ");
        assembler.sent(at(1001), 3, b"H\n");
        assembler.received(at(1150), b"ok\n");
        assert_eq!(
            told(&mut assembler),
            "{\"t\":1.000000,\"rx\":\"> \"}\n\
             {\"t\":1.001000,\"tx\":\"H\\n\",\"client\":3}\n\
             {\"t\":1.150000,\"rx\":\"ok\\n\"}\n"
        );
    }

    #[test]
    fn what_two_clients_write_is_not_one_entry() {
        let mut assembler = assembler();
        assembler.sent(at(1000), 1, b"a");
        assembler.sent(at(1000), 2, b"b");
        assembler.end();
        assert_eq!(
            told(&mut assembler),
            "{\"t\":1.000000,\"tx\":\"a\",\"client\":1}\n\
             {\"t\":1.000000,\"tx\":\"b\",\"client\":2}\n"
        );
    }

    /// Something that happens so many microseconds after what was before.
    #[derive(Clone, Debug)]
    enum Happening {
        Received(Vec<u8>),
        Sent(u64, Vec<u8>),
        Note,
        Status,
        Missed(u64),
        Pass,
    }

    fn happenings() -> impl Strategy<Value = Vec<(u64, Happening)>> {
        let bytes = || {
            let byte = prop_oneof![Just(b'\n'), Just(b'a'), any::<u8>()];
            prop_oneof![
                9 => prop::collection::vec(byte, 0..20),
                1 => (any::<u8>(), 4000..9000_usize).prop_map(|(byte, count)| vec![byte; count]),
            ]
        };
        let happening = prop_oneof![
            6 => bytes().prop_map(Happening::Received),
            3 => (0..2_u64, bytes()).prop_map(|(client, bytes)| Happening::Sent(client, bytes)),
            1 => Just(Happening::Note),
            1 => Just(Happening::Status),
            1 => (1..9_u64).prop_map(Happening::Missed),
            2 => Just(Happening::Pass),
        ];
        let pause = prop_oneof![Just(0), 0..3000_u64, 0..200_000_u64];
        prop::collection::vec((pause, happening), 0..40)
    }

    proptest! {
        #[test]
        fn what_is_joined_is_the_stream_and_time_never_goes_back(happenings in happenings()) {
            let mut assembler = assembler();
            let (mut received, mut sent) = (Vec::new(), [Vec::new(), Vec::new()]);
            let mut now = Timestamp(1_700_000_000_000_000);
            let (mut told, mut notes, mut missing) = (Vec::new(), 0, 0);
            for (pause, happening) in happenings {
                now.0 += pause;
                match happening {
                    Happening::Received(bytes) => {
                        assembler.received(now, &bytes);
                        received.extend(bytes);
                    }
                    Happening::Sent(client, bytes) => {
                        assembler.sent(now, client, &bytes);
                        sent[client as usize].extend(bytes);
                    }
                    Happening::Note => {
                        notes += 1;
                        assembler.note(now, "note".to_owned());
                    }
                    Happening::Status => {
                        let status = Status::new(crate::hub::State::Lost, "gone");
                        assembler.status(now, &status);
                    }
                    Happening::Missed(count) => {
                        missing += count;
                        assembler.missed(now, count, 0);
                    }
                    Happening::Pass => assembler.pass(now),
                }
                told.extend(std::iter::from_fn(|| assembler.pop()));
            }
            assembler.end();
            told.extend(std::iter::from_fn(|| assembler.pop()));
            prop_assert!(told.is_sorted_by_key(RecordingEntry::t));
            let mut lines = Vec::new();
            told.iter().for_each(|entry| entry.write(&mut lines));
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                match RecordingEntry::parse(line).unwrap().unwrap() {
                    RecordingEntry::Received { bytes, .. } => {
                        prop_assert!(!bytes.is_empty() && bytes.len() <= MAX_ENTRY_BYTES);
                        prop_assert!(!bytes[..bytes.len() - 1].contains(&b'\n'));
                        prop_assert!(received.starts_with(&bytes));
                        received.drain(..bytes.len());
                    }
                    RecordingEntry::Sent { bytes, client, .. } => {
                        let sent = &mut sent[client.unwrap() as usize];
                        prop_assert!(sent.starts_with(&bytes));
                        sent.drain(..bytes.len());
                    }
                    RecordingEntry::Note { .. } => notes -= 1,
                    RecordingEntry::Missed { received, .. } => missing -= received,
                    RecordingEntry::Status { .. } => {}
                }
            }
            prop_assert!(received.is_empty() && sent.concat().is_empty());
            prop_assert_eq!((notes, missing), (0, 0));
        }
    }
}
