//! Listens at other rates on an open device, as the search for its rate decides. What comes while the
//! rate is wrong is published as it was read, but no line of it.

use std::io;

use bytes::Bytes;
use tokio::time::Instant;

use super::backlog::Backlog;
use super::closing::End;
use super::config::{DataKind, PortConfig};
use super::connection::Connection;
use super::diagnostics::{Expectations, Hints};
use super::rate::{Decision, KnownRates, RateSearch};
use super::settings::PortSettings;
use super::source::OpenedDevice;
use super::writing;
use crate::hub::{Action, Data, ErrorCode, IncompleteUtf8, Kind, LineSettings, Request, Timestamp};

/// A search for the rate of the open device.
pub(super) struct RateTour {
    search: RateSearch,
    /// True once it has listened at another rate.
    is_under_way: bool,
    /// The framing errors that the driver had counted.
    errors: Option<u32>,
    /// The unfinished character at the end of what came at a wrong rate.
    split: IncompleteUtf8,
}

impl RateTour {
    /// Begins with a device that was just opened, at the rate that was found for it before, unless
    /// there is no rate to be found or somebody has chosen one.
    pub(super) fn begin(
        config: &PortConfig,
        settings: &mut PortSettings,
        rates: &KnownRates,
        opened: &mut OpenedDevice,
    ) -> Option<Self> {
        let current = settings.current();
        let Some(line_end) = line_end(config, settings, opened.finds_rate) else {
            settings.end_search();
            return None;
        };
        let known = rates.of(&opened.info);
        let mut baud = known.unwrap_or(config.line.baud);
        let is_other = baud != current.baud;
        if is_other
            && opened
                .device
                .configure(&LineSettings { baud, ..current })
                .is_err()
        {
            baud = current.baud;
        }
        settings.detect(baud, known == Some(baud));
        let now = Instant::now();
        let mut search = RateSearch::new(baud, line_end, now);
        if is_other {
            // Bytes may come that were received before.
            search.is_set(now);
        }
        Some(Self::new(search))
    }

    fn new(search: RateSearch) -> Self {
        Self {
            search,
            is_under_way: false,
            errors: None,
            split: IncompleteUtf8::default(),
        }
    }

    /// Returns when to call [`Connection::on_tour_deadline`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.search.deadline()
    }
}

/// Returns the byte that ends a line, if the rate of a device is to be found by lines of text.
fn line_end(config: &PortConfig, settings: &PortSettings, finds_rate: bool) -> Option<u8> {
    let is_wanted = config.expects != DataKind::Bytes && settings.may_detect_rate();
    config.frame.line_end().filter(|_| is_wanted && finds_rate)
}

