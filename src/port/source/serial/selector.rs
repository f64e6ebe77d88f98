//! Which device a port wants, what is known of it, and what opening it gives.

use std::time::{Duration, Instant};

use tokio_serial::SerialStream;

use super::enumerate::PortInfo;
use super::find::{Target, find};
use super::identity::Identity;
use super::open::{Failure, open};
use super::os;
use crate::hub::DeviceInfo;
use crate::hub::LineSettings;
use crate::port::config::PortConfig;
use crate::port::device::Device;
use crate::port::source::sim;
use crate::port::source::spec::Spec;
use crate::port::{Claims, with_claims};
use crate::terminal::shown;

/// How long a board with a USB serial chip, which restarts when it is opened, may take until its
/// sketch listens: the bootloader comes first.
const BOOTLOADER: Duration = Duration::from_secs(2);

/// A device that was opened.
pub(crate) struct Opened {
    /// The device.
    pub(crate) device: Box<dyn Device>,
    /// Which one it is.
    pub(crate) info: DeviceInfo,
    /// Whether it is a simulated one, for which a rate means nothing.
    pub(crate) is_simulated: bool,
    /// Whether its first byte begins a line.
    pub(crate) starts_whole: bool,
    /// How long to hold writes until the device has spoken.
    pub(crate) settle: Duration,
}

impl Opened {
    /// One sentence about it.
    pub(crate) fn sentence(&self, settings: &LineSettings) -> String {
        let DeviceInfo { path, board, .. } = &self.info;
        match (self.is_simulated, board) {
            (true, _) => format!("{path} is open (simulated)"),
            (false, Some(board)) => format!("{path} is open ({board}, {} baud)", settings.baud),
            (false, None) => format!("{path} is open ({} baud)", settings.baud),
        }
    }
}

/// Opens what a test has instead of a device.
#[cfg(test)]
pub(crate) type StandIn = Box<dyn FnMut() -> Result<Opened, Failure> + Send + Sync>;

/// Which device a port wants, and what is known of it.
pub(crate) struct Wanted {
    spec: Spec,
    settings: LineSettings,
    /// The name of the port, by which its claim is known among all.
    port: String,
    held: Claims,
    /// The device that was open last, and since when it has not been.
    last: Option<(Identity, Instant)>,
    /// Whether the device has gone, or was looked for and not there, so that it starts anew when
    /// it comes.
    was_absent: bool,
    /// What to open instead, where a test stands in for the system.
    #[cfg(test)]
    pub(crate) instead: Option<StandIn>,
}

impl Wanted {
    /// Nothing is known yet but what the user typed.
    pub(crate) fn new(config: &PortConfig, held: Claims) -> Self {
        let (spec, settings) = (config.spec.clone(), config.line);
        Self {
            spec,
            settings,
            port: config.name.clone(),
            held,
            last: None,
            was_absent: false,
            #[cfg(test)]
            instead: None,
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// Why it cannot be opened now.
    pub(crate) async fn open(&mut self) -> Result<Opened, Failure> {
        #[cfg(test)]
        if let Some(open) = &mut self.instead {
            return open();
        }
        match &self.spec {
            Spec::Sim(pattern) => match pattern.parse() {
                Ok(pattern) => return Ok(self.simulated(sim::open(pattern))),
                Err(unknown) => {
                    let unknown: sim::UnknownPattern = unknown;
                    return Err(Failure::hopeless(unknown.to_string(), ""));
                }
            },
            Spec::Loop => return Ok(self.simulated(sim::open_loop())),
            Spec::Path(_) | Spec::Usb { .. } | Spec::Auto => {}
        }
        let (spec, settings, last) = (self.spec.clone(), self.settings, self.last.clone());
        let others = with_claims(&self.held, |held| {
            let others = held.iter().filter(|claim| claim.port != self.port);
            others.cloned().collect::<Vec<_>>()
        });
        // Looking for devices and opening them may block.
        let opening = tokio::task::spawn_blocking(move || {
            let target = find(&spec, last.as_ref(), &others)?;
            let device = open(&target.path, settings)?;
            Ok((target, device))
        });
        match opening.await {
            Ok(Ok((target, device))) => Ok(self.opened(target, device).await),
            Ok(Err(failure)) => {
                let failure: Failure = failure;
                self.was_absent |= failure.is_absent;
                Err(failure)
            }
            Err(panic) => Err(Failure::waiting(format!(
                "cannot open {}: {panic}",
                self.spec
            ))),
        }
    }

    async fn opened(&mut self, target: Target, mut device: SerialStream) -> Opened {
        if !self.was_absent {
            // What waited in the system from before would pass for news.
            os::discard_input(&mut device).await;
        }
        self.claim(Some(target.path.clone()), target.identity.clone());
        let starts_whole = std::mem::take(&mut self.was_absent);
        let found = target.found.as_ref();
        let restarts = found.and_then(PortInfo::is_native_usb) == Some(false);
        let settle = if restarts { BOOTLOADER } else { Duration::ZERO };
        let info = DeviceInfo {
            path: target.path.clone(),
            board: found.and_then(PortInfo::board).map(|board| shown(&board)),
            usb: found.and_then(PortInfo::usb_spec),
            low_latency: self.settings.low_latency && os::set_low_latency(&device),
        };
        self.last = target.identity.map(|identity| (identity, Instant::now()));
        let settle = self.settings.settle.unwrap_or(settle);
        Opened {
            device: Box::new(device),
            info,
            is_simulated: false,
            starts_whole,
            settle,
        }
    }

    fn simulated(&self, device: sim::Simulated) -> Opened {
        let path = self.spec.to_string();
        let settle = self.settings.settle.unwrap_or(Duration::ZERO);
        let info = DeviceInfo {
            path,
            ..DeviceInfo::default()
        };
        Opened {
            device: Box::new(device),
            info,
            is_simulated: true,
            starts_whole: true,
            settle,
        }
    }

    /// Says that the device is closed, and whether it has gone.
    pub(crate) fn let_go(&mut self, has_gone: bool) {
        self.was_absent |= has_gone;
        if let Some((_, since)) = &mut self.last {
            *since = Instant::now();
        }
        self.claim(
            None,
            self.last.as_ref().map(|(identity, _)| identity.clone()),
        );
    }

    /// Says what this port has open, and which device it holds or waits for.
    fn claim(&self, path: Option<String>, identity: Option<Identity>) {
        with_claims(&self.held, |held| {
            if let Some(claim) = held.iter_mut().find(|claim| claim.port == self.port) {
                (claim.path, claim.identity) = (path, identity);
            }
        });
    }
}
