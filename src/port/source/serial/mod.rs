//! Serial ports of this computer.
//!
//! `enumerate` lists the ports, and `boards` names the boards behind them. `find` finds the port to
//! open: `select` by its SPEC, `identity` if it was open before and comes back under another name.
//! `listing` lists the devices that clients could open, by the IDs of `device_id`, and `watcher` tells
//! when they change. `open` opens one with its baud rate and other settings. `os` has what differs between systems.
//! [`DeviceSelector`] makes a source of them.

pub(crate) mod boards;
mod device;
pub(crate) mod device_id;
pub(crate) mod enumerate;
pub(crate) mod find;
pub(crate) mod identity;
mod library;
pub(crate) mod listing;
pub(crate) mod open;
pub(crate) mod os;
pub(crate) mod select;
pub(crate) mod watcher;

use std::time::{Duration, Instant};

use super::spec::Spec;
use super::{OpenFailure, OpenedDevice, Opening, Source};
use crate::hub::{DeviceInfo, LineSettings, State, Status};
use crate::port::claims::{ClaimGuard, Claims};
use crate::port::config::PortConfig;
use crate::terminal::shown;
use enumerate::PortInfo;
use find::{FoundDevice, find};
use identity::Identity;
use open::{OpenPort, open};

/// The time that a board with a USB serial chip, which restarts when it is opened, may take until
/// its sketch listens: the bootloader comes first.
const BOOTLOADER_TIMEOUT: Duration = Duration::from_secs(2);

/// The detail of a status while several boards are here and no client has chosen one.
const CHOOSE: &str = "choose a board";

/// The device that a port wants, and what is known of it.
pub(crate) struct DeviceSelector {
    spec: Spec,
    /// True if a client chooses the board where several are here.
    may_be_chosen: bool,
    settings: LineSettings,
    /// True if the settings are not what the user gave.
    are_chosen: bool,
    claim: ClaimGuard,
    /// The device that was open last, and since when it has not been.
    last: Option<(Identity, Instant)>,
    /// True if the device has gone, or was looked for and not there, so that nothing waits in the
    /// system from before when it comes.
    was_absent: bool,
}

impl DeviceSelector {
    /// Knows only what the user typed, and claims it.
    pub(crate) fn new(config: &PortConfig, claims: &Claims) -> Self {
        Self {
            spec: config.spec.clone(),
            may_be_chosen: config.may_be_chosen,
            settings: config.line,
            are_chosen: false,
            claim: claims.add(&config.name, &config.spec),
            last: None,
            was_absent: false,
        }
    }

    async fn find_and_open(&mut self) -> Result<OpenedDevice, OpenFailure> {
        let (spec, settings, last) = (self.spec.clone(), self.settings, self.last.clone());
        let others = self.claim.others();
        // Looking for devices and opening them may block.
        let (discards, are_chosen) = (!self.was_absent, self.are_chosen);
        let opening = tokio::task::spawn_blocking(move || -> Result<_, OpenFailure> {
            let found = find(&spec, last.as_ref(), &others)?;
            let device = open(&found, settings, are_chosen, discards)?;
            Ok((found, device))
        });
        match opening.await {
            Ok(Ok((found, device))) => Ok(self.opened(found, device)),
            Ok(Err(failure)) => {
                self.was_absent |= failure.is_absent;
                if failure.is_ambiguous && self.may_be_chosen {
                    let status = Status::new(State::Waiting, CHOOSE);
                    return Err(status.with_hint(failure.status.detail).into());
                }
                Err(failure)
            }
            Err(panic) => Err(OpenFailure::waiting(format!(
                "cannot open {}: {panic}",
                self.spec
            ))),
        }
    }

    fn opened(&mut self, found: FoundDevice, device: OpenPort) -> OpenedDevice {
        self.claim
            .update(Some(found.path.clone()), found.identity.clone());
        self.was_absent = false;
        let listed = found.listed.as_ref();
        let restarts = listed.and_then(PortInfo::is_native_usb) == Some(false);
        let info = DeviceInfo {
            path: found.path,
            board: listed.and_then(PortInfo::board).map(|board| shown(&board)),
            usb: listed.and_then(PortInfo::usb_spec),
            low_latency: device.low_latency,
        };
        self.last = found.identity.map(|identity| (identity, Instant::now()));
        OpenedDevice {
            device: Box::new(device.stream),
            detail,
            info,
            starts_whole: device.was_silent,
            gathers: device.gathers,
            has_rate: listed.is_none_or(PortInfo::has_rate),
            finds_rate: listed.is_some_and(PortInfo::is_uart),
            settle: if restarts {
                BOOTLOADER_TIMEOUT
            } else {
                Duration::ZERO
            },
        }
    }
}

impl Source for DeviceSelector {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(self.find_and_open())
    }

    fn set_settings(&mut self, settings: LineSettings, are_chosen: bool) {
        (self.settings, self.are_chosen) = (settings, are_chosen);
    }

    fn release(&mut self, has_gone: bool) {
        self.was_absent |= has_gone;
        if let Some((_, since)) = &mut self.last {
            *since = Instant::now();
        }
        let identity = self.last.as_ref().map(|(identity, _)| identity.clone());
        self.claim.update(None, identity);
    }

    fn lost_hint(&self) -> &'static str {
        "Plug it in again"
    }
}

fn detail(info: &DeviceInfo, settings: &LineSettings) -> String {
    let rate = settings.rate_for_people();
    let DeviceInfo { path, board, .. } = info;
    match board {
        Some(board) => format!("{path} is open ({board}, {rate})"),
        None => format!("{path} is open ({rate})"),
    }
}
