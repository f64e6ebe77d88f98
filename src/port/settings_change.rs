//! Changing the line settings of an open device: waits until what was written before has left, then
//! makes the whole change or nothing of it. What comes after it joins nothing from before.

use std::time::Duration;

use tokio::time::Instant;

use super::backlog::Backlog;
use super::closing::End;
use super::connection::Connection;
use super::modem_lines::{self, LineState, Sequence};
use crate::hub::{
    Action, BaudChange, LineSettings, Request, RequestError, SettingsChange, State, Status,
};
use crate::platform::reason;

/// The time after which it is looked again whether all was sent and read.
const RECHECK_DELAY: Duration = Duration::from_millis(2);

/// The longest time to wait for what was written before, beyond the time that it takes on the line.
/// Flow control may stop it for good, and that may be what is to be changed.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// The longest time to wait for the answer of the other end of a connection. pyserial waits as long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// A change under way.
pub(super) struct PendingChange {
    request: Request,
    wanted: LineSettings,
    /// The changes of the modem lines.
    lines: Sequence,
    /// The time to make the change, or to look again.
    pub(super) due: Instant,
    /// The time to go on whatever happens.
    end: Instant,
    /// The state before, once the change was made and only waits for the device's answer.
    before: Option<StateBefore>,
}

/// The state to return to if a change fails.
#[derive(Clone, Copy)]
struct StateBefore {
    settings: LineSettings,
    lines: LineState,
    /// True if more than the modem lines was changed.
    is_configured: bool,
}

impl PendingChange {
    /// Returns true if fixed settings return by it, which nothing but closing the device keeps them
    /// from.
    pub(super) fn is_return(&self) -> bool {
        self.request.action == Action::ReturnSettings
    }

    /// Returns true while it can still be dropped without a trace.
    pub(super) fn is_droppable(&self) -> bool {
        !self.is_return() && self.before.is_none()
    }

    /// Tells the client that nothing was changed.
    pub(super) fn give_up(self, reason: &str) {
        Self::refuse(self.request, reason);
    }

    /// Refuses a change that was not begun.
    pub(super) fn refuse(request: Request, reason: &str) {
        let reason = format!("{reason} before the settings were changed");
        request.end(Err(RequestError::new(reason)));
    }
}

