//! From what the user wants to an open device, or to a sentence on why there is none.

use std::io;
use std::time::{Duration, Instant};

use serialport::{ClearBuffer, ErrorKind, SerialPort};
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use super::device::Device;
use super::enumerate::{self, Found};
use super::identity::{Identity, recognise};
use super::select::{Spec, Undecided, choose};
use super::{Claim, Held, signals, sim, with_held};
use crate::cli::{FlowControl, Parity};
use crate::config::{PortConfig, Settings};
use crate::escape::shown;
use crate::hub::{DeviceInfo, State, Status};
use crate::sys::{self, Access, PathKind};

/// How long a board with a USB serial chip, which restarts when it is opened, may take until its
/// sketch listens: the bootloader comes first.
const BOOTLOADER: Duration = Duration::from_secs(2);

/// What to do about something that is no serial port.
const LIST: &str = "serial-ws list shows the serial ports";

/// How long `auto` waits for the board that it had before it takes another one.
const FAITHFUL: Duration = Duration::from_secs(5);

/// A device that was opened.
pub struct Opened {
    /// The device.
    pub device: Box<dyn Device>,
    /// Which one it is.
    pub info: DeviceInfo,
    /// Whether it is a simulated one, for which a rate means nothing.
    pub is_simulated: bool,
    /// Whether its first byte begins a line.
    pub starts_whole: bool,
    /// How long to hold writes until the device has spoken.
    pub settle: Duration,
}

impl Opened {
    /// One sentence about it.
    pub fn sentence(&self, settings: &Settings) -> String {
        let DeviceInfo { path, board, .. } = &self.info;
        match (self.is_simulated, board) {
            (true, _) => format!("{path} is open (simulated)"),
            (false, Some(board)) => format!("{path} is open ({board}, {} baud)", settings.baud),
            (false, None) => format!("{path} is open ({} baud)", settings.baud),
        }
    }
}

/// Why a device could not be opened.
#[derive(Debug)]
pub struct Failure {
    /// What to tell clients and the operator.
    pub status: Status,
    /// Whether trying again is pointless.
    pub is_final: bool,
    /// Whether no device is there, so that one that comes starts anew.
    pub is_absent: bool,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self {
            status,
            is_final: false,
            is_absent: false,
        }
    }
}

impl Failure {
    fn waiting(detail: impl Into<String>) -> Self {
        Status::new(State::Waiting, detail).into()
    }

    fn absent(detail: impl Into<String>) -> Self {
        Self {
            is_absent: true,
            ..Self::waiting(detail)
        }
    }

    fn hopeless(detail: String, hint: &str) -> Self {
        Self {
            status: Status::new(State::Waiting, detail).with_hint(hint),
            is_final: true,
            is_absent: false,
        }
    }
}

/// Opens what a test has instead of a device.
#[cfg(test)]
pub type StandIn = Box<dyn FnMut() -> Result<Opened, Failure> + Send + Sync>;

/// Which device a port wants, and what is known of it.
pub struct Wanted {
    spec: Spec,
    settings: Settings,
    /// The name of the port, by which its claim is known among all.
    port: String,
    held: Held,
    /// The device that was open last, and since when it has not been.
    last: Option<(Identity, Instant)>,
    /// Whether the device has gone, or was looked for and not there, so that it starts anew when
    /// it comes.
    was_absent: bool,
    /// What to open instead, where a test stands in for the system.
    #[cfg(test)]
    pub instead: Option<StandIn>,
}

