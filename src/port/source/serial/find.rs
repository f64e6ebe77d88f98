//! Finds the device to open: the board that was open before, under whatever name it came back, or
//! the one that the user described.

use std::slice;
use std::time::{Duration, Instant};

use super::device_id;
use super::enumerate::{self, PortInfo};
use super::identity::{Identity, recognise};
use super::open::LIST_HINT;
use super::os::{self, PathKind};
use super::select::{SelectError, select};
use crate::hub::{State, Status};
use crate::platform;
use crate::port::claims::ClaimedDevice;
use crate::port::source::OpenFailure;
use crate::port::source::spec::Spec;
use crate::terminal::shown;

/// The time for which `auto`, or a port that was opened by an ID, waits for the board that it had,
/// before it takes another one.
const BOARD_CHANGE_DELAY: Duration = Duration::from_secs(5);

/// The device to open.
pub(crate) struct FoundDevice {
    /// The path that the system opens.
    pub(crate) path: String,
    /// Its entry in the list of ports, if it has one.
    pub(crate) listed: Option<PortInfo>,
    /// The identity by which to recognise it later, if it is listed.
    pub(crate) identity: Option<Identity>,
}

/// Finds the device that is meant: the one that was open before, wherever it is now, or the one
/// that the user described.
///
/// # Errors
/// If there is none, or another port of this program has it.
pub(crate) fn find(
    spec: &Spec,
    last: Option<&(Identity, Instant)>,
    others: &[ClaimedDevice],
) -> Result<FoundDevice, OpenFailure> {
    let kind = match spec {
        Spec::Path(path) => os::describe_path(path),
        _ => PathKind::Missing,
    };
    // Only now: a port at the path is listed then, while a listed one may not have been there.
    let listed = enumerate::ports();
    let ports = listed.as_deref().unwrap_or_default();
    let open: Vec<String> = others.iter().filter_map(|it| it.path.clone()).collect();
    let known = last.and_then(|(identity, _)| recognise(identity, ports, &open));
    match (spec, kind) {
        (Spec::Path(path), PathKind::NotAPort(what)) => {
            let detail = format!(
                "cannot open {}: it is {what}, not a serial port",
                shown(path)
            );
            Err(OpenFailure::permanent(detail, LIST_HINT))
        }
        (Spec::Path(path), PathKind::Port) if known.is_none() => {
            free_at_path(spec, path, ports, others)
        }
        // Another board may have come to the path while ours is under another name.
        (Spec::Path(path), PathKind::Port)
            if known.is_some_and(|port| os::same_port(&port.path, path)) =>
        {
            Ok(FoundDevice::named(path, ports))
        }
        _ => {
            if let Err(error) = &listed {
                return Err(OpenFailure::waiting(platform::sentence(error)));
            }
            let since = last.map(|(_, since)| since.elapsed());
            let chosen = match known {
                Some(known) => known.clone(),
                None => select_free(spec, since, ports, others)?,
            };
            Ok(FoundDevice::listed(&chosen, ports))
        }
    }
}

/// Returns the port at the path that the user named, if it is not another port's.
fn free_at_path(
    spec: &Spec,
    path: &str,
    ports: &[PortInfo],
    others: &[ClaimedDevice],
) -> Result<FoundDevice, OpenFailure> {
    if let Some(owner) = owner(spec, path, ports, others) {
        let (path, port) = (shown(path), &owner.port);
        let detail = format!("cannot open {path}: it belongs to port {port}");
        return Err(Status::new(State::Busy, detail).into());
    }
    Ok(FoundDevice::named(path, ports))
}

/// Returns the listed port that is meant, if it is not another port's. `since` is the time since
/// the board that was here before has gone.
fn select_free(
    spec: &Spec,
    since: Option<Duration>,
    ports: &[PortInfo],
    others: &[ClaimedDevice],
) -> Result<PortInfo, OpenFailure> {
    let may_change = matches!(spec, Spec::Auto | Spec::Device(_));
    if may_change && since.is_some_and(|time| time < BOARD_CHANGE_DELAY) {
        let detail = "waiting for the board that was here before";
        return Err(OpenFailure::absent(detail));
    }
    let (mut free, mut taken) = (Vec::new(), Vec::new());
    for port in ports {
        match owner(spec, &port.path, ports, others) {
            None => free.push(port.clone()),
            Some(owner) if select(spec, slice::from_ref(port)).is_ok() => {
                taken.push(format!(
                    "{} belongs to port {}",
                    shown(&port.path),
                    owner.port
                ));
            }
            Some(_) => {}
        }
    }
    select(spec, &free).cloned().map_err(|error| match error {
        SelectError::Several(detail) => OpenFailure::several(detail),
        SelectError::Absent(detail) if taken.is_empty() => OpenFailure::absent(detail),
        SelectError::Absent(_) => {
            OpenFailure::absent(format!("no board for this port: {}", taken.join(", ")))
        }
    })
}

