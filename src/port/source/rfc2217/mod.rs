//! `rfc2217://HOST:PORT`: a serial port of another computer, with its settings and modem lines, such
//! as ser2net, pyserial's and esptool's servers, and Wokwi share it.

mod client;
mod device;

use std::time::Duration;

use tokio::time::timeout;

use super::network::{Backoff, absent, connect};
use super::spec::Spec;
use super::{OpenFailure, OpenedDevice, Opening, Source};
use crate::dial::Endpoint;
use crate::hub::{DeviceInfo, LineSettings};
use crate::port::config::PortConfig;
use crate::port::device::Device;
use crate::port::modem_lines;
use crate::rfc2217::ComPortMessage;
use crate::terminal::shown;
use device::Rfc2217Device;

/// The longest time to wait until the server agrees to speak RFC 2217, and again until it has
/// answered the settings. pyserial waits as long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// The time that a board which the other end restarts may take until its sketch listens.
const BOOTLOADER_TIMEOUT: Duration = Duration::from_secs(2);

/// The modem states that are to be told: all of them.
const ALL_STATES: u8 = 255;

/// The source of a serial port behind an RFC 2217 server.
pub(crate) struct Rfc2217Source {
    endpoint: Endpoint,
    settings: LineSettings,
    backoff: Backoff,
}

impl Rfc2217Source {
    /// Starts without a connection.
    pub(crate) fn new(endpoint: &Endpoint, config: &PortConfig) -> Self {
        Self {
            endpoint: endpoint.clone(),
            settings: config.line,
            backoff: Backoff::new(),
        }
    }

    async fn connect(&mut self) -> Result<OpenedDevice, OpenFailure> {
        let device = self.open_device().await;
        let device = device.inspect_err(|_| self.backoff.ended())?;
        self.backoff.succeeded();
        let may_restart = self.settings.dtr.level() == Some(true) && !self.settings.no_reset;
        Ok(OpenedDevice {
            device: Box::new(device),
            info: DeviceInfo {
                path: Spec::Rfc2217(self.endpoint.clone()).to_string(),
                ..DeviceInfo::default()
            },
            detail: |info, settings| {
                format!("{} is open ({})", info.path, settings.rate_for_people())
            },
            starts_whole: false,
            // What is between may gather, as adapters do.
            gathers: true,
            has_rate: true,
            finds_rate: false,
            settle: if may_restart {
                BOOTLOADER_TIMEOUT
            } else {
                Duration::ZERO
            },
        })
    }

    /// Connects, and has the server set the port up.
    async fn open_device(&mut self) -> Result<Rfc2217Device, OpenFailure> {
        let mut device = Rfc2217Device::new(connect(&self.endpoint).await?);
        let agreed = device.until(|client| client.has_com_port().is_some());
        match timeout(ANSWER_TIMEOUT, agreed).await {
            Ok(Ok(())) if device.client.has_com_port() == Some(true) => {}
            Ok(Err(_)) => return Err(self.closed()),
            Ok(Ok(())) => return Err(self.no_server("it refuses to be one")),
            Err(_) => return Err(self.no_server("it does not answer as one")),
        }
        let client = &mut device.client;
        client.send(&ComPortMessage::ModemStateMask(ALL_STATES));
        client.configure(&self.settings);
        for (_, change) in modem_lines::opening(&self.settings) {
            // It only has to be sent.
            let _ = device.change_line(change);
        }
        let answered = device.until(|client| !client.awaits_settings());
        match timeout(ANSWER_TIMEOUT, answered).await {
            Ok(Err(_)) => return Err(self.closed()),
            Err(_) if !device.client.has_answered() => {
                return Err(self.no_server("it answers no settings"));
            }
            // Some servers never answer some values.
            Ok(Ok(())) | Err(_) => {}
        }
        Ok(device)
    }

    /// A server that ended the connection at once.
    fn closed(&self) -> OpenFailure {
        let place = shown(&self.endpoint.to_string());
        let detail = format!("cannot open the serial port of {place}: it closed the connection");
        absent(detail, "Check that nobody else uses that port")
    }

    /// Something else than an RFC 2217 server.
    fn no_server(&mut self, why: &str) -> OpenFailure {
        // What was sent may have reached a board.
        self.backoff.slow_down();
        let place = &self.endpoint;
        let detail = format!("{} is no RFC 2217 server: {why}", shown(&place.to_string()));
        let hint = format!("If it is raw TCP: {}", Spec::Tcp(place.clone()));
        absent(detail, &hint)
    }
}

impl Source for Rfc2217Source {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(self.connect())
    }

    fn set_settings(&mut self, settings: LineSettings, _are_chosen: bool) {
        self.settings = settings;
    }

    fn release(&mut self, _has_gone: bool) {
        self.backoff.ended();
    }

    fn retry_delay(&self) -> Duration {
        self.backoff.delay()
    }

    fn keeps_ending(&self) -> bool {
        self.backoff.keeps_ending()
    }
}
