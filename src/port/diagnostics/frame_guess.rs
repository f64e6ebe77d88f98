//! Recognises SLIP, COBS and packets with a length by their bytes. A false guess is worse than none:
//! it asks for more than chance, or data of another kind, would do.

/// Bytes to look at. More would hardly say more.
const MAX_BYTES: usize = 1024;

/// Bytes from which it is worth to look.
const MIN_BYTES: usize = 192;

/// Frames that must all be right.
const MIN_FRAMES: usize = 12;

/// Escapes of SLIP that must all be right, if frames do not begin with an END as well.
const MIN_ESCAPES: usize = 3;

/// Different lengths, or different first bytes, by which frames are no records of other data.
const MIN_KINDS: usize = 3;

/// The bytes of a device that sends no text, without a gap.
#[derive(Default)]
pub(super) struct FrameGuess {
    bytes: Vec<u8>,
    /// The bytes that were looked at.
    judged: usize,
}

impl FrameGuess {
    /// Adds a chunk, as far as there is room.
    pub(super) fn add(&mut self, chunk: &[u8]) {
        let room = MAX_BYTES - self.bytes.len();
        self.bytes
            .extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    /// Begins anew after a gap.
    pub(super) fn restart(&mut self) {
        self.bytes.clear();
        self.judged = 0;
    }

    /// Returns the framing, as `--frame` takes it, if it is certain. Looks only if there are twice as
    /// many bytes as before.
    pub(super) fn framing(&mut self) -> Option<String> {
        if self.bytes.len() < MIN_BYTES.max(self.judged * 2) {
            return None;
        }
        self.judged = self.bytes.len();
        guess(&self.bytes)
    }
}

fn guess(bytes: &[u8]) -> Option<String> {
    if is_slip(bytes) {
        return Some("slip".to_owned());
    }
    if is_cobs(bytes) {
        return Some("cobs".to_owned());
    }
    let (mark, overhead) = packets(bytes)?;
    Some(match overhead {
        2 => format!("packet:{mark:02x}:1:1"),
        _ => format!("packet:{mark:02x}:1:1:{overhead}"),
    })
}

/// Returns the parts between these bytes that are whole: not the first and the last.
fn inner(bytes: &[u8], end: u8) -> Vec<&[u8]> {
    let parts: Vec<_> = bytes.split(|byte| *byte == end).collect();
    match &parts[..] {
        [_, inner @ .., _] => inner.to_vec(),
        _ => Vec::new(),
    }
}

/// Returns true for frames of SLIP with nothing wrong in them, and with escapes, or an END on both
/// sides of each.
fn is_slip(bytes: &[u8]) -> bool {
    let parts = inner(bytes, 0xc0);
    let frames = parts.iter().filter(|frame| !frame.is_empty()).count();
    let mut escapes = 0;
    for frame in &parts {
        let mut rest = frame.iter();
        while let Some(&byte) = rest.next() {
            if byte == 0xdb {
                escapes += 1;
                if !matches!(rest.next(), Some(0xdc | 0xdd)) {
                    return false;
                }
            }
        }
    }
    // Frames and the nothing between two ENDs take turns.
    let are_double = parts
        .windows(2)
        .all(|pair| pair[0].is_empty() != pair[1].is_empty());
    let lengths = kinds(parts.iter().map(|frame| frame.len()).filter(|len| *len > 0));
    let is_certain = escapes >= MIN_ESCAPES || are_double && (lengths >= MIN_KINDS || escapes > 0);
    frames >= MIN_FRAMES && is_certain
}

/// Returns true for frames of COBS, none of which is shorter than two bytes, or wrong.
fn is_cobs(bytes: &[u8]) -> bool {
    let frames = inner(bytes, 0);
    let is_right = |frame: &&[u8]| {
        let mut at = 0;
        while at < frame.len() {
            at += usize::from(frame[at]);
        }
        at == frame.len() && frame.len() > 2
    };
    let are_right = frames.len() >= MIN_FRAMES && frames.iter().all(is_right);
    are_right && kinds(frames.iter().map(|frame| usize::from(frame[0]))) >= MIN_KINDS
}

/// Returns the first byte of packets that follow one another, the next of which is their length, and
/// the bytes that it does not count.
fn packets(bytes: &[u8]) -> Option<(u8, usize)> {
    /// Bytes of a packet that its length may leave out: the mark, itself, and a checksum.
    const OVERHEADS: [usize; 3] = [2, 3, 4];
    let starts = 0..bytes.len() / 4;
    let all = starts.flat_map(|start| OVERHEADS.map(|overhead| (start, overhead)));
    let mut found = all.filter(|&(start, overhead)| are_packets(bytes, start, overhead));
    let (start, overhead) = found.next()?;
    Some((bytes[start], overhead))
}

fn are_packets(bytes: &[u8], start: usize, overhead: usize) -> bool {
    let mark = bytes[start];
    let (mut at, mut lengths) = (start, Vec::new());
    while let [first, length, ..] = bytes[at..] {
        if first != mark || length == 0 {
            return false;
        }
        lengths.push(usize::from(length));
        at += usize::from(length) + overhead;
        if at > bytes.len() {
            break;
        }
    }
    // What marks packets is rare in them, and no usual value.
    let marks = bytes.iter().filter(|byte| **byte == mark).count();
    let is_mark = !matches!(mark, 0 | 0xff) && marks <= lengths.len() + lengths.len() / 2 + 2;
    is_mark && lengths.len() > MIN_FRAMES && kinds(lengths.into_iter()) >= MIN_KINDS
}

fn kinds(values: impl Iterator<Item = usize>) -> usize {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values.dedup();
    values.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::port::framing::Framing;

    /// Frames as a board sends them: records of floats and counters, of several lengths.
    fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let record = (
            any::<u8>(),
            any::<u16>(),
            prop::collection::vec(-40.0..40.0_f32, 1..6),
        );
        let record = record.prop_map(|(kind, count, values)| {
            let values = values.into_iter().flat_map(f32::to_le_bytes);
            let head = [kind, count as u8, (count >> 8) as u8];
            head.into_iter().chain(values).collect::<Vec<u8>>()
        });
        prop::collection::vec(record, 150)
    }

