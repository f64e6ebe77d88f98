//! Sequences of changes to a device's modem lines (DTR, RTS, break), such as the one that resets a
//! board. They run step by step while reading goes on.

use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::device::Device;
use crate::hub::{LineSettings, ModemLine, Request, RequestError};
use crate::platform::reason;

/// The time for which lines are held to reset a board. Its reset input needs far less, but USB adapters
/// pass on changes only every few milliseconds.
const RESET_DELAY: Duration = Duration::from_millis(100);

/// The time that a chip takes after a reset to read the pin that would select its bootloader.
const BOOT_PIN_DELAY: Duration = Duration::from_millis(50);

/// The shortest pause for which the port's task waits by a timer, which is exact to a millisecond. A
/// shorter one, such as the break of 0.1 ms that begins a frame of DMX, is slept through.
const MIN_TIMED_PAUSE: Duration = Duration::from_millis(2);

/// One change of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineChange {
    /// Set Data Terminal Ready.
    Dtr(bool),
    /// Set Request To Send.
    Rts(bool),
    /// Begin or end the break condition.
    Break(bool),
}

/// Changes to make one after another, each after its pause.
pub(crate) type Sequence = VecDeque<(Duration, LineChange)>;

/// The modem lines as they were set last, to tell which changes may restart a board.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineState {
    /// None as long as the system decides.
    pub(super) dtr: Option<bool>,
    /// The same.
    pub(super) rts: Option<bool>,
    /// True from a change that may have restarted the board until the port has dealt with it.
    pub(crate) has_restarted: bool,
}

impl LineState {
    /// Starts with a device that was opened with these settings.
    pub(crate) fn new(settings: &LineSettings) -> Self {
        Self {
            dtr: settings.dtr.level(),
            rts: settings.rts.level(),
            has_restarted: false,
        }
    }

    /// Returns `settings` with the lines as they are.
    pub(crate) fn within(&self, settings: LineSettings) -> LineSettings {
        LineSettings {
            dtr: self.dtr.map_or(ModemLine::Keep, ModemLine::from),
            rts: self.rts.map_or(ModemLine::Keep, ModemLine::from),
            ..settings
        }
    }

    /// Returns the changes that give the lines these levels, where they have others.
    pub(crate) fn changes_to(&self, dtr: Option<bool>, rts: Option<bool>) -> Sequence {
        let other = |wanted: Option<bool>, now| wanted.filter(|_| wanted != now);
        set(other(dtr, self.dtr), other(rts, self.rts))
    }

    /// Makes a change, and notes whether it may restart the board.
    pub(crate) fn change(&mut self, device: &mut dyn Device, change: LineChange) -> io::Result<()> {
        device.change_line(change)?;
        let before = *self;
        match change {
            LineChange::Dtr(on) => self.dtr = Some(on),
            LineChange::Rts(on) => self.rts = Some(on),
            LineChange::Break(_) => self.has_restarted = true,
        }
        self.has_restarted |= self.may_restart(before);
        Ok(())
    }

    /// Returns whether a board may restart at the change to these lines. An Arduino restarts when
    /// DTR is asserted, or RTS if that is what its adapter connects; an ESP32 is held in reset by
    /// RTS without DTR, and starts when that ends.
    fn may_restart(&self, before: Self) -> bool {
        let is_asserted = |now, before| now == Some(true) && before != Some(true);
        let is_held = |lines: &Self| lines.rts != Some(false) && lines.dtr != Some(true);
        is_asserted(self.dtr, before.dtr)
            || is_asserted(self.rts, before.rts)
            || is_held(self) != is_held(&before)
    }
}

/// A request whose sequence has begun.
pub(crate) struct Signalling {
    request: Request,
    /// The changes still to make.
    rest: Sequence,
    /// The time at which the first of them is due.
    pub(crate) due: Instant,
}

impl Signalling {
    /// Makes the first changes of `sequence` at once. Returns None if it is over: because it has no
    /// pauses, or because the device refuses it. The client hears of both.
    pub(crate) fn begin(
        request: Request,
        sequence: Sequence,
        lines: &mut LineState,
        device: &mut dyn Device,
    ) -> Option<Self> {
        let (rest, due) = (sequence, Instant::now());
        Self { request, rest, due }.go_on(lines, device)
    }

    /// Makes the changes that are due. Returns None if the sequence is over.
    pub(crate) fn go_on(mut self, lines: &mut LineState, device: &mut dyn Device) -> Option<Self> {
        while let Some((_, change)) = self.rest.pop_front() {
            if let Err(error) = lines.change(device, change) {
                self.give_up(lines, device, &refusal(change, &error));
                return None;
            }
            match self.rest.front() {
                Some((pause, _)) if *pause >= MIN_TIMED_PAUSE => {
                    self.due = Instant::now() + *pause;
                    return Some(self);
                }
                Some((pause, _)) => thread::sleep(*pause),
                None => {}
            }
        }
        self.request.done();
        None
    }

