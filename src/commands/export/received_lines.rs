//! Cuts the bytes of a recording into lines, as serial-ws does while a port is open, so that the names
//! of values are settled alike.

use crate::hub::{Data, Frame, State};
use crate::port::framing::{Framer, Framing};
use crate::recording::{RecordingEntry, RecordingHeader};

/// Bytes of a line beyond which it is cut into pieces, where the recording does not say.
const MAX_LINE: usize = 16 << 10;

/// Cuts one direction of a recording into lines.
pub(super) struct ReceivedLines {
    framer: Box<dyn Framer>,
}

impl ReceivedLines {
    /// Starts with line feeds as line ends.
    pub(super) fn new() -> Self {
        let mut framer = framing("lf").framer(MAX_LINE);
        framer.begin(true);
        Self { framer }
    }

    /// Takes the beginning of a file, and gives `each` what was left unfinished.
    pub(super) fn file(
        &mut self,
        header: &RecordingHeader,
        joins: bool,
        each: &mut dyn FnMut(Frame<'_>),
    ) {
        if joins {
            return;
        }
        self.cut(each);
        let frame = header.settings.get("frame").and_then(|it| it.as_str());
        let max_line = header.settings.get("maxLine").and_then(|it| it.as_u64());
        let max_line = max_line.and_then(|max| usize::try_from(max).ok());
        let max_line = max_line.filter(|max| (16..=crate::port::MAX_LINE_LIMIT).contains(max));
        self.framer = framing(frame.unwrap_or("lf")).framer(max_line.unwrap_or(MAX_LINE));
        self.framer.begin(true);
    }

    /// Takes bytes, and gives `each` the lines that they complete.
    pub(super) fn push(&mut self, bytes: &bytes::Bytes, each: &mut dyn FnMut(Frame<'_>)) {
        if !bytes.is_empty() {
            give(self.framer.push(bytes.clone()), each);
        }
    }

    /// Takes an entry after which lines do not join those before, and gives `each` what was left
    /// unfinished.
    pub(super) fn part(&mut self, entry: &RecordingEntry, each: &mut dyn FnMut(Frame<'_>)) {
        let begins = match entry {
            RecordingEntry::Status { state, .. } if state != State::Open.word() => Some(true),
            RecordingEntry::Missed { .. } => Some(false),
            _ => None,
        };
        if let Some(starts_whole) = begins {
            self.cut(each);
            self.framer.begin(starts_whole);
        }
    }

    /// Gives `each` what was left unfinished.
    pub(super) fn cut(&mut self, each: &mut dyn FnMut(Frame<'_>)) {
        if let Some(data) = self.framer.cut() {
            give(data, each);
        }
    }
}

fn give(data: Data, each: &mut dyn FnMut(Frame<'_>)) {
    data.frames.iter().for_each(each);
}

/// Returns the framing of a recording, or that for line feeds where it is not known.
fn framing(text: &str) -> Framing {
    let framing = text.parse().or_else(|_| "lf".parse());
    framing.expect("it is the usual one")
}
