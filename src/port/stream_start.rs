//! Decides whether the first line after an opening or a restart of the board counts as whole. Pure:
//! it is told the time, and when a read found nothing.
//!
//! A first line counts as whole if the device was seen to be silent right before its first byte,
//! for longer than its adapter may gather what it receives. Else its beginning may have been
//! missed. The time alone does not tell: on a busy machine a byte may have come long before it is
//! read. The first write is held for that silence, so that the answer to it is whole.

use std::time::Duration;

use tokio::time::Instant;

use crate::hub::LineSettings;

/// The silence of a device that hands over at once what it receives: a few USB frames.
const SILENCE: Duration = Duration::from_millis(5);

/// The silence of any other: FTDI's adapters gather for up to 16 ms.
const GATHERING_SILENCE: Duration = Duration::from_millis(20);

/// The pause, in characters, that no device makes within a line without meaning to.
const MIN_CHARACTERS: u32 = 5;

/// Returns the silence before a first byte that shows it to begin a line.
pub(crate) fn silence(settings: &LineSettings, gathers: bool) -> Duration {
    let gathered = if gathers { GATHERING_SILENCE } else { SILENCE };
    let bits = settings.bits_per_byte() * MIN_CHARACTERS;
    gathered.max(Duration::from_secs(1) * bits / settings.baud.max(1))
}

/// The beginning of a device's stream, or of what the board sends after a restart.
pub(crate) struct StreamStart {
    /// The silence that shows the next byte to begin a line.
    silence: Duration,
    phase: Phase,
    /// The time to look whether the device is silent; None if it has come or is not needed.
    look: Option<Instant>,
    /// The time since which nothing was read; None if the device has not spoken at all.
    quiet_since: Option<Instant>,
    /// True as long as nothing was read, but something may be on its way.
    awaits_first: bool,
}

/// The part of its stream that a device is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It was just opened, and nothing was read.
    New,
    /// The board may have restarted. What it sent before that arrives until this time, if not
    /// later.
    Restarted(Instant),
    /// The beginning is over.
    Running,
}

impl StreamStart {
    /// Starts with a device that was just opened. Its first byte begins a line if it
    /// `starts_whole`, or if it is silent from now on.
    pub(crate) fn new(silence: Duration, starts_whole: bool, now: Instant) -> Self {
        Self {
            silence,
            phase: if starts_whole {
                Phase::Running
            } else {
                Phase::New
            },
            look: (!starts_whole).then(|| now + silence),
            quiet_since: (!starts_whole).then_some(now),
            awaits_first: !starts_whole,
        }
    }

    /// Notes that the modem lines may have restarted the board, and that nothing is there to be
    /// read. Returns true if what comes now begins a line.
    pub(crate) fn restarted(&mut self, now: Instant) -> bool {
        let is_long = |since| now.duration_since(since) >= self.silence;
        let is_silent = self.quiet_since.is_none_or(is_long);
        let end = now + self.silence;
        self.phase = Phase::Restarted(end);
        self.look = Some(end);
        self.awaits_first = !is_silent;
        is_silent
    }

    /// Notes that something was read. Returns true if it certainly came after the start.
    pub(crate) fn read(&mut self, ends_line: bool, now: Instant) -> bool {
        let has_started = self.phase == Phase::Running;
        self.quiet_since = Some(now);
        self.awaits_first = false;
        match self.phase {
            Phase::Running => {}
            // Old and new may follow one another without a line end, so only silence parts them.
            Phase::Restarted(end) if now < end || !ends_line => {
                self.look = Some(now + self.silence);
            }
            Phase::New | Phase::Restarted(_) => self.end(),
        }
        has_started
    }

    /// Notes that a read found nothing when [`StreamStart::is_looking`]: what comes now begins a
    /// line.
    pub(crate) fn found_silence(&mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.phase = Phase::Running;
        self.look = None;
        self.awaits_first = false;
    }

    /// Returns true if it is time to look whether the device is silent.
    pub(crate) fn is_looking(&self) -> bool {
        self.phase != Phase::Running && self.look.is_none()
    }

    /// Returns true while an answer to a write would not count as whole.
    pub(crate) fn awaits_first(&self) -> bool {
        self.awaits_first
    }

    /// Returns when to call [`StreamStart::on_deadline`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.look
    }

    /// Goes on with what is due.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        self.look.take_if(|at| *at <= now);
    }
}