impl Wanted {
    /// Nothing is known yet but what the user typed.
    pub fn new(config: &PortConfig, held: Held) -> Self {
        let (spec, settings) = (config.spec.clone(), config.settings);
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
    pub async fn open(&mut self) -> Result<Opened, Failure> {
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
        let others = with_held(&self.held, |held| {
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
            Ok(Ok((target, device))) => Ok(self.opened(target, device)),
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

    fn opened(&mut self, target: Target, device: SerialStream) -> Opened {
        if !self.was_absent {
            // What waited in the system from before would pass for news. A driver that cannot
            // discard it has none.
            let _ = device.clear(ClearBuffer::Input);
        }
        self.claim(Some(target.path.clone()), target.identity.clone());
        let starts_whole = std::mem::take(&mut self.was_absent);
        let found = target.found.as_ref();
        let restarts = found.and_then(Found::is_native_usb) == Some(false);
        let settle = if restarts { BOOTLOADER } else { Duration::ZERO };
        let info = DeviceInfo {
            path: target.path.clone(),
            board: found.and_then(Found::board).map(|board| shown(&board)),
            usb: found.and_then(Found::usb_spec),
            low_latency: self.settings.low_latency && sys::set_low_latency(&device),
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
    pub fn let_go(&mut self, has_gone: bool) {
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
        let port = self.port.clone();
        with_held(&self.held, |held| {
            held.retain(|claim| claim.port != port);
            held.push(Claim {
                port,
                path,
                identity,
            });
        });
    }
}

/// What to open.
struct Target {
    path: String,
    found: Option<Found>,
    identity: Option<Identity>,
}

/// Finds the device that is meant: the one that was open before, wherever it is now, or the one
/// that the user described.
fn find(
    spec: &Spec,
    last: Option<&(Identity, Instant)>,
    others: &[Claim],
) -> Result<Target, Failure> {
    let kind = match spec {
        Spec::Path(path) => sys::describe_path(path),
        _ => PathKind::Missing,
    };
    // Only now: what is there is listed, while what is listed may not have been there before.
    let (ports, unlisted) = match enumerate::ports() {
        Ok(ports) => (ports, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let held: Vec<String> = others
        .iter()
        .filter_map(|claim| claim.path.clone())
        .collect();
    let known = last.and_then(|(identity, _)| recognise(identity, &ports, &held));
    match (spec, kind) {
        (Spec::Path(path), PathKind::NotAPort(what)) => {
            let path = shown(path);
            let detail = format!("cannot open {path}: it is {what}, not a serial port");
            return Err(Failure::hopeless(detail, LIST));
        }
        // Another board may have come to the path while ours is under another name.
        (Spec::Path(path), PathKind::Port)
            if known.is_none_or(|port| sys::same_port(&port.path, path)) =>
        {
            if known.is_none()
                && let Some(claim) = owner(path, &ports, others)
            {
                let (path, port) = (shown(path), &claim.port);
                let detail = format!("cannot open {path}: it is the device of port {port}");
                return Err(Status::new(State::Busy, detail).into());
            }
            return Ok(Target::named(path, &ports));
        }
        _ => {}
    }
    if let Some(error) = unlisted {
        return Err(Failure::waiting(format!("{error:#}")));
    }
    let may_change = last.is_none_or(|(_, since)| since.elapsed() >= FAITHFUL);
    let chosen = match (known, spec) {
        (Some(known), _) => known,
        (None, Spec::Auto) if !may_change => {
            return Err(Failure::absent(
                "the board that was here has not come back yet",
            ));
        }
        (None, _) => {
            let free = ports
                .iter()
                .filter(|port| owner(&port.path, &ports, others).is_none());
            let free: Vec<Found> = free.cloned().collect();
            let chosen = choose(spec, &free).map_err(undecided)?;
            return Ok(Target::found(chosen, &ports));
        }
    };
    Ok(Target::found(chosen, &ports))
}

/// Which of our other ports has the device at `path`, or waits for it.
fn owner<'a>(path: &str, ports: &[Found], others: &'a [Claim]) -> Option<&'a Claim> {
    others
        .iter()
        .find(|claim| match (&claim.path, &claim.identity) {
            (Some(held), _) => sys::same_port(held, path),
            (None, Some(identity)) => {
                recognise(identity, ports, &[]).is_some_and(|port| sys::same_port(&port.path, path))
            }
            (None, None) => false,
        })
}

fn undecided(undecided: Undecided) -> Failure {
    match undecided {
        Undecided::Absent(detail) => Failure::absent(detail),
        Undecided::Several(detail) => Failure::waiting(detail),
    }
}

impl Target {
    fn found(found: &Found, ports: &[Found]) -> Self {
        Self {
            path: found.path.clone(),
            found: Some(found.clone()),
            identity: Some(Identity::of(found, ports)),
        }
    }

    /// The port that the user named, whether or not it is listed.
    fn named(path: &str, ports: &[Found]) -> Self {
        match ports.iter().find(|port| sys::same_port(&port.path, path)) {
            Some(found) => Self {
                path: path.to_owned(),
                ..Self::found(found, ports)
            },
            None => Self {
                path: path.to_owned(),
                found: None,
                identity: None,
            },
        }
    }
}

/// Opens the serial port at `path`.
fn open(path: &str, settings: Settings) -> Result<SerialStream, Failure> {
    let builder = tokio_serial::new(path, settings.baud)
        .data_bits(match settings.data_bits {
            5 => serialport::DataBits::Five,
            6 => serialport::DataBits::Six,
            7 => serialport::DataBits::Seven,
            _ => serialport::DataBits::Eight,
        })
        .parity(match settings.parity {
            Parity::None => serialport::Parity::None,
            Parity::Odd => serialport::Parity::Odd,
            Parity::Even => serialport::Parity::Even,
        })
        .stop_bits(match settings.stop_bits {
            2 => serialport::StopBits::Two,
            _ => serialport::StopBits::One,
        })
        .flow_control(match settings.flow_control {
            FlowControl::None => serialport::FlowControl::None,
            FlowControl::Software => serialport::FlowControl::Software,
            FlowControl::Hardware => serialport::FlowControl::Hardware,
        });
    let mut device = builder
        .open_native_async()
        .map_err(|e| explain(&e, path, settings))?;
    if settings.no_reset
        && let Err(error) = sys::keep_lines_on_close(&device)
    {
        tracing::debug!(path, %error, "cannot keep the modem lines after closing");
    }
    for (_, act) in signals::opening(&settings) {
        if let Err(error) = signals::act(&mut device, act) {
            // Pseudo-terminals and some adapters have no modem lines.
            tracing::debug!(path, ?act, %error, "cannot set the modem line");
        }
    }
    Ok(device)
}

/// Why a port could not be opened, and what to do about it.
fn explain(error: &serialport::Error, path: &str, settings: Settings) -> Failure {
    let shown_path = shown(path);
    match error.kind() {
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => {
            let hint = match sys::access(path) {
                Access::Denied { hint } => hint.unwrap_or_default(),
                _ => String::new(),
            };
            let detail = format!("cannot open {shown_path}: permission denied");
            Status::new(State::Denied, detail).with_hint(hint).into()
        }
        // The library says "no device" also of one that another program holds.
        ErrorKind::NoDevice if sys::describe_path(path) == PathKind::Port => busy(path),
        ErrorKind::NoDevice | ErrorKind::Io(io::ErrorKind::NotFound) => {
            Failure::absent(format!("no port {shown_path}"))
        }
        ErrorKind::InvalidInput | ErrorKind::Io(io::ErrorKind::InvalidInput) => Failure::hopeless(
            format!(
                "cannot open {shown_path} at {} baud: the driver refuses it",
                settings.baud
            ),
            "Common rates are 9600 and 115200; see also --data-bits, --parity, --stop-bits",
        ),
        ErrorKind::Unknown if !sys::is_terminal(path) => {
            let detail = format!("cannot open {shown_path}: it is not a serial port");
            Failure::hopeless(detail, LIST)
        }
        ErrorKind::Io(_) | ErrorKind::Unknown => Failure::waiting(format!(
            "cannot open {shown_path}: {}",
            shown(&error.description)
        )),
    }
}

fn busy(path: &str) -> Failure {
    let shown_path = shown(path);
    let (holder, hint) = match sys::holder(path) {
        Some(holder) => {
            let name = shown(&holder.name);
            let hint = match name == env!("CARGO_PKG_NAME") {
                true => "Run: serial-ws release",
                false => "Close the port there; in the Arduino IDE, close the Serial Monitor",
            };
            (format!("{name} (pid {})", holder.pid), hint)
        }
        None => (
            "another program".to_owned(),
            "Close the port there, such as the Serial Monitor of the Arduino IDE",
        ),
    };
    let detail = format!("cannot open {shown_path}: in use by {holder}");
    Status::new(State::Busy, detail).with_hint(hint).into()
}