    /// Ends a break that was begun, and tells the client that the rest is not done.
    pub(crate) fn give_up(self, lines: &mut LineState, device: &mut dyn Device, reason: &str) {
        let end = LineChange::Break(false);
        if self.rest.iter().any(|(_, change)| *change == end) {
            // A device that has gone or knows no break has none to end.
            let _ = lines.change(device, end);
        }
        self.request.end(Err(RequestError::new(reason)));
    }
}

/// Returns the sentence about a change that the device refused.
pub(crate) fn refusal(change: LineChange, error: &io::Error) -> String {
    let what = match change {
        LineChange::Dtr(_) | LineChange::Rts(_) => "set the modem lines of",
        LineChange::Break(_) => "send a break to",
    };
    let reason = match (change, error.kind()) {
        (LineChange::Dtr(_) | LineChange::Rts(_), io::ErrorKind::Unsupported) => {
            "it seems to have none".to_owned()
        }
        _ => reason(error),
    };
    format!("cannot {what} this device: {reason}")
}

/// Sets the lines that are given. DTR is asserted first and released last: RTS alone holds some
/// boards in reset.
pub(crate) fn set(dtr: Option<bool>, rts: Option<bool>) -> Sequence {
    let changes = match dtr {
        Some(true) => [dtr.map(LineChange::Dtr), rts.map(LineChange::Rts)],
        _ => [rts.map(LineChange::Rts), dtr.map(LineChange::Dtr)],
    };
    let changes = changes.into_iter().flatten();
    changes.map(|change| (Duration::ZERO, change)).collect()
}

/// Sets the lines as the user wants them after opening.
pub(crate) fn opening(settings: &LineSettings) -> Sequence {
    set(settings.dtr.level(), settings.rts.level())
}

/// Releases the lines before closing, RTS first for the same reason. With `no_reset` they stay as
/// they are, because asserting them again would restart many boards.
pub(crate) fn closing(settings: &LineSettings) -> Sequence {
    if settings.no_reset {
        return Sequence::new();
    }
    let release = |line| (line != ModemLine::Keep).then_some(false);
    set(release(settings.dtr), release(settings.rts))
}

/// Holds the line in the break condition.
pub(crate) fn hold_break(time: Duration) -> Sequence {
    [
        (Duration::ZERO, LineChange::Break(true)),
        (time, LineChange::Break(false)),
    ]
    .into()
}

/// Resets the board, whichever way its lines are wired, and leaves them in their initial state.
///
/// An Arduino restarts when DTR is asserted. An ESP32 with the usual circuit is held in reset by
/// RTS without DTR and starts its sketch when both are released; DTR without RTS would select its
/// bootloader, so DTR is asserted only after the chip has read its pins (esptool's `reset.py`).
pub(crate) fn reset(settings: &LineSettings) -> Sequence {
    let mut sequence = Sequence::from([
        (Duration::ZERO, LineChange::Rts(true)),
        (Duration::ZERO, LineChange::Dtr(false)),
        (RESET_DELAY, LineChange::Rts(false)),
        (BOOT_PIN_DELAY, LineChange::Dtr(true)),
        (Duration::ZERO, LineChange::Rts(true)),
    ]);
    if settings.rts.level() == Some(false) {
        sequence.push_back((Duration::ZERO, LineChange::Rts(false)));
    }
    if settings.dtr.level() == Some(false) {
        sequence.push_back((RESET_DELAY, LineChange::Dtr(false)));
    }
    sequence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dtr: Option<bool>, rts: Option<bool>, expected: &[LineChange]) {
        let changes: Vec<LineChange> = set(dtr, rts).into_iter().map(|(_, it)| it).collect();
        assert_eq!(changes, expected);
    }

    /// Checks whether a board may restart at the change from the first lines to the others, each
    /// DTR and RTS: `1` asserted, `0` released, `?` unknown.
    #[track_caller]
    fn check_restart(before: &str, after: &str, expected: bool) {
        let [before, after] = [before, after].map(|text| {
            let mut levels = text.chars().map(|c| (c != '?').then_some(c == '1'));
            LineState {
                dtr: levels.next().unwrap(),
                rts: levels.next().unwrap(),
                has_restarted: false,
            }
        });
        assert_eq!(after.may_restart(before), expected);
    }

    #[test]
    fn changes_that_restart_some_board_are_known() {
        // An Arduino, by DTR or by RTS.
        check_restart("01", "11", true);
        check_restart("10", "11", true);
        check_restart("?1", "11", true);
        // An ESP32 goes into its reset, and comes out of it.
        check_restart("11", "01", true);
        check_restart("01", "00", true);
        // Nothing restarts.
        check_restart("11", "10", false);
        check_restart("10", "00", false);
        check_restart("11", "11", false);
        check_restart("00", "00", false);
    }

    #[test]
    fn rts_is_never_asserted_alone_on_the_way() {
        let (on, off) = (Some(true), Some(false));
        check(on, on, &[LineChange::Dtr(true), LineChange::Rts(true)]);
        check(off, off, &[LineChange::Rts(false), LineChange::Dtr(false)]);
        check(on, off, &[LineChange::Dtr(true), LineChange::Rts(false)]);
        check(None, off, &[LineChange::Rts(false)]);
        check(None, None, &[]);
    }
}