impl Connection<'_> {
    /// Begins the search for the rate anew, at the rate in force, if a client asked for it. Ends it if
    /// the client has chosen a rate.
    pub(super) fn renew_tour(&mut self, before: LineSettings, now: Instant) {
        let baud = self.settings.current().baud;
        let line_end = line_end(self.config, self.settings, self.finds_rate);
        self.tour = line_end.map(|line_end| {
            let mut search = RateSearch::new(baud, line_end, now);
            if baud != before.baud {
                // Bytes may come that were received before.
                search.is_set(now);
            }
            RateTour::new(search)
        });
        match self.tour {
            Some(_) => self.settings.detect(baud, false),
            None => self.settings.end_search(),
        }
    }

    /// Begins a request, or holds it while the rate may be wrong. One that sets the rate ends the
    /// search for it.
    pub(super) fn begin_or_hold(&mut self, request: Request) -> Option<End> {
        let now = Instant::now();
        if let Action::Settings(change) = request.action
            && change.baud.is_some()
        {
            self.give_up_tour(now);
        } else if let Some(tour) = &mut self.tour
            && tour.search.is_touring()
        {
            tour.search.hold(now);
            self.held = Some(request);
            return None;
        }
        self.begin(request)
    }

    /// Returns true if nothing is to be written now.
    pub(super) fn holds_writes(&self) -> bool {
        self.held.is_some() || self.is_touring()
    }

    /// Returns true if a request is to be taken, and held until the tour is over.
    pub(super) fn takes_request(&self) -> bool {
        self.held.is_none() && self.change.is_none() && self.is_touring()
    }

    /// Takes the request that was held, if the tour is over.
    pub(super) fn take_held(&mut self) -> Option<Request> {
        if self.is_touring() {
            return None;
        }
        let request = self.held.take()?;
        if let Some(tour) = &mut self.tour {
            tour.search.release();
        }
        Some(request)
    }

    fn is_touring(&self) -> bool {
        self.tour
            .as_ref()
            .is_some_and(|tour| tour.search.is_touring())
    }

    /// Publishes what was read while a search goes on.
    pub(super) fn receive_in_search(&mut self, chunk: Bytes, at: Timestamp, now: Instant) {
        let Some(tour) = &mut self.tour else { return };
        let is_wrong = tour.search.is_wrong(now);
        let errors = self.transfer.device.line_errors().map(|it| it.framing);
        let before = std::mem::replace(&mut tour.errors, errors);
        let has_errors = errors.map(|errors| before.is_some_and(|before| before != errors));
        let decision = tour.search.heard(&chunk, has_errors, now);
        let ends_line = chunk.last() == Some(&tour.search.line_end());
        if is_wrong {
            let split = tour.split;
            tour.split = split.after(&chunk);
            let is_right =
                decision.is_none_or(|it| it == Decision::Keep) && !tour.search.is_wrong(now);
            let data = Data {
                chunk,
                split,
                ..Data::default()
            };
            self.hub.publish(at, Kind::Data(data));
            if is_right {
                let split = self
                    .tour
                    .as_mut()
                    .map(|tour| std::mem::take(&mut tour.split));
                self.flush(split.unwrap_or_default());
                self.begin_lines(&self.settings.current(), ends_line, now);
            }
        } else {
            self.receive(chunk, at, now);
        }
        if let Some(decision) = decision {
            self.carry_out(decision, now);
        }
    }

    /// Goes on with a search whose deadline has passed.
    pub(super) fn on_tour_deadline(&mut self, now: Instant) {
        let tour = self.tour.as_mut();
        if let Some(decision) = tour.and_then(|tour| tour.search.on_deadline(now)) {
            self.carry_out(decision, now);
        }
    }

    /// Ends the search, and goes back to the rate at which it began.
    pub(super) fn give_up_tour(&mut self, now: Instant) {
        if let Some(tour) = &self.tour {
            self.carry_out(Decision::GiveUp(tour.search.start()), now);
        }
    }

    /// Notes that the connection ends. The next opening begins at the rate of this one.
    pub(super) fn end_tour(&mut self, reason: &str) {
        let tour = self.tour.take().filter(|tour| tour.search.is_touring());
        if let Some(tour) = tour {
            self.settings.detect(tour.search.start(), false);
        }
        if let Some(request) = self.held.take() {
            writing::refuse(request, reason, Some(ErrorCode::Gone));
        }
    }

    fn carry_out(&mut self, decision: Decision, now: Instant) {
        match decision {
            Decision::Keep => self.keep_rate(),
            Decision::GiveUp(baud) => self.give_up(baud, now),
            Decision::Listen(baud) => match &mut self.tour {
                Some(tour) if self.hub.wants_bytes() && tour.is_under_way => {
                    self.give_up_tour(now);
                }
                Some(tour) if self.hub.wants_bytes() || self.writer.is_busy() => {
                    tour.search.postpone(self.settings.current().baud);
                }
                _ => self.listen(baud, now),
            },
        }
    }

    /// Listens at a rate, or at the next one that the driver takes.
    fn listen(&mut self, mut baud: u32, now: Instant) {
        let before = self.settings.current().baud;
        self.begin_stream(false, now);
        loop {
            let outcome = self.set_rate(baud);
            let Some(tour) = &mut self.tour else { return };
            match outcome {
                Ok(true) => {
                    tracing::debug!(
                        port = self.config.name,
                        before,
                        baud,
                        "listening at another rate"
                    );
                    tour.is_under_way = true;
                    return tour.search.is_set(now);
                }
                Ok(false) => baud = tour.search.pass_over(),
                // The device has gone, which reading tells.
                Err(_) => return tour.search.postpone(before),
            }
        }
    }

    /// Sets the rate, and returns whether the driver took it.
    ///
    /// # Errors
    /// If the driver does not take the rate before again either.
    fn set_rate(&mut self, baud: u32) -> io::Result<bool> {
        let before = self.settings.current();
        let wanted = LineSettings {
            baud,
            baud_auto: true,
            baud_detected: false,
            ..before
        };
        let lines = self.writer.lines;
        let device = &mut *self.transfer.device;
        if device.configure(&lines.within(wanted)).is_err() {
            device.configure(&lines.within(before))?;
            return Ok(false);
        }
        self.settings.detect(baud, false);
        self.writer.settings = wanted;
        self.backlog = Backlog::new(&wanted, Instant::now());
        Ok(true)
    }

    /// Keeps the rate in force until the device is closed.
    fn keep_rate(&mut self) {
        let tour = self.tour.take();
        self.settings.detect(self.settings.current().baud, true);
        let settings = self.settings.current();
        self.writer.settings = settings;
        if let Some(device) = &self.status.device {
            self.rates.remember(device, settings.baud);
        }
        let is_news = self.publish_rate();
        if is_news && tour.is_some_and(|tour| tour.is_under_way) {
            tracing::info!(port = self.config.name, "{}", self.status.detail);
        }
    }

    /// Goes back to the rate at which the search began, and searches no more.
    fn give_up(&mut self, baud: u32, now: Instant) {
        let Some(tour) = self.tour.take() else { return };
        if !tour.is_under_way {
            return self.settings.end_search();
        }
        let is_set = self.set_rate(baud);
        self.settings.end_search();
        tracing::debug!(port = self.config.name, baud, ?is_set, "no other rate fits");
        self.flush(tour.split);
        let settings = self.settings.current();
        self.begin_lines(&settings, false, now);
        if tour.search.is_exhausted() {
            let expectations = Expectations::new(self.config, &settings, self.has_rate);
            self.hints = Hints::new(expectations.at_no_rate());
        }
        self.publish_rate();
    }

    /// Publishes the end of a character that never came.
    fn flush(&self, split: IncompleteUtf8) {
        if !split.is_empty() {
            let data = Data {
                split,
                ..Data::default()
            };
            self.hub.publish(Timestamp::now(), Kind::Data(data));
        }
    }

    /// Publishes the rate in force. Returns false if clients know it.
    fn publish_rate(&mut self) -> bool {
        let settings = self.settings.current();
        let status = self.at_settings(self.status.clone(), settings);
        let is_news = !self.status.says_the_same(&status);
        self.status = status;
        self.publish_status();
        is_news
    }
}

#[cfg(test)]
mod tests;
