//! `gap:TIME`: silence for this time ends a frame.

use std::time::Duration;

use super::cutter::{CutFramer, Cutter, Soundness, StreamHead};
use super::{Framing, FramingKind};

/// The shortest gap. USB hands data over in frames of 1 ms and the system in its own time, so a
/// shorter pause is not the board's.
const MIN_GAP: Duration = Duration::from_millis(5);

/// The longest gap. Nothing arrives before it is over.
const MAX_GAP: Duration = Duration::from_secs(60);

/// The definition of the framing.
pub(super) const GAP: FramingKind = FramingKind {
    usage: "gap:TIME",
    parse: |text| {
        let gap = time(text).ok_or("expected a time of silence, such as gap:20ms")?;
        if gap < MIN_GAP {
            return Err(
                "expected at least 5ms: USB delivers bytes in steps of 1 ms and systems wake \
                 programs late, so shorter pauses are not the board's"
                    .to_owned(),
            );
        }
        if gap > MAX_GAP {
            return Err("expected at most 60s: a frame arrives only after its gap".to_owned());
        }
        let framer =
            move |max_frame| Box::new(CutFramer::new(SilenceCutter::new(gap), max_frame)) as _;
        Ok(Framing::new(shown(gap), framer).of_bytes())
    },
};

/// Reads a time such as `20ms` or `1s`.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, Duration::from_millis(1)),
        None => (text.strip_suffix('s')?, Duration::from_secs(1)),
    };
    let is_number = number.starts_with(|c: char| c.is_ascii_digit());
    let number: f64 = number.parse().ok().filter(|_| is_number)?;
    Duration::try_from_secs_f64(number * unit.as_secs_f64()).ok()
}

fn shown(gap: Duration) -> String {
    match gap.subsec_nanos() {
        0 => format!("gap:{}s", gap.as_secs()),
        _ => format!("gap:{}ms", gap.as_secs_f64() * 1000.0),
    }
}

/// Ends frames by silence.
struct SilenceCutter {
    gap: Duration,
    begins: bool,
}

impl SilenceCutter {
    fn new(gap: Duration) -> Self {
        Self { gap, begins: true }
    }
}

impl Cutter for SilenceCutter {
    fn begin(&mut self, starts_whole: bool) {
        self.begins = starts_whole;
    }

    fn find(&mut self, _uncut: &[u8]) -> StreamHead {
        StreamHead::Unfinished {
            content: 0,
            begins: self.begins,
        }
    }

    fn is_missed(&self) -> bool {
        !self.begins
    }

    fn silence(&self, uncut: &[u8]) -> Option<Duration> {
        (!uncut.is_empty()).then_some(self.gap)
    }

    fn on_silence(&mut self, uncut: &[u8]) -> StreamHead {
        let begins = std::mem::replace(&mut self.begins, true);
        StreamHead::Frame {
            content: 0..uncut.len(),
            taken: uncut.len(),
            soundness: Soundness { begins, ends: true },
        }
    }
}