/// Returns which of our other ports has the device at `path`, waits for it, or names it more
/// exactly than `spec` does.
pub(super) fn owner<'a>(
    spec: &Spec,
    path: &str,
    ports: &[PortInfo],
    others: &'a [ClaimedDevice],
) -> Option<&'a ClaimedDevice> {
    let is_here = |port: &PortInfo| os::same_port(&port.path, path);
    let has_open = |other: &&ClaimedDevice| {
        let open = other.path.as_deref();
        open.is_some_and(|open| os::same_port(open, path))
    };
    // One that has it open, before one that waits for a device like it.
    others.iter().find(has_open).or_else(|| {
        let mut waiting = others.iter().filter(|other| other.path.is_none());
        waiting.find(|other| {
            let identity = other.identity.as_ref();
            let last = identity.and_then(|identity| recognise(identity, ports, &[]));
            let is_named = || match &other.spec {
                Spec::Path(named) => os::same_port(named, path),
                Spec::Device(id) => device_id::find(id, ports).is_ok_and(is_here),
                named => ports
                    .iter()
                    .any(|port| is_here(port) && port.usb().is_some_and(|usb| named.matches(usb))),
            };
            last.is_some_and(is_here) || other.spec.specificity() > spec.specificity() && is_named()
        })
    })
}

impl FoundDevice {
    fn listed(port: &PortInfo, ports: &[PortInfo]) -> Self {
        Self {
            path: port.path.clone(),
            listed: Some(port.clone()),
            identity: Some(Identity::of(port, ports)),
        }
    }

    /// The port that the user named, whether or not it is listed.
    fn named(path: &str, ports: &[PortInfo]) -> Self {
        let is_named = |port: &&PortInfo| os::same_port(&port.path, path);
        let listed = ports.iter().find(is_named);
        Self {
            path: path.to_owned(),
            listed: listed.cloned(),
            identity: listed.map(|port| Identity::of(port, ports)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNO: (&str, &str) = ("/dev/ttyACM0", "2341:0043:A1@1-1/0");
    const OTHER_UNO: (&str, &str) = ("/dev/ttyACM1", "2341:0043:B1@1-2/0");
    const PICO: (&str, &str) = ("/dev/ttyACM2", "2e8a:000a:C1@1-3/0");

    /// Checks what `spec` gets while the ports `others`, named p0 and so on, have not opened theirs yet.
    #[track_caller]
    fn check(spec: &str, others: &[&str], here: &[(&str, &str)], expected: Result<&str, &str>) {
        let ports: Vec<PortInfo> = here
            .iter()
            .map(|(path, spec)| PortInfo::fake_usb(path, spec))
            .collect();
        let claim = |(number, spec): (usize, &&str)| {
            ClaimedDevice::new(&format!("p{number}"), &spec.parse().unwrap())
        };
        let others: Vec<ClaimedDevice> = others.iter().enumerate().map(claim).collect();
        let chosen = select_free(&spec.parse().unwrap(), None, &ports, &others);
        let chosen = chosen.map(|port| port.path).map_err(|f| f.status.detail);
        assert_eq!(chosen, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn a_board_that_another_port_names_is_left_to_it() {
        let boards = [UNO, PICO];
        for named in ["/dev/ttyACM0", "usb:2341:0043", "usb:2341:0043:A1"] {
            check("auto", &[named], &boards, Ok(PICO.0));
        }
        let unos = [UNO, OTHER_UNO];
        check(
            "usb:2341:0043",
            &["usb:2341:0043:A1"],
            &unos,
            Ok(OTHER_UNO.0),
        );
        // A port that names a board exactly is not kept from it by one that does not.
        check(
            "usb:2341:0043:A1",
            &["usb:2341:0043", "auto"],
            &unos,
            Ok(UNO.0),
        );
        check("auto", &["auto", "sim", "loop"], &[UNO], Ok(UNO.0));
    }

    #[test]
    fn who_has_a_device_open_goes_before_who_waits_for_one_like_it() {
        let ports = [PortInfo::fake_usb(UNO.0, UNO.1)];
        let mut waiting = ClaimedDevice::new("waiting", &"usb:2341:0043:A1".parse().unwrap());
        waiting.identity = Some(Identity::of(&ports[0], &ports));
        let mut open = ClaimedDevice::new("open", &Spec::Auto);
        let find = |others: &[ClaimedDevice]| {
            owner(&Spec::Auto, UNO.0, &ports, others).map(|owner| owner.port.clone())
        };
        assert_eq!(
            find(&[waiting.clone(), open.clone()]).as_deref(),
            Some("waiting")
        );
        open.path = Some(UNO.0.to_owned());
        assert_eq!(find(&[waiting, open]).as_deref(), Some("open"));
    }

    #[test]
    fn where_all_boards_are_for_other_ports_these_are_named() {
        check(
            "auto",
            &["usb:2341:0043:A1", "/dev/ttyACM2"],
            &[UNO, PICO],
            Err("no board for this port: /dev/ttyACM0 belongs to port p0, \
                 /dev/ttyACM2 belongs to port p1"),
        );
    }
}
