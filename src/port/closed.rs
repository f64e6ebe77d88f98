//! Answers requests while the port is closed: most are refused, and settings are kept for the next
//! opening.

use std::convert::Infallible;

use tokio::time::Instant;

use super::lease;
use super::supervisor::{Next, Supervisor};
use super::until;
use crate::hub::{Action, Hub, Request, RequestError, SettingsChange, Status};

impl Supervisor {
    /// Answers requests while the port is closed, until the deadline or a request to open it. The
    /// `borrower` is the client to which the port is leased while it is connected.
    pub(super) async fn wait_closed(
        &mut self,
        deadline: Option<Instant>,
        borrower: Option<u64>,
    ) -> Next {
        loop {
            let request = tokio::select! {
                biased;
                () = until(deadline) => return Next::Open(None),
                request = self.hub.queue.take_immediate() => request,
                request = self.hub.queue.take_any() => request,
            };
            match request.action {
                Action::Release(_) if borrower.is_some_and(|id| id != request.client) => {
                    request.end(Err(RequestError::new(lease::TAKEN)));
                }
                Action::Release(lease) => return Next::Lease(lease, request),
                Action::Return if borrower != Some(request.client) => request.end(Ok(0)),
                Action::Resume | Action::Return => return Next::Open(Some(request)),
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
                request.end(Ok(0));
            }
            Action::ReturnSettings => self.return_settings(),
            _ => refuse(&self.status, request),
        }
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
                request.end(Ok(0));
                self.publish_status(self.status.clone());
            }
            Err(reason) => request.end(Err(RequestError::new(reason))),
        }
    }
}

/// Refuses what waits its turn while the port is not open, and keeps changes of settings. Immediate
/// requests are for the open port.
pub(super) async fn refuse_all(
    hub: &Hub,
    status: &Status,
    settings: &mut Vec<Request>,
) -> Infallible {
    loop {
        sort_out(hub.queue.take_any().await, status, settings);
    }
}

/// Refuses a request that came before the device was open, or keeps it.
pub(super) fn sort_out(request: Request, status: &Status, settings: &mut Vec<Request>) {
    match request.action {
        Action::Settings(_) | Action::SaveSettings | Action::ReturnSettings => {
            settings.push(request);
        }
        _ => refuse(status, request),
    }
}

fn refuse(status: &Status, request: Request) {
    let reason = format!("the port is not open: {}", status.detail);
    request.end(Err(RequestError::new(reason)));
}