impl Connection<'_> {
    /// Begins a request that waited its turn.
    pub(super) fn begin(&mut self, request: Request) -> Option<End> {
        match request.action {
            Action::Settings(change) => self.begin_change(change, request),
            Action::SaveSettings => {
                if let Some(term) = request.term {
                    let lines = self.writer.lines;
                    self.settings.save(term, (lines.dtr, lines.rts));
                }
                request.done();
                None
            }
            Action::ReturnSettings => self.begin_return(request),
            _ => {
                if request.action.is_question() {
                    self.transfer.read_first();
                }
                self.writer.begin(request, &mut *self.transfer.device);
                None
            }
        }
    }

    /// Begins a change of settings, if the client may make it. Returns the reason to end, if it is
    /// one.
    fn begin_change(&mut self, change: SettingsChange, request: Request) -> Option<End> {
        let wanted = match self.settings.changed(&change, request.term.is_some()) {
            Ok(wanted) => self.at_known_rate(change, wanted),
            Err(error) => {
                request.end(Err(error));
                return None;
            }
        };
        let lines = self.writer.lines.changes_to(change.dtr, change.rts);
        self.begin_wanted(request, wanted, lines)
    }

    /// Returns what a change makes of the settings. A search for the rate begins at the one that was
    /// found for the board.
    fn at_known_rate(&self, change: SettingsChange, wanted: LineSettings) -> LineSettings {
        let device = self.status.device.as_deref();
        let known = device.and_then(|device| self.rates.of(device));
        let known = known.filter(|_| change.baud == Some(BaudChange::Auto));
        LineSettings {
            baud: known.unwrap_or(wanted.baud),
            ..wanted
        }
    }

    /// Gives settings and lines their values back if the write lock under which they were changed has
    /// ended.
    fn begin_return(&mut self, request: Request) -> Option<End> {
        let Some((wanted, (dtr, rts))) = self.settings.to_return(self.hub.queue.lock_term()) else {
            request.done();
            return None;
        };
        let lines = self.writer.lines.changes_to(dtr, rts);
        if wanted == self.settings.current() && lines.is_empty() {
            self.settings.give_back();
        }
        self.begin_wanted(request, wanted, lines)
    }

    fn begin_wanted(
        &mut self,
        request: Request,
        wanted: LineSettings,
        lines: Sequence,
    ) -> Option<End> {
        let current = self.settings.current();
        let baud = request.action.baud_change();
        if wanted == current && lines.is_empty() && baud != Some(BaudChange::Auto) {
            self.settings.choose(wanted, baud, request.term);
            request.done();
            return None;
        }
        let now = Instant::now();
        let is_format = self.has_rate && !wanted.has_same_format(&current);
        let due = if is_format {
            self.backlog.idle_at(now, || self.transfer.device.unsent())
        } else {
            now
        };
        self.change = Some(PendingChange {
            request,
            wanted,
            lines,
            due,
            end: due + if is_format { MAX_DELAY } else { Duration::ZERO },
            before: None,
        });
        self.go_on_changing(now)
    }

    /// Makes the change that is under way if it is due, unless something written before is still to
    /// be sent, or something that came before is still to be read. Once it is made, waits for the
    /// device's answer. Returns the reason to end, if it is one.
    pub(super) fn go_on_changing(&mut self, now: Instant) -> Option<End> {
        let mut change = self.change.take_if(|change| change.due <= now)?;
        let device = &mut self.transfer.device;
        let is_waiting = match change.before {
            Some(_) => device.awaits_settings(),
            None => {
                let has_unsent = device.unsent().is_some_and(|count| count > 0);
                has_unsent || self.last_read.is_some() && device.has_input()
            }
        };
        if now < change.end && is_waiting {
            change.due = now + RECHECK_DELAY;
            self.change = Some(change);
            return None;
        }
        match change.before {
            Some(before) => self.finish_change(change, before),
            None => self.make_change(change, now),
        }
    }

    fn make_change(&mut self, mut change: PendingChange, now: Instant) -> Option<End> {
        let wanted = change.wanted;
        let settings = self.settings.current();
        let is_configured = !(LineSettings {
            dtr: settings.dtr,
            rts: settings.rts,
            ..wanted
        })
        .sets_the_same(&settings);
        let before = StateBefore {
            settings,
            lines: self.writer.lines,
            is_configured,
        };
        let device = &mut *self.transfer.device;
        let mut outcome = Ok(());
        if is_configured {
            let wanted = before.lines.within(wanted);
            outcome = device
                .configure(&wanted)
                .map_err(|error| format!("cannot change the settings: {}", reason(&error)));
        }
        for (_, line) in std::mem::take(&mut change.lines) {
            outcome = outcome.and_then(|()| {
                let changed = self.writer.lines.change(device, line);
                changed.map_err(|error| modem_lines::refusal(line, &error))
            });
        }
        if let Err(reason) = outcome {
            return self.fail_change(change, before, &reason);
        }
        if is_configured && device.awaits_settings() {
            change.before = Some(before);
            (change.due, change.end) = (now + RECHECK_DELAY, now + ANSWER_TIMEOUT);
            self.change = Some(change);
            return None;
        }
        self.finish_change(change, before)
    }

    /// Goes on with the settings that were wanted, if the device has them.
    fn finish_change(&mut self, change: PendingChange, before: StateBefore) -> Option<End> {
        let wanted = change.wanted;
        if before.is_configured {
            let in_force = self.transfer.device.settings_in_force(&wanted);
            if !in_force.sets_the_same(&wanted) {
                let reason = format!(
                    "cannot change the settings: asked for {wanted}, the device has {in_force}"
                );
                return self.fail_change(change, before, &reason);
            }
        }
        let baud = change.request.action.baud_change();
        match change.request.action {
            Action::ReturnSettings => self.settings.give_back(),
            _ => self.settings.choose(wanted, baud, change.request.term),
        }
        self.settings.prove();
        if baud.is_some() || !self.settings.may_detect_rate() {
            self.renew_tour(before.settings, Instant::now());
        }
        self.adopt(before.settings, self.settings.current());
        change.request.done();
        self.publish_status();
        None
    }

    /// Sets everything as it was before a change that failed. A device that refuses even that is
    /// opened again, which also puts fixed settings in force.
    fn fail_change(
        &mut self,
        change: PendingChange,
        before: StateBefore,
        why: &str,
    ) -> Option<End> {
        if change.is_return() {
            return Some(End::Lost(why.to_owned()));
        }
        change.request.end(Err(RequestError::new(format!(
            "{why}; the settings stay as they were"
        ))));
        let device = &mut *self.transfer.device;
        let mut outcome = Ok(());
        if before.is_configured {
            outcome = device.configure(&before.lines.within(before.settings));
        }
        let StateBefore { lines, .. } = before;
        for (_, line) in self.writer.lines.changes_to(lines.dtr, lines.rts) {
            outcome = outcome.and_then(|()| self.writer.lines.change(device, line));
        }
        outcome.err().map(|error| End::Lost(reason(&error)))
    }

    /// Goes on with other settings than before.
    fn adopt(&mut self, before: LineSettings, wanted: LineSettings) {
        self.writer.settings = wanted;
        let mut status = self.status.clone();
        if self.has_rate && !wanted.has_same_format(&before) {
            let now = Instant::now();
            let reason = "the settings were changed before the reply came";
            self.writer.end_question(RequestError::new(reason));
            self.begin_lines(&wanted, false, now);
            self.writer.is_first = true;
            self.backlog = Backlog::new(&wanted, now);
            status = Status::new(State::Open, "").with_device(status.device);
        }
        self.status = self.at_settings(status, wanted);
    }
}
