//! Reports why the port is closed, and answers requests meanwhile: most are refused, and settings are
//! kept for the next opening.

use std::convert::Infallible;

use tokio::time::Instant;

use super::device::DeviceStatus;
use super::lease;
use super::settings::PortSettings;
use super::supervisor::{Next, Supervisor};
use crate::deadline::until;
use crate::hub::{Action, Done, Hub, Lease, Request, RequestError, SettingsChange, State, Status};

impl Supervisor {
    /// Answers requests while the port is closed, until the deadline or a request to open it. `leased`
    /// is the lease that has closed it, and the client that asked for that.
    pub(super) async fn wait_closed(
        &mut self,
        deadline: Option<Instant>,
        leased: Option<(Lease, u64)>,
    ) -> Next {
        let lender = leased.map(|(_, client)| client);
        let borrower = match leased {
            Some((Lease::WhileConnected, client)) => Some(client),
            _ => None,
        };
        loop {
            let request = tokio::select! {
                biased;
                () = until(deadline) => return Next::Open(None),
                request = self.hub.queue.take_immediate() => request,
                request = self.hub.queue.take_any() => request,
            };
            match request.action {
                Action::Release(_) if borrower.is_some_and(|id| id != request.client) => {
                    request.end(Err(lease::taken()));
                }
                Action::Release(lease) => return Next::Lease(lease, request),
                Action::Return if borrower != Some(request.client) => request.done(),
                Action::Resume(Some(client)) if lender.is_some_and(|lender| lender != client) => {
                    request.end(Err(lease::released_by_another()));
                }
                Action::Resume(_) | Action::Return => return Next::Open(Some(request)),
                _ => self.answer_closed(request),
            }
        }
    }

    /// Answers a request that leaves the port closed: keeps a change of settings, and refuses others.
    pub(super) fn answer_closed(&mut self, request: Request) {
        match request.action {
            Action::Settings(change) => self.change_closed(change, request),
            Action::SaveSettings => {
                if let Some(term) = request.term {
                    self.settings.save(term, (None, None));
                }
                request.done();
            }
            Action::ReturnSettings => self.return_settings(),
            _ => refuse(&self.status, request),
        }
    }

    /// Reports that the device was lost.
    pub(super) fn report_loss(&mut self, reason: &str) {
        self.was_lost = true;
        let device = self.status.device.clone();
        let path = device.as_ref().map_or("", |device| &device.path);
        let status = Status::new(State::Lost, format!("{path} was lost: {reason}"));
        self.say(&status);
        let hint = self.source.lost_hint();
        self.publish_status(status.with_hint(hint).with_device(device));
    }

    /// Logs that the device was opened or lost: once a minute where that happens again and again.
    pub(super) fn say(&self, status: &Status) {
        let (port, text) = (&self.config.name, &status.detail);
        let is_open = status.state == State::Open;
        match (self.source.keeps_ending(), is_open) {
            (false, true) => tracing::info!(port, "{text}"),
            (false, false) => tracing::warn!(port, "{text}"),
            (true, true) => self.log.connection(port, text, format_args!("{text}")),
            (true, false) => self.log.trouble(port, text, format_args!("{text}")),
        }
    }

    /// Reports a device that is not open, as a recording tells it.
    pub(super) fn report_told(&mut self, told: DeviceStatus) {
        self.was_lost |= told.state == State::Lost;
        let status = Status::new(told.state, told.detail).with_hint(told.hint);
        tracing::info!(port = self.config.name, "{}", status.detail);
        let device = self.status.device.clone();
        self.publish_status(status.with_device(device));
    }

    /// Gives settings their values back if the write lock under which they were changed has ended.
    pub(super) fn return_settings(&mut self) {
        let term = self.hub.queue.lock_term();
        if self.settings.to_return(term).is_some() {
            self.settings.give_back();
            self.publish_status(self.status.clone());
        }
    }

    /// Changes the settings for the next opening, if the client may.
    fn change_closed(&mut self, change: SettingsChange, request: Request) {
        match self.settings.changed(&change, request.term.is_some()) {
            Ok(wanted) => {
                self.settings.choose(wanted, change.baud, request.term);
                request.done();
                self.publish_status(self.status.clone());
            }
            Err(error) => request.end(Err(error)),
        }
    }
}

/// Refuses what waits its turn while the port is not open, and keeps changes of settings. Immediate
/// requests are for the open port.
pub(super) async fn refuse_all(
    hub: &Hub,
    status: &Status,
    settings: &PortSettings,
    changes: &mut Vec<Request>,
) -> Infallible {
    loop {
        sort_out(hub.queue.take_any().await, status, settings, changes);
    }
}

/// Answers an immediate request while the device is awaited. Returns what to do instead, if it is to be
/// left to another program.
pub(super) fn answer_immediate(request: Request, status: &Status) -> Option<Next> {
    match request.action {
        Action::Release(lease) => return Some(Next::Lease(lease, request)),
        // It is awaited already, or it is not this client's.
        Action::Resume(_) | Action::Return => request.done(),
        _ => refuse(status, request),
    }
    None
}

/// Refuses a request that came before the device was open, or keeps it among the `changes` of
/// settings. Those that nobody can change need no device for an answer.
pub(super) fn sort_out(
    request: Request,
    status: &Status,
    settings: &PortSettings,
    changes: &mut Vec<Request>,
) {
    match request.action {
        Action::Settings(change) if settings.are_final() => {
            let changed = settings.changed(&change, false);
            request.end(changed.map(|_| Done::Written(0)));
        }
        Action::SaveSettings | Action::ReturnSettings if settings.are_final() => {
            request.done();
        }
        Action::Settings(_) | Action::SaveSettings | Action::ReturnSettings => {
            changes.push(request);
        }
        _ => refuse(status, request),
    }
}

fn refuse(status: &Status, request: Request) {
    let reason = format!("the port is not open: {}", status.detail);
    request.end(Err(RequestError::new(reason)));
}
