//! What is done with a device's modem lines, step by step while reading goes on.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::device::Device;
use crate::hub::{LineSettings, ModemLine};
use crate::hub::{Request, RequestError};

/// How long the lines are held to restart a board. Its reset input needs far less, but USB
/// adapters pass on changes only every few milliseconds.
const PULSE: Duration = Duration::from_millis(100);

/// How long a restarted chip takes to look at the pin that would select its bootloader.
const STRAP: Duration = Duration::from_millis(50);

/// One thing to do, after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Set Data Terminal Ready.
    Dtr(bool),
    /// Set Request To Send.
    Rts(bool),
    /// Begin or end the break condition.
    Break(bool),
}

/// Things to do one after another, each after its pause.
pub(crate) type Script = VecDeque<(Duration, Act)>;

/// Does one of them.
///
/// # Errors
/// Where the device has no such line, or has gone.
pub(crate) fn act(device: &mut dyn Device, act: Act) -> io::Result<()> {
    match act {
        Act::Dtr(on) => device.set_dtr(on),
        Act::Rts(on) => device.set_rts(on),
        Act::Break(on) => device.set_break(on),
    }
}

/// A request that works the modem lines, at some point of its script.
pub(crate) struct Signalling {
    request: Request,
    script: Script,
    /// When the first act of the script is due.
    due: Instant,
}

impl Signalling {
    /// Begins at once.
    pub(crate) fn new(request: Request, script: Script) -> Self {
        let due = Instant::now();
        Self {
            request,
            script,
            due,
        }
    }

    /// When to go on.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Does what is due, and what need not wait after it; what remains, if anything.
    pub(crate) fn go_on(mut self, device: &mut dyn Device) -> Option<Self> {
        while let Some((_, next)) = self.script.pop_front() {
            if let Err(error) = act(device, next) {
                let what = match next {
                    Act::Dtr(_) | Act::Rts(_) => "does not let its modem lines be set",
                    Act::Break(_) => "sends no break",
                };
                self.give_up(device, &format!("this device {what}: {error}"));
                return None;
            }
            let pause = self
                .script
                .front()
                .map_or(Duration::ZERO, |(pause, _)| *pause);
            if pause > Duration::ZERO {
                self.due = Instant::now() + pause;
                return Some(self);
            }
        }
        self.request.end(Ok(0));
        None
    }

    /// Ends a break that was begun, and tells the client that the rest is not done.
    pub(crate) fn give_up(self, device: &mut dyn Device, reason: &str) {
        let end = Act::Break(false);
        if self.script.iter().any(|(_, next)| *next == end) {
            // Of a device that has gone or knows no break there is none to end.
            let _ = act(device, end);
        }
        self.request.end(Err(RequestError::new(reason)));
    }
}

/// Sets the lines that are given. DTR is asserted first and released last: RTS alone holds some
/// boards in reset.
pub(crate) fn set(dtr: Option<bool>, rts: Option<bool>) -> Script {
    let acts = match dtr {
        Some(true) => [dtr.map(Act::Dtr), rts.map(Act::Rts)],
        _ => [rts.map(Act::Rts), dtr.map(Act::Dtr)],
    };
    let acts = acts.into_iter().flatten();
    acts.map(|act| (Duration::ZERO, act)).collect()
}

/// The lines as the user wants them after opening.
pub(crate) fn opening(settings: &LineSettings) -> Script {
    set(wish(settings.dtr), wish(settings.rts))
}

/// Releases the lines before closing, RTS first for the same reason; asserting them again would
/// restart many boards.
pub(crate) fn closing(settings: &LineSettings) -> Script {
    if settings.no_reset {
        return Script::new();
    }
    let release = |line, act| (line != ModemLine::Keep).then_some((Duration::ZERO, act));
    let rts = release(settings.rts, Act::Rts(false));
    rts.into_iter()
        .chain(release(settings.dtr, Act::Dtr(false)))
        .collect()
}

/// Holds the line in the break condition.
pub(crate) fn hold_break(time: Duration) -> Script {
    [
        (Duration::ZERO, Act::Break(true)),
        (time, Act::Break(false)),
    ]
    .into()
}

/// Restarts the board, whichever way its lines are wired, and leaves them as they were set.
///
/// An Arduino restarts when DTR is asserted. An ESP32 with the usual circuit is held in reset by
/// RTS without DTR and starts its sketch when both are released; DTR without RTS would select its
/// bootloader, so DTR is asserted only when the chip has looked (esptool's `reset.py`).
pub(crate) fn reset(settings: &LineSettings) -> Script {
    let mut script = Script::from([
        (Duration::ZERO, Act::Rts(true)),
        (Duration::ZERO, Act::Dtr(false)),
        (PULSE, Act::Rts(false)),
        (STRAP, Act::Dtr(true)),
        (Duration::ZERO, Act::Rts(true)),
    ]);
    if wish(settings.rts) == Some(false) {
        script.push_back((Duration::ZERO, Act::Rts(false)));
    }
    if wish(settings.dtr) == Some(false) {
        script.push_back((PULSE, Act::Dtr(false)));
    }
    script
}

fn wish(line: ModemLine) -> Option<bool> {
    match line {
        ModemLine::On => Some(true),
        ModemLine::Off => Some(false),
        ModemLine::Keep => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dtr: Option<bool>, rts: Option<bool>, expected: &[Act]) {
        let acts: Vec<Act> = set(dtr, rts).into_iter().map(|(_, act)| act).collect();
        assert_eq!(acts, expected);
    }

    #[test]
    fn rts_is_never_asserted_alone_on_the_way() {
        let (on, off) = (Some(true), Some(false));
        check(on, on, &[Act::Dtr(true), Act::Rts(true)]);
        check(off, off, &[Act::Rts(false), Act::Dtr(false)]);
        check(on, off, &[Act::Dtr(true), Act::Rts(false)]);
        check(None, off, &[Act::Rts(false)]);
        check(None, None, &[]);
    }
}
