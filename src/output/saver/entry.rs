//! Lines on their way to a file, and their text there.

use crate::hub::{Data, StreamItem, Timestamp};
use crate::output::disk::queue::QueueEntry;
use crate::output::disk::writer::EntryFormat;
use crate::platform::local_time;

use super::Timestamps;

/// Something that is written to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SavedEntry {
    /// The time of it.
    t: Timestamp,
    /// The time of the line before.
    before: Timestamp,
    content: LineContent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LineContent {
    /// Lines that came at once, each with a line feed behind it.
    Lines { text: Box<[u8]>, count: u64 },
    /// So many lines are missing here.
    Missed(u64),
}

/// The lines that were left out.
#[derive(Default)]
pub(super) struct LineGap {
    /// The time of the line before them.
    before: Option<Timestamp>,
    /// That of the last of them.
    t: Timestamp,
    lines: u64,
}

/// Makes the text of entries.
pub(super) struct LineFormat(pub(super) Timestamps);

impl SavedEntry {
    /// The lines that end in a chunk, apart from so many at its beginning; None if there are none.
    pub(super) fn lines(
        data: &Data,
        had: u64,
        (before, t): (Timestamp, Timestamp),
    ) -> Option<Self> {
        let (mut text, mut count) = (Vec::new(), 0);
        for frame in data.frames.iter().skip(had as usize) {
            // The same as in the view of lines.
            if !StreamItem::Line.includes(&frame) {
                continue;
            }
            let start = text.len();
            text.extend_from_slice(String::from_utf8_lossy(frame.bytes).as_bytes());
            // Where lines end otherwise, a line feed is a character as any other.
            let line = text[start..].iter_mut();
            line.filter(|byte| **byte == b'\n')
                .for_each(|byte| *byte = b' ');
            text.push(b'\n');
            count += 1;
        }
        let text = text.into();
        let content = LineContent::Lines { text, count };
        (count > 0).then_some(Self { t, before, content })
    }

    /// The mark of so many lines that are missing.
    pub(super) fn missed(count: u64, (before, t): (Timestamp, Timestamp)) -> Self {
        let content = LineContent::Missed(count);
        Self { t, before, content }
    }

    /// Returns its time.
    pub(super) fn time(&self) -> Timestamp {
        self.t
    }

    /// Returns the number of its lines, or of those that are missing.
    pub(super) fn count(&self) -> u64 {
        match self.content {
            LineContent::Lines { count, .. } | LineContent::Missed(count) => count,
        }
    }
}

impl QueueEntry for SavedEntry {
    type Gap = LineGap;

    fn memory(&self) -> usize {
        match &self.content {
            LineContent::Lines { text, .. } => text.len(),
            LineContent::Missed(_) => 0,
        }
    }

    fn leave_out(self, gap: &mut LineGap) {
        gap.before.get_or_insert(self.before);
        gap.t = self.t;
        gap.lines += self.count();
    }

    fn mark(gap: LineGap) -> impl Iterator<Item = Self> {
        let before = gap.before.unwrap_or(gap.t);
        std::iter::once(Self::missed(gap.lines, (before, gap.t)))
    }
}

impl EntryFormat for LineFormat {
    type Entry = SavedEntry;

    fn begin_before(&mut self, _: &SavedEntry) {}

    fn start(&self) -> Timestamp {
        Timestamp::default()
    }

    fn write_header(&self, _: &mut Vec<u8>) {}

    fn write(&self, entry: &SavedEntry, text: &mut Vec<u8>) {
        let SavedEntry { t, before, content } = entry;
        let first = self.time(*before, *t);
        match content {
            LineContent::Missed(count) => {
                text.extend_from_slice(format!("{first}# missed {count} lines\n").as_bytes());
            }
            LineContent::Lines { text: lines, .. } => {
                // Those after the first came at the same time.
                let others = self.time(*t, *t);
                let mut time = &first;
                for line in lines.split_inclusive(|byte| *byte == b'\n') {
                    text.extend_from_slice(time.as_bytes());
                    text.extend_from_slice(line);
                    time = &others;
                }
            }
        }
    }

    fn written(&mut self, _: &SavedEntry) {}

    fn data_bytes(entry: &SavedEntry) -> u64 {
        entry.memory() as u64
    }
}

impl LineFormat {
    /// Returns what stands before a line.
    fn time(&self, before: Timestamp, t: Timestamp) -> String {
        match self.0 {
            Timestamps::Iso => local_time(t.0).unwrap_or_else(|| t.to_string()) + " ",
            Timestamps::Epoch => format!("{t} "),
            Timestamps::Delta => format!("{} ", Timestamp(t.0.saturating_sub(before.0))),
            Timestamps::None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Extent, Frames, Piece};

    /// Returns what is saved of frames, which come two and a half seconds after another line.
    fn saved(timestamps: Timestamps, frames: &[(&[u8], Extent)]) -> String {
        let (mut text, mut pieces) = (Vec::new(), Vec::new());
        for (bytes, extent) in frames {
            let start = text.len() as u32;
            text.extend_from_slice(bytes);
            pieces.push(Piece {
                start,
                end: text.len() as u32,
                extent: *extent,
                utf8: std::str::from_utf8(bytes).is_ok(),
            });
        }
        let data = Data {
            frames: Frames::new(text.into(), pieces),
            ..Data::default()
        };
        let times = (Timestamp(1_000_000), Timestamp(3_500_000));
        let entry = SavedEntry::lines(&data, 0, times);
        let mut text = Vec::new();
        LineFormat(timestamps).write(&entry.unwrap(), &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn each_line_has_its_time_before_it() {
        let frames: [(&[u8], _); 2] = [(b"a 1", Extent::Whole), (b"b", Extent::Whole)];
        let saved = |timestamps| saved(timestamps, &frames);
        assert_eq!(saved(Timestamps::None), "a 1\nb\n");
        assert_eq!(saved(Timestamps::Epoch), "3.500000 a 1\n3.500000 b\n");
        assert_eq!(saved(Timestamps::Delta), "2.500000 a 1\n0.000000 b\n");
        let iso = saved(Timestamps::Iso);
        let time = local_time(3_500_000).unwrap();
        assert_eq!(iso, format!("{time} a 1\n{time} b\n"));
        assert!(time.contains(":03.500000"), "{time}");
    }

    #[test]
    fn every_line_stays_one_line_of_text() {
        let frames: [(&[u8], _); 4] = [
            (b"a\nb", Extent::Whole),
            (b"cut o", Extent::Fragment),
            (b"\xff\xfe", Extent::Piece),
            (b"", Extent::Whole),
        ];
        assert_eq!(
            saved(Timestamps::None, &frames),
            "a b\n\u{fffd}\u{fffd}\n\n"
        );
    }

    #[test]
    fn what_had_no_room_is_marked_by_one_line() {
        let mut gap = LineGap::default();
        for t in 2..5 {
            let t = Timestamp(t * 1_000_000);
            SavedEntry::missed(10, (Timestamp(t.0 - 1_000_000), t)).leave_out(&mut gap);
        }
        let mut text = Vec::new();
        for entry in SavedEntry::mark(gap) {
            LineFormat(Timestamps::Delta).write(&entry, &mut text);
        }
        assert_eq!(text, b"3.000000 # missed 30 lines\n");
    }
}