    fn encoded(framing: &str, frames: &[Vec<u8>]) -> Vec<u8> {
        let framing: Framing = framing.parse().unwrap();
        frames
            .iter()
            .flat_map(|frame| framing.encode(frame).unwrap())
            .collect()
    }

    /// Returns what is said of these bytes, in whatever chunks they come.
    fn guessed(bytes: &[u8]) -> Option<String> {
        let mut guess = FrameGuess::default();
        bytes.chunks(61).find_map(|chunk| {
            guess.add(chunk);
            guess.framing()
        })
    }

    /// A value that changes slowly, as that of a sensor.
    fn walk(steps: Vec<i8>, scale: i16) -> impl Iterator<Item = i16> {
        steps.into_iter().scan(0_i16, move |value, step| {
            *value = value.wrapping_add(i16::from(step % 8) * scale);
            Some(*value)
        })
    }

    proptest! {

        #[test]
        fn random_bytes_are_no_frames(bytes in prop::collection::vec(any::<u8>(), 1024)) {
            prop_assert_eq!(guessed(&bytes), None);
        }

        #[test]
        fn text_is_no_frames(text in "[ -~\r\n\t]{1024}") {
            prop_assert_eq!(guessed(text.as_bytes()), None);
        }

        /// What a wrong rate makes of text: few different bytes.
        #[test]
        fn few_different_bytes_are_no_frames(
            few in prop::collection::vec(any::<u8>(), 2..9),
            bytes in prop::collection::vec(any::<prop::sample::Index>(), 1024),
        ) {
            let bytes: Vec<u8> = bytes.iter().map(|index| *index.get(&few)).collect();
            prop_assert_eq!(guessed(&bytes), None);
        }

        /// Records of an IMU: a header or none, and values of 16 bits that change slowly.
        #[test]
        fn records_of_a_sensor_are_no_frames(
            header in prop::sample::select(vec![
                &[][..], &[0xaa, 0x55], &[0xff, 0xff], &[0xc0], &[0xaa], &[0x59, 0x59], &[0],
            ]),
            steps in prop::collection::vec(any::<i8>(), 512),
            scale in prop::sample::select(vec![0_i16, 1, 3, 50, 400]),
            values in 1_usize..10,
            is_big_endian: bool,
        ) {
            let values_of: Vec<_> = walk(steps, scale).collect();
            let records = values_of.chunks(values).flat_map(|record| {
                let values = record.iter().flat_map(|value| {
                    if is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
                });
                header.iter().copied().chain(values).collect::<Vec<u8>>()
            });
            let bytes: Vec<u8> = records.collect();
            prop_assert_eq!(guessed(&bytes), None);
        }

        /// Single bytes of a sensor, as `Serial.write(value / 4)` sends them.
        #[test]
        fn readings_of_one_byte_are_no_frames(
            steps in prop::collection::vec(any::<i8>(), 1024),
            start: u8,
            slow in 1_i16..9,
        ) {
            let bytes: Vec<u8> = walk(steps, 1).map(|value| start.wrapping_add((value / slow) as u8)).collect();
            prop_assert_eq!(guessed(&bytes), None);
        }

        #[test]
        fn frames_are_recognised(frames in frames()) {
            for framing in ["slip", "cobs"] {
                let guessed = guessed(&encoded(framing, &frames));
                prop_assert_eq!(guessed.as_deref(), Some(framing));
            }
        }
    }

    #[test]
    fn packets_are_recognised_by_their_lengths() {
        let packet = |number: u8, sum: &[u8]| {
            let length = 5 + number % 4;
            let data = (0..length).map(|at| at * 7 + number % 50);
            [0xaa, length]
                .into_iter()
                .chain(data)
                .chain(sum.iter().copied())
                .collect::<Vec<u8>>()
        };
        let all = |sum: &[u8]| {
            (0..150)
                .flat_map(|number| packet(number, sum))
                .collect::<Vec<u8>>()
        };
        assert_eq!(guessed(&all(&[])).as_deref(), Some("packet:aa:1:1"));
        assert_eq!(guessed(&all(&[9])).as_deref(), Some("packet:aa:1:1:3"));
        assert_eq!(guessed(&all(&[])[3..]).as_deref(), Some("packet:aa:1:1"));
        // Without its length, it could be anything.
        let fixed: Vec<u8> = (0..99).flat_map(|_| packet(0, &[])).collect();
        assert_eq!(guessed(&fixed), None);
    }
}
